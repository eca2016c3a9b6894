//! Enrolment of cards: what a card proves, what a code allows.

use std::time::Duration;

use apdu_spec::record::Enrolment;
use apdu_spec::value::{CardId, IssuerId, Nonce};
use ca::{Reason, Target};
use protocol::Reject;
use protocol::certificate::Role;

use crate::world::{CARD, DAY, ISSUER, TestCard, World, YEAR, chain};

const PAYER: &str = "1234567890";

/// A CA that knows the issuer, and a card of it.
fn world() -> (World, TestCard) {
    let world = World::new();
    world.payment(1);
    (world, TestCard::new(CARD))
}

fn nonce(world: &World) -> Nonce {
    world.ca.nonce(world.start).unwrap()
}

#[test]
fn the_same_code_and_record_give_the_same_certificate() {
    let (world, card) = world();
    let code = world.code(PAYER);
    let record = card.record(nonce(&world));
    let first = world.enrol(&code, &record, world.start).unwrap();
    // The answer was lost; meanwhile nonce and code have expired.
    for now in [world.start, world.after(DAY * 30)] {
        let typed = code.replace('-', " ").to_lowercase();
        assert_eq!(world.enrol(&typed, &record, now), Ok(first.clone()));
    }
    let issued = world.ca.certificates().unwrap();
    let holders = issued.iter().filter(|issued| {
        let owner = issued.owner();
        owner.is_some_and(|owner| owner.role() == Role::Holder)
    });
    assert_eq!(holders.count(), 1);
    // A second signature over the same content is the same request, another nonce is not.
    let second = card.record(nonce(&world));
    let refused = world.enrol(&code, &second, world.start);
    assert_eq!(refused, Err(Reject::EnrolmentCodeNotValid));
}

#[test]
fn a_wrong_code_uses_up_the_nonce_and_tells_nothing() {
    let (world, card) = world();
    let code = world.code(PAYER);
    let expired = world.code(PAYER);
    let used = world.code(PAYER);
    let record = card.record(nonce(&world));
    world.enrol(&used, &record, world.start).unwrap();
    let late = world.after(DAY * 7 + Duration::from_secs(1));
    for (wrong, now) in [
        ("00000-00000-00000-00000", world.start),
        ("not a code", world.start),
        (&used, world.start),
        (&expired, late),
    ] {
        let record = card.record(world.ca.nonce(now).unwrap());
        let refused = world.enrol(wrong, &record, now);
        assert_eq!(refused, Err(Reject::EnrolmentCodeNotValid), "{wrong}");
        let again = world.enrol(&code, &record, now);
        assert_eq!(again, Err(Reject::EnrolmentNonceNotValid), "{wrong}");
    }
    // A refusal does not use up the code.
    let record = card.record(nonce(&world));
    assert!(world.enrol(&code, &record, world.start).is_ok());
}

#[test]
fn a_nonce_is_the_cas_own_and_fresh() {
    let (world, card) = world();
    let code = world.code(PAYER);
    let given = nonce(&world);
    let stale = world.after(Duration::from_secs(301));
    for (case, nonce, now) in [
        ("made up", Nonce([0; 16]), world.start),
        ("stale", given, stale),
        ("used", given, world.start),
    ] {
        let refused = world.enrol(&code, &card.record(nonce), now);
        assert_eq!(refused, Err(Reject::EnrolmentNonceNotValid), "{case}");
    }
    let last_moment = world.after(Duration::from_secs(300));
    let record = card.record(nonce(&world));
    assert!(world.enrol(&code, &record, last_moment).is_ok());
}

#[test]
fn a_record_proves_that_the_card_holds_the_key() {
    let (world, card) = world();
    let code = world.code(PAYER);
    let stranger = TestCard::new(CARD);
    let good = card.record(nonce(&world));
    let mut spoilt = good.clone();
    *spoilt.last_mut().unwrap() ^= 1;
    let others_key = stranger.sign(Enrolment {
        card: CARD,
        nonce: nonce(&world),
        public_key: card.key(),
        issuer: ISSUER,
    });
    let mut no_point =
        Enrolment { card: CARD, nonce: nonce(&world), public_key: card.key(), issuer: ISSUER };
    no_point.public_key.0[5] ^= 1;
    for (case, record, reject) in [
        ("spoilt signature", spoilt, Reject::BadSignature),
        ("key of another", others_key, Reject::BadSignature),
        ("no point", card.sign(no_point), Reject::BadSignature),
        ("cut", good[..good.len() - 1].to_vec(), Reject::Malformed),
        ("empty", vec![], Reject::Malformed),
    ] {
        let refused = world.enrol(&code, &record, world.start);
        assert_eq!(refused, Err(reject), "{case}");
    }
    // None of them has touched nonce or code.
    assert!(world.enrol(&code, &good, world.start).is_ok());
}

#[test]
fn a_card_has_one_holder_and_one_key() {
    let (world, card) = world();
    let enrol = |card: &TestCard, payer: &str| {
        let record = card.record(nonce(&world));
        world.enrol(&world.code(payer), &record, world.start)
    };
    enrol(&card, PAYER).unwrap();
    assert_eq!(enrol(&card, "2"), Err(Reject::AlreadyEnrolled));
    let impostor = TestCard::new(CARD);
    assert_eq!(enrol(&impostor, PAYER), Err(Reject::AlreadyEnrolled));
    let clone = Enrolment {
        card: CardId([2; 8]),
        nonce: nonce(&world),
        public_key: card.key(),
        issuer: ISSUER,
    };
    let cloned = world.enrol(&world.code(PAYER), &card.sign(clone), world.start);
    assert_eq!(cloned, Err(Reject::AlreadyEnrolled));
    // A person may have several cards.
    let second = TestCard::new(CardId([3; 8]));
    assert!(enrol(&second, PAYER).is_ok());
}

#[test]
fn a_cards_issuer_must_be_known() {
    let (world, card) = world();
    let stranger = Enrolment {
        card: CARD,
        nonce: nonce(&world),
        public_key: card.key(),
        issuer: IssuerId([1; 8]),
    };
    let refused = world.enrol(&world.code(PAYER), &card.sign(stranger), world.start);
    assert_eq!(refused, Err(Reject::UnknownIssuer));
}

#[test]
fn a_certificate_is_renewed_for_the_same_key_unless_the_card_was_revoked() {
    let (world, card) = world();
    let enrol = |now| {
        let record = card.record(world.ca.nonce(now).unwrap());
        let name = None;
        let payer = ca::payer_id(PAYER).ok();
        let code = world.ca.register(name, payer, now).unwrap().code;
        world.enrol(&code.to_string(), &record, now)
    };
    world.code(PAYER);
    let first = chain(&enrol(world.start).unwrap());
    let renewed_at = world.after(YEAR * 2);
    let second = chain(&enrol(renewed_at).unwrap());
    let authority = world.authority(renewed_at);
    let [first, second] = [first, second].map(|chain| {
        let party = authority.identify(&chain, Role::Holder, renewed_at);
        party.unwrap()
    });
    assert_eq!((first.key, first.payer), (second.key, second.payer));
    assert_ne!(first.serial, second.serial);
    assert!(first.not_after < second.not_after);

    let target = Target::Card(CARD);
    world.ca.revoke(target, Reason::KeyCompromise, renewed_at).unwrap();
    assert_eq!(enrol(renewed_at), Err(Reject::CertificateRevoked));
}
