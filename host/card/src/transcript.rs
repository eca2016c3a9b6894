//! Test transcripts: commands and the answers expected, played against any transport.
//!
//! ```text
//! # comment
//! > 80 5C 00 00 00            a command, in hexadecimal digits with spaces anywhere
//! < .. * 90 00                its answer: .. is any one byte, * any number of bytes
//! ```

use std::fmt;

use firmware_bridge::{Disposition, Transport, TransportError};

/// A transcript that was read.
#[derive(Clone, Debug)]
pub struct Transcript(Vec<Exchange>);

#[derive(Clone, Debug)]
struct Exchange {
    /// Of the answer, from 1.
    line: usize,
    command: Vec<u8>,
    answer: Pattern,
}

/// Where a text is not a transcript.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct TranscriptError {
    /// Line number from 1.
    pub line: usize,
    /// What is wrong with it.
    pub what: &'static str,
}

/// An answer that is not the one expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Line number of the expected answer, from 1.
    pub line: usize,
    /// The command.
    pub command: Vec<u8>,
    /// The answer expected.
    pub expected: Pattern,
    /// The answer that came.
    pub received: Vec<u8>,
}

/// Answers that are expected. Shown as it stands in a transcript.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(Vec<Piece>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Piece {
    Is(u8),
    AnyByte,
    AnyBytes,
}

impl Transcript {
    /// Reads a transcript.
    ///
    /// # Errors
    /// [`TranscriptError`] at the first line that is not as above.
    pub fn parse(text: &str) -> Result<Self, TranscriptError> {
        let mut exchanges = Vec::new();
        let mut command: Option<Vec<u8>> = None;
        let mut last = 0;
        for (line, text) in (1..).zip(text.lines()) {
            last = line;
            let wrong = |what| TranscriptError { line, what };
            let mut rest = text.trim().chars();
            match (rest.next(), command.take()) {
                (None | Some('#'), waiting) => command = waiting,
                (Some('>'), Some(_)) => return Err(wrong("a command without an answer")),
                (Some('>'), None) => command = Some(bytes(rest.as_str()).map_err(wrong)?),
                (Some('<'), None) => return Err(wrong("an answer without a command")),
                (Some('<'), Some(command)) => exchanges.push(Exchange {
                    line,
                    command,
                    answer: Pattern::parse(rest.as_str()).map_err(wrong)?,
                }),
                (Some(_), _) => return Err(wrong("not a command, an answer or a comment")),
            }
        }
        match command {
            None => Ok(Self(exchanges)),
            Some(_) => Err(TranscriptError { line: last, what: "a command without an answer" }),
        }
    }

    /// How many commands it has.
    #[must_use]
    pub const fn command_count(&self) -> usize {
        self.0.len()
    }

    /// Plays it against a card that is reset before and afterwards, and tells which answers are not
    /// as expected.
    ///
    /// # Errors
    /// Any [`TransportError`].
    pub fn play<T: Transport + ?Sized>(
        &self,
        transport: &mut T,
    ) -> Result<Vec<Difference>, TransportError> {
        transport.begin()?;
        transport.end(Disposition::Reset)?;
        transport.begin()?;
        let differences = self.exchange_all(transport);
        let ended = transport.end(Disposition::Reset);
        let differences = differences?;
        ended.map(|()| differences)
    }

    fn exchange_all<T: Transport + ?Sized>(
        &self,
        transport: &mut T,
    ) -> Result<Vec<Difference>, TransportError> {
        let mut differences = Vec::new();
        for exchange in &self.0 {
            let received = transport.transmit(&exchange.command)?;
            if !exchange.answer.allows(&received) {
                differences.push(Difference {
                    line: exchange.line,
                    command: exchange.command.clone(),
                    expected: exchange.answer.clone(),
                    received,
                });
            }
        }
        Ok(differences)
    }
}

impl Pattern {
    fn parse(text: &str) -> Result<Self, &'static str> {
        let mut pieces = Vec::new();
        let mut rest: Vec<char> = text.chars().filter(|c| !c.is_whitespace()).collect();
        rest.reverse();
        while let Some(first) = rest.pop() {
            pieces.push(match (first, rest.last()) {
                ('*', _) => Piece::AnyBytes,
                ('.', Some('.')) => {
                    rest.pop();
                    Piece::AnyByte
                }
                (high, Some(low)) => {
                    let byte = byte(high, *low)?;
                    rest.pop();
                    Piece::Is(byte)
                }
                (_, None) => return Err(ODD),
            });
        }
        Ok(Self(pieces))
    }

    /// Whether an answer is as expected.
    #[must_use]
    pub fn allows(&self, answer: &[u8]) -> bool {
        // Which lengths of the answer's beginning are covered by the pieces so far.
        let mut covered = vec![false; answer.len().saturating_add(1)];
        if let Some(nothing) = covered.first_mut() {
            *nothing = true;
        }
        for piece in &self.0 {
            covered = piece.cover(&covered, answer);
        }
        covered.last().copied().unwrap_or_default()
    }
}

