use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use apdu_spec::value::Time;
use protocol::certificate::{Authority, CertificateError, Party, Role};

use crate::{Peer, PeerError, Stop};

/// Where a CA serves its revocation lists.
const LIST_PATHS: [&str; 2] = ["/lists/root.crl", "/lists/issuing.crl"];

/// A trusted root that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("trusted root {path}: {reason}")]
pub struct TrustError {
    path: String,
    reason: String,
}

/// The trusted root and the newest revocation lists, shared by all parts of a process.
#[derive(Clone, Debug)]
pub struct Trust {
    authority: Arc<RwLock<Authority>>,
}

impl From<Authority> for Trust {
    fn from(authority: Authority) -> Self {
        Self { authority: Arc::new(RwLock::new(authority)) }
    }
}

impl Trust {
    /// Trusts the root certificate in a PEM file.
    ///
    /// # Errors
    /// [`TrustError`] when the file cannot be read or holds no certificate.
    pub fn from_file(path: &Path) -> Result<Self, TrustError> {
        let failed = |reason: String| TrustError { path: path.display().to_string(), reason };
        let pem = std::fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
        let certificates = protocol::certificate::read_pem(&pem);
        let [root] = certificates.as_slice() else {
            return Err(failed("must hold exactly one certificate".to_owned()));
        };
        let authority = Authority::new(root).map_err(|error| failed(error.to_string()))?;
        Ok(Self::from(authority))
    }

    /// As [`Authority::verify`].
    ///
    /// # Errors
    /// [`CertificateError`].
    pub fn verify(
        &self,
        chain: &[Vec<u8>],
        role: Role,
        at: Time,
    ) -> Result<Party, CertificateError> {
        self.read(|authority| authority.verify(chain, role, at))
    }

    /// As [`Authority::identify`].
    ///
    /// # Errors
    /// [`CertificateError`].
    pub fn identify(
        &self,
        chain: &[Vec<u8>],
        role: Role,
        at: Time,
    ) -> Result<Party, CertificateError> {
        self.read(|authority| authority.identify(chain, role, at))
    }

    /// A copy of root and lists as they are now.
    #[must_use]
    pub fn authority(&self) -> Authority {
        self.read(Authority::clone)
    }

    fn read<T>(&self, read: impl FnOnce(&Authority) -> T) -> T {
        read(&self.authority.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Fetches the revocation lists from the CA once. What is not newer than the lists at hand
    /// changes nothing.
    ///
    /// # Errors
    /// [`PeerError`] when the CA does not answer; the old lists stay in force until they end.
    pub async fn refresh(&self, ca: &Peer) -> Result<(), PeerError> {
        for path in LIST_PATHS {
            let list = ca.fetch(path).await?;
            let mut authority = self.authority.write().unwrap_or_else(PoisonError::into_inner);
            if let Err(error) = authority.renew_list(&list) {
                tracing::warn!(%error, path, "the CA served no revocation list");
            }
        }
        Ok(())
    }

    /// Fetches the revocation lists again and again until it is time to stop.
    pub async fn keep_fresh(self, ca: Peer, every: Duration, stop: Stop) {
        loop {
            if let Err(error) = self.refresh(&ca).await {
                tracing::warn!(%error, "revocation lists not refreshed");
            }
            tokio::select! {
                () = tokio::time::sleep(every) => {}
                () = stop.wait() => return,
            }
        }
    }
}
