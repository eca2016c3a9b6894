//! Value that comes to the card (messages 1170 to 1200), as a state machine without I/O: a load
//! order's, or that of a debit which could not pay its invoice.

mod state;
mod steps;

pub use state::{End, State};
pub use steps::{Asked, Authorised, CreditAuthority, Taken, Tokened};

pub(crate) use steps::{acknowledged, payment_document};
