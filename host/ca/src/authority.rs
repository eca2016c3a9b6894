//! The CA at work: what its operator and its server ask of it. Reads clock and chance for nobody:
//! the time comes from the caller.

use std::time::Duration;

use apdu_spec::CompactCertificate;
use apdu_spec::record::Enrolment;
use apdu_spec::value::{CardId, Generation, IssuerId, Nonce, PublicKey, ShopId, Time};
use keystore::{KeyPair, Passphrase};
use protocol::Reject;
use protocol::certificate::{PartyName, PayerId, Role};
use protocol::enrolment::{EnrolmentReply, EnrolmentRequest};
use protocol::field::Number;
use protocol::signed::SignedRecord;

use crate::books::{Books, Which};
use crate::certify::{self, CaKey};
use crate::code::EnrolmentCode;
use crate::enrolment::{Decision, Facts, decide};
use crate::folder::Folder;
use crate::issued::{IssuedCertificate, Kind};
use crate::lists::{self, ROOT_LIST_LIFE};
use crate::pem::requested_key;
use crate::revocation::{ListSigner, Reason, Revocation};
use crate::serial::Serial;
use crate::subject::{Holder, Owner, Subject, payer_id};
use crate::{CaError, chance};

/// How long an enrolment code may be used.
const CODE_LIFE: Duration = Duration::from_secs(7 * 24 * 3600);

/// How long a nonce is good.
const NONCE_LIFE: Duration = Duration::from_secs(300);

/// Nonces that are kept at most; the oldest go first.
const NONCES_MAX: usize = 10_000;

/// A certificate authority: its certificates and its books.
#[derive(Debug)]
pub struct Ca {
    folder: Folder,
    root: Vec<u8>,
    issuing: Vec<u8>,
    card_root: PublicKey,
    books: Books,
}

/// The issuing CA's private key, unlocked.
#[derive(Debug)]
pub struct IssuingKey(CaKey);

/// A server that asks for a certificate.
#[derive(Clone, Debug)]
pub struct ServerRequest<'a> {
    /// Its certificate request (PKCS#10) in PEM.
    pub pem: &'a str,
    /// The name that people are shown.
    pub name: PartyName,
    /// For how long.
    pub validity: Duration,
}

/// A payment server's two certificates of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaymentCertificates {
    /// X.509, leaf first, without the root.
    pub chain: Vec<Vec<u8>>,
    /// The compact certificate for cards.
    pub compact: Vec<u8>,
}

/// What a holder needs to enrol one card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    /// The person.
    pub holder: Holder,
    /// The one-time code.
    pub code: EnrolmentCode,
    /// Until when it may be used.
    pub expiry: Time,
}

/// Which certificates to revoke.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// One.
    Serial(Serial),
    /// All of a card.
    Card(CardId),
    /// All of a shop.
    Shop(ShopId),
    /// All of an issuer's payment server.
    Issuer(IssuerId),
}

impl Ca {
    /// Opens the CA in a folder. No private key is read.
    ///
    /// # Errors
    /// [`CaError`] when a file is missing or not what it should be.
    pub fn open(folder: Folder) -> Result<Self, CaError> {
        // First the certificate: opening books that are not there would make some.
        let root = Folder::read_certificate(&folder.root())?;
        Ok(Self {
            root,
            issuing: Folder::read_certificate(&folder.issuing())?,
            card_root: folder.read_card_root()?,
            books: Books::open(&folder.books())?,
            folder,
        })
    }

    /// The root certificate in DER.
    #[must_use]
    pub fn root(&self) -> &[u8] {
        &self.root
    }

    /// The issuing CA's certificate in DER.
    #[must_use]
    pub fn issuing(&self) -> &[u8] {
        &self.issuing
    }

    /// The key that cards check compact certificates with.
    #[must_use]
    pub const fn card_root(&self) -> PublicKey {
        self.card_root
    }

