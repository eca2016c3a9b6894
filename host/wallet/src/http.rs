//! The local API: JSON over the wallet's own Unix socket. The only file of the crate that names
//! the HTTP library.
//!
//! Every workflow runs as a task of its own, so that it goes on to its next stored state when
//! whoever asked for it has gone.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use apdu_spec::value::RequestId;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{FromRequestParts, Path, Query, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use protocol::purchase::PaymentMode;
use serde::{Deserialize, Serialize};

use crate::catalogue::Wish;
use crate::money::Money;
use crate::outside::Outside;
use crate::purchase::{State as PurchaseState, Url};
use crate::secret::Secret;
use crate::serve::RECOVERY;
use crate::store::{KnownShop, Stored};
use crate::trouble::Trouble;
use crate::view::{
    CreditView, ErrorView, GoodsView, KnownShopView, PurchaseView, RecoveryView, StatusView,
    Versioned,
};
use crate::workflow::{Basket, Decision, Recovery, Turn, Wallet};

/// Header in which a local program names itself, for others that find the wallet busy.
pub const OWNER_HEADER: &str = "x-kozeni-owner";

/// Most rows of a list.
const LIST_MAX: u32 = 1000;

/// How long a workflow waits for the recovery after the start.
const RECOVERY_MAX: Duration = Duration::from_secs(20);

/// How often it looks whether that is done.
const RECOVERY_LOOK: Duration = Duration::from_millis(20);

type Shared<O> = Arc<Wallet<O>>;
type Answer<T> = Result<Json<Versioned<T>>, Failure>;

const fn answer<T>(content: T) -> Json<Versioned<T>> {
    Json(Versioned::new(content))
}

/// Everything that local programs may ask.
pub fn routes<O: Outside>(wallet: Shared<O>) -> Router {
    Router::new()
        .route("/status", get(status::<O>))
        .route("/shops", get(shops::<O>).post(add_shop::<O>))
        .route("/shops/remove", post(remove_shop::<O>))
        .route("/goods", get(goods::<O>))
        .route("/purchases", get(purchases::<O>).post(create::<O>))
        .route("/purchases/{id}", get(purchase::<O>))
        .route("/purchases/{id}/{decision}", post(decide::<O>))
        .route("/credits", get(credits::<O>))
        .route("/load", post(load::<O>))
        .route("/resume", post(resume::<O>))
        .route("/pin", get(tries::<O>))
        .route("/pin/change", post(change_pin::<O>))
        .route("/pin/unblock", post(unblock_pin::<O>))
        .route("/settings", get(settings::<O>).post(change_settings::<O>))
        .with_state(wallet)
}

/// An error as JSON.
struct Failure(Trouble);

impl<E: Into<Trouble>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let status = match self.0.kind() {
            "busy" | "state" => StatusCode::CONFLICT,
            "unknown" => StatusCode::NOT_FOUND,
            "usage" => StatusCode::BAD_REQUEST,
            "no_card" => StatusCode::FAILED_DEPENDENCY,
            "pin_needed" | "pin_wrong" | "refused" => StatusCode::UNPROCESSABLE_ENTITY,
            "unreachable" => StatusCode::BAD_GATEWAY,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        (status, answer(ErrorView::from(&self.0))).into_response()
    }
}

type Body<T> = Result<Json<T>, JsonRejection>;

fn body<T>(body: Body<T>) -> Result<T, Failure> {
    let Json(content) = body.map_err(|error| Trouble::Usage(error.body_text()))?;
    Ok(content)
}

fn query<T>(query: Result<Query<T>, QueryRejection>) -> Result<T, Failure> {
    let Query(content) = query.map_err(|error| Trouble::Usage(error.body_text()))?;
    Ok(content)
}

/// Who asks, for those who find the wallet busy. Cut to 60 characters, without control characters.
struct Owner(String);

impl<S: Sync> FromRequestParts<S> for Owner {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(Self::read(&parts.headers))
    }
}

impl Owner {
    fn read(headers: &HeaderMap) -> Self {
        let name = headers.get(OWNER_HEADER).and_then(|name| name.to_str().ok());
        let name = name.unwrap_or("another program");
        Self(name.chars().filter(|c| !c.is_control()).take(60).collect())
    }
}

