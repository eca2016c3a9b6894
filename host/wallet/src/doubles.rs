//! For tests: a CA, a card, a shop and a payment server in memory, which can be told to fail, to
//! lie and to fall silent. None of them is the real one.
#![allow(clippy::arithmetic_side_effects, reason = "a test that overflows shall panic")]

mod ca;
mod card;
mod payment;
mod shop;
mod world;

pub(crate) use ca::{Certified, TestCa, TestSigner};
pub(crate) use card::{Cut, FakeCard, PIN};
pub(crate) use payment::PaymentServer;
pub(crate) use shop::Shop;
pub(crate) use world::{Fault, Setup};

use apdu_spec::value::{CardId, Currency, IssuerId, ShopId, Time};

pub(crate) const YEN: Currency = Currency(392);
pub(crate) const CARD: CardId = CardId([0xca; 8]);
pub(crate) const ISSUER: IssuerId = IssuerId([0x15; 8]);
pub(crate) const SHOP: ShopId = ShopId([0x50; 8]);
pub(crate) const PAYER: &str = "3789817";
/// In 2027, while every certificate and list is valid.
pub(crate) const NOW: Time = Time(1_800_000_000);
