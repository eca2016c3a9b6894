//! One typed client of the card over any transport.
//!
//! [`Card`] speaks the commands of `apdu-spec` in short transactions, verifies every signature that
//! the card gives, and treats the card as hostile: answers are short, of the expected form, and
//! never more than the specification has. [`open`] finds the way to a card by a reader's name.

mod apdu_log;
mod client;
pub mod direct;
mod error;
mod fci;
#[cfg(test)]
mod hostile;
mod issuance;
pub mod pcsc;
mod pin;
mod presentation;
mod purse;
mod reader;
mod records;
#[cfg(test)]
mod scripted;
mod session;
mod signed;
mod t0;
pub mod transcript;

pub use client::Card;
pub use error::{CardError, Garbled};
pub use firmware_bridge::{Disposition, Transport, TransportError};
pub use presentation::{Presence, Presented, StatusReport};
pub use reader::{OpenError, Reader, open};
pub use records::JournalRecord;
pub use signed::{CardIdentity, Signed};
