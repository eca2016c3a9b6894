//! Purchases by separate processes: as they should go, with every message lost, repeated and
//! delayed, and with every party killed between any two messages.

use std::time::{Duration, Instant};

use e2e::costs;
use e2e::proxy::Fault;
use e2e::slot::Way;
use e2e::world::{Party, Plan, World};
use serde_json::Value;

const NUMBERS: [u16; 10] = [110, 120, 130, 140, 150, 160, 170, 180, 210, 220];
const PRICE: u64 = 1000;
const SETTLE_TIMEOUT: Duration = Duration::from_secs(30);

/// A world in which many purchases are made, and what they must have cost.
struct Trade {
    world: World,
    loaded: u64,
    paid: u64,
}

impl Trade {
    fn start(plan: &Plan) -> Self {
        Self { world: World::start(plan).unwrap(), loaded: plan.load, paid: 0 }
    }

    fn order(&self) -> Value {
        let shop = self.world.shop_url();
        let arguments = ["wallet", "order", &shop, "A:1", "--yes", "--pin-file", "pin"];
        self.world.kozeni(&arguments).unwrap().value
    }

    /// Lets everything that was interrupted go on until the newest purchase has ended.
    fn settle(&self) -> Value {
        let deadline = Instant::now() + SETTLE_TIMEOUT;
        loop {
            self.world.kozeni(&["wallet", "resume"]).unwrap();
            let newest = self.newest();
            if newest["needs"] == "nothing" {
                return newest;
            }
            if newest["needs"] != "others" {
                let id = newest["purchase"].as_str().unwrap().to_owned();
                let pay = ["wallet", "pay", &id, "--yes", "--pin-file", "pin"];
                self.world.kozeni(&pay).unwrap();
            }
            assert!(Instant::now() < deadline, "never settles: {newest:#}");
        }
    }

    fn newest(&self) -> Value {
        self.world.done(&["wallet", "history"]).unwrap()["purchases"][0].clone()
    }

    /// Exactly one payment more, on the card, in the books and at the shop.
    fn check_paid_once(&mut self, story: &str) {
        self.paid += PRICE;
        let newest = self.newest();
        assert_eq!(newest["state"], "complete", "{story}: {newest:#}");
        assert!(newest["evidence"].is_string(), "{story}");
        self.check_books(story);
    }

    fn check_books(&self, story: &str) {
        let card = self.world.done(&["card", "balance", "--reader", self.world.slot.reader()]);
        assert_eq!(card.unwrap()["balance"], self.loaded - self.paid, "{story}: value on the card");
        let books = self.world.balances().unwrap();
        assert_eq!(books["issued"], books["accounted"], "{story}: {books:#}");
        assert_eq!(books["issued"], self.loaded, "{story}");
    }

    fn load(&mut self, amount: u64) {
        self.world.load(amount).unwrap();
        self.loaded += amount;
    }
}

#[test]
fn messages_and_costs_are_as_specified() {
    for explicit_receipt in [false, true] {
        let plan = Plan { way: Way::Direct, explicit_receipt, ..Plan::default() };
        let mut trade = Trade::start(&plan);
        let before = trade.world.slot.trace().unwrap().len();
        trade.order();
        let trace = trade.world.slot.trace().unwrap();
        trade.check_paid_once("undisturbed");
        let messages = trade.world.record.messages();
        let of = |flow: &str| -> Vec<u16> {
            let mine = messages.iter().filter(|message| message.flow == flow);
            mine.map(|message| message.no).collect()
        };
        let mut expected = NUMBERS.to_vec();
        if explicit_receipt {
            expected.splice(8..8, [190, 200]);
        }
        assert_eq!(of("purchase"), expected);
        assert_eq!(of("load"), [1170, 1180, 1190, 1200]);
        let costs = costs::of_trace(&trace[before..]);
        assert!(costs.apdus <= 7, "{costs:?}");
        assert!(costs.bytes <= 900, "{costs:?}");
        assert_eq!(costs.purse_commits, 1, "{costs:?}");
        trade.world.stop().unwrap();
    }
}

#[test]
fn a_message_that_is_lost_repeated_or_late_costs_nothing() {
    let mut trade = Trade::start(&Plan { load: 40_000, ..Plan::default() });
    for fault in [Fault::Lose, Fault::Repeat, Fault::Delay(Duration::from_millis(50))] {
        for no in NUMBERS {
            let story = format!("{no} {fault:?}");
            trade.world.record.plan(no, fault);
            trade.order();
            assert!(!trade.world.record.is_pending(), "{story} never happened");
            trade.settle();
            trade.check_paid_once(&story);
        }
    }
    for no in [150, 170] {
        let story = format!("{no} late, after its repeat");
        trade.world.record.plan(no, Fault::Late(Duration::from_millis(300)));
        trade.order();
        trade.settle();
        std::thread::sleep(Duration::from_millis(400));
        trade.check_paid_once(&story);
    }
}

#[test]
fn the_wallet_is_killed_after_each_message_and_finishes() {
    let mut trade = Trade::start(&Plan { load: 20_000, ..Plan::default() });
    for no in NUMBERS {
        let story = format!("wallet killed at {no}");
        interrupt(&mut trade, no, Party::Wallet);
        trade.settle();
        trade.check_paid_once(&story);
    }
}

#[test]
fn each_server_is_killed_between_any_two_messages() {
    let mut trade = Trade::start(&Plan { load: 40_000, ..Plan::default() });
    for party in [Party::Shop, Party::Payment, Party::Ca] {
        for no in NUMBERS {
            let story = format!("{party:?} killed at {no}");
            interrupt(&mut trade, no, party);
            trade.settle();
            trade.check_paid_once(&story);
        }
    }
}

