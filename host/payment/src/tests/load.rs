//! 1170 → 1180 and 1190 → 1200.

use apdu_spec::record::{CreditRecord, CreditToken};
use apdu_spec::value::{Purpose, Sequence};
use protocol::Reject;
use protocol::field::Number;
use protocol::load::{CreditAcknowledged, LoadOrder, TokenRequest};
use protocol::purchase::Booking;
use protocol::signed::{Signed, SignedRecord, Verified};

use super::card::SoftCard;
use super::world::World;

fn read(token: &[u8]) -> CreditToken {
    *SignedRecord::<CreditToken>::parse(token).unwrap().claims()
}

/// A world with 1000 in the fund, a new card and a load order of 400 for it.
fn ordered() -> (World, SoftCard, Verified<LoadOrder>) {
    let mut world = World::new();
    world.issue(1000);
    let card = world.new_card();
    let order = world.load_order(card.id, 400);
    (world, card, order)
}

#[test]
fn value_goes_from_the_fund_over_in_flight_to_the_card() {
    let (mut world, mut card, order) = ordered();
    let where_it_is = |world: &World| {
        let cards = world.service.cards().unwrap().cards;
        let card = cards.first().map_or((0, 0), |card| (card.in_flight, card.shadow));
        (world.balance("fund", &[]), card.0, card.1)
    };
    assert_eq!(where_it_is(&world), (1000, 0, 0));
    let token = world.token(&card, &order).unwrap();
    assert_eq!(where_it_is(&world), (600, 400, 0));
    let signed = SignedRecord::<CreditToken>::parse(&token).unwrap();
    signed.open(&world.service.own.key).unwrap();
    let content = read(&token);
    assert_eq!((content.card, content.slot), (card.id, Sequence(1)));
    assert_eq!((content.credit, content.authority_hash), (order.credit, order.hash()));
    assert_eq!((content.amount, content.purpose), (order.amount, Purpose::Load));
    let record = card.credit(&token).unwrap();
    let answer = world.report(&record).unwrap();
    assert_eq!(where_it_is(&world), (600, 0, 400));
    let acknowledged = world.open::<CreditAcknowledged>(&answer);
    let hash = SignedRecord::<CreditRecord>::parse(&record).unwrap().hash();
    assert_eq!((acknowledged.record_hash, acknowledged.time), (hash, world.now));
    world.pass(100_000);
    assert_eq!(world.report(&record).unwrap(), answer);
    assert_eq!(where_it_is(&world), (600, 0, 400));
    // The slot is used up, and the credit, too.
    let same_slot = card.credit_request_at(&order, 1);
    assert_eq!(world.token_for(&card, &order, same_slot), Err(Reject::CreditTaken));
    assert_eq!(world.token(&card, &order), Err(Reject::CreditTaken));
    let other = world.load_order(card.id, 10);
    let same_slot = card.credit_request_at(&other, 1);
    assert_eq!(world.token_for(&card, &other, same_slot), Err(Reject::SequenceUsed));
}

/// An issued token never lapses; a repeat is the same credit with the acknowledgements of now.
#[test]
fn a_repeat_is_signed_again_and_moves_nothing() {
    let mut world = World::new();
    let mut card = world.loaded_card(100);
    world.issue(400);
    let order = world.load_order(card.id, 400);
    let first = read(&world.token(&card, &order).unwrap());
    world.buy(&mut card, 30);
    world.pass(100_000);
    let again = world.token(&card, &order).unwrap();
    let expected = CreditToken { ack_debit: Sequence(1), ..first };
    assert_eq!(read(&again), expected);
    assert_eq!(world.balance("fund", &[]), 0);
    card.credit(&again).unwrap();
}

/// Invariant R: a token is replaced only against the card's signature that its slot went elsewhere.
#[test]
fn a_burned_slot_lets_the_credit_go_to_a_later_one() {
    let (world, mut card, order) = ordered();
    let lost = world.token(&card, &order).unwrap();
    let burned = card.burn().unwrap();
    // The card says it wants slot 2; that alone proves nothing.
    assert_eq!(world.token(&card, &order), Err(Reject::CreditTaken));
    let answer = world.report(&burned).unwrap();
    assert_eq!(world.report(&burned).unwrap(), answer);
    let old = card.credit_request_at(&order, 1);
    assert_eq!(world.token_for(&card, &order, old), Err(Reject::SequenceUsed));
    let token = world.token(&card, &order).unwrap();
    assert_eq!((read(&token).slot, read(&token).ack_credit), (Sequence(2), Sequence(1)));
    assert!(card.credit(&lost).is_none());
    let record = card.credit(&token).unwrap();
    world.report(&record).unwrap();
    assert_eq!(world.balance("fund", &[]), 600);
    assert_eq!(world.balance("shadow", &card.id.0), 400);
}

