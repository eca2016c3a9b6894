//! 150 → 160: may this card pay this invoice?
//!
//! Both signatures are checked before anything is written: the shop's on the invoice, the card's
//! on its request (D1). The permit is on disk before it is answered.

use apdu_spec::JOURNAL_MAX;
use apdu_spec::record::{DebitRequest, Permit};
use apdu_spec::value::{Epoch, PaymentId, Sequence, Time};
use protocol::Reject;
use protocol::certificate::{Party, Role, certified_key};
use protocol::document::{Invoice, PaymentMode};
use protocol::field::Number;
use protocol::purchase::{PermitReply, PermitRequest};
use protocol::signed::{Signed, SignedRecord, Verified, VerifiedRecord};
use server::Trust;

use crate::ledger::bookable;
use crate::service::{Fault, Own, Service, bad_signature, draw, introduce, malformed, read_chain};
use crate::store::{
    Acks, Books, Card, Introduced, InvoiceState, Kind, LivePermit, Shop, StoreError,
};

impl Service {
    /// Answers 150 with 160.
    ///
    /// # Errors
    /// [`Fault`] when there is no signed answer: the message is malformed, or the books cannot be
    /// used.
    pub fn permit(
        &self,
        message: &PermitRequest,
        bytes: &[u8],
        now: Time,
    ) -> Result<PermitReply, Fault> {
        let outcome = self.grant_permit(message, now);
        Ok(PermitReply { number: Number, answer: self.answer(160, bytes, now, outcome)? })
    }

    fn grant_permit(&self, message: &PermitRequest, now: Time) -> Result<Vec<u8>, Fault> {
        let received = receive(message, &self.trust, now)?;
        let shop = received.shop.shop();
        let accepted = self.store.read(|books| books.shop(&shop))?;
        let asked = check(received, accepted.as_ref(), &self.own, &self.trust, now)?;
        let payment = PaymentId(draw()?);
        self.store.apply(|books| {
            let facts = Facts::read(books, &asked, now)?;
            match decide(&asked, &facts, &self.own, payment, now)? {
                Grant::Again(permit) => Ok(permit),
                Grant::New(permit) => {
                    let permit = SignedRecord::seal(permit, self.signer.as_ref())?;
                    books.keep_card(&asked.card, now)?;
                    books.keep_invoice(&asked.invoice, now)?;
                    books.keep_record(Kind::DebitRequest, &asked.request, now)?;
                    books.keep_permit(&permit, &asked.request.hash(), now)?;
                    Ok(permit.bytes().to_vec())
                }
            }
        })
    }
}

/// A message 150 in the right form, from a genuine shop.
struct Received {
    invoice: Signed<Invoice>,
    request: SignedRecord<DebitRequest>,
    chain: Vec<Vec<u8>>,
    shop: Party,
}

fn receive(message: &PermitRequest, trust: &Trust, now: Time) -> Result<Received, Reject> {
    let invoice = Signed::<Invoice>::parse(&message.invoice).map_err(malformed)?;
    let request = SignedRecord::parse(&message.request).map_err(malformed)?;
    let chain = read_chain(&message.chain)?;
    if invoice.claims().amount.0 == 0 {
        return Err(Reject::Malformed);
    }
    let shop = introduce(trust, invoice.chain().to_vec(), Role::Shop, now)?.party;
    Ok(Received { invoice, request, chain, shop })
}

/// A request whose signatures and contents agree; only the books can still speak against it.
pub(crate) struct Asked {
    pub(crate) invoice: Verified<Invoice>,
    pub(crate) request: VerifiedRecord<DebitRequest>,
    pub(crate) card: Introduced,
}

fn check(
    received: Received,
    accepted: Option<&Shop>,
    own: &Own,
    trust: &Trust,
    now: Time,
) -> Result<Asked, Reject> {
    let Received { invoice, request, chain, shop } = received;
    if accepted.is_none() {
        return Err(Reject::ShopNotAccepted);
    }
    let invoice = invoice.open(&shop.key).map_err(bad_signature)?;
    // A shop speaks for itself only; receipt 53 repeats both.
    if invoice.shop != shop.shop() || invoice.shop_name != shop.name {
        return Err(Reject::ContentDiffers);
    }
    // The receipt names the payee as its recipient: shop and wallet take it from nobody else.
    if !names_payment_server(&invoice, own) || invoice.payee != own.name {
        return Err(Reject::WrongIssuer);
    }
    if invoice.mode != PaymentMode::ElectronicMoney {
        return Err(Reject::NotElectronicMoney);
    }
    if invoice.currency != own.currency {
        return Err(Reject::ContentDiffers);
    }
    if invoice.due <= now {
        return Err(Reject::PastDue);
    }
    let card = introduce(trust, chain, Role::Holder, now)?;
    if card.party.payer.as_ref() != Some(&invoice.payer) {
        return Err(Reject::WrongPayer);
    }
    let request = request.open(&card.party.key).map_err(bad_signature)?;
    let agrees = request.card == card.party.card()
        && request.invoice_hash == invoice.hash()
        && request.shop == invoice.shop
        && request.amount == invoice.amount
        && request.currency == invoice.currency;
    if !agrees {
        return Err(Reject::ContentDiffers);
    }
    Ok(Asked { invoice, request, card })
}

