//! The bytes in a story: hexadecimal text with variables, and in expected answers with gaps.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::ops::Range;

use apdu_spec::Refusal;
use apdu_spec::value::Pin;

use crate::keys::sha256;

pub(super) type Variables = BTreeMap<String, Vec<u8>>;

/// A piece of a line with bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Literal(Vec<u8>),
    Variable(String, Option<Range<usize>>),
    Length(String),
    Sha256(String),
    /// `..`
    AnyByte,
    /// `*`
    AnyRun,
    /// `{name:64}`, or `{name:*}` without a length.
    Bind(String, Option<usize>),
}

/// A line with bytes, not yet filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bytes {
    tokens: Vec<Token>,
}

/// A part of an expected answer.
enum Part {
    Exact(Vec<u8>),
    Gap(Option<String>, Option<usize>),
}

impl Bytes {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut tokens = Vec::new();
        let mut rest = text.trim_start();
        while !rest.is_empty() {
            let length = if let Some(inner) = rest.strip_prefix('{') {
                let end = inner.find('}').ok_or_else(|| format!("no }} after {rest}"))?;
                tokens.push(braced(&inner[..end])?);
                end + 2
            } else if rest.starts_with("..") {
                tokens.push(Token::AnyByte);
                2
            } else if rest.starts_with('*') {
                tokens.push(Token::AnyRun);
                1
            } else {
                let is_digit = |c: char| c.is_ascii_hexdigit();
                let length = rest.find(|c| !is_digit(c)).unwrap_or(rest.len());
                tokens.push(Token::Literal(hex(&rest[..length]).ok_or_else(|| {
                    let word = rest.split_whitespace().next().unwrap_or(rest);
                    format!("{word} is not hexadecimal, nor .. nor * nor {{variable}}")
                })?));
                length
            };
            rest = rest[length..].trim_start();
        }
        let runs = |token: &&Token| matches!(token, Token::AnyRun | Token::Bind(_, None));
        if tokens.iter().filter(runs).count() > 1 {
            return Err("only one run of unknown length in an answer".to_owned());
        }
        Ok(Self { tokens })
    }

    /// Whether nothing in it is unknown, as in a command.
    pub(super) fn is_definite(&self) -> bool {
        let open = |token: &Token| {
            matches!(token, Token::AnyByte | Token::AnyRun | Token::Bind(_, Some(_) | None))
        };
        !self.tokens.iter().any(open)
    }

    /// The bytes of a definite line.
    pub(super) fn fill_in(&self, variables: &Variables) -> Result<Vec<u8>, String> {
        let mut bytes = Vec::new();
        for part in self.parts(variables)? {
            match part {
                Part::Exact(exact) => bytes.extend(exact),
                Part::Gap(..) => return Err("a gap in bytes that must be known".to_owned()),
            }
        }
        Ok(bytes)
    }

    /// Compares an answer and gives the variables that it binds, or what was expected and got.
    pub(super) fn check(&self, variables: &Variables, answer: &[u8]) -> Result<Variables, String> {
        let parts = self.parts(variables)?;
        matched(&parts, answer).ok_or_else(|| {
            let expected: Vec<String> = parts.iter().map(Part::show).collect();
            format!("expected {}\n     got {}{}", expected.join(" "), show(answer), explain(answer))
        })
    }

    fn parts(&self, variables: &Variables) -> Result<Vec<Part>, String> {
        let value = |name: &String| {
            let value = variables.get(name).cloned();
            value.ok_or_else(|| format!("nothing is called {name} yet"))
        };
        let part = |token: &Token| {
            Ok(match token {
                Token::Literal(bytes) => Part::Exact(bytes.clone()),
                Token::Variable(name, None) => Part::Exact(value(name)?),
                Token::Variable(name, Some(range)) => {
                    let value = value(name)?;
                    let piece = value.get(range.clone());
                    let too_long = || format!("{name} has only {} bytes", value.len());
                    Part::Exact(piece.ok_or_else(too_long)?.to_vec())
                }
                Token::Length(name) => {
                    let length = u8::try_from(value(name)?.len());
                    Part::Exact(vec![length.map_err(|_| format!("{name} is too long"))?])
                }
                Token::Sha256(name) => Part::Exact(sha256(&value(name)?).0.to_vec()),
                Token::AnyByte => Part::Gap(None, Some(1)),
                Token::AnyRun => Part::Gap(None, None),
                Token::Bind(name, length) => Part::Gap(Some(name.clone()), *length),
            })
        };
        self.tokens.iter().map(part).collect()
    }
}

