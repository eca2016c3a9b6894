//! `kozeni ca serve`.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;

use ::ca::{CaError, Settings};
use serde::Serialize;

use crate::failure::Failure;

/// Flags win over environment variables (`KOZENI_CA_LISTEN` and so on), these over the file.
#[derive(Debug, clap::Args, Serialize)]
pub(super) struct Arguments {
    /// Configuration (TOML), with the names of the other flags as keys, "_" for "-"
    #[arg(long, value_name = "FILE")]
    #[serde(skip)]
    config: Option<PathBuf>,
    /// The CA's folder
    #[arg(long, value_name = "FOLDER")]
    #[serde(skip_serializing_if = "Option::is_none")]
    folder: Option<PathBuf>,
    /// File that only its owner can read, with the issuing key's passphrase in its first line
    #[arg(long, value_name = "FILE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    passphrase_file: Option<PathBuf>,
    /// Where to listen [default: 127.0.0.1:7401]
    #[arg(long, value_name = "ADDRESS:PORT")]
    #[serde(skip_serializing_if = "Option::is_none")]
    listen: Option<SocketAddr>,
    /// Life of the issuing CA's revocation list in seconds [default: 86400]
    #[arg(long, value_name = "SECONDS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    list_life_s: Option<u64>,
    /// Validity of holders' certificates in days [default: 1095]
    #[arg(long, value_name = "DAYS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    holder_days: Option<u64>,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let settings: Result<Settings, _> =
        server::load(arguments.config.as_deref(), "KOZENI_CA_", arguments);
    let settings = settings.map_err(CaError::from)?;
    let ready = |address: SocketAddr| {
        // Whoever has started us may wait for this line; nobody has to.
        let _ = writeln!(io::stdout(), "ready http://{address}");
    };
    Ok(::ca::serve(&settings, ready)?)
}
