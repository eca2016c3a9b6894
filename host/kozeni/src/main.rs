//! The program `kozeni`: everything from the command line. Wiring only; what a subcommand does
//! stands in the file of its name.

mod ca;
mod card;
mod evidence;
mod failure;
mod output;
mod parties;
mod payment;
mod secret;
mod shop;
mod wallet;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tracing_subscriber::EnvFilter;

use crate::output::Printer;

/// Electronic money on a smart card.
#[derive(Debug, Parser)]
#[command(version, after_help = HELP_END)]
struct CommandLine {
    /// Print one JSON object instead of text, also for an error
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    group: Group,
}

#[derive(Debug, Subcommand)]
enum Group {
    /// The card in a reader
    Card(card::Arguments),
    /// The certificate authority
    Ca(ca::Arguments),
    /// Evidence bundles, checked offline
    Evidence(evidence::Arguments),
    /// A payment server: value, ledger, receipts
    Payment(payment::Arguments),
    /// A shop's server: goods, orders, invoices
    Shop(shop::Arguments),
    /// The buyer's wallet: daemon, purchases, loads
    Wallet(wallet::Arguments),
}

const HELP_END: &str = "\
Exit codes:
  0  done
  1  error
  2  wrong usage
  3  refused by the card or by another party
  4  no reader, no card, or no Kozeni card
  5  cancelled by the buyer

Environment:
  KOZENI_READER  reader, where --reader is not given
  RUST_LOG       what to log to standard error, for example debug or card=debug";

/// Servers tell what they do; everything else only what is wrong.
const DEFAULT_LOG: &str = "warn,ca=info,payment=info,server=info,shop=info,wallet=info";

fn main() -> ExitCode {
    let CommandLine { json, group } = CommandLine::parse();
    start_log();
    let printer = Printer { json };
    let outcome = match group {
        Group::Card(arguments) => card::run(arguments, printer),
        Group::Ca(arguments) => ca::run(arguments, printer),
        Group::Evidence(arguments) => evidence::run(&arguments, printer),
        Group::Payment(arguments) => payment::run(arguments, printer),
        Group::Shop(arguments) => shop::run(arguments, printer),
        Group::Wallet(arguments) => wallet::run(arguments, printer),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            printer.print_failure(&failure);
            ExitCode::from(failure.exit_code())
        }
    }
}

fn start_log() {
    let filter =
        EnvFilter::try_from_env("RUST_LOG").unwrap_or_else(|_| EnvFilter::new(DEFAULT_LOG));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        CommandLine::command().debug_assert();
    }

    #[test]
    fn a_pin_cannot_be_given_as_an_argument() {
        for arguments in [
            &["kozeni", "card", "pin", "verify", "1234"][..],
            &["kozeni", "card", "pin", "verify", "--pin", "1234"],
            &["kozeni", "card", "history", "1234"],
            &["kozeni", "wallet", "pin", "change", "1234"],
            &["kozeni", "wallet", "pay", "ab", "--pin", "1234"],
            &["kozeni", "wallet", "pay", "ab", "1234"],
        ] {
            assert!(CommandLine::try_parse_from(arguments).is_err(), "{arguments:?}");
        }
    }
}
