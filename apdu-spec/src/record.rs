//! The records that a card signs or checks: each a COSE_Sign1 whose payload is a deterministic CBOR
//! map with integer labels. Label 0 comes first and holds type × 256 + version; a label means the
//! same in every record.
//!
//! Worst-case sizes are asserted at compile time against [`SIGN1_MAX`].

use crate::cbor::{self, Major};
use crate::codec::{CodecError, Reader};
use crate::cose::{self, PAYLOAD_MAX, Payload, SIGN1_MAX};
use crate::value::{
    Amount, CardId, CreditId, Currency, Epoch, Field, Hash, IssuerId, LimitsVersion, Nonce,
    OrderPin, PaymentId, PublicKey, Purpose, RequestId, Sequence, ShopId, Time, TransactionId,
};

/// A type of signed record.
pub trait Record: Sized {
    /// The record's name in APDU.md.
    const NAME: &'static str;

    /// Type × 256 + version, the value of label 0.
    const TYPE: u16;

    /// Largest payload in bytes.
    const PAYLOAD_MAX: usize;

    /// Largest COSE_Sign1 in bytes.
    const SIGN1_MAX: usize = cose::sign1_size(Self::PAYLOAD_MAX);

    /// Builds the payload.
    ///
    /// # Errors
    /// [`CodecError::Full`], which the compile-time size checks exclude.
    fn encode(&self) -> Result<Payload, CodecError>;

    /// Reads a payload.
    ///
    /// # Errors
    /// Any [`CodecError`] unless it is exactly a record of this type in canonical form.
    fn decode(payload: &[u8]) -> Result<Self, CodecError>;
}

