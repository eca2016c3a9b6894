//! A pcscd of our own with a virtual reader, next to the user's pcscd and never touching it.
//!
//! pcscd's socket path is compiled in, and the driver of the virtual reader listens on every
//! interface. So it runs in mount and network namespaces of its own, with an empty `/run` and
//! only a loopback device. Clients outside reach it through `/proc/PID/root`.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Error};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::pcscd_log::{Exchange, exchanges};

const SCRIPT: &str = include_str!("private_reader.sh");
const PROGRAMS: [&str; 5] = ["unshare", "nsenter", "mount", "ip", "pcscd"];
const DRIVERS: [&str; 2] = [
    concat!(env!("CARGO_MANIFEST_DIR"), "/../target/vpcd/libifdvpcd.so"),
    "/usr/lib/pcsc/drivers/serial/libifdvpcd.so",
];
const START_TIMEOUT: Duration = Duration::from_secs(10);
const CARD_TIMEOUT: Duration = Duration::from_secs(10);
const STOP_TIMEOUT: Duration = Duration::from_secs(5);
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// How this user may get namespaces of his own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Entry {
    /// As root.
    Root,
    /// As root of a user namespace.
    UserNamespace,
}

impl Entry {
    fn unshare(self, driver: &Path, mode: &str) -> Command {
        let mut command = Command::new("unshare");
        match self {
            Self::Root => command.args(["-m", "-n"]),
            Self::UserNamespace => command.args(["-r", "-m", "-n"]),
        };
        command.args(["sh", "-c", SCRIPT, "private-reader"]).arg(driver).arg(mode);
        command
    }

    /// The root folder comes along, which is another one when all of this runs in a chroot.
    fn nsenter(self) -> &'static [&'static str] {
        match self {
            Self::Root => &["-m", "-n", "-r"],
            Self::UserNamespace => &["-U", "--preserve-credentials", "-m", "-n", "-r"],
        }
    }
}

/// A running private pcscd. Ends, with everything that was started [`inside`](Self::inside),
/// when it is dropped or when this process ends in any way.
#[derive(Debug)]
pub struct Pcscd {
    /// The first process in the namespaces. The write end of its standard input keeps it alive.
    shell: Child,
    entry: Entry,
    folder: TempDir,
}

impl Pcscd {
    /// The reader in which the card at [`CARD_ADDRESS`](Self::CARD_ADDRESS) appears.
    pub const READER: &str = "Virtual PCD 00 00";
    /// Where, inside, a software card connects to its reader.
    pub const CARD_ADDRESS: &str = "127.0.0.1:35963";
    /// The variable that sends clients to [`socket_path`](Self::socket_path). libpcsclite reads
    /// it once, so it is to be set for a process of the client's own.
    pub const SOCKET_VARIABLE: &str = "PCSCLITE_CSOCK_NAME";

    /// Whether a private pcscd can run here.
    ///
    /// # Errors
    /// Says why not: a program is missing or namespaces are refused.
    pub fn available() -> Result<(), String> {
        probe().map(|_| ())
    }

    /// Starts a pcscd with an empty reader and waits until it answers.
    ///
    /// # Errors
    /// When it is not [`available`](Self::available), or not ready within ten seconds.
    pub fn start() -> io::Result<Self> {
        let (entry, driver) = probe().map_err(Error::other)?;
        let folder = TempDir::with_prefix("kozeni-reader-")?;
        let log = File::create(folder.path().join("pcscd.log"))?;
        let shell = entry
            .unshare(&driver, "run")
            .stdin(Stdio::piped())
            .stdout(log.try_clone()?)
            .stderr(log)
            .process_group(0)
            .spawn()?;
        let mut pcscd = Self { shell, entry, folder };
        pcscd.wait_for("daemon ready", START_TIMEOUT)?;
        Ok(pcscd)
    }

