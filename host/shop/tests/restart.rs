//! A server that stops at any point and starts again on the same file gives the same answers.

use protocol::form;
use protocol::purchase::{CompletionReply, InvoiceMessage};
use shop::books::OrderState;
use shop::database::{Closed, Database};
use shop::service::Service;
use shop::{Store, StoreError};

use crate::fixture::{Draft, Fixture, good, hand_in, receipt_copy, send};
use crate::world::NOW;

/// What happens to an order, one thing after another.
#[derive(Clone, Copy, Debug)]
enum Step {
    Order,
    Receipt,
    Other,
}

struct Told {
    invoice: Option<InvoiceMessage>,
    completion: Option<CompletionReply>,
}

/// Does a step, and checks that whoever was answered before is answered the same.
async fn step(fixture: &Fixture, service: &Service, step: Step, told: &mut Told) {
    match step {
        Step::Order => {
            let reply = send(service, &Draft::new(1), &fixture.holder).await;
            let first = told.invoice.get_or_insert_with(|| reply.clone());
            assert_eq!(*first, reply);
        }
        Step::Receipt => {
            let invoice = fixture.invoice(told.invoice.as_ref().unwrap());
            let copy = receipt_copy(fixture.receipt(&invoice), &fixture.payment);
            let reply = hand_in(service, &copy, NOW).await;
            let first = told.completion.get_or_insert_with(|| reply.clone());
            assert_eq!(*first, reply);
        }
        Step::Other => {
            fixture.ordered(service, &Draft::new(2)).await;
        }
    }
}

#[tokio::test]
async fn a_restart_changes_no_answer() {
    use Step::{Order, Other, Receipt};
    let steps = [Order, Order, Other, Receipt, Order, Receipt, Other, Receipt];
    // Bit n of the pattern: the server is started anew before step n.
    for pattern in 0..1_u32 << steps.len() {
        // Every pattern with at most two restarts, and the one with a restart before each step.
        if pattern.count_ones() > 2 && pattern != 0xff {
            continue;
        }
        let fixture = Fixture::new();
        let mut service = fixture.service();
        let mut told = Told { invoice: None, completion: None };
        for (number, one) in steps.into_iter().enumerate() {
            if pattern & (1 << number) != 0 {
                service = fixture.service();
            }
            step(&fixture, &service, one, &mut told).await;
        }
        let orders = fixture.look(|store| store.orders(None, 9));
        let mut states: Vec<_> = orders.iter().map(|order| order.state).collect();
        states.sort_by_key(|state| state.name());
        assert_eq!(states, [OrderState::Acknowledged, OrderState::Paid]);
    }
}

#[tokio::test]
async fn an_answer_that_was_lost_is_given_after_a_restart() {
    let fixture = Fixture::new();
    let message = Draft::new(1).message(&fixture.holder);
    let bytes = form::encode(&message);
    // The process ends after the commit: nobody hears the answer.
    let unheard = fixture.service().order(&message, &bytes, NOW).await.unwrap();
    let heard = fixture.service().order(&message, &bytes, NOW).await.unwrap();
    assert_eq!(heard, unheard);
}

#[tokio::test]
async fn an_error_closes_the_books_and_undoes_its_group() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shop.db");
    let (failed, heard) = std::sync::mpsc::channel();
    let store = Store::create(&path).unwrap();
    let (database, thread) = Database::start(store, move || failed.send(()).unwrap()).unwrap();
    let (go, wait) = std::sync::mpsc::channel::<()>();
    // While the first job waits, the others come; so all three are one group.
    let first = database.run(move |_| Ok(wait.recv().is_ok()));
    let second = database.run(|store| store.put_good(&good("A", "Article A", 1)));
    let third = database.run(|_| Err::<(), _>(StoreError::Damaged("for this test".to_owned())));
    let start = async { go.send(()).unwrap() };
    let (first, second, third, ()) = tokio::join!(first, second, third, start);
    assert_eq!((first, second, third), (Err(Closed), Err(Closed), Err(Closed)));
    assert_eq!(database.run(|_| Ok(())).await, Err(Closed));
    heard.recv().unwrap();
    assert!(thread.join().unwrap().is_err());
    assert_eq!(Store::open(&path).unwrap().goods().unwrap(), []);
}
