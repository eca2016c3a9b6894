//! A reader with a card in it for a whole world: pcscd's virtual reader where that can run, and
//! the local socket where it cannot.

use std::io::{self, Error};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::pcscd::Pcscd;
use crate::pcscd_log::Exchange;
use crate::process::Process;
use crate::program;

/// How a world reaches its card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// A private pcscd with a virtual reader.
    Pcscd,
    /// `card-sim` on a Unix socket.
    Direct,
    /// A card in a reader of the user's.
    Reader(String),
}

impl Way {
    /// pcscd where it can run, otherwise the direct transport; says why on standard error.
    #[must_use]
    pub fn best() -> Self {
        match Pcscd::available() {
            Ok(()) => Self::Pcscd,
            Err(reason) => {
                eprintln!("pcscd cannot run here ({reason}); using the direct transport");
                Self::Direct
            }
        }
    }
}

/// A reader with a card.
#[derive(Debug)]
pub struct Slot {
    way: Way,
    reader: String,
    trace: PathBuf,
    // Fields are dropped in this order: the card leaves before its reader.
    card: Option<Process>,
    pcscd: Option<Pcscd>,
    card_file: PathBuf,
    folder: PathBuf,
}

impl Slot {
    /// Makes a blank card in `folder` and puts it into a reader.
    ///
    /// # Errors
    /// When a program does not start.
    pub fn start(way: Way, folder: &Path) -> io::Result<Self> {
        let mut slot = Self {
            reader: String::new(),
            trace: folder.join("card-trace.jsonl"),
            card: None,
            pcscd: None,
            card_file: folder.join("card.kozeni-card"),
            folder: folder.to_owned(),
            way,
        };
        match slot.way.clone() {
            Way::Reader(name) => slot.reader = name,
            Way::Direct => {
                slot.make_card()?;
                slot.insert()?;
                slot.reader = format!("direct:{}", slot.socket().display());
            }
            Way::Pcscd => {
                slot.make_card()?;
                slot.pcscd = Some(Pcscd::start()?);
                slot.insert()?;
                slot.reader = Pcscd::READER.to_owned();
            }
        }
        Ok(slot)
    }

    /// The name for `--reader`.
    #[must_use]
    pub fn reader(&self) -> &str {
        &self.reader
    }

    /// The way to the card.
    #[must_use]
    pub fn way(&self) -> &Way {
        &self.way
    }

    /// Sends a host program to this reader.
    pub fn point(&self, command: &mut Command) {
        if let Some(pcscd) = &self.pcscd {
            command.env(Pcscd::SOCKET_VARIABLE, pcscd.socket_path());
        }
    }

    /// Pulls the card out (its process is killed) and puts it back.
    ///
    /// # Errors
    /// When the card does not start again.
    pub fn reinsert(&mut self) -> io::Result<()> {
        self.card = None;
        self.insert()
    }

    /// What the chip counted for each APDU so far, one object each. Empty for a user's own card.
    ///
    /// # Errors
    /// When the trace cannot be read.
    pub fn trace(&self) -> io::Result<Vec<Value>> {
        if !self.trace.exists() {
            return Ok(Vec::new());
        }
        let text = std::fs::read_to_string(&self.trace)?;
        let lines = text.lines().map(serde_json::from_str);
        lines.collect::<Result<_, _>>().map_err(Error::other)
    }

    /// The APDUs that pcscd logged so far; `None` where no pcscd of ours is in between.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn exchanges(&self) -> io::Result<Option<Vec<Exchange>>> {
        self.pcscd.as_ref().map(Pcscd::exchanges).transpose()
    }

    fn socket(&self) -> PathBuf {
        self.folder.join("socket").join("card")
    }

    fn make_card(&self) -> io::Result<()> {
        let made = Command::new(program("card-sim"))
            .arg("new")
            .arg(&self.card_file)
            .stdout(Stdio::null())
            .status()?;
        if made.success() { Ok(()) } else { Err(Error::other("card-sim makes no card")) }
    }

    fn insert(&mut self) -> io::Result<()> {
        let mut command = Command::new(program("card-sim"));
        command.arg("run").arg("--file").arg(&self.card_file).arg("--trace").arg(&self.trace);
        let log = self.folder.join("card.log");
        self.card = match &mut self.pcscd {
            None => {
                command.arg("--socket").arg(self.socket());
                Some(Process::start("card-sim", &mut command, &log)?)
            }
            Some(pcscd) => {
                command.args(["--vpcd", Pcscd::CARD_ADDRESS]);
                let card = Process::start("card-sim", &mut pcscd.inside(&command), &log)?;
                pcscd.wait_for_card()?;
                Some(card)
            }
        };
        Ok(())
    }
}
