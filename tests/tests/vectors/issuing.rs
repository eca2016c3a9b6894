//! `first-life.apdu`, first half: until the card has its keys, certificates and limits.

use apdu_spec::command::{Command, Personalisation};
use apdu_spec::record::{LimitsRecord, Record};
use apdu_spec::value::{CardId, Hash, LimitsVersion, PublicKey};
use apdu_spec::{CompactCertificate, Refusal};

use super::life::{
    LIMITS, Life, PIN, certificate_file, commit_of, flipped, limits_record, other_issuer, permit,
    personalisation, pin, public_key, token,
};
use super::transcript::any;
use super::{CARD, NONCE, YEN, hex};

/// A key that is no point of the curve.
fn no_point() -> PublicKey {
    let mut key = PublicKey([0; 64]);
    key.0[31] = 1;
    key.0[63] = 1;
    key
}

pub(super) fn blank(life: &mut Life) {
    life.script.part("Not selected");
    life.script.refused(&Command::ReadBalance, Refusal::ConditionsNotSatisfied);
    life.script.part("Blank");
    life.expect_fci(1, None);
    let certificate = life.signed_by_root(life.certificate(1, &life.p));
    for command in [
        Command::ReadBalance,
        Command::ReadKey,
        Command::GenerateKey,
        Command::ReadStatus { nonce: NONCE },
        Command::SignEnrolment { nonce: NONCE },
        Command::ReadLimits,
        Command::ReadTries,
        Command::Verify(pin(PIN)),
        Command::ReadBinary { offset: 0 },
        Command::ReadDebitJournal { number: 1 },
        Command::PutPaymentCertificate(certificate.as_bytes()),
        Command::Debit(&[0]),
        Command::Terminate,
    ] {
        life.script.refused(&command, Refusal::ConditionsNotSatisfied);
    }
    life.script.part("A PUK of 7 digits; a card root key that is no point");
    let puk = pin("7654321");
    let command = Command::Personalise(Personalisation { puk, ..personalisation() });
    life.script.refused(&command, Refusal::IncorrectData);
    let card_root = no_point();
    let command = Command::Personalise(Personalisation { card_root, ..personalisation() });
    life.script.refused(&command, Refusal::IncorrectData);
    life.script.part("Personalised, once");
    let command = Command::Personalise(personalisation());
    life.script.done(&command, "");
    life.script.refused(&command, Refusal::ConditionsNotSatisfied);
}

pub(super) fn personalised(life: &mut Life) {
    life.script.part("Without a key");
    life.expect_fci(3, Some(0));
    life.expect_balance(0);
    expect_limits(life, 0);
    for command in [
        Command::ReadKey,
        Command::ReadStatus { nonce: NONCE },
        Command::SignEnrolment { nonce: NONCE },
        Command::UpdateBinary { offset: 0, piece: &[1] },
        commit_of(&certificate_file(0)),
        Command::ReadBinary { offset: 0 },
        Command::ReadDebitJournal { number: 1 },
        Command::ReadCreditJournal { number: 1 },
        Command::Verify(pin(PIN)),
        Command::Debit(&[0]),
    ] {
        life.script.refused(&command, Refusal::ConditionsNotSatisfied);
    }
    life.script.part("The key is made once");
    life.script.done(&Command::GenerateKey, &public_key());
    life.script.refused(&Command::GenerateKey, Refusal::ConditionsNotSatisfied);
    life.script.done(&Command::ReadKey, &public_key());
    life.script.done(&Command::SignEnrolment { nonce: NONCE }, &any(64));
    life.script.refused(&Command::ReadDebitJournal { number: 1 }, Refusal::RecordNotFound);
    let status = format!(
        "03 03 0A 00000000 00000000 00000000 00000000 {zero} {card} {zero} {currency:04X} \
         00000000 00000000 {zero} {head} {signature}",
        zero = "0000000000000000",
        card = hex(&CARD.0),
        currency = YEN.0,
        head = "00".repeat(32),
        signature = any(64),
    );
    life.script.done(&Command::ReadStatus { nonce: NONCE }, &status);
}

fn expect_limits(life: &mut Life, version: u32) {
    let amounts = [LIMITS.balance_max, LIMITS.debit_max, LIMITS.pin_floor, LIMITS.pin_free_max];
    let [balance, debit, floor, free] = amounts.map(|amount| format!("{:016X}", amount.0));
    let order_pin = LIMITS.order_pin.number();
    let answer = format!("{version:08X} {balance} {debit} {floor} {free} {order_pin:02X}");
    life.script.done(&Command::ReadLimits, &answer);
}

