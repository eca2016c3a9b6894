//! Signatures of cards. Every one is verified here before its record reaches anyone.

use apdu_spec::codec::CodecError;
use apdu_spec::cose::{Sign1, Sign1Bytes};
use apdu_spec::record::Record;
use apdu_spec::value::{CardId, Hash, IssuerId, KeyId, Nonce, PublicKey, Signature};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ParsedPublicKey, UnparsedPublicKey};
use aws_lc_rs::{digest, rand};

use crate::error::{CardError, Garbled};

/// Who a card is: what its signatures are verified against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CardIdentity {
    card: CardId,
    issuer: IssuerId,
    key: PublicKey,
    kid: KeyId,
}

impl CardIdentity {
    /// The card with this number, of this issuer, with this key.
    #[must_use]
    pub fn new(card: CardId, issuer: IssuerId, key: PublicKey) -> Self {
        let kid = key_id(&key);
        Self { card, issuer, key, kid }
    }

    /// The card's number.
    #[must_use]
    pub const fn card(&self) -> CardId {
        self.card
    }

    /// The issuer that the card obeys.
    #[must_use]
    pub const fn issuer(&self) -> IssuerId {
        self.issuer
    }

    /// The card's public key.
    #[must_use]
    pub const fn key(&self) -> PublicKey {
        self.key
    }

    /// The key's ID in records: first 8 bytes of SHA-256 over the uncompressed point.
    #[must_use]
    pub const fn kid(&self) -> KeyId {
        self.kid
    }
}

/// A record with the card's signature over it. It exists only where the signature is valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed<R> {
    record: R,
    sign1: Sign1Bytes,
}

impl<R> Signed<R> {
    /// What was signed.
    #[must_use]
    pub const fn record(&self) -> &R {
        &self.record
    }

    /// The whole COSE_Sign1, at most [`SIGN1_MAX`](apdu_spec::cose::SIGN1_MAX) bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.sign1.as_bytes()
    }
}

impl<R: Record> Signed<R> {
    /// Puts together again, byte for byte, what the card says that it has signed.
    pub(crate) fn rebuild(
        record: R,
        signature: Signature,
        identity: &CardIdentity,
    ) -> Result<Self, CardError> {
        let payload = record.encode().map_err(CardError::Unsendable)?;
        let sign1 = Sign1 { kid: identity.kid, payload: payload.as_bytes(), signature };
        verify(&sign1, identity)?;
        let sign1 = sign1.write().map_err(CardError::Unsendable)?;
        Ok(Self { record, sign1 })
    }

    /// Takes apart a whole COSE_Sign1 that the card answered.
    pub(crate) fn open(bytes: &[u8], identity: &CardIdentity) -> Result<Self, Garbled> {
        let received = Sign1::read(bytes)?;
        verify(&received, identity)?;
        let record = R::decode(received.payload)?;
        let mut sign1 = Sign1Bytes::new();
        sign1.extend(bytes)?;
        Ok(Self { record, sign1 })
    }
}

/// Half the order of P-256, rounded down. For every signature (r, s) there is (r, n - s), which
/// anyone can make; cards give the one with the smaller s.
const HALF_ORDER: [u8; 32] = [
    0x7f, 0xff, 0xff, 0xff, 0x80, 0x00, 0x00, 0x00, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xde, 0x73, 0x7d, 0x56, 0xd3, 0x8b, 0xcf, 0x42, 0x79, 0xdc, 0xe5, 0x61, 0x7e, 0x31, 0x92, 0xa8,
];

fn verify(sign1: &Sign1<'_>, identity: &CardIdentity) -> Result<(), Garbled> {
    if sign1.kid != identity.kid {
        return Err(Garbled::Contradiction);
    }
    if !is_low_s(&sign1.signature) {
        return Err(Garbled::Signature);
    }
    let message = sign1.sig_structure()?;
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, uncompressed(&identity.key))
        .verify(message.as_bytes(), &sign1.signature.0)
        .map_err(|_| Garbled::Signature)
}

pub(crate) fn is_low_s(signature: &Signature) -> bool {
    let s = signature.0.last_chunk::<32>();
    s.is_some_and(|s| *s <= HALF_ORDER)
}

