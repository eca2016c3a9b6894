//! Evidence bundle: everything that proves one purchase, in one file, checkable offline years
//! later with the CA's root certificate alone.

use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode};

use crate::field::Number;
use crate::form::Form;
use crate::purchase::Chain;

impl Form for Bundle {
    const NAME: &'static str = "evidence bundle";

    /// Revocation lists grow with the years.
    const SIZE_MAX: usize = 4 * 1024 * 1024;
}

/// File name ending of a bundle.
pub const BUNDLE_ENDING: &str = "kozeni";

/// A purchase bundle, version 1. Every document stands as it was signed.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Bundle {
    /// Type and version of the bundle.
    #[n(0)]
    pub number: Number<257>,
    /// The order request of message 130.
    #[n(1)]
    pub order_request: ByteVec,
    /// The card's order record over it.
    #[n(2)]
    pub order: ByteVec,
    /// The card's certificate chain.
    #[n(3)]
    pub card_chain: Chain,
    /// The order lines with their salts. A line that was erased stands as an empty string.
    #[n(4)]
    pub lines: Vec<ByteVec>,
    /// Invoice 51; M's chain in its header, P's chain inside.
    #[n(5)]
    pub invoice: ByteVec,
    /// Signature 52: the card's request (D1).
    #[n(6)]
    pub request: ByteVec,
    /// The permit of message 160.
    #[n(7)]
    pub permit: ByteVec,
    /// The card's debit record.
    #[n(8)]
    pub debit: ByteVec,
    /// Receipt 53; P's chain in its header.
    #[n(9)]
    pub receipt: ByteVec,
    /// Message 220's signed completion; needed at [`Stage::Complete`].
    #[n(10)]
    pub completion: Option<ByteVec>,
    /// The revocation lists at the time of the receipt, in DER.
    #[n(11)]
    pub lists: Vec<ByteVec>,
    /// How far the purchase had come.
    #[n(12)]
    pub stage: Stage,
}

/// How far the purchase of a bundle had come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum Stage {
    /// Paid: the receipt is there.
    #[n(1)]
    Paid,
    /// Complete: the shop has accepted the receipt, too.
    #[n(2)]
    Complete,
}
