//! `kozeni evidence`: checks and shows evidence bundles, offline.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use ::evidence::{Proof, verify};
use apdu_spec::value::Time;
use clap::{Args, Subcommand};
use serde::Serialize;

use crate::failure::Failure;
use crate::output::{Lines, Printer, date, money};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Check a bundle and say in plain words what it proves
    Verify(BundleArguments),
    /// Check a bundle and show what stands in it
    Show(BundleArguments),
}

#[derive(Debug, Args)]
struct BundleArguments {
    /// The bundle
    bundle: PathBuf,
    /// The CA's root certificate (PEM), the only thing that is trusted
    #[arg(long, value_name = "FILE")]
    ca: PathBuf,
}

/// What is proved, in plain words.
#[derive(Serialize)]
struct Verdict {
    proved: bool,
    #[serde(flatten)]
    proof: Proof,
}

/// What stands in a bundle that was checked.
#[derive(Serialize)]
struct Contents(Proof);

pub(crate) fn run(arguments: &Arguments, printer: Printer) -> Result<(), Failure> {
    match &arguments.command {
        Command::Verify(arguments) => {
            let proof = check(arguments)?;
            printer.print(&Verdict { proved: true, proof })
        }
        Command::Show(arguments) => printer.print(&Contents(check(arguments)?)),
    }
}

fn check(arguments: &BundleArguments) -> Result<Proof, Failure> {
    let bundle = read(&arguments.bundle)?;
    let pem = read(&arguments.ca)?;
    let roots = protocol::certificate::read_pem(&String::from_utf8_lossy(&pem));
    let [root] = roots.as_slice() else {
        return Err(failure(&arguments.ca, "must hold exactly one certificate in PEM"));
    };
    verify(&bundle, root).map_err(|reason| failure(&arguments.bundle, reason))
}

fn failure(path: &Path, reason: impl fmt::Display) -> Failure {
    Failure::Other { code: "not_proved", text: format!("{}: not proved: {reason}", path.display()) }
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    fs::read(path).map_err(Failure::io(path.display().to_string()))
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "PROVED:")?;
        self.proof.statements.iter().try_for_each(|statement| writeln!(f, "- {statement}"))
    }
}

impl fmt::Display for Contents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(proof) = self;
        let state = if proof.complete { "complete" } else { "paid, not confirmed by the shop" };
        let lines = [
            ("transaction", proof.transaction.clone()),
            ("payment", proof.payment.clone()),
            ("payer", format!("{} ({})", proof.payer_name, proof.payer)),
            ("card", format!("{}, debit {}", proof.card, proof.debit_seq)),
            ("shop", format!("{} ({})", proof.shop_name, proof.shop)),
            ("payee", proof.payee.clone()),
            ("amount", money(proof.amount, proof.currency)),
            ("invoiced", date(Time(proof.invoiced_at))),
            ("paid", date(Time(proof.paid_at))),
            ("state", state.to_owned()),
        ];
        Lines(&lines).fmt(f)?;
        for line in &proof.lines {
            match line {
                None => writeln!(f, "- an erased line")?,
                Some(line) => {
                    let price = money(line.unit_price, proof.currency);
                    writeln!(
                        f,
                        "- {} × {} ({}) at {price}",
                        line.quantity, line.name, line.article
                    )?;
                }
            }
        }
        Ok(())
    }
}
