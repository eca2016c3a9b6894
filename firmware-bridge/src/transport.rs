//! The seam between the typed client of the card and whatever carries its APDUs.

use apdu_spec::apdu::COMMAND_MAX;

/// Shortest command in bytes: the header CLA INS P1 P2.
const COMMAND_MIN: usize = 4;

/// A way to a card.
///
/// Every operation is one short exclusive transaction: [`begin`](Self::begin), a few
/// [`transmit`](Self::transmit), [`end`](Self::end). Nobody else's command comes between.
///
/// A transport never passes silently from one card to another: when the card or the way to it is
/// lost, the call that notices fails, and only the next [`begin`](Self::begin) connects anew, to
/// whatever card is there then. [`TransportError::Reset`] is no such loss: the card stays the same.
pub trait Transport {
    /// Starts a transaction, connecting first where there is no connection.
    ///
    /// # Errors
    /// Any [`TransportError`]. No transaction is open then.
    fn begin(&mut self) -> Result<(), TransportError>;

    /// Sends one command APDU and returns the answer, data and status word as they came.
    ///
    /// # Errors
    /// Any [`TransportError`]. Whether the card has carried out the command is unknown then,
    /// except for [`TransportError::TooShort`] and [`TransportError::TooLong`].
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, TransportError>;

    /// Ends the transaction. Does nothing where none is open, as after a failure.
    ///
    /// # Errors
    /// Any [`TransportError`]; the transaction is over nevertheless.
    fn end(&mut self, disposition: Disposition) -> Result<(), TransportError>;

    /// The way to the card in a few words for people, for example a reader's name.
    fn describe(&self) -> String;
}

impl<T: Transport + ?Sized> Transport for Box<T> {
    fn begin(&mut self) -> Result<(), TransportError> {
        (**self).begin()
    }

    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, TransportError> {
        (**self).transmit(command)
    }

    fn end(&mut self, disposition: Disposition) -> Result<(), TransportError> {
        (**self).end(disposition)
    }

    fn describe(&self) -> String {
        (**self).describe()
    }
}

/// What becomes of the card when a transaction ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// It keeps its state.
    Leave,
    /// It is reset: whoever comes next finds no verified PIN (CVE-2023-40660).
    Reset,
}

/// Why a card could not be reached. A refusal by the card is none of these.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransportError {
    /// The reader is not there.
    #[error("the reader is not there")]
    NoReader,
    /// The reader is empty.
    #[error("no card in the reader")]
    NoCard,
    /// Something is in the reader and gives no answer: a card the wrong way round, a broken one,
    /// one without power.
    #[error("the card gives no answer")]
    Mute,
    /// The card, or its reader, has been taken away.
    #[error("the card was taken away")]
    Removed,
    /// The card was reset: its session is gone, what it has committed is in its journal.
    #[error("the card was reset")]
    Reset,
    /// Another program holds the card.
    #[error("another program holds the card")]
    Busy,
    /// No answer came in time.
    #[error("no answer in time")]
    Timeout,
    /// The service that owns the readers does not run, or has stopped.
    #[error("the reader service does not run")]
    ServiceStopped,
    /// Shorter than the header of a command. Nothing was sent: vpcd takes a frame of one byte for
    /// an order to switch the power.
    #[error("command shorter than a header")]
    TooShort,
    /// A command or an answer longer than a short APDU.
    #[error("longer than a short APDU")]
    TooLong,
    /// Anything else, in the system's words.
    #[error("{0}")]
    Io(String),
}

impl TransportError {
    /// Whether the next transaction may meet another card than the last.
    #[must_use]
    pub const fn loses_card(&self) -> bool {
        match self {
            Self::Reset | Self::TooShort => false,
            Self::NoReader
            | Self::NoCard
            | Self::Mute
            | Self::Removed
            | Self::Busy
            | Self::Timeout
            | Self::ServiceStopped
            | Self::TooLong
            | Self::Io(_) => true,
        }
    }
}

/// Checks that a command may be sent at all; every transport does so first.
///
/// # Errors
/// [`TransportError::TooShort`] or [`TransportError::TooLong`].
pub const fn check_command(command: &[u8]) -> Result<(), TransportError> {
    match command.len() {
        0..COMMAND_MIN => Err(TransportError::TooShort),
        COMMAND_MIN..=COMMAND_MAX => Ok(()),
        _ => Err(TransportError::TooLong),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_as_long_as_a_short_apdu() {
        for (length, expected) in [
            (0, Err(TransportError::TooShort)),
            (1, Err(TransportError::TooShort)),
            (3, Err(TransportError::TooShort)),
            (4, Ok(())),
            (261, Ok(())),
            (262, Err(TransportError::TooLong)),
        ] {
            assert_eq!(check_command(&vec![0; length]), expected, "{length}");
        }
    }
}
