//! Long random lives: good and bad commands in any order, every second one with a power cut, often
//! several cuts in a row before one command succeeds. The card always shows what plain arithmetic
//! over what it showed before says.

use apdu_spec::answer::StatusAnswer;
use apdu_spec::record::{CreditToken, Permit};
use apdu_spec::value::{Amount, Epoch, LimitsVersion, Sequence};
use card_sim::{RamChip, SmartCard, Tail};

use super::commands::{
    abort_credit, credit, debit, next_limits, next_permit, next_token, put_limits,
};
use super::observed::{Observed, selected, verify};
use super::{States, after_story, assert_same, data};

const PIN: &str = "4711";
const LIVES: u64 = 24;
/// With `KOZENI_EXHAUSTIVE=1` in the environment.
const LIVES_EXHAUSTIVE: u64 = 1_000;
const STEPS: usize = 50;

/// Chance that is the same for the same seed (SplitMix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, count: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % count
    }

    fn within(&mut self, least: u32, most: u32) -> u32 {
        least + u32::try_from(self.below(u64::from(most - least) + 1)).unwrap()
    }

    fn tail(&mut self) -> Tail {
        match self.below(5) {
            0 => Tail::Old,
            1 => Tail::New,
            2 => Tail::Zero,
            3 => Tail::Ones,
            _ => Tail::Random(self.below(u64::MAX)),
        }
    }
}

/// A command of a life. Without states it has to be refused and to change nothing.
struct Step {
    under_pin: bool,
    command: Vec<u8>,
    states: Option<States>,
}

fn step(dice: &mut Dice, shown: &Observed, last: &Last) -> Step {
    let status = &shown.status.unwrap();
    match dice.below(10) {
        0..=3 => debit_step(dice, shown),
        4..=6 => credit_step(dice, status),
        7 => {
            let slot = Sequence(status.credit_seq.0 + 1);
            let full = status.credit_seq.0 - status.ack_credit.0 >= 4;
            let states: States =
                Box::new(move |before, answer| vec![before.clone(), before.burned(slot, answer)]);
            Step { under_pin: true, command: abort_credit(slot), states: (!full).then_some(states) }
        }
        8 => {
            let mut limits = next_limits(status.card);
            limits.version = LimitsVersion(status.limits_version.0 + 1);
            limits.balance_max = Amount(dice.below(u64::MAX));
            Step {
                under_pin: false,
                command: put_limits(&limits),
                states: Some(Box::new(move |before, _| {
                    vec![before.clone(), before.limited(&limits)]
                })),
            }
        }
        _ => Step { under_pin: false, command: last.command.clone(), states: None },
    }
}

/// One of the amounts in the limits: `balance_max`, `debit_max`, `pin_floor`, `pin_free_max`.
fn limit(shown: &Observed, place: usize) -> u64 {
    let amounts = &shown.limits.as_ref().unwrap()[4..];
    u64::from_be_bytes(amounts[8 * place..8 * place + 8].try_into().unwrap())
}

fn debit_step(dice: &mut Dice, shown: &Observed) -> Step {
    let status = &shown.status.unwrap();
    let permit = Permit {
        debit_seq: Sequence(status.debit_seq.0 + 1),
        epoch: Epoch(status.epoch.0 + dice.below(2)),
        // Now and then one that is too high.
        ack_debit: Sequence(status.debit_seq.0 + 1 - dice.within(0, 5)),
        ack_credit: Sequence(dice.within(0, status.credit_seq.0)),
        ..next_permit(status.card, 1 + dice.below(6_000))
    };
    let under_pin = dice.below(2) == 0;
    let acknowledged = permit.ack_debit.max(status.ack_debit);
    let room = status.debit_seq.0.saturating_sub(acknowledged.0) < 4;
    let spent = status.pin_free_spent.0 + permit.amount.0;
    let free = permit.amount.0 <= limit(shown, 2) && spent <= limit(shown, 3);
    let good = permit.ack_debit <= status.debit_seq
        && permit.amount.0 <= limit(shown, 1)
        && room
        && (under_pin || free)
        && permit.amount <= status.balance;
    let command = debit(&permit);
    let states: States = Box::new(move |before, answer| {
        vec![before.clone(), before.debited(&permit, answer, under_pin)]
    });
    Step { under_pin, command, states: good.then_some(states) }
}

