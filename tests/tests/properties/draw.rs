//! Values of every kind out of random bytes, integers of every size among them.

use apdu_spec::CompactCertificate;
use apdu_spec::record::{
    BurnedSlot, CreditRecord, CreditRequest, CreditToken, DebitRecord, DebitRequest, Enrolment,
    LimitsRecord, Order, Permit, Status,
};
use apdu_spec::value::{
    Amount, CardId, CreditId, Currency, Epoch, Generation, Hash, IssuerId, KeyId, LimitsVersion,
    Nonce, OrderPin, PaymentId, PublicKey, Purpose, RequestId, Sequence, ShopId, Signature, Time,
    TransactionId,
};

/// Random bytes; zeros when they have run out.
pub(crate) struct Source<'a> {
    bytes: std::slice::Iter<'a, u8>,
}

impl<'a> Source<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes: bytes.iter() }
    }

    fn byte(&mut self) -> u8 {
        self.bytes.next().copied().unwrap_or(0)
    }

    fn array<const N: usize>(&mut self) -> [u8; N] {
        std::array::from_fn(|_| self.byte())
    }

    /// An integer of 0 to `bits` bits: small ones, large ones, and the ends of every size.
    fn integer(&mut self, bits: u32) -> u64 {
        let width = u32::from(self.byte()) % (bits + 1);
        let most = 1_u64.checked_shl(width).unwrap_or(0).wrapping_sub(1);
        match self.byte() % 4 {
            0 => most,
            1 => most.wrapping_add(1) & 1_u64.checked_shl(bits).unwrap_or(0).wrapping_sub(1),
            _ => u64::from_be_bytes(self.array()) & most,
        }
    }
}

pub(crate) trait Draw {
    fn draw(source: &mut Source<'_>) -> Self;
}

macro_rules! draw_values {
    ($($bytes:ident)*; $($integer:ident: $kind:ty, $bits:literal;)*) => {
        $(impl Draw for $bytes {
            fn draw(source: &mut Source<'_>) -> Self {
                Self(source.array())
            }
        })*
        $(impl Draw for $integer {
            fn draw(source: &mut Source<'_>) -> Self {
                Self(<$kind>::try_from(source.integer($bits)).unwrap())
            }
        })*
    };
}

draw_values! {
    CardId IssuerId ShopId KeyId PaymentId CreditId TransactionId RequestId Nonce Hash PublicKey
    Signature;
    Amount: u64, 64;
    Currency: u16, 16;
    Sequence: u32, 32;
    Epoch: u64, 64;
    Time: u64, 64;
    Generation: u32, 32;
    LimitsVersion: u32, 32;
}

impl Draw for Purpose {
    fn draw(source: &mut Source<'_>) -> Self {
        Self::from_number(source.byte() % 3 + 1).unwrap()
    }
}

impl Draw for OrderPin {
    fn draw(source: &mut Source<'_>) -> Self {
        Self::from_number(source.byte() % 3).unwrap()
    }
}

macro_rules! draw_records {
    ($($record:ident { $($field:ident)* })*) => {
        $(impl Draw for $record {
            fn draw(source: &mut Source<'_>) -> Self {
                Self { $($field: Draw::draw(source),)* }
            }
        })*
    };
}

draw_records! {
    Order { card shop amount currency request request_hash }
    DebitRequest { card debit_seq invoice_hash shop amount currency }
    Permit {
        card debit_seq payment invoice_hash shop amount currency expiry epoch ack_debit ack_credit
    }
    DebitRecord { card debit_seq payment invoice_hash shop amount currency }
    CreditRequest { card slot authority_hash amount currency purpose }
    CreditToken {
        card slot credit authority_hash transaction shop amount currency purpose epoch ack_debit
        ack_credit
    }
    CreditRecord { card slot credit authority_hash transaction shop amount currency purpose }
    BurnedSlot { card slot }
    Status { card debit_seq credit_seq currency epoch nonce balance journal_head }
    LimitsRecord { card version balance_max debit_max pin_floor pin_free_max order_pin }
    Enrolment { card nonce public_key issuer }
    CompactCertificate { issuer generation key }
}
