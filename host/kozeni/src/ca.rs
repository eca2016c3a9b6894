//! `kozeni ca`: the certificate authority, for its operator.

mod holders;
mod init;
mod issue;
mod list;
mod revocation;
mod serve;

use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use ::ca::{Ca, CaError, Folder};
use clap::{Args, Subcommand};
use keystore::Passphrase;

use crate::failure::Failure;
use crate::output::Printer;
use crate::parties::random;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a new CA in a folder of its own
    Init(init::Arguments),
    /// Certify a shop
    IssueShop(issue::ShopArguments),
    /// Certify an issuer's payment server, for other parties and for cards
    IssuePayment(issue::PaymentArguments),
    /// Register a person, or take a known one, and print a code that enrols one card
    RegisterHolder(holders::Arguments),
    /// Revoke certificates; the server's next revocation list has them
    Revoke(revocation::RevokeArguments),
    /// List all certificates that were ever issued
    List(FolderArguments),
    /// Sign the root's next revocation list, good for a year, with the root's private key
    ListRoot(revocation::ListRootArguments),
    /// Answer cards that enrol, and serve certificates and revocation lists
    Serve(serve::Arguments),
}

/// Which CA.
#[derive(Debug, Args)]
struct FolderArguments {
    /// The CA's folder
    #[arg(long, env = "KOZENI_CA_FOLDER", value_name = "FOLDER")]
    folder: PathBuf,
}

/// How to unlock a private key.
#[derive(Debug, Args)]
struct PassphraseArguments {
    /// File that only its owner can read, with the passphrase in its first line
    #[arg(long, env = "KOZENI_CA_PASSPHRASE_FILE", value_name = "FILE")]
    passphrase_file: PathBuf,
}

pub(crate) fn run(arguments: Arguments, printer: Printer) -> Result<(), Failure> {
    match arguments.command {
        Command::Init(arguments) => printer.print(&init::run(&arguments)?),
        Command::IssueShop(arguments) => printer.print(&issue::shop(&arguments)?),
        Command::IssuePayment(arguments) => printer.print(&issue::payment(&arguments)?),
        Command::RegisterHolder(arguments) => printer.print(&holders::run(&arguments)?),
        Command::Revoke(arguments) => printer.print(&revocation::revoke(&arguments)?),
        Command::List(arguments) => printer.print(&list::run(&arguments)?),
        Command::ListRoot(arguments) => printer.print(&revocation::list_root(&arguments)?),
        Command::Serve(arguments) => serve::run(&arguments),
    }
}

impl FolderArguments {
    fn open(&self) -> Result<Ca, CaError> {
        Ca::open(Folder::new(&self.folder))
    }
}

impl PassphraseArguments {
    fn read(&self) -> Result<Passphrase, Failure> {
        Ok(Passphrase::from_file(&self.passphrase_file)?)
    }
}

/// A number of 8 bytes that the operator gives or leaves to chance.
#[derive(Clone, Copy, Debug)]
enum NumberArgument<T> {
    Random,
    Given(T),
}

impl<T: FromStr> FromStr for NumberArgument<T> {
    type Err = T::Err;

    fn from_str(text: &str) -> Result<Self, T::Err> {
        if text == "random" { Ok(Self::Random) } else { text.parse().map(Self::Given) }
    }
}

impl<T: Copy> NumberArgument<T> {
    fn choose(self, from_bytes: fn([u8; 8]) -> T) -> Result<T, Failure> {
        match self {
            Self::Random => Ok(from_bytes(random()?)),
            Self::Given(number) => Ok(number),
        }
    }
}

/// Writes a result that is not secret.
fn write(path: &Path, content: impl AsRef<[u8]>) -> Result<(), Failure> {
    fs::write(path, content).map_err(Failure::io(path.display().to_string()))
}
