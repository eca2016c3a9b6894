//! The operators' program asks the running server. The only file of the crate that names the HTTP
//! client.

use std::path::Path;
use std::time::Duration;

use crate::http::OPERATE_PATH;
use crate::operator::{Operation, Outcome};

/// The server may have to ask P, which has its own time limit.
const TIMEOUT: Duration = Duration::from_secs(25);

/// Asks the server behind an admin socket.
///
/// # Errors
/// What went wrong on the way, for people.
pub(crate) async fn ask(socket: &Path, operation: &Operation) -> Result<Outcome, String> {
    let text = |error: reqwest::Error| format!("{}: {error}", socket.display());
    let client = reqwest::Client::builder().unix_socket(socket).timeout(TIMEOUT).build();
    // The host is not used: the socket says who answers.
    let url = format!("http://localhost{OPERATE_PATH}");
    let answer = client.map_err(text)?.post(url).json(operation).send().await;
    let answer = answer.and_then(reqwest::Response::error_for_status);
    answer.map_err(text)?.json().await.map_err(text)
}
