//! Messages 210 and 220.

use apdu_spec::value::{Amount, Currency, Hash, PaymentId, ShopId, Time, TransactionId};
use protocol::Reject;
use protocol::certificate::{PartyName, PayerId};
use protocol::document::{PaymentMode, Receipt};
use protocol::purchase::{Completion, ReceiptCopy};
use protocol::signed::{Signed, Verified};
use shop::books::{EvidenceKind, OrderState};

use crate::fixture::{DUE_S, Draft, Fixture, granted, hand_in, receipt_copy};
use crate::world::{NOW, TOO_LATE};

/// A minute after the order.
const LATER: Time = Time(NOW.0 + 90);

#[tokio::test]
async fn a_receipt_completes_the_purchase() {
    let fixture = Fixture::new();
    let service = fixture.service();
    let invoice = fixture.ordered(&service, &Draft::new(1)).await;
    let copy = receipt_copy(fixture.receipt(&invoice), &fixture.payment);
    let reply = hand_in(&service, &copy, LATER).await;
    let completion: Verified<Completion> = fixture.opened(&granted(&reply.answer));
    let receipt = Signed::<Receipt>::parse(&copy.receipt).unwrap();
    assert_eq!(completion.transaction, invoice.transaction);
    assert_eq!(completion.receipt_hash, receipt.hash());
    assert_eq!(completion.time, LATER);
    assert_eq!(fixture.order(invoice.transaction).state, OrderState::Paid);
    let kept = |kind| fixture.look(|store| store.evidence(invoice.transaction, kind)).unwrap();
    assert_eq!(kept(EvidenceKind::Receipt).bytes, *copy.receipt);
    assert_eq!(kept(EvidenceKind::Receipt).hash, receipt.hash());
    assert_eq!(kept(EvidenceKind::Completion).bytes, completion.bytes());
}

#[tokio::test]
async fn what_is_no_receipt_is_no_message() {
    let fixture = Fixture::new();
    let service = fixture.service();
    let invoice = fixture.ordered(&service, &Draft::new(1)).await;
    for bytes in [b"".as_slice(), &[0xa0], invoice.bytes()] {
        let copy = ReceiptCopy { number: protocol::field::Number, receipt: bytes.to_vec().into() };
        let reply = service.complete(&copy, b"", LATER).await;
        assert_eq!(reply, Err(Reject::Malformed));
    }
}

/// One way to make a receipt that is not for the invoice.
type Change = fn(&mut Receipt);

#[tokio::test]
async fn a_receipt_for_anything_else_is_not_authorised() {
    let table: [(&str, Change); 12] = [
        ("other payer", |receipt| receipt.payer = PayerId::new("1").unwrap()),
        ("less", |receipt| receipt.amount = Amount(3999)),
        ("more", |receipt| receipt.amount = Amount(4001)),
        ("currency", |receipt| receipt.currency = Currency(840)),
        ("mode", |receipt| receipt.mode = PaymentMode::CreditA),
        ("shop", |receipt| receipt.shop = ShopId([1; 8])),
        ("shop's name", |receipt| receipt.shop_name = PartyName::new("X").unwrap()),
        ("recipient", |receipt| receipt.recipient = PartyName::new("X").unwrap()),
        ("invoice", |receipt| receipt.invoice_hash = Hash([0; 32])),
        ("a second past due", |receipt| receipt.time = Time(NOW.0 + DUE_S + 1)),
        ("long past due", |receipt| receipt.time = TOO_LATE),
        ("at the end of time", |receipt| receipt.time = Time(u64::MAX)),
    ];
    let fixture = Fixture::new();
    let service = fixture.service();
    let invoice = fixture.ordered(&service, &Draft::new(1)).await;
    for (name, change) in table {
        let mut receipt = fixture.receipt(&invoice);
        change(&mut receipt);
        let copy = receipt_copy(receipt, &fixture.payment);
        let code = fixture.not_authorised(&service, &copy).await;
        assert_eq!(code, Reject::ReceiptNotAuthorised, "{name}");
    }
    assert_eq!(fixture.order(invoice.transaction).state, OrderState::Acknowledged);
    let evidence = fixture.look(|store| store.all_evidence(invoice.transaction));
    assert_eq!(evidence.len(), 4, "a refused receipt leaves nothing behind");
}

#[tokio::test]
async fn a_receipt_for_no_order_is_refused() {
    let fixture = Fixture::new();
    let service = fixture.service();
    let invoice = fixture.ordered(&service, &Draft::new(1)).await;
    let mut receipt = fixture.receipt(&invoice);
    receipt.transaction = TransactionId([0; 16]);
    let copy = receipt_copy(receipt, &fixture.payment);
    let code = fixture.not_authorised(&service, &copy).await;
    assert_eq!(code, Reject::UnknownTransaction);
}

