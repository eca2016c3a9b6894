//! The thin shell around the state machines: it asks other parties and the card, and stores every
//! state before the next message leaves.

mod credits;
mod deliver;
mod payment_key;
mod payments;
mod purchases;
mod recover;

use std::sync::{Arc, Mutex, PoisonError};

use apdu_spec::answer::LimitsAnswer;
use apdu_spec::value::{LifeCycle, Nonce, Pin, RequestId};
use card::{CardError, CardIdentity, Presence};

use crate::archive::Archive;
use crate::card_thread::CardThread;
use crate::holder::Holder;
use crate::outside::Outside;
use crate::port::{CardFacts, CardPort};
use crate::purchase::{Judge, Url};
use crate::store::{Store, StoreError};
use crate::trouble::Trouble;

pub use purchases::{Basket, Decision};
pub use recover::Recovery;

/// Name of the setting: invoices up to this amount are not shown.
const THRESHOLD: &str = "threshold";

/// The wallet at work.
#[derive(Debug)]
pub struct Wallet<O> {
    pub(crate) outside: O,
    pub(crate) card: CardThread,
    pub(crate) store: Store,
    pub(crate) archive: Archive,
    payment_url: Url,
    running: Arc<Mutex<Option<String>>>,
    seen: Mutex<Option<Seen>>,
}

/// What a card said when it was presented last.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Who it is and how it stood.
    pub facts: CardFacts,
    /// Its limits.
    pub limits: LimitsAnswer,
    /// The reader.
    pub reader: String,
}

/// What is in the reader.
#[derive(Clone, Debug)]
pub enum CardStatus {
    /// No reader, or one that cannot be used: why.
    NoReader(String),
    /// Nothing.
    NoCard,
    /// A card that is not ours, or not in use yet.
    Unknown,
    /// Our card.
    Ours(Box<Seen>),
}

/// The right to run a workflow, until it is dropped.
#[derive(Debug)]
pub struct Turn {
    running: Arc<Mutex<Option<String>>>,
}

impl Drop for Turn {
    fn drop(&mut self) {
        *lock(&self.running) = None;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<O: Outside> Wallet<O> {
    /// Joins the wallet's parts. `payment_url` is where the card's issuer answers when no invoice
    /// says so.
    pub fn new(
        outside: O,
        card: CardThread,
        store: Store,
        archive: Archive,
        payment_url: Url,
    ) -> Self {
        Self {
            outside,
            card,
            store,
            archive,
            payment_url,
            running: Arc::default(),
            seen: Mutex::default(),
        }
    }

    /// Takes the turn for one workflow, named for whoever wants the next one meanwhile.
    ///
    /// # Errors
    /// [`Trouble::Busy`] with the owner's name.
    pub fn turn(&self, owner: &str) -> Result<Turn, Trouble> {
        let mut running = lock(&self.running);
        if let Some(owner) = running.as_ref() {
            let owner = owner.clone();
            return Err(Trouble::Busy { owner });
        }
        *running = Some(owner.to_owned());
        Ok(Turn { running: Arc::clone(&self.running) })
    }

    /// Whose workflow is under way.
    pub fn owner(&self) -> Option<String> {
        lock(&self.running).clone()
    }

    /// Invoices up to this amount are not shown; 0 shows all.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn threshold(&self) -> Result<u64, StoreError> {
        Ok(self.store.setting(THRESHOLD)?.unwrap_or_default())
    }

    /// Changes the threshold, in minor units of the card's currency.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn set_threshold(&self, threshold: u64) -> Result<(), StoreError> {
        self.store.save_setting(THRESHOLD, threshold)
    }

    /// What the card said when it was presented last.
    pub fn seen(&self) -> Option<Seen> {
        lock(&self.seen).clone()
    }

    fn judge(&self) -> Judge {
        Judge { authority: self.outside.authority(), now: self.outside.now() }
    }

    fn fresh_id(&self) -> Result<RequestId, Trouble> {
        Ok(RequestId(self.outside.random().ok_or(Trouble::NoEntropy)?))
    }

    fn fresh_nonce(&self) -> Result<Nonce, Trouble> {
        Ok(Nonce(self.outside.random().ok_or(Trouble::NoEntropy)?))
    }

