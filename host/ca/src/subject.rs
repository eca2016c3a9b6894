//! Whom a certificate is for.

use apdu_spec::value::{CardId, IssuerId, PublicKey, ShopId};
use protocol::certificate::{PartyName, PayerId, Role};
use rcgen::string::PrintableString;

use crate::CaError;

/// The party that a certificate names, with what its role demands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// A person, with one of their cards.
    Holder {
        /// The person's number.
        payer: PayerId,
        /// The card that holds the key.
        card: CardId,
    },
    /// A shop.
    Shop(ShopId),
    /// An issuer's payment server.
    PaymentServer(IssuerId),
}

impl Owner {
    /// What the party may do.
    #[must_use]
    pub const fn role(&self) -> Role {
        match self {
            Self::Holder { .. } => Role::Holder,
            Self::Shop(_) => Role::Shop,
            Self::PaymentServer(_) => Role::PaymentServer,
        }
    }

    /// The number in the subject alternative name.
    #[must_use]
    pub const fn number(&self) -> [u8; 8] {
        match self {
            Self::Holder { card, .. } => card.0,
            Self::Shop(shop) => shop.0,
            Self::PaymentServer(issuer) => issuer.0,
        }
    }

    /// The person's number, of a holder.
    #[must_use]
    pub const fn payer(&self) -> Option<&PayerId> {
        match self {
            Self::Holder { payer, .. } => Some(payer),
            Self::Shop(_) | Self::PaymentServer(_) => None,
        }
    }
}

/// Everything about a party that a certificate says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Subject {
    /// Who.
    pub(crate) owner: Owner,
    /// The name for people.
    pub(crate) name: PartyName,
    /// The key that is certified.
    pub(crate) key: PublicKey,
}

/// A person in the books.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The person's number.
    pub payer: PayerId,
    /// The person's name.
    pub name: PartyName,
}

/// Takes a payer ID that X.520 allows as a subject's serialNumber (a PrintableString).
///
/// # Errors
/// [`CaError::PayerId`] otherwise.
pub fn payer_id(text: &str) -> Result<PayerId, CaError> {
    PrintableString::try_from(text).map_err(|_| CaError::PayerId)?;
    PayerId::new(text).map_err(|_| CaError::PayerId)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payer_id_is_printable() {
        for good in ["1", "1234567890", "JP-12/34", &"9".repeat(32)] {
            assert!(payer_id(good).is_ok(), "{good}");
        }
        for bad in ["", "é", "a_b", "a\nb", &"9".repeat(33)] {
            assert!(payer_id(bad).is_err(), "{bad}");
        }
    }
}
