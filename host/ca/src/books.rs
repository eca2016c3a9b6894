//! The CA's books: one SQLite file. Knows tables and rows, decides nothing.

use std::path::Path;
use std::time::Duration;

use apdu_spec::value::{CardId, Generation, Hash, IssuerId, Nonce, PublicKey, ShopId, Time};
use protocol::certificate::{PartyName, PayerId, Role};
use rusqlite::types::Value;
use rusqlite::{Connection, Row, Transaction, TransactionBehavior, params, params_from_iter};

use crate::issued::{IssuedCertificate, Kind};
use crate::revocation::{ListSigner, Reason, Revocation, Revoked, SignedList};
use crate::serial::Serial;
use crate::subject::{Holder, Owner};

/// How long one process waits for another one that writes.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// The steps from an empty file to the present schema; the version is the number of steps.
const STEPS: &[&str] = &[include_str!("schema/1.sql")];

/// Why the books could not be used.
#[derive(Debug, thiserror::Error)]
pub enum BooksError {
    /// SQLite could not read or write the file.
    #[error("database: {0}")]
    Database(#[from] rusqlite::Error),
    /// The file is damaged, or something in it is not what was written.
    #[error("database is damaged: {0}")]
    Damaged(String),
    /// A later version of the program has written the file.
    #[error("database has version {found}, this program knows versions up to {known}")]
    Newer {
        /// The file's version.
        found: usize,
        /// The newest known one.
        known: usize,
    },
}

/// The books, opened.
#[derive(Debug)]
pub(crate) struct Books {
    connection: Connection,
}

/// Which certificates.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Which<'a> {
    All,
    Serial(Serial),
    Number(Role, [u8; 8]),
    Key(&'a PublicKey),
}

/// An enrolment code in the books.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CodeEntry {
    pub(crate) holder: Holder,
    pub(crate) expiry: Time,
    pub(crate) used: Option<CodeUse>,
}

/// What a code was used for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CodeUse {
    pub(crate) record_hash: Hash,
    pub(crate) certificate: Vec<u8>,
}

