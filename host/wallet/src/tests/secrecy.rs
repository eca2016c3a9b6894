//! No PIN in any log, answer, file or `Debug`, also at the finest level of logging.

use std::io::Write;
use std::sync::{Arc, Mutex};

use serde_json::json;
use tracing_subscriber::fmt::MakeWriter;

use super::interface::request;
use super::{ID, check_paid_once};
use crate::doubles::{PIN, Setup};
use crate::http;

const WRONG: &str = "73519264";

/// Keeps everything that is logged.
#[derive(Clone, Default)]
struct Captured(Arc<Mutex<Vec<u8>>>);

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Captured {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn no_pin_in_any_log_or_answer() {
    let captured = Captured::default();
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter("trace")
        .with_writer(captured.clone())
        .with_ansi(false)
        .finish();
    // For the whole process: the card has a thread of its own, and other tests have PINs, too.
    tracing::subscriber::set_global_default(subscriber).unwrap();
    let setup = Setup::new();
    let socket = setup.folder.path().join("run/wallet.sock");
    let listener = server::bind_unix(&socket).await.unwrap();
    let stop = server::Stop::on_signals().unwrap();
    let routes = http::routes(Arc::new(setup.wallet()));
    let serving = tokio::spawn(server::serve_unix(listener, socket.clone(), routes, stop.clone()));
    let order = json!({
        "purchase": ID.to_string(), "shop": "http://m",
        "lines": [{ "article": "A", "quantity": 1 }, { "article": "C", "quantity": 2 }],
    });
    let purchase = format!("/purchases/{ID}");
    let decide = |decision: &str| format!("{purchase}/{decision}");
    let steps = [
        ("POST", "/purchases".to_owned(), order, 200, "shop_shown"),
        ("POST", decide("accept"), json!({ "pin": PIN }), 200, "invoice_shown"),
        ("POST", decide("confirm"), json!({ "pin": WRONG }), 422, "pin_wrong"),
        ("POST", decide("confirm"), json!({ "pin": format!("{WRONG}x") }), 400, "usage"),
        ("POST", decide("confirm"), json!({ "pin": 73_519_264 }), 400, "usage"),
        ("POST", decide("confirm"), json!({ "pin": [WRONG] }), 400, "usage"),
        ("POST", "/pin/change".to_owned(), json!({ "old": WRONG, "new": PIN }), 422, "pin_wrong"),
        ("POST", "/pin/change".to_owned(), json!({ "old": PIN, "new": PIN }), 200, "tries"),
        ("POST", "/pin/unblock".to_owned(), json!({ "puk": PIN, "new": PIN }), 200, "tries"),
        ("POST", decide("confirm"), json!({ "pin": PIN }), 200, "complete"),
        ("GET", purchase.clone(), json!({}), 200, "complete"),
        ("GET", "/purchases".to_owned(), json!({}), 200, "complete"),
        ("GET", "/status".to_owned(), json!({}), 200, "6,000 JPY"),
        ("POST", "/resume".to_owned(), json!({}), 200, "delivered"),
    ];
    for (method, path, body, status, contains) in steps {
        let (found, answer) = request(&socket, method, &path, &body).await;
        assert_eq!(found, status, "{path}: {answer}");
        assert!(answer.contains(contains), "{path}: {answer}");
        assert!(answer.contains("\"schema\":1"), "{path}: {answer}");
        assert!(!answer.contains(PIN) && !answer.contains(WRONG), "{path}");
    }
    check_paid_once(&setup);
    stop.set();
    serving.await.unwrap().unwrap();
    let log = String::from_utf8(captured.0.lock().unwrap().clone()).unwrap();
    assert!(log.contains("complete"), "something is logged");
    for pin in [PIN, WRONG] {
        let bytes = format!("{:?}", pin.as_bytes());
        let inner = bytes.trim_matches(['[', ']']);
        assert!(!log.contains(pin) && !log.contains(inner), "{log}");
    }
    for file in ["wallet.db", "wallet.db-wal"] {
        let file = std::fs::read(setup.folder.path().join(file)).unwrap_or_default();
        let holds = |pin: &str| file.windows(pin.len()).any(|bytes| bytes == pin.as_bytes());
        assert!(!holds(PIN) && !holds(WRONG));
    }
}

#[test]
fn only_its_owner_can_read_the_database() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let everybody = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(folder.path(), everybody).unwrap();
    let store = crate::store::Store::open(&folder.path().join("wallet.db")).unwrap();
    store.save_setting("threshold", 1).unwrap();
    for file in std::fs::read_dir(folder.path()).unwrap() {
        let file = file.unwrap();
        let mode = file.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{:?}", file.path());
    }
}
