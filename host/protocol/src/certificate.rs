//! X.509 identities (RFC 5280): one trusted root, one role per leaf, revocation lists, and what the
//! protocol needs to know about a party.
//!
//! | role | extended key usage | subject alternative name | subject serialNumber |
//! |---|---|---|---|
//! | holder | `2.25.1263491653.1` | `urn:kozeni:card:` + 16 hex digits | payer ID |
//! | shop | `2.25.1263491653.2` | `urn:kozeni:shop:` + 16 hex digits | – |
//! | payment server | `2.25.1263491653.3` | `urn:kozeni:issuer:` + 16 hex digits | – |
//!
//! The common name is what people are shown. The issuing CA carries all three usages.

use apdu_spec::value::{CardId, IssuerId, KeyId, PublicKey, ShopId, Time};
use rustls_pki_types::{CertificateDer, UnixTime};
use webpki::{EndEntityCert, Error as ChainError, KeyUsage};
use x509_cert::Certificate;
use x509_cert::crl::CertificateList;
use x509_cert::der::asn1::ObjectIdentifier;
use x509_cert::der::{Decode, Encode, Reader as _, SliceReader};
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::time::Time as X509Time;

use crate::field::Text;
use crate::signed::{self, key_id};

/// What a certificate's owner may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// A person with a card.
    Holder,
    /// A shop (ordering management server).
    Shop,
    /// An issuer's payment server.
    PaymentServer,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 3] = [Self::Holder, Self::Shop, Self::PaymentServer];

    /// The extended key usage as arcs of an object identifier.
    #[must_use]
    pub const fn usage(self) -> [u64; 4] {
        match self {
            Self::Holder => [2, 25, 1_263_491_653, 1],
            Self::Shop => [2, 25, 1_263_491_653, 2],
            Self::PaymentServer => [2, 25, 1_263_491_653, 3],
        }
    }

    /// The extended key usage in DER, without tag and length.
    const fn usage_der(self) -> &'static [u8] {
        match self {
            Self::Holder => &[0x69, 0x84, 0xda, 0xbd, 0xb4, 0x45, 1],
            Self::Shop => &[0x69, 0x84, 0xda, 0xbd, 0xb4, 0x45, 2],
            Self::PaymentServer => &[0x69, 0x84, 0xda, 0xbd, 0xb4, 0x45, 3],
        }
    }

    /// What stands before the number in the subject alternative name.
    #[must_use]
    pub const fn urn_prefix(self) -> &'static str {
        match self {
            Self::Holder => "urn:kozeni:card:",
            Self::Shop => "urn:kozeni:shop:",
            Self::PaymentServer => "urn:kozeni:issuer:",
        }
    }
}

/// A holder's number, the subject's serialNumber: 1 to 32 characters.
pub type PayerId = Text<32>;

/// The name of a party for people: 1 to 64 bytes (X.520 upper bound of a common name).
pub type PartyName = Text<64>;

/// Who a verified certificate belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Party {
    /// What the owner may do.
    pub role: Role,
    /// The owner's name for people.
    pub name: PartyName,
    /// Card ID, shop ID or issuer ID by role.
    pub number: [u8; 8],
    /// The holder's number; `None` for servers.
    pub payer: Option<PayerId>,
    /// The certified key.
    pub key: PublicKey,
    /// Its key ID.
    pub kid: KeyId,
    /// Serial number of the certificate, big-endian.
    pub serial: Vec<u8>,
    /// Beginning of validity.
    pub not_before: Time,
    /// End of validity.
    pub not_after: Time,
}

impl Party {
    /// The number as a card ID (role holder).
    #[must_use]
    pub const fn card(&self) -> CardId {
        CardId(self.number)
    }

    /// The number as a shop ID (role shop).
    #[must_use]
    pub const fn shop(&self) -> ShopId {
        ShopId(self.number)
    }

    /// The number as an issuer ID (role payment server).
    #[must_use]
    pub const fn issuer(&self) -> IssuerId {
        IssuerId(self.number)
    }
}

/// Why a chain is not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// It does not lead to the trusted root, has another role or another content.
    #[error("certificate not trusted: {0}")]
    NotTrusted(String),
    /// Outside its validity at the time in question.
    #[error("certificate not valid at this time")]
    Expired,
    /// Named in a revocation list that is in force at the time in question.
    #[error("certificate revoked")]
    Revoked,
    /// No revocation list of one of its issuers covers the time in question.
    #[error("no revocation list of {issuer} covers this time")]
    RevocationUnknown {
        /// Whose list is missing.
        issuer: String,
    },
}

