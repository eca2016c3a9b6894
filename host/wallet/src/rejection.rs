//! Why a purchase or credit does not go on: who says no, in which message, and why.

use std::fmt;

use apdu_spec::value::PublicKey;
use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode};
use protocol::certificate::CertificateError;
use protocol::form::{self, Form};
use protocol::purchase::Refused;
use protocol::signed::sha256;
use protocol::{Reject, Retry};

use crate::kept::{KeepError, Kept};

/// Who says no.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum By {
    /// The shop M, signed.
    #[n(1)]
    Shop,
    /// The payment server P, signed.
    #[n(2)]
    PaymentServer,
    /// The wallet itself: an answer that it does not accept.
    #[n(4)]
    Wallet,
}

impl fmt::Display for By {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Shop => "shop",
            Self::PaymentServer => "payment server",
            Self::Wallet => "wallet",
        })
    }
}

/// A refusal with everything that people and programs need to know of it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, thiserror::Error)]
#[error("{by} refuses in message {message}: {text} (code {})", code.code())]
#[cbor(map)]
pub struct Rejection {
    /// Who says no.
    #[n(0)]
    pub by: By,
    /// Number of the message in which it says so, or which it does not accept.
    #[n(1)]
    pub message: u16,
    /// Its code.
    #[n(2)]
    pub code: Reject,
    /// Why, for people.
    #[n(3)]
    pub text: String,
    /// The signed refusal of a server.
    #[n(4)]
    pub document: Option<ByteVec>,
}

impl Rejection {
    /// The wallet does not accept a message.
    pub(crate) fn own(message: u16, code: Reject, text: impl ToString) -> Self {
        Self { by: By::Wallet, message, code, text: text.to_string(), document: None }
    }

    /// The wallet does not accept a message whose contents do not agree with what was asked.
    pub(crate) fn differs(message: u16, text: &str) -> Self {
        Self::own(message, Reject::ContentDiffers, text)
    }

    /// The code of a server that has signed its refusal.
    #[must_use]
    pub fn signed(&self) -> Option<Reject> {
        self.document.as_ref().map(|_| self.code)
    }

    /// Whether the same step can succeed later without anything new from the buyer.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        self.code.retry() == Retry::Later
    }
}

/// What the wallet's own check says, for a message number that is given later.
pub(crate) fn not_kept(message: u16) -> impl Fn(KeepError) -> Rejection {
    move |error| {
        let code = match &error {
            KeepError::Form(_) => Reject::Malformed,
            KeepError::Certificate(_) => Reject::CertificateNotTrusted,
            KeepError::Signature(_) => Reject::BadSignature,
        };
        Rejection::own(message, code, error)
    }
}

/// The same for a chain.
pub(crate) fn not_trusted(message: u16) -> impl Fn(CertificateError) -> Rejection {
    move |error| Rejection::own(message, Reject::from(&error), error)
}

/// Checks that contents agree.
pub(crate) fn agree(message: u16, holds: bool, otherwise: &str) -> Result<(), Rejection> {
    if holds { Ok(()) } else { Err(Rejection::differs(message, otherwise)) }
}

/// Reads a server's signed refusal of `request`. Where the refusal itself does not stand, the
/// wallet is the one that refuses.
pub(crate) fn refused<Request: Form>(
    by: By,
    message: u16,
    document: &[u8],
    key: &PublicKey,
    request: &Request,
) -> Rejection {
    match Kept::<Refused>::open(document, key) {
        Ok(refused) => refused_in(by, message, &refused, request),
        Err(error) => not_kept(message)(error),
    }
}

/// The same for a refusal whose signer was checked.
pub(crate) fn refused_in<Request: Form>(
    by: By,
    message: u16,
    refused: &Kept<Refused>,
    request: &Request,
) -> Rejection {
    if refused.number != message || refused.request != sha256(&form::encode(request)) {
        return Rejection::differs(message, "refuses another request");
    }
    Rejection {
        by,
        message,
        code: refused.code,
        text: refused.code.text().to_owned(),
        document: Some(refused.bytes().to_vec().into()),
    }
}
