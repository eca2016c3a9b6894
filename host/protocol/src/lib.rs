//! The Kozeni protocol: messages 110 to 220 and 1170 to 1200, documents 51 and 53, certificate
//! chains, refusals. Bytes to types and back.
//!
//! This crate opens no socket or file, reads no clock and draws no randomness: time, nonces and
//! keys come from the caller.

pub mod bundle;
pub mod certificate;
pub mod document;
pub mod enrolment;
pub mod field;
pub mod form;
pub mod load;
pub mod purchase;
pub mod query;
mod reject;
pub mod signed;

pub use reject::{Reject, Retry};
