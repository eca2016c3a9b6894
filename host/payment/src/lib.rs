//! Payment server P: permits, the double-entry ledger, receipts, load (messages 10 to 60, 150 to
//! 200, 1170 to 1200).
//!
//! A message is checked, decided and booked in the file of that message. What is decided is a
//! function of the checked request, the facts in the books and the time; reading those facts,
//! deciding and writing the rows is one transaction, on disk before it is answered.

pub mod admin;
mod booking;
mod config;
mod credit;
mod error;
mod http;
mod init;
mod ledger;
mod nonce;
mod operator;
mod outbox;
mod permit;
mod question;
mod serve;
mod service;
mod status;
mod store;
#[cfg(test)]
mod tests;
mod token;
pub mod view;

pub use config::{Config, Flags};
pub use error::PaymentError;
pub use init::{Made, NewServer};
pub use operator::OrderError;
pub use serve::serve;
pub use service::{Fault, PERMIT_LIFE_MAX_S, Policy, Service, StartError};
pub use store::{Store, StoreError, Title};
