//! A CA in a scratch folder, with parties who ask things of it.

use std::fs;
use std::time::Duration;

use apdu_spec::record::Enrolment;
use apdu_spec::value::{CardId, Generation, IssuerId, Nonce, PublicKey, ShopId, Signature, Time};
use ca::{Ca, Folder, IssuingKey, NewCa, PaymentCertificates, ServerRequest, payer_id};
use keystore::{KeyPair, Passphrase, certificate_request};
use protocol::Reject;
use protocol::certificate::{Authority, PartyName, Role};
use protocol::enrolment::{EnrolmentReply, EnrolmentRequest};
use protocol::field::{Number, Text};
use protocol::signed::{SignedRecord, Signer, SignerError};
use tempfile::TempDir;

pub(crate) const DAY: Duration = Duration::from_secs(24 * 3600);
pub(crate) const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);
pub(crate) const ISSUER: IssuerId = IssuerId([0x15; 8]);
pub(crate) const SHOP: ShopId = ShopId([0x0f; 8]);
pub(crate) const CARD: CardId = CardId([0xca; 8]);
pub(crate) const PASSPHRASE: &str = "correct horse";

pub(crate) struct World {
    /// Founded now, by the system's clock, which OpenSSL reads.
    pub(crate) start: Time,
    pub(crate) ca: Ca,
    pub(crate) key: IssuingKey,
    pub(crate) folder: Folder,
    scratch: TempDir,
}

impl World {
    pub(crate) fn new() -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let folder = Folder::new(scratch.path().join("ca"));
        let passphrase = Passphrase::new(PASSPHRASE);
        let new = NewCa {
            name: PartyName::new("Test 小銭").unwrap(),
            passphrase: &passphrase,
            root_passphrase: &passphrase,
        };
        let start = server::now();
        ca::found(&folder, &new, start).unwrap();
        // Everything works without it, except for the root's own list.
        fs::rename(folder.root_key(), scratch.path().join("root-key.pem")).unwrap();
        let ca = Ca::open(folder.clone()).unwrap();
        Self { start, key: ca.unlock(&passphrase).unwrap(), ca, folder, scratch }
    }

    pub(crate) fn after(&self, time: Duration) -> Time {
        Time(self.start.0 + time.as_secs())
    }

    pub(crate) fn root_key(&self) -> KeyPair {
        let path = self.scratch.path().join("root-key.pem");
        KeyPair::load(&path, &Passphrase::new(PASSPHRASE)).unwrap()
    }

    pub(crate) fn card_root_key(&self) -> KeyPair {
        let passphrase = Passphrase::new(PASSPHRASE);
        self.ca.unlock_card_root(&passphrase).unwrap()
    }

    /// Writes a file beside the CA's folder, and gives its path.
    pub(crate) fn file(&self, name: &str, content: &[u8]) -> String {
        let path = self.scratch.path().join(name);
        fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    }

    pub(crate) fn shop_chain(&self) -> Vec<Vec<u8>> {
        let pem = request(&KeyPair::generate().unwrap());
        let request = server_request(&pem, "Kiosk");
        let issued = self.ca.issue_shop(&self.key, &request, SHOP, self.start);
        issued.unwrap()
    }

    pub(crate) fn payment(&self, generation: u32) -> PaymentCertificates {
        let pem = request(&KeyPair::generate().unwrap());
        let request = server_request(&pem, "Collection Service");
        let number = (ISSUER, Generation(generation));
        let keys = (&self.key, &self.card_root_key());
        self.ca.issue_payment(keys, &request, number, self.start).unwrap()
    }

    /// A code for the person with this number, who is called Hanako.
    pub(crate) fn code(&self, payer: &str) -> String {
        let name = PartyName::new("花子 Hanako").unwrap();
        let payer = payer_id(payer).unwrap();
        let registered = self.ca.register(Some(name), Some(payer), self.start);
        registered.unwrap().code.to_string()
    }

    pub(crate) fn enrol(
        &self,
        code: &str,
        record: &[u8],
        now: Time,
    ) -> Result<EnrolmentReply, Reject> {
        let request = enrolment_request(code, record);
        self.ca.enrol(&self.key, &request, YEAR * 3, now).unwrap()
    }

    pub(crate) fn holder_chain(&self) -> Vec<Vec<u8>> {
        self.payment(1);
        let card = TestCard::new(CARD);
        let record = card.record(self.ca.nonce(self.start).unwrap());
        let reply = self.enrol(&self.code("1234567890"), &record, self.start);
        chain(&reply.unwrap())
    }

    /// One chain of each role.
    pub(crate) fn chains(&self) -> [(Role, Vec<Vec<u8>>); 3] {
        [
            (Role::Holder, self.holder_chain()),
            (Role::Shop, self.shop_chain()),
            (Role::PaymentServer, self.payment(2).chain),
        ]
    }

    pub(crate) fn issuing_list(&self, now: Time) -> Vec<u8> {
        self.ca.issuing_list(&self.key, now, DAY).unwrap()
    }

    /// Trusts this CA, with its lists of then.
    pub(crate) fn authority(&self, now: Time) -> Authority {
        let mut authority = Authority::new(self.ca.root()).unwrap();
        authority.add_list(&self.ca.root_list().unwrap()).unwrap();
        authority.add_list(&self.issuing_list(now)).unwrap();
        authority
    }
}

pub(crate) fn request(pair: &KeyPair) -> String {
    certificate_request(pair, &PartyName::new("whatever").unwrap()).unwrap()
}

pub(crate) fn server_request<'a>(pem: &'a str, name: &str) -> ServerRequest<'a> {
    ServerRequest { pem, name: PartyName::new(name).unwrap(), validity: YEAR * 2 }
}

pub(crate) fn enrolment_request(code: &str, record: &[u8]) -> EnrolmentRequest {
    EnrolmentRequest {
        number: Number,
        code: Text::new(code).unwrap(),
        record: record.to_vec().into(),
    }
}

pub(crate) fn chain(reply: &EnrolmentReply) -> Vec<Vec<u8>> {
    reply.chain.iter().map(|der| der.to_vec()).collect()
}

/// What a card does for its enrolment.
pub(crate) struct TestCard {
    pub(crate) card: CardId,
    pair: KeyPair,
}

impl TestCard {
    pub(crate) fn new(card: CardId) -> Self {
        let pair = KeyPair::generate().unwrap();
        Self { card, pair }
    }

    pub(crate) fn key(&self) -> PublicKey {
        self.pair.public_key()
    }

    pub(crate) fn record(&self, nonce: Nonce) -> Vec<u8> {
        self.sign(Enrolment { card: self.card, nonce, public_key: self.key(), issuer: ISSUER })
    }

    pub(crate) fn sign(&self, record: Enrolment) -> Vec<u8> {
        SignedRecord::seal(record, self).unwrap().bytes().to_vec()
    }
}

impl Signer for TestCard {
    fn chain(&self) -> &[Vec<u8>] {
        &[]
    }

    fn public_key(&self) -> PublicKey {
        self.key()
    }

    fn sign(&self, message: &[u8]) -> Result<Signature, SignerError> {
        self.pair.sign(message)
    }
}
