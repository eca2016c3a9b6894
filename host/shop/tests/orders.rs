//! Messages 130 and 140.

use apdu_spec::value::{Amount, CardId, Currency, Hash, RequestId, ShopId, Time};
use minicbor::bytes::ByteVec;
use protocol::Reject;
use protocol::certificate::Role;
use protocol::document::{Invoice, PaymentMode};
use protocol::form;
use protocol::purchase::{LINES_MAX, OrderMessage};
use protocol::signed::Signer;
use server::Trust;
use shop::Store;
use shop::books::{EvidenceKind, Good, OrderState};

use crate::fixture::{CARD, DUE_S, Draft, Fixture, SHOP, YEN, granted, line, send};
use crate::world::{NOW, TOO_LATE, World};

#[tokio::test]
async fn an_order_becomes_an_invoice_and_rows() {
    let fixture = Fixture::new();
    let service = fixture.service();
    let draft = Draft::new(1);
    let invoice = fixture.ordered(&service, &draft).await;
    let expected = Invoice {
        transaction: invoice.transaction,
        payment_chain: invoice.payment_chain.clone(),
        payer: invoice.payer.clone(),
        number: invoice.number,
        lines: draft.request.lines.clone(),
        amount: Amount(4000),
        currency: YEN,
        mode: PaymentMode::ElectronicMoney,
        shop: SHOP,
        shop_name: fixture.terms().shop_name,
        payee: fixture.terms().payee,
        payment_url: fixture.terms().payment_url,
        issued: NOW,
        due: Time(NOW.0 + DUE_S),
        request: RequestId([1; 16]),
        order_hash: draft.request.hash(),
    };
    assert_eq!(*invoice, expected);
    assert_eq!(invoice.payer.as_str(), "3789817");
    let chain: Vec<&[u8]> = invoice.payment_chain.iter().map(|der| &***der).collect();
    assert_eq!(chain, fixture.payment.chain());

    let order = fixture.order(invoice.transaction);
    assert_eq!(order.state, OrderState::Acknowledged);
    assert_eq!((order.total, order.currency, order.card), (Amount(4000), YEN, CARD));
    assert_eq!((order.placed, order.due), (NOW, expected.due));
    let lines = fixture.look(|store| store.lines(order.transaction));
    assert!(lines.iter().map(|row| &row.line).eq(&draft.lines));
    let prices: Vec<u64> = lines.iter().map(|row| row.price.0).collect();
    assert_eq!(prices, [1000, 3000]);
    let evidence = fixture.look(|store| store.all_evidence(order.transaction));
    let kinds: Vec<EvidenceKind> = evidence.iter().map(|row| row.kind).collect();
    assert_eq!(
        kinds,
        [
            EvidenceKind::OrderRequest,
            EvidenceKind::OrderRecord,
            EvidenceKind::CardChain,
            EvidenceKind::Invoice
        ]
    );
    assert_eq!(evidence[0].bytes, form::encode(&draft.request));
    assert_eq!(evidence[3].bytes, invoice.bytes());
}

/// One way to make a message that is not a message 130.
type Spoil = fn(&mut OrderMessage, &mut Draft);

#[tokio::test]
async fn what_is_malformed_is_no_message_at_all() {
    let table: [(&str, Spoil); 11] = [
        ("no lines", |message, _| message.lines.clear()),
        ("no lines, and none listed", |message, draft| {
            draft.lines.clear();
            draft.list();
            message.request = form::encode(&draft.request).into();
            message.lines.clear();
        }),
        ("too many lines listed", |message, draft| {
            draft.lines = vec![line("A", "Article A", 1, 1000); LINES_MAX + 1];
            draft.list();
            message.request = form::encode(&draft.request).into();
        }),
        ("too many lines sent", |message, _| {
            message.lines = vec![message.lines[0].clone(); LINES_MAX + 1];
        }),
        ("none of an article", |message, _| {
            message.lines[0] = form::encode(&line("A", "Article A", 0, 1000)).into();
        }),
        ("a line that is none", |message, _| {
            message.lines[0] = ByteVec::from(vec![0xa0]);
        }),
        ("something behind a line", |message, _| message.lines[1].push(0)),
        ("a request that is none", |message, _| message.request.clear()),
        ("a record that is none", |message, _| {
            message.record.pop();
        }),
        ("no certificate", |message, _| message.chain.clear()),
        ("too many certificates", |message, _| {
            message.chain = vec![message.chain[0].clone(); 4];
        }),
    ];
    let fixture = Fixture::new();
    let service = fixture.service();
    for (name, spoil) in table {
        let mut draft = Draft::new(1);
        let mut message = draft.message(&fixture.holder);
        spoil(&mut message, &mut draft);
        let reply = service.order(&message, b"", NOW).await;
        assert_eq!(reply, Err(Reject::Malformed), "{name}");
    }
    assert!(fixture.look(|store| store.orders(None, 9)).is_empty());
}

