//! M's storage unit 21 (source Fig. 3): the books in one SQLite file. The only file of the crate
//! that names the database. What must hold under concurrency is held by keys and by the table of
//! moves, in SQL that other engines understand (there BLOB is called BYTEA).

use std::fmt::Display;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use apdu_spec::value::{Amount, Currency, Hash, RequestId, Time, TransactionId};
use protocol::certificate::PayerId;
use protocol::field::Text;
use protocol::purchase::{Line, PaymentMode};
use rusqlite::{Connection, OpenFlags, Params, Row, Transaction, TransactionBehavior, params};

use crate::books::{
    self, Evidence, EvidenceKind, Good, LineData, Note, OrderData, OrderState, mode_from_name,
};

/// The schema's versions, oldest first; a file of version `n` has seen the first `n`.
const MIGRATIONS: [&str; 1] = [include_str!("schema.sql")];

/// How long another process may hold the file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Why the books could not be read or written. Nothing can be answered then.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The engine or the disk.
    #[error("database: {0}")]
    Engine(#[from] rusqlite::Error),
    /// Something stands in the file that this program never wrote.
    #[error("database is damaged: {0}")]
    Damaged(String),
    /// The file was written by a newer version.
    #[error("database has version {found}; this program knows versions up to {known}")]
    Newer {
        /// The file's version.
        found: usize,
        /// The newest version that this program knows.
        known: usize,
    },
}

fn damaged(what: impl Display) -> StoreError {
    StoreError::Damaged(what.to_string())
}

/// The books.
#[derive(Debug)]
pub struct Store {
    connection: Connection,
}

impl Store {
    /// Opens the books in a file, and makes them where there are none.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn create(path: &Path) -> Result<Self, StoreError> {
        Self::set_up(Connection::open(path)?)
    }

    /// Opens the books in a file, and brings older ones up to date. Books that are missing are not
    /// made: a shop that has lost them must not begin anew as if nothing had been.
    ///
    /// # Errors
    /// [`StoreError`], also when the file is damaged or from a newer version.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let flags = OpenFlags::default().difference(OpenFlags::SQLITE_OPEN_CREATE);
        Self::set_up(Connection::open_with_flags(path, flags)?)
    }

    fn set_up(connection: Connection) -> Result<Self, StoreError> {
        connection.busy_timeout(BUSY_TIMEOUT)?;
        // FULL: an answer may leave only when what it says is on the disk.
        connection.execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;
             PRAGMA trusted_schema = OFF;",
        )?;
        let found: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
        if found != "ok" {
            return Err(damaged(found));
        }
        let store = Self { connection };
        store.transaction(Self::migrate)?;
        Ok(store)
    }

    fn migrate(&self) -> Result<(), StoreError> {
        let version: i64 =
            self.connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        let found = usize::try_from(version).map_err(damaged)?;
        let known = MIGRATIONS.len();
        if found > known {
            return Err(StoreError::Newer { found, known });
        }
        for script in MIGRATIONS.iter().skip(found) {
            self.connection.execute_batch(script)?;
        }
        self.connection.execute_batch(&format!("PRAGMA user_version = {known}"))?;
        Ok(())
    }

    /// Does everything or nothing; on success all of it is on the disk.
    ///
    /// # Errors
    /// [`StoreError`]; nothing is changed then.
    pub fn transaction<T>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let behaviour = TransactionBehavior::Immediate;
        let transaction = Transaction::new_unchecked(&self.connection, behaviour)?;
        let done = work(self)?;
        transaction.commit()?;
        Ok(done)
    }

    fn change(&self, sql: &str, values: impl Params) -> Result<usize, StoreError> {
        Ok(self.connection.prepare_cached(sql)?.execute(values)?)
    }

    fn select<T>(
        &self,
        sql: &str,
        values: impl Params,
        read: impl Fn(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query(values)?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            found.push(read(row)?);
        }
        Ok(found)
    }
}

/// Goods.
impl Store {
    /// Every good, also those that are no longer sold, by article number.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn goods(&self) -> Result<Vec<Good>, StoreError> {
        let sql = "SELECT article, name, unit_price, active FROM goods ORDER BY article";
        self.select(sql, [], read_good)
    }

    /// The good with an article number.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn good(&self, article: &Text<32>) -> Result<Option<Good>, StoreError> {
        let sql = "SELECT article, name, unit_price, active FROM goods WHERE article = ?1";
        Ok(self.select(sql, [article.as_str()], read_good)?.pop())
    }

    /// Adds a good, or changes the one with this article number.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn put_good(&self, good: &Good) -> Result<(), StoreError> {
        let Good { article, name, unit_price, active } = good;
        self.change(
            "INSERT INTO goods (article, name, unit_price, active) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (article) DO UPDATE SET name = excluded.name,
             unit_price = excluded.unit_price, active = excluded.active",
            params![article.as_str(), name.as_str(), integer(unit_price.0)?, active],
        )?;
        Ok(())
    }
}

