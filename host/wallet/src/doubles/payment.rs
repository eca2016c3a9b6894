//! A payment server: 10, 30, 150, 170, 190, 1170, 1190.

use std::collections::BTreeMap;

use apdu_spec::CompactCertificate;
use apdu_spec::cose::{self, Sign1};
use apdu_spec::record::{
    BurnedSlot, CreditRecord, CreditRequest, CreditToken, DebitRecord, DebitRequest, Permit,
};
use apdu_spec::value::{
    Amount, CreditId, Epoch, Generation, Hash, KeyId, PaymentId, Purpose, Sequence, ShopId, Time,
    TransactionId,
};
use protocol::Reject;
use protocol::certificate::PartyName;
use protocol::field::{Number, Text};
use protocol::form::{self, Form};
use protocol::load::{CreditAcknowledged, CreditReport, LoadOrder, TokenRequest};
use protocol::purchase::{
    Answer, Booking, Invoice, PermitRequest, Receipt, Refused, SuspenseNotice, SuspenseReason,
    ValueMessage,
};
use protocol::signed::{Signed, SignedRecord, Signer};

use super::{CARD, ISSUER, NOW, TestSigner, YEN};

type Tweak<T> = Option<Box<dyn Fn(&mut T) + Send>>;

pub(crate) struct PaymentServer {
    pub(crate) signer: TestSigner,
    /// Signs in P's place where it is set.
    pub(crate) forger: Option<TestSigner>,
    pub(crate) now: Time,
    /// Permits by invoice hash: the last one.
    pub(crate) permits: BTreeMap<Hash, (Permit, Vec<u8>)>,
    issued: Vec<Permit>,
    invoices: BTreeMap<Hash, Invoice>,
    paid: Vec<Hash>,
    /// Bookings by record hash.
    pub(crate) bookings: BTreeMap<Hash, (PaymentId, u32, Booking)>,
    pub(crate) received: u64,
    pub(crate) slots: BTreeMap<u32, Vec<u8>>,
    pub(crate) loaded: u64,
    orders: Vec<Vec<u8>>,
    /// Slot of the newest token of each credit, and whether the card has taken it.
    tokens: BTreeMap<CreditId, (u32, bool)>,
    pub(crate) notices: Vec<Vec<u8>>,
    pub(crate) ask_for_receipt: bool,
    pub(crate) suspend: Option<SuspenseReason>,
    pub(crate) permit: Tweak<Permit>,
    pub(crate) receipt: Tweak<Receipt>,
    pub(crate) notice: Tweak<SuspenseNotice>,
    pub(crate) token: Tweak<CreditToken>,
    pub(crate) acknowledged: Tweak<CreditAcknowledged>,
    pub(crate) refuse: Option<(u16, Reject)>,
    /// Refusals are those of another request.
    pub(crate) replay_refusals: bool,
    count: u8,
}

impl PaymentServer {
    pub(crate) fn new(signer: TestSigner) -> Self {
        Self {
            signer,
            forger: None,
            now: NOW,
            permits: BTreeMap::new(),
            issued: Vec::new(),
            invoices: BTreeMap::new(),
            paid: Vec::new(),
            bookings: BTreeMap::new(),
            received: 0,
            slots: BTreeMap::new(),
            loaded: 0,
            orders: Vec::new(),
            tokens: BTreeMap::new(),
            notices: Vec::new(),
            ask_for_receipt: false,
            suspend: None,
            permit: None,
            receipt: None,
            notice: None,
            token: None,
            acknowledged: None,
            refuse: None,
            replay_refusals: false,
            count: 0,
        }
    }

    fn signer(&self) -> &TestSigner {
        self.forger.as_ref().unwrap_or(&self.signer)
    }

    fn seal<T: Form>(&self, content: T) -> Vec<u8> {
        Signed::seal(content, self.signer()).unwrap().bytes().to_vec()
    }

    fn refused(&self, number: u16, request: &[u8], code: Reject) -> Vec<u8> {
        let request = if self.replay_refusals { b"another" } else { request };
        self.seal(Refused::new(number, request, code, self.now))
    }

    fn told_to_refuse(&self, number: u16) -> Option<Reject> {
        self.refuse.filter(|(message, _)| *message == number).map(|(_, code)| code)
    }

    fn fresh(&mut self) -> [u8; 16] {
        self.count += 1;
        [self.count; 16]
    }

    pub(crate) fn ack_debit(&self) -> u32 {
        let booked = |seq: &u32| self.bookings.values().any(|(_, booked, _)| booked == seq);
        (1..).take_while(booked).last().unwrap_or_default()
    }

    fn ack_credit(&self) -> u32 {
        (1..).take_while(|slot| self.slots.contains_key(slot)).last().unwrap_or_default()
    }

    pub(crate) fn answer_150(&mut self, message: &PermitRequest, bytes: &[u8]) -> Answer {
        match self.grant(message) {
            Ok(permit) => Answer::Granted(permit.into()),
            Err(code) => Answer::Refused(self.refused(160, bytes, code).into()),
        }
    }

