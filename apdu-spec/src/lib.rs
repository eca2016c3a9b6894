//! What a Kozeni card and its host must agree on: commands and answers, status words, signed
//! records, limits. One definition serves both sides; `APDU.md` beside this crate says the same in
//! words for a card vendor.
//!
//! The crate imports nothing, has no heap and never panics on input.
#![no_std]

pub mod answer;
pub mod apdu;
pub mod cbor;
mod certificate;
pub mod codec;
pub mod command;
pub mod cose;
mod fields;
pub mod form;
pub mod record;
mod refusal;
pub mod value;

pub use certificate::CompactCertificate;
pub use refusal::Refusal;

/// Application identifier: proprietary category (F0), "KOZENI", version 1 (ISO 7816-4 §8.2.1.2).
pub const AID: &[u8] = b"\xf0KOZENI\x01";

/// Version of this specification, major and minor. A card of another major version is not ours.
pub const SPEC_VERSION: [u8; 2] = [1, 0];

/// PIN tries of a fresh or unblocked card.
pub const PIN_TRIES: u8 = 3;

/// PUK tries of a fresh card; a wrong PUK costs one for good.
pub const PUK_TRIES: u8 = 10;

/// Records in each journal that wait for acknowledgement, at most.
pub const JOURNAL_MAX: u32 = 4;

/// Transfers that the history keeps.
pub const HISTORY_MAX: u8 = 32;

/// Largest piece of the certificate file in one command, in bytes.
pub const PIECE_MAX: usize = 200;

/// Largest certificate file in bytes: the holder's certificate and its chain in DER.
pub const CERTIFICATE_MAX: usize = 11 * PIECE_MAX;
