//! House rules that the compiler does not know: sizes, names, and nothing left half done.

use std::path::Path;

use crate::source::{SourceFile, code_only, has_word, is_word, project_files, word_places};

const FILE_LINES_MAX: usize = 500;
const FUNCTION_LINES_MAX: usize = 70;
const LINE_LENGTH_MAX: usize = 100;
/// Names that say nothing about what is inside.
const EMPTY_NAMES: [&str; 5] = ["utils", "common", "helpers", "types", "misc"];
// Written in two halves, so that the rule does not find itself.
const UNFINISHED: [&str; 4] = [
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("to", "do!"),
    concat!("unimple", "mented!"),
];
const HOME_FOLDERS: [&str; 4] = ["home", "root", "work", "Users"];
/// Hosts of package registries: where packages come from is the reader's configuration.
const REGISTRIES: [&str; 9] = [
    concat!("crates", ".io"),
    concat!("pypi", ".org"),
    concat!("pythonhosted", ".org"),
    concat!("npmjs", ".org"),
    concat!("npmjs", ".com"),
    concat!("deb.debian", ".org"),
    concat!("security.debian", ".org"),
    concat!("proxy.golang", ".org"),
    concat!("static.rust-lang", ".org"),
];

/// (rule, path, reason). A rule that no longer needs its exception is a violation, too.
const EXCEPTIONS: &[(&str, &str, &str)] =
    &[("registry", "Cargo.lock", "cargo writes the index of every package into it")];

#[derive(Clone, Debug, PartialEq, Eq)]
struct Violation {
    rule: &'static str,
    path: String,
    /// Counted from 1; 0 stands for the whole file.
    line: usize,
    found: String,
}

impl Violation {
    fn new(rule: &'static str, path: &str, line: usize, found: impl Into<String>) -> Self {
        Self { rule, path: path.to_owned(), line, found: found.into() }
    }
}

fn check(file: &SourceFile) -> Vec<Violation> {
    let mut found = Vec::from_iter(check_name(&file.path));
    found.extend(check_text(file));
    if file.is_rust() {
        found.extend(check_rust(file));
    }
    if file.path == "Cargo.toml" {
        found.extend(check_dependencies(file));
    }
    found
}

fn check_name(path: &str) -> Option<Violation> {
    let stem = |part: &str| part.split('.').next().unwrap_or(part).to_owned();
    let empty = path.split('/').find(|part| EMPTY_NAMES.contains(&stem(part).as_str()))?;
    Some(Violation::new("name", path, 0, empty))
}

fn check_text(file: &SourceFile) -> Vec<Violation> {
    let mut found = Vec::new();
    for (number, line) in (1..).zip(file.text.lines()) {
        let mut report = |rule, what: &str| {
            found.push(Violation::new(rule, &file.path, number, what));
        };
        if line.ends_with([' ', '\t', '\r']) {
            report("trailing space", line);
        }
        if let Some(word) = UNFINISHED.iter().find(|word| has_word(line, word)) {
            report("unfinished", word);
        }
        if names_home_folder(line) {
            report("home folder", line);
        }
        if let Some(host) = REGISTRIES.iter().find(|host| line.contains(*host)) {
            report("registry", host);
        }
    }
    found
}

/// An absolute path into somebody's own folders, at the start of a word.
fn names_home_folder(line: &str) -> bool {
    HOME_FOLDERS.iter().any(|folder| {
        line.match_indices(&format!("/{folder}/")).any(|(place, _)| {
            let before = line[..place].chars().next_back();
            !before.is_some_and(|c| is_word(c) || matches!(c, '.' | '-' | '/' | '~' | '}' | ')'))
        })
    })
}

