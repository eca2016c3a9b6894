//! Other people's PC/SC programs see the software card like any card in any reader.

use std::fmt::Write as _;
use std::io::{ErrorKind, Write};
use std::process::Command;

use e2e::Pcscd;
use e2e::slot::{Slot, Way};
use tempfile::TempDir;

use crate::pcscd;

const SELECT: &str = "00:A4:04:00:08:F0:4B:4F:5A:45:4E:49:01:00";
/// APDU.md section 2: the bare FCI, of a blank card.
const BLANK_FCI: &str = "6F 13 84 08 F0 4B 4F 5A 45 4E 49 01 8A 01 01 A5 04 80 02 01 00";

/// A reader with a blank card, for other people's programs.
struct Reader {
    slot: Slot,
    // Dropped last: the card's file is in it.
    _folder: TempDir,
}

impl Reader {
    /// Nothing where there can be no reader, or where this program is missing; says why.
    fn with(program: &str) -> Option<Self> {
        if pcscd::skipped() || is_missing(program) {
            return None;
        }
        let folder = TempDir::with_prefix("kozeni-readers-").unwrap();
        let slot = Slot::start(Way::Pcscd, folder.path()).unwrap();
        Some(Self { slot, _folder: folder })
    }

    fn run(&self, program: &str, arguments: &[&str]) -> String {
        let mut command = Command::new(program);
        self.slot.point(&mut command);
        let output = command.args(arguments).output().unwrap();
        assert!(output.status.success(), "{program} {arguments:?}: {output:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

fn is_missing(program: &str) -> bool {
    let tried = Command::new(program).arg("-h").output();
    let missing = tried.is_err_and(|error| error.kind() == ErrorKind::NotFound);
    if missing {
        let line = format!("skipped, no {program} here; scripts/setup.sh reader installs it\n");
        std::io::stderr().write_all(line.as_bytes()).unwrap();
    }
    missing
}

fn hex(bytes: &[u8], between: &str) -> String {
    bytes.iter().enumerate().fold(String::new(), |mut text, (place, byte)| {
        let before = if place == 0 { "" } else { between };
        write!(text, "{before}{byte:02X}").unwrap();
        text
    })
}

/// The lines of what a program printed, from the first that holds this to the end.
fn lines_from<'a>(text: &'a str, start: &str) -> impl Iterator<Item = &'a str> {
    text.lines().map(str::trim).skip_while(move |line| !line.contains(start))
}

#[test]
fn pcsc_scan_sees_reader_and_card() {
    let Some(reader) = Reader::with("pcsc_scan") else {
        return;
    };
    // -c: look once and end; -n: no search for the card's maker in a list of everybody's cards.
    let seen = reader.run("pcsc_scan", &["-c", "-n"]);
    let mut lines = lines_from(&seen, Pcscd::READER);
    assert!(lines.next().is_some(), "{seen}");
    let mut lines = lines.skip_while(|line| !line.starts_with("Card state:"));
    assert!(lines.next().is_some_and(|line| line.contains("Card inserted")), "{seen}");
    assert_eq!(lines.next(), Some(format!("ATR: {}", hex(&card_sim::ATR, " ")).as_str()), "{seen}");
}

#[test]
fn opensc_tool_sees_reader_and_card() {
    let Some(reader) = Reader::with("opensc-tool") else {
        return;
    };
    let readers = reader.run("opensc-tool", &["-l"]);
    let ours = lines_from(&readers, Pcscd::READER).next();
    assert!(ours.is_some_and(|line| line.split_whitespace().nth(1) == Some("Yes")), "{readers}");

    let atr = reader.run("opensc-tool", &["-a"]);
    let expected = hex(&card_sim::ATR, ":").to_lowercase();
    assert_eq!(atr.lines().last(), Some(expected.as_str()), "{atr}");
}

#[test]
fn opensc_tool_selects_a_blank_card() {
    let Some(reader) = Reader::with("opensc-tool") else {
        return;
    };
    let answer = reader.run("opensc-tool", &["-s", SELECT]);
    let mut lines = lines_from(&answer, "Received");
    assert_eq!(lines.next(), Some("Received (SW1=0x90, SW2=0x00):"), "{answer}");
    // Up to sixteen bytes in each line, and behind them the same as characters.
    let bytes: Vec<&str> = lines.flat_map(|line| line.split(' ').take(16)).collect();
    let expected: Vec<&str> = BLANK_FCI.split(' ').collect();
    let (fci, padding) = bytes.split_at(expected.len().min(bytes.len()));
    assert_eq!(fci, expected, "{answer}");
    assert!(padding.iter().all(|text| text.chars().all(|c| c == '.')), "{answer}");
}
