//! Signed documents of servers, and signed records of cards, as the host reads them.
//!
//! A document is a COSE_Sign1 (RFC 9052 §4.2), tagged, with protected header
//! `{1 (alg): -7 (ES256), 33 (x5chain, RFC 9360): [leaf, issuing CA]}` and an empty unprotected
//! header. Its content reaches code only through a key ([`Signed::open`]), and verification runs
//! over the received bytes.

use std::ops::Deref;

use apdu_spec::cose::Sign1;
use apdu_spec::record::Record;
use apdu_spec::value::{Hash, KeyId, PublicKey, Signature};
use aws_lc_rs::digest;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use minicbor::data::Tag;
use minicbor::{Decoder, Encoder};

use crate::form::{self, Form, FormError, MESSAGE_MAX};

/// Certificates in a chain without the root: the leaf first.
pub const CHAIN_MAX: usize = 3;

/// Largest certificate in bytes.
pub const CERTIFICATE_MAX: usize = 2048;

/// A signature that is not valid under the expected key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("signature on {what} is not valid under the expected key")]
pub struct BadSignature {
    /// What was signed.
    pub what: &'static str,
}

/// A private key together with its certificate chain. Implemented where keys live.
pub trait Signer {
    /// The chain, leaf first, without the root; each in DER.
    fn chain(&self) -> &[Vec<u8>];

    /// The public key.
    fn public_key(&self) -> PublicKey;

    /// Signs a message with ES256.
    ///
    /// # Errors
    /// [`SignerError`] when the key cannot be used.
    fn sign(&self, message: &[u8]) -> Result<Signature, SignerError>;
}

/// A key that could not be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("signing failed: {0}")]
pub struct SignerError(pub String);

/// SHA-256.
#[must_use]
pub fn sha256(bytes: &[u8]) -> Hash {
    let mut hash = [0; 32];
    for (to, from) in hash.iter_mut().zip(digest::digest(&digest::SHA256, bytes).as_ref()) {
        *to = *from;
    }
    Hash(hash)
}

/// Key ID: the first 8 bytes of SHA-256 over the uncompressed point.
#[must_use]
pub fn key_id(key: &PublicKey) -> KeyId {
    let Hash([a, b, c, d, e, f, g, h, ..]) = sha256(&uncompressed(key));
    KeyId([a, b, c, d, e, f, g, h])
}

/// The point in its uncompressed form (SEC 1 §2.3.3): 04, x, y.
#[must_use]
pub fn uncompressed(key: &PublicKey) -> [u8; 65] {
    let mut point = [0x04; 65];
    if let Some((_, coordinates)) = point.split_first_mut() {
        coordinates.copy_from_slice(&key.0);
    }
    point
}

/// Whether an ES256 signature over a message is valid.
#[must_use]
pub fn is_valid(key: &PublicKey, message: &[u8], signature: &Signature) -> bool {
    let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, uncompressed(key));
    key.verify(message, &signature.0).is_ok()
}

/// A document whose form has been checked, but not its signature.
#[derive(Clone, Debug)]
pub struct Signed<T> {
    content: T,
    bytes: Vec<u8>,
    chain: Vec<Vec<u8>>,
    structure: Vec<u8>,
    signature: Signature,
}

impl<T: Form> Signed<T> {
    /// Reads a document.
    ///
    /// # Errors
    /// [`FormError`] unless it has exactly the form that this module describes.
    pub fn parse(bytes: &[u8]) -> Result<Self, FormError> {
        if bytes.len() > MESSAGE_MAX {
            return Err(FormError::new(T::NAME, "too long"));
        }
        let parts = split(bytes).map_err(|error| FormError::new(T::NAME, error))?;
        let again = join(parts.protected, parts.payload, &parts.signature);
        if again != bytes || protected_header(&parts.chain) != parts.protected {
            return Err(FormError::new(T::NAME, "not in deterministic form"));
        }
        if !(2..=CHAIN_MAX).contains(&parts.chain.len())
            || parts.chain.iter().any(|der| der.len() > CERTIFICATE_MAX)
        {
            return Err(FormError::new(T::NAME, "certificate chain too short or too long"));
        }
        Ok(Self {
            content: form::decode(parts.payload)?,
            bytes: bytes.to_vec(),
            chain: parts.chain,
            structure: sig_structure(parts.protected, parts.payload),
            signature: parts.signature,
        })
    }

