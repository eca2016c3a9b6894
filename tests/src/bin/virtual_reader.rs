//! `virtual-reader -- CARD ARGUMENTS…`: a private pcscd with a software card in its reader.
//!
//! Starts pcscd where it cannot disturb the user's own, starts the given card program next to it,
//! waits until pcscd sees the card, and prints one line of JSON for whoever wants to use it:
//! `{"socket":"/proc/…/pcscd.comm","reader":"Virtual PCD 00 00","apdu_log":"…"}`. Clients are sent
//! to it by `PCSCLITE_CSOCK_NAME=<socket>`. Ends on SIGTERM, on SIGINT, when a pipe on its
//! standard input is closed, and when the card ends; then nothing is left of it.
#![allow(clippy::arithmetic_side_effects, reason = "deadlines of seconds do not overflow")]

use std::env::args_os;
use std::io::{self, Error, Read, Write};
use std::os::unix::fs::FileTypeExt;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use e2e::Pcscd;
use serde_json::json;
use signal_hook::consts::{SIGINT, SIGTERM};

const POLL_INTERVAL: Duration = Duration::from_millis(50);
const CARD_STOP_TIMEOUT: Duration = Duration::from_secs(2);

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("virtual-reader: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> io::Result<()> {
    let card = card_command()?;
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&stop))?;
    }
    stop_at_end_of_input(&stop);

    let mut pcscd = Pcscd::start()?;
    let mut card = pcscd.inside(&card).stdin(Stdio::null()).stdout(io::stderr()).spawn()?;
    pcscd.wait_for_card()?;
    let announcement = json!({
        "socket": pcscd.socket_path(),
        "reader": Pcscd::READER,
        "apdu_log": pcscd.log_path(),
    });
    writeln!(io::stdout(), "{announcement}")?;

    while !stop.load(Ordering::Relaxed) {
        if let Some(status) = card.try_wait()? {
            return Err(Error::other(format!("the card ended: {status}")));
        }
        if !pcscd.is_running() {
            return Err(Error::other("pcscd ended"));
        }
        thread::sleep(POLL_INTERVAL);
    }
    stop_card(&mut card)
}

fn card_command() -> io::Result<Command> {
    let mut arguments = args_os().skip(1).skip_while(|argument| argument == "--");
    let program = arguments.next().ok_or_else(|| Error::other("usage: virtual-reader -- CARD"))?;
    let mut command = Command::new(program);
    command.args(arguments);
    Ok(command)
}

/// A pipe that is closed means that whoever holds its other end is done or dead. Anything else on
/// standard input says nothing: a shell gives its background jobs `/dev/null`.
fn stop_at_end_of_input(stop: &Arc<AtomicBool>) {
    let stop = Arc::clone(stop);
    let piped = std::fs::metadata("/proc/self/fd/0")
        .is_ok_and(|input| input.file_type().is_fifo() || input.file_type().is_socket());
    if piped {
        thread::spawn(move || {
            let mut input = io::stdin();
            while matches!(input.read(&mut [0; 64]), Ok(1..)) {}
            stop.store(true, Ordering::Relaxed);
        });
    }
}

/// Lets the card end in its own way; dropping the reader ends it in any case.
fn stop_card(card: &mut Child) -> io::Result<()> {
    Command::new("sh").args(["-c", &format!("kill -TERM {}", card.id())]).status()?;
    let deadline = Instant::now() + CARD_STOP_TIMEOUT;
    while card.try_wait()?.is_none() && Instant::now() < deadline {
        thread::sleep(POLL_INTERVAL);
    }
    Ok(())
}
