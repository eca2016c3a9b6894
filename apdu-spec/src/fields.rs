//! Data fields of fixed size that the host chooses for commands.

use crate::codec::{Buffer, CodecError, Reader};
use crate::value::{
    Amount, CardId, Currency, Hash, IssuerId, Limits, Pin, PublicKey, Purpose, RequestId, ShopId,
};

/// Data of PUT DATA (personalisation): fixed fields in this order.
#[derive(Clone, Debug)]
pub struct Personalisation {
    /// The card's number.
    pub card: CardId,
    /// The issuer that the card obeys.
    pub issuer: IssuerId,
    /// The CA's card root key, which signs compact certificates.
    pub card_root: PublicKey,
    /// The card's only currency.
    pub currency: Currency,
    /// First limits; their version is 0.
    pub limits: Limits,
    /// First PIN.
    pub pin: Pin,
    /// PUK, 8 digits.
    pub puk: Pin,
}

impl Personalisation {
    /// Size in bytes.
    pub const SIZE: usize = 8 + 8 + 64 + 2 + Limits::SIZE + 2 * Pin::SIZE;

    pub(crate) fn write<const N: usize>(&self, into: &mut Buffer<N>) -> Result<(), CodecError> {
        into.extend(&self.card.0)?;
        into.extend(&self.issuer.0)?;
        into.extend(&self.card_root.0)?;
        into.extend(&self.currency.0.to_be_bytes())?;
        self.limits.write(into)?;
        into.extend(self.pin.block())?;
        into.extend(self.puk.block())
    }

    pub(crate) fn read(from: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(Self {
            card: CardId(from.array()?),
            issuer: IssuerId(from.array()?),
            card_root: PublicKey(from.array()?),
            currency: Currency(from.u16()?),
            limits: Limits::read(from)?,
            pin: Pin::from_block(from.array()?)?,
            puk: Pin::from_block(from.array()?)?,
        })
    }
}

/// Data of SIGN REQUEST; the card adds its ID and next sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DebitFields {
    /// Hash of invoice 51.
    pub invoice_hash: Hash,
    /// The shop named in the invoice.
    pub shop: ShopId,
    /// Amount of the invoice.
    pub amount: Amount,
    /// Currency of the amount.
    pub currency: Currency,
}

impl DebitFields {
    /// Size in bytes.
    pub const SIZE: usize = 32 + 8 + 8 + 2;

    pub(crate) fn write<const N: usize>(&self, into: &mut Buffer<N>) -> Result<(), CodecError> {
        into.extend(&self.invoice_hash.0)?;
        into.extend(&self.shop.0)?;
        into.extend(&self.amount.0.to_be_bytes())?;
        into.extend(&self.currency.0.to_be_bytes())
    }

    pub(crate) fn read(from: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(Self {
            invoice_hash: Hash(from.array()?),
            shop: ShopId(from.array()?),
            amount: Amount(from.u64()?),
            currency: Currency(from.u16()?),
        })
    }
}

/// Data of SIGN CREDIT REQUEST; the card adds its ID and next slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CreditFields {
    /// Why value shall go to the card.
    pub purpose: Purpose,
    /// Hash of the authority.
    pub authority_hash: Hash,
    /// Amount to credit.
    pub amount: Amount,
    /// Currency of the amount.
    pub currency: Currency,
}

impl CreditFields {
    /// Size in bytes.
    pub const SIZE: usize = 1 + 32 + 8 + 2;

    pub(crate) fn write<const N: usize>(&self, into: &mut Buffer<N>) -> Result<(), CodecError> {
        into.push(self.purpose.number())?;
        into.extend(&self.authority_hash.0)?;
        into.extend(&self.amount.0.to_be_bytes())?;
        into.extend(&self.currency.0.to_be_bytes())
    }

    pub(crate) fn read(from: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(Self {
            purpose: Purpose::from_number(from.u8()?)?,
            authority_hash: Hash(from.array()?),
            amount: Amount(from.u64()?),
            currency: Currency(from.u16()?),
        })
    }
}

/// Data of SIGN ORDER; the card adds its ID.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrderFields {
    /// The wallet's number for this order.
    pub request: RequestId,
    /// The shop that shall deliver.
    pub shop: ShopId,
    /// Hash of the order request document.
    pub request_hash: Hash,
    /// Total of the order.
    pub amount: Amount,
    /// Currency of the total.
    pub currency: Currency,
}

impl OrderFields {
    /// Size in bytes.
    pub const SIZE: usize = 16 + 8 + 32 + 8 + 2;

    pub(crate) fn write<const N: usize>(&self, into: &mut Buffer<N>) -> Result<(), CodecError> {
        into.extend(&self.request.0)?;
        into.extend(&self.shop.0)?;
        into.extend(&self.request_hash.0)?;
        into.extend(&self.amount.0.to_be_bytes())?;
        into.extend(&self.currency.0.to_be_bytes())
    }

    pub(crate) fn read(from: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(Self {
            request: RequestId(from.array()?),
            shop: ShopId(from.array()?),
            request_hash: Hash(from.array()?),
            amount: Amount(from.u64()?),
            currency: Currency(from.u16()?),
        })
    }
}
