//! DEBIT, CREDIT, ABORT CREDIT: the commands that move value. Each signs in RAM, writes its
//! journal and history records into free cells, commits one header, and only then answers.

use apdu_spec::Refusal;
use apdu_spec::answer::TransferKind;
use apdu_spec::cose::Sign1;
use apdu_spec::record::{BurnedSlot, CreditToken, LimitsRecord, Permit, Record};
use apdu_spec::value::{Amount, CardId, CreditId, Epoch, Limits, Sequence, ShopId, Signature};

use crate::applet::Stop;
use crate::crypto;
use crate::env::{Env, Fault};
use crate::journal::{self, Journal, Transfer};
use crate::sign::Signed;
use crate::state::{Header, State};

/// DEBIT (D3): consumes a permit. A repeat of a kept one is answered again without PIN.
pub(crate) fn debit(
    env: &mut impl Env,
    state: &mut State,
    permit: &[u8],
    pin_verified: bool,
) -> Result<Signature, Stop> {
    let permit: Permit = state.open(env, permit)?;
    state.check_card(permit.card)?;
    state.check_amount(permit.amount, permit.currency)?;
    let record = permit.debit_record();
    let header = &state.header;
    if let Some(kept) = Journal::Debit.repeat(env, header, permit.debit_seq, &record)? {
        return Ok(kept);
    }
    check_next(header.debit_seq, permit.debit_seq)?;
    let mut next = acknowledge(header, permit.epoch, permit.ack_debit, permit.ack_credit)?;
    if permit.amount > header.limits.debit_max {
        return Err(Refusal::OverDebitMax.into());
    }
    next.balance = header.balance.checked_sub(permit.amount).ok_or(Refusal::InsufficientBalance)?;
    if Journal::Debit.is_full(&next) {
        return Err(Refusal::JournalFull.into());
    }
    next.pin_free_spent = pin_free_spent(header, permit.amount, pin_verified)?;
    next.debit_seq = permit.debit_seq;
    let signed = state.sign(env, &record)?;
    let transfer = Transfer {
        kind: TransferKind::Debit,
        sequence: permit.debit_seq,
        amount: permit.amount,
        shop: permit.shop,
        reference: CreditId(permit.payment.0),
    };
    state.book(env, Journal::Debit, next, &signed, &transfer)
}

/// CREDIT (C3): takes the value of a token into exactly its slot.
pub(crate) fn credit(
    env: &mut impl Env,
    state: &mut State,
    token: &[u8],
) -> Result<Signature, Stop> {
    let token: CreditToken = state.open(env, token)?;
    state.check_card(token.card)?;
    state.check_amount(token.amount, token.currency)?;
    let record = token.credit_record();
    let header = &state.header;
    if let Some(kept) = Journal::Credit.repeat(env, header, token.slot, &record)? {
        return Ok(kept);
    }
    check_next(header.credit_seq, token.slot)?;
    let mut next = acknowledge(header, token.epoch, token.ack_debit, token.ack_credit)?;
    next.balance = header.balance.checked_add(token.amount).ok_or(Refusal::OverBalanceMax)?;
    if Journal::Credit.is_full(&next) {
        return Err(Refusal::JournalFull.into());
    }
    next.credit_seq = token.slot;
    let signed = state.sign(env, &record)?;
    let transfer = Transfer {
        kind: TransferKind::Credit,
        sequence: token.slot,
        amount: token.amount,
        shop: token.shop,
        reference: token.credit,
    };
    state.book(env, Journal::Credit, next, &signed, &transfer)
}

/// ABORT CREDIT (CX): burns exactly the next slot, so that no token for it can ever be taken.
pub(crate) fn abort_credit(
    env: &mut impl Env,
    state: &mut State,
    slot: Sequence,
    pin_verified: bool,
) -> Result<Signature, Stop> {
    let (identity, _) = state.signer()?;
    let record = BurnedSlot { card: identity.card, slot };
    let header = &state.header;
    if let Some(kept) = Journal::Credit.repeat(env, header, slot, &record)? {
        return Ok(kept);
    }
    check_next(header.credit_seq, slot)?;
    if Journal::Credit.is_full(header) {
        return Err(Refusal::JournalFull.into());
    }
    if !pin_verified {
        return Err(Refusal::PinNeeded.into());
    }
    let mut next = header.clone();
    next.credit_seq = slot;
    let signed = state.sign(env, &record)?;
    let transfer = Transfer {
        kind: TransferKind::Burned,
        sequence: slot,
        amount: Amount(0),
        shop: ShopId([0; 8]),
        reference: CreditId([0; 16]),
    };
    state.book(env, Journal::Credit, next, &signed, &transfer)
}

