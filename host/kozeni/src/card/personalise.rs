//! `kozeni card personalise`: a blank card gets its identity, first limits, PIN and PUK.

use std::fmt;
use std::fs;
use std::path::PathBuf;
use std::str::FromStr;

use apdu_spec::command::Personalisation;
use apdu_spec::value::{
    Amount, CardId, Currency, IssuerId, LifeCycle, Limits, OrderPin, Pin, PublicKey,
};
use protocol::signed::key_id;
use serde::Serialize;

use super::AnyCard;
use crate::failure::Failure;
use crate::output::Lines;
use crate::parties::{Remote, random};
use crate::secret::Secrets;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The issuer that the card shall obey, for good
    #[arg(long, value_name = "HEX")]
    issuer: IssuerId,
    /// The CA's card root key: its file card-root.hex, or the CA's address (http://…)
    #[arg(long, value_name = "FILE|URL")]
    card_root: String,
    /// The card's only currency, as its name in ISO 4217
    #[arg(long, default_value = "JPY")]
    currency: CurrencyArgument,
    /// Highest balance, in minor units
    #[arg(long, default_value_t = 50_000, value_name = "AMOUNT")]
    balance_max: u64,
    /// Highest amount of one payment
    #[arg(long, default_value_t = 20_000, value_name = "AMOUNT")]
    debit_max: u64,
    /// Payments up to this amount need no PIN
    #[arg(long, default_value_t = 2_000, value_name = "AMOUNT")]
    pin_floor: u64,
    /// After so much paid without PIN it is needed
    #[arg(long, default_value_t = 10_000, value_name = "AMOUNT")]
    pin_free_max: u64,
    /// When orders and refund requests need the PIN
    #[arg(long, default_value = "never")]
    order_pin: OrderPinArgument,
    /// File with the first PIN, 4 to 8 digits; - is standard input
    #[arg(long, value_name = "FILE")]
    pin_file: Option<PathBuf>,
    /// File with the PUK, 8 digits. Otherwise it follows the PIN, in its file or at the terminal
    #[arg(long, value_name = "FILE")]
    puk_file: Option<PathBuf>,
}

#[derive(Clone, Debug)]
struct CurrencyArgument(iso_currency::Currency);

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum OrderPinArgument {
    Never,
    OverFloor,
    Always,
}

#[derive(Debug, Serialize)]
pub(super) struct Personalised {
    card: String,
    issuer: String,
    currency: u16,
    card_root_kid: String,
}

pub(super) fn run(card: &mut AnyCard, arguments: &Arguments) -> Result<Personalised, Failure> {
    let card_root = read_card_root(&arguments.card_root)?;
    let limits = arguments.limits()?;
    let (pin, puk) = arguments.secrets()?;
    if card.select()?.life_cycle != LifeCycle::Blank {
        return Err(Failure::other("not_blank", "the card is personalised already"));
    }
    let personalisation = Personalisation {
        card: CardId(random()?),
        issuer: arguments.issuer,
        card_root,
        currency: Currency(arguments.currency.0.numeric()),
        limits,
        pin,
        puk,
    };
    card.personalise(&personalisation)?;
    Ok(Personalised {
        card: personalisation.card.to_string(),
        issuer: personalisation.issuer.to_string(),
        currency: personalisation.currency.0,
        card_root_kid: key_id(&card_root).to_string(),
    })
}

impl Arguments {
    fn limits(&self) -> Result<Limits, Failure> {
        let limits = Limits {
            balance_max: Amount(self.balance_max),
            debit_max: Amount(self.debit_max),
            pin_floor: Amount(self.pin_floor),
            pin_free_max: Amount(self.pin_free_max),
            order_pin: match self.order_pin {
                OrderPinArgument::Never => OrderPin::Never,
                OrderPinArgument::OverFloor => OrderPin::OverFloor,
                OrderPinArgument::Always => OrderPin::Always,
            },
        };
        if limits.debit_max <= limits.balance_max && limits.pin_floor <= limits.debit_max {
            Ok(limits)
        } else {
            let text = "limits must rise: --pin-floor, --debit-max, --balance-max";
            Err(Failure::other("limits", text))
        }
    }

    fn secrets(&self) -> Result<(Pin, Pin), Failure> {
        let mut secrets = Secrets::open_path(self.pin_file.as_deref())?;
        let pin = secrets.next_new("First PIN")?;
        if let Some(path) = &self.puk_file {
            secrets = Secrets::open_path(Some(path))?;
        }
        let puk = secrets.next_new("PUK")?;
        if puk.block().iter().all(u8::is_ascii_digit) {
            Ok((pin, puk))
        } else {
            Err(Failure::Secret("a PUK has 8 digits"))
        }
    }
}

/// From a file, or from the CA's server. Whoever personalises cards compares its ID, which is
/// printed, with that of `kozeni ca init`: who can exchange this key can make money.
fn read_card_root(place: &str) -> Result<PublicKey, Failure> {
    let text = if place.starts_with("http://") {
        let body = Remote::new(place)?.fetch("/card-root")?;
        String::from_utf8(body).map_err(|error| Failure::other("card_root", error))?
    } else {
        fs::read_to_string(place).map_err(Failure::io(place))?
    };
    let wrong = |_| Failure::other("card_root", format!("{place}: not a card root key"));
    text.trim().parse().map_err(wrong)
}

impl FromStr for CurrencyArgument {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = iso_currency::Currency::from_code(&text.to_ascii_uppercase());
        known.map(Self).ok_or("not a currency of ISO 4217, for example JPY")
    }
}

impl fmt::Display for Personalised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = [
            ("card", self.card.clone()),
            ("issuer", self.issuer.clone()),
            ("currency", self.currency.to_string()),
            ("card root key ID", self.card_root_kid.clone()),
        ];
        Lines(&lines).fmt(f)
    }
}
