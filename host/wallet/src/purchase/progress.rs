//! How far a purchase has come: each step holds the one before it and what it adds. What is stored
//! of a purchase is one of these.

use apdu_spec::cose;
use apdu_spec::record::{DebitRecord, DebitRequest, Order, Permit, Record};
use apdu_spec::value::{Amount, Currency, Hash, Nonce, RequestId, ShopId, Time};
use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode};
use protocol::certificate::PartyName;
use protocol::field::Text;
use protocol::purchase::{
    Completion, Invoice, Line, OrderRequest, PaymentMode, Receipt, ShopIntroduction,
};
use protocol::signed::{key_id, sha256};

use crate::holder::Holder;
use crate::kept::{Kept, KeptRecord};

/// Where a party answers messages.
pub type Url = Text<200>;

/// An order that the buyer has put together.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Ordering {
    /// The wallet's number for the order and the whole purchase.
    #[cbor(n(0), with = "protocol::field")]
    pub request: RequestId,
    /// Where the shop answers.
    #[n(1)]
    pub shop_url: Url,
    /// The shop that the catalogue names.
    #[cbor(n(2), with = "protocol::field")]
    pub shop: ShopId,
    /// What is ordered, at the catalogue's prices.
    #[n(3)]
    pub lines: Vec<Line>,
    /// Total in minor units.
    #[cbor(n(4), with = "protocol::field")]
    pub amount: Amount,
    /// Currency of shop and card.
    #[cbor(n(5), with = "protocol::field")]
    pub currency: Currency,
    /// How it shall be paid.
    #[n(6)]
    pub mode: PaymentMode,
    /// The card that shall pay.
    #[n(7)]
    pub holder: Holder,
    /// Nonce of message 110.
    #[cbor(n(8), with = "protocol::field")]
    pub nonce: Nonce,
    /// When the order was put together, by the wallet's clock.
    #[cbor(n(9), with = "protocol::field")]
    pub created: Time,
}

impl Ordering {
    /// The document whose hash the card signs in message 130.
    #[must_use]
    pub fn order_request(&self) -> OrderRequest {
        OrderRequest {
            number: protocol::field::Number,
            request: self.request,
            shop: self.shop,
            lines: self.lines.iter().map(Line::hash).collect(),
            amount: self.amount,
            currency: self.currency,
            mode: self.mode,
        }
    }
}

/// The shop has shown its certificate (120).
#[derive(Clone, Debug, Encode, Decode)]
#[cbor(map)]
pub struct Introduced {
    /// The order.
    #[n(0)]
    pub ordering: Ordering,
    /// The signed introduction, with the shop's chain.
    #[n(1)]
    pub introduction: Kept<ShopIntroduction>,
    /// The shop's name by its certificate.
    #[n(2)]
    pub shop_name: PartyName,
}

/// The card has signed the order (130).
#[derive(Clone, Debug, Encode, Decode)]
#[cbor(map)]
pub struct Ordered {
    /// The shop's introduction and before.
    #[n(0)]
    pub introduced: Introduced,
    /// The card's order record.
    #[n(1)]
    pub record: KeptRecord<Order>,
}

/// The shop has sent its invoice (140).
#[derive(Clone, Debug, Encode, Decode)]
#[cbor(map)]
pub struct Invoiced {
    /// The signed order and before.
    #[n(0)]
    pub ordered: Ordered,
    /// Invoice 51.
    #[n(1)]
    pub invoice: Kept<Invoice>,
}

/// The card has signed the invoice (150).
#[derive(Clone, Debug, Encode, Decode)]
#[cbor(map)]
pub struct Requested {
    /// The invoice and before.
    #[n(0)]
    pub invoiced: Invoiced,
    /// Signature 52: the card's request record (D1).
    #[n(1)]
    pub request: KeptRecord<DebitRequest>,
    /// Earlier permits for this invoice, which were not used as far as the wallet knows.
    #[n(2)]
    pub earlier: Vec<Earlier>,
}

/// A permit that has ended, with the request that it answered.
#[derive(Clone, Debug, Encode, Decode)]
#[cbor(map)]
pub struct Earlier {
    /// The card's request record (D1).
    #[n(0)]
    pub request: KeptRecord<DebitRequest>,
    /// The permit.
    #[n(1)]
    pub permit: KeptRecord<Permit>,
}

/// P has permitted the payment (160).
#[derive(Clone, Debug, Encode, Decode)]
#[cbor(map)]
pub struct Permitted {
    /// The request and before.
    #[n(0)]
    pub requested: Requested,
    /// The permit.
    #[n(1)]
    pub permit: KeptRecord<Permit>,
}

/// The card has debited itself (170).
#[derive(Clone, Debug, Encode, Decode)]
#[cbor(map)]
pub struct Debited {
    /// The permit and before.
    #[n(0)]
    pub permitted: Permitted,
    /// The debit record; `None` where the card has consumed the sequence, but the record has left
    /// its journal: then P has it.
    #[n(1)]
    pub debit: Option<KeptRecord<DebitRecord>>,
}

