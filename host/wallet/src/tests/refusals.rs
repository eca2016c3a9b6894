//! Every check of every answer, and every refusal of another party.

use apdu_spec::value::{
    Amount, CardId, Currency, Hash, Nonce, PaymentId, RequestId, Sequence, ShopId, Time,
    TransactionId,
};
use protocol::Reject;
use protocol::certificate::{PartyName, PayerId, Role};
use protocol::field::Text;
use protocol::purchase::PaymentMode;

use super::{ID, buy, check_paid_once, pin, state_of};
use crate::doubles::{Certified, ISSUER, NOW, SHOP, Setup, TestSigner};
use crate::purchase::{End, State};
use crate::rejection::{By, Rejection};
use crate::trouble::Trouble;
use crate::workflow::Decision;

type Tweak = fn(&mut Setup);

/// Runs a purchase in a world that was changed, up to the refusal that ends it.
async fn refusal(tweak: Tweak) -> Rejection {
    let mut setup = Setup::new();
    tweak(&mut setup);
    let wallet = setup.wallet();
    let _ = buy(&wallet).await;
    let stored = wallet.store.purchase(ID).unwrap().unwrap();
    assert_eq!(setup.card.content().spent, 0, "refused before any value left");
    let State::Ended(End::Refused(rejection), _) = stored.state else {
        panic!("not refused: {}", stored.state.name());
    };
    rejection
}

async fn check(message: u16, cases: &[(&str, Tweak, By, Reject)]) {
    for (case, tweak, by, code) in cases {
        let rejection = refusal(*tweak).await;
        assert_eq!((rejection.message, rejection.by), (message, *by), "{case}: {rejection}");
        assert_eq!(rejection.code, *code, "{case}: {rejection}");
        assert_eq!(rejection.document.is_some(), *by != By::Wallet, "{case}");
    }
}

fn other_shop(setup: &mut Setup, number: [u8; 8], role: Role) {
    let subject = Certified { role, number, name: "Another", payer: None };
    setup.world().shop.signer = setup.ca.certify(&subject);
}

fn introduced(setup: &Setup, tweak: fn(&mut protocol::purchase::ShopIntroduction)) {
    setup.world().shop.introduction = Some(Box::new(tweak));
}

#[tokio::test]
async fn every_check_of_120() {
    let wallet = By::Wallet;
    check(
        120,
        &[
            (
                "nonce",
                |s| introduced(s, |i| i.nonce = Nonce([9; 16])),
                wallet,
                Reject::ContentDiffers,
            ),
            ("shop", |s| introduced(s, |i| i.shop = ShopId([9; 8])), wallet, Reject::WrongShop),
            (
                "catalogue of another shop",
                |s| {
                    other_shop(s, [9; 8], Role::Shop);
                    introduced(s, |i| i.shop = ShopId([9; 8]));
                },
                wallet,
                Reject::WrongShop,
            ),
            (
                "role",
                |s| other_shop(s, SHOP.0, Role::PaymentServer),
                wallet,
                Reject::CertificateNotTrusted,
            ),
            (
                "revoked",
                |s| {
                    let serial = s.world().shop.signer.serial;
                    let authority = s.ca.authority(&[serial]);
                    s.world().authority = authority;
                },
                wallet,
                Reject::CertificateRevoked,
            ),
            (
                "signature",
                |s| {
                    let forger = s.world().payment.signer.clone();
                    let chain = s.world().shop.signer.chain.clone();
                    s.world().shop.forger = Some(forger.with_chain(chain));
                },
                wallet,
                Reject::BadSignature,
            ),
        ],
    )
    .await;
}

fn another_key(setup: &mut Setup) -> TestSigner {
    let (role, number, name) = (Role::Shop, SHOP.0, "Tokyo On-line");
    setup.ca.certify(&Certified { role, number, name, payer: None })
}

fn invoiced(setup: &Setup, tweak: fn(&mut protocol::purchase::Invoice)) {
    setup.world().shop.invoice = Some(Box::new(tweak));
}

