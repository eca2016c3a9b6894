//! A CA comes to be once, whole, and readable by its owner only.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use ca::{Ca, CaError, Folder, NewCa};
use keystore::{KeyError, KeyPair, Passphrase};
use protocol::certificate::{PartyName, certified_key};

use crate::world::{PASSPHRASE, World};

fn found(folder: &Folder, name: &str, passphrase: &str) -> Result<ca::Founded, CaError> {
    let passphrase = Passphrase::new(passphrase);
    let root_passphrase = Passphrase::new("another one");
    let new = NewCa {
        name: PartyName::new(name)?,
        passphrase: &passphrase,
        root_passphrase: &root_passphrase,
    };
    ca::found(folder, &new, server::now())
}

#[test]
fn a_ca_is_founded_once_and_belongs_to_its_owner() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = Folder::new(scratch.path().join("ca"));
    let founded = found(&folder, "Test", PASSPHRASE).unwrap();
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(folder.path()), 0o700);
    let mut keys = 0;
    for entry in fs::read_dir(folder.path()).unwrap() {
        let path = entry.unwrap().path();
        if path.to_str().unwrap().ends_with("-key.pem") {
            keys += 1;
            assert_eq!(mode(&path), 0o600, "{path:?}");
        }
    }
    assert_eq!(keys, 3);
    assert!(matches!(found(&folder, "Test", PASSPHRASE), Err(CaError::Exists { .. })));
    let ca = Ca::open(folder.clone()).unwrap();
    assert_eq!(ca.root(), founded.root);
    assert_eq!(ca.card_root(), founded.card_root);
    // Three keys, and the root's under its own passphrase.
    let root = KeyPair::load(&folder.root_key(), &Passphrase::new("another one")).unwrap();
    assert_eq!(certified_key(ca.root()).unwrap(), root.public_key());
    assert_ne!(certified_key(ca.issuing()).unwrap(), root.public_key());
    assert_ne!(ca.card_root(), root.public_key());
    assert!(ca.unlock(&Passphrase::new(PASSPHRASE)).is_ok());
    assert!(ca.unlock_card_root(&Passphrase::new(PASSPHRASE)).is_ok());
    let wrong = ca.unlock(&Passphrase::new("another one"));
    assert!(matches!(wrong, Err(CaError::Key(KeyError::NotAKey { .. }))));
}

#[test]
fn what_cannot_be_founded_leaves_nothing_behind() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = Folder::new(scratch.path().join("ca"));
    for (name, passphrase) in [("Test", ""), ("", "x"), (&*"長".repeat(20), "x"), ("a\nb", "x")] {
        assert!(found(&folder, name, passphrase).is_err(), "{name}");
        assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 0, "{name}");
    }
    // An empty folder may be there already.
    fs::create_dir(folder.path()).unwrap();
    found(&folder, "Test", "x").unwrap();
}

#[test]
fn a_ca_is_not_opened_where_there_is_none() {
    let scratch = tempfile::tempdir().unwrap();
    assert!(Ca::open(Folder::new(scratch.path())).is_err());
    assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 0);
}

#[test]
fn a_key_of_another_ca_is_refused() {
    let (world, other) = (World::new(), World::new());
    for name in ["issuing-key.pem", "card-root-key.pem"] {
        let from = other.folder.path().join(name);
        fs::copy(from, world.folder.path().join(name)).unwrap();
    }
    let passphrase = Passphrase::new(PASSPHRASE);
    assert!(matches!(world.ca.unlock(&passphrase), Err(CaError::Content { .. })));
    assert!(matches!(world.ca.unlock_card_root(&passphrase), Err(CaError::Content { .. })));
}
