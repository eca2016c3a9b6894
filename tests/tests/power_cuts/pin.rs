//! PIN and PUK: whatever moment the power is cut in, no try is gained and no PIN lost.

use card_sim::{SmartCard, Tail};

use super::observed::{Observed, change, selected, verify};
use super::{Case, Repeat, States, after_story, assert_same};

fn check(prepare: Vec<Vec<u8>>, command: Vec<u8>, states: States, repeat: Repeat) {
    let (start, _) = after_story("well_used.story", 20);
    let case = Case { start, prepare, command, states, repeat };
    case.check();
}

/// The tries in the order in which they are shown: before, perhaps one less, after.
fn tries(before: &Observed) -> (u8, u8) {
    let status = before.status.as_ref().unwrap();
    (status.pin_tries, status.puk_tries)
}

#[test]
fn right_pin() {
    let states: States = Box::new(|before, _| {
        assert_eq!(tries(before), (2, 9));
        let (counted, after) = (before.with_pin_tries(1), before.with_pin_tries(3));
        vec![before.clone(), counted, after]
    });
    check(vec![], verify("4711"), states, Repeat::Succeeds);
}

#[test]
fn wrong_pin() {
    let states: States = Box::new(|before, _| {
        assert_eq!(tries(before), (2, 9));
        vec![before.clone(), before.with_pin_tries(1)]
    });
    check(vec![], verify("0000"), states, Repeat::Never);
}

#[test]
fn last_wrong_pin() {
    let states: States = Box::new(|before, _| {
        assert_eq!(tries(before), (1, 9));
        vec![before.clone(), before.with_pin_tries(0)]
    });
    let prepare = vec![verify("0000")];
    check(prepare, verify("9999"), states, Repeat::Never);
}

#[test]
fn right_pin_at_the_last_try() {
    let states: States = Box::new(|before, _| {
        assert_eq!(tries(before), (1, 9));
        let (counted, after) = (before.with_pin_tries(0), before.with_pin_tries(3));
        vec![before.clone(), counted, after]
    });
    check(vec![verify("0000")], verify("4711"), states, Repeat::Never);
}

#[test]
fn changed_pin() {
    let states: States = Box::new(|before, _| {
        let after = before.with_pin_tries(3).with_pin("2468");
        vec![before.clone(), before.with_pin_tries(1), after]
    });
    check(vec![], change(0x24, "4711", "2468"), states, Repeat::Never);
}

#[test]
fn change_with_a_wrong_pin() {
    let states: States = Box::new(|before, _| vec![before.clone(), before.with_pin_tries(1)]);
    check(vec![], change(0x24, "2468", "1234"), states, Repeat::Never);
}

#[test]
fn right_puk() {
    let states: States = Box::new(|before, _| {
        let after = before.with_pin_tries(3).with_pin("2468");
        vec![before.clone(), before.with_puk_tries(8), after]
    });
    check(vec![], change(0x2c, "12345678", "2468"), states, Repeat::Never);
}

#[test]
fn wrong_puk() {
    let states: States = Box::new(|before, _| vec![before.clone(), before.with_puk_tries(8)]);
    check(vec![], change(0x2c, "11111111", "2468"), states, Repeat::Never);
}

/// The last PUK try is counted in the PIN cell, then the header blocks the card (APDU.md section
/// 9): between the two the card is active and has no PUK tries.
#[test]
fn last_wrong_puk() {
    let states: States = Box::new(|before, _| {
        assert_eq!(tries(before), (2, 1));
        let counted = before.with_puk_tries(0);
        let mut after = counted.in_life_cycle(4);
        (after.pin, after.obeys) = (None, None);
        after.history = Vec::new();
        vec![before.clone(), counted, after]
    });
    let wrong = change(0x2c, "11111111", "2468");
    check(vec![wrong.clone(); 8], wrong, states, Repeat::Never);
}

/// A try is counted before the comparison: when the power goes after the first write, nothing in
/// the memory tells whether the PIN or PUK was right.
#[test]
fn a_try_is_counted_before_the_comparison() {
    let (start, _) = after_story("well_used.story", 21);
    let before = Observed::of(&start);
    for (right, wrong, counted) in [
        (verify("4711"), verify("0000"), before.with_pin_tries(1)),
        (change(0x24, "4711", "2468"), change(0x24, "4712", "2468"), before.with_pin_tries(1)),
        (
            change(0x2c, "12345678", "2468"),
            change(0x2c, "12345679", "2468"),
            before.with_puk_tries(8),
        ),
    ] {
        let cut = |command: &[u8]| {
            let mut card = selected(&start);
            card.chip_mut().fuse_after(0, Tail::New);
            assert_eq!(card.transmit(command), None);
            card.chip_mut().restore_power();
            card.into_chip()
        };
        let (right, wrong) = (cut(&right), cut(&wrong));
        assert_same(&Observed::of(&right), &counted, "after the first write");
        assert_eq!(right.image(), wrong.image(), "the first write tells right from wrong");
    }
}