/// P's certificate of another issuer, or no certificate of a P.
fn other_payment(setup: &mut Setup, role: Role, number: [u8; 8]) {
    let name = "ABC Money Collection Service";
    let payer = (role == Role::Holder).then_some("1");
    setup.world().shop.payment = setup.ca.certify(&Certified { role, number, name, payer });
}

#[tokio::test]
async fn every_check_of_the_content_of_140() {
    let (wallet, differs) = (By::Wallet, Reject::ContentDiffers);
    check(
        140,
        &[
            ("request", |s| invoiced(s, |i| i.request = RequestId([9; 16])), wallet, differs),
            ("order hash", |s| invoiced(s, |i| i.order_hash = Hash([9; 32])), wallet, differs),
            ("lines", |s| invoiced(s, |i| i.lines.truncate(1)), wallet, differs),
            ("amount", |s| invoiced(s, |i| i.amount = Amount(4_001)), wallet, differs),
            ("currency", |s| invoiced(s, |i| i.currency = Currency(978)), wallet, differs),
            ("mode", |s| invoiced(s, |i| i.mode = PaymentMode::CreditA), wallet, differs),
            ("shop", |s| invoiced(s, |i| i.shop = ShopId([9; 8])), wallet, differs),
            (
                "shop name",
                |s| invoiced(s, |i| i.shop_name = PartyName::new("X").unwrap()),
                wallet,
                differs,
            ),
            (
                "payer",
                |s| invoiced(s, |i| i.payer = PayerId::new("1").unwrap()),
                wallet,
                Reject::WrongPayer,
            ),
            ("payee", |s| invoiced(s, |i| i.payee = PartyName::new("X").unwrap()), wallet, differs),
            (
                "payment URL",
                |s| invoiced(s, |i| i.payment_url = Text::new("file:///x").unwrap()),
                wallet,
                differs,
            ),
            ("past due", |s| invoiced(s, |i| i.due = NOW), wallet, Reject::PastDue),
            (
                "dated before its certificates",
                |s| invoiced(s, |i| i.issued = Time(0)),
                wallet,
                Reject::CertificateExpired,
            ),
        ],
    )
    .await;
}

#[tokio::test]
async fn every_check_of_who_stands_behind_140() {
    let wallet = By::Wallet;
    check(
        140,
        &[
            (
                "another key of the same shop",
                |s| {
                    let forger = another_key(s);
                    s.world().shop.later_forger = Some(forger);
                },
                wallet,
                Reject::CertificateNotTrusted,
            ),
            (
                "another key under the shop's certificate",
                |s| {
                    let chain = s.world().shop.signer.chain.clone();
                    let forger = another_key(s).with_chain(chain);
                    s.world().shop.later_forger = Some(forger);
                },
                wallet,
                Reject::BadSignature,
            ),
            (
                "payment server of another issuer",
                |s| other_payment(s, Role::PaymentServer, [9; 8]),
                wallet,
                Reject::WrongIssuer,
            ),
            (
                "no payment server",
                |s| other_payment(s, Role::Holder, ISSUER.0),
                wallet,
                Reject::CertificateNotTrusted,
            ),
            (
                "payment server revoked",
                |s| {
                    let serial = s.world().payment.signer.serial;
                    let authority = s.ca.authority(&[serial]);
                    s.world().authority = authority;
                },
                wallet,
                Reject::CertificateRevoked,
            ),
            (
                "no payment certificate",
                |s| invoiced(s, |i| i.payment_chain.clear()),
                wallet,
                Reject::CertificateNotTrusted,
            ),
            (
                "refused",
                |s| s.world().shop.refuse = Some((140, Reject::PriceChanged)),
                By::Shop,
                Reject::PriceChanged,
            ),
        ],
    )
    .await;
}

fn permitted(setup: &Setup, tweak: fn(&mut apdu_spec::record::Permit)) {
    setup.world().payment.permit = Some(Box::new(tweak));
}

