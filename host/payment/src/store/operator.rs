//! What operators order and see.

use apdu_spec::value::{CardId, Hash, RequestId, Sequence, ShopId, Time};
use protocol::load::IssueRecord;
use protocol::signed::Verified;

use super::evidence::Introduced;
use super::{Books, Kind, StoreError};
use crate::ledger::Account;
use crate::view::{AccountBalance, Balances, CardState, Payment, PaymentFilter, to_hex};

/// Most payments in one list.
const PAYMENTS_MAX: u32 = 10_000;

/// Payments in a list where no number is asked for.
const PAYMENTS_DEFAULT: u32 = 100;

/// A shop that an operator accepts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NewShop<'a> {
    pub(crate) shop: &'a Introduced,
    pub(crate) push_url: &'a str,
    pub(crate) operator: &'a str,
}

impl Books<'_> {
    /// The issue record with this number, as it was signed.
    pub(crate) fn issue(&self, id: &RequestId) -> Result<Option<Vec<u8>>, StoreError> {
        self.row(
            "SELECT evidence.bytes
             FROM issues JOIN evidence ON evidence.hash = issues.document
             WHERE issues.id = $1",
            &[id.into()],
            |row| row.at(0),
        )
    }

    /// Keeps an issue record.
    pub(crate) fn keep_issue(
        &self,
        record: &Verified<IssueRecord>,
        now: Time,
    ) -> Result<(), StoreError> {
        self.keep(Kind::IssueRecord, record, now)?;
        self.execute(
            "INSERT INTO issues (id, document) VALUES ($1, $2)",
            &[(&record.id).into(), (&record.hash()).into()],
        )?;
        Ok(())
    }

    /// Accepts a shop, or changes one that is accepted already.
    pub(crate) fn keep_shop(&self, new: NewShop<'_>, now: Time) -> Result<(), StoreError> {
        let party = &new.shop.party;
        let currency = self.title()?.currency;
        let chain = self.keep_chain(&new.shop.chain, now)?;
        self.execute(
            "INSERT INTO shops (shop, name, push_url, currency, chain, operator, accepted)
             VALUES ($1, $2, $3, $4, $5, $6, $7)
             ON CONFLICT (shop) DO UPDATE SET name = excluded.name,
                 push_url = excluded.push_url, chain = excluded.chain,
                 operator = excluded.operator, accepted = excluded.accepted",
            &[
                (&party.shop()).into(),
                party.name.as_str().into(),
                new.push_url.into(),
                currency.into(),
                (&chain).into(),
                new.operator.into(),
                now.into(),
            ],
        )?;
        Ok(())
    }

    /// Every account, and whether the books add up.
    pub(crate) fn balances(&self) -> Result<Balances, StoreError> {
        let accounts = self.rows(
            "SELECT kind, owner, balance FROM accounts
             WHERE kind <> 'issued' AND (kind <> 'in flight' OR balance <> 0)
             ORDER BY kind, owner",
            &[],
            |row| {
                Ok(AccountBalance {
                    kind: row.at(0)?,
                    owner: to_hex(&row.at::<Vec<u8>>(1)?),
                    balance: row.at(2)?,
                })
            },
        )?;
        let accounted = accounts
            .iter()
            .try_fold(0_i64, |sum, account| sum.checked_add(account.balance))
            .ok_or_else(|| StoreError::Damaged("balances beyond all bounds".to_owned()))?;
        let issued = self.balance(&Account::Issued)?.saturating_neg();
        Ok(Balances {
            currency: self.title()?.currency.0,
            issued,
            accounted,
            identity: issued == accounted && self.wrong_accounts()?.is_empty(),
            accounts,
        })
    }

    /// Invoices that P knows of (payment data 63), the newest first.
    pub(crate) fn payments(&self, filter: &PaymentFilter) -> Result<Vec<Payment>, StoreError> {
        let limit = filter.limit.unwrap_or(PAYMENTS_DEFAULT).min(PAYMENTS_MAX);
        self.rows(
            "SELECT transaction_id, payer, invoices.shop, shops.name, amount, state, due, changed,
                 hash
             FROM invoices JOIN shops ON shops.shop = invoices.shop
             WHERE ($1 IS NULL OR invoices.shop = $1) AND ($2 IS NULL OR payer = $2)
                 AND ($3 IS NULL OR state = $3)
             ORDER BY changed DESC, hash LIMIT $4",
            &[
                filter.shop.as_ref().into(),
                filter.payer.as_deref().into(),
                filter.state.as_deref().into(),
                i64::from(limit).into(),
            ],
            |row| {
                Ok(Payment {
                    transaction: row.at(0)?,
                    payer: row.at(1)?,
                    shop: row.at::<ShopId>(2)?,
                    shop_name: row.at(3)?,
                    amount: row.at(4)?,
                    state: row.at(5)?,
                    due: row.at::<Time>(6)?.0,
                    changed: row.at::<Time>(7)?.0,
                    invoice_hash: row.at::<Hash>(8)?,
                })
            },
        )
    }

    /// Cards that P has met.
    pub(crate) fn cards(&self) -> Result<Vec<CardState>, StoreError> {
        self.rows(
            "SELECT cards.card, payer, holder, status, ack_debit, ack_credit,
                 COALESCE(shadow.balance, 0), COALESCE(suspense.balance, 0),
                 (SELECT COALESCE(SUM(amount), 0) FROM credits
                     WHERE credits.card = cards.card AND state = 'issued'),
                 (SELECT COUNT(*) FROM contradictions WHERE contradictions.card = cards.card)
             FROM cards
                 LEFT JOIN accounts AS shadow
                     ON shadow.kind = 'shadow' AND shadow.owner = cards.card
                 LEFT JOIN accounts AS suspense
                     ON suspense.kind = 'suspense' AND suspense.owner = cards.card
             ORDER BY cards.card",
            &[],
            |row| {
                Ok(CardState {
                    card: row.at::<CardId>(0)?,
                    payer: row.at(1)?,
                    holder: row.at(2)?,
                    status: row.at(3)?,
                    ack_debit: row.at::<Sequence>(4)?.0,
                    ack_credit: row.at::<Sequence>(5)?.0,
                    shadow: row.at(6)?,
                    suspense: row.at(7)?,
                    in_flight: row.at(8)?,
                    contradictions: row.at(9)?,
                })
            },
        )
    }
}
