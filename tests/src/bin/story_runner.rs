//! `story-runner --reader NAME FILE…`: tells stories to the card in a reader.
//!
//! A program of its own because libpcsclite reads `PCSCLITE_CSOCK_NAME` only once. The card is a
//! blank one at the beginning of the first story. Prints what each APDU took, in microseconds.

use std::path::Path;
use std::process::ExitCode;

use e2e::{ReaderCard, Runner, Story};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [option, reader, files @ ..] if option == "--reader" && !files.is_empty() => {
            match run(reader, files) {
                Ok(()) => ExitCode::SUCCESS,
                Err(message) => {
                    eprintln!("{message}");
                    ExitCode::FAILURE
                }
            }
        }
        _ => {
            eprintln!("usage: story-runner --reader NAME FILE...");
            ExitCode::from(2)
        }
    }
}

fn run(reader: &str, files: &[String]) -> Result<(), String> {
    let mut card = ReaderCard::open(reader)?;
    for file in files {
        let story = Story::read(Path::new(file)).map_err(|error| error.to_string())?;
        let report = Runner::new(&mut card).run(&story).map_err(|error| error.to_string())?;
        for time in report.times {
            println!("{}", time.as_micros());
        }
    }
    card.close()
}
