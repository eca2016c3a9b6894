//! A program of ours as a process of its own, killed by its number when it is dropped.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Error, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

const READY_TIMEOUT: Duration = Duration::from_secs(60);
const STOP_TIMEOUT: Duration = Duration::from_secs(10);
const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// A running program.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
    address: String,
}

impl Process {
    /// Starts a program and waits until it prints a line that begins with `ready`; what follows
    /// on that line is its address. Standard error goes to `log`, which is appended to.
    ///
    /// # Errors
    /// When it does not start, ends, or is not ready within a minute; the log is quoted.
    pub fn start(name: &str, command: &mut Command, log: &Path) -> io::Result<Self> {
        let errors = File::options().create(true).append(true).open(log)?;
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(errors).spawn()?;
        let output = child.stdout.take();
        let mut process =
            Self { name: name.to_owned(), child, log: log.to_owned(), address: String::new() };
        let lines = output.map(first_line).ok_or_else(|| Error::other("no output"))?;
        match lines.recv_timeout(READY_TIMEOUT) {
            Ok(line) if line.starts_with("ready") => {
                process.address = line["ready".len()..].trim().to_owned();
                Ok(process)
            }
            _ => Err(Error::other(format!("{name} is not ready:\n{}", process.log()))),
        }
    }

    /// What it said on its ready line.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Its process number.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Everything that it has logged, for the text of a failure.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read(&self.log)
            .map(|log| String::from_utf8_lossy(&log).into_owned())
            .unwrap_or_default()
    }

    /// Kills it as a power failure would (SIGKILL), and waits until it is gone.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Asks it to stop (SIGTERM) and waits.
    ///
    /// # Errors
    /// When it has not ended within ten seconds, or ended with an error.
    pub fn stop(mut self) -> io::Result<()> {
        let id = self.child.id().to_string();
        Command::new("kill").args(["-TERM", &id]).status()?;
        let deadline = Instant::now() + STOP_TIMEOUT;
        while Instant::now() < deadline {
            match self.child.try_wait()? {
                Some(status) if status.success() => return Ok(()),
                Some(status) => {
                    let text = format!("{} ended with {status}:\n{}", self.name, self.log());
                    return Err(Error::other(text));
                }
                None => thread::sleep(POLL_INTERVAL),
            }
        }
        Err(Error::other(format!("{} does not stop:\n{}", self.name, self.log())))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Passes on the first line; reads on until the end, so that the program never blocks on output.
fn first_line(output: ChildStdout) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut output = BufReader::new(output);
        let mut line = String::new();
        if output.read_line(&mut line).is_ok() {
            let _ = sender.send(line.trim_end().to_owned());
        }
        let _ = output.read_to_end(&mut Vec::new());
    });
    receiver
}
