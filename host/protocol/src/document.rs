//! The documents of a purchase that outlive it: order lines, invoice 51, receipt 53, suspense
//! notice.

use apdu_spec::value::{
    Amount, CardId, Currency, Hash, IssuerId, Nonce, PaymentId, RequestId, Sequence, ShopId, Time,
    TransactionId,
};
use minicbor::bytes::ByteArray;
use minicbor::{Decode, Encode};

use crate::certificate::{PartyName, PayerId};
use crate::field::{Number, Text};
use crate::form::{self, forms};
use crate::purchase::Chain;
use crate::signed::sha256;

forms! {
    Line: "order line";
    Invoice: "invoice 51";
    Receipt: "receipt 53";
    SuspenseNotice: "suspense notice";
}

/// How an order is paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Encode, Decode)]
#[cbor(index_only)]
pub enum PaymentMode {
    /// Electronic money from the card.
    #[n(1)]
    ElectronicMoney,
    /// First credit card company.
    #[n(2)]
    CreditA,
    /// Second credit card company.
    #[n(3)]
    CreditB,
    /// Transfer from a bank account.
    #[n(4)]
    BankAccount,
}

impl PaymentMode {
    /// Every mode.
    pub const ALL: [Self; 4] =
        [Self::ElectronicMoney, Self::CreditA, Self::CreditB, Self::BankAccount];

    /// Its name in tables, JSON and on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ElectronicMoney => "electronic-money",
            Self::CreditA => "credit-a",
            Self::CreditB => "credit-b",
            Self::BankAccount => "bank-account",
        }
    }

    /// The mode with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.name() == name)
    }
}

/// A line of an order and of its invoice. Both name it by the hash of its salted bytes, so that a
/// customer's goods can be erased later while the signed documents stay checkable.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Line {
    /// Random bytes, so that the hash cannot be guessed from the catalogue.
    #[cbor(n(0), with = "crate::field")]
    pub salt: Nonce,
    /// The shop's article number.
    #[n(1)]
    pub article: Text<32>,
    /// The article's name.
    #[n(2)]
    pub name: Text<100>,
    /// How many, at least 1.
    #[n(3)]
    pub quantity: u32,
    /// Price of one in minor units.
    #[cbor(n(4), with = "crate::field")]
    pub unit_price: Amount,
}

impl Line {
    /// Quantity × unit price; `None` on overflow.
    #[must_use]
    pub fn price(&self) -> Option<Amount> {
        self.unit_price.0.checked_mul(u64::from(self.quantity)).map(Amount)
    }

    /// The hash by which documents name the line.
    #[must_use]
    pub fn hash(&self) -> ByteArray<32> {
        sha256(&form::encode(self)).0.into()
    }
}

/// Sum of the lines' prices; `None` on overflow.
#[must_use]
pub fn total(lines: &[Line]) -> Option<Amount> {
    lines.iter().try_fold(Amount(0), |sum, line| sum.checked_add(line.price()?))
}

/// Invoice 51 (source Fig. 6), signed by M.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Invoice {
    /// 51.
    #[n(0)]
    pub number: Number<51>,
    /// M's number for the transaction.
    #[cbor(n(1), with = "crate::field")]
    pub transaction: TransactionId,
    /// The holder's number in C's certificate.
    #[n(2)]
    pub payer: PayerId,
    /// Hashes of the lines, as in the order.
    #[n(3)]
    pub lines: Vec<ByteArray<32>>,
    /// Amount in minor units.
    #[cbor(n(4), with = "crate::field")]
    pub amount: Amount,
    /// Currency of the amount.
    #[cbor(n(5), with = "crate::field")]
    pub currency: Currency,
    /// How it is to be paid.
    #[n(6)]
    pub mode: PaymentMode,
    /// The shop's number.
    #[cbor(n(7), with = "crate::field")]
    pub shop: ShopId,
    /// The shop's name.
    #[n(8)]
    pub shop_name: PartyName,
    /// Name of the payee: who collects for the shop.
    #[n(9)]
    pub payee: PartyName,
    /// Where to pay: URL of the payment server.
    #[n(10)]
    pub payment_url: Text<200>,
    /// P's certificate chain: the key that must sign permit and receipt.
    #[n(11)]
    pub payment_chain: Chain,
    /// When the invoice was made, by M's clock.
    #[cbor(n(12), with = "crate::field")]
    pub issued: Time,
    /// Until when it may be paid, by P's clock.
    #[cbor(n(13), with = "crate::field")]
    pub due: Time,
    /// The wallet's number of the order.
    #[cbor(n(14), with = "crate::field")]
    pub request: RequestId,
    /// Hash of the order request that the card signed.
    #[cbor(n(15), with = "crate::field")]
    pub order_hash: Hash,
}

