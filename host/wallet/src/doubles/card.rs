//! A card at the typed seam: signs with its own key and keeps the rules that matter to a wallet.

use std::sync::{Arc, Mutex, MutexGuard};

use apdu_spec::answer::{Fci, Issued, LimitsAnswer, StatusAnswer};
use apdu_spec::command::{CreditFields, DebitFields, OrderFields};
use apdu_spec::record::{
    BurnedSlot, CreditRequest, CreditToken, DebitRequest, Order, Permit, Record, Status,
};
use apdu_spec::value::{
    Amount, Epoch, Generation, Hash, LifeCycle, Limits, LimitsVersion, Nonce, OrderPin, Pin,
    Sequence, Signature,
};
use apdu_spec::{JOURNAL_MAX, Refusal};
use card::{CardError, CardIdentity, Presence, TransportError};
use protocol::signed::{SignedRecord, Signer};

use super::{CARD, ISSUER, TestSigner, YEN};
use crate::port::{CardFacts, CardPort, JournalEntry};

/// The right PIN.
pub(crate) const PIN: &str = "82461937";

/// Where the card is taken away in the next DEBIT or CREDIT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// Before the commit: nothing has happened.
    Before,
    /// After it: all has happened, but the answer is lost.
    After,
}

/// What is on the card.
pub(crate) struct Content {
    signer: TestSigner,
    pub(crate) balance: u64,
    pub(crate) limits: Limits,
    pub(crate) tries: u8,
    pub(crate) generation: u32,
    pub(crate) debit_seq: u32,
    pub(crate) credit_seq: u32,
    ack_debit: u32,
    ack_credit: u32,
    debits: Vec<(Permit, Vec<u8>)>,
    credits: Vec<(CreditToken, Vec<u8>)>,
    burned: Vec<(u32, Vec<u8>)>,
    /// The card is not in the reader.
    pub(crate) away: bool,
    pub(crate) cut: Option<Cut>,
    /// Commands, by name.
    pub(crate) log: Vec<&'static str>,
    /// Sum of all debits ever made.
    pub(crate) spent: u64,
}

/// A handle to a card. Each handle is a connection of its own.
#[derive(Clone)]
pub(crate) struct FakeCard {
    content: Arc<Mutex<Content>>,
    identity: Option<CardIdentity>,
}

impl FakeCard {
    pub(crate) fn new(signer: TestSigner, balance: u64) -> Self {
        let limits = Limits {
            balance_max: Amount(50_000),
            debit_max: Amount(30_000),
            pin_floor: Amount(1_000),
            pin_free_max: Amount(5_000),
            order_pin: OrderPin::Never,
        };
        let content = Content {
            signer,
            balance,
            limits,
            tries: 3,
            generation: 1,
            debit_seq: 0,
            credit_seq: 0,
            ack_debit: 0,
            ack_credit: 0,
            debits: Vec::new(),
            credits: Vec::new(),
            burned: Vec::new(),
            away: false,
            cut: None,
            log: Vec::new(),
            spent: 0,
        };
        Self { content: Arc::new(Mutex::new(content)), identity: None }
    }

    pub(crate) fn content(&self) -> MutexGuard<'_, Content> {
        self.content.lock().unwrap()
    }

    /// Burns the next slot, as another wallet may have done.
    pub(crate) fn burn(&self) {
        let mut content = self.content();
        content.credit_seq += 1;
        let slot = content.credit_seq;
        let record = content.sign(BurnedSlot { card: CARD, slot: Sequence(slot) });
        content.burned.push((slot, record));
    }

    fn command(&self, name: &'static str) -> Result<MutexGuard<'_, Content>, CardError> {
        let mut content = self.content();
        content.log.push(name);
        if content.away { Err(TransportError::NoCard.into()) } else { Ok(content) }
    }
}

impl Content {
    fn sign<R: Record>(&self, record: R) -> Vec<u8> {
        SignedRecord::seal(record, &self.signer).unwrap().bytes().to_vec()
    }

    fn verify(&mut self, pin: Option<&Pin>) -> Result<bool, CardError> {
        let Some(pin) = pin else {
            return Ok(false);
        };
        if self.tries == 0 {
            return Err(Refusal::PinBlocked.into());
        }
        if pin.block() == Pin::from_digits(PIN).unwrap().block() {
            self.tries = 3;
            return Ok(true);
        }
        self.tries -= 1;
        Err(Refusal::Wrong { tries_left: self.tries }.into())
    }

