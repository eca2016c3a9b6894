//! Memory that fails without a power cut, memory that cannot be read at power-up, and sequences at
//! their maximum, which nobody reaches by counting.

use apdu_spec::AID;
use apdu_spec::answer::StatusAnswer;
use applet::{Cell, Env, Event, Fault};
use card_sim::{Card, Chip, Counters, Image, RamChip, SmartCard};
use e2e::keys::sha256;

use crate::power_cuts::{Names, Observed, after_story};

/// A chip whose memory and entropy fail from a certain operation on, for a while.
#[derive(Clone)]
struct FaultyChip {
    chip: RamChip,
    operations: u64,
    /// Operations that fail: from here, so many.
    failing: Option<(u64, u64)>,
}

impl FaultyChip {
    fn new(chip: RamChip) -> Self {
        Self { chip, operations: 0, failing: None }
    }

    fn count(&mut self) -> Result<(), Fault> {
        self.operations += 1;
        match self.failing {
            Some((first, count)) if (first..first + count).contains(&self.operations) => Err(Fault),
            Some(_) | None => Ok(()),
        }
    }
}

impl Env for FaultyChip {
    fn read(&mut self, cell: Cell, into: &mut [u8]) -> Result<(), Fault> {
        self.count()?;
        self.chip.read(cell, into)
    }

    fn write(&mut self, cell: Cell, data: &[u8]) -> Result<(), Fault> {
        self.count()?;
        self.chip.write(cell, data)
    }

    fn random(&mut self, into: &mut [u8]) -> Result<(), Fault> {
        self.count()?;
        self.chip.random(into)
    }

    fn tally(&mut self, event: Event) {
        self.chip.tally(event);
    }
}

impl Chip for FaultyChip {
    fn counters(&self) -> Counters {
        self.chip.counters()
    }
}

fn select(p2: u8) -> Vec<u8> {
    let le: &[u8] = if p2 == 0 { &[0] } else { &[] };
    [&[0, 0xa4, 4, p2, 8], AID, le].concat()
}

/// The FCI of a card that cannot be read.
fn bare_blocked() -> Vec<u8> {
    let tail = [0x8a, 1, 4, 0xa5, 4, 0x80, 2, 1, 0, 0x90, 0];
    [&[0x6f, 0x13, 0x84, 8], AID, &tail].concat()
}

fn send<C: Chip>(card: &mut Card<C>, command: &[u8]) -> Vec<u8> {
    card.transmit(command).unwrap()
}

fn with_record(header: [u8; 4], record: &[u8]) -> Vec<u8> {
    let length = u8::try_from(record.len()).unwrap();
    [&header[..], &[length], record, &[0]].concat()
}

/// Commands that reach memory in every way, each on a card that can still do it.
fn commands(names: &Names) -> Vec<Vec<u8>> {
    vec![
        with_record([0x80, 0x54, 0, 0], &names("next_permit")),
        with_record([0x80, 0x52, 0, 0], &names("next_token")),
        [&[0, 0x20, 0, 1, 8][..], b"4711\xff\xff\xff\xff"].concat(),
        [&[0, 0x20, 0, 1, 8][..], b"0000\xff\xff\xff\xff"].concat(),
        [&[0x80, 0x5a, 0, 0, 16][..], &[9; 16], &[0]].concat(),
        vec![0, 0xb2, 1, 0x0c, 0],
        vec![0, 0xb0, 0, 0, 0],
        [&[0, 0xd6, 0, 0, 1][..], &[1]].concat(),
    ]
}

/// After a fault: SELECT says Blocked, everything else 6581, well-formed or not (APDU.md
/// section 8).
fn assert_failed(card: &mut Card<FaultyChip>, place: &str) {
    for command in [
        vec![0x80, 0x5c, 0, 0, 0],
        vec![0, 0x20, 0, 1],
        vec![0x80, 0x5c, 0, 0],
        vec![0xff],
        vec![0, 0xa4, 4, 0, 2, 1, 2, 0],
    ] {
        assert_eq!(send(card, &command), [0x65, 0x81], "{place}: {command:02X?}");
    }
    assert_eq!(send(card, &select(0)), bare_blocked(), "{place}");
    assert_eq!(send(card, &[0x80, 0x5c, 0, 0, 0]), [0x65, 0x81], "{place}");
}

