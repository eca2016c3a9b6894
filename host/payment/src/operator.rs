//! What an authenticated operator may order: value to be issued, load orders, shops to be accepted.
//! Each is a signed document or a row that names the operator.

use apdu_spec::value::{Amount, CreditId, Hash, RequestId, Time};
use protocol::Reject;
use protocol::certificate::{Role, read_pem};
use protocol::field::{Number, Text};
use protocol::form::Form;
use protocol::load::{IssueRecord, LoadOrder};
use protocol::signed::{Signed, SignerError};

use crate::ledger::{Account, Transfer, bookable};
use crate::service::{Service, draw, introduce};
use crate::store::{Failure, NewShop, StoreError};
use crate::view::{
    Balances, Cards, IssueOrder, Issued, LoadOrderMade, LoadOrderOrder, PaymentFilter, Payments,
    ShopAccepted, ShopOrder, to_hex,
};

/// How long a load order can be taken where nothing else is said: 30 days.
const LOAD_ORDER_LIFE_S: u64 = 30 * 24 * 60 * 60;

/// Longest push URL in bytes.
const URL_MAX: usize = 200;

/// Name of an operator.
type Operator = Text<64>;

/// Why an operator's order is not carried out.
#[derive(Debug, thiserror::Error)]
pub enum OrderError {
    /// The amount is zero, or more than accounts can hold.
    #[error("the amount must be from 1 to what the accounts can hold")]
    Amount,
    /// Nobody orders it.
    #[error("an operator must be named, in 1 to 64 bytes")]
    Operator,
    /// The same number was given before with another content.
    #[error("this number was used before for something else")]
    NumberUsed,
    /// The end of the load order has passed.
    #[error("the end of the load order has passed")]
    Expired,
    /// The chain is not one of a shop.
    #[error("certificate of the shop: {0}")]
    Certificate(Reject),
    /// Nothing can be pushed there.
    #[error("the push URL must begin with http:// or https://, in at most {URL_MAX} bytes")]
    Url,
    /// The books.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl OrderError {
    /// A word that programs can branch on.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Amount => "bad_amount",
            Self::Operator => "bad_operator",
            Self::NumberUsed => "number_used",
            Self::Expired => "expired",
            Self::Certificate(_) => "bad_certificate",
            Self::Url => "bad_url",
            Self::Store(_) => "unavailable",
        }
    }
}

impl Failure for OrderError {
    fn is_fatal(&self) -> bool {
        matches!(self, Self::Store(error) if error.is_fatal())
    }
}

impl From<SignerError> for OrderError {
    fn from(error: SignerError) -> Self {
        Self::Store(error.into())
    }
}

impl Service {
    /// Issues value into the fund.
    ///
    /// # Errors
    /// [`OrderError`].
    pub fn issue(&self, order: &IssueOrder, now: Time) -> Result<Issued, OrderError> {
        let id = order.id.map_or_else(|| draw().map(RequestId), Ok)?;
        let record = IssueRecord {
            number: Number,
            id,
            amount: Amount(order.amount),
            currency: self.own.currency,
            issuer: self.own.issuer,
            operator: operator(&order.operator)?,
            time: now,
        };
        let amount = bookable(record.amount).ok_or(OrderError::Amount)?;
        self.store.apply(|books| {
            if let Some(known) = books.issue(&id)? {
                let document = own_document::<IssueRecord>(&known)?;
                let known = document.claims();
                let time = known.time;
                return if *known == (IssueRecord { time, ..record }) {
                    Ok(issued(known, document.hash(), books.balance(&Account::Fund)?))
                } else {
                    Err(OrderError::NumberUsed)
                };
            }
            let before = books.balance(&Account::Issued)?.saturating_neg();
            before.checked_add(amount).ok_or(OrderError::Amount)?;
            let record = Signed::seal(record, self.signer.as_ref())?;
            books.keep_issue(&record, now)?;
            books.transfer(&Transfer {
                from: Account::Issued,
                to: Account::Fund,
                amount: record.amount,
                document: record.hash(),
                time: now,
            })?;
            Ok(issued(&record, record.hash(), books.balance(&Account::Fund)?))
        })
    }

