//! Keys as the library that makes certificates wants them, so that no second copy of a private key
//! is made for it.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use protocol::certificate::PartyName;
use rcgen::{
    CertificateParams, DistinguishedName, DnType, Error, PKCS_ECDSA_P256_SHA256, PublicKeyData,
    SignatureAlgorithm, SigningKey,
};

use crate::{KeyError, KeyPair};

impl PublicKeyData for KeyPair {
    fn der_bytes(&self) -> &[u8] {
        self.pair.public_key().as_ref()
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &PKCS_ECDSA_P256_SHA256
    }
}

impl SigningKey for KeyPair {
    /// X.509 wants the signature in DER, unlike COSE.
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, self.pkcs8());
        let pair = pair.map_err(|error| Error::RingKeyRejected(error.to_string()))?;
        let signature = pair.sign(&SystemRandom::new(), message);
        let signature = signature.map_err(|_| Error::RingUnspecified)?;
        Ok(signature.as_ref().to_vec())
    }
}

/// A request for a certificate of this key (PKCS#10, RFC 2986), in PEM. It proves to the CA that
/// the key is at hand; name and role are the CA's decision.
///
/// # Errors
/// [`KeyError::NoEntropy`] when the key cannot sign.
pub fn certificate_request(pair: &KeyPair, name: &PartyName) -> Result<String, KeyError> {
    let mut subject = DistinguishedName::new();
    subject.push(DnType::CommonName, name.as_str());
    let mut request = CertificateParams::default();
    request.distinguished_name = subject;
    let request = request.serialize_request(pair);
    let pem = request.and_then(|request| request.pem());
    pem.map_err(|_| KeyError::NoEntropy)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::CertificateSigningRequestParams;

    #[test]
    fn a_request_carries_the_key_and_its_signature() {
        let pair = KeyPair::generate().unwrap();
        let name = PartyName::new("小さな店").unwrap();
        let pem = certificate_request(&pair, &name).unwrap();
        let request = CertificateSigningRequestParams::from_pem(&pem).unwrap();
        assert_eq!(request.public_key.der_bytes(), pair.der_bytes());
        assert_eq!(pair.der_bytes()[1..], pair.public_key().0);
        let subject = &request.params.distinguished_name;
        assert_eq!(subject.get(&DnType::CommonName), Some(&name.as_str().into()));
    }
}
