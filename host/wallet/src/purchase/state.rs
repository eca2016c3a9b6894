//! The states of a purchase: one for each message that is awaited and each decision of the buyer,
//! holding exactly what that step needs. This is what is stored before a message leaves.

use apdu_spec::value::Time;
use minicbor::{Decode, Encode};
use protocol::Reject;
use protocol::purchase::SuspenseNotice;

use super::progress::{
    Debited, Introduced, Invoiced, Ordered, Ordering, Permitted, Progress, Received, Requested,
};
use crate::kept::Kept;
use crate::rejection::Rejection;

/// How long an order without an invoice is kept open, in seconds. Nothing is at stake then.
const UNINVOICED_MAX_S: u64 = 24 * 60 * 60;

/// State of a purchase.
#[derive(Clone, Debug, Encode, Decode)]
#[expect(
    clippy::large_enum_variant,
    reason = "few exist at a time, and each is on its way to the database"
)]
pub enum State {
    /// Order sheet 71 is shown: OK or CANCEL.
    #[n(0)]
    OrderShown(#[n(0)] Ordering),
    /// 110 is sent, 120 awaited.
    #[n(1)]
    AwaitShop(#[n(0)] Ordering),
    /// The shop's name is shown: accept or decline.
    #[n(2)]
    ShopShown(#[n(0)] Introduced),
    /// 130 is sent, 140 awaited.
    #[n(3)]
    AwaitInvoice(#[n(0)] Ordered),
    /// Invoice screen 72 is shown: OK or CANCEL.
    #[n(4)]
    InvoiceShown(#[n(0)] Invoiced),
    /// 150 is sent, 160 awaited.
    #[n(5)]
    AwaitPermit(#[n(0)] Requested),
    /// The permit is held; the card debits, or has done so.
    #[n(6)]
    PermitHeld(#[n(0)] Permitted),
    /// 170 is sent, 180 awaited.
    #[n(7)]
    AwaitReceipt(#[n(0)] Debited),
    /// 190 is sent, 200 awaited.
    #[n(8)]
    AwaitReceiptRepeat(#[n(0)] Debited),
    /// 210 is sent, 220 awaited.
    #[n(9)]
    AwaitCompletion(#[n(0)] Received),
    /// Ended.
    #[n(10)]
    Ended(#[n(0)] End, #[n(1)] Progress),
}

/// How a purchase has ended.
#[derive(Clone, Debug, Encode, Decode)]
pub enum End {
    /// Paid, and the shop says so (220).
    #[n(1)]
    Complete,
    /// The buyer has declined the shop.
    #[n(2)]
    Declined,
    /// The buyer has cancelled.
    #[n(3)]
    Cancelled(#[n(0)] Screen),
    /// Somebody refused before the card debited itself.
    #[n(4)]
    Refused(#[n(0)] Rejection),
    /// Debited, but not paid: P's notice, with which the value comes back to the card.
    #[n(5)]
    Suspended(#[n(0)] Kept<SuspenseNotice>),
    /// Paid, but the shop does not authorise the receipt (220).
    #[n(6)]
    NotAuthorised(#[n(0)] Rejection),
    /// Not pursued in time; nothing was paid.
    #[n(7)]
    Lapsed,
    /// The invoice is to be paid by other means than the card.
    #[n(8)]
    OtherMeans,
}

/// Where the buyer has cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum Screen {
    /// Order sheet 71, or before an invoice had come.
    #[n(1)]
    OrderSheet,
    /// Invoice 72.
    #[n(2)]
    Invoice,
}

impl State {
    /// Ends the purchase.
    #[must_use]
    pub fn ended(&self, end: End) -> Self {
        Self::Ended(end, self.progress())
    }

    /// How far the purchase has come.
    #[must_use]
    pub fn progress(&self) -> Progress {
        match self.clone() {
            Self::OrderShown(ordering) | Self::AwaitShop(ordering) => Progress::Ordering(ordering),
            Self::ShopShown(introduced) => Progress::Introduced(introduced),
            Self::AwaitInvoice(ordered) => Progress::Ordered(ordered),
            Self::InvoiceShown(invoiced) => Progress::Invoiced(invoiced),
            Self::AwaitPermit(requested) => Progress::Requested(requested),
            Self::PermitHeld(permitted) => Progress::Permitted(permitted),
            Self::AwaitReceipt(debited) | Self::AwaitReceiptRepeat(debited) => {
                Progress::Debited(debited)
            }
            Self::AwaitCompletion(received) => Progress::Received(received),
            Self::Ended(_, progress) => progress,
        }
    }

    /// The state's name in the database and for programs.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::OrderShown(_) => "order_shown",
            Self::AwaitShop(_) => "await_shop",
            Self::ShopShown(_) => "shop_shown",
            Self::AwaitInvoice(_) => "await_invoice",
            Self::InvoiceShown(_) => "invoice_shown",
            Self::AwaitPermit(_) => "await_permit",
            Self::PermitHeld(_) => "permit_held",
            Self::AwaitReceipt(_) => "await_receipt",
            Self::AwaitReceiptRepeat(_) => "await_receipt_repeat",
            Self::AwaitCompletion(_) => "await_completion",
            Self::Ended(end, _) => end.name(),
        }
    }

    /// Number of the message that is awaited.
    #[must_use]
    pub const fn awaits(&self) -> Option<u16> {
        match self {
            Self::AwaitShop(_) => Some(120),
            Self::AwaitInvoice(_) => Some(140),
            Self::AwaitPermit(_) => Some(160),
            Self::AwaitReceipt(_) => Some(180),
            Self::AwaitReceiptRepeat(_) => Some(200),
            Self::AwaitCompletion(_) => Some(220),
            Self::OrderShown(_)
            | Self::ShopShown(_)
            | Self::InvoiceShown(_)
            | Self::PermitHeld(_)
            | Self::Ended(..) => None,
        }
    }

    /// Whether nothing follows.
    #[must_use]
    pub const fn is_ended(&self) -> bool {
        matches!(self, Self::Ended(..))
    }

    /// The end where nobody has pursued the purchase in time and nothing was asked of P.
    #[must_use]
    pub fn lapsed(&self, now: Time) -> Option<Self> {
        let over = match self {
            Self::OrderShown(_)
            | Self::AwaitShop(_)
            | Self::ShopShown(_)
            | Self::AwaitInvoice(_) => {
                let created = self.progress().ordering().created;
                now.0.saturating_sub(created.0) > UNINVOICED_MAX_S
            }
            Self::InvoiceShown(invoiced) => invoiced.invoice.due < now,
            Self::AwaitPermit(_)
            | Self::PermitHeld(_)
            | Self::AwaitReceipt(_)
            | Self::AwaitReceiptRepeat(_)
            | Self::AwaitCompletion(_)
            | Self::Ended(..) => false,
        };
        over.then(|| self.ended(End::Lapsed))
    }

    /// What follows from a refusal: the end, unless the step may succeed later or the card may
    /// have debited itself.
    #[must_use]
    pub fn refused(&self, rejection: &Rejection) -> Option<Self> {
        if !self.judges(rejection.message) || rejection.may_pass() {
            return None;
        }
        if matches!(self, Self::AwaitCompletion(_)) {
            let not_authorised = rejection.signed() == Some(Reject::ReceiptNotAuthorised);
            return not_authorised.then(|| self.ended(End::NotAuthorised(rejection.clone())));
        }
        Some(self.ended(End::Refused(rejection.clone())))
    }

    /// Whether a refusal in this message can end a purchase in this state. Where the card may have
    /// debited itself, only the shop's last word can.
    const fn judges(&self, message: u16) -> bool {
        match self {
            Self::AwaitShop(_) => message == 120,
            Self::AwaitInvoice(_) => message == 140,
            Self::InvoiceShown(_) => message == 150,
            Self::AwaitPermit(_) => message == 150 || message == 160,
            Self::AwaitCompletion(_) => message == 220,
            Self::OrderShown(_)
            | Self::ShopShown(_)
            | Self::PermitHeld(_)
            | Self::AwaitReceipt(_)
            | Self::AwaitReceiptRepeat(_)
            | Self::Ended(..) => false,
        }
    }
}

impl End {
    /// Its name in the database and for programs.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Declined => "declined",
            Self::Cancelled(Screen::OrderSheet) => "cancelled_order",
            Self::Cancelled(Screen::Invoice) => "cancelled_invoice",
            Self::Refused(_) => "refused",
            Self::Suspended(_) => "suspended",
            Self::NotAuthorised(_) => "not_authorised",
            Self::Lapsed => "lapsed",
            Self::OtherMeans => "other_means",
        }
    }
}
