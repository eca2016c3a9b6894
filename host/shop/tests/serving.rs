//! The whole server: settings from a file, messages over HTTP, the operators' socket, and a payment
//! server that is asked about overdue orders.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::time::Duration;

use apdu_spec::value::Nonce;
use keystore::ServerKey;
use protocol::certificate::{PartyName, Role};
use protocol::document::Invoice;
use protocol::field::Number;
use protocol::purchase::{
    Answer, CertificateReply, CertificateRequest, CompletionReply, InvoiceMessage, ShopIntroduction,
};
use protocol::query::{InvoiceQuery, InvoiceQuestion, InvoiceReply, InvoiceState, PaymentState};
use protocol::signed::{Signed, Signer, Verified};
use server::{Peer, PeerError, Stop, now};
use shop::books::OrderState;
use shop::operator::{Operation, OperatorError, Report};
use shop::{Settings, ShopError, Store};

use crate::fixture::{Draft, SHOP, granted, line};
use crate::world::{World, pem};

/// The example in the repository, which every user begins with.
const EXAMPLE: &str = include_str!("../shop.example.toml");

struct Running {
    world: World,
    holder: ServerKey,
    folder: tempfile::TempDir,
    shop: Peer,
    serving: tokio::task::JoinHandle<Result<(), ShopError>>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// Makes a shop as an operator does and starts its server.
async fn start(due_s: u64) -> Running {
    let world = World::new();
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    write_private(&path("passphrase"), "correct horse\n");
    let name = PartyName::new("Tokyo Mail Order").unwrap();
    let new = shop::init(folder.path(), &name, &path("passphrase")).unwrap();
    // A second time changes nothing.
    assert_eq!(shop::init(folder.path(), &name, &path("passphrase")).unwrap(), new);
    let request = std::fs::read_to_string(&new.request).unwrap();
    let chain = world.certify_request(Role::Shop, name.as_str(), 7, &request);
    let payment = world.certify(Role::PaymentServer, "ABC Money Collection", 3, None);
    std::fs::write(path("chain.pem"), pem(&chain)).unwrap();
    std::fs::write(path("payment.pem"), pem(payment.chain())).unwrap();
    std::fs::write(path("root.pem"), pem(&[world.root().to_vec()])).unwrap();
    let ca = serve_lists(world.lists(None));
    let payment = serve_answers(payment).await;
    for operation in [good("A", "Article A", 1000), good("C", "Article C", 1500)] {
        shop::operate(folder.path(), operation).await.unwrap();
    }
    let settings = EXAMPLE
        .replace("http://127.0.0.1:7401", &format!("http://{ca}"))
        .replace("http://127.0.0.1:7403", &format!("http://{payment}"))
        .replace("due_s = 172800", &format!("due_s = {due_s}"))
        .replace("ask_s = 60", "ask_s = 1")
        .replace("127.0.0.1:7402", "127.0.0.1:0")
        .replace("\"shop", &format!("\"{}", folder.path().display()));
    std::fs::write(path("shop.toml"), settings).unwrap();
    let settings = Settings::load(&path("shop.toml"), None).unwrap();
    assert_eq!(shop::folder(Some(&path("shop.toml")), None).unwrap(), settings.folder);
    let (ready, address) = tokio::sync::oneshot::channel();
    let serving = tokio::spawn(shop::serve(settings, move |address| {
        ready.send(address).unwrap();
    }));
    let Ok(address) = address.await else {
        panic!("{:?}", serving.await);
    };
    let shop = Peer::new(&format!("http://{address}"), Duration::from_secs(10)).unwrap();
    let holder = world.certify(Role::Holder, "Hanako", 9, Some("3789817"));
    Running { world, holder, folder, shop, serving }
}

fn good(article: &str, name: &str, unit_price: u64) -> Operation {
    Operation::AddGood { article: article.to_owned(), name: name.to_owned(), unit_price }
}

fn write_private(path: &Path, text: &str) {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = std::fs::OpenOptions::new();
    let file = options.write(true).create_new(true).mode(0o600).open(path);
    file.unwrap().write_all(text.as_bytes()).unwrap();
}

/// A CA's web server as far as a shop needs it.
fn serve_lists([root, issuing]: [Vec<u8>; 2]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = [0; 4096];
            let length = stream.read(&mut request).unwrap_or(0);
            let issued = request[..length].starts_with(b"GET /lists/issuing.crl ");
            let list = if issued { &issuing } else { &root };
            let length = list.len();
            let head =
                format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
            let _ = stream.write_all(&[head.as_bytes(), list].concat());
        }
    });
    address
}

/// A payment server that cancels what it is asked to cancel, and takes no payment.
async fn serve_answers(key: ServerKey) -> SocketAddr {
    let key = std::sync::Arc::new(key);
    let answer = move |query: InvoiceQuery, _| {
        let key = key.clone();
        async move {
            let question = Signed::<InvoiceQuestion>::parse(&query.question).unwrap();
            let invoice = Signed::<Invoice>::parse(&question.claims().invoice).unwrap();
            let past_due = now() > invoice.claims().due;
            let state = InvoiceState {
                number: Number,
                invoice_hash: invoice.hash(),
                state: match (question.claims().cancel, past_due) {
                    (true, _) => PaymentState::Cancelled,
                    (false, true) => PaymentState::PastDue,
                    (false, false) => PaymentState::Unpaid,
                },
                time: now(),
                receipt: None,
            };
            let state = Signed::seal(state, &*key).unwrap();
            Ok(InvoiceReply {
                number: Number,
                answer: Answer::Granted(state.bytes().to_vec().into()),
            })
        }
    };
    let listener = server::bind(([127, 0, 0, 1], 0).into()).await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = Stop::on_signals().unwrap();
    tokio::spawn(server::serve(listener, server::message("/50", answer), stop));
    address
}

