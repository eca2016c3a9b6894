//! What the card answers besides records: fixed binary fields and two data objects.

use crate::AID;
use crate::SPEC_VERSION;
use crate::codec::{Buffer, CodecError, Reader};
use crate::value::{
    Amount, CardId, CreditId, Currency, Epoch, Generation, Hash, IssuerId, LifeCycle, Limits,
    LimitsVersion, PublicKey, Sequence, ShopId, Signature,
};

/// Data of an answer.
pub type AnswerData = Buffer<256>;

/// File control information, answered by SELECT (ISO 7816-4 §7.4.3). It names no card.
///
/// ```text
/// 6F L
///    84 08 AID
///    8A 01 life cycle
///    A5 L
///       80 02 version of this specification (major, minor)
///       -- all of the following, or none of them on a blank or unreadable card:
///       81 08 issuer ID
///       82 02 currency
///       83 04 generation of the payment server's key, 0: none yet
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fci {
    /// Life cycle of the card.
    pub life_cycle: LifeCycle,
    /// What personalisation gave the card, `None` before.
    pub issued: Option<Issued>,
}

/// The part of the FCI that exists after personalisation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Issued {
    /// The issuer that the card obeys.
    pub issuer: IssuerId,
    /// The card's currency.
    pub currency: Currency,
    /// Generation of P's key on the card, 0 when it has none yet.
    pub generation: Generation,
}

impl Fci {
    /// Largest FCI in bytes.
    pub const SIZE_MAX: usize = 2 + 10 + 3 + 2 + 4 + Issued::SIZE;

    /// Builds the data object.
    ///
    /// # Errors
    /// [`CodecError::Full`], which the buffer's size excludes.
    pub fn encode(&self) -> Result<AnswerData, CodecError> {
        let (outer, inner) = match self.issued {
            Some(_) => (OUTER_FULL, INNER_FULL),
            None => (OUTER_BARE, INNER_BARE),
        };
        let mut out = AnswerData::new();
        out.extend(&[0x6f, outer, 0x84, 8])?;
        out.extend(AID)?;
        out.extend(&[0x8a, 1, self.life_cycle.number(), 0xa5, inner, 0x80, 2])?;
        out.extend(&SPEC_VERSION)?;
        if let Some(issued) = self.issued {
            out.extend(&[0x81, 8])?;
            out.extend(&issued.issuer.0)?;
            out.extend(&[0x82, 2])?;
            out.extend(&issued.currency.0.to_be_bytes())?;
            out.extend(&[0x83, 4])?;
            out.extend(&issued.generation.0.to_be_bytes())?;
        }
        Ok(out)
    }
}

impl Issued {
    const SIZE: usize = 10 + 4 + 6;
}

const INNER_BARE: u8 = 4;
const INNER_FULL: u8 = 4 + 20;
const OUTER_BARE: u8 = 10 + 3 + 2 + INNER_BARE;
const OUTER_FULL: u8 = 10 + 3 + 2 + INNER_FULL;

/// Answer of GENERATE ASYMMETRIC KEY PAIR (ISO 7816-8): `7F49 43 86 41 04 x y`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublicKeyObject(pub PublicKey);

impl PublicKeyObject {
    /// Size in bytes.
    pub const SIZE: usize = HEAD.len() + 64;

    /// Builds the data object.
    ///
    /// # Errors
    /// [`CodecError::Full`], which the buffer's size excludes.
    pub fn encode(&self) -> Result<AnswerData, CodecError> {
        let mut out = AnswerData::new();
        out.extend(HEAD)?;
        out.extend(&self.0.0)?;
        Ok(out)
    }
}

const HEAD: &[u8] = &[0x7f, 0x49, 0x43, 0x86, 0x41, 0x04];