impl From<&CertificateError> for crate::Reject {
    fn from(error: &CertificateError) -> Self {
        match error {
            CertificateError::NotTrusted(_) => Self::CertificateNotTrusted,
            CertificateError::Expired => Self::CertificateExpired,
            CertificateError::Revoked => Self::CertificateRevoked,
            CertificateError::RevocationUnknown { .. } => Self::RevocationUnknown,
        }
    }
}

/// One trusted root and the revocation lists at hand.
#[derive(Clone, Debug)]
pub struct Authority {
    root: Vec<u8>,
    lists: Vec<RevocationList>,
}

/// A revocation list as received and as read.
#[derive(Clone, Debug)]
struct RevocationList {
    der: Vec<u8>,
    list: CertificateList,
}

impl RevocationList {
    fn parse(der: &[u8]) -> Result<Self, CertificateError> {
        let list = CertificateList::from_der(der).map_err(not_trusted)?;
        Ok(Self { der: der.to_vec(), list })
    }
}

impl Authority {
    /// Trusts a root certificate in DER.
    ///
    /// # Errors
    /// [`CertificateError::NotTrusted`] when it is not a certificate.
    pub fn new(root: &[u8]) -> Result<Self, CertificateError> {
        webpki::anchor_from_trusted_cert(&CertificateDer::from(root)).map_err(not_trusted)?;
        Certificate::from_der(root).map_err(not_trusted)?;
        Ok(Self { root: root.to_vec(), lists: Vec::new() })
    }

    /// The root certificate in DER.
    #[must_use]
    pub fn root(&self) -> &[u8] {
        &self.root
    }

    /// Adds a revocation list in DER. Its signature is checked when it is used; a list that none
    /// of a chain's issuers signed changes nothing.
    ///
    /// # Errors
    /// [`CertificateError::NotTrusted`] when it is not a revocation list.
    pub fn add_list(&mut self, list: &[u8]) -> Result<(), CertificateError> {
        self.lists.push(RevocationList::parse(list)?);
        Ok(())
    }

    /// Takes over a newer revocation list of an issuer. An older one than is at hand changes
    /// nothing, so that nobody can roll a revocation back by serving an old list.
    ///
    /// # Errors
    /// As [`Authority::add_list`].
    pub fn renew_list(&mut self, list: &[u8]) -> Result<(), CertificateError> {
        let new = RevocationList::parse(list)?;
        let content = |list: &RevocationList| {
            let content = &list.list.tbs_cert_list;
            (content.issuer.clone(), time_of(content.this_update))
        };
        let (issuer, begin) = content(&new);
        let same_issuer = |old: &RevocationList| content(old).0 == issuer;
        if self.lists.iter().any(|old| same_issuer(old) && content(old).1 > begin) {
            return Ok(());
        }
        self.lists.retain(|old| !same_issuer(old));
        self.lists.push(new);
        Ok(())
    }

    /// The revocation lists in DER, for evidence that shall be checkable later.
    pub fn lists(&self) -> impl Iterator<Item = &[u8]> {
        self.lists.iter().map(|list| list.der.as_slice())
    }

    /// Checks a chain for a role at a time, with revocation, and says whose it is.
    ///
    /// `chain` is the leaf first, without the root.
    ///
    /// # Errors
    /// [`CertificateError`] otherwise.
    pub fn verify(
        &self,
        chain: &[Vec<u8>],
        role: Role,
        at: Time,
    ) -> Result<Party, CertificateError> {
        self.verify_later(chain, role, at, at)
    }

    /// Checks whether a chain was good at a time, by the revocation lists of a later time: for
    /// evidence, whose lists are those of its receipt.
    ///
    /// # Errors
    /// [`CertificateError`] otherwise.
    pub fn verify_later(
        &self,
        chain: &[Vec<u8>],
        role: Role,
        at: Time,
        lists_at: Time,
    ) -> Result<Party, CertificateError> {
        let party = self.identify(chain, role, at)?;
        let issuers = chain.iter().skip(1).chain([&self.root]);
        for (certificate, issuer) in chain.iter().zip(issuers) {
            self.check_revocation(certificate, issuer, at, lists_at)?;
        }
        Ok(party)
    }