/// Receipt 53 (source Fig. 7), signed by P.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Receipt {
    /// 53.
    #[n(0)]
    pub number: Number<53>,
    /// M's number for the transaction.
    #[cbor(n(1), with = "crate::field")]
    pub transaction: TransactionId,
    /// The holder's number.
    #[n(2)]
    pub payer: PayerId,
    /// Amount received in minor units.
    #[cbor(n(3), with = "crate::field")]
    pub amount: Amount,
    /// Currency of the amount.
    #[cbor(n(4), with = "crate::field")]
    pub currency: Currency,
    /// How it was paid.
    #[n(5)]
    pub mode: PaymentMode,
    /// The shop's number.
    #[cbor(n(6), with = "crate::field")]
    pub shop: ShopId,
    /// The shop's name.
    #[n(7)]
    pub shop_name: PartyName,
    /// Who received the money: P's name.
    #[n(8)]
    pub recipient: PartyName,
    /// When, by P's clock.
    #[cbor(n(9), with = "crate::field")]
    pub time: Time,
    /// Hash of invoice 51.
    #[cbor(n(10), with = "crate::field")]
    pub invoice_hash: Hash,
    /// Hash of the card's debit record.
    #[cbor(n(11), with = "crate::field")]
    pub debit_hash: Hash,
    /// P's number for the payment.
    #[cbor(n(12), with = "crate::field")]
    pub payment: PaymentId,
}

/// Why a debit went to suspense.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum SuspenseReason {
    /// Another payment had paid the invoice.
    #[n(1)]
    InvoicePaid,
    /// It arrived after the invoice's due time.
    #[n(2)]
    PastDue,
    /// The shop had cancelled the invoice.
    #[n(3)]
    InvoiceCancelled,
    /// P does not know the invoice.
    #[n(4)]
    InvoiceUnknown,
}

/// Suspense notice, signed by P: a genuine debit that could not pay its invoice. The value waits
/// in `suspense[card]`; the notice is the authority for its credit back to the card.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct SuspenseNotice {
    /// 54.
    #[n(0)]
    pub number: Number<54>,
    /// P's number for the payment.
    #[cbor(n(1), with = "crate::field")]
    pub payment: PaymentId,
    /// The card that debited.
    #[cbor(n(2), with = "crate::field")]
    pub card: CardId,
    /// The sequence consumed.
    #[cbor(n(3), with = "crate::field")]
    pub debit_seq: Sequence,
    /// Amount in minor units.
    #[cbor(n(4), with = "crate::field")]
    pub amount: Amount,
    /// Currency of the amount.
    #[cbor(n(5), with = "crate::field")]
    pub currency: Currency,
    /// Hash of the invoice that was to be paid.
    #[cbor(n(6), with = "crate::field")]
    pub invoice_hash: Hash,
    /// Hash of the card's debit record.
    #[cbor(n(7), with = "crate::field")]
    pub debit_hash: Hash,
    /// Why.
    #[n(8)]
    pub reason: SuspenseReason,
    /// When, by P's clock.
    #[cbor(n(9), with = "crate::field")]
    pub time: Time,
    /// The issuer.
    #[cbor(n(10), with = "crate::field")]
    pub issuer: IssuerId,
}