impl Running {
    async fn order(&self, draft: &Draft) -> Verified<Invoice> {
        let message = draft.message(&self.holder);
        let reply: InvoiceMessage = self.shop.ask("/130", &message).await.unwrap();
        let invoice = Signed::<Invoice>::parse(&granted(&reply.answer)).unwrap();
        let authority = self.world.authority(None);
        let party = authority.verify(invoice.chain(), Role::Shop, now()).unwrap();
        invoice.open(&party.key).unwrap()
    }

    async fn show(&self, invoice: &Invoice) -> (OrderState, usize) {
        let show = Operation::ShowOrder { transaction: invoice.transaction };
        let shown = shop::operate(self.folder.path(), show).await;
        let Ok(Report::Order(detail)) = shown else {
            panic!("{shown:?}");
        };
        (detail.order.state, detail.notes.len())
    }
}

#[tokio::test]
async fn a_wallet_finds_goods_and_orders_them() {
    let running = start(172_800).await;
    let catalogue = running.shop.fetch("/catalogue").await.unwrap();
    let catalogue: serde_json::Value = serde_json::from_slice(&catalogue).unwrap();
    let expected = serde_json::json!({
        "schema": 1, "shop": SHOP.to_string(), "name": "Tokyo Mail Order",
        "currency": "JPY", "currency_digits": 0,
        "goods": [
            {"article": "A", "name": "Article A", "unit_price": 1000},
            {"article": "C", "name": "Article C", "unit_price": 1500},
        ],
    });
    assert_eq!(catalogue, expected);

    let request = CertificateRequest { number: Number, nonce: Nonce([1; 16]) };
    let reply: CertificateReply = running.shop.ask("/110", &request).await.unwrap();
    let introduction = Signed::<ShopIntroduction>::parse(&reply.introduction).unwrap();
    let authority = running.world.authority(None);
    let party = authority.verify(introduction.chain(), Role::Shop, now()).unwrap();
    assert_eq!(introduction.open(&party.key).unwrap().nonce, request.nonce);

    let draft = Draft::new(1);
    let invoice = running.order(&draft).await;
    assert_eq!(running.order(&draft).await.bytes(), invoice.bytes());
    assert_eq!(running.show(&invoice).await, (OrderState::Acknowledged, 0));
    // What is not the expected message is a problem of HTTP, with the stable code.
    let strange: Result<CompletionReply, _> = running.shop.ask("/130", &request).await;
    let Err(PeerError::Refused { status, text, .. }) = strange else {
        panic!("{strange:?}");
    };
    assert_eq!(status, 400);
    assert!(text.contains("\"code\":101"), "{text}");
}

#[tokio::test]
async fn the_running_server_obeys_its_operators() {
    let running = start(172_800).await;
    let add = good("B", "Article B", 10);
    shop::operate(running.folder.path(), add).await.unwrap();
    let mut draft = Draft::new(2);
    draft.lines.push(line("B", "Article B", 1, 10));
    draft.list();
    let invoice = running.order(&draft).await;
    let cancel =
        || Operation::Cancel { transaction: invoice.transaction, operator: "Taro".to_owned() };
    shop::operate(running.folder.path(), cancel()).await.unwrap();
    assert_eq!(running.show(&invoice).await, (OrderState::Cancelled, 1));
    let again = shop::operate(running.folder.path(), cancel()).await;
    assert!(again.is_ok());
}

#[tokio::test]
async fn an_overdue_order_is_released() {
    let running = start(1).await;
    let invoice = running.order(&Draft::new(1)).await;
    for _ in 0..100 {
        if running.show(&invoice).await == (OrderState::Released, 0) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("not released in ten seconds");
}

#[tokio::test]
async fn without_a_server_only_the_payment_server_cannot_be_asked() {
    let fixture = crate::fixture::Fixture::new();
    let invoice = fixture.ordered(&fixture.service(), &Draft::new(1)).await;
    let cancel =
        Operation::Cancel { transaction: invoice.transaction, operator: "Taro".to_owned() };
    let outcome = shop::operate(fixture.folder.path(), cancel).await;
    let expected = OperatorError::NotRunning;
    assert!(matches!(outcome, Err(ShopError::Operator(error)) if error == expected));
    let goods = shop::operate(fixture.folder.path(), Operation::ListGoods).await;
    assert!(matches!(goods, Ok(Report::Goods(goods)) if goods.len() == 2));
    let empty = tempfile::tempdir().unwrap();
    let goods = shop::operate(empty.path(), Operation::ListGoods).await;
    assert!(matches!(goods, Err(ShopError::NoBooks { .. })));
    assert!(Store::open(&Settings::books(empty.path())).is_err());
}