impl Part {
    fn length(&self) -> Option<usize> {
        match self {
            Self::Exact(bytes) => Some(bytes.len()),
            Self::Gap(_, length) => *length,
        }
    }

    fn show(&self) -> String {
        match self {
            Self::Exact(bytes) => show(bytes),
            Self::Gap(None, Some(_)) => "..".to_owned(),
            Self::Gap(None, None) => "*".to_owned(),
            Self::Gap(Some(name), Some(length)) => format!("{{{name}:{length}}}"),
            Self::Gap(Some(name), None) => format!("{{{name}:*}}"),
        }
    }
}

fn matched(parts: &[Part], answer: &[u8]) -> Option<Variables> {
    let known: usize = parts.iter().filter_map(Part::length).sum();
    let mut left = answer.len().checked_sub(known)?;
    let mut bound = Variables::new();
    let mut rest = answer;
    for part in parts {
        // Only one part has no length of its own: it takes all that is over.
        let length = part.length().unwrap_or_else(|| std::mem::take(&mut left));
        let (piece, after) = rest.split_at_checked(length)?;
        rest = after;
        match part {
            Part::Exact(bytes) if piece != bytes => return None,
            Part::Gap(Some(name), _) => {
                bound.insert(name.clone(), piece.to_vec());
            }
            Part::Exact(_) | Part::Gap(None, _) => {}
        }
    }
    rest.is_empty().then_some(bound)
}

/// What stands between braces.
fn braced(inner: &str) -> Result<Token, String> {
    if let Some((kind, argument)) = inner.split_once(':') {
        let number = |size: usize| {
            let number: u64 = argument.parse().map_err(|_| bad_number(argument))?;
            let wide = number.to_be_bytes();
            let (zeros, bytes) = wide.split_at(8 - size);
            if zeros.iter().any(|byte| *byte != 0) {
                return Err(bad_number(argument));
            }
            Ok(Token::Literal(bytes.to_vec()))
        };
        return match kind {
            "len" => Ok(Token::Length(argument.to_owned())),
            "sha256" => Ok(Token::Sha256(argument.to_owned())),
            "u16" => number(2),
            "u32" => number(4),
            "u64" => number(8),
            "zeros" => {
                let count = argument.parse().map_err(|_| bad_number(argument))?;
                Ok(Token::Literal(vec![0; count]))
            }
            "pin" => {
                let pin = Pin::from_digits(argument).map_err(|_| bad_number(argument))?;
                Ok(Token::Literal(pin.block().to_vec()))
            }
            name if argument == "*" => Ok(Token::Bind(name.to_owned(), None)),
            name => {
                let length = argument.parse().map_err(|_| bad_number(argument))?;
                Ok(Token::Bind(name.to_owned(), Some(length)))
            }
        };
    }
    let Some((name, range)) = inner.split_once('[') else {
        return Ok(Token::Variable(inner.to_owned(), None));
    };
    let range = range.strip_suffix(']').and_then(|range| {
        let (start, end) = range.split_once("..")?;
        Some(start.parse().ok()?..end.parse().ok()?)
    });
    let range = range.ok_or_else(|| format!("{inner} has no range like [0..200]"))?;
    Ok(Token::Variable(name.to_owned(), Some(range)))
}

fn bad_number(text: &str) -> String {
    format!("{text} is no number of the expected size")
}

