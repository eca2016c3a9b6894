//! `kozeni card certificate`.

use std::fmt;
use std::fs;
use std::path::PathBuf;

use serde::Serialize;

use super::AnyCard;
use crate::failure::Failure;
use crate::output::hex;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Write the file, certificate and chain in DER one after the other, to this place
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Debug, Serialize)]
pub(super) struct Certificate {
    size: usize,
    /// Where it was written.
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<PathBuf>,
    /// Its bytes, where it was not written.
    #[serde(skip_serializing_if = "Option::is_none")]
    hex: Option<String>,
}

pub(super) fn run(card: &mut AnyCard, arguments: &Arguments) -> Result<Certificate, Failure> {
    let bytes = card.certificate()?;
    if let Some(path) = &arguments.out {
        fs::write(path, &bytes).map_err(Failure::io(path.display().to_string()))?;
    }
    Ok(Certificate {
        size: bytes.len(),
        file: arguments.out.clone(),
        hex: arguments.out.is_none().then(|| hex(&bytes)),
    })
}

impl fmt::Display for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.file, &self.hex) {
            (Some(path), _) => write!(f, "{} bytes written to {}", self.size, path.display()),
            (None, Some(hex)) => f.write_str(hex),
            (None, None) => write!(f, "{} bytes", self.size),
        }
    }
}
