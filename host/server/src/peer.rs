use std::time::Duration;

use protocol::form::{self, Form, FormError, MESSAGE_MAX};

/// Largest thing that is fetched, in bytes: a revocation list grows with every card that is lost.
const FETCH_MAX: usize = 16 * 1024 * 1024;

/// Why another party gave no answer that can be used.
#[derive(Debug, thiserror::Error)]
pub enum PeerError {
    /// No connection, or none in time. The request may or may not have arrived: ask again.
    #[error("{url} cannot be reached: {reason}")]
    Unreachable {
        /// Where to.
        url: String,
        /// What went wrong.
        reason: String,
    },
    /// It answered with an HTTP error.
    #[error("{url} answered with status {status}: {text}")]
    Refused {
        /// Where to.
        url: String,
        /// The HTTP status.
        status: u16,
        /// What it said, cut to 500 bytes.
        text: String,
    },
    /// Its answer is not the expected message.
    #[error("{url}: {source}")]
    Malformed {
        /// Where to.
        url: String,
        /// What is wrong with it.
        source: FormError,
    },
}

/// Another party that answers messages at a base URL.
#[derive(Clone, Debug)]
pub struct Peer {
    base: String,
    client: reqwest::Client,
}

impl Peer {
    /// A party at `base`, for example `http://127.0.0.1:8080`. Waits at most `timeout` for each
    /// answer. Proxies of the environment are not used.
    ///
    /// # Errors
    /// [`PeerError::Unreachable`] when no HTTP client can be made.
    pub fn new(base: &str, timeout: Duration) -> Result<Self, PeerError> {
        let client = reqwest::Client::builder()
            .timeout(timeout)
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build();
        let base = base.trim_end_matches('/').to_owned();
        match client {
            Ok(client) => Ok(Self { base, client }),
            Err(error) => Err(PeerError::Unreachable { url: base, reason: error.to_string() }),
        }
    }

    /// Where the party is.
    #[must_use]
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Sends a message and waits for its answer.
    ///
    /// # Errors
    /// [`PeerError`].
    pub async fn ask<Request: Form, Reply: Form>(
        &self,
        path: &str,
        message: &Request,
    ) -> Result<Reply, PeerError> {
        let url = self.url(path);
        let request = self.client.post(url).header("content-type", "application/cbor");
        let answer = self.receive(path, request.body(form::encode(message)), MESSAGE_MAX).await?;
        form::decode(&answer).map_err(|source| PeerError::Malformed { url: self.url(path), source })
    }

    /// Fetches what the party serves at a path.
    ///
    /// # Errors
    /// [`PeerError`].
    pub async fn fetch(&self, path: &str) -> Result<Vec<u8>, PeerError> {
        self.receive(path, self.client.get(self.url(path)), FETCH_MAX).await
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    async fn receive(
        &self,
        path: &str,
        request: reqwest::RequestBuilder,
        bytes_max: usize,
    ) -> Result<Vec<u8>, PeerError> {
        let url = self.url(path);
        let unreachable = |error: reqwest::Error| {
            let reason = std::error::Error::source(&error).map(ToString::to_string);
            let reason = reason.unwrap_or_else(|| error.to_string());
            PeerError::Unreachable { url: url.clone(), reason }
        };
        let mut response = request.send().await.map_err(unreachable)?;
        let status = response.status();
        let mut answer = Vec::new();
        while let Some(part) = response.chunk().await.map_err(unreachable)? {
            answer.extend_from_slice(&part);
            if answer.len() > bytes_max {
                return Err(PeerError::Unreachable { url, reason: "answer too long".to_owned() });
            }
        }
        if status.is_success() {
            return Ok(answer);
        }
        answer.truncate(500);
        let text = String::from_utf8_lossy(&answer).into_owned();
        Err(PeerError::Refused { url, status: status.as_u16(), text })
    }
}
