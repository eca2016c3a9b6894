//! Recovery: at every start, and whenever the buyer asks for it. Every state between the ends
//! resolves here: from the wallet's rows, from the card's journal, from what P holds.

use apdu_spec::value::Purpose;

use super::Wallet;
use super::purchases::Run;
use crate::outside::Outside;
use crate::store::Stored;
use crate::trouble::Trouble;
use crate::{credit, purchase};

/// What recovery has done.
#[derive(Debug, Default)]
pub struct Recovery {
    /// Purchases that were open before, as they are now.
    pub purchases: Vec<Stored<purchase::State>>,
    /// Credits that were open before or are new, as they are now.
    pub credits: Vec<Stored<credit::State>>,
    /// Records of the card's journal that were delivered.
    pub delivered: usize,
    /// What still stands in the way.
    pub troubles: Vec<Trouble>,
}

impl<O: Outside> Wallet<O> {
    /// Resolves what can be resolved now.
    ///
    /// # Errors
    /// [`Trouble`] only where the wallet's own database fails.
    pub async fn recover(&self) -> Result<Recovery, Trouble> {
        let mut recovery = Recovery::default();
        self.recover_purchases(&mut recovery).await?;
        self.recover_card(&mut recovery).await;
        self.recover_credits(&mut recovery).await?;
        Ok(recovery)
    }

    async fn recover_purchases(&self, recovery: &mut Recovery) -> Result<(), Trouble> {
        for stored in self.store.open_purchases()? {
            let id = stored.state.progress().ordering().request;
            if let Some(lapsed) = stored.state.lapsed(self.outside.now()) {
                self.save(&lapsed)?;
            } else if let Err(trouble) = self.drive(stored.state, &mut Run::by_itself()).await {
                tracing::warn!(purchase = %id, %trouble, "a purchase stays open");
                recovery.troubles.push(trouble);
            }
            recovery.purchases.extend(self.store.purchase(id)?);
        }
        Ok(())
    }

    /// The card's journal and P's books: also for a wallet whose files are gone.
    async fn recover_card(&self, recovery: &mut Recovery) {
        let holder = match self.holder().await {
            Ok(holder) => holder,
            Err(trouble) => return recovery.troubles.push(trouble),
        };
        match self.deliver_journal(&holder).await {
            Ok(delivered) => recovery.delivered = delivered,
            Err(trouble) => recovery.troubles.push(trouble),
        }
        if let Err(trouble) = self.ask_status(&holder).await {
            recovery.troubles.push(trouble);
        }
    }

    /// Fetches the value of suspended payments; what fails is tried again at the next start.
    pub async fn settle_suspense(&self) {
        let open = self.store.open_credits().unwrap_or_default();
        for stored in open {
            let authority = &stored.state.authorised().authority;
            let suspended = authority.purpose() == Purpose::Suspense;
            if suspended && let Err(trouble) = self.take(stored.state).await {
                tracing::warn!(%trouble, "the value of a suspended payment still waits");
            }
        }
    }

    async fn recover_credits(&self, recovery: &mut Recovery) -> Result<(), Trouble> {
        for stored in self.store.open_credits()? {
            let authority = &stored.state.authorised().authority;
            let (purpose, credit) = (authority.purpose(), authority.credit());
            if let Err(trouble) = self.take(stored.state).await {
                tracing::warn!(%credit, %trouble, "a credit stays open");
                recovery.troubles.push(trouble);
            }
            recovery.credits.extend(self.store.credit(purpose, credit)?);
        }
        Ok(())
    }
}
