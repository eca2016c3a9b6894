//! The middle of a purchase: order and invoice signed by the card, permit, debit, receipt,
//! completion.

use apdu_spec::Refusal;
use apdu_spec::record::DebitRecord;
use apdu_spec::value::{Amount, Pin};
use protocol::Reject;
use protocol::purchase::PaymentMode;

use super::Wallet;
use super::purchases::{Run, Step};
use crate::card_thread::CardTrouble;
use crate::holder::Holder;
use crate::kept::KeptRecord;
use crate::outside::Outside;
use crate::port::{CardPort, JournalEntry};
use crate::purchase::{
    Booked, Debited, Earlier, End, Introduced, Invoiced, Ordered, Permitted, Progress, Received,
    Requested, State,
};
use crate::rejection::Rejection;
use crate::store::KnownShop;
use crate::trouble::Trouble;

impl<O: Outside> Wallet<O> {
    /// The buyer has accepted the shop: the card signs the order (130).
    pub(super) async fn sign_order(
        &self,
        introduced: &Introduced,
        run: &mut Run,
    ) -> Result<Ordered, Trouble> {
        let ordering = &introduced.ordering;
        let (fields, pin) = (introduced.fields(), run.pin.clone());
        let certain = pin.is_some();
        let sign = move |card: &mut dyn CardPort| card.sign_order(&fields, pin.as_ref());
        let record = self.with_card(&ordering.holder, certain, sign).await?;
        run.met_card = true;
        let shop = KnownShop {
            url: ordering.shop_url.as_str().to_owned(),
            name: Some(introduced.shop_name.as_str().to_owned()),
        };
        self.store.save_shop(&shop, self.outside.now())?;
        Ok(introduced.signed(&record)?)
    }

    /// The invoice is confirmed, or too small to be shown: the card signs it (D1).
    pub(super) async fn request(&self, invoiced: &Invoiced, run: &mut Run) -> Step {
        let invoice = &invoiced.invoice;
        let small = !run.by_itself && invoice.amount.0 <= self.threshold()?;
        if !run.confirmed && !small {
            return Ok(None);
        }
        if invoice.mode != PaymentMode::ElectronicMoney {
            let state = State::InvoiceShown(invoiced.clone());
            return Ok(Some(state.ended(End::OtherMeans)));
        }
        if run.pin.is_none() && self.pin_needed(&invoiced.ordering().holder, invoice.amount) {
            return Ok(None);
        }
        let (holder, key) = (&invoiced.ordering().holder, invoiced.payment_key(150)?);
        let url = invoice.payment_url.as_str();
        self.teach_key(holder, url, &key, false).await?;
        let requested = self.sign_request(invoiced, Vec::new(), run).await?;
        Ok(Some(State::AwaitPermit(requested)))
    }

    async fn sign_request(
        &self,
        invoiced: &Invoiced,
        earlier: Vec<Earlier>,
        run: &mut Run,
    ) -> Result<Requested, Trouble> {
        let fields = invoiced.fields();
        let sign = move |card: &mut dyn CardPort| card.sign_request(&fields);
        let record = self.with_card(&invoiced.ordering().holder, false, sign).await?;
        run.met_card = true;
        Ok(invoiced.requested(&record, earlier)?)
    }

    /// Whether the card will want the PIN for this amount, as far as it is known.
    pub fn pin_needed(&self, holder: &Holder, amount: Amount) -> bool {
        let seen = self.seen().filter(|seen| seen.facts.card == holder.card);
        seen.is_some_and(|seen| {
            let limits = seen.limits.limits;
            let spent = seen.facts.status.pin_free_spent.checked_add(amount);
            amount > limits.pin_floor || spent.is_none_or(|spent| spent > limits.pin_free_max)
        })
    }

