//! Keys whose signatures are always the same, for vectors that are written down.

use apdu_spec::cose::{self, Sign1, Sign1Bytes};
use apdu_spec::value::{KeyId, PublicKey, Signature};
use e2e::keys::{key_id, other_s, sha256};
use p256::ecdsa::signature::hazmat::PrehashSigner;
use p256::ecdsa::{Signature as EcdsaSignature, SigningKey};

/// A key pair whose private key is the SHA-256 of its label.
pub(super) struct TestKey {
    pub(super) label: &'static str,
    pub(super) private: [u8; 32],
    pub(super) public: PublicKey,
    pub(super) kid: KeyId,
    signer: SigningKey,
}

impl TestKey {
    pub(super) fn new(label: &'static str) -> Self {
        let private = sha256(label.as_bytes()).0;
        let signer = SigningKey::from_slice(&private).unwrap();
        let point = signer.verifying_key().to_sec1_point(false);
        let (_, public) = point.as_bytes().split_first().unwrap();
        let public = PublicKey(public.try_into().unwrap());
        Self { label, private, public, kid: key_id(&public), signer }
    }

    /// The key that a test card has, where a vector needs one that is known.
    pub(super) fn card() -> Self {
        Self::new("kozeni test card key")
    }

    /// The CA's key for compact certificates.
    pub(super) fn card_root() -> Self {
        Self::new("kozeni test card root key")
    }

    /// P's key.
    pub(super) fn payment() -> Self {
        Self::new("kozeni test payment key")
    }

    /// P's key of the next generation.
    pub(super) fn next_payment() -> Self {
        Self::new("kozeni test payment key 2")
    }

    /// A COSE_Sign1 over the payload: plain RFC 6979 with low s.
    pub(super) fn sign(&self, payload: &[u8]) -> Sign1Bytes {
        self.sign_as(self.kid, payload)
    }

    /// As [`Self::sign`], under any key ID.
    pub(super) fn sign_as(&self, kid: KeyId, payload: &[u8]) -> Sign1Bytes {
        write(kid, payload, self.signature(kid, payload))
    }

    /// As [`Self::sign`], but with the other of the two valid s: the high one.
    pub(super) fn sign_with_high_s(&self, payload: &[u8]) -> Sign1Bytes {
        write(self.kid, payload, other_s(&self.signature(self.kid, payload)))
    }

    fn signature(&self, kid: KeyId, payload: &[u8]) -> Signature {
        let structure = cose::sig_structure(kid, payload).unwrap();
        let digest = sha256(structure.as_bytes());
        let signature: EcdsaSignature = self.signer.sign_prehash(&digest.0).unwrap();
        Signature(signature.normalize_s().to_bytes().into())
    }
}

fn write(kid: KeyId, payload: &[u8], signature: Signature) -> Sign1Bytes {
    let sign1 = Sign1 { kid, payload, signature };
    sign1.write().unwrap()
}
