use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use ::ca::{Ca, Folder, NewCa, ServerRequest, Settings, write_pem};
use ::card::{Card, Disposition, Transport, TransportError};
use apdu_spec::answer::{Fci, Issued, PublicKeyObject, StatusAnswer};
use apdu_spec::command::{Command, Personalisation};
use apdu_spec::record::{Enrolment as EnrolmentRecord, Record, Status};
use apdu_spec::value::{
    Amount, Epoch, Generation, Hash, IssuerId, LimitsVersion, Pin, Sequence, Signature,
};
use clap::Parser;
use keystore::{KeyPair, Passphrase, certificate_request};
use protocol::certificate::{PartyName, read_file};
use protocol::signed::{key_id, sha256};
use server::Stop;
use tempfile::TempDir;

use super::*;
use crate::card::personalise;

const ISSUER: IssuerId = IssuerId([0x15; 8]);

/// What a card keeps, seen from both sides.
#[derive(Default)]
struct Chip {
    identity: Option<Personalisation>,
    pair: Option<KeyPair>,
    /// Pieces that were written, and what was made valid.
    next: Vec<u8>,
    file: Vec<u8>,
    pin_verified: bool,
}

impl Chip {
    fn life_cycle(&self) -> LifeCycle {
        match (&self.identity, self.file.is_empty()) {
            (None, _) => LifeCycle::Blank,
            (Some(_), true) => LifeCycle::Personalised,
            (Some(_), false) => LifeCycle::Active,
        }
    }

    fn fci(&self) -> Fci {
        Fci {
            life_cycle: self.life_cycle(),
            issued: self.identity.as_ref().map(|identity| Issued {
                issuer: identity.issuer,
                currency: identity.currency,
                generation: Generation(0),
            }),
        }
    }

    fn sign(&self, record: &impl Record) -> Signature {
        let pair = self.pair.as_ref().unwrap();
        let payload = record.encode().unwrap();
        let kid = key_id(&pair.public_key());
        let message = apdu_spec::cose::sig_structure(kid, payload.as_bytes()).unwrap();
        // Cards give the low one of the two possible signatures.
        loop {
            let signature = pair.sign(message.as_bytes()).unwrap();
            if signature.0[32] < 0x7f {
                return signature;
            }
        }
    }

    fn key(&self) -> Result<Vec<u8>, Refusal> {
        let pair = self.pair.as_ref().ok_or(Refusal::ConditionsNotSatisfied)?;
        Ok(PublicKeyObject(pair.public_key()).encode().unwrap().as_bytes().to_vec())
    }

    fn status(&self, nonce: Nonce) -> Vec<u8> {
        let identity = self.identity.as_ref().unwrap();
        let status = Status {
            card: identity.card,
            debit_seq: Sequence(0),
            credit_seq: Sequence(0),
            currency: identity.currency,
            epoch: Epoch(0),
            nonce,
            balance: Amount(0),
            journal_head: Hash([0; 32]),
        };
        let answer = StatusAnswer {
            life_cycle: self.life_cycle(),
            pin_tries: 3,
            puk_tries: 10,
            generation: Generation(0),
            limits_version: LimitsVersion(0),
            ack_debit: Sequence(0),
            ack_credit: Sequence(0),
            pin_free_spent: Amount(0),
            card: status.card,
            balance: status.balance,
            currency: status.currency,
            debit_seq: status.debit_seq,
            credit_seq: status.credit_seq,
            epoch: status.epoch,
            journal_head: status.journal_head,
            signature: self.sign(&status),
        };
        answer.encode().unwrap().as_bytes().to_vec()
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "no other command belongs to an enrolment")]
    fn answer(&mut self, command: Command<'_>) -> Result<Vec<u8>, Refusal> {
        match command {
            Command::Select { fci: true } => {
                return Ok(self.fci().encode().unwrap().as_bytes().to_vec());
            }
            Command::Select { fci: false } => {}
            Command::Personalise(identity) => self.identity = Some(identity),
            Command::GenerateKey => {
                self.pair = Some(KeyPair::generate().unwrap());
                return self.key();
            }
            Command::ReadKey => return self.key(),
            Command::ReadStatus { nonce } => return Ok(self.status(nonce)),
            Command::SignEnrolment { nonce } => {
                let identity = self.identity.as_ref().unwrap();
                let record = EnrolmentRecord {
                    card: identity.card,
                    nonce,
                    public_key: self.pair.as_ref().unwrap().public_key(),
                    issuer: identity.issuer,
                };
                return Ok(self.sign(&record).0.to_vec());
            }
            Command::UpdateBinary { offset, piece } => {
                self.next.truncate(usize::from(offset));
                self.next.extend(piece);
            }
            Command::CommitCertificate { length, hash } => {
                let whole = self.next.len() == usize::from(length) && sha256(&self.next) == hash;
                let allowed = self.life_cycle() == LifeCycle::Personalised || self.pin_verified;
                assert!(whole && allowed);
                self.file = std::mem::take(&mut self.next);
            }
            Command::ReadTries => return Err(Refusal::Wrong { tries_left: 3 }),
            Command::Verify(pin) => {
                let right = pin.block() == self.identity.as_ref().unwrap().pin.block();
                self.pin_verified = right;
                return if right { Ok(vec![]) } else { Err(Refusal::Wrong { tries_left: 2 }) };
            }
            other => panic!("{other:?} has no place here"),
        }
        Ok(vec![])
    }
}