/// Whether the certificate inside the invoice, against which wallet and shop check permit and
/// receipt, is for this server's key.
pub(crate) fn names_payment_server(invoice: &Invoice, own: &Own) -> bool {
    let leaf = invoice.payment_chain.first();
    leaf.and_then(|leaf| certified_key(leaf).ok()) == Some(own.key)
}

/// What the books say about a request.
#[derive(Clone, Debug)]
struct Facts {
    card: Option<Card>,
    invoice: Option<InvoiceState>,
    newest_debit: Sequence,
    live: Vec<LivePermit>,
    /// Shadow and what is in flight to the card.
    cover: i64,
    epoch: Epoch,
}

impl Facts {
    fn read(books: &Books<'_>, asked: &Asked, now: Time) -> Result<Self, StoreError> {
        let card = asked.request.card;
        let invoice = asked.invoice.hash();
        Ok(Self {
            card: books.card(&card)?,
            invoice: books.invoice(&invoice)?.map(|invoice| invoice.state),
            newest_debit: books.newest_debit(&card)?,
            live: books.live_permits(&invoice, now)?,
            cover: books.cover(&card)?,
            epoch: books.title()?.epoch,
        })
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Grant {
    /// The permit that was given for the same request before.
    Again(Vec<u8>),
    New(Permit),
}

fn decide(
    asked: &Asked,
    facts: &Facts,
    own: &Own,
    payment: PaymentId,
    now: Time,
) -> Result<Grant, Reject> {
    let Asked { invoice, request, card } = asked;
    let acks = check_card(facts.card.as_ref(), &card.party)?;
    match facts.invoice {
        None | Some(InvoiceState::Open) => {}
        Some(InvoiceState::Paid) => return Err(Reject::InvoicePaid),
        Some(InvoiceState::Cancelled) => return Err(Reject::InvoiceCancelled),
        Some(InvoiceState::PastDue) => return Err(Reject::PastDue),
    }
    // Otherwise a replayed request would hold the invoice with a permit that no card can take.
    if request.debit_seq <= facts.newest_debit {
        return Err(Reject::SequenceUsed);
    }
    let same = |permit: &&LivePermit| permit.request == request.hash();
    if let Some(permit) = facts.live.iter().find(same) {
        return Ok(Grant::Again(permit.bytes.clone()));
    }
    if !facts.live.is_empty() {
        return Err(Reject::PermitLive);
    }
    if bookable(invoice.amount).is_none_or(|amount| amount > facts.cover) {
        return Err(Reject::InsufficientShadow);
    }
    // A journal that is full even with these acknowledgements refuses the permit (Invariant J).
    let reach = acks.debit.0.saturating_add(JOURNAL_MAX);
    if request.debit_seq.0 > reach {
        return Err(Reject::DeliverFirst);
    }
    let ends = now.0.checked_add(own.policy.permit_life_s).map(Time);
    Ok(Grant::New(Permit {
        card: request.card,
        debit_seq: request.debit_seq,
        payment,
        invoice_hash: invoice.hash(),
        shop: invoice.shop,
        amount: invoice.amount,
        currency: invoice.currency,
        expiry: ends.map_or(invoice.due, |ends| ends.min(invoice.due)),
        epoch: facts.epoch,
        ack_debit: acks.debit,
        ack_credit: acks.credit,
    }))
}

/// Whether a card may ask for anything, and what of it P knows. A card makes its key once, so
/// another key under its number is another card.
pub(crate) fn check_card(known: Option<&Card>, shown: &Party) -> Result<Acks, Reject> {
    let Some(known) = known else {
        return Ok(Acks::default());
    };
    if known.key != shown.key {
        tracing::error!(card = %shown.card(), "a second key is certified for this card");
        return Err(Reject::CertificateNotTrusted);
    }
    if known.is_closed {
        return Err(Reject::CardClosed);
    }
    Ok(known.acks)
}