impl Books {
    /// Opens the file, made or brought to the present schema where needed.
    pub(crate) fn open(path: &Path) -> Result<Self, BooksError> {
        let connection = Connection::open(path)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "foreign_keys", true)?;
        let health: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
        if health != "ok" {
            return Err(BooksError::Damaged(health));
        }
        let books = Self { connection };
        books.transaction(Self::migrate)?;
        Ok(books)
    }

    fn migrate(&self) -> Result<(), BooksError> {
        let version: i64 =
            self.connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        let version = usize::try_from(version).unwrap_or(usize::MAX);
        let Some(missing) = STEPS.get(version..) else {
            return Err(BooksError::Newer { found: version, known: STEPS.len() });
        };
        for step in missing {
            self.connection.execute_batch(step)?;
        }
        let version = integer(STEPS.len());
        Ok(self.connection.pragma_update(None, "user_version", version)?)
    }

    /// Does everything in `run` or nothing of it, durably. Other processes wait.
    pub(crate) fn transaction<T, E: From<BooksError>>(
        &self,
        run: impl FnOnce(&Self) -> Result<T, E>,
    ) -> Result<T, E> {
        let immediate = TransactionBehavior::Immediate;
        let transaction = Transaction::new_unchecked(&self.connection, immediate);
        let transaction = transaction.map_err(BooksError::from)?;
        let outcome = run(self)?;
        transaction.commit().map_err(BooksError::from)?;
        Ok(outcome)
    }

    pub(crate) fn holder(&self, payer: &PayerId) -> Result<Option<Holder>, BooksError> {
        let sql = "SELECT payer, name FROM holder WHERE payer = ?1";
        self.one(sql, vec![Value::Text(payer.to_string())], holder)
    }

    pub(crate) fn add_holder(&self, holder: &Holder, now: Time) -> Result<(), BooksError> {
        self.connection.execute(
            "INSERT INTO holder (payer, name, registered) VALUES (?1, ?2, ?3)",
            params![holder.payer.as_str(), holder.name.as_str(), seconds(now)],
        )?;
        Ok(())
    }

    pub(crate) fn add_code(
        &self,
        code: &Hash,
        payer: &PayerId,
        expiry: Time,
    ) -> Result<(), BooksError> {
        self.connection.execute(
            "INSERT INTO code (hash, payer, expiry) VALUES (?1, ?2, ?3)",
            params![code.0, payer.as_str(), seconds(expiry)],
        )?;
        Ok(())
    }

    pub(crate) fn code(&self, code: &Hash) -> Result<Option<CodeEntry>, BooksError> {
        let sql = "SELECT holder.payer, holder.name, code.expiry, code.record_hash, certificate.der
                   FROM code
                   JOIN holder ON holder.payer = code.payer
                   LEFT JOIN certificate ON certificate.serial = code.serial
                   WHERE code.hash = ?1";
        self.one(sql, vec![blob(&code.0)], |row| {
            let record_hash: Option<Vec<u8>> = row.get(3)?;
            let used = match record_hash {
                None => None,
                Some(hash) => {
                    Some(CodeUse { record_hash: Hash(array(&hash)?), certificate: row.get(4)? })
                }
            };
            Ok(CodeEntry { holder: holder(row)?, expiry: time(row.get(2)?), used })
        })
    }

    /// The code has led to this certificate and leads to no other.
    pub(crate) fn use_code(
        &self,
        code: &Hash,
        record: &Hash,
        serial: Serial,
    ) -> Result<(), BooksError> {
        self.connection.execute(
            "UPDATE code SET record_hash = ?2, serial = ?3 WHERE hash = ?1",
            params![code.0, record.0, serial.as_bytes()],
        )?;
        Ok(())
    }

    /// Keeps a nonce, and forgets the expired ones and the oldest of more than `most`.
    pub(crate) fn add_nonce(
        &self,
        nonce: &Nonce,
        expiry: Time,
        now: Time,
        most: usize,
    ) -> Result<(), BooksError> {
        self.connection.execute(
            "INSERT INTO nonce (nonce, expiry) VALUES (?1, ?2)",
            params![nonce.0, seconds(expiry)],
        )?;
        self.connection.execute(
            "DELETE FROM nonce WHERE expiry < ?1
             OR rowid IN (SELECT rowid FROM nonce ORDER BY rowid DESC LIMIT -1 OFFSET ?2)",
            params![seconds(now), integer(most)],
        )?;
        Ok(())
    }

    /// Takes a nonce away, for good, and says until when it was good.
    pub(crate) fn take_nonce(&self, nonce: &Nonce) -> Result<Option<Time>, BooksError> {
        let sql = "DELETE FROM nonce WHERE nonce = ?1 RETURNING expiry";
        self.one(sql, vec![blob(&nonce.0)], |row| Ok(time(row.get(0)?)))
    }

    pub(crate) fn add_certificate(&self, issued: &IssuedCertificate) -> Result<(), BooksError> {
        let owner = issued.owner();
        self.connection.execute(
            "INSERT INTO certificate (serial, role, name, number, payer, key,
                                      not_before, not_after, issued, der)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
            params![
                issued.serial.as_bytes(),
                owner.map_or(ISSUING_CA, |owner| role_number(owner.role())),
                issued.name.as_str(),
                owner.map(Owner::number),
                owner.and_then(Owner::payer).map(PayerId::as_str),
                issued.key.0,
                seconds(issued.not_before),
                seconds(issued.not_after),
                seconds(issued.issued),
                issued.der,
            ],
        )?;
        Ok(())
    }

    /// Certificates in the order in which they were issued.
    pub(crate) fn certificates(
        &self,
        which: Which<'_>,
    ) -> Result<Vec<IssuedCertificate>, BooksError> {
        let (condition, values) = match which {
            Which::All => ("TRUE", vec![]),
            Which::Serial(serial) => ("certificate.serial = ?1", vec![blob(serial.as_bytes())]),
            Which::Key(key) => ("key = ?1", vec![blob(&key.0)]),
            Which::Number(role, number) => (
                "role = ?1 AND number = ?2",
                vec![Value::Integer(role_number(role)), blob(&number)],
            ),
        };
        let sql = format!(
            "SELECT certificate.serial, role, name, number, payer, key, not_before, not_after,
                    issued, der, revocation.time, revocation.reason
             FROM certificate LEFT JOIN revocation ON revocation.serial = certificate.serial
             WHERE {condition} ORDER BY certificate.rowid"
        );
        self.all(&sql, values, certificate)
    }

    pub(crate) fn add_compact(
        &self,
        issuer: IssuerId,
        generation: Generation,
        serial: Serial,
        sign1: &[u8],
    ) -> Result<(), BooksError> {
        self.connection.execute(
            "INSERT INTO compact (issuer, generation, serial, sign1) VALUES (?1, ?2, ?3, ?4)",
            params![issuer.0, generation.0, serial.as_bytes(), sign1],
        )?;
        Ok(())
    }

    /// The compact certificate of this generation, and the serial number of its X.509 certificate.
    pub(crate) fn compact(
        &self,
        issuer: IssuerId,
        generation: Generation,
    ) -> Result<Option<(Serial, Vec<u8>)>, BooksError> {
        let sql = "SELECT serial, sign1 FROM compact WHERE issuer = ?1 AND generation = ?2";
        let values = vec![blob(&issuer.0), Value::Integer(i64::from(generation.0))];
        self.one(sql, values, |row| {
            let serial: Vec<u8> = row.get(0)?;
            Ok((read_serial(&serial)?, row.get(1)?))
        })
    }

    pub(crate) fn highest_generation(
        &self,
        issuer: IssuerId,
    ) -> Result<Option<Generation>, BooksError> {
        let sql = "SELECT max(generation) FROM compact WHERE issuer = ?1";
        let highest = self.one(sql, vec![blob(&issuer.0)], |row| {
            let highest: Option<u32> = row.get(0)?;
            Ok(highest.map(Generation))
        });
        Ok(highest?.flatten())
    }

    pub(crate) fn revoke(&self, serial: Serial, revocation: Revocation) -> Result<(), BooksError> {
        self.connection.execute(
            "INSERT INTO revocation (serial, time, reason) VALUES (?1, ?2, ?3)",
            params![serial.as_bytes(), seconds(revocation.time), revocation.reason.code()],
        )?;
        Ok(())
    }

    /// Number of the newest revocation that belongs into this signer's list, 0 before the first.
    pub(crate) fn newest_revocation(&self, signer: ListSigner) -> Result<u64, BooksError> {
        let sql = "SELECT coalesce(max(id), 0) FROM revocation JOIN certificate USING (serial)
                   WHERE (role = 0) = ?1";
        let values = vec![Value::Integer(i64::from(signer == ListSigner::Root))];
        let newest = self.one(sql, values, |row| unsigned(row.get(0)?))?;
        Ok(newest.unwrap_or_default())
    }

    /// What belongs into this signer's list: certificates that end at `since` or later.
    pub(crate) fn revoked(
        &self,
        signer: ListSigner,
        since: Time,
    ) -> Result<Vec<Revoked>, BooksError> {
        let sql = "SELECT serial, time, reason FROM revocation JOIN certificate USING (serial)
                   WHERE (role = 0) = ?1 AND not_after >= ?2 ORDER BY id";
        let root = i64::from(signer == ListSigner::Root);
        let values = vec![Value::Integer(root), Value::Integer(seconds(since))];
        self.all(sql, values, |row| {
            let serial: Vec<u8> = row.get(0)?;
            Ok(Revoked {
                serial: read_serial(&serial)?,
                time: time(row.get(1)?),
                reason: reason(row.get(2)?)?,
            })
        })
    }

    /// The newest list of a signer.
    pub(crate) fn list(&self, signer: ListSigner) -> Result<Option<SignedList>, BooksError> {
        let sql = "SELECT number, time, last_revocation, der FROM list WHERE signer = ?1";
        self.one(sql, vec![Value::Integer(signer_number(signer))], |row| {
            Ok(SignedList {
                number: unsigned(row.get(0)?)?,
                time: time(row.get(1)?),
                last_revocation: unsigned(row.get(2)?)?,
                der: row.get(3)?,
            })
        })
    }

    pub(crate) fn keep_list(
        &self,
        signer: ListSigner,
        list: &SignedList,
    ) -> Result<(), BooksError> {
        self.connection.execute(
            "INSERT OR REPLACE INTO list (signer, number, time, last_revocation, der)
             VALUES (?1, ?2, ?3, ?4, ?5)",
            params![
                signer_number(signer),
                integer(list.number),
                seconds(list.time),
                integer(list.last_revocation),
                list.der,
            ],
        )?;
        Ok(())
    }

    /// Makes a file from a dump.
    #[cfg(test)]
    fn restore(path: &Path, dump: &str) -> Result<(), BooksError> {
        Ok(Connection::open(path)?.execute_batch(dump)?)
    }

    fn all<T>(
        &self,
        sql: &str,
        values: Vec<Value>,
        read: impl Fn(&Row<'_>) -> Result<T, BooksError>,
    ) -> Result<Vec<T>, BooksError> {
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query(params_from_iter(values))?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            found.push(read(row)?);
        }
        Ok(found)
    }

    fn one<T>(
        &self,
        sql: &str,
        values: Vec<Value>,
        read: impl Fn(&Row<'_>) -> Result<T, BooksError>,
    ) -> Result<Option<T>, BooksError> {
        Ok(self.all(sql, values, read)?.into_iter().next())
    }
}

