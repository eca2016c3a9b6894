//! Every purchase and credit that is interrupted anywhere finishes by itself, or with the next
//! decision, and pays exactly once.

use apdu_spec::value::RequestId;

use super::{ID, basket, buy, check_paid_once, pin, state_of, to_invoice};
use crate::doubles::{Cut, Fault, Setup};
use crate::purchase::State;
use crate::versioned::{self, StoredError};
use crate::workflow::{Basket, Decision};

/// The buyer takes up an interrupted purchase again, as often as it takes.
async fn finish(setup: &Setup) {
    setup.card.content().away = false;
    for _ in 0..5 {
        // Each time another process: all that it knows is in the files.
        let wallet = setup.wallet();
        wallet.recover().await.unwrap();
        wallet.create(&basket()).await.unwrap();
        let decision = match state_of(&wallet) {
            "order_shown" => Decision::Order,
            "shop_shown" => Decision::Accept,
            "invoice_shown" | "permit_held" => Decision::Confirm,
            "complete" => return,
            _ => Decision::Continue,
        };
        wallet.decide(ID, decision, pin()).await.unwrap();
    }
    panic!("not complete: {}", state_of(&setup.wallet()));
}

#[tokio::test]
async fn a_purchase_finishes_whatever_message_is_lost() {
    let mut interrupted = 0;
    for fault in [Fault::Request, Fault::Answer] {
        for message in 0.. {
            let setup = Setup::new();
            setup.world().fault = Some((message, fault));
            let bought = buy(&setup.wallet()).await;
            if setup.world().fault.is_some() {
                assert!(bought.is_ok());
                break;
            }
            interrupted += 1;
            finish(&setup).await;
            check_paid_once(&setup);
        }
    }
    // Catalogue, compact certificate, 110, 130, 150, 170, 210.
    assert_eq!(interrupted, 2 * 7);
}

#[tokio::test]
async fn a_purchase_finishes_when_the_card_is_taken_away_in_the_debit() {
    for cut in [Cut::Before, Cut::After] {
        let setup = Setup::new();
        setup.card.content().cut = Some(cut);
        assert!(buy(&setup.wallet()).await.is_err());
        let wallet = setup.wallet();
        assert_eq!(state_of(&wallet), "permit_held");
        drop(wallet);
        finish(&setup).await;
        check_paid_once(&setup);
    }
}

#[tokio::test]
async fn a_purchase_finishes_where_p_wants_to_be_asked_for_the_receipt() {
    for message in 5..8 {
        let setup = Setup::new();
        setup.world().payment.ask_for_receipt = true;
        setup.world().fault = Some((message, Fault::Answer));
        assert!(buy(&setup.wallet()).await.is_err(), "{message}");
        finish(&setup).await;
        check_paid_once(&setup);
        assert!(setup.world().log.contains(&"/190".to_owned()));
    }
}

#[tokio::test]
async fn after_a_restart_every_invoice_is_shown() {
    let setup = Setup::new();
    let wallet = setup.wallet();
    wallet.set_threshold(10_000).unwrap();
    setup.card.content().limits.pin_floor = apdu_spec::value::Amount(10_000);
    setup.card.content().limits.pin_free_max = apdu_spec::value::Amount(10_000);
    setup.world().fault = Some((2, Fault::Answer));
    assert!(to_invoice(&wallet).await.is_err());
    assert_eq!(state_of(&wallet), "await_invoice");
    drop(wallet);
    let wallet = setup.wallet();
    wallet.recover().await.unwrap();
    assert_eq!(state_of(&wallet), "invoice_shown");
    assert_eq!(setup.card.content().spent, 0);
    // The buyer who goes on herself has ordered it: a small one is not shown.
    wallet.decide(ID, Decision::Continue, None).await.unwrap();
    check_paid_once(&setup);
}

#[tokio::test]
async fn a_wallet_whose_files_are_gone_delivers_what_is_on_the_card() {
    for fault in [Fault::Request, Fault::Answer] {
        for message in 5..7 {
            let setup = Setup::new();
            setup.world().fault = Some((message, fault));
            assert!(buy(&setup.wallet()).await.is_err());
            assert_eq!(setup.card.content().spent, 4_000);
            let empty = tempfile::tempdir().unwrap();
            let wallet = setup.wallet_in(empty.path());
            let recovery = wallet.recover().await.unwrap();
            assert_eq!((recovery.delivered, recovery.troubles.len()), (1, 0));
            assert_eq!(setup.world().payment.received, 4_000);
            let receipts = std::fs::read_dir(empty.path().join("archive")).unwrap();
            assert_eq!(receipts.count(), 1);
            // Once is enough, also for P.
            setup.world().log.clear();
            assert_eq!(wallet.recover().await.unwrap().delivered, 0);
            assert!(!setup.world().log.contains(&"/170".to_owned()));
        }
    }
}

