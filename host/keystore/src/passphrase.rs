//! Where the passphrase of a key file comes from.

use std::path::Path;

use zeroize::Zeroizing;

use crate::{KeyError, read_private};

/// A passphrase; never shown, and wiped when dropped.
#[derive(Clone)]
pub struct Passphrase(Zeroizing<String>);

impl Passphrase {
    /// Takes a passphrase that was typed.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(Zeroizing::new(text.to_owned()))
    }

    /// Reads the first line of a file that only its owner can read.
    ///
    /// # Errors
    /// [`KeyError::Permissions`] or [`KeyError::Io`].
    pub fn from_file(path: &Path) -> Result<Self, KeyError> {
        let text = read_private(path)?;
        Ok(Self::new(text.lines().next().unwrap_or_default()))
    }

    /// The bytes that the key is derived from.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl std::fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Passphrase(…)")
    }
}
