//! `kozeni wallet pin`: tries, change, unblock.

use std::fmt;

use ::wallet::client::Client;
use ::wallet::view::{CardView, StatusView};
use apdu_spec::Refusal;
use apdu_spec::value::Pin;
use card::CardError;
use clap::Subcommand;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::failure::Failure;
use crate::output::Printer;
use crate::secret::{SecretArguments, Secrets};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// How many tries are left; costs none
    Tries,
    /// Set a new PIN with the old one; a wrong one costs a try
    Change(SecretArguments),
    /// Set a new PIN with the PUK, and give the PIN its tries back
    Unblock(SecretArguments),
}

/// PIN tries left.
#[derive(Debug, Serialize, Deserialize)]
struct Tries {
    tries: u8,
}

impl fmt::Display for Tries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} PIN tries left", self.tries)
    }
}

pub(super) async fn run(
    client: &Client,
    arguments: &Arguments,
    printer: Printer,
) -> Result<(), Failure> {
    let tries: Tries = match &arguments.command {
        Command::Tries => client.fetch("/pin").await?,
        Command::Change(from) => {
            let prompt = prompt(client).await?;
            let mut secrets = Secrets::open(from)?;
            let old = secrets.next(&prompt)?;
            let new = secrets.next_new("New PIN")?;
            let body = json!({ "old": digits(&old), "new": digits(&new) });
            client.send("/pin/change", &body).await?
        }
        Command::Unblock(from) => {
            let mut secrets = Secrets::open(from)?;
            let status: StatusView = client.fetch("/status").await?;
            let prompt = match status.card {
                CardView::Ours(card) => {
                    format!("PUK ({} tries left, they never come back)", card.puk_tries)
                }
                CardView::NoReader { .. } | CardView::NoCard | CardView::UnknownCard => {
                    return Err(Failure::NoCard);
                }
            };
            let puk = secrets.next(&prompt)?;
            let new = secrets.next_new("New PIN")?;
            let body = json!({ "puk": digits(&puk), "new": digits(&new) });
            client.send("/pin/unblock", &body).await?
        }
    };
    printer.print(&tries)
}

/// What to ask, with the tries that are left; not at all where none is.
pub(super) async fn prompt(client: &Client) -> Result<String, Failure> {
    let Tries { tries } = client.fetch("/pin").await?;
    match tries {
        0 => Err(CardError::Refused(Refusal::PinBlocked).into()),
        1 => Ok("PIN (last try)".to_owned()),
        tries => Ok(format!("PIN ({tries} tries left)")),
    }
}

/// The digits as they go over the wallet's own socket.
pub(super) fn digits(pin: &Pin) -> String {
    let digits = pin.block().iter().take_while(|byte| byte.is_ascii_digit());
    digits.map(|byte| char::from(*byte)).collect()
}
