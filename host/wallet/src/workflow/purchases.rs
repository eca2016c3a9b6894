//! Purchases: from the buyer's decisions to the shop's "complete".

use apdu_spec::value::{Pin, RequestId};
use protocol::purchase::{Line, PaymentMode, SuspenseNotice, total};

use super::Wallet;
use crate::catalogue::{CATALOGUE_PATH, Catalogue, CatalogueError, Good, Wish};
use crate::credit::{self, Authorised, CreditAuthority};
use crate::holder::Holder;
use crate::kept::Kept;
use crate::outside::Outside;
use crate::purchase::{Debited, End, Ordering, Progress, Screen, State, Url};
use crate::store::{Delivery, Stored};
use crate::trouble::Trouble;

/// Most steps of one run: a purchase has nine; the rest is room for detours.
const STEPS_MAX: usize = 25;

/// What the buyer wants to order.
#[derive(Clone, Debug)]
pub struct Basket {
    /// The wallet's number for the purchase; the same number is the same purchase.
    pub id: Option<RequestId>,
    /// The shop.
    pub shop_url: Url,
    /// Articles and numbers.
    pub wishes: Vec<Wish>,
    /// How to pay.
    pub mode: PaymentMode,
}

/// What the buyer decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// OK on order sheet 71.
    Order,
    /// The shop is the right one.
    Accept,
    /// It is not.
    Decline,
    /// OK on invoice screen 72.
    Confirm,
    /// CANCEL on either.
    Cancel,
    /// Go on from wherever it is.
    Continue,
}

/// One run through the states, from a decision to the next or to the end.
#[derive(Debug, Default)]
pub(super) struct Run {
    pub(super) pin: Option<Pin>,
    /// The buyer has confirmed the invoice in this run.
    pub(super) confirmed: bool,
    /// The wallet goes on by itself: every invoice is shown, also a small one.
    pub(super) by_itself: bool,
    /// The card has signed in this run, so it is certainly the right one.
    pub(super) met_card: bool,
    /// The permit came in this run: it lives by P's clock, whatever ours says.
    pub(super) fresh_permit: bool,
    /// Detours that were made; each helps once or not at all.
    pub(super) detours: Detours,
}

/// Detours of one run.
#[derive(Debug, Default)]
pub(super) struct Detours {
    /// The card's journal was delivered.
    pub(super) delivered: bool,
    /// The card has signed a new request.
    pub(super) renewed: bool,
    /// The card was given P's key again.
    pub(super) rekeyed: bool,
    /// The debit record was sent again.
    pub(super) resent: bool,
}

impl Run {
    pub(super) fn by_itself() -> Self {
        Self { by_itself: true, ..Self::default() }
    }
}

/// What a step leads to: another state, or nothing before the buyer decides.
pub(super) type Step = Result<Option<State>, Trouble>;

impl<O: Outside> Wallet<O> {
    /// Puts an order together from the shop's catalogue and shows order sheet 71. Nothing is sent
    /// to the shop but the request for its catalogue.
    ///
    /// # Errors
    /// [`Trouble`].
    pub async fn create(&self, basket: &Basket) -> Result<Stored<State>, Trouble> {
        let id = match basket.id {
            Some(id) => id,
            None => self.fresh_id()?,
        };
        if let Some(stored) = self.store.purchase(id)? {
            return same_basket(stored, basket);
        }
        let holder = self.holder().await?;
        self.deliver_waiting(&holder).await;
        let catalogue = self.catalogue(basket.shop_url.as_str()).await?;
        if catalogue.currency != holder.currency {
            let text = "the shop's currency is not the card's".to_owned();
            return Err(Trouble::Usage(text));
        }
        let picked = catalogue.pick(&basket.wishes).map_err(usage)?;
        let lines = picked.into_iter().map(|(good, quantity)| self.line(good, quantity));
        let lines: Vec<Line> = lines.collect::<Result<_, _>>()?;
        let amount = total(&lines).filter(|amount| amount.0 > 0);
        let amount = amount.ok_or_else(|| Trouble::Usage("no such total".to_owned()))?;
        let now = self.outside.now();
        let state = State::OrderShown(Ordering {
            request: id,
            shop_url: basket.shop_url.clone(),
            shop: catalogue.shop,
            lines,
            amount,
            currency: catalogue.currency,
            mode: basket.mode,
            holder,
            nonce: self.fresh_nonce()?,
            created: now,
        });
        self.store.save_purchase(&state, now)?;
        self.stored(id)
    }

    /// A shop's catalogue.
    ///
    /// # Errors
    /// [`Trouble`].
    pub async fn catalogue(&self, shop_url: &str) -> Result<Catalogue, Trouble> {
        let json = self.outside.fetch(shop_url, CATALOGUE_PATH).await?;
        Catalogue::parse(&json).map_err(usage)
    }