macro_rules! records {
    ($($(#[$doc:meta])* $name:ident = $type:literal {
        $($(#[$field_doc:meta])* $label:literal $field:ident: $value:ty,)*
    })*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug, PartialEq, Eq)]
            pub struct $name {
                $($(#[$field_doc])* pub $field: $value,)*
            }

            impl Record for $name {
                const NAME: &'static str = stringify!($name);
                const TYPE: u16 = $type;
                const PAYLOAD_MAX: usize = 1 + 1 + cbor::head_size($type)
                    $(+ cbor::head_size($label) + <$value>::SIZE_MAX)*;

                fn encode(&self) -> Result<Payload, CodecError> {
                    let mut out = Payload::new();
                    cbor::write_head(&mut out, Major::Map, 1 $(+ count!($label))*)?;
                    cbor::write_head(&mut out, Major::Unsigned, 0)?;
                    cbor::write_head(&mut out, Major::Unsigned, u64::from(Self::TYPE))?;
                    $(
                        cbor::write_head(&mut out, Major::Unsigned, $label)?;
                        self.$field.encode(&mut out)?;
                    )*
                    Ok(out)
                }

                fn decode(payload: &[u8]) -> Result<Self, CodecError> {
                    let mut from = Reader::new(payload);
                    let from = &mut from;
                    expect_head(from, Major::Map, 1 $(+ count!($label))*)?;
                    expect_head(from, Major::Unsigned, 0)?;
                    expect_head(from, Major::Unsigned, u64::from(Self::TYPE))?;
                    let record = Self {
                        $($field: {
                            expect_head(from, Major::Unsigned, $label)?;
                            <$value>::decode(from)?
                        },)*
                    };
                    from.end()?;
                    Ok(record)
                }
            }

            const _: () = {
                assert!($name::PAYLOAD_MAX <= PAYLOAD_MAX, "payload too long");
                assert!($name::SIGN1_MAX <= SIGN1_MAX, "record too long");
                let mut labels: &[u64] = &[0 $(, $label)*];
                while let [first, rest @ ..] = labels {
                    if let [second, ..] = rest {
                        assert!(*first < *second, "labels must ascend");
                    }
                    labels = rest;
                }
            };
        )*

        /// Name, type and largest COSE_Sign1 in bytes of every record, for documents and tests.
        pub const RECORDS: &[(&str, u16, usize)] =
            &[$(($name::NAME, $name::TYPE, $name::SIGN1_MAX),)*];
    };
}

macro_rules! count {
    ($label:literal) => {
        1
    };
}

fn expect_head(from: &mut Reader<'_>, major: Major, value: u64) -> Result<(), CodecError> {
    if cbor::read_head(from, major)? == value { Ok(()) } else { Err(CodecError::Unexpected) }
}

records! {
    /// Order (message 130): signed by the card over the hash of what the wallet orders.
    Order = 0x0101 {
        /// The card that signs.
        1 card: CardId,
        /// The shop that shall deliver.
        9 shop: ShopId,
        /// Total of the order.
        10 amount: Amount,
        /// Currency of the total.
        11 currency: Currency,
        /// The wallet's number for this order.
        17 request: RequestId,
        /// Hash of the order request document.
        18 request_hash: Hash,
    }

    /// Request (D1, signature 52 of message 150): the card wants to pay this invoice with its next
    /// sequence.
    DebitRequest = 0x0301 {
        /// The card that signs.
        1 card: CardId,
        /// The card's next debit sequence.
        2 debit_seq: Sequence,
        /// Hash of invoice 51.
        6 invoice_hash: Hash,
        /// The shop named in the invoice.
        9 shop: ShopId,
        /// Amount of the invoice.
        10 amount: Amount,
        /// Currency of the amount.
        11 currency: Currency,
    }

    /// Permit (message 160), signed by P: this card may pay this invoice with this sequence.
    Permit = 0x0401 {
        /// The card that may debit.
        1 card: CardId,
        /// The sequence that the debit consumes.
        2 debit_seq: Sequence,
        /// P's number for the payment.
        4 payment: PaymentId,
        /// Hash of invoice 51.
        6 invoice_hash: Hash,
        /// The shop named in the invoice.
        9 shop: ShopId,
        /// Amount to debit.
        10 amount: Amount,
        /// Currency of the amount.
        11 currency: Currency,
        /// When the permit ends by P's clock. The card has no clock and does not judge it.
        13 expiry: Time,
        /// P's epoch; the card refuses a lower one than it has seen.
        14 epoch: Epoch,
        /// P durably knows every debit up to this sequence.
        15 ack_debit: Sequence,
        /// P durably knows every credit slot up to this one.
        16 ack_credit: Sequence,
    }

    /// Debit record (message 170): the card has debited itself.
    DebitRecord = 0x0501 {
        /// The card that debited.
        1 card: CardId,
        /// The sequence consumed.
        2 debit_seq: Sequence,
        /// P's number for the payment.
        4 payment: PaymentId,
        /// Hash of invoice 51.
        6 invoice_hash: Hash,
        /// The shop named in the invoice.
        9 shop: ShopId,
        /// Amount debited.
        10 amount: Amount,
        /// Currency of the amount.
        11 currency: Currency,
    }

    /// Credit request (C1, signature 82 of message 1150): the card wants value in its next slot.
    CreditRequest = 0x0601 {
        /// The card that signs.
        1 card: CardId,
        /// The card's next credit slot.
        3 slot: Sequence,
        /// Hash of the authority: refund permit, load order or suspense notice.
        7 authority_hash: Hash,
        /// Amount to credit.
        10 amount: Amount,
        /// Currency of the amount.
        11 currency: Currency,
        /// Why value goes to the card.
        12 purpose: Purpose,
    }

    /// Credit token (message 1180), signed by P: value for exactly this slot of this card.
    CreditToken = 0x0701 {
        /// The card that may take the value.
        1 card: CardId,
        /// The slot that takes it.
        3 slot: Sequence,
        /// Number of the credit, unique at P per purpose and issuer of the authority.
        5 credit: CreditId,
        /// Hash of the authority.
        7 authority_hash: Hash,
        /// The transaction that is refunded; zeros where there is none.
        8 transaction: TransactionId,
        /// The shop that refunds; zeros where there is none.
        9 shop: ShopId,
        /// Amount to credit.
        10 amount: Amount,
        /// Currency of the amount.
        11 currency: Currency,
        /// Why value goes to the card.
        12 purpose: Purpose,
        /// P's epoch; the card refuses a lower one than it has seen.
        14 epoch: Epoch,
        /// P durably knows every debit up to this sequence.
        15 ack_debit: Sequence,
        /// P durably knows every credit slot up to this one.
        16 ack_credit: Sequence,
    }

    /// Credit record (message 1190; for a refund this is refund receipt 83): the card has taken
    /// the value.
    CreditRecord = 0x0801 {
        /// The card that was credited.
        1 card: CardId,
        /// The slot consumed.
        3 slot: Sequence,
        /// Number of the credit.
        5 credit: CreditId,
        /// Hash of the authority.
        7 authority_hash: Hash,
        /// The transaction that is refunded; zeros where there is none.
        8 transaction: TransactionId,
        /// The shop that refunds; zeros where there is none.
        9 shop: ShopId,
        /// Amount credited.
        10 amount: Amount,
        /// Currency of the amount.
        11 currency: Currency,
        /// Why value went to the card.
        12 purpose: Purpose,
    }

    /// Burned slot: the card will never take a token for this slot.
    BurnedSlot = 0x0901 {
        /// The card that burned it.
        1 card: CardId,
        /// The slot consumed.
        3 slot: Sequence,
    }

    /// Status, signed by the card over a nonce of the asking party.
    Status = 0x0a01 {
        /// The card that signs.
        1 card: CardId,
        /// Sequence of the last debit, 0 before the first.
        2 debit_seq: Sequence,
        /// Last credit slot consumed, 0 before the first.
        3 credit_seq: Sequence,
        /// Currency of the balance.
        11 currency: Currency,
        /// Highest epoch seen.
        14 epoch: Epoch,
        /// The asking party's random bytes.
        19 nonce: Nonce,
        /// Value on the card.
        20 balance: Amount,
        /// Head of the chain over all journal records ever made.
        21 journal_head: Hash,
    }

    /// Limits, signed by P.
    LimitsRecord = 0x0b01 {
        /// The card that takes them.
        1 card: CardId,
        /// The version stored on the card plus one.
        24 version: LimitsVersion,
        /// Highest balance that SIGN CREDIT REQUEST allows.
        25 balance_max: Amount,
        /// Highest amount of one debit.
        26 debit_max: Amount,
        /// Debits up to this amount need no PIN.
        27 pin_floor: Amount,
        /// Sum of debits without PIN, after which the PIN is needed.
        28 pin_free_max: Amount,
        /// When orders need the PIN.
        29 order_pin: OrderPin,
    }

    /// Enrolment record: the card shows that it holds the private key to be certified.
    Enrolment = 0x0c01 {
        /// The card that signs.
        1 card: CardId,
        /// The certificate authority's random bytes.
        19 nonce: Nonce,
        /// The key to be certified, which also signs this record.
        22 public_key: PublicKey,
        /// The issuer that personalised the card.
        23 issuer: IssuerId,
    }
}

impl Permit {
    /// The debit record that the card makes from this permit: all of it that concerns value.
    #[must_use]
    pub const fn debit_record(&self) -> DebitRecord {
        DebitRecord {
            card: self.card,
            debit_seq: self.debit_seq,
            payment: self.payment,
            invoice_hash: self.invoice_hash,
            shop: self.shop,
            amount: self.amount,
            currency: self.currency,
        }
    }
}

impl CreditToken {
    /// The credit record that the card makes from this token.
    #[must_use]
    pub const fn credit_record(&self) -> CreditRecord {
        CreditRecord {
            card: self.card,
            slot: self.slot,
            credit: self.credit,
            authority_hash: self.authority_hash,
            transaction: self.transaction,
            shop: self.shop,
            amount: self.amount,
            currency: self.currency,
            purpose: self.purpose,
        }
    }
}
