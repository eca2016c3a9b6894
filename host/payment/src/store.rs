//! The books on disk. One writer: every request is one transaction, in which the facts are read,
//! the decision is taken and its rows are written, and which is on disk before anything is
//! answered. Where many requests wait, [`Store::apply`] is the place to join them into one
//! transaction; no decision would notice.

mod credits;
mod database;
mod evidence;
mod ledger;
mod operator;
mod outbox;
mod parties;
mod payments;

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use apdu_spec::value::{Currency, Epoch, IssuerId};
use protocol::signed::SignerError;

pub(crate) use self::credits::{Credit, CreditState, NewCredit, Slot};
use self::database::Database;
pub(crate) use self::database::{Books, Row};
pub(crate) use self::evidence::{Introduced, Kind};
pub(crate) use self::operator::NewShop;
pub(crate) use self::outbox::{Push, PushEnd};
pub(crate) use self::parties::{Acks, Card, Shop};
pub(crate) use self::payments::{BookedDebit, InvoiceState, KnownInvoice, LivePermit, Outcome};

/// What changes the schema from each version to the next.
const MIGRATIONS: [&str; 1] = [include_str!("store/schema.sql")];

/// Why the books could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database or the disk failed. What was being written may or may not be on disk.
    #[error("database: {0}")]
    Storage(String),
    /// The books hold something that this program never writes.
    #[error("the books are damaged: {0}")]
    Damaged(String),
    /// A key of the schema refused a row. Nothing was written.
    #[error("the books refuse: {0}")]
    Constraint(String),
    /// The books were written by a newer program.
    #[error("the books have schema version {found}, this program knows {known}")]
    Newer {
        /// Version of the books.
        found: usize,
        /// Newest version that this program knows.
        known: usize,
    },
    /// An earlier error has stopped the books.
    #[error("the books are stopped after an earlier error")]
    Stopped,
    /// A document could not be signed. Nothing was written.
    #[error(transparent)]
    Signer(#[from] SignerError),
}

impl StoreError {
    /// Whether the process must stop: after a failed fsync the disk may hold anything, and a later
    /// success would prove nothing.
    #[must_use]
    pub const fn is_fatal(&self) -> bool {
        match self {
            Self::Storage(_) | Self::Damaged(_) | Self::Newer { .. } | Self::Stopped => true,
            Self::Constraint(_) | Self::Signer(_) => false,
        }
    }
}

/// What the books are for; never changes but for the epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Title {
    /// The issuer whose value they hold.
    pub issuer: IssuerId,
    /// The currency of every amount.
    pub currency: Currency,
    /// Life of the books; raised after a restore from backup.
    pub epoch: Epoch,
}

/// The books of one payment server.
#[derive(Debug)]
pub struct Store {
    writer: Mutex<Database>,
    reader: Mutex<Database>,
    failed: AtomicBool,
}

impl Store {
    /// Makes new books. `nonce_key` is a fresh random secret.
    ///
    /// # Errors
    /// [`StoreError::Storage`], also when the file exists.
    pub fn create(path: &Path, title: Title, nonce_key: &[u8; 32]) -> Result<Self, StoreError> {
        drop(Database::create(path)?);
        let store = Self::connect(path)?;
        store.apply(|books| books.entitle(title, nonce_key))?;
        Ok(store)
    }

    /// Opens existing books and checks that they are whole.
    ///
    /// # Errors
    /// [`StoreError`] when they are not, or cannot be opened.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let store = Self::connect(path)?;
        store.read(|books| books.title())?;
        let wrong = store.read(|books| books.wrong_accounts())?;
        if wrong.is_empty() {
            Ok(store)
        } else {
            let accounts = wrong.join(", ");
            Err(StoreError::Damaged(format!("balance of {accounts}")))
        }
    }

    fn connect(path: &Path) -> Result<Self, StoreError> {
        let mut writer = Database::open(path)?;
        let found = writer.version()?;
        let known = MIGRATIONS.len();
        if found > known {
            return Err(StoreError::Newer { found, known });
        }
        writer.check()?;
        for (version, statements) in (1..).zip(MIGRATIONS).skip(found) {
            writer.migrate(statements, version)?;
        }
        Ok(Self {
            writer: Mutex::new(writer),
            reader: Mutex::new(Database::open(path)?),
            failed: AtomicBool::new(false),
        })
    }

    /// Runs a job in one transaction, which is on disk before this returns. Where the job fails,
    /// also by refusing, nothing of it is written.
    pub(crate) fn apply<T, E: Failure>(
        &self,
        job: impl FnOnce(&Books<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        self.watch(|| writer.transact(job))
    }

    /// Runs a job that only reads.
    pub(crate) fn read<T, E: Failure>(
        &self,
        job: impl FnOnce(&Books<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        self.watch(|| reader.observe(job))
    }

    /// Whether everything that was answered is on disk.
    ///
    /// # Errors
    /// [`StoreError::Stopped`] when the books had to be stopped.
    pub(crate) fn require_whole(&self) -> Result<(), StoreError> {
        if self.failed.load(Ordering::SeqCst) { Err(StoreError::Stopped) } else { Ok(()) }
    }

    fn watch<T, E: Failure>(&self, job: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        self.require_whole()?;
        let outcome = job();
        if outcome.as_ref().is_err_and(Failure::is_fatal) {
            self.failed.store(true, Ordering::SeqCst);
        }
        outcome
    }
}

/// What a job can fail with.
pub(crate) trait Failure: From<StoreError> {
    /// As [`StoreError::is_fatal`].
    fn is_fatal(&self) -> bool;
}

impl Failure for StoreError {
    fn is_fatal(&self) -> bool {
        Self::is_fatal(self)
    }
}

impl Books<'_> {
    fn entitle(&self, title: Title, nonce_key: &[u8; 32]) -> Result<(), StoreError> {
        let epoch = i64::try_from(title.epoch.0);
        let epoch = epoch.map_err(|_| StoreError::Damaged("epoch".to_owned()))?;
        self.execute(
            "INSERT INTO books (one, issuer, currency, epoch, nonce_key)
             VALUES (1, $1, $2, $3, $4)",
            &[
                (&title.issuer).into(),
                title.currency.into(),
                epoch.into(),
                nonce_key.as_slice().into(),
            ],
        )?;
        Ok(())
    }

    /// What the books are for.
    pub(crate) fn title(&self) -> Result<Title, StoreError> {
        let title = self.row("SELECT issuer, currency, epoch FROM books", &[], |row| {
            Ok(Title { issuer: row.at(0)?, currency: row.at(1)?, epoch: row.at(2)? })
        })?;
        title.ok_or_else(|| StoreError::Damaged("no title".to_owned()))
    }

    /// The secret that marks this server's nonces.
    pub(crate) fn nonce_key(&self) -> Result<Vec<u8>, StoreError> {
        let key = self.row("SELECT nonce_key FROM books", &[], |row| row.at(0))?;
        key.ok_or_else(|| StoreError::Damaged("no title".to_owned()))
    }
}
