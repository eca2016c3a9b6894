//! Queries that are not in the source text: what recovery needs. Numbers below 100.

use apdu_spec::value::{Hash, Nonce, Sequence, Time};
use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode};

use crate::field::Number;
use crate::form::forms;
use crate::purchase::Chain;

forms! {
    NonceQuery: "message 10";
    NonceReply: "message 20";
    StatusQuery: "message 30";
    StatusReply: "message 40";
    InvoiceQuery: "message 50";
    InvoiceQuestion: "invoice question";
    InvoiceReply: "message 60";
    InvoiceState: "invoice state";
}

/// 10: C asks P for a nonce that its card shall sign in a status.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct NonceQuery {
    /// 10.
    #[n(0)]
    pub number: Number<10>,
}

/// 20: P gives a nonce, good for one status query within a minute.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct NonceReply {
    /// 20.
    #[n(0)]
    pub number: Number<20>,
    /// The nonce.
    #[cbor(n(1), with = "crate::field")]
    pub nonce: Nonce,
}

/// 30: C shows the card's signed status.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct StatusQuery {
    /// 30.
    #[n(0)]
    pub number: Number<30>,
    /// The card's signed status record over the nonce of 20.
    #[n(1)]
    pub status: ByteVec,
    /// The card's chain.
    #[n(2)]
    pub chain: Chain,
}

/// 40: what P holds for this card: everything that a wallet without files needs to go on.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct StatusReply {
    /// 40.
    #[n(0)]
    pub number: Number<40>,
    /// Open authorities for credits: signed load orders whose value the card has not taken yet.
    #[n(1)]
    pub authorities: Vec<ByteVec>,
    /// Signed suspense notices whose value still waits.
    #[n(2)]
    pub notices: Vec<ByteVec>,
    /// P durably knows every debit up to this sequence.
    #[cbor(n(3), with = "crate::field")]
    pub ack_debit: Sequence,
    /// P durably knows every credit slot up to this one.
    #[cbor(n(4), with = "crate::field")]
    pub ack_credit: Sequence,
}

/// 50: M asks P what has become of an invoice.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct InvoiceQuery {
    /// 50.
    #[n(0)]
    pub number: Number<50>,
    /// A signed [`InvoiceQuestion`].
    #[n(1)]
    pub question: ByteVec,
}

/// Signed content of 50; M's chain stands in its header.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct InvoiceQuestion {
    /// 50.
    #[n(0)]
    pub number: Number<50>,
    /// The signed invoice itself, so that P can answer about one that it has never seen.
    #[n(1)]
    pub invoice: ByteVec,
    /// Whether P shall cancel the invoice if it is unpaid and no permit lives.
    #[n(2)]
    pub cancel: bool,
    /// When, by M's clock.
    #[cbor(n(3), with = "crate::field")]
    pub time: Time,
}

/// 60: P answers.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct InvoiceReply {
    /// 60.
    #[n(0)]
    pub number: Number<60>,
    /// A signed [`InvoiceState`] or a signed refusal.
    #[n(1)]
    pub answer: crate::purchase::Answer,
}

/// Signed content of 60.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct InvoiceState {
    /// 60.
    #[n(0)]
    pub number: Number<60>,
    /// Hash of the invoice.
    #[cbor(n(1), with = "crate::field")]
    pub invoice_hash: Hash,
    /// Its state.
    #[n(2)]
    pub state: PaymentState,
    /// When, by P's clock.
    #[cbor(n(3), with = "crate::field")]
    pub time: Time,
    /// The signed receipt, when it is paid.
    #[n(4)]
    pub receipt: Option<ByteVec>,
}

/// State of an invoice at P. `PastDue` and `Cancelled` are durable: P will never let such an
/// invoice be paid, so the shop may release the order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum PaymentState {
    /// Not paid yet and still payable.
    #[n(1)]
    Unpaid,
    /// Paid; the receipt is in the answer.
    #[n(2)]
    Paid,
    /// Not paid, and past its due time for good.
    #[n(3)]
    PastDue,
    /// Cancelled for good.
    #[n(4)]
    Cancelled,
}
