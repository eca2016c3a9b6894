//! What the card keeps: journal, history, certificate file, limits.

use apdu_spec::answer::{HistoryEntry, LimitsAnswer};
use apdu_spec::command::Command;
use apdu_spec::cose::Sign1;
use apdu_spec::record::{BurnedSlot, CreditRecord, DebitRecord, Record};
use apdu_spec::value::Pin;
use apdu_spec::{CERTIFICATE_MAX, HISTORY_MAX, JOURNAL_MAX, PIECE_MAX, Refusal};
use firmware_bridge::Transport;

use crate::client::Card;
use crate::error::{CardError, Garbled};
use crate::session::Session;
use crate::signed::{CardIdentity, Signed};

/// A transfer that waits for P's acknowledgement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JournalRecord {
    /// Value has left the card.
    Debit(Signed<DebitRecord>),
    /// Value has come to the card.
    Credit(Signed<CreditRecord>),
    /// A slot was burned.
    Burned(Signed<BurnedSlot>),
}

impl JournalRecord {
    /// The whole COSE_Sign1, as P wants it.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Debit(signed) => signed.as_bytes(),
            Self::Credit(signed) => signed.as_bytes(),
            Self::Burned(signed) => signed.as_bytes(),
        }
    }
}

impl<T: Transport> Card<T> {
    /// Everything that waits for acknowledgement: debits first, the oldest first; at most four
    /// debits and four credits or burned slots.
    ///
    /// # Errors
    /// Any [`CardError`].
    pub fn journal(&mut self) -> Result<Vec<JournalRecord>, CardError> {
        self.signed_operation(|session, identity| {
            let max = u8::try_from(JOURNAL_MAX).unwrap_or(u8::MAX);
            let debits = read_records(session, max, |number| Command::ReadDebitJournal { number })?;
            let credits =
                read_records(session, max, |number| Command::ReadCreditJournal { number })?;
            let debits = debits.iter().map(|bytes| open_debit(bytes, identity));
            let credits = credits.iter().map(|bytes| open_credit(bytes, identity));
            Ok(debits.chain(credits).collect::<Result<_, _>>()?)
        })
    }

    /// The last transfers, at most 32, the newest first. Not signed.
    ///
    /// # Errors
    /// Any [`CardError`].
    pub fn history(&mut self, pin: &Pin) -> Result<Vec<HistoryEntry>, CardError> {
        self.operation(|session| {
            session.verify(Some(pin))?;
            let entries =
                read_records(session, HISTORY_MAX, |number| Command::ReadHistory { number })?;
            let entries = entries.iter().map(|bytes| HistoryEntry::decode(bytes));
            Ok(entries.collect::<Result<_, _>>().map_err(Garbled::from)?)
        })
    }

    /// The certificate file: the holder's certificate and its chain, in DER, as they were
    /// installed; at most [`CERTIFICATE_MAX`] bytes. Nothing of it is checked here.
    ///
    /// # Errors
    /// Any [`CardError`]; [`Refusal::ConditionsNotSatisfied`] when there is none yet.
    pub fn certificate(&mut self) -> Result<Vec<u8>, CardError> {
        self.operation(|session| {
            let mut file = Vec::new();
            while file.len() < CERTIFICATE_MAX {
                let offset = u16::try_from(file.len()).map_err(|_| Garbled::Length)?;
                let piece = match session.send(&Command::ReadBinary { offset }) {
                    Err(CardError::Refused(Refusal::RecordNotFound)) if !file.is_empty() => break,
                    answer => answer?,
                };
                if piece.is_empty() {
                    return Err(Garbled::Length.into());
                }
                file.extend(&piece);
                if piece.len() < PIECE_MAX {
                    break;
                }
            }
            Ok(file)
        })
    }

    /// The limits and their version.
    ///
    /// # Errors
    /// Any [`CardError`].
    pub fn limits(&mut self) -> Result<LimitsAnswer, CardError> {
        self.operation(|session| {
            let answer = session.send(&Command::ReadLimits)?;
            Ok(LimitsAnswer::decode(&answer).map_err(Garbled::from)?)
        })
    }
}

