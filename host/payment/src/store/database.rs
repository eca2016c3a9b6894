//! The only file that names the SQLite library: a database, its transactions, values and rows.
//!
//! Statements are plain SQL with parameters `$1`, `$2`, … as PostgreSQL writes them.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use apdu_spec::value::{
    Amount, CardId, CreditId, Currency, Epoch, Hash, IssuerId, Nonce, PaymentId, PublicKey,
    RequestId, Sequence, ShopId, Time, TransactionId,
};
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{
    CachedStatement, Connection, ErrorCode, OpenFlags, Transaction, TransactionBehavior,
};

use super::StoreError;

/// How long another process may hold the database before that is an error.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        if error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation) {
            Self::Constraint(error.to_string())
        } else {
            Self::Storage(error.to_string())
        }
    }
}

/// A connection to the books.
#[derive(Debug)]
pub(crate) struct Database {
    connection: Connection,
}

impl Database {
    /// Makes a new database file that only its owner can read, and opens it.
    pub(crate) fn create(path: &Path) -> Result<Self, StoreError> {
        let mut options = OpenOptions::new();
        let file = options.write(true).create_new(true).mode(0o600).open(path);
        file.map_err(|error| StoreError::Storage(format!("{}: {error}", path.display())))?;
        Self::open(path)
    }

    /// Opens an existing database. Every commit is on disk before it returns.
    pub(crate) fn open(path: &Path) -> Result<Self, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.set_prepared_statement_cache_capacity(128);
        let mode: String =
            connection.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))?;
        if mode != "wal" {
            return Err(StoreError::Storage("no write-ahead log here".to_owned()));
        }
        connection.pragma_update(None, "synchronous", "full")?;
        connection.pragma_update(None, "foreign_keys", true)?;
        Ok(Self { connection })
    }

    /// Runs a job in one transaction, which is committed, and on disk, exactly when the job
    /// succeeds. It holds the write lock from its beginning, so what it reads stays true.
    pub(crate) fn transact<T, E: From<StoreError>>(
        &mut self,
        job: impl FnOnce(&Books<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let immediate = TransactionBehavior::Immediate;
        let begun = self.connection.transaction_with_behavior(immediate);
        let books = Books { transaction: begun.map_err(StoreError::from)? };
        let outcome = job(&books)?;
        books.transaction.commit().map_err(StoreError::from)?;
        Ok(outcome)
    }

    /// Runs a job that only reads, on one consistent state.
    pub(crate) fn observe<T, E: From<StoreError>>(
        &mut self,
        job: impl FnOnce(&Books<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let begun = self.connection.transaction();
        job(&Books { transaction: begun.map_err(StoreError::from)? })
    }

    /// Version of the schema, 0 in an empty database.
    pub(crate) fn version(&self) -> Result<usize, StoreError> {
        let version =
            self.connection.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0))?;
        usize::try_from(version).map_err(|_| StoreError::Damaged("schema version".to_owned()))
    }

    /// Runs a migration and raises the version, in one transaction.
    pub(crate) fn migrate(&mut self, statements: &str, version: usize) -> Result<(), StoreError> {
        let damaged = |_| StoreError::Damaged("schema version".to_owned());
        let version = i64::try_from(version).map_err(damaged)?;
        let transaction = self.connection.transaction()?;
        transaction.execute_batch(statements)?;
        transaction.pragma_update(None, "user_version", version)?;
        Ok(transaction.commit()?)
    }

    /// Looks for damaged pages.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        let found = self
            .connection
            .pragma_query_value(None, "quick_check", |row| row.get::<_, String>(0))?;
        if found == "ok" { Ok(()) } else { Err(StoreError::Damaged(found)) }
    }
}

/// The books inside one transaction.
#[derive(Debug)]
pub(crate) struct Books<'a> {
    transaction: Transaction<'a>,
}

