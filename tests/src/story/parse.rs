//! From the text of story files to steps.

use std::fs;
use std::path::Path;
use std::rc::Rc;

use super::bytes::Bytes;
use super::{Place, StoryError};

/// A story, with everything that it includes.
#[derive(Clone, Debug)]
pub struct Story {
    pub(super) steps: Vec<Step>,
}

#[derive(Clone, Debug)]
pub(super) struct Step {
    pub(super) place: Place,
    pub(super) action: Action,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// `> …` with the `< …` that follows it.
    Send(Bytes, Bytes),
    /// `let NAME = …`
    Let(String, Bytes),
    /// `make KIND NAME key=value …`
    Make(Directive),
    /// `check KIND NAME key=value …`
    Check(Directive),
    /// `balance AMOUNT`
    Balance(u64),
    Reset,
    PowerCycle,
}

/// A kind, a name, and arguments in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Directive {
    pub(super) kind: String,
    pub(super) name: String,
    pub(super) arguments: Vec<(String, String)>,
}

/// A line that is not empty, continuation lines joined to it.
#[derive(Clone, Debug)]
struct Line {
    place: Place,
    text: String,
}

impl Line {
    fn error(&self, message: impl Into<String>) -> StoryError {
        StoryError { place: self.place.clone(), message: message.into() }
    }
}

impl Story {
    /// Reads a story file and what it includes.
    ///
    /// # Errors
    /// [`StoryError`] with file and line where something is not understood.
    pub fn read(path: &Path) -> Result<Self, StoryError> {
        let start = Line {
            place: Place { file: path.to_string_lossy().into(), line: 0 },
            text: String::new(),
        };
        let lines = read_file(path, &start, 0)?;
        Ok(Self { steps: steps(lines)? })
    }
}

/// The lines of a file, with included files in their place and loops unrolled.
fn read_file(path: &Path, from: &Line, depth: u32) -> Result<Vec<Line>, StoryError> {
    let text = fs::read_to_string(path)
        .map_err(|error| from.error(format!("{}: {error}", path.display())))?;
    if depth > 8 {
        return Err(from.error("stories include each other without end"));
    }
    let mut lines = Vec::new();
    for line in unroll(join(path, &text)?)? {
        match line.text.strip_prefix("include ") {
            Some(file) => {
                let path = path.with_file_name(file.trim());
                lines.extend(read_file(&path, &line, depth + 1)?);
            }
            None => lines.push(line),
        }
    }
    Ok(lines)
}

/// Leaves out comments and empty lines, and joins lines that begin with a space to the one before.
fn join(path: &Path, text: &str) -> Result<Vec<Line>, StoryError> {
    let file: Rc<str> = path.to_string_lossy().into();
    let mut lines: Vec<Line> = Vec::new();
    for (number, text) in (1..).zip(text.lines()) {
        let continues = text.starts_with([' ', '\t']);
        let text = text.trim();
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        let line =
            Line { place: Place { file: Rc::clone(&file), line: number }, text: text.to_owned() };
        match lines.last_mut() {
            Some(before) if continues => before.text = format!("{} {text}", before.text),
            None if continues => return Err(line.error("nothing to continue")),
            Some(_) | None => lines.push(line),
        }
    }
    Ok(lines)
}

/// Repeats what stands between `for n 1..3` and `end`, both ends included, with `$n`, `$n-1`,
/// `$n+1` filled in.
fn unroll(lines: Vec<Line>) -> Result<Vec<Line>, StoryError> {
    let mut out = Vec::new();
    let mut lines = lines.into_iter();
    while let Some(line) = lines.next() {
        let Some(head) = line.text.strip_prefix("for ") else {
            out.push(line);
            continue;
        };
        let (variable, first, last) =
            loop_head(head).ok_or_else(|| line.error("expected a loop like: for n 1..3"))?;
        let mut body: Vec<Line> = lines.collect();
        let end = body.iter().position(|line| line.text == "end");
        let after = body.split_off(1 + end.ok_or_else(|| line.error("for without end"))?);
        body.pop();
        for number in first..=last {
            for line in &body {
                let text = substitute(&line.text, &format!("${variable}"), number)
                    .ok_or_else(|| line.error("below zero"))?;
                out.push(Line { place: line.place.clone(), text });
            }
        }
        lines = after.into_iter();
    }
    Ok(out)
}

fn loop_head(head: &str) -> Option<(&str, u64, u64)> {
    let (variable, range) = head.split_once(' ')?;
    let (first, last) = range.split_once("..")?;
    Some((variable, first.parse().ok()?, last.parse().ok()?))
}

fn substitute(text: &str, variable: &str, number: u64) -> Option<String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(variable) {
        out.push_str(before);
        let digits = |text: &str| text.chars().take_while(char::is_ascii_digit).count();
        let (sum, length) = match after.chars().next() {
            Some('-') if digits(&after[1..]) > 0 => {
                let length = 1 + digits(&after[1..]);
                (number.checked_sub(after[1..length].parse().ok()?)?, length)
            }
            Some('+') if digits(&after[1..]) > 0 => {
                let length = 1 + digits(&after[1..]);
                (number.checked_add(after[1..length].parse().ok()?)?, length)
            }
            Some(_) | None => (number, 0),
        };
        out.push_str(&sum.to_string());
        rest = &after[length..];
    }
    out.push_str(rest);
    Some(out)
}

