//! What a subcommand can fail with: the text for people, the code for programs, the exit code.

use std::io;

use ::card::transcript::TranscriptError;
use ::card::{CardError, OpenError, TransportError};

/// Why a subcommand did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// No way to a card.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The card, or the way to it.
    #[error(transparent)]
    Card(#[from] CardError),
    /// The reader is empty.
    #[error("no card in the reader")]
    NoCard,
    /// What is in the reader is not ours.
    #[error("the card in the reader is not a Kozeni card")]
    UnknownCard,
    /// A PIN or PUK that no card can have.
    #[error("{0}")]
    Secret(&'static str),
    /// A card that may not be used up.
    #[error("only a blank card can be used up; this one is in use")]
    NotBlank,
    /// A transcript is not in the form of transcripts.
    #[error("transcript {name}, {source}")]
    Transcript {
        /// Its name.
        name: &'static str,
        /// Where and why.
        source: TranscriptError,
    },
    /// Answers of the card differ from the specification's.
    #[error("the card does not conform: {0} of its answers differ")]
    NotConforming(usize),
    /// Another party, or what this machine needs in order to deal with it.
    #[error("{text}")]
    Other {
        /// A word that programs can branch on.
        code: &'static str,
        /// The text for people.
        text: String,
    },
    /// The same with an exit code of its own.
    #[error("{text}")]
    WithExit {
        /// A word that programs can branch on.
        code: &'static str,
        /// As documented in `--help`.
        exit_code: u8,
        /// The text for people.
        text: String,
    },
    /// The result that was printed says it already.
    #[error("see the result")]
    Told {
        /// As documented in `--help`.
        exit_code: u8,
    },
    /// A file, the terminal, or standard input or output.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// The system's reason.
        source: io::Error,
    },
}

impl Failure {
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }

    pub(crate) fn other(code: &'static str, text: impl ToString) -> Self {
        Self::Other { code, text: text.to_string() }
    }

    pub(crate) fn usage(code: &'static str, text: impl ToString) -> Self {
        Self::WithExit { code, exit_code: 2, text: text.to_string() }
    }

    /// As documented in `--help`.
    pub(crate) const fn exit_code(&self) -> u8 {
        match self {
            Self::WithExit { exit_code, .. } | Self::Told { exit_code } => *exit_code,
            Self::Secret(_) => 2,
            Self::Card(CardError::Refused(_)) => 3,
            Self::NoCard | Self::UnknownCard => 4,
            Self::Open(error) => match error {
                OpenError::Transport(error) => transport_exit_code(error),
                OpenError::NoMatch { .. }
                | OpenError::Ambiguous { .. }
                | OpenError::NoCard { .. }
                | OpenError::SeveralCards { .. } => 4,
            },
            Self::Card(CardError::Transport(error)) => transport_exit_code(error),
            Self::Card(
                CardError::Garbled(_)
                | CardError::Unsendable(_)
                | CardError::NotPresented
                | CardError::Entropy,
            )
            | Self::NotBlank
            | Self::Transcript { .. }
            | Self::NotConforming(_)
            | Self::Other { .. }
            | Self::Io { .. } => 1,
        }
    }

    /// A word that programs can branch on.
    pub(crate) const fn code(&self) -> &'static str {
        match self {
            Self::Open(error) => match error {
                OpenError::Transport(error) => transport_code(error),
                OpenError::NoMatch { .. } => "no_such_reader",
                OpenError::Ambiguous { .. } => "ambiguous_reader",
                OpenError::NoCard { .. } => "no_card",
                OpenError::SeveralCards { .. } => "several_cards",
            },
            Self::Card(CardError::Transport(error)) => transport_code(error),
            Self::Card(CardError::Refused(_)) => "refused",
            Self::Card(CardError::Garbled(_)) => "garbled",
            Self::Card(CardError::Unsendable(_)) => "unsendable",
            Self::Card(CardError::NotPresented) => "not_presented",
            Self::Card(CardError::Entropy) => "no_entropy",
            Self::NoCard => "no_card",
            Self::UnknownCard => "unknown_card",
            Self::Secret(_) => "bad_secret",
            Self::NotBlank => "not_blank",
            Self::Transcript { .. } => "bad_transcript",
            Self::NotConforming(_) => "not_conforming",
            Self::Other { code, .. } | Self::WithExit { code, .. } => code,
            Self::Told { .. } => "told",
            Self::Io { .. } => "io",
        }
    }

    /// The status word, where the card has refused.
    pub(crate) const fn status_word(&self) -> Option<u16> {
        if let Self::Card(CardError::Refused(refusal)) = self {
            Some(refusal.status_word())
        } else {
            None
        }
    }

    /// What to do about it, where that is known.
    pub(crate) const fn remedy(&self) -> Option<&'static str> {
        match self {
            Self::Open(OpenError::Transport(error)) | Self::Card(CardError::Transport(error)) => {
                transport_remedy(error)
            }
            Self::Open(OpenError::Ambiguous { .. } | OpenError::SeveralCards { .. }) => {
                Some("name one of them with --reader")
            }
            Self::Open(OpenError::NoMatch { .. } | OpenError::NoCard { .. })
            | Self::Card(
                CardError::Refused(_)
                | CardError::Garbled(_)
                | CardError::Unsendable(_)
                | CardError::NotPresented
                | CardError::Entropy,
            )
            | Self::NoCard
            | Self::UnknownCard
            | Self::Secret(_)
            | Self::NotBlank
            | Self::Transcript { .. }
            | Self::NotConforming(_)
            | Self::Other { .. }
            | Self::WithExit { .. }
            | Self::Told { .. }
            | Self::Io { .. } => None,
        }
    }
}

const fn transport_exit_code(error: &TransportError) -> u8 {
    match error {
        TransportError::NoReader
        | TransportError::NoCard
        | TransportError::Mute
        | TransportError::Removed
        | TransportError::ServiceStopped => 4,
        TransportError::Reset
        | TransportError::Busy
        | TransportError::Timeout
        | TransportError::TooShort
        | TransportError::TooLong
        | TransportError::Io(_) => 1,
    }
}

const fn transport_code(error: &TransportError) -> &'static str {
    match error {
        TransportError::NoReader => "no_reader",
        TransportError::NoCard => "no_card",
        TransportError::Mute => "mute_card",
        TransportError::Removed => "card_removed",
        TransportError::Reset => "card_reset",
        TransportError::Busy => "card_busy",
        TransportError::Timeout => "timeout",
        TransportError::ServiceStopped => "no_reader_service",
        TransportError::TooShort => "too_short",
        TransportError::TooLong => "too_long",
        TransportError::Io(_) => "transport",
    }
}

const fn transport_remedy(error: &TransportError) -> Option<&'static str> {
    match error {
        TransportError::ServiceStopped => Some(
            "install and start pcscd (`systemctl start pcscd.socket`), \
             or name a software card: --reader direct:SOCKET",
        ),
        TransportError::NoReader => Some("`kozeni card readers` lists the readers"),
        TransportError::Mute => Some("is the card in the right way round?"),
        TransportError::Busy => {
            Some("close the other program that uses the card, or wait until it is done")
        }
        TransportError::Reset | TransportError::Removed => Some("try again"),
        TransportError::NoCard
        | TransportError::Timeout
        | TransportError::TooShort
        | TransportError::TooLong
        | TransportError::Io(_) => None,
    }
}
