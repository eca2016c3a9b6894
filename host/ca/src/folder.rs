//! The CA's folder: which files there are, and how they come to be.
//!
//! ```text
//! root-key.pem       private key of the root; to be kept elsewhere, offline
//! issuing-key.pem    private key of the issuing CA
//! card-root-key.pem  private key that signs compact certificates, and nothing else
//! root.pem           root certificate, which everybody trusts
//! issuing.pem        issuing CA's certificate
//! card-root.hex      public card root key, which personalisation gives to cards
//! ca.db              the books
//! ```

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use apdu_spec::value::{PublicKey, Time};
use keystore::{KeyPair, Passphrase};
use protocol::certificate::{PartyName, read_pem};

use crate::books::Books;
use crate::certify::{self, CaKey, Validity};
use crate::issued::{IssuedCertificate, Kind};
use crate::lists::{self, ROOT_LIST_LIFE};
use crate::pem::write_pem;
use crate::revocation::ListSigner;
use crate::{CaError, chance};

const DAY: Duration = Duration::from_secs(24 * 3600);
const ROOT_LIFE: Duration = Duration::from_secs(20 * 365 * DAY.as_secs());
const ISSUING_LIFE: Duration = Duration::from_secs(10 * 365 * DAY.as_secs());

/// Where a CA keeps its files.
#[derive(Clone, Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// The CA in this folder.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// The folder itself.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Where `init` puts the root's private key.
    #[must_use]
    pub fn root_key(&self) -> PathBuf {
        self.0.join("root-key.pem")
    }

    pub(crate) fn issuing_key(&self) -> PathBuf {
        self.0.join("issuing-key.pem")
    }

    pub(crate) fn card_root_key(&self) -> PathBuf {
        self.0.join("card-root-key.pem")
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.0.join("root.pem")
    }

    pub(crate) fn issuing(&self) -> PathBuf {
        self.0.join("issuing.pem")
    }

    pub(crate) fn card_root(&self) -> PathBuf {
        self.0.join("card-root.hex")
    }

    pub(crate) fn books(&self) -> PathBuf {
        self.0.join("ca.db")
    }

    pub(crate) fn read_certificate(path: &Path) -> Result<Vec<u8>, CaError> {
        let text = fs::read_to_string(path).map_err(CaError::file(path))?;
        match <[Vec<u8>; 1]>::try_from(read_pem(&text)) {
            Ok([certificate]) => Ok(certificate),
            Err(_) => Err(CaError::content(path, "must hold exactly one certificate")),
        }
    }

    pub(crate) fn read_card_root(&self) -> Result<PublicKey, CaError> {
        let path = self.card_root();
        let text = fs::read_to_string(&path).map_err(CaError::file(&path))?;
        text.trim().parse().map_err(|error| CaError::content(&path, error))
    }
}

/// A new CA.
#[derive(Debug)]
pub struct NewCa<'a> {
    /// Its name; the certificates say "NAME Root" and "NAME Issuing".
    pub name: PartyName,
    /// Protects issuing and card root key.
    pub passphrase: &'a Passphrase,
    /// Protects the root's key.
    pub root_passphrase: &'a Passphrase,
}

/// What a new CA's operator wants to write down.
#[derive(Clone, Debug)]
pub struct Founded {
    /// The root certificate in DER.
    pub root: Vec<u8>,
    /// The card root key.
    pub card_root: PublicKey,
}

/// Makes a CA with its keys, certificates and books. Nothing is left behind where that fails.
///
/// # Errors
/// [`CaError::Exists`] when the folder is there and not empty, otherwise whatever went wrong.
pub fn found(folder: &Folder, new: &NewCa<'_>, now: Time) -> Result<Founded, CaError> {
    let path = folder.path();
    let occupied = fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_some());
    if occupied || path.is_file() {
        return Err(CaError::Exists { path: path.to_owned() });
    }
    if [new.passphrase, new.root_passphrase].map(Passphrase::as_bytes).contains(&&[][..]) {
        return Err(CaError::EmptyPassphrase);
    }
    // Everything is made beside the folder and takes its name at once, when it is complete.
    let mut name = path.as_os_str().to_owned();
    name.push(".unfinished");
    let unfinished = Folder::new(name);
    let mut builder = DirBuilder::new();
    let made = builder.recursive(false).mode(0o700).create(unfinished.path());
    made.map_err(CaError::file(unfinished.path()))?;
    let founded = fill(&unfinished, new, now).and_then(|founded| {
        fs::rename(unfinished.path(), path).map_err(CaError::file(path))?;
        Ok(founded)
    });
    if founded.is_err() {
        // What was wrong is the error to report; a folder that stays is named by the next attempt.
        let _ = fs::remove_dir_all(unfinished.path());
    }
    founded
}

fn fill(folder: &Folder, new: &NewCa<'_>, now: Time) -> Result<Founded, CaError> {
    let root_pair = KeyPair::generate()?;
    let issuing_pair = KeyPair::generate()?;
    let card_root_pair = KeyPair::generate()?;
    root_pair.save(&folder.root_key(), new.root_passphrase)?;
    issuing_pair.save(&folder.issuing_key(), new.passphrase)?;
    card_root_pair.save(&folder.card_root_key(), new.passphrase)?;

    let names = ["Root", "Issuing"].map(|role| PartyName::new(format!("{} {role}", new.name)));
    let [root_name, issuing_name] = names;
    let validity = Validity::starting(now, ROOT_LIFE);
    let root = certify::root(root_name?.as_str(), &root_pair, chance::serial()?, validity)?;
    let root_key = CaKey::new(&root, root_pair)?
        .ok_or_else(|| CaError::certificate("root and key do not fit together"))?;

    let name = issuing_name?;
    let (key, serial) = (issuing_pair.public_key(), chance::serial()?);
    let validity = root_key.validity(now, ISSUING_LIFE);
    let der = root_key.issuing(name.as_str(), &key, serial, validity)?;
    let issuing = IssuedCertificate::new(serial, Kind::IssuingCa, name, key, validity, now, der);
    let issuing_key = CaKey::new(&issuing.der, issuing_pair)?
        .ok_or_else(|| CaError::certificate("certificate and key do not fit together"))?;

    let card_root = card_root_pair.public_key();
    let pem = |der: &[u8]| write_pem(&[der.to_vec()]);
    write_new(&folder.root(), &pem(&root)?)?;
    write_new(&folder.issuing(), &pem(&issuing.der)?)?;
    write_new(&folder.card_root(), &format!("{card_root}\n"))?;
    let books = Books::open(&folder.books())?;
    books.transaction(|books| {
        books.add_certificate(&issuing)?;
        lists::sign(books, ListSigner::Root, &root_key, now, ROOT_LIST_LIFE)?;
        lists::sign(books, ListSigner::Issuing, &issuing_key, now, DAY)
    })?;
    Ok(Founded { root, card_root })
}

fn write_new(path: &Path, text: &str) -> Result<(), CaError> {
    let mut options = OpenOptions::new();
    let file = options.write(true).create_new(true).open(path);
    let mut file = file.map_err(CaError::file(path))?;
    let written = file.write_all(text.as_bytes());
    written.and_then(|()| file.sync_all()).map_err(CaError::file(path))
}
