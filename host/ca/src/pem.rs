use apdu_spec::value::PublicKey;
use rcgen::{CertificateSigningRequestParams, PKCS_ECDSA_P256_SHA256, PublicKeyData as _};
use x509_cert::der::pem::{self, LineEnding};

use crate::CaError;

/// The key in a certificate request (PKCS#10, RFC 2986, in PEM), after checking that it has signed
/// the request. Whatever else the request asks for is the operator's decision, not its sender's.
pub(crate) fn requested_key(pem: &str) -> Result<PublicKey, CaError> {
    let request = CertificateSigningRequestParams::from_pem(pem)
        .map_err(|error| CaError::Request(error.to_string()))?;
    let key = request.public_key;
    let not_p256 = || CaError::Request("another kind of key".to_owned());
    if key.algorithm() != &PKCS_ECDSA_P256_SHA256 {
        return Err(not_p256());
    }
    match key.der_bytes() {
        [0x04, coordinates @ ..] => coordinates.try_into().map(PublicKey).map_err(|_| not_p256()),
        _ => Err(not_p256()),
    }
}

/// Certificates in PEM (RFC 7468), one after the other.
///
/// # Errors
/// [`CaError::Certificate`] when one is too long for the format.
pub fn write_pem(chain: &[Vec<u8>]) -> Result<String, CaError> {
    let blocks = chain.iter().map(|der| pem::encode_string("CERTIFICATE", LineEnding::LF, der));
    blocks.collect::<Result<String, _>>().map_err(CaError::certificate)
}