    fn grant(&mut self, message: &PermitRequest) -> Result<Vec<u8>, Reject> {
        if let Some(code) = self.told_to_refuse(160) {
            return Err(code);
        }
        let request = *SignedRecord::<DebitRequest>::parse(&message.request).unwrap().claims();
        let invoice = Signed::<Invoice>::parse(&message.invoice).unwrap();
        assert_eq!(request.invoice_hash, invoice.hash());
        if self.paid.contains(&invoice.hash()) {
            return Err(Reject::InvoicePaid);
        }
        let invoice = invoice.claims().clone();
        if invoice.due <= self.now {
            return Err(Reject::PastDue);
        }
        if self.bookings.values().any(|(_, seq, _)| *seq >= request.debit_seq.0) {
            return Err(Reject::SequenceUsed);
        }
        if let Some((permit, bytes)) = self.permits.get(&request.invoice_hash)
            && permit.expiry > self.now
            && permit.debit_seq == request.debit_seq
        {
            return Ok(bytes.clone());
        }
        let mut permit = Permit {
            card: request.card,
            debit_seq: request.debit_seq,
            payment: PaymentId(self.fresh()),
            invoice_hash: request.invoice_hash,
            shop: request.shop,
            amount: request.amount,
            currency: request.currency,
            expiry: Time((self.now.0 + 600).min(invoice.due.0)),
            epoch: Epoch(1),
            ack_debit: Sequence(self.ack_debit()),
            ack_credit: Sequence(self.ack_credit()),
        };
        if let Some(tweak) = &self.permit {
            tweak(&mut permit);
        }
        let bytes = SignedRecord::seal(permit, self.signer()).unwrap().bytes().to_vec();
        self.invoices.insert(request.invoice_hash, invoice);
        self.permits.insert(request.invoice_hash, (permit, bytes.clone()));
        self.issued.push(permit);
        Ok(bytes)
    }

    pub(crate) fn answer_170(&mut self, message: &ValueMessage, bytes: &[u8]) -> Booking {
        if let Some(code) = self.told_to_refuse(180) {
            return Booking::Refused(self.refused(180, bytes, code).into());
        }
        let record = SignedRecord::<DebitRecord>::parse(&message.record).unwrap();
        let hash = record.hash();
        let record = *record.claims();
        let known = self.issued.iter().any(|permit| permit.debit_record() == record);
        if !known {
            return Booking::Refused(self.refused(180, bytes, Reject::UnknownPayment).into());
        }
        if !self.bookings.contains_key(&hash) {
            let booking = self.book(&record, hash);
            self.bookings.insert(hash, (record.payment, record.debit_seq.0, booking));
        }
        if self.ask_for_receipt { Booking::Ask } else { self.bookings[&hash].2.clone() }
    }

    fn book(&mut self, record: &DebitRecord, debit_hash: Hash) -> Booking {
        let invoice = self.invoices[&record.invoice_hash].clone();
        let late = (invoice.due < self.now).then_some(SuspenseReason::PastDue);
        let paid = self.paid.contains(&record.invoice_hash).then_some(SuspenseReason::InvoicePaid);
        if let Some(reason) = self.suspend.or(paid).or(late) {
            return Booking::Suspended(self.suspense(record, debit_hash, reason).into());
        }
        let mut receipt = Receipt {
            number: Number,
            transaction: invoice.transaction,
            payer: invoice.payer,
            amount: record.amount,
            currency: record.currency,
            mode: invoice.mode,
            shop: record.shop,
            shop_name: invoice.shop_name,
            recipient: PartyName::new("ABC Money Collection Service").unwrap(),
            time: self.now,
            invoice_hash: record.invoice_hash,
            debit_hash,
            payment: record.payment,
        };
        if let Some(tweak) = &self.receipt {
            tweak(&mut receipt);
        }
        self.received += record.amount.0;
        self.paid.push(record.invoice_hash);
        Booking::Paid(self.seal(receipt).into())
    }

    fn suspense(
        &mut self,
        record: &DebitRecord,
        debit_hash: Hash,
        reason: SuspenseReason,
    ) -> Vec<u8> {
        let mut notice = SuspenseNotice {
            number: Number,
            payment: record.payment,
            card: record.card,
            debit_seq: record.debit_seq,
            amount: record.amount,
            currency: record.currency,
            invoice_hash: record.invoice_hash,
            debit_hash,
            reason,
            time: self.now,
            issuer: ISSUER,
        };
        if let Some(tweak) = &self.notice {
            tweak(&mut notice);
        }
        let notice = self.seal(notice);
        self.notices.push(notice.clone());
        notice
    }

    /// Makes the receipts of all debits anew when they come again.
    pub(crate) fn forget_bookings(&mut self) {
        self.bookings.clear();
        self.paid.clear();
        self.received = 0;
    }

    pub(crate) fn answer_190(&self, payment: PaymentId, bytes: &[u8]) -> Booking {
        if let Some(code) = self.told_to_refuse(200) {
            return Booking::Refused(self.refused(200, bytes, code).into());
        }
        let mut bookings = self.bookings.values();
        match bookings.find(|(booked, ..)| *booked == payment) {
            Some((_, _, booking)) => booking.clone(),
            None => Booking::Refused(self.refused(200, bytes, Reject::NotBooked).into()),
        }
    }

