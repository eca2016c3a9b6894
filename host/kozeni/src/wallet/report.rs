//! What `kozeni wallet` prints.

use std::fmt::{self, Display};

use ::wallet::view::{
    CardView, CreditView, GoodsView, KnownShopView, PurchaseView, RecoveryView, RefusedView,
    StatusView,
};
use apdu_spec::value::Time;
use serde::{Deserialize, Serialize};

use super::screen;
use crate::failure::Failure;
use crate::output::{Lines, date, table};

/// The daemon is no request to itself.
#[derive(Debug, Serialize)]
pub(super) struct Daemon;

impl Display for Daemon {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        Ok(())
    }
}

/// The wallet as a whole.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub(super) struct Status(pub(super) StatusView);

/// A wallet without its card is shown, and is an error to programs.
pub(super) fn require_card(status: &StatusView) -> Result<(), Failure> {
    match status.card {
        CardView::Ours(_) => Ok(()),
        CardView::NoReader { .. } | CardView::NoCard | CardView::UnknownCard => {
            Err(Failure::Told { exit_code: 4 })
        }
    }
}

impl Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(status) = self;
        let mut lines = match &status.card {
            CardView::NoReader { text } => vec![("reader", text.clone())],
            CardView::NoCard => vec![("card", "none in the reader".to_owned())],
            CardView::UnknownCard => vec![("card", "not a Kozeni card in use".to_owned())],
            CardView::Ours(card) => vec![
                ("reader", card.reader.clone()),
                ("card", card.card.clone()),
                ("issuer", card.issuer.clone()),
                ("blocked", yes_no(card.blocked)),
                ("balance", card.balance.text.clone()),
                ("PIN tries left", card.pin_tries.to_string()),
                ("PUK tries left", card.puk_tries.to_string()),
                ("PIN needed above", card.pin_floor.text.clone()),
                ("highest payment", card.debit_max.text.clone()),
                ("highest balance", card.balance_max.text.clone()),
                ("unacknowledged", card.unacknowledged.to_string()),
            ],
        };
        lines.extend([
            ("busy with", status.busy.clone().unwrap_or_else(|| "nothing".to_owned())),
            ("open purchases", status.open_purchases.to_string()),
            ("open loads", status.open_credits.to_string()),
            ("not shown up to", status.threshold.to_string()),
        ]);
        Lines(&lines).fmt(f)
    }
}

fn yes_no(yes: bool) -> String {
    if yes { "yes" } else { "no" }.to_owned()
}

/// Known shops.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Shops {
    pub(super) shops: Vec<KnownShopView>,
}

impl Display for Shops {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.shops.is_empty() {
            return f.write_str("no known shops");
        }
        let rows = self.shops.iter().map(|shop| {
            [shop.url.clone(), shop.name.clone().unwrap_or_else(|| "(not checked yet)".to_owned())]
        });
        table(f, &["URL", "NAME BY CERTIFICATE"], rows)
    }
}

/// What a shop sells.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub(super) struct Goods(pub(super) GoodsView);

impl Display for Goods {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = self.0.goods.iter();
        let rows = rows
            .map(|good| [good.article.clone(), good.unit_price.text.clone(), good.name.clone()]);
        table(f, &["ARTICLE", "UNIT PRICE", "NAME"], rows)
    }
}

/// A refusal in a sentence.
pub(super) struct Refusal(pub(super) String);

impl From<&RefusedView> for Refusal {
    fn from(refused: &RefusedView) -> Self {
        let RefusedView { by, message, code, text } = refused;
        Self(format!("the {by} refuses in message {message}: {text} (code {code})"))
    }
}

/// A purchase: its receipt, once there is one.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub(super) struct Purchase(pub(super) PurchaseView);

impl Display for Purchase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(view) = self;
        match (&view.receipt, &view.invoice) {
            (Some(receipt), _) => writeln!(f, "{}", screen::receipt(receipt))?,
            (None, Some(_)) => writeln!(f, "{}", screen::invoice(view))?,
            (None, None) => writeln!(f, "{}", screen::order_sheet(view))?,
        }
        let mut lines = vec![
            ("purchase", view.purchase.clone()),
            ("state", view.state.clone()),
            ("updated", date(Time(view.updated))),
        ];
        if let Some(refused) = &view.refused {
            let Refusal(text) = refused.into();
            lines.push(("refused", text));
        }
        if let Some(notice) = &view.suspended {
            lines.push(("suspended", format!("{}: {}", notice.amount.text, notice.reason)));
        }
        if let Some(trouble) = &view.trouble {
            lines.push(("in the way", trouble.clone()));
        }
        if let Some(evidence) = &view.evidence {
            lines.push(("evidence", evidence.clone()));
        }
        Lines(&lines).fmt(f)
    }
}

/// All purchases.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Purchases {
    purchases: Vec<PurchaseView>,
}

impl Display for Purchases {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.purchases.is_empty() {
            return f.write_str("no purchases");
        }
        purchase_table(f, &self.purchases)
    }
}

fn purchase_table(f: &mut fmt::Formatter<'_>, purchases: &[PurchaseView]) -> fmt::Result {
    let rows = purchases.iter().map(|view| {
        [
            view.purchase.clone(),
            date(Time(view.created)),
            view.state.clone(),
            view.total.text.clone(),
            view.shop.name.clone().unwrap_or_else(|| view.shop.url.clone()),
        ]
    });
    table(f, &["PURCHASE", "ORDERED", "STATE", "TOTAL", "SHOP"], rows)
}

/// Loads, and value that came back.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Credits {
    credits: Vec<CreditView>,
}

impl Credits {
    /// A load that P has refused is no success.
    pub(super) fn refused(&self) -> Result<(), Failure> {
        let refused = self.credits.iter().any(|credit| credit.refused.is_some());
        if refused { Err(Failure::Told { exit_code: 3 }) } else { Ok(()) }
    }
}

impl Display for Credits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.credits.is_empty() {
            return f.write_str("nothing");
        }
        credit_table(f, &self.credits)
    }
}

fn credit_table(f: &mut fmt::Formatter<'_>, credits: &[CreditView]) -> fmt::Result {
    let rows = credits.iter().map(|credit| {
        [
            credit.credit.clone(),
            credit.purpose.clone(),
            credit.state.clone(),
            credit.amount.text.clone(),
            in_the_way(credit),
        ]
    });
    table(f, &["CREDIT", "PURPOSE", "STATE", "AMOUNT", "IN THE WAY"], rows)
}

fn in_the_way(credit: &CreditView) -> String {
    match (&credit.refused, &credit.trouble) {
        (Some(refused), _) => {
            let Refusal(text) = refused.into();
            text
        }
        (None, trouble) => trouble.clone().unwrap_or_default(),
    }
}

/// What recovery has done.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub(super) struct Recovered(pub(super) RecoveryView);

impl Display for Recovered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(view) = self;
        if !view.purchases.is_empty() {
            purchase_table(f, &view.purchases)?;
            writeln!(f)?;
        }
        if !view.credits.is_empty() {
            credit_table(f, &view.credits)?;
            writeln!(f)?;
        }
        writeln!(f, "records delivered from the card: {}", view.delivered)?;
        view.troubles.iter().try_for_each(|trouble| writeln!(f, "in the way: {trouble}"))
    }
}

/// The wallet's settings.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Settings {
    threshold: u64,
}

impl Display for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.threshold {
            0 => f.write_str("every invoice is shown"),
            threshold => write!(f, "invoices up to {threshold} minor units are not shown"),
        }
    }
}
