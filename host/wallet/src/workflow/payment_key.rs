//! P's key on the card: where P's certificate has a higher generation than the card's, the compact
//! certificate is fetched and put on the card, once per card.

use apdu_spec::CompactCertificate;
use apdu_spec::cose::Sign1;
use apdu_spec::value::{Generation, PublicKey};
use card::CardError;

use super::Wallet;
use crate::holder::Holder;
use crate::outside::Outside;
use crate::trouble::Trouble;

/// Where P serves its compact certificate.
const COMPACT_PATH: &str = "/compact-certificate";

impl<O: Outside> Wallet<O> {
    /// Sees to it that the card knows `key`, as far as P's compact certificate says so. `anew` does
    /// so even where it seems to be known.
    pub(super) async fn teach_key(
        &self,
        holder: &Holder,
        payment_url: &str,
        key: &PublicKey,
        anew: bool,
    ) -> Result<(), Trouble> {
        let seen = self.seen().filter(|seen| seen.facts.card == holder.card);
        let generation = match seen {
            Some(seen) => seen.facts.generation,
            None => self.present().await?.facts.generation,
        };
        let known = self.store.payment_key(holder.issuer, generation)?;
        if generation.0 > 0 && known == Some(*key) && !anew {
            return Ok(());
        }
        let Some((compact, sign1)) = self.compact_certificate(payment_url, generation).await?
        else {
            return Ok(());
        };
        // The card checks the signature. What it refuses is not remembered.
        if compact.issuer != holder.issuer || compact.generation < generation {
            tracing::warn!(payment_url, "compact certificate does not fit the card");
            return Ok(());
        }
        if compact.generation > generation {
            let put = move |card: &mut dyn crate::port::CardPort| -> Result<(), CardError> {
                card.put_payment_certificate(&sign1)
            };
            self.with_card(holder, false, put).await?;
            self.note_generation(compact.generation);
        }
        Ok(self.store.save_payment_key(holder.issuer, compact.generation, &compact.key)?)
    }

    /// P's compact certificate. A card that has a key already can do without.
    async fn compact_certificate(
        &self,
        payment_url: &str,
        generation: Generation,
    ) -> Result<Option<(CompactCertificate, Vec<u8>)>, Trouble> {
        let fetched = self.outside.fetch(payment_url, COMPACT_PATH).await;
        let sign1 = match fetched {
            Ok(sign1) => sign1,
            Err(error) if generation.0 == 0 => return Err(error.into()),
            Err(error) => {
                tracing::warn!(%error, "no compact certificate");
                return Ok(None);
            }
        };
        let read = Sign1::read(&sign1).and_then(|sign1| CompactCertificate::decode(sign1.payload));
        match read {
            Ok(compact) => Ok(Some((compact, sign1))),
            Err(error) => {
                tracing::warn!(%error, payment_url, "not a compact certificate");
                Ok(None)
            }
        }
    }

    fn note_generation(&self, generation: Generation) {
        if let Some(seen) = super::lock(&self.seen).as_mut() {
            seen.facts.generation = generation;
        }
    }
}