#[test]
fn a_failing_memory_stops_the_card_until_power_up() {
    let (start, names) = after_story("well_used.story", 50);
    let before = Observed::of(&start);
    for command in commands(&names) {
        let mut whole = Card::new(FaultyChip::new(start.clone()));
        whole.power_on();
        send(&mut whole, &select(0x0c));
        let begin = whole.chip().operations;
        send(&mut whole, &command);
        let end = whole.chip().operations;
        let after = Observed::of(&whole.chip().chip);
        assert!(end > begin, "{command:02X?}");
        for first in begin + 1..=end {
            let place = format!("{command:02X?} at operation {first}");
            let mut chip = FaultyChip::new(start.clone());
            // Whatever is tried after the fault meets a memory that works again.
            chip.failing = Some((first, 1));
            let mut card = Card::new(chip);
            card.power_on();
            send(&mut card, &select(0x0c));
            assert_eq!(send(&mut card, &command), [0x65, 0x81], "{place}");
            assert_failed(&mut card, &place);
            let shown = Observed::of(&card.chip().chip);
            let counted = shown == before.with_pin_tries(1);
            assert!(shown == before || shown == after || counted, "{place}");
            card.power_on();
            assert_eq!(send(&mut card, &select(0x0c)), [0x90, 0], "{place}");
        }
    }
}

/// The cells without which there is no card.
#[test]
fn a_card_that_cannot_be_read_is_never_blank_again() {
    let (start, _) = after_story("well_used.story", 51);
    for cells in [
        vec![Cell::Header(0), Cell::Header(1)],
        vec![Cell::Identity],
        vec![Cell::PrivateKey],
        vec![Cell::PaymentKey(0), Cell::PaymentKey(1)],
    ] {
        for erased in [0x00, 0xff] {
            let mut image = start.image();
            for cell in &cells {
                image.cell_mut(*cell).fill(erased);
            }
            let mut chip = start.clone();
            chip.load(image);
            let mut card = Card::new(chip);
            for _ in 0..2 {
                card.power_on();
                assert_eq!(send(&mut card, &select(0)), bare_blocked(), "{cells:?}");
                let personalise = [&[0, 0xda, 1, 1, 131][..], &[b'1'; 131]].concat();
                let nonce = [&[0x80, 0x5a, 0, 0, 16][..], &[0; 16], &[0]].concat();
                for command in [vec![0, 0x47, 0x80, 0, 0], nonce, vec![0, 0x20, 0, 1]] {
                    assert_eq!(send(&mut card, &command), [0x69, 0x85], "{cells:?}");
                }
                // Its fields are judged before the state, and neither makes it a card.
                let word = send(&mut card, &personalise);
                assert!(word == [0x69, 0x85] || word == [0x6a, 0x80], "{word:02X?}");
            }
        }
    }
}

/// One flipped bit anywhere in a cell that the header names is seen when the cell is needed.
#[test]
fn a_damaged_record_is_never_given_out() {
    let (start, _) = after_story("well_used.story", 52);
    let verify = [&[0, 0x20, 0, 1, 8][..], b"4711\xff\xff\xff\xff"].concat();
    for (cells, command) in [
        // The oldest of four are debit 34 and slot 3, each in the cell mod 5.
        (vec![Cell::DebitJournal(4)], vec![0, 0xb2, 1, 0x0c, 0]),
        (vec![Cell::CreditJournal(3)], vec![0, 0xb2, 1, 0x14, 0]),
        // 43 transfers: the newest stands in 43 mod 33.
        (vec![Cell::History(10)], vec![0, 0xb2, 1, 0x1c, 0]),
        (vec![Cell::Pin(0), Cell::Pin(1)], vec![0, 0x20, 0, 1]),
    ] {
        for place in [0, 1, 9, 20] {
            let mut image = start.image();
            for cell in &cells {
                image.cell_mut(*cell)[place] ^= 0x10;
            }
            let mut chip = start.clone();
            chip.load(image);
            let mut card = Card::new(chip);
            card.power_on();
            send(&mut card, &select(0x0c));
            if cells == [Cell::History(10)] {
                assert_eq!(send(&mut card, &verify), [0x90, 0]);
            }
            assert_eq!(send(&mut card, &command), [0x65, 0x81], "{cells:?} {place}");
        }
    }
}

/// Gives a changed cell its checksum: the first 16 bytes of SHA-256(cell number | content).
fn reseal(image: &mut Image, cell: Cell, size: usize) {
    let content = image.cell_mut(cell);
    let number = u8::try_from(cell.number()).unwrap();
    let checksum = sha256(&[&[number], &content[..size]].concat()).0;
    content[size..size + 16].copy_from_slice(&checksum[..16]);
}