    /// Signs a document.
    ///
    /// # Errors
    /// [`SignerError`] when the key cannot be used.
    pub fn seal(content: T, signer: &dyn Signer) -> Result<Verified<T>, SignerError> {
        let protected = protected_header(signer.chain());
        let payload = form::encode(&content);
        let structure = sig_structure(&protected, &payload);
        let signature = signer.sign(&structure)?;
        let bytes = join(&protected, &payload, &signature);
        let chain = signer.chain().to_vec();
        Ok(Verified { content, bytes, chain, hash: sha256(&structure) })
    }

    /// The signer's certificate chain, leaf first. Not checked yet.
    #[must_use]
    pub fn chain(&self) -> &[Vec<u8>] {
        &self.chain
    }

    /// Hash of the document: SHA-256 of its `Sig_structure`.
    #[must_use]
    pub fn hash(&self) -> Hash {
        sha256(&self.structure)
    }

    /// What the document claims, unverified: only for finding the key to check it with.
    #[must_use]
    pub const fn claims(&self) -> &T {
        &self.content
    }

    /// Gives the content against the key that must have signed it.
    ///
    /// # Errors
    /// [`BadSignature`] when it has not.
    pub fn open(self, key: &PublicKey) -> Result<Verified<T>, BadSignature> {
        if !is_valid(key, &self.structure, &self.signature) {
            return Err(BadSignature { what: T::NAME });
        }
        let hash = self.hash();
        Ok(Verified { content: self.content, bytes: self.bytes, chain: self.chain, hash })
    }
}

/// A document whose signature has been checked.
#[derive(Clone, Debug)]
pub struct Verified<T> {
    content: T,
    bytes: Vec<u8>,
    chain: Vec<Vec<u8>>,
    hash: Hash,
}

impl<T> Verified<T> {
    /// The document as received.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The signer's certificate chain, leaf first.
    #[must_use]
    pub fn chain(&self) -> &[Vec<u8>] {
        &self.chain
    }

    /// Hash of the document: SHA-256 of its `Sig_structure`.
    #[must_use]
    pub const fn hash(&self) -> Hash {
        self.hash
    }
}

impl<T> Deref for Verified<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.content
    }
}

/// A card record whose form has been checked, but not its signature.
#[derive(Clone, Debug)]
pub struct SignedRecord<R> {
    record: R,
    kid: KeyId,
    bytes: Vec<u8>,
    structure: Vec<u8>,
    signature: Signature,
}

impl<R: Record> SignedRecord<R> {
    /// Reads a record.
    ///
    /// # Errors
    /// [`FormError`] unless it is exactly a record of this type.
    pub fn parse(bytes: &[u8]) -> Result<Self, FormError> {
        let read = || {
            let sign1 = Sign1::read(bytes)?;
            let record = R::decode(sign1.payload)?;
            Ok((record, sign1.kid, sign1.sig_structure()?, sign1.signature))
        };
        let (record, kid, structure, signature) =
            read().map_err(|error: apdu_spec::codec::CodecError| FormError::new(R::NAME, error))?;
        let structure = structure.as_bytes().to_vec();
        Ok(Self { record, kid, bytes: bytes.to_vec(), structure, signature })
    }

    /// Signs a record with a server's key (permits, credit tokens, limits).
    ///
    /// # Errors
    /// [`SignerError`] when the key cannot be used.
    pub fn seal(record: R, signer: &dyn Signer) -> Result<VerifiedRecord<R>, SignerError> {
        let full = |_| SignerError("record too long".to_owned());
        let kid = key_id(&signer.public_key());
        let payload = record.encode().map_err(full)?;
        let structure = apdu_spec::cose::sig_structure(kid, payload.as_bytes()).map_err(full)?;
        let signature = signer.sign(structure.as_bytes())?;
        let sign1 = Sign1 { kid, payload: payload.as_bytes(), signature };
        let bytes = sign1.write().map_err(full)?.as_bytes().to_vec();
        Ok(VerifiedRecord { record, bytes, hash: sha256(structure.as_bytes()) })
    }

