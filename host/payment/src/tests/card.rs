//! A soft card: signs records and keeps the rules that matter to P. Not the applet.

use std::collections::BTreeMap;

use apdu_spec::JOURNAL_MAX;
use apdu_spec::record::{
    BurnedSlot, CreditRequest, CreditToken, DebitRequest, Permit, Record, Status,
};
use apdu_spec::value::{
    Amount, CardId, Currency, Epoch, Hash, Nonce, PublicKey, Purpose, Sequence, Signature,
};
use keystore::KeyPair;
use protocol::document::Invoice;
use protocol::load::LoadOrder;
use protocol::purchase::Chain;
use protocol::signed::{SignedRecord, Signer, SignerError, Verified};

/// A key with its chain, as the tests sign with it. Copies share the key.
#[derive(Clone)]
pub(super) struct TestSigner {
    pub(super) pair: std::sync::Arc<KeyPair>,
    pub(super) chain: Vec<Vec<u8>>,
}

impl Signer for TestSigner {
    fn chain(&self) -> &[Vec<u8>] {
        &self.chain
    }

    fn public_key(&self) -> PublicKey {
        self.pair.public_key()
    }

    fn sign(&self, message: &[u8]) -> Result<Signature, SignerError> {
        self.pair.sign(message)
    }
}

impl TestSigner {
    pub(super) fn message_chain(&self) -> Chain {
        self.chain.iter().map(|der| der.clone().into()).collect()
    }

    pub(super) fn record<R: Record>(&self, record: R) -> Vec<u8> {
        SignedRecord::seal(record, self).unwrap().bytes().to_vec()
    }
}

/// A card.
#[derive(Clone)]
pub(super) struct SoftCard {
    pub(super) id: CardId,
    pub(super) payer: String,
    pub(super) signer: TestSigner,
    /// Serial number of its certificate.
    pub(super) serial: u64,
    pub(super) balance: u64,
    pub(super) debit_seq: u32,
    pub(super) credit_seq: u32,
    pub(super) ack_debit: u32,
    pub(super) ack_credit: u32,
    /// Debit records with their amounts, by sequence.
    pub(super) debits: BTreeMap<u32, (Vec<u8>, u64)>,
    /// Credit records (burned slots: amount 0), by slot.
    pub(super) slots: BTreeMap<u32, (Vec<u8>, u64)>,
}

pub(super) const YEN: Currency = Currency(392);

impl SoftCard {
    /// Signature 52 over an invoice, with the next sequence.
    pub(super) fn request(&self, invoice: &Verified<Invoice>) -> Vec<u8> {
        self.request_at(invoice, self.debit_seq + 1)
    }

    pub(super) fn request_at(&self, invoice: &Verified<Invoice>, debit_seq: u32) -> Vec<u8> {
        self.signer.record(DebitRequest {
            card: self.id,
            debit_seq: Sequence(debit_seq),
            invoice_hash: invoice.hash(),
            shop: invoice.shop,
            amount: invoice.amount,
            currency: invoice.currency,
        })
    }

    /// DEBIT: the record, or `None` where a card refuses.
    pub(super) fn debit(&mut self, permit: &[u8]) -> Option<Vec<u8>> {
        let permit = *SignedRecord::<Permit>::parse(permit).unwrap().claims();
        assert_eq!(permit.card, self.id);
        let Permit { debit_seq, ack_debit, ack_credit, amount, .. } = permit;
        if debit_seq.0 != self.debit_seq + 1 || amount.0 > self.balance {
            return None;
        }
        let acks = self.acknowledged(ack_debit, ack_credit)?;
        if self.debit_seq - acks.0 >= JOURNAL_MAX {
            return None;
        }
        (self.ack_debit, self.ack_credit) = acks;
        self.balance -= amount.0;
        self.debit_seq += 1;
        let record = self.signer.record(permit.debit_record());
        self.debits.insert(self.debit_seq, (record.clone(), amount.0));
        Some(record)
    }

    /// The acknowledgements after a permit or token; one above what the card did is a fault of P.
    fn acknowledged(&self, debit: Sequence, credit: Sequence) -> Option<(u32, u32)> {
        assert!(debit.0 <= self.debit_seq && credit.0 <= self.credit_seq, "acknowledged too much");
        Some((self.ack_debit.max(debit.0), self.ack_credit.max(credit.0)))
    }

    /// C1 for a load order, with the next slot.
    pub(super) fn credit_request(&self, order: &Verified<LoadOrder>) -> Vec<u8> {
        self.credit_request_at(order, self.credit_seq + 1)
    }

    pub(super) fn credit_request_at(&self, order: &Verified<LoadOrder>, slot: u32) -> Vec<u8> {
        self.signer.record(CreditRequest {
            card: self.id,
            slot: Sequence(slot),
            authority_hash: order.hash(),
            amount: order.amount,
            currency: order.currency,
            purpose: Purpose::Load,
        })
    }

    /// CREDIT: the record, or `None` where a card refuses.
    pub(super) fn credit(&mut self, token: &[u8]) -> Option<Vec<u8>> {
        let token = *SignedRecord::<CreditToken>::parse(token).unwrap().claims();
        assert_eq!(token.card, self.id);
        if token.slot.0 != self.credit_seq + 1 {
            return None;
        }
        let acks = self.acknowledged(token.ack_debit, token.ack_credit)?;
        if self.credit_seq - acks.1 >= JOURNAL_MAX {
            return None;
        }
        (self.ack_debit, self.ack_credit) = acks;
        self.balance += token.amount.0;
        self.credit_seq += 1;
        let record = self.signer.record(token.credit_record());
        self.slots.insert(self.credit_seq, (record.clone(), token.amount.0));
        Some(record)
    }

    /// ABORT CREDIT: burns the next slot.
    pub(super) fn burn(&mut self) -> Option<Vec<u8>> {
        if self.credit_seq - self.ack_credit >= JOURNAL_MAX {
            return None;
        }
        self.credit_seq += 1;
        let record = BurnedSlot { card: self.id, slot: Sequence(self.credit_seq) };
        let record = self.signer.record(record);
        self.slots.insert(self.credit_seq, (record.clone(), 0));
        Some(record)
    }

    pub(super) fn status(&self, nonce: Nonce) -> Vec<u8> {
        self.signer.record(Status {
            card: self.id,
            debit_seq: Sequence(self.debit_seq),
            credit_seq: Sequence(self.credit_seq),
            currency: YEN,
            epoch: Epoch(1),
            nonce,
            balance: Amount(self.balance),
            journal_head: Hash([0; 32]),
        })
    }
}
