//! 170 → 180 and 190 → 200.

use std::thread;

use apdu_spec::record::Permit;
use apdu_spec::value::{PaymentId, Time};
use protocol::Reject;
use protocol::document::{Receipt, SuspenseNotice, SuspenseReason};
use protocol::purchase::Booking;
use protocol::signed::SignedRecord;

use super::card::SoftCard;
use super::world::{ISSUER, POLICY, World};
use crate::service::Policy;

fn payment_of(permit: &[u8]) -> PaymentId {
    SignedRecord::<Permit>::parse(permit).unwrap().claims().payment
}

fn paid(booking: Booking) -> Vec<u8> {
    match booking {
        Booking::Paid(receipt) => receipt.to_vec(),
        other => panic!("{other:?}"),
    }
}

fn suspended(booking: Booking) -> Vec<u8> {
    match booking {
        Booking::Suspended(notice) => notice.to_vec(),
        other => panic!("{other:?}"),
    }
}

/// A world, a card with 500, and one permit that the card has consumed.
fn debited() -> (World, SoftCard, Vec<u8>, Vec<u8>) {
    let mut world = World::new();
    let mut card = world.loaded_card(500);
    let invoice = world.invoice(&card, 300);
    let permit = world.permit(&card, &invoice).unwrap();
    let record = card.debit(&permit).unwrap();
    (world, card, permit, record)
}

#[test]
fn a_debit_pays_its_invoice_and_names_it() {
    let mut world = World::new();
    let mut card = world.loaded_card(500);
    let invoice = world.invoice(&card, 300);
    let permit = world.permit(&card, &invoice).unwrap();
    let record = card.debit(&permit).unwrap();
    world.pass(5);
    let receipt = paid(world.book(&record).unwrap());
    let receipt = world.open::<Receipt>(&receipt);
    assert_eq!(receipt.transaction, invoice.transaction);
    assert_eq!(receipt.payer, invoice.payer);
    assert_eq!((receipt.amount, receipt.currency), (invoice.amount, invoice.currency));
    assert_eq!((receipt.shop, &receipt.shop_name), (invoice.shop, &invoice.shop_name));
    assert_eq!(receipt.recipient.as_str(), "Payment server");
    assert_eq!((receipt.time, receipt.invoice_hash), (world.now, invoice.hash()));
    let debit = SignedRecord::<apdu_spec::record::DebitRecord>::parse(&record).unwrap();
    assert_eq!((receipt.debit_hash, receipt.payment), (debit.hash(), payment_of(&permit)));
    assert_eq!(world.balance("merchant", &world.shop.id.0), 300);
    assert_eq!(world.balance("shadow", &card.id.0), 200);
    let pushes = world.service.store.read(|books| books.pushes(world.now, 10)).unwrap();
    assert_eq!(pushes.len(), 1);
    assert_eq!((pushes[0].receipt, pushes[0].shop), (receipt.hash(), world.shop.id));
}

#[test]
fn repeats_get_the_same_bytes_by_170_and_by_190() {
    let (mut world, card, permit, record) = debited();
    let payment = payment_of(&permit);
    assert_eq!(world.receipt(payment), Err(Reject::NotBooked));
    assert_eq!(world.receipt(PaymentId([1; 16])), Err(Reject::UnknownPayment));
    let first = world.book(&record).unwrap();
    world.pass(100_000);
    assert_eq!(world.book(&record).unwrap(), first);
    assert_eq!(world.receipt(payment).unwrap(), first);
    // Invariant I: another signature over the same content is the same debit.
    let claims = *SignedRecord::<apdu_spec::record::DebitRecord>::parse(&record).unwrap().claims();
    let again = card.signer.record(claims);
    assert_ne!(again, record);
    assert_eq!(world.book(&again).unwrap(), first);
    assert_eq!(world.balance("merchant", &world.shop.id.0), 300);
}

