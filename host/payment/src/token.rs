//! 1170 → 1180: a card asks for value on a load order's authority and gets a token for its slot.
//!
//! The first token moves `fund → in flight`. A repeat for the same slot is the same credit, signed
//! with the acknowledgements of now; for a later slot there is a token only when the card's own
//! signature shows that the earlier slot went elsewhere (Invariant R).

use apdu_spec::record::{CreditRequest, CreditToken};
use apdu_spec::value::{Epoch, Purpose, Sequence, ShopId, Time, TransactionId};
use protocol::Reject;
use protocol::certificate::Role;
use protocol::field::Number;
use protocol::load::{LoadOrder, TokenReply, TokenRequest};
use protocol::signed::{Signed, SignedRecord, Verified, VerifiedRecord};
use server::Trust;

use crate::ledger::{Account, CreditKey, Transfer, bookable};
use crate::permit::check_card;
use crate::service::{Fault, Own, Service, bad_signature, introduce, malformed, read_chain};
use crate::store::{Books, Card, Credit, CreditState, Introduced, Kind, NewCredit, StoreError};

impl Service {
    /// Answers 1170 with 1180.
    ///
    /// # Errors
    /// [`Fault`] when there is no signed answer: the message is malformed, or the books cannot be
    /// used.
    pub fn token(
        &self,
        message: &TokenRequest,
        bytes: &[u8],
        now: Time,
    ) -> Result<TokenReply, Fault> {
        let outcome = self.grant_token(message, now);
        Ok(TokenReply { number: Number, answer: self.answer(1180, bytes, now, outcome)? })
    }

    fn grant_token(&self, message: &TokenRequest, now: Time) -> Result<Vec<u8>, Fault> {
        let asked = check(message, &self.own, &self.trust, now)?;
        let key = credit_key(&asked.order);
        self.store.apply(|books| {
            let facts = Facts::read(books, &asked, &key)?;
            let (grant, token) = decide(&asked, &facts, now)?;
            let token = SignedRecord::seal(token, self.signer.as_ref())?;
            let new = NewCredit { key, token: &token };
            match grant {
                Grant::First => {
                    books.keep_card(&asked.card, now)?;
                    books.keep_record(Kind::CreditRequest, &asked.request, now)?;
                    books.keep_credit(&new, now)?;
                    books.transfer(&Transfer {
                        from: Account::Fund,
                        to: Account::InFlight(key),
                        amount: token.amount,
                        document: token.authority_hash,
                        time: now,
                    })?;
                }
                Grant::Later => {
                    books.keep_record(Kind::CreditRequest, &asked.request, now)?;
                    books.move_credit(&new, now)?;
                }
                Grant::Again => {}
            }
            Ok(token.bytes().to_vec())
        })
    }
}

fn credit_key(order: &LoadOrder) -> CreditKey {
    CreditKey { purpose: Purpose::Load, authority_issuer: order.issuer, credit: order.credit }
}

/// A request whose signatures and contents agree; only the books can still speak against it.
struct Asked {
    order: Verified<LoadOrder>,
    request: VerifiedRecord<CreditRequest>,
    card: Introduced,
}

fn check(message: &TokenRequest, own: &Own, trust: &Trust, now: Time) -> Result<Asked, Reject> {
    let order = Signed::<LoadOrder>::parse(&message.authority).map_err(malformed)?;
    let request = SignedRecord::<CreditRequest>::parse(&message.request).map_err(malformed)?;
    let chain = read_chain(&message.chain)?;
    // Nobody but this server makes load orders.
    let order = order.open(&own.key).map_err(|_| Reject::AuthorityNotValid)?;
    if order.issuer != own.issuer {
        return Err(Reject::AuthorityNotValid);
    }
    let card = introduce(trust, chain, Role::Holder, now)?;
    let request = request.open(&card.party.key).map_err(bad_signature)?;
    if order.card != card.party.card() {
        return Err(Reject::AuthorityNotValid);
    }
    let agrees = request.card == order.card
        && request.purpose == Purpose::Load
        && request.authority_hash == order.hash()
        && request.amount == order.amount
        && request.currency == order.currency;
    if !agrees {
        return Err(Reject::ContentDiffers);
    }
    Ok(Asked { order, request, card })
}

/// What the books say about a request.
#[derive(Clone, Copy, Debug)]
struct Facts {
    card: Option<Card>,
    /// A load order of a time that was lost with the books is not honoured.
    is_known_order: bool,
    credit: Option<Credit>,
    /// Whether P knows what became of the credit's current slot: it took another credit, or was
    /// burned. A slot that took this credit has ended it.
    is_slot_gone: bool,
    newest_slot: Sequence,
    fund: i64,
    epoch: Epoch,
}

impl Facts {
    fn read(books: &Books<'_>, asked: &Asked, key: &CreditKey) -> Result<Self, StoreError> {
        let card = asked.order.card;
        let credit = books.credit(key)?;
        let slot = credit.map(|credit| books.slot(&card, credit.token.slot));
        Ok(Self {
            card: books.card(&card)?,
            is_known_order: books.has_load_order(&asked.order.hash())?,
            credit,
            is_slot_gone: slot.transpose()?.flatten().is_some(),
            newest_slot: books.newest_slot(&card)?,
            fund: books.balance(&Account::Fund)?,
            epoch: books.title()?.epoch,
        })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Grant {
    /// The value leaves the fund.
    First,
    /// The same credit for the same slot.
    Again,
    /// The same credit for a later slot.
    Later,
}

fn decide(asked: &Asked, facts: &Facts, now: Time) -> Result<(Grant, CreditToken), Reject> {
    let Asked { order, request, card } = asked;
    let acks = check_card(facts.card.as_ref(), &card.party)?;
    if !facts.is_known_order {
        return Err(Reject::AuthorityNotValid);
    }
    let grant = match facts.credit {
        Some(Credit { state: CreditState::Applied, .. }) => return Err(Reject::CreditTaken),
        _ if request.slot <= facts.newest_slot => return Err(Reject::SequenceUsed),
        None => first(order, facts.fund, now)?,
        Some(credit) if credit.token.slot == request.slot => Grant::Again,
        Some(credit) if credit.token.slot < request.slot && facts.is_slot_gone => Grant::Later,
        Some(_) => return Err(Reject::CreditTaken),
    };
    let token = CreditToken {
        card: order.card,
        slot: request.slot,
        credit: order.credit,
        authority_hash: order.hash(),
        transaction: TransactionId([0; 16]),
        shop: ShopId([0; 8]),
        amount: order.amount,
        currency: order.currency,
        purpose: Purpose::Load,
        epoch: facts.epoch,
        ack_debit: acks.debit,
        ack_credit: acks.credit,
    };
    Ok((grant, token))
}

/// An issued token never lapses; only the first one is asked for in time.
fn first(order: &LoadOrder, fund: i64, now: Time) -> Result<Grant, Reject> {
    if order.expiry < now {
        return Err(Reject::AuthorityExpired);
    }
    if bookable(order.amount).is_none_or(|amount| amount > fund) {
        return Err(Reject::FundTooLow);
    }
    Ok(Grant::First)
}