macro_rules! answers {
    ($($(#[$doc:meta])* $name:ident {
        $($(#[$field_doc:meta])* $field:ident: $value:ty,)*
    })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $name {
            $($(#[$field_doc])* pub $field: $value,)*
        }

        impl $name {
            /// Size in bytes.
            pub const SIZE: usize = 0 $(+ <$value as Fixed>::SIZE)*;

            /// Writes the fields in order.
            ///
            /// # Errors
            /// [`CodecError::Full`], which the buffer's size excludes.
            pub fn encode(&self) -> Result<AnswerData, CodecError> {
                let mut out = AnswerData::new();
                $(self.$field.write(&mut out)?;)*
                Ok(out)
            }

            /// Reads the fields.
            ///
            /// # Errors
            /// Any [`CodecError`] unless the bytes are exactly these fields.
            pub fn decode(bytes: &[u8]) -> Result<Self, CodecError> {
                let mut from = Reader::new(bytes);
                let answer = Self { $($field: <$value as Fixed>::read(&mut from)?,)* };
                from.end()?;
                Ok(answer)
            }
        }
    )*};
}

answers! {
    /// Answer of SIGN REQUEST and SIGN CREDIT REQUEST: what the host cannot know.
    Numbered {
        /// The debit sequence or credit slot that the card put into the record.
        sequence: Sequence,
        /// The card's signature over the record.
        signature: Signature,
    }

    /// Answer of GET BALANCE.
    Balance {
        /// Value on the card.
        balance: Amount,
        /// Its currency.
        currency: Currency,
    }

    /// Answer of GET STATUS: unsigned facts, then the content of the status record that the host
    /// cannot know, then its signature.
    StatusAnswer {
        /// Life cycle (not signed).
        life_cycle: LifeCycle,
        /// PIN tries left (not signed).
        pin_tries: u8,
        /// PUK tries left (not signed).
        puk_tries: u8,
        /// Generation of P's key on the card, 0: none (not signed).
        generation: Generation,
        /// Version of the limits (not signed).
        limits_version: LimitsVersion,
        /// Debits up to this sequence have left the journal (not signed).
        ack_debit: Sequence,
        /// Slots up to this one have left the journal (not signed).
        ack_credit: Sequence,
        /// Sum of debits since the last one under a PIN (not signed).
        pin_free_spent: Amount,
        /// The card.
        card: CardId,
        /// Value on the card.
        balance: Amount,
        /// Its currency.
        currency: Currency,
        /// Sequence of the last debit.
        debit_seq: Sequence,
        /// Last credit slot consumed.
        credit_seq: Sequence,
        /// Highest epoch seen.
        epoch: Epoch,
        /// Head of the chain over all journal records.
        journal_head: Hash,
        /// The card's signature over the status record.
        signature: Signature,
    }

    /// Answer of GET DATA (limits).
    LimitsAnswer {
        /// Version of the limits, 0 after personalisation.
        version: LimitsVersion,
        /// The limits.
        limits: Limits,
    }

    /// One of the last 32 transfers.
    HistoryEntry {
        /// What happened.
        kind: TransferKind,
        /// Debit sequence or credit slot.
        sequence: Sequence,
        /// Amount; 0 for a burned slot.
        amount: Amount,
        /// Currency.
        currency: Currency,
        /// The shop; zeros where there is none.
        shop: ShopId,
        /// Payment ID of a debit, credit ID of a credit, zeros for a burned slot.
        reference: CreditId,
        /// Value on the card afterwards.
        balance: Amount,
    }
}

/// What a history entry tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransferKind {
    /// Value left the card.
    Debit = 1,
    /// Value came to the card.
    Credit = 2,
    /// A slot was burned.
    Burned = 3,
}

/// A field of fixed size in an answer.
trait Fixed: Sized {
    const SIZE: usize;
    fn write(&self, into: &mut AnswerData) -> Result<(), CodecError>;
    fn read(from: &mut Reader<'_>) -> Result<Self, CodecError>;
}

macro_rules! fixed {
    ($($bytes:ident)*; $($int:ident = $read:ident $size:literal)*) => {
        $(impl Fixed for $bytes {
            const SIZE: usize = Self::SIZE;
            fn write(&self, into: &mut AnswerData) -> Result<(), CodecError> {
                into.extend(&self.0)
            }
            fn read(from: &mut Reader<'_>) -> Result<Self, CodecError> {
                from.array().map(Self)
            }
        })*
        $(impl Fixed for $int {
            const SIZE: usize = $size;
            fn write(&self, into: &mut AnswerData) -> Result<(), CodecError> {
                into.extend(&self.0.to_be_bytes())
            }
            fn read(from: &mut Reader<'_>) -> Result<Self, CodecError> {
                from.$read().map(Self)
            }
        })*
    };
}

fixed! {
    CardId ShopId CreditId Hash Signature;
    Sequence = u32 4  Generation = u32 4  LimitsVersion = u32 4  Currency = u16 2
    Amount = u64 8  Epoch = u64 8
}

impl Fixed for u8 {
    const SIZE: usize = 1;
    fn write(&self, into: &mut AnswerData) -> Result<(), CodecError> {
        into.push(*self)
    }
    fn read(from: &mut Reader<'_>) -> Result<Self, CodecError> {
        from.u8()
    }
}

impl Fixed for LifeCycle {
    const SIZE: usize = 1;
    fn write(&self, into: &mut AnswerData) -> Result<(), CodecError> {
        into.push(self.number())
    }
    fn read(from: &mut Reader<'_>) -> Result<Self, CodecError> {
        Self::from_number(from.u8()?)
    }
}

impl Fixed for TransferKind {
    const SIZE: usize = 1;
    fn write(&self, into: &mut AnswerData) -> Result<(), CodecError> {
        into.push(*self as u8)
    }
    fn read(from: &mut Reader<'_>) -> Result<Self, CodecError> {
        match from.u8()? {
            1 => Ok(Self::Debit),
            2 => Ok(Self::Credit),
            3 => Ok(Self::Burned),
            _ => Err(CodecError::Range),
        }
    }
}

impl Fixed for Limits {
    const SIZE: usize = Self::SIZE;
    fn write(&self, into: &mut AnswerData) -> Result<(), CodecError> {
        self.write(into)
    }
    fn read(from: &mut Reader<'_>) -> Result<Self, CodecError> {
        Self::read(from)
    }
}
