//! What can go wrong with a card: three things that call for three different actions.

use apdu_spec::Refusal;
use apdu_spec::codec::CodecError;
use firmware_bridge::TransportError;

/// Why an operation on the card failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CardError {
    /// The card could not be reached, or not to the end. What it has committed is in its journal.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The card has answered and refuses.
    #[error("the card refuses: {0}")]
    Refused(#[from] Refusal),
    /// The card's answer is not what this specification allows. Nothing of it was used.
    #[error("the card's answer is not valid: {0}")]
    Garbled(#[from] Garbled),
    /// The caller's own data does not fit into a command. Nothing was sent.
    #[error("cannot be sent to a card: {0}")]
    Unsendable(CodecError),
    /// The card's key is not known, so that nothing it signs could be verified:
    /// [`Card::present`](crate::Card::present) comes first. Nothing was sent.
    #[error("the card has not been presented yet")]
    NotPresented,
    /// The operating system gave no random bytes. Nothing was sent.
    #[error("no random bytes from the operating system")]
    Entropy,
}

impl CardError {
    /// Whether the next operation may meet another card than the last.
    pub(crate) const fn loses_card(&self) -> bool {
        match self {
            Self::Transport(error) => error.loses_card(),
            // Perhaps it is another card, without our having noticed the change.
            Self::Garbled(_) => true,
            Self::Refused(_) | Self::Unsendable(_) | Self::NotPresented | Self::Entropy => false,
        }
    }
}

/// What is wrong with an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Garbled {
    /// No status word, more data than the command asked for, or data beside a refusal.
    #[error("wrong length")]
    Length,
    /// A status word that the specification does not have.
    #[error("unknown status word {0:04X}")]
    StatusWord(u16),
    /// Fields that are malformed or out of range.
    #[error("{0}")]
    Fields(CodecError),
    /// Not the expected data object.
    #[error("not the expected data object")]
    Object,
    /// The applet follows another major version of the specification, given as major and minor.
    #[error("specification version {0}.{1} is not supported")]
    Version(u8, u8),
    /// A signature that the card's key did not make, or one in the form with s > n/2.
    #[error("signature not valid")]
    Signature,
    /// The answer speaks of another card, another key or another currency.
    #[error("the answer contradicts what the card said before")]
    Contradiction,
}

impl From<CodecError> for Garbled {
    fn from(error: CodecError) -> Self {
        Self::Fields(error)
    }
}
