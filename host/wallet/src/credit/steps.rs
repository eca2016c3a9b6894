//! What is sent, and what an answer must be to be accepted.

use apdu_spec::command::CreditFields;
use apdu_spec::record::{CreditRecord, CreditRequest, CreditToken};
use apdu_spec::value::{Amount, CardId, CreditId, Currency, Hash, IssuerId, PublicKey, Purpose};
use minicbor::{Decode, Encode};
use protocol::Reject;
use protocol::certificate::Role;
use protocol::field::Number;
use protocol::form::Form;
use protocol::load::{
    CreditAcknowledged, CreditReply, CreditReport, LoadOrder, TokenReply, TokenRequest,
};
use protocol::purchase::{Answer, Refused, SuspenseNotice};

use crate::holder::Holder;
use crate::kept::{Kept, KeptRecord};
use crate::purchase::{Judge, Url};
use crate::rejection::{By, Rejection, agree, not_kept, not_trusted, refused_in};

/// What gives a card the right to value.
#[derive(Clone, Debug, Encode, Decode)]
pub enum CreditAuthority {
    /// A load order, signed by P.
    #[n(1)]
    Load(#[n(0)] Kept<LoadOrder>),
    /// P's notice of a debit that could not pay its invoice.
    #[n(2)]
    Suspense(#[n(0)] Kept<SuspenseNotice>),
}

impl CreditAuthority {
    /// Reads a load order for this card.
    ///
    /// # Errors
    /// The wallet's [`Rejection`], of message 40 (where load orders come from).
    pub fn load(order: &[u8], holder: &Holder, judge: &Judge) -> Result<Self, Rejection> {
        let order = payment_document::<LoadOrder>(40, order, holder.issuer, judge)?;
        agree(40, order.issuer == holder.issuer, "load order of another issuer")?;
        let authority = Self::Load(order);
        authority.check_card(holder)?;
        Ok(authority)
    }

    /// Reads a suspense notice for this card.
    ///
    /// # Errors
    /// The wallet's [`Rejection`], of message 40.
    pub fn suspense(notice: &[u8], holder: &Holder, judge: &Judge) -> Result<Self, Rejection> {
        let notice = payment_document::<SuspenseNotice>(40, notice, holder.issuer, judge)?;
        agree(40, notice.issuer == holder.issuer, "notice of another issuer")?;
        let authority = Self::Suspense(notice);
        authority.check_card(holder)?;
        Ok(authority)
    }

    fn check_card(&self, holder: &Holder) -> Result<(), Rejection> {
        agree(40, self.card() == holder.card, "for another card")?;
        agree(40, self.currency() == holder.currency, "in another currency")
    }

    /// The card that may take the value.
    #[must_use]
    pub fn card(&self) -> CardId {
        match self {
            Self::Load(order) => order.card,
            Self::Suspense(notice) => notice.card,
        }
    }

    /// Number of the credit.
    #[must_use]
    pub fn credit(&self) -> CreditId {
        match self {
            Self::Load(order) => order.credit,
            Self::Suspense(notice) => CreditId(notice.payment.0),
        }
    }

    /// Amount in minor units.
    #[must_use]
    pub fn amount(&self) -> Amount {
        match self {
            Self::Load(order) => order.amount,
            Self::Suspense(notice) => notice.amount,
        }
    }

    /// Its currency.
    #[must_use]
    pub fn currency(&self) -> Currency {
        match self {
            Self::Load(order) => order.currency,
            Self::Suspense(notice) => notice.currency,
        }
    }

    /// Why the value goes to the card.
    #[must_use]
    pub const fn purpose(&self) -> Purpose {
        match self {
            Self::Load(_) => Purpose::Load,
            Self::Suspense(_) => Purpose::Suspense,
        }
    }

    fn hash(&self) -> Hash {
        match self {
            Self::Load(order) => order.hash(),
            Self::Suspense(notice) => notice.hash(),
        }
    }

    /// The document as P signed it.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Load(order) => order.bytes(),
            Self::Suspense(notice) => notice.bytes(),
        }
    }

