//! Programs of this workspace, built when a test wants to run them.

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

/// The path of a workspace member's program of the same name, built if it is not up to date.
///
/// # Panics
/// When it does not build.
#[must_use]
pub fn program(package: &str) -> PathBuf {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["build", "--locked", "--message-format", "json-render-diagnostics"])
        .args(["--package", package, "--bin", package])
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .output()
        .expect("cargo runs");
    let messages = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{package} does not build:\n{errors}");
    let built = messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .find_map(|message| message.get("executable")?.as_str().map(PathBuf::from));
    built.expect("cargo names the program that it built")
}