fn check_rust(file: &SourceFile) -> Vec<Violation> {
    let code = code_only(&file.text);
    let mut found = Vec::new();
    let mut report = |rule, line, what: String| {
        found.push(Violation::new(rule, &file.path, line, what));
    };
    let lines = file.text.lines().count();
    if lines > FILE_LINES_MAX {
        report("file length", 0, format!("{lines} lines"));
    }
    for (number, line) in (1..).zip(file.text.lines()) {
        let length = line.chars().count();
        if length > LINE_LENGTH_MAX && !line.contains("://") {
            report("line length", number, format!("{length} characters"));
        }
    }
    for function in functions(&code) {
        if function.lines > FUNCTION_LINES_MAX {
            let Function { name, lines, .. } = &function;
            report("function length", function.line, format!("{name}: {lines} lines"));
        }
        if function.name.starts_with("get_") {
            report("get", function.line, function.name);
        }
    }
    for (number, line) in (1..).zip(code.lines()) {
        if line.contains("#[ignore") {
            report("ignored test", number, line.trim().to_owned());
        }
    }
    for (line, attribute) in silenced_lints(&code) {
        if !has_word(&attribute, "reason") {
            report("lint reason", line, attribute);
        }
    }
    found
}

struct Function {
    name: String,
    line: usize,
    lines: usize,
}

/// Functions with a body, from the line with `fn` to the one with the closing brace.
fn functions(code: &str) -> Vec<Function> {
    let mut found = Vec::new();
    for place in word_places(code, "fn") {
        let signature = &code[place + "fn".len()..];
        let name: String = signature.trim_start().chars().take_while(|&c| is_word(c)).collect();
        // Function pointers have no name, declarations no body.
        let Some(length) = body_end(signature).filter(|_| !name.is_empty()) else {
            continue;
        };
        let line = 1 + line_breaks(&code[..place]);
        found.push(Function { name, line, lines: 1 + line_breaks(&signature[..length]) });
    }
    found
}

fn line_breaks(text: &str) -> usize {
    text.matches('\n').count()
}

/// Where the body after a signature ends, if there is a body.
fn body_end(signature: &str) -> Option<usize> {
    let (mut brackets, mut braces) = (0_usize, 0_usize);
    for (place, character) in signature.char_indices() {
        match character {
            '(' | '[' => brackets += 1,
            ')' | ']' => brackets = brackets.saturating_sub(1),
            ';' if brackets == 0 && braces == 0 => return None,
            '{' => braces += 1,
            '}' if braces <= 1 => return (braces == 1).then_some(place),
            '}' => braces -= 1,
            _ => {}
        }
    }
    None
}

/// Every `#[allow(…)]` and `#[expect(…)]`, with its line.
fn silenced_lints(code: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for start in ["[allow(", "[expect("] {
        for (place, _) in code.match_indices(start) {
            let attribute = code[place..].split(")]").next().unwrap_or_default();
            found.push((1 + line_breaks(&code[..place]), attribute.to_owned()));
        }
    }
    found
}

/// Every dependency of the workspace says why it is there, in a comment above it.
fn check_dependencies(file: &SourceFile) -> Vec<Violation> {
    let (mut inside, mut explained, mut found) = (false, false, Vec::new());
    for (number, line) in (1..).zip(file.text.lines()) {
        if line.starts_with('[') {
            inside = line == "[workspace.dependencies]";
        }
        // The workspace's own crates are explained in their manifests; related libraries
        // may stand together under one comment.
        let own = line.contains("path = ");
        let names = inside && line.contains('=') && !line.starts_with('#') && !own;
        if names && !explained {
            found.push(Violation::new("dependency reason", &file.path, number, line));
        }
        explained = line.starts_with('#') || (explained && names);
    }
    found
}

/// What is left after the exceptions, and the exceptions that nothing needs.
fn judge(found: &[Violation], exceptions: &[(&str, &str, &str)]) -> Vec<String> {
    let excepts = |violation: &Violation, (rule, path, _): &(&str, &str, &str)| {
        violation.rule == *rule && violation.path == *path
    };
    let violations = found
        .iter()
        .filter(|violation| !exceptions.iter().any(|exception| excepts(violation, exception)))
        .map(|Violation { rule, path, line, found }| format!("{path}:{line}: {rule}: {found}"));
    let needless = exceptions
        .iter()
        .filter(|exception| !found.iter().any(|violation| excepts(violation, exception)))
        .map(|(rule, path, _)| format!("{path}: no longer needs an exception from {rule}"));
    violations.chain(needless).collect()
}

