//! The purse applet: everything the card decides, after `apdu-spec/APDU.md`.
//!
//! A carrier calls [`Applet::boot`] at power-up and [`Applet::process`] for each command. Both
//! never fail and never panic: a broken memory makes a blocked card, not a crash.
//!
//! One command is one step, and one step has at most one commit: the header record, written last.
//! What was not committed did not happen; what was committed is answered again on a repeat.
#![no_std]

mod applet;
mod crypto;
mod env;
mod issue;
mod journal;
mod pin;
mod report;
mod sign;
mod state;
mod store;
mod transfer;

pub use applet::{Applet, Response, manufacture};
pub use env::{Cell, Env, Event, Fault};
