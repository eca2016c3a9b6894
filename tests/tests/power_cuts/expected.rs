//! What each command should change, told over what can be seen and nothing else: plain arithmetic
//! that shares no code with the card.

use apdu_spec::cose::{Sign1, sig_structure};
use apdu_spec::record::{BurnedSlot, CreditToken, LimitsRecord, Permit, Record};
use apdu_spec::value::{Amount, CreditId, LifeCycle, PublicKey, Sequence, ShopId, Signature};
use e2e::keys::{key_id, sha256, verifies};

use super::observed::Observed;

const HISTORY_MAX: usize = 32;

impl Observed {
    /// After a debit whose signature is this.
    pub(crate) fn debited(&self, permit: &Permit, signature: &[u8], under_pin: bool) -> Self {
        let mut after = self.clone();
        let record = after.signed(&permit.debit_record(), signature);
        after.acknowledge(permit.ack_debit, permit.ack_credit);
        after.debits.push(record);
        let status = after.status.as_mut().unwrap();
        status.epoch = permit.epoch;
        status.debit_seq = permit.debit_seq;
        status.balance.0 -= permit.amount.0;
        status.pin_free_spent.0 =
            if under_pin { 0 } else { status.pin_free_spent.0 + permit.amount.0 };
        after.remember(1, permit.debit_seq, permit.amount, permit.shop, CreditId(permit.payment.0));
        after
    }

    /// After a credit whose signature is this.
    pub(crate) fn credited(&self, token: &CreditToken, signature: &[u8]) -> Self {
        let mut after = self.clone();
        let record = after.signed(&token.credit_record(), signature);
        after.acknowledge(token.ack_debit, token.ack_credit);
        after.credits.push(record);
        let status = after.status.as_mut().unwrap();
        status.epoch = token.epoch;
        status.credit_seq = token.slot;
        status.balance.0 += token.amount.0;
        after.remember(2, token.slot, token.amount, token.shop, token.credit);
        after
    }

    /// After a slot was burned with this signature.
    pub(crate) fn burned(&self, slot: Sequence, signature: &[u8]) -> Self {
        let mut after = self.clone();
        let card = self.status.as_ref().unwrap().card;
        let record = after.signed(&BurnedSlot { card, slot }, signature);
        after.credits.push(record);
        after.status.as_mut().unwrap().credit_seq = slot;
        after.remember(3, slot, Amount(0), ShopId([0; 8]), CreditId([0; 16]));
        after
    }

    /// After new limits.
    pub(crate) fn limited(&self, record: &LimitsRecord) -> Self {
        let mut after = self.clone();
        after.limits = Some(limits_answer(record));
        after.status.as_mut().unwrap().limits_version = record.version;
        after
    }

    /// With so many tries of the PIN left; without any, nothing shows which one is right.
    pub(crate) fn with_pin_tries(&self, tries: u8) -> Self {
        let mut after = self.clone();
        after.status.as_mut().unwrap().pin_tries = tries;
        if tries == 0 {
            after.pin = None;
            after.history = Vec::new();
        }
        after
    }

    pub(crate) fn with_puk_tries(&self, tries: u8) -> Self {
        let mut after = self.clone();
        after.status.as_mut().unwrap().puk_tries = tries;
        if tries == 0 {
            after.puk = None;
        }
        after
    }

    pub(crate) fn with_pin(&self, pin: &'static str) -> Self {
        let mut after = self.clone();
        after.pin = Some(pin);
        after
    }

    /// In another life-cycle state, shown in FCI and status.
    pub(crate) fn in_life_cycle(&self, number: u8) -> Self {
        let mut after = self.clone();
        // 6F L 84 08 AID 8A 01 life cycle
        after.fci[14] = number;
        if let Some(status) = &mut after.status {
            status.life_cycle = LifeCycle::from_number(number).unwrap();
        }
        after
    }

    /// With P's key of this generation, shown in FCI and status.
    pub(crate) fn with_generation(&self, generation: u32) -> Self {
        let mut after = self.clone();
        let place = after.fci.len() - 4;
        after.fci[place..].copy_from_slice(&generation.to_be_bytes());
        after.status.as_mut().unwrap().generation.0 = generation;
        after
    }

    fn acknowledge(&mut self, debit: Sequence, credit: Sequence) {
        let status = self.status.as_mut().unwrap();
        let known = debit.0.saturating_sub(status.ack_debit.0);
        self.debits.drain(..usize::try_from(known).unwrap());
        status.ack_debit.0 += known;
        let known = credit.0.saturating_sub(status.ack_credit.0);
        self.credits.drain(..usize::try_from(known).unwrap());
        status.ack_credit.0 += known;
    }

    /// The whole record; it goes into the journal head.
    fn signed<R: Record>(&mut self, record: &R, signature: &[u8]) -> Vec<u8> {
        let object = self.public_key.as_ref().unwrap();
        // 7F49 43 86 41 04 x y
        let key = PublicKey(object[6..].try_into().unwrap());
        let payload = record.encode().unwrap();
        let sign1 = Sign1 {
            kid: key_id(&key),
            payload: payload.as_bytes(),
            signature: Signature(signature.try_into().unwrap()),
        };
        assert!(verifies(&key, &sign1), "{} is not signed by the card", R::NAME);
        let structure = sig_structure(sign1.kid, sign1.payload).unwrap();
        let status = self.status.as_mut().unwrap();
        let hash = sha256(structure.as_bytes());
        status.journal_head = sha256(&[status.journal_head.0, hash.0].concat());
        sign1.write().unwrap().as_bytes().to_vec()
    }

    /// The history entry, and the balance as GET BALANCE gives it.
    fn remember(
        &mut self,
        kind: u8,
        sequence: Sequence,
        amount: Amount,
        shop: ShopId,
        reference: CreditId,
    ) {
        let status = self.status.as_ref().unwrap();
        let currency = status.currency.0.to_be_bytes();
        let balance = status.balance.0.to_be_bytes();
        self.balance = Some([&balance[..], &currency].concat());
        let entry = [
            &[kind][..],
            &sequence.0.to_be_bytes(),
            &amount.0.to_be_bytes(),
            &currency,
            &shop.0,
            &reference.0,
            &balance,
        ]
        .concat();
        self.history.insert(0, entry);
        self.history.truncate(HISTORY_MAX);
    }
}

/// The answer of GET DATA (limits).
pub(crate) fn limits_answer(record: &LimitsRecord) -> Vec<u8> {
    [
        &record.version.0.to_be_bytes()[..],
        &record.balance_max.0.to_be_bytes(),
        &record.debit_max.0.to_be_bytes(),
        &record.pin_floor.0.to_be_bytes(),
        &record.pin_free_max.0.to_be_bytes(),
        &[record.order_pin.number()],
    ]
    .concat()
}
