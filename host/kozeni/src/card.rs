//! `kozeni card`: what can be done with a card in a reader.

mod balance;
mod certificate;
mod conformance;
mod enrol;
mod history;
mod journal;
mod personalise;
mod pin;
mod readers;
mod status;

use ::card::{Card, Transport, open};
use clap::{Args, Subcommand};

use crate::failure::Failure;
use crate::output::Printer;
use crate::secret::SecretArguments;

/// A card behind whatever transport its reader has.
type AnyCard = Card<Box<dyn Transport + Send>>;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Reader: a PC/SC reader's name or a part of it, or direct:SOCKET for a software card. Without
    /// it, the only reader that has a card
    #[arg(long, global = true, env = "KOZENI_READER")]
    reader: Option<String>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the readers
    Readers,
    /// Show what card is there and how it stands
    Status,
    /// Check, change or unblock the PIN
    Pin(pin::Arguments),
    /// Show the balance
    Balance,
    /// Show the transfers that the payment server has not acknowledged yet
    Journal,
    /// Show the last transfers; needs the PIN
    History(SecretArguments),
    /// Read the certificate file
    Certificate(certificate::Arguments),
    /// Give a blank card its identity, first limits, PIN and PUK
    Personalise(personalise::Arguments),
    /// Get the holder's certificate from the CA, with a code from its operator
    Enrol(enrol::Arguments),
    /// Get the next certificate for the same key, with another code and the PIN
    Renew(enrol::RenewArguments),
    /// Compare the card's answers with the specification's test transcripts
    Conformance(conformance::Arguments),
}

pub(crate) fn run(arguments: Arguments, printer: Printer) -> Result<(), Failure> {
    let reader = arguments.reader.as_deref();
    let card = || Ok::<_, Failure>(Card::new(open(reader)?));
    match arguments.command {
        Command::Readers => printer.print(&readers::run()?),
        Command::Status => {
            let status = status::run(&mut card()?)?;
            printer.print(&status)?;
            status.presence.require()
        }
        Command::Pin(arguments) => printer.print(&pin::run(&mut card()?, &arguments)?),
        Command::Balance => printer.print(&balance::run(&mut card()?)?),
        Command::Journal => printer.print(&journal::run(&mut card()?)?),
        Command::History(arguments) => printer.print(&history::run(&mut card()?, &arguments)?),
        Command::Certificate(arguments) => {
            printer.print(&certificate::run(&mut card()?, &arguments)?)
        }
        Command::Personalise(arguments) => {
            printer.print(&personalise::run(&mut card()?, &arguments)?)
        }
        Command::Enrol(arguments) => printer.print(&enrol::run(&mut card()?, &arguments)?),
        Command::Renew(arguments) => printer.print(&enrol::renew(&mut card()?, &arguments)?),
        Command::Conformance(arguments) => {
            let report = conformance::run(open(reader)?, &arguments)?;
            printer.print(&report)?;
            report.require()
        }
    }
}