#[test]
fn the_house_rules_are_kept() {
    let files = project_files();
    assert!(files.iter().any(|file| Path::new(&file.path).ends_with("tests/tidy.rs")));
    let found: Vec<Violation> = files.iter().flat_map(check).collect();
    let left = judge(&found, EXCEPTIONS);
    assert!(left.is_empty(), "{} violations:\n{}", left.len(), left.join("\n"));
}

/// The rules that a file breaks.
fn rules(path: &str, text: &str) -> Vec<&'static str> {
    check(&SourceFile::new(path, text)).iter().map(|violation| violation.rule).collect()
}

#[test]
fn a_planted_violation_is_found() {
    let long_function = |lines: usize| format!("fn f() {{\n{}}}\n", "x();\n".repeat(lines - 2));
    for (text, expected) in [
        ("x\n".repeat(501), "file length"),
        (format!("{}\n", "x".repeat(101)), "line length"),
        (long_function(71), "function length"),
        (format!("impl A {{\n{}}}\n", long_function(71)), "function length"),
        ("fn get_balance() {}".to_owned(), "get"),
        (format!("// {}: later", UNFINISHED[0]), "unfinished"),
        (format!("{}()", UNFINISHED[2]), "unfinished"),
        ("#[ignore = \"slow\"]\nfn f() {}".to_owned(), "ignored test"),
        ("let a = 1; \n".to_owned(), "trailing space"),
        ("#[allow(dead_code)]\nfn f() {}".to_owned(), "lint reason"),
        ("#![expect(\n    dead_code,\n    missing_docs\n)]".to_owned(), "lint reason"),
        (format!("const P: &str = \"/{}/me/keys\";", HOME_FOLDERS[0]), "home folder"),
        (format!("// from https://index.{}/", REGISTRIES[0]), "registry"),
    ] {
        assert_eq!(rules("card/src/a.rs", &text), [expected], "{text}");
    }
    for path in ["host/card/src/utils.rs", "host/common/src/lib.rs", "docs/misc.md"] {
        assert_eq!(rules(path, ""), ["name"], "{path}");
    }
}

#[test]
fn what_is_allowed_is_not_found() {
    let long_function = format!("fn f() {{\n{}}}\n", "x();\n".repeat(68));
    for text in [
        "x\n".repeat(500),
        long_function,
        "fn f(g: fn(u8) -> [u8; 2]) -> [u8; 3];\n".repeat(80),
        format!("// https://example.test/{}\n", "x".repeat(100)),
        "#[expect(\n    dead_code,\n    reason = \"later\"\n)]\nfn f() {}".to_owned(),
        "// see network/work/list and ~/home/; fn get_ is a name we avoid\n".to_owned(),
        "let text = \"#[ignore] #[allow(dead_code)]\";".to_owned(),
    ] {
        assert_eq!(rules("card/src/types_of_card.rs", &text), [""; 0], "{text}");
    }
}

#[test]
fn an_unexplained_dependency_is_found() {
    let explained = "[workspace.dependencies]\napplet = { path = \"a\" }\n\
                     # Words.\nserde = \"1\"\nserde_json = \"1\"\n\n\
                     # More.\nclap = \"4\"\n[profile.dev]\na = 1\n";
    assert_eq!(rules("Cargo.toml", explained), [""; 0]);
    let planted = explained.replace("# More.\n", "");
    assert_eq!(rules("Cargo.toml", &planted), ["dependency reason"]);
}

#[test]
fn an_exception_is_used_or_removed() {
    let found = check(&SourceFile::new("a.rs", "fn get_balance() {}"));
    assert_eq!(judge(&found, &[]).len(), 1);
    assert_eq!(judge(&found, &[("get", "a.rs", "reason")]), [""; 0]);
    let needless = judge(&[], &[("get", "a.rs", "reason")]);
    assert_eq!(needless, ["a.rs: no longer needs an exception from get"]);
}
