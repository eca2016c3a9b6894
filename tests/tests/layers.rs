//! Who may import whom. The rules are in ARCHITECTURE.md; each is broken here once on purpose.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

use crate::source::{SourceFile, code_only, has_word, is_word, project_files, root, word_places};

mod planted;

/// Libraries that do I/O: one file of a crate may name one, and is its edge.
const IO_LIBRARIES: [&str; 5] = ["pcsc", "rusqlite", "reqwest", "axum", "hidapi"];
const APPLET_LIBRARIES: [&str; 6] = ["apdu-spec", "ecdsa", "p256", "sha2", "subtle", "zeroize"];
/// What `protocol` may not depend on, and not name.
const IMPURE_LIBRARIES: [&str; 8] =
    ["tokio", "getrandom", "rand", "pcsc", "rusqlite", "reqwest", "axum", "hidapi"];
const IMPURE_MODULES: [&str; 5] = ["net", "fs", "process", "thread", "env"];
const IMPURE_WORDS: [&str; 4] = ["SystemTime", "Instant::now", "OsRng", "SystemRandom"];
/// Folders that are not named as their package, with the reason.
const FOLDER_EXCEPTIONS: [(&str, &str, &str); 1] =
    [("tests", "e2e", "the folder says what it holds, the package what it tests")];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Normal,
    Build,
    Dev,
}

#[derive(Clone, Debug)]
struct Package {
    name: String,
    /// From the root of the project, with `/`.
    folder: String,
    dependencies: Vec<(String, Kind)>,
}

impl Package {
    fn is_in(&self, folder: &str) -> bool {
        self.folder == folder || self.folder.starts_with(&format!("{folder}/"))
    }

    /// What its programs and libraries are built from; its tests may use more.
    fn built_from(&self) -> impl Iterator<Item = &str> {
        let built = self.dependencies.iter().filter(|(_, kind)| *kind != Kind::Dev);
        built.map(|(name, _)| name.as_str())
    }
}

/// The workspace as its manifests declare it, for every platform and feature.
fn workspace() -> Vec<Package> {
    let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline", "--locked"])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    packages.iter().map(|package| parse_package(package, &metadata)).collect()
}

fn parse_package(package: &Value, metadata: &Value) -> Package {
    let workspace_root = metadata["workspace_root"].as_str().unwrap();
    let manifest = package["manifest_path"].as_str().unwrap();
    let folder = manifest.strip_prefix(workspace_root).unwrap().trim_start_matches('/');
    let dependencies = package["dependencies"].as_array().unwrap().iter().map(|dependency| {
        let kind = match dependency["kind"].as_str() {
            Some("dev") => Kind::Dev,
            Some("build") => Kind::Build,
            _ => Kind::Normal,
        };
        (dependency["name"].as_str().unwrap().to_owned(), kind)
    });
    Package {
        name: package["name"].as_str().unwrap().to_owned(),
        folder: folder.trim_end_matches("/Cargo.toml").to_owned(),
        dependencies: dependencies.collect(),
    }
}

/// Every workspace member that is built into `package`, itself left out.
fn reachable<'a>(packages: &'a [Package], package: &'a Package) -> Vec<&'a Package> {
    let by_name: BTreeMap<&str, &Package> =
        packages.iter().map(|package| (package.name.as_str(), package)).collect();
    let (mut seen, mut open) = (BTreeSet::new(), vec![package]);
    while let Some(next) = open.pop() {
        for member in next.built_from().filter_map(|name| by_name.get(name)) {
            if seen.insert(member.name.as_str()) {
                open.push(member);
            }
        }
    }
    seen.into_iter().map(|name| by_name[name]).collect()
}

/// Who may not be built from whom, as (what is said, of whom, about whom).
type Ban = (&'static str, fn(&Package) -> bool, fn(&Package) -> bool);

const BANS: [Ban; 5] = [
    ("no host crate sees the card's inside", |of| of.is_in("host"), |to| to.is_in("card-sim")),
    ("no card crate sees the host", |of| of.is_in("card-sim"), |to| to.is_in("host")),
    (
        "the bridge sees neither card nor host",
        |of| of.is_in("firmware-bridge"),
        |to| to.is_in("card-sim") || to.is_in("host"),
    ),
    ("the auditor sees no other host crate", |of| of.name == "auditor", |to| to.is_in("host")),
    ("only tests see the tests", |of| !of.is_in("tests"), |to| to.is_in("tests")),
];

fn check_imports(packages: &[Package]) -> Vec<String> {
    let mut found = Vec::new();
    for package in packages {
        for (rule, _, to) in BANS.iter().filter(|(_, of, _)| of(package)) {
            let seen = reachable(packages, package).into_iter().filter(|other| to(other));
            found.extend(seen.map(|other| format!("{rule}: {} -> {}", package.name, other.name)));
        }
        found.extend(check_libraries(package));
    }
    found
}

fn check_libraries(package: &Package) -> Vec<String> {
    let all = package.dependencies.iter().map(|(name, _)| name.as_str());
    let banned: Vec<&str> = match package.name.as_str() {
        "apdu-spec" => all.collect(),
        "applet" => package.built_from().filter(|name| !APPLET_LIBRARIES.contains(name)).collect(),
        "protocol" => package.built_from().filter(|name| IMPURE_LIBRARIES.contains(name)).collect(),
        _ => Vec::new(),
    };
    let found = banned.iter().map(|name| format!("{} may not depend on {name}", package.name));
    found.collect()
}

fn check_folders(packages: &[Package]) -> Vec<String> {
    let strange = packages.iter().filter(|package| {
        let Package { name, folder, .. } = package;
        folder.rsplit('/').next() != Some(name)
            && !FOLDER_EXCEPTIONS.iter().any(|(place, exempt, _)| folder == place && name == exempt)
    });
    strange.map(|package| format!("{} is in folder {}", package.name, package.folder)).collect()
}

/// The files of a crate, those of crates in its subfolders left out.
fn files_of<'a>(
    packages: &'a [Package],
    package: &'a Package,
    files: &'a [SourceFile],
) -> impl Iterator<Item = (&'a str, String)> {
    let owner = |path: &str| {
        let owners =
            packages.iter().filter(|owner| path.starts_with(&format!("{}/", owner.folder)));
        owners.max_by_key(|owner| owner.folder.len()).map(|owner| owner.name.as_str())
    };
    files
        .iter()
        .filter(move |file| file.is_rust() && owner(&file.path) == Some(package.name.as_str()))
        .map(|file| (file.path.as_str(), code_only(&file.text)))
}