/// Orders, holds the message with this number, kills a party and starts it again, lets go.
fn interrupt(trade: &mut Trade, no: u16, party: Party) {
    trade.world.record.plan(no, Fault::Hold);
    let shop = trade.world.shop_url();
    let arguments = ["wallet", "order", &shop, "A:1", "--yes", "--pin-file", "pin", "--json"];
    let mut ordering = trade.world.command(&arguments);
    let mut ordering = ordering.stdout(std::process::Stdio::null()).spawn().unwrap();
    assert!(trade.world.record.wait_held(Duration::from_secs(20)), "{no} never came");
    trade.world.crash(party).unwrap();
    trade.world.record.release();
    ordering.wait().unwrap();
}

#[test]
fn a_wallet_without_files_finishes_from_the_card_and_the_payment_server() {
    let mut trade = Trade::start(&Plan::default());
    trade.world.record.plan(180, Fault::Lose);
    trade.order();
    trade.world.process(Party::Wallet).kill();
    std::fs::remove_dir_all(trade.world.path("wallet")).unwrap();
    trade.world.set_up_wallet().unwrap();
    trade.world.done(&["wallet", "resume"]).unwrap();
    trade.paid += PRICE;
    trade.check_books("wallet without files");
    // The journal is acknowledged with the next permit, and the shop has its receipt from P.
    trade.load(1000);
    trade.order();
    trade.check_paid_once("the next purchase");
    let orders = trade.world.done(&["shop", "orders", "--folder", "shop"]).unwrap();
    let paid = orders["orders"].as_array().unwrap().iter().filter(|one| one["state"] == "paid");
    assert_eq!(paid.count(), 2, "{orders:#}");
}

#[test]
fn value_that_comes_too_late_waits_in_suspense() {
    let mut trade = Trade::start(&Plan { due_s: 3, ..Plan::default() });
    trade.world.record.plan(170, Fault::Hold);
    let shop = trade.world.shop_url();
    let arguments = ["wallet", "order", &shop, "A:1", "--yes", "--pin-file", "pin", "--json"];
    let mut ordering = trade.world.command(&arguments);
    let mut ordering = ordering.stdout(std::process::Stdio::null()).spawn().unwrap();
    assert!(trade.world.record.wait_held(Duration::from_secs(20)), "170 never came");
    std::thread::sleep(Duration::from_secs(5));
    trade.world.record.release();
    ordering.wait().unwrap();
    let newest = trade.settle();
    assert_eq!(newest["state"], "suspended", "{newest:#}");
    assert!(newest["suspended"].is_object(), "{newest:#}");
    trade.paid += PRICE;
    trade.check_books("suspended");
    let books = trade.world.balances().unwrap();
    let accounts = books["accounts"].as_array().unwrap();
    let suspense = accounts.iter().find(|account| account["kind"] == "suspense").unwrap();
    assert_eq!(suspense["balance"], PRICE);
}

#[test]
fn other_payment_modes_wait_for_an_operator() {
    let trade = Trade::start(&Plan { load: 0, ..Plan::default() });
    let shop = trade.world.shop_url();
    for mode in ["credit-a", "credit-b", "bank-account"] {
        let order = ["wallet", "order", &shop, "B:1", "--mode", mode, "--yes"];
        let ordered = trade.world.done(&order).unwrap();
        assert_eq!(ordered["state"], "other_means", "{mode}: {ordered:#}");
        let transaction = ordered["invoice"]["transaction"].as_str().unwrap().to_owned();
        let of = ["--folder", "shop", "--transaction", &transaction];
        let shown = || trade.world.done(&[&["shop", "show"], &of[..]].concat()).unwrap();
        assert_eq!(shown()["order"]["state"], "acknowledged", "{mode}");
        let mark = [&["shop", "mark-paid", "--operator", "clerk"], &of[..]].concat();
        trade.world.done(&mark).unwrap();
        assert_eq!(shown()["order"]["state"], "paid", "{mode}");
    }
}

#[test]
fn a_revoked_card_gets_no_invoice() {
    let trade = Trade::start(&Plan::default());
    let card = trade.world.card.clone();
    trade.world.done(&["ca", "revoke", "--folder", "ca", "--card", &card]).unwrap();
    let deadline = Instant::now() + Duration::from_secs(90);
    loop {
        let refused = trade.order();
        let newest = trade.newest();
        if newest["state"] == "refused" {
            assert_eq!(newest["refused"]["code"], 203, "{newest:#} {refused:#}");
            break;
        }
        assert!(Instant::now() < deadline, "the revocation never arrives: {newest:#}");
        std::thread::sleep(Duration::from_secs(1));
    }
}

#[test]
fn nothing_listens_beyond_this_machine() {
    let world = World::start(&Plan { load: 0, ..Plan::default() }).unwrap();
    let output = std::process::Command::new("ss").args(["-H", "-ltn"]).output().unwrap();
    let listeners = String::from_utf8(output.stdout).unwrap();
    let port = world.shop_url().rsplit(':').next().unwrap().to_owned();
    assert!(listeners.contains(&port), "ss shows our own listeners");
    for line in listeners.lines() {
        let address = line.split_whitespace().nth(3).unwrap();
        let ours = ["127.0.0.1:", "[::1]:"].iter().any(|local| address.starts_with(local));
        let own_process = line.contains("kozeni");
        assert!(ours || !own_process, "{line}");
    }
}