#[tokio::test]
async fn every_check_of_160() {
    let (wallet, differs) = (By::Wallet, Reject::ContentDiffers);
    check(
        160,
        &[
            ("card", |s| permitted(s, |p| p.card = CardId([9; 8])), wallet, differs),
            ("sequence", |s| permitted(s, |p| p.debit_seq = Sequence(9)), wallet, differs),
            ("invoice", |s| permitted(s, |p| p.invoice_hash = Hash([9; 32])), wallet, differs),
            ("shop", |s| permitted(s, |p| p.shop = ShopId([9; 8])), wallet, differs),
            ("amount", |s| permitted(s, |p| p.amount = Amount(4_001)), wallet, differs),
            ("currency", |s| permitted(s, |p| p.currency = Currency(978)), wallet, differs),
            ("outlives", |s| permitted(s, |p| p.expiry = Time(NOW.0 + 9_999)), wallet, differs),
            (
                "another payment server than the invoice's",
                |s| {
                    let name = "ABC Money Collection Service";
                    let (role, number) = (Role::PaymentServer, ISSUER.0);
                    let subject = Certified { role, number, name, payer: None };
                    s.world().payment.forger = Some(s.ca.certify(&subject));
                },
                wallet,
                Reject::BadSignature,
            ),
            (
                "refused",
                |s| s.world().payment.refuse = Some((160, Reject::ShopNotAccepted)),
                By::PaymentServer,
                Reject::ShopNotAccepted,
            ),
            (
                "refusal of another request",
                |s| {
                    s.world().payment.refuse = Some((160, Reject::ShopNotAccepted));
                    s.world().payment.replay_refusals = true;
                },
                wallet,
                differs,
            ),
            (
                "refused by another payment server",
                |s| {
                    let name = "ABC Money Collection Service";
                    let (role, number) = (Role::PaymentServer, ISSUER.0);
                    let subject = Certified { role, number, name, payer: None };
                    s.world().payment.forger = Some(s.ca.certify(&subject));
                    s.world().payment.refuse = Some((160, Reject::ShopNotAccepted));
                },
                wallet,
                Reject::CertificateNotTrusted,
            ),
        ],
    )
    .await;
}

/// Buys in a world that lies once the card has debited; returns the refusal that keeps the
/// purchase open. Then the world says the truth, and the purchase completes.
async fn open(tweak: fn(&mut Setup), heal: fn(&mut Setup), state: &str) -> Rejection {
    let mut setup = Setup::new();
    tweak(&mut setup);
    let wallet = setup.wallet();
    let Err(Trouble::Rejected(rejection)) = buy(&wallet).await else {
        panic!("not refused: {}", state_of(&wallet));
    };
    assert_eq!(state_of(&wallet), state);
    assert_eq!(setup.card.content().spent, 4_000);
    heal(&mut setup);
    drop(wallet);
    let wallet = setup.wallet();
    wallet.recover().await.unwrap();
    assert_eq!(state_of(&wallet), "complete");
    check_paid_once(&setup);
    rejection
}

fn received(setup: &Setup, tweak: fn(&mut protocol::purchase::Receipt)) {
    setup.world().payment.receipt = Some(Box::new(tweak));
}

fn heal_receipt(setup: &mut Setup) {
    let mut world = setup.world();
    world.payment.receipt = None;
    world.payment.forget_bookings();
}

