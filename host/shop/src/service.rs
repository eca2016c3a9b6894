//! M at work: the thin shell around the decisions. It gives them certificates, randomness and the
//! books, signs what they want to say, and answers when the rows are on the disk.

use std::sync::Arc;
use std::time::Duration;

use apdu_spec::value::{Time, TransactionId};
use minicbor::bytes::ByteVec;
use protocol::Reject;
use protocol::certificate::Role;
use protocol::document::Receipt;
use protocol::field::Number;
use protocol::form::Form;
use protocol::purchase::{
    Answer, CertificateReply, CertificateRequest, CompletionReply, InvoiceMessage, OrderMessage,
    ReceiptCopy, Refused, ShopIntroduction,
};
use protocol::query::{InvoiceQuery, InvoiceReply};
use protocol::signed::{Signed, Signer};
use server::{Peer, PeerError, Trust};

use crate::books::{Deed, Note, OrderState};
use crate::database::{Closed, Database};
use crate::operator::{self, Operation, OperatorError, Outcome};
use crate::order::{Draft, OrderDecision, SignedOrder, Terms};
use crate::posting;
use crate::receipt::{self, ReceiptBooks, ReceiptDecision};
use crate::release::{self, Doubt, Release};
use crate::store::{Store, StoreError};

/// How long P may take to answer message 50.
const PAYMENT_TIMEOUT: Duration = Duration::from_secs(10);

/// Where P answers message 50.
const QUERY_PATH: &str = "/50";

/// What is granted, or why not.
type Granted = Result<Vec<u8>, Reject>;

/// The shop's private key, wherever it lives.
pub type Key = Arc<dyn Signer + Send + Sync>;

/// The ordering management server. Clones are the same server.
#[derive(Clone)]
pub struct Service {
    parts: Arc<Parts>,
}

struct Parts {
    key: Key,
    trust: Trust,
    terms: Terms,
    database: Database,
}

