//! The wallet's database: one SQLite file. A row is written and on disk before what it allows
//! leaves the wallet.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use apdu_spec::value::{
    CardId, CreditId, Generation, Hash, IssuerId, PublicKey, Purpose, RequestId, Time,
};
use minicbor::Decode;
use rusqlite::{Connection, OptionalExtension, Params, Row, params};

use crate::credit;
use crate::purchase;
use crate::versioned;

/// Version of the schema, kept as `user_version`.
const SCHEMA_VERSION: u32 = 1;

/// Why the database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// SQLite.
    #[error("the wallet's database: {0}")]
    Sql(#[from] rusqlite::Error),
    /// The file cannot be made or opened.
    #[error("the wallet's database: {0}")]
    File(#[from] std::io::Error),
    /// Made by a newer wallet.
    #[error("the wallet's database has version {0}; this wallet knows up to {SCHEMA_VERSION}")]
    Newer(u32),
    /// A row that cannot be read.
    #[error(transparent)]
    Stored(#[from] versioned::StoredError),
}

/// A stored purchase or credit.
#[derive(Clone, Debug)]
pub struct Stored<S> {
    /// Its state.
    pub state: S,
    /// When it was made.
    pub created: Time,
    /// When its state was written last.
    pub updated: Time,
    /// What stood in the way when it was tried last.
    pub trouble: Option<String>,
}

/// A shop that the buyer knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownShop {
    /// Where it answers.
    pub url: String,
    /// Its name by its certificate, once that was checked.
    pub name: Option<String>,
}

/// The database.
#[derive(Debug)]
pub struct Store {
    connection: Mutex<Connection>,
}

impl Store {
    /// Opens the database, making it where there is none.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        // Only its owner may read it; SQLite gives the files beside it the same mode.
        OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
        let connection = Connection::open(path)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        // A commit is on disk before what it allows leaves: no state is ever behind its messages.
        connection.pragma_update(None, "synchronous", "FULL")?;
        let version: u32 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        match version {
            0 => {
                let schema = include_str!("schema.sql");
                let version = format!("PRAGMA user_version = {SCHEMA_VERSION};");
                connection.execute_batch(&["BEGIN;", schema, &version, "COMMIT;"].concat())?;
            }
            SCHEMA_VERSION => {}
            newer => return Err(StoreError::Newer(newer)),
        }
        Ok(Self { connection: Mutex::new(connection) })
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, sql: &str, values: impl Params) -> Result<usize, StoreError> {
        Ok(self.connection().prepare_cached(sql)?.execute(values)?)
    }

    fn first<T>(
        &self,
        sql: &str,
        values: impl Params,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, StoreError> {
        let connection = self.connection();
        let mut statement = connection.prepare_cached(sql)?;
        Ok(statement.query_row(values, read).optional()?)
    }

    fn all<T>(
        &self,
        sql: &str,
        values: impl Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, StoreError> {
        let connection = self.connection();
        let mut statement = connection.prepare_cached(sql)?;
        let rows = statement.query_map(values, read)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Writes a purchase's state; what stood in its way before is forgotten.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn save_purchase(&self, state: &purchase::State, now: Time) -> Result<(), StoreError> {
        let progress = state.progress();
        let ordering = progress.ordering();
        let invoice_hash = progress.invoiced().map(|invoiced| invoiced.invoice.hash().0);
        self.write(
            "INSERT INTO purchases
                (id, card, created, updated, state, ended, invoice_hash, trouble, value)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, NULL, ?8)
             ON CONFLICT (id) DO UPDATE SET updated = ?4, state = ?5, ended = ?6,
                invoice_hash = ?7, trouble = NULL, value = ?8",
            params![
                ordering.request.0,
                ordering.holder.card.0,
                seconds(ordering.created),
                seconds(now),
                state.name(),
                state.is_ended(),
                invoice_hash,
                versioned::encode(state),
            ],
        )?;
        Ok(())
    }

    /// Notes what stands in a purchase's way.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn note_purchase(&self, id: RequestId, trouble: &str) -> Result<(), StoreError> {
        let sql = "UPDATE purchases SET trouble = ?2 WHERE id = ?1";
        self.write(sql, params![id.0, trouble])?;
        Ok(())
    }

    /// A purchase.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn purchase(&self, id: RequestId) -> Result<Option<Stored<purchase::State>>, StoreError> {
        let sql = "SELECT value, created, updated, trouble FROM purchases WHERE id = ?1";
        self.first(sql, [id.0], RawRow::read)?.map(RawRow::open).transpose()
    }

    /// The newest purchases; rows of a newer wallet are left out.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn purchases(&self, count_max: u32) -> Result<Vec<Stored<purchase::State>>, StoreError> {
        let sql = "SELECT value, created, updated, trouble FROM purchases
                   ORDER BY created DESC, rowid DESC LIMIT ?1";
        Ok(readable(self.all(sql, [count_max], RawRow::read)?))
    }

    /// Purchases that have not ended, the oldest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn open_purchases(&self) -> Result<Vec<Stored<purchase::State>>, StoreError> {
        let sql = "SELECT value, created, updated, trouble FROM purchases WHERE ended = 0
                   ORDER BY created, rowid";
        Ok(readable(self.all(sql, [], RawRow::read)?))
    }

    /// The purchase with this invoice.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn purchase_of_invoice(
        &self,
        invoice: Hash,
    ) -> Result<Option<Stored<purchase::State>>, StoreError> {
        let sql = "SELECT value, created, updated, trouble FROM purchases WHERE invoice_hash = ?1";
        self.first(sql, [invoice.0], RawRow::read)?.map(RawRow::open).transpose()
    }

    /// Writes a credit's state.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn save_credit(&self, state: &credit::State, now: Time) -> Result<(), StoreError> {
        let authority = &state.authorised().authority;
        self.write(
            "INSERT INTO credits
                (purpose, credit, card, created, updated, state, ended, trouble, value)
             VALUES (?1, ?2, ?3, ?4, ?4, ?5, ?6, NULL, ?7)
             ON CONFLICT (purpose, credit) DO UPDATE SET updated = ?4, state = ?5, ended = ?6,
                trouble = NULL, value = ?7",
            params![
                authority.purpose().number(),
                authority.credit().0,
                authority.card().0,
                seconds(now),
                state.name(),
                state.is_ended(),
                versioned::encode(state),
            ],
        )?;
        Ok(())
    }

    /// Notes what stands in a credit's way.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn note_credit(
        &self,
        purpose: Purpose,
        credit: CreditId,
        trouble: &str,
    ) -> Result<(), StoreError> {
        let sql = "UPDATE credits SET trouble = ?3 WHERE purpose = ?1 AND credit = ?2";
        self.write(sql, params![purpose.number(), credit.0, trouble])?;
        Ok(())
    }

    /// A credit.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn credit(
        &self,
        purpose: Purpose,
        credit: CreditId,
    ) -> Result<Option<Stored<credit::State>>, StoreError> {
        let sql = "SELECT value, created, updated, trouble FROM credits
                   WHERE purpose = ?1 AND credit = ?2";
        self.first(sql, params![purpose.number(), credit.0], RawRow::read)?
            .map(RawRow::open)
            .transpose()
    }

    /// The newest credits.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn credits(&self, count_max: u32) -> Result<Vec<Stored<credit::State>>, StoreError> {
        let sql = "SELECT value, created, updated, trouble FROM credits
                   ORDER BY created DESC, rowid DESC LIMIT ?1";
        Ok(readable(self.all(sql, [count_max], RawRow::read)?))
    }

    /// Credits that have not ended, the oldest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn open_credits(&self) -> Result<Vec<Stored<credit::State>>, StoreError> {
        let sql = "SELECT value, created, updated, trouble FROM credits WHERE ended = 0
                   ORDER BY created, rowid";
        Ok(readable(self.all(sql, [], RawRow::read)?))
    }

    /// Keeps P's answer to a card's record.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn save_delivery(&self, delivery: &Delivery<'_>, now: Time) -> Result<(), StoreError> {
        self.write(
            "INSERT OR IGNORE INTO deliveries (record_hash, card, record, answer, time)
             VALUES (?1, ?2, ?3, ?4, ?5)",
            params![
                delivery.hash.0,
                delivery.card.0,
                delivery.record,
                delivery.answer,
                seconds(now)
            ],
        )?;
        Ok(())
    }

    /// A card's record that P has answered for.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn delivered(&self, record: Hash) -> Result<Option<Vec<u8>>, StoreError> {
        let sql = "SELECT record FROM deliveries WHERE record_hash = ?1";
        self.first(sql, [record.0], |row| row.get(0))
    }

    /// Whether P has answered for a card's record.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn is_delivered(&self, record: Hash) -> Result<bool, StoreError> {
        let sql = "SELECT 1 FROM deliveries WHERE record_hash = ?1";
        Ok(self.first(sql, [record.0], |_| Ok(()))?.is_some())
    }

    /// Adds a shop, or gives a known one its name.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn save_shop(&self, shop: &KnownShop, now: Time) -> Result<(), StoreError> {
        self.write(
            "INSERT INTO shops (url, name, added) VALUES (?1, ?2, ?3)
             ON CONFLICT (url) DO UPDATE SET name = coalesce(?2, name)",
            params![shop.url, shop.name, seconds(now)],
        )?;
        Ok(())
    }

    /// Removes a shop; whether it was there.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn remove_shop(&self, url: &str) -> Result<bool, StoreError> {
        Ok(self.write("DELETE FROM shops WHERE url = ?1", [url])? > 0)
    }

    /// Known shops in the order of their addition.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn shops(&self) -> Result<Vec<KnownShop>, StoreError> {
        self.all("SELECT url, name FROM shops ORDER BY added, url", [], |row| {
            Ok(KnownShop { url: row.get(0)?, name: row.get(1)? })
        })
    }

    /// A setting.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn setting(&self, name: &str) -> Result<Option<u64>, StoreError> {
        let sql = "SELECT value FROM settings WHERE name = ?1";
        let value = self.first(sql, [name], |row| row.get::<_, i64>(0))?;
        Ok(value.and_then(|value| u64::try_from(value).ok()))
    }

    /// Changes a setting; values above the largest of SQL are cut to it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn save_setting(&self, name: &str, value: u64) -> Result<(), StoreError> {
        let value = i64::try_from(value).unwrap_or(i64::MAX);
        self.write(
            "INSERT INTO settings (name, value) VALUES (?1, ?2)
             ON CONFLICT (name) DO UPDATE SET value = ?2",
            params![name, value],
        )?;
        Ok(())
    }

    /// P's key that is on cards with this generation, where that is known.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn payment_key(
        &self,
        issuer: IssuerId,
        generation: Generation,
    ) -> Result<Option<PublicKey>, StoreError> {
        let sql = "SELECT key FROM payment_keys WHERE issuer = ?1 AND generation = ?2";
        self.first(sql, params![issuer.0, generation.0], |row| row.get(0).map(PublicKey))
    }

    /// Remembers P's key of a generation.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn save_payment_key(
        &self,
        issuer: IssuerId,
        generation: Generation,
        key: &PublicKey,
    ) -> Result<(), StoreError> {
        self.write(
            "INSERT OR REPLACE INTO payment_keys (issuer, generation, key) VALUES (?1, ?2, ?3)",
            params![issuer.0, generation.0, key.0],
        )?;
        Ok(())
    }

    /// The certificate file of a card, where it was read before.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn certificate(
        &self,
        card: CardId,
        key: &PublicKey,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let sql = "SELECT file FROM certificates WHERE card = ?1 AND key = ?2";
        self.first(sql, params![card.0, key.0], |row| row.get(0))
    }

    /// Remembers the certificate file of a card.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn save_certificate(
        &self,
        card: CardId,
        key: &PublicKey,
        file: &[u8],
    ) -> Result<(), StoreError> {
        self.write(
            "INSERT OR REPLACE INTO certificates (card, key, file) VALUES (?1, ?2, ?3)",
            params![card.0, key.0, file],
        )?;
        Ok(())
    }
}

