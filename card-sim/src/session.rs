//! One connection of a reader with a card, the same over TCP and over a Unix socket.
//!
//! A frame of one byte controls the power and has no answer, but for the one that asks for the ATR;
//! every other frame is a command APDU and is answered by one frame. An empty answer means that the
//! card is mute.

use crate::frame::{self, Link, Received};
use crate::{SmartCard, Stop};
use std::io;

const POWER_OFF: u8 = 0;
const POWER_ON: u8 = 1;
const RESET: u8 = 2;
const GET_ATR: u8 = 4;

/// Why a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The reader closed the connection.
    Closed,
    /// We were asked to stop.
    Stopped,
}

/// Serves the card until the reader closes the connection or `stop` is set.
pub(crate) fn serve(
    link: &mut impl Link,
    card: &mut dyn SmartCard,
    stop: &Stop,
) -> io::Result<End> {
    loop {
        let received = match frame::read(link, stop)? {
            Received::Frame(received) => received,
            Received::Closed => return Ok(End::Closed),
            Received::Stopped => return Ok(End::Stopped),
        };
        let answer = match received.as_slice() {
            [control] => obey(*control, card),
            command => Some(pass(command, card)),
        };
        if let Some(answer) = answer {
            frame::write(link, &answer, stop)?;
        }
    }
}

/// Does what a control byte says. One that we do not know is no reason to lose the card.
fn obey(control: u8, card: &mut dyn SmartCard) -> Option<Vec<u8>> {
    match control {
        POWER_OFF => card.power_off(),
        POWER_ON => card.power_on(),
        RESET => card.reset(),
        GET_ATR => return Some(card.atr().to_vec()),
        _ => tracing::warn!(control, "unknown control byte, passed over"),
    }
    None
}

/// Passes a command of whatever length: only the card knows what to refuse, and what that costs.
fn pass(command: &[u8], card: &mut dyn SmartCard) -> Vec<u8> {
    let answer = card.transmit(command).unwrap_or_default();
    // The one log point of the transports. Data stays out of it: VERIFY carries the PIN.
    tracing::debug!(
        instruction = command.get(1).copied(),
        command_bytes = command.len(),
        answer_bytes = answer.len(),
        status = ?answer.last_chunk::<2>(),
        "apdu"
    );
    answer
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ATR;
    use crate::test_card::{Done, TestCard, answer};
    use std::io::{Read, Write};

    /// Frames that came before the session began, and what was sent.
    struct Script {
        incoming: io::Cursor<Vec<u8>>,
        outgoing: Vec<u8>,
    }

    impl Read for Script {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            self.incoming.read(into)
        }
    }

    impl Write for Script {
        fn write(&mut self, from: &[u8]) -> io::Result<usize> {
            self.outgoing.write(from)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Link for Script {}

    fn framed(frames: &[&[u8]]) -> Vec<u8> {
        let frame = |content: &&[u8]| {
            [&u16::try_from(content.len()).unwrap().to_be_bytes(), *content].concat()
        };
        frames.iter().flat_map(frame).collect()
    }

    /// Sends `frames`, checks the answers, and returns what the card saw.
    fn check(frames: &[&[u8]], answers: &[&[u8]]) -> Vec<Done> {
        let mut card = TestCard::default();
        let incoming = io::Cursor::new(framed(frames));
        let mut script = Script { incoming, outgoing: Vec::new() };
        assert_eq!(serve(&mut script, &mut card, &Stop::new()).unwrap(), End::Closed);
        assert_eq!(script.outgoing, framed(answers));
        card.done
    }

    #[test]
    fn control_bytes_move_the_power_and_only_the_atr_is_answered() {
        let done = check(&[&[1], &[2], &[4], &[0]], &[&ATR]);
        assert_eq!(done, [Done::On, Done::Reset, Done::Off]);
    }

    #[test]
    fn an_unknown_control_byte_is_survived_without_an_answer() {
        for control in [3, 5, 0x80, 0xFF] {
            let done = check(&[&[1], &[control], &[4]], &[&ATR]);
            assert_eq!(done, [Done::On]);
        }
    }

    #[test]
    fn a_command_is_passed_whole_and_answered() {
        let command = [0x80, 0x54, 1, 2, 0];
        let done = check(&[&[1], &command], &[&answer(0x54)]);
        assert_eq!(done, [Done::On, Done::Command(command.to_vec())]);
    }

    #[test]
    fn a_mute_card_gives_an_empty_answer() {
        check(&[&[0x80, 0x54, 0, 0]], &[&[]]);
    }

    /// Else an over-long command would leave the PIN permission, and a card without power answer.
    #[test]
    fn commands_too_short_or_too_long_for_an_apdu_are_left_to_the_card() {
        let commands: [&[u8]; 4] = [&[], &[0x80, 0x54], &[0x80; 262], &[0; 65_535]];
        let answers = commands.map(|command| answer(command.get(1).copied().unwrap_or(0)));
        let frames = [&[&[1_u8][..]], &commands[..]].concat();
        let done = check(&frames, &answers.each_ref().map(Vec::as_slice));
        let passed = commands.map(|command| Done::Command(command.to_vec()));
        assert_eq!(done, [&[Done::On], &passed[..]].concat());
        check(&[&[0; 262]], &[&[]]);
    }
}
