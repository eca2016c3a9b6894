//! Making a new payment server: data folder, key, certificate request, books, configuration.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use apdu_spec::value::{Currency, Epoch, IssuerId};
use keystore::{KeyPair, Passphrase, certificate_request};
use protocol::certificate::PartyName;

use crate::error::PaymentError;
use crate::service::draw;
use crate::store::{Store, StoreError, Title};

/// Epoch of new books; a restore from backup raises it.
const FIRST_EPOCH: Epoch = Epoch(1);

/// Where the books of a data folder are.
pub(crate) fn books(folder: &Path) -> PathBuf {
    folder.join("books.db")
}

/// Reads a text file.
pub(crate) fn read(path: &Path) -> Result<String, PaymentError> {
    fs::read_to_string(path).map_err(PaymentError::file(path))
}

/// A payment server to be made.
#[derive(Clone, Debug)]
pub struct NewServer<'a> {
    /// Data folder; made where it does not exist.
    pub folder: &'a Path,
    /// The issuer whose value it holds.
    pub issuer: IssuerId,
    /// The currency of all value.
    pub currency: Currency,
    /// Name that the certificate shall carry.
    pub name: &'a PartyName,
    /// File with the passphrase of the key.
    pub passphrase_file: &'a Path,
    /// Base URL of the CA.
    pub ca_url: &'a str,
}

/// The files of a new payment server.
#[derive(Clone, Debug)]
pub struct Made {
    /// The encrypted private key.
    pub key: PathBuf,
    /// The certificate request (PKCS#10) for the CA.
    pub request: PathBuf,
    /// The configuration. It names the files that the CA's answer is to be put into.
    pub config: PathBuf,
}

impl NewServer<'_> {
    /// Makes the server. No file is overwritten.
    ///
    /// # Errors
    /// [`PaymentError`].
    pub fn make(&self) -> Result<Made, PaymentError> {
        let folder = self.folder;
        let mut builder = DirBuilder::new();
        let made = builder.recursive(true).mode(0o700).create(folder);
        made.map_err(PaymentError::file(folder))?;
        let made = Made {
            key: folder.join("key.pem"),
            request: folder.join("request.pem"),
            config: folder.join("payment.toml"),
        };
        let passphrase = Passphrase::from_file(self.passphrase_file)?;
        let pair = KeyPair::generate()?;
        pair.save(&made.key, &passphrase)?;
        write_new(&made.request, &certificate_request(&pair, self.name)?)?;
        let title = Title { issuer: self.issuer, currency: self.currency, epoch: FIRST_EPOCH };
        let nonce_key = draw().map_err(StoreError::from)?;
        drop(Store::create(&books(folder), title, &nonce_key)?);
        let passphrase_file = fs::canonicalize(self.passphrase_file);
        let passphrase_file = passphrase_file.map_err(PaymentError::file(self.passphrase_file))?;
        write_new(&made.config, &self.config(&passphrase_file))?;
        Ok(made)
    }

    fn config(&self, passphrase_file: &Path) -> String {
        let ca_url = self.ca_url;
        let currency = self.currency.0;
        // Quoted as in Rust, which TOML reads the same way.
        let passphrase_file = passphrase_file.to_string_lossy();
        format!(
            "# Relative paths are relative to this file.\n\
             folder = \".\"\n\
             ca_url = {ca_url:?}\n\
             currency = {currency}\n\
             key = \"key.pem\"\n\
             passphrase_file = {passphrase_file:?}\n\
             # listen = \"127.0.0.1:7403\"\n\
             # permit_life_s = 600\n\
             # explicit_receipt = false\n\
             # From the CA:\n\
             root = \"root.pem\"\n\
             chain = \"chain.pem\"\n\
             compact_certificate = \"compact-certificate.cose\"\n"
        )
    }
}

fn write_new(path: &Path, text: &str) -> Result<(), PaymentError> {
    let file = OpenOptions::new().write(true).create_new(true).open(path);
    file.and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()
    })
    .map_err(PaymentError::file(path))
}
