//! What holds for any input: nothing makes the card panic or answer nonsense, and every codec has
//! exactly one form for each value.

mod draw;

use apdu_spec::apdu::{Apdu, read_answer};
use apdu_spec::command::Command;
use apdu_spec::cose::{PAYLOAD_MAX, SIGN1_MAX, Sign1};
use apdu_spec::form::{FORMS, Form, Parameter};
use apdu_spec::record::{
    BurnedSlot, CreditRecord, CreditRequest, CreditToken, DebitRecord, DebitRequest, Enrolment,
    LimitsRecord, Order, Permit, Record, Status,
};
use apdu_spec::{CompactCertificate, Refusal};
use card_sim::{Card, RamChip, SmartCard};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use crate::power_cuts::{Names, after_story};
use draw::{Draw, Source};

/// A change to bytes that may leave them as they are.
#[derive(Clone, Debug)]
enum Change {
    Set(Index, u8),
    Flip(Index, u32),
    Insert(Index, u8),
    Remove(Index),
    Cut(Index),
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        (any::<Index>(), any::<u8>()).prop_map(|(place, byte)| Change::Set(place, byte)),
        (any::<Index>(), 0..8_u32).prop_map(|(place, bit)| Change::Flip(place, bit)),
        (any::<Index>(), any::<u8>()).prop_map(|(place, byte)| Change::Insert(place, byte)),
        any::<Index>().prop_map(Change::Remove),
        any::<Index>().prop_map(Change::Cut),
    ]
}

fn changed(mut bytes: Vec<u8>, changes: &[Change]) -> Vec<u8> {
    for change in changes {
        if bytes.is_empty() {
            break;
        }
        let length = bytes.len();
        match change {
            Change::Set(place, byte) => bytes[place.index(length)] = *byte,
            Change::Flip(place, bit) => bytes[place.index(length)] ^= 1 << bit,
            Change::Insert(place, byte) => bytes.insert(place.index(length + 1), *byte),
            Change::Remove(place) => drop(bytes.remove(place.index(length))),
            Change::Cut(place) => bytes.truncate(place.index(length)),
        }
    }
    bytes
}

/// A record survives a round trip, and changed bytes are refused or are the one form of something.
fn check_record<R: Record + Draw + PartialEq + std::fmt::Debug>(noise: &[u8], changes: &[Change]) {
    let record = R::draw(&mut Source::new(noise));
    let payload = record.encode().unwrap();
    assert!(payload.as_bytes().len() <= R::PAYLOAD_MAX);
    assert_eq!(R::decode(payload.as_bytes()).as_ref(), Ok(&record));
    let other = changed(payload.as_bytes().to_vec(), changes);
    if let Ok(read) = R::decode(&other) {
        let again = read.encode().unwrap();
        assert_eq!(again.as_bytes(), other, "two forms of {read:?}");
    }
}

proptest! {
    #[test]
    fn records_have_one_form(noise in vec(any::<u8>(), 400), changes in vec(change(), 1..3)) {
        check_record::<Order>(&noise, &changes);
        check_record::<DebitRequest>(&noise, &changes);
        check_record::<Permit>(&noise, &changes);
        check_record::<DebitRecord>(&noise, &changes);
        check_record::<CreditRequest>(&noise, &changes);
        check_record::<CreditToken>(&noise, &changes);
        check_record::<CreditRecord>(&noise, &changes);
        check_record::<BurnedSlot>(&noise, &changes);
        check_record::<Status>(&noise, &changes);
        check_record::<LimitsRecord>(&noise, &changes);
        check_record::<Enrolment>(&noise, &changes);
    }

    #[test]
    fn certificates_have_one_form(noise in vec(any::<u8>(), 100), changes in vec(change(), 1..3)) {
        let certificate = CompactCertificate::draw(&mut Source::new(&noise));
        let payload = certificate.encode().unwrap();
        prop_assert_eq!(CompactCertificate::decode(payload.as_bytes()), Ok(certificate));
        let other = changed(payload.as_bytes().to_vec(), &changes);
        if let Ok(read) = CompactCertificate::decode(&other) {
            let again = read.encode().unwrap();
            prop_assert_eq!(again.as_bytes(), other);
        }
    }

    #[test]
    fn signed_records_have_one_form(
        noise in vec(any::<u8>(), 80),
        payload in vec(any::<u8>(), 0..=PAYLOAD_MAX),
        changes in vec(change(), 0..3),
    ) {
        let source = &mut Source::new(&noise);
        let (kid, signature) = (Draw::draw(source), Draw::draw(source));
        let sign1 = Sign1 { kid, payload: &payload, signature };
        let bytes = sign1.write().unwrap();
        prop_assert_eq!(Sign1::read(bytes.as_bytes()), Ok(sign1));
        let other = changed(bytes.as_bytes().to_vec(), &changes);
        if other.len() <= SIGN1_MAX && let Ok(read) = Sign1::read(&other) {
            let again = read.write().unwrap();
            prop_assert_eq!(again.as_bytes(), other);
        }
    }

    #[test]
    fn commands_have_one_form(command in semi_valid(), changes in vec(change(), 0..2)) {
        let bytes = changed(command, &changes);
        if let Ok(command) = Command::decode(&bytes) {
            let again = command.encode().unwrap();
            // Only Le may be written in another way: any that suffices is as good as 00.
            let before = Apdu::read(&bytes).unwrap();
            let after = Apdu::read(again.as_bytes()).unwrap();
            prop_assert_eq!(Apdu { le: after.le, ..before }, after);
            prop_assert_eq!(before.le.is_some(), after.le.is_some());
        }
    }

    #[test]
    fn no_bytes_hurt_a_card(commands in vec(vec(any::<u8>(), 0..300), 1..20)) {
        for card in &mut cards() {
            for command in &commands {
                check_answer(card, command);
            }
        }
    }

    #[test]
    fn no_commands_hurt_a_card(commands in vec(semi_valid(), 1..30)) {
        for card in &mut cards() {
            for command in &commands {
                check_answer(card, command);
            }
        }
    }

    #[test]
    fn nothing_but_the_permit_itself_is_a_permit(changes in vec(change(), 1..3)) {
        let (chip, names) = story();
        for (instruction, name) in [(0x54, "next_permit"), (0x52, "next_token")] {
            let genuine = names(name);
            let record = changed(genuine.clone(), &changes);
            let length = u8::try_from(record.len()).unwrap();
            let command = [&[0x80, instruction, 0, 0, length], &record[..], &[0]].concat();
            let mut card = selected(chip);
            let answer = check_answer(&mut card, &command);
            let taken = answer.ends_with(&[0x90, 0]);
            prop_assert_eq!(taken, record == genuine, "{:02X?}", answer);
        }
    }
}

