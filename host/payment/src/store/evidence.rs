//! Evidence: every signed thing as it was signed. Nothing changes or removes a row.

use apdu_spec::record::Record;
use apdu_spec::value::{Hash, Time};
use protocol::certificate::Party;
use protocol::signed::{Verified, VerifiedRecord, sha256};

use super::{Books, StoreError};

/// What a piece of evidence is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Certificates,
    Invoice,
    InvoiceQuestion,
    DebitRequest,
    Permit,
    DebitRecord,
    Receipt,
    SuspenseNotice,
    IssueRecord,
    LoadOrder,
    CreditRequest,
    CreditToken,
    CreditRecord,
    BurnedSlot,
    CreditAcknowledgement,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Certificates => "certificates",
            Self::Invoice => "invoice",
            Self::InvoiceQuestion => "invoice question",
            Self::DebitRequest => "debit request",
            Self::Permit => "permit",
            Self::DebitRecord => "debit record",
            Self::Receipt => "receipt",
            Self::SuspenseNotice => "suspense notice",
            Self::IssueRecord => "issue record",
            Self::LoadOrder => "load order",
            Self::CreditRequest => "credit request",
            Self::CreditToken => "credit token",
            Self::CreditRecord => "credit record",
            Self::BurnedSlot => "burned slot",
            Self::CreditAcknowledgement => "credit acknowledgement",
        }
    }
}

impl Books<'_> {
    /// Keeps a document.
    pub(crate) fn keep<T>(
        &self,
        kind: Kind,
        document: &Verified<T>,
        now: Time,
    ) -> Result<(), StoreError> {
        self.keep_bytes(kind, &document.hash(), document.bytes(), now)
    }

    /// Keeps a card record, permit or token.
    pub(crate) fn keep_record<R: Record>(
        &self,
        kind: Kind,
        record: &VerifiedRecord<R>,
        now: Time,
    ) -> Result<(), StoreError> {
        self.keep_bytes(kind, &record.hash(), record.bytes(), now)
    }

    /// Keeps a certificate chain, which card records need to be checked later. Its name is the
    /// SHA-256 of its bytes.
    pub(crate) fn keep_chain(&self, chain: &[Vec<u8>], now: Time) -> Result<Hash, StoreError> {
        let bytes = chain.concat();
        let hash = sha256(&bytes);
        self.keep_bytes(Kind::Certificates, &hash, &bytes, now)?;
        Ok(hash)
    }

    /// The same content with another signature is the same evidence (Invariant I).
    fn keep_bytes(
        &self,
        kind: Kind,
        hash: &Hash,
        bytes: &[u8],
        now: Time,
    ) -> Result<(), StoreError> {
        self.execute(
            "INSERT INTO evidence (hash, kind, bytes, time) VALUES ($1, $2, $3, $4)
             ON CONFLICT (hash) DO NOTHING",
            &[hash.into(), kind.name().into(), bytes.into(), now.into()],
        )?;
        Ok(())
    }
}

/// A party together with the chain that shows who it is.
#[derive(Clone, Debug)]
pub(crate) struct Introduced {
    pub(crate) party: Party,
    pub(crate) chain: Vec<Vec<u8>>,
}
