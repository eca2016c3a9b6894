//! What subcommands that deal with other parties have in common.

use std::time::Duration;

use ::ca::CaError;
use keystore::KeyError;
use protocol::Reject;
use protocol::certificate::{CertificateError, PartyName};
use protocol::field::TextError;
use protocol::form::Form;
use server::{Peer, PeerError, Trust, TrustError};
use tokio::runtime::Runtime;

use crate::failure::Failure;

/// Random bytes, for numbers that nobody else shall have.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], Failure> {
    let mut bytes = [0; N];
    let filled = getrandom::fill(&mut bytes);
    filled
        .map_err(|_| Failure::other("no_entropy", "no random bytes from the operating system"))?;
    Ok(bytes)
}

/// Longest time that another party may take to answer.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Another party, for a program that does one thing after the other.
pub(crate) struct Remote {
    /// One for all requests: a connection ends with the runtime that it was made in.
    runtime: Runtime,
    peer: Peer,
}

impl Remote {
    /// A party at this address. Nothing is sent yet.
    pub(crate) fn new(address: &str) -> Result<Self, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(Failure::io("starting the network"))?;
        Ok(Self { runtime, peer: Peer::new(address, TIMEOUT)? })
    }

    pub(crate) fn ask<Request: Form, Reply: Form>(
        &self,
        path: &str,
        message: &Request,
    ) -> Result<Reply, PeerError> {
        self.runtime.block_on(self.peer.ask(path, message))
    }

    pub(crate) fn fetch(&self, path: &str) -> Result<Vec<u8>, PeerError> {
        self.runtime.block_on(self.peer.fetch(path))
    }

    /// Fetches the revocation lists from this party, a CA.
    pub(crate) fn refresh(&self, trust: &Trust) -> Result<(), PeerError> {
        self.runtime.block_on(trust.refresh(&self.peer))
    }
}

/// Reads a party's name on the command line.
pub(crate) fn party_name(text: &str) -> Result<PartyName, TextError> {
    PartyName::new(text)
}

impl From<CaError> for Failure {
    fn from(error: CaError) -> Self {
        Self::other("ca", error)
    }
}

impl From<KeyError> for Failure {
    fn from(error: KeyError) -> Self {
        Self::other("key", error)
    }
}

impl From<CertificateError> for Failure {
    fn from(error: CertificateError) -> Self {
        Self::other("certificate", error)
    }
}

impl From<TrustError> for Failure {
    fn from(error: TrustError) -> Self {
        Self::other("trust", error)
    }
}

impl From<PeerError> for Failure {
    fn from(error: PeerError) -> Self {
        match rejection(&error) {
            Some(reject) => Self::other("rejected", format!("the server refuses: {reject}")),
            None => Self::other("peer", error),
        }
    }
}

/// What a server has answered, if it was one of the protocol's refusals.
pub(crate) fn rejection(error: &PeerError) -> Option<Reject> {
    let PeerError::Refused { text, .. } = error else {
        return None;
    };
    let problem: serde_json::Value = serde_json::from_str(text).ok()?;
    let code = problem.get("code")?.as_u64()?;
    Reject::from_code(u16::try_from(code).ok()?)
}