/// Every form at and around the lengths that it permits, with and without Le.
#[test]
fn lengths_are_exactly_those_of_the_forms() {
    for form in FORMS {
        let mut lengths: Vec<usize> = form.data.iter().flat_map(|(a, b)| [*a, *b]).collect();
        lengths.extend([0, 255]);
        for length in lengths.clone() {
            lengths.extend([length.saturating_sub(1), length + 1]);
        }
        for length in lengths.into_iter().filter(|length| *length <= 255) {
            for le in [None, Some(0), Some(1), Some(255)] {
                let command = apdu(form, 1, 2, &vec![0x31; length], le);
                let fits = form.data.iter().any(|(a, b)| (*a..=*b).contains(&length))
                    && match le {
                        None => form.answer_max == 0,
                        Some(0) => form.answer_max > 0,
                        Some(le) => form.answer_max > 0 && usize::from(le) >= form.answer_max,
                    };
                let refused = Command::decode(&command).err() == Some(Refusal::WrongLength);
                assert_eq!(refused, !fits, "{} {length} {le:?}", form.name);
            }
        }
    }
}

fn apdu(form: &Form, p1: u8, p2: u8, data: &[u8], le: Option<u8>) -> Vec<u8> {
    let parameter = |parameter, variable: u8| match parameter {
        Parameter::Is(value) => value,
        Parameter::Any => variable,
        Parameter::UpTo(most) => variable % (most + 1),
    };
    let (p1, p2) = (parameter(form.p1, p1), parameter(form.p2, p2));
    let mut command = vec![form.cla, form.ins, p1, p2];
    if !data.is_empty() {
        command.push(u8::try_from(data.len()).unwrap());
        command.extend(data);
    }
    command.extend(le);
    command
}

/// A command of a form that exists, with data that rarely makes sense. PIN blocks and SELECT are
/// mostly right, so that what follows them is reached.
fn semi_valid() -> impl Strategy<Value = Vec<u8>> {
    let parameters = (any::<u8>(), any::<u8>(), any::<Index>());
    (0..FORMS.len(), parameters, vec(any::<u8>(), 256)).prop_map(
        |(form, (p1, p2, index), noise)| {
            let form = FORMS[form];
            let (least, most) = form.data[index.index(form.data.len())];
            let length = least + index.index(most - least + 1);
            let mut data = noise[..length].to_vec();
            if form.ins == 0xa4 {
                data = apdu_spec::AID.to_vec();
            } else if length.is_multiple_of(8) && matches!(form.ins, 0x20 | 0x24 | 0x2c) {
                data = b"4711\xff\xff\xff\xff".repeat(length / 8);
            }
            apdu(form, p1 % 40, p2, &data, (form.answer_max > 0).then_some(0))
        },
    )
}

/// An active card on which much has happened, with names for the next permit and token.
fn story() -> &'static (RamChip, Names) {
    thread_local! {
        static STORY: &'static (RamChip, Names) =
            Box::leak(Box::new(after_story("well_used.story", 40)));
    }
    STORY.with(|story| *story)
}

fn selected(chip: &RamChip) -> Card<RamChip> {
    let mut card = Card::new(chip.clone());
    card.power_on();
    let select = [&[0, 0xa4, 4, 0x0c, 8], apdu_spec::AID].concat();
    assert_eq!(card.transmit(&select), Some(vec![0x90, 0]));
    card
}

/// A blank card and an active one, selected.
fn cards() -> [Card<RamChip>; 2] {
    let blank = Card::blank(RamChip::seeded(41)).unwrap();
    [selected(blank.chip()), selected(&story().0)]
}

/// Whatever is sent, the answer is one that the specification has.
fn check_answer(card: &mut Card<RamChip>, command: &[u8]) -> Vec<u8> {
    let answer = card.transmit(command).unwrap();
    assert!((2..=258).contains(&answer.len()), "{command:02X?}");
    let read = read_answer(&answer).unwrap_or_else(|_| panic!("{command:02X?}: {answer:02X?}"));
    assert_ne!(read, Err(Refusal::MemoryFailure), "{command:02X?}");
    answer
}