    /// 150 → 160.
    pub(super) async fn ask_permit(&self, requested: &Requested, run: &mut Run) -> Step {
        let url = requested.invoiced.invoice.payment_url.as_str();
        let reply = self.outside.ask(url, "/150", &requested.message()).await?;
        let rejection = match requested.answered(&reply) {
            Ok(permitted) => {
                run.fresh_permit = true;
                return Ok(Some(State::PermitHeld(permitted)));
            }
            Err(rejection) => rejection,
        };
        let holder = &requested.invoiced.ordering().holder;
        let unchanged = || Ok(Some(State::AwaitPermit(requested.clone())));
        match (rejection.signed(), requested.earlier.last()) {
            (Some(Reject::DeliverFirst), _) if !run.detours.delivered => {
                run.detours.delivered = true;
                self.deliver_journal(holder).await?;
                unchanged()
            }
            (Some(Reject::SequenceUsed), _) if !run.detours.renewed => {
                self.renew(requested, run, rejection).await
            }
            // Perhaps with the permit before: P knows, and gives the receipt.
            (Some(Reject::InvoicePaid), Some(earlier)) if !run.detours.resent => {
                run.detours.resent = true;
                let mut used = requested.clone();
                used.request = earlier.request.clone();
                let permitted = Permitted { requested: used, permit: earlier.permit.clone() };
                Ok(Some(State::AwaitReceiptRepeat(permitted.debited_unseen())))
            }
            _ => Err(rejection.into()),
        }
    }

    /// The sequence of the request is used: by this payment, or by another one.
    async fn renew(&self, requested: &Requested, run: &mut Run, rejection: Rejection) -> Step {
        run.detours.renewed = true;
        let (earlier, invoiced) = (requested.earlier.clone(), &requested.invoiced);
        if let Some(used) = requested.earlier.last() {
            let mut asked = requested.clone();
            asked.request = used.request.clone();
            let permitted = Permitted { requested: asked, permit: used.permit.clone() };
            if let Some(record) = self.debit_in_journal(&permitted).await? {
                return Ok(Some(State::AwaitReceipt(permitted.debited(&record)?)));
            }
        }
        let renewed = self.sign_request(invoiced, earlier, run).await?;
        if renewed.request.debit_seq == requested.request.debit_seq {
            // P knows of a debit of which the card does not.
            return Err(rejection.into());
        }
        Ok(Some(State::AwaitPermit(renewed)))
    }

    /// VERIFY and DEBIT, back to back in one transaction.
    pub(super) async fn debit(&self, permitted: &Permitted, run: &mut Run) -> Step {
        let now = self.outside.now();
        if !run.fresh_permit && permitted.permit.expiry <= now {
            return Ok(Some(self.look(permitted).await?));
        }
        let error = match self.debit_once(permitted, run.pin.clone(), !run.met_card).await {
            Ok(record) => return Ok(Some(State::AwaitReceipt(permitted.debited(&record)?))),
            Err(error) => error,
        };
        match error.refusal() {
            Some(Refusal::WrongSequence) => Ok(Some(self.look(permitted).await?)),
            Some(Refusal::NoPaymentKey | Refusal::BadSignature) if !run.detours.rekeyed => {
                run.detours.rekeyed = true;
                let invoiced = &permitted.requested.invoiced;
                let url = invoiced.invoice.payment_url.as_str();
                let key = invoiced.payment_key(160)?;
                let holder = &invoiced.ordering().holder;
                self.teach_key(holder, url, &key, true).await?;
                Ok(Some(State::PermitHeld(permitted.clone())))
            }
            // Perhaps the debit is done: then the card gives its record again, without a PIN.
            None if matches!(error, Trouble::Card(CardTrouble::Card(_))) => {
                match self.debit_once(permitted, None, false).await {
                    Ok(record) => Ok(Some(State::AwaitReceipt(permitted.debited(&record)?))),
                    Err(_) => Err(error),
                }
            }
            Some(_) | None => Err(error),
        }
    }

    async fn debit_once(
        &self,
        permitted: &Permitted,
        pin: Option<Pin>,
        certain: bool,
    ) -> Result<Vec<u8>, Trouble> {
        let permit = permitted.permit.bytes().to_vec();
        let certain = certain && pin.is_some();
        let debit = move |card: &mut dyn CardPort| card.debit(&permit, pin.as_ref());
        let holder = &permitted.requested.invoiced.ordering().holder;
        self.with_card(holder, certain, debit).await
    }

