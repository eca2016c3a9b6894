//! The CA from outside: what it issues is checked by the crate that all parties check with, by
//! OpenSSL, and over HTTP.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test stops at the first thing that is not as expected"
)]

mod chains;
mod enrolment;
mod foundation;
mod openssl;
mod operator;
mod revocation;
mod service;
mod world;
