//! The purse: orders, debits and credits.

use apdu_spec::answer::{Balance, Numbered};
use apdu_spec::codec::CodecError;
use apdu_spec::command::{Command, CreditFields, DebitFields, OrderFields};
use apdu_spec::cose::Sign1;
use apdu_spec::record::{
    BurnedSlot, CreditRecord, CreditRequest, CreditToken, DebitRecord, DebitRequest, Order, Permit,
    Record,
};
use apdu_spec::value::{Pin, Sequence, Signature};
use firmware_bridge::Transport;

use crate::client::Card;
use crate::error::{CardError, Garbled};
use crate::session::Session;
use crate::signed::Signed;

impl<T: Transport> Card<T> {
    /// The balance, not signed.
    ///
    /// # Errors
    /// Any [`CardError`].
    pub fn balance(&mut self) -> Result<Balance, CardError> {
        self.operation(|session| {
            let answer = session.send(&Command::ReadBalance)?;
            Ok(Balance::decode(&answer).map_err(Garbled::from)?)
        })
    }

    /// SIGN ORDER (message 130), or a refund request (message 1110). Two APDUs, one more with PIN.
    ///
    /// # Errors
    /// Any [`CardError`]; [`Refusal::PinNeeded`](apdu_spec::Refusal::PinNeeded) where the issuer
    /// wants the PIN for this order.
    pub fn sign_order(
        &mut self,
        fields: &OrderFields,
        pin: Option<&Pin>,
    ) -> Result<Signed<Order>, CardError> {
        self.signed_operation(|session, identity| {
            session.verify(pin)?;
            let signature = sign(session, &Command::SignOrder(*fields))?;
            let record = Order {
                card: identity.card(),
                shop: fields.shop,
                amount: fields.amount,
                currency: fields.currency,
                request: fields.request,
                request_hash: fields.request_hash,
            };
            Signed::rebuild(record, signature, identity)
        })
    }

    /// SIGN REQUEST (D1): the card wants to pay an invoice with its next sequence. Two APDUs.
    ///
    /// # Errors
    /// Any [`CardError`].
    pub fn sign_request(
        &mut self,
        fields: &DebitFields,
    ) -> Result<Signed<DebitRequest>, CardError> {
        self.signed_operation(|session, identity| {
            let answer = number(session, &Command::SignRequest(*fields))?;
            let record = DebitRequest {
                card: identity.card(),
                debit_seq: answer.sequence,
                invoice_hash: fields.invoice_hash,
                shop: fields.shop,
                amount: fields.amount,
                currency: fields.currency,
            };
            Signed::rebuild(record, answer.signature, identity)
        })
    }

    /// DEBIT (D3): consumes a permit, a COSE_Sign1 by P. Two APDUs, one more with PIN.
    ///
    /// The same permit again gives the same record, without PIN, as long as it is in the journal.
    ///
    /// # Errors
    /// Any [`CardError`]; [`CardError::Unsendable`] for a permit that is malformed.
    pub fn debit(
        &mut self,
        permit: &[u8],
        pin: Option<&Pin>,
    ) -> Result<Signed<DebitRecord>, CardError> {
        let record = authority::<Permit>(permit)?.debit_record();
        self.signed_operation(|session, identity| {
            session.verify(pin)?;
            let signature = sign(session, &Command::Debit(permit))?;
            Signed::rebuild(record, signature, identity)
        })
    }

    /// SIGN CREDIT REQUEST (C1): the card wants value in its next slot. Two APDUs.
    ///
    /// # Errors
    /// Any [`CardError`].
    pub fn sign_credit_request(
        &mut self,
        fields: &CreditFields,
    ) -> Result<Signed<CreditRequest>, CardError> {
        self.signed_operation(|session, identity| {
            let answer = number(session, &Command::SignCreditRequest(*fields))?;
            let record = CreditRequest {
                card: identity.card(),
                slot: answer.sequence,
                authority_hash: fields.authority_hash,
                amount: fields.amount,
                currency: fields.currency,
                purpose: fields.purpose,
            };
            Signed::rebuild(record, answer.signature, identity)
        })
    }

    /// CREDIT (C3): takes the value of a token, a COSE_Sign1 by P. Two APDUs.
    ///
    /// The same token again gives the same record, as long as it is in the journal.
    ///
    /// # Errors
    /// Any [`CardError`]; [`CardError::Unsendable`] for a token that is malformed.
    pub fn credit(&mut self, token: &[u8]) -> Result<Signed<CreditRecord>, CardError> {
        let record = authority::<CreditToken>(token)?.credit_record();
        self.signed_operation(|session, identity| {
            let signature = sign(session, &Command::Credit(token))?;
            Signed::rebuild(record, signature, identity)
        })
    }

