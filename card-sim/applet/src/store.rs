//! Cells with a checksum: what is read is what was written whole, or nothing.
//!
//! ```text
//! content (fixed size per kind of cell) | first 16 bytes of SHA-256(cell number | content)
//! ```

use apdu_spec::codec::{Buffer, CodecError};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::env::{Cell, Env, Fault};

/// Checksum size in bytes: 2⁻¹²⁸ that a torn cell passes for a whole one.
const CHECKSUM: usize = 16;

/// Largest content of a cell in bytes.
pub(crate) const CONTENT_MAX: usize = Cell::SIZE_MAX - CHECKSUM;

/// Content of a cell while it is built or read.
pub(crate) type Content = Buffer<CONTENT_MAX>;

/// Writes a cell with its checksum.
pub(crate) fn write(env: &mut impl Env, cell: Cell, content: &[u8]) -> Result<(), Fault> {
    let mut sealed = Buffer::<{ Cell::SIZE_MAX }>::new();
    sealed.extend(content)?;
    sealed.extend(&checksum(cell, content))?;
    let written = env.write(cell, sealed.as_bytes());
    sealed.clear();
    written
}

/// Reads `N` bytes of content, perhaps secret ones; `None` when they were not written whole.
pub(crate) fn read<const N: usize>(
    env: &mut impl Env,
    cell: Cell,
) -> Result<Option<Zeroizing<[u8; N]>>, Fault> {
    let mut sealed = Zeroizing::new([0; Cell::SIZE_MAX]);
    let size = N.checked_add(CHECKSUM).ok_or(Fault)?;
    let room = sealed.get_mut(..size).ok_or(Fault)?;
    env.read(cell, room)?;
    let (content, seal) = room.split_first_chunk::<N>().ok_or(Fault)?;
    Ok((*seal == checksum(cell, content)).then(|| Zeroizing::new(*content)))
}

fn checksum(cell: Cell, content: &[u8]) -> [u8; CHECKSUM] {
    // A cell's number is below Cell::COUNT, so it fits a byte.
    let number = u8::try_from(cell.number()).unwrap_or(u8::MAX);
    let digest = Sha256::new().chain_update([number]).chain_update(content).finalize();
    let mut checksum = [0; CHECKSUM];
    for (to, from) in checksum.iter_mut().zip(digest) {
        *to = from;
    }
    checksum
}

/// A buffer that is too small is a mistake of ours that compile-time sizes exclude; on a card it
/// must stop the step like a failing chip, never panic.
impl From<CodecError> for Fault {
    fn from(_: CodecError) -> Self {
        Self
    }
}