/// PUT DATA (limits): takes the next version of the limits from P.
pub(crate) fn put_limits(env: &mut impl Env, state: &mut State, record: &[u8]) -> Result<(), Stop> {
    let record: LimitsRecord = state.open(env, record)?;
    state.check_card(record.card)?;
    let mut next = state.header.clone();
    if Some(record.version) != next.limits_version.next() {
        return Err(Refusal::WrongLimitsVersion.into());
    }
    next.limits_version = record.version;
    next.limits = Limits {
        balance_max: record.balance_max,
        debit_max: record.debit_max,
        pin_floor: record.pin_floor,
        pin_free_max: record.pin_free_max,
        order_pin: record.order_pin,
    };
    Ok(state.commit(env, next)?)
}

fn check_next(last: Sequence, given: Sequence) -> Result<(), Stop> {
    if last.next().ok_or(Refusal::SequenceExhausted)? == given {
        Ok(())
    } else {
        Err(Refusal::WrongSequence.into())
    }
}

/// The header after epoch and acknowledgements of a permit or token (Invariant P): one above the
/// card's own sequence refuses the command, a lower one than it has is ignored.
fn acknowledge(
    header: &Header,
    epoch: Epoch,
    ack_debit: Sequence,
    ack_credit: Sequence,
) -> Result<Header, Stop> {
    if epoch < header.epoch {
        return Err(Refusal::OldEpoch.into());
    }
    if ack_debit > header.debit_seq || ack_credit > header.credit_seq {
        return Err(Refusal::AckTooHigh.into());
    }
    let mut next = header.clone();
    next.epoch = epoch;
    next.ack_debit = header.ack_debit.max(ack_debit);
    next.ack_credit = header.ack_credit.max(ack_credit);
    Ok(next)
}

/// Cumulative spend without PIN after this debit; refuses where the PIN is needed.
fn pin_free_spent(header: &Header, amount: Amount, pin_verified: bool) -> Result<Amount, Stop> {
    if pin_verified {
        return Ok(Amount(0));
    }
    match header.pin_free_spent.checked_add(amount) {
        Some(sum) if amount <= header.limits.pin_floor && sum <= header.limits.pin_free_max => {
            Ok(sum)
        }
        Some(_) | None => Err(Refusal::PinNeeded.into()),
    }
}

impl State {
    /// Opens a record that must come from the issuer's payment server.
    fn open<R: Record>(&self, env: &mut impl Env, bytes: &[u8]) -> Result<R, Stop> {
        let sign1 = Sign1::read(bytes).map_err(|_| Refusal::IncorrectData)?;
        let record = R::decode(sign1.payload).map_err(|_| Refusal::IncorrectData)?;
        let structure = sign1.sig_structure().map_err(|_| Refusal::IncorrectData)?;
        let key = self.payment_key.ok_or(Refusal::NoPaymentKey)?;
        let digest = crypto::hash(&[structure.as_bytes()]);
        let genuine =
            sign1.kid == key.kid && crypto::verify(env, &key.key, digest, &sign1.signature);
        if genuine { Ok(record) } else { Err(Refusal::BadSignature.into()) }
    }

    fn check_card(&self, card: CardId) -> Result<(), Stop> {
        let (identity, _) = self.signer()?;
        if identity.card == card { Ok(()) } else { Err(Refusal::WrongCard.into()) }
    }

    /// The end of every transfer: records into free cells, then the header, which commits them.
    fn book(
        &mut self,
        env: &mut impl Env,
        journal: Journal,
        mut next: Header,
        signed: &Signed,
        transfer: &Transfer,
    ) -> Result<Signature, Stop> {
        let (identity, _) = self.signer()?;
        let currency = identity.currency;
        next.journal_head = journal::chain(self.header.journal_head, signed.hash);
        journal.write(env, transfer.sequence, &signed.bytes)?;
        journal::write_history(env, &next, currency, transfer)?;
        self.commit(env, next).map_err(Fault::into).map(|()| signed.signature)
    }
}
