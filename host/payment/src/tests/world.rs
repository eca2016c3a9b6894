//! A payment server with everything around it.

use std::collections::BTreeMap;
use std::sync::Arc;

use apdu_spec::value::{CardId, Epoch, IssuerId, PaymentId, ShopId, Time};
use keystore::KeyPair;
use protocol::Reject;
use protocol::certificate::Role;
use protocol::document::Invoice;
use protocol::field::Number;
use protocol::form::{self, Form};
use protocol::load::{CreditReport, LoadOrder, TokenRequest};
use protocol::purchase::{Answer, Booking, PermitRequest, ReceiptRequest, Refused, ValueMessage};
use protocol::query::{InvoiceQuery, InvoiceState};
use protocol::signed::{Signed, SignedRecord, Verified, sha256};
use server::Trust;
use tempfile::TempDir;

use super::authority::{Certified, Subject, TestCa};
use super::card::{SoftCard, TestSigner, YEN};
use super::shop::TestShop;
use crate::service::{Fault, Policy, Service};
use crate::store::{Store, Title};
use crate::view::{IssueOrder, LoadOrderOrder, ShopOrder, from_hex};

/// 2026-06-01T00:00:00Z.
pub(super) const START: Time = Time(1_780_272_000);

pub(super) const ISSUER: IssuerId = IssuerId(*b"issuer 1");

pub(super) const POLICY: Policy = Policy { permit_life_s: 600, explicit_receipt: false };

pub(super) struct World {
    pub(super) folder: TempDir,
    pub(super) ca: TestCa,
    pub(super) signer: TestSigner,
    pub(super) service: Arc<Service>,
    pub(super) shop: TestShop,
    pub(super) now: Time,
    next_number: u8,
}

/// A granted document, or the code of a signed refusal.
pub(super) type Outcome<T> = Result<T, Reject>;

impl World {
    pub(super) fn new() -> Self {
        Self::with_policy(POLICY)
    }

