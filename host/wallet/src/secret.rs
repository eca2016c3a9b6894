//! PINs and PUKs on the wallet's own socket: read into a type that is never shown, and never
//! repeated in an error.

use std::fmt;

use apdu_spec::value::Pin;
use serde::de::{Deserialize, Deserializer, Error, Visitor};

/// A PIN or PUK in a request.
#[derive(Clone)]
pub(crate) struct Secret(pub(crate) Pin);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

const FORM: &str = "a PIN has 4 to 8 digits, a PUK 8, as a JSON string";

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Not `deserialize_str`: its error repeats a number that stands in the string's place.
        deserializer.deserialize_any(Digits)
    }
}

struct Digits;

// The default methods for numbers would repeat them, too.
impl Visitor<'_> for Digits {
    type Value = Secret;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(FORM)
    }

    fn visit_str<E: Error>(self, digits: &str) -> Result<Secret, E> {
        Pin::from_digits(digits).map(Secret).map_err(|_| E::custom(FORM))
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Secret, E> {
        Err(E::custom(FORM))
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Secret, E> {
        Err(E::custom(FORM))
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Secret, E> {
        Err(E::custom(FORM))
    }
}

#[cfg(test)]
mod tests {
    use super::Secret;

    #[test]
    fn a_wrong_pin_is_not_repeated() {
        assert!(serde_json::from_str::<Secret>("\"1234\"").is_ok());
        for wrong in ["1234", "-1234", "12.34", "\"1234x\"", "\"123456789\"", "[1234]"] {
            let error = serde_json::from_str::<Secret>(wrong).unwrap_err().to_string();
            assert!(!error.contains("12"), "{error}");
        }
        let secret = serde_json::from_str::<Secret>("\"1234\"").unwrap();
        assert_eq!(format!("{secret:?}"), "Secret(…)");
    }
}
