//! Messages 50 and 60, and the orders that they end.

use apdu_spec::value::{Hash, Time, TransactionId};
use keystore::ServerKey;
use minicbor::bytes::ByteVec;
use protocol::Reject;
use protocol::document::Invoice;
use protocol::field::{Number, Text};
use protocol::purchase::{Answer, Refused};
use protocol::query::{InvoiceQuery, InvoiceQuestion, InvoiceReply, InvoiceState, PaymentState};
use protocol::signed::{Signed, Verified};
use shop::books::{Deed, EvidenceKind, Note, OrderState};
use shop::release::Doubt;
use shop::service::{AskError, Service};

use crate::fixture::{DUE_S, Draft, Fixture, granted, hand_in, receipt_copy};
use crate::world::NOW;

const PAST_DUE: Time = Time(NOW.0 + DUE_S + 1);

fn state(invoice: &Verified<Invoice>, state: PaymentState) -> InvoiceState {
    InvoiceState {
        number: Number,
        invoice_hash: invoice.hash(),
        state,
        time: PAST_DUE,
        receipt: None,
    }
}

fn sealed(state: InvoiceState, key: &ServerKey) -> InvoiceReply {
    let state = Signed::seal(state, key).unwrap();
    InvoiceReply { number: Number, answer: Answer::Granted(state.bytes().to_vec().into()) }
}

async fn take(
    service: &Service,
    order: TransactionId,
    reply: InvoiceReply,
) -> Result<OrderState, AskError> {
    service.take_answer(order, reply, None, PAST_DUE).await
}

#[tokio::test]
async fn the_question_is_signed_and_carries_the_invoice() {
    let fixture = Fixture::new();
    let service = fixture.service();
    let invoice = fixture.ordered(&service, &Draft::new(1)).await;
    for cancel in [false, true] {
        let asked = service.question(invoice.transaction, cancel, PAST_DUE).await;
        let (InvoiceQuery { question, .. }, url) = asked.unwrap();
        assert_eq!(url, fixture.payment_url);
        let question: Verified<InvoiceQuestion> = fixture.opened(&question);
        assert_eq!(*question.invoice, invoice.bytes());
        assert_eq!((question.cancel, question.time), (cancel, PAST_DUE));
    }
    let unknown = service.question(TransactionId([0; 16]), false, PAST_DUE).await;
    assert!(matches!(unknown, Err(AskError::NotOpen)));
}

#[tokio::test]
async fn only_the_payment_servers_word_ends_an_order() {
    let fixture = Fixture::new();
    let service = fixture.service();
    for (request, answer, expected) in [
        (1, PaymentState::Unpaid, OrderState::Acknowledged),
        (2, PaymentState::PastDue, OrderState::Released),
        (3, PaymentState::Cancelled, OrderState::Cancelled),
    ] {
        let invoice = fixture.ordered(&service, &Draft::new(request)).await;
        let order = invoice.transaction;
        let reply = sealed(state(&invoice, answer), &fixture.payment);
        for _ in 0..2 {
            let after = take(&service, order, reply.clone()).await.unwrap();
            assert_eq!(after, expected);
            assert_eq!(fixture.order(order).state, expected);
        }
        let kept = fixture.look(|store| store.evidence(order, EvidenceKind::PaymentState));
        assert_eq!(kept.is_some(), expected != OrderState::Acknowledged);
        let open = service.question(order, false, PAST_DUE).await.is_ok();
        assert_eq!(open, expected == OrderState::Acknowledged);
    }
}

#[tokio::test]
async fn doubtful_answers_change_nothing() {
    let fixture = Fixture::new();
    let service = fixture.service();
    let invoice = fixture.ordered(&service, &Draft::new(1)).await;
    let past_due = || state(&invoice, PaymentState::PastDue);
    let malformed = |answer: fn(ByteVec) -> Answer| InvoiceReply {
        number: Number,
        answer: answer(vec![0xa0].into()),
    };
    let refused = |key: &ServerKey| {
        let refused = Refused::new(60, b"", Reject::ShopNotAccepted, PAST_DUE);
        let refused = Signed::seal(refused, key).unwrap();
        InvoiceReply { number: Number, answer: Answer::Refused(refused.bytes().to_vec().into()) }
    };
    let mut other = past_due();
    other.invoice_hash = Hash([1; 32]);
    let mut garbled = state(&invoice, PaymentState::Paid);
    garbled.receipt = Some(vec![0xa0].into());
    for (reply, expected) in [
        (sealed(past_due(), &fixture.other_payment), Doubt::NotSigned),
        (sealed(past_due(), &fixture.shop), Doubt::NotSigned),
        (sealed(other, &fixture.payment), Doubt::OtherInvoice),
        (sealed(garbled, &fixture.payment), Doubt::Malformed),
        (sealed(state(&invoice, PaymentState::Paid), &fixture.payment), Doubt::NoReceipt),
        (malformed(Answer::Granted), Doubt::Malformed),
        (malformed(Answer::Refused), Doubt::Malformed),
        (refused(&fixture.payment), Doubt::Refused(Reject::ShopNotAccepted)),
        (refused(&fixture.other_payment), Doubt::NotSigned),
    ] {
        let taken = take(&service, invoice.transaction, reply).await;
        assert!(matches!(taken, Err(AskError::Doubt(doubt)) if doubt == expected), "{expected:?}");
        assert_eq!(fixture.order(invoice.transaction).state, OrderState::Acknowledged);
    }
}

