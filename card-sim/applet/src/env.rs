//! What the applet needs from the chip that carries it: cells of non-volatile memory, entropy, and
//! a place to count what it does. A new carrier implements [`Env`] and nothing else.

/// One separately written place in non-volatile memory.
///
/// A cell is always written whole. A write that is cut short leaves any mixture of old, new and
/// erased bytes in *that* cell, which reads the same from then on, and touches no other; every
/// cell's content carries its own checksum, so a torn cell is seen. Cells of a kind that are
/// written in turn are numbered from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cell {
    /// The header record, written in turn into slot 0 or 1: the commit point of every step.
    Header(u8),
    /// PIN and PUK with their try counters, written in turn into slot 0 or 1.
    Pin(u8),
    /// Card ID, issuer ID, card root key and currency: written once at personalisation.
    Identity,
    /// The card's private key: written once.
    PrivateKey,
    /// The payment server's key and generation, written in turn into slot 0 or 1.
    PaymentKey(u8),
    /// A debit record in the journal: cell = sequence mod 5.
    DebitJournal(u8),
    /// A refund receipt or burned slot in the journal: cell = slot mod 5.
    CreditJournal(u8),
    /// One of the last transfers: cell = transfer number mod 33.
    History(u8),
    /// 200 bytes of the certificate file: area 0 or 1, piece 0 to 10.
    Certificate(u8, u8),
}

impl Cell {
    /// Number of bytes that the largest cell holds.
    pub const SIZE_MAX: usize = 256;

    /// Every cell with its place in a chip that numbers its cells from 0.
    pub const COUNT: usize = 83;

    /// The cell's number, 0 to [`Cell::COUNT`] − 1, for chips with numbered cells.
    #[must_use]
    pub fn number(self) -> usize {
        let (first, place) = match self {
            Self::Header(slot) => (0_usize, slot % 2),
            Self::Pin(slot) => (2, slot % 2),
            Self::Identity => (4, 0),
            Self::PrivateKey => (5, 0),
            Self::PaymentKey(slot) => (6, slot % 2),
            Self::DebitJournal(place) => (8, place % 5),
            Self::CreditJournal(place) => (13, place % 5),
            Self::History(place) => (18, place % 33),
            Self::Certificate(area, piece) => {
                (if area.is_multiple_of(2) { 51 } else { 67 }, piece % 16)
            }
        };
        first.saturating_add(usize::from(place))
    }
}

/// The chip failed: memory that cannot be read or written, no entropy, or no power.
/// The applet stops at once, answers 6581 and stays blocked until the next power-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault;

/// Something worth counting on any carrier: the costs of a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// An ECDSA signature was made.
    Signature,
    /// An ECDSA signature by another party was verified.
    Verification,
    /// The card verified its own new signature before giving it out (fault protection).
    SelfCheck,
}

/// The chip around the applet.
pub trait Env {
    /// Reads a cell's bytes from its start into `into`, which is at most [`Cell::SIZE_MAX`] long.
    /// A cell never written reads as the chip's erased value.
    ///
    /// # Errors
    /// [`Fault`] when the memory cannot be read.
    fn read(&mut self, cell: Cell, into: &mut [u8]) -> Result<(), Fault>;

    /// Writes a cell from its start; bytes behind `data` keep any value. Durable when it returns.
    ///
    /// # Errors
    /// [`Fault`] when the write did not reach the memory whole.
    fn write(&mut self, cell: Cell, data: &[u8]) -> Result<(), Fault>;

    /// Fills `into` with entropy fit for keys.
    ///
    /// # Errors
    /// [`Fault`] when the source is not healthy.
    fn random(&mut self, into: &mut [u8]) -> Result<(), Fault>;

    /// Counts an event. Carriers that do not care leave it out.
    fn tally(&mut self, _event: Event) {}
}
