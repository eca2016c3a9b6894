//! A shop with two goods, a buyer with a card, and the payment server that collects for the shop.

use std::path::PathBuf;
use std::sync::Arc;

use apdu_spec::record::Order;
use apdu_spec::value::{
    Amount, CardId, Currency, Hash, Nonce, PaymentId, RequestId, ShopId, Time, TransactionId,
};
use keystore::ServerKey;
use minicbor::bytes::ByteVec;
use protocol::Reject;
use protocol::certificate::{PartyName, Role};
use protocol::field::{Number, Text};
use protocol::form::{self, Form};
use protocol::purchase::{
    Answer, CompletionReply, Invoice, InvoiceMessage, Line, OrderMessage, OrderRequest,
    PaymentMode, Receipt, ReceiptCopy, Refused, total,
};
use protocol::signed::{Signed, SignedRecord, Signer, Verified, sha256};
use server::Trust;
use shop::books::{Good, OrderData};
use shop::database::Database;
use shop::order::Terms;
use shop::service::Service;
use shop::{Store, StoreError};
use tempfile::TempDir;

use crate::world::{NOW, World};

pub(crate) const SHOP: ShopId = ShopId([0, 0, 0, 0, 0, 0, 0, 7]);
pub(crate) const CARD: CardId = CardId([0, 0, 0, 0, 0, 0, 0, 9]);
pub(crate) const YEN: Currency = Currency(392);
pub(crate) const DUE_S: u64 = 172_800;

/// Everybody, and the folder of the shop's books.
pub(crate) struct Fixture {
    pub(crate) world: World,
    pub(crate) holder: ServerKey,
    /// Serial number of the holder's certificate.
    pub(crate) holder_serial: u64,
    pub(crate) payment: ServerKey,
    /// Another genuine payment server of the same CA.
    pub(crate) other_payment: ServerKey,
    /// Serial number of the payment server's certificate.
    pub(crate) payment_serial: u64,
    pub(crate) folder: TempDir,
    pub(crate) payment_url: String,
    pub(crate) shop: Arc<ServerKey>,
}

impl Fixture {
    pub(crate) fn new() -> Self {
        let world = World::new();
        let holder = world.certify(Role::Holder, "Hanako", 9, Some("3789817"));
        let holder_serial = world.last_serial();
        let payment = world.certify(Role::PaymentServer, "ABC Money Collection", 3, None);
        let payment_serial = world.last_serial();
        let folder = tempfile::tempdir().unwrap();
        let store = Store::create(&folder.path().join("shop.db")).unwrap();
        for (article, name, unit_price) in [("A", "Article A", 1000), ("C", "Article C", 1500)] {
            store.put_good(&good(article, name, unit_price)).unwrap();
        }
        Self {
            holder,
            holder_serial,
            payment,
            payment_serial,
            other_payment: world.certify(Role::PaymentServer, "Another", 4, None),
            shop: Arc::new(world.certify(Role::Shop, "Tokyo Mail Order", 7, None)),
            world,
            folder,
            payment_url: "http://localhost:1".to_owned(),
        }
    }

    /// The file of the books.
    pub(crate) fn books(&self) -> PathBuf {
        self.folder.path().join("shop.db")
    }

    pub(crate) fn terms(&self) -> Terms {
        Terms {
            shop: SHOP,
            shop_name: PartyName::new("Tokyo Mail Order").unwrap(),
            currency: YEN,
            modes: vec![PaymentMode::ElectronicMoney, PaymentMode::CreditA],
            payee: PartyName::new("ABC Money Collection").unwrap(),
            payment_url: Text::new(self.payment_url.clone()).unwrap(),
            payment_chain: self.payment.chain().to_vec(),
            due_s: DUE_S,
        }
    }

    /// The server on the books in the folder, trusting the CA with its revocation lists.
    pub(crate) fn service(&self) -> Service {
        self.service_with(self.terms(), None)
    }

    pub(crate) fn service_with(&self, terms: Terms, revoked: Option<u64>) -> Service {
        let trust = Trust::from(self.world.authority(revoked));
        self.service_trusting(terms, trust)
    }

    pub(crate) fn service_trusting(&self, terms: Terms, trust: Trust) -> Service {
        let store = Store::open(&self.books()).unwrap();
        let (database, _thread) = Database::start(store, || {}).unwrap();
        Service::new(self.shop.clone(), trust, terms, database)
    }

