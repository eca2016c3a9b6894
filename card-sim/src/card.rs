//! The applet in a chip, as a reader sees it.

use crate::{Chip, Counters};
use applet::{Applet, Fault, Response, manufacture};
use core::fmt;

/// The answer to reset: direct convention, T=1 only, ten historical bytes in a proprietary format
/// ("KOZENI 1.0"; ISO/IEC 7816-3 section 8.2, 7816-4 section 12.1.1).
///
/// ```text
/// 3B      8A                  80           01     4B 4F 5A 45 4E 49 20 31 2E 30   TCK
/// direct  TD1 follows,        TD2 follows, T=1    K  O  Z  E  N  I     1  .  0    XOR of all
///         10 historical bytes T=0 bits                                            behind the 3B
/// ```
pub const ATR: [u8; 15] =
    [0x3B, 0x8A, 0x80, 0x01, b'K', b'O', b'Z', b'E', b'N', b'I', b' ', b'1', b'.', b'0', 0x18];

/// A card in a reader: what the transports need to know of it.
pub trait SmartCard {
    /// Gives the card power. A card that has it already starts anew.
    fn power_on(&mut self);

    /// Takes the power away, and with it everything the card keeps for one session.
    fn power_off(&mut self);

    /// Starts the card anew without taking it out.
    fn reset(&mut self);

    /// The answer to reset; readers ask for it at any time, to see whether a card is there.
    fn atr(&self) -> &[u8];

    /// Passes one command APDU and returns the answer APDU, or `None` when the card is mute: it
    /// has no power, or lost it during the command.
    fn transmit(&mut self, command: &[u8]) -> Option<Vec<u8>>;

    /// What the chip has done so far.
    fn counters(&self) -> Counters;
}

/// The purse applet in a chip.
pub struct Card<C> {
    chip: C,
    /// Present while the card has power: the applet holds nothing that outlives it.
    applet: Option<Applet>,
}

impl<C: Chip> Card<C> {
    /// A card, still without power, of a chip that was manufactured before.
    #[must_use]
    pub fn new(chip: C) -> Self {
        Self { chip, applet: None }
    }

    /// A blank card, still without power, of a new chip.
    ///
    /// # Errors
    /// [`Fault`] when the chip cannot be written.
    pub fn blank(mut chip: C) -> Result<Self, Fault> {
        manufacture(&mut chip)?;
        Ok(Self::new(chip))
    }

    /// The chip.
    #[must_use]
    pub fn chip(&self) -> &C {
        &self.chip
    }

    /// The chip, for tests that cut its power or damage its memory.
    pub fn chip_mut(&mut self) -> &mut C {
        &mut self.chip
    }

    /// Takes the chip out of the card.
    #[must_use]
    pub fn into_chip(self) -> C {
        self.chip
    }
}

/// The applet holds session secrets, so only whether it runs is shown.
impl<C: fmt::Debug> fmt::Debug for Card<C> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Card")
            .field("chip", &self.chip)
            .field("powered", &self.applet.is_some())
            .finish()
    }
}

impl<C: Chip> SmartCard for Card<C> {
    fn power_on(&mut self) {
        self.applet = Some(Applet::boot(&mut self.chip));
    }

    fn power_off(&mut self) {
        self.applet = None;
    }

    fn reset(&mut self) {
        self.power_on();
    }

    fn atr(&self) -> &[u8] {
        &ATR
    }

    fn transmit(&mut self, command: &[u8]) -> Option<Vec<u8>> {
        let applet = self.applet.as_mut()?;
        let mut response = Response::new();
        applet.process(&mut self.chip, command, &mut response);
        if !self.chip.has_power() {
            // Whatever the applet made of the cut, it could not have sent it.
            self.applet = None;
            return None;
        }
        Some(response.as_bytes().to_vec())
    }

    fn counters(&self) -> Counters {
        self.chip.counters()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{RamChip, Tail};

    /// SELECT by an AID that no applet has: answered without a write.
    const SELECT_UNKNOWN: [u8; 11] =
        [0x00, 0xA4, 0x04, 0x00, 0x05, 0xF0, 0x00, 0x00, 0x00, 0x01, 0x00];

    #[test]
    fn the_answer_to_reset_is_consistent() {
        let [_, rest @ .., tck] = ATR;
        assert_eq!(rest.iter().fold(0, |sum, byte| sum ^ byte), tck);
        // T0 promises the historical bytes that stand between TD2 and TCK, and TD1 and TD2 follow.
        assert_eq!(usize::from(ATR[1] & 0x0F), ATR.len() - 5);
        assert_eq!((ATR[1] >> 4, ATR[2], ATR[3]), (0x8, 0x80, 0x01));
        assert_eq!(&ATR[4..14], b"KOZENI 1.0");
    }

    #[test]
    fn a_card_answers_only_while_it_has_power() {
        let mut card = Card::blank(RamChip::seeded(1)).unwrap();
        assert_eq!(card.transmit(&SELECT_UNKNOWN), None);
        card.power_on();
        let answer = card.transmit(&SELECT_UNKNOWN).unwrap();
        assert!(answer.len() >= 2, "{answer:02X?}");
        assert_ne!(answer, [0x65, 0x81], "a new card is not out of order");
        card.power_off();
        assert_eq!(card.transmit(&SELECT_UNKNOWN), None);
        card.reset();
        assert_eq!(card.transmit(&SELECT_UNKNOWN), Some(answer));
    }

    #[test]
    fn a_card_whose_chip_lost_its_power_is_mute() {
        let mut card = Card::blank(RamChip::seeded(1)).unwrap();
        card.power_on();
        card.chip_mut().fuse_after(0, Tail::Old);
        assert!(applet::Env::write(card.chip_mut(), applet::Cell::Pin(0), &[0]).is_err());
        assert_eq!(card.transmit(&SELECT_UNKNOWN), None);
        card.power_on();
        assert_eq!(card.transmit(&SELECT_UNKNOWN), None);
        card.chip_mut().restore_power();
        card.power_on();
        assert!(card.transmit(&SELECT_UNKNOWN).is_some());
    }

    #[test]
    fn a_card_keeps_its_content_when_its_chip_moves() {
        let chip = Card::blank(RamChip::seeded(1)).unwrap().into_chip();
        assert!(chip.counters().nvm_bytes > 0, "manufacture writes a header");
        let mut card = Card::new(chip);
        card.power_on();
        let answer = card.transmit(&SELECT_UNKNOWN).unwrap();
        assert_ne!(answer, [0x65, 0x81]);
    }
}
