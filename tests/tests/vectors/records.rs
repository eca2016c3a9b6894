//! `records.txt`: an ordinary and a largest example of every record.

use std::fmt::Write;

use apdu_spec::CompactCertificate;
use apdu_spec::cbor::{self, Major};
use apdu_spec::codec::Reader;
use apdu_spec::cose::Sign1;
use apdu_spec::record::{
    BurnedSlot, CreditRecord, CreditRequest, CreditToken, DebitRecord, DebitRequest, Enrolment,
    LimitsRecord, Order, Permit, RECORDS, Record, Status,
};
use apdu_spec::value::{
    Amount, CardId, CreditId, Currency, Epoch, Generation, Hash, IssuerId, LimitsVersion, Nonce,
    OrderPin, PaymentId, PublicKey, Purpose, RequestId, Sequence, ShopId, Time, TransactionId,
};
use e2e::keys::{has_low_s, sha256, verifies};

use super::test_key::TestKey;
use super::{
    AMOUNT, AUTHORITY, CARD, CREDIT, INVOICE, ISSUER, NONCE, PAYMENT, REQUEST, SHOP, TRANSACTION,
    YEN, check_file, hex,
};

const HEADING: &str = "\
# Signed records of a Kozeni card: see APDU.md, sections 5 and 13, and records.cddl.
# Every key here is a TEST KEY: its private key is the SHA-256 of the text behind its name.
# field: label, name, value; bytes in hexadecimal, integers in decimal.
# Signatures: plain RFC 6979 with low s. \"largest\" has every integer at its maximum; its bytes
# mean nothing.
";

/// The value of a field with the longest encoding.
trait Largest {
    const LARGEST: Self;
}

macro_rules! largest {
    ($($bytes:ident)*; $($integer:ident)*; $($name:ident = $variant:ident)*) => {
        $(impl Largest for $bytes { const LARGEST: Self = Self([0xff; Self::SIZE]); })*
        $(impl Largest for $integer { const LARGEST: Self = Self::MAX; })*
        $(impl Largest for $name { const LARGEST: Self = Self::$variant; })*
    };
}

largest! {
    CardId IssuerId ShopId PaymentId CreditId TransactionId RequestId Nonce Hash PublicKey;
    Amount Currency Sequence Epoch Time LimitsVersion;
    Purpose = Suspense  OrderPin = Always
}

macro_rules! examples {
    ($into:ident; $($key:ident $record:ident { $($field:ident: $value:expr,)* })*) => {$(
        let ordinary = $record { $($field: $value,)* };
        let largest = $record { $($field: Largest::LARGEST,)* };
        for (case, record) in [("ordinary", ordinary), ("largest", largest)] {
            write_record(&mut $into, &$key, case, &record, &[$(stringify!($field),)*]);
        }
        let largest = $key.sign(largest.encode().unwrap().as_bytes());
        assert_eq!(largest.as_bytes().len(), $record::SIGN1_MAX, "{}", $record::NAME);
    )*};
}

#[test]
fn records_are_as_in_the_file() {
    let [card, root, p] = [TestKey::card(), TestKey::card_root(), TestKey::payment()];
    let mut text = HEADING.to_owned();
    for key in [&card, &root, &p] {
        writeln!(text, "\nkey {}", key.label).unwrap();
        writeln!(text, "private {}", hex(&key.private)).unwrap();
        writeln!(text, "public {}", hex(&key.public.0)).unwrap();
        writeln!(text, "kid {}", hex(&key.kid.0)).unwrap();
    }
    write_card_records(&mut text, &card);
    write_payment_records(&mut text, &p);
    let headings = text.lines().filter(|line| line.starts_with("record "));
    assert_eq!(headings.count(), 2 * RECORDS.len());
    write_certificates(&mut text, &root, &p);
    check_file("records.txt", &text);
}

fn write_card_records(text: &mut String, card: &TestKey) {
    let mut into = text;
    examples! { into;
        card Order {
            card: CARD, shop: SHOP, amount: AMOUNT, currency: YEN, request: REQUEST,
            request_hash: INVOICE,
        }
        card DebitRequest {
            card: CARD, debit_seq: Sequence(1), invoice_hash: INVOICE, shop: SHOP, amount: AMOUNT,
            currency: YEN,
        }
        card DebitRecord {
            card: CARD, debit_seq: Sequence(1), payment: PAYMENT, invoice_hash: INVOICE,
            shop: SHOP, amount: AMOUNT, currency: YEN,
        }
        card CreditRequest {
            card: CARD, slot: Sequence(24), authority_hash: AUTHORITY, amount: AMOUNT,
            currency: YEN, purpose: Purpose::Refund,
        }
        card CreditRecord {
            card: CARD, slot: Sequence(24), credit: CREDIT, authority_hash: AUTHORITY,
            transaction: TRANSACTION, shop: SHOP, amount: AMOUNT, currency: YEN,
            purpose: Purpose::Refund,
        }
        card BurnedSlot { card: CARD, slot: Sequence(25), }
        card Status {
            card: CARD, debit_seq: Sequence(1), credit_seq: Sequence(25), currency: YEN,
            epoch: Epoch(1_750_000_000), nonce: NONCE, balance: Amount(48_750),
            journal_head: Hash([0xbb; 32]),
        }
        card Enrolment { card: CARD, nonce: NONCE, public_key: card.public, issuer: ISSUER, }
    }
}

