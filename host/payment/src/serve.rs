//! Starting and running a payment server.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use apdu_spec::CompactCertificate;
use apdu_spec::cose::Sign1;
use keystore::{KeyPair, Passphrase, ServerKey};
use protocol::certificate::read_pem;
use protocol::signed::Signer;
use server::{Peer, Stop, Trust, bind, bind_unix, serve_unix};

use crate::admin;
use crate::config::Config;
use crate::error::PaymentError;
use crate::http::Shell;
use crate::init;
use crate::outbox;
use crate::service::{Service, StartError};
use crate::store::Store;

/// How long the CA may take to answer.
const CA_TIMEOUT: Duration = Duration::from_secs(10);

/// Runs a payment server until it is time to stop. `ready` is told the address once requests are
/// answered there.
///
/// # Errors
/// [`PaymentError`] when it cannot start, or cannot rely on its books any more.
pub async fn serve(
    config: &Config,
    stop: Stop,
    ready: impl FnOnce(SocketAddr),
) -> Result<(), PaymentError> {
    let signer = read_key(config)?;
    let compact = read_compact(&config.compact_certificate, &signer)?;
    let chain = to_pem(&init::read(&config.chain)?);
    let trust = Trust::from_file(&config.root)?;
    // Held first: it shows that no other process serves this folder.
    let socket = admin::socket(&config.folder);
    let admin_listener = bind_unix(&socket).await?;
    let store = Store::open(&init::books(&config.folder))?;
    let now = server::now();
    let (signer, policy) = (Box::new(signer), config.policy());
    let service = Arc::new(Service::new(store, trust.clone(), signer, policy, now)?);
    check_books(config, &service, &compact)?;
    let ca = Peer::new(&config.ca_url, CA_TIMEOUT)?;
    if let Err(error) = trust.refresh(&ca).await {
        tracing::warn!(%error, "no revocation lists: everything is refused until there are some");
    }
    let listener = bind(config.listen).await?;
    let address = listener.local_addr().map_err(server::ServeError::Ended)?;
    let every = Duration::from_secs(config.lists_refresh_s.max(1));
    let lists = tokio::spawn(trust.keep_fresh(ca, every, stop.clone()));
    let pushes = tokio::spawn(outbox::keep_pushing(Arc::clone(&service), stop.clone()));
    let shell =
        Shell { service: Arc::clone(&service), stop: stop.clone(), compact: compact.bytes, chain };
    let public = stopping(server::serve(listener, shell.public(), stop.clone()), stop.clone());
    let admin =
        stopping(serve_unix(admin_listener, socket, shell.admin(), stop.clone()), stop.clone());
    ready(address);
    let (public, admin) = tokio::join!(public, admin);
    // Both end by themselves once it is time to stop.
    let _ = tokio::join!(lists, pushes);
    public.and(admin)?;
    service.store.require_whole()?;
    Ok(())
}

/// Whatever ends, ends everything.
async fn stopping<T>(part: impl Future<Output = T>, stop: Stop) -> T {
    let ended = part.await;
    stop.set();
    ended
}

fn read_key(config: &Config) -> Result<ServerKey, PaymentError> {
    let passphrase = Passphrase::from_file(&config.passphrase_file)?;
    let pair = KeyPair::load(&config.key, &passphrase)?;
    let chain = read_pem(&init::read(&config.chain)?);
    Ok(ServerKey::new(pair, chain)?)
}

/// A compact certificate with the bytes that cards read.
struct Compact {
    content: CompactCertificate,
    bytes: Vec<u8>,
}

fn read_compact(path: &Path, signer: &ServerKey) -> Result<Compact, PaymentError> {
    let bytes = std::fs::read(path).map_err(PaymentError::file(path))?;
    let wrong = |reason: String| {
        let text = format!("compact certificate {}: {reason}", path.display());
        StartError::Mismatch(text)
    };
    let content = Sign1::read(&bytes)
        .and_then(|sign1| CompactCertificate::decode(sign1.payload))
        .map_err(|error| wrong(error.to_string()))?;
    if content.key != signer.public_key() {
        return Err(wrong("it is for another key".to_owned()).into());
    }
    Ok(Compact { content, bytes })
}

/// Configuration, certificates and books must be of one server: a card of another issuer or
/// currency would take nothing from it.
fn check_books(config: &Config, service: &Service, compact: &Compact) -> Result<(), StartError> {
    let own = &service.own;
    if compact.content.issuer != own.issuer {
        let text = "compact certificate and books are of different issuers";
        return Err(StartError::Mismatch(text.to_owned()));
    }
    if config.currency != own.currency {
        let text = format!("the books are in currency {:03}", own.currency.0);
        return Err(StartError::Mismatch(text));
    }
    Ok(())
}

/// The certificates of a PEM file and nothing else of it.
fn to_pem(text: &str) -> String {
    let mut inside = false;
    let mut pem = String::new();
    for line in text.lines().map(str::trim) {
        inside |= line == "-----BEGIN CERTIFICATE-----";
        if inside {
            pem.push_str(line);
            pem.push('\n');
        }
        inside &= line != "-----END CERTIFICATE-----";
    }
    pem
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_certificates_are_served() {
        let text = "x\n-----BEGIN PRIVATE KEY-----\nAA\n-----END PRIVATE KEY-----\n\
                    -----BEGIN CERTIFICATE-----\nBB\n-----END CERTIFICATE-----\ny\n";
        let expected = "-----BEGIN CERTIFICATE-----\nBB\n-----END CERTIFICATE-----\n";
        assert_eq!(to_pem(text), expected);
    }
}
