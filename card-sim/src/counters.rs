//! What a chip has done so far.

use applet::{Cell, Event};
use serde::Serialize;

/// Running totals of a chip; the difference of two is the cost of what happened between them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counters {
    /// ECDSA signatures made.
    pub signatures: u64,
    /// ECDSA signatures of other parties verified.
    pub verifications: u64,
    /// The card's own new signatures verified before they were given out.
    pub self_checks: u64,
    /// Writes to the header cells: each commits one step of the purse.
    pub purse_commits: u64,
    /// Writes to the PIN cells.
    pub pin_writes: u64,
    /// Bytes written to non-volatile memory.
    pub nvm_bytes: u64,
    /// Writes to non-volatile memory, whichever the cell.
    pub nvm_writes: u64,
}

impl Counters {
    /// What was added since `earlier`.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        Self {
            signatures: self.signatures.saturating_sub(earlier.signatures),
            verifications: self.verifications.saturating_sub(earlier.verifications),
            self_checks: self.self_checks.saturating_sub(earlier.self_checks),
            purse_commits: self.purse_commits.saturating_sub(earlier.purse_commits),
            pin_writes: self.pin_writes.saturating_sub(earlier.pin_writes),
            nvm_bytes: self.nvm_bytes.saturating_sub(earlier.nvm_bytes),
            nvm_writes: self.nvm_writes.saturating_sub(earlier.nvm_writes),
        }
    }

    /// Counts a write that put `bytes` new bytes into `cell`, torn or whole.
    pub(crate) fn note_write(&mut self, cell: Cell, bytes: u64) {
        self.nvm_bytes = self.nvm_bytes.saturating_add(bytes);
        self.nvm_writes = self.nvm_writes.saturating_add(1);
        if matches!(cell, Cell::Header(_)) {
            self.purse_commits = self.purse_commits.saturating_add(1);
        }
        if matches!(cell, Cell::Pin(_)) {
            self.pin_writes = self.pin_writes.saturating_add(1);
        }
    }

    /// Counts what the applet says that it did.
    pub(crate) fn note_event(&mut self, event: Event) {
        let total = match event {
            Event::Signature => &mut self.signatures,
            Event::Verification => &mut self.verifications,
            Event::SelfCheck => &mut self.self_checks,
        };
        *total = total.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_thing_is_counted_in_its_own_place() {
        let mut counters = Counters::default();
        counters.note_write(Cell::Header(0), 10);
        counters.note_write(Cell::Header(1), 10);
        counters.note_write(Cell::Header(0), 10);
        counters.note_write(Cell::Pin(1), 4);
        counters.note_write(Cell::Pin(0), 4);
        counters.note_write(Cell::Identity, 7);
        for (event, times) in
            [(Event::Signature, 1), (Event::Verification, 2), (Event::SelfCheck, 3)]
        {
            for _ in 0..times {
                counters.note_event(event);
            }
        }
        let expected = Counters {
            signatures: 1,
            verifications: 2,
            self_checks: 3,
            purse_commits: 3,
            pin_writes: 2,
            nvm_bytes: 45,
            nvm_writes: 6,
        };
        assert_eq!(counters, expected);
    }

    #[test]
    fn a_difference_covers_every_counter() {
        let of = |n: u64| Counters {
            signatures: n,
            verifications: 2 * n,
            self_checks: 3 * n,
            purse_commits: 4 * n,
            pin_writes: 5 * n,
            nvm_bytes: 6 * n,
            nvm_writes: 7 * n,
        };
        assert_eq!(of(10).since(&of(3)), of(7));
    }
}
