//! Software chips that carry the purse applet, and the two ways to reach them.
//!
//! - [`RamChip`] forgets everything and can lose its power in the middle of any write;
//!   [`FileChip`] keeps a card in one file.
//! - [`Card`] is the applet in such a chip; transports know it only as a [`SmartCard`].
//! - [`vpcd`] makes it an ordinary PC/SC reader, [`direct`] serves it on a Unix socket without
//!   pcscd; [`Traced`] writes down what each APDU cost.

mod card;
mod chip;
mod counters;
pub mod direct;
mod frame;
mod session;
mod stop;
#[cfg(test)]
mod test_card;
mod trace;
pub mod vpcd;

pub use card::{ATR, Card, SmartCard};
pub use chip::Chip;
pub use chip::file::{FileChip, FileChipError};
pub use chip::ram::{Image, RamChip, Tail};
pub use counters::Counters;
pub use stop::Stop;
pub use trace::{Summary, TraceError, Traced, open_trace};
