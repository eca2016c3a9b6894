//! What operators order and see, as JSON on the admin socket. Numbers are hexadecimal texts, times
//! seconds since 1970, amounts minor units.

use apdu_spec::value::{CardId, CreditId, Hash, RequestId, ShopId, TransactionId};
use serde::{Deserialize, Serialize};

/// Orders that value be issued: `POST /issue`.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct IssueOrder {
    /// Number of the record: the same number, the same record. Drawn where it is missing.
    #[serde(with = "optional_hex", default)]
    pub id: Option<RequestId>,
    /// Amount in minor units.
    pub amount: u64,
    /// Who orders it.
    pub operator: String,
}

/// What was issued.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Issued {
    /// Number of the record.
    #[serde(with = "hex")]
    pub id: RequestId,
    /// Amount in minor units.
    pub amount: u64,
    /// ISO 4217 numeric code.
    pub currency: u16,
    /// Hash of the signed issue record, which stands in the evidence.
    #[serde(with = "hex")]
    pub document_hash: Hash,
    /// The fund after it, in minor units.
    pub fund: i64,
}

/// Orders a load order: `POST /load-order`.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct LoadOrderOrder {
    /// Number of the load order: the same number, the same load order. Drawn where it is missing.
    #[serde(with = "optional_hex", default)]
    pub id: Option<CreditId>,
    /// The card that may take the value.
    #[serde(with = "hex")]
    pub card: CardId,
    /// Amount in minor units.
    pub amount: u64,
    /// Until when a token may be asked for; 30 days from now where it is missing.
    #[serde(default)]
    pub expires: Option<u64>,
    /// Who orders it.
    pub operator: String,
}

/// A load order that was made.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct LoadOrderMade {
    /// Number of the load order, which is the credit ID.
    #[serde(with = "hex")]
    pub id: CreditId,
    /// The card that may take the value.
    #[serde(with = "hex")]
    pub card: CardId,
    /// Amount in minor units.
    pub amount: u64,
    /// ISO 4217 numeric code.
    pub currency: u16,
    /// Until when a token may be asked for.
    pub expires: u64,
    /// The signed load order, in hexadecimal digits.
    pub document: String,
}

/// Orders that a shop be accepted: `POST /accept-shop`. A shop that is accepted already gets the
/// new name and URL.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct ShopOrder {
    /// The shop's certificate chain in PEM, leaf first.
    pub chain: String,
    /// Base URL of the shop's server, to which receipts are pushed.
    pub push_url: String,
    /// Who orders it.
    pub operator: String,
}

/// A shop that was accepted.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct ShopAccepted {
    /// The shop's number.
    #[serde(with = "hex")]
    pub shop: ShopId,
    /// Its name in the certificate.
    pub name: String,
    /// Where receipts are pushed to.
    pub push_url: String,
}

/// All accounts: `GET /balances`.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Balances {
    /// ISO 4217 numeric code.
    pub currency: u16,
    /// Value that was issued.
    pub issued: i64,
    /// Value on all accounts together.
    pub accounted: i64,
    /// Whether both are the same, every balance is the sum of its postings and every entry
    /// balances (Invariant A).
    pub identity: bool,
    /// Every account but `issued`.
    pub accounts: Vec<AccountBalance>,
}

/// An account.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct AccountBalance {
    /// Kind of account, for example `shadow`.
    pub kind: String,
    /// Whose it is, in hexadecimal digits; empty where there is only one of its kind.
    pub owner: String,
    /// Balance in minor units.
    pub balance: i64,
}

/// Which payments to list: body of `POST /payments`.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct PaymentFilter {
    /// Only of this shop.
    #[serde(with = "optional_hex", default, skip_serializing_if = "Option::is_none")]
    pub shop: Option<ShopId>,
    /// Only of this holder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payer: Option<String>,
    /// Only in this state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// At most so many, the newest first; 100 where it is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// Payment data 63 (source text): answer to `POST /payments`.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Payments {
    /// ISO 4217 numeric code.
    pub currency: u16,
    /// The newest first.
    pub payments: Vec<Payment>,
}

