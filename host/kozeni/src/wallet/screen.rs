//! The screens of the source (Figs. 14 to 16) as boxes of text.

use std::fmt::Write;

use ::wallet::catalogue::Wish;
use ::wallet::view::{InvoiceView, LineView, Needs, PurchaseView, ReceiptView};
use apdu_spec::value::Time;

use crate::output::date;

/// Reads ARTICLE or ARTICLE:NUMBER.
pub(super) fn wish(text: &str) -> Result<Wish, String> {
    let (article, quantity) = match text.rsplit_once(':') {
        Some((article, number)) => {
            let quantity = number.parse().ok().filter(|number| *number > 0);
            (article, quantity.ok_or("the number must be 1 or more")?)
        }
        None => (text, 1),
    };
    if article.is_empty() {
        return Err("an article number is missing".to_owned());
    }
    Ok(Wish { article: article.to_owned(), quantity })
}

/// Screen 71.
pub(super) fn order_sheet(view: &PurchaseView) -> String {
    let mut rows = article_rows(&view.lines);
    rows.push(Row::Empty);
    rows.push(Row::Fields("TOTAL".to_owned(), view.total.text.clone()));
    rows.push(Row::Fields("PAYMENT MODE".to_owned(), mode(&view.mode)));
    rows.extend(choice(view.needs == Needs::Order));
    frame("ORDER SHEET", &rows)
}

/// Whom the buyer deals with, by certificate.
pub(super) fn shop(view: &PurchaseView) -> String {
    let fields = [
        ("RETAIL SHOP NAME", view.shop.name.clone().unwrap_or_default()),
        ("RETAIL SHOP ID", view.shop.id.clone()),
        ("ADDRESS", view.shop.url.clone()),
    ];
    let mut rows = field_rows(&fields);
    rows.extend(choice(true));
    frame("SHOP, BY ITS CERTIFICATE", &rows)
}

/// Screen 72: the invoice as it was signed.
pub(super) fn invoice(view: &PurchaseView) -> String {
    let mut rows = view.invoice.as_ref().map_or_else(Vec::new, |i| invoice_rows(i, &view.lines));
    if let Some(balance) = &view.balance {
        let after = view.balance_after.as_ref();
        let after = after.map_or("NOT ENOUGH", |after| after.text.as_str());
        rows.push(Row::Empty);
        rows.push(Row::Fields("BALANCE".to_owned(), balance.text.clone()));
        rows.push(Row::Fields("BALANCE AFTERWARDS".to_owned(), after.to_owned()));
    }
    rows.extend(choice(view.needs == Needs::Invoice));
    frame("INVOICE", &rows)
}

fn invoice_rows(invoice: &InvoiceView, lines: &[LineView]) -> Vec<Row> {
    let mut rows = field_rows(&[
        ("TRANSACTION ID", invoice.transaction.clone()),
        ("PURCHASER ID", invoice.payer.clone()),
    ]);
    let mut label = "ORDERING CONTENTS";
    for line in lines {
        let content = format!("{}  {}", line.name, line.quantity);
        rows.push(Row::Fields(label.to_owned(), content));
        label = "";
    }
    rows.extend(field_rows(&[
        ("PAYMENT AMOUNT", invoice.amount.text.clone()),
        ("PAYMENT MODE", mode(&invoice.mode)),
        ("RETAIL SHOP NAME", invoice.shop_name.clone()),
        ("PAYMENT CUSTOMER", invoice.payee.clone()),
        ("PAYMENT ADDRESS", invoice.payment_url.clone()),
        ("BILL DATE/HOUR", date(Time(invoice.issued))),
        ("PAYMENT DUE DATE", date(Time(invoice.due))),
    ]));
    rows
}

/// Screen 73.
pub(super) fn receipt(receipt: &ReceiptView) -> String {
    let rows = field_rows(&[
        ("TRANSACTION ID", receipt.transaction.clone()),
        ("PURCHASER ID", receipt.payer.clone()),
        ("RECEPTION AMOUNT", receipt.amount.text.clone()),
        ("RECEPTION MODE", mode(&receipt.mode)),
        ("RETAIL SHOP NAME", receipt.shop_name.clone()),
        ("RECIPIENT NAME", receipt.recipient.clone()),
        ("RECEPTION DATE/HOUR", date(Time(receipt.time))),
    ]);
    frame("RECEIPT", &rows)
}

/// What the buyer can choose, while there is a choice.
fn choice(open: bool) -> Vec<Row> {
    if open { vec![Row::Empty, Row::Middle("OK    CANCEL".to_owned())] } else { Vec::new() }
}

/// The mode as the source's figures print it.
fn mode(name: &str) -> String {
    name.replace('-', " ").to_uppercase()
}

/// A row of a screen.
enum Row {
    Empty,
    Middle(String),
    /// Name and value, the values below each other.
    Fields(String, String),
}

