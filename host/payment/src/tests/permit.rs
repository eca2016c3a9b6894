//! 150 → 160.

use apdu_spec::record::{DebitRequest, Permit};
use apdu_spec::value::{Amount, Currency, Hash, Sequence, ShopId, Time};
use protocol::Reject;
use protocol::certificate::{PartyName, PayerId};
use protocol::document::{Invoice, PaymentMode};
use protocol::field::Number;
use protocol::purchase::{Booking, PermitRequest};
use protocol::signed::{Signed, SignedRecord, Verified};
use server::Trust;

use super::authority::TestCa;
use super::card::{SoftCard, TestSigner};
use super::shop::TestShop;
use super::world::{START, World};
use crate::store::{InvoiceState, StoreError};

/// What is wrong with a message 150, or speaks against it, in order of precedence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    TrailingByte,
    AmountZero,
    ShopOfAnotherCa,
    ShopNotAccepted,
    InvoiceSignature,
    OtherShopNumber,
    OtherShopName,
    OtherPaymentServer,
    OtherPayee,
    CreditCard,
    OtherCurrency,
    PastDue,
    CardExpired,
    CardOfAnotherCa,
    OtherPayer,
    RequestSignature,
    OtherInvoiceHash,
    OtherShopInRequest,
    OtherAmountInRequest,
    OtherCard,
    SecondKey,
    Closed,
    Paid,
    Cancelled,
    EndedPastDue,
    SequenceUsed,
    PermitLive,
    OverShadow,
    TooFarAhead,
}

impl Fault {
    const ALL: [(Self, Reject); 29] = [
        (Self::TrailingByte, Reject::Malformed),
        (Self::AmountZero, Reject::Malformed),
        (Self::ShopOfAnotherCa, Reject::CertificateNotTrusted),
        (Self::ShopNotAccepted, Reject::ShopNotAccepted),
        (Self::InvoiceSignature, Reject::BadSignature),
        (Self::OtherShopNumber, Reject::ContentDiffers),
        (Self::OtherShopName, Reject::ContentDiffers),
        (Self::OtherPaymentServer, Reject::WrongIssuer),
        (Self::OtherPayee, Reject::WrongIssuer),
        (Self::CreditCard, Reject::NotElectronicMoney),
        (Self::OtherCurrency, Reject::ContentDiffers),
        (Self::PastDue, Reject::PastDue),
        (Self::CardExpired, Reject::CertificateExpired),
        (Self::CardOfAnotherCa, Reject::CertificateNotTrusted),
        (Self::OtherPayer, Reject::WrongPayer),
        (Self::RequestSignature, Reject::BadSignature),
        (Self::OtherInvoiceHash, Reject::ContentDiffers),
        (Self::OtherShopInRequest, Reject::ContentDiffers),
        (Self::OtherAmountInRequest, Reject::ContentDiffers),
        (Self::OtherCard, Reject::ContentDiffers),
        (Self::SecondKey, Reject::CertificateNotTrusted),
        (Self::Closed, Reject::CardClosed),
        (Self::Paid, Reject::InvoicePaid),
        (Self::Cancelled, Reject::InvoiceCancelled),
        (Self::EndedPastDue, Reject::PastDue),
        (Self::SequenceUsed, Reject::SequenceUsed),
        (Self::PermitLive, Reject::PermitLive),
        (Self::OverShadow, Reject::InsufficientShadow),
        (Self::TooFarAhead, Reject::DeliverFirst),
    ];

    /// Whether both can be wrong with one message.
    fn fits(self, other: Self) -> bool {
        let groups: [&[Self]; 7] = [
            &[Self::ShopOfAnotherCa, Self::ShopNotAccepted],
            &[Self::CardExpired, Self::CardOfAnotherCa, Self::SecondKey],
            &[Self::Paid, Self::Cancelled, Self::EndedPastDue],
            &[Self::SequenceUsed, Self::TooFarAhead],
            &[Self::AmountZero, Self::OverShadow],
            // Rows of an invoice need an accepted shop and an amount.
            &[Self::ShopNotAccepted, Self::Paid, Self::PermitLive],
            &[Self::AmountZero, Self::Paid, Self::PermitLive],
        ];
        let is_row = |fault| {
            matches!(fault, Self::Cancelled | Self::EndedPastDue | Self::Paid | Self::PermitLive)
        };
        let needs_shop = |fault| {
            matches!(fault, Self::ShopNotAccepted | Self::ShopOfAnotherCa | Self::AmountZero)
                || fault == Self::OtherShopNumber
        };
        let clash = is_row(self) && needs_shop(other) || is_row(other) && needs_shop(self);
        !clash && !groups.iter().any(|group| group.contains(&self) && group.contains(&other))
    }
}