    /// Makes a load order.
    ///
    /// # Errors
    /// [`OrderError`].
    pub fn order_load(
        &self,
        order: &LoadOrderOrder,
        now: Time,
    ) -> Result<LoadOrderMade, OrderError> {
        let credit = order.id.map_or_else(|| draw().map(CreditId), Ok)?;
        let expiry = order.expires.map(Time);
        let load = LoadOrder {
            number: Number,
            credit,
            card: order.card,
            amount: Amount(order.amount),
            currency: self.own.currency,
            expiry: expiry.unwrap_or(Time(now.0.saturating_add(LOAD_ORDER_LIFE_S))),
            issuer: self.own.issuer,
            operator: operator(&order.operator)?,
        };
        bookable(load.amount).ok_or(OrderError::Amount)?;
        self.store.apply(|books| {
            if let Some(known) = books.load_order(&credit)? {
                let document = own_document::<LoadOrder>(&known)?;
                let made = document.claims();
                let expiry = expiry.unwrap_or(made.expiry);
                return if *made == (LoadOrder { expiry, ..load }) {
                    Ok(load_order_made(made, &known))
                } else {
                    Err(OrderError::NumberUsed)
                };
            }
            if load.expiry < now {
                return Err(OrderError::Expired);
            }
            let load = Signed::seal(load, self.signer.as_ref())?;
            books.keep_load_order(&load, now)?;
            Ok(load_order_made(&load, load.bytes()))
        })
    }

    /// Accepts a shop: collects for it and pushes receipts to it.
    ///
    /// # Errors
    /// [`OrderError`].
    pub fn accept_shop(&self, order: &ShopOrder, now: Time) -> Result<ShopAccepted, OrderError> {
        let operator = operator(&order.operator)?;
        let is_url =
            ["http://", "https://"].iter().any(|scheme| order.push_url.starts_with(scheme));
        if !is_url || order.push_url.len() > URL_MAX {
            return Err(OrderError::Url);
        }
        let chain = read_pem(&order.chain);
        let shop = introduce(&self.trust, chain, Role::Shop, now);
        let shop = shop.map_err(OrderError::Certificate)?;
        let new = NewShop { shop: &shop, push_url: &order.push_url, operator: operator.as_str() };
        self.store.apply(|books| books.keep_shop(new, now))?;
        Ok(ShopAccepted {
            shop: shop.party.shop(),
            name: shop.party.name.to_string(),
            push_url: order.push_url.clone(),
        })
    }

    /// Every account, and whether the books add up.
    ///
    /// # Errors
    /// [`OrderError::Store`].
    pub fn balances(&self) -> Result<Balances, OrderError> {
        self.store.read(|books| Ok(books.balances()?))
    }

    /// Payment data 63.
    ///
    /// # Errors
    /// [`OrderError::Store`].
    pub fn payments(&self, filter: &PaymentFilter) -> Result<Payments, OrderError> {
        let payments = self.store.read(|books| books.payments(filter))?;
        Ok(Payments { currency: self.own.currency.0, payments })
    }

    /// Cards that this server has met.
    ///
    /// # Errors
    /// [`OrderError::Store`].
    pub fn cards(&self) -> Result<Cards, OrderError> {
        Ok(Cards { currency: self.own.currency.0, cards: self.store.read(|books| books.cards())? })
    }
}

/// A document of this server's own, from the books.
fn own_document<T: Form>(bytes: &[u8]) -> Result<Signed<T>, StoreError> {
    Signed::parse(bytes).map_err(|error| StoreError::Damaged(error.to_string()))
}

fn operator(name: &str) -> Result<Operator, OrderError> {
    Operator::new(name).map_err(|_| OrderError::Operator)
}

fn issued(record: &IssueRecord, document_hash: Hash, fund: i64) -> Issued {
    Issued {
        id: record.id,
        amount: record.amount.0,
        currency: record.currency.0,
        document_hash,
        fund,
    }
}

fn load_order_made(order: &LoadOrder, bytes: &[u8]) -> LoadOrderMade {
    LoadOrderMade {
        id: order.credit,
        card: order.card,
        amount: order.amount.0,
        currency: order.currency.0,
        expires: order.expiry.0,
        document: to_hex(bytes),
    }
}
