//! What operators do by hand.

use apdu_spec::value::TransactionId;
use protocol::document::PaymentMode;
use shop::books::{Deed, OrderState};
use shop::operator::{NoteReport, Operation, OperatorError, OrderDetail, Outcome, Report};
use shop::service::Service;

use crate::fixture::{Draft, Fixture, hand_in, receipt_copy};
use crate::world::NOW;

fn add(article: &str, name: &str, unit_price: u64) -> Operation {
    Operation::AddGood { article: article.to_owned(), name: name.to_owned(), unit_price }
}

fn mark_paid(transaction: TransactionId) -> Operation {
    Operation::MarkPaid { transaction, operator: "Taro".to_owned() }
}

fn cancel(transaction: TransactionId) -> Operation {
    Operation::Cancel { transaction, operator: "Taro".to_owned() }
}

fn order(outcome: Outcome) -> OrderDetail {
    let Ok(Report::Order(detail)) = outcome else {
        panic!("{outcome:?}");
    };
    *detail
}

async fn in_credit(fixture: &Fixture, service: &Service, request: u8) -> TransactionId {
    let mut draft = Draft::new(request);
    draft.request.mode = PaymentMode::CreditA;
    fixture.ordered(service, &draft).await.transaction
}

#[tokio::test]
async fn goods_come_and_go() {
    let fixture = Fixture::new();
    let service = fixture.service();
    let long = "x".repeat(33);
    for (operation, expected) in [
        (add("", "Name", 1), "article"),
        (add(&long, "Name", 1), "article"),
        (add("B", "", 1), "name"),
        (add("B", "\n", 1), "name"),
    ] {
        let outcome = service.operate(operation, NOW).await;
        assert!(matches!(outcome, Err(OperatorError::Text { what, .. }) if what == expected));
    }
    for price in [0, 1 << 63] {
        let outcome = service.operate(add("B", "Name", price), NOW).await;
        assert_eq!(outcome, Err(OperatorError::Price));
    }
    service.operate(add("B", "Article B", 10), NOW).await.unwrap();
    let remove = |article: &str| Operation::RemoveGood { article: article.to_owned() };
    service.operate(remove("A"), NOW).await.unwrap();
    for unknown in ["Z", "", &long] {
        let outcome = service.operate(remove(unknown), NOW).await;
        assert_eq!(outcome, Err(OperatorError::UnknownArticle));
    }
    let Ok(Report::Goods(goods)) = service.operate(Operation::ListGoods, NOW).await else {
        panic!("no goods");
    };
    let goods: Vec<_> = goods.iter().map(|good| (good.article.as_str(), good.active)).collect();
    assert_eq!(goods, [("A", false), ("B", true), ("C", true)]);
}

#[tokio::test]
async fn orders_of_other_modes_are_marked_paid_by_hand() {
    let fixture = Fixture::new();
    let service = fixture.service();
    let transaction = in_credit(&fixture, &service, 1).await;
    let paid = order(service.operate(mark_paid(transaction), NOW).await);
    assert_eq!(paid.order.state, OrderState::Paid);
    let note = NoteReport { deed: Deed::MarkedPaid, operator: "Taro".to_owned(), at: NOW.0 };
    assert_eq!(paid.notes, [note]);
    assert_eq!(order(service.operate(mark_paid(transaction), NOW).await), paid);
    let outcome = service.operate(cancel(transaction), NOW).await;
    assert_eq!(outcome, Err(OperatorError::State(OrderState::Paid)));
}

#[tokio::test]
async fn orders_of_other_modes_are_cancelled_by_hand() {
    let fixture = Fixture::new();
    let service = fixture.service();
    let transaction = in_credit(&fixture, &service, 1).await;
    let cancelled = order(service.operate(cancel(transaction), NOW).await);
    assert_eq!(cancelled.order.state, OrderState::Cancelled);
    assert_eq!(order(service.operate(cancel(transaction), NOW).await), cancelled);
    let outcome = service.operate(mark_paid(transaction), NOW).await;
    assert_eq!(outcome, Err(OperatorError::State(OrderState::Cancelled)));
}