    /// What the record claims, unverified: only for finding the key to check it with.
    #[must_use]
    pub const fn claims(&self) -> &R {
        &self.record
    }

    /// Hash of the record: SHA-256 of its `Sig_structure`.
    #[must_use]
    pub fn hash(&self) -> Hash {
        sha256(&self.structure)
    }

    /// Gives the content against the key that must have signed it.
    ///
    /// # Errors
    /// [`BadSignature`] when it has not, or names another key ID.
    pub fn open(self, key: &PublicKey) -> Result<VerifiedRecord<R>, BadSignature> {
        let genuine = self.kid == key_id(key) && is_valid(key, &self.structure, &self.signature);
        if !genuine {
            return Err(BadSignature { what: R::NAME });
        }
        let hash = self.hash();
        Ok(VerifiedRecord { record: self.record, bytes: self.bytes, hash })
    }
}

/// A card record whose signature has been checked.
#[derive(Clone, Debug)]
pub struct VerifiedRecord<R> {
    record: R,
    bytes: Vec<u8>,
    hash: Hash,
}

impl<R> VerifiedRecord<R> {
    /// The COSE_Sign1 as received.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Hash of the record: SHA-256 of its `Sig_structure`.
    #[must_use]
    pub const fn hash(&self) -> Hash {
        self.hash
    }
}

impl<R> Deref for VerifiedRecord<R> {
    type Target = R;

    fn deref(&self) -> &R {
        &self.record
    }
}

struct Parts<'a> {
    protected: &'a [u8],
    payload: &'a [u8],
    chain: Vec<Vec<u8>>,
    signature: Signature,
}

fn split(bytes: &[u8]) -> Result<Parts<'_>, minicbor::decode::Error> {
    let unexpected = minicbor::decode::Error::message;
    let mut decoder = Decoder::new(bytes);
    if decoder.tag()? != Tag::new(18) || decoder.array()? != Some(4) {
        return Err(unexpected("not a COSE_Sign1"));
    }
    let protected = decoder.bytes()?;
    if decoder.map()? != Some(0) {
        return Err(unexpected("unprotected header not empty"));
    }
    let payload = decoder.bytes()?;
    let signature = decoder.bytes()?.try_into().map_err(|_| unexpected("signature size"))?;
    let mut header = Decoder::new(protected);
    if header.map()? != Some(2) || header.i8()? != 1 || header.i8()? != -7 || header.i8()? != 33 {
        return Err(unexpected("protected header"));
    }
    let count = header.array()?.unwrap_or_default();
    let chain = (0..count.min(8)).map(|_| header.bytes().map(<[u8]>::to_vec));
    let chain = chain.collect::<Result<_, _>>()?;
    Ok(Parts { protected, payload, chain, signature: Signature(signature) })
}

// Writing to a vector cannot fail; the encoder's results are only there for other writers.

fn protected_header(chain: &[Vec<u8>]) -> Vec<u8> {
    let mut out = Encoder::new(Vec::new());
    let _ = out.map(2).and_then(|out| out.i8(1)?.i8(-7)?.i8(33)?.array(count(chain.len())));
    for certificate in chain {
        let _ = out.bytes(certificate);
    }
    out.into_writer()
}

fn sig_structure(protected: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut out = Encoder::new(Vec::new());
    let _ = out
        .array(4)
        .and_then(|out| out.str("Signature1")?.bytes(protected)?.bytes(&[])?.bytes(payload));
    out.into_writer()
}

fn join(protected: &[u8], payload: &[u8], signature: &Signature) -> Vec<u8> {
    let mut out = Encoder::new(Vec::new());
    let _ = out.tag(Tag::new(18)).and_then(|out| {
        out.array(4)?.bytes(protected)?.map(0)?.bytes(payload)?.bytes(&signature.0)
    });
    out.into_writer()
}

fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
