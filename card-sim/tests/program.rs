//! The program as its user meets it: exit codes, "ready", signals.

#![allow(clippy::unwrap_used, reason = "the lint spares test functions, not their helpers")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

/// SELECT by an AID that no applet has.
const SELECT_UNKNOWN: [u8; 11] = [0x00, 0xA4, 0x04, 0x00, 0x05, 0xF0, 0x00, 0x00, 0x00, 0x01, 0x00];

fn program(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_card-sim"));
    command.current_dir(folder).args(arguments).env_remove("RUST_LOG");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs to the end and checks exit code and error text.
fn check(folder: &Path, arguments: &[&str], code: i32, error: &str) -> Output {
    let output = program(folder, arguments).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {text}");
    assert!(text.contains(error), "{arguments:?}: {text}");
    output
}

/// A running program, killed if its test fails.
struct Running(Child);

impl Running {
    /// Starts and waits for "ready".
    fn start(folder: &Path, arguments: &[&str]) -> Self {
        let mut child = program(folder, arguments).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n");
        Self(child)
    }

    /// Sends a signal and returns what was written on standard error, after a clean end.
    fn stop(mut self, signal: &str) -> String {
        let id = self.0.id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
        self.end()
    }

    fn end(&mut self) -> String {
        let mut text = String::new();
        self.0.stderr.as_mut().unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(self.0.wait().unwrap().code(), Some(0), "{text}");
        text
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn ask(stream: &mut (impl Read + Write), frame: &[u8]) -> Vec<u8> {
    stream.write_all(&u16::try_from(frame.len()).unwrap().to_be_bytes()).unwrap();
    stream.write_all(frame).unwrap();
    let mut length = [0; 2];
    stream.read_exact(&mut length).unwrap();
    let mut answer = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut answer).unwrap();
    answer
}

#[test]
fn wrong_usage_and_failures_have_their_own_exit_codes() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    check(folder, &[], 2, "Usage");
    check(folder, &["run", "--ram"], 2, "--vpcd");
    check(folder, &["run", "--socket", "own/s"], 2, "--ram");
    check(folder, &["run", "--ram", "--file", "card", "--socket", "own/s"], 2, "--file");
    check(folder, &["run", "--ram", "--vpcd", "localhost:1", "--socket", "own/s"], 2, "--vpcd");
    check(folder, &["new", "card"], 0, "");
    check(folder, &["new", "card"], 1, "card exists already");
    check(folder, &["run", "--file", "none", "--socket", "own/s"], 1, "card-sim new none");
    check(folder, &["run", "--ram", "--vpcd", "192.0.2.1:35963"], 1, "not on this machine");
    check(folder, &["run", "--ram", "--socket", "own/s", "--trace", "no/t"], 1, "no/t");
    let help = check(folder, &["--help"], 0, "");
    let help = String::from_utf8(help.stdout).unwrap();
    assert!(help.contains("Examples") && help.contains("Exit status"), "{help}");
}

#[test]
fn a_card_file_is_served_on_a_socket_until_a_signal() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    check(folder, &["new", "card"], 0, "");
    let run = ["run", "--file", "card", "--socket", "own/s", "--trace", "trace"];
    for (round, signal) in (1..).zip(["-TERM", "-INT"]) {
        let running = Running::start(folder, &run);
        check(folder, &["run", "--file", "card", "--socket", "own/t"], 1, "in use");
        let mut client = UnixStream::connect(folder.join("own/s")).unwrap();
        client.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        assert!(ask(&mut client, &SELECT_UNKNOWN).len() >= 2);
        // The client stays connected: the signal has to end the wait for its next frame.
        let text = running.stop(signal);
        assert!(text.starts_with("APDUs: 1, median"), "{text}");
        assert!(!folder.join("own/s").exists());
        let trace = std::fs::read_to_string(folder.join("trace")).unwrap();
        assert_eq!(trace.lines().count(), round);
        assert!(trace.lines().all(|line| line.contains(r#""ins":"A4""#)), "{trace}");
    }
}

#[test]
fn a_card_in_memory_is_served_behind_vpcd_until_vpcd_leaves() {
    let folder = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let mut running = Running::start(folder.path(), &["run", "--ram", "--vpcd", &address]);
    let mut vpcd = listener.accept().unwrap().0;
    vpcd.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    assert_eq!(ask(&mut vpcd, &[4]), card_sim::ATR);
    vpcd.write_all(&[0, 1, 1]).unwrap();
    assert!(ask(&mut vpcd, &SELECT_UNKNOWN).len() >= 2);
    drop(vpcd);
    assert_eq!(running.end(), "");
}
