//! What the CA issues is exactly what `protocol` accepts, for one role.

use apdu_spec::CompactCertificate;
use apdu_spec::cose::Sign1;
use apdu_spec::value::{Generation, Time};
use protocol::certificate::{Authority, CertificateError, Role, read_file};
use protocol::signed::{is_valid, key_id};

use crate::world::{CARD, ISSUER, SHOP, World, YEAR};

#[test]
fn a_chain_is_good_for_its_role_and_no_other() {
    let world = World::new();
    let authority = world.authority(world.start);
    for (role, chain) in world.chains() {
        for asked in Role::ALL {
            let verified = authority.verify(&chain, asked, world.start);
            if asked == role {
                let party = verified.unwrap();
                assert_eq!(party.role, role);
                assert_eq!(party.kid, key_id(&party.key));
                assert_eq!(party.serial.len(), 16);
                assert_eq!(party.not_before, Time(world.start.0 - 300));
                let (name, number, payer) = match role {
                    Role::Holder => ("花子 Hanako", CARD.0, Some("1234567890")),
                    Role::Shop => ("Kiosk", SHOP.0, None),
                    Role::PaymentServer => ("Collection Service", ISSUER.0, None),
                };
                let found = party.payer.as_ref().map(|payer| payer.as_str());
                assert_eq!((party.name.as_str(), party.number, found), (name, number, payer));
            } else {
                let refused = matches!(verified, Err(CertificateError::NotTrusted(_)));
                assert!(refused, "{role:?} as {asked:?}: {verified:?}");
            }
        }
    }
}

#[test]
fn a_chain_is_good_within_its_validity() {
    let world = World::new();
    let chain = world.shop_chain();
    let authority = world.authority(world.start);
    for (time, good) in [
        (Time(world.start.0 - 301), false),
        (Time(world.start.0 - 300), true),
        (world.after(YEAR * 2), true),
        (Time(world.after(YEAR * 2).0 + 1), false),
    ] {
        let identified = authority.identify(&chain, Role::Shop, time);
        assert_eq!(identified.is_ok(), good, "{time}");
        if !good {
            assert_eq!(identified, Err(CertificateError::Expired), "{time}");
        }
    }
}

#[test]
fn no_certificate_outlives_the_ca() {
    let world = World::new();
    let pem = crate::world::request(&keystore::KeyPair::generate().unwrap());
    let request =
        ca::ServerRequest { validity: YEAR * 50, ..crate::world::server_request(&pem, "Kiosk") };
    let chain = world.ca.issue_shop(&world.key, &request, SHOP, world.start);
    let authority = Authority::new(world.ca.root()).unwrap();
    let party = authority.identify(&chain.unwrap(), Role::Shop, world.start);
    assert_eq!(party.unwrap().not_after, world.after(YEAR * 10));
}

#[test]
fn another_cas_chain_is_not_trusted() {
    let (world, other) = (World::new(), World::new());
    for (role, chain) in other.chains() {
        let verified = world.authority(world.start).verify(&chain, role, world.start);
        assert!(matches!(verified, Err(CertificateError::NotTrusted(_))));
        // Not even with our issuing CA in it.
        let mixed = [chain[0].clone(), world.ca.issuing().to_vec()];
        let verified = world.authority(world.start).verify(&mixed, role, world.start);
        assert!(matches!(verified, Err(CertificateError::NotTrusted(_))));
    }
}

#[test]
fn a_leaf_certifies_nobody() {
    let world = World::new();
    let authority = world.authority(world.start);
    let [(_, holder), (_, shop), _] = world.chains();
    let chain = [holder[0].clone(), shop[0].clone(), shop[1].clone()];
    let verified = authority.verify(&chain, Role::Holder, world.start);
    // The extra certificate leads nowhere, and no list of its "issuer" can be at hand.
    assert!(verified.is_err(), "{verified:?}");
}

#[test]
fn a_chain_fits_the_cards_certificate_file() {
    let world = World::new();
    let chain = world.holder_chain();
    let file = chain.concat();
    assert!(file.len() < apdu_spec::CERTIFICATE_MAX, "{}", file.len());
    assert_eq!(read_file(&file), Ok(chain));
    for bad in [&[][..], &file[..file.len() - 1], &[&file[..], &[0x30]].concat()] {
        assert!(read_file(bad).is_err(), "{} bytes", bad.len());
    }
}

#[test]
fn a_compact_certificate_certifies_the_same_key() {
    let world = World::new();
    let payment = world.payment(7);
    let sign1 = Sign1::read(&payment.compact).unwrap();
    let card_root = world.ca.card_root();
    assert_eq!(payment.compact.len(), CompactCertificate::SIGN1_SIZE);
    assert_eq!(sign1.kid, key_id(&card_root));
    let structure = sign1.sig_structure().unwrap();
    assert!(is_valid(&card_root, structure.as_bytes(), &sign1.signature));
    let content = CompactCertificate::decode(sign1.payload).unwrap();
    let authority = world.authority(world.start);
    let party = authority.verify(&payment.chain, Role::PaymentServer, world.start);
    assert_eq!(
        content,
        CompactCertificate { issuer: ISSUER, generation: Generation(7), key: party.unwrap().key }
    );
}