fn write_payment_records(text: &mut String, p: &TestKey) {
    let mut into = text;
    examples! { into;
        p Permit {
            card: CARD, debit_seq: Sequence(1), payment: PAYMENT, invoice_hash: INVOICE,
            shop: SHOP, amount: AMOUNT, currency: YEN, expiry: Time(1_760_000_000),
            epoch: Epoch(1_750_000_000), ack_debit: Sequence(0), ack_credit: Sequence(23),
        }
        p CreditToken {
            card: CARD, slot: Sequence(24), credit: CREDIT, authority_hash: AUTHORITY,
            transaction: TRANSACTION, shop: SHOP, amount: AMOUNT, currency: YEN,
            purpose: Purpose::Refund, epoch: Epoch(1_750_000_000), ack_debit: Sequence(1),
            ack_credit: Sequence(23),
        }
        p LimitsRecord {
            card: CARD, version: LimitsVersion(1), balance_max: Amount(100_000),
            debit_max: Amount(20_000), pin_floor: Amount(1_000), pin_free_max: Amount(2_500),
            order_pin: OrderPin::OverFloor,
        }
    }
}

fn write_record<R: Record + PartialEq + std::fmt::Debug>(
    text: &mut String,
    key: &TestKey,
    case: &str,
    record: &R,
    names: &[&str],
) {
    let payload = record.encode().unwrap();
    let payload = payload.as_bytes();
    assert_eq!(R::decode(payload).as_ref(), Ok(record));
    let (kind, fields) = items(payload);
    assert_eq!(kind, R::TYPE.to_string());
    assert_eq!(fields.len(), names.len());
    writeln!(text, "\nrecord {} {case}\ntype {:04X}", R::NAME, R::TYPE).unwrap();
    for ((label, value), name) in fields.iter().zip(names) {
        writeln!(text, "field {label} {name} {value}").unwrap();
    }
    write_signed(text, key, payload);
}

fn write_certificates(text: &mut String, root: &TestKey, p: &TestKey) {
    for (case, generation) in [("ordinary", Generation(1)), ("largest", Generation::MAX)] {
        let certificate = CompactCertificate { issuer: ISSUER, generation, key: p.public };
        let payload = certificate.encode().unwrap();
        assert_eq!(CompactCertificate::decode(payload.as_bytes()), Ok(certificate));
        writeln!(text, "\nrecord CompactCertificate {case}").unwrap();
        writeln!(text, "field 2 issuer {}", hex(&ISSUER.0)).unwrap();
        writeln!(text, "field 7 generation {generation}").unwrap();
        writeln!(text, "field 8 key {}", hex(&p.public.0)).unwrap();
        let size = write_signed(text, root, payload.as_bytes());
        assert_eq!(size, CompactCertificate::SIGN1_SIZE);
    }
}

/// Signs, checks and writes a payload; answers the size of the COSE_Sign1.
fn write_signed(text: &mut String, key: &TestKey, payload: &[u8]) -> usize {
    let signed = key.sign(payload);
    let read = Sign1::read(signed.as_bytes()).unwrap();
    assert_eq!((read.kid, read.payload), (key.kid, payload));
    let structure = read.sig_structure().unwrap();
    let structure = structure.as_bytes();
    assert!(verifies(&key.public, &read) && has_low_s(&read.signature));
    let size = signed.as_bytes().len();
    writeln!(text, "payload {}", hex(payload)).unwrap();
    writeln!(text, "sig-structure {}", hex(structure)).unwrap();
    writeln!(text, "hash {}", hex(&sha256(structure).0)).unwrap();
    writeln!(text, "kid {}", hex(&key.kid.0)).unwrap();
    writeln!(text, "sign1 {}\nsize {size}", hex(signed.as_bytes())).unwrap();
    size
}

/// The value of label 0, then every other label with its value, as they stand in the bytes.
fn items(payload: &[u8]) -> (String, Vec<(u64, String)>) {
    let mut from = Reader::new(payload);
    let count = cbor::read_head(&mut from, Major::Map).unwrap();
    let mut items = (0..count).map(|_| {
        let label = cbor::read_head(&mut from, Major::Unsigned).unwrap();
        let value = match cbor::read_head(&mut from.clone(), Major::Unsigned) {
            Ok(_) => cbor::read_head(&mut from, Major::Unsigned).unwrap().to_string(),
            Err(_) => hex(cbor::read_bytes(&mut from).unwrap()),
        };
        (label, value)
    });
    let (label, kind) = items.next().unwrap();
    assert_eq!(label, 0);
    (kind, items.collect())
}
