//! Private keys at rest and in use: P-256 keys in encrypted PKCS#8 files (PBES2 with scrypt and
//! AES, RFC 8018, RFC 7914) that only their owner can read, and signing with them.
//!
//! Any tool reads the files, for example `openssl pkey -in key.pem`.

mod passphrase;
mod x509;

pub use passphrase::Passphrase;
pub use x509::certificate_request;

use std::fs::OpenOptions;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use apdu_spec::value::{PublicKey, Signature};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use pkcs8::der::pem::PemLabel;
use pkcs8::{EncryptedPrivateKeyInfoRef, LineEnding, PrivateKeyInfoRef, SecretDocument};
use protocol::certificate;
use protocol::signed::{Signer, SignerError};
use zeroize::Zeroizing;

/// Why a key file could not be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file could not be read or written.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Others than the owner may read or write the file.
    #[error("{path}: permissions {mode:o} let others in; run: chmod 600 {path}")]
    Permissions {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// A key is there already; keys are never overwritten.
    #[error("{path}: exists already; keys are never overwritten")]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// Not an encrypted P-256 key, or another passphrase.
    #[error("{path}: not an encrypted P-256 key under this passphrase")]
    NotAKey {
        /// The file.
        path: PathBuf,
    },
    /// The certificate is for another key.
    #[error("the certificate is not for this private key")]
    OtherCertificate,
    /// The system's source of randomness failed.
    #[error("no key could be made")]
    NoEntropy,
}

/// A P-256 key pair.
pub struct KeyPair {
    pkcs8: Zeroizing<Vec<u8>>,
    pair: EcdsaKeyPair,
}

impl std::fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KeyPair(…)")
    }
}

impl KeyPair {
    /// Makes a new key pair.
    ///
    /// # Errors
    /// [`KeyError::NoEntropy`].
    pub fn generate() -> Result<Self, KeyError> {
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let document = EcdsaKeyPair::generate_pkcs8(algorithm, &SystemRandom::new());
        let pkcs8 = Zeroizing::new(document.map_err(|_| KeyError::NoEntropy)?.as_ref().to_vec());
        Self::from_pkcs8(pkcs8).ok_or(KeyError::NoEntropy)
    }

    fn from_pkcs8(pkcs8: Zeroizing<Vec<u8>>) -> Option<Self> {
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &pkcs8).ok()?;
        Some(Self { pkcs8, pair })
    }

    /// Writes the key encrypted into a new file of mode 0600 and waits until it is on disk.
    ///
    /// # Errors
    /// [`KeyError::Exists`] when the file exists, [`KeyError::Io`] when it cannot be written.
    pub fn save(&self, path: &Path, passphrase: &Passphrase) -> Result<(), KeyError> {
        let io = |source| KeyError::Io { path: path.to_owned(), source };
        let not_a_key = || KeyError::NotAKey { path: path.to_owned() };
        let info = PrivateKeyInfoRef::try_from(self.pkcs8.as_slice()).map_err(|_| not_a_key())?;
        let sealed = info.encrypt(passphrase.as_bytes()).map_err(|_| KeyError::NoEntropy)?;
        let label = EncryptedPrivateKeyInfoRef::PEM_LABEL;
        let pem = sealed.to_pem(label, LineEnding::LF).map_err(|_| not_a_key())?;
        let mut options = OpenOptions::new();
        let file = options.write(true).create_new(true).mode(0o600).open(path);
        let mut file = file.map_err(|source| {
            let exists = source.kind() == ErrorKind::AlreadyExists;
            if exists { KeyError::Exists { path: path.to_owned() } } else { io(source) }
        })?;
        file.write_all(pem.as_bytes()).and_then(|()| file.sync_all()).map_err(io)
    }

    /// Reads an encrypted key from a file that only its owner can read.
    ///
    /// # Errors
    /// [`KeyError::Permissions`], [`KeyError::NotAKey`] or [`KeyError::Io`].
    pub fn load(path: &Path, passphrase: &Passphrase) -> Result<Self, KeyError> {
        let pem = read_private(path)?;
        let not_a_key = || KeyError::NotAKey { path: path.to_owned() };
        let (label, sealed) = SecretDocument::from_pem(&pem).map_err(|_| not_a_key())?;
        if label != EncryptedPrivateKeyInfoRef::PEM_LABEL {
            return Err(not_a_key());
        }
        let sealed =
            EncryptedPrivateKeyInfoRef::try_from(sealed.as_bytes()).map_err(|_| not_a_key())?;
        let plain = sealed.decrypt(passphrase.as_bytes()).map_err(|_| not_a_key())?;
        Self::from_pkcs8(Zeroizing::new(plain.as_bytes().to_vec())).ok_or_else(not_a_key)
    }

    /// The key in unencrypted PKCS#8, for libraries that sign by themselves.
    #[must_use]
    pub fn pkcs8(&self) -> &[u8] {
        &self.pkcs8
    }

    /// The public key.
    #[must_use]
    pub fn public_key(&self) -> PublicKey {
        let mut key = [0; 64];
        for (to, from) in key.iter_mut().zip(self.pair.public_key().as_ref().iter().skip(1)) {
            *to = *from;
        }
        PublicKey(key)
    }

    /// Signs a message with ES256.
    ///
    /// # Errors
    /// [`SignerError`] when the system's source of randomness fails.
    pub fn sign(&self, message: &[u8]) -> Result<Signature, SignerError> {
        let failed = || SignerError("no randomness for a signature".to_owned());
        let signature = self.pair.sign(&SystemRandom::new(), message).map_err(|_| failed())?;
        signature.as_ref().try_into().map(Signature).map_err(|_| failed())
    }
}

