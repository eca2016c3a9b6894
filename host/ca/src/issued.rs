//! What the books hold about a certificate.

use apdu_spec::value::{PublicKey, Time};
use protocol::certificate::PartyName;

use crate::certify::Validity;
use crate::revocation::Revocation;
use crate::serial::Serial;
use crate::subject::Owner;

/// Whom a certificate in the books is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The issuing CA.
    IssuingCa,
    /// A holder, shop or payment server.
    Party(Owner),
}

/// A certificate in the books.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuedCertificate {
    /// Its serial number.
    pub serial: Serial,
    /// Whom it is for.
    pub kind: Kind,
    /// The name for people.
    pub name: PartyName,
    /// The certified key.
    pub key: PublicKey,
    /// Beginning of validity.
    pub not_before: Time,
    /// End of validity.
    pub not_after: Time,
    /// When it was issued.
    pub issued: Time,
    /// The certificate itself.
    pub der: Vec<u8>,
    /// Whether, since when and why it no longer counts.
    pub revocation: Option<Revocation>,
}

impl IssuedCertificate {
    /// A certificate that was made just now.
    pub(crate) fn new(
        serial: Serial,
        kind: Kind,
        name: PartyName,
        key: PublicKey,
        validity: Validity,
        now: Time,
        der: Vec<u8>,
    ) -> Self {
        Self {
            serial,
            kind,
            name,
            key,
            not_before: validity.not_before,
            not_after: validity.not_after,
            issued: now,
            der,
            revocation: None,
        }
    }

    /// The party that it is for; a CA is none.
    #[must_use]
    pub const fn owner(&self) -> Option<&Owner> {
        match &self.kind {
            Kind::IssuingCa => None,
            Kind::Party(owner) => Some(owner),
        }
    }
}
