//! A HID report: the unit in which USB HID moves bytes.

use core::fmt;

use zeroize::{Zeroize, ZeroizeOnDrop};

/// A HID report of 64 bytes.
///
/// It always starts from zeros and is overwritten when dropped: what is behind the content goes
/// over the wire too, and a PIN of an earlier command would go with it.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct Report([u8; Self::SIZE]);

impl Report {
    /// Size in bytes.
    pub const SIZE: usize = 64;

    /// A report of zeros.
    #[must_use]
    pub const fn new() -> Self {
        Self([0; Self::SIZE])
    }

    /// Takes a report as it was received; `None` unless it has exactly 64 bytes.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// All 64 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; Self::SIZE] {
        &self.0
    }

    /// Writes `parts` one after the other from the start; `None` when they do not fit.
    pub(crate) fn from_parts(parts: &[&[u8]]) -> Option<Self> {
        let mut report = Self::new();
        let mut room = report.0.as_mut_slice();
        for part in parts {
            let (place, rest) = room.split_at_mut_checked(part.len())?;
            place.copy_from_slice(part);
            room = rest;
        }
        Some(report)
    }
}

impl Default for Report {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Report(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rest_of_a_report_is_zeros() {
        let report = Report::from_parts(&[&[1, 2], &[3]]).unwrap();
        assert_eq!(report.as_bytes()[..3], [1, 2, 3]);
        assert_eq!(report.as_bytes()[3..], [0; 61]);
        assert!(Report::from_parts(&[&[0; 64]]).is_some());
        assert!(Report::from_parts(&[&[0; 64], &[0]]).is_none());
    }

    #[test]
    fn only_whole_reports_are_taken() {
        for (length, taken) in [(0, false), (63, false), (64, true), (65, false)] {
            let report = Report::from_bytes(&vec![7; length]);
            assert_eq!(report.is_some(), taken, "{length}");
        }
    }

    #[test]
    fn a_report_is_not_shown() {
        let shown = format!("{:?}", Report::from_bytes(&[0x31; 64]));
        assert_eq!(shown, "Some(Report(…))");
    }
}
