//! The private pcscd itself, with a card that answers every command by sending it back.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use apdu_spec::AID;
use e2e::{Exchange, Pcscd, exchanges, program};
use serde_json::Value;

/// Set for the process that plays the card, to where its reader listens.
const ECHO_CARD: &str = "E2E_ECHO_CARD";
const ATR: [u8; 4] = [0x3B, 0x81, 0x80, 0x01];

/// The reason why there is no reader here, printed past the test runner's capture.
pub(crate) fn skipped() -> bool {
    let Err(reason) = Pcscd::available() else {
        return false;
    };
    let line = format!("skipped, no private pcscd here: {reason}\n");
    std::io::stderr().write_all(line.as_bytes()).unwrap();
    true
}

/// Not a test: the card's program. vpcd's frames have two length bytes; one byte is a control:
/// 0 power off, 1 power on, 2 reset, 4 ATR; only the last is answered.
#[test]
fn echo_card() {
    let Ok(address) = std::env::var(ECHO_CARD) else {
        return;
    };
    let mut reader = TcpStream::connect(address).unwrap();
    let mut length = [0; 2];
    while reader.read_exact(&mut length).is_ok() {
        let mut frame = vec![0; usize::from(u16::from_be_bytes(length))];
        reader.read_exact(&mut frame).unwrap();
        let answer = match frame.as_slice() {
            [4] => ATR.to_vec(),
            [_] => continue,
            command => [command, &[0x90, 0x00]].concat(),
        };
        let length = u16::try_from(answer.len()).unwrap().to_be_bytes();
        reader.write_all(&[&length[..], &answer].concat()).unwrap();
    }
}

fn echo_card_command() -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["pcscd::echo_card", "--exact", "--nocapture"]);
    command.env(ECHO_CARD, Pcscd::CARD_ADDRESS);
    command
}

