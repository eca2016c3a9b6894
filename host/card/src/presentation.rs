//! Who is there, and how does it stand? What is learnt before anything is asked of a card.

use apdu_spec::answer::{Fci, PublicKeyObject, StatusAnswer};
use apdu_spec::command::Command;
use apdu_spec::record::Status;
use apdu_spec::value::{Nonce, PublicKey};
use firmware_bridge::{Transport, TransportError};

use crate::client::Card;
use crate::error::{CardError, Garbled};
use crate::session::Session;
use crate::signed::{self, CardIdentity, Signed};

/// What is in the reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// Nothing.
    NoCard,
    /// A card without our applet, or one that cannot be understood.
    Unknown,
    /// A card with our applet.
    Ours(Fci),
}

/// What presenting a card has shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Presented {
    /// File control information.
    pub fci: Fci,
    /// Who the card is; its key has signed the status.
    pub identity: CardIdentity,
    /// Its state.
    pub status: StatusReport,
}

/// The card's state, signed where P needs to believe it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusReport {
    /// Everything that GET STATUS answered; the part before `card` is not signed.
    pub answer: StatusAnswer,
    /// The status record over the nonce.
    pub signed: Signed<Status>,
}

impl<T: Transport> Card<T> {
    /// What is in the reader? Asked once more where the answer is that a card has just gone: its
    /// successor may be there.
    ///
    /// # Errors
    /// [`CardError::Transport`] when that cannot be said.
    pub fn presence(&mut self) -> Result<Presence, CardError> {
        let answer = match self.select() {
            Err(CardError::Transport(
                TransportError::Removed | TransportError::Reset | TransportError::ServiceStopped,
            )) => self.select(),
            answer => answer,
        };
        match answer {
            Ok(fci) => Ok(Presence::Ours(fci)),
            Err(CardError::Transport(TransportError::NoCard | TransportError::Removed)) => {
                Ok(Presence::NoCard)
            }
            Err(
                CardError::Transport(TransportError::Mute)
                | CardError::Refused(_)
                | CardError::Garbled(_),
            ) => Ok(Presence::Unknown),
            Err(error) => Err(error),
        }
    }

    /// Selects the applet and reads its FCI.
    ///
    /// # Errors
    /// [`CardError::Refused`] by a card without the applet, [`CardError::Garbled`] for an FCI of
    /// another form or specification version, [`CardError::Transport`].
    pub fn select(&mut self) -> Result<Fci, CardError> {
        self.greeting(|_, fci| Ok(fci))
    }

    /// Learns who the card is and how it stands: SELECT, READ PUBLIC KEY, GET STATUS with a fresh
    /// nonce. Its identity is kept for what follows.
    ///
    /// # Errors
    /// [`CardError::Refused`] by a card without a key, [`CardError::Garbled`] when key, status and
    /// FCI do not fit together, [`CardError::Transport`], [`CardError::Entropy`].
    pub fn present(&mut self) -> Result<Presented, CardError> {
        self.forget();
        let nonce = signed::fresh_nonce()?;
        let presented = self.greeting(|session, fci| {
            let key = read_key(session, &Command::ReadKey)?;
            let answer = read_status(session, nonce)?;
            let issued = fci.issued.ok_or(Garbled::Contradiction)?;
            if issued.currency != answer.currency {
                return Err(Garbled::Contradiction.into());
            }
            let identity = CardIdentity::new(answer.card, issued.issuer, key);
            let status = StatusReport::verify(answer, nonce, &identity)?;
            Ok(Presented { fci, identity, status })
        })?;
        self.recall(presented.identity);
        Ok(presented)
    }

    /// The card's state, signed over the asking party's nonce.
    ///
    /// # Errors
    /// Any [`CardError`].
    pub fn status(&mut self, nonce: Nonce) -> Result<StatusReport, CardError> {
        self.signed_operation(|session, identity| {
            let answer = read_status(session, nonce)?;
            StatusReport::verify(answer, nonce, identity)
        })
    }
}