/// Sets debit and credit sequence of the stored header, all of them acknowledged.
fn with_sequences(chip: &RamChip, debit: u32, credit: u32) -> RamChip {
    // Stored form, version 1: format(2) commit(8) life cycle(1) has key(1) balance(8), then debit
    // and credit sequence and both acknowledgements(4 each), 128 bytes in all.
    let mut image = chip.image();
    for cell in [Cell::Header(0), Cell::Header(1)] {
        let numbers = [debit, credit, debit, credit].map(u32::to_be_bytes).concat();
        image.cell_mut(cell)[20..36].copy_from_slice(&numbers);
        reseal(&mut image, cell, 128);
    }
    let mut chip = chip.clone();
    chip.load(image);
    chip
}

/// A private key that is not the public key's stands for a fault during signing.
#[test]
fn a_signature_that_does_not_verify_is_never_given_out() {
    let (start, names) = after_story("well_used.story", 54);
    let mut image = start.image();
    // Stored form: private key(32) public key(64).
    image.cell_mut(Cell::PrivateKey)[31] ^= 1;
    reseal(&mut image, Cell::PrivateKey, 96);
    let mut chip = start.clone();
    chip.load(image);
    for command in [
        with_record([0x80, 0x54, 0, 0], &names("next_permit")),
        with_record([0x80, 0x52, 0, 0], &names("next_token")),
        with_record([0x80, 0x5a, 0, 0], &[0; 16]),
        with_record([0x80, 0x5a, 1, 0], &[0; 16]),
    ] {
        let mut card = Card::new(FaultyChip::new(chip.clone()));
        card.power_on();
        send(&mut card, &select(0x0c));
        let before = card.chip().chip.image();
        assert_eq!(send(&mut card, &command), [0x65, 0x81], "{command:02X?}");
        assert_failed(&mut card, "self-check");
        assert_eq!(card.chip().chip.image(), before, "{command:02X?}");
    }
}

#[test]
fn sequences_end_at_their_maximum_and_never_wrap() {
    let (start, names) = after_story("exhausted.story", 53);
    let chip = with_sequences(&start, u32::MAX - 1, u32::MAX - 1);
    let mut card = Card::new(chip);
    card.power_on();
    let debit = |name: &str| with_record([0x80, 0x54, 0, 0], &names(name));
    let credit = |name: &str| with_record([0x80, 0x52, 0, 0], &names(name));
    let fields = |header: [u8; 4], front: usize, back: &[u8]| {
        let data = [vec![1; front], back.to_vec()].concat();
        with_record(header, &[data, vec![0, 0, 0, 0, 0, 0, 0, 1, 1, 0x88]].concat())
    };
    let request = fields([0x80, 0x50, 0, 0], 32, &[0; 8]);
    let credit_request = fields([0x80, 0x50, 1, 0], 33, &[]);
    let last = [0xff, 0xff, 0xff, 0xff];
    send(&mut card, &select(0x0c));

    // The last of each kind works, and its record is kept.
    assert!(send(&mut card, &request).starts_with(&last));
    assert!(send(&mut card, &credit_request).starts_with(&last));
    let answer = send(&mut card, &debit("last_permit"));
    assert_eq!((answer.len(), &answer[64..]), (66, &[0x90, 0][..]));
    assert_eq!(send(&mut card, &debit("last_permit")), answer);
    let answer = send(&mut card, &credit("last_token"));
    assert_eq!((answer.len(), &answer[64..]), (66, &[0x90, 0][..]));
    assert_eq!(send(&mut card, &credit("last_token")), answer);
    assert!(send(&mut card, &[0, 0xb2, 1, 0x0c, 0]).ends_with(&[0x90, 0]));
    assert_eq!(send(&mut card, &[0, 0xb2, 2, 0x0c, 0]), [0x6a, 0x83]);
    assert_eq!(send(&mut card, &[0, 0xb2, 255, 0x14, 0]), [0x6a, 0x83]);

    // Nothing follows, whatever sequence is named.
    let nonce = [&[0x80, 0x5a, 0, 0, 16][..], &[0; 16], &[0]].concat();
    let before = send(&mut card, &nonce);
    let status = StatusAnswer::decode(&before[..StatusAnswer::SIZE]).unwrap();
    assert_eq!((status.debit_seq.0, status.credit_seq.0), (u32::MAX, u32::MAX));
    for command in [
        request,
        credit_request,
        debit("wrapped_permit"),
        debit("first_permit"),
        debit("other_permit"),
        credit("wrapped_token"),
        credit("other_token"),
        with_record([0x80, 0x52, 1, 0], &[0; 4]),
        with_record([0x80, 0x52, 1, 0], &last),
    ] {
        assert_eq!(send(&mut card, &command), [0x94, 0x0c], "{command:02X?}");
    }
    // All but the signature.
    let facts = ..StatusAnswer::SIZE - 64;
    assert_eq!(send(&mut card, &nonce)[facts], before[facts]);
}
