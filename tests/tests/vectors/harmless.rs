//! `harmless.apdu`: what any active card answers, without a change to it.

use apdu_spec::Refusal;
use apdu_spec::command::{Command, DebitFields};
use apdu_spec::value::{Amount, Currency, Hash, Sequence};

use super::life::{personalisation, public_key};
use super::transcript::{Transcript, any};
use super::{INVOICE, NONCE, SHOP, check_file};

const HEADING: &str = "\
For any active card, with or without P's key, whatever it holds. No PIN is verified, and nothing
changes. The card's currency is taken to be another one than FFFF.";

#[test]
fn harmless_commands_are_as_in_the_file() {
    let mut script = Transcript::new(HEADING);
    script.part("SELECT");
    let issued = format!("81 08 {} 82 02 {} 83 04 {}", any(8), any(2), any(4));
    let fci = format!("6F 27 84 08 F04B4F5A454E4901 8A 01 05 A5 18 80 02 0100 {issued}");
    script.done(&Command::Select { fci: true }, &fci);
    script.done(&Command::Select { fci: false }, "");
    readable(&mut script);
    refused(&mut script);
    script.part("Still selected and active");
    script.done(&Command::ReadBalance, &any(10));
    check_file("harmless.apdu", &script.text);
}

fn readable(script: &mut Transcript) {
    script.part("What can be read");
    script.done(&Command::ReadBalance, &any(10));
    script.done(&Command::ReadStatus { nonce: NONCE }, &format!("05 {}", any(156)));
    script.done(&Command::ReadKey, &public_key());
    script.done(&Command::SignEnrolment { nonce: NONCE }, &any(64));
    script.done(&Command::ReadLimits, &any(37));
    script.done(&Command::ReadBinary { offset: 0 }, ".. *");
    script.expect(&Command::ReadTries, "63 ..");
}

fn refused(script: &mut Transcript) {
    script.part("Nothing there");
    script.refused(&Command::ReadBinary { offset: 2200 }, Refusal::RecordNotFound);
    for number in [0, 5, 255] {
        script.refused(&Command::ReadDebitJournal { number }, Refusal::RecordNotFound);
        script.refused(&Command::ReadCreditJournal { number }, Refusal::RecordNotFound);
    }
    script.part("Malformed");
    script.refused(&Command::ReadBinary { offset: 1 }, Refusal::IncorrectData);
    script.refused(&Command::UpdateBinary { offset: 1, piece: &[0] }, Refusal::IncorrectData);
    let hash = Hash([0; 32]);
    script.refused(&Command::CommitCertificate { length: 0, hash }, Refusal::IncorrectData);
    script.refused(&Command::PutPaymentCertificate(&[0; 188]), Refusal::IncorrectData);
    for bytes in [&[0; 1][..], &[0xd2; 240]] {
        script.refused(&Command::Debit(bytes), Refusal::IncorrectData);
        script.refused(&Command::Credit(bytes), Refusal::IncorrectData);
        script.refused(&Command::PutLimits(bytes), Refusal::IncorrectData);
    }
    script.part("Another currency; a slot that is never the next one");
    let (amount, currency) = (Amount(0), Currency(0xffff));
    let (invoice_hash, shop) = (INVOICE, SHOP);
    let fields = DebitFields { invoice_hash, shop, amount, currency };
    script.refused(&Command::SignRequest(fields), Refusal::WrongCurrency);
    let abort = Command::AbortCredit { slot: Sequence(0) };
    script.refused(&abort, Refusal::WrongSequence);
    script.part("Only once in the life of a card");
    let again = Command::Personalise(personalisation());
    script.refused(&again, Refusal::ConditionsNotSatisfied);
    script.refused(&Command::GenerateKey, Refusal::ConditionsNotSatisfied);
}
