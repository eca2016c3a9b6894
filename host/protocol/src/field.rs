//! How the values of `apdu-spec`, texts and fixed numbers stand in CBOR maps of documents.

use apdu_spec::codec::{Buffer, Reader};
use apdu_spec::value::Field;
use minicbor::decode::Error as DecodeError;
use minicbor::encode::{Error as EncodeError, Write};
use minicbor::{Decode, Decoder, Encode, Encoder};

/// Writes a value of `apdu-spec`; for `#[cbor(with = "protocol::field")]`.
///
/// # Errors
/// Those of the writer.
pub fn encode<C, W: Write, T: Field>(
    value: &T,
    encoder: &mut Encoder<W>,
    _context: &mut C,
) -> Result<(), EncodeError<W::Error>> {
    let mut buffer = Buffer::<72>::new();
    value.encode(&mut buffer).map_err(EncodeError::message)?;
    encoder.writer_mut().write_all(buffer.as_bytes()).map_err(EncodeError::write)
}

/// Reads a value of `apdu-spec`; for `#[cbor(with = "protocol::field")]`.
///
/// # Errors
/// Unless it is such a value in its only form.
pub fn decode<C, T: Field>(decoder: &mut Decoder<'_>, _context: &mut C) -> Result<T, DecodeError> {
    let rest = decoder.input().get(decoder.position()..).unwrap_or_default();
    let mut reader = Reader::new(rest);
    let value = T::decode(&mut reader).map_err(DecodeError::message)?;
    let taken = rest.len().saturating_sub(reader.rest().len());
    decoder.set_position(decoder.position().saturating_add(taken));
    Ok(value)
}

/// The number of a message or the type of a document: always label 0, always this value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Number<const N: u16>;

impl<const N: u16, C> Encode<C> for Number<N> {
    fn encode<W: Write>(
        &self,
        encoder: &mut Encoder<W>,
        _context: &mut C,
    ) -> Result<(), EncodeError<W::Error>> {
        encoder.u16(N)?.ok()
    }
}

impl<'b, const N: u16, C> Decode<'b, C> for Number<N> {
    fn decode(decoder: &mut Decoder<'b>, _context: &mut C) -> Result<Self, DecodeError> {
        if decoder.u16()? == N { Ok(Self) } else { Err(DecodeError::message("another number")) }
    }
}

/// A text of at most `MAX` bytes, not empty, without characters that are not seen: controls, and
/// those that reorder or hide what a person reads.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Text<const MAX: usize>(String);

impl<const MAX: usize> Text<MAX> {
    /// Takes a text.
    ///
    /// # Errors
    /// [`TextError`] when it is empty, longer than `MAX` bytes or has characters that mislead.
    pub fn new(text: impl Into<String>) -> Result<Self, TextError> {
        let text = text.into();
        let fits = !text.is_empty() && text.len() <= MAX;
        if fits && !text.chars().any(misleads) {
            Ok(Self(text))
        } else {
            Err(TextError { bytes_max: MAX })
        }
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<const MAX: usize> std::fmt::Display for Text<MAX> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

fn misleads(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
        )
}

/// A text that a document may not carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a text must have 1 to {bytes_max} bytes and no control or hidden characters")]
pub struct TextError {
    bytes_max: usize,
}

impl<const MAX: usize, C> Encode<C> for Text<MAX> {
    fn encode<W: Write>(
        &self,
        encoder: &mut Encoder<W>,
        _context: &mut C,
    ) -> Result<(), EncodeError<W::Error>> {
        encoder.str(&self.0)?.ok()
    }
}

impl<'b, const MAX: usize, C> Decode<'b, C> for Text<MAX> {
    fn decode(decoder: &mut Decoder<'b>, _context: &mut C) -> Result<Self, DecodeError> {
        Self::new(decoder.str()?).map_err(DecodeError::message)
    }
}
