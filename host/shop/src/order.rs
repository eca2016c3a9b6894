//! Messages 130 and 140 (source Fig. 9, steps 530 to 560): the order, and the invoice for it.
//!
//! Refusals are judged in the order of their codes, so that the same wrong order is always refused
//! for the same reason.

use std::collections::BTreeMap;

use apdu_spec::record::Order;
use apdu_spec::value::{Amount, CardId, Currency, Hash, RequestId, ShopId, Time, TransactionId};
use minicbor::bytes::ByteVec;
use protocol::Reject;
use protocol::certificate::{Party, PartyName, PayerId};
use protocol::field::{Number, Text};
use protocol::form;
use protocol::purchase::{
    Chain, Invoice, LINES_MAX, Line, OrderMessage, OrderRequest, PaymentMode, total,
};
use protocol::signed::{CERTIFICATE_MAX, CHAIN_MAX, SignedRecord, sha256};

use crate::books::{AMOUNT_MAX, Evidence, EvidenceKind, Good, LineData, OrderData, OrderState};

/// What this shop is and takes; does not change while it runs.
#[derive(Clone, Debug)]
pub struct Terms {
    /// The shop's number.
    pub shop: ShopId,
    /// The shop's name.
    pub shop_name: PartyName,
    /// The currency of all prices.
    pub currency: Currency,
    /// Payment modes that are accepted.
    pub modes: Vec<PaymentMode>,
    /// Who collects: the name in P's certificate.
    pub payee: PartyName,
    /// Where P is.
    pub payment_url: Text<200>,
    /// P's certificate chain.
    pub payment_chain: Vec<Vec<u8>>,
    /// How long an invoice may be paid, in seconds.
    pub due_s: u64,
}

/// Message 130 in its parts; its form is right, nothing else is known.
#[derive(Clone, Debug)]
pub struct Draft {
    request: OrderRequest,
    record: SignedRecord<Order>,
    chain: Vec<Vec<u8>>,
    lines: Vec<Line>,
}

impl Draft {
    /// Takes message 130 apart.
    ///
    /// # Errors
    /// [`Reject::Malformed`] when a part is not in its only permitted form.
    pub fn read(message: &OrderMessage) -> Result<Self, Reject> {
        let malformed = |_| Reject::Malformed;
        let request: OrderRequest = form::decode(&message.request).map_err(malformed)?;
        let record = SignedRecord::parse(&message.record).map_err(malformed)?;
        let chain: Vec<Vec<u8>> = message.chain.iter().map(|der| der.to_vec()).collect();
        let long = chain.iter().any(|der| der.len() > CERTIFICATE_MAX);
        if long || chain.is_empty() || chain.len() > CHAIN_MAX {
            return Err(Reject::Malformed);
        }
        let lines = message.lines.iter().map(|line| form::decode::<Line>(line));
        let lines: Vec<Line> = lines.collect::<Result<_, _>>().map_err(malformed)?;
        let counts = [lines.len(), request.lines.len()];
        let countable = counts.iter().all(|count| (1..=LINES_MAX).contains(count));
        if !countable || lines.iter().any(|line| line.quantity == 0) {
            return Err(Reject::Malformed);
        }
        Ok(Self { request, record, chain, lines })
    }

    /// The card's certificate chain.
    #[must_use]
    pub fn chain(&self) -> &[Vec<u8>] {
        &self.chain
    }

    /// The order, when the holder's key has signed the record.
    ///
    /// # Errors
    /// [`Reject::BadSignature`], or [`Reject::CertificateNotTrusted`] when the certificate names no
    /// payer.
    pub fn open(self, holder: &Party) -> Result<SignedOrder, Reject> {
        let record = self.record.open(&holder.key);
        let record = record.map_err(|_| Reject::BadSignature)?;
        let payer = holder.payer.clone();
        let payer = payer.ok_or(Reject::CertificateNotTrusted)?;
        let order_hash = self.request.hash();
        let listed = self.lines.iter().map(Line::hash);
        // The card signs what it is told, so every field of its record is compared.
        let signed = Order {
            card: holder.card(),
            shop: self.request.shop,
            amount: self.request.amount,
            currency: self.request.currency,
            request: self.request.request,
            request_hash: order_hash,
        };
        Ok(SignedOrder {
            agrees: *record == signed && listed.eq(self.request.lines.iter().copied()),
            record: (record.bytes().to_vec(), record.hash()),
            request: self.request,
            order_hash,
            payer,
            card: holder.card(),
            chain: self.chain,
            lines: self.lines,
        })
    }
}

/// An order that a genuine card has signed.
#[derive(Clone, Debug)]
pub struct SignedOrder {
    request: OrderRequest,
    order_hash: Hash,
    record: (Vec<u8>, Hash),
    payer: PayerId,
    card: CardId,
    chain: Vec<Vec<u8>>,
    lines: Vec<Line>,
    /// Whether request, record and lines say the same.
    agrees: bool,
}

/// An order that is in the books already under the same number of the wallet.
#[derive(Clone, Debug)]
pub struct KnownOrder {
    /// The card that signed it.
    pub card: CardId,
    /// Hash of its order request.
    pub order_hash: Hash,
    /// Its signed invoice.
    pub invoice: Vec<u8>,
}

