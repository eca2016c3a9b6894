//! A chip in memory, with a fuse that cuts the power in the middle of a write.

use crate::Counters;
use crate::chip::{Chip, ERASED};
use applet::{Cell, Env, Event, Fault};
use core::fmt;

/// What stands in a torn cell behind the bytes that were still written.
///
/// Real memory erases before it writes, so a tail that is neither old nor new reaches to the end
/// of the cell, behind the new content too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tail {
    /// The bytes that stood there before.
    Old,
    /// The new bytes: the write was complete, but power went before it returned.
    New,
    /// 00.
    Zero,
    /// FF.
    Ones,
    /// Noise, the same for the same seed.
    Random(u64),
}

/// When the power goes, and what it leaves.
#[derive(Clone, Copy, Debug)]
struct Fuse {
    bytes_left: u64,
    tail: Tail,
}

/// The content of a chip's non-volatile memory, to be kept, compared, damaged and put back.
#[derive(Clone, PartialEq, Eq)]
pub struct Image {
    cells: Vec<[u8; Cell::SIZE_MAX]>,
}

impl Image {
    /// Memory that was never written.
    #[must_use]
    pub fn erased() -> Self {
        Self { cells: vec![[ERASED; Cell::SIZE_MAX]; Cell::COUNT] }
    }

    /// All bytes of a cell.
    #[must_use]
    pub fn cell(&self, cell: Cell) -> &[u8] {
        self.cells.get(cell.number()).map_or(&[], |content| content.as_slice())
    }

    /// All bytes of a cell, to damage it on purpose.
    pub fn cell_mut(&mut self, cell: Cell) -> &mut [u8] {
        self.cells.get_mut(cell.number()).map_or(&mut [], |content| content.as_mut_slice())
    }
}

/// The memory holds the card's private key, so only its size is shown.
impl fmt::Debug for Image {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Image({} cells)", self.cells.len())
    }
}

/// Where a chip takes its entropy from.
#[derive(Clone)]
enum Entropy {
    System,
    Seeded(SplitMix64),
}

/// A chip in memory.
#[derive(Clone)]
pub struct RamChip {
    image: Image,
    counters: Counters,
    entropy: Entropy,
    fuse: Option<Fuse>,
    powered: bool,
}

impl RamChip {
    /// A chip with erased memory and the operating system's entropy.
    #[must_use]
    pub fn new() -> Self {
        Self::with(Entropy::System)
    }

    /// A chip with erased memory whose "entropy" is the same for the same seed: for tests only.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self::with(Entropy::Seeded(SplitMix64(seed)))
    }

    fn with(entropy: Entropy) -> Self {
        Self {
            image: Image::erased(),
            counters: Counters::default(),
            entropy,
            fuse: None,
            powered: true,
        }
    }

    /// Arms the fuse: `bytes` more bytes can be written, and the write that needs another one is
    /// torn there and leaves `tail`. From then on every call gives [`Fault`] until
    /// [`restore_power`](Self::restore_power).
    ///
    /// A step that writes n bytes is cut in every place by the fuses 0 to n − 1; a write that ends
    /// exactly on the last byte allowed is whole and returns, for [`Tail::New`] is the cut there.
    pub fn fuse_after(&mut self, bytes: u64, tail: Tail) {
        self.fuse = Some(Fuse { bytes_left: bytes, tail });
    }

    /// Takes an armed fuse out.
    pub fn remove_fuse(&mut self) {
        self.fuse = None;
    }

    /// Gives power again after the fuse has blown. The memory stays as the cut left it.
    pub fn restore_power(&mut self) {
        self.powered = true;
    }

    /// A copy of the memory.
    #[must_use]
    pub fn image(&self) -> Image {
        self.image.clone()
    }

    /// Replaces the memory; counters, fuse and power stay.
    pub fn load(&mut self, image: Image) {
        self.image = image;
    }

    fn check_power(&self) -> Result<(), Fault> {
        if self.powered { Ok(()) } else { Err(Fault) }
    }
}

impl Default for RamChip {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for RamChip {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("RamChip")
            .field("counters", &self.counters)
            .field("fuse", &self.fuse)
            .field("powered", &self.powered)
            .finish_non_exhaustive()
    }
}

impl Chip for RamChip {
    fn counters(&self) -> Counters {
        self.counters
    }

    fn has_power(&self) -> bool {
        self.powered
    }
}

impl Env for RamChip {
    fn read(&mut self, cell: Cell, into: &mut [u8]) -> Result<(), Fault> {
        self.check_power()?;
        let content = self.image.cell(cell).get(..into.len()).ok_or(Fault)?;
        into.copy_from_slice(content);
        Ok(())
    }

