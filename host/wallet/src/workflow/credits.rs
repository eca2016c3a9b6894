//! Credits: load orders and value that comes back from suspense.

use apdu_spec::Refusal;
use apdu_spec::record::CreditRecord;
use apdu_spec::value::{CreditId, PublicKey, Purpose};
use protocol::Reject;

use super::Wallet;
use crate::credit::{Asked, Authorised, CreditAuthority, End, State, Taken, Tokened};
use crate::kept::KeptRecord;
use crate::outside::Outside;
use crate::port::{CardPort, JournalEntry};
use crate::store::Stored;
use crate::trouble::Trouble;

/// Most steps of one run.
const STEPS_MAX: usize = 15;

/// Detours of one run; each helps once or not at all.
#[derive(Debug, Default)]
struct Detours {
    /// Another slot was asked for.
    renewed: bool,
    /// The card was given P's key again.
    rekeyed: bool,
}

type Step = Result<Option<State>, Trouble>;

impl<O: Outside> Wallet<O> {
    /// Takes the value of a load order that P's operator has given as a file. The same order again
    /// goes on from where it is.
    ///
    /// # Errors
    /// [`Trouble`].
    pub async fn load_order(&self, order: &[u8]) -> Result<Stored<State>, Trouble> {
        let holder = self.holder().await?;
        let authority = CreditAuthority::load(order, &holder, &self.judge())?;
        let (purpose, credit) = (authority.purpose(), authority.credit());
        self.open_credit(Authorised { authority, holder, payment_url: self.payment_url.clone() })?;
        let stored = self.stored_credit(purpose, credit)?;
        self.take(stored.state).await?;
        self.stored_credit(purpose, credit)
    }

    /// Asks P what waits there for the card, and takes all of it, together with what was begun.
    ///
    /// # Errors
    /// [`Trouble`], the first one, after all were tried.
    pub async fn load(&self) -> Result<Vec<Stored<State>>, Trouble> {
        let holder = self.holder().await?;
        self.ask_status(&holder).await?;
        let (mut taken, mut failure) = (Vec::new(), None);
        for stored in self.store.open_credits()? {
            let authority = &stored.state.authorised().authority;
            let (purpose, credit) = (authority.purpose(), authority.credit());
            if let Err(error) = self.take(stored.state).await {
                failure = failure.or(Some(error));
            }
            taken.push(self.stored_credit(purpose, credit)?);
        }
        match failure {
            Some(error) => Err(error),
            None => Ok(taken),
        }
    }

    fn stored_credit(&self, purpose: Purpose, credit: CreditId) -> Result<Stored<State>, Trouble> {
        let stored = self.store.credit(purpose, credit)?;
        stored.ok_or(Trouble::Unknown("credit"))
    }

    /// Goes from state to state until the value is on the card and P knows it.
    pub(super) async fn take(&self, mut state: State) -> Result<(), Trouble> {
        let mut detours = Detours::default();
        for _ in 0..STEPS_MAX {
            let trouble = match self.credit_step(&state, &mut detours).await {
                Ok(None) => return Ok(()),
                Ok(Some(next)) => {
                    self.save_credit(&next)?;
                    state = next;
                    continue;
                }
                Err(trouble) => trouble,
            };
            if let Trouble::Rejected(rejection) = &trouble
                && let Some(ended) = state.refused(rejection)
            {
                return self.save_credit(&ended);
            }
            let authority = &state.authorised().authority;
            let (purpose, credit) = (authority.purpose(), authority.credit());
            self.store.note_credit(purpose, credit, &trouble.to_string())?;
            return Err(trouble);
        }
        Err(Trouble::NoProgress)
    }

    fn save_credit(&self, state: &State) -> Result<(), Trouble> {
        self.store.save_credit(state, self.outside.now())?;
        let credit = state.authorised().authority.credit();
        tracing::info!(%credit, state = state.name());
        Ok(())
    }

    async fn credit_step(&self, state: &State, detours: &mut Detours) -> Step {
        match state {
            State::Ended(..) => Ok(None),
            State::Authorised(authorised) => self.ask_for_slot(authorised).await,
            State::AwaitToken(asked) => self.ask_token(asked, detours).await,
            State::TokenHeld(tokened) => self.credit_card(tokened, detours).await,
            State::AwaitAcknowledgement(taken) => self.report(taken).await,
        }
    }

