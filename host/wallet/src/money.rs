//! Amounts and times for people and programs.

use apdu_spec::value::{Amount, Currency};
use serde::{Deserialize, Serialize};

/// An amount in every form that a program or a person may want.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Money {
    /// In minor units.
    pub minor: u64,
    /// ISO 4217 code, or number where there is no code.
    pub currency: String,
    /// With thousands, decimals and code, for example `4,000 JPY`.
    pub text: String,
}

impl Money {
    /// An amount of a currency.
    #[must_use]
    pub fn new(amount: Amount, currency: Currency) -> Self {
        let (code, digits) = currency_name(currency);
        let text = format!("{} {code}", decimal(amount, digits));
        Self { minor: amount.0, currency: code, text }
    }
}

/// A currency's ISO 4217 code, and how many digits stand behind the decimal point.
#[must_use]
pub fn currency_name(currency: Currency) -> (String, u16) {
    match iso_currency::Currency::from_numeric(currency.0) {
        Some(known) => (known.code().to_owned(), known.exponent().unwrap_or_default()),
        None => (format!("{:03}", currency.0), 0),
    }
}

/// An amount without its currency, for example `4,000` or `12.50`.
#[must_use]
pub fn decimal(amount: Amount, digits: u16) -> String {
    let width = usize::from(digits).saturating_add(1);
    let text = format!("{:0width$}", amount.0);
    let split = text.len().saturating_sub(usize::from(digits));
    let (whole, minor) = text.split_at_checked(split).unwrap_or((&text, ""));
    let mut grouped = String::new();
    for (place, digit) in whole.chars().enumerate() {
        let left = whole.len().saturating_sub(place);
        if place > 0 && left.is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    if minor.is_empty() { grouped } else { format!("{grouped}.{minor}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_have_thousands_and_the_decimals_of_their_currency() {
        for (amount, currency, text) in [
            (4_000, 392, "4,000 JPY"),
            (0, 392, "0 JPY"),
            (999, 392, "999 JPY"),
            (1_234_567, 392, "1,234,567 JPY"),
            (1_250, 978, "12.50 EUR"),
            (5, 978, "0.05 EUR"),
            (123_456_789, 978, "1,234,567.89 EUR"),
            (1_234, 414, "1.234 KWD"),
            (7, 1, "7 001"),
        ] {
            let money = Money::new(Amount(amount), Currency(currency));
            assert_eq!(money.text, text);
        }
    }
}