fn credit_step(dice: &mut Dice, status: &StatusAnswer) -> Step {
    let token = CreditToken {
        slot: Sequence(status.credit_seq.0 + 1),
        epoch: Epoch((status.epoch.0 + dice.below(3)).saturating_sub(1)),
        ack_debit: Sequence(dice.within(0, status.debit_seq.0)),
        ack_credit: Sequence(status.credit_seq.0 - dice.within(0, 4)),
        ..next_token(status.card, 1 + dice.below(9_000))
    };
    let acknowledged = token.ack_credit.max(status.ack_credit);
    let good = token.epoch >= status.epoch && status.credit_seq.0 - acknowledged.0 < 4;
    let command = credit(&token);
    let states: States =
        Box::new(move |before, answer| vec![before.clone(), before.credited(&token, answer)]);
    Step { under_pin: false, command, states: good.then_some(states) }
}

/// The last transfer that was committed, and its answer if that is known.
#[derive(Default)]
struct Last {
    command: Vec<u8>,
    answer: Option<Vec<u8>>,
}

struct Life {
    chip: RamChip,
    dice: Dice,
    last: Last,
    cuts: usize,
    commits: usize,
}

impl Life {
    fn step(&mut self) {
        let step = step(&mut self.dice, &Observed::of(&self.chip), &self.last);
        let mut card = selected(&self.chip);
        if step.under_pin {
            assert_eq!(card.transmit(&verify(PIN)), Some(vec![0x90, 0]));
        }
        let before = Observed::of(card.chip());
        let Some(states) = &step.states else {
            let answer = card.transmit(&step.command).unwrap();
            if step.command == self.last.command {
                self.check_repeated(&answer);
            } else {
                assert_eq!(answer.len(), 2, "{answer:02X?}");
                assert_ne!(answer, [0x90, 0]);
            }
            assert_same(&Observed::of(card.chip()), &before, "after a refusal");
            self.chip = card.into_chip();
            return;
        };
        // The signature of this very attempt, from a copy whose power is not cut.
        let whole = {
            let mut card = selected(&self.chip);
            if step.under_pin {
                card.transmit(&verify(PIN));
            }
            card.transmit(&step.command).unwrap()
        };
        assert!(whole.ends_with(&[0x90, 0]), "{whole:02X?}");
        let states = states(&before, data(&whole));
        if self.dice.below(2) == 0 {
            let tail = self.dice.tail();
            card.chip_mut().fuse_after(self.dice.below(500), tail);
        }
        let answer = card.transmit(&step.command);
        self.cuts += usize::from(answer.is_none());
        card.chip_mut().remove_fuse();
        card.chip_mut().restore_power();
        self.chip = card.into_chip();
        let shown = Observed::of(&self.chip);
        let committed = Some(&shown) == states.last();
        assert!(committed || (answer.is_none() && shown == states[0]), "{shown:?}");
        self.commits += usize::from(committed);
        if committed && whole.len() > 2 {
            self.last = Last { command: step.command, answer: Some(whole) };
        }
    }

    /// The last transfer again: the same answer, unless it was acknowledged since.
    fn check_repeated(&self, answer: &[u8]) {
        let expected = self.last.answer.as_deref();
        assert!(
            Some(answer) == expected || answer == [0x94, 0x08] || answer.first() == Some(&0x67),
            "{answer:02X?}"
        );
    }
}

#[test]
fn random_lives() {
    let (start, _) = after_story("well_used.story", 30);
    let (mut cuts, mut commits) = (0, 0);
    let exhaustive = std::env::var_os("KOZENI_EXHAUSTIVE").is_some_and(|value| value == "1");
    for seed in 0..if exhaustive { LIVES_EXHAUSTIVE } else { LIVES } {
        let mut life = Life {
            chip: start.clone(),
            dice: Dice(seed),
            last: Last::default(),
            cuts: 0,
            commits: 0,
        };
        for _ in 0..STEPS {
            life.step();
        }
        cuts += life.cuts;
        commits += life.commits;
    }
    // Enough of both to mean something.
    assert!(cuts > 150 && commits > 400, "{cuts} cuts, {commits} commits");
}
