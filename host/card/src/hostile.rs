//! For tests: every operation against cards that answer anything at all.

use std::collections::VecDeque;

use apdu_spec::command::{CreditFields, DebitFields, OrderFields};
use apdu_spec::cose::Sign1;
use apdu_spec::record::{CreditToken, Permit, Record};
use apdu_spec::value::{
    Amount, CreditId, Epoch, Hash, KeyId, Nonce, PaymentId, Purpose, RequestId, Sequence, ShopId,
    Signature, Time, TransactionId,
};
use firmware_bridge::{Disposition, Transport, TransportError};
use proptest::prelude::*;

use crate::client::Card;
use crate::scripted::{self, CARD, CardKey, YEN, ok, pin};

/// Answers a list of anything, again and again. Answers to SELECT may be left as they should be, so
/// that what follows is reached.
struct Hostile {
    answers: VecDeque<Result<Vec<u8>, TransportError>>,
    selects_well: bool,
    sent: usize,
}

impl Transport for Hostile {
    fn begin(&mut self) -> Result<(), TransportError> {
        Ok(())
    }

    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, TransportError> {
        self.sent = self.sent.saturating_add(1);
        match command {
            [0, 0xa4, 4, 0, ..] if self.selects_well => {
                return Ok(ok(scripted::fci().encode().unwrap()));
            }
            [0, 0xa4, 4, 0x0c, ..] if self.selects_well => return Ok(ok([])),
            _ => {}
        }
        self.answers.rotate_left(1);
        self.answers[0].clone()
    }

    fn end(&mut self, _: Disposition) -> Result<(), TransportError> {
        Ok(())
    }

    fn describe(&self) -> String {
        "hostile".to_owned()
    }
}

fn sign1(record: &impl Record) -> Vec<u8> {
    let payload = record.encode().unwrap();
    let sign1 =
        Sign1 { kid: KeyId([1; 8]), payload: payload.as_bytes(), signature: Signature([1; 64]) };
    sign1.write().unwrap().as_bytes().to_vec()
}

/// Tries everything. Nothing may panic, go on for ever, or be believed without a signature.
fn try_everything(card: &mut Card<Hostile>, key: &CardKey) {
    let nonce = Nonce([7; 16]);
    let (shop, amount, currency) = (ShopId([5; 8]), Amount(1), YEN);
    let hash = Hash([6; 32]);
    let permit = sign1(&Permit {
        card: CARD,
        debit_seq: Sequence(1),
        payment: PaymentId([4; 16]),
        invoice_hash: hash,
        shop,
        amount,
        currency,
        expiry: Time(1),
        epoch: Epoch(1),
        ack_debit: Sequence(0),
        ack_credit: Sequence(0),
    });
    let token = sign1(&CreditToken {
        card: CARD,
        slot: Sequence(1),
        credit: CreditId([5; 16]),
        authority_hash: hash,
        transaction: TransactionId([8; 16]),
        shop,
        amount,
        currency,
        purpose: Purpose::Load,
        epoch: Epoch(1),
        ack_debit: Sequence(0),
        ack_credit: Sequence(0),
    });
    let order =
        OrderFields { request_hash: hash, request: RequestId([1; 16]), shop, amount, currency };
    let debit = DebitFields { invoice_hash: hash, shop, amount, currency };
    let credit = CreditFields { authority_hash: hash, amount, currency, purpose: Purpose::Load };
    let journal = |card: &mut Card<Hostile>| card.journal().is_ok_and(|all| !all.is_empty());
    type Operation<'a> = &'a dyn Fn(&mut Card<Hostile>) -> bool;
    let signed: [Operation<'_>; 9] = [
        &|card| card.status(nonce).is_ok(),
        &|card| card.enrol(nonce).is_ok(),
        &|card| card.sign_order(&order, Some(&pin())).is_ok(),
        &|card| card.sign_request(&debit).is_ok(),
        &|card| card.debit(&permit, None).is_ok(),
        &|card| card.sign_credit_request(&credit).is_ok(),
        &|card| card.credit(&token).is_ok(),
        &|card| card.abort_credit(Sequence(1), &pin()).is_ok(),
        &journal,
    ];
    for (place, operation) in signed.iter().enumerate() {
        card.recall(key.identity());
        assert!(!operation(card), "operation {place} was believed");
    }
    assert!(card.present().is_err());
    drop(card.presence());
    drop(card.select());
    drop(card.tries());
    drop(card.balance());
    drop(card.limits());
    drop(card.public_key());
    drop(card.generate_key());
    drop(card.certificate());
    drop(card.history(&pin()));
    drop(card.install_certificate(&[1; 300], None));
}

fn answer() -> impl Strategy<Value = Result<Vec<u8>, TransportError>> {
    let bytes = prop::collection::vec(any::<u8>(), 0..300);
    let plausible = prop_oneof![0_usize..70, Just(64), Just(68), Just(70), Just(156), Just(200)]
        .prop_flat_map(|length| prop::collection::vec(any::<u8>(), length))
        .prop_map(ok);
    let refusal = prop_oneof![Just(0x6a83_u16), Just(0x6982), Just(0x63c2), any::<u16>()]
        .prop_map(|word| word.to_be_bytes().to_vec());
    prop_oneof![
        3 => bytes.prop_map(Ok),
        6 => plausible.prop_map(Ok),
        2 => refusal.prop_map(Ok),
        1 => Just(Err(TransportError::Reset)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn a_hostile_card_is_neither_believed_nor_followed_for_ever(
        answers in prop::collection::vec(answer(), 1..40),
        selects_well in any::<bool>(),
    ) {
        let key = CardKey::new();
        let hostile = Hostile { answers: answers.into(), selects_well, sent: 0 };
        let mut card = Card::new(hostile);
        try_everything(&mut card, &key);
        prop_assert!(card.into_transport().sent < 200);
    }

    #[test]
    fn any_bytes_are_an_fci_or_none(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _fci = crate::fci::read(&bytes);
    }

    #[test]
    fn a_changed_fci_does_not_panic(
        place in 0_usize..41, byte in any::<u8>(), cut in 0_usize..42,
    ) {
        let fci = scripted::fci().encode().unwrap();
        let mut bytes = fci.as_bytes().to_vec();
        bytes[place] = byte;
        bytes.truncate(cut);
        let _fci = crate::fci::read(&bytes);
    }
}
