//! What happens when nothing goes wrong, and when the buyer changes her mind.

use protocol::bundle::Stage;
use protocol::purchase::PaymentMode;

use super::{ID, basket, buy, check_paid_once, pin, state_of, to_invoice, wish};
use crate::archive::bundle;
use crate::doubles::Setup;
use crate::purchase::{End, Screen, State};
use crate::trouble::Trouble;
use crate::view::{Needs, PurchaseView};
use crate::workflow::Decision;

#[tokio::test]
async fn a_purchase_from_order_sheet_to_complete() {
    let setup = Setup::new();
    let wallet = setup.wallet();
    wallet.create(&basket()).await.unwrap();
    assert_eq!(state_of(&wallet), "order_shown");
    let shown = wallet.decide(ID, Decision::Order, None).await.unwrap();
    let view = PurchaseView::new(&shown, false, false);
    assert_eq!((view.state.as_str(), view.needs), ("shop_shown", Needs::Shop));
    assert_eq!(view.shop.name.as_deref(), Some("Tokyo On-line"));
    let shown = wallet.decide(ID, Decision::Accept, None).await.unwrap();
    let view = PurchaseView::new(&shown, true, false);
    assert_eq!((view.state.as_str(), view.needs), ("invoice_shown", Needs::Invoice));
    assert_eq!(view.invoice.unwrap().amount.text, "4,000 JPY");
    setup.card.content().log.clear();
    let done = wallet.decide(ID, Decision::Confirm, pin()).await.unwrap();
    assert!(matches!(done.state, State::Ended(End::Complete, _)));
    check_paid_once(&setup);
    // What the cost table of the design counts: one request, one debit, no detour.
    assert_eq!(setup.card.content().log, ["sign request", "debit"]);
    let view = PurchaseView::new(&done, true, false);
    assert_eq!(view.needs, Needs::Nothing);
    assert_eq!(view.receipt.unwrap().recipient, "ABC Money Collection Service");
    let bundle = bundle(&done.state.progress()).unwrap();
    assert_eq!(bundle.stage, Stage::Complete);
    assert_eq!(bundle.lists.len(), 2);
    let file = std::fs::read(wallet.archive.bundle_path(ID)).unwrap();
    let authority = setup.world().authority.clone();
    let proof = evidence::verify(&file, authority.root()).unwrap();
    assert!(proof.complete);
    assert_eq!((proof.amount, proof.payer.as_str()), (4_000, "3789817"));
}

#[tokio::test]
async fn every_cancel_leaves_a_named_state() {
    for (steps, decision, expected) in [
        (0, Decision::Cancel, "cancelled_order"),
        (1, Decision::Decline, "declined"),
        (1, Decision::Cancel, "declined"),
        (2, Decision::Cancel, "cancelled_invoice"),
    ] {
        let setup = Setup::new();
        let wallet = setup.wallet();
        wallet.create(&basket()).await.unwrap();
        for step in [Decision::Order, Decision::Accept].into_iter().take(steps) {
            wallet.decide(ID, step, None).await.unwrap();
        }
        wallet.decide(ID, decision, None).await.unwrap();
        assert_eq!(state_of(&wallet), expected);
        // The same again is the same.
        wallet.decide(ID, Decision::Cancel, None).await.ok();
        assert_eq!(state_of(&wallet), expected);
        assert_eq!(setup.card.content().spent, 0);
    }
}

#[tokio::test]
async fn a_second_click_never_pays_twice() {
    let setup = Setup::new();
    let wallet = setup.wallet();
    buy(&wallet).await.unwrap();
    // The same order, and every decision once more.
    wallet.create(&basket()).await.unwrap();
    for decision in [Decision::Order, Decision::Accept, Decision::Confirm, Decision::Continue] {
        let again = wallet.decide(ID, decision, pin()).await.unwrap();
        assert_eq!(again.state.name(), "complete");
    }
    let late = wallet.decide(ID, Decision::Cancel, None).await;
    assert!(matches!(late, Err(Trouble::State { state: "complete" })));
    check_paid_once(&setup);
    let other = wallet.create(&wish(&[("A", 2)])).await;
    assert!(matches!(other, Err(Trouble::Usage(_))));
}

