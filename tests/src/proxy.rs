//! A proxy between two parties that records every message and, when told so, loses, repeats,
//! delays or holds it, as a bad network would.

use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

/// A message that went through a proxy.
#[derive(Clone, Debug, Serialize)]
pub struct Message {
    /// Its number in the protocol.
    pub no: u16,
    /// What it is part of: `purchase`, `load`, `push` (P tells M unasked) or `query`.
    pub flow: &'static str,
    /// Who sent it.
    pub from: &'static str,
    /// Who received it.
    pub to: &'static str,
    /// Size on the wire without HTTP's headers.
    pub bytes: usize,
    /// When, in milliseconds since the first message.
    pub ms: f64,
    /// The message itself.
    #[serde(skip)]
    pub body: Vec<u8>,
}

/// What a proxy does to the next message with a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It never arrives; the sender sees a broken connection.
    Lose,
    /// It arrives twice; the second answer is passed on.
    Repeat,
    /// It arrives later.
    Delay(Duration),
    /// It waits until [`Record::release`]; a test kills somebody meanwhile.
    Hold,
    /// The sender sees a broken connection; the message arrives later all the same.
    Late(Duration),
}

/// Messages of all proxies of one world, in the order in which they passed.
#[derive(Clone, Debug, Default)]
pub struct Record {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    inner: Mutex<Inner>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Inner {
    begin: Option<Instant>,
    messages: Vec<Message>,
    fault: Option<(u16, Fault)>,
    held: Option<u16>,
}

impl Record {
    /// All messages so far.
    #[must_use]
    pub fn messages(&self) -> Vec<Message> {
        self.lock().messages.clone()
    }

    /// Plans a fault for the next message with this number.
    pub fn plan(&self, no: u16, fault: Fault) {
        self.lock().fault = Some((no, fault));
    }

    /// Whether the planned fault has not happened yet.
    #[must_use]
    pub fn is_pending(&self) -> bool {
        self.lock().fault.is_some()
    }

    /// Waits until a message is held; `false` after `timeout`.
    #[must_use]
    pub fn wait_held(&self, timeout: Duration) -> bool {
        let waiting = |inner: &mut Inner| inner.held.is_none();
        let inner = self.lock();
        let (inner, _) = self
            .shared
            .changed
            .wait_timeout_while(inner, timeout, waiting)
            .unwrap_or_else(PoisonError::into_inner);
        inner.held.is_some()
    }

    /// Lets a held message go on.
    pub fn release(&self) {
        self.lock().held = None;
        self.shared.changed.notify_all();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.shared.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take_fault(&self, no: Option<u16>) -> Option<Fault> {
        let mut inner = self.lock();
        let (_, fault) = inner.fault.take_if(|(planned, _)| Some(*planned) == no)?;
        if fault == Fault::Hold {
            inner.held = no;
            self.shared.changed.notify_all();
        }
        Some(fault)
    }

    async fn hold(&self) {
        while self.lock().held.is_some() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    fn note(&self, body: &[u8], from: &'static str, to: &'static str) {
        let Some(no) = number(body) else { return };
        let mut inner = self.lock();
        let begin = *inner.begin.get_or_insert_with(Instant::now);
        let ms = begin.elapsed().as_secs_f64() * 1000.0;
        let flow = flow(no, from, to);
        let (bytes, body) = (body.len(), body.to_vec());
        inner.messages.push(Message { no, flow, from, to, bytes, ms, body });
    }
}

/// The number of a message: label 0 of its CBOR map.
fn number(body: &[u8]) -> Option<u16> {
    let mut decoder = minicbor::Decoder::new(body);
    decoder.map().ok()??;
    if decoder.u8().ok()? == 0 { decoder.u16().ok() } else { None }
}

fn flow(no: u16, from: &str, to: &str) -> &'static str {
    match no {
        210 | 220 if [from, to].contains(&"payment") => "push",
        110..=220 => "purchase",
        1150..=1200 => "load",
        _ => "query",
    }
}

/// A running proxy in front of one party.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    upstream: Arc<Mutex<String>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

#[derive(Clone)]
struct Link {
    record: Record,
    from: &'static str,
    to: &'static str,
    upstream: Arc<Mutex<String>>,
    client: reqwest::Client,
}

impl Proxy {
    /// Starts a proxy on a free loopback port: messages of `from` go on to `to`, whose address is
    /// given by [`Proxy::point`].
    #[must_use]
    pub fn start(record: &Record, from: &'static str, to: &'static str) -> Self {
        let upstream = Arc::new(Mutex::new(String::new()));
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let link = Link { record: record.clone(), from, to, upstream: upstream.clone(), client };
        let (stop, stopped) = oneshot::channel();
        let (ready, address) = std::sync::mpsc::channel();
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async move {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                ready.send(listener.local_addr().unwrap()).unwrap();
                let router = Router::new().fallback(pass).with_state(link);
                tokio::select! {
                    served = async { axum::serve(listener, router).await } => served.unwrap(),
                    _ = stopped => {}
                }
            });
        });
        Self { address: address.recv().unwrap(), upstream, stop: Some(stop), thread: Some(thread) }
    }

    /// The proxy's own address for the sender.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Says where the receiver listens (again, after it was started anew).
    pub fn point(&self, upstream: &str) {
        upstream.clone_into(&mut self.upstream.lock().unwrap());
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn pass(State(link): State<Link>, method: Method, uri: Uri, body: Bytes) -> Response {
    link.record.note(&body, link.from, link.to);
    let path = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
    let send = || link.clone().forward(method.clone(), path.clone(), body.clone());
    match link.take_fault(&body) {
        None => {}
        Some(Fault::Lose) => return broken(),
        Some(Fault::Repeat) => drop(send().await),
        Some(Fault::Delay(delay)) => tokio::time::sleep(delay).await,
        Some(Fault::Hold) => link.record.hold().await,
        Some(Fault::Late(delay)) => {
            let late = send();
            tokio::spawn(async move {
                tokio::time::sleep(delay).await;
                drop(late.await);
            });
            return broken();
        }
    }
    let Ok((status, kind, answer)) = send().await else { return broken() };
    link.record.note(&answer, link.to, link.from);
    match link.take_fault(&answer) {
        Some(Fault::Lose | Fault::Late(_)) => return broken(),
        Some(Fault::Delay(delay)) => tokio::time::sleep(delay).await,
        Some(Fault::Hold) => link.record.hold().await,
        Some(Fault::Repeat) | None => {}
    }
    (status, [("content-type", kind)], answer).into_response()
}

impl Link {
    /// Faults are for the wallet's messages; what servers tell each other goes on undisturbed.
    fn take_fault(&self, message: &[u8]) -> Option<Fault> {
        let of_wallet = [self.from, self.to].contains(&"wallet");
        if of_wallet { self.record.take_fault(number(message)) } else { None }
    }

    async fn forward(
        self,
        method: Method,
        path: String,
        body: Bytes,
    ) -> Result<(StatusCode, String, Bytes), reqwest::Error> {
        let upstream = self.upstream.lock().unwrap().clone();
        let request = self.client.request(method, format!("{upstream}{path}"));
        let response = request.header("content-type", "application/cbor").body(body).send().await?;
        let kind = response.headers().get("content-type").and_then(|kind| kind.to_str().ok());
        let kind = kind.unwrap_or("application/octet-stream").to_owned();
        Ok((response.status(), kind, response.bytes().await?))
    }
}

/// What a sender sees of a message that got lost: no usable answer.
fn broken() -> Response {
    (StatusCode::BAD_GATEWAY, "lost on the way").into_response()
}
