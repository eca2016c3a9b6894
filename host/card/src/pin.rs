//! PIN and PUK. A transaction in which one was sent ends with a reset of the card.

use apdu_spec::Refusal;
use apdu_spec::command::Command;
use apdu_spec::value::Pin;
use firmware_bridge::Transport;

use crate::client::Card;
use crate::error::{CardError, Garbled};

impl<T: Transport> Card<T> {
    /// PIN tries left, 0 to 15. Costs none.
    ///
    /// # Errors
    /// Any [`CardError`].
    pub fn tries(&mut self) -> Result<u8, CardError> {
        self.operation(|session| match session.tell(&Command::ReadTries) {
            Err(CardError::Refused(Refusal::Wrong { tries_left })) => Ok(tries_left),
            Err(CardError::Refused(Refusal::PinBlocked)) => Ok(0),
            // "Already verified" cannot be right after SELECT (ISO 7816-4 §11.5.6).
            Ok(()) => Err(Garbled::Contradiction.into()),
            Err(error) => Err(error),
        })
    }

    /// Checks the PIN and does nothing else with it. A wrong one costs a try.
    ///
    /// # Errors
    /// Any [`CardError`]; [`Refusal::Wrong`] with the tries left, [`Refusal::PinBlocked`].
    pub fn verify(&mut self, pin: &Pin) -> Result<(), CardError> {
        self.operation(|session| session.verify(Some(pin)))
    }

    /// Gives the card a new PIN against the old one. A wrong one costs a try.
    ///
    /// # Errors
    /// Any [`CardError`]; [`Refusal::Wrong`] with the tries left, [`Refusal::PinBlocked`].
    pub fn change_pin(&mut self, old: &Pin, new: &Pin) -> Result<(), CardError> {
        self.operation(|session| {
            session.tell(&Command::ChangePin { old: old.clone(), new: new.clone() })
        })
    }

    /// Gives the card a new PIN, and its tries back, against the PUK. A wrong PUK costs one of ten
    /// tries that never come back.
    ///
    /// # Errors
    /// Any [`CardError`]; [`Refusal::Wrong`] with the tries left, [`Refusal::PinBlocked`].
    pub fn unblock_pin(&mut self, puk: &Pin, new: &Pin) -> Result<(), CardError> {
        self.operation(|session| {
            session.tell(&Command::UnblockPin { puk: puk.clone(), new: new.clone() })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scripted::{Scripted, ok, pin, refused};

    #[test]
    fn tries_are_read_without_costing_one() {
        for (answer, expected) in [
            (vec![0x63, 0xc3], Ok(3)),
            (vec![0x63, 0xc0], Ok(0)),
            (refused(Refusal::PinBlocked), Ok(0)),
            (ok([]), Err(Garbled::Contradiction.into())),
            (refused(Refusal::MemoryFailure), Err(CardError::Refused(Refusal::MemoryFailure))),
        ] {
            let script = Scripted::default().greeting();
            let script = script.send(&Command::ReadTries, answer.clone()).leave();
            assert_eq!(Card::new(script).tries(), expected, "{answer:02x?}");
        }
    }

    #[test]
    fn the_card_is_reset_wherever_a_pin_was_sent_whatever_the_answer() {
        let (old, new) = (pin(), Pin::from_digits("98765432").unwrap());
        let wrong = Refusal::Wrong { tries_left: 1 };
        let change = Command::ChangePin { old: old.clone(), new: new.clone() };
        let unblock = Command::UnblockPin { puk: old.clone(), new: new.clone() };
        type Operation<'a> = &'a dyn Fn(&mut Card<Scripted>) -> Result<(), CardError>;
        let operations: [(Command<'_>, Operation<'_>); 3] = [
            (Command::Verify(old.clone()), &|card| card.verify(&old)),
            (change, &|card| card.change_pin(&old, &new)),
            (unblock, &|card| card.unblock_pin(&old, &new)),
        ];
        for (command, operation) in &operations {
            for (answer, expected) in [
                (Ok(ok([])), Ok(())),
                (Ok(refused(wrong)), Err(CardError::Refused(wrong))),
                (Ok(ok([1])), Err(Garbled::Length.into())),
                (
                    Err(firmware_bridge::TransportError::Timeout),
                    Err(CardError::Transport(firmware_bridge::TransportError::Timeout)),
                ),
            ] {
                let script = Scripted::default().greeting();
                let script = script.send_with(command, answer).reset();
                assert_eq!(operation(&mut Card::new(script)), expected, "{command:?}");
            }
        }
    }
}