#[test]
fn what_is_no_genuine_debit_is_refused() {
    let (world, card, permit, record) = debited();
    let claims = *SignedRecord::<apdu_spec::record::DebitRecord>::parse(&record).unwrap().claims();
    let mut other = claims;
    other.amount.0 -= 1;
    let mut unknown = claims;
    unknown.payment.0[0] ^= 1;
    let stranger = world.shop.signer.record(claims);
    let mut forged = record.clone();
    *forged.last_mut().unwrap() ^= 1;
    for (bytes, reject) in [
        (permit, Reject::Malformed),
        (card.signer.record(unknown), Reject::UnknownPayment),
        (stranger, Reject::BadSignature),
        (forged, Reject::BadSignature),
        (card.signer.record(other), Reject::ContentDiffers),
    ] {
        assert_eq!(world.book(&bytes), Err(reject));
    }
    assert_eq!(world.balance("merchant", &world.shop.id.0), 0);
    paid(world.book(&record).unwrap());
}

/// Invariants N and L: what the permit allowed is booked whatever comes after.
#[test]
fn a_late_debit_of_a_revoked_card_is_booked() {
    let (mut world, card, _, record) = debited();
    world.ca.revoke(card.serial);
    world.refresh_lists();
    world.pass(3000);
    paid(world.book(&record).unwrap());
}

#[test]
fn an_expired_permit_pays_until_the_due_time() {
    for (seconds, pays) in [(3600, true), (3601, false)] {
        let mut world = World::new();
        let mut card = world.loaded_card(500);
        let invoice = world.invoice(&card, 300);
        let record = card.debit(&world.permit(&card, &invoice).unwrap()).unwrap();
        world.pass(seconds);
        let booking = world.book(&record).unwrap();
        assert_eq!(matches!(booking, Booking::Paid(_)), pays, "{seconds}");
        let suspense = if pays { 0 } else { 300 };
        assert_eq!(world.balance("suspense", &card.id.0), suspense);
        // The decision stands, even if the clock steps back.
        world.now = Time(world.now.0 - 3000);
        assert_eq!(world.book(&record).unwrap(), booking);
        let ended = if pays { Reject::InvoicePaid } else { Reject::PastDue };
        assert_eq!(world.permit(&card, &invoice), Err(ended));
    }
}

/// Every way into suspense but an unknown invoice, which takes a restored server.
#[test]
fn what_cannot_pay_goes_to_suspense_with_a_notice() {
    for reason in
        [SuspenseReason::InvoicePaid, SuspenseReason::PastDue, SuspenseReason::InvoiceCancelled]
    {
        let mut world = World::new();
        let mut card = world.loaded_card(500);
        let invoice = world.invoice(&card, 100);
        let permit = world.permit(&card, &invoice).unwrap();
        let record = card.debit(&permit).unwrap();
        match reason {
            SuspenseReason::InvoicePaid => {
                // Another permit after the first has expired, paid by the same card.
                world.pass(600);
                let second = world.permit(&card, &invoice);
                let second = world.book(&card.debit(&second.unwrap()).unwrap());
                paid(second.unwrap());
            }
            SuspenseReason::PastDue => world.pass(3601),
            SuspenseReason::InvoiceCancelled => {
                world.pass(600);
                let question = world.shop.question(&invoice, true, world.now);
                world.ask_state(&question).unwrap();
            }
            SuspenseReason::InvoiceUnknown => unreachable!(),
        }
        let booking = world.book(&record).unwrap();
        let notice = world.open::<SuspenseNotice>(&suspended(booking.clone()));
        assert_eq!(notice.reason, reason);
        assert_eq!((notice.card, notice.amount), (card.id, invoice.amount));
        assert_eq!((notice.payment, notice.issuer), (payment_of(&permit), ISSUER));
        assert_eq!((notice.invoice_hash, notice.time), (invoice.hash(), world.now));
        assert_eq!(world.balance("suspense", &card.id.0), 100);
        assert_eq!(world.book(&record).unwrap(), booking);
        assert_eq!(world.receipt(notice.payment).unwrap(), booking);
    }
}

#[test]
fn a_debit_for_an_unknown_invoice_goes_to_suspense() {
    let (world, card, _, record) = debited();
    let forgotten = world.service.store.apply(|books| books.execute("DELETE FROM invoices", &[]));
    assert_eq!(forgotten.unwrap(), 1);
    let notice = suspended(world.book(&record).unwrap());
    let notice = world.open::<SuspenseNotice>(&notice);
    assert_eq!(notice.reason, SuspenseReason::InvoiceUnknown);
    assert_eq!(world.balance("suspense", &card.id.0), 300);
}

