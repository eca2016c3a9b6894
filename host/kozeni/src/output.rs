//! What goes to standard output: text for people, or one JSON object for programs.

use std::fmt::{self, Display};
use std::io::{self, Write};

use ::wallet::money::Money;
use apdu_spec::value::{Amount, Currency, Time};
use jiff::Timestamp;
use serde::Serialize;

use crate::failure::Failure;

/// Version of the JSON objects. Members may be added without a new one.
const SCHEMA: u32 = 1;

/// How to print.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Printer {
    /// JSON instead of text.
    pub(crate) json: bool,
}

#[derive(Serialize)]
struct Document<'a, T> {
    schema: u32,
    #[serde(flatten)]
    content: &'a T,
}

#[derive(Serialize)]
struct FailureDocument {
    error: FailureContent,
}

#[derive(Serialize)]
struct FailureContent {
    code: &'static str,
    text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    status_word: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<&'static str>,
}

impl Printer {
    /// Prints the result of a subcommand.
    pub(crate) fn print<T: Serialize + Display>(self, content: &T) -> Result<(), Failure> {
        let text = if self.json {
            to_json(content).map_err(Failure::io("standard output"))?
        } else {
            content.to_string()
        };
        let text = text.trim_end_matches('\n');
        match writeln!(io::stdout(), "{text}") {
            // Whoever reads us has seen enough.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            written => written.map_err(Failure::io("standard output")),
        }
    }

    /// Prints why there is no result: as JSON where the result would have been, as text to standard
    /// error.
    pub(crate) fn print_failure(self, failure: &Failure) {
        if matches!(failure, Failure::Told { .. }) {
            return;
        }
        let content = FailureContent {
            code: failure.code(),
            text: failure.to_string(),
            status_word: failure.status_word().map(|word| format!("{word:04X}")),
            remedy: failure.remedy(),
        };
        // Where not even this can be written, the exit code has to do.
        let _written = match (self.json, content.remedy) {
            (true, _) => to_json(&FailureDocument { error: content })
                .and_then(|text| writeln!(io::stdout(), "{text}")),
            (false, None) => writeln!(io::stderr(), "kozeni: {}", content.text),
            (false, Some(remedy)) => {
                writeln!(io::stderr(), "kozeni: {}\n{remedy}", content.text)
            }
        };
    }
}

fn to_json<T: Serialize>(content: &T) -> io::Result<String> {
    let document = Document { schema: SCHEMA, content };
    Ok(serde_json::to_string_pretty(&document)?)
}

/// Lines of name and value, the values below each other.
pub(crate) struct Lines<'a>(pub(crate) &'a [(&'a str, String)]);

impl Display for Lines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.0.iter().map(|(name, _)| name.len()).max();
        let width = width.unwrap_or_default();
        self.0.iter().try_for_each(|(name, value)| writeln!(f, "{name:width$}  {value}"))
    }
}

/// Rows below their heading; columns parted by two spaces.
pub(crate) fn table<const N: usize>(
    f: &mut fmt::Formatter<'_>,
    heading: &[&str; N],
    rows: impl Iterator<Item = [String; N]>,
) -> fmt::Result {
    let all: Vec<[String; N]> = [heading.map(str::to_owned)].into_iter().chain(rows).collect();
    let width = |text: &String| text.chars().count();
    let mut widths = [0; N];
    for row in &all {
        for (widest, text) in widths.iter_mut().zip(row) {
            *widest = width(text).max(*widest);
        }
    }
    for row in &all {
        let cells = row.iter().zip(widths).map(|(text, width)| format!("{text:width$}"));
        writeln!(f, "{}", cells.collect::<Vec<_>>().join("  ").trim_end())?;
    }
    Ok(())
}

/// An amount for people.
pub(crate) fn money(amount: u64, currency: u16) -> String {
    Money::new(Amount(amount), Currency(currency)).text
}

/// A time for people and programs (RFC 3339), in UTC.
pub(crate) fn date(time: Time) -> String {
    let seconds = i64::try_from(time.0).unwrap_or(i64::MAX);
    // Far beyond the year 9999 a date has no text, but still a number.
    Timestamp::from_second(seconds).map_or_else(|_| time.to_string(), |date| date.to_string())
}

/// Bytes as lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
