//! Ordering management server 2 (M) of the source: goods, orders, invoices.
//!
//! | step | decision | rows |
//! |---|---|---|
//! | 110 → 120 | [`service::Service::introduce`] signs the nonce | – |
//! | 130 → 140 | [`order::SignedOrder::decide`] | order data 61 and 62, invoice 51 |
//! | 210 → 220 | [`receipt::decide`] | paid, receipt 53, completion |
//! | 50 → 60 | [`release::decide`] | released or cancelled, P's signed word |
//!
//! Decisions are pure functions of request, time and books. [`service`] gives them certificates
//! and randomness, signs, and answers only when the rows are on the disk.
//!
//! Orders may also name credit A, credit B or a bank account, where the shop accepts that. No card
//! company or bank is connected: such an invoice is settled elsewhere, and an operator marks the
//! order as paid.

pub mod books;
mod client;
pub mod database;
mod hex;
mod http;
pub mod operator;
pub mod order;
pub mod posting;
pub mod receipt;
pub mod release;
mod run;
pub mod service;
pub mod settings;
mod store;

pub use run::{NewShop, ShopError, init, operate, serve};
pub use settings::{Settings, folder};
pub use store::{Store, StoreError};