/// Runs a workflow to its end, also when nobody waits for it any more.
async fn workflow<O, T, Fut>(
    wallet: &Shared<O>,
    owner: &Owner,
    job: impl FnOnce(Shared<O>) -> Fut,
) -> Result<T, Failure>
where
    O: Outside,
    T: Send + 'static,
    Fut: Future<Output = Result<T, Trouble>> + Send + 'static,
{
    let turn = take_turn(wallet, owner).await?;
    let job = job(Arc::clone(wallet));
    let running = tokio::spawn(async move {
        let done = job.await;
        drop(turn);
        done
    });
    match running.await {
        Ok(done) => Ok(done?),
        Err(_) => Err(Trouble::NoProgress.into()),
    }
}

/// The turn, at once or not at all; only the wallet's own recovery is waited for.
async fn take_turn<O: Outside>(wallet: &Wallet<O>, owner: &Owner) -> Result<Turn, Trouble> {
    let start = Instant::now();
    loop {
        match wallet.turn(&owner.0) {
            Err(Trouble::Busy { owner }) if owner == RECOVERY && start.elapsed() < RECOVERY_MAX => {
                tokio::time::sleep(RECOVERY_LOOK).await;
            }
            turn => return turn,
        }
    }
}

fn view<O: Outside>(
    wallet: &Wallet<O>,
    stored: &Stored<PurchaseState>,
) -> Result<PurchaseView, Trouble> {
    let progress = stored.state.progress();
    let ordering = progress.ordering();
    let pin_needed = wallet.pin_needed(&ordering.holder, ordering.amount);
    let small = ordering.amount.0 <= wallet.threshold()?;
    let mut view = PurchaseView::new(stored, pin_needed, small);
    let path = wallet.archive.bundle_path(ordering.request);
    view.evidence = path.exists().then(|| path.display().to_string());
    let seen = wallet.seen().filter(|seen| seen.facts.card == ordering.holder.card);
    let shown = matches!(stored.state, PurchaseState::InvoiceShown(_));
    if let Some(balance) = seen.filter(|_| shown).map(|seen| seen.facts.status.balance) {
        let after = balance.checked_sub(ordering.amount);
        let money = |amount| Money::new(amount, ordering.currency);
        (view.balance, view.balance_after) = (Some(money(balance)), after.map(money));
    }
    Ok(view)
}

async fn status<O: Outside>(State(wallet): State<Shared<O>>) -> Answer<StatusView> {
    Ok(answer(StatusView {
        card: wallet.card_status().await?.into(),
        busy: wallet.owner(),
        open_purchases: wallet.store.open_purchases()?.len(),
        open_credits: wallet.store.open_credits()?.len(),
        threshold: wallet.threshold()?,
    }))
}

#[derive(Debug, Serialize)]
struct Shops {
    shops: Vec<KnownShopView>,
}

async fn shops<O: Outside>(State(wallet): State<Shared<O>>) -> Answer<Shops> {
    let shops = wallet.store.shops()?.into_iter();
    let shops = shops.map(|KnownShop { url, name }| KnownShopView { url, name }).collect();
    Ok(answer(Shops { shops }))
}

#[derive(Debug, Deserialize)]
struct ShopUrl {
    url: String,
}

async fn add_shop<O: Outside>(
    State(wallet): State<Shared<O>>,
    request: Body<ShopUrl>,
) -> Answer<Shops> {
    let url = url(body(request)?.url)?.to_string();
    // A shop without a readable catalogue is a typing error more often than not.
    wallet.catalogue(&url).await?;
    wallet.store.save_shop(&KnownShop { url, name: None }, wallet.outside.now())?;
    shops(State(wallet)).await
}

async fn remove_shop<O: Outside>(
    State(wallet): State<Shared<O>>,
    request: Body<ShopUrl>,
) -> Answer<Shops> {
    let url = url(body(request)?.url)?;
    if !wallet.store.remove_shop(url.as_str())? {
        return Err(Trouble::Unknown("shop").into());
    }
    shops(State(wallet)).await
}

/// A URL of the web without the slash at its end, so that one shop has one name.
fn url(text: String) -> Result<Url, Trouble> {
    let text = text.trim_end_matches('/');
    let web = text.starts_with("http://") || text.starts_with("https://");
    let url = Url::new(text).ok().filter(|_| web);
    url.ok_or_else(|| Trouble::Usage("a URL begins with http:// or https://".to_owned()))
}

#[derive(Debug, Deserialize)]
struct GoodsQuery {
    shop: String,
}