#[tokio::test]
async fn the_next_order_delivers_what_waits_on_the_card() {
    let setup = Setup::new();
    setup.world().fault = Some((5, Fault::Request));
    assert!(buy(&setup.wallet()).await.is_err());
    let empty = tempfile::tempdir().unwrap();
    setup.wallet_in(empty.path()).create(&basket()).await.unwrap();
    assert_eq!(setup.world().payment.received, 4_000);
}

#[tokio::test]
async fn a_debit_that_another_purchase_has_delivered_leaves_its_evidence() {
    let setup = Setup::new();
    setup.card.content().cut = Some(Cut::After);
    let wallet = setup.wallet();
    buy(&wallet).await.unwrap_err();
    setup.card.content().away = false;
    let other = RequestId([0xb2; 16]);
    wallet.create(&Basket { id: Some(other), ..basket() }).await.unwrap();
    for decision in [Decision::Order, Decision::Accept, Decision::Confirm] {
        wallet.decide(other, decision, pin()).await.unwrap();
    }
    assert_eq!(state_of(&wallet), "permit_held");
    wallet.decide(ID, Decision::Continue, None).await.unwrap();
    assert_eq!(state_of(&wallet), "complete");
    assert_eq!(setup.world().payment.received, 8_000);
    assert!(wallet.archive.bundle_path(ID).exists());
}

#[tokio::test]
async fn no_purchase_ends_before_its_evidence_is_kept() {
    let setup = Setup::new();
    setup.world().fault = Some((6, Fault::Request));
    let wallet = setup.wallet();
    assert!(buy(&wallet).await.is_err());
    let archive = setup.folder.path().join("archive");
    std::fs::remove_dir_all(&archive).unwrap();
    assert!(wallet.decide(ID, Decision::Continue, None).await.is_err());
    assert_eq!(state_of(&wallet), "await_completion");
    std::fs::create_dir(&archive).unwrap();
    wallet.decide(ID, Decision::Continue, None).await.unwrap();
    assert!(wallet.archive.bundle_path(ID).exists());
    check_paid_once(&setup);
}

#[tokio::test]
async fn every_state_is_stored_and_read_again_as_it_was() {
    let setup = Setup::new();
    let mut seen = Vec::new();
    for message in 1..8 {
        for fault in [Fault::Request, Fault::Answer] {
            let setup = Setup::new();
            setup.world().payment.ask_for_receipt = true;
            setup.world().fault = Some((message, fault));
            let wallet = setup.wallet();
            let _ = buy(&wallet).await;
            let state = wallet.store.purchase(ID).unwrap().unwrap().state;
            let bytes = versioned::encode(&state);
            let again: State = versioned::decode(&bytes).unwrap();
            assert_eq!(versioned::encode(&again), bytes);
            seen.push(again.name());
        }
    }
    let shown = to_invoice(&setup.wallet()).await.unwrap().state;
    let again: State = versioned::decode(&versioned::encode(&shown)).unwrap();
    assert_eq!(versioned::encode(&again), versioned::encode(&shown));
    let awaiting = [
        "await_shop",
        "await_invoice",
        "await_permit",
        "await_receipt",
        "await_receipt_repeat",
        "await_completion",
        "complete",
    ];
    for name in awaiting {
        assert!(seen.contains(&name), "{name}: {seen:?}");
    }
    let wallet = setup.wallet();
    wallet.decide(ID, Decision::Confirm, pin()).await.unwrap();
    let mut bytes = versioned::encode(&wallet.store.purchase(ID).unwrap().unwrap().state);
    bytes[1] = 2;
    assert!(matches!(versioned::decode::<State>(&bytes), Err(StoredError::Newer(2))));
    bytes[1] = 1;
    // A signature in the row is checked again.
    let place = bytes.len() - 10;
    bytes[place] ^= 1;
    assert!(matches!(versioned::decode::<State>(&bytes), Err(StoredError::Damaged(_))));
}