const ISSUING_CA: i64 = 0;

const fn role_number(role: Role) -> i64 {
    match role {
        Role::Holder => 1,
        Role::Shop => 2,
        Role::PaymentServer => 3,
    }
}

const fn signer_number(signer: ListSigner) -> i64 {
    match signer {
        ListSigner::Root => 0,
        ListSigner::Issuing => 1,
    }
}

fn certificate(row: &Row<'_>) -> Result<IssuedCertificate, BooksError> {
    let bytes = |index: usize| row.get::<_, Vec<u8>>(index);
    let name: String = row.get(2)?;
    let revoked_at: Option<i64> = row.get(10)?;
    Ok(IssuedCertificate {
        serial: read_serial(&bytes(0)?)?,
        kind: kind(row)?,
        name: PartyName::new(name).map_err(damaged)?,
        key: PublicKey(array(&bytes(5)?)?),
        not_before: time(row.get(6)?),
        not_after: time(row.get(7)?),
        issued: time(row.get(8)?),
        der: bytes(9)?,
        revocation: match revoked_at {
            None => None,
            Some(revoked_at) => {
                Some(Revocation { time: time(revoked_at), reason: reason(row.get(11)?)? })
            }
        },
    })
}

fn kind(row: &Row<'_>) -> Result<Kind, BooksError> {
    let role: i64 = row.get(1)?;
    if role == ISSUING_CA {
        return Ok(Kind::IssuingCa);
    }
    let number: Vec<u8> = row.get(3)?;
    let number = array(&number)?;
    let role = Role::ALL.into_iter().find(|known| role_number(*known) == role);
    Ok(Kind::Party(match role {
        Some(Role::Holder) => Owner::Holder {
            payer: PayerId::new(row.get::<_, String>(4)?).map_err(damaged)?,
            card: CardId(number),
        },
        Some(Role::Shop) => Owner::Shop(ShopId(number)),
        Some(Role::PaymentServer) => Owner::PaymentServer(IssuerId(number)),
        None => return Err(damaged("unknown role")),
    }))
}