    /// ABORT CREDIT (CX): burns exactly this slot, the next one. Three APDUs.
    ///
    /// # Errors
    /// Any [`CardError`].
    pub fn abort_credit(
        &mut self,
        slot: Sequence,
        pin: &Pin,
    ) -> Result<Signed<BurnedSlot>, CardError> {
        self.signed_operation(|session, identity| {
            session.verify(Some(pin))?;
            let signature = sign(session, &Command::AbortCredit { slot })?;
            let record = BurnedSlot { card: identity.card(), slot };
            Signed::rebuild(record, signature, identity)
        })
    }
}

/// Reads what P has signed. The card verifies it; here it only tells what the card will sign.
fn authority<R: Record>(sign1: &[u8]) -> Result<R, CardError> {
    Sign1::read(sign1).and_then(|sign1| R::decode(sign1.payload)).map_err(CardError::Unsendable)
}

/// Sends a command whose answer is a signature only.
pub(crate) fn sign<T: Transport>(
    session: &mut Session<'_, T>,
    command: &Command<'_>,
) -> Result<Signature, CardError> {
    let answer = session.send(command)?;
    let signature = answer.as_slice().try_into();
    let signature = signature.map_err(|_| Garbled::Fields(CodecError::Short))?;
    Ok(Signature(signature))
}