    fn write(&mut self, cell: Cell, data: &[u8]) -> Result<(), Fault> {
        self.check_power()?;
        let content = self.image.cell_mut(cell);
        if data.len() > content.len() {
            return Err(Fault);
        }
        let (written, outcome) = match self.fuse.as_mut() {
            Some(fuse) => match fuse.bytes_left.checked_sub(as_u64(data.len())) {
                Some(left) => {
                    fuse.bytes_left = left;
                    (replace(content, data), Ok(()))
                }
                None => {
                    let written = tear(content, data, *fuse);
                    self.fuse = None;
                    self.powered = false;
                    (written, Err(Fault))
                }
            },
            None => (replace(content, data), Ok(())),
        };
        self.counters.note_write(cell, written);
        outcome
    }

    fn random(&mut self, into: &mut [u8]) -> Result<(), Fault> {
        self.check_power()?;
        match &mut self.entropy {
            Entropy::System => getrandom::fill(into).map_err(|_| Fault),
            Entropy::Seeded(generator) => {
                generator.fill(into);
                Ok(())
            }
        }
    }

    fn tally(&mut self, event: Event) {
        self.counters.note_event(event);
    }
}

/// Writes `data` at the start of `content` and tells how many bytes were written.
fn replace(content: &mut [u8], data: &[u8]) -> u64 {
    for (place, byte) in content.iter_mut().zip(data) {
        *place = *byte;
    }
    as_u64(data.len())
}

/// Leaves in `content` what a write cut short by `fuse` does; tells how many new bytes it holds.
fn tear(content: &mut [u8], data: &[u8], fuse: Fuse) -> u64 {
    let kept = usize::try_from(fuse.bytes_left).unwrap_or(usize::MAX).min(data.len());
    let (prefix, _) = data.split_at(kept);
    let (_, tail) = content.split_at_mut(kept);
    match fuse.tail {
        Tail::Old => {}
        Tail::New => return replace(content, data),
        Tail::Zero => tail.fill(0x00),
        Tail::Ones => tail.fill(0xFF),
        Tail::Random(seed) => SplitMix64(seed).fill(tail),
    }
    replace(content, prefix)
}

