//! What an operator may do, as requests and reports. The program asks the running server over its
//! admin socket, or works on the books itself where no server runs: both come here.

use apdu_spec::value::{Amount, Time, TransactionId};
use protocol::document::PaymentMode;
use protocol::field::Text;
use serde::{Deserialize, Serialize};

use crate::books::{
    AMOUNT_MAX, Deed, Evidence, Good, LineData, Note, OrderData, OrderState, mode_name,
};
use crate::posting;
use crate::store::{Store, StoreError};

/// What an operator asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Operation {
    /// List all goods.
    ListGoods,
    /// Add a good, or change the one with this article number.
    AddGood {
        /// Article number: 1 to 32 bytes.
        article: String,
        /// Name: 1 to 100 bytes.
        name: String,
        /// Price of one in minor units, above zero.
        unit_price: u64,
    },
    /// No longer sell a good.
    RemoveGood {
        /// Its article number.
        article: String,
    },
    /// List the newest orders.
    ListOrders {
        /// Only those in this state.
        state: Option<OrderState>,
        /// At most so many.
        count_max: u32,
    },
    /// Show one order with its lines, documents and notes.
    ShowOrder {
        /// Its transaction.
        #[serde(with = "crate::hex")]
        transaction: TransactionId,
    },
    /// Mark an order of another mode than electronic money as paid.
    MarkPaid {
        /// Its transaction.
        #[serde(with = "crate::hex")]
        transaction: TransactionId,
        /// Who says so.
        operator: String,
    },
    /// End an unpaid order.
    Cancel {
        /// Its transaction.
        #[serde(with = "crate::hex")]
        transaction: TransactionId,
        /// Who wants it.
        operator: String,
    },
}

/// What an operator is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Report {
    /// The goods.
    Goods(Vec<GoodReport>),
    /// One good as it is now.
    Good(GoodReport),
    /// Orders.
    Orders(Vec<OrderReport>),
    /// One order.
    Order(Box<OrderDetail>),
}

/// A good.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GoodReport {
    /// Article number.
    pub article: String,
    /// Name.
    pub name: String,
    /// Price of one in minor units.
    pub unit_price: u64,
    /// Whether it can be ordered.
    pub active: bool,
}

/// An order: order data 61 (source Fig. 11).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderReport {
    /// M's number for the transaction.
    pub transaction: String,
    /// The wallet's number for the order.
    pub request: String,
    /// The holder's number.
    pub purchaser: String,
    /// The card that signed the order.
    pub card: String,
    /// Money total in minor units.
    pub total: u64,
    /// Currency of the total: ISO 4217 numeric code.
    pub currency: u16,
    /// Payment mode.
    pub mode: String,
    /// Payment state.
    pub state: OrderState,
    /// When it was stored, in seconds since 1970.
    pub placed: u64,
    /// Until when it may be paid, in seconds since 1970.
    pub due: u64,
}

/// An order with all that belongs to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderDetail {
    /// Order data 61.
    #[serde(flatten)]
    pub order: OrderReport,
    /// Order data 62 (source Fig. 12).
    pub lines: Vec<LineReport>,
    /// The documents.
    pub evidence: Vec<EvidenceReport>,
    /// What operators did by hand.
    pub notes: Vec<NoteReport>,
}

/// A line of an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineReport {
    /// Article number.
    pub article: String,
    /// Article name.
    pub name: String,
    /// How many.
    pub quantity: u32,
    /// Price of one in minor units.
    pub unit_price: u64,
    /// Price of all in minor units.
    pub price: u64,
}

/// A document of an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvidenceReport {
    /// What it is.
    pub kind: String,
    /// Its hash in hexadecimal.
    pub hash: String,
    /// When it was stored, in seconds since 1970.
    pub stored: u64,
    /// The document in hexadecimal.
    pub bytes: String,
}

