//! Enrolment of a card at the CA: its holder has a one-time code from the CA's operator, the card
//! signs that it holds the key. Not in the source text; numbers below 100. The CA refuses with the
//! 600s of [`Reject`](crate::Reject).

use apdu_spec::value::Nonce;
use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode};

use crate::field::{Number, Text};
use crate::form::forms;
use crate::purchase::Chain;

/// Where the CA answers [`EnrolmentNonceRequest`].
pub const NONCE_PATH: &str = "/enrolment/nonce";

/// Where the CA answers [`EnrolmentRequest`].
pub const ENROLMENT_PATH: &str = "/enrolment";

forms! {
    EnrolmentNonceRequest: "message 70";
    EnrolmentNonceReply: "message 71";
    EnrolmentRequest: "message 72";
    EnrolmentReply: "message 73";
}

/// 70: C asks the CA for a nonce that its card shall sign in an enrolment record.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct EnrolmentNonceRequest {
    /// 70.
    #[n(0)]
    pub number: Number<70>,
}

/// 71: the CA gives a nonce, good for one enrolment within five minutes.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct EnrolmentNonceReply {
    /// 71.
    #[n(0)]
    pub number: Number<71>,
    /// The nonce.
    #[cbor(n(1), with = "crate::field")]
    pub nonce: Nonce,
}

/// 72: C asks for the holder's certificate, the first one or the next one for the same key. The
/// same code with the same record gives the same certificate again.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct EnrolmentRequest {
    /// 72.
    #[n(0)]
    pub number: Number<72>,
    /// The one-time code, as the operator gave it.
    #[n(1)]
    pub code: Text<64>,
    /// The card's signed enrolment record over the nonce of 71.
    #[n(2)]
    pub record: ByteVec,
}

/// 73: the CA answers with the chain.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct EnrolmentReply {
    /// 73.
    #[n(0)]
    pub number: Number<73>,
    /// The holder's certificate and the issuing CA's, without the root.
    #[n(1)]
    pub chain: Chain,
}
