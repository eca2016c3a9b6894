//! Revocation: reasons, what a list says, and when a list is signed anew.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use apdu_spec::value::Time;
use rcgen::RevocationReason;

use crate::serial::Serial;

/// How long a revoked certificate stays in the lists after its end. RFC 5280 §3.3 wants it in at
/// least one regular list from beyond its end.
const KEPT: Duration = Duration::from_secs(30 * 24 * 3600);

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $text:literal;)*) => {
        /// Why a certificate was revoked (RFC 5280 §5.3.1).
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Reason {
            $($(#[$doc])* $name,)*
        }

        impl Reason {
            /// Every reason.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The number in the list.
            #[must_use]
            pub const fn code(self) -> u8 {
                match self {
                    $(Self::$name => $code,)*
                }
            }

            /// The reason with this number.
            #[must_use]
            pub const fn from_code(code: u8) -> Option<Self> {
                match code {
                    $($code => Some(Self::$name),)*
                    _ => None,
                }
            }

            /// The reason as the command line has it.
            #[must_use]
            pub const fn text(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }

            pub(crate) const fn in_list(self) -> RevocationReason {
                match self {
                    $(Self::$name => RevocationReason::$name,)*
                }
            }
        }
    };
}

reasons! {
    /// Not said.
    Unspecified = 0, "unspecified";
    /// The private key may be in other hands; a lost or stolen card.
    KeyCompromise = 1, "key-compromise";
    /// The issuing CA's private key may be in other hands.
    CaCompromise = 2, "ca-compromise";
    /// The name or another fact in the certificate has changed.
    AffiliationChanged = 3, "affiliation-changed";
    /// A newer certificate has taken its place.
    Superseded = 4, "superseded";
    /// The party has ended its work.
    CessationOfOperation = 5, "cessation-of-operation";
    /// The party may no longer do what the certificate allows.
    PrivilegeWithdrawn = 9, "privilege-withdrawn";
}

/// A text that is not a reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a reason for a revocation")]
pub struct ReasonError;

impl FromStr for Reason {
    type Err = ReasonError;

    fn from_str(text: &str) -> Result<Self, ReasonError> {
        let mut all = Self::ALL.iter().copied();
        all.find(|reason| reason.text() == text).ok_or(ReasonError)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

/// When and why a certificate was revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Revocation {
    /// From when on.
    pub time: Time,
    /// Why.
    pub reason: Reason,
}

/// A certificate in a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Revoked {
    pub(crate) serial: Serial,
    pub(crate) time: Time,
    pub(crate) reason: Reason,
}

/// What a list says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ListContent {
    /// One higher than that of the list before.
    pub(crate) number: u64,
    /// When it is signed.
    pub(crate) time: Time,
    /// For how long.
    pub(crate) life: Duration,
    pub(crate) revoked: Vec<Revoked>,
}

/// A certificate authority with a list of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ListSigner {
    /// Lists issuing CAs.
    Root,
    /// Lists everybody else.
    Issuing,
}

/// A list that was signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SignedList {
    pub(crate) number: u64,
    /// When it was signed.
    pub(crate) time: Time,
    /// Number of the newest revocation that was known then, 0 before the first.
    pub(crate) last_revocation: u64,
    pub(crate) der: Vec<u8>,
}

impl SignedList {
    /// Whether the list still says everything and is young enough: below a quarter of its life. A
    /// list from the future, by a clock that was set back since, is not.
    pub(crate) fn is_current(&self, newest_revocation: u64, now: Time, life: Duration) -> bool {
        let age = now.0.checked_sub(self.time.0);
        let young = age.is_some_and(|age| age.saturating_mul(4) < life.as_secs());
        young && self.last_revocation == newest_revocation
    }
}

/// From when on a certificate must still stand in lists that are signed now.
pub(crate) const fn listed_since(now: Time) -> Time {
    Time(now.0.saturating_sub(KEPT.as_secs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_read_and_numbered_as_the_standard_has_them() {
        for reason in Reason::ALL {
            assert_eq!(reason.text().parse(), Ok(*reason));
            assert_eq!(Reason::from_code(reason.code()), Some(*reason));
            assert_eq!(reason.in_list() as u8, reason.code());
        }
        assert_eq!("lost".parse::<Reason>(), Err(ReasonError));
        assert_eq!(Reason::from_code(7), None);
    }

    #[test]
    fn a_list_is_signed_anew_when_it_is_old_or_incomplete() {
        let list = SignedList { number: 3, time: Time(1_000), last_revocation: 7, der: Vec::new() };
        let life = Duration::from_secs(400);
        for (newest, now, current) in [
            (7, 1_000, true),
            (7, 1_099, true),
            (7, 1_100, false),
            (8, 1_000, false),
            (7, 999, false),
        ] {
            let found = list.is_current(newest, Time(now), life);
            assert_eq!(found, current, "{newest}, {now}");
        }
    }
}