    /// Unlocks the issuing CA's private key.
    ///
    /// # Errors
    /// [`CaError`] when that is not possible, or the key is not the certificate's.
    pub fn unlock(&self, passphrase: &Passphrase) -> Result<IssuingKey, CaError> {
        let path = self.folder.issuing_key();
        let key = CaKey::new(&self.issuing, KeyPair::load(&path, passphrase)?)?;
        let key = key.ok_or_else(|| CaError::content(&path, "not the key of issuing.pem"))?;
        Ok(IssuingKey(key))
    }

    /// Unlocks the card root key.
    ///
    /// # Errors
    /// As [`unlock`](Self::unlock).
    pub fn unlock_card_root(&self, passphrase: &Passphrase) -> Result<KeyPair, CaError> {
        let path = self.folder.card_root_key();
        let pair = KeyPair::load(&path, passphrase)?;
        if pair.public_key() == self.card_root {
            Ok(pair)
        } else {
            Err(CaError::content(&path, "not the key of card-root.hex"))
        }
    }

    /// Certifies a shop and gives its chain.
    ///
    /// # Errors
    /// [`CaError::Request`], [`CaError::KeyInUse`], or whatever else went wrong.
    pub fn issue_shop(
        &self,
        key: &IssuingKey,
        request: &ServerRequest<'_>,
        shop: ShopId,
        now: Time,
    ) -> Result<Vec<Vec<u8>>, CaError> {
        let subject = request.subject(Owner::Shop(shop))?;
        let issued =
            self.books.transaction(|books| issue(books, key, &subject, request.validity, now))?;
        Ok(self.chain(issued.der))
    }

    /// Certifies a payment server, both ways. The same key, name and generation again give the
    /// same certificates again.
    ///
    /// # Errors
    /// [`CaError::Request`], [`CaError::KeyInUse`], [`CaError::Generation`], or whatever else went
    /// wrong.
    pub fn issue_payment(
        &self,
        (key, card_root): (&IssuingKey, &KeyPair),
        request: &ServerRequest<'_>,
        (issuer, generation): (IssuerId, Generation),
        now: Time,
    ) -> Result<PaymentCertificates, CaError> {
        let subject = request.subject(Owner::PaymentServer(issuer))?;
        let (leaf, compact) = self.books.transaction(|books| {
            if let Some((serial, compact)) = books.compact(issuer, generation)? {
                let issued = books.certificates(Which::Serial(serial))?;
                let same = |issued: &IssuedCertificate| {
                    issued.key == subject.key && issued.name == subject.name
                };
                if let Some(issued) = issued.into_iter().find(same) {
                    return Ok((issued.der, compact));
                }
            }
            let highest = books.highest_generation(issuer)?.unwrap_or_default();
            if generation <= highest {
                let next = u64::from(highest.0).saturating_add(1);
                return Err(CaError::Generation { generation, next });
            }
            let content = CompactCertificate { issuer, generation, key: subject.key };
            let compact = certify::compact(&content, card_root)?;
            let issued = issue(books, key, &subject, request.validity, now)?;
            books.add_compact(issuer, generation, issued.serial, &compact)?;
            Ok((issued.der, compact))
        })?;
        let chain = self.chain(leaf);
        Ok(PaymentCertificates { chain, compact })
    }

    /// Registers a person, or takes a known one, and makes a one-time code for one card.
    ///
    /// # Errors
    /// [`CaError::OtherName`], [`CaError::UnknownHolder`], or whatever else went wrong.
    pub fn register(
        &self,
        name: Option<PartyName>,
        payer: Option<PayerId>,
        now: Time,
    ) -> Result<Registration, CaError> {
        let code = EnrolmentCode::random()?;
        let expiry = Time(now.0.saturating_add(CODE_LIFE.as_secs()));
        let holder = self.books.transaction(|books| {
            let payer = payer.map_or_else(|| free_payer(books), Ok)?;
            let known = books.holder(&payer)?;
            let holder = known_or_new(known.as_ref(), name, payer)?;
            if known.is_none() {
                books.add_holder(&holder, now)?;
            }
            books.add_code(&code.hash(), &holder.payer, expiry)?;
            Ok::<_, CaError>(holder)
        })?;
        Ok(Registration { holder, code, expiry })
    }