fn field_rows(fields: &[(&str, String)]) -> Vec<Row> {
    fields.iter().map(|(name, value)| Row::Fields((*name).to_owned(), value.clone())).collect()
}

/// Article name, unit price, number: three columns in two.
fn article_rows(lines: &[LineView]) -> Vec<Row> {
    let cells = |price: &str, number: &str| format!("{price:>15}  {number:>6}");
    let mut rows = vec![Row::Fields("ARTICLE NAME".to_owned(), cells("UNIT PRICE", "NUMBER"))];
    rows.extend(lines.iter().map(|line| {
        let numbers = cells(&line.unit_price.text, &line.quantity.to_string());
        Row::Fields(plain(&line.name), numbers)
    }));
    rows
}

fn frame(title: &str, rows: &[Row]) -> String {
    let names = rows.iter().filter_map(|row| match row {
        Row::Fields(name, _) => Some(width(name)),
        Row::Empty | Row::Middle(_) => None,
    });
    let names = names.max().unwrap_or_default();
    let texts: Vec<String> = rows.iter().map(|row| row_text(row, names)).collect();
    let inner = texts.iter().map(|text| width(text)).chain([width(title)]).max();
    let inner = inner.unwrap_or_default();
    let border = format!("+{}+\n", "-".repeat(inner.saturating_add(2)));
    let mut out = border.clone();
    // Writing to a text cannot fail.
    let _ = writeln!(out, "| {} |", middle(title, inner));
    out.push_str(&border);
    for (row, text) in rows.iter().zip(&texts) {
        let text = match row {
            Row::Middle(text) => middle(text, inner),
            Row::Empty | Row::Fields(..) => pad(text, inner),
        };
        let _ = writeln!(out, "| {text} |");
    }
    out + &border
}

fn row_text(row: &Row, names: usize) -> String {
    match row {
        Row::Empty => String::new(),
        Row::Middle(text) => text.clone(),
        Row::Fields(name, value) => format!("{}  {}", pad(name, names), plain(value)),
    }
}

fn middle(text: &str, inner: usize) -> String {
    let left = inner.saturating_sub(width(text)) / 2;
    pad(&format!("{}{text}", " ".repeat(left)), inner)
}

fn pad(text: &str, to: usize) -> String {
    format!("{text}{}", " ".repeat(to.saturating_sub(width(text))))
}

/// Without characters that turn the direction of writing or hide themselves: a name must not
/// change how the rest of the screen reads.
fn plain(text: &str) -> String {
    let hides = |c: char| {
        matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}')
            || c == '\u{feff}'
            || c.is_control()
    };
    text.chars().map(|c| if hides(c) { '?' } else { c }).collect()
}

/// Columns on a terminal: East Asian wide characters (Unicode annex 11) take two.
fn width(text: &str) -> usize {
    let columns = |c: char| match u32::from(c) {
        0x1100..=0x115f
        | 0x2e80..=0xa4cf
        | 0xac00..=0xd7a3
        | 0xf900..=0xfaff
        | 0xfe30..=0xfe6f
        | 0xff00..=0xff60
        | 0xffe0..=0xffe6
        | 0x1f300..=0x1faff
        | 0x20000..=0x3fffd => 2_usize,
        _ => 1,
    };
    text.chars().map(columns).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ::wallet::money::Money;
    use apdu_spec::value::{Amount, Currency};

    fn line(name: &str, price: u64, quantity: u32) -> LineView {
        let money = |amount| Money::new(Amount(amount), Currency(392));
        LineView {
            article: "A".to_owned(),
            name: name.to_owned(),
            quantity,
            unit_price: money(price),
            price: money(price),
        }
    }

    #[test]
    fn a_box_is_as_wide_as_its_widest_row_whatever_the_script() {
        let lines = [line("ARTICLE A", 1_000, 1), line("商品 C", 1_500, 2)];
        let text = frame("ORDER SHEET", &article_rows(&lines));
        let widths: Vec<usize> = text.lines().map(width).collect();
        assert!(widths.iter().all(|columns| *columns == widths[0]), "{text}");
        assert!(text.contains("| ARTICLE A           1,000 JPY       1 |"), "{text}");
    }

    #[test]
    fn a_name_cannot_turn_the_screen_round() {
        assert_eq!(plain("Shop\u{202e}4,000"), "Shop?4,000");
        let text = frame("X", &[Row::Fields("NAME".to_owned(), "a\u{2066}b".to_owned())]);
        assert!(text.contains("a?b"));
    }

    #[test]
    fn articles_have_a_number_of_at_least_one() {
        let read = |text| wish(text).map(|wish| (wish.article, wish.quantity));
        assert_eq!(read("A"), Ok(("A".to_owned(), 1)));
        assert_eq!(read("A:3"), Ok(("A".to_owned(), 3)));
        assert_eq!(read("a:b:2"), Ok(("a:b".to_owned(), 2)));
        for bad in ["", ":2", "A:0", "A:", "A:x", "A:-1", "A:4294967296"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
