//! `form.apdu`: what the form of a command decides before the card's state does.

use apdu_spec::command::{Command, Personalisation};
use apdu_spec::form::{FORMS, Form, Parameter};
use apdu_spec::value::{Limits, Nonce, OrderPin, Pin, Sequence};
use apdu_spec::{AID, Refusal};

use super::test_key::TestKey;
use super::transcript::{Transcript, any};
use super::{AMOUNT, CARD, ISSUER, YEN, check_file};

const HEADING: &str = "\
For any card in any life cycle, just powered up. Changes nothing.
APDU.md, section 6: the form comes first, then fixed fields, then the state.";

const WRONG_PARAMETER: u8 = 0x55;

#[test]
fn forms_are_as_in_the_file() {
    let mut transcript = Transcript::new(HEADING);
    class_and_instruction(&mut transcript);
    for form in FORMS {
        let example = Example::new(form);
        transcript.part(form.name);
        parameters(&mut transcript, &example);
        lengths(&mut transcript, &example);
        if form.ins != 0xa4 {
            transcript.refused_bytes(&example.bytes, Refusal::ConditionsNotSatisfied);
        }
    }
    fixed_fields(&mut transcript);
    selection(&mut transcript);
    check_file("form.apdu", &transcript.text);
}

/// A well-formed command of each form.
pub(super) struct Example {
    form: &'static Form,
    pub(super) bytes: Vec<u8>,
}

impl Example {
    pub(super) fn new(form: &'static Form) -> Self {
        let length = form.data.last().unwrap().0;
        let data = match form.name {
            name if name.starts_with("SELECT") => AID.to_vec(),
            "VERIFY" => b"1234\xff\xff\xff\xff".to_vec(),
            "CHANGE REFERENCE DATA" | "RESET RETRY COUNTER" => [b'1'; 16].to_vec(),
            "PUT DATA (personalisation)" => personalisation(),
            "SIGN CREDIT REQUEST" => [vec![1], vec![0; 42]].concat(),
            _ => vec![0; length],
        };
        let mut bytes = vec![form.cla, form.ins, first(form.p1), first(form.p2)];
        push_data(&mut bytes, &data);
        if form.answer_max > 0 {
            bytes.push(0);
        }
        assert!(Command::decode(&bytes).is_ok(), "{}", form.name);
        Self { form, bytes }
    }

    /// The command with other data, still with the right Le.
    fn with_data(&self, data: &[u8]) -> Vec<u8> {
        let mut bytes = self.bytes[..4].to_vec();
        push_data(&mut bytes, data);
        if self.form.answer_max > 0 {
            bytes.push(0);
        }
        bytes
    }

    fn with_parameter(&self, place: usize, value: u8) -> Vec<u8> {
        let mut bytes = self.bytes.clone();
        bytes[place] = value;
        bytes
    }
}

fn first(parameter: Parameter) -> u8 {
    match parameter {
        Parameter::Is(value) => value,
        Parameter::Any | Parameter::UpTo(_) => 0,
    }
}

fn push_data(bytes: &mut Vec<u8>, data: &[u8]) {
    if !data.is_empty() {
        bytes.push(u8::try_from(data.len()).unwrap());
        bytes.extend(data);
    }
}

fn personalisation() -> Vec<u8> {
    let pin = || Pin::from_digits("12345678").unwrap();
    let limits = Limits {
        balance_max: AMOUNT,
        debit_max: AMOUNT,
        pin_floor: AMOUNT,
        pin_free_max: AMOUNT,
        order_pin: OrderPin::Never,
    };
    let (card_root, puk) = (TestKey::card_root().public, pin());
    let data = Personalisation {
        card: CARD,
        issuer: ISSUER,
        card_root,
        currency: YEN,
        limits,
        pin: pin(),
        puk,
    };
    let bytes = Command::Personalise(data).encode().unwrap();
    bytes.as_bytes()[5..].to_vec()
}

fn check_refused(transcript: &mut Transcript, bytes: &[u8], refusal: Refusal) {
    assert_eq!(Command::decode(bytes).err(), Some(refusal), "{bytes:02x?}");
    transcript.refused_bytes(bytes, refusal);
}

fn class_and_instruction(transcript: &mut Transcript) {
    transcript.part("Class before instruction before parameters before length");
    for cla in [0x01, 0x03, 0x04, 0x08, 0x0c, 0x10, 0x40, 0x81, 0x84, 0x90, 0xa0, 0xfe] {
        check_refused(transcript, &[cla, 0x54, 0, 0, 0], Refusal::ClassNotSupported);
    }
    for (cla, ins) in [(0x00, 0x54), (0x00, 0xc0), (0x00, 0x70), (0x80, 0xa4), (0x80, 0x5e)] {
        check_refused(transcript, &[cla, ins, 1, 2, 0], Refusal::InstructionNotSupported);
    }
    check_refused(transcript, &[0x80, 0x54, 1, 2, 0], Refusal::WrongParameters);
    check_refused(transcript, &[0x80, 0x54, 0, 0, 0], Refusal::WrongLength);
}

