//! Orders of operators, and what they see.

use apdu_spec::value::{CreditId, RequestId};

use super::world::World;
use crate::operator::OrderError;
use crate::view::{IssueOrder, LoadOrderOrder, PaymentFilter, ShopOrder};

fn issue(amount: u64, id: Option<RequestId>, operator: &str) -> IssueOrder {
    IssueOrder { id, amount, operator: operator.to_owned() }
}

#[test]
fn the_same_number_issues_once() {
    let mut world = World::new();
    let id = Some(RequestId([5; 16]));
    let first = world.service.issue(&issue(700, id, "Olga"), world.now).unwrap();
    world.pass(10);
    let again = world.service.issue(&issue(700, id, "Olga"), world.now).unwrap();
    assert_eq!((again.document_hash, again.fund), (first.document_hash, 700));
    for order in [issue(701, id, "Olga"), issue(700, id, "Otto")] {
        let outcome = world.service.issue(&order, world.now);
        assert!(matches!(outcome, Err(OrderError::NumberUsed)));
    }
    let balances = world.service.balances().unwrap();
    assert_eq!((balances.issued, balances.accounted, balances.identity), (700, 700, true));
}

#[test]
fn amounts_stay_within_what_accounts_can_hold() {
    let world = World::new();
    let most = i64::MAX.unsigned_abs();
    for amount in [0, most + 1, u64::MAX] {
        let outcome = world.service.issue(&issue(amount, None, "Olga"), world.now);
        assert!(matches!(outcome, Err(OrderError::Amount)), "{amount}");
    }
    world.issue(most);
    let outcome = world.service.issue(&issue(1, None, "Olga"), world.now);
    assert!(matches!(outcome, Err(OrderError::Amount)));
    assert_eq!(world.service.balances().unwrap().issued, i64::MAX);
}

#[test]
fn an_operator_must_be_named() {
    let world = World::new();
    for name in ["", "\n", &"x".repeat(65)] {
        let outcome = world.service.issue(&issue(1, None, name), world.now);
        assert!(matches!(outcome, Err(OrderError::Operator)));
    }
}

#[test]
fn the_same_number_makes_one_load_order() {
    let mut world = World::new();
    let card = world.new_card();
    let order = LoadOrderOrder {
        id: Some(CreditId([5; 16])),
        card: card.id,
        amount: 10,
        expires: None,
        operator: "Olga".to_owned(),
    };
    let made = world.service.order_load(&order, world.now).unwrap();
    world.pass(10);
    let again = world.service.order_load(&order, world.now).unwrap();
    assert_eq!(again.document, made.document);
    assert_eq!(made.expires, world.now.0 - 10 + 30 * 24 * 3600);
    let more = LoadOrderOrder { amount: 11, ..order.clone() };
    let outcome = world.service.order_load(&more, world.now);
    assert!(matches!(outcome, Err(OrderError::NumberUsed)));
    let past = LoadOrderOrder { id: None, expires: Some(world.now.0 - 1), ..order };
    let outcome = world.service.order_load(&past, world.now);
    assert!(matches!(outcome, Err(OrderError::Expired)));
}

#[test]
fn only_shops_are_accepted() {
    let mut world = World::new();
    let shop = world.new_shop(*b"shop 002", "Second");
    let order = |chain: &str, push_url: &str| ShopOrder {
        chain: chain.to_owned(),
        push_url: push_url.to_owned(),
        operator: "Olga".to_owned(),
    };
    let accept = |order: &ShopOrder| world.service.accept_shop(order, world.now);
    assert!(matches!(accept(&order(&shop.pem, "ftp://x")), Err(OrderError::Url)));
    let root = world.ca.root_pem();
    assert!(matches!(accept(&order(&root, "http://x")), Err(OrderError::Certificate(_))));
    assert!(matches!(accept(&order("", "http://x")), Err(OrderError::Certificate(_))));
    assert_eq!(accept(&order(&shop.pem, "http://x")).unwrap().name, "Second");
    assert_eq!(accept(&order(&shop.pem, "http://y")).unwrap().push_url, "http://y");
}

#[test]
fn payments_are_listed_and_filtered() {
    let mut world = World::new();
    let mut card = world.loaded_card(500);
    let mut other = world.loaded_card(500);
    world.buy(&mut card, 100);
    world.pass(1);
    world.buy(&mut other, 200);
    world.pass(1);
    let invoice = world.invoice(&card, 300);
    world.permit(&card, &invoice).unwrap();
    let amounts = |filter: PaymentFilter| -> Vec<i64> {
        let payments = world.service.payments(&filter).unwrap().payments;
        payments.iter().map(|payment| payment.amount).collect()
    };
    let all = PaymentFilter::default();
    assert_eq!(amounts(all.clone()), [300, 200, 100]);
    assert_eq!(amounts(PaymentFilter { limit: Some(1), ..all.clone() }), [300]);
    let paid = Some("paid".to_owned());
    assert_eq!(amounts(PaymentFilter { state: paid, ..all.clone() }), [200, 100]);
    let payer = Some(card.payer.clone());
    assert_eq!(amounts(PaymentFilter { payer, ..all.clone() }), [300, 100]);
    let shop = Some(apdu_spec::value::ShopId([0; 8]));
    assert_eq!(amounts(PaymentFilter { shop, ..all }), [0; 0]);
    let cards = world.service.cards().unwrap().cards;
    let shadows: Vec<i64> = cards.iter().map(|card| card.shadow).collect();
    assert_eq!(shadows, [400, 300]);
}