impl StatusReport {
    fn verify(
        answer: StatusAnswer,
        nonce: Nonce,
        identity: &CardIdentity,
    ) -> Result<Self, CardError> {
        if answer.card != identity.card() {
            return Err(Garbled::Contradiction.into());
        }
        let signed = Signed::rebuild(status_record(&answer, nonce), answer.signature, identity)?;
        Ok(Self { answer, signed })
    }
}

/// What the card has signed besides what it answers: the nonce, and the record's form.
const fn status_record(answer: &StatusAnswer, nonce: Nonce) -> Status {
    Status {
        card: answer.card,
        debit_seq: answer.debit_seq,
        credit_seq: answer.credit_seq,
        currency: answer.currency,
        epoch: answer.epoch,
        nonce,
        balance: answer.balance,
        journal_head: answer.journal_head,
    }
}

/// Sends a command that answers a public key, and checks that it is one.
pub(crate) fn read_key<T: Transport>(
    session: &mut Session<'_, T>,
    command: &Command<'_>,
) -> Result<PublicKey, CardError> {
    let answer = session.send(command)?;
    let key = PublicKey(*answer.last_chunk().ok_or(Garbled::Length)?);
    let object = PublicKeyObject(key).encode().map_err(CardError::Unsendable)?;
    if object.as_bytes() != answer {
        return Err(Garbled::Object.into());
    }
    signed::check_key(&key)?;
    Ok(key)
}

