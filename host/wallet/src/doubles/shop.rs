//! A shop: catalogue, 110, 130, 210.

use std::collections::BTreeMap;

use apdu_spec::record::Order;
use apdu_spec::value::{Hash, RequestId, Time, TransactionId};
use protocol::Reject;
use protocol::certificate::{PartyName, PayerId};
use protocol::field::{Number, Text};
use protocol::form;
use protocol::purchase::{
    Answer, Completion, CompletionReply, Invoice, InvoiceMessage, OrderMessage, OrderRequest,
    Receipt, ReceiptCopy, Refused, ShopIntroduction,
};
use protocol::signed::{Signed, SignedRecord, Signer, sha256};

use super::{NOW, PAYER, SHOP, TestSigner};

type Tweak<T> = Option<Box<dyn Fn(&mut T) + Send>>;

pub(crate) struct Shop {
    pub(crate) signer: TestSigner,
    /// Signs in the shop's place where it is set.
    pub(crate) forger: Option<TestSigner>,
    /// Signs invoices and completions in the shop's place where it is set.
    pub(crate) later_forger: Option<TestSigner>,
    pub(crate) payment: TestSigner,
    pub(crate) payment_name: &'static str,
    pub(crate) invoices: BTreeMap<RequestId, Vec<u8>>,
    pub(crate) completed: Vec<Hash>,
    pub(crate) due: Time,
    pub(crate) introduction: Tweak<ShopIntroduction>,
    pub(crate) invoice: Tweak<Invoice>,
    pub(crate) completion: Tweak<Completion>,
    pub(crate) refuse: Option<(u16, Reject)>,
}

impl Shop {
    pub(crate) fn new(signer: TestSigner, payment: TestSigner) -> Self {
        Self {
            signer,
            forger: None,
            later_forger: None,
            payment,
            payment_name: "ABC Money Collection Service",
            invoices: BTreeMap::new(),
            completed: Vec::new(),
            due: Time(NOW.0 + 3600),
            introduction: None,
            invoice: None,
            completion: None,
            refuse: None,
        }
    }

    pub(crate) fn catalogue() -> Vec<u8> {
        let json = serde_json::json!({
            "schema": 1, "shop": SHOP.to_string(), "name": "Tokyo On-line", "currency": "JPY",
            "currency_digits": 0,
            "goods": [
                { "article": "A", "name": "Article A", "unit_price": 1000 },
                { "article": "C", "name": "Article C", "unit_price": 1500 },
                { "article": "S", "name": "Small thing", "unit_price": 100 },
            ],
        });
        json.to_string().into_bytes()
    }

    fn seal<T: form::Form>(&self, content: T) -> Vec<u8> {
        let signer: &dyn Signer = self.forger.as_ref().unwrap_or(&self.signer);
        Signed::seal(content, signer).unwrap().bytes().to_vec()
    }

    fn seal_later<T: form::Form>(&self, content: T) -> Vec<u8> {
        match &self.later_forger {
            Some(forger) => Signed::seal(content, forger).unwrap().bytes().to_vec(),
            None => self.seal(content),
        }
    }

    fn refusal(&self, number: u16, request: &[u8]) -> Option<Answer> {
        let (_, code) = self.refuse.filter(|(message, _)| *message == number)?;
        let refused = Refused::new(number, request, code, NOW);
        Some(Answer::Refused(self.seal(refused).into()))
    }

    pub(crate) fn answer_110(&self, nonce: apdu_spec::value::Nonce) -> Vec<u8> {
        let mut introduction = ShopIntroduction { number: Number, nonce, shop: SHOP };
        if let Some(tweak) = &self.introduction {
            tweak(&mut introduction);
        }
        self.seal(introduction)
    }

    pub(crate) fn answer_130(&mut self, message: &OrderMessage, bytes: &[u8]) -> InvoiceMessage {
        if let Some(answer) = self.refusal(140, bytes) {
            return InvoiceMessage { number: Number, answer };
        }
        let order: OrderRequest = form::decode(&message.request).unwrap();
        let record = SignedRecord::<Order>::parse(&message.record).unwrap();
        assert_eq!(record.claims().request_hash, sha256(&message.request));
        let invoice = match self.invoices.get(&order.request) {
            Some(invoice) => invoice.clone(),
            None => self.invoice(&order),
        };
        self.invoices.insert(order.request, invoice.clone());
        InvoiceMessage { number: Number, answer: Answer::Granted(invoice.into()) }
    }

    fn invoice(&self, order: &OrderRequest) -> Vec<u8> {
        let mut invoice = Invoice {
            number: Number,
            transaction: TransactionId(order.request.0),
            payer: PayerId::new(PAYER).unwrap(),
            lines: order.lines.clone(),
            amount: order.amount,
            currency: order.currency,
            mode: order.mode,
            shop: SHOP,
            shop_name: PartyName::new("Tokyo On-line").unwrap(),
            payee: PartyName::new(self.payment_name).unwrap(),
            payment_url: Text::new("http://p").unwrap(),
            payment_chain: self.payment.message_chain(),
            issued: NOW,
            due: self.due,
            request: order.request,
            order_hash: order.hash(),
        };
        if let Some(tweak) = &self.invoice {
            tweak(&mut invoice);
        }
        self.seal_later(invoice)
    }

    pub(crate) fn answer_210(&mut self, copy: &ReceiptCopy, bytes: &[u8]) -> CompletionReply {
        if let Some(answer) = self.refusal(220, bytes) {
            return CompletionReply { number: Number, answer };
        }
        let receipt = Signed::<Receipt>::parse(&copy.receipt).unwrap();
        let receipt = receipt.open(&self.payment.public_key()).unwrap();
        if !self.completed.contains(&receipt.hash()) {
            self.completed.push(receipt.hash());
        }
        let mut completion = Completion {
            number: Number,
            transaction: receipt.transaction,
            receipt_hash: receipt.hash(),
            time: NOW,
        };
        if let Some(tweak) = &self.completion {
            tweak(&mut completion);
        }
        let answer = Answer::Granted(self.seal_later(completion).into());
        CompletionReply { number: Number, answer }
    }
}
