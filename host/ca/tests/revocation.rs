//! Revocation lists: what is in them, when they are signed, and what parties make of them.

use std::time::Duration;

use apdu_spec::value::Time;
use ca::{Ca, CaError, Kind, Reason, Target};
use protocol::certificate::{Authority, CertificateError, Role};

use crate::world::{CARD, DAY, ISSUER, SHOP, World, YEAR};

#[test]
fn a_revoked_certificate_was_good_before() {
    let world = World::new();
    let targets = [Target::Card(CARD), Target::Shop(SHOP), Target::Issuer(ISSUER)];
    for ((role, chain), target) in world.chains().into_iter().zip(targets) {
        let revoked_at = world.after(Duration::from_secs(100));
        let revoked = world.ca.revoke(target, Reason::KeyCompromise, revoked_at);
        assert!(!revoked.unwrap().is_empty());
        let authority = world.authority(revoked_at);
        let verify = |time| authority.verify(&chain, role, time).map(|_| ());
        assert_eq!(verify(Time(revoked_at.0 - 1)), Ok(()), "{role:?}");
        assert_eq!(verify(revoked_at), Err(CertificateError::Revoked), "{role:?}");
        let later = world.after(Duration::from_secs(200));
        assert_eq!(verify(later), Err(CertificateError::Revoked), "{role:?}");
    }
}

#[test]
fn without_both_lists_of_the_time_nothing_is_known() {
    let world = World::new();
    let chain = world.shop_chain();
    let unknown = |authority: &Authority, time| {
        let verified = authority.verify(&chain, Role::Shop, time);
        matches!(verified, Err(CertificateError::RevocationUnknown { .. }))
    };
    let (root_list, list) = (world.ca.root_list().unwrap(), world.issuing_list(world.start));
    for lists in [vec![], vec![&root_list], vec![&list]] {
        let mut authority = Authority::new(world.ca.root()).unwrap();
        for list in lists {
            authority.add_list(list).unwrap();
        }
        assert!(unknown(&authority, world.start));
    }
    let authority = world.authority(world.start);
    for (time, is_unknown) in
        [(world.start, false), (world.after(DAY), false), (Time(world.after(DAY).0 + 1), true)]
    {
        assert_eq!(unknown(&authority, time), is_unknown, "{time}");
    }
}

#[test]
fn a_later_list_proves_an_earlier_time() {
    let world = World::new();
    let chain = world.shop_chain();
    let authority = world.authority(world.after(2 * DAY));
    let verify = |time| authority.verify(&chain, Role::Shop, time).map(|_| ());
    assert_eq!(verify(world.start), Ok(()));
}

#[test]
fn an_old_list_does_not_roll_a_revocation_back() {
    let world = World::new();
    let chain = world.shop_chain();
    let mut authority = world.authority(world.start);
    let old: Vec<_> = authority.lists().map(<[u8]>::to_vec).collect();
    let revoked_at = world.after(Duration::from_secs(1000));
    world.ca.revoke(Target::Shop(SHOP), Reason::KeyCompromise, revoked_at).unwrap();
    authority.renew_list(&world.issuing_list(revoked_at)).unwrap();
    for list in old {
        authority.renew_list(&list).unwrap();
    }
    let verified = authority.verify(&chain, Role::Shop, revoked_at).map(|_| ());
    assert_eq!(verified, Err(CertificateError::Revoked));
}

/// Revocation is checked along the chain that was sent: another certificate between leaf and
/// issuer would have the leaf looked up in a list of somebody else.
#[test]
fn a_certificate_more_in_the_chain_does_not_hide_a_revocation() {
    let world = World::new();
    let chain = world.shop_chain();
    world.ca.revoke(Target::Shop(SHOP), Reason::KeyCompromise, world.start).unwrap();
    let authority = world.authority(world.start);
    let [leaf, issuing] = chain.as_slice() else { panic!("a chain is leaf and issuing CA") };
    let longer = vec![leaf.clone(), world.ca.root().to_vec(), issuing.clone()];
    for chain in [longer, vec![leaf.clone(), issuing.clone(), world.ca.root().to_vec()]] {
        let verified = authority.verify(&chain, Role::Shop, world.start);
        assert!(matches!(verified, Err(CertificateError::NotTrusted(_))), "{verified:?}");
    }
}

