//! The purchase (source Fig. 5), messages in the order in which they are sent.
//!
//! Every message is a CBOR map whose label 0 is its number. Signed things stand in it as byte
//! strings, exactly as they were signed.

use apdu_spec::value::{
    Amount, Currency, Hash, Nonce, PaymentId, RequestId, ShopId, Time, TransactionId,
};
use minicbor::bytes::{ByteArray, ByteVec};
use minicbor::{Decode, Encode};

use crate::Reject;
use crate::field::Number;
use crate::form::{self, forms};
use crate::signed::sha256;

pub use crate::document::{
    Invoice, Line, PaymentMode, Receipt, SuspenseNotice, SuspenseReason, total,
};

/// A certificate chain, leaf first, without the root, each in DER.
pub type Chain = Vec<ByteVec>;

/// Most lines of an order.
pub const LINES_MAX: usize = 100;

forms! {
    CertificateRequest: "message 110";
    CertificateReply: "message 120";
    ShopIntroduction: "shop introduction";
    OrderMessage: "message 130";
    OrderRequest: "order request";
    InvoiceMessage: "message 140";
    PermitRequest: "message 150";
    PermitReply: "message 160";
    ValueMessage: "message 170";
    ReceiptReply: "message 180";
    ReceiptRequest: "message 190";
    ReceiptRepeat: "message 200";
    ReceiptCopy: "message 210";
    CompletionReply: "message 220";
    Completion: "completion";
    Refused: "refusal";
}

/// 110: C asks M for its certificate.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct CertificateRequest {
    /// 110.
    #[n(0)]
    pub number: Number<110>,
    /// Fresh random bytes that 120 signs.
    #[cbor(n(1), with = "crate::field")]
    pub nonce: Nonce,
}

/// 120: M answers with its certificate, in a signed introduction.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct CertificateReply {
    /// 120.
    #[n(0)]
    pub number: Number<120>,
    /// A signed [`ShopIntroduction`].
    #[n(1)]
    pub introduction: ByteVec,
}

/// Signed content of 120; M's chain stands in its header.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct ShopIntroduction {
    /// 120.
    #[n(0)]
    pub number: Number<120>,
    /// The nonce of 110.
    #[cbor(n(1), with = "crate::field")]
    pub nonce: Nonce,
    /// The shop's number.
    #[cbor(n(2), with = "crate::field")]
    pub shop: ShopId,
}

/// 130: C orders.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct OrderMessage {
    /// 130.
    #[n(0)]
    pub number: Number<130>,
    /// An [`OrderRequest`].
    #[n(1)]
    pub request: ByteVec,
    /// The card's signed order record over it.
    #[n(2)]
    pub record: ByteVec,
    /// The card's chain.
    #[n(3)]
    pub chain: Chain,
    /// The [`Line`]s that the request lists by their hashes, in the same order.
    #[n(4)]
    pub lines: Vec<ByteVec>,
}

/// What is ordered; its hash is in the card's order record.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct OrderRequest {
    /// 130.
    #[n(0)]
    pub number: Number<130>,
    /// The wallet's number for this order: the same number, the same answer.
    #[cbor(n(1), with = "crate::field")]
    pub request: RequestId,
    /// The shop.
    #[cbor(n(2), with = "crate::field")]
    pub shop: ShopId,
    /// Hashes of the lines, 1 to [`LINES_MAX`].
    #[n(3)]
    pub lines: Vec<ByteArray<32>>,
    /// Total in minor units.
    #[cbor(n(4), with = "crate::field")]
    pub amount: Amount,
    /// Currency of the total.
    #[cbor(n(5), with = "crate::field")]
    pub currency: Currency,
    /// How it is to be paid.
    #[n(6)]
    pub mode: PaymentMode,
}

impl OrderRequest {
    /// The hash that the card signs: SHA-256 of the request's bytes.
    #[must_use]
    pub fn hash(&self) -> Hash {
        sha256(&form::encode(self))
    }
}

/// 140: M answers with the invoice, or refuses.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct InvoiceMessage {
    /// 140.
    #[n(0)]
    pub number: Number<140>,
    /// A signed [`Invoice`], or a signed [`Refused`].
    #[n(1)]
    pub answer: Answer,
}