fn parameters(transcript: &mut Transcript, example: &Example) {
    let mut wrong = |place, value| {
        let bytes = example.with_parameter(place, value);
        check_refused(transcript, &bytes, Refusal::WrongParameters);
    };
    match example.form.p1 {
        Parameter::Is(_) => wrong(2, WRONG_PARAMETER),
        Parameter::UpTo(most) => wrong(2, most + 1),
        Parameter::Any => {}
    }
    match example.form.p2 {
        Parameter::Is(_) => wrong(3, WRONG_PARAMETER),
        Parameter::UpTo(most) => wrong(3, most + 1),
        Parameter::Any => {}
    }
}

fn lengths(transcript: &mut Transcript, example: &Example) {
    let form = example.form;
    let mut wrong = |bytes: &[u8]| check_refused(transcript, bytes, Refusal::WrongLength);
    let permitted =
        |length: &usize| form.data.iter().any(|(least, most)| (least..=most).contains(&length));
    let around = form.data.iter().flat_map(|(least, most)| [least.saturating_sub(1), most + 1]);
    for length in around.filter(|length| !permitted(length)) {
        wrong(&example.with_data(&vec![0; length]));
    }
    let bytes = &example.bytes;
    match bytes.get(4) {
        Some(lc) if bytes.len() > 5 => wrong(&example.with_parameter(4, lc - 1)),
        _ => {}
    }
    let (le, rest) = bytes.split_last().unwrap();
    if form.answer_max == 0 {
        wrong(&[bytes, &[0][..]].concat());
    } else {
        assert_eq!(*le, 0);
        wrong(rest);
        let least = u8::try_from(form.answer_max).unwrap();
        wrong(&[rest, &[least - 1]].concat());
        if form.ins != 0xa4 {
            let bytes = [rest, &[least]].concat();
            transcript.refused_bytes(&bytes, Refusal::ConditionsNotSatisfied);
        }
    }
}

fn fixed_fields(transcript: &mut Transcript) {
    transcript.part("Fixed fields out of range are seen before the state");
    let form = |name| FORMS.iter().find(|form| form.name == name).unwrap();
    for (name, place, value) in [
        ("VERIFY", 3, 0xff),
        ("VERIFY", 0, b'/'),
        ("VERIFY", 7, b'5'),
        ("CHANGE REFERENCE DATA", 8, b':'),
        ("RESET RETRY COUNTER", 7, 0),
        ("PUT DATA (personalisation)", 114, 3),
        ("PUT DATA (personalisation)", 115, 0xff),
        ("SIGN CREDIT REQUEST", 0, 0),
        ("SIGN CREDIT REQUEST", 0, 4),
    ] {
        let bytes = Example::new(form(name)).with_parameter(5 + place, value);
        check_refused(transcript, &bytes, Refusal::IncorrectData);
    }
}

fn selection(transcript: &mut Transcript) {
    transcript.part("Another name, a part of ours, and more than ours are not found");
    for fci in [true, false] {
        let example = Command::Select { fci }.encode().unwrap();
        let example =
            Example { form: FORMS[usize::from(!fci)], bytes: example.as_bytes().to_vec() };
        for name in [&AID[..7], &AID[..1], b"\xf0KOZENI\x02", b"\xf0KOZENI\x01\x00"] {
            check_refused(transcript, &example.with_data(name), Refusal::NotFound);
        }
    }
    transcript.refused(&Command::ReadBalance, Refusal::ConditionsNotSatisfied);
    transcript.part("Selected");
    transcript.done(&Command::Select { fci: false }, "");
    let fci = format!("6F {} 84 08 F04B4F5A454E4901 8A 01 {} A5 *", any(1), any(1));
    transcript.done(&Command::Select { fci: true }, &fci);
    transcript
        .part("A failed SELECT leaves the selection: what follows is still a question of form");
    check_refused(transcript, &[0x00, 0xa4, 0x04, 0x0c, 1, 0xf0], Refusal::NotFound);
    transcript.done(&Command::Select { fci: false }, "");
    for command in
        [Command::AbortCredit { slot: Sequence(1) }, Command::ReadStatus { nonce: Nonce([0; 16]) }]
    {
        let bytes = command.encode().unwrap();
        let (_, without_le) = bytes.as_bytes().split_last().unwrap();
        check_refused(transcript, without_le, Refusal::WrongLength);
    }
}