    /// The key with which P signed it.
    ///
    /// # Errors
    /// Never for a document that was opened.
    pub fn payment_key(&self) -> Result<PublicKey, Rejection> {
        let key = match self {
            Self::Load(order) => order.key(),
            Self::Suspense(notice) => notice.key(),
        };
        key.map_err(not_trusted(1180))
    }
}

/// Reads a document of the issuer's payment server, whichever of its certificates is in use now.
pub(crate) fn payment_document<T: Form>(
    message: u16,
    bytes: &[u8],
    issuer: IssuerId,
    judge: &Judge,
) -> Result<Kept<T>, Rejection> {
    let document = Kept::<T>::open_own(bytes).map_err(not_kept(message))?;
    let signer = judge.verify(message, document.chain(), Role::PaymentServer)?;
    if signer.issuer() == issuer {
        return Ok(document);
    }
    let text = "signed by another issuer's payment server";
    Err(Rejection::own(message, Reject::WrongIssuer, text))
}

/// P's refusal in the credit flow.
fn refused<Request: Form>(
    message: u16,
    document: &[u8],
    issuer: IssuerId,
    judge: &Judge,
    request: &Request,
) -> Rejection {
    match payment_document::<Refused>(message, document, issuer, judge) {
        Ok(refused) => refused_in(By::PaymentServer, message, &refused, request),
        Err(rejection) => rejection,
    }
}

/// Value that may come to the card.
#[derive(Clone, Debug, Encode, Decode)]
#[cbor(map)]
pub struct Authorised {
    /// The authority.
    #[n(0)]
    pub authority: CreditAuthority,
    /// The card.
    #[n(1)]
    pub holder: Holder,
    /// Where P answers.
    #[n(2)]
    pub payment_url: Url,
}

impl Authorised {
    /// What the card signs in SIGN CREDIT REQUEST (C1).
    #[must_use]
    pub fn fields(&self) -> CreditFields {
        CreditFields {
            purpose: self.authority.purpose(),
            authority_hash: self.authority.hash(),
            amount: self.authority.amount(),
            currency: self.authority.currency(),
        }
    }

    /// Takes the card's credit request.
    ///
    /// # Errors
    /// The wallet's [`Rejection`].
    pub fn asked(&self, request: &[u8]) -> Result<Asked, Rejection> {
        let request = KeptRecord::<CreditRequest>::open(request, &self.holder.key);
        let request = request.map_err(not_kept(1170))?;
        let fields = self.fields();
        let expected = CreditRequest {
            card: self.holder.card,
            slot: request.slot,
            authority_hash: fields.authority_hash,
            amount: fields.amount,
            currency: fields.currency,
            purpose: fields.purpose,
        };
        agree(1170, **request == expected, "the card signed another request")?;
        Ok(Asked { authorised: self.clone(), request })
    }

    /// Whether a credit record says that the card has taken this value, in whatever slot.
    #[must_use]
    pub fn is_taken_by(&self, record: &CreditRecord) -> bool {
        record.card == self.holder.card
            && record.credit == self.authority.credit()
            && record.authority_hash == self.authority.hash()
            && record.amount == self.authority.amount()
            && record.currency == self.authority.currency()
            && record.purpose == self.authority.purpose()
    }

    /// Takes the card's credit record.
    ///
    /// # Errors
    /// The wallet's [`Rejection`].
    pub fn taken(&self, record: &[u8]) -> Result<Taken, Rejection> {
        let record = KeptRecord::<CreditRecord>::open(record, &self.holder.key);
        let record = record.map_err(not_kept(1190))?;
        agree(1190, self.is_taken_by(&record), "the card took something else")?;
        Ok(Taken { authorised: self.clone(), record })
    }
}

/// The card has signed its credit request (1170).
#[derive(Clone, Debug, Encode, Decode)]
#[cbor(map)]
pub struct Asked {
    /// The authority and before.
    #[n(0)]
    pub authorised: Authorised,
    /// The card's credit request (C1).
    #[n(1)]
    pub request: KeptRecord<CreditRequest>,
}