/// One way to make an order that is refused.
type Change = fn(&mut Draft);

const CHANGES: [(&str, Change, Reject); 20] = [
    ("for another shop", |draft| draft.request.shop = ShopId([8; 8]), Reject::WrongShop),
    (
        "unknown article",
        |draft| replace(draft, ("B", "Article B", 1, 1000)),
        Reject::UnknownArticle,
    ),
    (
        "article no longer sold",
        |draft| replace(draft, ("D", "Gone", 1, 10)),
        Reject::UnknownArticle,
    ),
    ("cheaper", |draft| replace(draft, ("A", "Article A", 1, 999)), Reject::PriceChanged),
    ("dearer", |draft| replace(draft, ("A", "Article A", 1, 1001)), Reject::PriceChanged),
    ("other name", |draft| replace(draft, ("A", "Gold", 1, 1000)), Reject::PriceChanged),
    ("mode", |draft| draft.request.mode = PaymentMode::BankAccount, Reject::ModeNotAccepted),
    ("currency", |draft| draft.request.currency = Currency(840), Reject::ContentDiffers),
    ("total too low", |draft| draft.request.amount = Amount(3999), Reject::ContentDiffers),
    ("total too high", |draft| draft.request.amount = Amount(4001), Reject::ContentDiffers),
    (
        "line not listed",
        |draft| draft.lines.push(line("A", "Article A", 3, 1000)),
        Reject::ContentDiffers,
    ),
    ("listed line missing", |draft| drop(draft.lines.pop()), Reject::ContentDiffers),
    ("lines swapped", |draft| draft.lines.reverse(), Reject::ContentDiffers),
    ("other salt", |draft| draft.lines[0].salt.0[0] ^= 1, Reject::ContentDiffers),
    ("record: other card", |draft| sign(draft).card = CardId([1; 8]), Reject::ContentDiffers),
    ("record: other shop", |draft| sign(draft).shop = ShopId([1; 8]), Reject::ContentDiffers),
    ("record: other amount", |draft| sign(draft).amount = Amount(1), Reject::ContentDiffers),
    ("record: other currency", |draft| sign(draft).currency = Currency(1), Reject::ContentDiffers),
    (
        "record: other number",
        |draft| sign(draft).request = RequestId([9; 16]),
        Reject::ContentDiffers,
    ),
    (
        "record: other request",
        |draft| sign(draft).request_hash = Hash([0; 32]),
        Reject::ContentDiffers,
    ),
];

fn replace(draft: &mut Draft, (article, name, quantity, price): (&str, &str, u32, u64)) {
    draft.lines[0] = line(article, name, quantity, price);
    draft.list();
}

fn sign(draft: &mut Draft) -> &mut apdu_spec::record::Order {
    let record = draft.record();
    draft.record.insert(record)
}

fn gone() -> Good {
    Good { active: false, ..crate::fixture::good("D", "Gone", 10) }
}

#[tokio::test]
async fn a_wrong_order_is_refused_with_a_signature() {
    let fixture = Fixture::new();
    fixture.look(|store| store.put_good(&gone()));
    let service = fixture.service();
    for (name, change, expected) in CHANGES {
        let mut draft = Draft::new(1);
        change(&mut draft);
        let code = fixture.refused(&service, &draft.message(&fixture.holder), NOW).await;
        assert_eq!(code.unwrap(), expected, "{name}");
    }
    assert!(fixture.look(|store| store.orders(None, 9)).is_empty());
    // None of the refusals has used up the wallet's number.
    fixture.ordered(&service, &Draft::new(1)).await;
}

