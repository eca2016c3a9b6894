//! The whole server over HTTP and its admin socket, on the real clock.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use apdu_spec::CompactCertificate;
use apdu_spec::cose::{self, Sign1};
use apdu_spec::value::{Generation, Time};
use keystore::{KeyPair, Passphrase};
use protocol::certificate::{PartyName, Role};
use protocol::document::Receipt;
use protocol::field::Number;
use protocol::form::{Form, encode};
use protocol::load::{CreditReply, CreditReport, LoadOrder, TokenReply, TokenRequest};
use protocol::purchase::{
    Answer, Booking, Completion, CompletionReply, PermitReply, PermitRequest, ReceiptCopy,
    ReceiptReply, ValueMessage,
};
use protocol::signed::{Signed, Verified, key_id, sha256};
use server::{Peer, Stop};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::authority::Subject;
use super::card::{SoftCard, TestSigner, YEN};
use super::world::{ISSUER, World};
use crate::admin::Admin;
use crate::view::{IssueOrder, LoadOrderOrder, ShopOrder, from_hex};
use crate::{Config, Flags, NewServer, PaymentError};

const TIMEOUT: Duration = Duration::from_secs(20);

/// Answers every GET whose path ends like one of these.
async fn serve_files(files: Vec<(&'static str, Vec<u8>)>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 4096];
            let length = stream.read(&mut request).await.unwrap();
            let request = String::from_utf8_lossy(&request[..length]).into_owned();
            let path = request.split(' ').nth(1).unwrap_or_default();
            let file = files.iter().find(|(name, _)| path.ends_with(name));
            let body = file.map(|(_, body)| body.clone()).unwrap_or_default();
            let length = body.len();
            let head =
                format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n");
            stream.write_all(&[head.as_bytes(), &body].concat()).await.unwrap();
        }
    });
    address
}