    /// What is in the reader?
    ///
    /// # Errors
    /// Any [`Trouble`] with the card other than that none is there.
    pub async fn card_status(&self) -> Result<CardStatus, Trouble> {
        let presence = match self.card.run(|card| card.presence()).await {
            Ok(presence) => presence,
            Err(trouble) => {
                let trouble = Trouble::from(trouble);
                if matches!(trouble, Trouble::NoCard) {
                    return Ok(CardStatus::NoCard);
                }
                let missing = trouble.kind() == "no_card";
                let reason = trouble.to_string();
                return if missing { Ok(CardStatus::NoReader(reason)) } else { Err(trouble) };
            }
        };
        match presence {
            Presence::NoCard => Ok(CardStatus::NoCard),
            Presence::Unknown => Ok(CardStatus::Unknown),
            Presence::Ours(fci) => match fci.life_cycle {
                LifeCycle::Active | LifeCycle::Blocked => {
                    Ok(CardStatus::Ours(Box::new(self.present().await?)))
                }
                LifeCycle::Blank | LifeCycle::Personalised | LifeCycle::Terminated => {
                    Ok(CardStatus::Unknown)
                }
            },
        }
    }

    /// Learns who the card is and how it stands.
    async fn present(&self) -> Result<Seen, Trouble> {
        let task = |card: &mut dyn CardPort| {
            let facts = card.present()?;
            Ok(Seen { facts, limits: card.limits()?, reader: card.describe() })
        };
        let seen = self.card.run(task).await?;
        *lock(&self.seen) = Some(seen.clone());
        Ok(seen)
    }

    /// The card in the reader with its holder's certificate, checked.
    async fn holder(&self) -> Result<Holder, Trouble> {
        let facts = self.present().await?.facts;
        let judge = self.judge();
        let read = |file: &[u8]| Holder::read(&facts, file, &judge.authority, judge.now);
        if let Some(file) = self.store.certificate(facts.card, &facts.key)? {
            // A certificate that has expired since may have been renewed on the card.
            if let Ok(holder) = read(&file) {
                return Ok(holder);
            }
        }
        let file = self.card.run(|card| card.certificate()).await?;
        let holder = read(&file)?;
        self.store.save_certificate(facts.card, &facts.key, &file)?;
        Ok(holder)
    }

    /// Runs a task with exactly this holder's card. `certain` says that it must be presented
    /// anew, because a PIN follows that another card shall not see.
    async fn with_card<R: Send + 'static>(
        &self,
        holder: &Holder,
        certain: bool,
        task: impl FnOnce(&mut dyn CardPort) -> Result<R, CardError> + Send + 'static,
    ) -> Result<R, Trouble> {
        let expected = CardIdentity::new(holder.card, holder.issuer, holder.key);
        let run = move |card: &mut dyn CardPort| {
            let identity = match card.identity() {
                Some(identity) if !certain => identity,
                Some(_) | None => {
                    card.present()?;
                    card.identity().ok_or(CardError::NotPresented)?
                }
            };
            if identity == expected { task(card).map(Ok) } else { Ok(Err(identity.card())) }
        };
        let expected = holder.card;
        let done = self.card.run(run).await?;
        done.map_err(|found| Trouble::OtherCard { expected, found })
    }

    /// Changes the PIN.
    ///
    /// # Errors
    /// [`Trouble`].
    pub async fn change_pin(&self, old: Pin, new: Pin) -> Result<(), Trouble> {
        Ok(self.card.run(move |card| card.change_pin(&old, &new)).await?)
    }

    /// Unblocks the PIN.
    ///
    /// # Errors
    /// [`Trouble`].
    pub async fn unblock_pin(&self, puk: Pin, new: Pin) -> Result<(), Trouble> {
        Ok(self.card.run(move |card| card.unblock_pin(&puk, &new)).await?)
    }

    /// PIN tries left; costs none.
    ///
    /// # Errors
    /// [`Trouble`].
    pub async fn tries(&self) -> Result<u8, Trouble> {
        Ok(self.card.run(|card| card.tries()).await?)
    }
}