#[tokio::test]
async fn of_several_reasons_the_first_by_code_is_given() {
    let fixture = Fixture::new();
    let service = fixture.service();
    fixture.ordered(&service, &Draft::new(1)).await;
    let steps: [(Change, Reject); 6] = [
        (|draft| draft.request.shop = ShopId([8; 8]), Reject::WrongShop),
        (|draft| draft.lines[0] = line("B", "Article B", 1, 1000), Reject::UnknownArticle),
        (|draft| draft.lines[1] = line("C", "Article C", 2, 1), Reject::PriceChanged),
        (|draft| draft.request.mode = PaymentMode::BankAccount, Reject::ModeNotAccepted),
        (|_| {}, Reject::RequestReused),
        (|draft| draft.request.amount = Amount(1), Reject::ContentDiffers),
    ];
    for first in 0..steps.len() - 1 {
        let mut draft = Draft::new(1);
        steps[first..].iter().for_each(|(change, _)| change(&mut draft));
        let code = fixture.refused(&service, &draft.message(&fixture.holder), NOW).await;
        assert_eq!(code.unwrap(), steps[first].1);
    }
}

#[tokio::test]
async fn totals_never_overflow() {
    let fixture = Fixture::new();
    let dear = crate::fixture::good("E", "Dear", i64::MAX.unsigned_abs());
    fixture.look(|store| store.put_good(&dear));
    let service = fixture.service();
    // Below the largest u64 but above what the books hold; beyond u64 within a line; as a sum.
    for lines in [vec![2], vec![u32::MAX], vec![1, 1, 1]] {
        let mut draft = Draft::new(1);
        let dear = |quantity: &u32| line("E", "Dear", *quantity, i64::MAX.unsigned_abs());
        draft.lines = lines.iter().map(dear).collect();
        draft.list();
        let code = fixture.refused(&service, &draft.message(&fixture.holder), NOW).await;
        assert_eq!(code.unwrap(), Reject::ContentDiffers, "{lines:?}");
    }
}

#[tokio::test]
async fn only_a_good_certificate_of_a_holder_orders() {
    let fixture = Fixture::new();
    let stranger = World::new().certify(Role::Holder, "Stranger", 9, Some("3789817"));
    let shop = fixture.world.certify(Role::Shop, "Shop", 9, None);
    let twin = fixture.world.certify(Role::Holder, "Twin", 9, Some("3789817"));
    let service = fixture.service();
    for (name, chain, at, expected) in [
        ("another CA", &stranger, NOW, Reject::CertificateNotTrusted),
        ("another role", &shop, NOW, Reject::CertificateNotTrusted),
        ("expired", &fixture.holder, TOO_LATE, Reject::CertificateExpired),
        ("another key", &twin, NOW, Reject::BadSignature),
    ] {
        let mut message = Draft::new(1).message(&fixture.holder);
        message.chain = chain.chain().iter().cloned().map(ByteVec::from).collect();
        let code = fixture.refused(&service, &message, at).await;
        assert_eq!(code.unwrap(), expected, "{name}");
    }
}

#[tokio::test]
async fn revoked_certificates_order_nothing() {
    let fixture = Fixture::new();
    let message = Draft::new(1).message(&fixture.holder);
    let service = fixture.service_with(fixture.terms(), Some(fixture.holder_serial));
    let refused = fixture.refused(&service, &message, NOW).await;
    assert_eq!(refused, Ok(Reject::CertificateRevoked));
    let authority = protocol::certificate::Authority::new(fixture.world.root()).unwrap();
    let service = fixture.service_trusting(fixture.terms(), Trust::from(authority));
    let refused = fixture.refused(&service, &message, NOW).await;
    assert_eq!(refused, Ok(Reject::RevocationUnknown));
    // No invoice may name a payment server whose key has been withdrawn.
    let service = fixture.service_with(fixture.terms(), Some(fixture.payment_serial));
    let refused = fixture.refused(&service, &message, NOW).await;
    assert_eq!(refused, Err(Reject::Unavailable));
}

#[tokio::test]
async fn the_same_order_gets_the_same_bytes() {
    let fixture = Fixture::new();
    let service = fixture.service();
    let draft = Draft::new(1);
    let first = send(&service, &draft, &fixture.holder).await;
    // Each message is signed afresh, so the signatures differ; the content does not.
    assert_eq!(send(&service, &draft, &fixture.holder).await, first);
    fixture.look(|store| store.put_good(&crate::fixture::good("A", "Article A", 1)));
    fixture.look(|store| {
        store.put_good(&Good { active: false, ..crate::fixture::good("C", "Article C", 1500) })
    });
    assert_eq!(send(&service, &draft, &fixture.holder).await, first);
    assert_eq!(fixture.look(|store| store.orders(None, 9)).len(), 1);
}

