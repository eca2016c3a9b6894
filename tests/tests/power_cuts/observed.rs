//! Everything that can be seen of a card from outside.

use std::fmt;
use std::sync::OnceLock;

use apdu_spec::answer::StatusAnswer;
use apdu_spec::value::{CardId, Pin, Sequence, Signature};
use card_sim::{Card, RamChip, SmartCard};

use super::commands::{certificate_commands, debit_by, next_permit};

const PAYMENT_SERVERS: [&str; 2] = ["payment", "payment2"];

/// The PINs and PUKs that occur in these tests.
const PINS: [&str; 3] = ["4711", "1234", "2468"];
const PUKS: [&str; 2] = ["12345678", "87654321"];

/// What a card shows; two cards that show the same are the same for everybody.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Observed {
    /// FCI, which has life cycle and generation.
    pub(crate) fci: Vec<u8>,
    pub(crate) public_key: Option<Vec<u8>>,
    /// Balance and currency.
    pub(crate) balance: Option<Vec<u8>>,
    /// Version and limits.
    pub(crate) limits: Option<Vec<u8>>,
    pub(crate) certificate: Vec<u8>,
    /// GET STATUS without the signature, which differs each time.
    pub(crate) status: Option<StatusAnswer>,
    /// Journals, oldest first.
    pub(crate) debits: Vec<Vec<u8>>,
    pub(crate) credits: Vec<Vec<u8>>,
    /// The PIN that is right, unless it is blocked; of a card that is not active yet, the one that
    /// will be right when it is.
    pub(crate) pin: Option<&'static str>,
    /// The PUK, in the same way.
    pub(crate) puk: Option<&'static str>,
    /// Whose permits the card takes.
    pub(crate) obeys: Option<&'static str>,
    /// History, newest first, as far as a PIN opens it.
    pub(crate) history: Vec<Vec<u8>>,
}

impl Observed {
    /// Looks at a copy of the chip, so that looking changes nothing.
    pub(crate) fn of(chip: &RamChip) -> Self {
        let mut card = boot(chip);
        let fci = ask(&mut card, &select(0)).expect("SELECT is always answered");
        let status = ask(&mut card, &status_command());
        let status = status.map(|data| StatusAnswer {
            signature: Signature([0; 64]),
            ..StatusAnswer::decode(&data).unwrap()
        });
        let issued = issued(chip);
        let pin = PINS.into_iter().find(|pin| {
            let mut card = selected(&issued);
            ask(&mut card, &verify(pin)).is_some()
        });
        let puk = PUKS.into_iter().find(|puk| {
            let mut card = selected(&issued);
            ask(&mut card, &change(0x2c, puk, "0000")).is_some()
        });
        Self {
            fci,
            public_key: ask(&mut card, &[0, 0x47, 0x81, 0, 0]),
            balance: ask(&mut card, &[0x80, 0x5c, 0, 0, 0]),
            limits: ask(&mut card, &[0, 0xca, 1, 3, 0]),
            certificate: certificate(&mut card),
            status,
            debits: records(&mut card, 0x0c),
            credits: records(&mut card, 0x14),
            pin,
            puk,
            obeys: obeys(&mut card),
            history: pin.map_or_else(Vec::new, |pin| {
                let mut card = selected(chip);
                card.transmit(&verify(pin));
                records(&mut card, 0x1c)
            }),
        }
    }

    /// What is not the same, line by line.
    pub(crate) fn differences(&self, other: &Self) -> String {
        let (one, other) = (format!("{self:?}"), format!("{other:?}"));
        let lines = one.lines().zip(other.lines());
        let differing: Vec<String> = lines
            .filter(|(one, other)| one != other)
            .map(|(one, other)| format!("  {one}\n  {other}"))
            .collect();
        differing.join("\n")
    }
}

impl fmt::Debug for Observed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "fci {:02X?}", self.fci)?;
        writeln!(f, "key {:02X?}", self.public_key)?;
        writeln!(f, "balance {:02X?}", self.balance)?;
        writeln!(f, "limits {:02X?}", self.limits)?;
        writeln!(f, "certificate {} bytes", self.certificate.len())?;
        writeln!(f, "status {:?}", self.status)?;
        writeln!(f, "debits {:02X?}", self.debits)?;
        writeln!(f, "credits {:02X?}", self.credits)?;
        writeln!(f, "pin {:?}", self.pin)?;
        writeln!(f, "puk {:?}", self.puk)?;
        writeln!(f, "obeys {:?}", self.obeys)?;
        writeln!(f, "history {:02X?}", self.history)
    }
}

