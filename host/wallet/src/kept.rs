//! Signed things that the wallet keeps. They exist only verified, also after they were stored.

use std::ops::Deref;

use apdu_spec::record::Record;
use apdu_spec::value::PublicKey;
use minicbor::decode::Error as DecodeError;
use minicbor::encode::{Error as EncodeError, Write};
use minicbor::{Decode, Decoder, Encode, Encoder};
use protocol::certificate::{CertificateError, certified_key};
use protocol::form::{Form, FormError};
use protocol::signed::{BadSignature, Signed, SignedRecord, Verified, VerifiedRecord};

/// Why something signed is not kept.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeepError {
    /// Not such a document in its only form.
    #[error(transparent)]
    Form(#[from] FormError),
    /// Its certificate cannot be read, or is for another key than the expected one.
    #[error("signed under another certificate: {0}")]
    Certificate(String),
    /// Its signature is not valid.
    #[error(transparent)]
    Signature(#[from] BadSignature),
}

impl From<CertificateError> for KeepError {
    fn from(error: CertificateError) -> Self {
        Self::Certificate(error.to_string())
    }
}

/// A server's document, verified under the key of its own certificate.
///
/// Whose certificate that is was checked when the document came.
#[derive(Clone, Debug)]
pub struct Kept<T>(Verified<T>);

impl<T: Form> Kept<T> {
    /// Reads a document that this key must have signed, under a certificate for the same key.
    ///
    /// # Errors
    /// [`KeepError`].
    pub fn open(bytes: &[u8], key: &PublicKey) -> Result<Self, KeepError> {
        let signed = Signed::<T>::parse(bytes)?;
        if leaf_key(signed.chain())? != *key {
            return Err(KeepError::Certificate("the key is another".to_owned()));
        }
        Ok(Self(signed.open(key)?))
    }

    /// Reads a document under its own certificate, which the caller checks.
    ///
    /// # Errors
    /// [`KeepError`].
    pub fn open_own(bytes: &[u8]) -> Result<Self, KeepError> {
        let signed = Signed::<T>::parse(bytes)?;
        let key = leaf_key(signed.chain())?;
        Ok(Self(signed.open(&key)?))
    }

    /// The key that signed it.
    ///
    /// # Errors
    /// Never for a document that was opened.
    pub fn key(&self) -> Result<PublicKey, CertificateError> {
        leaf_key(self.0.chain())
    }
}

/// The key of a chain's leaf.
pub(crate) fn leaf_key(chain: &[Vec<u8>]) -> Result<PublicKey, CertificateError> {
    certified_key(chain.first().map(Vec::as_slice).unwrap_or_default())
}

impl<T> Deref for Kept<T> {
    type Target = Verified<T>;

    fn deref(&self) -> &Verified<T> {
        &self.0
    }
}

impl<T, C> Encode<C> for Kept<T> {
    fn encode<W: Write>(
        &self,
        encoder: &mut Encoder<W>,
        _context: &mut C,
    ) -> Result<(), EncodeError<W::Error>> {
        encoder.bytes(self.0.bytes())?.ok()
    }
}

impl<'b, T: Form, C> Decode<'b, C> for Kept<T> {
    fn decode(decoder: &mut Decoder<'b>, _context: &mut C) -> Result<Self, DecodeError> {
        Self::open_own(decoder.bytes()?).map_err(DecodeError::message)
    }
}

/// A record of the card, or of the payment server for the card, with the key that signed it.
#[derive(Clone, Debug)]
pub struct KeptRecord<R> {
    record: VerifiedRecord<R>,
    key: PublicKey,
}

impl<R: Record> KeptRecord<R> {
    /// Reads a record that this key must have signed.
    ///
    /// # Errors
    /// [`KeepError`].
    pub fn open(bytes: &[u8], key: &PublicKey) -> Result<Self, KeepError> {
        Ok(Self { record: SignedRecord::<R>::parse(bytes)?.open(key)?, key: *key })
    }
}

impl<R> Deref for KeptRecord<R> {
    type Target = VerifiedRecord<R>;

    fn deref(&self) -> &VerifiedRecord<R> {
        &self.record
    }
}

impl<R, C> Encode<C> for KeptRecord<R> {
    fn encode<W: Write>(
        &self,
        encoder: &mut Encoder<W>,
        _context: &mut C,
    ) -> Result<(), EncodeError<W::Error>> {
        encoder.array(2)?.bytes(&self.key.0)?.bytes(self.record.bytes())?.ok()
    }
}

impl<'b, R: Record, C> Decode<'b, C> for KeptRecord<R> {
    fn decode(decoder: &mut Decoder<'b>, _context: &mut C) -> Result<Self, DecodeError> {
        if decoder.array()? != Some(2) {
            return Err(DecodeError::message("not a kept record"));
        }
        let key = decoder.bytes()?.try_into().map(PublicKey);
        let key = key.map_err(|_| DecodeError::message("key size"))?;
        Self::open(decoder.bytes()?, &key).map_err(DecodeError::message)
    }
}