    /// The socket for clients outside the namespaces.
    #[must_use]
    pub fn socket_path(&self) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root/run/pcscd/pcscd.comm", self.shell.id()))
    }

    /// pcscd's log with every APDU, for as long as this value lives.
    #[must_use]
    pub fn log_path(&self) -> PathBuf {
        self.folder.path().join("pcscd.log")
    }

    /// The APDUs that have passed so far.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn exchanges(&self) -> io::Result<Vec<Exchange>> {
        Ok(exchanges(&self.log()?))
    }

    /// The same program, arguments, environment changes and working directory, but inside the
    /// namespaces: there it sees the reader at [`CARD_ADDRESS`](Self::CARD_ADDRESS), the same
    /// files except under `/run`, and no other network. Standard streams are to be set anew.
    #[must_use]
    pub fn inside(&self, command: &Command) -> Command {
        let mut entered = Command::new("nsenter");
        entered.arg("-t").arg(self.shell.id().to_string()).args(self.entry.nsenter());
        // Entering a mount namespace forgets the working directory.
        let here = std::env::current_dir().unwrap_or_default();
        let folder = command.get_current_dir().map_or(here.clone(), |folder| here.join(folder));
        entered.args(["env", "-C"]).arg(folder);
        entered.arg("--").arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => entered.env(name, value),
                None => entered.env_remove(name),
            };
        }
        let group = i32::try_from(self.shell.id()).expect("process numbers are small");
        entered.process_group(group);
        entered
    }

    /// Waits until pcscd has seen a card in the reader.
    ///
    /// # Errors
    /// When none came within ten seconds.
    pub fn wait_for_card(&mut self) -> io::Result<()> {
        self.wait_for(&format!("Card inserted into {}", Self::READER), CARD_TIMEOUT)
    }

    /// Whether the namespaces still have their first process.
    #[must_use]
    pub fn is_running(&mut self) -> bool {
        matches!(self.shell.try_wait(), Ok(None))
    }

    fn log(&self) -> io::Result<String> {
        Ok(String::from_utf8_lossy(&fs::read(self.log_path())?).into_owned())
    }

    fn wait_for(&mut self, text: &str, timeout: Duration) -> io::Result<()> {
        let deadline = Instant::now() + timeout;
        while !self.log()?.contains(text) {
            if !self.is_running() || Instant::now() > deadline {
                let log = self.log()?;
                return Err(Error::other(format!("pcscd never said {text:?}:\n{log}")));
            }
            thread::sleep(POLL_INTERVAL);
        }
        Ok(())
    }
}

impl Drop for Pcscd {
    fn drop(&mut self) {
        // The script reads the end of its input and kills its whole process group.
        drop(self.shell.stdin.take());
        let deadline = Instant::now() + STOP_TIMEOUT;
        while self.is_running() && Instant::now() < deadline {
            thread::sleep(POLL_INTERVAL);
        }
        if self.is_running() {
            let kill = format!("kill -KILL -{}", self.shell.id());
            let _ = Command::new("sh").args(["-c", &kill]).status();
            let _ = self.shell.wait();
        }
    }
}

/// How to enter, and with which driver; found out once by trying.
fn probe() -> Result<(Entry, PathBuf), String> {
    static FOUND: OnceLock<Result<(Entry, PathBuf), String>> = OnceLock::new();
    FOUND.get_or_init(find_out).clone()
}

fn find_out() -> Result<(Entry, PathBuf), String> {
    if let Some(missing) = PROGRAMS.iter().find(|program| !is_installed(program)) {
        return Err(format!("{missing} is not installed; scripts/setup.sh reader installs it"));
    }
    let Some(driver) = DRIVERS.map(PathBuf::from).into_iter().find(|driver| driver.is_file())
    else {
        return Err("no driver for the virtual reader; see scripts/setup.sh reader".to_owned());
    };
    let mut refusals = Vec::new();
    for entry in [Entry::Root, Entry::UserNamespace] {
        let output = entry.unshare(&driver, "probe").stdin(Stdio::null()).output();
        match output {
            Ok(output) if output.status.success() => return Ok((entry, driver)),
            Ok(output) => {
                refusals.push(String::from_utf8_lossy(&output.stderr).trim().to_owned());
            }
            Err(error) => refusals.push(error.to_string()),
        }
    }
    Err(format!("namespaces are refused here: {}", refusals.join("; ")))
}

fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/sbin"].map(PathBuf::from))
        .any(|folder| folder.join(OsStr::new(program)).is_file())
}
