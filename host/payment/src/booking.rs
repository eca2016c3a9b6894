//! 170 → 180 and 190 → 200: the card's debit comes in and pays its invoice, or waits in suspense.
//!
//! A genuine debit is never refused (Invariant N), whatever has become of the card's certificate
//! since its permit (Invariant L). Value, invoice, receipt and its way to the shop are one
//! transaction.

use apdu_spec::record::{DebitRecord, Permit};
use apdu_spec::value::{PublicKey, Time};
use protocol::Reject;
use protocol::document::{Receipt, SuspenseNotice, SuspenseReason};
use protocol::field::Number;
use protocol::purchase::{Booking, ReceiptRepeat, ReceiptReply, ReceiptRequest, ValueMessage};
use protocol::signed::{Signed, SignedRecord, VerifiedRecord};

use crate::ledger::{Account, Transfer};
use crate::service::{Fault, Own, Service, bad_signature, malformed};
use crate::store::{BookedDebit, Books, InvoiceState, Kind, KnownInvoice, Outcome, StoreError};

impl Service {
    /// Answers 170 with 180.
    ///
    /// # Errors
    /// [`Fault`] when there is no signed answer: the message is malformed, or the books cannot be
    /// used.
    pub fn book(
        &self,
        message: &ValueMessage,
        bytes: &[u8],
        now: Time,
    ) -> Result<ReceiptReply, Fault> {
        let answer = match self.book_debit(message, now) {
            Ok(debit) if self.own.policy.explicit_receipt => {
                tracing::debug!(record = %debit.record, "the receipt is to be asked for");
                Booking::Ask
            }
            Ok(debit) => debit.booking(),
            Err(fault) => Booking::Refused(self.refuse(180, bytes, now, fault)?.into()),
        };
        Ok(ReceiptReply { number: Number, answer })
    }

    fn book_debit(&self, message: &ValueMessage, now: Time) -> Result<BookedDebit, Fault> {
        let record = SignedRecord::<DebitRecord>::parse(&message.record).map_err(malformed)?;
        let payment = record.claims().payment;
        let known = self.store.read(|books| {
            let permit = books.permit(&payment)?;
            let card = permit.map(|permit| books.card(&permit.card)).transpose()?;
            Ok::<_, StoreError>(permit.zip(card.flatten().map(|card| card.key)))
        })?;
        let (permit, key) = known.ok_or(Reject::UnknownPayment)?;
        let record = check(record, &permit, &key)?;
        let outcome = self.store.apply(|books| {
            let booked = books.debit(&permit.card, permit.debit_seq)?;
            let invoice = books.invoice(&permit.invoice_hash)?;
            match decide(&record, &permit, booked, invoice.as_ref(), &self.own, now) {
                Decision::Again(debit) => Ok::<_, Fault>(Some(debit)),
                Decision::Contradiction => {
                    books.keep_record(Kind::DebitRecord, &record, now)?;
                    let (card, debit_seq) = (&permit.card, permit.debit_seq);
                    books.keep_contradiction(card, "debit", debit_seq, &record.hash())?;
                    Ok(None)
                }
                Decision::Pay(receipt) => {
                    Ok(Some(self.pay(books, &record, &permit, receipt, now)?))
                }
                Decision::Suspend { notice, ends } => {
                    if let Some(state) = ends {
                        books.end_invoice(&permit.invoice_hash, state, now)?;
                    }
                    Ok(Some(self.suspend(books, &record, &permit, notice, now)?))
                }
            }
        })?;
        let Some(debit) = outcome else {
            let (card, debit_seq) = (permit.card, permit.debit_seq);
            tracing::error!(%card, %debit_seq, "CLONED CARD: two signed debits of one sequence");
            return Err(Reject::SequenceUsed.into());
        };
        self.outbox.notify_one();
        Ok(debit)
    }

    fn pay(
        &self,
        books: &Books<'_>,
        record: &VerifiedRecord<DebitRecord>,
        permit: &Permit,
        receipt: Receipt,
        now: Time,
    ) -> Result<BookedDebit, StoreError> {
        let receipt = Signed::seal(receipt, self.signer.as_ref())?;
        books.keep_record(Kind::DebitRecord, record, now)?;
        books.keep(Kind::Receipt, &receipt, now)?;
        books.end_invoice(&permit.invoice_hash, InvoiceState::Paid, now)?;
        books.transfer(&transfer(record, Account::Merchant(permit.shop), now))?;
        books.send_receipt(&receipt.hash(), &permit.shop, now)?;
        let outcome = Outcome::Merchant;
        books.keep_debit(permit, &record.hash(), outcome, &receipt.hash(), now)?;
        finish(books, record, outcome, receipt.bytes())
    }

