//! What the tests of card and host together need: real readers
//! without hardware, and the programs of the workspace.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test stops at the first thing that is not as expected"
)]

mod carrier;
pub mod costs;
pub mod keys;
mod pcscd;
mod pcscd_log;
pub mod process;
mod program;
pub mod proxy;
pub mod slot;
mod story;
pub mod world;

pub use carrier::{Carrier, ReaderCard};
pub use pcscd::Pcscd;
pub use pcscd_log::{Exchange, exchanges};
pub use program::program;
pub use story::{Report, Runner, Story, StoryError};