    /// Looks into the books while the server runs.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&Store) -> Result<T, StoreError>) -> T {
        look(&Store::open(&self.books()).unwrap()).unwrap()
    }

    pub(crate) fn order(&self, transaction: TransactionId) -> OrderData {
        self.look(|store| store.order(transaction)).unwrap()
    }

    /// Opens a document that the shop has signed.
    pub(crate) fn opened<T: Form>(&self, bytes: &[u8]) -> Verified<T> {
        let document = Signed::parse(bytes).unwrap();
        document.open(&self.shop.public_key()).unwrap()
    }

    /// The invoice that message 140 grants.
    pub(crate) fn invoice(&self, reply: &InvoiceMessage) -> Verified<Invoice> {
        self.opened(&granted(&reply.answer))
    }

    /// Why message 140 or 220 refuses; the refusal names the message and the request.
    pub(crate) fn refusal(&self, answer: &Answer, number: u16, request: &[u8]) -> Reject {
        let Answer::Refused(refused) = answer else {
            panic!("granted");
        };
        let refused: Verified<Refused> = self.opened(refused);
        assert_eq!(refused.number, number);
        assert_eq!(refused.request, sha256(request));
        refused.code
    }

    /// Orders and is refused.
    pub(crate) async fn refused(
        &self,
        service: &Service,
        message: &OrderMessage,
        at: Time,
    ) -> Result<Reject, Reject> {
        let bytes = form::encode(message);
        let reply = service.order(message, &bytes, at).await?;
        Ok(self.refusal(&reply.answer, 140, &bytes))
    }

    /// Hands in a receipt that is not authorised, or for no order.
    pub(crate) async fn not_authorised(&self, service: &Service, copy: &ReceiptCopy) -> Reject {
        let bytes = form::encode(copy);
        let reply = service.complete(copy, &bytes, NOW).await.unwrap();
        self.refusal(&reply.answer, 220, &bytes)
    }

    /// Orders and gets an invoice.
    pub(crate) async fn ordered(&self, service: &Service, draft: &Draft) -> Verified<Invoice> {
        let message = draft.message(&self.holder);
        let reply = service.order(&message, &form::encode(&message), NOW).await;
        self.invoice(&reply.unwrap())
    }

    /// The payment server's receipt for an invoice.
    pub(crate) fn receipt(&self, invoice: &Verified<Invoice>) -> Receipt {
        Receipt {
            number: Number,
            transaction: invoice.transaction,
            payer: invoice.payer.clone(),
            amount: invoice.amount,
            currency: invoice.currency,
            mode: invoice.mode,
            shop: invoice.shop,
            shop_name: invoice.shop_name.clone(),
            recipient: invoice.payee.clone(),
            time: Time(NOW.0 + 60),
            invoice_hash: invoice.hash(),
            debit_hash: Hash([5; 32]),
            payment: PaymentId([6; 16]),
        }
    }
}

/// What a buyer wants to order, and what a dishonest one makes of it.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    pub(crate) request: OrderRequest,
    pub(crate) lines: Vec<Line>,
    /// What the card's record says; `None` stands for what the request says.
    pub(crate) record: Option<Order>,
}

impl Draft {
    /// One article A and two articles C: 4000 yen (source Fig. 14).
    pub(crate) fn new(request: u8) -> Self {
        let lines = vec![line("A", "Article A", 1, 1000), line("C", "Article C", 2, 1500)];
        let mut draft = Self {
            request: OrderRequest {
                number: Number,
                request: RequestId([request; 16]),
                shop: SHOP,
                lines: Vec::new(),
                amount: Amount(0),
                currency: YEN,
                mode: PaymentMode::ElectronicMoney,
            },
            lines,
            record: None,
        };
        draft.list();
        draft
    }

    /// Makes the request say what the lines say.
    pub(crate) fn list(&mut self) {
        self.request.lines = self.lines.iter().map(Line::hash).collect();
        self.request.amount = total(&self.lines).unwrap_or(Amount(0));
    }

    /// What an honest card signs.
    pub(crate) fn record(&self) -> Order {
        Order {
            card: CARD,
            shop: self.request.shop,
            amount: self.request.amount,
            currency: self.request.currency,
            request: self.request.request,
            request_hash: self.request.hash(),
        }
    }

    /// Message 130, signed by a card.
    pub(crate) fn message(&self, card: &ServerKey) -> OrderMessage {
        let record = self.record.unwrap_or_else(|| self.record());
        let record = SignedRecord::seal(record, card).unwrap();
        OrderMessage {
            number: Number,
            request: ByteVec::from(form::encode(&self.request)),
            record: ByteVec::from(record.bytes().to_vec()),
            chain: card.chain().iter().cloned().map(ByteVec::from).collect(),
            lines: self.lines.iter().map(|line| form::encode(line).into()).collect(),
        }
    }
}

pub(crate) fn line(article: &str, name: &str, quantity: u32, unit_price: u64) -> Line {
    Line {
        salt: Nonce([quantity as u8; 16]),
        article: Text::new(article).unwrap(),
        name: Text::new(name).unwrap(),
        quantity,
        unit_price: Amount(unit_price),
    }
}

/// Sends message 130, signed by a card.
pub(crate) async fn send(service: &Service, draft: &Draft, card: &ServerKey) -> InvoiceMessage {
    let message = draft.message(card);
    let reply = service.order(&message, &form::encode(&message), NOW).await;
    reply.unwrap()
}

/// Message 210 with a receipt, signed by a payment server.
pub(crate) fn receipt_copy(receipt: Receipt, payment: &ServerKey) -> ReceiptCopy {
    let receipt = Signed::seal(receipt, payment).unwrap();
    ReceiptCopy { number: Number, receipt: ByteVec::from(receipt.bytes().to_vec()) }
}

/// Sends message 210.
pub(crate) async fn hand_in(service: &Service, copy: &ReceiptCopy, at: Time) -> CompletionReply {
    let reply = service.complete(copy, &form::encode(copy), at).await;
    reply.unwrap()
}

pub(crate) fn good(article: &str, name: &str, unit_price: u64) -> Good {
    Good {
        article: Text::new(article).unwrap(),
        name: Text::new(name).unwrap(),
        unit_price: Amount(unit_price),
        active: true,
    }
}

pub(crate) fn granted(answer: &Answer) -> Vec<u8> {
    match answer {
        Answer::Granted(bytes) => bytes.to_vec(),
        Answer::Refused(refused) => {
            let refused = Signed::<Refused>::parse(refused).unwrap();
            panic!("refused: {:?}", refused.claims().code);
        }
    }
}
