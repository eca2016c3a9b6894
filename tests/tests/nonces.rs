//! The nonce of a signature: fresh entropy and the message both go into it (RFC 6979 with
//! additional data). Two signatures with one nonce over two messages give the key away; neither a
//! repeated message nor entropy that has died leads there.

use applet::{Cell, Env, Fault};
use card_sim::{Card, Chip, Counters, RamChip, SmartCard};

use crate::power_cuts::after_story;

/// A chip whose entropy is always the same.
struct DeadEntropy(RamChip);

impl Env for DeadEntropy {
    fn read(&mut self, cell: Cell, into: &mut [u8]) -> Result<(), Fault> {
        self.0.read(cell, into)
    }

    fn write(&mut self, cell: Cell, data: &[u8]) -> Result<(), Fault> {
        self.0.write(cell, data)
    }

    fn random(&mut self, into: &mut [u8]) -> Result<(), Fault> {
        into.fill(0);
        Ok(())
    }
}

impl Chip for DeadEntropy {
    fn counters(&self) -> Counters {
        self.0.counters()
    }
}

fn selected<C: Chip>(chip: C) -> Card<C> {
    let mut card = Card::new(chip);
    card.power_on();
    let select = [&[0, 0xa4, 4, 0x0c, 8], apdu_spec::AID].concat();
    assert_eq!(card.transmit(&select), Some(vec![0x90, 0]));
    card
}

/// r and s of GET STATUS over a nonce of this byte.
fn sign<C: Chip>(card: &mut Card<C>, byte: u8) -> ([u8; 32], [u8; 32]) {
    let answer = card.transmit(&[&[0x80, 0x5a, 0, 0, 16][..], &[byte; 16], &[0]].concat()).unwrap();
    let signature = answer.strip_suffix(&[0x90, 0]).unwrap().last_chunk::<64>().unwrap();
    (*signature.first_chunk().unwrap(), *signature.last_chunk().unwrap())
}

#[test]
fn a_message_signed_twice_has_two_nonces() {
    let mut card = selected(after_story("well_used.story", 60).0);
    assert_ne!(sign(&mut card, 1).0, sign(&mut card, 1).0);
}

#[test]
fn two_messages_have_two_nonces_even_without_entropy() {
    let mut card = selected(DeadEntropy(after_story("well_used.story", 61).0));
    let first = sign(&mut card, 1);
    assert_ne!(first.0, sign(&mut card, 2).0);
    assert_eq!(first, sign(&mut card, 1), "another source than the one that is dead");
}
