use std::path::{Path, PathBuf};

use apdu_spec::value::Generation;
use keystore::KeyError;
use protocol::field::TextError;
use server::{ConfigError, ServeError};

use crate::books::BooksError;

/// Why the CA did not do what its operator asked.
#[derive(Debug, thiserror::Error)]
pub enum CaError {
    /// A private key could not be made, written or read.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The database could not be used.
    #[error(transparent)]
    Books(#[from] BooksError),
    /// A file could not be read or written.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// There is something in the folder already.
    #[error("{path} exists and is not empty; a CA is never overwritten")]
    Exists {
        /// The folder.
        path: PathBuf,
    },
    /// A file does not hold what belongs there.
    #[error("{path}: {reason}")]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// Keys are not kept without a passphrase.
    #[error("the passphrase is empty")]
    EmptyPassphrase,
    /// A name that a certificate cannot carry.
    #[error(transparent)]
    Name(#[from] TextError),
    /// A payer ID that a certificate cannot carry.
    #[error("a payer ID has 1 to 32 of: letters A to Z, digits, space, ' ( ) + , - . / : = ?")]
    PayerId,
    /// The file is not a request for a certificate of a P-256 key, or not signed by that key.
    #[error("not a certificate request (PKCS#10) of a P-256 key: {0}")]
    Request(String),
    /// A certificate or list could not be made.
    #[error("certificate cannot be made: {0}")]
    Certificate(String),
    /// Generations of an issuer's key only rise, so that cards can withdraw the old key.
    #[error("generation {generation} is used: the next one of this issuer is {next}")]
    Generation {
        /// The generation asked for.
        generation: Generation,
        /// The lowest that is free.
        next: u64,
    },
    /// One key, one party.
    #[error("this key is certified already for another party, certificate {serial}")]
    KeyInUse {
        /// Serial number of that certificate.
        serial: String,
    },
    /// The holder is known under another name.
    #[error("payer {payer} is registered under the name {name:?}")]
    OtherName {
        /// The payer ID.
        payer: String,
        /// The name in the books.
        name: String,
    },
    /// A new holder needs a name.
    #[error("no holder with this payer ID is registered; a new one needs a name")]
    UnknownHolder,
    /// No certificate that is not revoked already fits.
    #[error("no certificate fits that is not revoked already")]
    NothingToRevoke,
    /// The system's source of randomness failed.
    #[error("no random bytes from the operating system")]
    NoEntropy,
    /// The system refuses something that every server needs.
    #[error("system: {0}")]
    System(String),
    /// The configuration cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The server cannot listen or go on.
    #[error(transparent)]
    Serve(#[from] ServeError),
}

impl CaError {
    pub(crate) fn file(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { path, source }
    }

    pub(crate) fn content(path: &Path, reason: impl ToString) -> Self {
        Self::Content { path: path.to_owned(), reason: reason.to_string() }
    }

    pub(crate) fn system(reason: impl ToString) -> Self {
        Self::System(reason.to_string())
    }

    pub(crate) fn certificate(reason: impl ToString) -> Self {
        Self::Certificate(reason.to_string())
    }
}
