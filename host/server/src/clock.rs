use std::time::{SystemTime, UNIX_EPOCH};

use apdu_spec::value::Time;

/// The server's clock in whole seconds. A clock before 1970 reads as 0, so that everything has
/// expired rather than nothing.
#[must_use]
pub fn now() -> Time {
    Time(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()))
}
