//! How a running card is asked to stop.

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// How long a read or write on a socket blocks before it looks whether it should stop.
pub(crate) const LOOK_UP: Duration = Duration::from_millis(100);

/// A switch that is thrown once; clones share it.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<(Mutex<bool>, Condvar)>);

impl Stop {
    /// A switch that only [`set`](Self::set) throws.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A switch that SIGINT and SIGTERM throw.
    ///
    /// # Errors
    /// When the signals cannot be caught.
    pub fn on_signals() -> io::Result<Self> {
        let stop = Self::new();
        let mut signals = Signals::new([SIGINT, SIGTERM])?;
        let thrown = stop.clone();
        thread::Builder::new().name("signals".into()).spawn(move || {
            for _ in signals.forever() {
                thrown.set();
            }
        })?;
        Ok(stop)
    }

    /// Throws the switch.
    pub fn set(&self) {
        *self.lock() = true;
        self.0.1.notify_all();
    }

    /// Whether it was thrown.
    #[must_use]
    pub fn is_set(&self) -> bool {
        *self.lock()
    }

    /// Blocks until it is thrown.
    pub(crate) fn wait(&self) {
        let waited = self.0.1.wait_while(self.lock(), |set| !*set);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }

    /// Blocks until it is thrown, at most for `time`.
    pub(crate) fn wait_for(&self, time: Duration) {
        let waited = self.0.1.wait_timeout_while(self.lock(), time, |set| !*set);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }

    /// A thread that panicked cannot have left a bool half written.
    fn lock(&self) -> MutexGuard<'_, bool> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    #[test]
    fn a_clone_throws_the_same_switch_and_wakes_who_waits() {
        let stop = Stop::new();
        assert!(!stop.is_set());
        let before = Instant::now();
        stop.wait_for(Duration::from_millis(20));
        assert!(before.elapsed() >= Duration::from_millis(20));
        assert!(!stop.is_set());
        let other = stop.clone();
        let thrower = thread::spawn(move || other.set());
        stop.wait();
        thrower.join().unwrap();
        assert!(stop.is_set());
    }

    #[test]
    fn a_signal_throws_the_switch() {
        let stop = Stop::on_signals().unwrap();
        signal_hook::low_level::raise(SIGTERM).unwrap();
        stop.wait_for(Duration::from_secs(10));
        assert!(stop.is_set());
    }
}