/// Reads records from number 1 until the card has no more, at most `max`.
fn read_records<T: Transport>(
    session: &mut Session<'_, T>,
    max: u8,
    command: impl Fn(u8) -> Command<'static>,
) -> Result<Vec<Vec<u8>>, CardError> {
    let mut records = Vec::new();
    for number in 1..=max {
        match session.send(&command(number)) {
            Ok(bytes) => records.push(bytes),
            Err(CardError::Refused(Refusal::RecordNotFound)) => break,
            Err(error) => return Err(error),
        }
    }
    Ok(records)
}

fn open_debit(bytes: &[u8], identity: &CardIdentity) -> Result<JournalRecord, Garbled> {
    let signed = Signed::<DebitRecord>::open(bytes, identity)?;
    if signed.record().card != identity.card() {
        return Err(Garbled::Contradiction);
    }
    Ok(JournalRecord::Debit(signed))
}

fn open_credit(bytes: &[u8], identity: &CardIdentity) -> Result<JournalRecord, Garbled> {
    let (card, record) = if BurnedSlot::decode(Sign1::read(bytes)?.payload).is_ok() {
        let signed = Signed::<BurnedSlot>::open(bytes, identity)?;
        (signed.record().card, JournalRecord::Burned(signed))
    } else {
        let signed = Signed::<CreditRecord>::open(bytes, identity)?;
        (signed.record().card, JournalRecord::Credit(signed))
    };
    if card != identity.card() {
        return Err(Garbled::Contradiction);
    }
    Ok(record)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scripted::{CARD, CardKey, Scripted, YEN, ok, pin, refused};
    use apdu_spec::answer::TransferKind;
    use apdu_spec::codec::CodecError;
    use apdu_spec::value::{
        Amount, CardId, CreditId, Hash, PaymentId, Purpose, Sequence, ShopId, TransactionId,
    };

    const DEBIT: DebitRecord = DebitRecord {
        card: CARD,
        debit_seq: Sequence(3),
        payment: PaymentId([4; 16]),
        invoice_hash: Hash([6; 32]),
        shop: ShopId([5; 8]),
        amount: Amount(1),
        currency: YEN,
    };
    const CREDIT: CreditRecord = CreditRecord {
        card: CARD,
        slot: Sequence(1),
        credit: CreditId([5; 16]),
        authority_hash: Hash([7; 32]),
        transaction: TransactionId([8; 16]),
        shop: ShopId([5; 8]),
        amount: Amount(2),
        currency: YEN,
        purpose: Purpose::Load,
    };
    const BURNED: BurnedSlot = BurnedSlot { card: CARD, slot: Sequence(2) };

    fn not_found() -> Vec<u8> {
        refused(Refusal::RecordNotFound)
    }

    /// A journal with these records.
    fn journal(debits: &[Vec<u8>], credits: &[Vec<u8>]) -> Scripted {
        let mut script = Scripted::default().greeting();
        for (number, answer) in (1..).zip(debits) {
            script = script.send(&Command::ReadDebitJournal { number }, answer.clone());
        }
        for (number, answer) in (1..).zip(credits) {
            script = script.send(&Command::ReadCreditJournal { number }, answer.clone());
        }
        script.leave()
    }

    fn read(key: &CardKey, script: Scripted) -> Result<Vec<JournalRecord>, CardError> {
        let mut card = Card::new(script);
        card.recall(key.identity());
        card.journal()
    }

    #[test]
    fn a_journal_is_read_to_its_end() {
        let key = CardKey::new();
        assert_eq!(read(&key, journal(&[not_found()], &[not_found()])), Ok(vec![]));
        let (debit, credit, burned) = (key.sign1(&DEBIT), key.sign1(&CREDIT), key.sign1(&BURNED));
        let debits = [ok(&debit), not_found()];
        let credits = [ok(&credit), ok(&burned), not_found()];
        let records = read(&key, journal(&debits, &credits)).unwrap();
        let bytes: Vec<&[u8]> = records.iter().map(JournalRecord::as_bytes).collect();
        assert_eq!(bytes, [&debit, &credit, &burned]);
        assert!(matches!(&records[0], JournalRecord::Debit(signed) if *signed.record() == DEBIT));
        assert!(matches!(&records[1], JournalRecord::Credit(signed) if *signed.record() == CREDIT));
        assert!(matches!(&records[2], JournalRecord::Burned(signed) if *signed.record() == BURNED));
    }

    #[test]
    fn a_full_journal_ends_without_being_asked_further() {
        let key = CardKey::new();
        let (debits, credits) = (vec![ok(key.sign1(&DEBIT)); 4], vec![ok(key.sign1(&BURNED)); 4]);
        assert_eq!(read(&key, journal(&debits, &credits)).map(|all| all.len()), Ok(8));
    }

    #[test]
    fn what_is_no_record_of_this_card_is_refused() {
        let (key, other) = (CardKey::new(), CardKey::new());
        let foreign = DebitRecord { card: CardId([1; 8]), ..DEBIT };
        let whole = key.sign1(&DEBIT);
        let contradiction = CardError::Garbled(Garbled::Contradiction);
        for (case, answer, expected) in [
            ("other key", other.sign1(&DEBIT), contradiction.clone()),
            ("other card", key.sign1(&foreign), contradiction),
            ("other record", key.sign1(&CREDIT), Garbled::Fields(CodecError::Unexpected).into()),
            ("short", whole[..whole.len() - 1].to_vec(), Garbled::Fields(CodecError::Short).into()),
            (
                "trailing byte",
                [&whole[..], &[0]].concat(),
                Garbled::Fields(CodecError::Trailing).into(),
            ),
            ("empty", vec![], Garbled::Fields(CodecError::Short).into()),
        ] {
            let script = journal(&[ok(answer), not_found()], &[not_found()]);
            assert_eq!(read(&key, script), Err(expected), "{case}");
        }
        let foreign = BurnedSlot { card: CardId([1; 8]), ..BURNED };
        let script = journal(&[not_found()], &[ok(key.sign1(&foreign)), not_found()]);
        assert_eq!(read(&key, script), Err(Garbled::Contradiction.into()));
        let script = journal(&[not_found()], &[ok(key.sign1(&DEBIT)), not_found()]);
        assert!(read(&key, script).is_err(), "a debit among the credits");
    }

    #[test]
    fn a_history_costs_one_pin_and_ends_with_a_reset() {
        let entry = HistoryEntry {
            kind: TransferKind::Debit,
            sequence: Sequence(3),
            amount: Amount(1),
            currency: YEN,
            shop: ShopId([5; 8]),
            reference: CreditId([4; 16]),
            balance: Amount(9),
        };
        let answer = ok(entry.encode().unwrap());
        let read = |answers: &[Vec<u8>]| {
            let mut script = Scripted::default().greeting();
            script = script.send(&Command::Verify(pin()), ok([]));
            for (number, answer) in (1..).zip(answers) {
                script = script.send(&Command::ReadHistory { number }, answer.clone());
            }
            Card::new(script.reset()).history(&pin())
        };
        assert_eq!(read(&[not_found()]), Ok(vec![]));
        assert_eq!(read(&[answer.clone(), not_found()]), Ok(vec![entry]));
        assert_eq!(read(&vec![answer.clone(); 32]).map(|all| all.len()), Ok(32));
        let garbled = Err(Garbled::Fields(CodecError::Short).into());
        assert_eq!(read(&[ok([]), not_found()]), garbled);
    }

    #[test]
    fn a_certificate_file_is_read_piece_by_piece() {
        for (length, pieces) in [
            (1, &[1][..]),
            (199, &[199]),
            (200, &[200, 0]),
            (201, &[200, 1]),
            (400, &[200, 200, 0]),
            (2_199, &[200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 199]),
            (2_200, &[200; 11]),
        ] {
            let file: Vec<u8> = (0..length).map(|place: u32| place.to_be_bytes()[3]).collect();
            let mut script = Scripted::default().greeting();
            let mut rest = file.as_slice();
            for (offset, count) in (0..).step_by(200).zip(pieces) {
                let (piece, behind) = rest.split_at(*count);
                rest = behind;
                let answer = if piece.is_empty() { not_found() } else { ok(piece) };
                script = script.send(&Command::ReadBinary { offset }, answer);
            }
            let read = Card::new(script.leave()).certificate();
            assert_eq!(read, Ok(file), "{length}");
        }
    }

    #[test]
    fn no_certificate_and_a_file_of_nothing_are_errors() {
        for (answer, expected) in [
            (not_found(), CardError::Refused(Refusal::RecordNotFound)),
            (ok([]), Garbled::Length.into()),
            (ok([0; 201]), Garbled::Length.into()),
        ] {
            let script = Scripted::default().greeting();
            let script = script.send(&Command::ReadBinary { offset: 0 }, answer).leave();
            assert_eq!(Card::new(script).certificate(), Err(expected));
        }
    }
}
