//! `kozeni ca init`.

use std::fmt;
use std::path::PathBuf;

use ::ca::{Folder, NewCa};
use keystore::Passphrase;
use protocol::certificate::PartyName;
use protocol::signed::{key_id, sha256};
use serde::Serialize;

use super::{FolderArguments, PassphraseArguments};
use crate::failure::Failure;
use crate::output::Lines;
use crate::parties::party_name;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    folder: FolderArguments,
    #[command(flatten)]
    passphrase: PassphraseArguments,
    /// The CA's name, as its certificates have it
    #[arg(long, value_parser = party_name)]
    name: PartyName,
    /// File with another passphrase for the root's private key
    #[arg(long, value_name = "FILE")]
    root_passphrase_file: Option<PathBuf>,
}

/// What the operator writes down, to compare it wherever root and card root key arrive.
#[derive(Debug, Serialize)]
pub(super) struct Founded {
    folder: PathBuf,
    root_sha256: String,
    card_root: String,
    card_root_kid: String,
    /// To be kept elsewhere.
    root_key: PathBuf,
}

pub(super) fn run(arguments: &Arguments) -> Result<Founded, Failure> {
    let passphrase = arguments.passphrase.read()?;
    let root_passphrase = match &arguments.root_passphrase_file {
        Some(path) => Passphrase::from_file(path)?,
        None => passphrase.clone(),
    };
    let folder = Folder::new(&arguments.folder.folder);
    let new = NewCa {
        name: arguments.name.clone(),
        passphrase: &passphrase,
        root_passphrase: &root_passphrase,
    };
    let founded = ::ca::found(&folder, &new, server::now())?;
    Ok(Founded {
        folder: folder.path().to_owned(),
        root_sha256: sha256(&founded.root).to_string(),
        card_root: founded.card_root.to_string(),
        card_root_kid: key_id(&founded.card_root).to_string(),
        root_key: folder.root_key(),
    })
}

impl fmt::Display for Founded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = [
            ("folder", self.folder.display().to_string()),
            ("SHA-256 of the root", self.root_sha256.clone()),
            ("card root key ID", self.card_root_kid.clone()),
        ];
        Lines(&lines).fmt(f)?;
        write!(
            f,
            "Move {} to a place that is not on this machine; only `kozeni ca list-root` needs it.",
            self.root_key.display()
        )
    }
}