    /// Revokes certificates that are still good, and says which. They stand in the next list that
    /// is fetched; the issuing CA's own in the next one that the root signs.
    ///
    /// # Errors
    /// [`CaError::NothingToRevoke`], or whatever else went wrong.
    pub fn revoke(
        &self,
        target: Target,
        reason: Reason,
        now: Time,
    ) -> Result<Vec<IssuedCertificate>, CaError> {
        let which = match target {
            Target::Serial(serial) => Which::Serial(serial),
            Target::Card(card) => Which::Number(Role::Holder, card.0),
            Target::Shop(shop) => Which::Number(Role::Shop, shop.0),
            Target::Issuer(issuer) => Which::Number(Role::PaymentServer, issuer.0),
        };
        let revocation = Revocation { time: now, reason };
        self.books.transaction(|books| {
            let mut found = books.certificates(which)?;
            found.retain(|issued| issued.revocation.is_none() && now <= issued.not_after);
            for issued in &mut found {
                books.revoke(issued.serial, revocation)?;
                issued.revocation = Some(revocation);
            }
            if found.is_empty() {
                return Err(CaError::NothingToRevoke);
            }
            Ok(found)
        })
    }

    /// Every certificate that was ever issued, in order.
    ///
    /// # Errors
    /// [`CaError::Books`].
    pub fn certificates(&self) -> Result<Vec<IssuedCertificate>, CaError> {
        Ok(self.books.certificates(Which::All)?)
    }

    /// The issuing CA's revocation list in DER; signed anew where it is older than a quarter of
    /// `life`, or a certificate has been revoked since.
    ///
    /// # Errors
    /// [`CaError`].
    pub fn issuing_list(
        &self,
        key: &IssuingKey,
        now: Time,
        life: Duration,
    ) -> Result<Vec<u8>, CaError> {
        lists::current(&self.books, &key.0, now, life)
    }

    /// The root's revocation list in DER, as it was signed last.
    ///
    /// # Errors
    /// [`CaError`].
    pub fn root_list(&self) -> Result<Vec<u8>, CaError> {
        let list = self.books.list(ListSigner::Root)?;
        let missing = || CaError::content(&self.folder.books(), "the root's list is missing");
        Ok(list.ok_or_else(missing)?.der)
    }

    /// Until when the root's revocation list is good.
    ///
    /// # Errors
    /// [`CaError`].
    pub fn root_list_end(&self) -> Result<Time, CaError> {
        let signed = self.books.list(ListSigner::Root)?.map_or(Time(0), |list| list.time);
        Ok(Time(signed.0.saturating_add(ROOT_LIST_LIFE.as_secs())))
    }

    /// Signs the root's next revocation list, good for a year, with the root's private key.
    ///
    /// # Errors
    /// [`CaError`], also when the key is not the root's.
    pub fn sign_root_list(&self, root_key: KeyPair, now: Time) -> Result<Vec<u8>, CaError> {
        let key = CaKey::new(&self.root, root_key)?;
        let key = key.ok_or_else(|| CaError::certificate("not the private key of root.pem"))?;
        self.books
            .transaction(|books| lists::sign(books, ListSigner::Root, &key, now, ROOT_LIST_LIFE))
    }

    /// Gives a nonce for an enrolment record.
    ///
    /// # Errors
    /// [`CaError`].
    pub fn nonce(&self, now: Time) -> Result<Nonce, CaError> {
        let nonce = chance::nonce()?;
        let expiry = Time(now.0.saturating_add(NONCE_LIFE.as_secs()));
        self.books.transaction(|books| books.add_nonce(&nonce, expiry, now, NONCES_MAX))?;
        Ok(nonce)
    }