/// What a server grants, or its signed refusal.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Answer {
    /// The signed thing that was asked for.
    #[n(1)]
    Granted(#[n(0)] ByteVec),
    /// A signed [`Refused`].
    #[n(2)]
    Refused(#[n(0)] ByteVec),
}

/// A refusal, signed by the server that refuses. Its type is its own, so that no other document
/// can be taken for it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Refused {
    /// 99.
    #[n(0)]
    pub kind: Number<99>,
    /// Number of the message that refuses, for example 160.
    #[n(1)]
    pub number: u16,
    /// SHA-256 of the request's bytes on the wire.
    #[cbor(n(2), with = "crate::field")]
    pub request: Hash,
    /// Why.
    #[n(3)]
    pub code: Reject,
    /// When, by the server's clock.
    #[cbor(n(4), with = "crate::field")]
    pub time: Time,
}

impl Refused {
    /// Refuses a request in the message with this number.
    #[must_use]
    pub fn new(number: u16, request: &[u8], code: Reject, time: Time) -> Self {
        Self { kind: Number, number, request: sha256(request), code, time }
    }
}

/// 150: C asks P for permission to pay.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct PermitRequest {
    /// 150.
    #[n(0)]
    pub number: Number<150>,
    /// The signed [`Invoice`].
    #[n(1)]
    pub invoice: ByteVec,
    /// Signature 52: the card's signed request record (D1) over it.
    #[n(2)]
    pub request: ByteVec,
    /// The card's chain.
    #[n(3)]
    pub chain: Chain,
}

/// 160: P permits or refuses.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct PermitReply {
    /// 160.
    #[n(0)]
    pub number: Number<160>,
    /// The signed permit for the card, or a signed [`Refused`].
    #[n(1)]
    pub answer: Answer,
}

/// 170: C sends the value: the card's debit record.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct ValueMessage {
    /// 170.
    #[n(0)]
    pub number: Number<170>,
    /// The card's signed debit record.
    #[n(1)]
    pub record: ByteVec,
}

/// 180: P's answer to value. A genuine debit is never refused (Invariant N).
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct ReceiptReply {
    /// 180.
    #[n(0)]
    pub number: Number<180>,
    /// What became of the value.
    #[n(1)]
    pub answer: Booking,
}

/// What became of a debit.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Booking {
    /// It paid the invoice: a signed [`Receipt`].
    #[n(1)]
    Paid(#[n(0)] ByteVec),
    /// It is no genuine debit: a signed [`Refused`].
    #[n(2)]
    Refused(#[n(0)] ByteVec),
    /// It could not pay the invoice: a signed [`SuspenseNotice`].
    #[n(3)]
    Suspended(#[n(0)] ByteVec),
    /// It is booked; receipt or notice are to be asked for with 190 (only in 180).
    #[n(4)]
    Ask,
}

/// 190: C asks for the receipt: when 180 was lost, or where P answers 180 without it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct ReceiptRequest {
    /// 190.
    #[n(0)]
    pub number: Number<190>,
    /// P's number for the payment.
    #[cbor(n(1), with = "crate::field")]
    pub payment: PaymentId,
}

/// 200: P answers with receipt or notice, or refuses.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct ReceiptRepeat {
    /// 200.
    #[n(0)]
    pub number: Number<200>,
    /// What became of the value; never [`Booking::Ask`].
    #[n(1)]
    pub answer: Booking,
}

/// 210: C (or P, unasked) gives M a copy of the receipt.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct ReceiptCopy {
    /// 210.
    #[n(0)]
    pub number: Number<210>,
    /// The signed [`Receipt`].
    #[n(1)]
    pub receipt: ByteVec,
}

/// 220: M says "complete" or "receipt not authorised".
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct CompletionReply {
    /// 220.
    #[n(0)]
    pub number: Number<220>,
    /// A signed [`Completion`], or a signed [`Refused`] with the code "receipt not authorised".
    #[n(1)]
    pub answer: Answer,
}

/// Signed content of 220: the purchase is complete.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Completion {
    /// 220.
    #[n(0)]
    pub number: Number<220>,
    /// M's number for the transaction.
    #[cbor(n(1), with = "crate::field")]
    pub transaction: TransactionId,
    /// Hash of the receipt that M accepted.
    #[cbor(n(2), with = "crate::field")]
    pub receipt_hash: Hash,
    /// When M first accepted it, by M's clock.
    #[cbor(n(3), with = "crate::field")]
    pub time: Time,
}
