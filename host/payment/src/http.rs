//! The routes: messages and certificates for everybody, orders for operators. The only file that
//! names the HTTP library.

use std::sync::Arc;

use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use protocol::Reject;
use protocol::form::Form;
use serde::Serialize;
use serde::de::DeserializeOwned;
use server::{Endpoint, Stop, message};
use tokio::task::spawn_blocking;

use crate::operator::OrderError;
use crate::service::{Fault, Service};
use crate::store::{Failure, StoreError};
use crate::view::Refusal;

/// What the routes share.
#[derive(Clone, Debug)]
pub(crate) struct Shell {
    pub(crate) service: Arc<Service>,
    pub(crate) stop: Stop,
    /// Raw compact certificate for cards.
    pub(crate) compact: Vec<u8>,
    /// The server's X.509 chain in PEM.
    pub(crate) chain: String,
}

impl Shell {
    /// Runs a job with the books on a thread that may block. It runs to its end even when the
    /// asking party has gone.
    async fn run<T: Send + 'static, E: Failure + Send + 'static>(
        &self,
        job: impl FnOnce(&Service) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E> {
        let service = Arc::clone(&self.service);
        let ended = spawn_blocking(move || job(&service)).await;
        let outcome = ended.unwrap_or_else(|error| {
            let text = format!("a request was given up: {error}");
            Err(StoreError::Constraint(text).into())
        });
        if outcome.as_ref().is_err_and(Failure::is_fatal) {
            tracing::error!("stopping: the books cannot be relied on any more");
            self.stop.set();
        }
        outcome
    }

    /// An endpoint for messages of one kind.
    fn endpoint<Request, Reply>(
        &self,
        path: &str,
        answer: fn(&Service, &Request, &[u8]) -> Result<Reply, Fault>,
    ) -> Endpoint
    where
        Request: Form + Send + 'static,
        Reply: Form + Send + 'static,
    {
        let shell = self.clone();
        message(path, move |request: Request, bytes: Vec<u8>| {
            let shell = shell.clone();
            async move {
                let job = move |service: &Service| answer(service, &request, &bytes);
                shell.run(job).await.map_err(|fault| match fault {
                    Fault::Reject(reject) => reject,
                    Fault::Store(error) => {
                        tracing::error!(%error, "not answered");
                        Reject::Unavailable
                    }
                })
            }
        })
    }

    /// What everybody may ask.
    pub(crate) fn public(&self) -> Endpoint {
        let compact = self.compact.clone();
        let chain = self.chain.clone();
        let compact_kind = [(header::CONTENT_TYPE, "application/cose")];
        let chain_kind = [(header::CONTENT_TYPE, "application/pem-certificate-chain")];
        Endpoint::new()
            .route("/compact-certificate", get(move || async move { (compact_kind, compact) }))
            .route("/chain.pem", get(move || async move { (chain_kind, chain) }))
            .merge(
                self.endpoint("/10", |service, request, _| service.nonce(request, server::now())),
            )
            .merge(
                self.endpoint("/30", |service, request, _| service.status(request, server::now())),
            )
            .merge(self.endpoint("/50", |service, request, bytes| {
                service.invoice_state(request, bytes, server::now())
            }))
            .merge(self.endpoint("/150", |service, request, bytes| {
                service.permit(request, bytes, server::now())
            }))
            .merge(self.endpoint("/170", |service, request, bytes| {
                service.book(request, bytes, server::now())
            }))
            .merge(self.endpoint("/190", |service, request, bytes| {
                service.receipt(request, bytes, server::now())
            }))
            .merge(self.endpoint("/1170", |service, request, bytes| {
                service.token(request, bytes, server::now())
            }))
            .merge(self.endpoint("/1190", |service, request, bytes| {
                service.credit(request, bytes, server::now())
            }))
    }

    /// What operators may order and see.
    pub(crate) fn admin(&self) -> Endpoint {
        Endpoint::new()
            .merge(self.desk("/issue", |service, order| service.issue(order, server::now())))
            .merge(
                self.desk("/load-order", |service, order| service.order_load(order, server::now())),
            )
            .merge(
                self.desk("/accept-shop", |service, order| {
                    service.accept_shop(order, server::now())
                }),
            )
            .merge(self.desk("/payments", Service::payments))
            .merge(self.board("/balances", Service::balances))
            .merge(self.board("/cards", Service::cards))
    }

    /// Where operators order things of one kind.
    fn desk<Order, Done>(
        &self,
        path: &str,
        carry_out: fn(&Service, &Order) -> Result<Done, OrderError>,
    ) -> Endpoint
    where
        Order: DeserializeOwned + Send + 'static,
        Done: Serialize + Send + 'static,
    {
        let shell = self.clone();
        let handler = move |Json(order): Json<Order>| async move {
            shell.order(move |service| carry_out(service, &order)).await
        };
        Endpoint::new().route(path, post(handler))
    }

    /// Where operators see something.
    fn board<Seen: Serialize + Send + 'static>(
        &self,
        path: &str,
        look: fn(&Service) -> Result<Seen, OrderError>,
    ) -> Endpoint {
        let shell = self.clone();
        let handler = move || async move { shell.order(look).await };
        Endpoint::new().route(path, get(handler))
    }

    async fn order<T: Serialize + Send + 'static>(
        &self,
        job: impl FnOnce(&Service) -> Result<T, OrderError> + Send + 'static,
    ) -> Response {
        match self.run(job).await {
            Ok(done) => Json(done).into_response(),
            Err(error) => {
                let unavailable = matches!(error, OrderError::Store(_));
                let status = if unavailable {
                    tracing::error!(%error, "order not carried out");
                    StatusCode::SERVICE_UNAVAILABLE
                } else {
                    StatusCode::UNPROCESSABLE_ENTITY
                };
                let refusal = Refusal { code: error.code().to_owned(), text: error.to_string() };
                (status, Json(refusal)).into_response()
            }
        }
    }
}
