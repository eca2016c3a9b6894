//! Ledger's framing of APDUs in reports of 64 bytes:
//!
//! ```text
//! first report    01 01 | 05 | 00 00    | length u16 | 57 bytes of the APDU
//! next reports    01 01 | 05 | sequence | 59 bytes of the APDU
//!                channel tag
//! ```
//!
//! Integers are big-endian. The length is that of the whole APDU; the last report is filled with
//! zeros. One [`Fragment`] is one report; putting them together is the caller's business.

use core::num::NonZeroU16;

use crate::report::Report;

/// Channel of all reports.
pub const CHANNEL: u16 = 0x0101;

/// Tag of reports that carry an APDU.
pub const TAG_APDU: u8 = 0x05;

const FIRST_HEADER: usize = 2 + 1 + 2 + 2;
const NEXT_HEADER: usize = 2 + 1 + 2;

/// Bytes of an APDU in the first report, at most.
pub const FIRST_MAX: usize = Report::SIZE - FIRST_HEADER;

/// Bytes of an APDU in each following report, at most.
pub const NEXT_MAX: usize = Report::SIZE - NEXT_HEADER;

/// Why a report is not a fragment of an APDU, or cannot be one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FramingError {
    /// Another channel than [`CHANNEL`].
    #[error("report of another channel")]
    Channel,
    /// Another tag than [`TAG_APDU`].
    #[error("report does not carry an APDU")]
    Tag,
    /// More bytes than a report has room for, or than the APDU is long.
    #[error("too many bytes for one report")]
    TooLong,
}

/// What one report carries.
///
/// `Debug` shows no data.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Fragment<'a> {
    /// Sequence 0: the length of the whole APDU, and its beginning.
    First {
        /// Length of the whole APDU in bytes.
        length: u16,
        /// Its first bytes, at most [`FIRST_MAX`].
        data: &'a [u8],
    },
    /// Any later report.
    Next {
        /// Its number; the first report has number 0.
        sequence: NonZeroU16,
        /// The next bytes, at most [`NEXT_MAX`]; as decoded, with the filling of the last report.
        data: &'a [u8],
    },
}

impl<'a> Fragment<'a> {
    /// Makes the report.
    ///
    /// # Errors
    /// [`FramingError::TooLong`] when the data does not fit into the report or into `length`.
    pub fn encode(&self) -> Result<Report, FramingError> {
        let (sequence, length, data) = match *self {
            Self::First { length, data } if data.len() > usize::from(length) => {
                return Err(FramingError::TooLong);
            }
            Self::First { length, data } => (0, length.to_be_bytes().to_vec(), data),
            Self::Next { sequence, data } => (sequence.get(), Vec::new(), data),
        };
        let (channel, sequence) = (CHANNEL.to_be_bytes(), sequence.to_be_bytes());
        Report::from_parts(&[&channel, &[TAG_APDU], &sequence, &length, data])
            .ok_or(FramingError::TooLong)
    }

    /// Takes a report apart. The data of a first fragment is cut to the claimed length; that of
    /// later ones is whole, for only the sum of all fragments says where the APDU ends.
    ///
    /// # Errors
    /// [`FramingError::Channel`] or [`FramingError::Tag`] for a report of somebody else.
    pub fn decode(report: &'a Report) -> Result<Self, FramingError> {
        let [c0, c1, tag, s0, s1, rest @ ..] = report.as_bytes();
        if u16::from_be_bytes([*c0, *c1]) != CHANNEL {
            return Err(FramingError::Channel);
        }
        if *tag != TAG_APDU {
            return Err(FramingError::Tag);
        }
        Ok(match NonZeroU16::new(u16::from_be_bytes([*s0, *s1])) {
            Some(sequence) => Self::Next { sequence, data: rest },
            None => {
                let [l0, l1, data @ ..] = rest;
                let length = u16::from_be_bytes([*l0, *l1]);
                Self::First { length, data: data.get(..usize::from(length)).unwrap_or(data) }
            }
        })
    }
}

impl core::fmt::Debug for Fragment<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::First { length, data } => {
                write!(f, "First({length}, {} bytes)", data.len())
            }
            Self::Next { sequence, data } => {
                write!(f, "Next({sequence}, {} bytes)", data.len())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(sequence: u16, data: &[u8]) -> Fragment<'_> {
        let sequence = NonZeroU16::new(sequence).unwrap();
        Fragment::Next { sequence, data }
    }

    #[test]
    fn a_short_command_is_one_report() {
        let data = &[0x80, 0x5c, 0, 0, 0];
        let report = Fragment::First { length: 5, data }.encode().unwrap();
        let head = [1, 1, 5, 0, 0, 0, 5, 0x80, 0x5c, 0, 0, 0];
        assert_eq!(report.as_bytes()[..12], head);
        assert_eq!(report.as_bytes()[12..], [0; 52]);
        assert_eq!(Fragment::decode(&report), Ok(Fragment::First { length: 5, data }));
    }

    #[test]
    fn a_later_report_carries_its_sequence() {
        let report = next(0x0102, &[7; NEXT_MAX]).encode().unwrap();
        assert_eq!(report.as_bytes()[..6], [1, 1, 5, 1, 2, 7]);
        assert_eq!(Fragment::decode(&report), Ok(next(0x0102, &[7; NEXT_MAX])));
    }

    #[test]
    fn data_fits_into_the_report_and_into_the_length() {
        let first = |length, data| Fragment::First { length, data }.encode().map(|_| ());
        assert_eq!(first(300, &[0; FIRST_MAX]), Ok(()));
        assert_eq!(first(300, &[0; FIRST_MAX + 1]), Err(FramingError::TooLong));
        assert_eq!(first(3, &[0; 4]), Err(FramingError::TooLong));
        let longer = next(1, &[0; NEXT_MAX + 1]).encode();
        assert_eq!(longer.map(|_| ()), Err(FramingError::TooLong));
    }

    #[test]
    fn a_claimed_length_brings_no_more_than_the_report_has() {
        let mut bytes = [9; 64];
        bytes[..7].copy_from_slice(&[1, 1, 5, 0, 0, 0xff, 0xff]);
        let report = Report::from_bytes(&bytes).unwrap();
        let data = &[9; FIRST_MAX];
        assert_eq!(Fragment::decode(&report), Ok(Fragment::First { length: 0xffff, data }));
    }

    #[test]
    fn reports_of_others_are_refused() {
        for (head, error) in [
            ([1, 2, 5], FramingError::Channel),
            ([0, 1, 5], FramingError::Channel),
            ([1, 1, 2], FramingError::Tag),
        ] {
            let mut bytes = [0; 64];
            bytes[..3].copy_from_slice(&head);
            let report = Report::from_bytes(&bytes).unwrap();
            assert_eq!(Fragment::decode(&report), Err(error), "{head:?}");
        }
    }

    #[test]
    fn a_fragment_is_not_shown() {
        assert_eq!(format!("{:?}", next(2, b"1234")), "Next(2, 4 bytes)");
    }
}
