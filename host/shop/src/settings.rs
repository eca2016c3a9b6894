//! What an operator configures, and what becomes of it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use apdu_spec::value::{Currency, Time};
use keystore::{KeyError, KeyPair, Passphrase, ServerKey};
use protocol::certificate::{CertificateError, Party, Role, read_pem};
use protocol::field::Text;
use protocol::purchase::PaymentMode;
use serde::{Deserialize, Serialize};
use server::{ConfigError, Trust};

use crate::books::{UnknownName, mode_from_name};
use crate::order::Terms;

/// Longest time to pay: a year.
const DUE_S_MAX: u64 = 366 * 24 * 60 * 60;

/// The configuration of a shop's server.
#[derive(Clone, Debug, Deserialize)]
pub struct Settings {
    /// Where to listen.
    #[serde(default = "default_listen")]
    pub listen: SocketAddr,
    /// Folder with the books and the operators' socket.
    pub folder: PathBuf,
    /// URL of the CA, which serves the revocation lists.
    pub ca_url: String,
    /// The trusted root certificate (PEM).
    pub root: PathBuf,
    /// The shop's private key (encrypted PEM).
    pub key: PathBuf,
    /// The shop's certificate chain (PEM, leaf first, without the root).
    pub chain: PathBuf,
    /// File of mode 0600 with the passphrase of the key.
    pub passphrase_file: PathBuf,
    /// URL of the payment server, as invoices name it.
    pub payment_url: String,
    /// The payment server's certificate chain (PEM, leaf first, without the root).
    pub payment_chain: PathBuf,
    /// How long an invoice may be paid, in seconds.
    #[serde(default = "default_due_s")]
    pub due_s: u64,
    /// Accepted payment modes.
    #[serde(default = "default_modes")]
    pub modes: Vec<String>,
    /// Currency of all prices: ISO 4217 code.
    #[serde(default = "default_currency")]
    pub currency: String,
    /// How often revocation lists are fetched, in seconds.
    #[serde(default = "default_interval_s")]
    pub refresh_s: u64,
    /// How often the payment server is asked about overdue invoices, in seconds.
    #[serde(default = "default_interval_s")]
    pub ask_s: u64,
}

fn default_listen() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 7402))
}

/// Two days, as in the source's invoice (Fig. 15).
const fn default_due_s() -> u64 {
    2 * 24 * 60 * 60
}

fn default_modes() -> Vec<String> {
    vec!["electronic-money".to_owned()]
}

fn default_currency() -> String {
    "JPY".to_owned()
}

const fn default_interval_s() -> u64 {
    60
}

/// Environment variables with settings begin so; levels are parted by `__`.
const ENVIRONMENT: &str = "KOZENI_SHOP_";

/// Flags that win over file and environment.
#[derive(Debug, Default, Serialize)]
struct Flags<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    listen: Option<SocketAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    folder: Option<&'a Path>,
}

/// The setting that every operator's command needs.
#[derive(Debug, Deserialize)]
struct Place {
    folder: PathBuf,
}

/// Where a shop's folder is: by flag, environment or configuration file.
///
/// # Errors
/// [`ConfigError`] when nothing says so.
pub fn folder(file: Option<&Path>, folder: Option<&Path>) -> Result<PathBuf, ConfigError> {
    let flags = Flags { listen: None, folder };
    server::load(file, ENVIRONMENT, &flags).map(|place: Place| place.folder)
}