/// A world with a card that has bought once and holds 500, and parties that spoil messages.
struct Scene {
    world: World,
    card: SoftCard,
    foreign_shop: TestShop,
    other_shop: TestShop,
    foreign_card: TestSigner,
    expired_card: TestSigner,
    second_key: TestSigner,
}

impl Scene {
    fn new() -> Self {
        let mut world = World::new();
        let mut card = world.loaded_card(600);
        world.buy(&mut card, 100);
        let other_shop = world.new_shop(*b"shop 002", "Shop");
        let (pair, number, payer) = (card.signer.pair.clone(), card.id.0, card.payer.clone());
        let expired_card = world.certify_card(pair.clone(), number, &payer, 2026).0;
        let new_pair = keystore::KeyPair::generate().unwrap().into();
        let second_key = world.certify_card(new_pair, number, &payer, 2045).0;
        let foreign = TestCa::new("Foreign");
        let own = std::mem::replace(&mut world.ca, foreign);
        let foreign_shop = world.new_shop(world.shop.id.0, "Shop");
        let foreign_card = world.certify_card(pair, number, &payer, 2045).0;
        world.ca = own;
        Self { world, card, foreign_shop, other_shop, foreign_card, expired_card, second_key }
    }

    fn draft(&self, faults: &[Fault]) -> Invoice {
        let mut invoice = self.world.draft(&self.card, 300);
        for fault in faults {
            match fault {
                Fault::AmountZero => invoice.amount = Amount(0),
                Fault::OtherShopNumber => invoice.shop = ShopId([1; 8]),
                Fault::OtherShopName => invoice.shop_name = PartyName::new("Shoq").unwrap(),
                Fault::OtherPaymentServer => {
                    let chain = self.world.shop.signer.message_chain();
                    invoice.payment_chain = chain;
                }
                Fault::OtherPayee => invoice.payee = PartyName::new("Another").unwrap(),
                Fault::CreditCard => invoice.mode = PaymentMode::CreditA,
                Fault::OtherCurrency => invoice.currency = Currency(840),
                Fault::PastDue => invoice.due = START,
                Fault::OtherPayer => invoice.payer = PayerId::new("H-9999").unwrap(),
                Fault::OverShadow => invoice.amount = Amount(501),
                _ => {}
            }
        }
        if faults.contains(&Fault::ShopNotAccepted) {
            invoice.shop = self.other_shop.id;
        }
        invoice
    }

    fn request(&self, invoice: &Verified<Invoice>, faults: &[Fault]) -> DebitRequest {
        let mut request = DebitRequest {
            card: self.card.id,
            debit_seq: Sequence(2),
            invoice_hash: invoice.hash(),
            shop: invoice.shop,
            amount: invoice.amount,
            currency: invoice.currency,
        };
        for fault in faults {
            match fault {
                Fault::OtherInvoiceHash => request.invoice_hash = Hash([1; 32]),
                Fault::OtherShopInRequest => request.shop = ShopId([2; 8]),
                Fault::OtherAmountInRequest => request.amount = Amount(299),
                Fault::OtherCard => request.card.0[0] ^= 1,
                Fault::SequenceUsed => request.debit_seq = Sequence(1),
                Fault::TooFarAhead => request.debit_seq = Sequence(6),
                _ => {}
            }
        }
        request
    }

    fn message(&self, faults: &[Fault]) -> PermitRequest {
        let has = |fault| faults.contains(&fault);
        let shop = if has(Fault::ShopOfAnotherCa) {
            &self.foreign_shop
        } else if has(Fault::ShopNotAccepted) {
            &self.other_shop
        } else {
            &self.world.shop
        };
        let invoice = shop.seal(self.draft(faults));
        let signer = if has(Fault::CardExpired) {
            &self.expired_card
        } else if has(Fault::CardOfAnotherCa) {
            &self.foreign_card
        } else if has(Fault::SecondKey) {
            &self.second_key
        } else {
            &self.card.signer
        };
        let record = SignedRecord::seal(self.request(&invoice, faults), signer).unwrap();
        self.write_rows(&invoice, faults);
        let mut invoice = invoice.bytes().to_vec();
        let mut request = record.bytes().to_vec();
        if has(Fault::InvoiceSignature) {
            *invoice.last_mut().unwrap() ^= 1;
        }
        if has(Fault::RequestSignature) {
            *request.last_mut().unwrap() ^= 1;
        }
        if has(Fault::TrailingByte) {
            request.push(0);
        }
        let chain = signer.message_chain();
        PermitRequest { number: Number, invoice: invoice.into(), request: request.into(), chain }
    }