/// A card in a reader, and the test's view of its chip.
#[derive(Clone, Default)]
struct TestCard(Arc<Mutex<Chip>>);

impl TestCard {
    fn in_reader(&self) -> AnyCard {
        Card::new(Box::new(self.clone()))
    }
}

impl Transport for TestCard {
    fn begin(&mut self) -> Result<(), TransportError> {
        Ok(())
    }

    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, TransportError> {
        let answer = self.0.lock().unwrap().answer(Command::decode(command).unwrap());
        let (mut data, word) = match answer {
            Ok(data) => (data, 0x9000),
            Err(refusal) => (vec![], refusal.status_word()),
        };
        data.extend(word.to_be_bytes());
        Ok(data)
    }

    fn end(&mut self, _disposition: Disposition) -> Result<(), TransportError> {
        self.0.lock().unwrap().pin_verified = false;
        Ok(())
    }

    fn describe(&self) -> String {
        "test".to_owned()
    }
}

/// A CA that knows the issuer, with its server.
struct World {
    scratch: TempDir,
    ca: Ca,
    address: String,
    stop: Stop,
    server: Option<JoinHandle<()>>,
}

impl World {
    fn new() -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let folder = Folder::new(scratch.path().join("ca"));
        let passphrase = Passphrase::new("correct horse");
        let name = PartyName::new("Test").unwrap();
        let new = NewCa { name, passphrase: &passphrase, root_passphrase: &passphrase };
        ::ca::found(&folder, &new, server::now()).unwrap();
        let ca = Ca::open(folder.clone()).unwrap();
        let (key, card_root) =
            (ca.unlock(&passphrase).unwrap(), ca.unlock_card_root(&passphrase).unwrap());
        let name = PartyName::new("Collection Service").unwrap();
        let pem = certificate_request(&KeyPair::generate().unwrap(), &name).unwrap();
        let validity = std::time::Duration::from_secs(3_600);
        let request = ServerRequest { pem: &pem, name, validity };
        let number = (ISSUER, Generation(1));
        ca.issue_payment((&key, &card_root), &request, number, server::now()).unwrap();
        write_private(scratch.path().join("passphrase"), "correct horse\n");
        let settings = Settings {
            folder: folder.path().to_owned(),
            passphrase_file: scratch.path().join("passphrase"),
            listen: "127.0.0.1:0".parse().unwrap(),
            list_life_s: 3_600,
            holder_days: 30,
        };
        let (ready, told) = mpsc::channel();
        let server = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async {
                let stop = Stop::on_signals().unwrap();
                let stopper = stop.clone();
                let ready = move |address| ready.send((address, stopper)).unwrap();
                ::ca::serve_until(&settings, ready, stop).await.unwrap();
            });
        });
        let (address, stop) = told.recv().unwrap();
        let address = format!("http://{address}");
        Self { scratch, ca, address, stop, server: Some(server) }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }

    /// Files as a person would have them, and the command line that names them.
    fn enrolment(&self, code: &str, root: &[u8]) -> Enrolment {
        fs::write(self.path("code"), format!("{code}\n")).unwrap();
        fs::write(self.path("root.pem"), write_pem(&[root.to_vec()]).unwrap()).unwrap();
        let line = Line::<Arguments>::parse_from([
            Path::new("enrol"),
            Path::new("--ca"),
            Path::new(&self.address),
            Path::new("--root"),
            &self.path("root.pem"),
            Path::new("--code-file"),
            &self.path("code"),
        ]);
        let mut enrolment = Enrolment::prepare(&line.arguments).unwrap();
        enrolment.pending = Pending { folder: Some(self.path("state")) };
        enrolment
    }

    fn code(&self) -> String {
        let name = PartyName::new("Hanako").ok();
        let payer = ::ca::payer_id("1234567890").ok();
        self.ca.register(name, payer, server::now()).unwrap().code.to_string()
    }

    fn personalise(&self, card: &mut AnyCard) {
        write_private(self.path("pin"), "1234\n87654321\n");
        let line = Line::<personalise::Arguments>::parse_from([
            Path::new("personalise"),
            Path::new("--issuer"),
            Path::new(&ISSUER.to_string()),
            Path::new("--card-root"),
            Path::new(&self.address),
            Path::new("--pin-file"),
            &self.path("pin"),
        ]);
        personalise::run(card, &line.arguments).unwrap();
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.stop.set();
        if let Some(server) = self.server.take() {
            let ended = server.join();
            assert!(ended.is_ok() || thread::panicking());
        }
    }
}