#[tokio::test]
async fn electronic_money_is_paid_by_receipt_only() {
    let fixture = Fixture::new();
    let service = fixture.service();
    let invoice = fixture.ordered(&service, &Draft::new(1)).await;
    let outcome = service.operate(mark_paid(invoice.transaction), NOW).await;
    assert_eq!(outcome, Err(OperatorError::ElectronicMoney));
    // Nobody answers at the payment server's address, and nobody else can end the order.
    let outcome = service.operate(cancel(invoice.transaction), NOW).await;
    assert!(matches!(outcome, Err(OperatorError::Payment(_))), "{outcome:?}");
    assert_eq!(fixture.order(invoice.transaction).state, OrderState::Acknowledged);
    let copy = receipt_copy(fixture.receipt(&invoice), &fixture.payment);
    hand_in(&service, &copy, NOW).await;
    let outcome = service.operate(cancel(invoice.transaction), NOW).await;
    assert_eq!(outcome, Err(OperatorError::State(OrderState::Paid)));
}

#[tokio::test]
async fn nothing_is_done_to_orders_that_are_not_there() {
    let fixture = Fixture::new();
    let service = fixture.service();
    let transaction = TransactionId([0; 16]);
    for operation in
        [Operation::ShowOrder { transaction }, mark_paid(transaction), cancel(transaction)]
    {
        let outcome = service.operate(operation, NOW).await;
        assert_eq!(outcome, Err(OperatorError::UnknownTransaction));
    }
    let transaction = in_credit(&fixture, &service, 1).await;
    let nameless = Operation::MarkPaid { transaction, operator: String::new() };
    let outcome = service.operate(nameless, NOW).await;
    assert!(matches!(outcome, Err(OperatorError::Text { .. })));
}

#[tokio::test]
async fn an_order_is_shown_with_all_that_belongs_to_it() {
    let fixture = Fixture::new();
    let service = fixture.service();
    let invoice = fixture.ordered(&service, &Draft::new(1)).await;
    let show = Operation::ShowOrder { transaction: invoice.transaction };
    let detail = order(service.operate(show, NOW).await);
    assert_eq!(detail.order.transaction, invoice.transaction.to_string());
    assert_eq!(detail.order.purchaser, "3789817");
    let lines: Vec<_> = detail.lines.iter().map(|line| (line.name.as_str(), line.price)).collect();
    assert_eq!(lines, [("Article A", 1000), ("Article C", 3000)]);
    let document = &detail.evidence[3];
    assert_eq!((document.kind.as_str(), &document.hash), ("invoice", &invoice.hash().to_string()));
    assert_eq!(document.bytes.len(), invoice.bytes().len() * 2);
    let list = |state| Operation::ListOrders { state, count_max: 9 };
    for (state, count) in [(None, 1), (Some(OrderState::Paid), 0)] {
        let Ok(Report::Orders(orders)) = service.operate(list(state), NOW).await else {
            panic!("no orders");
        };
        assert_eq!(orders.len(), count);
    }
}

#[test]
fn operations_and_outcomes_survive_json() {
    let outcomes = [
        Err(OperatorError::State(OrderState::Paid)),
        Err(OperatorError::NotRunning),
        Ok(Report::Goods(Vec::new())),
    ];
    for outcome in outcomes {
        let json = serde_json::to_string(&outcome).unwrap();
        assert_eq!(serde_json::from_str::<Outcome>(&json).unwrap(), outcome, "{json}");
    }
    let operation = cancel(TransactionId([0xab; 16]));
    let json = serde_json::to_string(&operation).unwrap();
    assert!(json.contains(&"ab".repeat(16)), "{json}");
    assert_eq!(serde_json::from_str::<Operation>(&json).unwrap(), operation);
}
