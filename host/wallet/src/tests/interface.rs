//! The local API: who is answered what.

use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use super::ID;
use crate::client::{Client, ClientError};
use crate::config::{Config, Flags};
use crate::doubles::Setup;
use crate::http;
use crate::serve::RECOVERY;
use crate::view::{CardView, PurchaseView, StatusView};

/// One request over the wallet's socket.
pub(super) async fn request(
    socket: &Path,
    method: &str,
    path: &str,
    body: &Value,
) -> (u16, String) {
    let mut stream = UnixStream::connect(socket).await.unwrap();
    let body = body.to_string();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: wallet\r\nconnection: close\r\n\
         content-type: application/json\r\nx-kozeni-owner: test\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(body.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let status = answer[9..12].parse().unwrap();
    (status, answer.split_once("\r\n\r\n").unwrap().1.to_owned())
}

#[tokio::test]
async fn errors_have_a_kind_and_the_busy_one_its_owner() {
    let setup = Setup::new();
    let socket = setup.folder.path().join("run/wallet.sock");
    let listener = server::bind_unix(&socket).await.unwrap();
    let stop = server::Stop::on_signals().unwrap();
    let wallet = Arc::new(setup.wallet());
    let routes = http::routes(Arc::clone(&wallet));
    let serving = tokio::spawn(server::serve_unix(listener, socket.clone(), routes, stop.clone()));
    let wish = |number: u32| json!([{ "article": "A", "quantity": number }]);
    let order = json!({ "shop": "http://m/", "lines": wish(1), "draft": true });
    let turn = wallet.turn("somebody else").unwrap();
    let (status, answer) = request(&socket, "POST", "/purchases", &order).await;
    assert_eq!(status, 409);
    assert!(answer.contains("busy with somebody else"), "{answer}");
    drop(turn);
    for (path, body, status, kind) in [
        (format!("/purchases/{ID}"), Value::Null, 404, "unknown"),
        ("/purchases/xyz".to_owned(), Value::Null, 400, "usage"),
        (format!("/purchases/{ID}/confirm"), json!({}), 404, "unknown"),
        (format!("/purchases/{ID}/steal"), json!({}), 404, "unknown"),
        ("/purchases".to_owned(), json!({ "shop": "http://m", "lines": wish(0) }), 400, "usage"),
        ("/purchases".to_owned(), json!({ "shop": "m", "lines": wish(1) }), 400, "usage"),
        ("/purchases".to_owned(), json!({ "lines": [] }), 400, "usage"),
        ("/load".to_owned(), json!({ "order": "0" }), 400, "usage"),
        ("/shops/remove".to_owned(), json!({ "url": "http://x" }), 404, "unknown"),
    ] {
        let method = if body.is_null() { "GET" } else { "POST" };
        let (found, answer) = request(&socket, method, &path, &body).await;
        assert_eq!(found, status, "{path}: {answer}");
        assert!(answer.contains(&format!("\"kind\":\"{kind}\"")), "{path}: {answer}");
    }
    // The wallet's own recovery is waited for.
    let turn = wallet.turn(RECOVERY).unwrap();
    let client = Client::new(&socket, "test").unwrap();
    let ordering =
        tokio::spawn(
            async move { client.send::<PurchaseView>("/purchases", &order).await.unwrap() },
        );
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    drop(turn);
    let view = ordering.await.unwrap();
    assert_eq!((view.state.as_str(), view.shop.url.as_str()), ("order_shown", "http://m"));
    setup.card.content().away = true;
    let client = Client::new(&socket, "test").unwrap();
    let status: StatusView = client.fetch("/status").await.unwrap();
    assert!(matches!(status.card, CardView::NoCard));
    assert_eq!(status.open_purchases, 1);
    let path = format!("/purchases/{}/accept", view.purchase);
    let early = client.send::<PurchaseView>(&path, &json!({})).await;
    assert!(matches!(early, Err(ClientError::Wallet(content)) if content.kind == "state"));
    stop.set();
    serving.await.unwrap().unwrap();
    let gone = client.fetch::<StatusView>("/status").await;
    assert!(matches!(gone, Err(ClientError::NoDaemon { .. })));
}

#[test]
fn paths_of_the_configuration_are_relative_to_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("wallet.toml");
    let text = "folder = \"data\"\nroot = \"/etc/root.pem\"\nca_url = \"http://ca\"\n\
                payment_url = \"http://p\"\n";
    std::fs::write(&file, text).unwrap();
    let config = Config::load(&file, &Flags::default()).unwrap();
    assert_eq!(config.socket(), folder.path().join("data/wallet.sock"));
    assert_eq!(config.root, Path::new("/etc/root.pem"));
    let flags = Flags { socket: Some("here.sock".into()), reader: Some("X".to_owned()) };
    let config = Config::load(&file, &flags).unwrap();
    assert_eq!((config.socket(), config.reader), ("here.sock".into(), Some("X".to_owned())));
}
