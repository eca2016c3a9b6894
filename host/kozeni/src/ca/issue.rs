//! `kozeni ca issue-shop` and `kozeni ca issue-payment`.

use std::fmt;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use ::ca::{Ca, ServerRequest, write_pem};
use apdu_spec::value::{Generation, IssuerId, ShopId};
use protocol::certificate::PartyName;
use serde::Serialize;

use super::{FolderArguments, NumberArgument, PassphraseArguments, write};
use crate::failure::Failure;
use crate::output::Lines;
use crate::parties::party_name;

#[derive(Debug, clap::Args)]
struct ServerArguments {
    #[command(flatten)]
    folder: FolderArguments,
    #[command(flatten)]
    passphrase: PassphraseArguments,
    /// The server's certificate request (PKCS#10, PEM)
    #[arg(long, value_name = "FILE")]
    request: PathBuf,
    /// The name that people are shown
    #[arg(long, value_parser = party_name)]
    name: PartyName,
    /// Where to write the certificate with its chain (PEM)
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// For how many days
    #[arg(long, default_value_t = 730, value_name = "DAYS")]
    days: u32,
}

#[derive(Debug, clap::Args)]
pub(super) struct ShopArguments {
    #[command(flatten)]
    server: ServerArguments,
    /// The shop's number, 16 hexadecimal digits, or "random"
    #[arg(long, default_value = "random", value_name = "HEX")]
    shop: NumberArgument<ShopId>,
}

#[derive(Debug, clap::Args)]
pub(super) struct PaymentArguments {
    #[command(flatten)]
    server: ServerArguments,
    /// The issuer's number, 16 hexadecimal digits, or "random"
    #[arg(long, value_name = "HEX")]
    issuer: NumberArgument<IssuerId>,
    /// Generation of the key, above all earlier ones of this issuer; cards then refuse those
    #[arg(long)]
    generation: u32,
    /// Where to write the compact certificate for cards
    #[arg(long, value_name = "FILE")]
    compact_out: PathBuf,
}

#[derive(Debug, Serialize)]
pub(super) struct Issued {
    #[serde(skip_serializing_if = "Option::is_none")]
    shop: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    issuer: Option<String>,
    chain: PathBuf,
    #[serde(skip_serializing_if = "Option::is_none")]
    compact: Option<PathBuf>,
}

pub(super) fn shop(arguments: &ShopArguments) -> Result<Issued, Failure> {
    let server = &arguments.server;
    let (ca, pem) = (server.folder.open()?, server.read()?);
    let key = ca.unlock(&server.passphrase.read()?)?;
    let shop = arguments.shop.choose(ShopId)?;
    let chain = ca.issue_shop(&key, &server.request(&pem), shop, server::now())?;
    write(&server.out, write_pem(&chain)?)?;
    Ok(Issued {
        shop: Some(shop.to_string()),
        issuer: None,
        chain: server.out.clone(),
        compact: None,
    })
}

pub(super) fn payment(arguments: &PaymentArguments) -> Result<Issued, Failure> {
    let server = &arguments.server;
    let (ca, pem): (Ca, _) = (server.folder.open()?, server.read()?);
    let passphrase = server.passphrase.read()?;
    let (key, card_root) = (ca.unlock(&passphrase)?, ca.unlock_card_root(&passphrase)?);
    let issuer = arguments.issuer.choose(IssuerId)?;
    let number = (issuer, Generation(arguments.generation));
    let keys = (&key, &card_root);
    let issued = ca.issue_payment(keys, &server.request(&pem), number, server::now())?;
    write(&server.out, write_pem(&issued.chain)?)?;
    write(&arguments.compact_out, issued.compact)?;
    Ok(Issued {
        shop: None,
        issuer: Some(issuer.to_string()),
        chain: server.out.clone(),
        compact: Some(arguments.compact_out.clone()),
    })
}

impl ServerArguments {
    fn read(&self) -> Result<String, Failure> {
        let path = self.request.display().to_string();
        fs::read_to_string(&self.request).map_err(Failure::io(path))
    }

    fn request<'a>(&self, pem: &'a str) -> ServerRequest<'a> {
        let days = u64::from(self.days);
        ServerRequest {
            pem,
            name: self.name.clone(),
            validity: Duration::from_secs(days.saturating_mul(24 * 3600)),
        }
    }
}

impl fmt::Display for Issued {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = |path: &PathBuf| path.display().to_string();
        let lines = [
            ("shop", self.shop.clone()),
            ("issuer", self.issuer.clone()),
            ("certificate", Some(path(&self.chain))),
            ("compact certificate", self.compact.as_ref().map(path)),
        ];
        let lines = lines.into_iter().filter_map(|(name, value)| Some((name, value?)));
        Lines(&lines.collect::<Vec<_>>()).fmt(f)
    }
}
