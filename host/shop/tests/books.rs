//! The books themselves: what they hold is what was put in, and orders only move forward.

use apdu_spec::value::{Amount, Hash, RequestId, Time, TransactionId};
use protocol::certificate::PayerId;
use protocol::document::PaymentMode;
use protocol::field::Text;
use shop::books::{Evidence, EvidenceKind, LineData, OrderData, OrderState};
use shop::{Store, StoreError};

use crate::fixture::{CARD, YEN, good, line};
use crate::world::NOW;

fn order(number: u8, state: OrderState) -> OrderData {
    OrderData {
        transaction: TransactionId([number; 16]),
        request: RequestId([number; 16]),
        purchaser: PayerId::new("3789817").unwrap(),
        card: CARD,
        total: Amount(1000),
        currency: YEN,
        mode: PaymentMode::ElectronicMoney,
        state,
        order_hash: Hash([number; 32]),
        placed: NOW,
        due: Time(NOW.0 + 1),
    }
}

fn lines() -> Vec<LineData> {
    vec![LineData { line: line("A", "Article A", 1, 1000), price: Amount(1000) }]
}

fn empty() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::create(&folder.path().join("shop.db")).unwrap();
    (folder, store)
}

#[test]
fn states_only_move_forward() {
    use OrderState::{Acknowledged, Cancelled, Paid, Released, Unpaid};
    let allowed = [
        (Unpaid, Acknowledged),
        (Acknowledged, Paid),
        (Acknowledged, Released),
        (Acknowledged, Cancelled),
    ];
    let (_folder, store) = empty();
    let mut number = 0;
    for from in OrderState::ALL {
        for to in OrderState::ALL {
            number += 1;
            let order = order(number, from);
            store.insert_order(&order, &lines()).unwrap();
            let moved = store.advance(order.transaction, to).unwrap();
            assert_eq!(moved, allowed.contains(&(from, to)), "{from:?} to {to:?}");
            let after = store.order(order.transaction).unwrap().unwrap().state;
            assert_eq!(after, if moved { to } else { from });
        }
    }
    assert!(!store.advance(TransactionId([0; 16]), Paid).unwrap());
}

#[test]
fn what_is_put_in_comes_out() {
    let (_folder, store) = empty();
    let order = order(1, OrderState::Unpaid);
    store.insert_order(&order, &lines()).unwrap();
    assert_eq!(store.order(order.transaction).unwrap(), Some(order.clone()));
    assert_eq!(store.order_by_request(order.request).unwrap(), Some(order.clone()));
    assert_eq!(store.lines(order.transaction).unwrap(), lines());
    let unpaid = store.orders(Some(OrderState::Unpaid), 9).unwrap();
    assert_eq!(unpaid, std::slice::from_ref(&order));
    assert_eq!(store.orders(Some(OrderState::Paid), 9).unwrap(), []);
    let evidence = Evidence {
        kind: EvidenceKind::Invoice,
        hash: Hash([7; 32]),
        bytes: vec![1, 2, 3],
        at: NOW,
    };
    store.add_evidence(order.transaction, &evidence).unwrap();
    let kind = EvidenceKind::Invoice;
    assert_eq!(store.evidence(order.transaction, kind).unwrap(), Some(evidence.clone()));
    assert!(store.add_evidence(order.transaction, &evidence).is_err(), "never replaced");
    assert!(store.add_evidence(TransactionId([9; 16]), &evidence).is_err(), "of no order");
}

#[test]
fn numbers_are_used_once() {
    let (_folder, store) = empty();
    store.insert_order(&order(1, OrderState::Unpaid), &lines()).unwrap();
    let mut same_request = order(2, OrderState::Unpaid);
    same_request.request = RequestId([1; 16]);
    assert!(store.insert_order(&same_request, &lines()).is_err());
    let mut same_transaction = order(3, OrderState::Unpaid);
    same_transaction.transaction = TransactionId([1; 16]);
    assert!(store.insert_order(&same_transaction, &lines()).is_err());
}

#[test]
fn a_transaction_does_all_or_nothing() {
    let (_folder, store) = empty();
    let failed: Result<(), StoreError> = store.transaction(|store| {
        store.insert_order(&order(1, OrderState::Unpaid), &lines())?;
        Err(StoreError::Damaged("for this test".to_owned()))
    });
    assert!(failed.is_err());
    assert_eq!(store.orders(None, 9).unwrap(), []);
}

#[test]
fn amounts_beyond_the_books_are_refused() {
    let (_folder, store) = empty();
    let largest = good("A", "Article A", i64::MAX.unsigned_abs());
    store.put_good(&largest).unwrap();
    assert_eq!(store.good(&largest.article).unwrap(), Some(largest));
    let beyond = good("B", "Article B", 1 << 63);
    assert!(matches!(store.put_good(&beyond), Err(StoreError::Damaged(_))));
    assert!(matches!(store.put_good(&good("B", "Article B", 0)), Err(StoreError::Engine(_))));
}

#[test]
fn goods_change_and_stay() {
    let (_folder, store) = empty();
    let mut good = good("A", "Article A", 1000);
    store.put_good(&good).unwrap();
    good.unit_price = Amount(1100);
    good.active = false;
    store.put_good(&good).unwrap();
    assert_eq!(store.goods().unwrap(), [good]);
    assert_eq!(store.good(&Text::new("B").unwrap()).unwrap(), None);
}

#[test]
fn lost_and_strange_books_are_not_opened() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shop.db");
    assert!(Store::open(&path).is_err(), "a lost file is not made anew");
    drop(Store::create(&path).unwrap());
    drop(Store::open(&path).unwrap());
    std::fs::write(&path, vec![0x5a; 8192]).unwrap();
    assert!(Store::open(&path).is_err(), "not a database");
}
