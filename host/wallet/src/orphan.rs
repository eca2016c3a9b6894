//! Debits on the card of which this wallet has no purchase: P's answers are judged by the debit
//! record alone.

use apdu_spec::record::DebitRecord;
use protocol::Reject;
use protocol::purchase::{Booking, Receipt, Refused, SuspenseNotice};

use crate::credit::payment_document;
use crate::holder::Holder;
use crate::kept::{Kept, KeptRecord};
use crate::purchase::Judge;
use crate::rejection::{By, Rejection, agree, refused_in};

/// What has become of such a debit.
#[derive(Clone, Debug)]
pub(crate) enum Fate {
    /// It paid.
    Paid(Box<Kept<Receipt>>),
    /// Its value waits for the card.
    Suspended(Box<Kept<SuspenseNotice>>),
    /// It is booked; 190 brings the rest.
    Ask,
}

/// Judges 180 or 200.
///
/// # Errors
/// P's [`Rejection`], or the wallet's.
pub(crate) fn fate<Request: protocol::form::Form>(
    message: u16,
    answer: &Booking,
    (record, request): (&KeptRecord<DebitRecord>, &Request),
    holder: &Holder,
    judge: &Judge,
) -> Result<Fate, Rejection> {
    let same = |holds, otherwise| agree(message, holds, otherwise);
    match answer {
        Booking::Paid(receipt) => {
            let receipt = payment_document::<Receipt>(message, receipt, holder.issuer, judge)?;
            same(receipt.debit_hash == record.hash(), "for another debit")?;
            same(receipt.invoice_hash == record.invoice_hash, "for another invoice")?;
            same(receipt.payment == record.payment, "for another payment")?;
            same(receipt.payer == holder.payer, "names another payer")?;
            same(receipt.shop == record.shop, "names another shop")?;
            same(receipt.amount == record.amount, "another amount")?;
            same(receipt.currency == record.currency, "another currency")?;
            Ok(Fate::Paid(Box::new(receipt)))
        }
        Booking::Suspended(notice) => {
            let notice = payment_document::<SuspenseNotice>(message, notice, holder.issuer, judge)?;
            same(notice.debit_hash == record.hash(), "for another debit")?;
            same(notice.card == record.card, "for another card")?;
            same(notice.payment == record.payment, "for another payment")?;
            same(notice.amount == record.amount, "another amount")?;
            same(notice.currency == record.currency, "another currency")?;
            Ok(Fate::Suspended(Box::new(notice)))
        }
        Booking::Refused(document) => {
            let refused = payment_document::<Refused>(message, document, holder.issuer, judge)?;
            Err(refused_in(By::PaymentServer, message, &refused, request))
        }
        Booking::Ask if message == 180 => Ok(Fate::Ask),
        Booking::Ask => {
            let text = "no answer to this message";
            Err(Rejection::own(message, Reject::Malformed, text))
        }
    }
}
