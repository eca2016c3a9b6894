//! P's compact certificate: a CWT (RFC 8392) that the card can check in one short APDU.
//!
//! ```text
//! { 2 (sub): issuer ID as 16 lower-case hexadecimal digits,
//!   7 (cti): generation, 4 bytes big-endian,
//!   8 (cnf): { 1 (COSE_Key): { 1 (kty): 2 (EC2), -1 (crv): 1 (P-256), -2: x, -3: y } } }
//! ```
//!
//! Signed by the card root key. It has no label 0, so it can never be taken for a record.

use crate::cbor::{self, Major};
use crate::codec::{CodecError, Reader};
use crate::cose::{self, Payload};
use crate::value::{Generation, IssuerId, PublicKey};

/// Content of a compact certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CompactCertificate {
    /// The issuer whose payment server holds the key.
    pub issuer: IssuerId,
    /// Generation of the key.
    pub generation: Generation,
    /// The payment server's key, the same as in its X.509 certificate.
    pub key: PublicKey,
}

impl CompactCertificate {
    /// Size of the COSE_Sign1 in bytes; every compact certificate has this size.
    pub const SIGN1_SIZE: usize = cose::sign1_size(PAYLOAD_SIZE);

    /// Builds the payload.
    ///
    /// # Errors
    /// [`CodecError::Full`], which the compile-time size check excludes.
    pub fn encode(&self) -> Result<Payload, CodecError> {
        let mut out = Payload::new();
        cbor::write_head(&mut out, Major::Map, 3)?;
        out.extend(&[0x02])?;
        cbor::write_head(&mut out, Major::Text, 16)?;
        for byte in self.issuer.0 {
            out.extend(&[hex_digit(byte >> 4), hex_digit(byte & 15)])?;
        }
        out.extend(&[0x07])?;
        cbor::write_bytes(&mut out, &self.generation.0.to_be_bytes())?;
        out.extend(KEY_HEAD)?;
        let (x, y) = self.key.0.split_at(32);
        cbor::write_bytes(&mut out, x)?;
        out.push(0x22)?;
        cbor::write_bytes(&mut out, y)?;
        Ok(out)
    }

    /// Reads a payload.
    ///
    /// # Errors
    /// Any [`CodecError`] unless it has exactly the form above.
    pub fn decode(payload: &[u8]) -> Result<Self, CodecError> {
        let mut from = Reader::new(payload);
        cbor::expect(&mut from, &[0xa3, 0x02, 0x70])?;
        let text: [u8; 16] = from.array()?;
        if text.iter().any(u8::is_ascii_uppercase) {
            return Err(CodecError::NotCanonical);
        }
        let text = str::from_utf8(&text).map_err(|_| CodecError::Range)?;
        let issuer = text.parse()?;
        cbor::expect(&mut from, &[0x07])?;
        let generation = Generation(u32::from_be_bytes(cbor::read_array(&mut from)?));
        cbor::expect(&mut from, KEY_HEAD)?;
        let x: [u8; 32] = cbor::read_array(&mut from)?;
        cbor::expect(&mut from, &[0x22])?;
        let y: [u8; 32] = cbor::read_array(&mut from)?;
        from.end()?;
        let mut key = [0; 64];
        let halves = key.split_at_mut(32);
        halves.0.copy_from_slice(&x);
        halves.1.copy_from_slice(&y);
        Ok(Self { issuer, generation, key: PublicKey(key) })
    }
}

/// `8: {1: {1: 2, -1: 1, -2:` up to the value x.
const KEY_HEAD: &[u8] = &[0x08, 0xa1, 0x01, 0xa4, 0x01, 0x02, 0x20, 0x01, 0x21];

const PAYLOAD_SIZE: usize = 1 + 1 + 17 + 1 + 5 + KEY_HEAD.len() + 34 + 1 + 34;

const _: () = assert!(CompactCertificate::SIGN1_SIZE <= 204, "compact certificate too long");

const fn hex_digit(nibble: u8) -> u8 {
    match nibble {
        0..=9 => nibble.wrapping_add(b'0'),
        _ => nibble.wrapping_add(b'a' - 10),
    }
}
