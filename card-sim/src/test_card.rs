//! A card for the tests of the transports: it repeats the instruction and notes what happened.

use crate::{ATR, Counters, SmartCard};
use applet::{Cell, Event};

/// What was done to the card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Done {
    On,
    Off,
    Reset,
    Command(Vec<u8>),
}

#[derive(Default)]
pub(crate) struct TestCard {
    pub(crate) done: Vec<Done>,
    pub(crate) counters: Counters,
    on: bool,
}

/// What [`TestCard`] answers to a command with this instruction.
pub(crate) fn answer(instruction: u8) -> Vec<u8> {
    vec![instruction, 0x90, 0x00]
}

impl SmartCard for TestCard {
    fn power_on(&mut self) {
        self.on = true;
        self.done.push(Done::On);
    }

    fn power_off(&mut self) {
        self.on = false;
        self.done.push(Done::Off);
    }

    fn reset(&mut self) {
        self.on = true;
        self.done.push(Done::Reset);
    }

    fn atr(&self) -> &[u8] {
        &ATR
    }

    fn transmit(&mut self, command: &[u8]) -> Option<Vec<u8>> {
        self.done.push(Done::Command(command.to_vec()));
        self.counters.note_event(Event::Signature);
        self.counters.note_write(Cell::Identity, 100);
        self.on.then(|| answer(command.get(1).copied().unwrap_or(0)))
    }

    fn counters(&self) -> Counters {
        self.counters
    }
}
