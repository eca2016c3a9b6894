//! The states of a credit, as they are stored before a message leaves.

use minicbor::{Decode, Encode};
use protocol::Retry;
use protocol::load::CreditAcknowledged;

use super::steps::{Asked, Authorised, Taken, Tokened};
use crate::kept::Kept;
use crate::rejection::Rejection;

/// State of a credit.
#[derive(Clone, Debug, Encode, Decode)]
pub enum State {
    /// The authority is there; the card has not asked yet, or for a slot that was used otherwise.
    #[n(1)]
    Authorised(#[n(0)] Authorised),
    /// 1170 is sent, 1180 awaited.
    #[n(2)]
    AwaitToken(#[n(0)] Asked),
    /// The token is held; the card takes it, or has done so.
    #[n(3)]
    TokenHeld(#[n(0)] Tokened),
    /// 1190 is sent, 1200 awaited.
    #[n(4)]
    AwaitAcknowledgement(#[n(0)] Taken),
    /// Ended.
    #[n(5)]
    Ended(#[n(0)] End, #[n(1)] Authorised),
}

/// How a credit has ended.
#[derive(Clone, Debug, Encode, Decode)]
pub enum End {
    /// The value is on the card, and P knows it.
    #[n(1)]
    Credited(#[n(0)] Kept<CreditAcknowledged>),
    /// P refuses the authority for good; no value came.
    #[n(2)]
    Refused(#[n(0)] Rejection),
}

impl State {
    /// The authority and the card.
    #[must_use]
    pub const fn authorised(&self) -> &Authorised {
        match self {
            Self::Authorised(authorised) | Self::Ended(_, authorised) => authorised,
            Self::AwaitToken(asked) => &asked.authorised,
            Self::TokenHeld(tokened) => &tokened.asked.authorised,
            Self::AwaitAcknowledgement(taken) => &taken.authorised,
        }
    }

    /// Ends the credit.
    #[must_use]
    pub fn ended(&self, end: End) -> Self {
        Self::Ended(end, self.authorised().clone())
    }

    /// The state's name in the database and for programs.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Authorised(_) => "authorised",
            Self::AwaitToken(_) => "await_token",
            Self::TokenHeld(_) => "token_held",
            Self::AwaitAcknowledgement(_) => "await_acknowledgement",
            Self::Ended(End::Credited(_), _) => "credited",
            Self::Ended(End::Refused(_), _) => "refused",
        }
    }

    /// Whether nothing follows.
    #[must_use]
    pub const fn is_ended(&self) -> bool {
        matches!(self, Self::Ended(..))
    }

    /// What follows from a refusal: the end, unless the step may succeed later, with fresh facts
    /// too, or the value may be on the card.
    #[must_use]
    pub fn refused(&self, rejection: &Rejection) -> Option<Self> {
        let asking = matches!(self, Self::AwaitToken(_)) && rejection.message == 1180;
        let final_one = rejection.signed().is_some_and(|code| code.retry() == Retry::Never);
        (asking && final_one).then(|| self.ended(End::Refused(rejection.clone())))
    }
}
