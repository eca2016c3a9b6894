//! The tables in APDU.md, which stand there for people, agree with the definition.

use apdu_spec::answer::Fci;
use apdu_spec::form::{FORMS, Form, Parameter};
use apdu_spec::record::RECORDS;
use apdu_spec::{AID, CompactCertificate, Refusal};

use super::{hex, spec_file};

pub(super) fn document() -> String {
    std::fs::read_to_string(spec_file("APDU.md")).unwrap()
}

/// The cells of the table whose first line begins with these headings.
pub(super) fn table(document: &str, headings: &[&str]) -> Vec<Vec<String>> {
    let cells = |line: &str| -> Vec<String> {
        let line = line.trim().trim_start_matches('|').trim_end_matches('|');
        line.split('|').map(|cell| cell.trim().to_owned()).collect()
    };
    let mut lines = document.lines();
    lines
        .by_ref()
        .find(|line| line.starts_with('|') && cells(line).starts_with(&owned(headings)))
        .unwrap_or_else(|| panic!("no table {headings:?}"));
    lines.skip(1).take_while(|line| line.starts_with('|')).map(cells).collect()
}

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

#[test]
fn the_command_table_is_the_one_of_the_definition() {
    let headings = ["command", "CLA", "INS", "P1", "P2", "data", "answer"];
    let expected: Vec<_> = FORMS.iter().map(|form| command_row(form)).collect();
    assert_eq!(table(&document(), &headings), expected);
}

fn command_row(form: &Form) -> Vec<String> {
    let parameter = |parameter| match parameter {
        Parameter::Is(value) => hex(&[value]),
        Parameter::Any => "any".to_owned(),
        Parameter::UpTo(most) => format!("00–{most:02X}"),
    };
    let lengths = form.data.iter().map(|range| match range {
        (least, most) if least == most => least.to_string(),
        (least, most) => format!("{least}–{most}"),
    });
    let lengths: Vec<_> = lengths.collect();
    vec![
        form.name.to_owned(),
        hex(&[form.cla]),
        hex(&[form.ins]),
        parameter(form.p1),
        parameter(form.p2),
        lengths.join(" or "),
        form.answer_max.to_string(),
    ]
}

#[test]
fn the_status_words_are_those_of_the_definition_in_order() {
    let rows = table(&document(), &["word", "name", "meaning"]);
    let found: Vec<_> = rows.iter().map(|row| (row[0].clone(), row[1].clone())).collect();
    let fixed = Refusal::FIXED.iter();
    let expected: Vec<_> = fixed
        .map(|refusal| (format!("{:04X}", refusal.status_word()), format!("{refusal:?}")))
        .chain([("63Cx".to_owned(), "Wrong".to_owned())])
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn the_records_are_those_of_the_definition() {
    let document = document();
    let rows = table(&document, &["record", "type"]);
    let found = rows.iter().map(|row| {
        let last = row.last().unwrap().clone();
        (row[0].clone(), row[1].clone(), last)
    });
    let expected = RECORDS
        .iter()
        .map(|(name, kind, size)| ((*name).to_owned(), format!("{kind:04X}"), size.to_string()));
    assert_eq!(found.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
    let cddl = std::fs::read_to_string(spec_file("records.cddl")).unwrap();
    for (name, kind, _) in RECORDS {
        let rule = format!("\n{} = {{\n  0 => {kind}, ", kebab(name));
        assert!(cddl.contains(&rule), "{name} in records.cddl");
    }
}

/// `DebitRecord` as the CDDL writes it: `debit-record`.
fn kebab(name: &str) -> String {
    let mut text = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !text.is_empty() {
            text.push('-');
        }
        text.extend(letter.to_lowercase());
    }
    text
}

#[test]
fn every_command_has_a_section() {
    let document = document();
    let sections: Vec<_> = document.lines().filter(|line| line.starts_with("### ")).collect();
    for form in FORMS {
        let name = form.name.trim_end_matches(" without FCI");
        let words = name.split(['(', ')']).map(str::trim).filter(|word| !word.is_empty());
        let is_of = |line: &&str| words.clone().all(|word| line.contains(word));
        assert!(sections.iter().any(is_of), "a section for {name}");
    }
}

#[test]
fn the_numbers_in_the_text_are_those_of_the_definition() {
    let document = document();
    let aid: Vec<_> = AID.iter().map(|byte| hex(&[*byte])).collect();
    for text in [
        format!("AID: `{}`", aid.join(" ")),
        format!("always {} bytes", CompactCertificate::SIGN1_SIZE),
        format!("{} bytes) is that of a personalised card", Fci::SIZE_MAX),
        format!("The PIN has {} tries, the PUK {}.", apdu_spec::PIN_TRIES, apdu_spec::PUK_TRIES),
        format!(
            "up to {} bytes, in pieces of {}",
            apdu_spec::CERTIFICATE_MAX,
            apdu_spec::PIECE_MAX
        ),
        format!("the last {} transfers", apdu_spec::HISTORY_MAX),
        format!("at most {} unacknowledged", apdu_spec::JOURNAL_MAX),
    ] {
        assert!(document.contains(&text), "{text}");
    }
}
