//! From the configuration to a running daemon.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use card::Card;
use protocol::field::TextError;
use server::{Peer, PeerError, ServeError, Stop, Trust, TrustError};

use crate::archive::Archive;
use crate::card_thread::CardThread;
use crate::config::Config;
use crate::http;
use crate::outside::{Http, Outside};
use crate::port::CardPort;
use crate::purchase::Url;
use crate::store::{Store, StoreError};
use crate::workflow::Wallet;

/// Who the wallet is busy with after its start.
pub(crate) const RECOVERY: &str = "recovery after the start";

/// Why the daemon cannot run.
#[derive(Debug, thiserror::Error)]
pub enum ServeFailure {
    /// The trusted root.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The CA's URL.
    #[error(transparent)]
    Peer(#[from] PeerError),
    /// The payment server's URL.
    #[error("payment_url: {0}")]
    Url(#[from] TextError),
    /// Listening or serving.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// A folder, a thread or a signal.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// What the system said.
        source: io::Error,
    },
}

fn failed(what: impl ToString) -> impl FnOnce(io::Error) -> ServeFailure {
    let what = what.to_string();
    move |source| ServeFailure::Io { what, source }
}

/// Serves until SIGINT or SIGTERM. `ready` is called with the socket's path when everything
/// answers; recovery runs from then on.
///
/// # Errors
/// [`ServeFailure`].
pub async fn serve(config: Config, ready: impl FnOnce(&Path)) -> Result<(), ServeFailure> {
    let stop = Stop::on_signals().map_err(failed("signals"))?;
    let trust = Trust::from_file(&config.root)?;
    let timeout = Duration::from_secs(config.timeout_s.max(1));
    let ca = Peer::new(&config.ca_url, timeout)?;
    let wallet = Arc::new(open(&config, trust.clone(), timeout)?);
    let socket = config.socket();
    let listener = server::bind_unix(&socket).await?;
    // So that the first certificates are not refused for want of revocation lists.
    if let Err(error) = trust.refresh(&ca).await {
        tracing::warn!(%error, "no revocation lists yet");
    }
    ready(&socket);
    let recovering = tokio::spawn(recover(Arc::clone(&wallet)));
    let refresh = Duration::from_secs(config.lists_refresh_s.max(1));
    let fresh = trust.keep_fresh(ca, refresh, stop.clone());
    let serving = async {
        let served = server::serve_unix(listener, socket, http::routes(wallet), stop.clone()).await;
        stop.set();
        served
    };
    let (served, ()) = tokio::join!(serving, fresh);
    // What it has stored by now is where the next start goes on.
    recovering.abort();
    Ok(served?)
}

fn open(config: &Config, trust: Trust, timeout: Duration) -> Result<Wallet<Http>, ServeFailure> {
    // Evidence is named to programs that may be in another folder.
    let folder = std::path::absolute(&config.folder).map_err(failed(config.folder.display()))?;
    let made = DirBuilder::new().recursive(true).mode(0o700).create(&folder);
    made.map_err(failed(folder.display()))?;
    let archive = folder.join("archive");
    let archive = Archive::open(&archive).map_err(failed(archive.display()))?;
    let store = Store::open(&folder.join("wallet.db"))?;
    let reader = config.reader.clone();
    let card = CardThread::start(Box::new(move || {
        let transport = card::open(reader.as_deref())?;
        Ok(Box::new(Card::new(transport)) as Box<dyn CardPort>)
    }));
    let card = card.map_err(failed("thread"))?;
    let payment_url = Url::new(config.payment_url.trim_end_matches('/'))?;
    Ok(Wallet::new(Http::new(trust, timeout), card, store, archive, payment_url))
}

async fn recover<O: Outside>(wallet: Arc<Wallet<O>>) {
    let Ok(turn) = wallet.turn(RECOVERY) else {
        return;
    };
    match wallet.recover().await {
        Ok(recovery) => tracing::info!(
            purchases = recovery.purchases.len(),
            credits = recovery.credits.len(),
            delivered = recovery.delivered,
            troubles = recovery.troubles.len(),
            "recovered"
        ),
        Err(error) => tracing::error!(%error, "recovery failed"),
    }
    drop(turn);
}
