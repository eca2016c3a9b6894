//! The card, credits, shops, settings, recovery, errors.

use apdu_spec::value::{LifeCycle, Purpose};
use serde::{Deserialize, Serialize};

use super::{PurchaseView, RefusedView};
use crate::catalogue::Catalogue;
use crate::credit::{End, State};
use crate::money::Money;
use crate::store::Stored;
use crate::trouble::Trouble;
use crate::workflow::{CardStatus, Seen};

/// The card in the reader: one of three answers, or no reader.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum CardView {
    /// No reader, or one that cannot be used.
    NoReader {
        /// Why.
        text: String,
    },
    /// Nothing in the reader.
    NoCard,
    /// A card that is not ours, or not in use.
    UnknownCard,
    /// Our card.
    Ours(Box<OwnCardView>),
}

/// Our card.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OwnCardView {
    /// Its number, in hexadecimal.
    pub card: String,
    /// The issuer's number, in hexadecimal.
    pub issuer: String,
    /// The reader.
    pub reader: String,
    /// Whether it is blocked.
    pub blocked: bool,
    /// Value on it.
    pub balance: Money,
    /// PIN tries left.
    pub pin_tries: u8,
    /// PUK tries left.
    pub puk_tries: u8,
    /// Debits up to this amount need no PIN.
    pub pin_floor: Money,
    /// Highest amount of one debit.
    pub debit_max: Money,
    /// Highest balance.
    pub balance_max: Money,
    /// Records that wait for the payment server's acknowledgement.
    pub unacknowledged: u32,
}

impl From<CardStatus> for CardView {
    fn from(status: CardStatus) -> Self {
        match status {
            CardStatus::NoReader(text) => Self::NoReader { text },
            CardStatus::NoCard => Self::NoCard,
            CardStatus::Unknown => Self::UnknownCard,
            CardStatus::Ours(seen) => Self::Ours(Box::new(OwnCardView::from(*seen))),
        }
    }
}

impl From<Seen> for OwnCardView {
    fn from(seen: Seen) -> Self {
        let (status, limits) = (seen.facts.status, seen.limits.limits);
        let money = |amount| Money::new(amount, seen.facts.currency);
        let debits = status.debit_seq.0.saturating_sub(status.ack_debit.0);
        let credits = status.credit_seq.0.saturating_sub(status.ack_credit.0);
        Self {
            card: seen.facts.card.to_string(),
            issuer: seen.facts.issuer.to_string(),
            blocked: status.life_cycle == LifeCycle::Blocked,
            balance: money(status.balance),
            pin_tries: status.pin_tries,
            puk_tries: status.puk_tries,
            pin_floor: money(limits.pin_floor),
            debit_max: money(limits.debit_max),
            balance_max: money(limits.balance_max),
            unacknowledged: debits.saturating_add(credits),
            reader: seen.reader,
        }
    }
}

/// The wallet as a whole.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StatusView {
    /// The card.
    pub card: CardView,
    /// Whose workflow is under way.
    pub busy: Option<String>,
    /// Purchases that have not ended.
    pub open_purchases: usize,
    /// Credits that have not ended.
    pub open_credits: usize,
    /// Invoices up to this amount, in minor units, are not shown.
    pub threshold: u64,
}

/// A credit.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CreditView {
    /// Its number, in hexadecimal.
    pub credit: String,
    /// `load` or `suspense`.
    pub purpose: String,
    /// The state's name.
    pub state: String,
    /// The amount.
    pub amount: Money,
    /// The card, in hexadecimal.
    pub card: String,
    /// When the wallet learnt of it: seconds since 1970.
    pub created: u64,
    /// When the state was written last.
    pub updated: u64,
    /// Who refuses, and why.
    pub refused: Option<RefusedView>,
    /// What stood in the way when it was tried last.
    pub trouble: Option<String>,
}

impl From<&Stored<State>> for CreditView {
    fn from(stored: &Stored<State>) -> Self {
        let authority = &stored.state.authorised().authority;
        let refused = match &stored.state {
            State::Ended(End::Refused(rejection), _) => Some(rejection.into()),
            State::Ended(End::Credited(_), _)
            | State::Authorised(_)
            | State::AwaitToken(_)
            | State::TokenHeld(_)
            | State::AwaitAcknowledgement(_) => None,
        };
        let purpose = match authority.purpose() {
            Purpose::Refund => "refund",
            Purpose::Load => "load",
            Purpose::Suspense => "suspense",
        };
        Self {
            credit: authority.credit().to_string(),
            purpose: purpose.to_owned(),
            state: stored.state.name().to_owned(),
            amount: Money::new(authority.amount(), authority.currency()),
            card: authority.card().to_string(),
            created: stored.created.0,
            updated: stored.updated.0,
            refused,
            trouble: stored.trouble.clone(),
        }
    }
}

/// A known shop.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct KnownShopView {
    /// Where it answers.
    pub url: String,
    /// Its name by its certificate, once that was checked.
    pub name: Option<String>,
}

/// What a shop sells.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct GoodsView {
    /// The shop's number, in hexadecimal.
    pub shop: String,
    /// The shop's name, as it says itself.
    pub name: String,
    /// The goods.
    pub goods: Vec<GoodView>,
}

/// Something that a shop sells.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct GoodView {
    /// Article number.
    pub article: String,
    /// Article name.
    pub name: String,
    /// Price of one.
    pub unit_price: Money,
}

impl From<Catalogue> for GoodsView {
    fn from(catalogue: Catalogue) -> Self {
        let goods = catalogue.goods.iter().map(|good| GoodView {
            article: good.article.to_string(),
            name: good.name.to_string(),
            unit_price: Money::new(good.unit_price, catalogue.currency),
        });
        Self {
            shop: catalogue.shop.to_string(),
            name: catalogue.name.to_string(),
            goods: goods.collect(),
        }
    }
}

/// What recovery has done.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RecoveryView {
    /// Purchases that were open, as they are now.
    pub purchases: Vec<PurchaseView>,
    /// Credits that were open or are new, as they are now.
    pub credits: Vec<CreditView>,
    /// Records of the card's journal that were delivered.
    pub delivered: usize,
    /// What still stands in the way.
    pub troubles: Vec<String>,
}

/// Why something was not done.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ErrorView {
    /// The error.
    pub error: ErrorContent,
}

/// The content of an [`ErrorView`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ErrorContent {
    /// `busy`, `unknown`, `usage`, `state`, `no_card`, `pin_needed`, `pin_wrong`, `refused`,
    /// `unreachable` or `failed`.
    pub kind: String,
    /// For people.
    pub text: String,
    /// Status word of the card, in hexadecimal, where it refuses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status_word: Option<String>,
    /// The refusal of another party.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<RefusedView>,
}

impl From<&Trouble> for ErrorView {
    fn from(trouble: &Trouble) -> Self {
        let refused =
            if let Trouble::Rejected(rejection) = trouble { Some(rejection.into()) } else { None };
        let word = trouble.refusal().map(|refusal| format!("{:04X}", refusal.status_word()));
        Self {
            error: ErrorContent {
                kind: trouble.kind().to_owned(),
                text: trouble.to_string(),
                status_word: word,
                refused,
            },
        }
    }
}