    /// C1: the card asks for its next slot.
    async fn ask_for_slot(&self, authorised: &Authorised) -> Step {
        let (url, key) = (&authorised.payment_url, authorised.authority.payment_key()?);
        self.teach_key(&authorised.holder, url.as_str(), &key, false).await?;
        let fields = authorised.fields();
        let sign = move |card: &mut dyn CardPort| card.sign_credit_request(&fields);
        let request = self.with_card(&authorised.holder, false, sign).await?;
        Ok(Some(State::AwaitToken(authorised.asked(&request)?)))
    }

    /// 1170 → 1180.
    async fn ask_token(&self, asked: &Asked, detours: &mut Detours) -> Step {
        let url = asked.authorised.payment_url.as_str();
        let reply = self.outside.ask(url, "/1170", &asked.message()).await?;
        let keys = self.payment_keys(&asked.authorised)?;
        let rejection = match asked.answered(&reply, &keys, &self.judge()) {
            Ok(tokened) => return Ok(Some(State::TokenHeld(tokened))),
            Err(rejection) => rejection,
        };
        match rejection.signed() {
            // The slot is used, as far as P knows: by this credit, or by another.
            Some(Reject::SequenceUsed | Reject::CreditTaken) if !detours.renewed => {
                self.other_slot(&asked.authorised, detours).await
            }
            _ => Err(rejection.into()),
        }
    }

    /// Keys of P that the card knows besides the one that signed the authority.
    fn payment_keys(&self, authorised: &Authorised) -> Result<Vec<PublicKey>, Trouble> {
        let seen = self.seen().filter(|seen| seen.facts.card == authorised.holder.card);
        let Some(seen) = seen else {
            return Ok(Vec::new());
        };
        let issuer = authorised.holder.issuer;
        let key = self.store.payment_key(issuer, seen.facts.generation)?;
        Ok(key.into_iter().collect())
    }

    /// C3: the card takes the value.
    async fn credit_card(&self, tokened: &Tokened, detours: &mut Detours) -> Step {
        let authorised = &tokened.asked.authorised;
        let token = tokened.token.bytes().to_vec();
        let credit = move |card: &mut dyn CardPort| card.credit(&token);
        let error = match self.with_card(&authorised.holder, false, credit).await {
            Ok(record) => return Ok(Some(State::AwaitAcknowledgement(authorised.taken(&record)?))),
            Err(error) => error,
        };
        match error.refusal() {
            Some(Refusal::WrongSequence) if !detours.renewed => {
                self.other_slot(authorised, detours).await
            }
            // A repeated 1170 is answered with the keys, acknowledgements and epoch of now.
            Some(
                Refusal::NoPaymentKey
                | Refusal::BadSignature
                | Refusal::OldEpoch
                | Refusal::JournalFull,
            ) if !detours.rekeyed => {
                detours.rekeyed = true;
                let key = authorised.authority.payment_key()?;
                let url = authorised.payment_url.as_str();
                self.teach_key(&authorised.holder, url, &key, true).await?;
                self.deliver_journal(&authorised.holder).await?;
                Ok(Some(State::AwaitToken(tokened.asked.clone())))
            }
            _ => Err(error),
        }
    }

    /// The slot is used. If this credit is in it, the record says so; otherwise P learns from the
    /// journal what is (Invariant R), and the card asks for the next one.
    async fn other_slot(&self, authorised: &Authorised, detours: &mut Detours) -> Step {
        detours.renewed = true;
        let holder = &authorised.holder;
        let journal = self.with_card(holder, true, |card| card.journal()).await?;
        for entry in journal {
            let JournalEntry::Credit(bytes) = entry else {
                continue;
            };
            let record = KeptRecord::<CreditRecord>::open(&bytes, &holder.key);
            if record.is_ok_and(|record| authorised.is_taken_by(&record)) {
                return Ok(Some(State::AwaitAcknowledgement(authorised.taken(&bytes)?)));
            }
        }
        self.deliver_journal(holder).await?;
        Ok(Some(State::Authorised(authorised.clone())))
    }

    /// 1190 → 1200.
    async fn report(&self, taken: &Taken) -> Step {
        let url = taken.authorised.payment_url.as_str();
        let reply = self.outside.ask(url, "/1190", &taken.message()).await?;
        let answer = taken.answered(&reply, &self.judge())?;
        let (record, hash) = (taken.record.bytes(), taken.record.hash());
        self.note_answer(&taken.authorised.holder, record, hash, answer.bytes())?;
        Ok(Some(State::Ended(End::Credited(answer), taken.authorised.clone())))
    }
}