/// A setting that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// A file cannot be read.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The private key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The trusted root.
    #[error(transparent)]
    Trust(#[from] server::TrustError),
    /// A certificate chain.
    #[error("{path}: {source}")]
    Chain {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: CertificateError,
    },
    /// No such payment mode.
    #[error(transparent)]
    Mode(#[from] UnknownName),
    /// No mode at all.
    #[error("modes: at least one payment mode is needed")]
    NoMode,
    /// No such currency.
    #[error("currency: {0} is not a currency with minor units")]
    Currency(String),
    /// No time to pay, or too much.
    #[error("due_s: must be between 1 and {DUE_S_MAX}")]
    Due,
    /// A URL that no invoice can carry, or no wallet can ask.
    #[error("payment_url: must begin with http:// or https:// and have at most 200 bytes")]
    PaymentUrl,
}

impl Settings {
    /// Reads the settings from a file and the environment; `listen` wins over both.
    ///
    /// # Errors
    /// [`ConfigError`] when a setting is missing or wrong.
    pub fn load(file: &Path, listen: Option<SocketAddr>) -> Result<Self, ConfigError> {
        server::load(Some(file), ENVIRONMENT, &Flags { listen, folder: None })
    }

    /// The file of the books.
    #[must_use]
    pub fn books(folder: &Path) -> PathBuf {
        folder.join("shop.db")
    }

    /// The operators' socket.
    #[must_use]
    pub fn socket(folder: &Path) -> PathBuf {
        folder.join("admin.sock")
    }

    /// Reads the shop's key with its chain.
    ///
    /// # Errors
    /// [`SettingsError`].
    pub fn server_key(&self) -> Result<ServerKey, SettingsError> {
        let passphrase = Passphrase::from_file(&self.passphrase_file)?;
        let pair = KeyPair::load(&self.key, &passphrase)?;
        Ok(ServerKey::new(pair, read_chain(&self.chain)?)?)
    }

    /// What this shop is and takes, from its settings and certificates.
    ///
    /// # Errors
    /// [`SettingsError`], also when one of the certificates is not good now.
    pub fn terms(&self, trust: &Trust, now: Time) -> Result<Terms, SettingsError> {
        let payment_chain = read_chain(&self.payment_chain)?;
        // Without revocation: the lists may not be at hand yet. Message 130 checks them.
        let identify = |path: &Path, chain: &[Vec<u8>], role| {
            trust
                .identify(chain, role, now)
                .map_err(|source| SettingsError::Chain { path: path.to_owned(), source })
        };
        let shop: Party = identify(&self.chain, &read_chain(&self.chain)?, Role::Shop)?;
        let payment = identify(&self.payment_chain, &payment_chain, Role::PaymentServer)?;
        if !(1..=DUE_S_MAX).contains(&self.due_s) {
            return Err(SettingsError::Due);
        }
        Ok(Terms {
            shop: shop.shop(),
            shop_name: shop.name,
            currency: currency(&self.currency)?,
            modes: modes(&self.modes)?,
            payee: payment.name,
            payment_url: payment_url(&self.payment_url)?,
            payment_chain,
            due_s: self.due_s,
        })
    }
}

fn payment_url(url: &str) -> Result<Text<200>, SettingsError> {
    let web = ["http://", "https://"].iter().any(|scheme| url.starts_with(scheme));
    let url = Text::new(url.trim_end_matches('/')).ok().filter(|_| web);
    url.ok_or(SettingsError::PaymentUrl)
}

fn modes(names: &[String]) -> Result<Vec<PaymentMode>, SettingsError> {
    let modes = names.iter().map(|name| mode_from_name(name));
    let modes: Vec<_> = modes.collect::<Result<_, _>>()?;
    if modes.is_empty() {
        return Err(SettingsError::NoMode);
    }
    Ok(modes)
}

fn currency(code: &str) -> Result<Currency, SettingsError> {
    let known = iso_currency::Currency::from_code(code);
    let known = known.filter(|currency| currency.exponent().is_some());
    let known = known.ok_or_else(|| SettingsError::Currency(code.to_owned()))?;
    Ok(Currency(known.numeric()))
}

impl Terms {
    /// The currency's ISO 4217 code, and how many of its digits stand behind the decimal point.
    #[must_use]
    pub fn currency_name(&self) -> (String, u16) {
        match iso_currency::Currency::from_numeric(self.currency.0) {
            Some(currency) => {
                let digits = currency.exponent().unwrap_or_default();
                (currency.code().to_owned(), digits)
            }
            None => (self.currency.to_string(), 0),
        }
    }
}

fn read_chain(path: &Path) -> Result<Vec<Vec<u8>>, SettingsError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| SettingsError::File { path: path.to_owned(), source })?;
    Ok(read_pem(&text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn currencies_have_number_and_digits() {
        for (code, number) in [("JPY", Some(392)), ("USD", Some(840)), ("BHD", Some(48))] {
            assert_eq!(currency(code).ok(), number.map(Currency), "{code}");
        }
        for wrong in ["jpy", "XAU", "", "YEN"] {
            assert!(currency(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn invoices_carry_web_addresses() {
        for (url, expected) in [
            ("http://localhost:1", "http://localhost:1"),
            ("https://abc.example/pay/", "https://abc.example/pay"),
        ] {
            assert_eq!(payment_url(url).unwrap().as_str(), expected);
        }
        let long = format!("http://{}", "x".repeat(200));
        for wrong in ["", "localhost:1", "ftp://abc.example", "http://a\n", &long] {
            assert!(payment_url(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn modes_are_named() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let both: Vec<String> = names(&["electronic-money", "credit-a"]);
        let expected = [PaymentMode::ElectronicMoney, PaymentMode::CreditA];
        assert_eq!(modes(&both).unwrap(), expected);
        assert!(matches!(modes(&[]), Err(SettingsError::NoMode)));
        let wrong: Vec<String> = names(&["cash"]);
        assert!(matches!(modes(&wrong), Err(SettingsError::Mode(_))));
    }
}
