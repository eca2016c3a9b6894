//! Checks an evidence bundle offline: every signature and every link of the bound chain, with the
//! CA's root certificate alone and at the time of the receipt.
//!
//! ```text
//! order ──hash──▶ invoice 51 ◀──hash── request (52) ◀──same──▶ permit ◀──same──▶ debit record
//!                     ▲                                                             ▲
//!                     └────────────────────hash── receipt 53 ──hash────────────────┘
//!                                                     ▲
//!                                   completion ──hash─┘
//! ```

mod purchase;

use protocol::bundle::Bundle;
use protocol::certificate::Authority;
use protocol::form;

pub use purchase::{Proof, ProvedLine};

/// The first document of a bundle that does not stand, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{document}: {reason}")]
pub struct Failure {
    /// Which document.
    pub document: &'static str,
    /// What is wrong with it.
    pub reason: String,
}

impl Failure {
    fn new(document: &'static str, reason: impl ToString) -> Self {
        Self { document, reason: reason.to_string() }
    }
}

/// Checks a bundle against the CA's root certificate in DER.
///
/// # Errors
/// [`Failure`] names the first document that does not stand.
pub fn verify(bundle: &[u8], root: &[u8]) -> Result<Proof, Failure> {
    let bundle: Bundle =
        form::decode(bundle).map_err(|error| Failure::new("bundle", error.reason))?;
    let mut authority =
        Authority::new(root).map_err(|error| Failure::new("root certificate", error))?;
    for list in &bundle.lists {
        authority.add_list(list).map_err(|error| Failure::new("revocation list", error))?;
    }
    purchase::verify(&bundle, &authority)
}