impl Asked {
    /// 1170.
    #[must_use]
    pub fn message(&self) -> TokenRequest {
        TokenRequest {
            number: Number,
            authority: self.authorised.authority.bytes().to_vec().into(),
            request: self.request.bytes().to_vec().into(),
            chain: self.authorised.holder.chain.clone(),
        }
    }

    /// 1180: a token for exactly this request, under one of P's keys. The card checks it again.
    ///
    /// # Errors
    /// P's [`Rejection`], or the wallet's.
    pub fn answered(
        &self,
        reply: &TokenReply,
        keys: &[PublicKey],
        judge: &Judge,
    ) -> Result<Tokened, Rejection> {
        let token = match &reply.answer {
            Answer::Granted(token) => token,
            Answer::Refused(document) => {
                let issuer = self.authorised.holder.issuer;
                return Err(refused(1180, document, issuer, judge, &self.message()));
            }
        };
        let first =
            KeptRecord::<CreditToken>::open(token, &self.authorised.authority.payment_key()?);
        let mut others = keys.iter().map(|key| KeptRecord::open(token, key));
        let token = first.or_else(|error| others.find_map(Result::ok).ok_or(error));
        let token = token.map_err(not_kept(1180))?;
        let for_request = CreditRequest {
            card: token.card,
            slot: token.slot,
            authority_hash: token.authority_hash,
            amount: token.amount,
            currency: token.currency,
            purpose: token.purpose,
        };
        agree(1180, for_request == **self.request, "a token for another request")?;
        let credit = token.credit == self.authorised.authority.credit();
        agree(1180, credit, "a token for another credit")?;
        Ok(Tokened { asked: self.clone(), token })
    }
}

/// P has given its token (1180).
#[derive(Clone, Debug, Encode, Decode)]
#[cbor(map)]
pub struct Tokened {
    /// The request and before.
    #[n(0)]
    pub asked: Asked,
    /// The token.
    #[n(1)]
    pub token: KeptRecord<CreditToken>,
}

/// The card has taken the value (1190).
#[derive(Clone, Debug, Encode, Decode)]
#[cbor(map)]
pub struct Taken {
    /// The authority and before.
    #[n(0)]
    pub authorised: Authorised,
    /// The card's credit record.
    #[n(1)]
    pub record: KeptRecord<CreditRecord>,
}

impl Taken {
    /// 1190.
    #[must_use]
    pub fn message(&self) -> CreditReport {
        CreditReport { number: Number, record: self.record.bytes().to_vec().into() }
    }

    /// 1200.
    ///
    /// # Errors
    /// P's [`Rejection`], or the wallet's. The value is on the card: no rejection ends this.
    pub fn answered(
        &self,
        reply: &CreditReply,
        judge: &Judge,
    ) -> Result<Kept<CreditAcknowledged>, Rejection> {
        acknowledged(
            &self.message(),
            self.record.hash(),
            reply,
            self.authorised.holder.issuer,
            judge,
        )
    }
}

/// 1200 for any credit record or burned slot.
///
/// # Errors
/// P's [`Rejection`], or the wallet's.
pub(crate) fn acknowledged(
    report: &CreditReport,
    record_hash: Hash,
    reply: &CreditReply,
    issuer: IssuerId,
    judge: &Judge,
) -> Result<Kept<CreditAcknowledged>, Rejection> {
    let acknowledged = match &reply.answer {
        Answer::Granted(acknowledged) => acknowledged,
        Answer::Refused(document) => {
            return Err(refused(1200, document, issuer, judge, report));
        }
    };
    let acknowledged = payment_document::<CreditAcknowledged>(1200, acknowledged, issuer, judge)?;
    let same = acknowledged.record_hash == record_hash;
    agree(1200, same, "acknowledges another record")?;
    Ok(acknowledged)
}
