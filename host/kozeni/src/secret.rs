//! PINs and PUKs: from the terminal without echo, from a file, or from standard input. Never from
//! the command line, which every process on the machine can read.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::path::{Path, PathBuf};

use apdu_spec::value::Pin;
use zeroize::Zeroizing;

use crate::failure::Failure;

/// Longest input in bytes; two PINs and their line ends are far shorter.
const INPUT_MAX: u64 = 64;

/// Where secrets come from.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct SecretArguments {
    /// Read PIN or PUK from this file, the new PIN from its second line; - is standard input.
    /// Otherwise they are asked for at the terminal; where there is none, they are read from
    /// standard input
    #[arg(long, value_name = "FILE")]
    pin_file: Option<PathBuf>,
}

/// A source of secrets, opened.
#[derive(Debug)]
pub(crate) enum Secrets {
    /// A person at a terminal.
    Terminal,
    /// Lines that were read at once.
    Lines(VecDeque<Pin>),
}

impl Secrets {
    /// Opens the source and, unless it is a terminal, reads all of it: before anything is asked of
    /// a card.
    pub(crate) fn open(arguments: &SecretArguments) -> Result<Self, Failure> {
        Self::open_path(arguments.pin_file.as_deref())
    }

    /// As [`open`](Self::open), of a subcommand that takes more than one file.
    pub(crate) fn open_path(path: Option<&Path>) -> Result<Self, Failure> {
        match path {
            None if io::stdin().is_terminal() => Ok(Self::Terminal),
            Some(path) if path != Path::new("-") => {
                let failed = || Failure::io(path.display().to_string());
                let mut file = File::open(path).map_err(failed())?;
                Self::read(&mut file, failed())
            }
            None | Some(_) => Self::read(&mut io::stdin(), Failure::io("standard input")),
        }
    }

    fn read(
        from: &mut impl Read,
        failed: impl FnOnce(io::Error) -> Failure,
    ) -> Result<Self, Failure> {
        // Room for all of it at once, so that no copy stays behind when it grows.
        let mut bytes = Zeroizing::new(Vec::with_capacity(128));
        from.take(INPUT_MAX).read_to_end(&mut bytes).map_err(failed)?;
        let text = str::from_utf8(&bytes).map_err(|_| Failure::Secret(FORM))?;
        Ok(Self::Lines(text.lines().map(parse).collect::<Result<_, _>>()?))
    }

    /// The next secret. `prompt` is shown at the terminal.
    pub(crate) fn next(&mut self, prompt: &str) -> Result<Pin, Failure> {
        match self {
            Self::Terminal => {
                let line = rpassword::prompt_password(format!("{prompt}: "))
                    .map_err(Failure::io("terminal"))?;
                parse(&Zeroizing::new(line))
            }
            Self::Lines(lines) => lines
                .pop_front()
                .ok_or(Failure::Secret("a line is missing: PIN or PUK, then the new PIN")),
        }
    }

    /// The next secret, a new one: at the terminal it is asked for twice.
    pub(crate) fn next_new(&mut self, prompt: &str) -> Result<Pin, Failure> {
        let new = self.next(prompt)?;
        if matches!(self, Self::Terminal) {
            let again = self.next("The same again")?;
            if again.block() != new.block() {
                return Err(Failure::Secret("the new PIN was not the same both times"));
            }
        }
        Ok(new)
    }
}

const FORM: &str = "a PIN has 4 to 8 digits, a PUK 8";

fn parse(line: &str) -> Result<Pin, Failure> {
    Pin::from_digits(line.trim_end_matches('\r')).map_err(|_| Failure::Secret(FORM))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn from_file(content: &[u8]) -> Result<Secrets, Failure> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pins");
        fs::write(&path, content).unwrap();
        let pin_file = Some(path);
        Secrets::open(&SecretArguments { pin_file })
    }

    #[test]
    fn a_file_has_one_secret_per_line() {
        for content in [&b"1234\n87654321\n"[..], b"1234\r\n87654321"] {
            let mut secrets = from_file(content).unwrap();
            assert_eq!(secrets.next("PIN").unwrap().block(), b"1234\xff\xff\xff\xff");
            assert_eq!(secrets.next_new("PIN").unwrap().block(), b"87654321");
            assert!(matches!(secrets.next("PIN"), Err(Failure::Secret(_))));
        }
    }

    #[test]
    fn what_is_no_pin_is_refused_before_a_card_sees_it() {
        for content in [
            &b"123\n"[..],
            b"123456789\n",
            b"12a4\n",
            b" 1234\n",
            b"\n",
            b"\xff\xfe\n",
            &[b'1'; 200],
        ] {
            let failure = from_file(content).map(|_| ()).unwrap_err();
            assert_eq!(failure.exit_code(), 2, "{content:?}");
            assert!(!failure.to_string().contains("12"), "{failure}");
        }
    }

    #[test]
    fn a_missing_file_is_named() {
        let pin_file = Some(PathBuf::from("nowhere/pins"));
        let failure = Secrets::open(&SecretArguments { pin_file }).map(|_| ());
        assert!(failure.unwrap_err().to_string().starts_with("nowhere/pins: "));
    }
}