/// A server's key pair with the chain that certifies it.
#[derive(Debug)]
pub struct ServerKey {
    pair: KeyPair,
    chain: Vec<Vec<u8>>,
}

impl ServerKey {
    /// Joins a key pair and its certificate chain (leaf first, without the root, in DER).
    ///
    /// # Errors
    /// [`KeyError::OtherCertificate`] when the leaf does not certify this key.
    pub fn new(pair: KeyPair, chain: Vec<Vec<u8>>) -> Result<Self, KeyError> {
        let certified = chain.first().and_then(|leaf| certificate::certified_key(leaf).ok());
        if certified == Some(pair.public_key()) {
            Ok(Self { pair, chain })
        } else {
            Err(KeyError::OtherCertificate)
        }
    }
}

impl Signer for ServerKey {
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

/// Reads a file that must belong to nobody else.
fn read_private(path: &Path) -> Result<Zeroizing<String>, KeyError> {
    let io = |source| KeyError::Io { path: path.to_owned(), source };
    let mut file = OpenOptions::new().read(true).open(path).map_err(io)?;
    let mode = file.metadata().map_err(io)?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(KeyError::Permissions { path: path.to_owned(), mode });
    }
    let mut text = Zeroizing::new(String::new());
    file.read_to_string(&mut text).map_err(io)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_comes_back_under_its_passphrase_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key.pem");
        let right = Passphrase::new("correct horse");
        let pair = KeyPair::generate().unwrap();
        pair.save(&path, &right).unwrap();
        let again = KeyPair::load(&path, &right).unwrap();
        assert_eq!(again.public_key(), pair.public_key());
        let signature = again.sign(b"message").unwrap();
        assert!(protocol::signed::is_valid(&pair.public_key(), b"message", &signature));
        let wrong = KeyPair::load(&path, &Passphrase::new("wrong"));
        assert!(matches!(wrong, Err(KeyError::NotAKey { .. })));
        assert!(matches!(pair.save(&path, &right), Err(KeyError::Exists { .. })));
        assert!(!std::fs::read_to_string(&path).unwrap().contains("BEGIN PRIVATE"));
    }

    #[test]
    fn a_key_file_that_others_can_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key.pem");
        let passphrase = Passphrase::new("secret");
        KeyPair::generate().unwrap().save(&path, &passphrase).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        let refused = KeyPair::load(&path, &passphrase);
        assert!(matches!(refused, Err(KeyError::Permissions { mode: 0o640, .. })));
    }
}
