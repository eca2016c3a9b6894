//! The process is killed at any point: the books on disk give the same answers again.

use std::fs;
use std::sync::Arc;

use protocol::Reject;
use protocol::document::Invoice;
use protocol::load::LoadOrder;
use protocol::purchase::Booking;
use protocol::signed::Verified;

use super::card::SoftCard;
use super::world::World;
use crate::service::{Fault, Service};
use crate::store::{Store, StoreError};

/// A request that was answered, to be repeated.
enum Asked {
    Permit { card: Box<SoftCard>, invoice: Box<Verified<Invoice>>, permit: Vec<u8> },
    Debit { record: Vec<u8>, booking: Booking },
    Token { card: Box<SoftCard>, order: Box<Verified<LoadOrder>>, token: Vec<u8> },
    Report { record: Vec<u8>, answer: Vec<u8> },
}

impl Asked {
    /// Asks again and compares.
    fn repeat(&self, world: &World) {
        match self {
            Self::Permit { card, invoice, permit } => {
                // Paid in the meantime, or the same bytes.
                match world.permit(card, invoice) {
                    Ok(again) => assert_eq!(again, *permit),
                    Err(reject) => assert_eq!(reject, Reject::InvoicePaid),
                }
            }
            Self::Debit { record, booking } => {
                assert_eq!(world.book(record).as_ref(), Ok(booking));
            }
            Self::Token { card, order, token } => match world.token(card, order) {
                Ok(again) => {
                    let read = |bytes: &[u8]| {
                        let token =
                            protocol::signed::SignedRecord::<apdu_spec::record::CreditToken>::parse(
                                bytes,
                            );
                        token.unwrap().claims().credit_record()
                    };
                    assert_eq!(read(&again), read(token));
                }
                Err(reject) => assert_eq!(reject, Reject::CreditTaken),
            },
            Self::Report { record, answer } => {
                assert_eq!(world.report(record).as_ref(), Ok(answer));
            }
        }
    }
}

/// The same server on a copy of the files as they are on disk now, as a kill would leave them.
fn survivor(world: &World) -> (tempfile::TempDir, Arc<Service>) {
    let folder = tempfile::tempdir().unwrap();
    for name in ["books.db", "books.db-wal"] {
        let (from, to) = (world.folder.path().join(name), folder.path().join(name));
        fs::copy(from, to).unwrap();
    }
    let store = Store::open(&folder.path().join("books.db")).unwrap();
    let service = &world.service;
    let (trust, policy) = (service.trust.clone(), service.own.policy);
    let signer = Box::new(world.signer.clone());
    (folder, Arc::new(Service::new(store, trust, signer, policy, world.now).unwrap()))
}

/// Kills the server, repeats everything at the survivor, and goes on with the original.
fn check(world: &mut World, asked: &[Asked]) {
    let (folder, service) = survivor(world);
    let original = std::mem::replace(&mut world.service, service);
    let before = (original.balances().unwrap(), original.cards().unwrap());
    for asked in asked {
        asked.repeat(world);
    }
    let after = (world.service.balances().unwrap(), world.service.cards().unwrap());
    assert_eq!(format!("{before:?}"), format!("{after:?}"));
    world.service = original;
    drop(folder);
}

#[test]
fn every_answer_survives_a_kill() {
    let mut world = World::new();
    world.issue(1000);
    let mut card = world.new_card();
    let mut asked = Vec::new();
    for round in 0..3_u64 {
        let order = world.load_order(card.id, 200);
        check(&mut world, &asked);
        let token = world.token(&card, &order).unwrap();
        let (before, order) = (Box::new(card.clone()), Box::new(order));
        asked.push(Asked::Token { card: before, order, token: token.clone() });
        check(&mut world, &asked);
        let record = card.credit(&token).unwrap();
        let answer = world.report(&record).unwrap();
        asked.push(Asked::Report { record, answer });
        check(&mut world, &asked);
        let invoice = world.invoice(&card, 100 + round);
        let permit = world.permit(&card, &invoice).unwrap();
        let (before, invoice) = (Box::new(card.clone()), Box::new(invoice));
        asked.push(Asked::Permit { card: before, invoice, permit: permit.clone() });
        check(&mut world, &asked);
        let record = card.debit(&permit).unwrap();
        let booking = world.book(&record).unwrap();
        asked.push(Asked::Debit { record, booking });
        check(&mut world, &asked);
        let burned = card.burn().unwrap();
        let answer = world.report(&burned).unwrap();
        asked.push(Asked::Report { record: burned, answer });
        check(&mut world, &asked);
        world.restart();
    }
}

#[test]
fn a_job_that_fails_writes_nothing() {
    let world = World::new();
    let store = &world.service.store;
    let refused = store.apply(|books| {
        books.execute("DELETE FROM shops", &[])?;
        Err::<(), Fault>(Reject::PermitLive.into())
    });
    assert!(matches!(refused, Err(Fault::Reject(Reject::PermitLive))));
    assert!(store.read(|books| books.shop(&world.shop.id)).unwrap().is_some());
}

/// After a failed write nothing is answered any more, not even what would succeed.
#[test]
fn a_failed_disk_stops_the_books() {
    let world = World::new();
    let store = &world.service.store;
    let failed = store.apply(|_| Err::<(), _>(StoreError::Storage("fsync".to_owned())));
    assert!(failed.is_err_and(|error| error.is_fatal()));
    let later = store.read(|books| books.title());
    assert!(matches!(later, Err(StoreError::Stopped)));
    assert!(store.require_whole().is_err());
    // The helper that looks at the books when a world ends needs them.
    let mut world = world;
    world.restart();
}

#[test]
fn damaged_or_newer_books_are_not_opened() {
    let mut world = World::new();
    world.loaded_card(100);
    let path = world.folder.path().join("books.db");
    let set = |sql: &str| {
        world.service.store.apply(|books| books.execute(sql, &[])).unwrap();
    };
    set("UPDATE accounts SET balance = balance + 1 WHERE kind = 'fund'");
    assert!(matches!(Store::open(&path), Err(StoreError::Damaged(_))));
    set("UPDATE accounts SET balance = balance - 1 WHERE kind = 'fund'");
    assert!(Store::open(&path).is_ok());
    set("PRAGMA user_version = 99");
    assert!(matches!(Store::open(&path), Err(StoreError::Newer { found: 99, .. })));
    set("PRAGMA user_version = 1");
    assert!(Store::open(&folder_of_nothing(&world)).is_err());
}

fn folder_of_nothing(world: &World) -> std::path::PathBuf {
    world.folder.path().join("nothing.db")
}
