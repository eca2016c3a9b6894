//! Transcripts of whole lives, each for a blank card: of the one that pays and is paid, of the one
//! that is blocked, and of the one that ends unused.

use apdu_spec::Refusal;
use apdu_spec::command::Command;
use apdu_spec::value::{Hash, Sequence};

use super::life::{Life, PIN, PUK, certificate_file, pin, public_key};
use super::transcript::any;
use super::{NONCE, check_file, ending, holder, issuing, transfers};

const HEADING: &str = "\
For a blank card, just powered up; the card is used up by it. All keys are TEST KEYS: the private
keys of card root, P, and P's next key are the SHA-256 of \"kozeni test card root key\",
\"kozeni test payment key\" and \"kozeni test payment key 2\".";

#[test]
fn the_first_life_is_as_in_the_file() {
    let mut life = Life::new(HEADING);
    for part in [
        issuing::blank,
        issuing::personalised,
        issuing::certificate,
        issuing::without_payment_key,
        issuing::payment_certificate,
        issuing::limits,
        holder::pin_and_puk,
        holder::orders,
        holder::requests,
        transfers::malformed,
        transfers::credits,
        transfers::credits_taken,
        transfers::debits,
        transfers::debits_taken,
        transfers::acknowledgements,
        transfers::burned_slots,
        ending::history,
        ending::next_payment_key,
        ending::renewal_and_end,
    ] {
        part(&mut life);
    }
    check_file("first-life.apdu", &life.script.text);
}

/// What stays readable on a card that is blocked or terminated.
fn still_readable(life: &mut Life, life_cycle: u8, tries: &str) {
    life.expect_fci(life_cycle, Some(0));
    life.script.done(&Command::ReadKey, &public_key());
    life.expect_certificate(&certificate_file(0));
    life.expect_balance(0);
    let status = format!("{life_cycle:02X} {tries} {}", any(154));
    life.script.done(&Command::ReadStatus { nonce: NONCE }, &status);
}

/// What neither a blocked nor a terminated card does.
fn nothing_else(life: &mut Life) {
    let hash = Hash([0; 32]);
    let certificate = life.signed_by_root(life.certificate(1, &life.p));
    for command in [
        Command::ReadTries,
        Command::Verify(pin(PIN)),
        Command::ReadHistory { number: 1 },
        Command::SignEnrolment { nonce: NONCE },
        Command::UpdateBinary { offset: 0, piece: &[1] },
        Command::CommitCertificate { length: 0, hash },
        Command::PutPaymentCertificate(certificate.as_bytes()),
        Command::PutLimits(&[0]),
        Command::Credit(&[0]),
        Command::Debit(&[0]),
        Command::AbortCredit { slot: Sequence(1) },
        Command::GenerateKey,
        Command::Terminate,
    ] {
        life.script.refused(&command, Refusal::ConditionsNotSatisfied);
    }
}

#[test]
fn the_blocked_life_is_as_in_the_file() {
    let mut life = Life::new(HEADING);
    life.make_active();
    life.script.part("The tenth wrong PUK blocks the card");
    let unblock = |puk| Command::UnblockPin { puk: pin(puk), new: pin(PIN) };
    for tries_left in (0..10).rev() {
        life.script.refused(&unblock("12345678"), Refusal::Wrong { tries_left });
    }
    life.script.refused(&unblock(PUK), Refusal::ConditionsNotSatisfied);
    life.script.part("Blocked");
    still_readable(&mut life, 4, "03 00");
    life.script.done(&Command::ReadLimits, &format!("00000000 {}", any(33)));
    life.script.refused(&Command::ReadDebitJournal { number: 1 }, Refusal::RecordNotFound);
    nothing_else(&mut life);
    check_file("blocked-life.apdu", &life.script.text);
}

#[test]
fn the_unused_life_is_as_in_the_file() {
    let mut life = Life::new(HEADING);
    life.make_active();
    life.script.part("An empty card is terminated with the PIN");
    life.script.refused(&Command::Terminate, Refusal::PinNeeded);
    life.verify();
    life.script.done(&Command::Terminate, "");
    life.script.refused(&Command::Terminate, Refusal::ConditionsNotSatisfied);
    life.script.part("Terminated");
    still_readable(&mut life, 12, "03 0A");
    life.script.refused(&Command::ReadLimits, Refusal::ConditionsNotSatisfied);
    nothing_else(&mut life);
    check_file("unused-life.apdu", &life.script.text);
}
