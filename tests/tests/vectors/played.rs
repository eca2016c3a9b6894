//! What the specification promises against what the software card does: its transcripts, and its
//! table of what is allowed in which life cycle.

use apdu_spec::AID;
use apdu_spec::form::FORMS;
use card::transcript::{Difference, Transcript};
use card::{Disposition, Transport, TransportError};
use card_sim::{Card, RamChip, SmartCard};

use super::document::{document, table};
use super::forms::Example;
use super::spec_file;
use crate::power_cuts::after_story;

/// A card in this process.
struct InProcess(Card<RamChip>);

impl Transport for InProcess {
    fn begin(&mut self) -> Result<(), TransportError> {
        Ok(())
    }

    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, TransportError> {
        self.0.transmit(command).ok_or(TransportError::Mute)
    }

    fn end(&mut self, disposition: Disposition) -> Result<(), TransportError> {
        if disposition == Disposition::Reset {
            self.0.reset();
        }
        Ok(())
    }

    fn describe(&self) -> String {
        "in process".to_owned()
    }
}

/// Plays a transcript to a card and returns it, when every answer was as promised.
fn play(name: &str, chip: RamChip) -> RamChip {
    let text = std::fs::read_to_string(spec_file("vectors").join(name)).unwrap();
    let mut card = InProcess(Card::new(chip));
    let differences = Transcript::parse(&text).unwrap().play(&mut card).unwrap();
    if let Some(Difference { line, expected, received, .. }) = differences.first() {
        panic!("{name}, line {line}: expected {expected}\n     got {received:02X?}");
    }
    card.0.into_chip()
}

#[test]
fn a_card_lives_as_in_the_files() {
    for name in ["first-life.apdu", "blocked-life.apdu", "unused-life.apdu"] {
        let (blank, _) = after_story("parts/nothing.story", 70);
        play(name, blank);
    }
}

#[test]
fn what_shall_change_nothing_changes_nothing() {
    let form = "form.apdu";
    for (story, names) in [
        ("parts/nothing.story", &[form][..]),
        ("personalised.story", &[form]),
        ("key.story", &[form]),
        ("certified.story", &[form, "harmless.apdu"]),
        ("well_used.story", &[form, "harmless.apdu"]),
        ("puk_exhausted.story", &[form]),
        ("terminate.story", &[form]),
    ] {
        let (chip, _) = after_story(story, 71);
        for name in names {
            let after = play(name, chip.clone());
            assert!(after.image() == chip.image(), "{name} after {story}");
        }
    }
}

#[test]
fn the_life_cycle_table_is_what_the_card_does() {
    let rows = table(&document(), &["command", "Blank"]);
    for (story, column, has_key) in [
        ("parts/nothing.story", 1, false),
        ("personalised.story", 2, false),
        ("key.story", 2, true),
        ("certified.story", 3, true),
        ("puk_exhausted.story", 4, true),
        ("terminate.story", 5, true),
    ] {
        let (chip, _) = after_story(story, 72);
        for form in FORMS {
            let name = form.name.trim_end_matches(" without FCI");
            let is_of = |row: &&Vec<String>| row[0].split(',').next() == Some(name);
            let row = rows.iter().find(is_of).unwrap_or_else(|| panic!("no row for {name}"));
            let allowed = match row[column].as_str() {
                "" => false,
                "key" => has_key,
                "no key" => !has_key,
                _ => true,
            };
            let mut card = Card::new(chip.clone());
            card.power_on();
            card.transmit(&[&[0, 0xa4, 4, 0x0c, 8], AID].concat()).unwrap();
            let answer = card.transmit(&Example::new(form).bytes).unwrap();
            assert_eq!(answer != [0x69, 0x85], allowed, "{name} after {story}: {answer:02X?}");
        }
    }
}