fn as_u64(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

/// Steele, Lea and Flood's generator: small, repeatable, and fit for tests only.
#[derive(Clone)]
struct SplitMix64(u64);

impl SplitMix64 {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn fill(&mut self, into: &mut [u8]) {
        for chunk in into.chunks_mut(8) {
            for (place, byte) in chunk.iter_mut().zip(self.next().to_le_bytes()) {
                *place = byte;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: [u8; 8] = [0xA0; 8];
    const NEW: [u8; 6] = [1, 2, 3, 4, 5, 6];

    /// A chip whose identity holds eight old bytes and whose PIN cell is erased.
    fn chip() -> RamChip {
        let mut chip = RamChip::seeded(1);
        chip.write(Cell::Identity, &OLD).unwrap();
        chip
    }

    fn torn(bytes: u64, tail: Tail) -> RamChip {
        let mut chip = chip();
        chip.fuse_after(bytes, tail);
        assert_eq!(chip.write(Cell::Identity, &NEW), Err(Fault));
        chip
    }

    #[test]
    fn erased_cells_read_as_ones_and_written_ones_as_written() {
        let mut chip = chip();
        let mut content = [0; 10];
        chip.read(Cell::Identity, &mut content).unwrap();
        assert_eq!(content, [0xA0, 0xA0, 0xA0, 0xA0, 0xA0, 0xA0, 0xA0, 0xA0, 0xFF, 0xFF]);
        chip.read(Cell::PrivateKey, &mut content).unwrap();
        assert_eq!(content, [0xFF; 10]);
    }

    #[test]
    fn more_than_a_cell_is_refused_and_changes_nothing() {
        let mut chip = chip();
        let before = chip.image();
        assert_eq!(chip.write(Cell::Identity, &[0; 257]), Err(Fault));
        assert_eq!(chip.read(Cell::Identity, &mut [0; 257]), Err(Fault));
        assert_eq!(chip.image(), before);
        assert_eq!(chip.write(Cell::Identity, &[0; 256]), Ok(()));
    }

    #[test]
    fn every_tail_leaves_what_it_says_and_only_in_its_own_cell() {
        let rest = |from: usize, byte: u8| vec![byte; Cell::SIZE_MAX - from];
        let old_behind = [vec![0xA0; 2], rest(8, 0xFF)].concat();
        let table = [
            (0, Tail::Old, [OLD.to_vec(), rest(8, 0xFF)].concat()),
            (4, Tail::Old, [vec![1, 2, 3, 4, 0xA0, 0xA0], old_behind.clone()].concat()),
            (0, Tail::New, [NEW.to_vec(), old_behind.clone()].concat()),
            (5, Tail::New, [NEW.to_vec(), old_behind].concat()),
            (0, Tail::Zero, rest(0, 0)),
            (2, Tail::Zero, [vec![1, 2], rest(2, 0)].concat()),
            (0, Tail::Ones, rest(0, 0xFF)),
            (5, Tail::Ones, [vec![1, 2, 3, 4, 5], rest(5, 0xFF)].concat()),
        ];
        for (bytes, tail, expected) in table {
            let after = torn(bytes, tail).image();
            assert_eq!(after.cell(Cell::Identity), expected, "{bytes} {tail:?}");
            let mut elsewhere = chip().image();
            elsewhere.cell_mut(Cell::Identity).copy_from_slice(&expected);
            assert_eq!(after, elsewhere, "another cell changed: {bytes} {tail:?}");
        }
    }

    #[test]
    fn noise_depends_on_its_seed_and_spares_the_prefix() {
        let one = torn(3, Tail::Random(7)).image();
        assert_eq!(one, torn(3, Tail::Random(7)).image());
        assert_ne!(one, torn(3, Tail::Random(8)).image());
        let (prefix, noise) = one.cell(Cell::Identity).split_at(3);
        assert_eq!(prefix, [1, 2, 3]);
        let different = noise.iter().collect::<std::collections::BTreeSet<_>>().len();
        assert!(different > 100, "only {different} different bytes");
    }

    #[test]
    fn the_fuse_spans_writes_and_blows_with_the_first_byte_too_many() {
        let mut chip = chip();
        chip.fuse_after(8, Tail::Old);
        assert_eq!(chip.write(Cell::Header(0), &[1; 5]), Ok(()));
        assert_eq!(chip.write(Cell::Header(1), &[2; 3]), Ok(()));
        assert!(chip.has_power());
        assert_eq!(chip.write(Cell::Pin(0), &[3]), Err(Fault));
        assert!(!chip.has_power());
        assert_eq!(chip.image().cell(Cell::Header(1))[..4], [2, 2, 2, 0xFF]);
        assert_eq!(chip.image().cell(Cell::Pin(0))[0], 0xFF);
    }

    #[test]
    fn without_power_nothing_works_until_it_is_restored() {
        let mut chip = torn(1, Tail::Zero);
        let image = chip.image();
        assert_eq!(chip.read(Cell::Identity, &mut [0]), Err(Fault));
        assert_eq!(chip.write(Cell::Identity, &[9]), Err(Fault));
        assert_eq!(chip.random(&mut [0; 4]), Err(Fault));
        assert_eq!(chip.image(), image);
        chip.restore_power();
        // The blown fuse is used up: it does not cut again.
        assert_eq!(chip.write(Cell::Header(0), &[9; 200]), Ok(()));
        assert_eq!(chip.read(Cell::Identity, &mut [0]), Ok(()));
        assert_eq!(chip.random(&mut [0; 4]), Ok(()));
    }

    #[test]
    fn a_removed_fuse_does_not_blow() {
        let mut chip = chip();
        chip.fuse_after(0, Tail::Zero);
        chip.remove_fuse();
        assert_eq!(chip.write(Cell::Identity, &NEW), Ok(()));
    }

    #[test]
    fn counters_hold_the_bytes_that_reached_the_memory() {
        let before = chip().counters();
        assert_eq!((before.nvm_bytes, before.nvm_writes), (8, 1));
        let torn_old = torn(4, Tail::Old).counters().since(&before);
        assert_eq!((torn_old.nvm_bytes, torn_old.nvm_writes), (4, 1));
        let torn_new = torn(4, Tail::New).counters().since(&before);
        assert_eq!((torn_new.nvm_bytes, torn_new.nvm_writes), (6, 1));
        let mut chip = chip();
        chip.tally(Event::Verification);
        assert_eq!(chip.counters().since(&before).verifications, 1);
    }

    #[test]
    fn an_image_is_a_copy_that_can_be_put_back() {
        let mut chip = chip();
        let image = chip.image();
        chip.write(Cell::Identity, &NEW).unwrap();
        assert_ne!(chip.image(), image);
        chip.load(image.clone());
        assert_eq!(chip.image(), image);
    }

    #[test]
    fn entropy_follows_its_source() {
        let draw = |mut chip: RamChip| {
            let mut bytes = [0; 37];
            chip.random(&mut bytes).unwrap();
            let first = bytes;
            chip.random(&mut bytes).unwrap();
            assert_ne!(first, bytes);
            first
        };
        assert_eq!(draw(RamChip::seeded(5)), draw(RamChip::seeded(5)));
        assert_ne!(draw(RamChip::seeded(5)), draw(RamChip::seeded(6)));
        assert_ne!(draw(RamChip::new()), draw(RamChip::new()));
    }

    #[test]
    fn debug_shows_no_memory() {
        let mut chip = RamChip::seeded(1);
        chip.write(Cell::PrivateKey, &[171; 32]).unwrap();
        let text = format!("{chip:?} {:?}", chip.image());
        assert!(!text.contains("171") && !text.to_lowercase().contains("ab, ab"), "{text}");
    }
}