    fn acknowledge(&mut self, debit: Sequence, credit: Sequence) {
        self.ack_debit = self.ack_debit.max(debit.0);
        self.ack_credit = self.ack_credit.max(credit.0);
        let (debit, credit) = (self.ack_debit, self.ack_credit);
        self.debits.retain(|(permit, _)| permit.debit_seq.0 > debit);
        self.credits.retain(|(token, _)| token.slot.0 > credit);
        self.burned.retain(|(slot, _)| *slot > credit);
    }

    fn cut(&mut self, place: Cut) -> Result<(), CardError> {
        if self.cut == Some(place) {
            self.cut = None;
            self.away = true;
            return Err(TransportError::Removed.into());
        }
        Ok(())
    }

    fn status(&self) -> StatusAnswer {
        StatusAnswer {
            life_cycle: LifeCycle::Active,
            pin_tries: self.tries,
            puk_tries: 10,
            generation: Generation(self.generation),
            limits_version: LimitsVersion(0),
            ack_debit: Sequence(self.ack_debit),
            ack_credit: Sequence(self.ack_credit),
            pin_free_spent: Amount(0),
            card: CARD,
            balance: Amount(self.balance),
            currency: YEN,
            debit_seq: Sequence(self.debit_seq),
            credit_seq: Sequence(self.credit_seq),
            epoch: Epoch(1),
            journal_head: Hash([0; 32]),
            signature: Signature([0; 64]),
        }
    }
}

impl CardPort for FakeCard {
    fn presence(&mut self) -> Result<Presence, CardError> {
        if self.content().away {
            return Ok(Presence::NoCard);
        }
        let generation = Generation(self.content().generation);
        let issued = Some(Issued { issuer: ISSUER, currency: YEN, generation });
        Ok(Presence::Ours(Fci { life_cycle: LifeCycle::Active, issued }))
    }

    fn present(&mut self) -> Result<CardFacts, CardError> {
        let content = self.command("present")?;
        let key = content.signer.public_key();
        let status = content.status();
        drop(content);
        self.identity = Some(CardIdentity::new(CARD, ISSUER, key));
        Ok(CardFacts {
            card: CARD,
            issuer: ISSUER,
            key,
            currency: YEN,
            generation: status.generation,
            status,
        })
    }

    fn certificate(&mut self) -> Result<Vec<u8>, CardError> {
        Ok(self.command("certificate")?.signer.chain.concat())
    }

    fn limits(&mut self) -> Result<LimitsAnswer, CardError> {
        let limits = self.command("limits")?.limits;
        Ok(LimitsAnswer { version: LimitsVersion(0), limits })
    }

    fn sign_order(
        &mut self,
        fields: &OrderFields,
        pin: Option<&Pin>,
    ) -> Result<Vec<u8>, CardError> {
        let mut content = self.command("sign order")?;
        let verified = content.verify(pin)?;
        if content.limits.order_pin == OrderPin::Always && !verified {
            return Err(Refusal::PinNeeded.into());
        }
        Ok(content.sign(Order {
            card: CARD,
            shop: fields.shop,
            amount: fields.amount,
            currency: fields.currency,
            request: fields.request,
            request_hash: fields.request_hash,
        }))
    }

    fn sign_request(&mut self, fields: &DebitFields) -> Result<Vec<u8>, CardError> {
        let content = self.command("sign request")?;
        Ok(content.sign(DebitRequest {
            card: CARD,
            debit_seq: Sequence(content.debit_seq + 1),
            invoice_hash: fields.invoice_hash,
            shop: fields.shop,
            amount: fields.amount,
            currency: fields.currency,
        }))
    }