    /// Makes a load order for the card.
    pub(crate) fn order(&mut self, amount: u64) -> Vec<u8> {
        let order = LoadOrder {
            number: Number,
            credit: CreditId(self.fresh()),
            card: CARD,
            amount: Amount(amount),
            currency: YEN,
            expiry: Time(NOW.0 + 86_400),
            issuer: ISSUER,
            operator: Text::new("operator").unwrap(),
        };
        let order = self.seal(order);
        self.orders.push(order.clone());
        order
    }

    /// Load orders whose value the card has not taken.
    pub(crate) fn open_orders(&self) -> Vec<Vec<u8>> {
        let is_open = |order: &&Vec<u8>| {
            let credit = Signed::<LoadOrder>::parse(order).unwrap().claims().credit;
            self.tokens.get(&credit).is_none_or(|(_, taken)| !taken)
        };
        self.orders.iter().filter(is_open).cloned().collect()
    }

    pub(crate) fn answer_1170(&mut self, message: &TokenRequest, bytes: &[u8]) -> Answer {
        match self.grant_token(message) {
            Ok(token) => Answer::Granted(token.into()),
            Err(code) => Answer::Refused(self.refused(1180, bytes, code).into()),
        }
    }

    fn grant_token(&mut self, message: &TokenRequest) -> Result<Vec<u8>, Reject> {
        if let Some(code) = self.told_to_refuse(1180) {
            return Err(code);
        }
        let request = *SignedRecord::<CreditRequest>::parse(&message.request).unwrap().claims();
        let credit = match request.purpose {
            Purpose::Load => {
                Signed::<LoadOrder>::parse(&message.authority).unwrap().claims().credit
            }
            Purpose::Suspense | Purpose::Refund => {
                let notice = Signed::<SuspenseNotice>::parse(&message.authority).unwrap();
                CreditId(notice.claims().payment.0)
            }
        };
        match self.tokens.get(&credit) {
            Some((_, true)) => return Err(Reject::CreditTaken),
            _ if self.slots.contains_key(&request.slot.0) => return Err(Reject::SequenceUsed),
            // Invariant R: only the card's word that the slot went elsewhere replaces a token.
            Some((slot, _)) if *slot != request.slot.0 && !self.slots.contains_key(slot) => {
                return Err(Reject::CreditTaken);
            }
            _ => self.tokens.insert(credit, (request.slot.0, false)),
        };
        let mut token = CreditToken {
            card: request.card,
            slot: request.slot,
            credit,
            authority_hash: request.authority_hash,
            transaction: TransactionId([0; 16]),
            shop: ShopId([0; 8]),
            amount: request.amount,
            currency: request.currency,
            purpose: request.purpose,
            epoch: Epoch(1),
            ack_debit: Sequence(self.ack_debit()),
            ack_credit: Sequence(self.ack_credit()),
        };
        if let Some(tweak) = &self.token {
            tweak(&mut token);
        }
        Ok(SignedRecord::seal(token, self.signer()).unwrap().bytes().to_vec())
    }

    pub(crate) fn answer_1190(&mut self, message: &CreditReport, bytes: &[u8]) -> Answer {
        if let Some(code) = self.told_to_refuse(1200) {
            return Answer::Refused(self.refused(1200, bytes, code).into());
        }
        let (slot, hash, amount) = match SignedRecord::<CreditRecord>::parse(&message.record) {
            Ok(record) => {
                let taken = record.claims();
                self.tokens.insert(taken.credit, (taken.slot.0, true));
                (taken.slot, record.hash(), taken.amount.0)
            }
            Err(_) => {
                let record = SignedRecord::<BurnedSlot>::parse(&message.record).unwrap();
                (record.claims().slot, record.hash(), 0)
            }
        };
        if !self.slots.contains_key(&slot.0) {
            self.loaded += amount;
            let mut answer =
                CreditAcknowledged { number: Number, record_hash: hash, time: self.now };
            if let Some(tweak) = &self.acknowledged {
                tweak(&mut answer);
            }
            let answer = self.seal(answer);
            self.slots.insert(slot.0, answer);
        }
        Answer::Granted(self.slots[&slot.0].clone().into())
    }

    /// P's compact certificate. Nobody here checks its signature.
    pub(crate) fn compact(&self, generation: u32) -> Vec<u8> {
        let compact = CompactCertificate {
            issuer: ISSUER,
            generation: Generation(generation),
            key: self.signer.public_key(),
        };
        let payload = compact.encode().unwrap();
        let kid = KeyId([7; 8]);
        let structure = cose::sig_structure(kid, payload.as_bytes()).unwrap();
        let signature = self.signer.sign(structure.as_bytes()).unwrap();
        let sign1 = Sign1 { kid, payload: payload.as_bytes(), signature };
        sign1.write().unwrap().as_bytes().to_vec()
    }
}

/// What the double answers to a message that it cannot read, for the tests' own mistakes.
pub(crate) fn read<T: Form>(bytes: &[u8]) -> T {
    form::decode(bytes).unwrap()
}
