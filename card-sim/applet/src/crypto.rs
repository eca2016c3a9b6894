//! ECDSA P-256 with SHA-256, as the card uses it.

use apdu_spec::value::{Hash, KeyId, PublicKey, Signature};
use ecdsa::hazmat;
use p256::ecdsa::{Signature as EcdsaSignature, VerifyingKey, signature::hazmat::PrehashVerifier};
use p256::{NistP256, NonZeroScalar};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::env::{Env, Event, Fault};

/// A private key in memory; wiped when dropped.
pub(crate) type PrivateKey = Zeroizing<[u8; 32]>;

/// SHA-256 over the parts one after the other.
pub(crate) fn hash(parts: &[&[u8]]) -> Hash {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update(part);
    }
    Hash(digest.finalize().into())
}

/// Key ID: the first 8 bytes of SHA-256 over the uncompressed point.
pub(crate) fn key_id(key: &PublicKey) -> KeyId {
    let Hash([a, b, c, d, e, f, g, h, ..]) = hash(&[&[0x04], &key.0]);
    KeyId([a, b, c, d, e, f, g, h])
}

/// Whether x and y are a point on the curve.
pub(crate) fn is_point(key: &PublicKey) -> bool {
    verifying_key(key).is_some()
}

fn verifying_key(key: &PublicKey) -> Option<VerifyingKey> {
    let mut point = [0x04; 65];
    let (_, coordinates) = point.split_first_mut()?;
    coordinates.copy_from_slice(&key.0);
    VerifyingKey::from_sec1_bytes(&point).ok()
}

/// Makes a key pair from the chip's entropy.
pub(crate) fn generate(env: &mut impl Env) -> Result<(PrivateKey, PublicKey), Fault> {
    // A random string is a valid scalar with probability 1 − 2⁻³²; a chip that gives 8 bad ones
    // in a row has no entropy.
    for _ in 0..8 {
        let mut private = PrivateKey::default();
        env.random(private.as_mut_slice())?;
        let Some(scalar) = scalar(&private) else {
            continue;
        };
        let point = VerifyingKey::from(&p256::PublicKey::from_secret_scalar(&scalar));
        let encoded = point.to_sec1_point(false);
        let (_, coordinates) = encoded.as_bytes().split_first().ok_or(Fault)?;
        return Ok((private, PublicKey(coordinates.try_into().map_err(|_| Fault)?)));
    }
    Err(Fault)
}

fn scalar(private: &PrivateKey) -> Option<Zeroizing<NonZeroScalar>> {
    let scalar = NonZeroScalar::from_repr((**private).into()).into_option()?;
    Some(Zeroizing::new(scalar))
}

/// Signs a digest: RFC 6979 with added entropy, low s, and checked against the public key before
/// it may leave the card, so that a fault during signing reveals nothing.
pub(crate) fn sign(
    env: &mut impl Env,
    private: &PrivateKey,
    public: &PublicKey,
    digest: Hash,
) -> Result<Signature, Fault> {
    let scalar = scalar(private).ok_or(Fault)?;
    let mut entropy = Zeroizing::new([0; 32]);
    env.random(entropy.as_mut_slice())?;
    let (signature, _) =
        hazmat::sign_prehashed_rfc6979::<NistP256, Sha256>(&scalar, &digest.0, entropy.as_slice());
    env.tally(Event::Signature);
    let signature = Signature(signature.normalize_s().to_bytes().into());
    env.tally(Event::SelfCheck);
    if is_valid(public, digest, &signature) { Ok(signature) } else { Err(Fault) }
}

/// Checks another party's signature over a digest.
pub(crate) fn verify(
    env: &mut impl Env,
    key: &PublicKey,
    digest: Hash,
    signature: &Signature,
) -> bool {
    env.tally(Event::Verification);
    is_valid(key, digest, signature)
}

fn is_valid(key: &PublicKey, digest: Hash, signature: &Signature) -> bool {
    let Some(key) = verifying_key(key) else {
        return false;
    };
    let Ok(signature) = EcdsaSignature::from_slice(&signature.0) else {
        return false;
    };
    key.verify_prehash(&digest.0, &signature).is_ok()
}