    /// Checks a chain for a role at a time, without revocation: for records that are booked
    /// whatever has become of the certificate since (message 170).
    ///
    /// # Errors
    /// [`CertificateError`] otherwise.
    pub fn identify(
        &self,
        chain: &[Vec<u8>],
        role: Role,
        at: Time,
    ) -> Result<Party, CertificateError> {
        let (leaf, issuers) =
            chain.split_first().ok_or_else(|| not_trusted("empty certificate chain"))?;
        let root = CertificateDer::from(self.root.as_slice());
        let anchors = [webpki::anchor_from_trusted_cert(&root).map_err(not_trusted)?];
        let issuers: Vec<_> =
            issuers.iter().map(|der| CertificateDer::from(der.as_slice())).collect();
        let leaf_der = CertificateDer::from(leaf.as_slice());
        let end_entity = EndEntityCert::try_from(&leaf_der).map_err(not_trusted)?;
        let time = UnixTime::since_unix_epoch(std::time::Duration::from_secs(at.0));
        let path = end_entity
            .verify_for_usage(
                &[webpki::aws_lc_rs::ECDSA_P256_SHA256],
                &anchors,
                &issuers,
                time,
                KeyUsage::required(role.usage_der()),
                None,
                None,
            )
            .map_err(chain_error)?;
        // Revocation is checked link by link along the chain that was sent, so that chain must be
        // the very path that was verified: nothing added, nothing in another order.
        let verified = path.intermediate_certificates().map(webpki::Cert::der);
        if !verified.eq(issuers.iter().cloned()) {
            return Err(not_trusted("certificates that are no part of the chain"));
        }
        let certificate = Certificate::from_der(leaf).map_err(not_trusted)?;
        read_party(&certificate, role)
    }

    fn check_revocation(
        &self,
        certificate: &[u8],
        issuer: &[u8],
        at: Time,
        lists_at: Time,
    ) -> Result<(), CertificateError> {
        let certificate = Certificate::from_der(certificate).map_err(not_trusted)?;
        let issuer = Certificate::from_der(issuer).map_err(not_trusted)?;
        let key = read_key(&issuer)?;
        let serial = certificate.tbs_certificate().serial_number();
        let end = time_of(certificate.tbs_certificate().validity().not_after);
        let mut covered = false;
        let lists = self.lists.iter().map(|list| &list.list);
        for list in lists.filter(|list| is_signed_by(list, &issuer, &key)) {
            let revoked = list.tbs_cert_list.revoked_certificates.iter().flatten();
            let in_force = |date: X509Time| time_of(date) <= at;
            if revoked
                .filter(|entry| entry.serial_number == *serial)
                .any(|entry| in_force(entry.revocation_date))
            {
                return Err(CertificateError::Revoked);
            }
            let until = list.tbs_cert_list.next_update.map_or(Time(0), time_of);
            let from = time_of(list.tbs_cert_list.this_update);
            // A list made while the certificate had not ended yet names it if it is revoked, also
            // for times before the list: whoever fetches it late still has what proves.
            covered |= from <= lists_at.max(end) && lists_at <= until;
        }
        if covered {
            return Ok(());
        }
        let issuer = issuer.tbs_certificate().subject().to_string();
        Err(CertificateError::RevocationUnknown { issuer })
    }
}

fn not_trusted(reason: impl ToString) -> CertificateError {
    CertificateError::NotTrusted(reason.to_string())
}

fn chain_error(error: ChainError) -> CertificateError {
    let expired =
        matches!(error, ChainError::CertExpired { .. } | ChainError::CertNotValidYet { .. });
    if expired { CertificateError::Expired } else { not_trusted(error) }
}

fn is_signed_by(list: &CertificateList, issuer: &Certificate, key: &PublicKey) -> bool {
    // The outer algorithm is not signed: only equality with the inner one protects it.
    if list.tbs_cert_list.issuer != *issuer.tbs_certificate().subject()
        || list.signature_algorithm != list.tbs_cert_list.signature
    {
        return false;
    }
    let Ok(message) = list.tbs_cert_list.to_der() else {
        return false;
    };
    let Some(signature) = list.signature.as_bytes() else {
        return false;
    };
    let algorithm = &aws_lc_rs::signature::ECDSA_P256_SHA256_ASN1;
    let key = aws_lc_rs::signature::UnparsedPublicKey::new(algorithm, signed::uncompressed(key));
    key.verify(&message, signature).is_ok()
}

