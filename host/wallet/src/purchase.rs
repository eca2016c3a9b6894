//! The purchase (source Fig. 8) as a state machine without I/O.

mod progress;
mod state;
mod steps;

pub use progress::{
    Completed, Debited, Earlier, Introduced, Invoiced, Ordered, Ordering, Permitted, Progress,
    Received, Requested, Url,
};
pub use state::{End, Screen, State};
pub use steps::{Booked, Judge};
