//! A CA with a root and an issuing certificate, and everybody whom it certifies.

use apdu_spec::value::Time;
use keystore::{KeyPair, ServerKey};
use protocol::certificate::{Authority, Role};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams,
    CertificateSigningRequestParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyIdMethod, KeyUsagePurpose, PublicKeyData, RevokedCertParams, SanType, SerialNumber,
    date_time_ymd,
};

/// A time at which every certificate is good: 2027-01-15T08:00:00Z.
pub(crate) const NOW: Time = Time(1_800_000_000);

/// A time at which no certificate is good any more: 2040-02-01T00:00:00Z.
pub(crate) const TOO_LATE: Time = Time(2_211_667_200);

/// Certificates, leaf first.
type Chain = Vec<Vec<u8>>;

type Key<'a> = Issuer<'a, KeyPair>;

/// A certificate authority.
pub(crate) struct World {
    root: Vec<u8>,
    root_key: Key<'static>,
    issuing: Vec<u8>,
    issuing_key: Key<'static>,
    serial: std::cell::Cell<u64>,
}

impl World {
    pub(crate) fn new() -> Self {
        let (root_pair, issuing_pair) = (pair(), pair());
        let root_params = ca_params("Root");
        let root = root_params.self_signed(&root_pair).unwrap();
        let root_key = Issuer::new(root_params, root_pair);
        let issuing_params = ca_params("Issuing CA");
        let issuing = issuing_params.signed_by(&issuing_pair, &root_key).unwrap();
        Self {
            root: root.der().to_vec(),
            root_key,
            issuing: issuing.der().to_vec(),
            issuing_key: Issuer::new(issuing_params, issuing_pair),
            serial: std::cell::Cell::new(100),
        }
    }

    /// A certified key: its name, its number in the subject alternative name, and for a holder the
    /// payer ID.
    pub(crate) fn certify(
        &self,
        role: Role,
        name: &str,
        number: u8,
        payer: Option<&str>,
    ) -> ServerKey {
        let pair = pair();
        let chain = self.chain(&pair, role, name, number, payer);
        ServerKey::new(pair, chain).unwrap()
    }

    /// The chain for a request for a certificate (PKCS#10).
    pub(crate) fn certify_request(&self, role: Role, name: &str, number: u8, pem: &str) -> Chain {
        let request = CertificateSigningRequestParams::from_pem(pem).unwrap();
        self.chain(&request.public_key, role, name, number, None)
    }

    fn chain(
        &self,
        key: &impl PublicKeyData,
        role: Role,
        name: &str,
        number: u8,
        payer: Option<&str>,
    ) -> Chain {
        self.serial.set(self.serial.get() + 1);
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        if let Some(payer) = payer {
            let serial_number = DnType::CustomDnType(vec![2, 5, 4, 5]);
            params.distinguished_name.push(serial_number, payer);
        }
        let urn = format!("{}{:016x}", role.urn_prefix(), number);
        params.subject_alt_names = vec![SanType::URI(urn.try_into().unwrap())];
        params.extended_key_usages = vec![usage(role)];
        params.serial_number = Some(SerialNumber::from(self.serial.get()));
        params.not_before = date_time_ymd(2024, 1, 1);
        params.not_after = date_time_ymd(2040, 1, 1);
        let certificate = params.signed_by(key, &self.issuing_key).unwrap();
        vec![certificate.der().to_vec(), self.issuing.clone()]
    }

    /// The serial number of the certificate that was made last.
    pub(crate) fn last_serial(&self) -> u64 {
        self.serial.get()
    }

    pub(crate) fn root(&self) -> &[u8] {
        &self.root
    }

    /// The revocation lists of root and issuing CA; the second one names a serial number.
    pub(crate) fn lists(&self, revoked: Option<u64>) -> [Vec<u8>; 2] {
        let list = |key: &Key<'_>, revoked: Option<u64>| {
            let params = CertificateRevocationListParams {
                this_update: date_time_ymd(2024, 1, 1),
                next_update: date_time_ymd(2040, 1, 1),
                crl_number: SerialNumber::from(1),
                issuing_distribution_point: None,
                revoked_certs: revoked.map(revoke).into_iter().collect(),
                key_identifier_method: KeyIdMethod::Sha256,
            };
            params.signed_by(key).unwrap().der().to_vec()
        };
        [list(&self.root_key, None), list(&self.issuing_key, revoked)]
    }

    /// Trust in this CA, with its revocation lists.
    pub(crate) fn authority(&self, revoked: Option<u64>) -> Authority {
        let mut authority = Authority::new(&self.root).unwrap();
        for list in self.lists(revoked) {
            authority.add_list(&list).unwrap();
        }
        authority
    }
}

fn pair() -> KeyPair {
    KeyPair::generate().unwrap()
}

fn usage(role: Role) -> ExtendedKeyUsagePurpose {
    ExtendedKeyUsagePurpose::Other(role.usage().to_vec())
}

fn ca_params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.extended_key_usages = Role::ALL.map(usage).to_vec();
    params.not_before = date_time_ymd(2024, 1, 1);
    params.not_after = date_time_ymd(2040, 1, 1);
    params
}

fn revoke(serial: u64) -> RevokedCertParams {
    RevokedCertParams {
        serial_number: SerialNumber::from(serial),
        revocation_time: date_time_ymd(2025, 1, 1),
        reason_code: None,
        invalidity_date: None,
    }
}

/// Certificates as a PEM file.
pub(crate) fn pem(chain: &[Vec<u8>]) -> String {
    let block = |der: &Vec<u8>| {
        let lines: Vec<String> = base64(der)
            .as_bytes()
            .chunks(64)
            .map(|line| String::from_utf8(line.to_vec()).unwrap())
            .collect();
        let text = lines.join("\n");
        format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")
    };
    chain.iter().map(block).collect()
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let bits = (0..3).fold(0_u32, |bits, place| {
            (bits << 8) | u32::from(group.get(place).copied().unwrap_or(0))
        });
        for place in 0..4 {
            let digit = (bits >> (18 - 6 * place)) & 63;
            let padding = place > group.len();
            text.push(if padding { '=' } else { char::from(DIGITS[digit as usize]) });
        }
    }
    text
}
