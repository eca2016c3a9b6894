//! 50 → 60: a shop asks what has become of its invoice, or cancels it.
//!
//! `PastDue` and `Cancelled` are promises: they are durable rows, which 170 reads in its own
//! transaction, so that the shop may release the order.

use apdu_spec::value::Time;
use protocol::Reject;
use protocol::certificate::{Party, Role};
use protocol::document::Invoice;
use protocol::field::Number;
use protocol::query::{InvoiceQuery, InvoiceQuestion, InvoiceReply, InvoiceState, PaymentState};
use protocol::signed::{Signed, Verified};
use server::Trust;

use crate::ledger::bookable;
use crate::permit::names_payment_server;
use crate::service::{Fault, Own, Service, bad_signature, introduce, malformed};
use crate::store::{self, Kind};

impl Service {
    /// Answers 50 with 60.
    ///
    /// # Errors
    /// [`Fault`] when there is no signed answer: the message is malformed, or the books cannot be
    /// used.
    pub fn invoice_state(
        &self,
        message: &InvoiceQuery,
        bytes: &[u8],
        now: Time,
    ) -> Result<InvoiceReply, Fault> {
        let outcome = self.tell_state(message, now);
        Ok(InvoiceReply { number: Number, answer: self.answer(60, bytes, now, outcome)? })
    }

    fn tell_state(&self, message: &InvoiceQuery, now: Time) -> Result<Vec<u8>, Fault> {
        let asked = receive(message, &self.trust, now)?;
        let shop = asked.shop.shop();
        let accepted = self.store.read(|books| books.shop(&shop))?;
        if accepted.is_none() {
            return Err(Reject::ShopNotAccepted.into());
        }
        let asked = check(asked, &self.own, &self.trust)?;
        let hash = asked.invoice.hash();
        let (state, receipt) = self.store.apply(|books| {
            let facts = Facts {
                invoice: books.invoice(&hash)?.map(|invoice| invoice.state),
                has_live_permit: !books.live_permits(&hash, now)?.is_empty(),
            };
            let Decision { state, ends } = decide(&asked, facts, now);
            if let Some(end) = ends {
                books.keep_invoice(&asked.invoice, now)?;
                books.keep(Kind::InvoiceQuestion, &asked.question, now)?;
                books.end_invoice(&hash, end, now)?;
            }
            Ok::<_, Fault>((state, books.receipt_of(&hash)?))
        })?;
        let answer = InvoiceState {
            number: Number,
            invoice_hash: hash,
            state,
            time: now,
            receipt: receipt.map(Into::into),
        };
        Ok(Signed::seal(answer, self.signer.as_ref())?.bytes().to_vec())
    }
}

/// A question in the right form, from a genuine shop.
struct Received {
    question: Signed<InvoiceQuestion>,
    invoice: Signed<Invoice>,
    shop: Party,
}

fn receive(message: &InvoiceQuery, trust: &Trust, now: Time) -> Result<Received, Reject> {
    let question = Signed::<InvoiceQuestion>::parse(&message.question).map_err(malformed)?;
    let invoice = Signed::<Invoice>::parse(&question.claims().invoice).map_err(malformed)?;
    let shop = introduce(trust, question.chain().to_vec(), Role::Shop, now)?.party;
    Ok(Received { question, invoice, shop })
}

struct Asked {
    question: Verified<InvoiceQuestion>,
    invoice: Verified<Invoice>,
}

fn check(received: Received, own: &Own, trust: &Trust) -> Result<Asked, Reject> {
    let Received { question, invoice, shop } = received;
    let question = question.open(&shop.key).map_err(bad_signature)?;
    // The shop may have got a new certificate since: the old one counts when it was made.
    let issued = invoice.claims().issued;
    let author = trust
        .identify(invoice.chain(), Role::Shop, issued)
        .map_err(|error| Reject::from(&error))?;
    let invoice = invoice.open(&author.key).map_err(bad_signature)?;
    if author.shop() != shop.shop() || invoice.shop != shop.shop() {
        return Err(Reject::WrongShop);
    }
    if !names_payment_server(&invoice, own) {
        return Err(Reject::WrongIssuer);
    }
    // What no ledger can hold can never have been paid, and needs no row.
    if bookable(invoice.amount).is_none() {
        return Err(Reject::Malformed);
    }
    Ok(Asked { question, invoice })
}

/// What the books say about the invoice.
#[derive(Clone, Copy, Debug)]
struct Facts {
    invoice: Option<store::InvoiceState>,
    has_live_permit: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Decision {
    state: PaymentState,
    /// What becomes of the invoice for good, from now on.
    ends: Option<store::InvoiceState>,
}

fn decide(asked: &Asked, facts: Facts, now: Time) -> Decision {
    let stays = |state| Decision { state, ends: None };
    match facts.invoice {
        Some(store::InvoiceState::Paid) => stays(PaymentState::Paid),
        Some(store::InvoiceState::PastDue) => stays(PaymentState::PastDue),
        Some(store::InvoiceState::Cancelled) => stays(PaymentState::Cancelled),
        None | Some(store::InvoiceState::Open) if asked.invoice.due < now => {
            Decision { state: PaymentState::PastDue, ends: Some(store::InvoiceState::PastDue) }
        }
        // A card may be about to pay with a live permit.
        None | Some(store::InvoiceState::Open)
            if asked.question.cancel && !facts.has_live_permit =>
        {
            Decision { state: PaymentState::Cancelled, ends: Some(store::InvoiceState::Cancelled) }
        }
        None | Some(store::InvoiceState::Open) => stays(PaymentState::Unpaid),
    }
}
