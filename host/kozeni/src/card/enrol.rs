//! `kozeni card enrol` and `kozeni card renew`: the card proves to the CA that it holds its key,
//! and gets the holder's certificate.
//!
//! The nonce is kept in a file until the certificate is on the card. An attempt that was cut short
//! begins with it: the card then signs the same record again, and the CA, which may have used up
//! the code for it already, answers with the same certificate.

use std::env;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};

use ::ca::EnrolmentCode;
use ::card::{CardError, CardIdentity};
use apdu_spec::Refusal;
use apdu_spec::value::{CardId, LifeCycle, Nonce};
use protocol::Reject;
use protocol::certificate::{Party, Role};
use protocol::enrolment::{
    ENROLMENT_PATH, EnrolmentNonceReply, EnrolmentNonceRequest, EnrolmentReply, EnrolmentRequest,
    NONCE_PATH,
};
use protocol::field::{Number, Text};
use serde::Serialize;
use server::{PeerError, Trust};

use super::{AnyCard, pin};
use crate::failure::Failure;
use crate::output::{Lines, date};
use crate::parties::{Remote, rejection};
use crate::secret::{SecretArguments, Secrets};

/// How often a request is sent whose answer does not come.
const ATTEMPTS: usize = 3;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The CA's address
    #[arg(long, env = "KOZENI_CA", value_name = "URL")]
    ca: String,
    /// The root certificate that is trusted, root.pem of the CA
    #[arg(long, env = "KOZENI_ROOT", value_name = "FILE")]
    root: PathBuf,
    /// File with the code from the CA's operator in its first line; - is standard input. Otherwise
    /// it is asked for
    #[arg(long, value_name = "FILE")]
    code_file: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(super) struct RenewArguments {
    #[command(flatten)]
    enrolment: Arguments,
    #[command(flatten)]
    pin: SecretArguments,
}

#[derive(Debug, Serialize)]
pub(super) struct Enrolled {
    card: String,
    payer: Option<String>,
    name: String,
    kid: String,
    not_after: String,
}

/// The first certificate: of a card that is personalised and has none yet.
pub(super) fn run(card: &mut AnyCard, arguments: &Arguments) -> Result<Enrolled, Failure> {
    enrol(card, &Enrolment::prepare(arguments)?)
}

fn enrol(card: &mut AnyCard, enrolment: &Enrolment) -> Result<Enrolled, Failure> {
    match card.select()?.life_cycle {
        LifeCycle::Personalised => {}
        LifeCycle::Blank => {
            let text = "the card is blank: `kozeni card personalise` comes first";
            return Err(Failure::other("blank", text));
        }
        LifeCycle::Active | LifeCycle::Blocked | LifeCycle::Terminated => {
            let text = "the card is enrolled already; `kozeni card renew` renews its certificate";
            return Err(Failure::other("enrolled", text));
        }
    }
    match card.public_key() {
        // No key yet.
        Err(CardError::Refused(Refusal::ConditionsNotSatisfied)) => {
            card.generate_key()?;
        }
        outcome => {
            outcome?;
        }
    }
    let identity = card.present()?.identity;
    let (party, chain) = enrolment.certificate(card, &identity)?;
    card.install_certificate(&chain.concat(), None)?;
    Ok(enrolment.done(&party))
}

/// The next certificate, for the same key.
pub(super) fn renew(card: &mut AnyCard, arguments: &RenewArguments) -> Result<Enrolled, Failure> {
    let enrolment = Enrolment::prepare(&arguments.enrolment)?;
    renew_with(card, &enrolment, &mut Secrets::open(&arguments.pin)?)
}

fn renew_with(
    card: &mut AnyCard,
    enrolment: &Enrolment,
    secrets: &mut Secrets,
) -> Result<Enrolled, Failure> {
    if card.select()?.life_cycle != LifeCycle::Active {
        let text = "the card has no certificate to be renewed; is it `kozeni card enrol`?";
        return Err(Failure::other("not_active", text));
    }
    let identity = card.present()?.identity;
    let pin = pin::ask(card, secrets)?;
    let (party, chain) = enrolment.certificate(card, &identity)?;
    card.install_certificate(&chain.concat(), Some(&pin))?;
    Ok(enrolment.done(&party))
}

/// Everything that is needed before the card is asked for anything.
struct Enrolment {
    code: EnrolmentCode,
    trust: Trust,
    ca: Remote,
    pending: Pending,
}

impl Enrolment {
    fn prepare(arguments: &Arguments) -> Result<Self, Failure> {
        Ok(Self {
            code: read_code(arguments.code_file.as_deref())?,
            trust: Trust::from_file(&arguments.root)?,
            ca: Remote::new(&arguments.ca)?,
            pending: Pending { folder: state_folder() },
        })
    }

