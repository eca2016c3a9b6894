//! `kozeni ca list`, and how certificates are shown.

use std::fmt;

use ::ca::{IssuedCertificate, Kind, Owner};
use apdu_spec::value::Time;
use serde::Serialize;

use super::FolderArguments;
use crate::failure::Failure;
use crate::output::date;

#[derive(Debug, Serialize)]
pub(super) struct Certificates {
    pub(super) certificates: Vec<Certificate>,
}

#[derive(Debug, Serialize)]
pub(super) struct Certificate {
    serial: String,
    role: &'static str,
    /// Card, shop or issuer ID.
    #[serde(skip_serializing_if = "Option::is_none")]
    number: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payer: Option<String>,
    name: String,
    kid: String,
    not_before: String,
    not_after: String,
    state: State,
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked: Option<Revoked>,
}

#[derive(Debug, Serialize)]
struct Revoked {
    time: String,
    reason: &'static str,
}

#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    Good,
    Expired,
    Revoked,
}

pub(super) fn run(folder: &FolderArguments) -> Result<Certificates, Failure> {
    Ok(Certificates::new(&folder.open()?.certificates()?, server::now()))
}

impl Certificates {
    pub(super) fn new(certificates: &[IssuedCertificate], now: Time) -> Self {
        let shown = certificates.iter().map(|issued| Certificate::new(issued, now));
        Self { certificates: shown.collect() }
    }
}

impl Certificate {
    fn new(issued: &IssuedCertificate, now: Time) -> Self {
        let (role, number, payer) = match &issued.kind {
            Kind::IssuingCa => ("ca", None, None),
            Kind::Party(Owner::Holder { payer, card }) => {
                ("holder", Some(card.to_string()), Some(payer.to_string()))
            }
            Kind::Party(Owner::Shop(shop)) => ("shop", Some(shop.to_string()), None),
            Kind::Party(Owner::PaymentServer(issuer)) => {
                ("payment-server", Some(issuer.to_string()), None)
            }
        };
        Self {
            serial: issued.serial.to_string(),
            role,
            number,
            payer,
            name: issued.name.to_string(),
            kid: protocol::signed::key_id(&issued.key).to_string(),
            not_before: date(issued.not_before),
            not_after: date(issued.not_after),
            state: match issued.revocation {
                Some(_) => State::Revoked,
                None if now > issued.not_after => State::Expired,
                None => State::Good,
            },
            revoked: issued.revocation.map(|revocation| Revoked {
                time: date(revocation.time),
                reason: revocation.reason.text(),
            }),
        }
    }
}

impl fmt::Display for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Certificate { serial, role, number, payer, name, not_after, state, revoked, .. } in
            &self.certificates
        {
            let number = number.as_deref().unwrap_or("-");
            let payer = payer.as_deref().unwrap_or("-");
            write!(f, "{serial}  {role:14}  {number:16}  {payer:10}  ")?;
            match (state, revoked) {
                (State::Good, _) => write!(f, "good until {not_after}")?,
                (_, Some(Revoked { time, reason })) => write!(f, "revoked {time}, {reason}")?,
                (State::Expired | State::Revoked, _) => write!(f, "expired {not_after}")?,
            }
            writeln!(f, "  {name}")?;
        }
        Ok(())
    }
}