    fn write_rows(&self, invoice: &Verified<Invoice>, faults: &[Fault]) {
        let has = |fault| faults.contains(&fault);
        let ends = [
            (Fault::Paid, InvoiceState::Paid),
            (Fault::Cancelled, InvoiceState::Cancelled),
            (Fault::EndedPastDue, InvoiceState::PastDue),
        ];
        let service = &self.world.service;
        let wrote = service.store.apply(|books| {
            for (fault, state) in ends {
                if has(fault) {
                    books.keep_invoice(invoice, START)?;
                    books.end_invoice(&invoice.hash(), state, START)?;
                }
            }
            if has(Fault::PermitLive) {
                let other = self.request(invoice, &[]);
                let other = DebitRequest { debit_seq: Sequence(3), ..other };
                let other = SignedRecord::seal(other, &self.card.signer).unwrap();
                books.keep_invoice(invoice, START)?;
                books.keep_record(crate::store::Kind::DebitRequest, &other, START)?;
                let permit = permit_of(&other, Time(START.0 + 60));
                let permit = SignedRecord::seal(permit, service.signer.as_ref()).unwrap();
                books.keep_permit(&permit, &other.hash(), START)?;
            }
            let status = if has(Fault::Closed) { "closed" } else { "open" };
            books.execute("UPDATE cards SET status = $1", &[status.into()])?;
            Ok::<_, StoreError>(())
        });
        wrote.unwrap();
    }
}

fn permit_of(request: &DebitRequest, expiry: Time) -> Permit {
    Permit {
        card: request.card,
        debit_seq: request.debit_seq,
        payment: apdu_spec::value::PaymentId(crate::service::draw().unwrap()),
        invoice_hash: request.invoice_hash,
        shop: request.shop,
        amount: request.amount,
        currency: request.currency,
        expiry,
        epoch: apdu_spec::value::Epoch(1),
        ack_debit: Sequence(1),
        ack_credit: Sequence(1),
    }
}

#[test]
fn every_reason_to_refuse_is_found_and_the_first_one_counts() {
    let scene = Scene::new();
    assert!(scene.world.ask_permit(&scene.message(&[])).is_ok());
    for (place, (first, reject)) in Fault::ALL.into_iter().enumerate() {
        let outcome = scene.world.ask_permit(&scene.message(&[first]));
        assert_eq!(outcome, Err(reject), "{first:?}");
        for (second, _) in &Fault::ALL[place + 1..] {
            if first.fits(*second) {
                let outcome = scene.world.ask_permit(&scene.message(&[first, *second]));
                assert_eq!(outcome, Err(reject), "{first:?} before {second:?}");
            }
        }
    }
}

#[test]
fn revocation_counts_for_shop_and_card() {
    let mut scene = Scene::new();
    let message = scene.message(&[]);
    let without = Trust::from(scene.world.ca.authority_without_lists());
    scene.world.trust(without);
    assert_eq!(scene.world.ask_permit(&message), Err(Reject::RevocationUnknown));
    scene.world.ca.revoke(scene.card.serial);
    scene.world.refresh_lists();
    assert_eq!(scene.world.ask_permit(&message), Err(Reject::CertificateRevoked));
}

#[test]
fn a_refusal_writes_nothing() {
    let scene = Scene::new();
    let count = || {
        let counted = scene.world.service.store.read(|books| {
            let sql = "SELECT (SELECT COUNT(*) FROM evidence) + (SELECT COUNT(*) FROM invoices)";
            books.row(sql, &[], |row| row.at::<i64>(0))
        });
        counted.unwrap()
    };
    let before = count();
    for (fault, _) in Fault::ALL {
        let writes = [Fault::Paid, Fault::Cancelled, Fault::EndedPastDue, Fault::PermitLive];
        if !writes.contains(&fault) {
            scene.world.ask_permit(&scene.message(&[fault])).unwrap_err();
        }
    }
    assert_eq!(count(), before);
}

#[test]
fn a_permit_says_what_the_card_needs() {
    let scene = Scene::new();
    let message = scene.message(&[]);
    let permit = scene.world.ask_permit(&message).unwrap();
    let permit = SignedRecord::<Permit>::parse(&permit).unwrap();
    let permit = permit.open(&scene.world.service.own.key).unwrap();
    let request = SignedRecord::<DebitRequest>::parse(&message.request).unwrap();
    let expected = permit_of(request.claims(), Time(START.0 + 600));
    assert_eq!(*permit, Permit { payment: permit.payment, ..expected });
}

