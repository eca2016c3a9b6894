//! What M's books hold: goods, order data 61 and 62 (source Figs. 11 and 12), evidence, notes.

use std::str::FromStr;

use apdu_spec::value::{Amount, CardId, Currency, Hash, RequestId, Time, TransactionId};
use protocol::certificate::PayerId;
use protocol::field::Text;
use protocol::purchase::{Line, PaymentMode};
use serde::{Deserialize, Serialize};

/// Largest amount that the books hold: SQL integers are signed.
pub const AMOUNT_MAX: Amount = Amount(i64::MAX.unsigned_abs());

/// A name in a table or on the command line that stands for nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no such {what}: {name}")]
pub struct UnknownName {
    what: &'static str,
    name: String,
}

impl UnknownName {
    fn new(what: &'static str, name: &str) -> Self {
        Self { what, name: name.to_owned() }
    }
}

/// Something that the shop sells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Good {
    /// The article number.
    pub article: Text<32>,
    /// Its name.
    pub name: Text<100>,
    /// Price of one in minor units, above zero.
    pub unit_price: Amount,
    /// Whether it can be ordered.
    pub active: bool,
}

/// How far an order is: the column "payment state" of order data 61 (source Fig. 11), and the two
/// ways in which an order ends without payment. Orders only move along the table `order_moves`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OrderState {
    /// Stored, without an invoice.
    Unpaid,
    /// The invoice is issued.
    Acknowledged,
    /// Paid: by receipt 53, or marked by an operator where another mode was agreed.
    Paid,
    /// Not paid in time: P has signed that nobody can pay the invoice any more.
    Released,
    /// Cancelled: P has signed that nobody can pay the invoice, or an operator has ended an order
    /// of another mode.
    Cancelled,
}

impl OrderState {
    /// Every state.
    pub const ALL: [Self; 5] =
        [Self::Unpaid, Self::Acknowledged, Self::Paid, Self::Released, Self::Cancelled];

    /// Its name in tables and on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unpaid => "unpaid",
            Self::Acknowledged => "acknowledged",
            Self::Paid => "paid",
            Self::Released => "released",
            Self::Cancelled => "cancelled",
        }
    }
}

impl FromStr for OrderState {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, UnknownName> {
        let mut all = Self::ALL.into_iter();
        all.find(|state| state.name() == name).ok_or_else(|| UnknownName::new("order state", name))
    }
}

/// A payment mode's name in tables, configuration and on the command line.
#[must_use]
pub const fn mode_name(mode: PaymentMode) -> &'static str {
    mode.name()
}

/// The payment mode with this name.
///
/// # Errors
/// [`UnknownName`] when there is none.
pub fn mode_from_name(name: &str) -> Result<PaymentMode, UnknownName> {
    PaymentMode::from_name(name).ok_or_else(|| UnknownName::new("payment mode", name))
}

/// One row of order data 61 (source Fig. 11), with what identifies the order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderData {
    /// M's number for the transaction.
    pub transaction: TransactionId,
    /// The wallet's number for the order.
    pub request: RequestId,
    /// The holder's number.
    pub purchaser: PayerId,
    /// The card that signed the order.
    pub card: CardId,
    /// Money total in minor units.
    pub total: Amount,
    /// Currency of the total.
    pub currency: Currency,
    /// Payment mode.
    pub mode: PaymentMode,
    /// Payment state.
    pub state: OrderState,
    /// Hash of the order request that the card signed.
    pub order_hash: Hash,
    /// When the order was stored, by M's clock.
    pub placed: Time,
    /// Until when its invoice may be paid, by P's clock.
    pub due: Time,
}

/// One row of order data 62 (source Fig. 12): number, unit price, and the price they make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineData {
    /// The line as it was ordered.
    pub line: Line,
    /// Number × unit price.
    pub price: Amount,
}

/// What a piece of evidence is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EvidenceKind {
    /// The order request of message 130.
    OrderRequest,
    /// The card's signed order record of message 130.
    OrderRecord,
    /// The card's certificate chain of message 130: a CBOR array of DER, leaf first.
    CardChain,
    /// Invoice 51, signed by M.
    Invoice,
    /// Receipt 53, signed by P.
    Receipt,
    /// The completion of message 220, signed by M.
    Completion,
    /// P's signed answer (message 60) that nobody can pay the invoice any more.
    PaymentState,
    /// A receipt signed by P that contradicts what P has signed before.
    Contradiction,
}

impl EvidenceKind {
    /// Every kind.
    pub const ALL: [Self; 8] = [
        Self::OrderRequest,
        Self::OrderRecord,
        Self::CardChain,
        Self::Invoice,
        Self::Receipt,
        Self::Completion,
        Self::PaymentState,
        Self::Contradiction,
    ];

    /// Its name in tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::OrderRequest => "order-request",
            Self::OrderRecord => "order-record",
            Self::CardChain => "card-chain",
            Self::Invoice => "invoice",
            Self::Receipt => "receipt",
            Self::Completion => "completion",
            Self::PaymentState => "payment-state",
            Self::Contradiction => "contradiction",
        }
    }
}

impl FromStr for EvidenceKind {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, UnknownName> {
        let mut all = Self::ALL.into_iter();
        all.find(|kind| kind.name() == name)
            .ok_or_else(|| UnknownName::new("kind of evidence", name))
    }
}

/// A document as it was received or sent. Rows are only ever added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// What it is.
    pub kind: EvidenceKind,
    /// Its hash: of the `Sig_structure` where it is signed, else SHA-256 of its bytes.
    pub hash: Hash,
    /// The document.
    pub bytes: Vec<u8>,
    /// When it was stored, by M's clock.
    pub at: Time,
}

/// What an operator did by hand to an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Deed {
    /// Marked it as paid.
    MarkedPaid,
    /// Cancelled it.
    Cancelled,
}

impl Deed {
    /// Its name in tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::MarkedPaid => "marked-paid",
            Self::Cancelled => "cancelled",
        }
    }
}

impl FromStr for Deed {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, UnknownName> {
        let mut all = [Self::MarkedPaid, Self::Cancelled].into_iter();
        all.find(|deed| deed.name() == name).ok_or_else(|| UnknownName::new("deed", name))
    }
}

/// An operator's note on an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// What was done.
    pub deed: Deed,
    /// By whom.
    pub operator: Text<64>,
    /// When, by M's clock.
    pub at: Time,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_stands_for_what_it_names() {
        for state in OrderState::ALL {
            assert_eq!(state.name().parse(), Ok(state));
            let json = serde_json::to_string(&state).unwrap();
            assert_eq!(json, format!("\"{}\"", state.name()));
        }
        for kind in EvidenceKind::ALL {
            assert_eq!(kind.name().parse(), Ok(kind));
        }
        for deed in [Deed::MarkedPaid, Deed::Cancelled] {
            assert_eq!(deed.name().parse(), Ok(deed));
        }
        for mode in PaymentMode::ALL {
            assert_eq!(mode_from_name(mode_name(mode)), Ok(mode));
        }
        assert!("refunded".parse::<OrderState>().is_err());
        assert!(mode_from_name("cash").is_err());
    }
}