impl Piece {
    fn cover(self, before: &[bool], answer: &[u8]) -> Vec<bool> {
        if self == Self::AnyBytes {
            let mut reached = false;
            let spread = before.iter().map(|covered| {
                reached |= covered;
                reached
            });
            return spread.collect();
        }
        let one_more = before
            .iter()
            .zip(answer)
            .map(|(covered, byte)| *covered && (self == Self::AnyByte || self == Self::Is(*byte)));
        std::iter::once(false).chain(one_more).collect()
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|piece| match piece {
            Piece::Is(byte) => write!(f, "{byte:02X}"),
            Piece::AnyByte => f.write_str(".."),
            Piece::AnyBytes => f.write_str("*"),
        })
    }
}

const ODD: &str = "an odd number of hexadecimal digits";

fn bytes(text: &str) -> Result<Vec<u8>, &'static str> {
    let pattern = Pattern::parse(text)?;
    let byte = |piece: &Piece| match piece {
        Piece::Is(byte) => Ok(*byte),
        Piece::AnyByte | Piece::AnyBytes => Err("a command has no placeholders"),
    };
    pattern.0.iter().map(byte).collect()
}

fn byte(high: char, low: char) -> Result<u8, &'static str> {
    let digit = |c: char| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    match (digit(high), digit(low)) {
        (Some(high), Some(low)) => Ok((high << 4) | low),
        _ => Err("not a hexadecimal digit"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_covers_what_it_says_and_no_more() {
        for (pattern, answer, expected) in [
            ("90 00", &[0x90, 0][..], true),
            ("9 0 0 0", &[0x90, 0], true),
            ("90 00", &[0x90, 1], false),
            ("90 00", &[0x90], false),
            ("90 00", &[0x90, 0, 0], false),
            ("90 00", &[], false),
            (".. 90 00", &[7, 0x90, 0], true),
            (".. 90 00", &[0x90, 0], false),
            ("..90..", &[7, 0x90, 8], true),
            ("* 90 00", &[0x90, 0], true),
            ("* 90 00", &[0x90, 0, 0x90, 0], true),
            ("* 90 00", &[0x90, 0, 0x90], false),
            ("6F .. 84 * A5 * 90 00", &[0x6f, 1, 0x84, 0xa5, 9, 9, 0x90, 0], true),
            ("6F .. 84 * A5 * 90 00", &[0x6f, 1, 0x84, 9, 9, 0x90, 0], false),
            ("*", &[], true),
            ("", &[], true),
            ("", &[0], false),
        ] {
            let pattern = Pattern::parse(pattern).unwrap();
            assert_eq!(pattern.allows(answer), expected, "{pattern} {answer:02x?}");
        }
    }

    #[test]
    fn a_text_that_is_no_transcript_is_told_by_its_line() {
        for (text, line) in [
            ("> 00\n> 00\n< 9000", 2),
            ("# x\n\n< 9000", 3),
            ("> 00\n", 1),
            ("> 00\n# still waiting\n", 2),
            ("> 0\n< 9000", 1),
            ("> ..\n< 9000", 1),
            ("> 0g\n< 9000", 1),
            ("> 00\n< .9", 2),
            ("> 00\n< 900", 2),
            ("reset", 1),
            ("ärger", 1),
        ] {
            let error = Transcript::parse(text).map(|_| ()).unwrap_err();
            assert_eq!(error.line, line, "{text:?}: {error}");
        }
        let text = "# comment\n> 00 A4\n# between\n\n  < .. *\n";
        assert_eq!(Transcript::parse(text).unwrap().command_count(), 1);
    }

    struct Echo(Vec<Option<Disposition>>);

    impl Transport for Echo {
        fn begin(&mut self) -> Result<(), TransportError> {
            self.0.push(None);
            Ok(())
        }

        fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, TransportError> {
            Ok(command.to_vec())
        }

        fn end(&mut self, disposition: Disposition) -> Result<(), TransportError> {
            self.0.push(Some(disposition));
            Ok(())
        }

        fn describe(&self) -> String {
            "echo".to_owned()
        }
    }

    #[test]
    fn what_differs_is_told_and_the_card_is_reset_before_and_after() {
        let text = "> 01020304\n< 01020304\n> 01020304\n< 01020305\n> 05060708\n< *08\n";
        let mut echo = Echo(Vec::new());
        let differences = Transcript::parse(text).unwrap().play(&mut echo).unwrap();
        let told: Vec<_> = differences
            .iter()
            .map(|difference| (difference.line, difference.expected.to_string()))
            .collect();
        assert_eq!(told, [(4, "01020305".to_owned())]);
        let reset = Some(Disposition::Reset);
        assert_eq!(echo.0, [None, reset, None, reset]);
    }
}