    /// Answers message 72. The inner result is the CA's word, the outer one its condition.
    ///
    /// # Errors
    /// [`CaError`] when the CA could not decide or remember.
    pub fn enrol(
        &self,
        key: &IssuingKey,
        request: &EnrolmentRequest,
        validity: Duration,
        now: Time,
    ) -> Result<Result<EnrolmentReply, Reject>, CaError> {
        let Ok(record) = SignedRecord::<Enrolment>::parse(&request.record) else {
            return Ok(Err(Reject::Malformed));
        };
        let claimed = record.claims().public_key;
        let Ok(record) = record.open(&claimed) else {
            return Ok(Err(Reject::BadSignature));
        };
        // A text that cannot be a code is answered like a wrong one.
        let code = request.code.as_str().parse::<EnrolmentCode>().ok();
        let code = code.map(|code| code.hash());
        let outcome = self.books.transaction(|books| {
            let facts = Facts {
                nonce: books.take_nonce(&record.nonce)?,
                code: code.map(|code| books.code(&code)).transpose()?.flatten(),
                issuer_known: books.highest_generation(record.issuer)?.is_some(),
                related: related(books, &record)?,
            };
            let holder = match decide(&record, record.hash(), &facts, now) {
                // The nonce is used up all the same.
                Err(reject) => return Ok(Err(reject)),
                Ok(Decision::Repeat(leaf)) => return Ok(Ok(leaf)),
                Ok(Decision::Issue(holder)) => holder,
            };
            let subject = Subject {
                owner: Owner::Holder { payer: holder.payer, card: record.card },
                name: holder.name,
                key: record.public_key,
            };
            let issued = issue(books, key, &subject, validity, now)?;
            if let Some(code) = code {
                books.use_code(&code, &record.hash(), issued.serial)?;
            }
            Ok::<_, CaError>(Ok(issued.der))
        })?;
        Ok(outcome.map(|leaf| EnrolmentReply {
            number: Number,
            chain: self.chain(leaf).into_iter().map(Into::into).collect(),
        }))
    }

    fn chain(&self, leaf: Vec<u8>) -> Vec<Vec<u8>> {
        vec![leaf, self.issuing.clone()]
    }
}

impl ServerRequest<'_> {
    fn subject(&self, owner: Owner) -> Result<Subject, CaError> {
        Ok(Subject { owner, name: self.name.clone(), key: requested_key(self.pem)? })
    }
}

/// Signs and books a certificate.
fn issue(
    books: &Books,
    key: &IssuingKey,
    subject: &Subject,
    length: Duration,
    now: Time,
) -> Result<IssuedCertificate, CaError> {
    let others = books.certificates(Which::Key(&subject.key))?;
    let is_other = |other: &&IssuedCertificate| other.owner() != Some(&subject.owner);
    if let Some(other) = others.iter().find(is_other) {
        return Err(CaError::KeyInUse { serial: other.serial.to_string() });
    }
    let IssuingKey(key) = key;
    let (serial, validity) = (chance::serial()?, key.validity(now, length));
    let der = key.leaf(subject, serial, validity)?;
    let kind = Kind::Party(subject.owner.clone());
    let name = subject.name.clone();
    let issued = IssuedCertificate::new(serial, kind, name, subject.key, validity, now, der);
    books.add_certificate(&issued)?;
    Ok(issued)
}

fn related(books: &Books, record: &Enrolment) -> Result<Vec<IssuedCertificate>, CaError> {
    let mut related = books.certificates(Which::Number(Role::Holder, record.card.0))?;
    related.extend(books.certificates(Which::Key(&record.public_key))?);
    Ok(related)
}

fn known_or_new(
    known: Option<&Holder>,
    name: Option<PartyName>,
    payer: PayerId,
) -> Result<Holder, CaError> {
    match (known, name) {
        (None, None) => Err(CaError::UnknownHolder),
        (None, Some(name)) => Ok(Holder { payer, name }),
        (Some(known), Some(name)) if known.name != name => {
            Err(CaError::OtherName { payer: payer.to_string(), name: known.name.to_string() })
        }
        (Some(known), _) => Ok(known.clone()),
    }
}

fn free_payer(books: &Books) -> Result<PayerId, CaError> {
    loop {
        let payer = payer_id(&chance::payer_digits()?)?;
        if books.holder(&payer)?.is_none() {
            return Ok(payer);
        }
    }
}
