use super::*;

/// As version 1 has written it.
const VERSION_1: &str = include_str!("version_1.sql");

fn empty() -> (tempfile::TempDir, Books) {
    let folder = tempfile::tempdir().unwrap();
    let books = Books::open(&folder.path().join("ca.db")).unwrap();
    (folder, books)
}

fn holder(payer: &str) -> Holder {
    Holder { payer: PayerId::new(payer).unwrap(), name: PartyName::new("花子 Hanako").unwrap() }
}

#[test]
fn books_of_version_1_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ca.db");
    Books::restore(&path, VERSION_1).unwrap();
    let books = Books::open(&path).unwrap();
    let kinds: Vec<_> = books.certificates(Which::All).unwrap();
    let kinds = kinds.iter().map(|issued| match issued.owner() {
        None => "ca",
        Some(Owner::Holder { .. }) => "holder",
        Some(Owner::Shop(_)) => "shop",
        Some(Owner::PaymentServer(_)) => "payment server",
    });
    let kinds: Vec<_> = kinds.collect();
    assert_eq!(kinds, ["ca", "payment server", "shop", "holder"]);

    let issuer = IssuerId([0x15; 8]);
    assert_eq!(books.highest_generation(issuer).unwrap(), Some(Generation(3)));
    let (serial, compact) = books.compact(issuer, Generation(3)).unwrap().unwrap();
    let payment = books.certificates(Which::Serial(serial)).unwrap();
    let number = books.certificates(Which::Number(Role::PaymentServer, issuer.0)).unwrap();
    assert_eq!(payment, number);
    assert_eq!(compact.len(), apdu_spec::CompactCertificate::SIGN1_SIZE);

    let person = holder("1234567890");
    assert_eq!(books.holder(&person.payer).unwrap(), Some(person));
    let shop = books.certificates(Which::Number(Role::Shop, [0x0f; 8])).unwrap();
    let revocation = shop[0].revocation.unwrap();
    assert_eq!(revocation.reason, Reason::CessationOfOperation);
    for (signer, newest, number) in [(ListSigner::Root, 0, 1), (ListSigner::Issuing, 1, 2)] {
        assert_eq!(books.newest_revocation(signer).unwrap(), newest);
        let list = books.list(signer).unwrap().unwrap();
        assert_eq!((list.number, list.last_revocation), (number, newest));
    }
}

#[test]
fn books_of_a_later_version_are_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ca.db");
    Books::restore(&path, "CREATE TABLE a (b TEXT) STRICT; PRAGMA user_version = 99").unwrap();
    let refused = Books::open(&path).unwrap_err();
    assert!(matches!(refused, BooksError::Newer { found: 99, known: 1 }));
}

#[test]
fn damaged_books_are_refused() {
    let (folder, books) = empty();
    for number in 0..200 {
        books.add_holder(&holder(&number.to_string()), Time(1)).unwrap();
    }
    drop(books);
    let path = folder.path().join("ca.db");
    let mut bytes = std::fs::read(&path).unwrap();
    let half = bytes.len() / 2;
    bytes[half..].fill(0xa5);
    std::fs::write(&path, bytes).unwrap();
    assert!(Books::open(&path).is_err());
}

#[test]
fn a_transaction_happens_as_a_whole() {
    let (_folder, books) = empty();
    let failed = books.transaction(|books| {
        books.add_holder(&holder("1"), Time(1))?;
        books.add_holder(&holder("1"), Time(1))
    });
    assert!(matches!(failed, Err(BooksError::Database(_))));
    assert_eq!(books.holder(&holder("1").payer).unwrap(), None);
}

#[test]
fn a_nonce_is_taken_once_and_the_oldest_make_room() {
    let (_folder, books) = empty();
    let nonce = |number: u8| Nonce([number; 16]);
    for number in 0..5 {
        let expiry = Time(100 + u64::from(number));
        books.add_nonce(&nonce(number), expiry, Time(50), 3).unwrap();
    }
    assert_eq!(books.take_nonce(&nonce(1)).unwrap(), None);
    assert_eq!(books.take_nonce(&nonce(2)).unwrap(), Some(Time(102)));
    assert_eq!(books.take_nonce(&nonce(2)).unwrap(), None);
    books.add_nonce(&nonce(9), Time(500), Time(104), 3).unwrap();
    assert_eq!(books.take_nonce(&nonce(3)).unwrap(), None);
    assert_eq!(books.take_nonce(&nonce(4)).unwrap(), Some(Time(104)));
}
