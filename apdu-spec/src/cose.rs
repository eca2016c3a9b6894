//! COSE_Sign1 (RFC 9052 §4.2) in the one form that cards use:
//!
//! ```text
//! D2                        tag 18, COSE_Sign1
//! 84                        array of 4
//!    4D A2 01 26 04 48 kid  protected: {1 (alg): -7 (ES256), 4 (kid): 8 bytes}
//!    A0                     unprotected: empty
//!    58 LL payload          deterministic CBOR map; below 24 bytes its head is 40 + L
//!    58 40 r s              signature, 64 bytes
//! ```
//!
//! The signature is over the `Sig_structure` (RFC 9052 §4.4):
//!
//! ```text
//! 84 6A "Signature1" 4D A2 01 26 04 48 kid 40 58 LL payload
//! ```

use crate::cbor::{self, Major};
use crate::codec::{Buffer, CodecError, Reader};
use crate::value::{KeyId, Signature};

/// Largest record in bytes: with `Lc` and header it fits a short APDU.
pub const SIGN1_MAX: usize = 240;

/// Largest payload in bytes, so that the whole stays within [`SIGN1_MAX`].
pub const PAYLOAD_MAX: usize = SIGN1_MAX - sign1_overhead(0xff);

/// Largest `Sig_structure` in bytes.
pub const SIG_STRUCTURE_MAX: usize = 1 + CONTEXT.len() + PROTECTED_SIZE + 1 + 2 + PAYLOAD_MAX;

/// Payload of a record: a deterministic CBOR map.
pub type Payload = Buffer<PAYLOAD_MAX>;

/// A whole signed record.
pub type Sign1Bytes = Buffer<SIGN1_MAX>;

/// What is hashed and signed.
pub type SigStructure = Buffer<SIG_STRUCTURE_MAX>;

const CONTEXT: &[u8] = b"\x6aSignature1";
const PROTECTED_HEAD: &[u8] = &[0x4d, 0xa2, 0x01, 0x26, 0x04, 0x48];
const PROTECTED_SIZE: usize = PROTECTED_HEAD.len() + KeyId::SIZE;
const SIGNATURE_HEAD: &[u8] = &[0x58, 0x40];

/// Bytes around a payload of `payload_len` bytes.
const fn sign1_overhead(payload_len: u64) -> usize {
    const FIXED: usize = 2 + PROTECTED_SIZE + 1 + SIGNATURE_HEAD.len() + Signature::SIZE;
    FIXED.saturating_add(cbor::head_size(payload_len))
}

/// Size in bytes of a COSE_Sign1 with a payload of `payload_len` bytes.
#[must_use]
pub const fn sign1_size(payload_len: usize) -> usize {
    sign1_overhead(payload_len as u64).saturating_add(payload_len)
}

/// Builds what is to be signed.
///
/// # Errors
/// [`CodecError::Full`] when the payload is longer than [`PAYLOAD_MAX`].
pub fn sig_structure(kid: KeyId, payload: &[u8]) -> Result<SigStructure, CodecError> {
    let mut out = SigStructure::new();
    cbor::write_head(&mut out, Major::Array, 4)?;
    out.extend(CONTEXT)?;
    out.extend(PROTECTED_HEAD)?;
    out.extend(&kid.0)?;
    cbor::write_bytes(&mut out, &[])?;
    cbor::write_bytes(&mut out, payload)?;
    Ok(out)
}

/// A COSE_Sign1 in its parts. Reading checks the form, not the signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sign1<'a> {
    /// Which key signed.
    pub kid: KeyId,
    /// The signed content as received.
    pub payload: &'a [u8],
    /// The signature.
    pub signature: Signature,
}

impl<'a> Sign1<'a> {
    /// Takes a whole COSE_Sign1 apart.
    ///
    /// # Errors
    /// Any [`CodecError`] unless the bytes have exactly the form above and nothing behind it.
    pub fn read(bytes: &'a [u8]) -> Result<Self, CodecError> {
        let mut from = Reader::new(bytes);
        cbor::expect(&mut from, &[0xd2, 0x84])?;
        cbor::expect(&mut from, PROTECTED_HEAD)?;
        let kid = KeyId(from.array()?);
        cbor::expect(&mut from, &[0xa0])?;
        let payload = cbor::read_bytes(&mut from)?;
        cbor::expect(&mut from, SIGNATURE_HEAD)?;
        let signature = Signature(from.array()?);
        from.end()?;
        Ok(Self { kid, payload, signature })
    }

    /// Puts a COSE_Sign1 together.
    ///
    /// # Errors
    /// [`CodecError::Full`] when the payload is longer than [`PAYLOAD_MAX`].
    pub fn write(&self) -> Result<Sign1Bytes, CodecError> {
        let mut out = Sign1Bytes::new();
        out.extend(&[0xd2, 0x84])?;
        out.extend(PROTECTED_HEAD)?;
        out.extend(&self.kid.0)?;
        out.push(0xa0)?;
        cbor::write_bytes(&mut out, self.payload)?;
        out.extend(SIGNATURE_HEAD)?;
        out.extend(&self.signature.0)?;
        Ok(out)
    }

    /// What was signed.
    ///
    /// # Errors
    /// [`CodecError::Full`] when the payload is longer than [`PAYLOAD_MAX`].
    pub fn sig_structure(&self) -> Result<SigStructure, CodecError> {
        sig_structure(self.kid, self.payload)
    }
}
