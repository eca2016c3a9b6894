//! The specification's text and vectors say what the definition says: each file is made again and
//! compared. With `KOZENI_BLESS=1` in the environment the vectors are written instead.

mod document;
mod ending;
mod first_life;
mod forms;
mod harmless;
mod holder;
mod issuing;
mod life;
mod played;
mod records;
mod test_key;
mod transcript;
mod transfers;

use std::fmt::Write;
use std::fs;
use std::path::PathBuf;

use apdu_spec::value::{
    Amount, CardId, CreditId, Currency, Hash, IssuerId, Nonce, PaymentId, RequestId, ShopId,
    TransactionId,
};

const CARD: CardId = CardId([0x11; 8]);
const ISSUER: IssuerId = IssuerId([0x22; 8]);
const SHOP: ShopId = ShopId([0x33; 8]);
const PAYMENT: PaymentId = PaymentId([0x44; 16]);
const CREDIT: CreditId = CreditId([0x55; 16]);
const TRANSACTION: TransactionId = TransactionId([0x66; 16]);
const REQUEST: RequestId = RequestId([0x77; 16]);
const NONCE: Nonce = Nonce([0x88; 16]);
const INVOICE: Hash = Hash([0x99; 32]);
const AUTHORITY: Hash = Hash([0xaa; 32]);
const YEN: Currency = Currency(392);
const AMOUNT: Amount = Amount(1250);

/// A file beside the specification.
fn spec_file(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "..", "apdu-spec", name].iter().collect()
}

/// Compares a vector file with what it should be, or writes it.
fn check_file(name: &str, expected: &str) {
    let path = spec_file("vectors").join(name);
    if std::env::var_os("KOZENI_BLESS").is_some_and(|value| value == "1") {
        fs::write(&path, expected).unwrap();
    }
    let found = fs::read_to_string(&path).unwrap();
    let mut lines = found.lines().zip(expected.lines()).zip(1..);
    if let Some(((found, expected), number)) =
        lines.find(|((found, expected), _)| found != expected)
    {
        panic!("{name}, line {number}:\n{found}\nshould be\n{expected}");
    }
    assert_eq!(found.len(), expected.len(), "{name}: more or less at its end");
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02X}").unwrap();
        text
    })
}
