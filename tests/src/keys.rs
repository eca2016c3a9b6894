//! Keys for tests: anyone can compute them, so nothing in use may trust one.

use apdu_spec::cose::{self, Sign1};
use apdu_spec::value::{Hash, KeyId, PublicKey, Signature};
use aws_lc_rs::agreement::{ECDH_P256, PrivateKey};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, UnparsedPublicKey,
};

/// Order of P-256, big-endian.
const ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];

/// A key pair of somebody in a test, always the same for the same name.
#[derive(Debug)]
pub struct TestKey {
    pair: EcdsaKeyPair,
    public: PublicKey,
}

impl TestKey {
    /// The key pair of this name.
    ///
    /// # Panics
    /// Never for the names in use: a hash is a valid private key but for one in 2³².
    #[must_use]
    pub fn named(name: &str) -> Self {
        let private = sha256(format!("Kozeni test key {name}").as_bytes()).0;
        let public = PrivateKey::from_private_key(&ECDH_P256, &private)
            .expect("a hash is a private key")
            .compute_public_key()
            .expect("a private key has a public one");
        let pair = EcdsaKeyPair::from_private_key_and_public_key(
            &ECDSA_P256_SHA256_FIXED_SIGNING,
            &private,
            public.as_ref(),
        );
        Self {
            pair: pair.expect("the pair fits together"),
            public: PublicKey(public.as_ref()[1..].try_into().expect("04 x y")),
        }
    }

    /// The public key.
    #[must_use]
    pub const fn public(&self) -> PublicKey {
        self.public
    }

    /// Signs a payload, claiming that the key `kid` did. Two signatures of one payload differ.
    ///
    /// # Panics
    /// When the payload is longer than a record's.
    #[must_use]
    pub fn sign(&self, kid: KeyId, payload: &[u8]) -> Signature {
        let message = cose::sig_structure(kid, payload).expect("a payload of a record");
        let signature = self.pair.sign(&SystemRandom::new(), message.as_bytes());
        let signature = signature.expect("signing works");
        Signature(signature.as_ref().try_into().expect("r and s"))
    }
}

/// Key ID: the first 8 bytes of SHA-256 over the uncompressed point.
#[must_use]
pub fn key_id(key: &PublicKey) -> KeyId {
    let hash = sha256(&uncompressed(key)).0;
    KeyId(*hash.first_chunk().expect("8 of 32 bytes"))
}

/// Whether a signature in a record is that of `key`. Both forms of a signature are.
#[must_use]
pub fn verifies(key: &PublicKey, record: &Sign1<'_>) -> bool {
    let Ok(message) = record.sig_structure() else {
        return false;
    };
    let verifier = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, uncompressed(key));
    let valid = verifier.verify(message.as_bytes(), &record.signature.0);
    record.kid == key_id(key) && valid.is_ok()
}

/// Whether s is in the lower half, as it is in every signature of a card.
#[must_use]
pub fn has_low_s(signature: &Signature) -> bool {
    let s = &signature.0[32..];
    s <= &other_s(signature).0[32..]
}

/// The other valid signature of the same message by the same key: s replaced by n − s.
#[must_use]
pub fn other_s(signature: &Signature) -> Signature {
    let mut other = *signature;
    let mut borrow = 0;
    for place in (0..32).rev() {
        let difference = i32::from(ORDER[place]) - i32::from(signature.0[32 + place]) - borrow;
        borrow = i32::from(difference < 0);
        other.0[32 + place] = u8::try_from(difference.rem_euclid(256)).expect("below 256");
    }
    other
}

/// SHA-256.
///
/// # Panics
/// Never.
#[must_use]
pub fn sha256(bytes: &[u8]) -> Hash {
    Hash(digest(&SHA256, bytes).as_ref().try_into().expect("32 bytes"))
}

fn uncompressed(key: &PublicKey) -> Vec<u8> {
    [&[0x04], key.0.as_slice()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_a_signature_verify_and_only_one_is_low() {
        let key = TestKey::named("payment");
        let kid = key_id(&key.public());
        let payload = b"payload";
        let record = |signature| Sign1 { kid, payload, signature };
        for _ in 0..8 {
            let signature = key.sign(kid, payload);
            let other = other_s(&signature);
            assert_ne!(has_low_s(&signature), has_low_s(&other));
            assert_eq!(other_s(&other), signature);
            for form in [signature, other] {
                assert!(verifies(&key.public(), &record(form)));
                assert!(!verifies(&TestKey::named("root").public(), &record(form)));
            }
        }
    }
}
