//! The values that records and commands are made of, as types that cannot be swapped.

use core::fmt;
use core::str::FromStr;

use crate::cbor::{self, Major};
use crate::codec::{Buffer, CodecError, Reader};

/// A value that stands in a signed record under one label.
pub trait Field: Sized {
    /// Largest size of the encoded value in bytes.
    const SIZE_MAX: usize;

    /// Writes the value as a CBOR data item.
    ///
    /// # Errors
    /// [`CodecError::Full`] when it does not fit.
    fn encode<const N: usize>(&self, into: &mut Buffer<N>) -> Result<(), CodecError>;

    /// Reads the value.
    ///
    /// # Errors
    /// Any [`CodecError`] when the bytes are not such a value in canonical form.
    fn decode(from: &mut Reader<'_>) -> Result<Self, CodecError>;
}

macro_rules! byte_values {
    ($($(#[$doc:meta])* $name:ident: $size:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; $size]);

        impl $name {
            /// Size in bytes.
            pub const SIZE: usize = $size;
        }

        impl Field for $name {
            const SIZE_MAX: usize = cbor::head_size($size) + $size;

            fn encode<const N: usize>(&self, into: &mut Buffer<N>) -> Result<(), CodecError> {
                cbor::write_bytes(into, &self.0)
            }

            fn decode(from: &mut Reader<'_>) -> Result<Self, CodecError> {
                cbor::read_array(from).map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl FromStr for $name {
            type Err = CodecError;

            fn from_str(text: &str) -> Result<Self, CodecError> {
                parse_hex(text).map(Self)
            }
        }

        impl AsRef<[u8]> for $name {
            fn as_ref(&self) -> &[u8] {
                &self.0
            }
        }
    )*};
}

byte_values! {
    /// Number of one card, given at personalisation; never used again for another card.
    CardId: 8;
    /// Number of the issuer whose payment server the card obeys.
    IssuerId: 8;
    /// Number of a shop.
    ShopId: 8;
    /// Which key signed: the first 8 bytes of SHA-256 over the uncompressed point (65 bytes).
    KeyId: 8;
    /// Number that the payment server gives to one permit and the debit that follows from it.
    PaymentId: 16;
    /// Number of a credit: the refund permit's, the load order's, or the suspended payment's.
    CreditId: 16;
    /// Number that the shop gives to one transaction.
    TransactionId: 16;
    /// Number that the wallet gives to one order or refund request.
    RequestId: 16;
    /// Random bytes against replay.
    Nonce: 16;
    /// SHA-256 of a document: always of its `Sig_structure` (RFC 9052 §4.4), never of a signature.
    Hash: 32;
    /// P-256 public key: x and y, 32 bytes each, big-endian.
    PublicKey: 64;
    /// ES256 signature: r and s, 32 bytes each, big-endian; cards give s ≤ n/2.
    Signature: 64;
}

fn parse_hex<const N: usize>(text: &str) -> Result<[u8; N], CodecError> {
    let (pairs, odd) = text.as_bytes().as_chunks::<2>();
    if pairs.len() != N || !odd.is_empty() {
        return Err(CodecError::Range);
    }
    let mut bytes = [0; N];
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = (hex_digit(*high)? << 4) | hex_digit(*low)?;
    }
    Ok(bytes)
}

const fn hex_digit(character: u8) -> Result<u8, CodecError> {
    match character {
        b'0'..=b'9' => Ok(character.wrapping_sub(b'0')),
        b'a'..=b'f' => Ok(character.wrapping_sub(b'a' - 10)),
        b'A'..=b'F' => Ok(character.wrapping_sub(b'A' - 10)),
        _ => Err(CodecError::Range),
    }
}

macro_rules! integer_values {
    ($($(#[$doc:meta])* $name:ident: $int:ty;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub $int);

        impl $name {
            /// The largest value.
            pub const MAX: Self = Self(<$int>::MAX);

            /// The value after this one, `None` at the maximum: sequences never wrap.
            #[must_use]
            pub const fn next(self) -> Option<Self> {
                match self.0.checked_add(1) {
                    Some(next) => Some(Self(next)),
                    None => None,
                }
            }

            /// Sum, `None` on overflow.
            #[must_use]
            pub const fn checked_add(self, other: Self) -> Option<Self> {
                match self.0.checked_add(other.0) {
                    Some(sum) => Some(Self(sum)),
                    None => None,
                }
            }

            /// Difference, `None` below zero.
            #[must_use]
            pub const fn checked_sub(self, other: Self) -> Option<Self> {
                match self.0.checked_sub(other.0) {
                    Some(difference) => Some(Self(difference)),
                    None => None,
                }
            }
        }

        impl Field for $name {
            const SIZE_MAX: usize = 1 + size_of::<$int>();

            fn encode<const N: usize>(&self, into: &mut Buffer<N>) -> Result<(), CodecError> {
                cbor::write_head(into, Major::Unsigned, u64::from(self.0))
            }

            fn decode(from: &mut Reader<'_>) -> Result<Self, CodecError> {
                let value = cbor::read_head(from, Major::Unsigned)?;
                <$int>::try_from(value).map(Self).map_err(|_| CodecError::Range)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )*};
}

integer_values! {
    /// Money in minor units of its currency.
    Amount: u64;
    /// ISO 4217 numeric code, for example 392 for the yen.
    Currency: u16;
    /// Number of a debit or of a credit slot of one card; the first is 1.
    Sequence: u32;
    /// Life of the payment server's books; raised after a restore from backup.
    Epoch: u64;
    /// Time by the payment server's clock: seconds since 1970-01-01T00:00:00Z.
    Time: u64;
    /// Generation of the payment server's key; a card never goes back to a lower one.
    Generation: u32;
    /// Version of a card's limits; each change raises it by one.
    LimitsVersion: u32;
}

macro_rules! enum_values {
    ($($(#[$doc:meta])* $name:ident {
        $($(#[$vdoc:meta])* $variant:ident = $number:literal,)*
    })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$vdoc])* $variant = $number,)*
        }

        impl $name {
            /// The number on the wire.
            #[must_use]
            pub const fn number(self) -> u8 {
                self as u8
            }

            /// The value of a number on the wire.
            ///
            /// # Errors
            /// [`CodecError::Range`] for a number that stands for nothing.
            pub const fn from_number(number: u8) -> Result<Self, CodecError> {
                match number {
                    $($number => Ok(Self::$variant),)*
                    _ => Err(CodecError::Range),
                }
            }
        }

        impl Field for $name {
            const SIZE_MAX: usize = 1;

            fn encode<const N: usize>(&self, into: &mut Buffer<N>) -> Result<(), CodecError> {
                cbor::write_head(into, Major::Unsigned, u64::from(self.number()))
            }

            fn decode(from: &mut Reader<'_>) -> Result<Self, CodecError> {
                let value = cbor::read_head(from, Major::Unsigned)?;
                u8::try_from(value).map_err(|_| CodecError::Range).and_then(Self::from_number)
            }
        }
    )*};
}

enum_values! {
    /// Why value goes to a card.
    Purpose {
        /// Money back for a purchase; the authority is the shop's refund permit 81.
        Refund = 1,
        /// Money from the issuer; the authority is a load order.
        Load = 2,
        /// A debit that could not pay its invoice; the authority is the suspense notice.
        Suspense = 3,
    }

    /// When SIGN ORDER and SIGN REFUND REQUEST need the PIN.
    OrderPin {
        /// Never.
        Never = 0,
        /// For amounts above the PIN floor.
        OverFloor = 1,
        /// Always.
        Always = 2,
    }

    /// Life cycle of the card, numbered as ISO 7816-4 §7.4.10 codes the life cycle status. The
    /// order is Blank, Personalised, Active, then Blocked or Terminated; there is no way back.
    LifeCycle {
        /// As manufactured: no identity, no key.
        Blank = 1,
        /// Has its identity and first limits; key and certificate may be on the way.
        Personalised = 3,
        /// In use.
        Active = 5,
        /// Moves no value and signs nothing but its status; what can be read stays readable.
        Blocked = 4,
        /// At its end, without value.
        Terminated = 12,
    }
}

/// The issuer's limits for one card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Highest balance that SIGN CREDIT REQUEST allows.
    pub balance_max: Amount,
    /// Highest amount of one debit.
    pub debit_max: Amount,
    /// Debits up to this amount need no PIN.
    pub pin_floor: Amount,
    /// Sum of debits without PIN, after which the PIN is needed.
    pub pin_free_max: Amount,
    /// When orders need the PIN.
    pub order_pin: OrderPin,
}

impl Limits {
    /// Size in commands and answers, in bytes.
    pub const SIZE: usize = 33;

    /// Writes the limits as fixed binary fields.
    ///
    /// # Errors
    /// [`CodecError::Full`] when they do not fit.
    pub fn write<const N: usize>(&self, into: &mut Buffer<N>) -> Result<(), CodecError> {
        for amount in [self.balance_max, self.debit_max, self.pin_floor, self.pin_free_max] {
            into.extend(&amount.0.to_be_bytes())?;
        }
        into.push(self.order_pin.number())
    }

    /// Reads the limits.
    ///
    /// # Errors
    /// [`CodecError::Short`], or [`CodecError::Range`] for an unknown `order_pin`.
    pub fn read(from: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(Self {
            balance_max: Amount(from.u64()?),
            debit_max: Amount(from.u64()?),
            pin_floor: Amount(from.u64()?),
            pin_free_max: Amount(from.u64()?),
            order_pin: OrderPin::from_number(from.u8()?)?,
        })
    }
}

/// A PIN of 4 to 8 digits or a PUK of 8, in ASCII, padded with FF to 8 bytes (ISO 7816-4 VERIFY).
///
/// Never shown by `Debug`, and overwritten when dropped.
#[derive(Clone)]
pub struct Pin([u8; 8]);

impl Pin {
    /// Size on the wire in bytes.
    pub const SIZE: usize = 8;

    /// Takes 8 bytes as they stand in a command.
    ///
    /// # Errors
    /// [`CodecError::Range`] unless they are 4 to 8 digits followed by FF only.
    pub fn from_block(block: [u8; 8]) -> Result<Self, CodecError> {
        let pin = Self(block);
        let digits = block.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let padded = block.iter().skip(digits).all(|byte| *byte == 0xff);
        if digits >= 4 && padded { Ok(pin) } else { Err(CodecError::Range) }
    }

    /// Takes digits as a person types them.
    ///
    /// # Errors
    /// [`CodecError::Range`] unless they are 4 to 8 ASCII digits.
    pub fn from_digits(digits: &str) -> Result<Self, CodecError> {
        let mut block = [0xff; 8];
        let room = block.get_mut(..digits.len()).ok_or(CodecError::Range)?;
        room.copy_from_slice(digits.as_bytes());
        Self::from_block(block)
    }

    /// The 8 bytes of the command. Handle with care.
    #[must_use]
    pub const fn block(&self) -> &[u8; 8] {
        &self.0
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        self.0 = [0; 8];
        core::hint::black_box(&self.0);
    }
}

impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pin(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pins_take_four_to_eight_digits_and_nothing_else() {
        for good in ["1234", "12345678"] {
            assert!(Pin::from_digits(good).is_ok(), "{good}");
        }
        for bad in ["", "123", "123456789", "12a4", "١٢٣٤", "1234\u{ff}"] {
            assert!(Pin::from_digits(bad).is_err(), "{bad}");
        }
        assert!(Pin::from_block(*b"1234\xff\xff\xff1").is_err());
        assert!(Pin::from_block(*b"12\xff4\xff\xff\xff\xff").is_err());
    }

    #[test]
    fn a_pin_is_not_shown() {
        extern crate std;
        assert_eq!(std::format!("{:?}", Pin::from_digits("1234").unwrap()), "Pin(…)");
    }

    #[test]
    fn hex_round_trips_and_refuses_other_lengths() {
        extern crate std;
        use std::string::ToString;
        let id = CardId([0, 1, 0xab, 0xcd, 0xef, 9, 0x10, 0xff]);
        assert_eq!(id.to_string(), "0001abcdef0910ff");
        assert_eq!("0001ABcdef0910ff".parse(), Ok(id));
        for bad in ["0001abcdef0910f", "0001abcdef0910ff0", "0001abcdef0910fg", ""] {
            assert!(bad.parse::<CardId>().is_err(), "{bad}");
        }
    }
}
