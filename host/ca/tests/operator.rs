//! What the operator may issue, and to whom.

use apdu_spec::value::{Generation, IssuerId, ShopId};
use ca::{CaError, EnrolmentCode, payer_id};
use keystore::KeyPair;
use protocol::certificate::PartyName;

use crate::world::{ISSUER, SHOP, World, request, server_request};

#[test]
fn a_request_must_be_signed_by_its_key() {
    let world = World::new();
    let good = request(&KeyPair::generate().unwrap());
    let other = request(&KeyPair::generate().unwrap());
    let lines: Vec<_> = good.lines().collect();
    let others: Vec<_> = other.lines().collect();
    // The last lines hold the signature.
    let (body, tail) = (&lines[..lines.len() - 3], &others[lines.len() - 3..]);
    let spliced = [body, tail].concat().join("\n");
    let p384 = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap();
    let p384 = rcgen::CertificateParams::default().serialize_request(&p384);
    let p384 = p384.unwrap().pem().unwrap();
    for (case, pem) in [
        ("spliced", &*spliced),
        ("another curve", &p384),
        ("empty", ""),
        ("a certificate", &ca::write_pem(&[world.ca.root().to_vec()]).unwrap()),
    ] {
        let request = server_request(pem, "Kiosk");
        let issued = world.ca.issue_shop(&world.key, &request, SHOP, world.start);
        assert!(matches!(issued, Err(CaError::Request(_))), "{case}: {issued:?}");
    }
}

#[test]
fn a_key_belongs_to_one_party() {
    let world = World::new();
    let pem = request(&KeyPair::generate().unwrap());
    let request = server_request(&pem, "Kiosk");
    let issue = |shop| world.ca.issue_shop(&world.key, &request, shop, world.start);
    issue(SHOP).unwrap();
    // The same shop may have its certificate renewed.
    issue(SHOP).unwrap();
    let other = issue(ShopId([9; 8]));
    assert!(matches!(other, Err(CaError::KeyInUse { .. })));
    let keys = (&world.key, &world.card_root_key());
    let payment =
        world.ca.issue_payment(keys, &request, (IssuerId(SHOP.0), Generation(1)), world.start);
    assert!(matches!(payment, Err(CaError::KeyInUse { .. })));
}

#[test]
fn generations_of_an_issuer_only_rise() {
    let world = World::new();
    let keys = (&world.key, &world.card_root_key());
    let pems = [(); 2].map(|()| request(&KeyPair::generate().unwrap()));
    let issue = |pem: &str, issuer, generation| {
        let request = server_request(pem, "Collection Service");
        let number = (issuer, Generation(generation));
        world.ca.issue_payment(keys, &request, number, world.start)
    };
    let next = |issued: Result<_, CaError>| match issued {
        Err(CaError::Generation { next, .. }) => next,
        other => panic!("{other:?}"),
    };
    assert_eq!(next(issue(&pems[0], ISSUER, 0)), 1);
    let first = issue(&pems[0], ISSUER, 3).unwrap();
    // The operator has lost the files, or the power went: the same again.
    assert_eq!(issue(&pems[0], ISSUER, 3).unwrap(), first);
    for generation in [1, 2, 3] {
        assert_eq!(next(issue(&pems[1], ISSUER, generation)), 4);
    }
    let second = issue(&pems[1], ISSUER, 4).unwrap();
    assert_ne!(second.compact, first.compact);
    let other = request(&KeyPair::generate().unwrap());
    issue(&other, IssuerId([7; 8]), 1).unwrap();
}

#[test]
fn a_holder_has_one_name_and_as_many_codes_as_cards() {
    let world = World::new();
    let name = |text: &str| Some(PartyName::new(text).unwrap());
    let register = |name, payer| world.ca.register(name, payer, world.start);
    let first = register(name("Taro"), None).unwrap();
    let digits = first.holder.payer.as_str();
    assert_eq!(digits.len(), 10);
    assert!(digits.bytes().all(|digit| digit.is_ascii_digit()));
    let same = || payer_id(digits).ok();
    for given in [None, name("Taro")] {
        let again = register(given, same()).unwrap();
        assert_eq!(again.holder, first.holder);
        assert_ne!(again.code, first.code);
    }
    assert!(matches!(register(name("Jiro"), same()), Err(CaError::OtherName { .. })));
    assert!(matches!(register(None, None), Err(CaError::UnknownHolder)));
    let unknown = register(None, payer_id("77").ok());
    assert!(matches!(unknown, Err(CaError::UnknownHolder)));
    let other = register(name("Taro"), None).unwrap();
    assert_ne!(other.holder.payer, first.holder.payer);
    // Only its hash is on disk.
    let code = first.code.to_string();
    assert!(code.parse::<EnrolmentCode>().is_ok());
    for entry in std::fs::read_dir(world.folder.path()).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        let bare = code.replace('-', "");
        for text in [code.as_bytes(), bare.as_bytes()] {
            assert!(!bytes.windows(text.len()).any(|window| window == text));
        }
    }
}
