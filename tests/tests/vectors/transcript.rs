//! Writes transcripts: `> command`, `< answer`, as section 13 of the specification says.

use std::fmt::Write;

use apdu_spec::Refusal;
use apdu_spec::apdu::Apdu;
use apdu_spec::command::Command;

use super::hex;

/// A transcript that grows line by line.
pub(super) struct Transcript {
    pub(super) text: String,
}

impl Transcript {
    pub(super) fn new(heading: &str) -> Self {
        let mut transcript = Self { text: String::new() };
        transcript.comment(heading);
        transcript
    }

    /// Begins a part of its own.
    pub(super) fn part(&mut self, heading: &str) {
        self.text.push('\n');
        self.comment(heading);
    }

    fn comment(&mut self, comment: &str) {
        for line in comment.lines() {
            writeln!(self.text, "# {line}").unwrap();
        }
    }

    /// A command and the pattern of its data, with 9000.
    pub(super) fn done(&mut self, command: &Command<'_>, data: &str) {
        self.expect(command, &join(data, "90 00"));
    }

    /// A command and the pattern of its whole answer.
    pub(super) fn expect(&mut self, command: &Command<'_>, answer: &str) {
        self.exchange(command.encode().unwrap().as_bytes(), answer);
    }

    /// A command and its refusal.
    pub(super) fn refused(&mut self, command: &Command<'_>, refusal: Refusal) {
        self.refused_bytes(command.encode().unwrap().as_bytes(), refusal);
    }

    /// A command that the host's types do not allow, and its refusal.
    pub(super) fn refused_bytes(&mut self, command: &[u8], refusal: Refusal) {
        let [high, low] = refusal.status_word().to_be_bytes();
        self.exchange(command, &format!("{high:02X} {low:02X}"));
    }

    fn exchange(&mut self, command: &[u8], answer: &str) {
        writeln!(self.text, "> {}\n< {answer}", grouped(command)).unwrap();
    }
}

/// A pattern of any `count` bytes.
pub(super) fn any(count: usize) -> String {
    "..".repeat(count)
}

fn join(data: &str, word: &str) -> String {
    if data.is_empty() { word.to_owned() } else { format!("{data} {word}") }
}

/// A command with its parts apart: header, Lc, data, Le.
fn grouped(command: &[u8]) -> String {
    let (header, body) = command.split_at(4);
    let mut parts: Vec<String> = header.iter().map(|byte| hex(&[*byte])).collect();
    match (Apdu::read(command), body) {
        (Ok(apdu), [lc, behind @ ..]) if !apdu.data.is_empty() => {
            let (data, le) = behind.split_at(apdu.data.len());
            parts.extend([hex(&[*lc]), hex(data)]);
            parts.extend(le.iter().map(|le| hex(&[*le])));
        }
        (_, []) => {}
        (_, body) => parts.push(hex(body)),
    }
    parts.join(" ")
}
