//! The outside of a wallet: parties at their URLs, a clock, faults on the way.

use std::path::Path;
use std::sync::{Arc, Mutex};

use apdu_spec::value::{Nonce, Time};
use protocol::certificate::{Authority, Role};
use protocol::field::Number;
use protocol::form::{self, Form};
use protocol::load::{CreditReply, TokenReply};
use protocol::purchase::{
    CertificateReply, CertificateRequest, PermitReply, ReceiptRepeat, ReceiptReply, ReceiptRequest,
};
use protocol::query::{NonceReply, StatusReply};
use server::PeerError;

use super::payment::read;
use super::{CARD, Certified, FakeCard, ISSUER, NOW, PAYER, PaymentServer, SHOP, Shop, TestCa};
use crate::archive::Archive;
use crate::card_thread::CardThread;
use crate::outside::Outside;
use crate::port::CardPort;
use crate::purchase::Url;
use crate::store::Store;
use crate::workflow::Wallet;

/// What happens to a message on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It does not arrive.
    Request,
    /// It arrives, and its answer is lost.
    Answer,
}

/// Everything but wallet and card.
pub(crate) struct World {
    pub(crate) shop: Shop,
    pub(crate) payment: PaymentServer,
    pub(crate) authority: Authority,
    pub(crate) now: Time,
    /// Paths of the messages that were sent.
    pub(crate) log: Vec<String>,
    /// The so-manieth message from now meets this.
    pub(crate) fault: Option<(usize, Fault)>,
    random: u8,
}

/// A world with a card, and the folder of the wallet in it.
pub(crate) struct Setup {
    pub(crate) ca: TestCa,
    pub(crate) world: Arc<Mutex<World>>,
    pub(crate) card: FakeCard,
    pub(crate) folder: tempfile::TempDir,
}

impl Setup {
    pub(crate) fn new() -> Self {
        let mut ca = TestCa::new();
        let mut certify =
            |role, number, name, payer| ca.certify(&Certified { role, number, name, payer });
        let holder = certify(Role::Holder, CARD.0, "A. Buyer", Some(PAYER));
        let shop = certify(Role::Shop, SHOP.0, "Tokyo On-line", None);
        let name = "ABC Money Collection Service";
        let payment = certify(Role::PaymentServer, ISSUER.0, name, None);
        let world = World {
            shop: Shop::new(shop, payment.clone()),
            payment: PaymentServer::new(payment),
            authority: ca.authority(&[]),
            now: NOW,
            log: Vec::new(),
            fault: None,
            random: 0,
        };
        Self {
            ca,
            world: Arc::new(Mutex::new(world)),
            card: FakeCard::new(holder, 10_000),
            folder: tempfile::tempdir().unwrap(),
        }
    }

    pub(crate) fn world(&self) -> std::sync::MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    /// A wallet with the files that are in the folder, as after a restart.
    pub(crate) fn wallet(&self) -> Wallet<FakeOutside> {
        self.wallet_in(self.folder.path())
    }

    pub(crate) fn wallet_in(&self, folder: &Path) -> Wallet<FakeOutside> {
        let card = self.card.clone();
        let opener = Box::new(move || Ok(Box::new(card.clone()) as Box<dyn CardPort>));
        Wallet::new(
            FakeOutside(Arc::clone(&self.world)),
            CardThread::start(opener).unwrap(),
            Store::open(&folder.join("wallet.db")).unwrap(),
            Archive::open(&folder.join("archive")).unwrap(),
            Url::new("http://p").unwrap(),
        )
    }

    /// Time goes by for everybody.
    pub(crate) fn pass(&self, seconds: u64) {
        let mut world = self.world();
        world.now.0 += seconds;
        world.payment.now = world.now;
    }
}

/// The world as the wallet sees it.
#[derive(Clone)]
pub(crate) struct FakeOutside(Arc<Mutex<World>>);

impl World {
    fn unreachable(url: &str) -> PeerError {
        PeerError::Unreachable { url: url.to_owned(), reason: "test".to_owned() }
    }

    /// Whether a message gets through.
    fn meets(&mut self, path: &str) -> Option<Fault> {
        self.log.push(path.to_owned());
        let (left, fault) = self.fault?;
        if left > 0 {
            self.fault = Some((left - 1, fault));
            return None;
        }
        self.fault = None;
        Some(fault)
    }

    fn answer(&mut self, path: &str, bytes: &[u8]) -> Option<Vec<u8>> {
        let (shop, payment) = (&mut self.shop, &mut self.payment);
        Some(match path {
            "/110" => {
                let CertificateRequest { nonce, .. } = read(bytes);
                let introduction = shop.answer_110(nonce).into();
                form::encode(&CertificateReply { number: Number, introduction })
            }
            "/130" => form::encode(&shop.answer_130(&read(bytes), bytes)),
            "/150" => {
                let answer = payment.answer_150(&read(bytes), bytes);
                form::encode(&PermitReply { number: Number, answer })
            }
            "/170" => {
                let answer = payment.answer_170(&read(bytes), bytes);
                form::encode(&ReceiptReply { number: Number, answer })
            }
            "/190" => {
                let ReceiptRequest { payment: id, .. } = read(bytes);
                let answer = payment.answer_190(id, bytes);
                form::encode(&ReceiptRepeat { number: Number, answer })
            }
            "/210" => form::encode(&shop.answer_210(&read(bytes), bytes)),
            "/1170" => {
                let answer = payment.answer_1170(&read(bytes), bytes);
                form::encode(&TokenReply { number: Number, answer })
            }
            "/1190" => {
                let answer = payment.answer_1190(&read(bytes), bytes);
                form::encode(&CreditReply { number: Number, answer })
            }
            "/10" => form::encode(&NonceReply { number: Number, nonce: Nonce([6; 16]) }),
            "/30" => form::encode(&StatusReply {
                number: Number,
                authorities: payment.open_orders().into_iter().map(Into::into).collect(),
                notices: payment.notices.iter().cloned().map(Into::into).collect(),
                ack_debit: apdu_spec::value::Sequence(payment.ack_debit()),
                ack_credit: apdu_spec::value::Sequence(0),
            }),
            _ => return None,
        })
    }
}

impl Outside for FakeOutside {
    fn now(&self) -> Time {
        self.0.lock().unwrap().now
    }

    fn authority(&self) -> Authority {
        self.0.lock().unwrap().authority.clone()
    }

    fn random(&self) -> Option<[u8; 16]> {
        let mut world = self.0.lock().unwrap();
        world.random += 1;
        Some([world.random; 16])
    }

    async fn ask<Request: Form + Sync, Reply: Form>(
        &self,
        base: &str,
        path: &str,
        message: &Request,
    ) -> Result<Reply, PeerError> {
        let mut world = self.0.lock().unwrap();
        let fault = world.meets(path);
        if fault == Some(Fault::Request) {
            return Err(World::unreachable(base));
        }
        let answer = world.answer(path, &form::encode(message));
        if fault == Some(Fault::Answer) {
            return Err(World::unreachable(base));
        }
        let answer = answer.ok_or_else(|| World::unreachable(base))?;
        form::decode(&answer)
            .map_err(|source| PeerError::Malformed { url: base.to_owned(), source })
    }

    async fn fetch(&self, base: &str, path: &str) -> Result<Vec<u8>, PeerError> {
        let mut world = self.0.lock().unwrap();
        if world.meets(path).is_some() {
            return Err(World::unreachable(base));
        }
        match path {
            "/catalogue" => Ok(Shop::catalogue()),
            "/compact-certificate" => Ok(world.payment.compact(1)),
            _ => Err(World::unreachable(base)),
        }
    }
}
