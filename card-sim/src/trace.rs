//! What each APDU cost, one JSON line each. Headers and lengths only: VERIFY carries the PIN.

use crate::{Counters, SmartCard};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// The trace file cannot be opened.
#[derive(Debug, thiserror::Error)]
#[error("the trace file {path} cannot be opened ({source}): check path and permissions")]
pub struct TraceError {
    path: PathBuf,
    source: io::Error,
}

/// Opens a trace file to append to; makes it, for its owner only, if it is not there.
///
/// # Errors
/// [`TraceError`] when it cannot be opened.
pub fn open_trace(path: &Path) -> Result<File, TraceError> {
    let file = OpenOptions::new().append(true).create(true).mode(0o600).open(path);
    file.map_err(|source| TraceError { path: path.into(), source })
}

/// One line of a trace. The counters are what this APDU added.
#[derive(Serialize)]
struct Line {
    n: u64,
    ins: String,
    p1: String,
    p2: String,
    command_bytes: usize,
    answer_bytes: usize,
    sw: String,
    us: u64,
    #[serde(flatten)]
    spent: Counters,
}

/// A card whose APDUs are written down.
#[derive(Debug)]
pub struct Traced<S, W> {
    card: S,
    log: Option<W>,
    count: u64,
    /// How many APDUs took so many microseconds: bounded, however long the card runs.
    times: BTreeMap<u64, u64>,
}

impl<S: SmartCard, W: Write> Traced<S, W> {
    /// Writes the APDUs of `card` to `log`.
    pub fn new(card: S, log: W) -> Self {
        Self { card, log: Some(log), count: 0, times: BTreeMap::new() }
    }

    /// Number and times of all APDUs so far.
    #[must_use]
    pub fn summary(&self) -> Summary {
        let middle = self.count.div_ceil(2);
        let mut seen = 0_u64;
        let median = self.times.iter().find(|(_, count)| {
            seen = seen.saturating_add(**count);
            seen >= middle
        });
        Summary {
            count: self.count,
            median_us: median.map_or(0, |(time, _)| *time),
            max_us: self.times.last_key_value().map_or(0, |(time, _)| *time),
        }
    }

    fn note(&mut self, command: &[u8], answer: &[u8], us: u64, spent: Counters) {
        self.count = self.count.saturating_add(1);
        let times = self.times.entry(us).or_default();
        *times = times.saturating_add(1);
        let header = command.first_chunk::<4>();
        let hex = |byte: Option<u8>| byte.map_or_else(String::new, |byte| format!("{byte:02X}"));
        let line = Line {
            n: self.count,
            ins: hex(header.map(|[_, ins, _, _]| *ins)),
            p1: hex(header.map(|[_, _, p1, _]| *p1)),
            p2: hex(header.map(|[_, _, _, p2]| *p2)),
            command_bytes: command.len(),
            answer_bytes: answer.len(),
            sw: answer
                .last_chunk()
                .map_or_else(String::new, |sw| format!("{:04X}", u16::from_be_bytes(*sw))),
            us,
            spent,
        };
        let Some(log) = &mut self.log else { return };
        let written = serde_json::to_vec(&line).map_err(io::Error::from).and_then(|mut text| {
            text.push(b'\n');
            // One write, so that a reader of the file never sees half a line.
            log.write_all(&text)
        });
        if let Err(error) = written {
            // A full disk must not take the card away.
            tracing::warn!(%error, "the trace ends here");
            self.log = None;
        }
    }
}

impl<S: SmartCard, W: Write> SmartCard for Traced<S, W> {
    fn power_on(&mut self) {
        self.card.power_on();
    }

    fn power_off(&mut self) {
        self.card.power_off();
    }

    fn reset(&mut self) {
        self.card.reset();
    }

    fn atr(&self) -> &[u8] {
        self.card.atr()
    }

    fn transmit(&mut self, command: &[u8]) -> Option<Vec<u8>> {
        let before = self.card.counters();
        let begin = Instant::now();
        let answer = self.card.transmit(command);
        let us = u64::try_from(begin.elapsed().as_micros()).unwrap_or(u64::MAX);
        let spent = self.card.counters().since(&before);
        self.note(command, answer.as_deref().unwrap_or_default(), us, spent);
        answer
    }

    fn counters(&self) -> Counters {
        self.card.counters()
    }
}

/// Number and times of the APDUs of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    /// How many there were.
    pub count: u64,
    /// Half of them took no longer, in microseconds.
    pub median_us: u64,
    /// The longest, in microseconds.
    pub max_us: u64,
}

