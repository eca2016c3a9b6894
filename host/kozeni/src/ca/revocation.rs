//! `kozeni ca revoke` and `kozeni ca list-root`.

use std::fmt;
use std::path::PathBuf;

use ::ca::{Folder, Reason, Serial, Target};
use apdu_spec::value::{CardId, IssuerId, ShopId};
use keystore::KeyPair;
use serde::Serialize;

use super::list::Certificates;
use super::{FolderArguments, PassphraseArguments, write};
use crate::failure::Failure;
use crate::output::date;

#[derive(Debug, clap::Args)]
pub(super) struct RevokeArguments {
    #[command(flatten)]
    folder: FolderArguments,
    #[command(flatten)]
    target: TargetArguments,
    /// unspecified, key-compromise (also: card lost), affiliation-changed, superseded,
    /// cessation-of-operation, privilege-withdrawn or ca-compromise. A card can be enrolled again
    /// only after superseded and affiliation-changed
    #[arg(long, default_value = "unspecified")]
    reason: Reason,
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct TargetArguments {
    /// The certificate with this serial number
    #[arg(long, value_name = "HEX")]
    serial: Option<Serial>,
    /// All certificates of this card
    #[arg(long, value_name = "HEX")]
    card: Option<CardId>,
    /// All certificates of this shop
    #[arg(long, value_name = "HEX")]
    shop: Option<ShopId>,
    /// All certificates of this issuer's payment server
    #[arg(long, value_name = "HEX")]
    issuer: Option<IssuerId>,
}

#[derive(Debug, clap::Args)]
pub(super) struct ListRootArguments {
    #[command(flatten)]
    folder: FolderArguments,
    /// The root's private key, where it is not in the folder any more
    #[arg(long, value_name = "FILE")]
    root_key: Option<PathBuf>,
    #[command(flatten)]
    passphrase: PassphraseArguments,
    /// Write the list (DER) to this place, too
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Debug, Serialize)]
pub(super) struct RootList {
    size: usize,
    good_until: String,
}

pub(super) fn revoke(arguments: &RevokeArguments) -> Result<Certificates, Failure> {
    let ca = arguments.folder.open()?;
    let target = arguments.target.read()?;
    let revoked = ca.revoke(target, arguments.reason, server::now())?;
    Ok(Certificates::new(&revoked, server::now()))
}

impl TargetArguments {
    fn read(&self) -> Result<Target, Failure> {
        let serial = self.serial.map(Target::Serial);
        let card = self.card.map(Target::Card);
        let shop = self.shop.map(Target::Shop);
        let issuer = self.issuer.map(Target::Issuer);
        let target = serial.or(card).or(shop).or(issuer);
        // The command line is refused before, so that nobody gets here.
        target.ok_or_else(|| Failure::other("usage", "name what to revoke"))
    }
}

pub(super) fn list_root(arguments: &ListRootArguments) -> Result<RootList, Failure> {
    let ca = arguments.folder.open()?;
    let in_folder = Folder::new(&arguments.folder.folder).root_key();
    let path = arguments.root_key.as_ref().unwrap_or(&in_folder);
    let key = KeyPair::load(path, &arguments.passphrase.read()?)?;
    let list = ca.sign_root_list(key, server::now())?;
    if let Some(path) = &arguments.out {
        write(path, &list)?;
    }
    Ok(RootList { size: list.len(), good_until: date(ca.root_list_end()?) })
}

impl fmt::Display for RootList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "root's revocation list of {} bytes, good until {}", self.size, self.good_until)
    }
}