    fn suspend(
        &self,
        books: &Books<'_>,
        record: &VerifiedRecord<DebitRecord>,
        permit: &Permit,
        notice: SuspenseNotice,
        now: Time,
    ) -> Result<BookedDebit, StoreError> {
        let notice = Signed::seal(notice, self.signer.as_ref())?;
        books.keep_record(Kind::DebitRecord, record, now)?;
        books.keep(Kind::SuspenseNotice, &notice, now)?;
        books.transfer(&transfer(record, Account::Suspense(permit.card), now))?;
        let outcome = Outcome::Suspense;
        books.keep_debit(permit, &record.hash(), outcome, &notice.hash(), now)?;
        finish(books, record, outcome, notice.bytes())
    }

    /// Answers 190 with 200.
    ///
    /// # Errors
    /// [`Fault`] when the books cannot be used.
    pub fn receipt(
        &self,
        message: &ReceiptRequest,
        bytes: &[u8],
        now: Time,
    ) -> Result<ReceiptRepeat, Fault> {
        let (permit, debit) = self.store.read(|books| {
            let debit = books.debit_of(&message.payment)?;
            Ok::<_, StoreError>((books.permit(&message.payment)?, debit))
        })?;
        let answer = match (permit, debit) {
            (_, Some(debit)) => debit.booking(),
            (Some(_), None) => self.refuse_receipt(bytes, now, Reject::NotBooked)?,
            (None, None) => self.refuse_receipt(bytes, now, Reject::UnknownPayment)?,
        };
        Ok(ReceiptRepeat { number: Number, answer })
    }

    fn refuse_receipt(&self, bytes: &[u8], now: Time, code: Reject) -> Result<Booking, Fault> {
        let refusal = self.refuse(200, bytes, now, code.into())?;
        Ok(Booking::Refused(refusal.into()))
    }
}

/// The end of every booking: acknowledgements follow from the new row.
fn finish(
    books: &Books<'_>,
    record: &VerifiedRecord<DebitRecord>,
    outcome: Outcome,
    answer: &[u8],
) -> Result<BookedDebit, StoreError> {
    books.raise_acks(&record.card)?;
    if books.cover(&record.card)? < 0 {
        // No genuine card debits more than its shadow and what is in flight to it.
        tracing::error!(card = %record.card, "BROKEN CARD: it has debited more than it had");
    }
    Ok(BookedDebit { record: record.hash(), outcome, answer: answer.to_vec() })
}

fn transfer(record: &VerifiedRecord<DebitRecord>, to: Account, time: Time) -> Transfer {
    Transfer {
        from: Account::Shadow(record.card),
        to,
        amount: record.amount,
        document: record.hash(),
        time,
    }
}

fn check(
    record: SignedRecord<DebitRecord>,
    permit: &Permit,
    key: &PublicKey,
) -> Result<VerifiedRecord<DebitRecord>, Reject> {
    let record = record.open(key).map_err(bad_signature)?;
    if *record == permit.debit_record() { Ok(record) } else { Err(Reject::ContentDiffers) }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Decision {
    /// The same debit came before.
    Again(BookedDebit),
    /// Another debit with this sequence came before, and this card has signed both.
    Contradiction,
    Pay(Receipt),
    Suspend {
        notice: SuspenseNotice,
        /// What becomes of the invoice for good.
        ends: Option<InvoiceState>,
    },
}

fn decide(
    record: &VerifiedRecord<DebitRecord>,
    permit: &Permit,
    booked: Option<BookedDebit>,
    invoice: Option<&KnownInvoice>,
    own: &Own,
    now: Time,
) -> Decision {
    match booked {
        Some(debit) if debit.record == record.hash() => return Decision::Again(debit),
        Some(_) => return Decision::Contradiction,
        None => {}
    }
    let (reason, ends) = match invoice.map(|invoice| (invoice.state, &invoice.content)) {
        Some((InvoiceState::Open, content)) if content.due >= now => {
            return Decision::Pay(Receipt {
                number: Number,
                transaction: content.transaction,
                payer: content.payer.clone(),
                amount: content.amount,
                currency: content.currency,
                mode: content.mode,
                shop: content.shop,
                shop_name: content.shop_name.clone(),
                // This server's name when it gave the permit; it may have another certificate now.
                recipient: content.payee.clone(),
                time: now,
                invoice_hash: permit.invoice_hash,
                debit_hash: record.hash(),
                payment: permit.payment,
            });
        }
        // From here on the invoice stays unpayable, even if the clock steps back.
        Some((InvoiceState::Open, _)) => (SuspenseReason::PastDue, Some(InvoiceState::PastDue)),
        Some((InvoiceState::PastDue, _)) => (SuspenseReason::PastDue, None),
        Some((InvoiceState::Paid, _)) => (SuspenseReason::InvoicePaid, None),
        Some((InvoiceState::Cancelled, _)) => (SuspenseReason::InvoiceCancelled, None),
        None => (SuspenseReason::InvoiceUnknown, None),
    };
    let notice = SuspenseNotice {
        number: Number,
        payment: permit.payment,
        card: permit.card,
        debit_seq: permit.debit_seq,
        amount: permit.amount,
        currency: permit.currency,
        invoice_hash: permit.invoice_hash,
        debit_hash: record.hash(),
        reason,
        time: now,
        issuer: own.issuer,
    };
    Decision::Suspend { notice, ends }
}
