//! The wallet C: purchases, loads, recovery, evidence archive, and the local API of its daemon.
//!
//! The decisions are state machines without I/O ([`purchase`], [`credit`]); [`workflow`] asks other
//! parties and the card for them, and stores every state before the next message leaves.

pub mod archive;
pub mod card_thread;
pub mod catalogue;
pub mod client;
pub mod config;
pub mod credit;
#[cfg(test)]
mod doubles;
pub mod holder;
pub mod http;
pub mod kept;
pub mod money;
mod orphan;
pub mod outside;
pub mod port;
pub mod purchase;
pub mod rejection;
mod secret;
pub mod serve;
pub mod store;
#[cfg(test)]
mod tests;
pub mod trouble;
pub mod versioned;
pub mod view;
pub mod workflow;