/// Whether code names a library: as the start of a path, or in `use` or `extern crate`.
fn names_library(code: &str, library: &str) -> bool {
    let before = |place: usize| code[..place].trim_end();
    // With a module of the same name in sight, only `::library` is the library.
    let is_shadowed = word_places(code, library).any(|place| {
        ["crate::", "super::", "self::", "mod"].iter().any(|end| before(place).ends_with(end))
    });
    word_places(code, library).any(|place| {
        let before = before(place);
        let after = code[place + library.len()..].trim_start();
        let outer = before.strip_suffix("::");
        let inside_path = outer.is_some_and(|outer| outer.ends_with(|c| is_word(c) || c == '>'));
        let is_global = outer.is_some() && !inside_path;
        let imported = before.ends_with("use") || before.ends_with("extern crate");
        let starts_path = !inside_path && after.starts_with("::");
        if is_shadowed { is_global } else { starts_path || imported }
    })
}

/// Whether code names a module of std, also in `use std::{fs, net};`.
fn names_std_module(code: &str, module: &str) -> bool {
    word_places(code, "std::").any(|place| {
        let after = &code[place + "std::".len()..];
        match after.strip_prefix('{') {
            Some(group) => has_word(group.split(';').next().unwrap_or(group), module),
            None => after.starts_with(module) && !after[module.len()..].starts_with(is_word),
        }
    })
}

fn check_sources(packages: &[Package], files: &[SourceFile]) -> Vec<String> {
    let mut found = Vec::new();
    for package in packages {
        let code: Vec<(&str, String)> = files_of(packages, package, files).collect();
        for library in IO_LIBRARIES {
            let named = code.iter().filter(|(_, code)| names_library(code, library));
            let named: Vec<&str> = named.map(|(path, _)| *path).collect();
            if named.len() > 1 {
                found.push(format!("{library} is named in more than one file: {named:?}"));
            }
        }
        for (path, code) in &code {
            match package.name.as_str() {
                "protocol" => found.extend(check_pure(path, code)),
                "apdu-spec" | "applet" => found.extend(check_without_heap(path, code)),
                _ => {}
            }
        }
    }
    found
}

fn check_pure(path: &str, code: &str) -> Vec<String> {
    let modules = IMPURE_MODULES.iter().filter(|module| names_std_module(code, module));
    let libraries = IMPURE_LIBRARIES.iter().filter(|library| names_library(code, library));
    let words = IMPURE_WORDS.iter().filter(|word| has_word(code, word));
    let named = modules.chain(libraries).chain(words);
    named.map(|name| format!("{path}: does I/O, reads a clock or draws chance: {name}")).collect()
}

fn check_without_heap(path: &str, code: &str) -> Vec<String> {
    let mut found = Vec::new();
    let starts_no_std = code.trim_start().starts_with("#![no_std]");
    if path.ends_with("/src/lib.rs") && !starts_no_std {
        found.push(format!("{path}: does not begin with #![no_std]"));
    }
    if names_library(code, "alloc") {
        found.push(format!("{path}: names alloc"));
    }
    found
}

#[test]
fn imports_follow_the_layers() {
    let packages = workspace();
    assert!(packages.iter().any(|package| package.name == "applet"), "{packages:?}");
    assert_eq!(check_imports(&packages), [""; 0]);
    assert_eq!(check_folders(&packages), [""; 0]);
}

#[test]
fn sources_follow_the_layers() {
    let (packages, files) = (workspace(), project_files());
    let applet = packages.iter().find(|package| package.name == "applet").unwrap();
    assert!(files_of(&packages, applet, &files).count() > 1);
    assert_eq!(check_sources(&packages, &files), [""; 0]);
}