impl fmt::Display for Summary {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { count, median_us, max_us } = self;
        write!(formatter, "APDUs: {count}, median {median_us} µs, longest {max_us} µs")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_card::{Done, TestCard, answer};
    use serde_json::{Value, json};

    fn traced() -> Traced<TestCard, Vec<u8>> {
        let mut card = Traced::new(TestCard::default(), Vec::new());
        card.power_on();
        card
    }

    fn lines(card: &Traced<TestCard, Vec<u8>>) -> Vec<Value> {
        let text = String::from_utf8(card.log.clone().unwrap()).unwrap();
        assert!(text.is_empty() || text.ends_with('\n'));
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn a_line_has_the_header_and_the_costs_of_its_own_apdu() {
        let mut card = traced();
        for _ in 0..2 {
            assert_eq!(card.transmit(&[0x80, 0x5A, 0x01, 0xFF, 0x00]), Some(answer(0x5A)));
        }
        for (line, n) in lines(&card).into_iter().zip(1..) {
            let us = line["us"].as_u64().unwrap();
            assert_eq!(
                line,
                json!({
                    "n": n, "ins": "5A", "p1": "01", "p2": "FF",
                    "command_bytes": 5, "answer_bytes": 3, "sw": "9000", "us": us,
                    "signatures": 1, "verifications": 0, "self_checks": 0, "purse_commits": 0,
                    "pin_writes": 0, "nvm_bytes": 100, "nvm_writes": 1,
                })
            );
        }
        assert_eq!(card.summary().count, 2);
    }

    #[test]
    fn data_never_reaches_the_trace() {
        let mut card = traced();
        card.transmit(b"\x00\x20\x00\x01\x08739164\xFF\xFF");
        // Too short for a header: what it is instead cannot be known.
        card.transmit(b"739");
        let text = String::from_utf8(card.log.clone().unwrap()).unwrap();
        for secret in ["739164", "373339", "51,57"] {
            assert!(!text.contains(secret), "{text}");
        }
        let lines = lines(&card);
        assert_eq!((&lines[0]["ins"], &lines[0]["p2"]), (&json!("20"), &json!("01")));
        assert_eq!((&lines[1]["ins"], &lines[1]["command_bytes"]), (&json!(""), &json!(3)));
    }

    #[test]
    fn a_mute_card_has_no_status() {
        let mut card = traced();
        card.power_off();
        assert_eq!(card.transmit(&[0x80, 0x54, 0, 0]), None);
        assert_eq!(lines(&card)[0]["sw"], "");
        assert_eq!(lines(&card)[0]["answer_bytes"], 0);
    }

    #[test]
    fn power_reaches_the_card_and_is_no_apdu() {
        let mut card = traced();
        card.reset();
        card.power_off();
        assert_eq!(card.card.done, [Done::On, Done::Reset, Done::Off]);
        assert_eq!(card.summary(), Summary { count: 0, median_us: 0, max_us: 0 });
        assert!(lines(&card).is_empty());
    }

    #[test]
    fn the_summary_knows_the_middle_and_the_longest() {
        for (times, median_us, max_us) in
            [(&[7][..], 7, 7), (&[9, 1], 1, 9), (&[5, 900, 4], 5, 900), (&[3, 3, 3, 8, 9], 3, 9)]
        {
            let mut card = traced();
            for us in times {
                card.note(&[], &[], *us, Counters::default());
            }
            let count = u64::try_from(times.len()).unwrap();
            assert_eq!(card.summary(), Summary { count, median_us, max_us });
        }
    }

    #[test]
    fn a_full_disk_ends_the_trace_and_not_the_card() {
        struct Full;
        impl Write for Full {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::StorageFull.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut card = Traced::new(TestCard::default(), Full);
        card.power_on();
        for _ in 0..2 {
            assert_eq!(card.transmit(&[0x80, 0x54, 0, 0]), Some(answer(0x54)));
        }
        assert_eq!(card.summary().count, 2);
    }

    #[test]
    fn a_trace_file_is_appended_to() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("trace");
        for _ in 0..2 {
            open_trace(&path).unwrap().write_all(b"line\n").unwrap();
        }
        assert_eq!(std::fs::read(&path).unwrap(), b"line\nline\n");
        let error = open_trace(&folder.path().join("none/trace")).unwrap_err();
        assert!(error.to_string().contains("none/trace"), "{error}");
    }
}