fn opensc_tool(socket: impl AsRef<std::ffi::OsStr>, arguments: &[&str]) -> String {
    let mut command = Command::new("opensc-tool");
    command.env(Pcscd::SOCKET_VARIABLE, socket).args(arguments);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn is_alive(process: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // Field 3 is the state; a zombie is dead but not yet collected.
    status.rsplit_once(") ").is_some_and(|(_, state)| !state.starts_with('Z'))
}

fn wait_until_dead(process: u32) {
    for _ in 0..250 {
        if !is_alive(process) {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("process {process} is still there");
}

#[test]
fn a_card_inside_is_a_reader_outside() {
    if skipped() {
        return;
    }
    let mut pcscd = Pcscd::start().unwrap();
    let mut card = pcscd.inside(&echo_card_command()).stdout(Stdio::null()).spawn().unwrap();
    pcscd.wait_for_card().unwrap();
    let socket = pcscd.socket_path();

    let readers = opensc_tool(&socket, &["--list-readers"]);
    assert!(readers.contains(Pcscd::READER), "{readers}");
    let atr = opensc_tool(&socket, &["--reader", "0", "--card-driver", "default", "--atr"]);
    assert_eq!(atr.trim(), "3b:81:80:01");

    let command = vec![0x80, 0x54, 0x01, 0x02, 0x03, 0xAA, 0xBB, 0xCC];
    let text = ["--card-driver", "default", "--send-apdu", "8054010203AABBCC"];
    opensc_tool(&socket, &text);
    let response = [command.as_slice(), &[0x90, 0x00]].concat();
    let passed = pcscd.exchanges().unwrap();
    assert!(passed.contains(&Exchange { command, response }), "{passed:?}");

    let log = pcscd.log_path();
    drop(pcscd);
    card.wait().unwrap();
    assert!(!socket.exists() && !log.exists());
}

#[test]
fn the_software_card_answers_behind_its_reader() {
    if skipped() {
        return;
    }
    let mut pcscd = Pcscd::start().unwrap();
    let mut command = Command::new(program("card-sim"));
    command.args(["run", "--ram", "--vpcd", Pcscd::CARD_ADDRESS]);
    let mut card = pcscd.inside(&command).stdout(Stdio::null()).spawn().unwrap();
    pcscd.wait_for_card().unwrap();

    let length = u8::try_from(AID.len()).unwrap();
    let select = [&[0x00, 0xA4, 0x04, 0x00, length], AID, &[0x00]].concat();
    let text: String = select.iter().map(|byte| format!("{byte:02X}")).collect();
    let default_driver = ["--card-driver", "default", "--send-apdu", &text];
    opensc_tool(pcscd.socket_path(), &default_driver);
    let passed = pcscd.exchanges().unwrap();
    let answer = passed.iter().find(|exchange| exchange.command == select);
    assert!(answer.is_some_and(|answer| answer.response.ends_with(&[0x90, 0x00])), "{passed:?}");
    drop(pcscd);
    card.wait().unwrap();
}

#[test]
fn two_readers_do_not_meet() {
    if skipped() {
        return;
    }
    let mut first = Pcscd::start().unwrap();
    let second = Pcscd::start().unwrap();
    let mut card = first.inside(&echo_card_command()).stdout(Stdio::null()).spawn().unwrap();
    first.wait_for_card().unwrap();
    assert!(!std::fs::read_to_string(second.log_path()).unwrap().contains("Card inserted"));
    drop(first);
    card.wait().unwrap();
}

#[test]
fn a_panic_leaves_nothing_behind() {
    if skipped() {
        return;
    }
    let (sender, receiver) = std::sync::mpsc::channel();
    let doomed = std::thread::spawn(move || {
        let pcscd = Pcscd::start().unwrap();
        let card = pcscd.inside(Command::new("sleep").arg("1000")).spawn().unwrap();
        sender.send((card, pcscd.log_path())).unwrap();
        panic!("on purpose");
    });
    let (mut card, log) = receiver.recv().unwrap();
    doomed.join().unwrap_err();
    card.wait().unwrap();
    assert!(!log.exists());
}

struct VirtualReader {
    process: Child,
    announcement: Value,
}

fn virtual_reader() -> VirtualReader {
    let card = echo_card_command();
    let mut process = Command::new(env!("CARGO_BIN_EXE_virtual-reader"))
        .arg("--")
        .arg(card.get_program())
        .args(card.get_args())
        .env(ECHO_CARD, Pcscd::CARD_ADDRESS)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
    VirtualReader { process, announcement: serde_json::from_str(&line).unwrap() }
}

#[test]
fn the_program_ends_on_a_signal_and_at_the_end_of_its_input() {
    if skipped() {
        return;
    }
    for by_signal in [true, false] {
        let VirtualReader { mut process, announcement } = virtual_reader();
        let socket = announcement["socket"].as_str().unwrap();
        let readers = opensc_tool(socket, &["--list-readers"]);
        assert!(readers.contains(announcement["reader"].as_str().unwrap()), "{readers}");
        let shell: u32 = socket.split('/').nth(2).unwrap().parse().unwrap();
        assert!(is_alive(shell));

        if by_signal {
            let kill = format!("kill -TERM {}", process.id());
            assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
        } else {
            drop(process.stdin.take());
        }
        assert!(process.wait().unwrap().success());
        wait_until_dead(shell);
        let log = announcement["apdu_log"].as_str().unwrap();
        assert!(!std::path::Path::new(log).exists());
    }
}

#[test]
fn a_killed_program_takes_its_reader_along() {
    if skipped() {
        return;
    }
    let VirtualReader { mut process, announcement } = virtual_reader();
    let socket = announcement["socket"].as_str().unwrap();
    let shell = socket.split('/').nth(2).unwrap().parse().unwrap();
    process.kill().unwrap();
    process.wait().unwrap();
    wait_until_dead(shell);
    // Nobody was left to remove the log.
    let log = std::path::Path::new(announcement["apdu_log"].as_str().unwrap());
    std::fs::remove_dir_all(log.parent().unwrap()).unwrap();
}

#[test]
fn apdus_are_read_from_the_log() {
    let log = "00000012 winscard.c:1:f() Card inserted\n\
               00000012 APDU: 00 A4 04 00\n\
               00000001 noise\n\
               00000700 SW: 6F 00 90 00\n\
               00000009 APDU: 80 CA 00 00\n";
    let expected = [
        Exchange { command: vec![0, 0xA4, 4, 0], response: vec![0x6F, 0, 0x90, 0] },
        Exchange { command: vec![0x80, 0xCA, 0, 0], response: vec![] },
    ];
    assert_eq!(exchanges(log), expected);
}
