//! Load orders, credits and the slots that took or refused them.

use apdu_spec::record::CreditToken;
use apdu_spec::value::{CardId, CreditId, Hash, Nonce, Sequence, Time};
use protocol::load::LoadOrder;
use protocol::signed::{SignedRecord, Verified, VerifiedRecord};

use super::{Books, Kind, StoreError};
use crate::ledger::{CreditKey, bookable};

/// How far a credit has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CreditState {
    /// A token for its slot has been signed; its value is in flight.
    Issued,
    /// The card has taken it and P knows.
    Applied,
}

/// A credit for which a token has been signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Credit {
    pub(crate) state: CreditState,
    /// The newest token, and with it the slot that may take the value.
    pub(crate) token: CreditToken,
}

/// What a slot was used for, where P knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Slot {
    /// Hash of the card's credit record or burned slot.
    pub(crate) record: Hash,
    /// The signed acknowledgement.
    pub(crate) answer: Vec<u8>,
}

/// A token that was just signed, and what it answers.
#[derive(Debug)]
pub(crate) struct NewCredit<'a> {
    pub(crate) key: CreditKey,
    pub(crate) token: &'a VerifiedRecord<CreditToken>,
}

impl Books<'_> {
    /// Keeps a load order.
    pub(crate) fn keep_load_order(
        &self,
        order: &Verified<LoadOrder>,
        now: Time,
    ) -> Result<(), StoreError> {
        self.keep(Kind::LoadOrder, order, now)?;
        self.execute(
            "INSERT INTO load_orders (credit, card, expiry, document) VALUES ($1, $2, $3, $4)",
            &[
                (&order.credit).into(),
                (&order.card).into(),
                order.expiry.into(),
                (&order.hash()).into(),
            ],
        )?;
        Ok(())
    }

    /// The load order with this number, as it was signed.
    pub(crate) fn load_order(&self, credit: &CreditId) -> Result<Option<Vec<u8>>, StoreError> {
        self.row(
            "SELECT evidence.bytes
             FROM load_orders JOIN evidence ON evidence.hash = load_orders.document
             WHERE load_orders.credit = $1",
            &[credit.into()],
            |row| row.at(0),
        )
    }

    /// Whether this server made this very load order and still knows of it.
    pub(crate) fn has_load_order(&self, document: &Hash) -> Result<bool, StoreError> {
        let sql = "SELECT 1 FROM load_orders WHERE document = $1";
        self.has(sql, &[document.into()])
    }

    /// Load orders of a card whose value can still be taken, oldest first: those that have not
    /// expired, and those with an issued token, which never lapses.
    pub(crate) fn open_load_orders(
        &self,
        card: &CardId,
        now: Time,
        most: i64,
    ) -> Result<Vec<Vec<u8>>, StoreError> {
        self.rows(
            "SELECT evidence.bytes
             FROM load_orders JOIN evidence ON evidence.hash = load_orders.document
                 LEFT JOIN credits ON credits.authority = load_orders.document
             WHERE load_orders.card = $1
                 AND (credits.state = 'issued'
                     OR credits.state IS NULL AND load_orders.expiry >= $2)
             ORDER BY evidence.time, load_orders.credit LIMIT $3",
            &[card.into(), now.into(), most.into()],
            |row| row.at(0),
        )
    }

    /// The credit with this key.
    pub(crate) fn credit(&self, key: &CreditKey) -> Result<Option<Credit>, StoreError> {
        self.row(
            "SELECT credits.state, evidence.bytes
             FROM credits JOIN evidence ON evidence.hash = credits.token
             WHERE credits.purpose = $1 AND credits.authority_issuer = $2
                 AND credits.credit = $3",
            &[
                i64::from(key.purpose.number()).into(),
                (&key.authority_issuer).into(),
                (&key.credit).into(),
            ],
            |row| {
                let state = match row.at::<String>(0)?.as_str() {
                    "issued" => CreditState::Issued,
                    "applied" => CreditState::Applied,
                    other => return Err(StoreError::Damaged(format!("credit {other}"))),
                };
                let token = SignedRecord::<CreditToken>::parse(&row.at::<Vec<u8>>(1)?);
                let damaged = |_| StoreError::Damaged(format!("credit {}", key.credit));
                Ok(Credit { state, token: *token.map_err(damaged)?.claims() })
            },
        )
    }

    /// Keeps a credit with its first token.
    pub(crate) fn keep_credit(&self, new: &NewCredit<'_>, now: Time) -> Result<(), StoreError> {
        let NewCredit { key, token } = new;
        let wrong = || StoreError::Constraint("amount of a credit".to_owned());
        self.keep_record(Kind::CreditToken, token, now)?;
        self.execute(
            "INSERT INTO credits (purpose, authority_issuer, credit, card, amount, authority,
                 state, slot, token, changed)
             VALUES ($1, $2, $3, $4, $5, $6, 'issued', $7, $8, $9)",
            &[
                i64::from(key.purpose.number()).into(),
                (&key.authority_issuer).into(),
                (&key.credit).into(),
                (&token.card).into(),
                bookable(token.amount).ok_or_else(wrong)?.into(),
                (&token.authority_hash).into(),
                token.slot.into(),
                (&token.hash()).into(),
                now.into(),
            ],
        )?;
        Ok(())
    }

    /// Keeps the token with which a credit moves to a later slot (Invariant R).
    pub(crate) fn move_credit(&self, new: &NewCredit<'_>, now: Time) -> Result<(), StoreError> {
        let NewCredit { key, token } = new;
        self.keep_record(Kind::CreditToken, token, now)?;
        let changed = self.execute(
            "UPDATE credits SET slot = $4, token = $5, changed = $6
             WHERE purpose = $1 AND authority_issuer = $2 AND credit = $3
                 AND state = 'issued' AND slot < $4",
            &[
                i64::from(key.purpose.number()).into(),
                (&key.authority_issuer).into(),
                (&key.credit).into(),
                token.slot.into(),
                (&token.hash()).into(),
                now.into(),
            ],
        )?;
        exactly_one(changed)
    }

    /// Notes that a card has taken a credit.
    pub(crate) fn apply_credit(&self, key: &CreditKey, now: Time) -> Result<(), StoreError> {
        let changed = self.execute(
            "UPDATE credits SET state = 'applied', changed = $4
             WHERE purpose = $1 AND authority_issuer = $2 AND credit = $3 AND state = 'issued'",
            &[
                i64::from(key.purpose.number()).into(),
                (&key.authority_issuer).into(),
                (&key.credit).into(),
                now.into(),
            ],
        )?;
        exactly_one(changed)
    }

    /// What became of a slot, where P knows.
    pub(crate) fn slot(&self, card: &CardId, slot: Sequence) -> Result<Option<Slot>, StoreError> {
        self.row(
            "SELECT slots.record, evidence.bytes
             FROM slots JOIN evidence ON evidence.hash = slots.answer
             WHERE slots.card = $1 AND slots.slot = $2",
            &[card.into(), slot.into()],
            |row| Ok(Slot { record: row.at(0)?, answer: row.at(1)? }),
        )
    }

    /// The highest slot of a card whose end P knows, 0 before the first.
    pub(crate) fn newest_slot(&self, card: &CardId) -> Result<Sequence, StoreError> {
        let newest = self.row(
            "SELECT COALESCE(MAX(slot), 0) FROM slots WHERE card = $1",
            &[card.into()],
            |row| row.at(0),
        )?;
        Ok(newest.unwrap_or_default())
    }

    /// Keeps what became of a slot; record and answer are evidence already.
    pub(crate) fn keep_slot(
        &self,
        card: &CardId,
        slot: Sequence,
        is_burned: bool,
        (record, answer): (&Hash, &Hash),
        now: Time,
    ) -> Result<(), StoreError> {
        self.execute(
            "INSERT INTO slots (card, slot, burned, record, answer, booked)
             VALUES ($1, $2, $3, $4, $5, $6)",
            &[
                card.into(),
                slot.into(),
                i64::from(is_burned).into(),
                record.into(),
                answer.into(),
                now.into(),
            ],
        )?;
        Ok(())
    }

    /// Uses up a nonce; false when it has been used already. Those that have expired are forgotten.
    pub(crate) fn use_nonce(
        &self,
        nonce: &Nonce,
        expiry: Time,
        now: Time,
    ) -> Result<bool, StoreError> {
        self.execute("DELETE FROM nonces WHERE expiry < $1", &[now.into()])?;
        let added = self.execute(
            "INSERT INTO nonces (nonce, expiry) VALUES ($1, $2) ON CONFLICT (nonce) DO NOTHING",
            &[nonce.into(), expiry.into()],
        )?;
        Ok(added == 1)
    }
}

fn exactly_one(changed: usize) -> Result<(), StoreError> {
    if changed == 1 {
        Ok(())
    } else {
        Err(StoreError::Constraint("the credit has ended".to_owned()))
    }
}