/// What the books say about an order that comes in.
#[derive(Clone, Debug, Default)]
pub struct OrderBooks {
    /// The order with the same number of the wallet.
    pub known: Option<KnownOrder>,
    /// The goods that the order names, by article number; those that do not exist are missing.
    pub goods: BTreeMap<Text<32>, Good>,
}

/// What M does about an order.
#[derive(Clone, Debug)]
pub enum OrderDecision {
    /// It has answered this order before: the same bytes again.
    Repeat(Vec<u8>),
    /// It stores the order and issues this invoice.
    Issue(Box<Invoice>),
}

impl SignedOrder {
    /// The wallet's number for the order.
    #[must_use]
    pub const fn request(&self) -> RequestId {
        self.request.request
    }

    /// The articles that the order names.
    pub fn articles(&self) -> impl Iterator<Item = &Text<32>> {
        self.lines.iter().map(|line| &line.article)
    }

    /// Steps 530 to 550: what to do about the order. `transaction` is a fresh random number.
    ///
    /// # Errors
    /// The [`Reject`] that message 140 carries.
    pub fn decide(
        &self,
        terms: &Terms,
        books: &OrderBooks,
        transaction: TransactionId,
        now: Time,
    ) -> Result<OrderDecision, Reject> {
        if let Some(known) = books.known.as_ref().filter(|known| self.repeats(known)) {
            return Ok(OrderDecision::Repeat(known.invoice.clone()));
        }
        if self.request.shop != terms.shop {
            return Err(Reject::WrongShop);
        }
        self.check_goods(books)?;
        if !terms.modes.contains(&self.request.mode) {
            return Err(Reject::ModeNotAccepted);
        }
        if books.known.is_some() {
            return Err(Reject::RequestReused);
        }
        if !self.agrees || self.request.currency != terms.currency || !self.adds_up() {
            return Err(Reject::ContentDiffers);
        }
        Ok(OrderDecision::Issue(Box::new(self.invoice(terms, transaction, now))))
    }

    /// Whether this is the order that the books have. Compared by signed content, not by signature,
    /// which anybody can change without the key (s and n − s are both valid).
    fn repeats(&self, known: &KnownOrder) -> bool {
        self.agrees && known.card == self.card && known.order_hash == self.order_hash
    }

    fn check_goods(&self, books: &OrderBooks) -> Result<(), Reject> {
        let good = |line: &Line| books.goods.get(&line.article).filter(|good| good.active);
        if self.lines.iter().any(|line| good(line).is_none()) {
            return Err(Reject::UnknownArticle);
        }
        let as_offered = |line: &Line, good: &Good| {
            (&line.name, line.unit_price) == (&good.name, good.unit_price)
        };
        let offered = |line| good(line).is_some_and(|good| as_offered(line, good));
        if self.lines.iter().all(offered) { Ok(()) } else { Err(Reject::PriceChanged) }
    }

    fn adds_up(&self) -> bool {
        let amount = self.request.amount;
        total(&self.lines) == Some(amount) && (Amount(1)..=AMOUNT_MAX).contains(&amount)
    }

    fn invoice(&self, terms: &Terms, transaction: TransactionId, now: Time) -> Invoice {
        let chain: Chain = terms.payment_chain.iter().cloned().map(ByteVec::from).collect();
        Invoice {
            number: Number,
            transaction,
            payer: self.payer.clone(),
            lines: self.request.lines.clone(),
            amount: self.request.amount,
            currency: self.request.currency,
            mode: self.request.mode,
            shop: terms.shop,
            shop_name: terms.shop_name.clone(),
            payee: terms.payee.clone(),
            payment_url: terms.payment_url.clone(),
            payment_chain: chain,
            issued: now,
            due: Time(now.0.saturating_add(terms.due_s)),
            request: self.request.request,
            order_hash: self.order_hash,
        }
    }

    /// Step 540: order data 61 as it is first stored.
    #[must_use]
    pub fn order_data(&self, invoice: &Invoice) -> OrderData {
        OrderData {
            transaction: invoice.transaction,
            request: self.request.request,
            purchaser: self.payer.clone(),
            card: self.card,
            total: self.request.amount,
            currency: self.request.currency,
            mode: self.request.mode,
            state: OrderState::Unpaid,
            order_hash: self.order_hash,
            placed: invoice.issued,
            due: invoice.due,
        }
    }

    /// Step 540: order data 62.
    #[must_use]
    pub fn line_data(&self) -> Vec<LineData> {
        let priced = self.lines.iter().filter_map(|line| {
            let price = line.price()?;
            let line = line.clone();
            Some(LineData { line, price })
        });
        priced.collect()
    }

    /// What the wallet has sent, as evidence.
    #[must_use]
    pub fn evidence(&self, at: Time) -> [Evidence; 3] {
        let request = form::encode(&self.request);
        let chain: Chain = self.chain.iter().cloned().map(ByteVec::from).collect();
        // Writing to a vector cannot fail.
        let chain = minicbor::to_vec(&chain).unwrap_or_default();
        let (record, record_hash) = self.record.clone();
        let row = |kind, hash, bytes| Evidence { kind, hash, bytes, at };
        [
            row(EvidenceKind::OrderRequest, self.order_hash, request),
            row(EvidenceKind::OrderRecord, record_hash, record),
            row(EvidenceKind::CardChain, sha256(&chain), chain),
        ]
    }
}
