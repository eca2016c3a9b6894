//! `kozeni card journal`.

use std::fmt;

use ::card::JournalRecord;
use serde::Serialize;

use super::AnyCard;
use crate::failure::Failure;
use crate::output::{hex, money};

#[derive(Debug, Serialize)]
pub(super) struct Journal {
    card: String,
    /// Debits first, the oldest first.
    records: Vec<Record>,
}

#[derive(Debug, Serialize)]
struct Record {
    kind: &'static str,
    /// Debit sequence or credit slot.
    sequence: u32,
    /// In minor units; none for a burned slot.
    #[serde(skip_serializing_if = "Option::is_none")]
    amount: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    currency: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    shop: Option<String>,
    /// Payment ID or credit ID.
    #[serde(skip_serializing_if = "Option::is_none")]
    reference: Option<String>,
    /// The whole COSE_Sign1, in hexadecimal.
    sign1: String,
}

pub(super) fn run(card: &mut AnyCard) -> Result<Journal, Failure> {
    let presented = card.present()?;
    let records = card.journal()?.iter().map(record).collect();
    Ok(Journal { card: presented.identity.card().to_string(), records })
}

fn record(entry: &JournalRecord) -> Record {
    let sign1 = hex(entry.as_bytes());
    match entry {
        JournalRecord::Debit(signed) => {
            let debit = signed.record();
            Record {
                kind: "debit",
                sequence: debit.debit_seq.0,
                amount: Some(debit.amount.0),
                currency: Some(debit.currency.0),
                shop: Some(debit.shop.to_string()),
                reference: Some(debit.payment.to_string()),
                sign1,
            }
        }
        JournalRecord::Credit(signed) => {
            let credit = signed.record();
            Record {
                kind: "credit",
                sequence: credit.slot.0,
                amount: Some(credit.amount.0),
                currency: Some(credit.currency.0),
                shop: Some(credit.shop.to_string()),
                reference: Some(credit.credit.to_string()),
                sign1,
            }
        }
        JournalRecord::Burned(signed) => Record {
            kind: "burned",
            sequence: signed.record().slot.0,
            amount: None,
            currency: None,
            shop: None,
            reference: None,
            sign1,
        },
    }
}

impl fmt::Display for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.records.is_empty() {
            return f.write_str("nothing waits for acknowledgement");
        }
        self.records.iter().try_for_each(|record| {
            write!(f, "{:6} {:>5}", record.kind, record.sequence)?;
            if let (Some(amount), Some(currency)) = (record.amount, record.currency) {
                write!(f, "  {}", money(amount, currency))?;
            }
            if let Some(shop) = &record.shop {
                write!(f, ", shop {shop}")?;
            }
            writeln!(f)
        })
    }
}
