//! A certificate authority.

use std::sync::Arc;

use apdu_spec::value::{PublicKey, Signature};
use keystore::KeyPair;
use protocol::certificate::{Authority, Role};
use protocol::purchase::Chain;
use protocol::signed::{Signer, SignerError};
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CertificateRevocationListParams,
    CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyIdMethod, KeyUsagePurpose,
    RevokedCertParams, SanType, SerialNumber, date_time_ymd,
};

/// A root with one issuing CA. Everything is valid from 2026 to 2035.
pub(crate) struct TestCa {
    root: CertifiedIssuer<'static, KeyPair>,
    issuing: CertifiedIssuer<'static, KeyPair>,
    next_serial: u64,
}

/// Whose certificate is to be made.
pub(crate) struct Certified<'a> {
    pub(crate) role: Role,
    pub(crate) number: [u8; 8],
    pub(crate) name: &'a str,
    pub(crate) payer: Option<&'a str>,
}

/// A key with its chain. Copies share the key.
#[derive(Clone)]
pub(crate) struct TestSigner {
    pair: Arc<KeyPair>,
    pub(crate) chain: Vec<Vec<u8>>,
    pub(crate) serial: u64,
}

impl Signer for TestSigner {
    fn chain(&self) -> &[Vec<u8>] {
        &self.chain
    }

    fn public_key(&self) -> PublicKey {
        self.pair.public_key()
    }

    fn sign(&self, message: &[u8]) -> Result<Signature, SignerError> {
        self.pair.sign(message)
    }
}

impl TestSigner {
    /// The same key under somebody else's certificate.
    pub(crate) fn with_chain(mut self, chain: Vec<Vec<u8>>) -> Self {
        self.chain = chain;
        self
    }

    pub(crate) fn message_chain(&self) -> Chain {
        self.chain.iter().map(|der| der.clone().into()).collect()
    }
}

fn params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = date_time_ymd(2026, 1, 1);
    params.not_after = date_time_ymd(2035, 1, 1);
    params
}

fn authority_params(name: &str) -> CertificateParams {
    let mut params = params(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn usage(role: Role) -> ExtendedKeyUsagePurpose {
    ExtendedKeyUsagePurpose::Other(role.usage().to_vec())
}

impl TestCa {
    pub(crate) fn new() -> Self {
        let root = authority_params("Test root");
        let root = CertifiedIssuer::self_signed(root, KeyPair::generate().unwrap()).unwrap();
        let mut issuing = authority_params("Test issuing");
        issuing.extended_key_usages = Role::ALL.map(usage).to_vec();
        let key = KeyPair::generate().unwrap();
        let issuing = CertifiedIssuer::signed_by(issuing, key, &root).unwrap();
        Self { root, issuing, next_serial: 100 }
    }

    /// A key with its certificate.
    pub(crate) fn certify(&mut self, subject: &Certified<'_>) -> TestSigner {
        let pair = KeyPair::generate().unwrap();
        let mut params = params(subject.name);
        if let Some(payer) = subject.payer {
            let serial_number = DnType::CustomDnType(vec![2, 5, 4, 5]);
            params.distinguished_name.push(serial_number, payer);
        }
        let number: String = subject.number.iter().map(|byte| format!("{byte:02x}")).collect();
        let uri = format!("{}{number}", subject.role.urn_prefix());
        params.subject_alt_names = vec![SanType::URI(uri.try_into().unwrap())];
        params.extended_key_usages = vec![usage(subject.role)];
        let serial = self.next_serial;
        self.next_serial += 1;
        params.serial_number = Some(SerialNumber::from(serial));
        let leaf = params.signed_by(&pair, &self.issuing).unwrap();
        let issuing: &Certificate = self.issuing.as_ref();
        let chain = vec![leaf.der().to_vec(), issuing.der().to_vec()];
        TestSigner { pair: Arc::new(pair), chain, serial }
    }

    /// What trusts this CA, with lists that name these serial numbers.
    pub(crate) fn authority(&self, revoked: &[u64]) -> Authority {
        let mut authority = self.authority_without_lists();
        authority.add_list(&list(&self.root, &[])).unwrap();
        authority.add_list(&list(&self.issuing, revoked)).unwrap();
        authority
    }

    pub(crate) fn authority_without_lists(&self) -> Authority {
        Authority::new(self.root.der()).unwrap()
    }
}

fn list(issuer: &CertifiedIssuer<'static, KeyPair>, revoked: &[u64]) -> Vec<u8> {
    let revoked = revoked.iter().map(|serial| RevokedCertParams {
        serial_number: SerialNumber::from(*serial),
        revocation_time: date_time_ymd(2026, 1, 2),
        reason_code: None,
        invalidity_date: None,
    });
    let params = CertificateRevocationListParams {
        this_update: date_time_ymd(2026, 1, 1),
        next_update: date_time_ymd(2035, 1, 1),
        crl_number: SerialNumber::from(1_u64),
        issuing_distribution_point: None,
        revoked_certs: revoked.collect(),
        key_identifier_method: KeyIdMethod::Sha256,
    };
    params.signed_by(issuer).unwrap().der().to_vec()
}
