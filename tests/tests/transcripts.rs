//! Every story of the card, on every carrier, each with a new blank card.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use card_sim::{Card, RamChip, SmartCard};
use e2e::{Pcscd, ReaderCard, Runner, Story, program};
use tempfile::TempDir;

/// The stories that stand alone; those in `parts` are included by others.
fn stories() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("stories/card");
    let entries = folder.read_dir().unwrap();
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|name| name == "story"))
        .collect();
    files.sort();
    assert!(!files.is_empty());
    files
}

/// Tells past the test runner's capture what cannot be asserted.
fn say(text: &str) {
    let line = format!("{text}\n");
    std::io::stderr().write_all(line.as_bytes()).unwrap();
}

fn say_times(carrier: &str, mut microseconds: Vec<u128>) {
    microseconds.sort_unstable();
    let count = microseconds.len();
    let median = microseconds.get(count / 2).copied().unwrap_or_default();
    say(&format!("{carrier}: {count} APDUs, median {median} µs"));
}

/// A blank card in a new file.
fn new_card(program: &Path, folder: &TempDir) -> PathBuf {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let file = folder.path().join(format!("card-{number}"));
    let made = Command::new(program).arg("new").arg(&file).status();
    assert!(made.unwrap().success());
    file
}

/// A running `card-sim`, which ends with this value.
struct Running(Child);

impl Running {
    /// Starts it and waits until it is ready.
    fn start(command: &mut Command) -> Self {
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let mut running = Self(child);
        let mut line = String::new();
        let output = running.0.stdout.as_mut().unwrap();
        BufReader::new(output).read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n");
        running
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn in_process() {
    let failures: Vec<String> = stories()
        .iter()
        .filter_map(|file| {
            let mut card = Card::blank(RamChip::new()).unwrap();
            card.power_on();
            let told = Story::read(file).and_then(|story| Runner::new(&mut card).run(&story));
            told.err().map(|error| error.to_string())
        })
        .collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn direct() {
    let card_sim = program("card-sim");
    let folder = TempDir::new().unwrap();
    let socket = folder.path().join("own").join("socket");
    let mut times = Vec::new();
    for file in stories() {
        let mut command = Command::new(&card_sim);
        command.arg("run").arg("--socket").arg(&socket);
        command.arg("--file").arg(new_card(&card_sim, &folder));
        let running = Running::start(&mut command);
        let mut card = ReaderCard::open(&format!("direct:{}", socket.display())).unwrap();
        let story = Story::read(&file).unwrap_or_else(|error| panic!("{error}"));
        let report = Runner::new(&mut card).run(&story);
        let report = report.unwrap_or_else(|error| panic!("direct: {error}"));
        times.extend(report.times.iter().map(Duration::as_micros));
        card.close().unwrap();
        drop(running);
    }
    say_times("direct", times);
}

/// Waits until pcscd has noticed so many times that its reader got or lost a card: it looks only
/// now and then, and would take a quick change for the same card.
fn wait_for_event(reader: &Pcscd, event: &str, count: usize) {
    let event = format!("{event} {}", Pcscd::READER);
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let log = std::fs::read(reader.log_path()).unwrap();
        let log = String::from_utf8_lossy(&log);
        if log.matches(&event).count() >= count {
            return;
        }
        assert!(Instant::now() < deadline, "pcscd never said {event:?}:\n{log}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn pcscd() {
    if let Err(reason) = Pcscd::available() {
        say(&format!("skipped, no private pcscd here: {reason}"));
        return;
    }
    let card_sim = program("card-sim");
    let folder = TempDir::new().unwrap();
    let reader = Pcscd::start().unwrap();
    let mut times = Vec::new();
    for (file, number) in stories().iter().zip(1..) {
        let mut command = Command::new(&card_sim);
        command.args(["run", "--vpcd", Pcscd::CARD_ADDRESS]);
        command.arg("--file").arg(new_card(&card_sim, &folder));
        let running = Running::start(&mut reader.inside(&command));
        wait_for_event(&reader, "Card inserted into", number);
        let output = Command::new(env!("CARGO_BIN_EXE_story-runner"))
            .args(["--reader", Pcscd::READER])
            .arg(file)
            .env(Pcscd::SOCKET_VARIABLE, reader.socket_path())
            .output()
            .unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "pcscd: {errors}");
        let output = String::from_utf8(output.stdout).unwrap();
        times.extend(output.lines().map(|line| line.parse::<u128>().unwrap()));
        drop(running);
        wait_for_event(&reader, "Card Removed From", number);
    }
    say_times("pcscd", times);
}
