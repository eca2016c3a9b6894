//! 1190 → 1200: a card reports what became of a credit slot: it took the value, or was burned.
//!
//! Booked whatever has become of the card's certificate (Invariants N, L). A taken credit moves
//! `in flight → shadow`; a burned slot moves nothing and lets the credit go to a later slot.

use apdu_spec::record::{BurnedSlot, CreditRecord};
use apdu_spec::value::{CardId, Hash, IssuerId, PublicKey, Purpose, Sequence, Time};
use protocol::Reject;
use protocol::field::Number;
use protocol::load::{CreditAcknowledged, CreditReply, CreditReport};
use protocol::signed::{Signed, SignedRecord, Verified, VerifiedRecord};

use crate::ledger::{Account, CreditKey, Transfer};
use crate::service::{Fault, Own, Service, bad_signature, malformed};
use crate::store::{Books, Credit, CreditState, Kind, Slot, StoreError};

impl Service {
    /// Answers 1190 with 1200.
    ///
    /// # Errors
    /// [`Fault`] when there is no signed answer: the message is malformed, or the books cannot be
    /// used.
    pub fn credit(
        &self,
        message: &CreditReport,
        bytes: &[u8],
        now: Time,
    ) -> Result<CreditReply, Fault> {
        let outcome = self.book_slot(message, now);
        Ok(CreditReply { number: Number, answer: self.answer(1200, bytes, now, outcome)? })
    }

    fn book_slot(&self, message: &CreditReport, now: Time) -> Result<Vec<u8>, Fault> {
        let received = receive(message)?;
        let card = received.card();
        let known = self.store.read(|books| books.card(&card))?;
        let report = received.open(&known.ok_or(Reject::UnknownCard)?.key)?;
        let slot = report.slot();
        let key = report.credit_key(&self.own);
        let answer = self.store.apply(|books| {
            let credit = key.map(|key| books.credit(&key)).transpose()?.flatten();
            match decide(&report, books.slot(&card, slot)?, credit)? {
                Decision::Again(answer) => Ok::<_, Fault>(Some(answer)),
                Decision::Contradiction => {
                    report.keep(books, now)?;
                    books.keep_contradiction(&card, "slot", slot, &report.hash())?;
                    Ok(None)
                }
                Decision::Book => {
                    let answer = CreditAcknowledged {
                        number: Number,
                        record_hash: report.hash(),
                        time: now,
                    };
                    let answer = Signed::seal(answer, self.signer.as_ref())?;
                    book(books, &report, key, &answer, now)?;
                    Ok(Some(answer.bytes().to_vec()))
                }
            }
        })?;
        answer.ok_or_else(|| {
            tracing::error!(%card, %slot, "CLONED CARD: two signed records of one slot");
            Reject::SequenceUsed.into()
        })
    }
}

fn book(
    books: &Books<'_>,
    report: &Report,
    key: Option<CreditKey>,
    answer: &Verified<CreditAcknowledged>,
    now: Time,
) -> Result<(), StoreError> {
    report.keep(books, now)?;
    books.keep(Kind::CreditAcknowledgement, answer, now)?;
    if let (Report::Taken(record), Some(key)) = (report, key) {
        books.apply_credit(&key, now)?;
        books.transfer(&Transfer {
            from: Account::InFlight(key),
            to: Account::Shadow(record.card),
            amount: record.amount,
            document: record.hash(),
            time: now,
        })?;
    }
    let card = report.card();
    let documents = (&report.hash(), &answer.hash());
    books.keep_slot(&card, report.slot(), key.is_none(), documents, now)?;
    books.raise_acks(&card)
}

/// What a card says of a slot, its signature not checked yet. The type stands in the record.
#[derive(Debug)]
enum Received {
    Taken(SignedRecord<CreditRecord>),
    Burned(SignedRecord<BurnedSlot>),
}

fn receive(message: &CreditReport) -> Result<Received, Reject> {
    SignedRecord::parse(&message.record)
        .map(Received::Taken)
        .or_else(|_| SignedRecord::parse(&message.record).map(Received::Burned))
        .map_err(malformed)
}

impl Received {
    fn card(&self) -> CardId {
        match self {
            Self::Taken(record) => record.claims().card,
            Self::Burned(record) => record.claims().card,
        }
    }

    fn open(self, key: &PublicKey) -> Result<Report, Reject> {
        match self {
            Self::Taken(record) => record.open(key).map(Report::Taken),
            Self::Burned(record) => record.open(key).map(Report::Burned),
        }
        .map_err(bad_signature)
    }
}

/// What a card says of a slot.
#[derive(Debug)]
enum Report {
    Taken(VerifiedRecord<CreditRecord>),
    Burned(VerifiedRecord<BurnedSlot>),
}

impl Report {
    fn card(&self) -> CardId {
        match self {
            Self::Taken(record) => record.card,
            Self::Burned(record) => record.card,
        }
    }

    fn slot(&self) -> Sequence {
        match self {
            Self::Taken(record) => record.slot,
            Self::Burned(record) => record.slot,
        }
    }

    fn hash(&self) -> Hash {
        match self {
            Self::Taken(record) => record.hash(),
            Self::Burned(record) => record.hash(),
        }
    }

    fn keep(&self, books: &Books<'_>, now: Time) -> Result<(), StoreError> {
        match self {
            Self::Taken(record) => books.keep_record(Kind::CreditRecord, record, now),
            Self::Burned(record) => books.keep_record(Kind::BurnedSlot, record, now),
        }
    }

    /// Which credit was taken; none by a burned slot.
    fn credit_key(&self, own: &Own) -> Option<CreditKey> {
        let Self::Taken(record) = self else {
            return None;
        };
        Some(CreditKey {
            purpose: record.purpose,
            authority_issuer: match record.purpose {
                Purpose::Load | Purpose::Suspense => own.issuer,
                Purpose::Refund => IssuerId(record.shop.0),
            },
            credit: record.credit,
        })
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Decision {
    /// The same record came before.
    Again(Vec<u8>),
    /// Another record of this slot came before, and this card has signed both.
    Contradiction,
    Book,
}

fn decide(report: &Report, slot: Option<Slot>, credit: Option<Credit>) -> Result<Decision, Reject> {
    match slot {
        Some(slot) if slot.record == report.hash() => return Ok(Decision::Again(slot.answer)),
        Some(_) => return Ok(Decision::Contradiction),
        None => {}
    }
    let Report::Taken(record) = report else {
        return Ok(Decision::Book);
    };
    // A credit is in exactly one slot at a time (Invariant R), so no other was ever to be taken.
    let credit = credit
        .filter(|credit| credit.state == CreditState::Issued && credit.token.slot == record.slot)
        .ok_or(Reject::UnknownCredit)?;
    if credit.token.credit_record() == **record {
        Ok(Decision::Book)
    } else {
        Err(Reject::ContentDiffers)
    }
}