    fn debit(&mut self, permit: &[u8], pin: Option<&Pin>) -> Result<Vec<u8>, CardError> {
        let mut content = self.command("debit")?;
        let verified = content.verify(pin)?;
        let permit = *SignedRecord::<Permit>::parse(permit).unwrap().claims();
        let done = content.debits.iter().find(|(old, _)| *old == permit);
        if let Some((_, record)) = done {
            return Ok(record.clone());
        }
        if content.generation == 0 {
            return Err(Refusal::NoPaymentKey.into());
        }
        if permit.debit_seq.0 != content.debit_seq + 1 {
            return Err(Refusal::WrongSequence.into());
        }
        if permit.amount.0 > content.balance {
            return Err(Refusal::InsufficientBalance.into());
        }
        content.acknowledge(permit.ack_debit, permit.ack_credit);
        if u32::try_from(content.debits.len()).unwrap() >= JOURNAL_MAX {
            return Err(Refusal::JournalFull.into());
        }
        if permit.amount > content.limits.pin_floor && !verified {
            return Err(Refusal::PinNeeded.into());
        }
        content.cut(Cut::Before)?;
        let record = content.sign(permit.debit_record());
        content.balance -= permit.amount.0;
        content.spent += permit.amount.0;
        content.debit_seq += 1;
        content.debits.push((permit, record.clone()));
        content.cut(Cut::After)?;
        Ok(record)
    }

    fn sign_credit_request(&mut self, fields: &CreditFields) -> Result<Vec<u8>, CardError> {
        let content = self.command("sign credit request")?;
        if content.balance + fields.amount.0 > content.limits.balance_max.0 {
            return Err(Refusal::OverBalanceMax.into());
        }
        Ok(content.sign(CreditRequest {
            card: CARD,
            slot: Sequence(content.credit_seq + 1),
            authority_hash: fields.authority_hash,
            amount: fields.amount,
            currency: fields.currency,
            purpose: fields.purpose,
        }))
    }

    fn credit(&mut self, token: &[u8]) -> Result<Vec<u8>, CardError> {
        let mut content = self.command("credit")?;
        let token = *SignedRecord::<CreditToken>::parse(token).unwrap().claims();
        let same = |old: &CreditToken| old.credit_record() == token.credit_record();
        if let Some((_, record)) = content.credits.iter().find(|(old, _)| same(old)) {
            return Ok(record.clone());
        }
        if token.slot.0 != content.credit_seq + 1 {
            return Err(Refusal::WrongSequence.into());
        }
        content.acknowledge(token.ack_debit, token.ack_credit);
        content.cut(Cut::Before)?;
        let record = content.sign(token.credit_record());
        content.balance += token.amount.0;
        content.credit_seq += 1;
        content.credits.push((token, record.clone()));
        content.cut(Cut::After)?;
        Ok(record)
    }

    fn signed_status(&mut self, nonce: Nonce) -> Result<Vec<u8>, CardError> {
        let content = self.command("status")?;
        let status = content.status();
        Ok(content.sign(Status {
            card: CARD,
            debit_seq: status.debit_seq,
            credit_seq: status.credit_seq,
            currency: YEN,
            epoch: status.epoch,
            nonce,
            balance: status.balance,
            journal_head: status.journal_head,
        }))
    }

    fn journal(&mut self) -> Result<Vec<JournalEntry>, CardError> {
        let content = self.command("journal")?;
        let debits = content.debits.iter().map(|(_, record)| JournalEntry::Debit(record.clone()));
        let credits = content.credits.iter();
        let credits = credits.map(|(_, record)| JournalEntry::Credit(record.clone()));
        let burned = content.burned.iter();
        let burned = burned.map(|(_, record)| JournalEntry::Burned(record.clone()));
        Ok(debits.chain(credits).chain(burned).collect())
    }

    fn put_payment_certificate(&mut self, sign1: &[u8]) -> Result<(), CardError> {
        let mut content = self.command("put payment certificate")?;
        let sign1 = apdu_spec::cose::Sign1::read(sign1).unwrap();
        let compact = apdu_spec::CompactCertificate::decode(sign1.payload).unwrap();
        content.generation = compact.generation.0;
        Ok(())
    }

    fn tries(&mut self) -> Result<u8, CardError> {
        Ok(self.command("tries")?.tries)
    }

    fn change_pin(&mut self, old: &Pin, _: &Pin) -> Result<(), CardError> {
        self.command("change pin")?.verify(Some(old)).map(|_| ())
    }

    fn unblock_pin(&mut self, _: &Pin, _: &Pin) -> Result<(), CardError> {
        self.command("unblock pin")?.tries = 3;
        Ok(())
    }

    fn describe(&self) -> String {
        "test card".to_owned()
    }

    fn identity(&self) -> Option<CardIdentity> {
        self.identity
    }

    fn recall(&mut self, identity: CardIdentity) {
        self.identity = Some(identity);
    }
}
