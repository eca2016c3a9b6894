//! Journal and history: what the card has done and the payment server may not know yet.
//!
//! The journal keeps debit records and credit records (or burned slots) until the payment server
//! acknowledges them. Four live records in five cells: the cell of `sequence mod 5` is free while
//! the four before it are live, so a torn write of the next record harms none of them.

use apdu_spec::JOURNAL_MAX;
use apdu_spec::answer::{HistoryEntry, TransferKind};
use apdu_spec::cose::{Sign1, Sign1Bytes};
use apdu_spec::record::{BurnedSlot, CreditRecord, DebitRecord, Record};
use apdu_spec::value::{Amount, CreditId, Currency, Hash, Sequence, ShopId, Signature};
use apdu_spec::{HISTORY_MAX, Refusal};

use crate::applet::Stop;
use crate::crypto;
use crate::env::{Cell, Env, Fault};
use crate::state::{Header, State};
use crate::store::{self, CONTENT_MAX, Content};

/// Largest journal record in bytes; the cell holds it behind one length byte.
const RECORD_MAX: usize = CreditRecord::SIGN1_MAX;

const _: () = {
    assert!(DebitRecord::SIGN1_MAX <= RECORD_MAX);
    assert!(BurnedSlot::SIGN1_MAX <= RECORD_MAX);
    assert!(RECORD_MAX < CONTENT_MAX);
};

/// One of the two journals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Journal {
    Debit,
    Credit,
}

impl Journal {
    fn cell(self, sequence: Sequence) -> Cell {
        let place = u8::try_from(sequence.0 % 5).unwrap_or(0);
        match self {
            Self::Debit => Cell::DebitJournal(place),
            Self::Credit => Cell::CreditJournal(place),
        }
    }

    /// Last sequence made and last one acknowledged.
    fn bounds(self, header: &Header) -> (Sequence, Sequence) {
        match self {
            Self::Debit => (header.debit_seq, header.ack_debit),
            Self::Credit => (header.credit_seq, header.ack_credit),
        }
    }

    /// Whether the record of this sequence is still kept.
    pub(crate) fn keeps(self, header: &Header, sequence: Sequence) -> bool {
        let (last, acknowledged) = self.bounds(header);
        acknowledged < sequence && sequence <= last
    }

    /// Whether another record would not fit (Invariant J: refuse, never overwrite).
    pub(crate) fn is_full(self, header: &Header) -> bool {
        let (last, acknowledged) = self.bounds(header);
        last.0.saturating_sub(acknowledged.0) >= JOURNAL_MAX
    }

    /// Writes a record into its free cell. It counts only once the header says so.
    pub(crate) fn write(
        self,
        env: &mut impl Env,
        sequence: Sequence,
        record: &Sign1Bytes,
    ) -> Result<(), Fault> {
        let mut content = [0; 1 + RECORD_MAX];
        let length = record.as_bytes().len();
        let (first, rest) = content.split_first_mut().ok_or(Fault)?;
        *first = u8::try_from(length).map_err(|_| Fault)?;
        rest.get_mut(..length).ok_or(Fault)?.copy_from_slice(record.as_bytes());
        store::write(env, self.cell(sequence), &content)
    }

    /// Reads a kept record.
    pub(crate) fn read(self, env: &mut impl Env, sequence: Sequence) -> Result<Sign1Bytes, Fault> {
        let content = store::read::<{ 1 + RECORD_MAX }>(env, self.cell(sequence))?.ok_or(Fault)?;
        let (length, rest) = content.split_first().ok_or(Fault)?;
        let mut record = Sign1Bytes::new();
        record.extend(rest.get(..usize::from(*length)).ok_or(Fault)?)?;
        Ok(record)
    }

    /// The kept record with this number; 1 is the oldest.
    pub(crate) fn read_number(
        self,
        env: &mut impl Env,
        state: &State,
        number: u8,
    ) -> Result<Sign1Bytes, Stop> {
        state.signer()?;
        let (_, acknowledged) = self.bounds(&state.header);
        let sequence = acknowledged.checked_add(Sequence(u32::from(number)));
        match sequence {
            Some(sequence) if self.keeps(&state.header, sequence) => Ok(self.read(env, sequence)?),
            Some(_) | None => Err(Refusal::RecordNotFound.into()),
        }
    }

    /// The signature given before, when this very record is kept already: a repeat of a step that
    /// was committed, whose answer was perhaps lost.
    pub(crate) fn repeat<R: Record>(
        self,
        env: &mut impl Env,
        header: &Header,
        sequence: Sequence,
        record: &R,
    ) -> Result<Option<Signature>, Fault> {
        if !self.keeps(header, sequence) {
            return Ok(None);
        }
        let kept = self.read(env, sequence)?;
        let kept = Sign1::read(kept.as_bytes())?;
        let same = kept.payload == record.encode()?.as_bytes();
        Ok(same.then_some(kept.signature))
    }
}

/// The chain over all journal records: head' = SHA-256(head | hash of the record).
pub(crate) fn chain(head: Hash, record_hash: Hash) -> Hash {
    crypto::hash(&[&head.0, &record_hash.0])
}

/// What a transfer leaves in the history.
pub(crate) struct Transfer {
    pub(crate) kind: TransferKind,
    pub(crate) sequence: Sequence,
    pub(crate) amount: Amount,
    pub(crate) shop: ShopId,
    pub(crate) reference: CreditId,
}

/// Number of all transfers so far, which is also the number of the newest history entry.
fn transfers(header: &Header) -> u64 {
    u64::from(header.debit_seq.0).saturating_add(u64::from(header.credit_seq.0))
}

fn history_cell(number: u64) -> Cell {
    Cell::History(u8::try_from(number % 33).unwrap_or(0))
}

/// Writes the entry of the transfer that leads to `next` into its free cell.
pub(crate) fn write_history(
    env: &mut impl Env,
    next: &Header,
    currency: Currency,
    transfer: &Transfer,
) -> Result<(), Fault> {
    let entry = HistoryEntry {
        kind: transfer.kind,
        sequence: transfer.sequence,
        amount: transfer.amount,
        currency,
        shop: transfer.shop,
        reference: transfer.reference,
        balance: next.balance,
    };
    store::write(env, history_cell(transfers(next)), entry.encode()?.as_bytes())
}

/// Reads a history entry; 1 is the newest.
pub(crate) fn read_history(env: &mut impl Env, state: &State, number: u8) -> Result<Content, Stop> {
    let total = transfers(&state.header);
    let back = u64::from(number);
    if number == 0 || number > HISTORY_MAX || back > total {
        return Err(Refusal::RecordNotFound.into());
    }
    let cell = history_cell(total.saturating_sub(back).saturating_add(1));
    let entry = store::read::<{ HistoryEntry::SIZE }>(env, cell)?.ok_or(Fault)?;
    let mut out = Content::new();
    out.extend(entry.as_slice())?;
    Ok(out)
}
