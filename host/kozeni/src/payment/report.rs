//! What `kozeni payment` prints.

use std::fmt::{self, Display};
use std::path::PathBuf;

use ::payment::view::{
    Balances, CardState, Cards, Issued, LoadOrderMade, Payment, Payments, ShopAccepted,
};
use apdu_spec::value::Time;
use serde::Serialize;

use crate::output::{Lines, date, money, table};

/// A payment server that was made.
#[derive(Debug, Serialize)]
pub(crate) struct Made {
    key: PathBuf,
    request: PathBuf,
    config: PathBuf,
}

impl From<::payment::Made> for Made {
    fn from(::payment::Made { key, request, config }: ::payment::Made) -> Self {
        Self { key, request, config }
    }
}

impl Display for Made {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let show = |path: &PathBuf| path.display().to_string();
        Lines(&[
            ("private key", show(&self.key)),
            ("request for a certificate", show(&self.request)),
            ("configuration", show(&self.config)),
        ])
        .fmt(f)
    }
}

/// A load order that was made and written to a file.
#[derive(Debug, Serialize)]
pub(crate) struct MadeLoadOrder {
    id: String,
    card: String,
    amount: u64,
    currency: u16,
    expires: u64,
    file: PathBuf,
}

impl MadeLoadOrder {
    pub(crate) fn new(made: LoadOrderMade, file: PathBuf) -> Self {
        let LoadOrderMade { id, card, amount, currency, expires, document: _ } = made;
        Self { id: id.to_string(), card: card.to_string(), amount, currency, expires, file }
    }
}

impl Display for MadeLoadOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Lines(&[
            ("load order", self.id.clone()),
            ("card", self.card.clone()),
            ("amount", money(self.amount, self.currency)),
            ("expires", date(Time(self.expires))),
            ("file", self.file.display().to_string()),
        ])
        .fmt(f)
    }
}

/// What the server has answered.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub(crate) struct Shown<T>(pub(crate) T);

impl Display for Shown<Issued> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Lines(&[
            ("issue record", self.0.id.to_string()),
            ("amount", money(self.0.amount, self.0.currency)),
            ("fund", self.0.fund.to_string()),
            ("hash", self.0.document_hash.to_string()),
        ])
        .fmt(f)
    }
}

impl Display for Shown<ShopAccepted> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Lines(&[
            ("shop", self.0.shop.to_string()),
            ("name", self.0.name.clone()),
            ("receipts go to", self.0.push_url.clone()),
        ])
        .fmt(f)
    }
}

impl Display for Shown<Balances> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = self.0.accounts.iter();
        let rows = rows.map(|one| [one.kind.clone(), one.balance.to_string(), one.owner.clone()]);
        table(f, &["ACCOUNT", "BALANCE", "OF"], rows)?;
        writeln!(f)?;
        let identity = if self.0.identity { "yes" } else { "NO" };
        Lines(&[
            ("issued", self.0.issued.to_string()),
            ("accounted for", self.0.accounted.to_string()),
            ("the books add up", identity.to_owned()),
        ])
        .fmt(f)
    }
}

/// Payment data 63 of the source, and since when the state is so. Names stand last: only the
/// terminal knows how wide they are.
impl Display for Shown<Payments> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let heading =
            ["TRANSACTION ID", "PURCHASER ID", "SHOP ID", "TOTAL", "STATE", "SINCE", "SHOP"];
        let row = |payment: &Payment| {
            [
                payment.transaction.to_string(),
                payment.payer.clone(),
                payment.shop.to_string(),
                payment.amount.to_string(),
                payment.state.clone(),
                date(Time(payment.changed)),
                payment.shop_name.clone(),
            ]
        };
        if self.0.payments.is_empty() {
            return f.write_str("no payments");
        }
        table(f, &heading, self.0.payments.iter().map(row))
    }
}

impl Display for Shown<Cards> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let heading =
            ["CARD", "PAYER ID", "STATUS", "SHADOW", "IN FLIGHT", "SUSPENSE", "CLONES", "HOLDER"];
        let row = |card: &CardState| {
            [
                card.card.to_string(),
                card.payer.clone(),
                card.status.clone(),
                card.shadow.to_string(),
                card.in_flight.to_string(),
                card.suspense.to_string(),
                card.contradictions.to_string(),
                card.holder.clone(),
            ]
        };
        if self.0.cards.is_empty() {
            return f.write_str("no cards");
        }
        table(f, &heading, self.0.cards.iter().map(row))
    }
}