/// Checks that a key is a point on the curve.
pub(crate) fn check_key(key: &PublicKey) -> Result<(), Garbled> {
    ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, uncompressed(key))
        .map(|_| ())
        .map_err(|_| Garbled::Fields(CodecError::Range))
}

/// SHA-256.
pub(crate) fn hash(bytes: &[u8]) -> Hash {
    let mut hash = [0; Hash::SIZE];
    hash.iter_mut()
        .zip(digest::digest(&digest::SHA256, bytes).as_ref())
        .for_each(|(to, from)| *to = *from);
    Hash(hash)
}

/// Random bytes against replay.
pub(crate) fn fresh_nonce() -> Result<Nonce, CardError> {
    let mut nonce = [0; Nonce::SIZE];
    rand::fill(&mut nonce).map_err(|_| CardError::Entropy)?;
    Ok(Nonce(nonce))
}

fn key_id(key: &PublicKey) -> KeyId {
    let [a, b, c, d, e, f, g, h, ..] = hash(&uncompressed(key)).0;
    KeyId([a, b, c, d, e, f, g, h])
}

/// `04 x y` (SEC 1 §2.3.3).
fn uncompressed(key: &PublicKey) -> [u8; 65] {
    let mut point = [0; 65];
    let [head, coordinates @ ..] = &mut point;
    *head = 0x04;
    *coordinates = key.0;
    point
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scripted::{CARD, CardKey};
    use apdu_spec::record::BurnedSlot;
    use apdu_spec::value::Sequence;

    const RECORD: BurnedSlot = BurnedSlot { card: CARD, slot: Sequence(7) };

    #[test]
    fn what_is_rebuilt_is_what_was_signed() {
        let key = CardKey::new();
        let signature = key.sign(&RECORD);
        let rebuilt = Signed::rebuild(RECORD, signature, &key.identity()).unwrap();
        assert_eq!(*rebuilt.record(), RECORD);
        let opened = Signed::<BurnedSlot>::open(rebuilt.as_bytes(), &key.identity());
        assert_eq!(opened, Ok(rebuilt));
    }

    #[test]
    fn signatures_of_others_of_other_records_and_in_the_other_form_are_refused() {
        let (key, other) = (CardKey::new(), CardKey::new());
        let another = BurnedSlot { slot: Sequence(8), ..RECORD };
        for (case, signature) in [
            ("other key", other.sign(&RECORD)),
            ("other record", key.sign(&another)),
            ("high s", key.sign_high(&RECORD)),
            ("zeros", Signature([0; 64])),
        ] {
            let rebuilt = Signed::rebuild(RECORD, signature, &key.identity());
            assert_eq!(rebuilt, Err(Garbled::Signature.into()), "{case}");
        }
    }

    #[test]
    fn every_changed_byte_of_a_record_is_noticed() {
        let key = CardKey::new();
        let whole = key.sign1(&RECORD);
        for place in 0..whole.len() {
            let mut changed = whole.clone();
            changed[place] ^= 1;
            let opened = Signed::<BurnedSlot>::open(&changed, &key.identity());
            assert!(opened.is_err(), "byte {place}");
        }
        let (short, long) = (&whole[..whole.len() - 1], [&whole[..], &[0]].concat());
        for bytes in [short, &long, &[]] {
            assert!(Signed::<BurnedSlot>::open(bytes, &key.identity()).is_err());
        }
    }

    #[test]
    fn half_the_order_is_still_low() {
        let mut signature = Signature([0xff; 64]);
        signature.0[32..].copy_from_slice(&HALF_ORDER);
        assert!(is_low_s(&signature));
        signature.0[63] += 1;
        assert!(!is_low_s(&signature));
    }

    #[test]
    fn the_hash_and_the_key_id_are_those_of_the_standards() {
        // FIPS 180-2, "abc".
        let text = hash(b"abc").to_string();
        assert_eq!(text[..16], *"ba7816bf8f01cfea");
        let key = CardKey::new().public();
        let point = [&[4], &key.0[..]].concat();
        assert_eq!(key_id(&key).0, hash(&point).0[..8]);
    }

    #[test]
    fn a_key_is_a_point_on_the_curve() {
        let mut key = CardKey::new().public();
        assert_eq!(check_key(&key), Ok(()));
        key.0[63] ^= 1;
        assert!(check_key(&key).is_err());
        assert!(check_key(&PublicKey([0; 64])).is_err());
    }
}
