use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::DefaultBodyLimit;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::serve::{Listener, ListenerExt};
use protocol::Reject;
use protocol::form::{self, Form, MESSAGE_MAX};
use tokio::net::unix::SocketAddr as UnixAddr;
use tokio::net::{TcpListener, UnixListener, UnixStream};
use tokio::sync::watch;
use tower_http::timeout::TimeoutLayer;

/// Longest time for one request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// Why a server cannot listen or go on.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Bind {
        /// The address or path.
        address: String,
        /// What the system said.
        source: io::Error,
    },
    /// Serving ended with an error.
    #[error("serving ended: {0}")]
    Ended(#[from] io::Error),
}

/// Tells all parts of a process to stop.
#[derive(Clone, Debug)]
pub struct Stop {
    sender: watch::Sender<bool>,
}

impl Stop {
    /// Stops on SIGINT or SIGTERM.
    ///
    /// # Errors
    /// The system's error when signals cannot be handled.
    pub fn on_signals() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let stop = Self { sender: watch::Sender::new(false) };
        let trigger = stop.clone();
        tokio::spawn(async move {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            tracing::info!("stopping");
            trigger.set();
        });
        Ok(stop)
    }

    /// Tells everybody to stop.
    pub fn set(&self) {
        self.sender.send_replace(true);
    }

    /// Waits until it is time to stop.
    pub async fn wait(&self) {
        let mut receiver = self.sender.subscribe();
        // The sender lives in self, so waiting cannot fail.
        let _ = receiver.wait_for(|stop| *stop).await;
    }
}

/// Where messages of one kind are answered, as part of a router.
pub type Endpoint = Router;

/// Answers messages POSTed to `path`. A body that is not the expected message is answered with
/// status 400 and the refusal "malformed" as problem details (RFC 9457), and changes nothing.
pub fn message<Request, Reply, Answer, Handler>(path: &str, handler: Handler) -> Endpoint
where
    Request: Form + Send + 'static,
    Reply: Form + Send + 'static,
    Answer: Future<Output = Result<Reply, Reject>> + Send + 'static,
    Handler: Fn(Request, Vec<u8>) -> Answer + Clone + Send + Sync + 'static,
{
    let answer = move |body: Bytes| async move {
        match form::decode::<Request>(&body) {
            Err(error) => problem(Reject::Malformed, &error.to_string()),
            Ok(request) => match handler(request, body.to_vec()).await {
                Ok(reply) => cbor(form::encode(&reply)),
                Err(reject) => problem(reject, reject.text()),
            },
        }
    };
    Router::new().route(path, post(answer))
}

fn cbor(body: Vec<u8>) -> Response {
    ([(header::CONTENT_TYPE, "application/cbor")], body).into_response()
}

/// Problem details: stable code, cause, and whether trying again can help.
fn problem(reject: Reject, detail: &str) -> Response {
    let unavailable = reject == Reject::Unavailable;
    let status =
        if unavailable { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::BAD_REQUEST };
    let body = serde_json::json!({
        "title": reject.text(),
        "code": reject.code(),
        "detail": detail,
        "retry": format!("{:?}", reject.retry()).to_lowercase(),
    });
    let kind = [(header::CONTENT_TYPE, "application/problem+json")];
    (status, kind, body.to_string()).into_response()
}

/// Opens a listening TCP socket.
///
/// # Errors
/// [`ServeError::Bind`].
pub async fn bind(address: SocketAddr) -> Result<TcpListener, ServeError> {
    let bound = TcpListener::bind(address).await;
    bound.map_err(|source| ServeError::Bind { address: address.to_string(), source })
}

/// Serves until it is time to stop; requests that run are finished first.
///
/// # Errors
/// [`ServeError::Ended`].
pub async fn serve(listener: TcpListener, router: Router, stop: Stop) -> Result<(), ServeError> {
    let listener = listener.tap_io(|stream| {
        // Answers are small: without this they wait for the other side's acknowledgement.
        let _ = stream.set_nodelay(true);
    });
    let ended = async move { stop.wait().await };
    Ok(axum::serve(listener, limited(router)).with_graceful_shutdown(ended).await?)
}

fn limited(router: Router) -> Router {
    router
        .layer(DefaultBodyLimit::max(MESSAGE_MAX))
        .layer(TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, REQUEST_TIMEOUT))
}

/// Opens a Unix socket of mode 0600 in a folder of mode 0700, replacing one that a killed process
/// left behind. Whether the user is the same is checked again at each connection.
///
/// # Errors
/// [`ServeError::Bind`], also when another process still listens there.
pub async fn bind_unix(path: &Path) -> Result<UnixListener, ServeError> {
    let failed = |source| ServeError::Bind { address: path.display().to_string(), source };
    if let Some(folder) = path.parent() {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
    }
    if UnixStream::connect(path).await.is_ok() {
        return Err(failed(io::Error::from(io::ErrorKind::AddrInUse)));
    }
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    let listener = UnixListener::bind(path).map_err(failed)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).map_err(failed)?;
    Ok(listener)
}

/// Serves local programs of the same user until it is time to stop, then removes the socket.
///
/// # Errors
/// [`ServeError::Ended`].
pub async fn serve_unix(
    listener: UnixListener,
    path: PathBuf,
    router: Router,
    stop: Stop,
) -> Result<(), ServeError> {
    let owner = std::fs::metadata(&path)?.uid();
    let ended = async move { stop.wait().await };
    let listener = SameUser { listener, owner };
    let served = axum::serve(listener, limited(router)).with_graceful_shutdown(ended).await;
    let _ = std::fs::remove_file(&path);
    Ok(served?)
}

/// Accepts connections of one user only.
struct SameUser {
    listener: UnixListener,
    owner: u32,
}

impl Listener for SameUser {
    type Io = UnixStream;
    type Addr = UnixAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (stream, address) = Listener::accept(&mut self.listener).await;
            match stream.peer_cred() {
                Ok(peer) if peer.uid() == self.owner => return (stream, address),
                Ok(peer) => tracing::warn!(uid = peer.uid(), "refused a connection"),
                Err(error) => tracing::warn!(%error, "refused a connection"),
            }
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}
