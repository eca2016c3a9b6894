//! Configuration of the wallet's daemon.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use server::ConfigError;

/// What stands before the names of environment variables, for example `KOZENI_WALLET_READER`.
const ENVIRONMENT: &str = "KOZENI_WALLET_";

/// Configuration of the wallet's daemon, from a TOML file, the environment and flags. Relative
/// paths are relative to the folder of the file.
#[derive(Clone, Debug, Deserialize)]
pub struct Config {
    /// Data folder: database, archive, and the socket where no other place is given.
    pub folder: PathBuf,
    /// Where local programs reach the daemon; `wallet.sock` in the data folder by default.
    pub socket: Option<PathBuf>,
    /// Reader: a PC/SC reader's name or a part of it, or `direct:SOCKET` for a software card;
    /// without it, the only reader that has a card.
    pub reader: Option<String>,
    /// The CA's root certificate, in PEM.
    pub root: PathBuf,
    /// Base URL of the CA, for revocation lists.
    pub ca_url: String,
    /// Base URL of the payment server of the card's issuer: for loads, and for what a card brings
    /// of which the wallet has no file.
    pub payment_url: String,
    /// How often revocation lists are fetched, in seconds.
    #[serde(default = "lists_refresh_default")]
    pub lists_refresh_s: u64,
    /// How long another party may take to answer, in seconds.
    #[serde(default = "timeout_default")]
    pub timeout_s: u64,
}

const fn lists_refresh_default() -> u64 {
    300
}

const fn timeout_default() -> u64 {
    10
}

/// Flags that win over the configuration file.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Flags {
    /// Where local programs reach the daemon.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub socket: Option<PathBuf>,
    /// The reader.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reader: Option<String>,
}

impl Config {
    /// Reads a configuration file.
    ///
    /// # Errors
    /// [`ConfigError`] when it is missing or a value does not fit.
    pub fn load(file: &Path, flags: &Flags) -> Result<Self, ConfigError> {
        let mut config: Self = server::load(Some(file), ENVIRONMENT, flags)?;
        let base = file.parent().unwrap_or(Path::new(""));
        config.folder = base.join(&config.folder);
        config.root = base.join(&config.root);
        // A socket that a flag names is where the flag says.
        if flags.socket.is_none() {
            config.socket = config.socket.map(|socket| base.join(socket));
        }
        Ok(config)
    }

    /// Where local programs reach the daemon.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.socket.clone().unwrap_or_else(|| self.folder.join("wallet.sock"))
    }
}