    /// What has become of a permit? The card's journal and sequence say so.
    pub(super) async fn look(&self, permitted: &Permitted) -> Result<State, Trouble> {
        if let Some(record) = self.debit_in_journal(permitted).await? {
            return Ok(State::AwaitReceipt(permitted.debited(&record)?));
        }
        let holder = &permitted.requested.invoiced.ordering().holder;
        let present = |card: &mut dyn CardPort| card.present();
        let facts = self.with_card(holder, true, present).await?;
        if facts.status.debit_seq >= permitted.permit.debit_seq {
            return Ok(State::AwaitReceiptRepeat(self.debited_before(permitted)?));
        }
        Ok(State::AwaitPermit(permitted.ended()))
    }

    /// The debit of a consumed sequence: its record, where this wallet has delivered it before it
    /// left the journal.
    fn debited_before(&self, permitted: &Permitted) -> Result<Debited, Trouble> {
        let unseen = permitted.debited_unseen();
        match self.store.delivered(unseen.debit_hash())? {
            Some(record) => Ok(permitted.debited(&record)?),
            None => Ok(unseen),
        }
    }

    /// The record by which the card has paid this invoice, while it waits in the journal.
    async fn debit_in_journal(&self, permitted: &Permitted) -> Result<Option<Vec<u8>>, Trouble> {
        let invoiced = &permitted.requested.invoiced;
        let holder = &invoiced.ordering().holder;
        let journal = self.with_card(holder, true, |card| card.journal()).await?;
        let invoice = invoiced.invoice.hash();
        let mut records = journal.into_iter().filter_map(|entry| match entry {
            JournalEntry::Debit(record) => Some(record),
            JournalEntry::Credit(_) | JournalEntry::Burned(_) => None,
        });
        Ok(records.find(|record| {
            KeptRecord::<DebitRecord>::open(record, &holder.key)
                .is_ok_and(|record| record.invoice_hash == invoice)
        }))
    }

    /// 170 → 180.
    pub(super) async fn send_value(&self, debited: &Debited) -> Step {
        let Some(message) = debited.message() else {
            return Ok(Some(State::AwaitReceiptRepeat(debited.clone())));
        };
        let url = debited.permitted.requested.invoiced.invoice.payment_url.as_str();
        let reply = self.outside.ask(url, "/170", &message).await?;
        let booked = debited.answered(&reply, &self.judge())?;
        Ok(Some(self.booked(debited, booked)))
    }

    /// 190 → 200.
    pub(super) async fn ask_receipt(&self, debited: &Debited, run: &mut Run) -> Step {
        let url = debited.permitted.requested.invoiced.invoice.payment_url.as_str();
        let message = debited.repeat_message();
        let reply = self.outside.ask(url, "/190", &message).await?;
        let rejection = match debited.repeated(&reply, &self.judge()) {
            Ok(booked) => return Ok(Some(self.booked(debited, booked))),
            Err(rejection) => rejection,
        };
        let unbooked =
            matches!(rejection.signed(), Some(Reject::NotBooked | Reject::UnknownPayment));
        if !unbooked {
            return Err(rejection.into());
        }
        if debited.debit.is_some() {
            if run.detours.resent {
                return Err(rejection.into());
            }
            run.detours.resent = true;
            return Ok(Some(State::AwaitReceipt(debited.clone())));
        }
        // Another payment has consumed the sequence: this one begins again from the request.
        let requested = debited.permitted.ended();
        self.renew(&requested, run, rejection).await
    }

    fn booked(&self, debited: &Debited, booked: Booked) -> State {
        match booked {
            Booked::Paid(received) => State::AwaitCompletion(*received),
            Booked::Ask => State::AwaitReceiptRepeat(debited.clone()),
            Booked::Suspended(notice) => {
                State::AwaitReceipt(debited.clone()).ended(End::Suspended(*notice))
            }
        }
    }

    /// 210 → 220.
    pub(super) async fn complete(&self, received: &Received) -> Step {
        let url = received.invoiced().ordering().shop_url.as_str();
        let reply = self.outside.ask(url, "/210", &received.message()).await?;
        let completed = received.answered(&reply)?;
        let progress = Progress::Completed(completed);
        Ok(Some(State::Ended(End::Complete, progress)))
    }
}
