//! OpenSSL agrees with us about certificates and lists.

use std::process::Command;

use ca::{Reason, Target, write_pem};

use crate::world::{CARD, SHOP, World};

/// Runs `openssl`, and says whether it succeeded and what it printed; `None` where it is missing.
fn openssl(arguments: &[&str]) -> Option<(bool, String)> {
    let Ok(output) = Command::new("openssl").args(arguments).output() else {
        println!("skipped: the program openssl is not installed");
        return None;
    };
    let text = [output.stdout, output.stderr].concat();
    Some((output.status.success(), String::from_utf8_lossy(&text).into_owned()))
}

struct Files {
    root: String,
    issuing: String,
    leaf: String,
}

fn files(world: &World, name: &str, chain: &[Vec<u8>]) -> Files {
    let file = |name: &str, der: &[u8]| {
        let pem = write_pem(&[der.to_vec()]).unwrap();
        world.file(name, pem.as_bytes())
    };
    Files {
        root: file("root.pem", world.ca.root()),
        issuing: file("issuing.pem", &chain[1]),
        leaf: file(name, &chain[0]),
    }
}

fn list_pem(world: &World, name: &str, der: &[u8]) -> Option<String> {
    let der = world.file(&format!("{name}.der"), der);
    let pem = world.file(name, b"");
    let (done, text) = openssl(&["crl", "-inform", "DER", "-in", &der, "-out", &pem])?;
    assert!(done, "{text}");
    Some(pem)
}

#[test]
fn openssl_verifies_our_chains_until_they_are_revoked() {
    let world = World::new();
    let chains = world.chains();
    for target in [Target::Card(CARD), Target::Shop(SHOP)] {
        world.ca.revoke(target, Reason::KeyCompromise, world.start).unwrap();
    }
    let root_list = list_pem(&world, "root.crl", &world.ca.root_list().unwrap());
    let list = list_pem(&world, "issuing.crl", &world.issuing_list(world.start));
    let (Some(root_list), Some(list)) = (root_list, list) else {
        return;
    };
    for ((role, chain), good) in chains.into_iter().zip([false, false, true]) {
        let files = files(&world, &format!("{role:?}.pem"), &chain);
        let base = ["verify", "-x509_strict", "-CAfile", &files.root];
        let leaf = ["-untrusted", &files.issuing, &files.leaf];
        let (verified, text) = openssl(&[&base[..], &leaf[..]].concat()).unwrap();
        assert!(verified, "{role:?}: {text}");
        let lists = ["-crl_check_all", "-CRLfile", &root_list, "-CRLfile", &list];
        let (verified, text) = openssl(&[&base[..], &lists[..], &leaf[..]].concat()).unwrap();
        assert_eq!(verified, good, "{role:?}: {text}");
        assert_eq!(text.contains("certificate revoked"), !good, "{role:?}: {text}");
    }
}

#[test]
fn openssl_reads_what_we_mean() {
    let world = World::new();
    let chain = world.holder_chain();
    let Files { leaf, issuing, root } = files(&world, "holder.pem", &chain);
    let read = |file: &str| openssl(&["x509", "-noout", "-text", "-in", file]);
    let (Some((_, leaf)), Some((_, issuing))) = (read(&leaf), read(&issuing)) else {
        return;
    };
    let hex = CARD.to_string();
    for expected in [
        "serialNumber = 1234567890",
        &format!("URI:urn:kozeni:card:{hex}"),
        "2.25.1263491653.1",
        "Digital Signature",
        "CA:FALSE",
        "Subject Key Identifier",
        "Authority Key Identifier",
        "ecdsa-with-SHA256",
    ] {
        assert!(leaf.contains(expected), "{expected} is not in\n{leaf}");
    }
    for other in ["2.25.1263491653.2", "2.25.1263491653.3"] {
        assert!(!leaf.contains(other), "{other} is in\n{leaf}");
    }
    for expected in [
        "CA:TRUE, pathlen:0",
        "Certificate Sign, CRL Sign",
        "2.25.1263491653.1, 2.25.1263491653.2, 2.25.1263491653.3",
    ] {
        assert!(issuing.contains(expected), "{expected} is not in\n{issuing}");
    }
    let (_, text) = read(&root).unwrap();
    assert!(text.contains("Certificate Sign, CRL Sign"), "{text}");
}

#[test]
fn openssl_verifies_our_lists() {
    let world = World::new();
    let chain = world.shop_chain();
    let files = files(&world, "shop.pem", &chain);
    let check = |der: &[u8], signer: &str| {
        let list = world.file("list.crl", der);
        let form = ["crl", "-noout", "-text", "-inform", "DER", "-in", &list];
        openssl(&[&form[..], &["-CAfile", signer]].concat())
    };
    let shop = Target::Shop(SHOP);
    let reason = Reason::CessationOfOperation;
    let revoked = world.ca.revoke(shop, reason, world.start).unwrap();
    let root_list = world.ca.root_list().unwrap();
    let list = world.issuing_list(world.start);
    let Some((_, text)) = check(&list, &files.issuing) else {
        return;
    };
    let serial = revoked[0].serial.to_string().to_uppercase();
    for expected in ["verify OK", &serial, "Cessation Of Operation", "CRL Number"] {
        assert!(text.contains(expected), "{expected} is not in\n{text}");
    }
    let (_, text) = check(&root_list, &files.root).unwrap();
    assert!(text.contains("verify OK"), "{text}");
    assert!(text.contains("No Revoked Certificates"), "{text}");
}

#[test]
fn a_request_made_by_openssl_is_accepted() {
    let world = World::new();
    let key = world.file("shop-key.pem", b"");
    let curve = ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"];
    let Some((made, text)) = openssl(&[&["genpkey", "-out", &key], &curve[..]].concat()) else {
        return;
    };
    assert!(made, "{text}");
    let subject = ["-subj", "/CN=Kiosk"];
    let (_, pem) = openssl(&[&["req", "-new", "-key", &key], &subject[..]].concat()).unwrap();
    let request = crate::world::server_request(&pem, "Kiosk");
    let issued = world.ca.issue_shop(&world.key, &request, SHOP, world.start);
    assert!(issued.is_ok(), "{issued:?}");
}
