//! What the wallet tells local programs: the JSON of its API, version 1. Members may be added
//! without a new version.

mod wallet;

use apdu_spec::value::{Amount, Currency};
use protocol::purchase::{Line, SuspenseReason};
use serde::{Deserialize, Serialize};

use crate::money::Money;
use crate::purchase::{End, Progress, State};
use crate::rejection::Rejection;
use crate::store::Stored;

pub use wallet::{
    CardView, CreditView, ErrorContent, ErrorView, GoodView, GoodsView, KnownShopView, OwnCardView,
    RecoveryView, StatusView,
};

/// Version of the JSON.
const SCHEMA: u32 = 1;

/// An answer with its version.
#[derive(Debug, Serialize)]
pub struct Versioned<T> {
    schema: u32,
    #[serde(flatten)]
    content: T,
}

impl<T> Versioned<T> {
    /// In the version of today.
    pub const fn new(content: T) -> Self {
        Self { schema: SCHEMA, content }
    }
}

/// What must happen next for a purchase to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Needs {
    /// OK or CANCEL on the order sheet.
    Order,
    /// Accept or decline the shop.
    Shop,
    /// OK or CANCEL on the invoice.
    Invoice,
    /// The PIN; the invoice itself need not be shown.
    Pin,
    /// Another party or the card: it goes on by itself, or with `continue`.
    Others,
    /// Nothing: it has ended.
    Nothing,
}

/// A purchase.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PurchaseView {
    /// The wallet's number, in hexadecimal.
    pub purchase: String,
    /// The state's name.
    pub state: String,
    /// Number of the message that is awaited.
    pub awaits: Option<u16>,
    /// What must happen next.
    pub needs: Needs,
    /// Whether the card will want the PIN, as far as is known.
    pub pin_needed: bool,
    /// The shop.
    pub shop: ShopView,
    /// What is ordered.
    pub lines: Vec<LineView>,
    /// The total.
    pub total: Money,
    /// How it is paid.
    pub mode: String,
    /// When the order was put together: seconds since 1970.
    pub created: u64,
    /// When the state was written last.
    pub updated: u64,
    /// Invoice 51 as signed.
    pub invoice: Option<InvoiceView>,
    /// Receipt 53 as signed.
    pub receipt: Option<ReceiptView>,
    /// P's notice that the value waits for the card.
    pub suspended: Option<NoticeView>,
    /// Who refuses, and why.
    pub refused: Option<RefusedView>,
    /// What stood in the way when it was tried last.
    pub trouble: Option<String>,
    /// Value on the card as far as is known, while the invoice is shown.
    pub balance: Option<Money>,
    /// The same after payment; absent where it does not suffice.
    pub balance_after: Option<Money>,
    /// The evidence bundle, once there is one.
    pub evidence: Option<String>,
}

/// A shop.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ShopView {
    /// Its number, in hexadecimal.
    pub id: String,
    /// Its name by its certificate; absent before that was checked.
    pub name: Option<String>,
    /// Where it answers.
    pub url: String,
}

/// An order line.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LineView {
    /// Article number.
    pub article: String,
    /// Article name.
    pub name: String,
    /// How many.
    pub quantity: u32,
    /// Price of one.
    pub unit_price: Money,
    /// Price of all.
    pub price: Money,
}

/// Invoice 51.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct InvoiceView {
    /// The shop's number of the transaction, in hexadecimal.
    pub transaction: String,
    /// The purchaser.
    pub payer: String,
    /// Amount to pay.
    pub amount: Money,
    /// How.
    pub mode: String,
    /// The shop.
    pub shop_name: String,
    /// Who collects.
    pub payee: String,
    /// Where to pay.
    pub payment_url: String,
    /// When it was made: seconds since 1970.
    pub issued: u64,
    /// Until when it may be paid.
    pub due: u64,
}

/// Receipt 53.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ReceiptView {
    /// The shop's number of the transaction, in hexadecimal.
    pub transaction: String,
    /// P's number of the payment, in hexadecimal.
    pub payment: String,
    /// The purchaser.
    pub payer: String,
    /// Amount received.
    pub amount: Money,
    /// How.
    pub mode: String,
    /// The shop.
    pub shop_name: String,
    /// Who received it.
    pub recipient: String,
    /// When: seconds since 1970.
    pub time: u64,
}

/// A suspense notice.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NoticeView {
    /// P's number of the payment, in hexadecimal.
    pub payment: String,
    /// Amount that waits for the card.
    pub amount: Money,
    /// Why it could not pay.
    pub reason: String,
    /// When: seconds since 1970.
    pub time: u64,
}

/// A refusal.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RefusedView {
    /// `shop`, `payment server` or `wallet`.
    pub by: String,
    /// Number of the message.
    pub message: u16,
    /// Stable code.
    pub code: u16,
    /// Why, for people.
    pub text: String,
}