/// From the first two columns.
fn holder(row: &Row<'_>) -> Result<Holder, BooksError> {
    Ok(Holder {
        payer: PayerId::new(row.get::<_, String>(0)?).map_err(damaged)?,
        name: PartyName::new(row.get::<_, String>(1)?).map_err(damaged)?,
    })
}

fn reason(code: u8) -> Result<Reason, BooksError> {
    Reason::from_code(code).ok_or_else(|| damaged("unknown reason"))
}

fn read_serial(bytes: &[u8]) -> Result<Serial, BooksError> {
    Serial::from_slice(bytes).map_err(damaged)
}

fn array<const N: usize>(bytes: &[u8]) -> Result<[u8; N], BooksError> {
    bytes.try_into().map_err(damaged)
}

fn damaged(reason: impl ToString) -> BooksError {
    BooksError::Damaged(reason.to_string())
}

fn blob(bytes: &[u8]) -> Value {
    Value::Blob(bytes.to_vec())
}

// SQLite's integers have a sign. No clock and no counter of ours comes near the end of them.

fn seconds(time: Time) -> i64 {
    integer(time.0)
}

fn time(seconds: i64) -> Time {
    Time(u64::try_from(seconds).unwrap_or_default())
}

fn integer(number: impl TryInto<i64>) -> i64 {
    number.try_into().unwrap_or(i64::MAX)
}

fn unsigned(number: i64) -> Result<u64, BooksError> {
    u64::try_from(number).map_err(damaged)
}

#[cfg(test)]
mod tests;