impl Debited {
    /// Hash of the debit record. It covers no signature, so it is known without the record, too.
    #[must_use]
    pub fn debit_hash(&self) -> Hash {
        if let Some(debit) = &self.debit {
            return debit.hash();
        }
        let kid = key_id(&self.permitted.requested.invoiced.ordering().holder.key);
        // A record always has an encoding and fits; an impossible failure matches no receipt.
        let structure = self
            .permitted
            .permit
            .debit_record()
            .encode()
            .and_then(|payload| cose::sig_structure(kid, payload.as_bytes()));
        structure.map_or(Hash([0; 32]), |structure| sha256(structure.as_bytes()))
    }
}

/// P has signed the receipt (180 or 200).
#[derive(Clone, Debug, Encode, Decode)]
#[cbor(map)]
pub struct Received {
    /// The debit and before.
    #[n(0)]
    pub debited: Debited,
    /// Receipt 53.
    #[n(1)]
    pub receipt: Kept<Receipt>,
    /// The revocation lists at that time, in DER.
    #[n(2)]
    pub lists: Vec<ByteVec>,
}

/// M has accepted the receipt (220).
#[derive(Clone, Debug, Encode, Decode)]
#[cbor(map)]
pub struct Completed {
    /// The receipt and before.
    #[n(0)]
    pub received: Received,
    /// The signed completion.
    #[n(1)]
    pub completion: Kept<Completion>,
}

impl Received {
    /// The invoice that was paid.
    #[must_use]
    pub const fn invoiced(&self) -> &Invoiced {
        &self.debited.permitted.requested.invoiced
    }
}

impl Invoiced {
    /// The order that the invoice answers.
    #[must_use]
    pub const fn ordering(&self) -> &Ordering {
        &self.ordered.introduced.ordering
    }
}

/// How far a purchase had come when it ended.
#[derive(Clone, Debug, Encode, Decode)]
pub enum Progress {
    /// Order put together.
    #[n(1)]
    Ordering(#[n(0)] Ordering),
    /// Shop shown.
    #[n(2)]
    Introduced(#[n(0)] Introduced),
    /// Order sent.
    #[n(3)]
    Ordered(#[n(0)] Ordered),
    /// Invoice received.
    #[n(4)]
    Invoiced(#[n(0)] Invoiced),
    /// Permission asked for.
    #[n(5)]
    Requested(#[n(0)] Requested),
    /// Permit held.
    #[n(6)]
    Permitted(#[n(0)] Permitted),
    /// Card debited.
    #[n(7)]
    Debited(#[n(0)] Debited),
    /// Receipt received.
    #[n(8)]
    Received(#[n(0)] Received),
    /// Complete.
    #[n(9)]
    Completed(#[n(0)] Completed),
}

impl Progress {
    /// The order.
    #[must_use]
    pub const fn ordering(&self) -> &Ordering {
        match self {
            Self::Ordering(ordering) => ordering,
            Self::Introduced(introduced) => &introduced.ordering,
            Self::Ordered(ordered) => &ordered.introduced.ordering,
            Self::Invoiced(invoiced) => invoiced.ordering(),
            Self::Requested(requested) => requested.invoiced.ordering(),
            Self::Permitted(permitted) => permitted.requested.invoiced.ordering(),
            Self::Debited(debited) => debited.permitted.requested.invoiced.ordering(),
            Self::Received(received) => received.invoiced().ordering(),
            Self::Completed(completed) => completed.received.invoiced().ordering(),
        }
    }

    /// The shop's introduction, once it has come.
    #[must_use]
    pub fn introduced(&self) -> Option<&Introduced> {
        match self {
            Self::Ordering(_) => None,
            Self::Introduced(introduced) => Some(introduced),
            Self::Ordered(ordered) => Some(&ordered.introduced),
            Self::Invoiced(_)
            | Self::Requested(_)
            | Self::Permitted(_)
            | Self::Debited(_)
            | Self::Received(_)
            | Self::Completed(_) => self.invoiced().map(|invoiced| &invoiced.ordered.introduced),
        }
    }

    /// The invoice, once it has come.
    #[must_use]
    pub fn invoiced(&self) -> Option<&Invoiced> {
        match self {
            Self::Ordering(_) | Self::Introduced(_) | Self::Ordered(_) => None,
            Self::Invoiced(invoiced) => Some(invoiced),
            Self::Requested(requested) => Some(&requested.invoiced),
            Self::Permitted(permitted) => Some(&permitted.requested.invoiced),
            Self::Debited(debited) => Some(&debited.permitted.requested.invoiced),
            Self::Received(received) => Some(received.invoiced()),
            Self::Completed(completed) => Some(completed.received.invoiced()),
        }
    }

    /// The debit, once the card has made it.
    #[must_use]
    pub const fn debited(&self) -> Option<&Debited> {
        match self {
            Self::Ordering(_)
            | Self::Introduced(_)
            | Self::Ordered(_)
            | Self::Invoiced(_)
            | Self::Requested(_)
            | Self::Permitted(_) => None,
            Self::Debited(debited) => Some(debited),
            Self::Received(received) => Some(&received.debited),
            Self::Completed(completed) => Some(&completed.received.debited),
        }
    }

    /// The receipt, once it has come.
    #[must_use]
    pub const fn received(&self) -> Option<&Received> {
        match self {
            Self::Ordering(_)
            | Self::Introduced(_)
            | Self::Ordered(_)
            | Self::Invoiced(_)
            | Self::Requested(_)
            | Self::Permitted(_)
            | Self::Debited(_) => None,
            Self::Received(received) => Some(received),
            Self::Completed(completed) => Some(&completed.received),
        }
    }
}
