//! Why a payment server cannot be made or run.

use std::io;
use std::path::{Path, PathBuf};

use keystore::KeyError;
use server::{ConfigError, PeerError, ServeError, TrustError};

use crate::admin::AdminError;
use crate::service::StartError;
use crate::store::StoreError;

/// Why a payment server cannot be made, run or reached.
#[derive(Debug, thiserror::Error)]
pub enum PaymentError {
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The trusted root.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// Listening or serving.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// The CA's URL.
    #[error(transparent)]
    Peer(#[from] PeerError),
    /// Parts that do not fit together.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The books.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The admin socket.
    #[error(transparent)]
    Admin(#[from] AdminError),
    /// A file.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl PaymentError {
    /// An error with a file.
    pub fn file(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { path, source }
    }

    /// A word that programs can branch on.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Config(_) => "bad_configuration",
            Self::Key(_) => "bad_key",
            Self::Trust(_) => "bad_root",
            Self::Serve(_) => "not_serving",
            Self::Peer(_) => "unreachable",
            Self::Start(_) => "mismatch",
            Self::Store(_) => "books",
            Self::Admin(AdminError::Unreachable { .. }) => "not_running",
            Self::Admin(AdminError::Refused(_)) => "refused",
            Self::File { .. } => "io",
        }
    }
}
