//! One transaction with the card.

use apdu_spec::answer::Fci;
use apdu_spec::apdu;
use apdu_spec::command::Command;
use apdu_spec::value::Pin;
use firmware_bridge::{Disposition, Transport, TransportError, check_command};

use crate::error::{CardError, Garbled};
use crate::fci;

/// An open transaction. It knows whether a PIN went over the wire in it.
#[derive(Debug)]
pub(crate) struct Session<'a, T> {
    transport: &'a mut T,
    selected: bool,
    greeted: bool,
    pin_sent: bool,
}

impl<'a, T: Transport> Session<'a, T> {
    pub(crate) fn begin(transport: &'a mut T) -> Result<Self, TransportError> {
        transport.begin()?;
        Ok(Self { transport, selected: false, greeted: false, pin_sent: false })
    }

    /// Ends the transaction; where a PIN was sent, whatever came of it, with a reset
    /// (CVE-2023-40660).
    pub(crate) fn end(self) -> Result<(), TransportError> {
        self.transport.end(if self.pin_sent { Disposition::Reset } else { Disposition::Leave })
    }

    /// Whether the applet has answered to SELECT.
    pub(crate) const fn is_selected(&self) -> bool {
        self.selected
    }

    /// Whether its FCI was read and understood.
    pub(crate) const fn is_greeted(&self) -> bool {
        self.greeted
    }

    /// Selects the applet and reads its FCI.
    pub(crate) fn select(&mut self) -> Result<Fci, CardError> {
        let answer = self.send(&Command::Select { fci: true })?;
        let fci = fci::read(&answer)?;
        self.selected = true;
        self.greeted = true;
        Ok(fci)
    }

    /// Selects the applet without FCI.
    pub(crate) fn select_quietly(&mut self) -> Result<(), CardError> {
        self.tell(&Command::Select { fci: false })?;
        self.selected = true;
        Ok(())
    }

    /// Verifies the PIN, if there is one.
    pub(crate) fn verify(&mut self, pin: Option<&Pin>) -> Result<(), CardError> {
        match pin {
            Some(pin) => self.tell(&Command::Verify(pin.clone())),
            None => Ok(()),
        }
    }

    /// Sends a command that has no data in its answer.
    pub(crate) fn tell(&mut self, command: &Command<'_>) -> Result<(), CardError> {
        self.send(command).map(|_| ())
    }

    /// Sends a command and returns the data of its answer, not longer than its form allows.
    pub(crate) fn send(&mut self, command: &Command<'_>) -> Result<Vec<u8>, CardError> {
        let mut bytes = command.encode().map_err(CardError::Unsendable)?;
        check_command(bytes.as_bytes())?;
        self.pin_sent |= matches!(
            command,
            Command::Verify(_) | Command::ChangePin { .. } | Command::UnblockPin { .. }
        );
        let answer = self.transport.transmit(bytes.as_bytes());
        // It may hold a PIN.
        bytes.clear();
        read_answer(&answer?, command.form().answer_max)
    }
}

fn read_answer(answer: &[u8], data_max: usize) -> Result<Vec<u8>, CardError> {
    match apdu::read_answer(answer) {
        Ok(Ok(data)) if data.len() <= data_max => Ok(data.to_vec()),
        Ok(Ok(_)) | Err(None) => Err(Garbled::Length.into()),
        Ok(Err(refusal)) => Err(refusal.into()),
        Err(Some(word)) => Err(Garbled::StatusWord(word).into()),
    }
}