impl From<&Rejection> for RefusedView {
    fn from(rejection: &Rejection) -> Self {
        Self {
            by: rejection.by.to_string(),
            message: rejection.message,
            code: rejection.code.code(),
            text: rejection.text.clone(),
        }
    }
}

impl LineView {
    fn new(line: &Line, currency: Currency) -> Self {
        let price = line.price().unwrap_or(Amount::MAX);
        Self {
            article: line.article.to_string(),
            name: line.name.to_string(),
            quantity: line.quantity,
            unit_price: Money::new(line.unit_price, currency),
            price: Money::new(price, currency),
        }
    }
}

impl PurchaseView {
    /// Shows a purchase. `pin_needed` and `small` are what the card and the threshold say of its
    /// invoice.
    #[must_use]
    pub fn new(stored: &Stored<State>, pin_needed: bool, small: bool) -> Self {
        let state = &stored.state;
        let progress = state.progress();
        let ordering = progress.ordering();
        let lines = ordering.lines.iter();
        let introduced = progress.introduced();
        Self {
            purchase: ordering.request.to_string(),
            state: state.name().to_owned(),
            awaits: state.awaits(),
            needs: needs(state, pin_needed, small),
            pin_needed,
            shop: ShopView {
                id: ordering.shop.to_string(),
                name: introduced.map(|introduced| introduced.shop_name.to_string()),
                url: ordering.shop_url.to_string(),
            },
            lines: lines.map(|line| LineView::new(line, ordering.currency)).collect(),
            total: Money::new(ordering.amount, ordering.currency),
            mode: ordering.mode.name().to_owned(),
            created: stored.created.0,
            updated: stored.updated.0,
            invoice: invoice_view(&progress),
            receipt: receipt_view(&progress),
            suspended: notice_view(state),
            refused: refused_view(state),
            trouble: stored.trouble.clone(),
            balance: None,
            balance_after: None,
            evidence: None,
        }
    }
}

fn needs(state: &State, pin_needed: bool, small: bool) -> Needs {
    match state {
        State::OrderShown(_) => Needs::Order,
        State::ShopShown(_) => Needs::Shop,
        State::InvoiceShown(_) if small && pin_needed => Needs::Pin,
        State::InvoiceShown(_) => Needs::Invoice,
        State::PermitHeld(_) if pin_needed => Needs::Pin,
        State::AwaitShop(_)
        | State::AwaitInvoice(_)
        | State::AwaitPermit(_)
        | State::PermitHeld(_)
        | State::AwaitReceipt(_)
        | State::AwaitReceiptRepeat(_)
        | State::AwaitCompletion(_) => Needs::Others,
        State::Ended(..) => Needs::Nothing,
    }
}

fn invoice_view(progress: &Progress) -> Option<InvoiceView> {
    let invoice = &progress.invoiced()?.invoice;
    Some(InvoiceView {
        transaction: invoice.transaction.to_string(),
        payer: invoice.payer.to_string(),
        amount: Money::new(invoice.amount, invoice.currency),
        mode: invoice.mode.name().to_owned(),
        shop_name: invoice.shop_name.to_string(),
        payee: invoice.payee.to_string(),
        payment_url: invoice.payment_url.to_string(),
        issued: invoice.issued.0,
        due: invoice.due.0,
    })
}

fn receipt_view(progress: &Progress) -> Option<ReceiptView> {
    let receipt = &progress.received()?.receipt;
    Some(ReceiptView {
        transaction: receipt.transaction.to_string(),
        payment: receipt.payment.to_string(),
        payer: receipt.payer.to_string(),
        amount: Money::new(receipt.amount, receipt.currency),
        mode: receipt.mode.name().to_owned(),
        shop_name: receipt.shop_name.to_string(),
        recipient: receipt.recipient.to_string(),
        time: receipt.time.0,
    })
}

fn notice_view(state: &State) -> Option<NoticeView> {
    let State::Ended(End::Suspended(notice), _) = state else {
        return None;
    };
    Some(NoticeView {
        payment: notice.payment.to_string(),
        amount: Money::new(notice.amount, notice.currency),
        reason: reason(notice.reason).to_owned(),
        time: notice.time.0,
    })
}

const fn reason(reason: SuspenseReason) -> &'static str {
    match reason {
        SuspenseReason::InvoicePaid => "another payment had paid the invoice",
        SuspenseReason::PastDue => "it arrived after the invoice's due time",
        SuspenseReason::InvoiceCancelled => "the shop had cancelled the invoice",
        SuspenseReason::InvoiceUnknown => "the payment server does not know the invoice",
    }
}

fn refused_view(state: &State) -> Option<RefusedView> {
    let State::Ended(End::Refused(rejection) | End::NotAuthorised(rejection), _) = state else {
        return None;
    };
    Some(rejection.into())
}
