//! The card as the wallet's decisions see it: typed, synchronous, replaceable in tests.
//!
//! Records come as the bytes that the card signed; the decisions verify them again, so that a card
//! behind a faulty client is no better than any other party.

use apdu_spec::answer::{LimitsAnswer, StatusAnswer};
use apdu_spec::command::{CreditFields, DebitFields, OrderFields};
use apdu_spec::value::{CardId, Currency, Generation, IssuerId, Nonce, Pin, PublicKey};
use card::{Card, CardError, CardIdentity, JournalRecord, Presence, Transport};

/// Who the card is and how it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CardFacts {
    /// The card's number.
    pub card: CardId,
    /// The issuer that it obeys.
    pub issuer: IssuerId,
    /// Its key, which has signed the status.
    pub key: PublicKey,
    /// Its only currency.
    pub currency: Currency,
    /// Generation of the payment server's key on it, 0: none yet.
    pub generation: Generation,
    /// Balance, sequences, tries.
    pub status: StatusAnswer,
}

/// A record that waits on the card for P's acknowledgement, as a COSE_Sign1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JournalEntry {
    /// A debit record.
    Debit(Vec<u8>),
    /// A credit record.
    Credit(Vec<u8>),
    /// A burned slot.
    Burned(Vec<u8>),
}

/// What the wallet asks of a card. Each call is one transaction of its own.
pub trait CardPort: Send {
    /// What is in the reader?
    ///
    /// # Errors
    /// Any [`CardError`]; so do all of the following.
    fn presence(&mut self) -> Result<Presence, CardError>;

    /// Learns who the card is and how it stands.
    ///
    /// # Errors
    /// [`CardError`].
    fn present(&mut self) -> Result<CardFacts, CardError>;

    /// The certificate file: holder's certificate and its chain in DER, one after the other.
    ///
    /// # Errors
    /// [`CardError`].
    fn certificate(&mut self) -> Result<Vec<u8>, CardError>;

    /// The limits.
    ///
    /// # Errors
    /// [`CardError`].
    fn limits(&mut self) -> Result<LimitsAnswer, CardError>;

    /// SIGN ORDER (130).
    ///
    /// # Errors
    /// [`CardError`].
    fn sign_order(&mut self, fields: &OrderFields, pin: Option<&Pin>)
    -> Result<Vec<u8>, CardError>;

    /// SIGN REQUEST (D1).
    ///
    /// # Errors
    /// [`CardError`].
    fn sign_request(&mut self, fields: &DebitFields) -> Result<Vec<u8>, CardError>;

    /// VERIFY and DEBIT, back to back (D3). The same permit again gives the same record.
    ///
    /// # Errors
    /// [`CardError`].
    fn debit(&mut self, permit: &[u8], pin: Option<&Pin>) -> Result<Vec<u8>, CardError>;

    /// SIGN CREDIT REQUEST (C1).
    ///
    /// # Errors
    /// [`CardError`].
    fn sign_credit_request(&mut self, fields: &CreditFields) -> Result<Vec<u8>, CardError>;

    /// CREDIT (C3). The same token again gives the same record.
    ///
    /// # Errors
    /// [`CardError`].
    fn credit(&mut self, token: &[u8]) -> Result<Vec<u8>, CardError>;

    /// The status record over a nonce of P.
    ///
    /// # Errors
    /// [`CardError`].
    fn signed_status(&mut self, nonce: Nonce) -> Result<Vec<u8>, CardError>;

    /// Everything that waits for P's acknowledgement, the oldest debit first.
    ///
    /// # Errors
    /// [`CardError`].
    fn journal(&mut self) -> Result<Vec<JournalEntry>, CardError>;

    /// Gives the card P's compact certificate.
    ///
    /// # Errors
    /// [`CardError`].
    fn put_payment_certificate(&mut self, sign1: &[u8]) -> Result<(), CardError>;

    /// PIN tries left; costs none.
    ///
    /// # Errors
    /// [`CardError`].
    fn tries(&mut self) -> Result<u8, CardError>;

