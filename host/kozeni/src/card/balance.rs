//! `kozeni card balance`.

use std::fmt;

use serde::Serialize;

use super::AnyCard;
use crate::failure::Failure;
use crate::output::money;

#[derive(Debug, Serialize)]
pub(super) struct Balance {
    /// In minor units.
    balance: u64,
    /// ISO 4217 numeric code.
    currency: u16,
}

pub(super) fn run(card: &mut AnyCard) -> Result<Balance, Failure> {
    let answer = card.balance()?;
    Ok(Balance { balance: answer.balance.0, currency: answer.currency.0 })
}

impl fmt::Display for Balance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&money(self.balance, self.currency))
    }
}
