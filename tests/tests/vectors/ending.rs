//! `first-life.apdu`: history, new keys and certificates, and the end.

use apdu_spec::Refusal;
use apdu_spec::command::Command;
use apdu_spec::record::Record;

use super::life::{Life, by_card, certificate_file, commit_of, permit};
use super::{CREDIT, PAYMENT, SHOP, YEN, hex};

pub(super) fn history(life: &mut Life) {
    life.script.part("History: 6 debits, 4 credits, a burned slot. One VERIFY, while it succeeds");
    let read = |number| Command::ReadHistory { number };
    life.script.refused(&read(1), Refusal::PinNeeded);
    life.verify();
    let (yen, shop) = (YEN.0, hex(&SHOP.0));
    let (credit, payment) = (hex(&CREDIT.0), hex(&PAYMENT.0));
    let zero = "00".repeat(16);
    for (number, entry) in [
        (1, format!("02 00000005 {:016X} {yen:04X} {shop} {credit} {:016X}", 2000, 50_000)),
        (4, format!("03 00000002 {:016X} {yen:04X} {} {zero} {:016X}", 0, "00".repeat(8), 46_000)),
        (5, format!("01 00000006 {:016X} {yen:04X} {shop} {payment} {:016X}", 499, 46_000)),
        (11, format!("02 00000001 {:016X} {yen:04X} {shop} {credit} {:016X}", 50_000, 50_000)),
    ] {
        life.script.done(&read(number), &entry);
    }
    life.script.refused(&read(12), Refusal::RecordNotFound);
    life.script.refused(&read(1), Refusal::PinNeeded);
    life.verify();
    life.script.refused(&read(0), Refusal::RecordNotFound);
    life.verify();
    life.script.refused(&read(33), Refusal::RecordNotFound);
    life.script.part("A permission that a READ RECORD has taken is good for nothing else");
    life.verify();
    life.script.done(&read(1), "*");
    life.refused_debit(&permit(7, 2000), Refusal::PinNeeded);
}

pub(super) fn next_payment_key(life: &mut Life) {
    life.script.part("P's next key withdraws the one before");
    let next = life.signed_by_root(life.certificate(7, &life.next_p));
    life.script.done(&Command::PutPaymentCertificate(next.as_bytes()), "");
    life.expect_fci(5, Some(7));
    life.refused_debit(&permit(7, 100), Refusal::BadSignature);
    let before = life.signed_by_root(life.certificate(2, &life.p));
    let before = Command::PutPaymentCertificate(before.as_bytes());
    life.script.refused(&before, Refusal::OldGeneration);
    std::mem::swap(&mut life.p, &mut life.next_p);
}

pub(super) fn renewal_and_end(life: &mut Life) {
    life.script.part("A new certificate file needs the PIN; until then the old one is read");
    let (old, new) = (certificate_file(0), certificate_file(100));
    life.write_certificate(&new);
    life.expect_certificate(&old);
    life.script.refused(&commit_of(&new), Refusal::PinNeeded);
    life.verify();
    life.script.done(&commit_of(&new), "");
    life.expect_certificate(&new);
    life.script.part("A card with value is not terminated");
    life.verify();
    life.script.refused(&Command::Terminate, Refusal::NotEmpty);
    let permits = [permit(7, 20_000), permit(8, 20_000), permit(9, 10_000)];
    for permit in &permits {
        life.verify();
        life.debit(permit);
    }
    life.expect_balance(0);
    life.script.part("An empty one is; records that P has not acknowledged stay readable");
    life.verify();
    life.script.done(&Command::Terminate, "");
    life.expect_fci(12, Some(7));
    for (permit, number) in permits.iter().zip(1..) {
        let record = by_card(permit.debit_record().encode().unwrap().as_bytes());
        life.script.done(&Command::ReadDebitJournal { number }, &record);
    }
    let behind = Command::ReadDebitJournal { number: 4 };
    life.script.refused(&behind, Refusal::RecordNotFound);
}
