//! From settings to a running server, and what an operator does without one.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use apdu_spec::value::TransactionId;
use keystore::{KeyError, KeyPair, Passphrase, certificate_request};
use protocol::certificate::PartyName;
use server::{Peer, ServeError, Stop, Trust, now};

use crate::books::OrderState;
use crate::database::Database;
use crate::operator::{self, Operation, OperatorError, Outcome};
use crate::service::{AskError, Service};
use crate::settings::{Settings, SettingsError};
use crate::store::{Store, StoreError};
use crate::{client, http};

/// How long the CA may take to answer.
const CA_TIMEOUT: Duration = Duration::from_secs(10);

/// Most overdue orders that one look at the books brings.
const OVERDUE_MAX: u32 = 100;

/// Why a shop cannot be made, run or asked.
#[derive(Debug, thiserror::Error)]
pub enum ShopError {
    /// The configuration.
    #[error(transparent)]
    Config(#[from] server::ConfigError),
    /// The settings.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The books.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There are no books in the folder.
    #[error("{path} does not exist; make a shop with: kozeni shop init")]
    NoBooks {
        /// The file.
        path: PathBuf,
    },
    /// Listening or serving.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// The CA's URL.
    #[error(transparent)]
    Peer(#[from] server::PeerError),
    /// A file, a thread or a signal.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// What the system said.
        source: io::Error,
    },
    /// The running server was asked and did not answer.
    #[error("the server did not answer: {0}")]
    NoAnswer(String),
    /// An operator does not get what was asked for.
    #[error(transparent)]
    Operator(#[from] OperatorError),
}

fn failed(what: impl ToString) -> impl FnOnce(io::Error) -> ShopError {
    let what = what.to_string();
    move |source| ShopError::Io { what, source }
}

/// What [`init`] has made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewShop {
    /// The encrypted private key.
    pub key: PathBuf,
    /// The request for a certificate (PKCS#10), for the CA.
    pub request: PathBuf,
    /// The books.
    pub books: PathBuf,
}

/// Makes a shop's folder: key, request for a certificate, empty books. What is there already is
/// kept; the request is written anew.
///
/// # Errors
/// [`ShopError`].
pub fn init(folder: &Path, name: &PartyName, passphrase_file: &Path) -> Result<NewShop, ShopError> {
    let passphrase = Passphrase::from_file(passphrase_file)?;
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(failed(folder.display()))?;
    let new = NewShop {
        key: folder.join("key.pem"),
        request: folder.join("request.pem"),
        books: Settings::books(folder),
    };
    let pair = if new.key.exists() {
        KeyPair::load(&new.key, &passphrase)?
    } else {
        let pair = KeyPair::generate()?;
        pair.save(&new.key, &passphrase)?;
        pair
    };
    let request = certificate_request(&pair, name)?;
    fs::write(&new.request, request).map_err(failed(new.request.display()))?;
    Store::create(&new.books)?;
    // Purchasers are nobody else's business.
    let private = fs::Permissions::from_mode(0o600);
    fs::set_permissions(&new.books, private).map_err(failed(new.books.display()))?;
    Ok(new)
}

/// Serves until SIGINT or SIGTERM. `ready` is called with the address when everything answers.
///
/// # Errors
/// [`ShopError`], also when the books failed while serving.
pub async fn serve(settings: Settings, ready: impl FnOnce(SocketAddr)) -> Result<(), ShopError> {
    let stop = Stop::on_signals().map_err(failed("signals"))?;
    let trust = Trust::from_file(&settings.root).map_err(SettingsError::Trust)?;
    let key = settings.server_key()?;
    let terms = settings.terms(&trust, now())?;
    let ca = Peer::new(&settings.ca_url, CA_TIMEOUT)?;
    let store = open(&settings.folder)?;
    let socket = Settings::socket(&settings.folder);
    let admin = server::bind_unix(&socket).await?;
    let listener = server::bind(settings.listen).await?;
    let address = listener.local_addr().map_err(failed(settings.listen))?;
    let stopping = stop.clone();
    let started = Database::start(store, move || stopping.set());
    let (database, thread) = started.map_err(failed("thread"))?;
    let service = Service::new(Arc::new(key), trust.clone(), terms, database);
    // So that the first orders are not refused for want of revocation lists.
    if let Err(error) = trust.refresh(&ca).await {
        tracing::warn!(%error, "no revocation lists yet");
    }
    let (public, operators) = (http::public(&service), http::operators(&service));
    let refresh = Duration::from_secs(settings.refresh_s.max(1));
    let fresh = trust.keep_fresh(ca, refresh, stop.clone());
    let releasing = release_overdue(service, settings.ask_s, stop.clone());
    let serving = server::serve(listener, public, stop.clone());
    let operating = server::serve_unix(admin, socket, operators, stop.clone());
    ready(address);
    let end = |served| {
        stop.set();
        served
    };
    let (served, operated, (), ()) = tokio::join!(
        async { end(serving.await) },
        async { end(operating.await) },
        fresh,
        releasing
    );
    // Every way to the books is gone now, so their thread ends.
    let closed = tokio::task::spawn_blocking(move || thread.join()).await;
    if let Ok(Ok(closed)) = closed {
        closed?;
    }
    served?;
    Ok(operated?)
}

/// Asks P about orders past their due time, again and again, until it is time to stop.
async fn release_overdue(service: Service, every_s: u64, stop: Stop) {
    let every = Duration::from_secs(every_s.max(1));
    loop {
        tokio::select! {
            () = ask_about_overdue(&service) => {}
            () = stop.wait() => return,
        }
        tokio::select! {
            () = tokio::time::sleep(every) => {}
            () = stop.wait() => return,
        }
    }
}

/// One walk through all overdue orders, oldest first.
async fn ask_about_overdue(service: &Service) {
    let (mut after, mut silent) = (None, BTreeSet::new());
    loop {
        let (begin, time) = (after, now());
        let job = move |store: &Store| store.overdue(time, begin, OVERDUE_MAX);
        let Ok(orders) = service.database().run(job).await else {
            return;
        };
        let Some(last) = orders.last() else {
            return;
        };
        after = Some((last.due, last.transaction));
        for order in &orders {
            let transaction = order.transaction;
            match ask_about(service, transaction, &mut silent).await {
                Ok(None) => {}
                Ok(Some(state)) => {
                    tracing::info!(%transaction, state = state.name(), "overdue order");
                }
                Err(error) => tracing::warn!(%transaction, %error, "overdue order waits"),
            }
        }
    }
}

/// Asks about one order, unless its payment server was silent before on this walk: others, whose
/// invoices name another one, must not wait for it.
async fn ask_about(
    service: &Service,
    transaction: TransactionId,
    silent: &mut BTreeSet<String>,
) -> Result<Option<OrderState>, AskError> {
    let (query, url) = service.question(transaction, false, now()).await?;
    if silent.contains(&url) {
        return Ok(None);
    }
    let asked = service.ask_payment(&url, &query).await;
    if asked.is_err() {
        silent.insert(url);
    }
    let state = service.take_answer(transaction, asked?, None, now()).await;
    state.map(Some)
}

/// Does what an operator asks for: at the running server, or on the books where none runs.
///
/// # Errors
/// [`ShopError`].
pub async fn operate(folder: &Path, operation: Operation) -> Result<operator::Report, ShopError> {
    let socket = Settings::socket(folder);
    let outcome: Outcome = if UnixStream::connect(&socket).is_ok() {
        let asked = client::ask(&socket, &operation).await;
        asked.map_err(ShopError::NoAnswer)?
    } else {
        open(folder)?.transaction(|store| operator::perform(store, operation, now()))?
    };
    Ok(outcome?)
}

fn open(folder: &Path) -> Result<Store, ShopError> {
    let path = Settings::books(folder);
    if path.exists() { Ok(Store::open(&path)?) } else { Err(ShopError::NoBooks { path }) }
}