async fn goods<O: Outside>(
    State(wallet): State<Shared<O>>,
    request: Result<Query<GoodsQuery>, QueryRejection>,
) -> Answer<GoodsView> {
    let url = url(query(request)?.shop)?;
    Ok(answer(wallet.catalogue(url.as_str()).await?.into()))
}

#[derive(Debug, Deserialize)]
struct OrderBody {
    /// Chosen by the client, so that a repeated request is the same purchase.
    purchase: Option<String>,
    shop: String,
    lines: Vec<Wish>,
    #[serde(default = "electronic_money")]
    mode: String,
    /// Only show the order sheet; `order` goes on.
    #[serde(default)]
    draft: bool,
}

fn electronic_money() -> String {
    PaymentMode::ElectronicMoney.name().to_owned()
}

async fn create<O: Outside>(
    State(wallet): State<Shared<O>>,
    owner: Owner,
    request: Body<OrderBody>,
) -> Answer<PurchaseView> {
    let order = body(request)?;
    let usage = |text: &str| Trouble::Usage(text.to_owned());
    let basket = Basket {
        id: order.purchase.as_deref().map(purchase_id).transpose()?,
        shop_url: url(order.shop)?,
        wishes: order.lines,
        mode: PaymentMode::from_name(&order.mode).ok_or_else(|| usage("no such payment mode"))?,
    };
    let draft = order.draft;
    let stored = workflow(&wallet, &owner, move |wallet| async move {
        let stored = wallet.create(&basket).await?;
        let is_new = matches!(stored.state, PurchaseState::OrderShown(_));
        if draft || !is_new {
            return Ok(stored);
        }
        let id = stored.state.progress().ordering().request;
        wallet.decide(id, Decision::Order, None).await
    });
    Ok(answer(view(&wallet, &stored.await?)?))
}

fn purchase_id(text: &str) -> Result<RequestId, Trouble> {
    let wrong = |_| Trouble::Usage("a purchase ID has 32 hexadecimal digits".to_owned());
    text.parse().map_err(wrong)
}

#[derive(Debug, Serialize)]
struct Purchases {
    purchases: Vec<PurchaseView>,
}

#[derive(Debug, Deserialize)]
struct ListQuery {
    count_max: Option<u32>,
}

async fn purchases<O: Outside>(
    State(wallet): State<Shared<O>>,
    request: Result<Query<ListQuery>, QueryRejection>,
) -> Answer<Purchases> {
    let count_max = query(request)?.count_max.unwrap_or(LIST_MAX).min(LIST_MAX);
    let stored = wallet.store.purchases(count_max)?;
    let views = stored.iter().map(|stored| view(&wallet, stored));
    Ok(answer(Purchases { purchases: views.collect::<Result<_, _>>()? }))
}

async fn purchase<O: Outside>(
    State(wallet): State<Shared<O>>,
    Path(id): Path<String>,
) -> Answer<PurchaseView> {
    let stored = wallet.store.purchase(purchase_id(&id)?)?;
    Ok(answer(view(&wallet, &stored.ok_or(Trouble::Unknown("purchase"))?)?))
}

#[derive(Debug, Deserialize)]
struct DecisionBody {
    pin: Option<Secret>,
}

async fn decide<O: Outside>(
    State(wallet): State<Shared<O>>,
    Path((id, decision)): Path<(String, String)>,
    owner: Owner,
    request: Body<DecisionBody>,
) -> Answer<PurchaseView> {
    let id = purchase_id(&id)?;
    let decision = decision_from(&decision).ok_or(Trouble::Unknown("decision"))?;
    let pin = body(request)?.pin.map(|Secret(pin)| pin);
    let stored = workflow(&wallet, &owner, move |wallet| async move {
        let decided = wallet.decide(id, decision, pin).await;
        wallet.settle_suspense().await;
        decided
    });
    Ok(answer(view(&wallet, &stored.await?)?))
}

fn decision_from(name: &str) -> Option<Decision> {
    match name {
        "order" => Some(Decision::Order),
        "accept" => Some(Decision::Accept),
        "decline" => Some(Decision::Decline),
        "confirm" => Some(Decision::Confirm),
        "cancel" => Some(Decision::Cancel),
        "continue" => Some(Decision::Continue),
        _ => None,
    }
}