const ORDER_COLUMNS: &str = "SELECT transaction_id, request_id, purchaser, card, total, currency, \
                             mode, state, order_hash, placed, due FROM orders";

/// Orders.
impl Store {
    /// Stores an order with its lines.
    ///
    /// # Errors
    /// [`StoreError`], also when transaction or request are known already.
    pub fn insert_order(&self, order: &OrderData, lines: &[LineData]) -> Result<(), StoreError> {
        self.change(
            "INSERT INTO orders (transaction_id, request_id, purchaser, card, total, currency,
             mode, state, order_hash, placed, due)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
            params![
                order.transaction.to_string(),
                order.request.to_string(),
                order.purchaser.as_str(),
                order.card.to_string(),
                integer(order.total.0)?,
                order.currency.0,
                books::mode_name(order.mode),
                order.state.name(),
                order.order_hash.to_string(),
                integer(order.placed.0)?,
                integer(order.due.0)?,
            ],
        )?;
        for (number, LineData { line, price }) in (1_i64..).zip(lines) {
            self.change(
                "INSERT INTO order_lines (transaction_id, line_number, article, name, quantity,
                 unit_price, price, salt) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                params![
                    order.transaction.to_string(),
                    number,
                    line.article.as_str(),
                    line.name.as_str(),
                    line.quantity,
                    integer(line.unit_price.0)?,
                    integer(price.0)?,
                    line.salt.to_string(),
                ],
            )?;
        }
        Ok(())
    }

    /// Moves an order to a state, and says whether it could move there from where it was.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn advance(&self, order: TransactionId, to: OrderState) -> Result<bool, StoreError> {
        let changed = self.change(
            "UPDATE orders SET state = ?2 WHERE transaction_id = ?1
             AND state IN (SELECT from_state FROM order_moves WHERE to_state = ?2)",
            params![order.to_string(), to.name()],
        )?;
        Ok(changed == 1)
    }

    /// The order of a transaction.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn order(&self, transaction: TransactionId) -> Result<Option<OrderData>, StoreError> {
        let sql = format!("{ORDER_COLUMNS} WHERE transaction_id = ?1");
        Ok(self.select(&sql, [transaction.to_string()], read_order)?.pop())
    }

    /// The order that a wallet has sent under this number.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn order_by_request(&self, request: RequestId) -> Result<Option<OrderData>, StoreError> {
        let sql = format!("{ORDER_COLUMNS} WHERE request_id = ?1");
        Ok(self.select(&sql, [request.to_string()], read_order)?.pop())
    }

    /// The newest orders, of one state or of all.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn orders(
        &self,
        state: Option<OrderState>,
        count_max: u32,
    ) -> Result<Vec<OrderData>, StoreError> {
        let sql = format!(
            "{ORDER_COLUMNS} WHERE ?1 IS NULL OR state = ?1
             ORDER BY placed DESC, transaction_id LIMIT ?2"
        );
        let state = state.map(OrderState::name);
        self.select(&sql, params![state, count_max], read_order)
    }

    /// Acknowledged orders in electronic money whose due time has passed, from the oldest on,
    /// beginning behind `after`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn overdue(
        &self,
        now: Time,
        after: Option<(Time, TransactionId)>,
        count_max: u32,
    ) -> Result<Vec<OrderData>, StoreError> {
        let sql = format!(
            "{ORDER_COLUMNS} WHERE state = ?1 AND mode = ?2 AND due < ?3
             AND (due > ?4 OR (due = ?4 AND transaction_id > ?5))
             ORDER BY due, transaction_id LIMIT ?6"
        );
        let due = after.map_or(Ok(-1), |(due, _)| integer(due.0))?;
        let transaction = after.map(|(_, transaction)| transaction.to_string());
        let values = params![
            OrderState::Acknowledged.name(),
            books::mode_name(PaymentMode::ElectronicMoney),
            integer(now.0)?,
            due,
            transaction.unwrap_or_default(),
            count_max,
        ];
        self.select(&sql, values, read_order)
    }

    /// The lines of an order.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn lines(&self, order: TransactionId) -> Result<Vec<LineData>, StoreError> {
        let sql = "SELECT article, name, quantity, unit_price, price, salt FROM order_lines
                   WHERE transaction_id = ?1 ORDER BY line_number";
        self.select(sql, [order.to_string()], read_line)
    }
}