    /// The card's chain from the CA, checked against the trusted root and the card.
    fn certificate(
        &self,
        card: &mut AnyCard,
        identity: &CardIdentity,
    ) -> Result<(Party, Vec<Vec<u8>>), Failure> {
        let before = self.pending.read(identity.card());
        let again = before.map(|nonce| self.ask(card, nonce)).transpose()?;
        let chain = match again {
            Some(Ok(chain)) => chain,
            // That attempt never arrived; a new one.
            Some(Err(_)) | None => {
                let request = EnrolmentNonceRequest { number: Number };
                let reply: EnrolmentNonceReply = self.ca.ask(NONCE_PATH, &request)?;
                self.pending.write(identity.card(), reply.nonce);
                let rejected = |reject: Reject| {
                    Failure::other("rejected", format!("the CA refuses: {reject}"))
                };
                self.ask(card, reply.nonce)?.map_err(rejected)?
            }
        };
        self.ca.refresh(&self.trust)?;
        let party = self.trust.verify(&chain, Role::Holder, server::now())?;
        if (party.card(), party.key) != (identity.card(), identity.key()) {
            return Err(Failure::other("certificate", "the CA has certified another card or key"));
        }
        Ok((party, chain))
    }

    /// Sends the card's record over this nonce; the same as often as needed to get an answer.
    fn ask(
        &self,
        card: &mut AnyCard,
        nonce: Nonce,
    ) -> Result<Result<Vec<Vec<u8>>, Reject>, Failure> {
        let record = card.enrol(nonce)?;
        let request = EnrolmentRequest {
            number: Number,
            code: Text::new(self.code.to_string())
                .map_err(|error| Failure::other("code", error))?,
            record: record.as_bytes().to_vec().into(),
        };
        let mut attempt = 1;
        loop {
            match self.ca.ask::<_, EnrolmentReply>(ENROLMENT_PATH, &request) {
                Ok(reply) => {
                    let chain = reply.chain.into_iter().map(Into::into);
                    return Ok(Ok(chain.collect()));
                }
                Err(PeerError::Unreachable { .. }) if attempt < ATTEMPTS => {
                    attempt = attempt.saturating_add(1);
                }
                Err(error) => return rejection(&error).map_or(Err(error.into()), |r| Ok(Err(r))),
            }
        }
    }

    fn done(&self, party: &Party) -> Enrolled {
        self.pending.remove(party.card());
        Enrolled {
            card: party.card().to_string(),
            payer: party.payer.as_ref().map(ToString::to_string),
            name: party.name.to_string(),
            kid: party.kid.to_string(),
            not_after: date(party.not_after),
        }
    }
}

/// The nonce of an enrolment that has not come to its end. A help only: where it cannot be kept or
/// read, an attempt that is cut short may cost a code.
struct Pending {
    folder: Option<PathBuf>,
}

impl Pending {
    fn path(&self, card: CardId) -> Option<PathBuf> {
        Some(self.folder.as_ref()?.join(format!("enrolment-{card}")))
    }

    fn read(&self, card: CardId) -> Option<Nonce> {
        fs::read_to_string(self.path(card)?).ok()?.trim().parse().ok()
    }

    fn write(&self, card: CardId, nonce: Nonce) {
        let (Some(folder), Some(path)) = (&self.folder, self.path(card)) else {
            return;
        };
        let write = || {
            fs::create_dir_all(folder)?;
            let mut file = File::create(&path)?;
            writeln!(file, "{nonce}")?;
            file.sync_all()
        };
        let _: io::Result<()> = write();
    }

    fn remove(&self, card: CardId) {
        if let Some(path) = self.path(card) {
            let _ = fs::remove_file(path);
        }
    }
}

/// Where programs keep what they need again after a crash (XDG Base Directory Specification).
fn state_folder() -> Option<PathBuf> {
    let state = env::var_os("XDG_STATE_HOME").filter(|path| !path.is_empty());
    let home = || Some(Path::new(&env::var_os("HOME")?).join(".local/state"));
    Some(state.map(PathBuf::from).or_else(home)?.join("kozeni"))
}

fn read_code(file: Option<&Path>) -> Result<EnrolmentCode, Failure> {
    let text = match file {
        Some(path) if path != Path::new("-") => {
            fs::read_to_string(path).map_err(Failure::io(path.display().to_string()))?
        }
        Some(_) | None => {
            let input = io::stdin();
            if file.is_none() && input.is_terminal() {
                let asked = write!(io::stderr(), "Enrolment code: ");
                asked.map_err(Failure::io("terminal"))?;
            }
            let mut line = String::new();
            input.lock().read_line(&mut line).map_err(Failure::io("standard input"))?;
            line
        }
    };
    let line = text.lines().next().unwrap_or_default();
    line.parse().map_err(|error| Failure::other("code", error))
}

impl fmt::Display for Enrolled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = [
            ("card", self.card.clone()),
            ("payer ID", self.payer.clone().unwrap_or_default()),
            ("name", self.name.clone()),
            ("key ID", self.kid.clone()),
            ("good until", self.not_after.clone()),
        ];
        Lines(&lines).fmt(f)
    }
}

#[cfg(test)]
mod tests;
