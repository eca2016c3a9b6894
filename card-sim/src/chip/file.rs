//! A chip in one file, which survives restarts and power cuts of the computer.
//!
//! ```text
//! offset     0         8        10       12         14        4096           4096 (n + 1)
//!            +---------+--------+--------+----------+---------+--------------+-----------+
//!            | KOZCHIP | version| cells  | size of  | zeros   | cell 0       | cell n    |
//!            | 00      | u16 BE | u16 BE | a cell   |         | 256 bytes    | 256 bytes |
//!            +---------+--------+--------+----------+---------+--------------+-----------+
//! ```
//! Each cell has a page of its own, the least that file systems and disks write at once: a write
//! that the computer cuts short touches no other cell.

use crate::Counters;
use crate::chip::{Chip, ERASED};
use applet::{Cell, Env, Event, Fault};
use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

const MAGIC: [u8; 8] = *b"KOZCHIP\0";
/// Rises whenever [`Cell::number`] or the place or size of a cell changes: the same bytes would be
/// read as something else.
const VERSION: u16 = 2;
/// What is written at once, at least; a cut can spoil all of it.
const PAGE_SIZE: usize = 4096;
const FILE_SIZE: usize = PAGE_SIZE * (1 + Cell::COUNT);

/// Why a card file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FileChipError {
    /// There is a file of that name already.
    #[error(
        "the card file {0} exists already: choose another name, or remove the file \
         (that destroys the card and the money on it)"
    )]
    Exists(PathBuf),
    /// There is no such file.
    #[error("there is no card file {0}: make a blank card with `card-sim new {0}`")]
    Missing(PathBuf),
    /// Another process runs this card.
    #[error("the card file {0} is in use by another process: stop that one first")]
    InUse(PathBuf),
    /// The file is of another version of this program.
    #[error(
        "the card file {path} has version {found}, this program reads version {VERSION}: \
         use the program that made it, or make a new card"
    )]
    Version {
        /// The file.
        path: PathBuf,
        /// The version that it says it has.
        found: u16,
    },
    /// The file is no card file, or not a whole one.
    #[error("the file {path} is not a whole card file ({what}): take its backup or a new card")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The blank card could not be made.
    #[error("the new card in {0} failed while it was being prepared: make it again")]
    Prepare(PathBuf),
    /// The operating system refused something.
    #[error("the card file {path} cannot be {action} ({source}): check disk and permissions")]
    Io {
        /// The file.
        path: PathBuf,
        /// What was tried.
        action: &'static str,
        /// The system's reason.
        source: io::Error,
    },
}

/// A chip in one file, locked against every other process that would run the same card.
#[derive(Debug)]
pub struct FileChip {
    file: File,
    counters: Counters,
    failed: bool,
}

impl FileChip {
    /// Makes a new file that only its owner can read, and lets `prepare` write into its erased
    /// memory. The header comes last, so a file that was not finished is not taken for a card.
    ///
    /// # Errors
    /// [`FileChipError::Exists`] when there is such a file; others when it cannot be written.
    pub fn create(
        path: &Path,
        prepare: impl FnOnce(&mut Self) -> Result<(), Fault>,
    ) -> Result<Self, FileChipError> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)
            .map_err(|source| {
                if source.kind() == io::ErrorKind::AlreadyExists {
                    return FileChipError::Exists(path.into());
                }
                io_error(path, "made", source)
            })?;
        Self::fill(path, file, prepare).inspect_err(|_| {
            // Ours since a moment ago, and no card yet: a second attempt should find the way free.
            if let Err(error) = std::fs::remove_file(path) {
                tracing::warn!(%error, "the unfinished card file stays");
            }
        })
    }

    fn fill(
        path: &Path,
        file: File,
        prepare: impl FnOnce(&mut Self) -> Result<(), Fault>,
    ) -> Result<Self, FileChipError> {
        lock(path, &file)?;
        let mut body = vec![0; PAGE_SIZE];
        body.resize(FILE_SIZE, ERASED);
        let written = |source| io_error(path, "written", source);
        file.write_all_at(&body, 0).map_err(written)?;
        file.sync_all().map_err(written)?;
        let mut chip = Self { file, counters: Counters::default(), failed: false };
        prepare(&mut chip).map_err(|Fault| FileChipError::Prepare(path.into()))?;
        chip.file.write_all_at(&header(), 0).map_err(written)?;
        chip.file.sync_all().map_err(written)?;
        // Without this the folder could forget the file after a power cut.
        File::open(parent(path)).and_then(|folder| folder.sync_all()).map_err(written)?;
        Ok(chip)
    }

    /// Opens a card that was made before.
    ///
    /// # Errors
    /// When the file is missing, in use, damaged or of another version.
    pub fn open(path: &Path) -> Result<Self, FileChipError> {
        let file = OpenOptions::new().read(true).write(true).open(path).map_err(|source| {
            if source.kind() == io::ErrorKind::NotFound {
                return FileChipError::Missing(path.into());
            }
            io_error(path, "opened", source)
        })?;
        lock(path, &file)?;
        // A process that was killed between write and sync has left what the next one can read and
        // a power cut can still take back: nothing is answered from that.
        file.sync_all().map_err(|source| io_error(path, "synced", source))?;
        let about = file.metadata().map_err(|source| io_error(path, "read", source))?;
        if about.mode() & 0o077 != 0 {
            tracing::warn!(
                path = %path.display(),
                "others can read or change this card file: give it mode 0600"
            );
        }
        check_header(path, &file, about.len())?;
        Ok(Self { file, counters: Counters::default(), failed: false })
    }

    /// Runs one operation on the file. The first that fails is the last: after a failed sync the
    /// system may have dropped the written pages and would report later ones as durable.
    fn attempt<T>(&mut self, operation: impl FnOnce(&File) -> io::Result<T>) -> Result<T, Fault> {
        if self.failed {
            return Err(Fault);
        }
        operation(&self.file).map_err(|error| {
            self.failed = true;
            tracing::error!(%error, "the card file failed; the chip stays out of order");
            Fault
        })
    }
}