#[derive(Parser)]
struct Line<T: clap::Args> {
    #[command(flatten)]
    arguments: T,
}

fn write_private(path: PathBuf, text: &str) {
    fs::write(&path, text).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    fs::set_permissions(path, mode).unwrap();
}

fn code_of(outcome: Result<Enrolled, Failure>) -> &'static str {
    outcome.unwrap_err().code()
}

#[test]
fn a_blank_card_becomes_a_holders_card() {
    let world = World::new();
    let card = TestCard::default();
    let reader = &mut card.in_reader();
    let code = world.code();
    let first = || world.enrolment(&code, world.ca.root());
    assert_eq!(code_of(enrol(reader, &first())), "blank");
    world.personalise(reader);
    let identity = card.0.lock().unwrap().identity.clone().unwrap();
    assert_eq!(identity.issuer, ISSUER);
    assert_eq!(identity.card_root, world.ca.card_root());
    assert_eq!(identity.currency.0, 392);
    assert_eq!(identity.puk.block(), Pin::from_digits("87654321").unwrap().block());

    let enrolled = enrol(reader, &first()).unwrap();
    assert_eq!(enrolled.card, identity.card.to_string());
    assert_eq!(enrolled.payer.as_deref(), Some("1234567890"));
    let file = card.0.lock().unwrap().file.clone();
    let issued = world.ca.certificates().unwrap();
    let expected = [issued.last().unwrap().der.clone(), world.ca.issuing().to_vec()];
    assert_eq!(read_file(&file).unwrap(), expected);
    assert_eq!(code_of(enrol(reader, &first())), "enrolled");
    // Nothing is left to be taken up again.
    assert_eq!(fs::read_dir(world.path("state")).unwrap().count(), 0);
}

#[test]
fn an_enrolment_that_was_cut_short_goes_on_with_the_same_code() {
    let (world, other) = (World::new(), World::new());
    let card = TestCard::default();
    let reader = &mut card.in_reader();
    world.personalise(reader);
    let code = world.code();
    let wrong_root = world.enrolment(&code, other.ca.root());
    // The CA has issued and the code is used, but nothing is on the card.
    assert_eq!(code_of(enrol(reader, &wrong_root)), "certificate");
    assert!(card.0.lock().unwrap().file.is_empty());
    let issued = world.ca.certificates().unwrap();
    // After a restart, with another connection to the card.
    let right = world.enrolment(&code, world.ca.root());
    enrol(&mut card.in_reader(), &right).unwrap();
    assert_eq!(world.ca.certificates().unwrap(), issued);
    let file = card.0.lock().unwrap().file.clone();
    assert_eq!(read_file(&file).unwrap()[0], issued.last().unwrap().der);
}

#[test]
fn a_code_that_is_refused_can_be_followed_by_the_right_one() {
    let world = World::new();
    let card = TestCard::default();
    let reader = &mut card.in_reader();
    world.personalise(reader);
    let wrong = world.enrolment("00000-00000-00000-00000", world.ca.root());
    for _ in 0..2 {
        let failure = enrol(reader, &wrong).unwrap_err();
        assert!(failure.to_string().contains("602"), "{failure}");
    }
    enrol(reader, &world.enrolment(&world.code(), world.ca.root())).unwrap();
}

#[test]
fn a_certificate_is_renewed_under_the_pin() {
    let world = World::new();
    let card = TestCard::default();
    let reader = &mut card.in_reader();
    world.personalise(reader);
    let next = || world.enrolment(&world.code(), world.ca.root());
    let renew = |reader: &mut AnyCard, enrolment: &Enrolment, pin: &str| {
        write_private(world.path("pin"), pin);
        let mut secrets = Secrets::open_path(Some(&world.path("pin"))).unwrap();
        renew_with(reader, enrolment, &mut secrets)
    };
    assert_eq!(code_of(renew(reader, &next(), "1234")), "not_active");
    enrol(reader, &next()).unwrap();
    let first = card.0.lock().unwrap().file.clone();
    let renewal = next();
    assert_eq!(code_of(renew(reader, &renewal, "9999")), "refused");
    assert_eq!(card.0.lock().unwrap().file, first);
    // The code was used for a certificate that is now fetched again.
    renew(reader, &renewal, "1234").unwrap();
    assert_ne!(card.0.lock().unwrap().file, first);
    let holders = world.ca.certificates().unwrap().len() - 2;
    assert_eq!(holders, 2);
}
