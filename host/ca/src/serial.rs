use std::fmt;
use std::str::FromStr;

/// Serial number of a certificate: 16 bytes, positive and of full length (RFC 5280 §4.1.2.2), so
/// that the bytes are the same here, in DER and in a certificate viewer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Serial([u8; 16]);

/// A text that is not a serial number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a serial number has 32 hexadecimal digits")]
pub struct SerialError;

impl Serial {
    /// Makes a serial number of random bytes.
    pub(crate) const fn from_random(random: [u8; 16]) -> Self {
        let [first, rest @ ..] = random;
        let mut serial = [0; 16];
        let [to, tail @ ..] = &mut serial;
        // Clear the sign; a one behind it, so that no leading byte is ever left out.
        *to = (first & 0x7f) | 0x40;
        tail.copy_from_slice(&rest);
        Self(serial)
    }

    /// Takes the bytes as they stand in a certificate.
    ///
    /// # Errors
    /// [`SerialError`] for another length.
    pub fn from_slice(bytes: &[u8]) -> Result<Self, SerialError> {
        bytes.try_into().map(Self).map_err(|_| SerialError)
    }

    /// The bytes, big-endian.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Serial({self})")
    }
}

impl FromStr for Serial {
    type Err = SerialError;

    /// Accepts the colons of certificate viewers.
    fn from_str(text: &str) -> Result<Self, SerialError> {
        // A nonce has the same form: 16 bytes in hexadecimal digits.
        let digits: String = text.chars().filter(|character| *character != ':').collect();
        let parsed = digits.parse::<apdu_spec::value::Nonce>();
        parsed.map(|apdu_spec::value::Nonce(bytes)| Self(bytes)).map_err(|_| SerialError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_serial_number_is_positive_of_full_length_and_readable() {
        for first in [0x00, 0x3f, 0x80, 0xff] {
            let serial = Serial::from_random([first; 16]);
            assert!((0x40..0x80).contains(&serial.as_bytes()[0]), "{serial}");
            assert_eq!(serial.to_string().parse(), Ok(serial));
            assert_eq!(Serial::from_slice(serial.as_bytes()), Ok(serial));
        }
        let colons = "40:01:02:03:04:05:06:07:08:09:0A:0B:0C:0D:0E:0F";
        let serial = Serial::from_random([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]);
        assert_eq!(colons.parse(), Ok(serial));
        for bad in ["", "40", "zz", &"4".repeat(34)] {
            assert_eq!(bad.parse::<Serial>(), Err(SerialError), "{bad}");
        }
    }
}