impl Chip for FileChip {
    fn counters(&self) -> Counters {
        self.counters
    }
}

impl Env for FileChip {
    fn read(&mut self, cell: Cell, into: &mut [u8]) -> Result<(), Fault> {
        let offset = place(cell, into.len())?;
        self.attempt(|file| file.read_exact_at(into, offset))
    }

    fn write(&mut self, cell: Cell, data: &[u8]) -> Result<(), Fault> {
        let offset = place(cell, data.len())?;
        self.attempt(|file| {
            file.write_all_at(data, offset)?;
            file.sync_data()
        })?;
        self.counters.note_write(cell, u64::try_from(data.len()).unwrap_or(u64::MAX));
        Ok(())
    }

    fn random(&mut self, into: &mut [u8]) -> Result<(), Fault> {
        getrandom::fill(into).map_err(|_| Fault)
    }

    fn tally(&mut self, event: Event) {
        self.counters.note_event(event);
    }
}

/// Where a cell begins in the file, if `length` bytes fit into it.
fn place(cell: Cell, length: usize) -> Result<u64, Fault> {
    if length > Cell::SIZE_MAX || cell.number() >= Cell::COUNT {
        return Err(Fault);
    }
    let page = cell.number().checked_add(1).ok_or(Fault)?;
    let offset = page.checked_mul(PAGE_SIZE).ok_or(Fault)?;
    u64::try_from(offset).map_err(|_| Fault)
}

/// The header of a whole file of this version.
fn header() -> [u8; PAGE_SIZE] {
    let field = |number: usize| u16::try_from(number).unwrap_or(u16::MAX).to_be_bytes();
    let fields = MAGIC
        .into_iter()
        .chain(VERSION.to_be_bytes())
        .chain(field(Cell::COUNT))
        .chain(field(Cell::SIZE_MAX));
    let mut header = [0; PAGE_SIZE];
    for (place, byte) in header.iter_mut().zip(fields) {
        *place = byte;
    }
    header
}

/// Every byte of the header has one right value, so it needs no checksum.
fn check_header(path: &Path, file: &File, size: u64) -> Result<(), FileChipError> {
    let damaged = |what| Err(FileChipError::Damaged { path: path.into(), what });
    let mut found = [0; PAGE_SIZE];
    if size < u64::try_from(PAGE_SIZE).unwrap_or(u64::MAX) {
        return damaged("shorter than its header");
    }
    file.read_exact_at(&mut found, 0).map_err(|source| io_error(path, "read", source))?;
    let [magic @ .., high, low] = found.first_chunk::<10>().unwrap_or(&[0; 10]);
    if found == [0; PAGE_SIZE] {
        return damaged("making it was never finished");
    }
    if *magic != MAGIC {
        return damaged("it does not begin like one");
    }
    let version = u16::from_be_bytes([*high, *low]);
    if version != VERSION {
        return Err(FileChipError::Version { path: path.into(), found: version });
    }
    if found != header() {
        return damaged("its header was changed");
    }
    if Ok(size) != u64::try_from(FILE_SIZE) {
        return damaged("its length is wrong");
    }
    Ok(())
}

