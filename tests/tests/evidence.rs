//! A real purchase's evidence, and everything that can be done to it.

use std::sync::OnceLock;

use e2e::slot::Way;
use e2e::world::{Plan, World};
use minicbor::bytes::ByteVec;
use protocol::bundle::Bundle;
use protocol::form;

/// Bundles of two purchases by the same parties, and the root that proves them.
struct Evidence {
    bundles: [Vec<u8>; 2],
    root: Vec<u8>,
}

fn evidence() -> &'static Evidence {
    static MADE: OnceLock<Evidence> = OnceLock::new();
    MADE.get_or_init(|| {
        let world = World::start(&Plan { way: Way::Direct, ..Plan::default() }).unwrap();
        let shop = world.shop_url();
        let buy = |wish: &[&str]| {
            let order = [&["wallet", "order", &shop], wish, &["--yes", "--pin-file", "pin"]];
            let bought = world.done(&order.concat()).unwrap();
            let path = bought["evidence"].as_str().expect("a complete purchase leaves evidence");
            std::fs::read(path).unwrap()
        };
        let bundles = [buy(&["A:1", "C:2"]), buy(&["C:1", "A:1"])];
        let pem = std::fs::read_to_string(world.path("ca/root.pem")).unwrap();
        let root = protocol::certificate::read_pem(&pem).remove(0);
        Evidence { bundles, root }
    })
}

impl Evidence {
    fn bundle(&self, number: usize) -> Bundle {
        form::decode(&self.bundles[number]).unwrap()
    }

    /// The document that does not stand, or nothing when everything does.
    fn culprit(&self, bundle: &[u8]) -> Option<&'static str> {
        evidence::verify(bundle, &self.root).err().map(|failure| failure.document)
    }
}

#[test]
fn it_proves_the_purchase() {
    let evidence = evidence();
    for bundle in &evidence.bundles {
        let proof = evidence::verify(bundle, &evidence.root).unwrap();
        assert!(proof.complete);
        assert_eq!(proof.currency, 392);
        assert_eq!(proof.lines.iter().flatten().count(), 2);
    }
}

#[test]
fn a_flipped_bit_is_found_wherever_it_is() {
    let evidence = evidence();
    let whole = &evidence.bundles[0];
    let step = if std::env::var_os("KOZENI_EXHAUSTIVE").is_some() { 1 } else { 17 };
    for bit in (0..whole.len() * 8).step_by(step) {
        let mut bundle = whole.clone();
        bundle[bit / 8] ^= 1 << (bit % 8);
        assert!(evidence.culprit(&bundle).is_some(), "bit {bit} of {} bytes", whole.len());
    }
}

/// One document of a bundle.
type Part = (&'static str, fn(&mut Bundle) -> &mut ByteVec);

const PARTS: [Part; 9] = [
    ("order", |bundle| &mut bundle.order_request),
    ("order", |bundle| &mut bundle.order),
    ("order line", |bundle| &mut bundle.lines[0]),
    ("invoice 51", |bundle| &mut bundle.invoice),
    ("request (signature 52)", |bundle| &mut bundle.request),
    ("permit", |bundle| &mut bundle.permit),
    ("debit record", |bundle| &mut bundle.debit),
    ("receipt 53", |bundle| &mut bundle.receipt),
    ("completion", |bundle| bundle.completion.as_mut().expect("it is complete")),
];

#[test]
fn a_document_of_another_purchase_is_found() {
    let evidence = evidence();
    for (name, part) in PARTS {
        let (mut bundle, mut other) = (evidence.bundle(0), evidence.bundle(1));
        std::mem::swap(part(&mut bundle), part(&mut other));
        let culprit = evidence.culprit(&form::encode(&bundle));
        // An invoice or receipt that is another's speaks against the documents beside it.
        assert!(culprit.is_some(), "{name} of another purchase");
        if !["invoice 51", "receipt 53"].contains(&name) {
            assert_eq!(culprit, Some(name), "{name} of another purchase");
        }
    }
}

#[test]
fn a_missing_document_is_found_and_named() {
    let evidence = evidence();
    for (name, part) in PARTS {
        let mut bundle = evidence.bundle(0);
        if name == "order line" {
            bundle.lines.remove(0);
        } else {
            part(&mut bundle).clear();
        }
        assert_eq!(evidence.culprit(&form::encode(&bundle)), Some(name), "without {name}");
    }
    let mut bundle = evidence.bundle(0);
    bundle.completion = None;
    assert_eq!(evidence.culprit(&form::encode(&bundle)), Some("completion"));
    let mut bundle = evidence.bundle(0);
    bundle.card_chain.clear();
    assert_eq!(evidence.culprit(&form::encode(&bundle)), Some("card certificate"));
    let mut bundle = evidence.bundle(0);
    bundle.lists.clear();
    assert!(evidence.culprit(&form::encode(&bundle)).is_some());
}

#[test]
fn an_erased_line_leaves_the_rest_provable() {
    let evidence = evidence();
    let mut bundle = evidence.bundle(0);
    bundle.lines[0].clear();
    let proof = evidence::verify(&form::encode(&bundle), &evidence.root).unwrap();
    assert!(proof.lines[0].is_none());
    assert!(proof.statements.iter().any(|statement| statement.contains("erased")));
}

#[test]
fn an_unprotected_header_is_refused() {
    let evidence = evidence();
    for (name, part) in PARTS.into_iter().filter(|(name, _)| !["order line"].contains(name)).skip(1)
    {
        let mut bundle = evidence.bundle(0);
        let document = part(&mut bundle);
        // D2 84, protected header, A0: an empty unprotected header, which gets an entry.
        let mut decoder = minicbor::Decoder::new(document);
        decoder.tag().unwrap();
        decoder.array().unwrap();
        decoder.bytes().unwrap();
        let place = decoder.position();
        assert_eq!(document[place], 0xa0);
        document.splice(place..=place, [0xa1, 0x18, 0x63, 0x00]);
        assert_eq!(evidence.culprit(&form::encode(&bundle)), Some(name));
    }
}

#[test]
fn a_longer_form_of_the_same_content_is_refused() {
    let evidence = evidence();
    for (name, part) in PARTS.into_iter().filter(|(name, _)| !["order line"].contains(name)).skip(1)
    {
        let mut bundle = evidence.bundle(0);
        let document = part(&mut bundle);
        // 84: an array of four, written with a length byte of its own.
        assert_eq!(document[1], 0x84);
        document.splice(1..=1, [0x98, 0x04]);
        assert_eq!(evidence.culprit(&form::encode(&bundle)), Some(name));
    }
}

#[test]
fn another_root_proves_nothing() {
    let evidence = evidence();
    let other = World::start(&Plan { way: Way::Direct, load: 0, ..Plan::default() }).unwrap();
    let pem = std::fs::read_to_string(other.path("ca/root.pem")).unwrap();
    let root = protocol::certificate::read_pem(&pem).remove(0);
    assert!(evidence::verify(&evidence.bundles[0], &root).is_err());
}