#[tokio::test]
async fn decisions_that_come_too_early_are_refused() {
    let setup = Setup::new();
    let wallet = setup.wallet();
    wallet.create(&basket()).await.unwrap();
    for decision in [Decision::Accept, Decision::Decline, Decision::Confirm] {
        let early = wallet.decide(ID, decision, pin()).await;
        assert!(matches!(early, Err(Trouble::State { state: "order_shown" })), "{decision:?}");
    }
}

#[tokio::test]
async fn an_invoice_at_the_threshold_is_not_shown() {
    for (threshold, expected) in [(999, "invoice_shown"), (1_000, "complete")] {
        let setup = Setup::new();
        let wallet = setup.wallet();
        wallet.set_threshold(threshold).unwrap();
        wallet.create(&wish(&[("S", 10)])).await.unwrap();
        wallet.decide(ID, Decision::Order, None).await.unwrap();
        wallet.decide(ID, Decision::Accept, None).await.unwrap();
        assert_eq!(state_of(&wallet), expected, "{threshold}");
    }
}

#[tokio::test]
async fn a_small_invoice_that_needs_the_pin_waits_for_it_alone() {
    let setup = Setup::new();
    let wallet = setup.wallet();
    wallet.set_threshold(10_000).unwrap();
    let waiting = to_invoice(&wallet).await.unwrap();
    assert_eq!(waiting.state.name(), "invoice_shown");
    assert_eq!(PurchaseView::new(&waiting, true, true).needs, Needs::Pin);
    assert_eq!(setup.card.content().spent, 0);
    wallet.decide(ID, Decision::Confirm, pin()).await.unwrap();
    check_paid_once(&setup);
}

#[tokio::test]
async fn an_order_for_another_payment_mode_ends_with_its_invoice() {
    let setup = Setup::new();
    let wallet = setup.wallet();
    let mut basket = basket();
    basket.mode = PaymentMode::CreditA;
    wallet.create(&basket).await.unwrap();
    wallet.decide(ID, Decision::Order, None).await.unwrap();
    wallet.decide(ID, Decision::Accept, None).await.unwrap();
    let ended = wallet.decide(ID, Decision::Confirm, None).await.unwrap();
    assert!(matches!(ended.state, State::Ended(End::OtherMeans, _)));
    assert_eq!(setup.card.content().spent, 0);
}

#[tokio::test]
async fn what_nobody_pursues_lapses() {
    let setup = Setup::new();
    let wallet = setup.wallet();
    to_invoice(&wallet).await.unwrap();
    setup.pass(3601);
    wallet.recover().await.unwrap();
    assert_eq!(state_of(&wallet), "lapsed");
    let setup = Setup::new();
    let wallet = setup.wallet();
    wallet.create(&basket()).await.unwrap();
    setup.pass(24 * 60 * 60);
    wallet.recover().await.unwrap();
    assert_eq!(state_of(&wallet), "order_shown");
    setup.pass(1);
    wallet.recover().await.unwrap();
    assert_eq!(state_of(&wallet), "lapsed");
    assert!(!matches!(End::Cancelled(Screen::Invoice), End::Lapsed));
}

#[tokio::test]
async fn one_workflow_at_a_time_and_the_others_hear_whose() {
    let setup = Setup::new();
    let wallet = setup.wallet();
    let turn = wallet.turn("kozeni wallet order").unwrap();
    let busy = wallet.turn("another").unwrap_err();
    assert_eq!(busy.to_string(), "the wallet is busy with kozeni wallet order");
    drop(turn);
    wallet.turn("another").unwrap();
}
