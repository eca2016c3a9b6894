//! The ordering management server against a small world: a CA, a holder with a card, two payment
//! servers, another shop.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    reason = "a test stops at the first thing that is not as expected"
)]

mod books;
mod fixture;
mod operators;
mod orders;
mod receipts;
mod releases;
mod restart;
mod serving;
mod world;
