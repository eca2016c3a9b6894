//! Configuration of a payment server.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::path::{Path, PathBuf};

use apdu_spec::value::Currency;
use serde::{Deserialize, Serialize};
use server::ConfigError;

use crate::service::{PERMIT_LIFE_MAX_S, Policy};

/// What stands before the names of environment variables, for example `KOZENI_PAYMENT_LISTEN`.
const ENVIRONMENT: &str = "KOZENI_PAYMENT_";

/// Configuration of a payment server, from a TOML file, the environment and flags. Relative paths
/// are relative to the folder of the file.
#[derive(Clone, Debug, Deserialize)]
pub struct Config {
    /// Where to listen for messages; `127.0.0.1:7403` where it is missing. Port 0 takes a free one.
    #[serde(default = "listen_default")]
    pub listen: SocketAddr,
    /// Data folder: books and admin socket.
    pub folder: PathBuf,
    /// Base URL of the CA, for revocation lists.
    pub ca_url: String,
    /// The CA's root certificate, in PEM.
    pub root: PathBuf,
    /// The server's private key, encrypted, in PEM.
    pub key: PathBuf,
    /// The server's certificate chain without the root, leaf first, in PEM.
    pub chain: PathBuf,
    /// The server's compact certificate for cards, as a raw COSE_Sign1.
    pub compact_certificate: PathBuf,
    /// File with the passphrase of the key.
    pub passphrase_file: PathBuf,
    /// The books' currency: its name or number in ISO 4217.
    #[serde(with = "currency")]
    pub currency: Currency,
    /// Life of a permit in seconds, at most 600.
    #[serde(default = "permit_life_default")]
    pub permit_life_s: u64,
    /// Message 180 carries no receipt; the wallet asks for it with 190.
    #[serde(default)]
    pub explicit_receipt: bool,
    /// How often revocation lists are fetched, in seconds.
    #[serde(default = "lists_refresh_default")]
    pub lists_refresh_s: u64,
}

/// Flags that win over the configuration file.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Flags {
    /// Where to listen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listen: Option<SocketAddr>,
}

impl Config {
    /// Reads a configuration file.
    ///
    /// # Errors
    /// [`ConfigError`] when it is missing or a value does not fit.
    pub fn load(file: &Path, flags: &Flags) -> Result<Self, ConfigError> {
        let mut config: Self = server::load(Some(file), ENVIRONMENT, flags)?;
        let base = file.parent().unwrap_or(Path::new(""));
        for path in [
            &mut config.folder,
            &mut config.root,
            &mut config.key,
            &mut config.chain,
            &mut config.compact_certificate,
            &mut config.passphrase_file,
        ] {
            *path = base.join(&*path);
        }
        Ok(config)
    }

    /// How the server answers where the protocol leaves a choice.
    #[must_use]
    pub const fn policy(&self) -> Policy {
        Policy { permit_life_s: self.permit_life_s, explicit_receipt: self.explicit_receipt }
    }
}

const fn listen_default() -> SocketAddr {
    SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 7403))
}

const fn permit_life_default() -> u64 {
    PERMIT_LIFE_MAX_S
}

const fn lists_refresh_default() -> u64 {
    300
}

/// A currency as its name or number in ISO 4217.
mod currency {
    use apdu_spec::value::Currency;
    use serde::de::Error;
    use serde::{Deserialize, Deserializer};

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Given {
        Number(u16),
        Name(String),
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Currency, D::Error> {
        match Given::deserialize(from)? {
            Given::Number(number) => Ok(Currency(number)),
            Given::Name(name) => iso_currency::Currency::from_code(&name)
                .map(|currency| Currency(currency.numeric()))
                .ok_or_else(|| D::Error::custom(format!("{name} is no currency of ISO 4217"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_relative_to_the_file_and_flags_win() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("payment.toml");
        let text = r#"
                        folder = "."
            ca_url = "http://127.0.0.1:7401"
            root = "root.pem"
            key = "/elsewhere/key.pem"
            chain = "chain.pem"
            compact_certificate = "compact.cose"
            passphrase_file = "passphrase"
            currency = 392
        "#;
        std::fs::write(&file, text).unwrap();
        let listen = Some("127.0.0.1:0".parse().unwrap());
        let config = Config::load(&file, &Flags { listen }).unwrap();
        assert_eq!(config.listen.port(), 0);
        let config = Config::load(&file, &Flags::default()).unwrap();
        assert_eq!(config.listen.port(), 7403);
        assert_eq!(config.root, folder.path().join("root.pem"));
        assert_eq!(config.key, Path::new("/elsewhere/key.pem"));
        assert_eq!(config.currency, Currency(392));
        let policy = Policy { permit_life_s: 600, explicit_receipt: false };
        assert_eq!(config.policy(), policy);
    }

    #[test]
    fn a_currency_is_named_or_numbered() {
        #[derive(Deserialize)]
        struct Only {
            #[serde(with = "currency")]
            currency: Currency,
        }
        let read = |text| serde_json::from_str::<Only>(text).map(|only| only.currency);
        assert_eq!(read(r#"{"currency": "JPY"}"#).unwrap(), Currency(392));
        assert_eq!(read(r#"{"currency": 392}"#).unwrap(), Currency(392));
        assert!(read(r#"{"currency": "Yen"}"#).is_err());
    }
}
