//! What the wallet needs from outside besides the card: other parties, time, trust, chance.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use apdu_spec::value::Time;
use protocol::certificate::Authority;
use protocol::form::Form;
use server::{Peer, PeerError, Trust};

/// The outside world. Replaced in tests.
pub trait Outside: Send + Sync + 'static {
    /// The wallet's clock. Deadlines are P's affair; this one only orders what people see and
    /// judges certificates.
    fn now(&self) -> Time;

    /// The trusted root and the revocation lists at hand.
    fn authority(&self) -> Authority;

    /// Fresh random bytes; `None` when the system has none.
    fn random(&self) -> Option<[u8; 16]>;

    /// Sends a message to the party at `base` and waits for its answer.
    fn ask<Request: Form + Sync, Reply: Form>(
        &self,
        base: &str,
        path: &str,
        message: &Request,
    ) -> impl Future<Output = Result<Reply, PeerError>> + Send;

    /// Fetches what the party at `base` serves at a path.
    fn fetch(
        &self,
        base: &str,
        path: &str,
    ) -> impl Future<Output = Result<Vec<u8>, PeerError>> + Send;
}

/// The outside world over HTTP.
#[derive(Debug)]
pub struct Http {
    trust: Trust,
    timeout: Duration,
    peers: Mutex<HashMap<String, Peer>>,
}

impl Http {
    /// Parties over HTTP, with at most `timeout` for each answer.
    #[must_use]
    pub fn new(trust: Trust, timeout: Duration) -> Self {
        Self { trust, timeout, peers: Mutex::new(HashMap::new()) }
    }

    fn peer(&self, base: &str) -> Result<Peer, PeerError> {
        let mut peers = self.peers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(peer) = peers.get(base) {
            return Ok(peer.clone());
        }
        let peer = Peer::new(base, self.timeout)?;
        peers.insert(base.to_owned(), peer.clone());
        Ok(peer)
    }
}

impl Outside for Http {
    fn now(&self) -> Time {
        server::now()
    }

    fn authority(&self) -> Authority {
        self.trust.authority()
    }

    fn random(&self) -> Option<[u8; 16]> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).ok()?;
        Some(bytes)
    }

    async fn ask<Request: Form + Sync, Reply: Form>(
        &self,
        base: &str,
        path: &str,
        message: &Request,
    ) -> Result<Reply, PeerError> {
        self.peer(base)?.ask(path, message).await
    }

    async fn fetch(&self, base: &str, path: &str) -> Result<Vec<u8>, PeerError> {
        self.peer(base)?.fetch(path).await
    }
}