/// What an operator did to an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoteReport {
    /// What.
    pub deed: Deed,
    /// By whom.
    pub operator: String,
    /// When, in seconds since 1970.
    pub at: u64,
}

/// Why an operator does not get what was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
pub enum OperatorError {
    /// A text that the books cannot hold.
    #[error("{what}: {reason}")]
    Text {
        /// Which.
        what: String,
        /// Why not.
        reason: String,
    },
    /// A price of nothing, or more than the books can hold.
    #[error("a price must be above zero and at most {}", AMOUNT_MAX)]
    Price,
    /// No good has this article number.
    #[error("no good has this article number")]
    UnknownArticle,
    /// No order has this transaction.
    #[error("no order has this transaction")]
    UnknownTransaction,
    /// Only P's receipt makes an order in electronic money paid.
    #[error("only the payment server's receipt can mark an order in electronic money as paid")]
    ElectronicMoney,
    /// The order's state does not allow it.
    #[error("the order is {}", .0.name())]
    State(OrderState),
    /// P has not said that nobody can pay the invoice any more.
    #[error(
        "the invoice can still be paid, for example because a permission to pay is live; \
         try again in ten minutes"
    )]
    StillPayable,
    /// P could not be asked, or its answer changes nothing.
    #[error("{0}")]
    Payment(String),
    /// P must be asked, which only the running server does.
    #[error("the server must run for this, because it asks the payment server")]
    NotRunning,
    /// The books are closed.
    #[error("the books are closed; see the server's log")]
    Closed,
}

/// What an operator gets.
pub type Outcome = Result<Report, OperatorError>;

/// An operator's name, as it is noted.
///
/// # Errors
/// [`OperatorError::Text`].
pub fn operator_name(name: &str) -> Result<Text<64>, OperatorError> {
    text("operator", name)
}

/// Does what an operator asks for, inside one transaction.
///
/// # Errors
/// [`StoreError`].
pub fn perform(store: &Store, operation: Operation, now: Time) -> Result<Outcome, StoreError> {
    match operation {
        Operation::ListGoods => {
            let goods = store.goods()?;
            Ok(Ok(Report::Goods(goods.iter().map(report_good).collect())))
        }
        Operation::AddGood { article, name, unit_price } => match good(&article, &name, unit_price)
        {
            Ok(good) => put_good(store, &good),
            Err(error) => Ok(Err(error)),
        },
        Operation::RemoveGood { article } => remove_good(store, &article),
        Operation::ListOrders { state, count_max } => {
            let orders = store.orders(state, count_max)?;
            Ok(Ok(Report::Orders(orders.iter().map(report_order).collect())))
        }
        Operation::ShowOrder { transaction } => show(store, transaction),
        Operation::MarkPaid { transaction, operator } => {
            note(store, transaction, (Deed::MarkedPaid, &operator), now)
        }
        Operation::Cancel { transaction, operator } => {
            note(store, transaction, (Deed::Cancelled, &operator), now)
        }
    }
}

fn good(article: &str, name: &str, unit_price: u64) -> Result<Good, OperatorError> {
    let good = Good {
        article: text("article", article)?,
        name: text("name", name)?,
        unit_price: Amount(unit_price),
        active: true,
    };
    if (Amount(1)..=AMOUNT_MAX).contains(&good.unit_price) {
        Ok(good)
    } else {
        Err(OperatorError::Price)
    }
}

fn put_good(store: &Store, good: &Good) -> Result<Outcome, StoreError> {
    store.put_good(good)?;
    Ok(Ok(Report::Good(report_good(good))))
}

fn remove_good(store: &Store, article: &str) -> Result<Outcome, StoreError> {
    // What cannot be an article number cannot be in the books.
    let good = match Text::new(article) {
        Ok(article) => store.good(&article)?,
        Err(_) => None,
    };
    match good {
        None => Ok(Err(OperatorError::UnknownArticle)),
        Some(good) => {
            let removed = Good { active: false, ..good };
            put_good(store, &removed)
        }
    }
}