fn lock(path: &Path, file: &File) -> Result<(), FileChipError> {
    file.try_lock().map_err(|error| match error {
        TryLockError::WouldBlock => FileChipError::InUse(path.into()),
        TryLockError::Error(source) => io_error(path, "locked", source),
    })
}

/// The folder of a file, also of one named without a folder.
fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

fn io_error(path: &Path, action: &'static str, source: io::Error) -> FileChipError {
    FileChipError::Io { path: path.into(), action, source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    /// A folder that goes away with the test, and the path of a card file in it.
    fn scratch() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("card");
        (folder, path)
    }

    fn blank(path: &Path) -> FileChip {
        FileChip::create(path, |_| Ok(())).unwrap()
    }

    #[test]
    fn cells_survive_a_restart_each_in_its_place() {
        let (_folder, path) = scratch();
        let mut chip = blank(&path);
        let cells = (0..2)
            .map(Cell::Header)
            .chain([Cell::Identity, Cell::PrivateKey])
            .chain((0..33).map(Cell::History))
            .chain([Cell::Certificate(1, 15)]);
        let content = |cell: Cell| [u8::try_from(cell.number()).unwrap(); Cell::SIZE_MAX];
        for cell in cells.clone() {
            chip.write(cell, &content(cell)).unwrap();
        }
        chip.write(Cell::Identity, &[7; 3]).unwrap();
        drop(chip);
        let mut chip = FileChip::open(&path).unwrap();
        for cell in cells {
            let mut expected = content(cell);
            if cell == Cell::Identity {
                expected[..3].fill(7);
            }
            let mut found = [0; Cell::SIZE_MAX];
            chip.read(cell, &mut found).unwrap();
            assert_eq!(found, expected, "{cell:?}");
        }
        let mut untouched = [0; 4];
        chip.read(Cell::Pin(0), &mut untouched).unwrap();
        assert_eq!(untouched, [0xFF; 4]);
    }

    /// Two header slots in one page would be lost together.
    #[test]
    fn no_two_cells_share_a_page() {
        let journals = (0..5).flat_map(|n| [Cell::DebitJournal(n), Cell::CreditJournal(n)]);
        let cells: Vec<Cell> = (0..2)
            .flat_map(|slot| [Cell::Header(slot), Cell::Pin(slot), Cell::PaymentKey(slot)])
            .chain([Cell::Identity, Cell::PrivateKey])
            .chain(journals)
            .chain((0..33).map(Cell::History))
            .collect();
        let page = |cell: &Cell| place(*cell, Cell::SIZE_MAX).unwrap() / 4096;
        let pages: std::collections::BTreeSet<u64> = cells.iter().map(page).collect();
        assert_eq!(pages.len(), cells.len());
        assert!(!pages.contains(&0), "a cell in the page of the header");
    }

    #[test]
    fn a_write_is_in_the_file_when_it_returns() {
        let (_folder, path) = scratch();
        let mut chip = blank(&path);
        chip.write(Cell::Header(1), &[1, 2, 3]).unwrap();
        let second = 2 * PAGE_SIZE;
        assert_eq!(fs::read(&path).unwrap()[second..second + 4], [1, 2, 3, 0xFF]);
        let counters = chip.counters();
        assert_eq!((counters.nvm_bytes, counters.purse_commits), (3, 1));
    }

    #[test]
    fn more_than_a_cell_is_refused_and_does_no_harm() {
        let (_folder, path) = scratch();
        let mut chip = blank(&path);
        let before = fs::read(&path).unwrap();
        assert_eq!(chip.write(Cell::Header(0), &[0; 257]), Err(Fault));
        assert_eq!(chip.read(Cell::Certificate(1, 15), &mut [0; 257]), Err(Fault));
        assert_eq!(fs::read(&path).unwrap(), before);
        assert_eq!(chip.write(Cell::Header(0), &[0; 256]), Ok(()));
    }

    #[test]
    fn only_the_owner_can_read_a_new_card() {
        let (_folder, path) = scratch();
        let _chip = blank(&path);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_new_card_never_replaces_a_file() {
        let (_folder, path) = scratch();
        fs::write(&path, b"precious").unwrap();
        let error = FileChip::create(&path, |_| Ok(())).unwrap_err();
        assert!(matches!(error, FileChipError::Exists(_)), "{error}");
        assert_eq!(fs::read(&path).unwrap(), b"precious");
    }

    #[test]
    fn one_card_runs_in_one_place_only() {
        let (_folder, path) = scratch();
        let first = blank(&path);
        let error = FileChip::open(&path).unwrap_err();
        assert!(matches!(error, FileChipError::InUse(_)), "{error}");
        drop(first);
        let second = FileChip::open(&path).unwrap();
        let error = FileChip::open(&path).unwrap_err();
        assert!(matches!(error, FileChipError::InUse(_)), "{error}");
        drop(second);
    }

    #[test]
    fn a_card_that_was_not_prepared_is_no_card() {
        let (_folder, path) = scratch();
        let error = FileChip::create(&path, |chip| {
            chip.write(Cell::Header(0), &[1])?;
            // What a computer that stops here leaves behind.
            fs::copy(&path, path.with_extension("cut")).unwrap();
            Err(Fault)
        })
        .unwrap_err();
        assert!(matches!(error, FileChipError::Prepare(_)), "{error}");
        assert!(!path.exists());
        let error = FileChip::open(&path.with_extension("cut")).unwrap_err();
        assert!(error.to_string().contains("never finished"), "{error}");
    }

    #[test]
    fn a_missing_card_is_said_to_be_missing() {
        let (_folder, path) = scratch();
        let error = FileChip::open(&path).unwrap_err();
        assert!(matches!(error, FileChipError::Missing(_)), "{error}");
        assert!(error.to_string().contains("card-sim new"));
        assert!(!path.exists());
    }

    #[test]
    fn damage_and_other_versions_are_seen() {
        type Spoil = fn(&mut Vec<u8>);
        let table: [(&str, Spoil); 8] = [
            ("shorter than its header", Vec::clear),
            ("shorter than its header", |file| file.truncate(PAGE_SIZE - 1)),
            ("length", |file| file.truncate(FILE_SIZE - 1)),
            ("length", |file| file.push(0)),
            ("does not begin", |file| file[0] ^= 1),
            ("version 258", |file| file[8..10].copy_from_slice(&[1, 2])),
            ("header was changed", |file| file[11] ^= 1),
            ("header was changed", |file| file[PAGE_SIZE - 1] = 1),
        ];
        for (expected, spoil) in table {
            let (_folder, path) = scratch();
            drop(blank(&path));
            let mut content = fs::read(&path).unwrap();
            spoil(&mut content);
            fs::write(&path, &content).unwrap();
            let error = FileChip::open(&path).unwrap_err().to_string();
            assert!(error.contains(expected), "expected {expected}: {error}");
            assert_eq!(fs::read(&path).unwrap(), content);
        }
    }

    /// A file of `/proc` can be opened and locked, but not synced.
    #[cfg(target_os = "linux")]
    #[test]
    fn what_a_killed_process_wrote_is_synced_before_it_counts() {
        let error = FileChip::open(Path::new("/proc/self/comm")).unwrap_err();
        assert!(matches!(error, FileChipError::Io { action: "synced", .. }), "{error}");
    }

    /// `/dev/null` takes the write and cannot sync, `/dev/full` does not even take the write.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_chip_that_failed_once_stays_out_of_order() {
        for device in ["/dev/null", "/dev/full"] {
            let (_folder, path) = scratch();
            let mut chip = blank(&path);
            let good = std::mem::replace(
                &mut chip.file,
                OpenOptions::new().read(true).write(true).open(device).unwrap(),
            );
            assert_eq!(chip.write(Cell::Header(0), &[1]), Err(Fault), "{device}");
            chip.file = good;
            assert_eq!(chip.write(Cell::Header(0), &[1]), Err(Fault), "{device}");
            assert_eq!(chip.read(Cell::Header(0), &mut [0]), Err(Fault), "{device}");
            assert_eq!(chip.counters(), Counters::default());
        }
    }

    #[test]
    fn a_bare_file_name_is_in_the_current_folder() {
        assert_eq!(parent(Path::new("card")), Path::new("."));
        assert_eq!(parent(Path::new("a/card")), Path::new("a"));
        assert_eq!(parent(Path::new("/card")), Path::new("/"));
    }
}
