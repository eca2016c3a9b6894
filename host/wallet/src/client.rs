//! Local programs ask the wallet's daemon over its socket. The only file of the crate that names
//! the HTTP client.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::http::OWNER_HEADER;
use crate::view::{ErrorContent, ErrorView};

/// Longer than the daemon gives itself for an answer.
const TIMEOUT: Duration = Duration::from_secs(40);

/// Why the daemon did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// No daemon answers there.
    #[error("no wallet answers at {socket}: {reason}")]
    NoDaemon {
        /// The socket.
        socket: PathBuf,
        /// What went wrong.
        reason: String,
    },
    /// It takes longer; the wallet goes on with it.
    #[error("not done yet; the wallet goes on with it")]
    NotDoneYet,
    /// The daemon says why.
    #[error("{}", .0.text)]
    Wallet(Box<ErrorContent>),
}

/// A way to the daemon.
#[derive(Clone, Debug)]
pub struct Client {
    socket: PathBuf,
    client: reqwest::Client,
    owner: String,
}

impl Client {
    /// The daemon behind this socket. `owner` is who asks, for others that find it busy.
    ///
    /// # Errors
    /// [`ClientError::NoDaemon`] when no HTTP client can be made.
    pub fn new(socket: &Path, owner: &str) -> Result<Self, ClientError> {
        let client = reqwest::Client::builder().unix_socket(socket).timeout(TIMEOUT).build();
        let client = client.map_err(|error| ClientError::NoDaemon {
            socket: socket.to_owned(),
            reason: error.to_string(),
        })?;
        Ok(Self { socket: socket.to_owned(), client, owner: owner.to_owned() })
    }

    /// Asks for something at a path.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn fetch<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        self.receive(self.client.get(url(path))).await
    }

    /// Asks for something to be done.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn send<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, ClientError> {
        self.receive(self.client.post(url(path)).json(body)).await
    }

    async fn receive<T: DeserializeOwned>(
        &self,
        request: reqwest::RequestBuilder,
    ) -> Result<T, ClientError> {
        let failed = |error: reqwest::Error| ClientError::NoDaemon {
            socket: self.socket.clone(),
            reason: root_cause(&error),
        };
        let response = request.header(OWNER_HEADER, &self.owner).send().await.map_err(failed)?;
        let status = response.status();
        if status == reqwest::StatusCode::REQUEST_TIMEOUT {
            return Err(ClientError::NotDoneYet);
        }
        if status.is_success() {
            return response.json().await.map_err(failed);
        }
        let ErrorView { error } = response.json().await.map_err(failed)?;
        Err(ClientError::Wallet(Box::new(error)))
    }
}

/// What the system said, below all that libraries have put around it.
fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

/// The host is not used: the socket says who answers.
fn url(path: &str) -> String {
    format!("http://wallet{path}")
}
