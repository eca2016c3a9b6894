//! Receipts on their way to the shops.

use apdu_spec::value::{Hash, ShopId, Time};

use super::{Books, StoreError};

/// A receipt that its shop has not confirmed yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Push {
    pub(crate) receipt: Hash,
    pub(crate) bytes: Vec<u8>,
    pub(crate) shop: ShopId,
    pub(crate) url: String,
    pub(crate) attempts: i64,
}

/// How a push ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PushEnd {
    /// The shop has accepted the receipt.
    Delivered,
    /// The shop says that the receipt is not authorised.
    Refused,
}

impl Books<'_> {
    /// Puts a receipt into the outbox.
    pub(crate) fn send_receipt(
        &self,
        receipt: &Hash,
        shop: &ShopId,
        now: Time,
    ) -> Result<(), StoreError> {
        self.execute(
            "INSERT INTO outbox (receipt, shop, state, attempts, next)
             VALUES ($1, $2, 'waiting', 0, $3)",
            &[receipt.into(), shop.into(), now.into()],
        )?;
        Ok(())
    }

    /// Receipts that are to be pushed now, those that wait longest first.
    pub(crate) fn pushes(&self, now: Time, most: i64) -> Result<Vec<Push>, StoreError> {
        self.rows(
            "SELECT outbox.receipt, evidence.bytes, outbox.shop, shops.push_url, outbox.attempts
             FROM outbox JOIN evidence ON evidence.hash = outbox.receipt
                 JOIN shops ON shops.shop = outbox.shop
             WHERE outbox.state = 'waiting' AND outbox.next <= $1
             ORDER BY outbox.next LIMIT $2",
            &[now.into(), most.into()],
            |row| {
                Ok(Push {
                    receipt: row.at(0)?,
                    bytes: row.at(1)?,
                    shop: row.at(2)?,
                    url: row.at(3)?,
                    attempts: row.at(4)?,
                })
            },
        )
    }

    /// When the next receipt is to be pushed, if any waits.
    pub(crate) fn next_push(&self) -> Result<Option<Time>, StoreError> {
        let next =
            self.row("SELECT MIN(next) FROM outbox WHERE state = 'waiting'", &[], |row| {
                row.at::<Option<Time>>(0)
            })?;
        Ok(next.flatten())
    }

    /// Notes how a push ended.
    pub(crate) fn end_push(&self, receipt: &Hash, end: PushEnd) -> Result<(), StoreError> {
        let state = match end {
            PushEnd::Delivered => "delivered",
            PushEnd::Refused => "refused",
        };
        self.execute(
            "UPDATE outbox SET state = $2, attempts = attempts + 1 WHERE receipt = $1",
            &[receipt.into(), state.into()],
        )?;
        Ok(())
    }

    /// Notes that a push failed and when to try again.
    pub(crate) fn delay_push(&self, receipt: &Hash, next: Time) -> Result<(), StoreError> {
        self.execute(
            "UPDATE outbox SET attempts = attempts + 1, next = $2 WHERE receipt = $1",
            &[receipt.into(), next.into()],
        )?;
        Ok(())
    }
}
