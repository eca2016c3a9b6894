//! Whose card it is: what the card's certificate file says, checked.

use apdu_spec::value::{CardId, Currency, IssuerId, PublicKey, Time};
use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode};
use protocol::certificate::{Authority, CertificateError, PayerId, Role};
use protocol::purchase::Chain;
use protocol::signed::CHAIN_MAX;

use crate::port::CardFacts;

/// A card together with its holder's certificate.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Holder {
    /// The card's number.
    #[cbor(n(0), with = "protocol::field")]
    pub card: CardId,
    /// The issuer that the card obeys.
    #[cbor(n(1), with = "protocol::field")]
    pub issuer: IssuerId,
    /// The card's key.
    #[cbor(n(2), with = "protocol::field")]
    pub key: PublicKey,
    /// The card's currency.
    #[cbor(n(3), with = "protocol::field")]
    pub currency: Currency,
    /// The holder's chain, leaf first, as it is sent along.
    #[n(4)]
    pub chain: Chain,
    /// The holder's number, by which invoices name the payer.
    #[n(5)]
    pub payer: PayerId,
}

/// Why a card cannot be used to pay.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HolderError {
    /// The certificate file is not one certificate in DER after the other.
    #[error("the card's certificate file cannot be read")]
    File,
    /// The certificate is not valid, or not now.
    #[error("the card's certificate: {0}")]
    Certificate(#[from] CertificateError),
    /// The certificate is for another card or key.
    #[error("the certificate on the card is for another card")]
    OtherCard,
}

impl Holder {
    /// Reads and checks the certificate file of a card.
    ///
    /// # Errors
    /// [`HolderError`].
    pub fn read(
        facts: &CardFacts,
        file: &[u8],
        authority: &Authority,
        now: Time,
    ) -> Result<Self, HolderError> {
        let chain = split(file).ok_or(HolderError::File)?;
        let party = authority.verify(&chain, Role::Holder, now)?;
        if party.card() != facts.card || party.key != facts.key {
            return Err(HolderError::OtherCard);
        }
        Ok(Self {
            card: facts.card,
            issuer: facts.issuer,
            key: facts.key,
            currency: facts.currency,
            chain: chain.into_iter().map(ByteVec::from).collect(),
            payer: party.payer.ok_or(HolderError::OtherCard)?,
        })
    }
}

/// Parts certificates in DER that stand one after the other.
///
/// ```text
/// 30 82 LL LL  as many bytes        every certificate in use is 256 to 65,535 bytes long
/// ```
fn split(file: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut chain = Vec::new();
    let mut rest = file;
    while let [0x30, 0x82, high, low, ..] = rest {
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        let (certificate, others) = rest.split_at_checked(length.checked_add(4)?)?;
        chain.push(certificate.to_vec());
        rest = others;
        if chain.len() > CHAIN_MAX {
            return None;
        }
    }
    (rest.is_empty() && !chain.is_empty()).then_some(chain)
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn certificates_are_parted_or_refused() {
        let one = [&[0x30, 0x82, 0x01, 0x00][..], &[7; 256]].concat();
        let two = [&one[..], &one].concat();
        assert_eq!(split(&one), Some(vec![one.clone()]));
        assert_eq!(split(&two), Some(vec![one.clone(), one.clone()]));
        for bad in [
            &[][..],
            &one[..259],
            &[&one[..], &[0]].concat(),
            &[&two[..], &two].concat(),
            &[0x30, 0x82, 0xff, 0xff],
        ] {
            assert_eq!(split(bad), None, "{} bytes", bad.len());
        }
    }
}
