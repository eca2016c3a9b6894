//! The accounts of the double-entry ledger, and moving value between them.

use apdu_spec::value::{Amount, CardId, CreditId, Hash, IssuerId, Purpose, ShopId, Time};

/// An account. All balances together are zero: `Issued` is what the others hold, negated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Account {
    /// Contra account of all value that exists.
    Issued,
    /// The issuer's value that is nobody's yet.
    Fund,
    /// What a card should hold, as far as P knows. Negative while a credit is taken but not
    /// reported, never below minus what is in flight to it.
    Shadow(CardId),
    /// What a shop has received.
    Merchant(ShopId),
    /// A credit token's value, until its card reports it.
    InFlight(CreditKey),
    /// Debits of a card that could not pay.
    Suspense(CardId),
}

impl Account {
    /// The kind of account, as the schema calls it.
    pub(crate) const fn kind(&self) -> &'static str {
        match self {
            Self::Issued => "issued",
            Self::Fund => "fund",
            Self::Shadow(_) => "shadow",
            Self::Merchant(_) => "merchant",
            Self::InFlight(_) => "in flight",
            Self::Suspense(_) => "suspense",
        }
    }

    /// Whose account it is; empty where there is only one of its kind.
    pub(crate) fn owner(&self) -> Vec<u8> {
        match self {
            Self::Issued | Self::Fund => Vec::new(),
            Self::Shadow(card) | Self::Suspense(card) => card.0.to_vec(),
            Self::Merchant(shop) => shop.0.to_vec(),
            Self::InFlight(key) => key.bytes(),
        }
    }
}

/// Which credit: its ID is unique only per purpose and issuer of the authority.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct CreditKey {
    pub(crate) purpose: Purpose,
    pub(crate) authority_issuer: IssuerId,
    pub(crate) credit: CreditId,
}

impl CreditKey {
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = vec![self.purpose.number()];
        bytes.extend(self.authority_issuer.0);
        bytes.extend(self.credit.0);
        bytes
    }
}

/// A balanced entry of two postings, on the authority of one signed document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Transfer {
    pub(crate) from: Account,
    pub(crate) to: Account,
    pub(crate) amount: Amount,
    /// Hash of the document. It is the number of the entry, so it moves value once.
    pub(crate) document: Hash,
    pub(crate) time: Time,
}

/// An amount as the ledger counts it; `None` for zero and for what no balance could hold.
pub(crate) fn bookable(amount: Amount) -> Option<i64> {
    i64::try_from(amount.0).ok().filter(|amount| *amount > 0)
}
