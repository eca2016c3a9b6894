//! The commands that write, each with what it should change.

use apdu_spec::answer::StatusAnswer;
use apdu_spec::record::LimitsRecord;
use apdu_spec::value::{
    Amount, CardId, Currency, Epoch, Generation, Hash, IssuerId, LifeCycle, LimitsVersion,
    Sequence, Signature,
};
use apdu_spec::{AID, CompactCertificate};
use e2e::keys::TestKey;

use super::commands::{
    abort_credit, certificate_commands, command, credit, debit, next_limits, next_permit,
    next_token, put_limits, signed,
};
use super::expected::limits_answer;
use super::observed::{Observed, pin_block, verify};
use super::{Case, Names, Repeat, after_story};

const PIN: &str = "4711";
const WELL_USED: &str = "well_used.story";

fn card_id(names: &Names) -> CardId {
    CardId(names("card").try_into().unwrap())
}

#[test]
fn the_beginning_is_not_of_first_values() {
    let (chip, _) = after_story(WELL_USED, 1);
    let shown = Observed::of(&chip);
    let status = shown.status.unwrap();
    assert_eq!((status.pin_tries, status.puk_tries, status.generation.0), (2, 9, 5));
    assert_eq!((status.limits_version.0, status.epoch.0), (1, 9));
    assert_eq!((status.debit_seq.0, status.credit_seq.0), (37, 6));
    assert_eq!((status.ack_debit.0, status.ack_credit.0), (33, 2));
    assert_eq!((status.balance.0, status.pin_free_spent.0), (44_130, 800));
    assert_eq!((shown.debits.len(), shown.credits.len()), (4, 4));
    assert_eq!((shown.history.len(), shown.certificate.len()), (32, 333));
    assert_eq!(shown.pin, Some(PIN));
}

#[test]
fn debit_without_pin() {
    let (start, names) = after_story(WELL_USED, 2);
    let permit = next_permit(card_id(&names), 2_400);
    let case = Case {
        start,
        prepare: vec![],
        command: debit(&permit),
        states: Box::new(move |before, answer| {
            vec![before.clone(), before.debited(&permit, answer, false)]
        }),
        repeat: Repeat::SameAnswer,
    };
    assert!(case.check() > 2_000);
}

#[test]
fn debit_under_pin() {
    let (start, names) = after_story(WELL_USED, 3);
    let permit = next_permit(card_id(&names), 40_000);
    let case = Case {
        start,
        prepare: vec![verify(PIN)],
        command: debit(&permit),
        states: Box::new(move |before, answer| {
            vec![before.clone(), before.debited(&permit, answer, true)]
        }),
        repeat: Repeat::SameAnswer,
    };
    assert!(case.check() > 2_000);
}

#[test]
fn credit_of_a_refund() {
    let (start, names) = after_story(WELL_USED, 4);
    let token = next_token(card_id(&names), 1_234_567_890_123);
    let case = Case {
        start,
        prepare: vec![],
        command: credit(&token),
        states: Box::new(move |before, answer| {
            vec![before.clone(), before.credited(&token, answer)]
        }),
        repeat: Repeat::SameAnswer,
    };
    assert!(case.check() > 2_000);
}

#[test]
fn burning_a_slot() {
    let (start, names) = after_story(WELL_USED, 5);
    let slot = Sequence(7);
    // Acknowledges a slot, so that there is room for one more.
    let room = debit(&next_permit(card_id(&names), 2_400));
    let case = Case {
        start,
        prepare: vec![room, verify(PIN)],
        command: abort_credit(slot),
        states: Box::new(move |before, answer| vec![before.clone(), before.burned(slot, answer)]),
        repeat: Repeat::SameAnswer,
    };
    assert!(case.check() > 1_500);
}

#[test]
fn limits() {
    let (start, names) = after_story(WELL_USED, 6);
    let limits = next_limits(card_id(&names));
    let case = Case {
        start,
        prepare: vec![],
        command: put_limits(&limits),
        states: Box::new(move |before, _| vec![before.clone(), before.limited(&limits)]),
        repeat: Repeat::Refused(0x940b),
    };
    case.check();
}

#[test]
fn payment_certificate() {
    let (start, names) = after_story(WELL_USED, 7);
    let certificate = CompactCertificate {
        issuer: IssuerId(names("issuer").try_into().unwrap()),
        generation: Generation(6),
        key: TestKey::named("payment2").public(),
    };
    let certificate = signed(certificate.encode().unwrap().as_bytes(), "root");
    let case = Case {
        start,
        prepare: vec![],
        command: command([0, 0xda, 1, 2], &certificate, false),
        states: Box::new(|before, _| {
            let mut after = before.with_generation(6);
            assert_eq!(after.obeys, Some("payment"));
            after.obeys = Some("payment2");
            vec![before.clone(), after]
        }),
        repeat: Repeat::Succeeds,
    };
    case.check();
}

