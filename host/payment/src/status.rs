//! 10 → 20 and 30 → 40: a card shows its signed status and hears what P holds for it, so that a
//! wallet without files can go on.

use apdu_spec::record::Status;
use apdu_spec::value::Time;
use protocol::Reject;
use protocol::certificate::Role;
use protocol::field::Number;
use protocol::query::{NonceQuery, NonceReply, StatusQuery, StatusReply};
use protocol::signed::{SignedRecord, VerifiedRecord};

use crate::nonce;
use crate::permit::check_card;
use crate::service::{Fault, Own, Service, bad_signature, draw, introduce, malformed, read_chain};
use crate::store::Introduced;

/// Most authorities, and most notices, in one answer: it must stay a short message. Who takes
/// them sees the next ones.
const LISTED_MAX: i64 = 10;

impl Service {
    /// Answers 10 with 20.
    ///
    /// # Errors
    /// [`Fault`] when the books cannot be used.
    pub fn nonce(&self, _message: &NonceQuery, now: Time) -> Result<NonceReply, Fault> {
        let key = self.store.read(|books| books.nonce_key())?;
        Ok(NonceReply { number: Number, nonce: nonce::make(&key, draw()?, now) })
    }

    /// Answers 30 with 40.
    ///
    /// # Errors
    /// [`Fault`]: 40 carries no signed refusal.
    pub fn status(&self, message: &StatusQuery, now: Time) -> Result<StatusReply, Fault> {
        let status = SignedRecord::<Status>::parse(&message.status).map_err(malformed)?;
        let chain = read_chain(&message.chain)?;
        let card = introduce(&self.trust, chain, Role::Holder, now)?;
        let status = check(status, &card, &self.own)?;
        let id = status.card;
        self.store.apply(|books| {
            let known = books.card(&id)?;
            check_card(known.as_ref(), &card.party)?;
            let expiry = nonce::expiry(&books.nonce_key()?, &status.nonce, now);
            let expiry = expiry.ok_or(Reject::UnknownNonce)?;
            if !books.use_nonce(&status.nonce, expiry, now)? {
                return Err(Reject::UnknownNonce.into());
            }
            books.keep_card(&card, now)?;
            let acks = known.map(|card| card.acks).unwrap_or_default();
            let bytes = |documents: Vec<Vec<u8>>| documents.into_iter().map(Into::into).collect();
            Ok(StatusReply {
                number: Number,
                authorities: bytes(books.open_load_orders(&id, now, LISTED_MAX)?),
                notices: bytes(books.open_notices(&id, LISTED_MAX)?),
                ack_debit: acks.debit,
                ack_credit: acks.credit,
            })
        })
    }
}

fn check(
    status: SignedRecord<Status>,
    card: &Introduced,
    own: &Own,
) -> Result<VerifiedRecord<Status>, Reject> {
    let status = status.open(&card.party.key).map_err(bad_signature)?;
    if status.card == card.party.card() && status.currency == own.currency {
        Ok(status)
    } else {
        Err(Reject::ContentDiffers)
    }
}