/// Evidence and notes.
impl Store {
    /// Keeps a document of an order.
    ///
    /// # Errors
    /// [`StoreError`], also when the order has one of this kind already.
    pub fn add_evidence(
        &self,
        order: TransactionId,
        evidence: &Evidence,
    ) -> Result<(), StoreError> {
        self.change(
            "INSERT INTO evidence (transaction_id, kind, hash, bytes, stored)
             VALUES (?1, ?2, ?3, ?4, ?5)",
            params![
                order.to_string(),
                evidence.kind.name(),
                evidence.hash.to_string(),
                evidence.bytes,
                integer(evidence.at.0)?,
            ],
        )?;
        Ok(())
    }

    /// A document of an order.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn evidence(
        &self,
        order: TransactionId,
        kind: EvidenceKind,
    ) -> Result<Option<Evidence>, StoreError> {
        let sql = "SELECT kind, hash, bytes, stored FROM evidence
                   WHERE transaction_id = ?1 AND kind = ?2";
        let values = params![order.to_string(), kind.name()];
        Ok(self.select(sql, values, read_evidence)?.pop())
    }

    /// Every document of an order, in the order in which they were stored.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn all_evidence(&self, order: TransactionId) -> Result<Vec<Evidence>, StoreError> {
        let sql = "SELECT kind, hash, bytes, stored FROM evidence WHERE transaction_id = ?1";
        let mut found = self.select(sql, [order.to_string()], read_evidence)?;
        let place = |kind| EvidenceKind::ALL.iter().position(|one| *one == kind);
        found.sort_by_key(|evidence| (evidence.at, place(evidence.kind)));
        Ok(found)
    }

    /// Notes what an operator did.
    ///
    /// # Errors
    /// [`StoreError`], also when that is noted already.
    pub fn add_note(&self, order: TransactionId, note: &Note) -> Result<(), StoreError> {
        self.change(
            "INSERT INTO operator_notes (transaction_id, deed, operator, noted)
             VALUES (?1, ?2, ?3, ?4)",
            params![
                order.to_string(),
                note.deed.name(),
                note.operator.as_str(),
                integer(note.at.0)?,
            ],
        )?;
        Ok(())
    }

    /// What operators did to an order.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn notes(&self, order: TransactionId) -> Result<Vec<Note>, StoreError> {
        let sql = "SELECT deed, operator, noted FROM operator_notes
                   WHERE transaction_id = ?1 ORDER BY noted";
        self.select(sql, [order.to_string()], |row| {
            Ok(Note { deed: parsed(row, 0)?, operator: text(row, 1)?, at: Time(unsigned(row, 2)?) })
        })
    }
}

fn read_good(row: &Row<'_>) -> Result<Good, StoreError> {
    Ok(Good {
        article: text(row, 0)?,
        name: text(row, 1)?,
        unit_price: Amount(unsigned(row, 2)?),
        active: row.get(3)?,
    })
}

fn read_order(row: &Row<'_>) -> Result<OrderData, StoreError> {
    let mode: String = row.get(6)?;
    let purchaser: String = row.get(2)?;
    Ok(OrderData {
        transaction: parsed(row, 0)?,
        request: parsed(row, 1)?,
        purchaser: PayerId::new(purchaser).map_err(damaged)?,
        card: parsed(row, 3)?,
        total: Amount(unsigned(row, 4)?),
        currency: Currency(row.get(5)?),
        mode: mode_from_name(&mode).map_err(damaged)?,
        state: parsed(row, 7)?,
        order_hash: parsed(row, 8)?,
        placed: Time(unsigned(row, 9)?),
        due: Time(unsigned(row, 10)?),
    })
}

fn read_line(row: &Row<'_>) -> Result<LineData, StoreError> {
    Ok(LineData {
        line: Line {
            article: text(row, 0)?,
            name: text(row, 1)?,
            quantity: row.get(2)?,
            unit_price: Amount(unsigned(row, 3)?),
            salt: parsed(row, 5)?,
        },
        price: Amount(unsigned(row, 4)?),
    })
}

fn read_evidence(row: &Row<'_>) -> Result<Evidence, StoreError> {
    Ok(Evidence {
        kind: parsed(row, 0)?,
        hash: parsed::<Hash>(row, 1)?,
        bytes: row.get(2)?,
        at: Time(unsigned(row, 3)?),
    })
}

fn parsed<T: FromStr<Err: Display>>(row: &Row<'_>, column: usize) -> Result<T, StoreError> {
    let text: String = row.get(column)?;
    text.parse().map_err(damaged)
}

fn text<const MAX: usize>(row: &Row<'_>, column: usize) -> Result<Text<MAX>, StoreError> {
    Text::new(row.get::<_, String>(column)?).map_err(damaged)
}

fn unsigned(row: &Row<'_>, column: usize) -> Result<u64, StoreError> {
    u64::try_from(row.get::<_, i64>(column)?).map_err(damaged)
}

/// SQL integers are signed; the decisions let nothing larger through.
fn integer(value: u64) -> Result<i64, StoreError> {
    i64::try_from(value).map_err(damaged)
}
