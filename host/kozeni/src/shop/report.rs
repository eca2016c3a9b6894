//! What `kozeni shop` prints.

use std::fmt::{self, Display};
use std::path::PathBuf;

use ::shop::NewShop;
use ::shop::operator::{GoodReport, OrderDetail, OrderReport, Report};
use apdu_spec::value::Time;
use serde::Serialize;

use crate::output::{Lines, date, money, table};

/// A shop that was made.
#[derive(Debug, Serialize)]
pub(crate) struct Made {
    key: PathBuf,
    request: PathBuf,
    books: PathBuf,
}

impl From<NewShop> for Made {
    fn from(NewShop { key, request, books }: NewShop) -> Self {
        Self { key, request, books }
    }
}

impl Display for Made {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let show = |path: &PathBuf| path.display().to_string();
        Lines(&[
            ("private key", show(&self.key)),
            ("request for a certificate", show(&self.request)),
            ("books", show(&self.books)),
        ])
        .fmt(f)
    }
}

/// What an operator is told.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub(crate) struct Shown(pub(crate) Report);

impl Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Report::Goods(goods) if goods.is_empty() => f.write_str("no goods"),
            Report::Goods(goods) => table(f, &GOOD_HEADING, goods.iter().map(good_row)),
            Report::Good(good) => table(f, &GOOD_HEADING, [good_row(good)].into_iter()),
            Report::Orders(orders) if orders.is_empty() => f.write_str("no orders"),
            Report::Orders(orders) => table(f, &ORDER_HEADING, orders.iter().map(order_row)),
            Report::Order(detail) => write_order(f, detail),
        }
    }
}

/// Names stand last: only the terminal knows how wide they are.
const GOOD_HEADING: [&str; 4] = ["ARTICLE", "UNIT PRICE", "SOLD", "NAME"];

fn good_row(good: &GoodReport) -> [String; 4] {
    let sold = if good.active { "yes" } else { "no" };
    [good.article.clone(), good.unit_price.to_string(), sold.to_owned(), good.name.clone()]
}

const ORDER_HEADING: [&str; 6] =
    ["TRANSACTION ID", "PURCHASER ID", "TOTAL", "PAYMENT MODE", "STATE", "PLACED"];

/// Order data 61 in the columns of the source's Fig. 11, and when it was placed.
fn order_row(order: &OrderReport) -> [String; 6] {
    [
        order.transaction.clone(),
        order.purchaser.clone(),
        order.total.to_string(),
        order.mode.clone(),
        order.state.name().to_owned(),
        date(Time(order.placed)),
    ]
}

fn write_order(f: &mut fmt::Formatter<'_>, detail: &OrderDetail) -> fmt::Result {
    let order = &detail.order;
    Lines(&[
        ("transaction ID", order.transaction.clone()),
        ("purchaser ID", order.purchaser.clone()),
        ("card", order.card.clone()),
        ("total", money(order.total, order.currency)),
        ("payment mode", order.mode.clone()),
        ("state", order.state.name().to_owned()),
        ("placed", date(Time(order.placed))),
        ("payment due", date(Time(order.due))),
    ])
    .fmt(f)?;
    writeln!(f)?;
    let heading = ["ARTICLE", "NUMBER", "UNIT PRICE", "PRICE", "NAME"];
    let lines = detail.lines.iter().map(|line| {
        [
            line.article.clone(),
            line.quantity.to_string(),
            line.unit_price.to_string(),
            line.price.to_string(),
            line.name.clone(),
        ]
    });
    table(f, &heading, lines)?;
    writeln!(f)?;
    let heading = ["DOCUMENT", "HASH", "STORED"];
    let documents = detail.evidence.iter();
    let documents =
        documents.map(|one| [one.kind.clone(), one.hash.clone(), date(Time(one.stored))]);
    table(f, &heading, documents)?;
    detail.notes.iter().try_for_each(|note| {
        let (deed, at) = (note.deed.name(), date(Time(note.at)));
        writeln!(f, "\n{deed} by {}, {at}", note.operator)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ::shop::books::OrderState;

    fn order() -> OrderReport {
        OrderReport {
            transaction: "ab".repeat(16),
            request: "cd".repeat(16),
            purchaser: "3789817".to_owned(),
            card: "0".repeat(16),
            total: 4000,
            currency: 392,
            mode: "electronic-money".to_owned(),
            state: OrderState::Acknowledged,
            placed: 1_800_000_000,
            due: u64::MAX,
        }
    }

    #[test]
    fn orders_stand_in_columns() {
        let text = Shown(Report::Orders(vec![order()])).to_string();
        let rows: Vec<&str> = text.lines().collect();
        assert_eq!(rows.len(), 2);
        assert_eq!(rows[0].find("TOTAL"), rows[1].find("4000"));
        assert!(rows[1].ends_with("acknowledged  2027-01-15T08:00:00Z"), "{text}");
        assert_eq!(Shown(Report::Orders(Vec::new())).to_string(), "no orders");
    }

    #[test]
    fn an_order_is_shown_even_with_a_strange_time() {
        let detail = OrderDetail {
            order: order(),
            lines: Vec::new(),
            evidence: Vec::new(),
            notes: Vec::new(),
        };
        let text = Shown(Report::Order(Box::new(detail))).to_string();
        assert!(text.contains("18446744073709551615"), "{text}");
    }

    #[test]
    fn json_has_one_member_by_kind() {
        let json = serde_json::to_value(Shown(Report::Orders(vec![order()]))).unwrap();
        assert_eq!(json["orders"][0]["state"], "acknowledged");
    }
}