/// Why P's word about an invoice could not be had.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// The order has no invoice that could still be paid.
    #[error("the order has no open invoice")]
    NotOpen,
    /// P gives no answer.
    #[error(transparent)]
    Peer(#[from] PeerError),
    /// Its answer changes nothing.
    #[error(transparent)]
    Doubt(#[from] Doubt),
    /// The key cannot be used.
    #[error("the question could not be signed")]
    NotSigned,
    /// The books.
    #[error(transparent)]
    Closed(#[from] Closed),
}

impl Service {
    /// Puts the server together.
    #[must_use]
    pub fn new(key: Key, trust: Trust, terms: Terms, database: Database) -> Self {
        let parts = Parts { key, trust, terms, database };
        Self { parts: Arc::new(parts) }
    }

    /// What this shop is and takes.
    #[must_use]
    pub fn terms(&self) -> &Terms {
        &self.parts.terms
    }

    /// The books.
    #[must_use]
    pub fn database(&self) -> &Database {
        &self.parts.database
    }

    /// 110 → 120 (source Fig. 9, steps 510 and 520): the nonce, signed, with M's chain.
    ///
    /// # Errors
    /// [`Reject::Unavailable`] when the key cannot be used.
    pub fn introduce(&self, request: &CertificateRequest) -> Result<CertificateReply, Reject> {
        let introduction = self.seal(ShopIntroduction {
            number: Number,
            nonce: request.nonce,
            shop: self.parts.terms.shop,
        })?;
        Ok(CertificateReply { number: Number, introduction })
    }

    /// 130 → 140 (steps 530 to 560): the order, and its invoice or a signed refusal. `bytes` is
    /// the message as received.
    ///
    /// # Errors
    /// [`Reject::Malformed`], or [`Reject::Unavailable`] when nothing can be granted to anybody.
    pub async fn order(
        &self,
        message: &OrderMessage,
        bytes: &[u8],
        now: Time,
    ) -> Result<InvoiceMessage, Reject> {
        let draft = Draft::read(message)?;
        let granted = match self.check_order(draft, now) {
            Ok(order) => self.invoice(order, now).await?,
            Err(reject) => Err(reject),
        };
        Ok(InvoiceMessage { number: Number, answer: self.answer(140, bytes, granted, now)? })
    }

    fn check_order(&self, draft: Draft, now: Time) -> Result<SignedOrder, Reject> {
        let holder = self.parts.trust.verify(draft.chain(), Role::Holder, now);
        let holder = holder.map_err(|error| {
            tracing::info!(%error, "order refused");
            Reject::from(&error)
        })?;
        draft.open(&holder)
    }

    async fn invoice(&self, order: SignedOrder, now: Time) -> Result<Granted, Reject> {
        let Parts { trust, terms, .. } = &*self.parts;
        // The invoice vouches for P's certificate, so it must be good today.
        let payment = trust.verify(&terms.payment_chain, Role::PaymentServer, now);
        payment.map_err(|error| {
            tracing::error!(%error, "the payment server's certificate cannot be used");
            Reject::Unavailable
        })?;
        let mut transaction = [0; TransactionId::SIZE];
        getrandom::fill(&mut transaction).map_err(|_| Reject::Unavailable)?;
        let transaction = TransactionId(transaction);
        let parts = Arc::clone(&self.parts);
        let job = move |store: &Store| {
            let books = posting::order_books(store, &order)?;
            match order.decide(&parts.terms, &books, transaction, now) {
                Err(reject) => Ok(Err(reject)),
                Ok(OrderDecision::Repeat(invoice)) => Ok(Ok(invoice)),
                Ok(OrderDecision::Issue(invoice)) => {
                    let Ok(invoice) = Signed::seal(*invoice, &*parts.key) else {
                        return Ok(Err(Reject::Unavailable));
                    };
                    posting::post_order(store, &order, &invoice)?;
                    Ok(Ok(invoice.bytes().to_vec()))
                }
            }
        };
        let done = self.parts.database.run(job).await;
        done.map_err(|Closed| Reject::Unavailable)
    }

    /// 210 → 220 (steps 570 to 670): the receipt, and "complete" or a signed refusal. `bytes` is
    /// the message as received.
    ///
    /// # Errors
    /// [`Reject::Malformed`], or [`Reject::Unavailable`] when nothing can be answered.
    pub async fn complete(
        &self,
        copy: &ReceiptCopy,
        bytes: &[u8],
        now: Time,
    ) -> Result<CompletionReply, Reject> {
        let receipt = receipt::read(copy)?;
        let parts = Arc::clone(&self.parts);
        let job = move |store: &Store| {
            let books = posting::receipt_books(store, receipt.claims().transaction)?;
            settle(&*parts.key, store, receipt, books.as_ref(), now)
        };
        let done = self.parts.database.run(job).await;
        let granted = done.map_err(|Closed| Reject::Unavailable)?;
        Ok(CompletionReply { number: Number, answer: self.answer(220, bytes, granted, now)? })
    }

    /// 50: the question about an order's invoice, and where to send it.
    ///
    /// # Errors
    /// [`AskError::NotOpen`] when there is nothing to ask.
    pub async fn question(
        &self,
        transaction: TransactionId,
        cancel: bool,
        now: Time,
    ) -> Result<(InvoiceQuery, String), AskError> {
        let job = move |store: &Store| posting::open_invoice(store, transaction);
        let open = self.parts.database.run(job).await?;
        let (invoice, url) = open.ok_or(AskError::NotOpen)?;
        let question = release::question(&invoice, cancel, now);
        let question = self.seal(question).map_err(|_| AskError::NotSigned)?;
        let query = InvoiceQuery { number: Number, question };
        Ok((query, url))
    }

    /// 60: what P's answer makes of the order; returns the order's state afterwards. `note` is kept
    /// when an operator wanted the order to end and it does.
    ///
    /// # Errors
    /// [`AskError`] when the answer changes nothing.
    pub async fn take_answer(
        &self,
        transaction: TransactionId,
        reply: InvoiceReply,
        note: Option<Note>,
        now: Time,
    ) -> Result<OrderState, AskError> {
        let parts = Arc::clone(&self.parts);
        let job = move |store: &Store| {
            let Some(books) = posting::receipt_books(store, transaction)? else {
                return Ok(Err(AskError::NotOpen));
            };
            match release::decide(&reply, &books.invoice) {
                Err(doubt) => return Ok(Err(AskError::Doubt(doubt))),
                Ok(Release::Wait) => {}
                Ok(Release::End(to, answer)) if books.state == OrderState::Acknowledged => {
                    let end = (to, &*answer);
                    posting::post_release(store, transaction, end, note, now)?;
                }
                Ok(Release::End(to, _)) => {
                    let (state, to) = (books.state.name(), to.name());
                    tracing::warn!(%transaction, state, to, "the order had ended before");
                }
                Ok(Release::Paid(receipt)) => {
                    let granted = settle(&*parts.key, store, *receipt, Some(&books), now)?;
                    if granted.is_err() {
                        tracing::warn!(%transaction, "P's receipt is not authorised");
                    }
                }
            }
            let state = store.order(transaction)?.map(|order| order.state);
            Ok(state.ok_or(AskError::NotOpen))
        };
        self.parts.database.run(job).await?
    }

    /// 50 → 60: asks P.
    ///
    /// # Errors
    /// [`PeerError`].
    pub async fn ask_payment(
        &self,
        url: &str,
        query: &InvoiceQuery,
    ) -> Result<InvoiceReply, PeerError> {
        let payment = Peer::new(url, PAYMENT_TIMEOUT)?;
        payment.ask(QUERY_PATH, query).await
    }

    /// Does what an operator asks for.
    pub async fn operate(&self, operation: Operation, now: Time) -> Outcome {
        let job = {
            let operation = operation.clone();
            move |store: &Store| operator::perform(store, operation, now)
        };
        let done = self.parts.database.run(job).await;
        match (done.map_err(|Closed| OperatorError::Closed)?, operation) {
            (Err(OperatorError::NotRunning), Operation::Cancel { transaction, operator }) => {
                self.cancel(transaction, &operator, now).await
            }
            (outcome, _) => outcome,
        }
    }

    /// Ends an order in electronic money, when P signs that nobody can pay it any more.
    async fn cancel(&self, transaction: TransactionId, operator: &str, now: Time) -> Outcome {
        let note =
            Note { deed: Deed::Cancelled, operator: operator::operator_name(operator)?, at: now };
        let asked = self.end(transaction, note, now).await;
        match asked.map_err(|error| OperatorError::Payment(error.to_string()))? {
            OrderState::Released | OrderState::Cancelled => {}
            OrderState::Acknowledged => return Err(OperatorError::StillPayable),
            state @ (OrderState::Unpaid | OrderState::Paid) => {
                return Err(OperatorError::State(state));
            }
        }
        let show = Operation::ShowOrder { transaction };
        let job = move |store: &Store| operator::perform(store, show, now);
        let done = self.parts.database.run(job).await;
        done.map_err(|Closed| OperatorError::Closed)?
    }

    async fn end(
        &self,
        transaction: TransactionId,
        note: Note,
        now: Time,
    ) -> Result<OrderState, AskError> {
        let (query, url) = self.question(transaction, true, now).await?;
        let reply = self.ask_payment(&url, &query).await?;
        self.take_answer(transaction, reply, Some(note), now).await
    }

    fn answer(
        &self,
        number: u16,
        request: &[u8],
        granted: Granted,
        now: Time,
    ) -> Result<Answer, Reject> {
        match granted {
            Ok(granted) => Ok(Answer::Granted(ByteVec::from(granted))),
            Err(Reject::Unavailable) => Err(Reject::Unavailable),
            Err(code) => {
                let refused = self.seal(Refused::new(number, request, code, now))?;
                Ok(Answer::Refused(refused))
            }
        }
    }

    fn seal<T: Form>(&self, content: T) -> Result<ByteVec, Reject> {
        let sealed = Signed::seal(content, &*self.parts.key);
        let sealed = sealed.map_err(|error| {
            tracing::error!(%error, "nothing can be signed");
            Reject::Unavailable
        })?;
        Ok(ByteVec::from(sealed.bytes().to_vec()))
    }
}

/// Decides about a receipt and writes what follows.
fn settle(
    key: &dyn Signer,
    store: &Store,
    receipt: Signed<Receipt>,
    books: Option<&ReceiptBooks>,
    now: Time,
) -> Result<Granted, StoreError> {
    match receipt::decide(receipt, books, now) {
        Err(reject) => Ok(Err(reject)),
        Ok(ReceiptDecision::Repeat(completion)) => Ok(Ok(completion)),
        Ok(ReceiptDecision::Complete { receipt, completion }) => {
            let Ok(completion) = Signed::seal(completion, key) else {
                return Ok(Err(Reject::Unavailable));
            };
            posting::post_completion(store, &receipt, &completion)?;
            Ok(Ok(completion.bytes().to_vec()))
        }
        Ok(ReceiptDecision::Contradiction(receipt)) => {
            let transaction = receipt.transaction;
            tracing::error!(%transaction, "the payment server contradicts its own signature");
            posting::post_contradiction(store, &receipt, now)?;
            Ok(Err(Reject::ReceiptNotAuthorised))
        }
    }
}
