//! Everything that is tested above a single crate, in one program.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test stops at the first thing that is not as expected"
)]

mod costs;
mod evidence;
mod faults;
mod layers;
mod nonces;
mod pcscd;
mod power_cuts;
mod properties;
mod purchase;
mod readers;
mod source;
mod tidy;
mod transcripts;
mod vectors;