#[tokio::test]
async fn every_check_of_a_receipt_and_none_ends_the_purchase() {
    let cases: &[(&str, Tweak)] = &[
        ("invoice", |s| received(s, |r| r.invoice_hash = Hash([9; 32]))),
        ("debit", |s| received(s, |r| r.debit_hash = Hash([9; 32]))),
        ("payment", |s| received(s, |r| r.payment = PaymentId([9; 16]))),
        ("transaction", |s| received(s, |r| r.transaction = TransactionId([9; 16]))),
        ("payer", |s| received(s, |r| r.payer = PayerId::new("1").unwrap())),
        ("amount", |s| received(s, |r| r.amount = Amount(1))),
        ("currency", |s| received(s, |r| r.currency = Currency(978))),
        ("mode", |s| received(s, |r| r.mode = PaymentMode::CreditA)),
        ("shop", |s| received(s, |r| r.shop = ShopId([9; 8]))),
        ("shop name", |s| received(s, |r| r.shop_name = PartyName::new("X").unwrap())),
        ("recipient", |s| received(s, |r| r.recipient = PartyName::new("X").unwrap())),
        ("late", |s| received(s, |r| r.time = Time(NOW.0 + 9_999))),
    ];
    for (case, tweak) in cases {
        let rejection = open(*tweak, heal_receipt, "await_receipt").await;
        assert_eq!((rejection.message, rejection.by), (180, By::Wallet), "{case}");
        assert_eq!(rejection.code, Reject::ContentDiffers, "{case}");
    }
}

#[tokio::test]
async fn a_refused_debit_stays_open_because_the_value_has_left() {
    let refuse = |s: &mut Setup| {
        s.world().payment.refuse = Some((180, Reject::CardClosed));
    };
    let heal = |s: &mut Setup| s.world().payment.refuse = None;
    let rejection = open(refuse, heal, "await_receipt").await;
    assert_eq!((rejection.message, rejection.by), (180, By::PaymentServer));
    let ask = |s: &mut Setup| {
        s.world().payment.ask_for_receipt = true;
        s.world().payment.refuse = Some((200, Reject::UnknownCard));
    };
    let rejection = open(ask, heal, "await_receipt_repeat").await;
    assert_eq!((rejection.message, rejection.by), (200, By::PaymentServer));
}

#[tokio::test]
async fn every_check_of_220_and_only_the_shops_word_ends() {
    let heal = |s: &mut Setup| s.world().shop.completion = None;
    let tweak = |s: &mut Setup| {
        s.world().shop.completion = Some(Box::new(|c| c.receipt_hash = Hash([9; 32])));
    };
    let rejection = open(tweak, heal, "await_completion").await;
    assert_eq!((rejection.message, rejection.code), (220, Reject::ContentDiffers));
    let tweak = |s: &mut Setup| {
        s.world().shop.completion = Some(Box::new(|c| c.transaction = TransactionId([9; 16])));
    };
    open(tweak, heal, "await_completion").await;

    let setup = Setup::new();
    setup.world().shop.refuse = Some((220, Reject::ReceiptNotAuthorised));
    let wallet = setup.wallet();
    let ended = buy(&wallet).await.unwrap();
    let State::Ended(End::NotAuthorised(rejection), progress) = ended.state else {
        panic!("{}", ended.state.name());
    };
    assert!(rejection.document.is_some() && progress.received().is_some());
    // The evidence is there: the receipt, which the shop does not want to see.
    assert!(wallet.archive.bundle_path(ID).exists());
}

#[tokio::test]
async fn what_may_pass_ends_nothing() {
    let setup = Setup::new();
    let authority = setup.ca.authority_without_lists();
    setup.world().authority = authority;
    let wallet = setup.wallet();
    // The card's own certificate cannot be judged without lists.
    assert!(buy(&wallet).await.is_err());
    let authority = setup.ca.authority(&[]);
    setup.world().authority = authority;
    for (message, state) in [(140, "await_invoice"), (160, "await_permit")] {
        let setup = Setup::new();
        let refuse = Some((message, Reject::RevocationUnknown));
        setup.world().shop.refuse = refuse;
        setup.world().payment.refuse = refuse;
        let wallet = setup.wallet();
        assert!(matches!(
            buy(&wallet).await,
            Err(Trouble::Rejected(_)) | Err(Trouble::State { .. })
        ));
        assert_eq!(state_of(&wallet), state);
        setup.world().shop.refuse = None;
        setup.world().payment.refuse = None;
        wallet.decide(ID, Decision::Continue, None).await.ok();
        wallet.decide(ID, Decision::Confirm, pin()).await.unwrap();
        check_paid_once(&setup);
    }
}