fn time_of(time: X509Time) -> Time {
    Time(time.to_unix_duration().as_secs())
}

/// The certificates in a PEM text (RFC 7468), in their order; other blocks are left out.
#[must_use]
pub fn read_pem(text: &str) -> Vec<Vec<u8>> {
    use rustls_pki_types::pem::PemObject;
    CertificateDer::pem_slice_iter(text.as_bytes())
        .filter_map(Result::ok)
        .map(|certificate| certificate.to_vec())
        .collect()
}

/// A chain as it stands in a card's certificate file: certificates in DER one after the other, the
/// leaf first, without the root.
///
/// # Errors
/// [`CertificateError::NotTrusted`] when it is empty or not made of DER objects.
pub fn read_file(file: &[u8]) -> Result<Vec<Vec<u8>>, CertificateError> {
    let mut reader = SliceReader::new(file).map_err(not_trusted)?;
    let mut chain = Vec::new();
    while !reader.is_finished() {
        chain.push(reader.tlv_bytes().map_err(not_trusted)?.to_vec());
    }
    if chain.is_empty() {
        return Err(not_trusted("empty certificate file"));
    }
    Ok(chain)
}

/// The P-256 key that a certificate in DER certifies. The certificate itself is not checked.
///
/// # Errors
/// [`CertificateError::NotTrusted`] when it is not a certificate of such a key.
pub fn certified_key(certificate: &[u8]) -> Result<PublicKey, CertificateError> {
    read_key(&Certificate::from_der(certificate).map_err(not_trusted)?)
}

fn read_key(certificate: &Certificate) -> Result<PublicKey, CertificateError> {
    let bits = &certificate.tbs_certificate().subject_public_key_info().subject_public_key;
    match bits.as_bytes() {
        Some([0x04, coordinates @ ..]) => {
            coordinates.try_into().map(PublicKey).map_err(|_| not_trusted("not a P-256 key"))
        }
        _ => Err(not_trusted("not an uncompressed P-256 key")),
    }
}

const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");
const SERIAL_NUMBER: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.5");

fn read_party(certificate: &Certificate, role: Role) -> Result<Party, CertificateError> {
    let content = certificate.tbs_certificate();
    let common_name = attribute(certificate, COMMON_NAME).ok_or_else(|| not_trusted("no name"))?;
    let payer = match (role, attribute(certificate, SERIAL_NUMBER)) {
        (Role::Holder, None) => return Err(not_trusted("no payer ID")),
        (Role::Holder, Some(payer)) => Some(PayerId::new(payer).map_err(not_trusted)?),
        (Role::Shop | Role::PaymentServer, _) => None,
    };
    let key = read_key(certificate)?;
    Ok(Party {
        role,
        name: PartyName::new(common_name).map_err(not_trusted)?,
        number: read_number(certificate, role)?,
        payer,
        key,
        kid: key_id(&key),
        serial: content.serial_number().as_bytes().to_vec(),
        not_before: time_of(content.validity().not_before),
        not_after: time_of(content.validity().not_after),
    })
}

fn attribute(certificate: &Certificate, kind: ObjectIdentifier) -> Option<String> {
    let mut attributes = certificate.tbs_certificate().subject().iter();
    let attribute = attributes.find(|attribute| attribute.oid == kind)?;
    str::from_utf8(attribute.value.value()).ok().map(str::to_owned)
}

fn read_number(certificate: &Certificate, role: Role) -> Result<[u8; 8], CertificateError> {
    let names = certificate
        .tbs_certificate()
        .get_extension::<SubjectAltName>()
        .map_err(not_trusted)?
        .ok_or_else(|| not_trusted("no subject alternative name"))?;
    let (_, SubjectAltName(names)) = names;
    let mut numbers = names.iter().filter_map(|name| {
        let GeneralName::UniformResourceIdentifier(uri) = name else {
            return None;
        };
        uri.as_str().strip_prefix(role.urn_prefix())
    });
    let number = numbers.next().ok_or_else(|| not_trusted("no number for this role"))?;
    number.parse().map(|CardId(number)| number).map_err(not_trusted)
}