/// One invoice that P knows of.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Payment {
    /// The shop's number for the transaction.
    #[serde(with = "hex")]
    pub transaction: TransactionId,
    /// The purchaser: the holder's number.
    pub payer: String,
    /// The shop.
    #[serde(with = "hex")]
    pub shop: ShopId,
    /// The shop's name.
    pub shop_name: String,
    /// Total in minor units.
    pub amount: i64,
    /// `open`, `paid`, `past due` or `cancelled`.
    pub state: String,
    /// Until when it may be paid.
    pub due: u64,
    /// When it got into its state.
    pub changed: u64,
    /// Hash of the invoice.
    #[serde(with = "hex")]
    pub invoice_hash: Hash,
}

/// Cards that P has met: `GET /cards`.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Cards {
    /// ISO 4217 numeric code.
    pub currency: u16,
    /// In the order of their numbers.
    pub cards: Vec<CardState>,
}

/// One card as the books have it.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct CardState {
    /// The card's number.
    #[serde(with = "hex")]
    pub card: CardId,
    /// The holder's number.
    pub payer: String,
    /// The holder's name.
    pub holder: String,
    /// `open` or `closed`.
    pub status: String,
    /// What the card should hold, but for credits that it has taken and not reported.
    pub shadow: i64,
    /// Tokens that the card has not reported yet.
    pub in_flight: i64,
    /// Debits that could not pay, on their way back.
    pub suspense: i64,
    /// P knows every debit up to this one.
    pub ack_debit: u32,
    /// P knows every credit slot up to this one.
    pub ack_credit: u32,
    /// How often the card has signed against an earlier record of its own: proof of a clone.
    pub contradictions: i64,
}

/// An order that was not carried out.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Refusal {
    /// A word that programs can branch on.
    pub code: String,
    /// A sentence for people.
    pub text: String,
}

/// Lower-case hexadecimal digits.
#[must_use]
pub fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Bytes from hexadecimal digits; `None` when they are none.
#[must_use]
pub fn from_hex(text: &str) -> Option<Vec<u8>> {
    let (pairs, odd) = text.as_bytes().as_chunks::<2>();
    let byte = |pair: &[u8; 2]| {
        let digits = str::from_utf8(pair).ok().filter(|_| pair.is_ascii())?;
        u8::from_str_radix(digits, 16).ok().filter(|_| !digits.starts_with('+'))
    };
    if odd.is_empty() { pairs.iter().map(byte).collect() } else { None }
}

/// Numbers as hexadecimal texts.
mod hex {
    use std::fmt::Display;
    use std::str::FromStr;

    use serde::de::{Deserialize, Deserializer, Error};
    use serde::ser::Serializer;

    pub(super) fn serialize<T: Display, S: Serializer>(
        value: &T,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        to.collect_str(value)
    }

    pub(super) fn deserialize<'de, T, D>(from: D) -> Result<T, D::Error>
    where
        T: FromStr<Err: Display>,
        D: Deserializer<'de>,
    {
        let text = String::deserialize(from)?;
        text.parse()
            .map_err(|error| D::Error::custom(format_args!("{text:?} is no such number: {error}")))
    }
}

/// The same where a number may be missing.
mod optional_hex {
    use std::fmt::Display;
    use std::str::FromStr;

    use serde::de::{Deserialize, Deserializer, Error};
    use serde::ser::Serializer;

    pub(super) fn serialize<T: Display, S: Serializer>(
        value: &Option<T>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        match value {
            Some(value) => to.collect_str(value),
            None => to.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, T, D>(from: D) -> Result<Option<T>, D::Error>
    where
        T: FromStr<Err: Display>,
        D: Deserializer<'de>,
    {
        let text = Option::<String>::deserialize(from)?;
        let parse = |text: String| {
            text.parse().map_err(|error| {
                D::Error::custom(format_args!("{text:?} is no such number: {error}"))
            })
        };
        text.map(parse).transpose()
    }
}