#[tokio::test]
async fn only_the_payment_server_of_the_invoice_gives_its_receipt() {
    let fixture = Fixture::new();
    let service = fixture.service();
    let invoice = fixture.ordered(&service, &Draft::new(1)).await;
    let other = fixture.ordered(&service, &Draft::new(2)).await;
    let mut swapped = fixture.receipt(&other);
    swapped.transaction = invoice.transaction;
    for (name, receipt, key) in [
        ("another payment server", fixture.receipt(&invoice), &fixture.other_payment),
        ("the buyer", fixture.receipt(&invoice), &fixture.holder),
        ("the shop itself", fixture.receipt(&invoice), &*fixture.shop),
        ("for another order", swapped, &fixture.payment),
    ] {
        let copy = receipt_copy(receipt, key);
        let code = fixture.not_authorised(&service, &copy).await;
        assert_eq!(code, Reject::ReceiptNotAuthorised, "{name}");
    }
}

#[tokio::test]
async fn a_receipt_dated_in_time_is_good_however_late_it_comes() {
    let fixture = Fixture::new();
    let service = fixture.service();
    let invoice = fixture.ordered(&service, &Draft::new(1)).await;
    let mut receipt = fixture.receipt(&invoice);
    receipt.time = invoice.due;
    let copy = receipt_copy(receipt, &fixture.payment);
    // Long after the due time, and after every certificate has ended.
    let reply = hand_in(&service, &copy, TOO_LATE).await;
    let completion: Verified<Completion> = fixture.opened(&granted(&reply.answer));
    assert_eq!(completion.time, TOO_LATE);
}

#[tokio::test]
async fn a_receipt_again_gets_the_same_bytes() {
    let fixture = Fixture::new();
    let service = fixture.service();
    // Whether C or P comes first makes no difference; both send the same message.
    let invoice = fixture.ordered(&service, &Draft::new(1)).await;
    let copy = receipt_copy(fixture.receipt(&invoice), &fixture.payment);
    let first = hand_in(&service, &copy, LATER).await;
    assert_eq!(hand_in(&service, &copy, TOO_LATE).await, first);
    // The same receipt under another valid signature is the same receipt.
    let again = receipt_copy(fixture.receipt(&invoice), &fixture.payment);
    assert_ne!(again, copy);
    assert_eq!(hand_in(&service, &again, LATER).await, first);
    let mirrored = mirror(&copy);
    assert_ne!(mirrored, copy);
    assert_eq!(hand_in(&service, &mirrored, LATER).await, first);
}

/// The same document with the other signature (r, n − s), which anybody can make without the key.
fn mirror(copy: &ReceiptCopy) -> ReceiptCopy {
    const ORDER: [u8; 32] = [
        0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc,
        0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
    ];
    let mut mirrored = copy.clone();
    let start = mirrored.receipt.len() - 32;
    let mut borrow = 0;
    for (byte, from) in mirrored.receipt[start..].iter_mut().rev().zip(ORDER.iter().rev()) {
        let difference = i16::from(*from) - i16::from(*byte) - borrow;
        borrow = i16::from(difference < 0);
        *byte = difference.rem_euclid(256) as u8;
    }
    mirrored
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn receipts_at_once_complete_once() {
    let fixture = Fixture::new();
    let service = fixture.service();
    let invoice = fixture.ordered(&service, &Draft::new(1)).await;
    let copy = receipt_copy(fixture.receipt(&invoice), &fixture.payment);
    let all: Vec<_> = (0..16)
        .map(|late| {
            let (service, copy) = (service.clone(), copy.clone());
            let at = Time(LATER.0 + late);
            tokio::spawn(async move { hand_in(&service, &copy, at).await })
        })
        .collect();
    let mut replies = Vec::new();
    for one in all {
        replies.push(one.await.unwrap());
    }
    assert!(replies.iter().all(|reply| *reply == replies[0]));
    granted(&replies[0].answer);
}

#[tokio::test]
async fn a_second_receipt_is_refused_and_kept() {
    let fixture = Fixture::new();
    let service = fixture.service();
    let invoice = fixture.ordered(&service, &Draft::new(1)).await;
    let copy = receipt_copy(fixture.receipt(&invoice), &fixture.payment);
    let first = hand_in(&service, &copy, LATER).await;
    for payment in [7, 8] {
        let mut second = fixture.receipt(&invoice);
        second.payment = PaymentId([payment; 16]);
        let second = receipt_copy(second, &fixture.payment);
        let code = fixture.not_authorised(&service, &second).await;
        assert_eq!(code, Reject::ReceiptNotAuthorised);
    }
    assert_eq!(hand_in(&service, &copy, LATER).await, first);
    let kind = EvidenceKind::Contradiction;
    let kept = fixture.look(|store| store.evidence(invoice.transaction, kind)).unwrap();
    let kept = Signed::<Receipt>::parse(&kept.bytes).unwrap();
    assert_eq!(kept.claims().payment, PaymentId([7; 16]));
}

#[tokio::test]
async fn no_receipt_pays_an_order_of_another_mode() {
    let fixture = Fixture::new();
    let service = fixture.service();
    let mut draft = Draft::new(1);
    draft.request.mode = PaymentMode::CreditA;
    let invoice = fixture.ordered(&service, &draft).await;
    let copy = receipt_copy(fixture.receipt(&invoice), &fixture.payment);
    let code = fixture.not_authorised(&service, &copy).await;
    assert_eq!(code, Reject::ReceiptNotAuthorised);
    assert_eq!(fixture.order(invoice.transaction).state, OrderState::Acknowledged);
}
