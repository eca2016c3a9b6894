//! `first-life.apdu`: what moves value, and every reason not to.

use apdu_spec::Refusal;
use apdu_spec::command::Command;
use apdu_spec::record::{BurnedSlot, CreditToken, Permit, Record};
use apdu_spec::value::{CardId, Epoch, Sequence};

use super::holder::request;
use super::life::{DOLLAR, Life, by_card, flipped, permit, token};
use super::transcript::any;
use super::{CARD, YEN};

/// Every way in which a record can have another form than the only one, each with a signature
/// that is valid for it.
pub(super) fn malformed(life: &mut Life) {
    life.script.part("A token where a permit is due, and the reverse");
    refused_malformed(life, token(1, 100).encode().unwrap().as_bytes());
    let permit = permit(1, 100);
    let payload = permit.encode().unwrap();
    let payload = payload.as_bytes();
    let signed = life.p.sign(payload);
    life.script.refused(&Command::Credit(signed.as_bytes()), Refusal::IncorrectData);
    life.script.part("Byte behind the map; one label less; label out of order; version 2");
    refused_malformed(life, &[payload, &[0]].concat());
    let without_last = &payload[..payload.len() - 2];
    refused_malformed(life, &[&[0xab], &without_last[1..]].concat());
    let mut swapped = without_last[..without_last.len() - 2].to_vec();
    swapped.extend([0x10, 0x00, 0x0f, 0x00]);
    refused_malformed(life, &swapped);
    refused_malformed(life, &flipped(payload, 4));
    life.script.part("A longer head than needed: for the map, for an integer; indefinite length");
    refused_malformed(life, &[&[0xb8, 0x0c], &payload[1..]].concat());
    refused_malformed(life, &[&payload[..payload.len() - 1], &[0x18, 0x00]].concat());
    refused_malformed(life, &[&[0xbf], &payload[1..], &[0xff]].concat());
    life.script.part("An integer too large for its field: ack_credit 2^32");
    let large = [0x1b, 0, 0, 0, 1, 0, 0, 0, 0];
    refused_malformed(life, &[&payload[..payload.len() - 1], &large].concat());
    life.script.part("COSE: no tag, a byte behind, another algorithm, an unprotected header");
    let signed = signed.as_bytes();
    let other_algorithm = [&signed[..5], &[0x27], &signed[6..]].concat();
    for bytes in [
        &signed[1..],
        &[signed, &[0]].concat(),
        &other_algorithm,
        &[&signed[..16], &[0xa1, 0x00, 0x00], &signed[17..]].concat(),
    ] {
        life.script.refused(&Command::Debit(bytes), Refusal::IncorrectData);
    }
}

fn refused_malformed(life: &mut Life, payload: &[u8]) {
    let signed = life.p.sign(payload);
    life.script.refused(&Command::Debit(signed.as_bytes()), Refusal::IncorrectData);
}

pub(super) fn credits(life: &mut Life) {
    life.script.part("Credit tokens: signature, card, currency, amount, slot, acknowledgements");
    let good = token(1, 50_000);
    let signed = life.signed_by_p(&good);
    let last = signed.as_bytes().len() - 1;
    let flipped = flipped(signed.as_bytes(), last);
    life.script.refused(&Command::Credit(&flipped), Refusal::BadSignature);
    let other_key = life.next_p.sign(good.encode().unwrap().as_bytes());
    life.script.refused(&Command::Credit(other_key.as_bytes()), Refusal::BadSignature);
    let card = CardId([0x12; 8]);
    life.refused_credit(&CreditToken { card, currency: DOLLAR, ..good }, Refusal::WrongCard);
    life.refused_credit(&CreditToken { currency: DOLLAR, ..token(1, 0) }, Refusal::WrongCurrency);
    life.refused_credit(&token(2, 0), Refusal::ZeroAmount);
    life.refused_credit(&token(0, 50_000), Refusal::WrongSequence);
    life.refused_credit(&token(2, 50_000), Refusal::WrongSequence);
    life.refused_credit(&CreditToken { ack_debit: Sequence(1), ..good }, Refusal::AckTooHigh);
    life.refused_credit(&CreditToken { ack_credit: Sequence(1), ..good }, Refusal::AckTooHigh);
}

pub(super) fn credits_taken(life: &mut Life) {
    let good = token(1, 50_000);
    life.script.part("No debit without value");
    life.refused_debit(&permit(1, 100), Refusal::InsufficientBalance);
    life.script.part("Taken once, answered again: also with another epoch, but no other content");
    life.credit(&good);
    life.expect_balance(50_000);
    life.credit(&good);
    life.credit(&CreditToken { epoch: Epoch(0), ack_debit: Sequence(9), ..good });
    life.expect_balance(50_000);
    life.refused_credit(&token(1, 50_001), Refusal::WrongSequence);
    let record = good.credit_record().encode().unwrap();
    let record = by_card(record.as_bytes());
    life.script.done(&Command::ReadCreditJournal { number: 1 }, &record);
    life.script.refused(&Command::ReadCreditJournal { number: 0 }, Refusal::RecordNotFound);
    life.script.refused(&Command::ReadCreditJournal { number: 2 }, Refusal::RecordNotFound);
    life.script.part("Epoch; overflow");
    life.refused_credit(&CreditToken { epoch: Epoch(4), ..token(2, 1) }, Refusal::OldEpoch);
    life.refused_credit(&token(2, u64::MAX - 49_999), Refusal::OverBalanceMax);
    life.expect_status([0, 0, 0, 1], 0, 50_000);
}