    fn line(&self, good: &Good, quantity: u32) -> Result<Line, Trouble> {
        Ok(Line {
            salt: self.fresh_nonce()?,
            article: good.article.clone(),
            name: good.name.clone(),
            quantity,
            unit_price: good.unit_price,
        })
    }

    fn stored(&self, id: RequestId) -> Result<Stored<State>, Trouble> {
        self.store.purchase(id)?.ok_or(Trouble::Unknown("purchase"))
    }

    /// Carries out a decision, and what follows from it up to the next one. A decision that was
    /// taken before goes on from where the purchase is.
    ///
    /// # Errors
    /// [`Trouble`]; the purchase stays in the last state that was stored.
    pub async fn decide(
        &self,
        id: RequestId,
        decision: Decision,
        pin: Option<Pin>,
    ) -> Result<Stored<State>, Trouble> {
        let stored = self.stored(id)?;
        let state = stored.state.clone();
        let mut run = Run { pin, ..Run::default() };
        let next = match (decision, &state) {
            (Decision::Order, State::OrderShown(ordering)) => State::AwaitShop(ordering.clone()),
            (Decision::Accept, State::ShopShown(introduced)) => {
                State::AwaitInvoice(self.sign_order(introduced, &mut run).await?)
            }
            (Decision::Decline, State::ShopShown(_)) => state.ended(End::Declined),
            (Decision::Decline, State::Ended(End::Declined, _)) => return Ok(stored),
            (Decision::Cancel, _) => match self.cancel(&state).await? {
                Some(next) => next,
                None => return Ok(stored),
            },
            (Decision::Confirm, State::InvoiceShown(_)) => {
                run.confirmed = true;
                state.clone()
            }
            (Decision::Order | Decision::Accept | Decision::Confirm, _)
                if is_taken(decision, &state) =>
            {
                state.clone()
            }
            (Decision::Continue, _) => state.clone(),
            (Decision::Order | Decision::Accept | Decision::Decline | Decision::Confirm, _) => {
                let state = state.name();
                return Err(Trouble::State { state });
            }
        };
        if next.name() != state.name() {
            self.save(&next)?;
        }
        self.drive(next, &mut run).await?;
        self.stored(id)
    }

    /// CANCEL: possible as long as the card has certainly not debited itself.
    async fn cancel(&self, state: &State) -> Result<Option<State>, Trouble> {
        let too_late = |state: &State| Trouble::State { state: state.name() };
        match state {
            State::OrderShown(_) | State::AwaitShop(_) | State::AwaitInvoice(_) => {
                Ok(Some(state.ended(End::Cancelled(Screen::OrderSheet))))
            }
            State::ShopShown(_) => Ok(Some(state.ended(End::Declined))),
            State::InvoiceShown(_) | State::AwaitPermit(_) => {
                Ok(Some(state.ended(End::Cancelled(Screen::Invoice))))
            }
            State::PermitHeld(permitted) => {
                let found = self.look(permitted).await?;
                if matches!(found, State::AwaitPermit(_)) {
                    return Ok(Some(found.ended(End::Cancelled(Screen::Invoice))));
                }
                self.save(&found)?;
                Err(too_late(&found))
            }
            State::Ended(End::Cancelled(_), _) => Ok(None),
            State::AwaitReceipt(_)
            | State::AwaitReceiptRepeat(_)
            | State::AwaitCompletion(_)
            | State::Ended(..) => Err(too_late(state)),
        }
    }

    /// Goes from state to state until the buyer decides or the purchase has ended.
    pub(super) async fn drive(&self, mut state: State, run: &mut Run) -> Result<(), Trouble> {
        for _ in 0..STEPS_MAX {
            let trouble = match self.step(&state, run).await {
                Ok(None) => return Ok(()),
                Ok(Some(next)) => {
                    self.save(&next)?;
                    state = next;
                    continue;
                }
                Err(trouble) => trouble,
            };
            if let Trouble::Rejected(rejection) = &trouble
                && let Some(ended) = state.refused(rejection)
            {
                return self.save(&ended);
            }
            let id = state.progress().ordering().request;
            self.store.note_purchase(id, &trouble.to_string())?;
            return Err(trouble);
        }
        Err(Trouble::NoProgress)
    }

