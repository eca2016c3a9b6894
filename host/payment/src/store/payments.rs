//! Invoices, permits, debits, and receipts on their way to the shops.

use apdu_spec::record::Permit;
use apdu_spec::value::{CardId, Hash, PaymentId, Sequence, Time};
use protocol::document::Invoice;
use protocol::purchase::Booking;
use protocol::signed::{Signed, SignedRecord, Verified, VerifiedRecord};

use super::{Books, Kind, Row, StoreError};
use crate::ledger::bookable;

/// State of an invoice (payment data 63).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InvoiceState {
    /// Not paid yet.
    Open,
    /// Paid.
    Paid,
    /// Past its due time for good, without having been paid.
    PastDue,
    /// Cancelled by the shop.
    Cancelled,
}

impl InvoiceState {
    pub(crate) const ALL: [Self; 4] = [Self::Open, Self::Paid, Self::PastDue, Self::Cancelled];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Paid => "paid",
            Self::PastDue => "past due",
            Self::Cancelled => "cancelled",
        }
    }
}

/// An invoice in the books.
#[derive(Clone, Debug)]
pub(crate) struct KnownInvoice {
    pub(crate) state: InvoiceState,
    pub(crate) content: Invoice,
}

/// A permit that has not ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LivePermit {
    /// Hash of the request (D1) that it answers.
    pub(crate) request: Hash,
    pub(crate) bytes: Vec<u8>,
}

/// Where a debit's value went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// To the shop; the answer is a receipt.
    Merchant,
    /// To suspense; the answer is a notice.
    Suspense,
}

/// A debit in the books.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BookedDebit {
    /// Hash of the card's debit record.
    pub(crate) record: Hash,
    pub(crate) outcome: Outcome,
    /// Receipt or suspense notice.
    pub(crate) answer: Vec<u8>,
}

impl BookedDebit {
    /// What 180 and 200 say about it.
    pub(crate) fn booking(&self) -> Booking {
        let answer = self.answer.clone().into();
        match self.outcome {
            Outcome::Merchant => Booking::Paid(answer),
            Outcome::Suspense => Booking::Suspended(answer),
        }
    }
}

const DEBIT: &str = "SELECT debits.record, debits.outcome, evidence.bytes
    FROM debits JOIN evidence ON evidence.hash = debits.answer";

fn read_debit(row: &Row<'_>) -> Result<BookedDebit, StoreError> {
    let outcome = match row.at::<String>(1)?.as_str() {
        "merchant" => Outcome::Merchant,
        "suspense" => Outcome::Suspense,
        other => return Err(StoreError::Damaged(format!("outcome {other}"))),
    };
    Ok(BookedDebit { record: row.at(0)?, outcome, answer: row.at(2)? })
}