pub(super) fn debits(life: &mut Life) {
    life.script.part("Permits: card, currency, amount, sequence, epoch, acknowledgements, limits");
    let good = permit(1, 900);
    let other = Permit { card: CardId([0x12; 8]), currency: DOLLAR, ..good };
    life.refused_debit(&other, Refusal::WrongCard);
    life.refused_debit(&Permit { currency: DOLLAR, ..permit(1, 0) }, Refusal::WrongCurrency);
    life.refused_debit(&permit(2, 0), Refusal::ZeroAmount);
    let old = Epoch(4);
    life.refused_debit(&Permit { epoch: old, ..permit(2, 900) }, Refusal::WrongSequence);
    life.refused_debit(&permit(0, 900), Refusal::WrongSequence);
    let too_high = Sequence(1);
    let old_and_high = Permit { epoch: old, ack_debit: too_high, ..good };
    life.refused_debit(&old_and_high, Refusal::OldEpoch);
    life.refused_debit(&Permit { ack_debit: too_high, ..good }, Refusal::AckTooHigh);
    life.refused_debit(&Permit { ack_credit: Sequence(2), ..good }, Refusal::AckTooHigh);
    life.refused_debit(&permit(1, 50_001), Refusal::OverDebitMax);
    life.refused_debit(&permit(1, 1001), Refusal::PinNeeded);
}

pub(super) fn debits_taken(life: &mut Life) {
    let good = permit(1, 900);
    let old = Epoch(4);
    life.script.part(
        "Without PIN up to 1000 each and 2500 together. A repeat changes nothing, also with other\n\
             epoch and acknowledgements, or the other valid s",
    );
    let answer = format!("00000001 {}", any(64));
    life.script.done(&request(900, YEN), &answer);
    life.debit(&good);
    life.debit(&good);
    life.debit(&Permit { epoch: old, ack_debit: Sequence(9), ..good });
    let payload = good.encode().unwrap();
    let high_s = life.p.sign_with_high_s(payload.as_bytes());
    life.script.done(&Command::Debit(high_s.as_bytes()), &any(64));
    life.refused_debit(&permit(1, 901), Refusal::WrongSequence);
    life.expect_balance(49_100);
    life.debit(&permit(2, 900));
    life.refused_debit(&permit(3, 701), Refusal::PinNeeded);
    life.expect_status([0, 0, 2, 1], 1800, 48_200);
    life.script.part("A debit under the PIN sets the sum to zero; its repeat needs none");
    life.verify();
    life.debit(&permit(3, 701));
    life.debit(&permit(3, 701));
    life.expect_status([0, 0, 3, 1], 0, 47_499);
    let record = good.debit_record().encode().unwrap();
    let record = by_card(record.as_bytes());
    life.script.done(&Command::ReadDebitJournal { number: 1 }, &record);
    life.script.refused(&Command::ReadDebitJournal { number: 4 }, Refusal::RecordNotFound);
}

pub(super) fn acknowledgements(life: &mut Life) {
    life.script
        .part("The fifth record has no place until one is acknowledged, in the permit itself");
    life.debit(&permit(4, 500));
    life.refused_debit(&permit(5, 1001), Refusal::JournalFull);
    life.debit(&Permit { ack_debit: Sequence(2), ..permit(5, 500) });
    life.expect_status([2, 0, 5, 1], 1000, 46_499);
    life.script.part("What was acknowledged is gone; a lower acknowledgement is ignored");
    life.refused_debit(&permit(1, 900), Refusal::WrongSequence);
    life.debit(&permit(4, 500));
    life.debit(&permit(6, 499));
    life.expect_status([2, 0, 6, 1], 1499, 46_000);
    let record = permit(3, 701).debit_record().encode().unwrap();
    let record = by_card(record.as_bytes());
    life.script.done(&Command::ReadDebitJournal { number: 1 }, &record);
    life.script.refused(&Command::ReadDebitJournal { number: 5 }, Refusal::RecordNotFound);
}

pub(super) fn burned_slots(life: &mut Life) {
    let abort = |slot| Command::AbortCredit { slot: Sequence(slot) };
    life.script.part("ABORT CREDIT: exactly the next slot, with the PIN; a repeat without");
    for slot in [0, 1, 3] {
        life.script.refused(&abort(slot), Refusal::WrongSequence);
    }
    life.script.refused(&abort(2), Refusal::PinNeeded);
    life.verify();
    life.script.done(&abort(2), &any(64));
    life.script.done(&abort(2), &any(64));
    life.refused_credit(&token(2, 1), Refusal::WrongSequence);
    let record = BurnedSlot { card: CARD, slot: Sequence(2) }.encode().unwrap();
    let record = by_card(record.as_bytes());
    life.script.done(&Command::ReadCreditJournal { number: 2 }, &record);
    life.script.part("A full credit journal");
    life.credit(&token(3, 1000));
    life.credit(&token(4, 1000));
    life.refused_credit(&token(5, 1000), Refusal::JournalFull);
    life.verify();
    life.script.refused(&abort(5), Refusal::JournalFull);
    let acks = (Sequence(6), Sequence(4));
    life.credit(&CreditToken { ack_debit: acks.0, ack_credit: acks.1, ..token(5, 2000) });
    life.expect_status([6, 4, 6, 5], 1499, 50_000);
    life.script.refused(&Command::ReadDebitJournal { number: 1 }, Refusal::RecordNotFound);
    life.script.refused(&abort(2), Refusal::WrongSequence);
}