#[tokio::test]
async fn a_receipt_in_the_answer_completes_the_purchase() {
    let fixture = Fixture::new();
    let service = fixture.service();
    let invoice = fixture.ordered(&service, &Draft::new(1)).await;
    let paid = |key: &ServerKey| {
        let copy = receipt_copy(fixture.receipt(&invoice), key);
        let mut paid = state(&invoice, PaymentState::Paid);
        paid.receipt = Some(copy.receipt.clone());
        (sealed(paid, &fixture.payment), copy)
    };
    let (reply, _) = paid(&fixture.other_payment);
    let after = take(&service, invoice.transaction, reply).await.unwrap();
    assert_eq!(after, OrderState::Acknowledged, "another payment server's receipt");
    let (reply, copy) = paid(&fixture.payment);
    let after = take(&service, invoice.transaction, reply).await.unwrap();
    assert_eq!(after, OrderState::Paid);
    // The buyer's own copy comes afterwards.
    granted(&hand_in(&service, &copy, PAST_DUE).await.answer);
}

#[tokio::test]
async fn a_paid_order_stays_paid_and_a_released_one_released() {
    let fixture = Fixture::new();
    let service = fixture.service();
    let invoice = fixture.ordered(&service, &Draft::new(1)).await;
    let copy = receipt_copy(fixture.receipt(&invoice), &fixture.payment);
    granted(&hand_in(&service, &copy, PAST_DUE).await.answer);
    let late = sealed(state(&invoice, PaymentState::PastDue), &fixture.payment);
    let after = take(&service, invoice.transaction, late).await.unwrap();
    assert_eq!(after, OrderState::Paid);

    let invoice = fixture.ordered(&service, &Draft::new(2)).await;
    let late = sealed(state(&invoice, PaymentState::PastDue), &fixture.payment);
    take(&service, invoice.transaction, late).await.unwrap();
    let copy = receipt_copy(fixture.receipt(&invoice), &fixture.payment);
    let code = fixture.not_authorised(&service, &copy).await;
    assert_eq!(code, Reject::ReceiptNotAuthorised);
    assert_eq!(fixture.order(invoice.transaction).state, OrderState::Released);
    let kind = EvidenceKind::Contradiction;
    assert!(fixture.look(|store| store.evidence(invoice.transaction, kind)).is_some());
}

#[tokio::test]
async fn an_operators_wish_is_noted_when_the_order_ends() {
    let fixture = Fixture::new();
    let service = fixture.service();
    let invoice = fixture.ordered(&service, &Draft::new(1)).await;
    let note = Note { deed: Deed::Cancelled, operator: Text::new("Taro").unwrap(), at: PAST_DUE };
    let notes = || fixture.look(|store| store.notes(invoice.transaction));
    for (answer, expected) in [(PaymentState::Unpaid, 0), (PaymentState::Cancelled, 1)] {
        let reply = sealed(state(&invoice, answer), &fixture.payment);
        let note = Some(note.clone());
        let taken = service.take_answer(invoice.transaction, reply, note, PAST_DUE).await;
        taken.unwrap();
        assert_eq!(notes().len(), expected);
    }
    assert_eq!(notes(), [note]);
}

#[tokio::test]
async fn overdue_orders_are_found_from_the_oldest_on() {
    let fixture = Fixture::new();
    let service = fixture.service();
    let mut all = Vec::new();
    for request in 0..5 {
        let invoice = fixture.ordered(&service, &Draft::new(request)).await;
        all.push((invoice.due, invoice.transaction));
    }
    all.sort();
    let find = |now, after, count_max| {
        let found = fixture.look(|store| store.overdue(now, after, count_max));
        found.iter().map(|order| (order.due, order.transaction)).collect::<Vec<_>>()
    };
    assert_eq!(find(Time(NOW.0 + DUE_S), None, 9), [], "the due time itself is in time");
    assert_eq!(find(PAST_DUE, None, 9), all);
    assert_eq!(find(PAST_DUE, None, 2), all[..2]);
    assert_eq!(find(PAST_DUE, Some(all[1]), 2), all[2..4]);
    assert_eq!(find(PAST_DUE, Some(all[4]), 2), []);
}

#[tokio::test]
async fn orders_of_other_modes_are_not_asked_about() {
    let fixture = Fixture::new();
    let service = fixture.service();
    let mut draft = Draft::new(1);
    draft.request.mode = protocol::document::PaymentMode::CreditA;
    let invoice = fixture.ordered(&service, &draft).await;
    assert_eq!(fixture.look(|store| store.overdue(PAST_DUE, None, 9)), []);
    let asked = service.question(invoice.transaction, false, PAST_DUE).await;
    assert!(matches!(asked, Err(AskError::NotOpen)));
}
