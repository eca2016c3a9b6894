use std::fmt;
use std::str::FromStr;

use apdu_spec::value::Hash;
use protocol::signed::sha256;

use crate::{CaError, chance};

/// Digits without I, L, O and U, which are easily misread (Crockford's base 32).
const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const LENGTH: usize = 20;
const GROUP: usize = 5;

/// A one-time enrolment code: 20 digits of 5 bits each, too many to be guessed. The books keep its
/// hash only.
#[derive(Clone, PartialEq, Eq)]
pub struct EnrolmentCode([u8; LENGTH]);

/// A text that cannot be an enrolment code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an enrolment code has 20 digits and letters")]
pub struct CodeError;

impl EnrolmentCode {
    pub(crate) fn random() -> Result<Self, CaError> {
        let mut code = chance::bytes::<LENGTH>()?;
        for digit in &mut code {
            let index = usize::from(*digit & 31);
            *digit = DIGITS.get(index).copied().unwrap_or(b'0');
        }
        Ok(Self(code))
    }

    /// What the books keep. The entropy of the code makes salt and slow hashing needless.
    pub(crate) fn hash(&self) -> Hash {
        sha256(&[b"kozeni enrolment code ", self.0.as_slice()].concat())
    }
}

impl FromStr for EnrolmentCode {
    type Err = CodeError;

    /// Reads a code as people type it: in either case, with or without separators, and with O, I
    /// and L for 0 and 1.
    fn from_str(text: &str) -> Result<Self, CodeError> {
        let kept = text.bytes().filter(|byte| !matches!(byte, b'-' | b' '));
        let digits: Vec<u8> = kept
            .map(|byte| match byte.to_ascii_uppercase() {
                b'O' => b'0',
                b'I' | b'L' => b'1',
                digit => digit,
            })
            .collect();
        if !digits.iter().all(|digit| DIGITS.contains(digit)) {
            return Err(CodeError);
        }
        digits.try_into().map(Self).map_err(|_| CodeError)
    }
}

impl fmt::Display for EnrolmentCode {
    /// In groups of five: `ABCDE-FGHJK-MNPQR-STVWX`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, group) in self.0.chunks(GROUP).enumerate() {
            if index > 0 {
                f.write_str("-")?;
            }
            f.write_str(str::from_utf8(group).unwrap_or_default())?;
        }
        Ok(())
    }
}

impl fmt::Debug for EnrolmentCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EnrolmentCode(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_as_people_type_it() {
        let code = EnrolmentCode::random().unwrap();
        let text = code.to_string();
        assert_eq!(text.len(), 23);
        assert_ne!(code, EnrolmentCode::random().unwrap());
        let spaced = text.replace('-', " ").to_lowercase();
        let misread = text.replace('0', "O").replace('1', "l");
        for typed in [&text, &spaced, &misread] {
            assert_eq!(typed.parse(), Ok(code.clone()), "{typed}");
        }
        let longer = format!("{text}0");
        for bad in ["", "ABC", &text[1..], &longer, &text.replace('-', "_")] {
            assert_eq!(bad.parse::<EnrolmentCode>(), Err(CodeError), "{bad}");
        }
        assert_eq!(format!("{code:?}"), "EnrolmentCode(…)");
    }
}