/// A payment server's folder, with everything that a CA gives it.
fn prepare(world: &mut World, folder: &Path, ca: SocketAddr) -> Config {
    let secret = folder.join("passphrase");
    std::fs::write(&secret, "correct horse\n").unwrap();
    std::fs::set_permissions(&secret, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let data = folder.join("data");
    let name = PartyName::new("Payment server").unwrap();
    let new = NewServer {
        folder: &data,
        issuer: ISSUER,
        currency: YEN,
        name: &name,
        passphrase_file: &secret,
        ca_url: &format!("http://{ca}"),
    };
    let made = new.make().unwrap();
    assert!(matches!(new.make(), Err(PaymentError::Key(_))), "nothing is overwritten");
    let pair = KeyPair::load(&made.key, &Passphrase::new("correct horse")).unwrap();
    let subject = Subject {
        role: Role::PaymentServer,
        number: ISSUER.0,
        name: "Payment server",
        payer: None,
        until: 2045,
    };
    let certified = world.ca.certify(&pair, &subject);
    std::fs::write(data.join("chain.pem"), certified.pem).unwrap();
    std::fs::write(data.join("root.pem"), world.ca.root_pem()).unwrap();
    let compact = compact_certificate(&pair);
    std::fs::write(data.join("compact-certificate.cose"), compact).unwrap();
    world.signer = TestSigner { pair: Arc::new(pair), chain: certified.chain };
    let listen = Some("127.0.0.1:0".parse().unwrap());
    Config::load(&made.config, &Flags { listen }).unwrap()
}

fn compact_certificate(pair: &KeyPair) -> Vec<u8> {
    let card_root = KeyPair::generate().unwrap();
    let content =
        CompactCertificate { issuer: ISSUER, generation: Generation(1), key: pair.public_key() };
    let payload = content.encode().unwrap();
    let kid = key_id(&card_root.public_key());
    let structure = cose::sig_structure(kid, payload.as_bytes()).unwrap();
    let signature = card_root.sign(structure.as_bytes()).unwrap();
    let sign1 = Sign1 { kid, payload: payload.as_bytes(), signature };
    sign1.write().unwrap().as_bytes().to_vec()
}

/// A shop that refuses the first push and takes the second.
async fn serve_shop(world: &World, stop: Stop) -> (SocketAddr, Arc<Mutex<Vec<Vec<u8>>>>) {
    let received = Arc::new(Mutex::new(Vec::new()));
    let signer = world.shop.signer.clone();
    let seen = Arc::clone(&received);
    let route = server::message("/210", move |copy: ReceiptCopy, _| {
        let (signer, seen) = (signer.clone(), Arc::clone(&seen));
        async move {
            let mut seen = seen.lock().unwrap();
            seen.push(copy.receipt.to_vec());
            if seen.len() == 1 {
                return Err(protocol::Reject::Unavailable);
            }
            let receipt = Signed::<Receipt>::parse(&copy.receipt).unwrap();
            let completion = Completion {
                number: Number,
                transaction: receipt.claims().transaction,
                receipt_hash: receipt.hash(),
                time: server::now(),
            };
            let completion = Signed::seal(completion, &signer).unwrap();
            let answer = Answer::Granted(completion.bytes().to_vec().into());
            Ok(CompletionReply { number: Number, answer })
        }
    });
    let listener = server::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(server::serve(listener, route, stop));
    (address, received)
}

struct Running {
    stop: Stop,
    peer: Peer,
    ended: JoinHandle<Result<(), PaymentError>>,
}

async fn start(config: &Config) -> Running {
    let (sender, receiver) = tokio::sync::oneshot::channel();
    let stop = Stop::on_signals().unwrap();
    let (config, ending) = (config.clone(), stop.clone());
    let ended = tokio::spawn(async move {
        let ready = |address| sender.send(address).unwrap();
        crate::serve(&config, ending, ready).await
    });
    let address = receiver.await.unwrap();
    let peer = Peer::new(&format!("http://{address}"), TIMEOUT).unwrap();
    Running { stop, peer, ended }
}

fn granted(answer: Answer) -> Vec<u8> {
    match answer {
        Answer::Granted(bytes) => bytes.to_vec(),
        Answer::Refused(bytes) => {
            panic!("{:?}", Signed::<protocol::purchase::Refused>::parse(&bytes))
        }
    }
}

async fn ask<Q: Form, A: Form>(running: &Running, path: &str, message: &Q) -> A {
    running.peer.ask(path, message).await.unwrap()
}

async fn load(running: &Running, admin: &Admin, world: &World, card: &mut SoftCard) {
    let operator = "Olga".to_owned();
    let order = IssueOrder { id: None, amount: 1000, operator: operator.clone() };
    assert_eq!(admin.issue(&order).await.unwrap().fund, 1000);
    let order = LoadOrderOrder { id: None, card: card.id, amount: 500, expires: None, operator };
    let made = admin.order_load(&order).await.unwrap();
    let order = Signed::<LoadOrder>::parse(&from_hex(&made.document).unwrap()).unwrap();
    let order = order.open(&world.signer.pair.public_key()).unwrap();
    let message = TokenRequest {
        number: Number,
        authority: order.bytes().to_vec().into(),
        request: card.credit_request(&order).into(),
        chain: card.signer.message_chain(),
    };
    let reply: TokenReply = ask(running, "/1170", &message).await;
    let record = card.credit(&granted(reply.answer)).unwrap();
    let report = CreditReport { number: Number, record: record.into() };
    let reply: CreditReply = ask(running, "/1190", &report).await;
    granted(reply.answer);
}

async fn buy(running: &Running, world: &World, card: &mut SoftCard) -> Verified<Receipt> {
    let due = Time(server::now().0 + 600);
    let chain = world.signer.message_chain();
    let invoice = world.shop.seal(world.shop.draft(chain, &card.payer, 300, due));
    let message = PermitRequest {
        number: Number,
        invoice: invoice.bytes().to_vec().into(),
        request: card.request(&invoice).into(),
        chain: card.signer.message_chain(),
    };
    let reply: PermitReply = ask(running, "/150", &message).await;
    let record = card.debit(&granted(reply.answer)).unwrap();
    let message = ValueMessage { number: Number, record: record.into() };
    let reply: ReceiptReply = ask(running, "/170", &message).await;
    let Booking::Paid(receipt) = reply.answer else { panic!("{reply:?}") };
    Signed::parse(&receipt).unwrap().open(&world.signer.pair.public_key()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_purchase_over_http_and_a_push_that_survives_a_restart() {
    let mut world = World::new();
    let mut card = world.new_card();
    let [root_list, issuing_list] = world.ca.lists();
    let ca = serve_files(vec![("root.crl", root_list), ("issuing.crl", issuing_list)]).await;
    let folder = tempfile::tempdir().unwrap();
    let config = prepare(&mut world, folder.path(), ca);
    let admin = Admin::new(&config.folder);
    assert!(admin.balances().await.is_err(), "nobody is there yet");
    let running = start(&config).await;
    let shop_stop = Stop::on_signals().unwrap();
    let (shop, received) = serve_shop(&world, shop_stop.clone()).await;
    let order = ShopOrder {
        chain: world.shop.pem.clone(),
        push_url: format!("http://{shop}"),
        operator: "Olga".to_owned(),
    };
    admin.accept_shop(&order).await.unwrap();
    load(&running, &admin, &world, &mut card).await;
    let second = crate::serve(&config, running.stop.clone(), |_| {}).await;
    assert!(matches!(second, Err(PaymentError::Serve(_))), "one process per folder");
    let compact = running.peer.fetch("/compact-certificate").await.unwrap();
    let compact = Sign1::read(&compact).unwrap();
    let compact = CompactCertificate::decode(compact.payload).unwrap();
    assert_eq!(compact.key, world.signer.pair.public_key());
    let chain = String::from_utf8(running.peer.fetch("/chain.pem").await.unwrap()).unwrap();
    assert_eq!(protocol::certificate::read_pem(&chain), world.signer.chain);
    let receipt = buy(&running, &world, &mut card).await;
    let malformed = running.peer.ask::<_, PermitReply>("/150", &receipt_copy(&receipt)).await;
    assert!(malformed.unwrap_err().to_string().contains("400"));
    running.stop.set();
    running.ended.await.unwrap().unwrap();

    let running = start(&config).await;
    let until = tokio::time::Instant::now() + TIMEOUT;
    while received.lock().unwrap().len() < 2 && tokio::time::Instant::now() < until {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let pushed = received.lock().unwrap().clone();
    assert_eq!(pushed.len(), 2, "refused once, then taken");
    assert!(pushed.iter().all(|pushed| pushed == receipt.bytes()));
    let balances = admin.balances().await.unwrap();
    assert!(balances.identity);
    let merchant = balances.accounts.iter().find(|account| account.kind == "merchant");
    assert_eq!(merchant.unwrap().balance, 300);
    let listed = admin.payments(&Default::default()).await.unwrap().payments;
    assert_eq!((listed.len(), listed[0].state.as_str()), (1, "paid"));
    assert_eq!(admin.cards().await.unwrap().cards[0].shadow, 200);
    let order = IssueOrder { id: None, amount: 0, operator: "Olga".to_owned() };
    let refused = admin.issue(&order).await.unwrap_err();
    assert!(refused.to_string().contains("amount"), "{refused}");
    running.stop.set();
    running.ended.await.unwrap().unwrap();
    shop_stop.set();
}

/// A message of another kind.
fn receipt_copy(receipt: &Verified<Receipt>) -> ReceiptCopy {
    let copy = ReceiptCopy { number: Number, receipt: receipt.bytes().to_vec().into() };
    assert_ne!(sha256(&encode(&copy)), receipt.hash());
    copy
}