fn read_status<T: Transport>(
    session: &mut Session<'_, T>,
    nonce: Nonce,
) -> Result<StatusAnswer, CardError> {
    let answer = session.send(&Command::ReadStatus { nonce })?;
    Ok(StatusAnswer::decode(&answer).map_err(Garbled::from)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scripted::{CARD, CardKey, Scripted, YEN, ok, refused};
    use apdu_spec::Refusal;
    use apdu_spec::value::{
        Amount, CardId, Currency, Epoch, Generation, Hash, LifeCycle, LimitsVersion, Sequence,
        Signature,
    };
    use firmware_bridge::Disposition;

    const NONCE: Nonce = Nonce([9; 16]);

    /// An answer to GET STATUS with [`NONCE`].
    fn status(key: &CardKey) -> StatusAnswer {
        let mut answer = StatusAnswer {
            life_cycle: LifeCycle::Active,
            pin_tries: 3,
            puk_tries: 10,
            generation: Generation(1),
            limits_version: LimitsVersion(0),
            ack_debit: Sequence(2),
            ack_credit: Sequence(1),
            pin_free_spent: Amount(0),
            card: CARD,
            balance: Amount(1_250),
            currency: YEN,
            debit_seq: Sequence(2),
            credit_seq: Sequence(1),
            epoch: Epoch(5),
            journal_head: Hash([3; 32]),
            signature: Signature([0; 64]),
        };
        answer.signature = key.sign(&status_record(&answer, NONCE));
        answer
    }

    #[test]
    fn a_status_is_verified_against_the_presented_card() {
        let key = CardKey::new();
        let good = status(&key);
        let ask = |answer: StatusAnswer| {
            let command = Command::ReadStatus { nonce: NONCE };
            let script = Scripted::default().greeting();
            let script = script.send(&command, ok(answer.encode().unwrap()));
            let mut card = Card::new(script.leave());
            card.recall(key.identity());
            card.status(NONCE).map(|report| report.answer)
        };
        assert_eq!(ask(good), Ok(good));
        let richer = StatusAnswer { balance: Amount(9_999), ..good };
        assert_eq!(ask(richer), Err(Garbled::Signature.into()));
        let other = StatusAnswer { card: CardId([1; 8]), ..good };
        assert_eq!(ask(other), Err(Garbled::Contradiction.into()));
    }

    /// Plays a card that answers a status over whatever nonce it is asked with.
    struct Live<'a> {
        key: &'a CardKey,
        object: Vec<u8>,
        currency: Currency,
        spoil: fn(&mut Signature),
        sent: usize,
    }

    impl Transport for Live<'_> {
        fn begin(&mut self) -> Result<(), TransportError> {
            Ok(())
        }

        fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, TransportError> {
            self.sent = self.sent.saturating_add(1);
            let command = Command::decode(command).unwrap();
            if matches!(command, Command::ReadKey) {
                return Ok(ok(&self.object));
            }
            let Command::ReadStatus { nonce } = command else {
                assert_eq!(command.encode(), Command::Select { fci: true }.encode());
                return Ok(ok(crate::scripted::fci().encode().unwrap()));
            };
            let mut answer = status(self.key);
            answer.currency = self.currency;
            answer.signature = self.key.sign(&status_record(&answer, nonce));
            (self.spoil)(&mut answer.signature);
            Ok(ok(answer.encode().unwrap()))
        }

        fn end(&mut self, disposition: Disposition) -> Result<(), TransportError> {
            assert_eq!(disposition, Disposition::Leave);
            Ok(())
        }

        fn describe(&self) -> String {
            "live".to_owned()
        }
    }

    #[test]
    fn presenting_a_card_learns_who_it_is_or_nothing() {
        let (key, other) = (CardKey::new(), CardKey::new());
        let good: fn(&mut Signature) = |_| ();
        let mut off_curve = key.object();
        off_curve[69] ^= 1;
        let other_head = [&[0x7f, 0x48][..], &key.object()[2..]].concat();
        let trailing = [&key.object()[..], &[0]].concat();
        for (case, object, currency, spoil, learnt) in [
            ("genuine", key.object(), YEN, good, true),
            ("other key", other.object(), YEN, good, false),
            ("no point", off_curve, YEN, good, false),
            ("other object", other_head, YEN, good, false),
            ("trailing byte", trailing, YEN, good, false),
            ("short", key.object()[..69].to_vec(), YEN, good, false),
            ("empty", vec![], YEN, good, false),
            ("other currency", key.object(), Currency(978), good, false),
            ("spoilt signature", key.object(), YEN, |s| s.0[5] ^= 1, false),
        ] {
            let mut card = Card::new(Live { key: &key, object, currency, spoil, sent: 0 });
            let presented = card.present();
            let expected = learnt.then_some(key.identity());
            assert_eq!(presented.as_ref().ok().map(|p| p.identity), expected, "{case}");
            assert_eq!(card.identity().copied(), expected, "{case}");
            let garbled = matches!(presented, Err(CardError::Garbled(_)));
            assert_eq!(garbled, !learnt, "{case}: {presented:?}");
            assert!(card.into_transport().sent <= 3, "{case}");
        }
    }

    #[test]
    fn no_card_an_unknown_card_and_ours_are_told_apart() {
        let select = Command::Select { fci: true };
        let selecting = |answer| Scripted::default().begin().send_with(&select, answer).leave();
        let ours = crate::scripted::fci();
        for (case, script, expected) in [
            (
                "empty",
                Scripted::default().begin_with(Err(TransportError::NoCard)),
                Ok(Presence::NoCard),
            ),
            (
                "taken away",
                selecting(Err(TransportError::Removed)).begin_with(Err(TransportError::Removed)),
                Ok(Presence::NoCard),
            ),
            (
                "exchanged",
                Scripted::default().begin_with(Err(TransportError::Removed)).greeting().leave(),
                Ok(Presence::Ours(ours)),
            ),
            (
                "service restarted",
                Scripted::default()
                    .begin_with(Err(TransportError::ServiceStopped))
                    .greeting()
                    .leave(),
                Ok(Presence::Ours(ours)),
            ),
            (
                "mute",
                Scripted::default().begin_with(Err(TransportError::Mute)),
                Ok(Presence::Unknown),
            ),
            ("another card", selecting(Ok(refused(Refusal::NotFound))), Ok(Presence::Unknown)),
            ("unknown word", selecting(Ok(vec![0x6f, 0x00])), Ok(Presence::Unknown)),
            ("other object", selecting(Ok(ok([0x6f, 0]))), Ok(Presence::Unknown)),
            ("ours", selecting(Ok(ok(ours.encode().unwrap()))), Ok(Presence::Ours(ours))),
            (
                "no reader",
                Scripted::default().begin_with(Err(TransportError::NoReader)),
                Err(CardError::Transport(TransportError::NoReader)),
            ),
        ] {
            assert_eq!(Card::new(script).presence(), expected, "{case}");
        }
    }
}
