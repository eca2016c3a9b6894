//! `kozeni ca register-holder`.

use std::fmt;

use ::ca::payer_id;
use protocol::certificate::{PartyName, PayerId};
use serde::Serialize;

use super::FolderArguments;
use crate::failure::Failure;
use crate::output::{Lines, date};
use crate::parties::party_name;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    folder: FolderArguments,
    /// The person's name; needed for a new one
    #[arg(long, value_parser = party_name)]
    name: Option<PartyName>,
    /// The person's number; for a new person without one, ten random digits
    #[arg(long, value_parser = payer_id, value_name = "ID")]
    payer: Option<PayerId>,
}

#[derive(Debug, Serialize)]
pub(super) struct Registered {
    payer: String,
    name: String,
    /// Good once.
    code: String,
    code_expiry: String,
}

pub(super) fn run(arguments: &Arguments) -> Result<Registered, Failure> {
    let Arguments { folder, name, payer } = arguments;
    let registered = folder.open()?.register(name.clone(), payer.clone(), server::now())?;
    Ok(Registered {
        payer: registered.holder.payer.to_string(),
        name: registered.holder.name.to_string(),
        code: registered.code.to_string(),
        code_expiry: date(registered.expiry),
    })
}

impl fmt::Display for Registered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = [
            ("payer ID", self.payer.clone()),
            ("name", self.name.clone()),
            ("enrolment code", self.code.clone()),
            ("good until", self.code_expiry.clone()),
        ];
        Lines(&lines).fmt(f)
    }
}
