//! What may go another way and still comes to its end.

use apdu_spec::value::{Amount, OrderPin, Pin, RequestId};
use protocol::Reject;
use protocol::certificate::Role;
use protocol::purchase::SuspenseReason;

use super::{ID, basket, buy, check_paid_once, pin, state_of, to_invoice};
use crate::credit;
use crate::doubles::{CARD, Certified, Cut, FakeCard, PAYER, Setup};
use crate::purchase::{End, State};
use crate::trouble::Trouble;
use crate::workflow::{CardStatus, Decision};

#[tokio::test]
async fn the_pin_is_asked_for_again_until_it_is_right() {
    let setup = Setup::new();
    let wallet = setup.wallet();
    to_invoice(&wallet).await.unwrap();
    // Without a PIN nothing is tried that would need one.
    wallet.decide(ID, Decision::Confirm, None).await.unwrap();
    assert_eq!(state_of(&wallet), "invoice_shown");
    let wrong = Pin::from_digits("0000").ok();
    let trouble = wallet.decide(ID, Decision::Confirm, wrong).await.unwrap_err();
    assert_eq!((trouble.kind(), state_of(&wallet)), ("pin_wrong", "permit_held"));
    assert!(trouble.to_string().contains("2 tries left"), "{trouble}");
    wallet.decide(ID, Decision::Confirm, pin()).await.unwrap();
    check_paid_once(&setup);
}

#[tokio::test]
async fn an_order_under_the_pin_says_that_it_needs_one() {
    let setup = Setup::new();
    setup.card.content().limits.order_pin = OrderPin::Always;
    let wallet = setup.wallet();
    let trouble = to_invoice(&wallet).await.unwrap_err();
    assert_eq!((trouble.kind(), state_of(&wallet)), ("pin_needed", "shop_shown"));
    wallet.decide(ID, Decision::Accept, pin()).await.unwrap();
    assert_eq!(state_of(&wallet), "invoice_shown");
}

#[tokio::test]
async fn too_little_on_the_card_leads_to_a_load_and_on() {
    let setup = Setup::new();
    setup.card.content().balance = 3_999;
    let wallet = setup.wallet();
    let trouble = buy(&wallet).await.unwrap_err();
    assert_eq!((trouble.kind(), state_of(&wallet)), ("refused", "permit_held"));
    setup.world().payment.order(1_000);
    wallet.load().await.unwrap();
    wallet.decide(ID, Decision::Confirm, pin()).await.unwrap();
    check_paid_once(&setup);
    assert_eq!(setup.card.content().balance, 999);
}

#[tokio::test]
async fn an_expired_permit_is_replaced() {
    let setup = Setup::new();
    setup.card.content().cut = Some(Cut::Before);
    let wallet = setup.wallet();
    buy(&wallet).await.unwrap_err();
    setup.card.content().away = false;
    setup.pass(601);
    wallet.decide(ID, Decision::Confirm, pin()).await.unwrap();
    check_paid_once(&setup);
    let permits: Vec<_> =
        setup.world().log.iter().filter(|path| *path == "/150").cloned().collect();
    assert_eq!(permits.len(), 2);
}

#[tokio::test]
async fn an_expired_permit_that_was_used_is_found_in_the_journal() {
    let setup = Setup::new();
    setup.card.content().cut = Some(Cut::After);
    let wallet = setup.wallet();
    buy(&wallet).await.unwrap_err();
    setup.card.content().away = false;
    setup.pass(601);
    wallet.recover().await.unwrap();
    assert_eq!(state_of(&wallet), "complete");
    check_paid_once(&setup);
}

#[tokio::test]
async fn an_unused_permit_past_the_due_time_ends_by_ps_word() {
    let setup = Setup::new();
    setup.card.content().cut = Some(Cut::Before);
    let wallet = setup.wallet();
    buy(&wallet).await.unwrap_err();
    // As long as the card is away nobody knows whether it has paid.
    setup.pass(3_601);
    wallet.recover().await.unwrap();
    assert_eq!(state_of(&wallet), "permit_held");
    setup.card.content().away = false;
    wallet.recover().await.unwrap();
    let State::Ended(End::Refused(rejection), _) =
        wallet.store.purchase(ID).unwrap().unwrap().state
    else {
        panic!("{}", state_of(&wallet));
    };
    assert_eq!((rejection.message, rejection.code), (160, Reject::PastDue));
    assert_eq!(setup.card.content().spent, 0);
}