#[test]
fn certificate_commit() {
    let (start, _) = after_story(WELL_USED, 8);
    let file = vec![0x5a; 777];
    let (mut prepare, command) = certificate_commands(&file);
    prepare.push(verify(PIN));
    let case = Case {
        start,
        prepare,
        command,
        states: Box::new(move |before, _| {
            let mut after = before.clone();
            after.certificate.clone_from(&file);
            vec![before.clone(), after]
        }),
        repeat: Repeat::Succeeds,
    };
    case.check();
}

#[test]
fn certificate_piece() {
    let (start, _) = after_story(WELL_USED, 9);
    let (mut pieces, _) = certificate_commands(&[0xa5; 400]);
    let case = Case {
        start,
        prepare: vec![],
        command: pieces.remove(1),
        states: Box::new(|before, _| vec![before.clone()]),
        repeat: Repeat::Succeeds,
    };
    case.check();
}

#[test]
fn activation() {
    let (start, _) = after_story("key.story", 10);
    let file = vec![0x11; 300];
    let (prepare, command) = certificate_commands(&file);
    let case = Case {
        start,
        prepare,
        command,
        states: Box::new(move |before, _| {
            let mut after = before.in_life_cycle(5);
            after.certificate.clone_from(&file);
            vec![before.clone(), after]
        }),
        repeat: Repeat::Refused(0x6982),
    };
    case.check();
}

#[test]
fn personalisation() {
    let (personalised, names) = after_story("personalised.story", 11);
    let (blank, _) = after_story("parts/nothing.story", 11);
    let limits = LimitsRecord { version: LimitsVersion(0), ..next_limits(card_id(&names)) };
    let shown = Observed::of(&personalised);
    let data = [
        names("card"),
        names("issuer"),
        names("root"),
        392_u16.to_be_bytes().to_vec(),
        limits_answer(&limits)[4..].to_vec(),
        pin_block("2468").to_vec(),
        pin_block("87654321").to_vec(),
    ];
    let fci = [
        &[0x6f, 0x27, 0x84, 8][..],
        AID,
        &[0x8a, 1, 3, 0xa5, 0x18, 0x80, 2, 1, 0, 0x81, 8],
        &names("issuer"),
        &[0x82, 2, 1, 0x88, 0x83, 4, 0, 0, 0, 0],
    ]
    .concat();
    let case = Case {
        start: blank,
        prepare: vec![],
        command: command([0, 0xda, 1, 1], &data.concat(), false),
        states: Box::new(move |before, _| {
            let mut after = before.clone();
            after.fci.clone_from(&fci);
            after.balance.clone_from(&shown.balance);
            after.limits = Some(limits_answer(&limits));
            (after.pin, after.puk) = (Some("2468"), Some("87654321"));
            vec![before.clone(), after]
        }),
        repeat: Repeat::Refused(0x6985),
    };
    case.check();
}

#[test]
fn key_generation() {
    let (start, names) = after_story("personalised.story", 12);
    let card = card_id(&names);
    let case = Case {
        start,
        prepare: vec![],
        command: vec![0, 0x47, 0x80, 0, 0],
        states: Box::new(move |before, answer| {
            let mut after = before.clone();
            after.public_key = Some(answer.to_vec());
            after.status = Some(StatusAnswer {
                life_cycle: LifeCycle::Personalised,
                pin_tries: 3,
                puk_tries: 10,
                generation: Generation(0),
                limits_version: LimitsVersion(0),
                ack_debit: Sequence(0),
                ack_credit: Sequence(0),
                pin_free_spent: Amount(0),
                card,
                balance: Amount(0),
                currency: Currency(392),
                debit_seq: Sequence(0),
                credit_seq: Sequence(0),
                epoch: Epoch(0),
                journal_head: Hash([0; 32]),
                signature: Signature([0; 64]),
            });
            vec![before.clone(), after]
        }),
        repeat: Repeat::Refused(0x6985),
    };
    case.check();
}

#[test]
fn termination() {
    let (start, _) = after_story("certified.story", 13);
    let case = Case {
        start,
        prepare: vec![verify("1234")],
        command: vec![0, 0xe6, 0, 0],
        states: Box::new(|before, _| {
            let mut after = before.in_life_cycle(12);
            (after.pin, after.puk, after.obeys) = (None, None, None);
            after.limits = None;
            vec![before.clone(), after]
        }),
        repeat: Repeat::Refused(0x6985),
    };
    case.check();
}