fn number<T: Transport>(
    session: &mut Session<'_, T>,
    command: &Command<'_>,
) -> Result<Numbered, CardError> {
    let answer = session.send(command)?;
    Ok(Numbered::decode(&answer).map_err(Garbled::from)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scripted::{CARD, CardKey, Scripted, YEN, ok, pin, refused};
    use apdu_spec::Refusal;
    use apdu_spec::value::{
        Amount, CreditId, Epoch, Hash, PaymentId, Purpose, RequestId, ShopId, Time, TransactionId,
    };

    const SHOP: ShopId = ShopId([0x50; 8]);
    const PRICE: Amount = Amount(1_250);
    const PERMIT: Permit = Permit {
        card: CARD,
        debit_seq: Sequence(3),
        payment: PaymentId([4; 16]),
        invoice_hash: Hash([6; 32]),
        shop: SHOP,
        amount: PRICE,
        currency: YEN,
        expiry: Time(1_700_000_000),
        epoch: Epoch(1),
        ack_debit: Sequence(2),
        ack_credit: Sequence(0),
    };
    const REQUEST: DebitFields =
        DebitFields { invoice_hash: PERMIT.invoice_hash, shop: SHOP, amount: PRICE, currency: YEN };
    const TOKEN: CreditToken = CreditToken {
        card: CARD,
        slot: Sequence(9),
        credit: CreditId([5; 16]),
        authority_hash: Hash([7; 32]),
        transaction: TransactionId([8; 16]),
        shop: SHOP,
        amount: PRICE,
        currency: YEN,
        purpose: Purpose::Refund,
        epoch: Epoch(1),
        ack_debit: Sequence(2),
        ack_credit: Sequence(0),
    };

    fn numbered(sequence: Sequence, signature: Signature) -> Vec<u8> {
        let answer = Numbered { sequence, signature };
        ok(answer.encode().unwrap())
    }

    fn presented(key: &CardKey, script: Scripted) -> Card<Scripted> {
        let mut card = Card::new(script);
        card.recall(key.identity());
        card
    }

    #[test]
    fn a_purchase_is_seven_commands_in_three_transactions() {
        let (key, server) = (CardKey::new(), CardKey::new());
        let order = Order {
            card: CARD,
            shop: SHOP,
            amount: PRICE,
            currency: YEN,
            request: RequestId([1; 16]),
            request_hash: Hash([2; 32]),
        };
        let order_fields = OrderFields {
            request_hash: order.request_hash,
            request: order.request,
            shop: SHOP,
            amount: PRICE,
            currency: YEN,
        };
        let request = DebitRequest {
            card: CARD,
            debit_seq: PERMIT.debit_seq,
            invoice_hash: PERMIT.invoice_hash,
            shop: SHOP,
            amount: PRICE,
            currency: YEN,
        };
        let (permit, debit) = (server.sign1(&PERMIT), PERMIT.debit_record());
        let script = Scripted::default()
            .greeting()
            .send(&Command::SignOrder(order_fields), ok(key.sign(&order)))
            .leave()
            .again()
            .send(&Command::SignRequest(REQUEST), numbered(PERMIT.debit_seq, key.sign(&request)))
            .leave()
            .again()
            .send(&Command::Verify(pin()), ok([]))
            .send(&Command::Debit(&permit), ok(key.sign(&debit)))
            .reset();
        let mut card = presented(&key, script);
        let signed = card.sign_order(&order_fields, None).unwrap();
        assert_eq!(*signed.record(), order);
        assert_eq!(*card.sign_request(&REQUEST).unwrap().record(), request);
        let signed = card.debit(&permit, Some(&pin())).unwrap();
        assert_eq!(*signed.record(), debit);
        let opened = Signed::<DebitRecord>::open(signed.as_bytes(), &key.identity());
        assert_eq!(opened, Ok(signed));
    }

    #[test]
    fn a_credit_and_a_burned_slot_are_rebuilt() {
        let (key, server) = (CardKey::new(), CardKey::new());
        let fields = CreditFields {
            authority_hash: TOKEN.authority_hash,
            amount: PRICE,
            currency: YEN,
            purpose: Purpose::Refund,
        };
        let request = CreditRequest {
            card: CARD,
            slot: TOKEN.slot,
            authority_hash: TOKEN.authority_hash,
            amount: PRICE,
            currency: YEN,
            purpose: Purpose::Refund,
        };
        let burned = BurnedSlot { card: CARD, slot: Sequence(10) };
        let token = server.sign1(&TOKEN);
        let script = Scripted::default()
            .greeting()
            .send(&Command::SignCreditRequest(fields), numbered(TOKEN.slot, key.sign(&request)))
            .leave()
            .again()
            .send(&Command::Credit(&token), ok(key.sign(&TOKEN.credit_record())))
            .leave()
            .again()
            .send(&Command::Verify(pin()), ok([]))
            .send(&Command::AbortCredit { slot: burned.slot }, ok(key.sign(&burned)))
            .reset();
        let mut card = presented(&key, script);
        assert_eq!(*card.sign_credit_request(&fields).unwrap().record(), request);
        assert_eq!(*card.credit(&token).unwrap().record(), TOKEN.credit_record());
        let signed = card.abort_credit(burned.slot, &pin()).unwrap();
        assert_eq!(*signed.record(), burned);
    }

    #[test]
    fn a_wrong_pin_stops_before_the_debit_and_resets_the_card() {
        let (key, server) = (CardKey::new(), CardKey::new());
        let permit = server.sign1(&PERMIT);
        let wrong = Refusal::Wrong { tries_left: 2 };
        let script =
            Scripted::default().greeting().send(&Command::Verify(pin()), refused(wrong)).reset();
        let mut card = presented(&key, script);
        let debit = card.debit(&permit, Some(&pin()));
        assert_eq!(debit, Err(CardError::Refused(wrong)));
        assert!(card.identity().is_some(), "a refusal is no loss");
    }

    #[test]
    fn a_garbled_answer_gives_nothing_and_forgets_the_card() {
        let (key, other) = (CardKey::new(), CardKey::new());
        let (permit, debit) = (other.sign1(&PERMIT), PERMIT.debit_record());
        let good = key.sign(&debit).0;
        let dearer = DebitRecord { amount: Amount(1), ..debit };
        let length = CardError::Garbled(Garbled::Length);
        let short = CardError::Garbled(Garbled::Fields(CodecError::Short));
        let signature = CardError::Garbled(Garbled::Signature);
        for (case, answer, expected) in [
            ("nothing", vec![], &length),
            ("one byte", vec![0x90], &length),
            ("no signature", ok([]), &short),
            ("short signature", ok(&good[..63]), &short),
            ("trailing byte", ok([&good[..], &[0]].concat()), &length),
            ("over-long", ok([0; 257]), &length),
            ("data with a refusal", [&good[..], &[0x69, 0x82]].concat(), &length),
            ("other key", ok(other.sign(&debit)), &signature),
            ("other record", ok(key.sign(&dearer)), &signature),
            ("high s", ok(key.sign_high(&debit)), &signature),
            (
                "unknown status word",
                vec![0x61, 0x40],
                &CardError::Garbled(Garbled::StatusWord(0x6140)),
            ),
        ] {
            let script =
                Scripted::default().greeting().send(&Command::Debit(&permit), answer).leave();
            let mut card = presented(&key, script);
            assert_eq!(card.debit(&permit, None).as_ref(), Err(expected), "{case}");
            assert_eq!(card.identity(), None, "{case}");
            assert_eq!(card.debit(&permit, None), Err(CardError::NotPresented));
        }
    }

    #[test]
    fn what_is_not_a_permit_does_not_reach_the_card() {
        let key = CardKey::new();
        let permit = key.sign1(&PERMIT);
        let mut card = presented(&key, Scripted::default());
        for bytes in [&[][..], &permit[..permit.len() - 1], &key.sign1(&TOKEN)] {
            let debit = card.debit(bytes, Some(&pin()));
            assert!(matches!(debit, Err(CardError::Unsendable(_))), "{debit:?}");
        }
    }
}
