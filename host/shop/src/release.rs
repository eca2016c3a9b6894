//! Messages 50 and 60: what has become of an invoice, and releasing orders that nobody can pay any
//! more. M never decides that from its own clock: a debit may be on its way. Only P's signed word,
//! which is durable at P, ends an order.

use apdu_spec::value::{Hash, Time};
use minicbor::bytes::ByteVec;
use protocol::Reject;
use protocol::certificate::certified_key;
use protocol::document::Receipt;
use protocol::field::Number;
use protocol::purchase::{Answer, Invoice, Refused};
use protocol::query::{InvoiceQuestion, InvoiceReply, InvoiceState, PaymentState};
use protocol::signed::{Signed, Verified};

use crate::books::OrderState;

/// What to ask P about an invoice, for M to sign.
#[must_use]
pub fn question(invoice: &[u8], cancel: bool, now: Time) -> InvoiceQuestion {
    InvoiceQuestion { number: Number, invoice: ByteVec::from(invoice.to_vec()), cancel, time: now }
}

/// What P's answer means for the order.
#[derive(Clone, Debug)]
pub enum Release {
    /// The invoice can still be paid: ask again later.
    Wait,
    /// The order ends in this state; the answer is the evidence.
    End(OrderState, Box<Verified<InvoiceState>>),
    /// The invoice is paid; the receipt is still to be checked.
    Paid(Box<Signed<Receipt>>),
}

/// Why an answer of P changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Doubt {
    /// Not in the form of an answer.
    #[error("the payment server's answer is malformed")]
    Malformed,
    /// Not signed with the key in the invoice.
    #[error("the answer is not signed by the payment server that the invoice names")]
    NotSigned,
    /// About another invoice.
    #[error("the payment server answered about another invoice")]
    OtherInvoice,
    /// "Paid" without a receipt.
    #[error("the payment server says \"paid\" without a receipt")]
    NoReceipt,
    /// A refusal, signed by P.
    #[error("the payment server refused: {0}")]
    Refused(Reject),
}

/// Reads message 60 against the certificate that M put into the invoice.
///
/// # Errors
/// [`Doubt`]; the order stays as it is.
pub fn decide(reply: &InvoiceReply, invoice: &Signed<Invoice>) -> Result<Release, Doubt> {
    let leaf = invoice.claims().payment_chain.first();
    let key = leaf.and_then(|leaf| certified_key(leaf).ok());
    let key = key.ok_or(Doubt::NotSigned)?;
    let state = match &reply.answer {
        Answer::Granted(state) => state,
        Answer::Refused(refused) => {
            let refused = Signed::<Refused>::parse(refused).map_err(|_| Doubt::Malformed)?;
            let refused = refused.open(&key).map_err(|_| Doubt::NotSigned)?;
            return Err(Doubt::Refused(refused.code));
        }
    };
    let state = Signed::<InvoiceState>::parse(state).map_err(|_| Doubt::Malformed)?;
    let state = state.open(&key).map_err(|_| Doubt::NotSigned)?;
    let hash: Hash = invoice.hash();
    if state.invoice_hash != hash {
        return Err(Doubt::OtherInvoice);
    }
    match state.state {
        PaymentState::Unpaid => Ok(Release::Wait),
        PaymentState::PastDue => Ok(Release::End(OrderState::Released, Box::new(state))),
        PaymentState::Cancelled => Ok(Release::End(OrderState::Cancelled, Box::new(state))),
        PaymentState::Paid => {
            let receipt = state.receipt.as_ref().ok_or(Doubt::NoReceipt)?;
            let receipt = Signed::parse(receipt).map_err(|_| Doubt::Malformed)?;
            Ok(Release::Paid(Box::new(receipt)))
        }
    }
}
