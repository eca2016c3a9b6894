//! What the CA signs: X.509 certificates and revocation lists (RFC 5280), compact certificates.
//! Keys, serial numbers and times come from the caller.
//!
//! ```text
//! root        CN = NAME Root                 CA, self-signed     keyCertSign, cRLSign
//! issuing CA  CN = NAME Issuing              CA, path length 0   keyCertSign, cRLSign,
//!                                                                the usages of all roles
//! leaf        CN = name, serialNumber =      no CA               digitalSignature,
//!             payer ID of a holder,                              the usage of its role
//!             URI urn:kozeni:…
//! ```
//!
//! Subject and authority key identifiers are the leftmost 160 bits of SHA-256 of the key bits
//! (RFC 7093 §2 method 1), so that they begin with the key ID of records.

use std::time::Duration;

use apdu_spec::CompactCertificate;
use apdu_spec::cose::{self, Sign1};
use apdu_spec::value::{PublicKey, Time};
use keystore::KeyPair;
use protocol::certificate::{Role, certified_key};
use protocol::signed::{key_id, sha256, uncompressed};
use rcgen::string::{Ia5String, PrintableString};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DistinguishedName,
    DnType, DnValue, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, PublicKeyData, RevokedCertParams, SanType, SerialNumber,
    SignatureAlgorithm,
};
use time::OffsetDateTime;
use x509_cert::Certificate;
use x509_cert::der::Decode;

use crate::CaError;
use crate::revocation::{ListContent, Reason};
use crate::serial::Serial;
use crate::subject::Subject;

/// What is signed becomes valid this much earlier, for parties whose clocks are behind.
const BACKDATED: Duration = Duration::from_secs(300);

/// The attribute type serialNumber of X.520.
const SERIAL_NUMBER: [u64; 4] = [2, 5, 4, 5];

/// First and last second of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Validity {
    pub(crate) not_before: Time,
    pub(crate) not_after: Time,
}

impl Validity {
    /// From now on, for a time.
    pub(crate) const fn starting(now: Time, length: Duration) -> Self {
        Self {
            not_before: Time(now.0.saturating_sub(BACKDATED.as_secs())),
            not_after: Time(now.0.saturating_add(length.as_secs())),
        }
    }

    /// Ends at the latest then.
    pub(crate) fn until(self, end: Time) -> Self {
        Self { not_after: self.not_after.min(end), ..self }
    }
}

/// A CA's private key together with its certificate.
#[derive(Debug)]
pub(crate) struct CaKey {
    issuer: Issuer<'static, KeyPair>,
    not_after: Time,
}

impl CaKey {
    /// Joins a certificate and its key; `None` when they do not belong together.
    pub(crate) fn new(certificate: &[u8], pair: KeyPair) -> Result<Option<Self>, CaError> {
        let key = certified_key(certificate).map_err(CaError::certificate)?;
        if key != pair.public_key() {
            return Ok(None);
        }
        let der = certificate.into();
        let issuer = Issuer::from_ca_cert_der(&der, pair).map_err(CaError::certificate)?;
        Ok(Some(Self { issuer, not_after: end_of(certificate)? }))
    }

    /// The validity of a certificate that this CA signs now; it does not outlive the CA's own.
    pub(crate) fn validity(&self, now: Time, length: Duration) -> Validity {
        Validity::starting(now, length).until(self.not_after)
    }

    /// Certifies an issuing CA.
    pub(crate) fn issuing(
        &self,
        name: &str,
        key: &PublicKey,
        serial: Serial,
        validity: Validity,
    ) -> Result<Vec<u8>, CaError> {
        let mut content = ca_content(name, key, serial, validity)?;
        content.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        content.extended_key_usages = Role::ALL.map(usage).to_vec();
        content.use_authority_key_identifier_extension = true;
        self.sign(&content, key)
    }

    /// Certifies a party.
    pub(crate) fn leaf(
        &self,
        subject: &Subject,
        serial: Serial,
        validity: Validity,
    ) -> Result<Vec<u8>, CaError> {
        let owner = &subject.owner;
        let role = owner.role();
        let number = apdu_spec::value::CardId(owner.number());
        let urn = Ia5String::try_from(format!("{}{number}", role.urn_prefix()));
        let mut content = content(&subject.key, serial, validity)?;
        content.distinguished_name.push(DnType::CommonName, subject.name.as_str());
        if let Some(payer) = owner.payer() {
            let payer = PrintableString::try_from(payer.as_str()).map_err(|_| CaError::PayerId)?;
            content.distinguished_name.push(
                DnType::CustomDnType(SERIAL_NUMBER.to_vec()),
                DnValue::PrintableString(payer),
            );
        }
        content.subject_alt_names = vec![SanType::URI(urn.map_err(CaError::certificate)?)];
        content.is_ca = IsCa::ExplicitNoCa;
        content.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        content.extended_key_usages = vec![usage(role)];
        content.use_authority_key_identifier_extension = true;
        self.sign(&content, &subject.key)
    }

