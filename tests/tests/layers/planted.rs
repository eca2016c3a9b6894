//! Each rule of the layers is broken here once, to see that its check notices.

use super::{Kind, Package, check_folders, check_imports, check_sources};
use crate::source::SourceFile;

/// A small workspace that follows every rule: package, folder, dependencies.
const SOUND: &str = "
    apdu-spec       | apdu-spec       |
    applet          | card-sim/applet | apdu-spec p256 dev:proptest
    card-sim        | card-sim        | applet clap
    firmware-bridge | firmware-bridge | hidapi
    protocol        | host/protocol   | apdu-spec dev:rand
    card            | host/card       | firmware-bridge build:cc
    wallet          | host/wallet     | card protocol
    auditor         | host/auditor    | serde
    e2e             | tests           | wallet card-sim
";

/// One more dependency for a package, and what is said about it.
const IMPORTS: &str = "
    apdu-spec       | serde        | apdu-spec may not depend on serde
    apdu-spec       | dev:proptest | apdu-spec may not depend on proptest
    applet          | build:serde  | applet may not depend on serde
    protocol        | tokio        | protocol may not depend on tokio
    wallet          | applet       | no host crate sees the card's inside: wallet -> applet
    card            | build:applet | no host crate sees the card's inside: wallet -> applet
    card-sim        | protocol     | no card crate sees the host: card-sim -> protocol
    applet          | protocol     | no card crate sees the host: card-sim -> protocol
    firmware-bridge | card         | the bridge sees neither card nor host
    auditor         | protocol     | the auditor sees no other host crate
    wallet          | e2e          | only tests see the tests: wallet -> e2e
";

/// Files that follow every rule.
const SOUND_FILES: &str = r#"
    apdu-spec/src/lib.rs       | /* The words. */ #![no_std]
    card-sim/applet/src/lib.rs | /* The card. */ #![no_std] #![warn(missing_docs)]
    card-sim/src/main.rs       | extern crate alloc; use std::fs; // pcsc::Context
    host/protocol/src/lib.rs   | use std::fmt; let now = request.instant; // std::fs
    host/card/src/reader.rs    | use pcsc::Context;
    host/card/src/lib.rs       | mod pcsc; use crate::pcsc::Reader; const P: &str = "pcsc::";
    host/card/src/any.rs       | use crate::pcsc::{self, Reader}; let all = pcsc::readers();
    host/wallet/src/reader.rs  | pub fn f() -> ::pcsc::Context {}
"#;

/// One file more or instead, and what is said about it.
const LINES: &str = "
    apdu-spec/src/lib.rs     | pub fn f() {}                    | does not begin with #![no_std]
    apdu-spec/src/a.rs       | extern crate alloc;              | names alloc
    card-sim/applet/src/a.rs | fn f() -> alloc::vec::Vec<u8> {} | names alloc
    host/card/src/a.rs       | fn f(c: &pcsc::Card) {}          | pcsc is named in more than one
    host/card/src/a.rs       | use {pcsc::Card, std::io};       | pcsc is named in more than one
    host/card/src/a.rs       | fn f() -> ::pcsc::Card {}        | pcsc is named in more than one
    host/card/src/lib.rs     | mod pcsc; fn f() -> ::pcsc::Card | pcsc is named in more than one
    host/protocol/src/a.rs   | use std::net::TcpStream;         | draws chance: net
    host/protocol/src/a.rs   | use std::{fmt, fs::File};        | draws chance: fs
    host/protocol/src/a.rs   | use std::time::SystemTime;       | draws chance: SystemTime
    host/protocol/src/a.rs   | let t = Instant::now();          | draws chance: Instant::now
    host/protocol/src/a.rs   | getrandom::fill(&mut b);         | draws chance: getrandom
    host/protocol/src/a.rs   | use rand;                        | draws chance: rand
";

fn rows(table: &str) -> impl Iterator<Item = Vec<&str>> {
    let lines = table.lines().filter(|line| !line.trim().is_empty());
    lines.map(|line| line.split('|').map(str::trim).collect())
}

fn dependency(text: &str) -> (String, Kind) {
    let (kind, name) = match text.split_once(':') {
        Some(("dev", name)) => (Kind::Dev, name),
        Some(("build", name)) => (Kind::Build, name),
        _ => (Kind::Normal, text),
    };
    (name.to_owned(), kind)
}

fn sound() -> Vec<Package> {
    let packages = rows(SOUND).map(|row| Package {
        name: row[0].to_owned(),
        folder: row[1].to_owned(),
        dependencies: row[2].split_whitespace().map(dependency).collect(),
    });
    packages.collect()
}

fn sound_files() -> Vec<SourceFile> {
    rows(SOUND_FILES).map(|row| SourceFile::new(row[0], row[1])).collect()
}

#[test]
fn a_planted_import_is_found() {
    assert_eq!(check_imports(&sound()), [""; 0]);
    for row in rows(IMPORTS) {
        let mut packages = sound();
        let package = packages.iter_mut().find(|package| package.name == row[0]);
        package.unwrap().dependencies.push(dependency(row[1]));
        let found = check_imports(&packages).join("\n");
        assert!(found.contains(row[2]), "{row:?} gives {found:?}");
    }
}

#[test]
fn a_strange_folder_is_found() {
    let mut packages = sound();
    assert_eq!(check_folders(&packages), [""; 0]);
    packages[0].folder = "spec".to_owned();
    assert_eq!(check_folders(&packages), ["apdu-spec is in folder spec"]);
}

#[test]
fn a_planted_line_is_found() {
    assert_eq!(check_sources(&sound(), &sound_files()), [""; 0]);
    for row in rows(LINES) {
        let mut files = sound_files();
        files.retain(|file| file.path != row[0]);
        files.push(SourceFile::new(row[0], row[1]));
        let found = check_sources(&sound(), &files).join("\n");
        assert!(found.contains(row[2]), "{row:?} gives {found:?}");
    }
}
