//! The client itself: transactions, and what it remembers of the card between them.

use apdu_spec::answer::Fci;
use firmware_bridge::Transport;

use crate::error::CardError;
use crate::session::Session;
use crate::signed::CardIdentity;

/// A card behind a transport. Every operation is one transaction that begins with SELECT.
///
/// Whatever the card signs is verified before it is returned, against the identity that
/// [`present`](Self::present) learns. When the card is lost or its answers stop making sense, the
/// identity is forgotten, and operations that need it give [`CardError::NotPresented`].
#[derive(Debug)]
pub struct Card<T> {
    transport: T,
    /// Whether the FCI was read since the card was last lost: then SELECT asks for it no more.
    greeted: bool,
    identity: Option<CardIdentity>,
}

impl<T: Transport> Card<T> {
    /// A card that is reached through this transport. Nothing is sent yet.
    pub const fn new(transport: T) -> Self {
        Self { transport, greeted: false, identity: None }
    }

    /// The way to the card in a few words for people.
    pub fn describe(&self) -> String {
        self.transport.describe()
    }

    /// The identity that was learnt when the card was presented; `None` when it was lost since.
    pub const fn identity(&self) -> Option<&CardIdentity> {
        self.identity.as_ref()
    }

    /// Takes an identity that is known from before, instead of presenting the card. If another card
    /// is there, its first signature shows that.
    pub const fn recall(&mut self, identity: CardIdentity) {
        self.identity = Some(identity);
    }

    /// Gives the transport back.
    pub fn into_transport(self) -> T {
        self.transport
    }

    /// A transaction: SELECT, then `run`.
    pub(crate) fn operation<R>(
        &mut self,
        run: impl FnOnce(&mut Session<'_, T>) -> Result<R, CardError>,
    ) -> Result<R, CardError> {
        if self.greeted {
            self.transaction(|session| {
                session.select_quietly()?;
                run(session)
            })
        } else {
            self.greeting(|session, _| run(session))
        }
    }

    /// A transaction whose results are signed by the presented card.
    pub(crate) fn signed_operation<R>(
        &mut self,
        run: impl FnOnce(&mut Session<'_, T>, &CardIdentity) -> Result<R, CardError>,
    ) -> Result<R, CardError> {
        let identity = self.identity.ok_or(CardError::NotPresented)?;
        self.operation(|session| run(session, &identity))
    }

    /// Forgets who the card is.
    pub(crate) const fn forget(&mut self) {
        self.greeted = false;
        self.identity = None;
    }

    /// A transaction that begins by reading the FCI.
    pub(crate) fn greeting<R>(
        &mut self,
        run: impl FnOnce(&mut Session<'_, T>, Fci) -> Result<R, CardError>,
    ) -> Result<R, CardError> {
        self.transaction(|session| {
            let fci = session.select()?;
            run(session, fci)
        })
    }

    fn transaction<R>(
        &mut self,
        run: impl FnOnce(&mut Session<'_, T>) -> Result<R, CardError>,
    ) -> Result<R, CardError> {
        let mut session = match Session::begin(&mut self.transport) {
            Ok(session) => session,
            Err(error) => {
                if error.loses_card() {
                    self.forget();
                }
                return Err(error.into());
            }
        };
        let outcome = run(&mut session);
        let (selected, greeted) = (session.is_selected(), session.is_greeted());
        // The result counts even where the end failed: it may be a debit that has happened.
        let lost_at_end = session.end().is_err_and(|error| error.loses_card());
        let lost = outcome.as_ref().is_err_and(CardError::loses_card);
        if lost || lost_at_end || !selected {
            self.forget();
        } else {
            self.greeted |= greeted;
        }
        outcome
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Garbled;
    use crate::scripted::{CardKey, Scripted, YEN, ok, refused};
    use apdu_spec::Refusal;
    use apdu_spec::command::Command;
    use firmware_bridge::{Disposition, TransportError};

    const BALANCE: Command<'static> = Command::ReadBalance;

    fn balance() -> Vec<u8> {
        ok([0, 0, 0, 0, 0, 0, 4, 0xe2, 0x01, 0x88])
    }

    #[test]
    fn only_the_first_select_asks_for_the_fci_until_the_card_is_lost() {
        let ask = |script: Scripted, answer| script.send_with(&BALANCE, answer);
        let removed = Err(TransportError::Removed);
        let script = ask(Scripted::default().greeting(), Ok(balance())).leave();
        let script = ask(script.again(), Ok(refused(Refusal::ConditionsNotSatisfied))).leave();
        let script = ask(script.again(), Err(TransportError::Reset)).leave();
        let script = ask(script.again(), removed.clone()).leave();
        let script = ask(script.greeting(), Ok(balance())).leave();
        let script = script.begin_with(Err(TransportError::ServiceStopped));
        let script = ask(script.greeting(), Ok(vec![0x12, 0x34])).leave();
        let script = ask(script.greeting(), Ok(balance()));
        let script = script.end_with(Disposition::Leave, Err(TransportError::NoReader));
        let script = ask(script.greeting(), Ok(balance())).leave();
        let script =
            script.begin().send(&Command::Select { fci: false }, refused(Refusal::NotFound));
        let script = ask(script.leave().greeting(), Ok(balance())).leave();
        let mut card = Card::new(script);
        let mut outcomes = Vec::new();
        for _ in 0..10 {
            outcomes.push(card.balance().map(|balance| balance.balance.0));
        }
        let transport = CardError::Transport;
        let expected = [
            Ok(1_250),
            Err(CardError::Refused(Refusal::ConditionsNotSatisfied)),
            Err(transport(TransportError::Reset)),
            Err(transport(TransportError::Removed)),
            Ok(1_250),
            Err(transport(TransportError::ServiceStopped)),
            Err(Garbled::StatusWord(0x1234).into()),
            Ok(1_250),
            Ok(1_250),
            Err(CardError::Refused(Refusal::NotFound)),
        ];
        assert_eq!(outcomes, expected);
        assert_eq!(card.balance().map(|balance| balance.currency), Ok(YEN));
    }

    #[test]
    fn a_lost_card_is_forgotten_and_a_reset_one_is_not() {
        let key = CardKey::new();
        for (error, kept) in [
            (TransportError::Reset, true),
            (TransportError::TooShort, true),
            (TransportError::NoReader, false),
            (TransportError::NoCard, false),
            (TransportError::Mute, false),
            (TransportError::Removed, false),
            (TransportError::Busy, false),
            (TransportError::Timeout, false),
            (TransportError::ServiceStopped, false),
            (TransportError::TooLong, false),
            (TransportError::Io("broken".to_owned()), false),
        ] {
            let at_begin = Scripted::default().begin_with(Err(error.clone()));
            let failing = Scripted::default().greeting();
            let at_command = failing.send_with(&BALANCE, Err(error.clone())).leave();
            let ending = Scripted::default().greeting().send(&BALANCE, balance());
            let at_end = ending.end_with(Disposition::Leave, Err(error.clone()));
            for (place, script) in [at_begin, at_command, at_end].into_iter().enumerate() {
                let mut card = Card::new(script);
                card.recall(key.identity());
                let outcome = card.balance().map(|_| ());
                let expected = match place {
                    2 => Ok(()),
                    _ => Err(CardError::Transport(error.clone())),
                };
                assert_eq!(outcome, expected, "{error}, {place}");
                assert_eq!(card.identity().is_some(), kept, "{error}, {place}");
            }
        }
    }
}