    fn sign(&self, content: &CertificateParams, key: &PublicKey) -> Result<Vec<u8>, CaError> {
        let key = CertifiedKey(uncompressed(key));
        let signed = content.signed_by(&key, &self.issuer);
        Ok(signed.map_err(CaError::certificate)?.der().to_vec())
    }

    /// Signs a revocation list.
    pub(crate) fn list(&self, content: &ListContent) -> Result<Vec<u8>, CaError> {
        let validity = Validity::starting(content.time, content.life);
        let revoked = content.revoked.iter().map(|revoked| {
            Ok(RevokedCertParams {
                serial_number: SerialNumber::from_slice(revoked.serial.as_bytes()),
                revocation_time: date(revoked.time)?,
                // RFC 5280 §5.3.1: unspecified is said by leaving the reason out.
                reason_code: Some(revoked.reason)
                    .filter(|reason| *reason != Reason::Unspecified)
                    .map(Reason::in_list),
                invalidity_date: None,
            })
        });
        let list = CertificateRevocationListParams {
            this_update: date(validity.not_before)?,
            next_update: date(validity.not_after)?,
            crl_number: SerialNumber::from(content.number),
            issuing_distribution_point: None,
            revoked_certs: revoked.collect::<Result<_, CaError>>()?,
            key_identifier_method: key_identifier(&self.issuer.key().public_key()),
        };
        let list = list.signed_by(&self.issuer).map_err(CaError::certificate)?;
        Ok(list.der().to_vec())
    }
}

/// A self-signed root.
pub(crate) fn root(
    name: &str,
    pair: &KeyPair,
    serial: Serial,
    validity: Validity,
) -> Result<Vec<u8>, CaError> {
    let mut content = ca_content(name, &pair.public_key(), serial, validity)?;
    content.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let certificate = content.self_signed(pair).map_err(CaError::certificate)?;
    Ok(certificate.der().to_vec())
}

/// Signs a payment server's compact certificate with the card root key.
pub(crate) fn compact(
    content: &CompactCertificate,
    card_root: &KeyPair,
) -> Result<Vec<u8>, CaError> {
    let payload = content.encode().map_err(CaError::certificate)?;
    let kid = key_id(&card_root.public_key());
    let structure = cose::sig_structure(kid, payload.as_bytes()).map_err(CaError::certificate)?;
    let signature = card_root.sign(structure.as_bytes()).map_err(CaError::certificate)?;
    let sign1 = Sign1 { kid, payload: payload.as_bytes(), signature };
    let bytes = sign1.write().map_err(CaError::certificate)?;
    Ok(bytes.as_bytes().to_vec())
}

/// The last second of a certificate's validity.
fn end_of(certificate: &[u8]) -> Result<Time, CaError> {
    let certificate = Certificate::from_der(certificate).map_err(CaError::certificate)?;
    let end = certificate.tbs_certificate().validity().not_after;
    Ok(Time(end.to_unix_duration().as_secs()))
}

/// What every certificate has.
fn content(
    key: &PublicKey,
    serial: Serial,
    validity: Validity,
) -> Result<CertificateParams, CaError> {
    let mut content = CertificateParams::default();
    content.distinguished_name = DistinguishedName::new();
    content.serial_number = Some(SerialNumber::from_slice(serial.as_bytes()));
    content.not_before = date(validity.not_before)?;
    content.not_after = date(validity.not_after)?;
    content.key_identifier_method = key_identifier(key);
    Ok(content)
}

fn ca_content(
    name: &str,
    key: &PublicKey,
    serial: Serial,
    validity: Validity,
) -> Result<CertificateParams, CaError> {
    let mut content = content(key, serial, validity)?;
    content.distinguished_name.push(DnType::CommonName, name);
    content.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(content)
}

fn usage(role: Role) -> ExtendedKeyUsagePurpose {
    ExtendedKeyUsagePurpose::Other(role.usage().to_vec())
}

fn key_identifier(key: &PublicKey) -> KeyIdMethod {
    let hash = sha256(&uncompressed(key)).0;
    KeyIdMethod::PreSpecified(hash.iter().copied().take(20).collect())
}

fn date(time: Time) -> Result<OffsetDateTime, CaError> {
    let seconds = i64::try_from(time.0).map_err(CaError::certificate)?;
    OffsetDateTime::from_unix_timestamp(seconds).map_err(CaError::certificate)
}

/// A public key as rcgen wants it.
struct CertifiedKey([u8; 65]);

impl PublicKeyData for CertifiedKey {
    fn der_bytes(&self) -> &[u8] {
        &self.0
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &PKCS_ECDSA_P256_SHA256
    }
}
