//! A story that does not tell the truth fails, and says where and why.

use std::fs;

use card_sim::{Card, RamChip, SmartCard};

use super::*;

/// Tells an active card these lines; gives what is wrong, without the folder's name.
fn error(lines: &str) -> String {
    let beginning = concat!(env!("CARGO_MANIFEST_DIR"), "/stories/card/blank_to_active.story");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lie.story");
    fs::write(&path, format!("include {beginning}\n{lines}\n")).unwrap();
    let mut card = Card::blank(RamChip::seeded(1)).unwrap();
    card.power_on();
    let told = Story::read(&path).and_then(|story| Runner::new(&mut card).run(&story));
    let Err(error) = told else {
        return "no error".to_owned();
    };
    let folder = format!("{}/", folder.path().display());
    error.to_string().replace(&folder, "")
}

const DEBIT: &str = "make permit p\n> 80 54 00 00 {len:p} {p} 00\n< {signature:64} 9000\n";

#[test]
fn the_truth_passes() {
    for lines in [
        "",
        "balance 10000",
        "check status balance=10000 epoch=1",
        "reset\n> 80 5C 00 00 00\n< 6985",
        "> 80 5C 00 00 00\n< {b:8} 0188 9000\n> 80 5C 00 00 00\n< {b} .. * 9000",
        "let b = {u64:10000}\n> 80 5C 00 00 00\n< {b} 0188 9000",
    ] {
        assert_eq!(error(lines), "no error", "{lines}");
    }
    let whole = format!("{DEBIT}check debit_record r of=p\n> 00 B2 01 0C 00\n< {{r}} 9000");
    assert_eq!(error(&whole), "no error");
    assert_eq!(error(&format!("{whole}\ncheck status balance=9000")), "no error");
}

#[test]
fn a_wrong_answer_is_told_with_file_line_expected_and_got() {
    assert_eq!(
        error("> 80 5C 00 00 00\n< 6985"),
        "lie.story:3: expected 6985\n     got 000000000000271001889000"
    );
    assert_eq!(
        error("> 00 20 00 01 08 {pin:4321}\n< 9000"),
        "lie.story:3: expected 9000\n     got 63C2 (wrong PIN or PUK)"
    );
    for (lines, expected) in [
        ("> 80 5C 00 00 00\n< 9000", "got 0000"),
        ("> 80 5C 00 00 00\n< {b:8} 9000", "expected {b:8} 9000"),
        ("> 80 5C 00 00 00\n< * 9001", "expected * 9001"),
        ("> 80 5C 00 {nothing}\n< 9000", "nothing is called nothing yet"),
        ("balance 9999", "lie.story:2: expected Balance"),
        ("check status balance=9999", "lie.story:2: expected balance 9999\n     got 10000"),
        ("check status credit_seq=2", "expected credit_seq 2\n     got 1"),
        ("check status colour=2", "colour= has no meaning here"),
        ("make permit p sequence=1", "sequence= has no meaning here"),
        ("make permit p seq=4294967296", "not a number that fits"),
        ("make permit p card=01", "card has 1 bytes, not 8"),
        ("make permit p like=q", "no permit q"),
        ("make permit p signature_of=q", "nobody signed q"),
        ("make token t purpose=4", "range"),
        ("make coffee c", "coffee cannot be made"),
        ("make permit", "make permit NAME"),
        ("check coffee", "coffee cannot be checked"),
        ("check debit_record", "of which permit?"),
        ("check burned_slot slot=2", "not the card's over this BurnedSlot"),
        ("reset\nbalance 10000", "expected 9000\n     got [69, 85]"),
    ] {
        let error = error(lines);
        assert!(error.contains(expected), "{lines}: {error}");
    }
}

#[test]
fn a_record_is_checked_to_the_last_field() {
    for (change, expected) in [
        ("", "no error"),
        ("amount=1001", "not the card's over this DebitRecord"),
        ("payment={zeros:16}", "not the card's over this DebitRecord"),
        ("invoice_hash={zeros:32}", "not the card's over this DebitRecord"),
        ("shop={zeros:8}", "not the card's over this DebitRecord"),
        ("seq=2", "not the card's over this DebitRecord"),
        // These do not concern value, so that they are not in the record.
        ("epoch=5 ack_debit=7 expiry=1", "no error"),
    ] {
        let lines = format!("{DEBIT}make permit q like=p {change}\ncheck debit_record of=q");
        assert!(error(&lines).contains(expected), "{change}: {}", error(&lines));
    }
    let unchecked = format!("{DEBIT}check status");
    assert!(error(&unchecked).contains("the journal head is not that of"));
}

#[test]
fn another_key_or_the_other_form_of_a_signature_is_no_signature_of_the_card() {
    let other_key = format!("{DEBIT}let card_key = {{stranger}}\ncheck debit_record of=p");
    assert!(error(&other_key).contains("not the card's"));
    let mut scene = Scene::new();
    let key = crate::keys::TestKey::named("card");
    scene.variables.insert("card_key".to_owned(), key.public().0.to_vec());
    let record = apdu_spec::record::BurnedSlot {
        card: apdu_spec::value::CardId([1; 8]),
        slot: apdu_spec::value::Sequence(1),
    };
    let payload = apdu_spec::record::Record::encode(&record).unwrap();
    let kid = crate::keys::key_id(&key.public());
    let mut low = key.sign(kid, payload.as_bytes());
    if !crate::keys::has_low_s(&low) {
        low = crate::keys::other_s(&low);
    }
    assert!(scene.signed_by_card(&record, low).is_ok());
    let high = scene.signed_by_card(&record, crate::keys::other_s(&low));
    assert!(high.unwrap_err().contains("above n/2"));
}
