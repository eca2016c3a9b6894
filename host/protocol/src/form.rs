//! Strict CBOR: what is read is exactly what would be written.

use minicbor::{Decode, Encode};

/// Largest message on the wire in bytes.
pub const MESSAGE_MAX: usize = 64 * 1024;

/// Bytes that are not a message or document of the expected kind in its only permitted form.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed {what}: {reason}")]
pub struct FormError {
    /// What was expected.
    pub what: &'static str,
    /// What is wrong.
    pub reason: String,
}

impl FormError {
    pub(crate) fn new(what: &'static str, reason: impl ToString) -> Self {
        Self { what, reason: reason.to_string() }
    }
}

/// A message or document with a name for error texts.
pub trait Form: Encode<()> + for<'b> Decode<'b, ()> {
    /// What it is called, for example "invoice 51".
    const NAME: &'static str;

    /// Largest size in bytes.
    const SIZE_MAX: usize = MESSAGE_MAX;
}

/// Names the forms of a file.
macro_rules! forms {
    ($($name:ty: $text:literal;)*) => {
        $(impl crate::form::Form for $name {
            const NAME: &'static str = $text;
        })*
    };
}

pub(crate) use forms;

/// Writes deterministic CBOR.
#[must_use]
pub fn encode<T: Form>(value: &T) -> Vec<u8> {
    // Writing to a vector fails only where a value has no encoding, which our types exclude.
    minicbor::to_vec(value).unwrap_or_default()
}

/// Reads a value and checks that the bytes are its only permitted form: no trailing bytes, no
/// unknown labels, no longer integers, no other order.
///
/// # Errors
/// [`FormError`] otherwise.
pub fn decode<T: Form>(bytes: &[u8]) -> Result<T, FormError> {
    if bytes.len() > T::SIZE_MAX {
        return Err(FormError::new(T::NAME, "too long"));
    }
    let value: T = minicbor::decode(bytes).map_err(|error| FormError::new(T::NAME, error))?;
    if encode(&value) == bytes {
        Ok(value)
    } else {
        Err(FormError::new(T::NAME, "not in deterministic form"))
    }
}