/// A card's record and what P has answered for it.
#[derive(Clone, Copy, Debug)]
pub struct Delivery<'a> {
    /// Hash of the record.
    pub hash: Hash,
    /// The card.
    pub card: CardId,
    /// The record.
    pub record: &'a [u8],
    /// The signed receipt, notice or acknowledgement.
    pub answer: &'a [u8],
}

struct RawRow {
    value: Vec<u8>,
    created: i64,
    updated: i64,
    trouble: Option<String>,
}

impl RawRow {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            value: row.get(0)?,
            created: row.get(1)?,
            updated: row.get(2)?,
            trouble: row.get(3)?,
        })
    }

    fn open<S: for<'b> Decode<'b, ()>>(self) -> Result<Stored<S>, StoreError> {
        let time = |seconds: i64| Time(u64::try_from(seconds).unwrap_or_default());
        Ok(Stored {
            state: versioned::decode(&self.value)?,
            created: time(self.created),
            updated: time(self.updated),
            trouble: self.trouble,
        })
    }
}

fn readable<S: for<'b> Decode<'b, ()>>(rows: Vec<RawRow>) -> Vec<Stored<S>> {
    let open = |row: RawRow| {
        let row = row.open();
        row.inspect_err(|error| tracing::warn!(%error, "row left out")).ok()
    };
    rows.into_iter().filter_map(open).collect()
}

/// SQL integers are signed; time ends in the year 292,277,026,596 there.
fn seconds(time: Time) -> i64 {
    i64::try_from(time.0).unwrap_or(i64::MAX)
}