impl Books<'_> {
    /// Runs a statement and says how many rows it changed.
    pub(crate) fn execute(&self, sql: &str, values: &[Value<'_>]) -> Result<usize, StoreError> {
        let mut statement = self.transaction.prepare_cached(sql)?;
        bind(&mut statement, values)?;
        Ok(statement.raw_execute()?)
    }

    /// Every row of a query.
    pub(crate) fn rows<T>(
        &self,
        sql: &str,
        values: &[Value<'_>],
        mut read: impl FnMut(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        let mut statement = self.transaction.prepare_cached(sql)?;
        bind(&mut statement, values)?;
        let mut rows = statement.raw_query();
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            found.push(read(&Row(row))?);
        }
        Ok(found)
    }

    /// The first row of a query.
    pub(crate) fn row<T>(
        &self,
        sql: &str,
        values: &[Value<'_>],
        read: impl FnMut(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        Ok(self.rows(sql, values, read)?.into_iter().next())
    }

    /// Whether a query finds anything.
    pub(crate) fn has(&self, sql: &str, values: &[Value<'_>]) -> Result<bool, StoreError> {
        Ok(self.row(sql, values, |_| Ok(()))?.is_some())
    }
}

fn bind(statement: &mut CachedStatement<'_>, values: &[Value<'_>]) -> Result<(), StoreError> {
    for (number, value) in (1..).zip(values) {
        // SQLite numbers named parameters as they appear, PostgreSQL as they are called.
        let index = statement.parameter_index(&format!("${number}"))?;
        let index = index.ok_or_else(|| StoreError::Storage("parameter not used".to_owned()))?;
        let value = match *value {
            Value::Null => ValueRef::Null,
            Value::Number(number) => ValueRef::Integer(number),
            Value::Bytes(bytes) => ValueRef::Blob(bytes),
            Value::Text(text) => ValueRef::Text(text.as_bytes()),
        };
        statement.raw_bind_parameter(index, ToSqlOutput::Borrowed(value))?;
    }
    Ok(())
}

/// A value in a statement.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Value<'a> {
    Null,
    Number(i64),
    Bytes(&'a [u8]),
    Text(&'a str),
}

impl From<i64> for Value<'_> {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text)
    }
}

impl<'a> From<&'a [u8]> for Value<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self::Bytes(bytes)
    }
}

impl From<Sequence> for Value<'_> {
    fn from(sequence: Sequence) -> Self {
        Self::Number(i64::from(sequence.0))
    }
}

impl From<Currency> for Value<'_> {
    fn from(currency: Currency) -> Self {
        Self::Number(i64::from(currency.0))
    }
}

impl From<Time> for Value<'_> {
    /// A time that no database can hold is as far away as the last one it can.
    fn from(time: Time) -> Self {
        Self::Number(i64::try_from(time.0).unwrap_or(i64::MAX))
    }
}

impl<'a, T: Into<Self>> From<Option<T>> for Value<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// A value of a column, as a type.
pub(crate) trait Column: Sized {
    /// Reads it; `None` when the column holds something else.
    fn read(value: ValueRef<'_>) -> Option<Self>;
}

impl Column for i64 {
    fn read(value: ValueRef<'_>) -> Option<Self> {
        value.as_i64().ok()
    }
}

impl Column for String {
    fn read(value: ValueRef<'_>) -> Option<Self> {
        value.as_str().ok().map(str::to_owned)
    }
}

impl Column for Vec<u8> {
    fn read(value: ValueRef<'_>) -> Option<Self> {
        value.as_blob().ok().map(<[u8]>::to_vec)
    }
}

impl<T: Column> Column for Option<T> {
    fn read(value: ValueRef<'_>) -> Option<Self> {
        match value {
            ValueRef::Null => Some(None),
            ValueRef::Integer(_) | ValueRef::Real(_) | ValueRef::Text(_) | ValueRef::Blob(_) => {
                T::read(value).map(Some)
            }
        }
    }
}

macro_rules! byte_columns {
    ($($name:ident)*) => {$(
        impl<'a> From<&'a $name> for Value<'a> {
            fn from(value: &'a $name) -> Self {
                Self::Bytes(&value.0)
            }
        }

        impl Column for $name {
            fn read(value: ValueRef<'_>) -> Option<Self> {
                value.as_blob().ok()?.try_into().ok().map(Self)
            }
        }
    )*};
}

byte_columns!(CardId CreditId Hash IssuerId Nonce PaymentId PublicKey RequestId);
byte_columns!(ShopId TransactionId);

macro_rules! integer_columns {
    ($($name:ident)*) => {$(
        impl Column for $name {
            fn read(value: ValueRef<'_>) -> Option<Self> {
                value.as_i64().ok()?.try_into().ok().map(Self)
            }
        }
    )*};
}

integer_columns!(Amount Currency Epoch Sequence Time);

/// A row of a query.
#[derive(Debug)]
pub(crate) struct Row<'a>(&'a rusqlite::Row<'a>);

impl Row<'_> {
    /// The value of a column, counted from 0.
    pub(crate) fn at<T: Column>(&self, index: usize) -> Result<T, StoreError> {
        let value = self.0.get_ref(index)?;
        T::read(value).ok_or_else(|| StoreError::Damaged(format!("column {index}: {value:?}")))
    }
}
