//! `kozeni card pin`: check, change, unblock.

use std::fmt;

use ::card::CardError;
use apdu_spec::Refusal;
use apdu_spec::value::Pin;
use clap::Subcommand;
use serde::Serialize;

use super::AnyCard;
use crate::failure::Failure;
use crate::secret::{SecretArguments, Secrets};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Check the PIN; a wrong one costs a try
    Verify(SecretArguments),
    /// Set a new PIN with the old one; a wrong one costs a try
    Change(SecretArguments),
    /// Set a new PIN with the PUK, and give the PIN its tries back
    Unblock(SecretArguments),
}

#[derive(Debug, Serialize)]
pub(super) struct Done {
    pin: &'static str,
}

pub(super) fn run(card: &mut AnyCard, arguments: &Arguments) -> Result<Done, Failure> {
    let pin = match &arguments.command {
        Command::Verify(from) => {
            let pin = ask(card, &mut Secrets::open(from)?)?;
            card.verify(&pin)?;
            "verified"
        }
        Command::Change(from) => {
            let mut secrets = Secrets::open(from)?;
            let old = ask(card, &mut secrets)?;
            let new = secrets.next_new("New PIN")?;
            card.change_pin(&old, &new)?;
            "changed"
        }
        Command::Unblock(from) => {
            let mut secrets = Secrets::open(from)?;
            let tries = card.present()?.status.answer.puk_tries;
            let puk = secrets.next(&format!("PUK ({tries} tries left, they never come back)"))?;
            let new = secrets.next_new("New PIN")?;
            card.unblock_pin(&puk, &new)?;
            "unblocked"
        }
    };
    Ok(Done { pin })
}

/// Asks for the PIN, with the tries that are left; not at all where none is.
pub(super) fn ask(card: &mut AnyCard, secrets: &mut Secrets) -> Result<Pin, Failure> {
    match card.tries()? {
        0 => Err(CardError::Refused(Refusal::PinBlocked).into()),
        1 => secrets.next("PIN (last try)"),
        tries => secrets.next(&format!("PIN ({tries} tries left)")),
    }
}

impl fmt::Display for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PIN {}", self.pin)
    }
}
