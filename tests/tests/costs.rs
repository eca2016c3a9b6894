//! What each command costs the chip: one header write for a transfer, none for a repeat.

use apdu_spec::AID;
use card_sim::{Card, Counters, RamChip, SmartCard};

use crate::power_cuts::after_story;

fn with_data(header: [u8; 4], data: &[u8]) -> Vec<u8> {
    let length = u8::try_from(data.len()).unwrap();
    [&header[..], &[length], data, &[0]].concat()
}

fn selected(chip: RamChip) -> Card<RamChip> {
    let mut card = Card::new(chip);
    card.power_on();
    let select = [&[0, 0xa4, 4, 0x0c, 8], AID].concat();
    assert_eq!(card.transmit(&select), Some(vec![0x90, 0]));
    card
}

/// Sends a command and gives what it cost, bytes left aside.
fn cost(card: &mut Card<RamChip>, command: &[u8]) -> Counters {
    let before = card.counters();
    let answer = card.transmit(command).unwrap();
    assert!(answer.ends_with(&[0x90, 0]), "{command:02X?}: {answer:02X?}");
    Counters { nvm_bytes: 0, ..card.counters().since(&before) }
}

#[test]
fn one_commit_for_a_transfer_and_none_for_its_repeat() {
    let (chip, names) = after_story("well_used.story", 60);
    let mut card = selected(chip);
    let nothing = Counters::default();
    let signed = Counters { signatures: 1, self_checks: 1, ..nothing };
    let checked = Counters { verifications: 1, ..nothing };
    // Journal, history, header.
    let transfer = Counters { verifications: 1, nvm_writes: 3, purse_commits: 1, ..signed };
    let debit = with_data([0x80, 0x54, 0, 0], &names("next_permit"));
    let credit = with_data([0x80, 0x52, 0, 0], &names("next_token"));
    let status = with_data([0x80, 0x5a, 0, 0], &[1; 16]);
    let verify = [&[0, 0x20, 0, 1, 8][..], b"4711\xff\xff\xff\xff"].concat();
    for (command, expected) in [
        (&debit, transfer),
        (&debit, checked),
        (&credit, transfer),
        (&credit, checked),
        (&status, signed),
        // Counted, then given back.
        (&verify, Counters { nvm_writes: 2, pin_writes: 2, ..nothing }),
        (&vec![0x80, 0x5c, 0, 0, 0], nothing),
        (&vec![0, 0xb2, 1, 0x0c, 0], nothing),
    ] {
        assert_eq!(cost(&mut card, command), expected, "{command:02X?}");
    }
}

/// RFC 6979 alone would sign the same message in the same way: then a fault in one of two
/// signatures would give the key away. The chip's entropy makes them differ.
#[test]
fn the_same_message_is_never_signed_twice_in_the_same_way() {
    let (chip, _) = after_story("well_used.story", 61);
    let mut card = selected(chip);
    let status = with_data([0x80, 0x5a, 0, 0], &[1; 16]);
    let mut answers: Vec<Vec<u8>> = (0..8).map(|_| card.transmit(&status).unwrap()).collect();
    let facts = ..answers[0].len() - 66;
    assert!(answers.iter().all(|answer| answer[facts] == answers[0][facts]));
    answers.sort();
    answers.dedup();
    assert_eq!(answers.len(), 8);
}
