//! The operator's side of the admin socket. The only file that names the HTTP client.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::view::{
    Balances, Cards, IssueOrder, Issued, LoadOrderMade, LoadOrderOrder, PaymentFilter, Payments,
    Refusal, ShopAccepted, ShopOrder,
};

/// Name of the admin socket in the data folder.
const SOCKET: &str = "admin.sock";

/// How long the server may take.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Where the admin socket of a data folder is.
#[must_use]
pub fn socket(folder: &Path) -> PathBuf {
    folder.join(SOCKET)
}

/// Why an order got no answer, or a refusal.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// Nobody answers at the socket.
    #[error("no payment server answers at {socket}: {reason}")]
    Unreachable {
        /// The admin socket.
        socket: PathBuf,
        /// What went wrong.
        reason: String,
    },
    /// The server does not carry out the order.
    #[error("{}", .0.text)]
    Refused(Refusal),
}

/// A payment server as its operator reaches it: over the socket in its data folder, as the same
/// user.
#[derive(Clone, Debug)]
pub struct Admin {
    socket: PathBuf,
}

impl Admin {
    /// The server of this data folder.
    #[must_use]
    pub fn new(folder: &Path) -> Self {
        Self { socket: socket(folder) }
    }

    /// Issues value into the fund.
    ///
    /// # Errors
    /// [`AdminError`].
    pub async fn issue(&self, order: &IssueOrder) -> Result<Issued, AdminError> {
        self.ask("/issue", Some(order)).await
    }

    /// Makes a load order.
    ///
    /// # Errors
    /// [`AdminError`].
    pub async fn order_load(&self, order: &LoadOrderOrder) -> Result<LoadOrderMade, AdminError> {
        self.ask("/load-order", Some(order)).await
    }

    /// Accepts a shop.
    ///
    /// # Errors
    /// [`AdminError`].
    pub async fn accept_shop(&self, order: &ShopOrder) -> Result<ShopAccepted, AdminError> {
        self.ask("/accept-shop", Some(order)).await
    }

    /// Every account, and whether the books add up.
    ///
    /// # Errors
    /// [`AdminError`].
    pub async fn balances(&self) -> Result<Balances, AdminError> {
        self.ask::<(), _>("/balances", None).await
    }

    /// Payment data 63.
    ///
    /// # Errors
    /// [`AdminError`].
    pub async fn payments(&self, filter: &PaymentFilter) -> Result<Payments, AdminError> {
        self.ask("/payments", Some(filter)).await
    }

    /// Cards that the server has met.
    ///
    /// # Errors
    /// [`AdminError`].
    pub async fn cards(&self) -> Result<Cards, AdminError> {
        self.ask::<(), _>("/cards", None).await
    }

    async fn ask<Q: Serialize, A: DeserializeOwned>(
        &self,
        path: &str,
        body: Option<&Q>,
    ) -> Result<A, AdminError> {
        let unreachable = |error: reqwest::Error| {
            let mut reason = error.to_string();
            if let Some(source) = std::error::Error::source(&error) {
                reason = source.to_string();
            }
            AdminError::Unreachable { socket: self.socket.clone(), reason }
        };
        let client = reqwest::Client::builder()
            .unix_socket(self.socket.as_path())
            .timeout(TIMEOUT)
            .no_proxy()
            .build()
            .map_err(unreachable)?;
        // The host is not looked up: every connection goes to the socket.
        let url = format!("http://localhost{path}");
        let request = match body {
            Some(body) => client.post(url).json(body),
            None => client.get(url),
        };
        let answer = request.send().await.map_err(unreachable)?;
        let is_success = answer.status().is_success();
        let body = answer.bytes().await.map_err(unreachable)?;
        if is_success {
            serde_json::from_slice(&body).map_err(|error| AdminError::Unreachable {
                socket: self.socket.clone(),
                reason: error.to_string(),
            })
        } else {
            let refusal = serde_json::from_slice(&body).unwrap_or_else(|_| Refusal {
                code: "bad_request".to_owned(),
                text: String::from_utf8_lossy(&body).into_owned(),
            });
            Err(AdminError::Refused(refusal))
        }
    }
}