/// Marks an order as paid or cancels it by hand. Doing the same again changes nothing.
fn note(
    store: &Store,
    transaction: TransactionId,
    (deed, operator): (Deed, &str),
    now: Time,
) -> Result<Outcome, StoreError> {
    let Some(order) = store.order(transaction)? else {
        return Ok(Err(OperatorError::UnknownTransaction));
    };
    let note = match operator_name(operator) {
        Err(error) => return Ok(Err(error)),
        Ok(operator) => Note { deed, operator, at: now },
    };
    let done = store.notes(transaction)?.iter().any(|old| old.deed == deed);
    match (order.mode, deed, order.state) {
        _ if done => show(store, transaction),
        (PaymentMode::ElectronicMoney, Deed::MarkedPaid, _) => {
            Ok(Err(OperatorError::ElectronicMoney))
        }
        (PaymentMode::ElectronicMoney, Deed::Cancelled, OrderState::Acknowledged) => {
            Ok(Err(OperatorError::NotRunning))
        }
        (
            PaymentMode::CreditA | PaymentMode::CreditB | PaymentMode::BankAccount,
            Deed::MarkedPaid | Deed::Cancelled,
            OrderState::Acknowledged,
        ) => {
            posting::post_deed(store, transaction, &note)?;
            show(store, transaction)
        }
        (
            _,
            _,
            state @ (OrderState::Unpaid
            | OrderState::Paid
            | OrderState::Released
            | OrderState::Cancelled),
        ) => Ok(Err(OperatorError::State(state))),
    }
}

fn show(store: &Store, transaction: TransactionId) -> Result<Outcome, StoreError> {
    let Some(order) = store.order(transaction)? else {
        return Ok(Err(OperatorError::UnknownTransaction));
    };
    let evidence = store.all_evidence(transaction)?;
    let notes = store.notes(transaction)?;
    let detail = OrderDetail {
        order: report_order(&order),
        lines: store.lines(transaction)?.iter().map(report_line).collect(),
        evidence: evidence.iter().map(report_evidence).collect(),
        notes: notes.iter().map(report_note).collect(),
    };
    Ok(Ok(Report::Order(Box::new(detail))))
}

fn text<const MAX: usize>(what: &str, text: &str) -> Result<Text<MAX>, OperatorError> {
    Text::new(text)
        .map_err(|error| OperatorError::Text { what: what.to_owned(), reason: error.to_string() })
}

fn report_good(good: &Good) -> GoodReport {
    GoodReport {
        article: good.article.to_string(),
        name: good.name.to_string(),
        unit_price: good.unit_price.0,
        active: good.active,
    }
}

fn report_order(order: &OrderData) -> OrderReport {
    OrderReport {
        transaction: order.transaction.to_string(),
        request: order.request.to_string(),
        purchaser: order.purchaser.to_string(),
        card: order.card.to_string(),
        total: order.total.0,
        currency: order.currency.0,
        mode: mode_name(order.mode).to_owned(),
        state: order.state,
        placed: order.placed.0,
        due: order.due.0,
    }
}

fn report_line(LineData { line, price }: &LineData) -> LineReport {
    LineReport {
        article: line.article.to_string(),
        name: line.name.to_string(),
        quantity: line.quantity,
        unit_price: line.unit_price.0,
        price: price.0,
    }
}

fn report_evidence(evidence: &Evidence) -> EvidenceReport {
    let bytes = evidence.bytes.iter();
    EvidenceReport {
        kind: evidence.kind.name().to_owned(),
        hash: evidence.hash.to_string(),
        stored: evidence.at.0,
        bytes: bytes.map(|byte| format!("{byte:02x}")).collect(),
    }
}

fn report_note(note: &Note) -> NoteReport {
    NoteReport { deed: note.deed, operator: note.operator.to_string(), at: note.at.0 }
}