#[test]
fn a_slot_that_took_another_credit_lets_this_one_go_on() {
    let (world, mut card, order) = ordered();
    let other = world.load_order(card.id, 50);
    world.token(&card, &order).unwrap();
    let token = world.token(&card, &other).unwrap();
    let record = card.credit(&token).unwrap();
    assert_eq!(world.token(&card, &order), Err(Reject::CreditTaken));
    world.report(&record).unwrap();
    let token = world.token(&card, &order).unwrap();
    assert_eq!(read(&token).slot, Sequence(2));
    let record = card.credit(&token).unwrap();
    world.report(&record).unwrap();
    assert_eq!(world.balance("shadow", &card.id.0), 450);
}

#[test]
fn records_that_fit_no_token_are_refused() {
    let (mut world, mut card, order) = ordered();
    let stranger = world.new_card();
    let token = read(&world.token(&card, &order).unwrap());
    let record = token.credit_record();
    let sign = |record: CreditRecord| card.signer.record(record);
    let elsewhere = CreditRecord { slot: Sequence(2), ..record };
    let more = CreditRecord { amount: apdu_spec::value::Amount(401), ..record };
    let refund = CreditRecord { purpose: Purpose::Refund, ..record };
    let unknown = CreditRecord { card: stranger.id, ..record };
    for (bytes, reject) in [
        (sign(elsewhere), Reject::UnknownCredit),
        (sign(more), Reject::ContentDiffers),
        (sign(refund), Reject::UnknownCredit),
        (stranger.signer.record(unknown), Reject::UnknownCard),
        (stranger.signer.record(record), Reject::BadSignature),
        (order.bytes().to_vec(), Reject::Malformed),
    ] {
        assert_eq!(world.report(&bytes), Err(reject));
    }
    let mut clone = card.clone();
    let bytes = card.signer.record(token);
    let taken = card.credit(&bytes).unwrap();
    world.report(&taken).unwrap();
    let burned = clone.burn().unwrap();
    assert_eq!(world.report(&burned), Err(Reject::SequenceUsed));
    assert_eq!(world.service.cards().unwrap().cards[0].contradictions, 1);
}

#[test]
fn what_a_card_took_is_booked_after_its_revocation() {
    let (mut world, mut card, order) = ordered();
    let token = world.token(&card, &order).unwrap();
    let record = card.credit(&token).unwrap();
    world.ca.revoke(card.serial);
    world.refresh_lists();
    assert_eq!(world.token(&card, &order), Err(Reject::CertificateRevoked));
    world.report(&record).unwrap();
}

#[test]
fn requests_that_do_not_fit_their_authority_are_refused() {
    let (mut world, card, order) = ordered();
    let stranger = world.new_card();
    let small = world.load_order(card.id, 1);
    let message = |authority: &[u8], request: Vec<u8>, of: &SoftCard| TokenRequest {
        number: Number,
        authority: authority.to_vec().into(),
        request: request.into(),
        chain: of.signer.message_chain(),
    };
    let forged = Signed::seal(LoadOrder::clone(&order), &world.shop.signer).unwrap();
    // Signed by the server itself, but not in its books: of a time that was lost with them.
    let mut lost = LoadOrder::clone(&order);
    lost.credit.0[0] ^= 1;
    let lost = Signed::seal(lost, &world.signer).unwrap();
    let mut tampered = card.credit_request(&order);
    *tampered.last_mut().unwrap() ^= 1;
    let bytes = order.bytes();
    for (message, reject) in [
        (message(b"x", card.credit_request(&order), &card), Reject::Malformed),
        (message(forged.bytes(), card.credit_request(&forged), &card), Reject::AuthorityNotValid),
        (message(lost.bytes(), card.credit_request(&lost), &card), Reject::AuthorityNotValid),
        (message(bytes, stranger.credit_request(&order), &stranger), Reject::AuthorityNotValid),
        (message(bytes, tampered, &card), Reject::BadSignature),
        (message(bytes, stranger.credit_request(&order), &card), Reject::BadSignature),
        (message(bytes, card.credit_request(&small), &card), Reject::ContentDiffers),
        (message(bytes, card.credit_request_at(&order, 0), &card), Reject::SequenceUsed),
    ] {
        assert_eq!(world.ask_token(&message), Err(reject));
    }
    let dear = world.load_order(card.id, 1001);
    assert_eq!(world.token(&card, &dear), Err(Reject::FundTooLow));
    world.pass(1001);
    assert_eq!(world.token(&card, &order), Err(Reject::AuthorityExpired));
}

#[test]
fn a_credit_that_is_not_reported_can_be_spent() {
    let (world, mut card, order) = ordered();
    let token = world.token(&card, &order).unwrap();
    let credit = card.credit(&token).unwrap();
    let invoice = world.invoice(&card, 400);
    let permit = world.permit(&card, &invoice).unwrap();
    let debit = card.debit(&permit).unwrap();
    assert!(matches!(world.book(&debit), Ok(Booking::Paid(_))));
    assert_eq!(world.balance("shadow", &card.id.0), -400);
    world.assert_whole();
    world.report(&credit).unwrap();
    assert_eq!(world.balance("shadow", &card.id.0), 0);
}
