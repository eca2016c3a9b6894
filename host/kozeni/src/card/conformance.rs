//! `kozeni card conformance`: the specification's transcripts against the card in the reader.

use std::fmt;

use ::card::transcript::{Difference, Transcript};
use ::card::{Card, Presence, Transport};
use apdu_spec::value::LifeCycle;
use clap::ValueEnum;
use serde::Serialize;

use crate::failure::Failure;
use crate::output::hex;

/// Differences that are shown of one transcript as text, at most: one brings others with it.
const SHOWN_MAX: usize = 5;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Play this transcript instead of those that change nothing. It needs a blank card, gives it
    /// test keys that everybody knows, and leaves it useless
    #[arg(long, value_name = "TRANSCRIPT")]
    use_up: Option<Life>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Life {
    /// From personalisation to termination
    First,
    /// Until the PUK is blocked
    Blocked,
    /// Terminated without ever having held value
    Unused,
}

impl Life {
    const fn transcript(self) -> (&'static str, &'static str) {
        match self {
            Self::First => ("first-life", FIRST_LIFE),
            Self::Blocked => ("blocked-life", BLOCKED_LIFE),
            Self::Unused => ("unused-life", UNUSED_LIFE),
        }
    }
}

const FORM: &str = include_str!("../../../../apdu-spec/vectors/form.apdu");
const HARMLESS: &str = include_str!("../../../../apdu-spec/vectors/harmless.apdu");
const FIRST_LIFE: &str = include_str!("../../../../apdu-spec/vectors/first-life.apdu");
const BLOCKED_LIFE: &str = include_str!("../../../../apdu-spec/vectors/blocked-life.apdu");
const UNUSED_LIFE: &str = include_str!("../../../../apdu-spec/vectors/unused-life.apdu");

#[derive(Debug, Serialize)]
pub(super) struct Report {
    conforms: bool,
    transcripts: Vec<Played>,
}

#[derive(Debug, Serialize)]
struct Played {
    name: &'static str,
    commands: usize,
    differences: Vec<Deviation>,
}

#[derive(Debug, Serialize)]
struct Deviation {
    /// Line number in the transcript.
    line: usize,
    command: String,
    expected: String,
    received: String,
}

pub(super) fn run<T: Transport>(transport: T, arguments: &Arguments) -> Result<Report, Failure> {
    let mut card = Card::new(transport);
    let life_cycle = match card.presence()? {
        Presence::NoCard => return Err(Failure::NoCard),
        Presence::Unknown => return Err(Failure::UnknownCard),
        Presence::Ours(fci) => fci.life_cycle,
    };
    let transcripts = match (arguments.use_up, life_cycle) {
        (Some(life), LifeCycle::Blank) => vec![life.transcript()],
        // On any other card it would use up the tries of PIN and PUK, for nothing.
        (Some(_), _) => return Err(Failure::NotBlank),
        (None, LifeCycle::Active) => vec![("form", FORM), ("harmless", HARMLESS)],
        (None, _) => vec![("form", FORM)],
    };
    let mut transport = card.into_transport();
    let played = transcripts.into_iter().map(|(name, text)| play(name, text, &mut transport));
    let transcripts = played.collect::<Result<Vec<_>, _>>()?;
    let conforms = transcripts.iter().all(|played| played.differences.is_empty());
    Ok(Report { conforms, transcripts })
}

fn play<T: Transport>(
    name: &'static str,
    text: &str,
    transport: &mut T,
) -> Result<Played, Failure> {
    let transcript =
        Transcript::parse(text).map_err(|source| Failure::Transcript { name, source })?;
    let differences = transcript.play(transport).map_err(::card::CardError::from)?;
    Ok(Played {
        name,
        commands: transcript.command_count(),
        differences: differences.iter().map(deviation).collect(),
    })
}

fn deviation(difference: &Difference) -> Deviation {
    Deviation {
        line: difference.line,
        command: hex(&difference.command),
        expected: difference.expected.to_string().to_ascii_lowercase(),
        received: hex(&difference.received),
    }
}

impl Report {
    /// Makes differences a failure; they were reported before.
    pub(super) fn require(&self) -> Result<(), Failure> {
        let all = self.transcripts.iter().map(|played| played.differences.len());
        match all.sum() {
            0 => Ok(()),
            count => Err(Failure::NotConforming(count)),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for played in &self.transcripts {
            let (name, differing) = (played.name, played.differences.len());
            writeln!(f, "{name}: {} commands, {differing} answers differ", played.commands)?;
            for Deviation { line, command, expected, received } in
                played.differences.iter().take(SHOWN_MAX)
            {
                writeln!(f, "  line {line}: > {command}")?;
                writeln!(f, "    expected < {expected}")?;
                writeln!(f, "    received < {received}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_transcript_can_be_read() {
        let lives = Life::value_variants().iter().map(|life| life.transcript());
        for (name, text) in lives.chain([("form", FORM), ("harmless", HARMLESS)]) {
            let transcript = Transcript::parse(text);
            assert!(transcript.unwrap().command_count() > 10, "{name}");
        }
    }
}
