//! The CA's server: enrolment of cards, and what everybody may fetch. A thin shell: everything is
//! decided in [`Ca`].
//!
//! | | |
//! |---|---|
//! | `GET /root.pem`, `/issuing.pem` | the CA's certificates |
//! | `GET /card-root` | the card root key, 128 hexadecimal digits: x, y |
//! | `GET /lists/root.crl`, `/lists/issuing.crl` | revocation lists in DER |
//! | `POST /enrolment/nonce` | 70 → 71 |
//! | `POST /enrolment` | 72 → 73 |

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use apdu_spec::value::Time;
use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use keystore::Passphrase;
use protocol::Reject;
use protocol::enrolment::{
    ENROLMENT_PATH, EnrolmentNonceReply, EnrolmentNonceRequest, EnrolmentReply, EnrolmentRequest,
    NONCE_PATH,
};
use protocol::field::Number;
use serde::Deserialize;
use server::Stop;

use crate::authority::{Ca, IssuingKey};
use crate::folder::Folder;
use crate::{CaError, write_pem};

const DAY_S: u64 = 24 * 3600;

/// The root's list must be signed by hand: its end is told this much before.
const ROOT_LIST_WARNING: Duration = Duration::from_secs(30 * DAY_S);

/// Configuration of the server.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The CA's folder.
    pub folder: PathBuf,
    /// File with the issuing key's passphrase in its first line.
    pub passphrase_file: PathBuf,
    /// Where to listen. Loopback unless said otherwise.
    #[serde(default = "default_listen")]
    pub listen: SocketAddr,
    /// Life of the issuing CA's revocation list in seconds.
    #[serde(default = "default_list_life_s")]
    pub list_life_s: u64,
    /// Validity of holders' certificates in days.
    #[serde(default = "default_holder_days")]
    pub holder_days: u64,
}

fn default_listen() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, 7401))
}

const fn default_list_life_s() -> u64 {
    DAY_S
}

const fn default_holder_days() -> u64 {
    3 * 365
}

/// Serves until SIGINT or SIGTERM; `ready` is told the address as soon as it is listened on.
///
/// # Errors
/// [`CaError`] when the CA cannot be opened or the address not be listened on.
pub fn serve(settings: &Settings, ready: impl FnOnce(SocketAddr)) -> Result<(), CaError> {
    let runtime = tokio::runtime::Runtime::new().map_err(CaError::system)?;
    runtime.block_on(async {
        let stop = Stop::on_signals().map_err(CaError::system)?;
        serve_until(settings, ready, stop).await
    })
}

/// Serves until it is time to stop.
///
/// # Errors
/// As [`serve`].
pub async fn serve_until(
    settings: &Settings,
    ready: impl FnOnce(SocketAddr),
    stop: Stop,
) -> Result<(), CaError> {
    let service = Service::open(settings)?;
    service.warn_of_root_list(server::now());
    let listener = server::bind(settings.listen).await?;
    let address = listener.local_addr().map_err(CaError::system)?;
    tracing::info!(%address, "CA serves");
    ready(address);
    Ok(server::serve(listener, service.router(), stop).await?)
}

/// The open CA, shared by all requests, one of which uses it at a time.
#[derive(Clone)]
struct Service {
    open: Arc<Mutex<(Ca, IssuingKey)>>,
    list_life: Duration,
    holder_validity: Duration,
}

impl Service {
    fn open(settings: &Settings) -> Result<Self, CaError> {
        let ca = Ca::open(Folder::new(&settings.folder))?;
        let key = ca.unlock(&Passphrase::from_file(&settings.passphrase_file)?)?;
        Ok(Self {
            open: Arc::new(Mutex::new((ca, key))),
            list_life: Duration::from_secs(settings.list_life_s),
            holder_validity: Duration::from_secs(settings.holder_days.saturating_mul(DAY_S)),
        })
    }

