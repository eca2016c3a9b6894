//! The payment server against soft cards and shops, with a certificate authority in memory.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::wildcard_enum_match_arm,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that does any of this wrongly fails, which is what it is for"
)]

mod authority;
mod booking;
mod card;
mod load;
mod operator;
mod outbox;
mod permit;
mod question;
mod random;
mod restart;
mod server;
mod shop;
mod status;
mod world;
