//! A shop: signs invoices and questions about them.

use apdu_spec::value::{Amount, Hash, RequestId, ShopId, Time, TransactionId};
use protocol::certificate::{PartyName, PayerId};
use protocol::document::{Invoice, PaymentMode};
use protocol::field::{Number, Text};
use protocol::purchase::Chain;
use protocol::query::{InvoiceQuery, InvoiceQuestion};
use protocol::signed::{Signed, Verified};

use super::card::{TestSigner, YEN};

#[derive(Clone)]
pub(super) struct TestShop {
    pub(super) id: ShopId,
    pub(super) name: &'static str,
    /// Its chain in PEM.
    pub(super) pem: String,
    pub(super) signer: TestSigner,
}

impl TestShop {
    /// An invoice that is in order, to be signed or to be spoilt.
    pub(super) fn draft(
        &self,
        payment_chain: Chain,
        payer: &str,
        amount: u64,
        due: Time,
    ) -> Invoice {
        let chance = crate::service::draw().unwrap();
        Invoice {
            number: Number,
            transaction: TransactionId(chance),
            payer: PayerId::new(payer).unwrap(),
            lines: vec![[7; 32].into()],
            amount: Amount(amount),
            currency: YEN,
            mode: PaymentMode::ElectronicMoney,
            shop: self.id,
            shop_name: PartyName::new(self.name).unwrap(),
            payee: PartyName::new("Payment server").unwrap(),
            payment_url: Text::new("http://127.0.0.1:1").unwrap(),
            payment_chain,
            issued: Time(due.0.saturating_sub(3600)),
            due,
            request: RequestId(chance),
            order_hash: Hash([9; 32]),
        }
    }

    pub(super) fn seal(&self, invoice: Invoice) -> Verified<Invoice> {
        Signed::seal(invoice, &self.signer).unwrap()
    }

    /// Message 50.
    pub(super) fn question(
        &self,
        invoice: &Verified<Invoice>,
        cancel: bool,
        now: Time,
    ) -> InvoiceQuery {
        let question = InvoiceQuestion {
            number: Number,
            invoice: invoice.bytes().to_vec().into(),
            cancel,
            time: now,
        };
        let question = Signed::seal(question, &self.signer).unwrap();
        InvoiceQuery { number: Number, question: question.bytes().to_vec().into() }
    }
}
