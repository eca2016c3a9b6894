//! Load: value from the issuer to a card, messages 1170 to 1200 in the order in which they are
//! sent. The authority is a load order signed by P.

use apdu_spec::value::{Amount, CardId, CreditId, Currency, Hash, IssuerId, RequestId, Time};
use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode};

use crate::field::{Number, Text};
use crate::form::forms;
use crate::purchase::{Answer, Chain};

forms! {
    IssueRecord: "issue record";
    LoadOrder: "load order";
    TokenRequest: "message 1170";
    TokenReply: "message 1180";
    CreditReport: "message 1190";
    CreditReply: "message 1200";
    CreditAcknowledged: "credit acknowledgement";
}

/// Issue record, signed by P on an authenticated operator's word: value that begins to exist, in
/// the issuer's fund.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct IssueRecord {
    /// 95.
    #[n(0)]
    pub number: Number<95>,
    /// Number of the record: the same number, the same record.
    #[cbor(n(1), with = "crate::field")]
    pub id: RequestId,
    /// Amount in minor units.
    #[cbor(n(2), with = "crate::field")]
    pub amount: Amount,
    /// Currency of the amount.
    #[cbor(n(3), with = "crate::field")]
    pub currency: Currency,
    /// The issuer.
    #[cbor(n(4), with = "crate::field")]
    pub issuer: IssuerId,
    /// The operator who made it.
    #[n(5)]
    pub operator: Text<64>,
    /// When, by P's clock.
    #[cbor(n(6), with = "crate::field")]
    pub time: Time,
}

/// Load order, signed by P on an authenticated operator's word.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct LoadOrder {
    /// 90.
    #[n(0)]
    pub number: Number<90>,
    /// Number of the order, which becomes the credit ID.
    #[cbor(n(1), with = "crate::field")]
    pub credit: CreditId,
    /// The card that may take the value.
    #[cbor(n(2), with = "crate::field")]
    pub card: CardId,
    /// Amount in minor units.
    #[cbor(n(3), with = "crate::field")]
    pub amount: Amount,
    /// Currency of the amount.
    #[cbor(n(4), with = "crate::field")]
    pub currency: Currency,
    /// Until when a token may be asked for, by P's clock.
    #[cbor(n(5), with = "crate::field")]
    pub expiry: Time,
    /// The issuer.
    #[cbor(n(6), with = "crate::field")]
    pub issuer: IssuerId,
    /// The operator who made it.
    #[n(7)]
    pub operator: Text<64>,
}

/// 1170: C asks for value.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct TokenRequest {
    /// 1170.
    #[n(0)]
    pub number: Number<1170>,
    /// The signed authority, here a [`LoadOrder`].
    #[n(1)]
    pub authority: ByteVec,
    /// The card's signed credit request (C1).
    #[n(2)]
    pub request: ByteVec,
    /// The card's chain.
    #[n(3)]
    pub chain: Chain,
}

/// 1180: P answers with a credit token, or refuses.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct TokenReply {
    /// 1180.
    #[n(0)]
    pub number: Number<1180>,
    /// The signed credit token for the card, or a signed refusal.
    #[n(1)]
    pub answer: Answer,
}

/// 1190: C reports that the card has taken the value (or burned the slot).
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct CreditReport {
    /// 1190.
    #[n(0)]
    pub number: Number<1190>,
    /// The card's signed credit record or burned slot.
    #[n(1)]
    pub record: ByteVec,
}

/// 1200: P acknowledges, or refuses what is no genuine record.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct CreditReply {
    /// 1200.
    #[n(0)]
    pub number: Number<1200>,
    /// A signed [`CreditAcknowledged`], or a signed refusal.
    #[n(1)]
    pub answer: Answer,
}

/// Signed content of 1200.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct CreditAcknowledged {
    /// 1200.
    #[n(0)]
    pub number: Number<1200>,
    /// Hash of the record.
    #[cbor(n(1), with = "crate::field")]
    pub record_hash: Hash,
    /// When P booked it first.
    #[cbor(n(2), with = "crate::field")]
    pub time: Time,
}
