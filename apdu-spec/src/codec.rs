//! Fixed buffers to write into and a reader that knows where its input ends.

use core::fmt;

/// What is wrong with some bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodecError {
    /// The input ended too early.
    Short,
    /// Bytes were left over behind the end.
    Trailing,
    /// The output buffer is full.
    Full,
    /// Another type, label or structure was expected here.
    Unexpected,
    /// The value is not encoded in its only permitted form (RFC 8949 §4.2.1).
    NotCanonical,
    /// The value is outside its permitted range.
    Range,
}

impl fmt::Display for CodecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Short => "input ended too early",
            Self::Trailing => "bytes left over behind the end",
            Self::Full => "output buffer full",
            Self::Unexpected => "unexpected type, label or structure",
            Self::NotCanonical => "not in canonical form",
            Self::Range => "value out of range",
        })
    }
}

impl core::error::Error for CodecError {}

/// A byte buffer of at most `N` bytes without a heap.
#[derive(Clone)]
pub struct Buffer<const N: usize> {
    bytes: [u8; N],
    len: usize,
}

impl<const N: usize> Buffer<N> {
    /// An empty buffer.
    #[must_use]
    pub const fn new() -> Self {
        Self { bytes: [0; N], len: 0 }
    }

    /// The bytes written so far.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    /// Appends bytes.
    ///
    /// # Errors
    /// [`CodecError::Full`] when they do not fit; nothing is appended then.
    pub fn extend(&mut self, bytes: &[u8]) -> Result<(), CodecError> {
        let end = self.len.checked_add(bytes.len()).ok_or(CodecError::Full)?;
        let room = self.bytes.get_mut(self.len..end).ok_or(CodecError::Full)?;
        room.copy_from_slice(bytes);
        self.len = end;
        Ok(())
    }

    /// Appends one byte.
    ///
    /// # Errors
    /// [`CodecError::Full`] when it does not fit.
    pub fn push(&mut self, byte: u8) -> Result<(), CodecError> {
        self.extend(&[byte])
    }

    /// Forgets the content and overwrites it with zeros, so that nothing stale can leak.
    pub fn clear(&mut self) {
        self.bytes = [0; N];
        self.len = 0;
        // Without this an optimiser drops the zeros of a buffer that is not read again.
        core::hint::black_box(&self.bytes);
    }
}

impl<const N: usize> Default for Buffer<N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const N: usize> AsRef<[u8]> for Buffer<N> {
    fn as_ref(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl<const N: usize> PartialEq for Buffer<N> {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl<const N: usize> Eq for Buffer<N> {}

impl<const N: usize> fmt::Debug for Buffer<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Buffer({} of {N} bytes)", self.len)
    }
}

/// Reads from a slice; integers are big-endian.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Starts at the beginning of `bytes`.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The bytes not yet read.
    #[must_use]
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Takes the next `count` bytes.
    ///
    /// # Errors
    /// [`CodecError::Short`] when fewer are left.
    pub fn take(&mut self, count: usize) -> Result<&'a [u8], CodecError> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(CodecError::Short)?;
        self.rest = rest;
        Ok(taken)
    }

    /// Takes the next `N` bytes as an array.
    ///
    /// # Errors
    /// [`CodecError::Short`] when fewer are left.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], CodecError> {
        let (taken, rest) = self.rest.split_first_chunk::<N>().ok_or(CodecError::Short)?;
        self.rest = rest;
        Ok(*taken)
    }

    /// Takes one byte.
    ///
    /// # Errors
    /// [`CodecError::Short`] at the end.
    pub fn u8(&mut self) -> Result<u8, CodecError> {
        self.array::<1>().map(u8::from_be_bytes)
    }

    /// Takes two bytes.
    ///
    /// # Errors
    /// [`CodecError::Short`] when fewer are left.
    pub fn u16(&mut self) -> Result<u16, CodecError> {
        self.array().map(u16::from_be_bytes)
    }

    /// Takes four bytes.
    ///
    /// # Errors
    /// [`CodecError::Short`] when fewer are left.
    pub fn u32(&mut self) -> Result<u32, CodecError> {
        self.array().map(u32::from_be_bytes)
    }

    /// Takes eight bytes.
    ///
    /// # Errors
    /// [`CodecError::Short`] when fewer are left.
    pub fn u64(&mut self) -> Result<u64, CodecError> {
        self.array().map(u64::from_be_bytes)
    }

    /// Checks that nothing is left.
    ///
    /// # Errors
    /// [`CodecError::Trailing`] otherwise.
    pub const fn end(&self) -> Result<(), CodecError> {
        if self.rest.is_empty() { Ok(()) } else { Err(CodecError::Trailing) }
    }
}
