//! `first-life.apdu`: what the holder does with PIN and PUK, and what the card signs without
//! moving value.

use apdu_spec::Refusal;
use apdu_spec::command::{Command, CreditFields, DebitFields, OrderFields};
use apdu_spec::value::{Amount, Currency, Pin, Purpose};

use super::life::{DOLLAR, Life, PIN, PUK, pin};
use super::transcript::any;
use super::{AUTHORITY, INVOICE, REQUEST, SHOP, YEN};

const NEW_PIN: &str = "00000000";
const WRONG: &str = "9999";

fn wrong(tries_left: u8) -> Refusal {
    Refusal::Wrong { tries_left }
}

fn change(old: &str, new: &str) -> Command<'static> {
    let [old, new]: [Pin; 2] = [pin(old), pin(new)];
    Command::ChangePin { old, new }
}

fn unblock(puk: &str, new: &str) -> Command<'static> {
    let [puk, new]: [Pin; 2] = [pin(puk), pin(new)];
    Command::UnblockPin { puk, new }
}

pub(super) fn pin_and_puk(life: &mut Life) {
    let script = &mut life.script;
    script.part("PIN: tries, and a permission that the next command takes");
    script.refused(&Command::ReadTries, wrong(3));
    script.refused(&Command::Verify(pin(WRONG)), wrong(2));
    script.refused(&Command::ReadTries, wrong(2));
    script.done(&Command::Verify(pin(PIN)), "");
    script.done(&Command::ReadTries, "");
    script.done(&Command::Select { fci: false }, "");
    script.refused(&Command::ReadTries, wrong(3));
    script.part("CHANGE REFERENCE DATA gives no permission");
    script.refused(&change(WRONG, NEW_PIN), wrong(2));
    script.done(&change(PIN, NEW_PIN), "");
    script.refused(&Command::ReadTries, wrong(3));
    script.refused(&Command::Verify(pin(PIN)), wrong(2));
    script.done(&Command::Verify(pin(NEW_PIN)), "");
    script.part("Blocked PIN, wrong and right PUK");
    for tries_left in [2, 1, 0] {
        script.refused(&Command::Verify(pin(WRONG)), wrong(tries_left));
    }
    script.refused(&Command::Verify(pin(NEW_PIN)), Refusal::PinBlocked);
    script.refused(&change(NEW_PIN, PIN), Refusal::PinBlocked);
    script.refused(&Command::ReadTries, wrong(0));
    script.refused(&unblock("12345678", PIN), wrong(9));
    script.refused(&unblock("8765432", PIN), wrong(8));
    script.done(&unblock(PUK, PIN), "");
    script.refused(&Command::ReadTries, wrong(3));
    script.part("The PUK has 8 tries still");
    life.expect_status([0, 0, 0, 0], 0, 0);
}

pub(super) fn orders(life: &mut Life) {
    let order = |amount, currency| {
        let (request, shop, amount) = (REQUEST, SHOP, Amount(amount));
        Command::SignOrder(OrderFields { request, shop, request_hash: INVOICE, amount, currency })
    };
    life.script.part("Orders: PIN over the floor of 1000");
    life.script.refused(&order(0, DOLLAR), Refusal::WrongCurrency);
    life.script.refused(&order(0, YEN), Refusal::ZeroAmount);
    life.script.done(&order(1000, YEN), &any(64));
    life.script.refused(&order(1001, YEN), Refusal::PinNeeded);
    life.verify();
    life.script.done(&order(1001, YEN), &any(64));
    life.script.refused(&order(1001, YEN), Refusal::PinNeeded);
    life.script.part("A permission is lost with any other command, also one that is malformed");
    life.verify();
    life.script.refused_bytes(&[0x80, 0x5c, 0, 0], Refusal::WrongLength);
    life.script.refused(&order(1001, YEN), Refusal::PinNeeded);
}

pub(super) fn request(amount: u64, currency: Currency) -> Command<'static> {
    let (invoice_hash, shop, amount) = (INVOICE, SHOP, Amount(amount));
    Command::SignRequest(DebitFields { invoice_hash, shop, amount, currency })
}

fn credit_request(amount: u64, currency: Currency) -> Command<'static> {
    let (purpose, authority_hash, amount) = (Purpose::Load, AUTHORITY, Amount(amount));
    Command::SignCreditRequest(CreditFields { purpose, authority_hash, amount, currency })
}

pub(super) fn requests(life: &mut Life) {
    life.script.part("Requests on an empty card");
    life.script.refused(&request(0, DOLLAR), Refusal::WrongCurrency);
    life.script.refused(&request(0, YEN), Refusal::ZeroAmount);
    life.script.refused(&request(20_001, YEN), Refusal::OverDebitMax);
    life.script.refused(&request(1, YEN), Refusal::InsufficientBalance);
    life.script.refused(&credit_request(0, DOLLAR), Refusal::WrongCurrency);
    life.script.refused(&credit_request(0, YEN), Refusal::ZeroAmount);
    life.script.refused(&credit_request(100_001, YEN), Refusal::OverBalanceMax);
    life.script.refused(&credit_request(u64::MAX, YEN), Refusal::OverBalanceMax);
    for _ in 0..2 {
        let answer = format!("00000001 {}", any(64));
        life.script.done(&credit_request(100_000, YEN), &answer);
    }
}