pub(super) fn certificate(life: &mut Life) {
    life.script.part("Certificate file: pieces at multiples of 200, none beyond 2200");
    let file = certificate_file(0);
    life.write_certificate(&file);
    for offset in [100, 2200, 2400] {
        let command = Command::UpdateBinary { offset, piece: &[1] };
        life.script.refused(&command, Refusal::IncorrectData);
    }
    life.script.part("Committed only with its length and hash");
    for length in [0, 2201] {
        let command = Command::CommitCertificate { length, hash: Hash([0; 32]) };
        life.script.refused(&command, Refusal::IncorrectData);
    }
    life.script.refused(&commit_of(&certificate_file(1)), Refusal::IncorrectData);
    life.script.done(&commit_of(&file), "");
    life.script.part("Active. The next file is another one now, so the same commit fails");
    life.expect_fci(5, Some(0));
    life.script.refused(&commit_of(&file), Refusal::IncorrectData);
    life.expect_certificate(&file);
    life.script.done(&Command::SignEnrolment { nonce: NONCE }, &any(64));
    life.script.refused(&Command::GenerateKey, Refusal::ConditionsNotSatisfied);
}

pub(super) fn without_payment_key(life: &mut Life) {
    life.script.part("No key of P yet: the form is seen first");
    life.script.refused(&Command::Debit(&[0]), Refusal::IncorrectData);
    life.script.refused(&Command::Credit(&[0]), Refusal::IncorrectData);
    life.script.refused(&Command::PutLimits(&[0]), Refusal::IncorrectData);
    let permit = life.signed_by_p(&permit(1, 100));
    life.script.refused(&Command::Debit(permit.as_bytes()), Refusal::NoPaymentKey);
    let token = life.signed_by_p(&token(1, 100));
    life.script.refused(&Command::Credit(token.as_bytes()), Refusal::NoPaymentKey);
    let limits = life.signed_by_p(&limits_record(1));
    life.script.refused(&Command::PutLimits(limits.as_bytes()), Refusal::NoPaymentKey);
}

pub(super) fn payment_certificate(life: &mut Life) {
    let good = life.certificate(2, &life.p);
    let payload = good.encode().unwrap();
    let signed = life.signed_by_root(good);
    let refused = |life: &mut Life, bytes: &[u8], refusal| {
        life.script.refused(&Command::PutPaymentCertificate(bytes), refusal);
    };
    life.script.part("P's certificate: form (upper-case issuer, key no point), signature, issuer");
    refused(life, &flipped(signed.as_bytes(), 0), Refusal::IncorrectData);
    let mut upper_case = CompactCertificate { ..good };
    upper_case.issuer.0 = [0xab; 8];
    let upper_case = upper_case.encode().unwrap().as_bytes().to_ascii_uppercase();
    let upper_case = life.root.sign(&upper_case);
    refused(life, upper_case.as_bytes(), Refusal::IncorrectData);
    let no_point = CompactCertificate { key: no_point(), ..good };
    let no_point = life.signed_by_root(no_point);
    refused(life, no_point.as_bytes(), Refusal::IncorrectData);
    refused(life, &flipped(signed.as_bytes(), 187), Refusal::BadSignature);
    let by_p = life.p.sign(payload.as_bytes());
    refused(life, by_p.as_bytes(), Refusal::BadSignature);
    let by_p = life.p.sign_as(life.root.kid, payload.as_bytes());
    refused(life, by_p.as_bytes(), Refusal::BadSignature);
    let other = life.signed_by_root(other_issuer(good));
    refused(life, other.as_bytes(), Refusal::WrongIssuer);
    life.script.part("Generation: not 0; once more without effect; no other key, none lower");
    let zero = life.signed_by_root(life.certificate(0, &life.p));
    refused(life, zero.as_bytes(), Refusal::OldGeneration);
    life.script.done(&Command::PutPaymentCertificate(signed.as_bytes()), "");
    life.script.done(&Command::PutPaymentCertificate(signed.as_bytes()), "");
    let other_key = life.signed_by_root(life.certificate(2, &life.next_p));
    refused(life, other_key.as_bytes(), Refusal::OldGeneration);
    let lower = life.signed_by_root(life.certificate(1, &life.p));
    refused(life, lower.as_bytes(), Refusal::OldGeneration);
    life.expect_fci(5, Some(2));
}

pub(super) fn limits(life: &mut Life) {
    life.script.part("Limits: type, signature, card, version");
    let refused = |life: &mut Life, record: &[u8], refusal| {
        life.script.refused(&Command::PutLimits(record), refusal);
    };
    let permit = life.signed_by_p(&permit(1, 100));
    refused(life, permit.as_bytes(), Refusal::IncorrectData);
    let good = life.signed_by_p(&limits_record(1));
    let last = good.as_bytes().len() - 1;
    refused(life, &flipped(good.as_bytes(), last), Refusal::BadSignature);
    let payload = limits_record(1).encode().unwrap();
    let by_root = life.root.sign(payload.as_bytes());
    refused(life, by_root.as_bytes(), Refusal::BadSignature);
    let other = LimitsRecord { card: CardId([0x12; 8]), ..limits_record(1) };
    let other = life.signed_by_p(&other);
    refused(life, other.as_bytes(), Refusal::WrongCard);
    for version in [0, 2, u32::MAX] {
        let record = LimitsRecord { version: LimitsVersion(version), ..limits_record(1) };
        let record = life.signed_by_p(&record);
        refused(life, record.as_bytes(), Refusal::WrongLimitsVersion);
    }
    life.script.done(&Command::PutLimits(good.as_bytes()), "");
    refused(life, good.as_bytes(), Refusal::WrongLimitsVersion);
    expect_limits(life, 1);
}