#[test]
fn a_permit_never_outlives_the_due_time() {
    let scene = Scene::new();
    let mut draft = scene.draft(&[]);
    draft.due = Time(START.0 + 10);
    let invoice = scene.world.shop.seal(draft);
    let permit = scene.world.permit(&scene.card, &invoice).unwrap();
    let permit = SignedRecord::<Permit>::parse(&permit).unwrap();
    assert_eq!(permit.claims().expiry, invoice.due);
}

/// Invariant I: idempotency is by content. The same request signed again is the same request.
#[test]
fn a_repeat_gets_the_same_bytes_while_the_permit_lives() {
    let mut scene = Scene::new();
    let invoice = scene.world.invoice(&scene.card, 300);
    let permit = scene.world.permit(&scene.card, &invoice).unwrap();
    assert_eq!(scene.world.permit(&scene.card, &invoice).unwrap(), permit);
    scene.world.pass(599);
    assert_eq!(scene.world.permit(&scene.card, &invoice).unwrap(), permit);
    let other = scene.card.request_at(&invoice, 3);
    let outcome = scene.world.permit_for(&scene.card, &invoice, other);
    assert_eq!(outcome, Err(Reject::PermitLive));
    scene.world.pass(1);
    let later = scene.world.permit(&scene.card, &invoice).unwrap();
    let read = |bytes: &[u8]| *SignedRecord::<Permit>::parse(bytes).unwrap().claims();
    let (permit, later) = (read(&permit), read(&later));
    assert_ne!(later.payment, permit.payment);
    assert_eq!(later.debit_seq, permit.debit_seq);
}

#[test]
fn a_permit_ends_when_another_payment_takes_its_sequence() {
    let scene = Scene::new();
    let (world, mut card) = (&scene.world, scene.card.clone());
    let first = world.invoice(&card, 100);
    let second = world.invoice(&card, 200);
    let first_permit = world.permit(&card, &first).unwrap();
    let second_permit = world.permit(&card, &second).unwrap();
    let record = card.debit(&second_permit).unwrap();
    assert!(card.debit(&first_permit).is_none());
    world.book(&record).unwrap();
    let later = world.permit(&card, &first).unwrap();
    let later = *SignedRecord::<Permit>::parse(&later).unwrap().claims();
    assert_eq!((later.debit_seq, later.ack_debit), (Sequence(3), Sequence(2)));
}

/// Whoever replays an old request must not hold the invoice with a permit that no card can take.
#[test]
fn a_replayed_request_does_not_starve_the_payment() {
    let scene = Scene::new();
    let (world, mut card) = (&scene.world, scene.card.clone());
    let invoice = world.invoice(&card, 100);
    let old = card.request(&invoice);
    world.buy(&mut card, 50);
    let replayed = world.permit_for(&card, &invoice, old);
    assert_eq!(replayed, Err(Reject::SequenceUsed));
    assert!(world.permit(&card, &invoice).is_ok());
}

/// The replay comes while the card's debit of that sequence is not delivered yet: it holds the
/// invoice only until it is.
#[test]
fn a_replay_before_delivery_ends_with_the_delivery() {
    let scene = Scene::new();
    let (world, mut card) = (&scene.world, scene.card.clone());
    let invoice = world.invoice(&card, 100);
    let old = card.request(&invoice);
    let other = world.invoice(&card, 50);
    let record = card.debit(&world.permit(&card, &other).unwrap()).unwrap();
    assert!(world.permit_for(&card, &invoice, old).is_ok());
    assert_eq!(world.permit(&card, &invoice), Err(Reject::PermitLive));
    assert!(matches!(world.book(&record), Ok(Booking::Paid(_))));
    assert!(world.permit(&card, &invoice).is_ok());
}

#[test]
fn value_in_flight_counts_as_cover() {
    let scene = Scene::new();
    let (world, mut card) = (&scene.world, scene.card.clone());
    world.issue(1000);
    let order = world.load_order(card.id, 1000);
    let token = world.token(&card, &order).unwrap();
    card.credit(&token).unwrap();
    let invoice = world.invoice(&card, 1500);
    let permit = world.permit(&card, &invoice).unwrap();
    let record = card.debit(&permit).unwrap();
    assert!(matches!(world.book(&record), Ok(Booking::Paid(_))));
    assert_eq!(world.balance("shadow", &card.id.0), -1000);
    let more = world.invoice(&card, 1);
    assert_eq!(world.permit(&card, &more), Err(Reject::InsufficientShadow));
}

#[test]
fn a_document_of_another_type_is_malformed() {
    let scene = Scene::new();
    let mut message = scene.message(&[]);
    message.invoice = message.request.clone();
    assert!(Signed::<Invoice>::parse(&message.invoice).is_err());
    assert_eq!(scene.world.ask_permit(&message), Err(Reject::Malformed));
}
