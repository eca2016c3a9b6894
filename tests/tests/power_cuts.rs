//! The power is cut at every byte that a command writes, and with every tail that a torn write may
//! leave. Afterwards the card shows either the state before the command or the one after it, and
//! nothing else; sending the command again leads to the state after.
//!
//! Nothing here begins with first values: see `stories/card/well_used.story`.

mod cases;
mod commands;
mod expected;
mod observed;
mod pin;
mod walk;

use std::path::Path;

use card_sim::{Card, RamChip, SmartCard, Tail};
use e2e::{Runner, Story};

pub(crate) use observed::Observed;
use observed::selected;

/// The bytes that a story has given names.
pub(crate) type Names = Box<dyn Fn(&str) -> Vec<u8>>;

/// What the card may show after a cut, given what it showed before and the answer of a whole run:
/// the state before, states between where there are any, the state after.
type States = Box<dyn Fn(&Observed, &[u8]) -> Vec<Observed>>;

/// A command whose power is cut.
struct Case {
    start: RamChip,
    /// Sent before the command, and again before its repeat.
    prepare: Vec<Vec<u8>>,
    command: Vec<u8>,
    states: States,
    repeat: Repeat,
}

/// What sending the command again does, where the first one was committed. Where it was not, it
/// succeeds and leads to the state after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Repeat {
    /// The same answer, byte for byte, and no change.
    SameAnswer,
    /// 9000 and no change.
    Succeeds,
    /// This status word and no change.
    Refused(u16),
    /// Something else; it is not sent again.
    Never,
}

/// The chip after a story, and the names that the story has given.
pub(crate) fn after_story(story: &str, seed: u64) -> (RamChip, Names) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("stories/card");
    let story = Story::read(&folder.join(story)).unwrap();
    let mut card = Card::blank(RamChip::seeded(seed)).unwrap();
    card.power_on();
    let mut runner = Runner::new(&mut card);
    runner.play(&story).unwrap();
    let names = runner.variables();
    let names: Names = Box::new(move |name| names[name].clone());
    (card.into_chip(), names)
}

impl Case {
    /// The card just before the command.
    fn prepared(&self, chip: &RamChip) -> Card<RamChip> {
        let mut card = selected(chip);
        for command in &self.prepare {
            card.transmit(command).unwrap();
        }
        card
    }

    /// Cuts the power everywhere; gives the number of cuts.
    fn check(&self) -> usize {
        let mut whole = self.prepared(&self.start);
        let before = Observed::of(whole.chip());
        let written = whole.counters().nvm_bytes;
        let answer = whole.transmit(&self.command).unwrap();
        let written = whole.counters().nvm_bytes - written;
        let states = (self.states)(&before, data(&answer));
        assert_same(&states[0], &before, "before");
        let after = Observed::of(whole.chip());
        assert_same(states.last().unwrap(), &after, "after a whole run");
        assert!(written > 0, "nothing is written");
        self.check_repeat(whole.chip(), &before, &after, &answer);

        let mut cuts = 0;
        for bytes in 0..written {
            for tail in tails(bytes) {
                let chip = self.cut(bytes, tail);
                let shown = Observed::of(&chip);
                let place = format!("cut after {bytes} of {written} bytes, tail {tail:?}");
                if !states.contains(&shown) {
                    panic!(
                        "{place}: neither before nor after, which is\n{}",
                        shown.differences(if bytes * 2 < written { &before } else { &after })
                    );
                }
                self.check_repeat(&chip, &before, &shown, &answer);
                cuts += 1;
            }
        }
        cuts
    }

    /// The chip after its power went in the middle of the command.
    fn cut(&self, bytes: u64, tail: Tail) -> RamChip {
        let mut card = self.prepared(&self.start);
        card.chip_mut().fuse_after(bytes, tail);
        assert_eq!(card.transmit(&self.command), None, "an answer without power");
        card.chip_mut().restore_power();
        card.into_chip()
    }

    /// Sends the command again to a card that shows `shown`.
    fn check_repeat(&self, chip: &RamChip, before: &Observed, shown: &Observed, first: &[u8]) {
        let after = (self.states)(before, data(first)).pop().unwrap();
        let committed = *shown == after;
        if self.repeat == Repeat::Never {
            return;
        }
        let mut card = self.prepared(chip);
        let answer = card.transmit(&self.command).unwrap();
        let expected = match self.repeat {
            _ if !committed => {
                assert!(answer.ends_with(&[0x90, 0]), "repeated: {answer:02X?}");
                (self.states)(before, data(&answer)).pop().unwrap()
            }
            Repeat::SameAnswer => {
                assert_eq!(answer, first, "another answer to a repeat");
                after
            }
            Repeat::Succeeds => {
                assert_eq!(answer, [0x90, 0]);
                after
            }
            Repeat::Refused(word) => {
                assert_eq!(answer, word.to_be_bytes());
                after
            }
            Repeat::Never => return,
        };
        assert_same(&Observed::of(card.chip()), &expected, "after a repeat");
    }
}

fn assert_same(found: &Observed, expected: &Observed, when: &str) {
    let differences = found.differences(expected);
    assert!(found == expected, "{when}: found and expected\n{differences}");
}

fn data(answer: &[u8]) -> &[u8] {
    answer.strip_suffix(&[0x90, 0]).unwrap_or(answer)
}

/// Every tail, with noise of its own for each place.
fn tails(bytes: u64) -> [Tail; 5] {
    let noise = Tail::Random(bytes.wrapping_mul(0x9e37_79b9) + 1);
    [Tail::Old, Tail::New, Tail::Zero, Tail::Ones, noise]
}