/// The card in a copy of the chip, with power.
fn boot(chip: &RamChip) -> Card<RamChip> {
    let mut card = Card::new(chip.clone());
    card.power_on();
    card
}

/// The same, with the applet selected.
pub(crate) fn selected(chip: &RamChip) -> Card<RamChip> {
    let mut card = boot(chip);
    let answer = card.transmit(&select(0x0c));
    assert_eq!(answer, Some(vec![0x90, 0]));
    card
}

/// A copy of the chip, with issuing completed where it had not come to its end.
fn issued(chip: &RamChip) -> RamChip {
    let mut card = selected(chip);
    let life_cycle = ask(&mut card, &select(0)).expect("SELECT is always answered")[14];
    if life_cycle == 3 {
        ask(&mut card, &[0, 0x47, 0x80, 0, 0]);
        let (pieces, commit) = certificate_commands(&[1]);
        for command in pieces.iter().chain([&commit]) {
            ask(&mut card, command).expect("a card can be issued to the end");
        }
    }
    card.into_chip()
}

/// Tries a permit of each possible payment server: made for another card, it does no harm.
fn obeys(card: &mut Card<RamChip>) -> Option<&'static str> {
    static COMMANDS: OnceLock<[Vec<u8>; 2]> = OnceLock::new();
    let commands = COMMANDS.get_or_init(|| PAYMENT_SERVERS.map(foreign_permit));
    let takes = |command: &Vec<u8>| card.transmit(command) == Some(vec![0x94, 0x05]);
    let found = commands.iter().position(takes)?;
    Some(PAYMENT_SERVERS[found])
}

/// The data of an answer with 9000.
fn ask(card: &mut Card<RamChip>, command: &[u8]) -> Option<Vec<u8>> {
    let answer = card.transmit(command).expect("a card with power answers");
    let data = answer.strip_suffix(&[0x90, 0]);
    // A fault must never be passed over as an ordinary refusal.
    assert!(data.is_some() || answer != [0x65, 0x81], "{command:02X?}");
    data.map(<[u8]>::to_vec)
}

fn foreign_permit(server: &'static str) -> Vec<u8> {
    let mut permit = next_permit(CardId(*b"no card!"), 1);
    permit.debit_seq = Sequence(1);
    debit_by(server, &permit)
}

fn records(card: &mut Card<RamChip>, which: u8) -> Vec<Vec<u8>> {
    let read = |number| ask(card, &[0, 0xb2, number, which, 0]);
    (1..=40).map_while(read).collect()
}

fn certificate(card: &mut Card<RamChip>) -> Vec<u8> {
    let read = |piece: u16| {
        let [high, low] = (piece * 200).to_be_bytes();
        ask(card, &[0, 0xb0, high, low, 0])
    };
    (0..11).map_while(read).flatten().collect()
}

fn select(p2: u8) -> Vec<u8> {
    let mut command = vec![0, 0xa4, 4, p2, 8];
    command.extend(apdu_spec::AID);
    if p2 == 0 {
        command.push(0);
    }
    command
}

fn status_command() -> Vec<u8> {
    [&[0x80, 0x5a, 0, 0, 16][..], &[7; 16], &[0]].concat()
}

/// CHANGE REFERENCE DATA (24) or RESET RETRY COUNTER (2C).
pub(crate) fn change(instruction: u8, first: &str, new: &str) -> Vec<u8> {
    let data = [pin_block(first), pin_block(new)].concat();
    [&[0, instruction, 0, 1, 16][..], &data].concat()
}

/// VERIFY with this PIN.
pub(crate) fn verify(pin: &str) -> Vec<u8> {
    [&[0, 0x20, 0, 1, 8][..], &pin_block(pin)].concat()
}

pub(crate) fn pin_block(digits: &str) -> [u8; 8] {
    *Pin::from_digits(digits).unwrap().block()
}