    /// Stores a state before anything follows from it. Evidence and credit that belong to it are
    /// kept before it: nothing comes back for them to a purchase that has ended.
    pub(super) fn save(&self, state: &State) -> Result<(), Trouble> {
        let now = self.outside.now();
        let progress = state.progress();
        if let State::Ended(End::Suspended(notice), _) = state {
            self.keep_notice(&progress.ordering().holder, &progress, notice)?;
        }
        if let Some(received) = progress.received() {
            self.archive.keep(&progress)?;
            self.note_delivery(&received.debited, received.receipt.bytes())?;
        }
        self.store.save_purchase(state, now)?;
        tracing::info!(purchase = %progress.ordering().request, state = state.name());
        Ok(())
    }

    /// The value of a suspended payment comes back by itself, at the next contact with P.
    fn keep_notice(
        &self,
        holder: &Holder,
        progress: &Progress,
        notice: &Kept<SuspenseNotice>,
    ) -> Result<(), Trouble> {
        if let Some(debited) = progress.debited() {
            self.note_delivery(debited, notice.bytes())?;
        }
        let url = progress.invoiced().map(|invoiced| invoiced.invoice.payment_url.clone());
        self.open_credit(Authorised {
            authority: CreditAuthority::Suspense(notice.clone()),
            holder: holder.clone(),
            payment_url: url.unwrap_or_else(|| self.payment_url.clone()),
        })
    }

    /// Stores a credit that may come, unless it is known.
    pub(super) fn open_credit(&self, authorised: Authorised) -> Result<(), Trouble> {
        let (purpose, credit) = (authorised.authority.purpose(), authorised.authority.credit());
        if self.store.credit(purpose, credit)?.is_none() {
            let state = credit::State::Authorised(authorised);
            self.store.save_credit(&state, self.outside.now())?;
        }
        Ok(())
    }

    fn note_delivery(&self, debited: &Debited, answer: &[u8]) -> Result<(), Trouble> {
        let Some(debit) = &debited.debit else {
            return Ok(());
        };
        let delivery =
            Delivery { hash: debit.hash(), card: debit.card, record: debit.bytes(), answer };
        Ok(self.store.save_delivery(&delivery, self.outside.now())?)
    }

    async fn step(&self, state: &State, run: &mut Run) -> Step {
        match state {
            State::OrderShown(_) | State::ShopShown(_) | State::Ended(..) => Ok(None),
            State::AwaitShop(ordering) => {
                let url = ordering.shop_url.as_str();
                let reply = self.outside.ask(url, "/110", &ordering.message()).await?;
                let introduced = ordering.answered(&reply, &self.judge())?;
                Ok(Some(State::ShopShown(introduced)))
            }
            State::AwaitInvoice(ordered) => {
                let url = ordered.introduced.ordering.shop_url.as_str();
                let reply = self.outside.ask(url, "/130", &ordered.message()).await?;
                let invoiced = ordered.answered(&reply, &self.judge())?;
                Ok(Some(State::InvoiceShown(invoiced)))
            }
            State::InvoiceShown(invoiced) => self.request(invoiced, run).await,
            State::AwaitPermit(requested) => self.ask_permit(requested, run).await,
            State::PermitHeld(permitted) => self.debit(permitted, run).await,
            State::AwaitReceipt(debited) => self.send_value(debited).await,
            State::AwaitReceiptRepeat(debited) => self.ask_receipt(debited, run).await,
            State::AwaitCompletion(received) => self.complete(received).await,
        }
    }
}

fn usage(error: CatalogueError) -> Trouble {
    Trouble::Usage(error.to_string())
}

/// Whether a state lies behind a decision, so that the decision was taken before.
const fn is_taken(decision: Decision, state: &State) -> bool {
    match state {
        State::OrderShown(_) => false,
        State::AwaitShop(_) | State::ShopShown(_) => matches!(decision, Decision::Order),
        State::AwaitInvoice(_) | State::InvoiceShown(_) => {
            matches!(decision, Decision::Order | Decision::Accept)
        }
        State::AwaitPermit(_)
        | State::PermitHeld(_)
        | State::AwaitReceipt(_)
        | State::AwaitReceiptRepeat(_)
        | State::AwaitCompletion(_)
        | State::Ended(..) => true,
    }
}

/// A repeated order is the same purchase, or a mistake.
fn same_basket(stored: Stored<State>, basket: &Basket) -> Result<Stored<State>, Trouble> {
    let progress = stored.state.progress();
    let ordering = progress.ordering();
    let lines = ordering
        .lines
        .iter()
        .map(|line| Wish { article: line.article.as_str().to_owned(), quantity: line.quantity });
    let same = ordering.shop_url == basket.shop_url
        && ordering.mode == basket.mode
        && lines.eq(basket.wishes.iter().cloned());
    if same {
        return Ok(stored);
    }
    let text = "this purchase ID was used before for another order".to_owned();
    Err(Trouble::Usage(text))
}
