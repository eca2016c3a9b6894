//! What waits on the card for P: every record that P has not answered for is delivered, also
//! without any file of this wallet; and P is asked what waits there for the card.

use apdu_spec::record::{BurnedSlot, CreditRecord, DebitRecord};
use apdu_spec::value::Hash;
use protocol::field::Number;
use protocol::load::CreditReport;
use protocol::purchase::{ReceiptRepeat, ReceiptReply, ReceiptRequest, ValueMessage};
use protocol::query::{NonceQuery, NonceReply, StatusQuery, StatusReply};

use super::Wallet;
use crate::credit::{Authorised, CreditAuthority, acknowledged};
use crate::holder::Holder;
use crate::kept::KeptRecord;
use crate::orphan::{Fate, fate};
use crate::outside::Outside;
use crate::port::{CardPort, JournalEntry};
use crate::rejection::not_kept;
use crate::store::Delivery;
use crate::trouble::Trouble;

impl<O: Outside> Wallet<O> {
    /// Delivers what waits on the card that was presented last. What fails is tried again later.
    pub(super) async fn deliver_waiting(&self, holder: &Holder) {
        let waits = self.seen().is_some_and(|seen| {
            let status = seen.facts.status;
            status.debit_seq > status.ack_debit || status.credit_seq > status.ack_credit
        });
        if waits && let Err(error) = self.deliver_journal(holder).await {
            tracing::warn!(%error, "the card's journal is not delivered yet");
        }
    }

    /// Delivers every record of the card's journal that P has not answered for; how many.
    pub(super) async fn deliver_journal(&self, holder: &Holder) -> Result<usize, Trouble> {
        let journal = self.with_card(holder, false, |card| card.journal()).await?;
        let (mut delivered, mut failure) = (0_usize, None);
        for entry in journal {
            match self.deliver(holder, &entry).await {
                Ok(true) => delivered = delivered.saturating_add(1),
                Ok(false) => {}
                Err(error) => {
                    tracing::warn!(%error, "a record of the journal is not delivered yet");
                    failure = failure.or(Some(error));
                }
            }
        }
        match failure {
            Some(error) => Err(error),
            None => Ok(delivered),
        }
    }

    async fn deliver(&self, holder: &Holder, entry: &JournalEntry) -> Result<bool, Trouble> {
        match entry {
            JournalEntry::Debit(bytes) => {
                let record = KeptRecord::<DebitRecord>::open(bytes, &holder.key);
                self.deliver_debit(holder, &record.map_err(not_kept(170))?).await
            }
            JournalEntry::Credit(bytes) => {
                let record = KeptRecord::<CreditRecord>::open(bytes, &holder.key);
                let hash = record.map_err(not_kept(1190))?.hash();
                self.deliver_credit(holder, bytes, hash).await
            }
            JournalEntry::Burned(bytes) => {
                let record = KeptRecord::<BurnedSlot>::open(bytes, &holder.key);
                let hash = record.map_err(not_kept(1190))?.hash();
                self.deliver_credit(holder, bytes, hash).await
            }
        }
    }

    /// 170 → 180, and 190 → 200 where P wants it.
    async fn deliver_debit(
        &self,
        holder: &Holder,
        record: &KeptRecord<DebitRecord>,
    ) -> Result<bool, Trouble> {
        if self.store.is_delivered(record.hash())? {
            return Ok(false);
        }
        let known = self.store.purchase_of_invoice(record.invoice_hash)?;
        let progress = known.map(|stored| stored.state.progress());
        let invoiced = progress.as_ref().and_then(|progress| progress.invoiced());
        let url = invoiced.map(|invoiced| invoiced.invoice.payment_url.clone());
        let url = url.unwrap_or_else(|| self.payment_url.clone());
        let message = ValueMessage { number: Number, record: record.bytes().to_vec().into() };
        let reply: ReceiptReply = self.outside.ask(url.as_str(), "/170", &message).await?;
        let judge = self.judge();
        let mut fate = fate(180, &reply.answer, (record, &message), holder, &judge)?;
        if matches!(fate, Fate::Ask) {
            fate = self.ask_fate(holder, record, url.as_str()).await?;
        }
        let answer = match &fate {
            Fate::Paid(receipt) => {
                if invoiced.is_none() {
                    self.archive.keep_receipt(record.payment, receipt.bytes())?;
                }
                receipt.bytes()
            }
            Fate::Suspended(notice) => {
                self.open_credit(Authorised {
                    authority: CreditAuthority::Suspense((**notice).clone()),
                    holder: holder.clone(),
                    payment_url: url,
                })?;
                notice.bytes()
            }
            Fate::Ask => return Ok(false),
        };
        self.note_answer(holder, record.bytes(), record.hash(), answer)?;
        Ok(true)
    }

    async fn ask_fate(
        &self,
        holder: &Holder,
        record: &KeptRecord<DebitRecord>,
        url: &str,
    ) -> Result<Fate, Trouble> {
        let message = ReceiptRequest { number: Number, payment: record.payment };
        let reply: ReceiptRepeat = self.outside.ask(url, "/190", &message).await?;
        let judge = self.judge();
        Ok(fate(200, &reply.answer, (record, &message), holder, &judge)?)
    }

    /// 1190 → 1200.
    async fn deliver_credit(
        &self,
        holder: &Holder,
        record: &[u8],
        hash: Hash,
    ) -> Result<bool, Trouble> {
        if self.store.is_delivered(hash)? {
            return Ok(false);
        }
        let report = CreditReport { number: Number, record: record.to_vec().into() };
        let reply = self.outside.ask(self.payment_url.as_str(), "/1190", &report).await?;
        let answer = acknowledged(&report, hash, &reply, holder.issuer, &self.judge())?;
        self.note_answer(holder, record, hash, answer.bytes())?;
        Ok(true)
    }

    pub(super) fn note_answer(
        &self,
        holder: &Holder,
        record: &[u8],
        hash: Hash,
        answer: &[u8],
    ) -> Result<(), Trouble> {
        let delivery = Delivery { hash, card: holder.card, record, answer };
        Ok(self.store.save_delivery(&delivery, self.outside.now())?)
    }

    /// 10 → 20, 30 → 40: asks P what waits there for the card; how many credits are new.
    pub(super) async fn ask_status(&self, holder: &Holder) -> Result<usize, Trouble> {
        let url = self.payment_url.as_str();
        let query = NonceQuery { number: Number };
        let NonceReply { nonce, .. } = self.outside.ask(url, "/10", &query).await?;
        let sign = move |card: &mut dyn CardPort| card.signed_status(nonce);
        let query = StatusQuery {
            number: Number,
            status: self.with_card(holder, false, sign).await?.into(),
            chain: holder.chain.clone(),
        };
        let reply: StatusReply = self.outside.ask(url, "/30", &query).await?;
        let judge = self.judge();
        let orders = reply.authorities.iter();
        let orders = orders.map(|order| CreditAuthority::load(order, holder, &judge));
        let notices = reply.notices.iter();
        let notices = notices.map(|notice| CreditAuthority::suspense(notice, holder, &judge));
        let mut new = 0_usize;
        for authority in orders.chain(notices) {
            let authority = match authority {
                Ok(authority) => authority,
                Err(rejection) => {
                    tracing::warn!(%rejection, "left out of the payment server's answer");
                    continue;
                }
            };
            let known = self.store.credit(authority.purpose(), authority.credit())?;
            if known.is_none() {
                new = new.saturating_add(1);
                self.open_credit(Authorised {
                    authority,
                    holder: holder.clone(),
                    payment_url: self.payment_url.clone(),
                })?;
            }
        }
        Ok(new)
    }
}
