//! 10 → 20 and 30 → 40.

use apdu_spec::value::Nonce;
use protocol::Reject;
use protocol::document::SuspenseNotice;
use protocol::field::Number;
use protocol::load::LoadOrder;
use protocol::query::{NonceQuery, StatusQuery, StatusReply};

use super::card::SoftCard;
use super::world::World;
use crate::service::Fault;

fn nonce(world: &World) -> Nonce {
    world.service.nonce(&NonceQuery { number: Number }, world.now).unwrap().nonce
}

fn ask(world: &World, card: &SoftCard, nonce: Nonce) -> Result<StatusReply, Reject> {
    let status = card.status(nonce).into();
    let chain = card.signer.message_chain();
    let query = StatusQuery { number: Number, status, chain };
    world.service.status(&query, world.now).map_err(|fault| match fault {
        Fault::Reject(reject) => reject,
        Fault::Store(error) => panic!("{error}"),
    })
}

#[test]
fn a_nonce_is_good_once_and_for_a_minute() {
    let mut world = World::new();
    let card = world.new_card();
    let first = nonce(&world);
    assert!(ask(&world, &card, first).is_ok());
    assert_eq!(ask(&world, &card, first), Err(Reject::UnknownNonce));
    assert_eq!(ask(&world, &card, Nonce([1; 16])), Err(Reject::UnknownNonce));
    let second = nonce(&world);
    world.restart();
    world.pass(60);
    assert!(ask(&world, &card, second).is_ok());
    let third = nonce(&world);
    world.pass(61);
    assert_eq!(ask(&world, &card, third), Err(Reject::UnknownNonce));
}

#[test]
fn a_wallet_without_files_hears_what_waits_for_its_card() {
    let mut world = World::new();
    let mut card = world.loaded_card(500);
    let stranger = world.new_card();
    world.issue(1000);
    let open = world.load_order(card.id, 10);
    let issued = world.load_order(card.id, 20);
    world.token(&card, &issued).unwrap();
    world.load_order(stranger.id, 30);
    let invoice = world.invoice(&card, 100);
    let record = card.debit(&world.permit(&card, &invoice).unwrap()).unwrap();
    world.pass(900);
    let listed = |reply: &StatusReply| -> Vec<u64> {
        let orders = reply.authorities.iter().map(|order| world.open::<LoadOrder>(order));
        orders.map(|order| order.amount.0).collect()
    };
    let reply = ask(&world, &card, nonce(&world)).unwrap();
    let mut amounts = listed(&reply);
    amounts.sort_unstable();
    assert_eq!((amounts, reply.notices.len()), (vec![10, 20], 0));
    assert_eq!((reply.ack_debit.0, reply.ack_credit.0), (0, 1));
    assert_eq!(listed(&ask(&world, &stranger, nonce(&world)).unwrap()), [30]);
    world.pass(3000);
    world.book(&record).unwrap();
    let reply = ask(&world, &card, nonce(&world)).unwrap();
    // The first order has expired; the second has a token, which never lapses.
    let orders = reply.authorities.iter().map(|order| world.open::<LoadOrder>(order).hash());
    assert_eq!(orders.collect::<Vec<_>>(), [issued.hash()]);
    assert_ne!(open.hash(), issued.hash());
    let notice = world.open::<SuspenseNotice>(&reply.notices[0]);
    assert_eq!((notice.amount, reply.ack_debit.0), (invoice.amount, 1));
}

#[test]
fn a_status_needs_the_card_itself() {
    let mut world = World::new();
    let card = world.new_card();
    let mut other = world.new_card();
    let unused = nonce(&world);
    other.id = card.id;
    assert_eq!(ask(&world, &other, unused), Err(Reject::ContentDiffers));
    other.signer.pair = card.signer.pair.clone();
    assert_eq!(ask(&world, &other, unused), Err(Reject::BadSignature));
    world.ca.revoke(card.serial);
    world.refresh_lists();
    assert_eq!(ask(&world, &card, unused), Err(Reject::CertificateRevoked));
}

/// After a status, P can check records that come without a chain.
#[test]
fn a_card_without_history_is_known_after_its_status() {
    let mut world = World::new();
    let mut card = world.new_card();
    let burned = card.burn().unwrap();
    assert_eq!(world.report(&burned), Err(Reject::UnknownCard));
    ask(&world, &card, nonce(&world)).unwrap();
    world.report(&burned).unwrap();
    assert_eq!(ask(&world, &card, nonce(&world)).unwrap().ack_credit.0, 1);
}
