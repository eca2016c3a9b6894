//! `kozeni card history`.

use std::fmt;

use apdu_spec::answer::{HistoryEntry, TransferKind};
use serde::Serialize;

use super::{AnyCard, pin};
use crate::failure::Failure;
use crate::output::money;
use crate::secret::{SecretArguments, Secrets};

#[derive(Debug, Serialize)]
pub(super) struct History {
    /// The newest first.
    transfers: Vec<Transfer>,
}

#[derive(Debug, Serialize)]
struct Transfer {
    kind: &'static str,
    /// Debit sequence or credit slot.
    sequence: u32,
    /// In minor units.
    amount: u64,
    currency: u16,
    /// Zeros where there is none.
    shop: String,
    /// Payment ID or credit ID.
    reference: String,
    /// Value on the card afterwards, in minor units.
    balance: u64,
}

pub(super) fn run(card: &mut AnyCard, arguments: &SecretArguments) -> Result<History, Failure> {
    let pin = pin::ask(card, &mut Secrets::open(arguments)?)?;
    let transfers = card.history(&pin)?.iter().map(transfer).collect();
    Ok(History { transfers })
}

fn transfer(entry: &HistoryEntry) -> Transfer {
    Transfer {
        kind: match entry.kind {
            TransferKind::Debit => "debit",
            TransferKind::Credit => "credit",
            TransferKind::Burned => "burned",
        },
        sequence: entry.sequence.0,
        amount: entry.amount.0,
        currency: entry.currency.0,
        shop: entry.shop.to_string(),
        reference: entry.reference.to_string(),
        balance: entry.balance.0,
    }
}

impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.transfers.is_empty() {
            return f.write_str("no transfer yet");
        }
        self.transfers.iter().try_for_each(|transfer| {
            writeln!(
                f,
                "{:6} {:>5}  {}, shop {}, balance then {}",
                transfer.kind,
                transfer.sequence,
                money(transfer.amount, transfer.currency),
                transfer.shop,
                transfer.balance,
            )
        })
    }
}
