//! The one seam through which a host reaches a card, and the framing of APDUs in USB HID reports.
//!
//! - [`Transport`] is what PC/SC, HID and the direct socket have in common: short exclusive
//!   transactions in which commands are answered.
//! - [`Report`] and [`ledger`] are sans-IO: bytes in, bytes out. No device is opened here.

pub mod ledger;
mod report;
mod transport;

pub use report::Report;
pub use transport::{Disposition, Transport, TransportError, check_command};