#[tokio::test]
async fn a_debit_past_the_due_time_comes_back_by_itself() {
    let setup = Setup::new();
    setup.card.content().cut = Some(Cut::After);
    let wallet = setup.wallet();
    buy(&wallet).await.unwrap_err();
    setup.card.content().away = false;
    setup.pass(3_601);
    wallet.recover().await.unwrap();
    assert_eq!(state_of(&wallet), "suspended");
    let credits = wallet.store.credits(10).unwrap();
    assert!(matches!(credits[0].state, credit::State::Ended(credit::End::Credited(_), _)));
    assert_eq!(setup.card.content().balance, 10_000);
    let world = setup.world();
    assert_eq!((world.payment.received, world.payment.loaded), (0, 4_000));
}

#[tokio::test]
async fn a_notice_is_checked_like_a_receipt() {
    let setup = Setup::new();
    setup.world().payment.suspend = Some(SuspenseReason::InvoiceCancelled);
    setup.world().payment.notice = Some(Box::new(|notice| notice.amount = Amount(1)));
    let wallet = setup.wallet();
    assert!(matches!(buy(&wallet).await, Err(Trouble::Rejected(_))));
    assert_eq!(state_of(&wallet), "await_receipt");
    setup.world().payment.notice = None;
    setup.world().payment.forget_bookings();
    wallet.decide(ID, Decision::Continue, None).await.unwrap();
    assert_eq!(state_of(&wallet), "suspended");
}

#[tokio::test]
async fn another_purchase_with_the_same_sequence_only_costs_a_new_request() {
    let setup = Setup::new();
    let wallet = setup.wallet();
    to_invoice(&wallet).await.unwrap();
    let wrong = Pin::from_digits("0000").ok();
    wallet.decide(ID, Decision::Confirm, wrong).await.unwrap_err();
    assert_eq!(state_of(&wallet), "permit_held");
    let mut other = basket();
    let other_id = RequestId([0xb2; 16]);
    other.id = Some(other_id);
    wallet.create(&other).await.unwrap();
    for decision in [Decision::Order, Decision::Accept, Decision::Confirm] {
        wallet.decide(other_id, decision, pin()).await.unwrap();
    }
    assert_eq!(wallet.store.purchase(other_id).unwrap().unwrap().state.name(), "complete");
    wallet.decide(ID, Decision::Confirm, pin()).await.unwrap();
    assert_eq!(state_of(&wallet), "complete");
    assert_eq!(setup.card.content().spent, 8_000);
    assert_eq!(setup.world().payment.received, 8_000);
}

#[tokio::test]
async fn a_debit_that_another_wallet_has_delivered_is_found_at_p() {
    let setup = Setup::new();
    setup.card.content().cut = Some(Cut::After);
    buy(&setup.wallet()).await.unwrap_err();
    setup.card.content().away = false;
    // The other one delivers it, and with its own permit the record leaves the journal.
    let elsewhere = tempfile::tempdir().unwrap();
    let other = setup.wallet_in(elsewhere.path());
    let mut basket = basket();
    let other_id = RequestId([0xb2; 16]);
    basket.id = Some(other_id);
    other.create(&basket).await.unwrap();
    for decision in [Decision::Order, Decision::Accept, Decision::Confirm] {
        other.decide(other_id, decision, pin()).await.unwrap();
    }
    setup.world().log.clear();
    let wallet = setup.wallet();
    wallet.recover().await.unwrap();
    assert_eq!(state_of(&wallet), "complete");
    assert_eq!(setup.card.content().spent, 8_000);
    assert_eq!(setup.world().payment.received, 8_000);
    // P was asked what has become of it, not for another permit.
    assert!(!setup.world().log.contains(&"/150".to_owned()));
}

