//! M on the wire: the paths of the messages, the catalogue, and the operators' socket. The only
//! file of the crate that names the HTTP server.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use protocol::purchase::{CertificateRequest, OrderMessage, ReceiptCopy};
use serde::Serialize;
use server::now;

use crate::operator::{Operation, Outcome};
use crate::service::Service;
use crate::store::Store;

/// Version of the catalogue's JSON. Members may be added without a new one.
const CATALOGUE_SCHEMA: u32 = 1;

/// Path of the operators' requests on their socket.
pub(crate) const OPERATE_PATH: &str = "/operate";

/// What a wallet needs to order.
#[derive(Debug, Serialize)]
struct Catalogue {
    schema: u32,
    shop: String,
    name: String,
    currency: String,
    currency_digits: u16,
    goods: Vec<CatalogueGood>,
}

#[derive(Debug, Serialize)]
struct CatalogueGood {
    article: String,
    name: String,
    unit_price: u64,
}

/// What everybody may ask: messages 110, 130 and 210, and the catalogue.
pub(crate) fn public(service: &Service) -> Router {
    let (introducing, ordering, completing) = (service.clone(), service.clone(), service.clone());
    let introduce = move |request: CertificateRequest, _| {
        let service = introducing.clone();
        async move { service.introduce(&request) }
    };
    let order = move |message: OrderMessage, bytes: Vec<u8>| {
        let service = ordering.clone();
        async move { service.order(&message, &bytes, now()).await }
    };
    let complete = move |copy: ReceiptCopy, bytes: Vec<u8>| {
        let service = completing.clone();
        async move { service.complete(&copy, &bytes, now()).await }
    };
    Router::new()
        .route("/catalogue", get(catalogue))
        .with_state(service.clone())
        .merge(server::message("/110", introduce))
        .merge(server::message("/130", order))
        .merge(server::message("/210", complete))
}

async fn catalogue(State(service): State<Service>) -> Response {
    let Ok(goods) = service.database().run(Store::goods).await else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    let terms = service.terms();
    let (currency, currency_digits) = terms.currency_name();
    let goods = goods.into_iter().filter(|good| good.active);
    let catalogue = Catalogue {
        schema: CATALOGUE_SCHEMA,
        shop: terms.shop.to_string(),
        name: terms.shop_name.to_string(),
        currency,
        currency_digits,
        goods: goods
            .map(|good| CatalogueGood {
                article: good.article.to_string(),
                name: good.name.to_string(),
                unit_price: good.unit_price.0,
            })
            .collect(),
    };
    Json(catalogue).into_response()
}

/// What operators of the same machine user may ask.
pub(crate) fn operators(service: &Service) -> Router {
    Router::new().route(OPERATE_PATH, post(operate)).with_state(service.clone())
}

async fn operate(
    State(service): State<Service>,
    Json(operation): Json<Operation>,
) -> Json<Outcome> {
    Json(service.operate(operation, now()).await)
}