    fn warn_of_root_list(&self, now: Time) {
        let end = self.with(|ca, _| ca.root_list_end());
        match end {
            Err(error) => tracing::error!(%error, "no revocation list of the root"),
            Ok(end) if end.0.saturating_sub(now.0) < ROOT_LIST_WARNING.as_secs() => {
                tracing::warn!("the root's revocation list ends soon: run kozeni ca list-root");
            }
            Ok(_) => {}
        }
    }

    fn with<T>(&self, run: impl FnOnce(&Ca, &IssuingKey) -> T) -> T {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let (ca, key) = &*open;
        run(ca, key)
    }

    /// Runs on a thread that may wait for the disk. What goes wrong inside the CA is logged, and
    /// the other side told to come back later.
    async fn run<T: Send + 'static>(
        &self,
        run: impl FnOnce(&Self) -> Result<T, CaError> + Send + 'static,
    ) -> Result<T, Reject> {
        let service = self.clone();
        match tokio::task::spawn_blocking(move || run(&service)).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => {
                tracing::error!(%error, "request not answered");
                Err(Reject::Unavailable)
            }
            Err(error) => {
                tracing::error!(%error, "request not answered");
                Err(Reject::Unavailable)
            }
        }
    }

    fn router(self) -> Router {
        const PEM: &str = "application/pem-certificate-chain";
        const LIST: &str = "application/pkix-crl";
        const TEXT: &str = "text/plain";
        let document = |kind, read| self.document(kind, read);
        let nonces = self.clone();
        let enrolments = self.clone();
        Router::new()
            .route(
                "/root.pem",
                document(PEM, |service| {
                    service.with(|ca, _| Ok(write_pem(&[ca.root().to_vec()])?.into_bytes()))
                }),
            )
            .route(
                "/issuing.pem",
                document(PEM, |service| {
                    service.with(|ca, _| Ok(write_pem(&[ca.issuing().to_vec()])?.into_bytes()))
                }),
            )
            .route(
                "/card-root",
                document(TEXT, |service| {
                    service.with(|ca, _| Ok(format!("{}\n", ca.card_root()).into_bytes()))
                }),
            )
            .route(
                "/lists/root.crl",
                document(LIST, |service| service.with(|ca, _| ca.root_list())),
            )
            .route(
                "/lists/issuing.crl",
                document(LIST, |service| {
                    let life = service.list_life;
                    service.with(|ca, key| ca.issuing_list(key, server::now(), life))
                }),
            )
            .merge(server::message(NONCE_PATH, move |request, _| nonces.clone().nonce(request)))
            .merge(server::message(ENROLMENT_PATH, move |request, _| {
                enrolments.clone().enrol(request)
            }))
    }

    /// Something to fetch.
    fn document(
        &self,
        kind: &'static str,
        read: fn(&Self) -> Result<Vec<u8>, CaError>,
    ) -> axum::routing::MethodRouter {
        let service = self.clone();
        get(move || {
            let service = service.clone();
            async move {
                match service.run(read).await {
                    Ok(body) => ([(header::CONTENT_TYPE, kind)], body).into_response(),
                    Err(reject) => unavailable(reject),
                }
            }
        })
    }

    async fn nonce(self, _request: EnrolmentNonceRequest) -> Result<EnrolmentNonceReply, Reject> {
        let nonce = self.run(|service| service.with(|ca, _| ca.nonce(server::now())));
        Ok(EnrolmentNonceReply { number: Number, nonce: nonce.await? })
    }

    async fn enrol(self, request: EnrolmentRequest) -> Result<EnrolmentReply, Reject> {
        let answer = self.run(move |service| {
            let validity = service.holder_validity;
            service.with(|ca, key| ca.enrol(key, &request, validity, server::now()))
        });
        let answer = answer.await?;
        match &answer {
            Ok(_) => tracing::info!("card enrolled"),
            Err(reject) => tracing::warn!(code = reject.code(), "enrolment refused"),
        }
        answer
    }
}

fn unavailable(reject: Reject) -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, reject.text()).into_response()
}
