//! A certificate authority in memory.

use keystore::KeyPair;
use protocol::certificate::{Authority, Role};
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CertificateRevocationListParams,
    CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyIdMethod, KeyUsagePurpose,
    RevokedCertParams, SanType, SerialNumber, date_time_ymd,
};

/// A root with one issuing CA. Everything is valid from 2020 to 2045 where nothing else is said.
pub(super) struct TestCa {
    root: CertifiedIssuer<'static, KeyPair>,
    issuing: CertifiedIssuer<'static, KeyPair>,
    revoked: Vec<u64>,
    next_serial: u64,
}

/// Whose certificate is to be made.
pub(super) struct Subject<'a> {
    pub(super) role: Role,
    pub(super) number: [u8; 8],
    pub(super) name: &'a str,
    pub(super) payer: Option<&'a str>,
    /// Year in which validity ends.
    pub(super) until: i32,
}

/// A certificate with its issuer's.
pub(super) struct Certified {
    /// Leaf first, without the root.
    pub(super) chain: Vec<Vec<u8>>,
    pub(super) pem: String,
    /// Serial number of the leaf.
    pub(super) serial: u64,
}

fn authority_params(name: &str) -> CertificateParams {
    let mut params = params(name, 2045);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn params(name: &str, until: i32) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(until, 1, 1);
    params
}

fn usage(role: Role) -> ExtendedKeyUsagePurpose {
    ExtendedKeyUsagePurpose::Other(role.usage().to_vec())
}

impl TestCa {
    pub(super) fn new(name: &str) -> Self {
        let root = authority_params(&format!("{name} root"));
        let root = CertifiedIssuer::self_signed(root, KeyPair::generate().unwrap()).unwrap();
        let mut issuing = authority_params(&format!("{name} issuing"));
        issuing.extended_key_usages = Role::ALL.map(usage).to_vec();
        let key = KeyPair::generate().unwrap();
        let issuing = CertifiedIssuer::signed_by(issuing, key, &root).unwrap();
        Self { root, issuing, revoked: Vec::new(), next_serial: 100 }
    }

    pub(super) fn root_pem(&self) -> String {
        self.root.pem()
    }

    pub(super) fn certify(&mut self, key: &KeyPair, subject: &Subject<'_>) -> Certified {
        let mut params = params(subject.name, subject.until);
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
        let leaf = params.signed_by(key, &self.issuing).unwrap();
        let issuing: &Certificate = self.issuing.as_ref();
        Certified {
            chain: vec![leaf.der().to_vec(), issuing.der().to_vec()],
            pem: leaf.pem() + &issuing.pem(),
            serial,
        }
    }

    pub(super) fn revoke(&mut self, serial: u64) {
        self.revoked.push(serial);
    }

    /// Both revocation lists, as they are served.
    pub(super) fn lists(&self) -> [Vec<u8>; 2] {
        [list(&self.root, &[]), list(&self.issuing, &self.revoked)]
    }

    /// What trusts this CA and has its lists.
    pub(super) fn authority(&self) -> Authority {
        let mut authority = self.authority_without_lists();
        for list in self.lists() {
            authority.add_list(&list).unwrap();
        }
        authority
    }

    pub(super) fn authority_without_lists(&self) -> Authority {
        Authority::new(self.root.der()).unwrap()
    }
}

fn list(issuer: &CertifiedIssuer<'static, KeyPair>, revoked: &[u64]) -> Vec<u8> {
    let revoked = revoked.iter().map(|serial| RevokedCertParams {
        serial_number: SerialNumber::from(*serial),
        revocation_time: date_time_ymd(2020, 1, 2),
        reason_code: None,
        invalidity_date: None,
    });
    let params = CertificateRevocationListParams {
        this_update: date_time_ymd(2020, 1, 1),
        next_update: date_time_ymd(2045, 1, 1),
        crl_number: SerialNumber::from(1_u64),
        issuing_distribution_point: None,
        revoked_certs: revoked.collect(),
        key_identifier_method: KeyIdMethod::Sha256,
    };
    params.signed_by(issuer).unwrap().der().to_vec()
}
