//! 50 → 60.

use protocol::Reject;
use protocol::document::{Invoice, Receipt};
use protocol::field::Number;
use protocol::purchase::Booking;
use protocol::query::{InvoiceQuery, PaymentState};
use protocol::signed::Verified;

use super::card::SoftCard;
use super::world::World;

fn scene() -> (World, SoftCard, Verified<Invoice>) {
    let mut world = World::new();
    let card = world.loaded_card(500);
    let invoice = world.invoice(&card, 300);
    (world, card, invoice)
}

fn state(world: &World, invoice: &Verified<Invoice>, cancel: bool) -> PaymentState {
    let question = world.shop.question(invoice, cancel, world.now);
    let state = world.ask_state(&question).unwrap();
    assert_eq!((state.invoice_hash, state.time), (invoice.hash(), world.now));
    assert_eq!(state.receipt.is_some(), state.state == PaymentState::Paid);
    state.state
}

#[test]
fn an_invoice_that_p_never_saw_is_unpaid_until_it_is_past_due() {
    let (mut world, card, invoice) = scene();
    assert_eq!(state(&world, &invoice, false), PaymentState::Unpaid);
    world.pass(3600);
    assert_eq!(state(&world, &invoice, false), PaymentState::Unpaid);
    world.pass(1);
    assert_eq!(state(&world, &invoice, false), PaymentState::PastDue);
    // A promise, which no step of the clock undoes.
    world.now.0 -= 3600;
    assert_eq!(state(&world, &invoice, false), PaymentState::PastDue);
    assert_eq!(world.permit(&card, &invoice), Err(Reject::PastDue));
}

#[test]
fn a_paid_invoice_comes_with_its_receipt() {
    let (world, mut card, invoice) = scene();
    let record = card.debit(&world.permit(&card, &invoice).unwrap()).unwrap();
    let Ok(Booking::Paid(receipt)) = world.book(&record) else { panic!() };
    let question = world.shop.question(&invoice, true, world.now);
    let answer = world.ask_state(&question).unwrap();
    assert_eq!(answer.state, PaymentState::Paid);
    assert_eq!(answer.receipt.as_ref(), Some(&receipt));
    assert_eq!(world.open::<Receipt>(&receipt).invoice_hash, invoice.hash());
}

#[test]
fn a_cancelled_invoice_stays_cancelled() {
    let (world, card, invoice) = scene();
    assert_eq!(state(&world, &invoice, true), PaymentState::Cancelled);
    assert_eq!(state(&world, &invoice, false), PaymentState::Cancelled);
    assert_eq!(world.permit(&card, &invoice), Err(Reject::InvoiceCancelled));
}

#[test]
fn nothing_is_cancelled_while_a_permit_lives() {
    let (mut world, card, invoice) = scene();
    world.permit(&card, &invoice).unwrap();
    assert_eq!(state(&world, &invoice, true), PaymentState::Unpaid);
    world.pass(600);
    assert_eq!(state(&world, &invoice, true), PaymentState::Cancelled);
}

/// What the shop was promised holds against a debit that was on its way.
#[test]
fn a_debit_after_the_promise_goes_to_suspense() {
    for cancel in [false, true] {
        let (mut world, mut card, invoice) = scene();
        let record = card.debit(&world.permit(&card, &invoice).unwrap()).unwrap();
        world.pass(if cancel { 600 } else { 3601 });
        let promised = state(&world, &invoice, cancel);
        world.now.0 -= 599;
        assert!(matches!(world.book(&record), Ok(Booking::Suspended(_))));
        assert_eq!(state(&world, &invoice, cancel), promised);
    }
}

fn asked(world: &World, question: &InvoiceQuery) -> Result<PaymentState, Reject> {
    world.ask_state(question).map(|state| state.state)
}

#[test]
fn only_the_shop_of_the_invoice_may_ask() {
    let (mut world, card, invoice) = scene();
    let other = world.new_shop(*b"shop 002", "Other");
    let question = other.question(&invoice, true, world.now);
    assert_eq!(asked(&world, &question), Err(Reject::ShopNotAccepted));
    world.accept(&other);
    assert_eq!(asked(&world, &question), Err(Reject::WrongShop));
    // An invoice in the other shop's name that this shop has signed.
    let forged = other.seal(Invoice::clone(&invoice));
    let question = other.question(&forged, true, world.now);
    assert_eq!(asked(&world, &question), Err(Reject::WrongShop));
    let mut elsewhere = Invoice::clone(&invoice);
    elsewhere.payment_chain = world.shop.signer.message_chain();
    let elsewhere = world.shop.seal(elsewhere);
    let question = world.shop.question(&elsewhere, true, world.now);
    assert_eq!(asked(&world, &question), Err(Reject::WrongIssuer));
    let mut question = world.shop.question(&invoice, true, world.now).question.to_vec();
    *question.last_mut().unwrap() ^= 1;
    let question = InvoiceQuery { number: Number, question: question.into() };
    assert_eq!(asked(&world, &question), Err(Reject::BadSignature));
    let question = InvoiceQuery { number: Number, question: invoice.bytes().to_vec().into() };
    assert_eq!(asked(&world, &question), Err(Reject::Malformed));
    assert!(world.permit(&card, &invoice).is_ok());
}
