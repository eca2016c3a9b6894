//! Which reader: names, and the choice among those that are there.
//!
//! ```text
//! direct:PATH     the software card that serves the Unix socket PATH
//! anything else   a PC/SC reader: its name, or a part of it that only one reader has
//! ```

use firmware_bridge::{Transport, TransportError};

use crate::direct::DirectTransport;
use crate::pcsc::{self, PcscTransport};

/// What a name of the direct transport begins with.
const DIRECT: &str = "direct:";

/// A PC/SC reader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reader {
    /// Its name.
    pub name: String,
    /// Whether something is in it.
    pub has_card: bool,
}

/// Why no reader could be chosen. Each variant names the readers that are there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// The readers could not be listed.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// No reader has this name, or a name with this part.
    #[error("no reader is named {wanted:?}; there are: {}", list(.readers))]
    NoMatch {
        /// The name asked for.
        wanted: String,
        /// All readers.
        readers: Vec<String>,
    },
    /// Several readers have a name with this part.
    #[error("{wanted:?} may be any of: {}", list(.readers))]
    Ambiguous {
        /// The name asked for.
        wanted: String,
        /// Those that it fits.
        readers: Vec<String>,
    },
    /// No reader was asked for, and none has a card.
    #[error("no card in any reader; there are: {}", list(.readers))]
    NoCard {
        /// All readers.
        readers: Vec<String>,
    },
    /// No reader was asked for, and several have a card.
    #[error("several readers have a card: {}", list(.readers))]
    SeveralCards {
        /// Those with a card.
        readers: Vec<String>,
    },
}

/// The way to the card in `reader`, or in the only reader that has a card. Does not connect yet.
///
/// # Errors
/// Any [`OpenError`].
pub fn open(reader: Option<&str>) -> Result<Box<dyn Transport + Send>, OpenError> {
    if let Some(path) = reader.and_then(|name| name.strip_prefix(DIRECT)) {
        return Ok(Box::new(DirectTransport::new(path)));
    }
    let name = choose(reader, &pcsc::readers()?)?;
    Ok(Box::new(PcscTransport::new(&name)?))
}

fn choose(wanted: Option<&str>, readers: &[Reader]) -> Result<String, OpenError> {
    let names = |which: &dyn Fn(&Reader) -> bool| -> Vec<String> {
        let readers = readers.iter().filter(|reader| which(reader));
        readers.map(|reader| reader.name.clone()).collect()
    };
    let all = || names(&|_| true);
    let Some(wanted) = wanted else {
        let with_card = names(&|reader| reader.has_card);
        return only(
            with_card,
            || OpenError::NoCard { readers: all() },
            |readers| OpenError::SeveralCards { readers },
        );
    };
    if readers.iter().any(|reader| reader.name == wanted) {
        return Ok(wanted.to_owned());
    }
    let fitting = names(&|reader| reader.name.contains(wanted));
    let wanted = || wanted.to_owned();
    only(
        fitting,
        || OpenError::NoMatch { wanted: wanted(), readers: all() },
        |readers| OpenError::Ambiguous { wanted: wanted(), readers },
    )
}

fn only(
    names: Vec<String>,
    none: impl FnOnce() -> OpenError,
    several: impl FnOnce(Vec<String>) -> OpenError,
) -> Result<String, OpenError> {
    match names.as_slice() {
        [] => Err(none()),
        [name] => Ok(name.clone()),
        [_, _, ..] => Err(several(names)),
    }
}

fn list(readers: &[String]) -> String {
    if readers.is_empty() {
        return "none".to_owned();
    }
    readers.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn readers(list: &[(&str, bool)]) -> Vec<Reader> {
        let reader = |&(name, has_card): &(&str, bool)| Reader { name: name.to_owned(), has_card };
        list.iter().map(reader).collect()
    }

    #[test]
    fn a_reader_is_chosen_by_name_by_part_or_by_its_card() {
        let two = readers(&[("Alpha 00", false), ("Alpha 00 01", true), ("Beta", false)]);
        let both = readers(&[("Alpha 00", true), ("Beta", true)]);
        for (wanted, readers, expected) in [
            (None, &two, "Ok(\"Alpha 00 01\")"),
            (Some("Alpha 00"), &two, "Ok(\"Alpha 00\")"),
            (Some("Bet"), &two, "Ok(\"Beta\")"),
            (Some("00 01"), &two, "Ok(\"Alpha 00 01\")"),
            (Some("Alpha"), &two, "\"Alpha\" may be any of: Alpha 00, Alpha 00 01"),
            (Some("Gamma"), &both, "no reader is named \"Gamma\"; there are: Alpha 00, Beta"),
            (None, &both, "several readers have a card: Alpha 00, Beta"),
            (None, &readers(&[("Beta", false)]), "no card in any reader; there are: Beta"),
            (None, &Vec::new(), "no card in any reader; there are: none"),
        ] {
            let chosen = match choose(wanted, readers) {
                Ok(name) => format!("Ok({name:?})"),
                Err(error) => error.to_string(),
            };
            assert_eq!(chosen, expected, "{wanted:?}");
        }
    }

    #[test]
    fn a_direct_reader_is_not_looked_for_among_the_others() {
        let transport = open(Some("direct:some/socket")).unwrap();
        assert_eq!(transport.describe(), "direct:some/socket");
    }
}