#[derive(Debug, Serialize)]
struct Credits {
    credits: Vec<CreditView>,
}

async fn credits<O: Outside>(State(wallet): State<Shared<O>>) -> Answer<Credits> {
    let stored = wallet.store.credits(LIST_MAX)?;
    Ok(answer(Credits { credits: stored.iter().map(CreditView::from).collect() }))
}

#[derive(Debug, Deserialize)]
struct LoadBody {
    /// The load order in hexadecimal; without one, P is asked for what waits for the card.
    order: Option<String>,
}

async fn load<O: Outside>(
    State(wallet): State<Shared<O>>,
    owner: Owner,
    request: Body<LoadBody>,
) -> Answer<Credits> {
    let order = body(request)?.order;
    let order = order.as_deref().map(from_hex).transpose()?;
    let stored = workflow(&wallet, &owner, move |wallet| async move {
        match order {
            Some(order) => Ok(vec![wallet.load_order(&order).await?]),
            None => wallet.load().await,
        }
    });
    Ok(answer(Credits { credits: stored.await?.iter().map(CreditView::from).collect() }))
}

fn from_hex(text: &str) -> Result<Vec<u8>, Trouble> {
    let (pairs, odd) = text.as_bytes().as_chunks::<2>();
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let byte = |[high, low]: &[u8; 2]| Some((digit(*high)? << 4) | digit(*low)?);
    let bytes = pairs.iter().map(byte).collect::<Option<Vec<u8>>>();
    let bytes = bytes.filter(|_| odd.is_empty());
    bytes.ok_or_else(|| Trouble::Usage("not hexadecimal digits".to_owned()))
}

async fn resume<O: Outside>(State(wallet): State<Shared<O>>, owner: Owner) -> Answer<RecoveryView> {
    let recovered = workflow(&wallet, &owner, |wallet| async move { wallet.recover().await });
    Ok(answer(recovery_view(&wallet, &recovered.await?)?))
}

fn recovery_view<O: Outside>(
    wallet: &Wallet<O>,
    recovery: &Recovery,
) -> Result<RecoveryView, Trouble> {
    let purchases = recovery.purchases.iter().map(|stored| view(wallet, stored));
    Ok(RecoveryView {
        purchases: purchases.collect::<Result<_, _>>()?,
        credits: recovery.credits.iter().map(CreditView::from).collect(),
        delivered: recovery.delivered,
        troubles: recovery.troubles.iter().map(ToString::to_string).collect(),
    })
}

#[derive(Debug, Serialize)]
struct Tries {
    tries: u8,
}

async fn tries<O: Outside>(State(wallet): State<Shared<O>>) -> Answer<Tries> {
    Ok(answer(Tries { tries: wallet.tries().await? }))
}

#[derive(Debug, Deserialize)]
struct ChangeBody {
    old: Secret,
    new: Secret,
}

async fn change_pin<O: Outside>(
    State(wallet): State<Shared<O>>,
    owner: Owner,
    request: Body<ChangeBody>,
) -> Answer<Tries> {
    let ChangeBody { old: Secret(old), new: Secret(new) } = body(request)?;
    let change = |wallet: Shared<O>| async move { wallet.change_pin(old, new).await };
    workflow(&wallet, &owner, change).await?;
    tries(State(wallet)).await
}

#[derive(Debug, Deserialize)]
struct UnblockBody {
    puk: Secret,
    new: Secret,
}

async fn unblock_pin<O: Outside>(
    State(wallet): State<Shared<O>>,
    owner: Owner,
    request: Body<UnblockBody>,
) -> Answer<Tries> {
    let UnblockBody { puk: Secret(puk), new: Secret(new) } = body(request)?;
    let unblock = |wallet: Shared<O>| async move { wallet.unblock_pin(puk, new).await };
    workflow(&wallet, &owner, unblock).await?;
    tries(State(wallet)).await
}

#[derive(Debug, Serialize, Deserialize)]
struct Settings {
    threshold: u64,
}

async fn settings<O: Outside>(State(wallet): State<Shared<O>>) -> Answer<Settings> {
    Ok(answer(Settings { threshold: wallet.threshold()? }))
}

async fn change_settings<O: Outside>(
    State(wallet): State<Shared<O>>,
    request: Body<Settings>,
) -> Answer<Settings> {
    wallet.set_threshold(body(request)?.threshold)?;
    settings(State(wallet)).await
}