#[tokio::test]
async fn a_used_sequence_in_160_costs_a_new_request() {
    let setup = Setup::new();
    let wallet = setup.wallet();
    setup.world().payment.refuse = Some((160, Reject::PermitLive));
    buy(&wallet).await.unwrap_err();
    assert_eq!(state_of(&wallet), "await_permit");
    setup.world().payment.refuse = None;
    let mut other = basket();
    let other_id = RequestId([0xb2; 16]);
    other.id = Some(other_id);
    wallet.create(&other).await.unwrap();
    for decision in [Decision::Order, Decision::Accept, Decision::Confirm] {
        wallet.decide(other_id, decision, pin()).await.unwrap();
    }
    wallet.decide(ID, Decision::Continue, pin()).await.unwrap();
    assert_eq!(state_of(&wallet), "complete");
    assert_eq!(setup.card.content().spent, 8_000);
}

#[tokio::test]
async fn what_p_wants_first_is_delivered_first() {
    let setup = Setup::new();
    let wallet = setup.wallet();
    setup.world().payment.refuse = Some((160, Reject::DeliverFirst));
    assert!(matches!(buy(&wallet).await, Err(Trouble::Rejected(_))));
    assert_eq!(state_of(&wallet), "await_permit");
    assert!(setup.card.content().log.contains(&"journal"));
    setup.world().payment.refuse = None;
    wallet.decide(ID, Decision::Continue, pin()).await.unwrap();
    check_paid_once(&setup);
}

#[tokio::test]
async fn the_compact_certificate_is_put_on_the_card_once() {
    let setup = Setup::new();
    setup.card.content().generation = 0;
    let wallet = setup.wallet();
    buy(&wallet).await.unwrap();
    check_paid_once(&setup);
    let put = |setup: &Setup| {
        let log = &setup.card.content().log;
        log.iter().filter(|name| **name == "put payment certificate").count()
    };
    assert_eq!(put(&setup), 1);
    let mut other = basket();
    other.id = Some(RequestId([0xb2; 16]));
    wallet.create(&other).await.unwrap();
    for decision in [Decision::Order, Decision::Accept, Decision::Confirm] {
        wallet.decide(RequestId([0xb2; 16]), decision, pin()).await.unwrap();
    }
    assert_eq!(put(&setup), 1);
    let fetched = setup.world().log.iter().filter(|path| *path == "/compact-certificate").count();
    assert_eq!(fetched, 1);
}

#[tokio::test]
async fn a_held_permit_can_be_cancelled_only_while_it_is_unused() {
    for (cut, expected) in [(Cut::Before, "cancelled_invoice"), (Cut::After, "await_receipt")] {
        let setup = Setup::new();
        setup.card.content().cut = Some(cut);
        let wallet = setup.wallet();
        buy(&wallet).await.unwrap_err();
        // Without the card nobody can tell.
        assert!(matches!(wallet.decide(ID, Decision::Cancel, None).await, Err(Trouble::NoCard)));
        setup.card.content().away = false;
        let cancelled = wallet.decide(ID, Decision::Cancel, None).await;
        assert_eq!((cancelled.is_ok(), state_of(&wallet)), (cut == Cut::Before, expected));
    }
}

#[tokio::test]
async fn another_card_is_not_asked_and_sees_no_pin() {
    let mut setup = Setup::new();
    to_invoice(&setup.wallet()).await.unwrap();
    let (role, number) = (Role::Holder, CARD.0);
    let subject = Certified { role, number, name: "B. Buyer", payer: Some(PAYER) };
    let other = FakeCard::new(setup.ca.certify(&subject), 10_000);
    let first = std::mem::replace(&mut setup.card, other);
    let wallet = setup.wallet();
    let trouble = wallet.decide(ID, Decision::Confirm, pin()).await.unwrap_err();
    assert!(matches!(trouble, Trouble::OtherCard { .. }), "{trouble}");
    assert_eq!(setup.card.content().tries, 3);
    setup.card = first;
    setup.wallet().decide(ID, Decision::Confirm, pin()).await.unwrap();
    check_paid_once(&setup);
}

#[tokio::test]
async fn the_card_is_told_apart_from_none() {
    let setup = Setup::new();
    let wallet = setup.wallet();
    assert!(matches!(wallet.card_status().await.unwrap(), CardStatus::Ours(_)));
    setup.card.content().away = true;
    assert!(matches!(wallet.card_status().await.unwrap(), CardStatus::NoCard));
    assert_eq!(wallet.create(&basket()).await.unwrap_err().kind(), "no_card");
}