    /// A new PIN against the old one.
    ///
    /// # Errors
    /// [`CardError`].
    fn change_pin(&mut self, old: &Pin, new: &Pin) -> Result<(), CardError>;

    /// A new PIN against the PUK.
    ///
    /// # Errors
    /// [`CardError`].
    fn unblock_pin(&mut self, puk: &Pin, new: &Pin) -> Result<(), CardError>;

    /// The way to the card in a few words for people.
    fn describe(&self) -> String;

    /// Who was presented last, so that the way to the card may be closed and opened again.
    fn identity(&self) -> Option<CardIdentity>;

    /// Takes up an identity from before the way to the card was closed. If another card is there
    /// now, its first signature shows that.
    fn recall(&mut self, identity: CardIdentity);
}

impl<T: Transport + Send> CardPort for Card<T> {
    fn presence(&mut self) -> Result<Presence, CardError> {
        Self::presence(self)
    }

    fn present(&mut self) -> Result<CardFacts, CardError> {
        let presented = Self::present(self)?;
        let status = presented.status.answer;
        Ok(CardFacts {
            card: presented.identity.card(),
            issuer: presented.identity.issuer(),
            key: presented.identity.key(),
            currency: status.currency,
            generation: status.generation,
            status,
        })
    }

    fn certificate(&mut self) -> Result<Vec<u8>, CardError> {
        Self::certificate(self)
    }

    fn limits(&mut self) -> Result<LimitsAnswer, CardError> {
        Self::limits(self)
    }

    fn sign_order(
        &mut self,
        fields: &OrderFields,
        pin: Option<&Pin>,
    ) -> Result<Vec<u8>, CardError> {
        Self::sign_order(self, fields, pin).map(|signed| signed.as_bytes().to_vec())
    }

    fn sign_request(&mut self, fields: &DebitFields) -> Result<Vec<u8>, CardError> {
        Self::sign_request(self, fields).map(|signed| signed.as_bytes().to_vec())
    }

    fn debit(&mut self, permit: &[u8], pin: Option<&Pin>) -> Result<Vec<u8>, CardError> {
        Self::debit(self, permit, pin).map(|signed| signed.as_bytes().to_vec())
    }

    fn sign_credit_request(&mut self, fields: &CreditFields) -> Result<Vec<u8>, CardError> {
        Self::sign_credit_request(self, fields).map(|signed| signed.as_bytes().to_vec())
    }

    fn credit(&mut self, token: &[u8]) -> Result<Vec<u8>, CardError> {
        Self::credit(self, token).map(|signed| signed.as_bytes().to_vec())
    }

    fn signed_status(&mut self, nonce: Nonce) -> Result<Vec<u8>, CardError> {
        Self::status(self, nonce).map(|report| report.signed.as_bytes().to_vec())
    }

    fn journal(&mut self) -> Result<Vec<JournalEntry>, CardError> {
        let records = Self::journal(self)?;
        let entry = |record: JournalRecord| {
            let bytes = record.as_bytes().to_vec();
            match record {
                JournalRecord::Debit(_) => JournalEntry::Debit(bytes),
                JournalRecord::Credit(_) => JournalEntry::Credit(bytes),
                JournalRecord::Burned(_) => JournalEntry::Burned(bytes),
            }
        };
        Ok(records.into_iter().map(entry).collect())
    }

    fn put_payment_certificate(&mut self, sign1: &[u8]) -> Result<(), CardError> {
        self.install_payment_certificate(sign1)
    }

    fn tries(&mut self) -> Result<u8, CardError> {
        Self::tries(self)
    }

    fn change_pin(&mut self, old: &Pin, new: &Pin) -> Result<(), CardError> {
        Self::change_pin(self, old, new)
    }

    fn unblock_pin(&mut self, puk: &Pin, new: &Pin) -> Result<(), CardError> {
        Self::unblock_pin(self, puk, new)
    }

    fn describe(&self) -> String {
        Self::describe(self)
    }

    fn identity(&self) -> Option<CardIdentity> {
        Self::identity(self).copied()
    }

    fn recall(&mut self, identity: CardIdentity) {
        Self::recall(self, identity);
    }
}