impl Books<'_> {
    pub(crate) fn invoice(&self, hash: &Hash) -> Result<Option<KnownInvoice>, StoreError> {
        self.row(
            "SELECT invoices.state, evidence.bytes
             FROM invoices JOIN evidence ON evidence.hash = invoices.hash
             WHERE invoices.hash = $1",
            &[hash.into()],
            |row| {
                let name = row.at::<String>(0)?;
                let state = InvoiceState::ALL.into_iter().find(|state| state.name() == name);
                let invoice = Signed::<Invoice>::parse(&row.at::<Vec<u8>>(1)?);
                let damaged = || StoreError::Damaged(format!("invoice {hash}"));
                Ok(KnownInvoice {
                    state: state.ok_or_else(damaged)?,
                    content: invoice.map_err(|_| damaged())?.claims().clone(),
                })
            },
        )
    }

    /// Keeps an invoice that P has not seen yet, as open.
    pub(crate) fn keep_invoice(
        &self,
        invoice: &Verified<Invoice>,
        now: Time,
    ) -> Result<(), StoreError> {
        self.keep(Kind::Invoice, invoice, now)?;
        let amount = bookable(invoice.amount);
        let amount = amount.ok_or_else(|| StoreError::Constraint("amount".to_owned()))?;
        self.execute(
            "INSERT INTO invoices (hash, transaction_id, payer, shop, amount, due, state, changed)
             VALUES ($1, $2, $3, $4, $5, $6, 'open', $7) ON CONFLICT (hash) DO NOTHING",
            &[
                (&invoice.hash()).into(),
                (&invoice.transaction).into(),
                invoice.payer.as_str().into(),
                (&invoice.shop).into(),
                amount.into(),
                invoice.due.into(),
                now.into(),
            ],
        )?;
        Ok(())
    }

    /// Ends an open invoice. An invoice that has ended never changes again.
    pub(crate) fn end_invoice(
        &self,
        hash: &Hash,
        state: InvoiceState,
        now: Time,
    ) -> Result<(), StoreError> {
        let changed = self.execute(
            "UPDATE invoices SET state = $2, changed = $3 WHERE hash = $1 AND state = 'open'",
            &[hash.into(), state.name().into(), now.into()],
        )?;
        if changed == 1 {
            Ok(())
        } else {
            Err(StoreError::Constraint("the invoice has ended".to_owned()))
        }
    }

    /// The permit with this payment ID.
    pub(crate) fn permit(&self, payment: &PaymentId) -> Result<Option<Permit>, StoreError> {
        self.row(
            "SELECT evidence.bytes
             FROM permits JOIN evidence ON evidence.hash = permits.document
             WHERE permits.payment = $1",
            &[payment.into()],
            |row| {
                let permit = SignedRecord::<Permit>::parse(&row.at::<Vec<u8>>(0)?);
                let damaged = |_| StoreError::Damaged(format!("permit {payment}"));
                Ok(*permit.map_err(damaged)?.claims())
            },
        )
    }

    /// Permits for an invoice that have neither expired nor lost their sequence to a booked debit.
    pub(crate) fn live_permits(
        &self,
        invoice: &Hash,
        now: Time,
    ) -> Result<Vec<LivePermit>, StoreError> {
        self.rows(
            "SELECT permits.request, evidence.bytes
             FROM permits JOIN evidence ON evidence.hash = permits.document
             WHERE permits.invoice = $1 AND permits.expiry > $2 AND NOT EXISTS (
                 SELECT 1 FROM debits
                 WHERE debits.card = permits.card AND debits.debit_seq = permits.debit_seq
             ) ORDER BY permits.issued DESC, permits.payment",
            &[invoice.into(), now.into()],
            |row| Ok(LivePermit { request: row.at(0)?, bytes: row.at(1)? }),
        )
    }

    /// Keeps a permit, which answers the request with this hash.
    pub(crate) fn keep_permit(
        &self,
        permit: &VerifiedRecord<Permit>,
        request: &Hash,
        now: Time,
    ) -> Result<(), StoreError> {
        self.keep_record(Kind::Permit, permit, now)?;
        let wrong = || StoreError::Constraint("a permit beyond what the books can hold".to_owned());
        self.execute(
            "INSERT INTO permits (payment, invoice, card, debit_seq, amount, expiry, epoch,
                 request, document, issued)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
            &[
                (&permit.payment).into(),
                (&permit.invoice_hash).into(),
                (&permit.card).into(),
                permit.debit_seq.into(),
                bookable(permit.amount).ok_or_else(wrong)?.into(),
                permit.expiry.into(),
                i64::try_from(permit.epoch.0).map_err(|_| wrong())?.into(),
                request.into(),
                (&permit.hash()).into(),
                now.into(),
            ],
        )?;
        Ok(())
    }

    /// The debit of a card with this sequence.
    pub(crate) fn debit(
        &self,
        card: &CardId,
        debit_seq: Sequence,
    ) -> Result<Option<BookedDebit>, StoreError> {
        let sql = format!("{DEBIT} WHERE debits.card = $1 AND debits.debit_seq = $2");
        self.row(&sql, &[card.into(), debit_seq.into()], read_debit)
    }

    /// The debit that was made with the permit of this payment.
    pub(crate) fn debit_of(&self, payment: &PaymentId) -> Result<Option<BookedDebit>, StoreError> {
        let sql = format!("{DEBIT} WHERE debits.payment = $1");
        self.row(&sql, &[payment.into()], read_debit)
    }

    /// The receipt of a paid invoice.
    pub(crate) fn receipt_of(&self, invoice: &Hash) -> Result<Option<Vec<u8>>, StoreError> {
        let sql = format!("{DEBIT} WHERE debits.invoice = $1");
        let debit = self.row(&sql, &[invoice.into()], read_debit)?;
        Ok(debit.map(|debit| debit.answer))
    }

    /// The highest booked debit sequence of a card, 0 before the first.
    pub(crate) fn newest_debit(&self, card: &CardId) -> Result<Sequence, StoreError> {
        let newest = self.row(
            "SELECT COALESCE(MAX(debit_seq), 0) FROM debits WHERE card = $1",
            &[card.into()],
            |row| row.at(0),
        )?;
        Ok(newest.unwrap_or_default())
    }

    /// Keeps a debit: its record and the answer to it are evidence already.
    pub(crate) fn keep_debit(
        &self,
        permit: &Permit,
        record: &Hash,
        outcome: Outcome,
        answer: &Hash,
        now: Time,
    ) -> Result<(), StoreError> {
        let (outcome, paid) = match outcome {
            Outcome::Merchant => ("merchant", Some(&permit.invoice_hash)),
            Outcome::Suspense => ("suspense", None),
        };
        self.execute(
            "INSERT INTO debits (card, debit_seq, payment, record, outcome, invoice, answer, booked)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            &[
                (&permit.card).into(),
                permit.debit_seq.into(),
                (&permit.payment).into(),
                record.into(),
                outcome.into(),
                paid.into(),
                answer.into(),
                now.into(),
            ],
        )?;
        Ok(())
    }

    /// Signed suspense notices of a card whose value still waits, oldest first.
    pub(crate) fn open_notices(
        &self,
        card: &CardId,
        most: i64,
    ) -> Result<Vec<Vec<u8>>, StoreError> {
        self.rows(
            "SELECT evidence.bytes
             FROM debits JOIN evidence ON evidence.hash = debits.answer
             WHERE debits.card = $1 AND debits.outcome = 'suspense' AND NOT EXISTS (
                 SELECT 1 FROM credits
                 WHERE credits.authority = debits.answer AND credits.state <> 'issued'
             ) ORDER BY debits.debit_seq LIMIT $2",
            &[card.into(), most.into()],
            |row| row.at(0),
        )
    }
}