#[tokio::test]
async fn a_number_is_used_for_one_order_only() {
    let fixture = Fixture::new();
    let service = fixture.service();
    fixture.ordered(&service, &Draft::new(1)).await;
    let mut other = Draft::new(1);
    other.lines.pop();
    other.list();
    let mut other_mode = Draft::new(1);
    other_mode.request.mode = PaymentMode::CreditA;
    let second_card = fixture.world.certify(Role::Holder, "Hanako", 10, Some("3789817"));
    let mut other_card = Draft::new(1);
    sign(&mut other_card).card = CardId([0, 0, 0, 0, 0, 0, 0, 10]);
    // The order is known, but nothing shows that its card has asked for it again.
    let mut other_record = Draft::new(1);
    sign(&mut other_record).amount = Amount(1);
    let mut other_lines = Draft::new(1);
    other_lines.lines[0].salt.0[0] ^= 1;
    for (name, draft, card) in [
        ("other lines", other, &fixture.holder),
        ("other mode", other_mode, &fixture.holder),
        ("other card", other_card, &second_card),
        ("a record of something else", other_record, &fixture.holder),
        ("lines that are not listed", other_lines, &fixture.holder),
    ] {
        let code = fixture.refused(&service, &draft.message(card), NOW).await;
        assert_eq!(code.unwrap(), Reject::RequestReused, "{name}");
    }
    assert_eq!(fixture.look(|store| store.orders(None, 9)).len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn identical_orders_at_once_become_one() {
    let fixture = Fixture::new();
    let service = fixture.service();
    let mut replies = Vec::new();
    for number in 0..24_u8 {
        let draft = Draft::new(number % 3);
        let message = draft.message(&fixture.holder);
        let service = service.clone();
        replies.push(tokio::spawn(async move {
            let reply = service.order(&message, &form::encode(&message), NOW).await;
            (draft.request.request, granted(&reply.unwrap().answer))
        }));
    }
    let mut answers = std::collections::BTreeMap::new();
    for reply in replies {
        let (request, invoice) = reply.await.unwrap();
        assert_eq!(*answers.entry(request).or_insert_with(|| invoice.clone()), invoice);
    }
    assert_eq!(answers.len(), 3);
    assert_eq!(fixture.look(|store| store.orders(None, 99)).len(), 3);
}

#[tokio::test]
async fn other_modes_get_an_invoice_too() {
    let fixture = Fixture::new();
    let service = fixture.service();
    let mut draft = Draft::new(1);
    draft.request.mode = PaymentMode::CreditA;
    let invoice = fixture.ordered(&service, &draft).await;
    assert_eq!(invoice.mode, PaymentMode::CreditA);
    let order = fixture.order(invoice.transaction);
    assert_eq!((order.mode, order.state), (PaymentMode::CreditA, OrderState::Acknowledged));
}

#[tokio::test]
async fn the_introduction_signs_the_nonce() {
    let fixture = Fixture::new();
    let request = protocol::purchase::CertificateRequest {
        number: protocol::field::Number,
        nonce: apdu_spec::value::Nonce([3; 16]),
    };
    let reply = fixture.service().introduce(&request).unwrap();
    let introduction = fixture.opened::<protocol::purchase::ShopIntroduction>(&reply.introduction);
    assert_eq!((introduction.nonce, introduction.shop), (request.nonce, SHOP));
    assert_eq!(introduction.chain(), fixture.shop.chain());
}

#[tokio::test]
async fn closed_books_answer_nothing() {
    let fixture = Fixture::new();
    let service = fixture.service();
    fixture.ordered(&service, &Draft::new(1)).await;
    let message = Draft::new(2).message(&fixture.holder);
    let broken = service
        .database()
        .run(|_| -> Result<(), _> { Err(shop::StoreError::Damaged("for this test".to_owned())) });
    assert!(broken.await.is_err());
    let reply = service.order(&message, b"", NOW).await;
    assert_eq!(reply, Err(Reject::Unavailable));
    assert_eq!(fixture.look(all).len(), 1);
}

fn all(store: &Store) -> Result<Vec<shop::books::OrderData>, shop::StoreError> {
    store.orders(None, 99)
}
