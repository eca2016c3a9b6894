//! Short command and response APDUs (ISO 7816-3 §12.1): nothing longer exists here.
//!
//! ```text
//! CLA INS P1 P2 [Lc data] [Le]        Lc 1..255, Le 0 stands for 256
//! ```

use crate::codec::{Buffer, Reader};
use crate::refusal::Refusal;

/// Longest command in bytes: header, Lc, 255 bytes of data, Le.
pub const COMMAND_MAX: usize = 4 + 1 + 255 + 1;

/// Longest answer in bytes: 256 bytes of data and the status word.
pub const ANSWER_MAX: usize = 256 + 2;

/// A whole command.
pub type CommandBytes = Buffer<COMMAND_MAX>;

/// A command APDU in its parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Apdu<'a> {
    /// Class.
    pub cla: u8,
    /// Instruction.
    pub ins: u8,
    /// First parameter.
    pub p1: u8,
    /// Second parameter.
    pub p2: u8,
    /// Data field, 0 to 255 bytes.
    pub data: &'a [u8],
    /// Most bytes that the answer may have, 1 to 256; `None` when Le is absent.
    pub le: Option<u16>,
}

impl<'a> Apdu<'a> {
    /// Takes a command apart.
    ///
    /// # Errors
    /// [`Refusal::WrongLength`] unless it is a short APDU of case 1 to 4.
    pub fn read(bytes: &'a [u8]) -> Result<Self, Refusal> {
        let mut from = Reader::new(bytes);
        let [cla, ins, p1, p2] = from.array().map_err(|_| Refusal::WrongLength)?;
        let (data, le): (&[u8], Option<u8>) = match from.rest() {
            [] => (&[], None),
            [le] => (&[], Some(*le)),
            [lc, body @ ..] => match (body.split_at_checked(usize::from(*lc)), *lc) {
                (_, 0) | (None, _) => return Err(Refusal::WrongLength),
                (Some((data, [])), _) => (data, None),
                (Some((data, [le])), _) => (data, Some(*le)),
                (Some(_), _) => return Err(Refusal::WrongLength),
            },
        };
        let le = le.map(|le| if le == 0 { 256 } else { u16::from(le) });
        Ok(Self { cla, ins, p1, p2, data, le })
    }
}

/// Takes an answer apart: its data and the refusal or 9000 at its end.
///
/// # Errors
/// `Err(None)` when it is shorter than a status word, longer than a short answer, or carries data
/// with another word than 9000; `Err(Some(word))` for a status word that is not in the table.
pub fn read_answer(answer: &[u8]) -> Result<Result<&[u8], Refusal>, Option<u16>> {
    let (data, word) = answer.split_last_chunk::<2>().ok_or(None)?;
    let word = u16::from_be_bytes(*word);
    match Refusal::from_status_word(word) {
        _ if answer.len() > ANSWER_MAX => Err(None),
        None if word == 0x9000 => Ok(Ok(data)),
        None => Err(Some(word)),
        Some(_) if !data.is_empty() => Err(None),
        Some(refusal) => Ok(Err(refusal)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_four_cases_are_told_apart() {
        let mut long = [0u8; 262];
        long[4] = 255;
        for (bytes, expected) in [
            (&[0, 1, 2, 3][..], Some((0, None))),
            (&[0, 1, 2, 3, 0], Some((0, Some(256)))),
            (&[0, 1, 2, 3, 7], Some((0, Some(7)))),
            (&[0, 1, 2, 3, 1, 9], Some((1, None))),
            (&[0, 1, 2, 3, 1, 9, 0], Some((1, Some(256)))),
            (&long[..260], Some((255, None))),
            (&long[..261], Some((255, Some(256)))),
            (&long, None),
            (&[0, 1, 2], None),
            (&[], None),
            (&[0, 1, 2, 3, 2, 9], None),
            (&[0, 1, 2, 3, 0, 9], None),
            (&[0, 1, 2, 3, 1, 9, 0, 0], None),
            (&[0, 1, 2, 3, 0, 0, 1, 9], None),
        ] {
            let read = Apdu::read(bytes).ok().map(|apdu| (apdu.data.len(), apdu.le));
            assert_eq!(read, expected, "{bytes:x?}");
        }
    }
}
