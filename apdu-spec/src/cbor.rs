//! The part of deterministic CBOR (RFC 8949 §4.2.1) that card records use: unsigned integers, byte
//! and text strings, arrays and maps of known length, every head in its shortest form.

use crate::codec::{Buffer, CodecError, Reader};

/// Major type of a data item (RFC 8949 §3.1), as the upper three bits of its first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Major {
    /// Unsigned integer.
    Unsigned = 0,
    /// Byte string.
    Bytes = 2,
    /// Text string.
    Text = 3,
    /// Array.
    Array = 4,
    /// Map.
    Map = 5,
}

/// Size in bytes of a head that carries `value`.
#[must_use]
pub const fn head_size(value: u64) -> usize {
    match value {
        0..=23 => 1,
        24..=0xff => 2,
        0x100..=0xffff => 3,
        0x1_0000..=0xffff_ffff => 5,
        _ => 9,
    }
}

/// Writes the head of an item in its shortest form.
///
/// # Errors
/// [`CodecError::Full`] when it does not fit.
pub fn write_head<const N: usize>(
    into: &mut Buffer<N>,
    major: Major,
    value: u64,
) -> Result<(), CodecError> {
    let major = (major as u8) << 5;
    let wide = value.to_be_bytes();
    let (info, argument): (u8, &[u8]) = match (head_size(value), &wide) {
        (1, [.., low]) => (*low, &[]),
        (2, [.., _]) => (24, wide.get(7..).unwrap_or_default()),
        (3, _) => (25, wide.get(6..).unwrap_or_default()),
        (5, _) => (26, wide.get(4..).unwrap_or_default()),
        _ => (27, &wide),
    };
    into.push(major | info)?;
    into.extend(argument)
}

/// Reads a head of the expected major type and returns its argument.
///
/// # Errors
/// [`CodecError::Unexpected`] for another type or an indefinite length,
/// [`CodecError::NotCanonical`] for a longer form than needed, [`CodecError::Short`] at the end.
pub fn read_head(from: &mut Reader<'_>, major: Major) -> Result<u64, CodecError> {
    let first = from.u8()?;
    if first >> 5 != major as u8 {
        return Err(CodecError::Unexpected);
    }
    let (size, value) = match first & 0x1f {
        low @ 0..=23 => (1, u64::from(low)),
        24 => (2, u64::from(from.u8()?)),
        25 => (3, u64::from(from.u16()?)),
        26 => (5, u64::from(from.u32()?)),
        27 => (9, from.u64()?),
        _ => return Err(CodecError::Unexpected),
    };
    if head_size(value) == size { Ok(value) } else { Err(CodecError::NotCanonical) }
}

/// Writes a byte string.
///
/// # Errors
/// [`CodecError::Full`] when it does not fit.
pub fn write_bytes<const N: usize>(into: &mut Buffer<N>, bytes: &[u8]) -> Result<(), CodecError> {
    write_string(into, Major::Bytes, bytes)
}

/// Writes a text string.
///
/// # Errors
/// [`CodecError::Full`] when it does not fit.
pub fn write_text<const N: usize>(into: &mut Buffer<N>, text: &str) -> Result<(), CodecError> {
    write_string(into, Major::Text, text.as_bytes())
}

fn write_string<const N: usize>(
    into: &mut Buffer<N>,
    major: Major,
    bytes: &[u8],
) -> Result<(), CodecError> {
    let length = u64::try_from(bytes.len()).map_err(|_| CodecError::Full)?;
    write_head(into, major, length)?;
    into.extend(bytes)
}

/// Reads a byte string of any length.
///
/// # Errors
/// As [`read_head`]; [`CodecError::Short`] when its content is cut off.
pub fn read_bytes<'a>(from: &mut Reader<'a>) -> Result<&'a [u8], CodecError> {
    let length = read_head(from, Major::Bytes)?;
    from.take(usize::try_from(length).map_err(|_| CodecError::Short)?)
}

/// Reads a byte string of exactly `N` bytes.
///
/// # Errors
/// As [`read_bytes`]; [`CodecError::Range`] for another length.
pub fn read_array<const N: usize>(from: &mut Reader<'_>) -> Result<[u8; N], CodecError> {
    read_bytes(from)?.try_into().map_err(|_| CodecError::Range)
}

/// Checks that the next bytes are exactly `expected`.
///
/// # Errors
/// [`CodecError::Unexpected`] or [`CodecError::Short`] when they are not.
pub fn expect(from: &mut Reader<'_>, expected: &[u8]) -> Result<(), CodecError> {
    if from.take(expected.len())? == expected { Ok(()) } else { Err(CodecError::Unexpected) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_round_trip_at_every_boundary_and_refuse_longer_forms() {
        for value in [0, 23, 24, 255, 256, 65_535, 65_536, 0xffff_ffff, 0x1_0000_0000, u64::MAX] {
            let mut buffer = Buffer::<9>::new();
            write_head(&mut buffer, Major::Unsigned, value).unwrap();
            assert_eq!(buffer.as_bytes().len(), head_size(value), "{value}");
            let mut reader = Reader::new(buffer.as_bytes());
            assert_eq!(read_head(&mut reader, Major::Unsigned), Ok(value));
            assert_eq!(reader.end(), Ok(()));
        }
        for long in [
            &[0x18, 23][..],
            &[0x19, 0, 255],
            &[0x1a, 0, 0, 255, 255],
            &[0x1b, 0, 0, 0, 0, 1, 1, 1, 1],
        ] {
            let read = read_head(&mut Reader::new(long), Major::Unsigned);
            assert_eq!(read, Err(CodecError::NotCanonical), "{long:x?}");
        }
        let indefinite = read_head(&mut Reader::new(&[0x5f]), Major::Bytes);
        assert_eq!(indefinite, Err(CodecError::Unexpected));
    }
}
