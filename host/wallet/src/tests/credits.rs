//! Loads, and what P refuses of them.

use apdu_spec::value::{Amount, CardId, CreditId, Hash, Sequence};
use protocol::Reject;

use super::pin;
use crate::credit::{End, State};
use crate::doubles::{Cut, Fault, Setup};
use crate::trouble::Trouble;

fn check_loaded_once(setup: &Setup) {
    assert_eq!(setup.card.content().balance, 11_000);
    assert_eq!(setup.world().payment.loaded, 1_000);
}

fn last(setup: &Setup) -> State {
    setup.wallet().store.credits(1).unwrap().remove(0).state
}

#[tokio::test]
async fn a_load_order_from_a_file_loads_once() {
    let setup = Setup::new();
    let order = setup.world().payment.order(1_000);
    let wallet = setup.wallet();
    for _ in 0..2 {
        let stored = wallet.load_order(&order).await.unwrap();
        assert!(matches!(stored.state, State::Ended(End::Credited(_), _)));
    }
    // P still lists it, as it may for a moment; it is known.
    assert!(wallet.load().await.unwrap().is_empty());
    check_loaded_once(&setup);
}

#[tokio::test]
async fn a_load_finishes_by_itself_whatever_is_lost() {
    let mut interrupted = 0;
    for fault in [Fault::Request, Fault::Answer] {
        for message in 0.. {
            let setup = Setup::new();
            setup.world().payment.order(1_000);
            setup.world().fault = Some((message, fault));
            let loaded = setup.wallet().load().await;
            if setup.world().fault.is_some() {
                assert!(loaded.is_ok());
                break;
            }
            interrupted += 1;
            setup.wallet().recover().await.unwrap();
            check_loaded_once(&setup);
        }
    }
    // 10, 30, compact certificate, 1170, 1190. The certificate is not needed by this card.
    assert_eq!(interrupted, 2 * 5);
    for cut in [Cut::Before, Cut::After] {
        for gone in [false, true] {
            let setup = Setup::new();
            setup.world().payment.order(1_000);
            setup.card.content().cut = Some(cut);
            assert!(setup.wallet().load().await.is_err());
            setup.card.content().away = false;
            let empty = tempfile::tempdir().unwrap();
            let folder = if gone { empty.path() } else { setup.folder.path() };
            let recovery = setup.wallet_in(folder).recover().await.unwrap();
            check_loaded_once(&setup);
            assert_eq!(setup.world().payment.slots.len(), 1, "{recovery:?}");
        }
    }
}

#[tokio::test]
async fn a_slot_that_went_elsewhere_costs_a_new_request() {
    let setup = Setup::new();
    setup.world().payment.order(1_000);
    // 1180 is lost, and the slot is burned meanwhile.
    setup.world().fault = Some((3, Fault::Answer));
    assert!(setup.wallet().load().await.is_err());
    assert_eq!(last(&setup).name(), "await_token");
    setup.card.burn();
    setup.wallet().recover().await.unwrap();
    assert_eq!(last(&setup).name(), "credited");
    check_loaded_once(&setup);
    assert_eq!(setup.world().payment.slots.len(), 2);
}

#[tokio::test]
async fn a_load_that_another_wallet_has_taken_is_found_on_the_card() {
    let setup = Setup::new();
    setup.world().payment.order(1_000);
    setup.world().fault = Some((3, Fault::Answer));
    assert!(setup.wallet().load().await.is_err());
    let elsewhere = tempfile::tempdir().unwrap();
    setup.wallet_in(elsewhere.path()).recover().await.unwrap();
    check_loaded_once(&setup);
    setup.wallet().recover().await.unwrap();
    assert_eq!(last(&setup).name(), "credited");
    check_loaded_once(&setup);
}

#[tokio::test]
async fn a_full_card_waits_until_there_is_room() {
    let setup = Setup::new();
    setup.world().payment.order(41_000);
    let trouble = setup.wallet().load().await.unwrap_err();
    assert_eq!(trouble.kind(), "refused");
    assert_eq!(last(&setup).name(), "authorised");
    super::buy(&setup.wallet()).await.unwrap();
    setup.wallet().recover().await.unwrap();
    assert_eq!(setup.card.content().balance, 10_000 - 4_000 + 41_000);
    assert!(pin().is_some());
}

#[tokio::test]
async fn only_ps_signed_refusal_of_the_authority_ends_a_load() {
    for (code, state) in [
        (Reject::AuthorityExpired, "refused"),
        (Reject::CardClosed, "refused"),
        (Reject::FundTooLow, "await_token"),
        (Reject::CertificateExpired, "await_token"),
    ] {
        let setup = Setup::new();
        setup.world().payment.order(1_000);
        setup.world().payment.refuse = Some((1180, code));
        let _ = setup.wallet().load().await;
        assert_eq!(last(&setup).name(), state, "{code}");
        assert_eq!(setup.card.content().balance, 10_000);
    }
    let setup = Setup::new();
    setup.world().payment.order(1_000);
    setup.world().payment.refuse = Some((1200, Reject::UnknownCredit));
    assert!(matches!(setup.wallet().load().await, Err(Trouble::Rejected(_))));
    assert_eq!(last(&setup).name(), "await_acknowledgement");
}

#[tokio::test]
async fn every_check_of_a_token_and_of_an_acknowledgement() {
    type Tweak = fn(&mut apdu_spec::record::CreditToken);
    let tweaks: &[(&str, Tweak)] = &[
        ("card", |t| t.card = CardId([9; 8])),
        ("slot", |t| t.slot = Sequence(9)),
        ("authority", |t| t.authority_hash = Hash([9; 32])),
        ("amount", |t| t.amount = Amount(9)),
        ("credit", |t| t.credit = CreditId([9; 16])),
    ];
    for (case, tweak) in tweaks {
        let setup = Setup::new();
        setup.world().payment.order(1_000);
        setup.world().payment.token = Some(Box::new(tweak));
        let Err(Trouble::Rejected(rejection)) = setup.wallet().load().await else {
            panic!("{case}");
        };
        assert_eq!((rejection.message, rejection.code), (1180, Reject::ContentDiffers), "{case}");
        assert_eq!(last(&setup).name(), "await_token", "{case}");
        setup.world().payment.token = None;
        setup.wallet().recover().await.unwrap();
        check_loaded_once(&setup);
    }
    let setup = Setup::new();
    setup.world().payment.order(1_000);
    setup.world().payment.acknowledged = Some(Box::new(|a| a.record_hash = Hash([9; 32])));
    let Err(Trouble::Rejected(rejection)) = setup.wallet().load().await else {
        panic!("acknowledged");
    };
    assert_eq!((rejection.message, rejection.code), (1200, Reject::ContentDiffers));
}

#[tokio::test]
async fn a_load_order_of_a_stranger_is_not_taken() {
    let setup = Setup::new();
    let stranger = Setup::new();
    let order = stranger.world().payment.order(1_000);
    let Err(Trouble::Rejected(rejection)) = setup.wallet().load_order(&order).await else {
        panic!("taken");
    };
    assert_eq!(rejection.code, Reject::CertificateNotTrusted);
}