    pub(super) fn with_policy(policy: Policy) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut ca = TestCa::new("Test");
        let subject = Subject {
            role: Role::PaymentServer,
            number: ISSUER.0,
            name: "Payment server",
            payer: None,
            until: 2045,
        };
        let pair = Arc::new(KeyPair::generate().unwrap());
        let chain = ca.certify(&pair, &subject).chain;
        let signer = TestSigner { pair, chain };
        let title = Title { issuer: ISSUER, currency: YEN, epoch: Epoch(1) };
        let store = Store::create(&folder.path().join("books.db"), title, &[7; 32]).unwrap();
        let trust = Trust::from(ca.authority());
        let service = Service::new(store, trust, Box::new(signer.clone()), policy, START).unwrap();
        let shop = new_shop(&mut ca, *b"shop 001", "Shop");
        let world = Self {
            folder,
            ca,
            signer,
            service: Arc::new(service),
            shop,
            now: START,
            next_number: 1,
        };
        world.accept(&world.shop);
        world
    }

    pub(super) fn accept(&self, shop: &TestShop) {
        let order = ShopOrder {
            chain: shop.pem.clone(),
            push_url: "http://127.0.0.1:1".to_owned(),
            operator: "Olga".to_owned(),
        };
        self.service.accept_shop(&order, self.now).unwrap();
    }

    pub(super) fn new_shop(&mut self, number: [u8; 8], name: &'static str) -> TestShop {
        new_shop(&mut self.ca, number, name)
    }

    /// A card without value.
    pub(super) fn new_card(&mut self) -> SoftCard {
        let number = self.next_number;
        self.next_number += 1;
        let mut id = *b"card 000";
        id[7] = number;
        let payer = format!("H-{number:04}");
        let pair = Arc::new(KeyPair::generate().unwrap());
        let (signer, serial) = self.certify_card(pair, id, &payer, 2045);
        SoftCard {
            id: CardId(id),
            payer,
            signer,
            serial,
            balance: 0,
            debit_seq: 0,
            credit_seq: 0,
            ack_debit: 0,
            ack_credit: 0,
            debits: BTreeMap::new(),
            slots: BTreeMap::new(),
        }
    }

    pub(super) fn certify_card(
        &mut self,
        pair: Arc<KeyPair>,
        number: [u8; 8],
        payer: &str,
        until: i32,
    ) -> (TestSigner, u64) {
        let subject =
            Subject { role: Role::Holder, number, name: "Holder", payer: Some(payer), until };
        let Certified { chain, serial, .. } = self.ca.certify(&pair, &subject);
        (TestSigner { pair, chain }, serial)
    }

    /// A card that has been loaded through every message of a load.
    pub(super) fn loaded_card(&mut self, amount: u64) -> SoftCard {
        let mut card = self.new_card();
        self.issue(amount);
        let order = self.load_order(card.id, amount);
        let token = self.token(&card, &order).unwrap();
        let record = card.credit(&token).unwrap();
        self.report(&record).unwrap();
        card
    }

    pub(super) fn issue(&self, amount: u64) {
        let order = IssueOrder { id: None, amount, operator: "Olga".to_owned() };
        self.service.issue(&order, self.now).unwrap();
    }

    pub(super) fn load_order(&self, card: CardId, amount: u64) -> Verified<LoadOrder> {
        let order = LoadOrderOrder {
            id: None,
            card,
            amount,
            expires: Some(self.now.0 + 1000),
            operator: "Olga".to_owned(),
        };
        let made = self.service.order_load(&order, self.now).unwrap();
        self.open(&from_hex(&made.document).unwrap())
    }

    pub(super) fn draft(&self, card: &SoftCard, amount: u64) -> Invoice {
        let chain = self.signer.message_chain();
        self.shop.draft(chain, &card.payer, amount, Time(self.now.0 + 3600))
    }

    pub(super) fn invoice(&self, card: &SoftCard, amount: u64) -> Verified<Invoice> {
        self.shop.seal(self.draft(card, amount))
    }

    /// 150 with the card's next sequence.
    pub(super) fn permit(&self, card: &SoftCard, invoice: &Verified<Invoice>) -> Outcome<Vec<u8>> {
        self.permit_for(card, invoice, card.request(invoice))
    }

    pub(super) fn permit_for(
        &self,
        card: &SoftCard,
        invoice: &Verified<Invoice>,
        request: Vec<u8>,
    ) -> Outcome<Vec<u8>> {
        let chain = card.signer.message_chain();
        let invoice = invoice.bytes().to_vec().into();
        self.ask_permit(&PermitRequest { number: Number, invoice, request: request.into(), chain })
    }

    pub(super) fn ask_permit(&self, message: &PermitRequest) -> Outcome<Vec<u8>> {
        let bytes = form::encode(message);
        let reply = self.service.permit(message, &bytes, self.now);
        self.granted(160, &bytes, reply.map(|reply| reply.answer))
    }

    /// 170.
    pub(super) fn book(&self, record: &[u8]) -> Outcome<Booking> {
        let message = ValueMessage { number: Number, record: record.to_vec().into() };
        let bytes = form::encode(&message);
        let reply = self.service.book(&message, &bytes, self.now);
        self.booked(180, &bytes, reply.map(|reply| reply.answer))
    }

    /// 190.
    pub(super) fn receipt(&self, payment: PaymentId) -> Outcome<Booking> {
        let message = ReceiptRequest { number: Number, payment };
        let bytes = form::encode(&message);
        let reply = self.service.receipt(&message, &bytes, self.now);
        self.booked(200, &bytes, reply.map(|reply| reply.answer))
    }

    /// 1170 with the card's next slot.
    pub(super) fn token(&self, card: &SoftCard, order: &Verified<LoadOrder>) -> Outcome<Vec<u8>> {
        self.token_for(card, order, card.credit_request(order))
    }

    pub(super) fn token_for(
        &self,
        card: &SoftCard,
        order: &Verified<LoadOrder>,
        request: Vec<u8>,
    ) -> Outcome<Vec<u8>> {
        self.ask_token(&TokenRequest {
            number: Number,
            authority: order.bytes().to_vec().into(),
            request: request.into(),
            chain: card.signer.message_chain(),
        })
    }

    pub(super) fn ask_token(&self, message: &TokenRequest) -> Outcome<Vec<u8>> {
        let bytes = form::encode(message);
        let reply = self.service.token(message, &bytes, self.now);
        self.granted(1180, &bytes, reply.map(|reply| reply.answer))
    }

    /// 1190.
    pub(super) fn report(&self, record: &[u8]) -> Outcome<Vec<u8>> {
        let message = CreditReport { number: Number, record: record.to_vec().into() };
        let bytes = form::encode(&message);
        let reply = self.service.credit(&message, &bytes, self.now);
        self.granted(1200, &bytes, reply.map(|reply| reply.answer))
    }

    /// 50.
    pub(super) fn ask_state(&self, message: &InvoiceQuery) -> Outcome<Verified<InvoiceState>> {
        let bytes = form::encode(message);
        let reply = self.service.invoice_state(message, &bytes, self.now);
        let state = self.granted(60, &bytes, reply.map(|reply| reply.answer))?;
        Ok(self.open(&state))
    }

    /// A document of the server, its signature checked.
    pub(super) fn open<T: Form>(&self, bytes: &[u8]) -> Verified<T> {
        Signed::parse(bytes).unwrap().open(&self.service.own.key).unwrap()
    }

    fn granted(
        &self,
        number: u16,
        request: &[u8],
        answer: Result<Answer, Fault>,
    ) -> Outcome<Vec<u8>> {
        match answer {
            Ok(Answer::Granted(bytes)) => Ok(bytes.to_vec()),
            Ok(Answer::Refused(bytes)) => Err(self.refusal(number, request, &bytes)),
            Err(Fault::Reject(reject)) => Err(reject),
            Err(Fault::Store(error)) => panic!("{error}"),
        }
    }

    fn booked(
        &self,
        number: u16,
        request: &[u8],
        answer: Result<Booking, Fault>,
    ) -> Outcome<Booking> {
        match answer {
            Ok(Booking::Refused(bytes)) => Err(self.refusal(number, request, &bytes)),
            Ok(booking) => Ok(booking),
            Err(Fault::Reject(reject)) => Err(reject),
            Err(Fault::Store(error)) => panic!("{error}"),
        }
    }

    fn refusal(&self, number: u16, request: &[u8], bytes: &[u8]) -> Reject {
        let refused = self.open::<Refused>(bytes);
        assert_eq!((refused.number, refused.time), (number, self.now));
        assert_eq!(refused.request, sha256(request));
        refused.code
    }

    /// One whole purchase; the payment's number.
    pub(super) fn buy(&self, card: &mut SoftCard, amount: u64) -> PaymentId {
        let invoice = self.invoice(card, amount);
        let permit = self.permit(card, &invoice).unwrap();
        let record = card.debit(&permit).unwrap();
        assert!(matches!(self.book(&record), Ok(Booking::Paid(_))));
        SignedRecord::<apdu_spec::record::Permit>::parse(&permit).unwrap().claims().payment
    }

    /// The same server after the process was killed and started again.
    pub(super) fn restart(&mut self) {
        let store = Store::open(&self.folder.path().join("books.db")).unwrap();
        let trust = self.service.trust.clone();
        let signer = Box::new(self.signer.clone());
        let policy = self.service.own.policy;
        self.service = Arc::new(Service::new(store, trust, signer, policy, self.now).unwrap());
    }

    /// Takes over the revocations of the CA.
    pub(super) fn refresh_lists(&mut self) {
        self.trust(Trust::from(self.ca.authority()));
    }

    pub(super) fn trust(&mut self, trust: Trust) {
        Arc::get_mut(&mut self.service).unwrap().trust = trust;
    }

    pub(super) fn pass(&mut self, seconds: u64) {
        self.now = Time(self.now.0 + seconds);
    }

    /// Balance of an account, by its kind and owner.
    pub(super) fn balance(&self, kind: &str, owner: &[u8]) -> i64 {
        let owner = crate::view::to_hex(owner);
        let balances = self.service.balances().unwrap();
        let mut accounts = balances.accounts.iter();
        let account = accounts.find(|account| account.kind == kind && account.owner == owner);
        account.map_or(0, |account| account.balance)
    }

    /// Invariant A, and no shadow below minus what is in flight.
    pub(super) fn assert_whole(&self) {
        let balances = self.service.balances().unwrap();
        assert!(balances.identity, "{balances:?}");
        assert_eq!(balances.issued, balances.accounted);
        for card in self.service.cards().unwrap().cards {
            assert!(card.shadow >= -card.in_flight, "{card:?}");
        }
        for account in balances.accounts.iter().filter(|account| account.kind != "shadow") {
            assert!(account.balance >= 0, "{account:?}");
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.assert_whole();
        }
    }
}

fn new_shop(ca: &mut TestCa, number: [u8; 8], name: &'static str) -> TestShop {
    let pair = Arc::new(KeyPair::generate().unwrap());
    let subject = Subject { role: Role::Shop, number, name, payer: None, until: 2045 };
    let Certified { chain, pem, .. } = ca.certify(&pair, &subject);
    TestShop { id: ShopId(number), name, pem, signer: TestSigner { pair, chain } }
}
