use std::path::{Path, PathBuf};

use figment::Figment;
use figment::providers::{Env, Format, Serialized, Toml};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file that was named does not exist.
    #[error("configuration file {path} does not exist")]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// A value is missing or wrong; the text names key, value and source.
    #[error("configuration: {0}")]
    Wrong(String),
}

/// Reads a configuration in layers: the TOML file, then environment variables that begin with
/// `prefix` (`KOZENI_SHOP_`, levels parted by `__`), then the flags that were given. Later layers
/// win; flags that serialise to nothing leave the others alone.
///
/// # Errors
/// [`ConfigError`] when the file is missing or a value does not fit.
pub fn load<T: DeserializeOwned>(
    file: Option<&Path>,
    prefix: &str,
    flags: &impl Serialize,
) -> Result<T, ConfigError> {
    let mut layers = Figment::new();
    if let Some(path) = file {
        if !path.exists() {
            return Err(ConfigError::Missing { path: path.to_owned() });
        }
        layers = layers.merge(Toml::file_exact(path));
    }
    layers
        .merge(Env::prefixed(prefix).split("__"))
        .merge(Serialized::defaults(flags))
        .extract()
        .map_err(|error| ConfigError::Wrong(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Deserialize, PartialEq)]
    struct Settings {
        listen: String,
        name: String,
    }

    #[derive(Serialize)]
    struct Flags {
        #[serde(skip_serializing_if = "Option::is_none")]
        listen: Option<String>,
    }

    #[test]
    fn flags_win_over_the_file_and_silence_leaves_it_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("shop.toml");
        std::fs::write(&path, "listen = \"file\"\nname = \"shop\"\n").unwrap();
        let load = |listen: Option<&str>| {
            let flags = Flags { listen: listen.map(str::to_owned) };
            load::<Settings>(Some(&path), "KOZENI_TEST_UNUSED_", &flags).unwrap()
        };
        assert_eq!(load(Some("flag")).listen, "flag");
        assert_eq!(load(None), Settings { listen: "file".into(), name: "shop".into() });
    }

    #[test]
    fn a_missing_value_is_named() {
        let flags = Flags { listen: None };
        let error = load::<Settings>(None, "KOZENI_TEST_UNUSED_", &flags).unwrap_err();
        assert!(error.to_string().contains("listen"), "{error}");
    }
}
