//! Why something that was asked of the wallet was not done, for programs by kind and for people by
//! text.

use apdu_spec::Refusal;
use apdu_spec::value::CardId;
use card::{CardError, OpenError, TransportError};
use server::PeerError;

use crate::card_thread::CardTrouble;
use crate::holder::HolderError;
use crate::rejection::Rejection;
use crate::store::StoreError;

/// Why something was not done. The state of purchases and credits is what it was.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// Another workflow is under way.
    #[error("the wallet is busy with {owner}")]
    Busy {
        /// Whose.
        owner: String,
    },
    /// There is nothing of that name.
    #[error("no such {0}")]
    Unknown(&'static str),
    /// The request makes no sense.
    #[error("{0}")]
    Usage(String),
    /// Not in this state.
    #[error("not possible: the purchase is in the state {state}")]
    State {
        /// The state that it is in.
        state: &'static str,
    },
    /// The reader is empty.
    #[error("no card in the reader")]
    NoCard,
    /// What is in the reader is not ours.
    #[error("the card in the reader is not a Kozeni card in use")]
    UnknownCard,
    /// Another card than the one that began.
    #[error("this belongs to card {expected}, but card {found} is in the reader")]
    OtherCard {
        /// The card that began.
        expected: CardId,
        /// The one in the reader.
        found: CardId,
    },
    /// The card, the reader, or the way to them.
    #[error(transparent)]
    Card(CardTrouble),
    /// The card's certificate.
    #[error(transparent)]
    Holder(#[from] HolderError),
    /// Another party gives no answer that can be used; what was sent may have arrived.
    #[error(transparent)]
    Peer(#[from] PeerError),
    /// Somebody refuses.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A file of the archive.
    #[error("archive: {0}")]
    Archive(#[from] std::io::Error),
    /// The operating system gave no random bytes.
    #[error("no random bytes from the operating system")]
    NoEntropy,
    /// It went in circles; trying again later goes on from here.
    #[error("no progress; try again later")]
    NoProgress,
}

impl From<CardTrouble> for Trouble {
    fn from(trouble: CardTrouble) -> Self {
        match trouble {
            CardTrouble::Card(CardError::Transport(
                TransportError::NoCard | TransportError::Removed,
            )) => Self::NoCard,
            CardTrouble::Card(CardError::Refused(Refusal::NotFound)) => Self::UnknownCard,
            CardTrouble::Card(_) | CardTrouble::Open(_) | CardTrouble::Stuck => Self::Card(trouble),
        }
    }
}

impl Trouble {
    /// The kind, for programs. Kinds never change their meaning.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Busy { .. } => "busy",
            Self::Unknown(_) => "unknown",
            Self::Usage(_) => "usage",
            Self::State { .. } => "state",
            Self::NoCard | Self::UnknownCard | Self::OtherCard { .. } => "no_card",
            Self::Card(trouble) => card_kind(trouble),
            Self::Holder(_) | Self::Rejected(_) => "refused",
            Self::Peer(_) => "unreachable",
            Self::Store(_) | Self::Archive(_) | Self::NoEntropy | Self::NoProgress => "failed",
        }
    }

    /// The card's refusal, where that is the reason.
    #[must_use]
    pub const fn refusal(&self) -> Option<Refusal> {
        if let Self::Card(CardTrouble::Card(CardError::Refused(refusal))) = self {
            Some(*refusal)
        } else {
            None
        }
    }
}

fn card_kind(trouble: &CardTrouble) -> &'static str {
    match trouble {
        CardTrouble::Card(CardError::Refused(Refusal::PinNeeded)) => "pin_needed",
        CardTrouble::Card(CardError::Refused(Refusal::Wrong { .. })) => "pin_wrong",
        CardTrouble::Card(CardError::Refused(_)) => "refused",
        CardTrouble::Card(CardError::Transport(
            TransportError::NoReader | TransportError::Mute | TransportError::ServiceStopped,
        ))
        | CardTrouble::Open(
            OpenError::NoMatch { .. }
            | OpenError::Ambiguous { .. }
            | OpenError::NoCard { .. }
            | OpenError::SeveralCards { .. }
            | OpenError::Transport(TransportError::NoReader | TransportError::ServiceStopped),
        ) => "no_card",
        CardTrouble::Card(_) | CardTrouble::Open(_) | CardTrouble::Stuck => "failed",
    }
}