/// Two permits of different invoices name one sequence. The card consumes one; a card that signs
/// for both is a clone, which two signatures prove.
#[test]
fn two_signed_debits_of_one_sequence_prove_a_clone() {
    let mut world = World::new();
    let mut card = world.loaded_card(500);
    let permits = [100, 200].map(|amount| {
        let invoice = world.invoice(&card, amount);
        world.permit(&card, &invoice).unwrap()
    });
    let mut clone = card.clone();
    let record = card.debit(&permits[0]).unwrap();
    let cloned = clone.debit(&permits[1]).unwrap();
    let booking = world.book(&record).unwrap();
    for _ in 0..2 {
        assert_eq!(world.book(&cloned), Err(Reject::SequenceUsed));
    }
    assert_eq!(world.book(&record).unwrap(), booking);
    assert_eq!(world.service.cards().unwrap().cards[0].contradictions, 1);
    assert_eq!(world.balance("merchant", &world.shop.id.0), 100);
}

#[test]
fn many_deliveries_at_once_book_once() {
    let (world, _, _, record) = debited();
    let answers: Vec<Booking> = thread::scope(|scope| {
        let book = || world.book(&record).unwrap();
        let threads: Vec<_> = (0..16).map(|_| scope.spawn(book)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(answers.iter().all(|answer| *answer == answers[0]));
    assert_eq!(world.balance("merchant", &world.shop.id.0), 300);
}

#[test]
fn permits_asked_for_at_once_are_one_permit() {
    let mut world = World::new();
    let card = world.loaded_card(500);
    let invoice = world.invoice(&card, 300);
    let permits: Vec<Vec<u8>> = thread::scope(|scope| {
        let ask = || world.permit(&card, &invoice).unwrap();
        let threads: Vec<_> = (0..16).map(|_| scope.spawn(ask)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(permits.iter().all(|permit| *permit == permits[0]));
}

/// An acknowledgement means all up to it: a gap stops it, whatever came after.
#[test]
fn acknowledgements_wait_for_the_gap() {
    let mut world = World::new();
    let mut card = world.loaded_card(500);
    let records: Vec<Vec<u8>> = (0..3)
        .map(|_| {
            let invoice = world.invoice(&card, 10);
            card.debit(&world.permit(&card, &invoice).unwrap()).unwrap()
        })
        .collect();
    for (delivered, ack) in [(2, 0), (1, 0), (0, 3)] {
        world.book(&records[delivered]).unwrap();
        assert_eq!(world.service.cards().unwrap().cards[0].ack_debit, ack, "{delivered}");
    }
    let invoice = world.invoice(&card, 10);
    let permit = world.permit(&card, &invoice).unwrap();
    let permit = *SignedRecord::<Permit>::parse(&permit).unwrap().claims();
    assert_eq!((permit.ack_debit.0, permit.ack_credit.0), (3, 1));
}

#[test]
fn a_full_journal_is_to_be_delivered_first() {
    let mut world = World::new();
    let mut card = world.loaded_card(500);
    for _ in 0..4 {
        let invoice = world.invoice(&card, 10);
        card.debit(&world.permit(&card, &invoice).unwrap()).unwrap();
    }
    let invoice = world.invoice(&card, 10);
    assert_eq!(world.permit(&card, &invoice), Err(Reject::DeliverFirst));
    let oldest = card.debits[&1].0.clone();
    world.book(&oldest).unwrap();
    card.debit(&world.permit(&card, &invoice).unwrap()).unwrap();
}

#[test]
fn the_receipt_may_be_asked_for_explicitly() {
    let mut world = World::with_policy(Policy { explicit_receipt: true, ..POLICY });
    let mut card = world.loaded_card(500);
    let invoice = world.invoice(&card, 300);
    let permit = world.permit(&card, &invoice).unwrap();
    let record = card.debit(&permit).unwrap();
    assert_eq!(world.book(&record).unwrap(), Booking::Ask);
    assert_eq!(world.book(&record).unwrap(), Booking::Ask);
    paid(world.receipt(payment_of(&permit)).unwrap());
}
