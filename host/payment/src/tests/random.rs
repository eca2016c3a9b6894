//! Everybody does anything in any order: the books stay whole, and everything settles.
//!
//! The adversary owns the wires: every invoice, permit, token and record ever made stays there to
//! be sent again.

use std::collections::BTreeSet;

use proptest::prelude::{Strategy, any};
use proptest::test_runner::{Config, TestRunner};
use protocol::document::Invoice;
use protocol::load::LoadOrder;
use protocol::signed::Verified;

use super::card::SoftCard;
use super::world::World;

/// What happens, with two numbers that choose among what there is.
type Step = (u8, u8, u8);

#[derive(Default)]
struct Wires {
    invoices: Vec<(usize, Verified<Invoice>)>,
    permits: Vec<(usize, Vec<u8>)>,
    orders: Vec<(usize, Verified<LoadOrder>)>,
    tokens: Vec<(usize, Vec<u8>)>,
    booked: BTreeSet<(usize, u32)>,
    reported: BTreeSet<(usize, u32)>,
}

struct Run {
    world: World,
    cards: Vec<SoftCard>,
    wires: Wires,
}

fn pick<T>(from: &[T], number: u8) -> Option<&T> {
    from.get(usize::from(number).checked_rem(from.len())?)
}

impl Run {
    fn new() -> Self {
        let mut world = World::new();
        let cards = vec![world.loaded_card(300), world.loaded_card(300)];
        world.issue(300);
        let mut wires = Wires::default();
        wires.reported.extend([(0, 1), (1, 1)]);
        Self { world, cards, wires }
    }

    fn step(&mut self, (what, first, second): Step) {
        let place = usize::from(first) % self.cards.len();
        match what % 12 {
            0 => {
                let amount = 10 + u64::from(second) % 200;
                let invoice = self.world.invoice(&self.cards[place], amount);
                self.wires.invoices.push((place, invoice));
            }
            1 => self.ask_permit(first, second),
            2 => {
                if let Some((place, permit)) = pick(&self.wires.permits, first) {
                    self.cards[*place].debit(permit);
                }
            }
            3 => {
                let debits: Vec<u32> = self.cards[place].debits.keys().copied().collect();
                if let Some(debit_seq) = pick(&debits, second) {
                    self.deliver(place, *debit_seq);
                }
            }
            4 => {
                let amount = 10 + u64::from(second) % 100;
                let order = self.world.load_order(self.cards[place].id, amount);
                self.wires.orders.push((place, order));
            }
            5 => self.ask_token(first, second),
            6 => {
                if let Some((place, token)) = pick(&self.wires.tokens, first) {
                    self.cards[*place].credit(token);
                }
            }
            7 => {
                let slots: Vec<u32> = self.cards[place].slots.keys().copied().collect();
                if let Some(slot) = pick(&slots, second) {
                    self.tell(place, *slot);
                }
            }
            8 => {
                self.cards[place].burn();
            }
            9 => self.world.pass([1, 100, 600, 601, 3601][usize::from(first) % 5]),
            10 => {
                if let Some((_, invoice)) = pick(&self.wires.invoices, first) {
                    let (shop, now) = (&self.world.shop, self.world.now);
                    let question = shop.question(invoice, second % 2 == 0, now);
                    self.world.ask_state(&question).unwrap();
                }
            }
            _ => self.world.restart(),
        }
        self.check();
    }

    fn ask_permit(&mut self, first: u8, second: u8) {
        let Some((place, invoice)) = pick(&self.wires.invoices, first) else {
            return;
        };
        let card = &self.cards[*place];
        // Any request that the card ever signed, mostly the newest.
        let back = if second > 200 { u32::from(second) % (card.debit_seq + 1) } else { 0 };
        let request = card.request_at(invoice, card.debit_seq + 1 - back);
        if let Ok(permit) = self.world.permit_for(card, invoice, request) {
            self.wires.permits.push((*place, permit));
        }
    }

    fn ask_token(&mut self, first: u8, second: u8) {
        let Some((place, order)) = pick(&self.wires.orders, first) else {
            return;
        };
        let card = &self.cards[*place];
        let back = if second > 200 { u32::from(second) % (card.credit_seq + 1) } else { 0 };
        let request = card.credit_request_at(order, card.credit_seq + 1 - back);
        if let Ok(token) = self.world.token_for(card, order, request) {
            self.wires.tokens.push((*place, token));
        }
    }

    /// 170: a genuine debit is never refused (Invariant N).
    fn deliver(&mut self, place: usize, debit_seq: u32) {
        let (record, _) = &self.cards[place].debits[&debit_seq];
        self.world.book(record).unwrap();
        self.wires.booked.insert((place, debit_seq));
    }

    /// 1190.
    fn tell(&mut self, place: usize, slot: u32) {
        let (record, _) = &self.cards[place].slots[&slot];
        self.world.report(record).unwrap();
        self.wires.reported.insert((place, slot));
    }

    /// Invariant A, also for each card: shadow = balance + unbooked debits − unreported credits.
    fn check(&self) {
        self.world.assert_whole();
        for (place, card) in self.cards.iter().enumerate() {
            let open = |records: &std::collections::BTreeMap<u32, (Vec<u8>, u64)>,
                        known: &BTreeSet<(usize, u32)>|
             -> u64 {
                let open = records.iter().filter(|(number, _)| !known.contains(&(place, **number)));
                open.map(|(_, (_, amount))| amount).sum()
            };
            let unbooked = open(&card.debits, &self.wires.booked);
            let unreported = open(&card.slots, &self.wires.reported);
            let expected = i128::from(card.balance + unbooked) - i128::from(unreported);
            let shadow = self.world.balance("shadow", &card.id.0);
            assert_eq!(i128::from(shadow), expected, "card {place}");
        }
    }

    /// Everything is delivered, and every credit with a token is taken: nothing is on the way.
    fn settle(&mut self) {
        for place in 0..self.cards.len() {
            for debit_seq in 1..=self.cards[place].debit_seq {
                self.deliver(place, debit_seq);
            }
            for slot in 1..=self.cards[place].credit_seq {
                self.tell(place, slot);
            }
        }
        for (place, order) in std::mem::take(&mut self.wires.orders) {
            if let Ok(token) = self.world.token(&self.cards[place], &order) {
                self.cards[place].credit(&token).unwrap();
                self.tell(place, self.cards[place].credit_seq);
            }
            self.check();
        }
        let balances = self.world.service.balances().unwrap();
        assert!(balances.accounts.iter().all(|account| account.kind != "in flight"));
        for card in self.world.service.cards().unwrap().cards {
            let known = self.cards.iter().find(|known| known.id == card.card).unwrap();
            assert_eq!(u64::try_from(card.shadow).unwrap(), known.balance);
            assert_eq!((card.ack_debit, card.ack_credit), (known.debit_seq, known.credit_seq));
            assert_eq!(card.contradictions, 0);
        }
    }
}

#[test]
fn the_books_stay_whole_whatever_happens() {
    let config = Config { cases: 24, failure_persistence: None, ..Config::default() };
    let steps = proptest::collection::vec(any::<Step>(), 20..80);
    let outcome = TestRunner::new(config).run(&steps.prop_map(|steps| steps), |steps| {
        let mut run = Run::new();
        for step in steps {
            run.step(step);
        }
        run.settle();
        Ok(())
    });
    outcome.unwrap();
}
