//! Chips made of software.

pub(crate) mod file;
pub(crate) mod ram;

use crate::Counters;
use applet::Env;

/// A chip that can carry the applet in a [`Card`](crate::Card).
pub trait Chip: Env {
    /// What the chip has done since it was made or opened.
    fn counters(&self) -> Counters;

    /// Whether the chip still runs. One without power gives no answer, whatever the applet that
    /// was cut off would have said.
    fn has_power(&self) -> bool {
        true
    }
}

/// What a cell that was never written reads as: erased flash.
pub(crate) const ERASED: u8 = 0xFF;
