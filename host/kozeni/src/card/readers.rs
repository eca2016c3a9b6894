//! `kozeni card readers`.

use std::fmt;

use ::card::pcsc;
use serde::Serialize;

use crate::failure::Failure;

#[derive(Debug, Serialize)]
pub(super) struct Readers {
    readers: Vec<Reader>,
}

#[derive(Debug, Serialize)]
struct Reader {
    name: String,
    has_card: bool,
}

pub(super) fn run() -> Result<Readers, Failure> {
    let readers = pcsc::readers().map_err(::card::OpenError::from)?;
    let readers =
        readers.into_iter().map(|reader| Reader { name: reader.name, has_card: reader.has_card });
    Ok(Readers { readers: readers.collect() })
}

impl fmt::Display for Readers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.readers.is_empty() {
            return f.write_str("no reader");
        }
        self.readers.iter().try_for_each(|reader| {
            let card = if reader.has_card { "card" } else { "empty" };
            writeln!(f, "{card:5}  {}", reader.name)
        })
    }
}