fn hex(digits: &str) -> Option<Vec<u8>> {
    if digits.is_empty() || !digits.len().is_multiple_of(2) {
        return None;
    }
    (0..digits.len() / 2)
        .map(|place| u8::from_str_radix(&digits[2 * place..2 * place + 2], 16).ok())
        .collect()
}

/// Upper-case hexadecimal, the status word of an answer without a space in it.
fn show(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in bytes {
        let _ = write!(text, "{byte:02X}");
    }
    text
}

/// What a status word means.
fn explain(answer: &[u8]) -> String {
    let word = answer.last_chunk().map(|word| u16::from_be_bytes(*word));
    match word.and_then(Refusal::from_status_word) {
        Some(refusal) => format!(" ({})", refusal.text()),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables() -> Variables {
        let pairs = [("permit", vec![1, 2, 3]), ("card", vec![0xca; 4])];
        pairs.into_iter().map(|(name, bytes)| (name.to_owned(), bytes)).collect()
    }

    #[test]
    fn commands_are_filled_in() {
        for (text, expected) in [
            ("80 5400 00", vec![0x80, 0x54, 0, 0]),
            ("{len:permit} {permit} 00", vec![3, 1, 2, 3, 0]),
            ("{permit[1..3]}{permit[0..1]}", vec![2, 3, 1]),
            ("{u16:392}{u32:1}", vec![1, 0x88, 0, 0, 0, 1]),
            ("{u64:256}", vec![0, 0, 0, 0, 0, 0, 1, 0]),
            ("{pin:1234}", b"1234\xff\xff\xff\xff".to_vec()),
            ("{zeros:3}", vec![0; 3]),
        ] {
            let bytes = Bytes::parse(text).unwrap();
            assert!(bytes.is_definite(), "{text}");
            assert_eq!(bytes.fill_in(&variables()).as_ref(), Ok(&expected));
        }
    }

    #[test]
    fn answers_are_matched_and_bind_what_they_name() {
        let check = |text: &str, answer: &[u8]| {
            let bytes = Bytes::parse(text).unwrap();
            bytes.check(&variables(), answer).ok()
        };
        let bound = |name: &str, bytes: &[u8]| {
            let variables: Variables = [(name.to_owned(), bytes.to_vec())].into();
            Some(variables)
        };
        let nothing = Some(Variables::new());
        assert_eq!(check("9000", &[0x90, 0]), nothing);
        assert_eq!(check("9000", &[0x90, 0, 0]), None);
        assert_eq!(check(".. 02 {card}", &[9, 2, 0xca, 0xca, 0xca, 0xca]), nothing);
        assert_eq!(check(".. 02", &[9, 3]), None);
        assert_eq!(check("01 * 9000", &[1, 0x90, 0]), nothing);
        assert_eq!(check("01 * 9000", &[1, 5, 6, 0x90, 0]), nothing);
        assert_eq!(check("01 * 9000", &[1, 5, 6]), None);
        assert_eq!(check("{a:2} 9000", &[7, 8, 0x90, 0]), bound("a", &[7, 8]));
        assert_eq!(check("{a:*} 9000", &[7, 0x90, 0]), bound("a", &[7]));
        assert_eq!(check("{a:3} 9000", &[7, 0x90, 0]), None);
    }

    #[test]
    fn a_wrong_answer_is_told_with_what_was_expected() {
        let pattern = Bytes::parse("{card} .. {sig:64} 9000").unwrap();
        assert_eq!(
            pattern.check(&variables(), &[0x69, 0x85]),
            Err("expected CACACACA .. {sig:64} 9000\n     got 6985 \
                 (not allowed in the card's present state)"
                .to_owned())
        );
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["8", "8x", "{permit", "{u16:65536}", "{u32:x}", "{a[1]}", "* 00 *", "."] {
            assert!(Bytes::parse(text).is_err(), "{text}");
        }
        for text in ["{nobody}", "{len:nobody}", "{permit[0..4]}", "..", "{a:3}"] {
            let bytes = Bytes::parse(text).unwrap();
            assert!(bytes.fill_in(&variables()).is_err(), "{text}");
        }
    }
}
