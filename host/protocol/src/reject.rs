//! Why a server refuses: stable numeric codes in order of precedence, each with its retry class.

use std::fmt;

use minicbor::decode::Error as DecodeError;
use minicbor::encode::{Error as EncodeError, Write};
use minicbor::{Decode, Decoder, Encode, Encoder};

/// Whether trying again can help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// The same request will be refused again.
    Never,
    /// The same request may succeed later.
    Later,
    /// A new request after fetching fresh facts (certificate, revocation list, price) may succeed.
    Refreshed,
}

macro_rules! rejects {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $retry:ident, $text:literal;)*) => {
        /// A server's refusal. Codes never change their meaning; retired ones stay unused.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Reject {
            $($(#[$doc])* $name,)*
        }

        impl Reject {
            /// Every refusal in order of precedence.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The number on the wire.
            #[must_use]
            pub const fn code(self) -> u16 {
                match self {
                    $(Self::$name => $code,)*
                }
            }

            /// The refusal with this number.
            #[must_use]
            pub const fn from_code(code: u16) -> Option<Self> {
                match code {
                    $($code => Some(Self::$name),)*
                    _ => None,
                }
            }

            /// Whether trying again can help.
            #[must_use]
            pub const fn retry(self) -> Retry {
                match self {
                    $(Self::$name => Retry::$retry,)*
                }
            }

            /// A sentence for people.
            #[must_use]
            pub const fn text(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }
    };
}

rejects! {
    /// The message or a document in it is not in its only permitted form.
    Malformed = 101, Never, "malformed message";
    /// The server is busy or its storage is not available.
    Unavailable = 102, Later, "the server cannot answer now";

    /// The chain does not lead to the trusted root, or has another role.
    CertificateNotTrusted = 201, Never, "certificate not trusted for this role";
    /// Outside its validity by the server's clock.
    CertificateExpired = 202, Refreshed, "certificate not valid at this time";
    /// Named in a revocation list.
    CertificateRevoked = 203, Never, "certificate revoked";
    /// No fresh revocation list is at hand.
    RevocationUnknown = 204, Later, "no fresh revocation list at hand";
    /// A signature is not valid under the expected key.
    BadSignature = 205, Never, "signature not valid";

    /// Message 130 answers no nonce, or the request is for another shop.
    WrongShop = 301, Never, "meant for another shop";
    /// An article is not in the catalogue.
    UnknownArticle = 302, Refreshed, "article not in the catalogue";
    /// A price or total differs from the catalogue.
    PriceChanged = 303, Refreshed, "price differs from the catalogue";
    /// A payment mode that this shop does not take.
    ModeNotAccepted = 304, Never, "payment mode not accepted";
    /// Same request ID, other content.
    RequestReused = 305, Never, "request ID used before with other content";
    /// No such transaction at this server.
    UnknownTransaction = 306, Never, "transaction not known";
    /// The receipt is not authorised (message 220).
    ReceiptNotAuthorised = 307, Never, "receipt is not authorised";

    /// The shop is not one that this payment server collects for.
    ShopNotAccepted = 401, Never, "shop not accepted by this payment server";
    /// The invoice names another payment server.
    WrongIssuer = 402, Never, "invoice names another payment server";
    /// The payer named in the invoice is not the holder of the certificate.
    WrongPayer = 403, Never, "invoice names another payer";
    /// Record and invoice (or order) differ in amount, currency, shop or hash.
    ContentDiffers = 404, Never, "signed contents do not agree";
    /// The invoice is not to be paid with electronic money.
    NotElectronicMoney = 405, Never, "invoice is not for electronic money";
    /// The invoice is paid already.
    InvoicePaid = 406, Never, "invoice is paid";
    /// The shop has cancelled the invoice.
    InvoiceCancelled = 407, Never, "invoice is cancelled";
    /// The due time has passed by P's clock.
    PastDue = 408, Never, "past the due time";
    /// The card's sequence is booked already: read the card's status and try again.
    SequenceUsed = 409, Refreshed, "card sequence is used";
    /// The invoice has a live permit for another request.
    PermitLive = 410, Later, "another permit for this invoice is live";
    /// The payment server's books do not show that much value on the card.
    InsufficientShadow = 411, Later, "the books show less value on the card";
    /// The card's debits must be delivered first.
    DeliverFirst = 412, Later, "deliver the card's unbooked debits first";
    /// The card is closed.
    CardClosed = 413, Never, "card is closed";
    /// The card is not known to this payment server.
    UnknownCard = 414, Never, "card not known";

    /// No permit with this payment ID was ever issued.
    UnknownPayment = 501, Never, "payment not known";
    /// Nothing has been booked for this payment yet.
    NotBooked = 502, Later, "payment not booked yet";
    /// The authority of a credit is not valid or not for this card.
    AuthorityNotValid = 503, Never, "authority for the credit not valid";
    /// The authority has expired.
    AuthorityExpired = 504, Never, "authority for the credit has expired";
    /// The credit was taken already in another slot.
    CreditTaken = 505, Never, "credit is taken";
    /// No credit token for this slot was ever issued.
    UnknownCredit = 506, Never, "credit not known";
    /// The fund does not hold that much.
    FundTooLow = 507, Later, "the issuer's fund is too low";
    /// The nonce of a status query is not one that this server gave, or is used.
    UnknownNonce = 508, Refreshed, "nonce not known or used";

    /// The nonce of an enrolment is not one that this CA gave, or is used or too old.
    EnrolmentNonceNotValid = 601, Refreshed, "nonce of the enrolment not known, used or too old";
    /// No such enrolment code, or it is used or expired; which of these is not told.
    EnrolmentCodeNotValid = 602, Never, "enrolment code not valid";
    /// The CA has certified no payment server of the issuer that the card obeys.
    UnknownIssuer = 603, Never, "issuer of the card not known to this CA";
    /// The card is enrolled for another key or holder, or its key for another card.
    AlreadyEnrolled = 604, Never, "card or key is enrolled already for another";
}

impl fmt::Display for Reject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (code {})", self.text(), self.code())
    }
}

impl std::error::Error for Reject {}

impl<C> Encode<C> for Reject {
    fn encode<W: Write>(
        &self,
        encoder: &mut Encoder<W>,
        _context: &mut C,
    ) -> Result<(), EncodeError<W::Error>> {
        encoder.u16(self.code())?.ok()
    }
}

impl<'b, C> Decode<'b, C> for Reject {
    fn decode(decoder: &mut Decoder<'b>, _context: &mut C) -> Result<Self, DecodeError> {
        let code = decoder.u16()?;
        Self::from_code(code).ok_or_else(|| DecodeError::message("unknown code"))
    }
}