fn steps(lines: Vec<Line>) -> Result<Vec<Step>, StoryError> {
    let mut steps = Vec::new();
    let mut lines = lines.into_iter();
    while let Some(line) = lines.next() {
        let action = if let Some(command) = line.text.strip_prefix('>') {
            let command = Bytes::parse(command).map_err(|message| line.error(message))?;
            if !command.is_definite() {
                return Err(line.error("a command with a gap"));
            }
            let answer = lines
                .next()
                .filter(|line| line.text.starts_with('<'))
                .ok_or_else(|| line.error("a command without an answer after it"))?;
            let pattern = Bytes::parse(&answer.text[1..]);
            let pattern = pattern.map_err(|message| answer.error(message))?;
            steps.push(Step {
                // The place of the answer: it is what can turn out wrong.
                place: answer.place,
                action: Action::Send(command, pattern),
            });
            continue;
        } else {
            other_action(&line.text).map_err(|message| line.error(message))?
        };
        steps.push(Step { place: line.place, action });
    }
    Ok(steps)
}

fn other_action(text: &str) -> Result<Action, String> {
    let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
    match word {
        "<" => Err("an answer without a command before it".to_owned()),
        "let" => {
            let (name, value) = rest.split_once('=').ok_or("expected: let NAME = BYTES")?;
            Ok(Action::Let(name.trim().to_owned(), Bytes::parse(value)?))
        }
        "make" => Ok(Action::Make(directive(rest)?)),
        "check" => Ok(Action::Check(directive(rest)?)),
        "balance" => {
            let amount = rest.trim().parse();
            amount.map(Action::Balance).map_err(|_| "expected: balance AMOUNT".to_owned())
        }
        "reset" if rest.is_empty() => Ok(Action::Reset),
        "power_cycle" if rest.is_empty() => Ok(Action::PowerCycle),
        "end" => Err("end without for".to_owned()),
        _ => Err(format!(
            "{word} is not understood; a line begins with # > < let make check balance reset \
             power_cycle include for end, or with a space to continue the line before"
        )),
    }
}

/// `KIND [NAME] key=value …`; the name may be left out where nothing is named.
fn directive(text: &str) -> Result<Directive, String> {
    let mut words = text.split_whitespace().peekable();
    let kind = words.next().ok_or("what?")?.to_owned();
    let name = words.next_if(|word| !word.contains('=')).unwrap_or("");
    let arguments = words.map(|word| {
        let (key, value) = word.split_once('=')?;
        Some((key.to_owned(), value.to_owned()))
    });
    Ok(Directive {
        kind,
        name: name.to_owned(),
        arguments: arguments.collect::<Option<_>>().ok_or("expected arguments like key=value")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Story, StoryError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.story");
        fs::write(&path, text).unwrap();
        fs::write(folder.path().join("b.story"), "\n> 01 02\n").unwrap();
        Story::read(&path)
    }

    #[test]
    fn lines_are_joined_unrolled_and_keep_their_places() {
        let story = read(
            "# A story\n\nfor n 2..3\nmake permit p$n seq=$n\n  ack_debit=$n-1 x=$n+10\nend\n\
             > 80 54\n  00 00\n< 9000\nreset\n",
        )
        .unwrap();
        let lines: Vec<usize> = story.steps.iter().map(|step| step.place.line).collect();
        assert_eq!(lines, [4, 4, 9, 10]);
        let arguments = [("seq", "3"), ("ack_debit", "2"), ("x", "13")]
            .map(|(key, value)| (key.to_owned(), value.to_owned()));
        assert_eq!(
            story.steps[1].action,
            Action::Make(Directive {
                kind: "permit".to_owned(),
                name: "p3".to_owned(),
                arguments: arguments.into(),
            })
        );
    }

    #[test]
    fn what_is_not_understood_is_told_with_its_place() {
        for (text, place, expected) in [
            ("reset\nrest\n", "a.story:2: ", "rest is not understood"),
            ("> 80\nreset\n", "a.story:1: ", "without an answer"),
            ("< 9000\n", "a.story:1: ", "without a command"),
            ("> 80 ..\n< 9000\n", "a.story:1: ", "gap"),
            ("> 80\n< 9\n", "a.story:2: ", "9 is not hexadecimal"),
            ("\nmake permit p seq\n", "a.story:2: ", "key=value"),
            ("include b.story\n", "b.story:2: ", "without an answer"),
            ("include c.story\n", "a.story:1: ", "c.story: "),
            ("include a.story\n", "a.story:1: ", "without end"),
            (" reset\n", "a.story:1: ", "nothing to continue"),
            ("for n 1..2\nreset\n", "a.story:1: ", "for without end"),
            ("for n\nend\n", "a.story:1: ", "for n 1..3"),
            ("end\n", "a.story:1: ", "end without for"),
            ("for n 0..1\nbalance $n-1\nend\n", "a.story:2: ", "below zero"),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(place), "{text:?} gives {error}");
            assert!(error.contains(expected), "{text:?} gives {error}");
        }
    }
}
