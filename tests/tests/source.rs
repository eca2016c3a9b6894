//! Source files as the checks see them: listed by git, and without comments and literals.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A text file of the project.
#[derive(Clone, Debug)]
pub(crate) struct SourceFile {
    /// From the root of the project, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
}

impl SourceFile {
    pub(crate) fn new(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.to_owned() }
    }

    pub(crate) fn is_rust(&self) -> bool {
        Path::new(&self.path).extension().is_some_and(|extension| extension == "rs")
    }
}

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Every text file that git tracks or would track.
pub(crate) fn project_files() -> Vec<SourceFile> {
    let output = Command::new("git")
        .args(["-c", "safe.directory=*", "ls-files", "-z"])
        .args(["--cached", "--others", "--exclude-standard"])
        .current_dir(root())
        .output()
        .expect("git runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "git lists the project's files: {errors}");
    let mut files: Vec<SourceFile> = String::from_utf8(output.stdout)
        .unwrap()
        .split_terminator('\0')
        // Binary files have no lines to check; deleted ones are still listed until committed.
        .filter_map(|path| {
            let text = fs::read_to_string(root().join(path)).ok()?;
            Some(SourceFile { path: path.to_owned(), text })
        })
        .collect();
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files.dedup_by(|a, b| a.path == b.path);
    files
}

/// Rust text with comments and the insides of literals blanked; lines stay where they are.
pub(crate) fn code_only(text: &str) -> String {
    let characters: Vec<char> = text.chars().collect();
    let mut code = String::with_capacity(text.len());
    let mut place = 0;
    while place < characters.len() {
        let rest = &characters[place..];
        let previous = place.checked_sub(1).map(|before| characters[before]);
        let length = blank_length(rest, previous);
        if length == 0 {
            code.push(rest[0]);
            place += 1;
            continue;
        }
        let blanked = &rest[..length];
        code.extend(blanked.iter().map(|&c| if c == '\n' { '\n' } else { ' ' }));
        place += length;
    }
    code
}

/// How many characters from here are a comment or a literal; 0 if here is code.
fn blank_length(rest: &[char], previous: Option<char>) -> usize {
    let starts_word = !previous.is_some_and(|c| is_word(c) && !matches!(c, 'b' | 'c'));
    match rest {
        ['/', '/', ..] => rest.iter().position(|&c| c == '\n').unwrap_or(rest.len()),
        ['/', '*', ..] => block_comment_length(rest),
        ['"', ..] => quoted_length(rest, '"'),
        ['\'', '\\', ..] => quoted_length(rest, '\''),
        ['\'', _, '\'', ..] => 3,
        ['r', '"' | '#', ..] if starts_word => raw_string_length(rest),
        _ => 0,
    }
}

fn block_comment_length(rest: &[char]) -> usize {
    let (mut depth, mut place) = (0_usize, 0);
    while place < rest.len() {
        match &rest[place..] {
            ['/', '*', ..] => (depth, place) = (depth + 1, place + 2),
            ['*', '/', ..] => (depth, place) = (depth - 1, place + 2),
            _ => place += 1,
        }
        if depth == 0 {
            break;
        }
    }
    place
}

fn quoted_length(rest: &[char], quote: char) -> usize {
    let mut place = 1;
    while place < rest.len() && rest[place] != quote {
        place += if rest[place] == '\\' { 2 } else { 1 };
    }
    (place + 1).min(rest.len())
}

fn raw_string_length(rest: &[char]) -> usize {
    let hashes = rest[1..].iter().take_while(|&&c| c == '#').count();
    if rest.get(1 + hashes) != Some(&'"') {
        return 0;
    }
    let end: Vec<char> = std::iter::once('"').chain(std::iter::repeat_n('#', hashes)).collect();
    let inside = &rest[2 + hashes..];
    let length = inside.windows(end.len()).position(|window| window == end);
    length.map_or(rest.len(), |length| 2 + hashes + length + end.len())
}

pub(crate) fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Where `word` stands in `text` with no word character on either side of it.
pub(crate) fn word_places<'a>(text: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    text.match_indices(word).map(|(place, _)| place).filter(move |&place| {
        let before = text[..place].chars().next_back();
        let after = text[place + word.len()..].chars().next();
        let open_left = word.starts_with(is_word) && before.is_some_and(is_word);
        let open_right = word.ends_with(is_word) && after.is_some_and(is_word);
        !open_left && !open_right
    })
}

pub(crate) fn has_word(text: &str, word: &str) -> bool {
    word_places(text, word).next().is_some()
}

#[test]
fn comments_and_literals_are_blanked() {
    for (text, expected) in [
        ("a // b\nc", "a     \nc"),
        ("a /* b /* c */ d */ e", "a                   e"),
        (r#"f("x\"y", 'q', '\'', b"z")"#, r"f(      ,    ,     , b   )"),
        (r###"r#"a"b"# + r"c" + br"d""###, "         +      + b    "),
        ("fn f<'a>(r#fn: &'a str) {}", "fn f<'a>(r#fn: &'a str) {}"),
        ("\"one\ntwo\" x", "    \n     x"),
    ] {
        assert_eq!(code_only(text), expected, "{text}");
    }
}

#[test]
fn words_are_whole() {
    assert!(has_word("use pcsc;", "pcsc"));
    assert!(!has_word("use pcscd; let x_pcsc = 1;", "pcsc"));
    assert!(has_word("x = alloc::vec![]", "alloc::"));
    assert!(!has_word("x = dealloc::vec![]", "alloc::"));
}
