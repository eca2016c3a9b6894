//! Messages 210 and 220 (source Fig. 9, steps 570 to 670): the copy of the receipt, and "complete"
//! or "receipt not authorised". C and P may both send it, again and again, in any order.

use apdu_spec::value::{Hash, Time};
use protocol::Reject;
use protocol::certificate::certified_key;
use protocol::document::Receipt;
use protocol::field::Number;
use protocol::purchase::{Completion, Invoice, PaymentMode, ReceiptCopy};
use protocol::signed::{Signed, Verified};

use crate::books::OrderState;

/// The receipt in message 210, unverified: which order it is for.
///
/// # Errors
/// [`Reject::Malformed`] when it has not the form of a receipt.
pub fn read(copy: &ReceiptCopy) -> Result<Signed<Receipt>, Reject> {
    Signed::parse(&copy.receipt).map_err(|_| Reject::Malformed)
}

/// What the books say about the order that a receipt names.
#[derive(Clone, Debug)]
pub struct ReceiptBooks {
    /// The order's state.
    pub state: OrderState,
    /// The order's invoice. M has signed it itself and read it from its own books.
    pub invoice: Signed<Invoice>,
    /// Hash of the receipt that was accepted, and the completion that answered it.
    pub accepted: Option<(Hash, Vec<u8>)>,
}

/// What M does about a receipt.
#[derive(Clone, Debug)]
pub enum ReceiptDecision {
    /// It has accepted this receipt before: the same bytes again.
    Repeat(Vec<u8>),
    /// The order is paid.
    Complete {
        /// The receipt.
        receipt: Box<Verified<Receipt>>,
        /// What to sign and answer.
        completion: Completion,
    },
    /// The receipt is genuine, but P has signed before that it would never issue one, or has
    /// issued another one. It is refused and kept.
    Contradiction(Box<Verified<Receipt>>),
}

/// Steps 580 and 670: what to do about a receipt.
///
/// # Errors
/// The [`Reject`] that message 220 carries.
pub fn decide(
    receipt: Signed<Receipt>,
    books: Option<&ReceiptBooks>,
    now: Time,
) -> Result<ReceiptDecision, Reject> {
    let books = books.ok_or(Reject::UnknownTransaction)?;
    let invoice = &books.invoice;
    // The key that M put into the invoice, not the one in the receipt's own header: so the money
    // has gone to the payment server that M designated (source, step 580).
    let leaf = invoice.claims().payment_chain.first();
    let key = leaf.and_then(|leaf| certified_key(leaf).ok());
    let key = key.ok_or(Reject::ReceiptNotAuthorised)?;
    let receipt = receipt.open(&key);
    let receipt = receipt.map_err(|_| Reject::ReceiptNotAuthorised)?;
    if !is_for(&receipt, invoice) {
        return Err(Reject::ReceiptNotAuthorised);
    }
    match (&books.accepted, books.state) {
        (Some((hash, completion)), _) if *hash == receipt.hash() => {
            Ok(ReceiptDecision::Repeat(completion.clone()))
        }
        (None, OrderState::Acknowledged) => Ok(ReceiptDecision::Complete {
            completion: Completion {
                number: Number,
                transaction: receipt.transaction,
                receipt_hash: receipt.hash(),
                time: now,
            },
            receipt: Box::new(receipt),
        }),
        (Some(_), _)
        | (
            None,
            OrderState::Unpaid | OrderState::Paid | OrderState::Released | OrderState::Cancelled,
        ) => Ok(ReceiptDecision::Contradiction(Box::new(receipt))),
    }
}

/// Whether receipt 53 (source Fig. 7) is the receipt for invoice 51 (Fig. 6). Only P's clock
/// decides about the due time, so a receipt may arrive as late as it likes.
fn is_for(receipt: &Receipt, invoice: &Signed<Invoice>) -> bool {
    let hash = invoice.hash();
    let Invoice { transaction, payer, amount, currency, mode, shop, shop_name, payee, due, .. } =
        invoice.claims();
    receipt.invoice_hash == hash
        && receipt.transaction == *transaction
        && receipt.payer == *payer
        && (receipt.amount, receipt.currency) == (*amount, *currency)
        && (receipt.mode, *mode) == (PaymentMode::ElectronicMoney, PaymentMode::ElectronicMoney)
        && (receipt.shop, &receipt.shop_name) == (*shop, shop_name)
        && receipt.recipient == *payee
        && receipt.time <= *due
}
