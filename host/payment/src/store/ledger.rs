//! Accounts, entries and postings in the database.

use apdu_spec::value::CardId;

use super::{Books, StoreError};
use crate::ledger::{Account, Transfer, bookable};

impl Books<'_> {
    /// The balance of an account; 0 before its first posting.
    pub(crate) fn balance(&self, account: &Account) -> Result<i64, StoreError> {
        let balance = self.row(
            "SELECT balance FROM accounts WHERE kind = $1 AND owner = $2",
            &[account.kind().into(), account.owner().as_slice().into()],
            |row| row.at(0),
        )?;
        Ok(balance.unwrap_or_default())
    }

    /// What a card could at most hold as far as P knows: `shadow` and what is in flight to it.
    pub(crate) fn cover(&self, card: &CardId) -> Result<i64, StoreError> {
        let sums = self.rows(
            "SELECT amount FROM credits WHERE card = $1 AND state = 'issued'",
            &[card.into()],
            |row| row.at::<i64>(0),
        )?;
        let mut cover = self.balance(&Account::Shadow(*card))?;
        for amount in sums {
            cover = sum(cover, amount)?;
        }
        Ok(cover)
    }

    /// Books a transfer. A second one on the authority of the same document is refused by the
    /// schema.
    pub(crate) fn transfer(&self, transfer: &Transfer) -> Result<(), StoreError> {
        let amount = bookable(transfer.amount)
            .ok_or_else(|| StoreError::Constraint("amount of a transfer".to_owned()))?;
        self.execute(
            "INSERT INTO entries (document, time) VALUES ($1, $2)",
            &[(&transfer.document).into(), transfer.time.into()],
        )?;
        self.post(transfer, &transfer.from, amount.saturating_neg())?;
        self.post(transfer, &transfer.to, amount)
    }

    fn post(&self, transfer: &Transfer, account: &Account, amount: i64) -> Result<(), StoreError> {
        let balance = sum(self.balance(account)?, amount)?;
        let owner = account.owner();
        let (kind, owner) = (account.kind(), owner.as_slice());
        self.execute(
            "INSERT INTO accounts (kind, owner, balance) VALUES ($1, $2, $3)
             ON CONFLICT (kind, owner) DO UPDATE SET balance = excluded.balance",
            &[kind.into(), owner.into(), balance.into()],
        )?;
        self.execute(
            "INSERT INTO postings (document, kind, owner, amount) VALUES ($1, $2, $3, $4)",
            &[(&transfer.document).into(), kind.into(), owner.into(), amount.into()],
        )?;
        Ok(())
    }

    /// Accounts whose balance is not the sum of their postings, and entries that do not balance.
    pub(crate) fn wrong_accounts(&self) -> Result<Vec<String>, StoreError> {
        let mut wrong = self.rows(
            "SELECT accounts.kind
             FROM accounts LEFT JOIN (
                 SELECT kind, owner, SUM(amount) AS posted FROM postings GROUP BY kind, owner
             ) AS sums ON sums.kind = accounts.kind AND sums.owner = accounts.owner
             WHERE accounts.balance <> COALESCE(posted, 0)",
            &[],
            |row| row.at(0),
        )?;
        let unbalanced = self
            .has("SELECT document FROM postings GROUP BY document HAVING SUM(amount) <> 0", &[])?;
        if unbalanced {
            wrong.push("an entry".to_owned());
        }
        Ok(wrong)
    }
}

fn sum(balance: i64, amount: i64) -> Result<i64, StoreError> {
    let overflow = || StoreError::Constraint("a balance beyond what accounts can hold".to_owned());
    balance.checked_add(amount).ok_or_else(overflow)
}
