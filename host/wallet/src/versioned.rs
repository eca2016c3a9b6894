//! The form in which states are stored: `[version, state]` in CBOR. A wallet reads the versions
//! that it knows and leaves rows of a newer one alone.

use minicbor::{Decode, Decoder, Encode, Encoder};

/// The version that is written.
const VERSION: u8 = 1;

/// A stored state that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoredError {
    /// Written by a newer wallet.
    #[error("stored by a newer wallet, in version {0}")]
    Newer(u8),
    /// Damaged.
    #[error("stored state is damaged: {0}")]
    Damaged(String),
}

/// Writes a state.
#[must_use]
pub fn encode<T: Encode<()>>(state: &T) -> Vec<u8> {
    let mut out = Encoder::new(Vec::new());
    // Writing to a vector cannot fail; the results are there for other writers.
    let _ = out.array(2).and_then(|out| out.u8(VERSION)?.encode(state)?.ok());
    out.into_writer()
}

/// Reads a state, verifying every signature in it again.
///
/// # Errors
/// [`StoredError`].
pub fn decode<T: for<'b> Decode<'b, ()>>(bytes: &[u8]) -> Result<T, StoredError> {
    let damaged = |error: minicbor::decode::Error| StoredError::Damaged(error.to_string());
    let mut decoder = Decoder::new(bytes);
    if decoder.array().map_err(damaged)? != Some(2) {
        return Err(StoredError::Damaged("no version".to_owned()));
    }
    match decoder.u8().map_err(damaged)? {
        VERSION => decoder.decode().map_err(damaged),
        version => Err(StoredError::Newer(version)),
    }
}