#[test]
fn another_cas_lists_change_nothing() {
    let (world, other) = (World::new(), World::new());
    let chain = world.shop_chain();
    other.shop_chain();
    let shop = Target::Shop(SHOP);
    other.ca.revoke(shop, Reason::Unspecified, other.start).unwrap();
    let mut authority = other.authority(other.start);
    authority = Authority::new(world.ca.root())
        .map(|mut ours| {
            let lists: Vec<_> = authority.lists().map(<[u8]>::to_vec).collect();
            lists.iter().for_each(|list| ours.add_list(list).unwrap());
            ours
        })
        .unwrap();
    let verify = |authority: &Authority| authority.verify(&chain, Role::Shop, world.start);
    assert!(matches!(verify(&authority), Err(CertificateError::RevocationUnknown { .. })));
    for list in world.authority(world.start).lists() {
        authority.add_list(list).unwrap();
    }
    assert!(verify(&authority).is_ok());
}

#[test]
fn a_list_is_signed_anew_when_old_or_when_another_process_has_revoked() {
    let world = World::new();
    world.shop_chain();
    let first = world.issuing_list(world.start);
    let young = world.after(DAY / 4 - Duration::from_secs(1));
    assert_eq!(world.issuing_list(young), first);
    let second = world.issuing_list(world.after(DAY / 4));
    assert_ne!(second, first);
    // As `kozeni ca revoke` does while the server runs.
    let other_process = Ca::open(world.folder.clone()).unwrap();
    let shop = Target::Shop(SHOP);
    let now = world.after(DAY / 4);
    other_process.revoke(shop, Reason::Superseded, now).unwrap();
    let third = world.issuing_list(now);
    assert_ne!(third, second);
    assert_eq!(world.issuing_list(now), third);
    // A clock that was set back does not keep an old list alive.
    assert_ne!(world.issuing_list(world.start), third);
}

#[test]
fn the_roots_list_names_the_issuing_ca_when_the_root_has_signed_it() {
    let world = World::new();
    let chain = world.shop_chain();
    let certificates = world.ca.certificates().unwrap();
    let issuing = certificates.iter().find(|issued| issued.kind == Kind::IssuingCa);
    let target = Target::Serial(issuing.unwrap().serial);
    world.ca.revoke(target, Reason::CaCompromise, world.start).unwrap();
    let authority = world.authority(world.start);
    let verify = |authority: &Authority| authority.verify(&chain, Role::Shop, world.start);
    assert!(verify(&authority).is_ok());
    assert_eq!(world.ca.root_list_end().unwrap(), world.after(YEAR));
    let later = world.after(DAY);
    let list = world.ca.sign_root_list(world.root_key(), later).unwrap();
    assert_eq!(world.ca.root_list().unwrap(), list);
    assert_eq!(world.ca.root_list_end().unwrap(), world.after(DAY + YEAR));
    let authority = world.authority(world.start);
    assert_eq!(verify(&authority), Err(CertificateError::Revoked));
    let wrong = world.ca.sign_root_list(world.card_root_key(), later);
    assert!(matches!(wrong, Err(CaError::Certificate(_))));
}

#[test]
fn an_expired_certificate_leaves_the_list_a_month_after_its_end() {
    let world = World::new();
    world.shop_chain();
    let shop = Target::Shop(SHOP);
    let revoked = world.ca.revoke(shop, Reason::Unspecified, world.start);
    let serial = *revoked.unwrap()[0].serial.as_bytes();
    for (time, listed) in [(YEAR, true), (YEAR * 2 + DAY * 30, true), (YEAR * 2 + DAY * 31, false)]
    {
        let list = world.issuing_list(world.after(time));
        let found = list.windows(serial.len()).any(|window| window == serial);
        assert_eq!(found, listed, "{time:?}");
    }
}

#[test]
fn only_what_is_good_can_be_revoked() {
    let world = World::new();
    let shop = Target::Shop(SHOP);
    let revoke = |target, time| world.ca.revoke(target, Reason::Unspecified, time);
    assert!(matches!(revoke(shop, world.start), Err(CaError::NothingToRevoke)));
    world.shop_chain();
    let expired = world.after(YEAR * 3);
    assert!(matches!(revoke(shop, expired), Err(CaError::NothingToRevoke)));
    assert_eq!(revoke(shop, world.start).unwrap().len(), 1);
    assert!(matches!(revoke(shop, world.start), Err(CaError::NothingToRevoke)));
    // A new certificate is a new target.
    world.shop_chain();
    world.shop_chain();
    assert_eq!(revoke(shop, world.start).unwrap().len(), 2);
}
