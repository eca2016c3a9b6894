//! Stories: what is sent to a card and what it has to answer, as data files that run on every
//! carrier. `stories/README.md` describes the language.

mod bytes;
mod check;
mod make;
mod parse;
mod run;
mod scene;

pub use parse::Story;
pub use run::{Report, Runner};

use std::fmt;
use std::rc::Rc;

/// A line of a story file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    file: Rc<str>,
    line: usize,
}

/// Why a story cannot be read, or what in it did not happen as told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoryError {
    place: Place,
    message: String,
}

impl fmt::Display for StoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Place { file, line } = &self.place;
        write!(f, "{file}:{line}: {}", self.message)
    }
}

impl std::error::Error for StoryError {}
