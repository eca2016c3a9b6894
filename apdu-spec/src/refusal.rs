//! Why a card refuses a command: one table for every status word other than 9000.

use core::fmt;

macro_rules! refusals {
    ($($(#[$doc:meta])* $name:ident = $word:literal, $text:literal;)*) => {
        /// A refusal, in order of precedence: where several apply, the first is answered.
        ///
        /// There is no variant for success: 9000 is `Ok`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Refusal {
            $($(#[$doc])* $name,)*
            /// Wrong PIN or PUK; so many tries are left (63C0 to 63CF).
            Wrong {
                /// Tries left, 0 to 15.
                tries_left: u8,
            },
        }

        impl Refusal {
            /// Every refusal with a fixed status word, in order of precedence.
            pub const FIXED: &[Self] = &[$(Self::$name,)*];

            /// The status word (ISO 7816-4 §5.6; 94xx are Kozeni's own).
            #[must_use]
            pub const fn status_word(self) -> u16 {
                match self {
                    $(Self::$name => $word,)*
                    Self::Wrong { tries_left } => {
                        u16::from_be_bytes([0x63, 0xc0 | (tries_left & 15)])
                    }
                }
            }

            /// The refusal that a status word stands for; `None` for 9000 and unknown words.
            #[must_use]
            pub const fn from_status_word(word: u16) -> Option<Self> {
                match word {
                    $($word => Some(Self::$name),)*
                    0x63c0..=0x63cf => Some(Self::Wrong { tries_left: word.to_be_bytes()[1] & 15 }),
                    _ => None,
                }
            }

            /// A sentence for people.
            #[must_use]
            pub const fn text(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                    Self::Wrong { .. } => "wrong PIN or PUK",
                }
            }
        }
    };
}

refusals! {
    /// The chip's memory or entropy failed; the card stays blocked until the next power-up.
    MemoryFailure = 0x6581, "the card's memory failed";
    /// Class byte other than 00 or 80.
    ClassNotSupported = 0x6e00, "class not supported";
    /// Instruction unknown in this class.
    InstructionNotSupported = 0x6d00, "instruction not supported";
    /// P1 or P2 not defined for this instruction.
    WrongParameters = 0x6a86, "P1 or P2 not defined for this instruction";
    /// Not a short APDU, or Lc or Le is not what the command needs.
    WrongLength = 0x6700, "wrong length";
    /// SELECT named another application.
    NotFound = 0x6a82, "application not found";
    /// The applet is not selected, or the life cycle does not allow the command.
    ConditionsNotSatisfied = 0x6985, "not allowed in the card's present state";
    /// The data field is malformed or outside its range.
    IncorrectData = 0x6a80, "malformed data";
    /// The PIN or PUK has no tries left.
    PinBlocked = 0x6983, "PIN or PUK blocked";
    /// No such record, or nothing stored at this offset.
    RecordNotFound = 0x6a83, "no such record";
    /// The card holds no payment server's certificate yet.
    NoPaymentKey = 0x9401, "no payment server certificate on the card";
    /// The signature, or the key that made it, is not the expected one.
    BadSignature = 0x9402, "signature not valid under the expected key";
    /// The compact certificate names another issuer.
    WrongIssuer = 0x9403, "certificate of another issuer";
    /// The compact certificate's generation is 0, lower than the stored one, or the same with
    /// another key.
    OldGeneration = 0x9404, "payment server key of an older generation";
    /// The record names another card.
    WrongCard = 0x9405, "made for another card";
    /// Another currency than the card's.
    WrongCurrency = 0x9406, "another currency";
    /// An amount of zero.
    ZeroAmount = 0x9407, "amount is zero";
    /// The sequence or slot is not the next one.
    WrongSequence = 0x9408, "not the card's next sequence";
    /// The epoch is lower than one seen before.
    OldEpoch = 0x9409, "epoch lower than one seen before";
    /// An acknowledgement above the card's own sequence.
    AckTooHigh = 0x940a, "acknowledges what the card never did";
    /// The limits version is not the stored one plus one.
    WrongLimitsVersion = 0x940b, "not the next version of the limits";
    /// A sequence has reached its maximum; the card can only be closed.
    SequenceExhausted = 0x940c, "sequence exhausted";
    /// Above the highest amount of one debit.
    OverDebitMax = 0x940d, "above the card's limit for one debit";
    /// The balance does not suffice.
    InsufficientBalance = 0x940e, "balance too low";
    /// The balance would pass its limit, or overflow.
    OverBalanceMax = 0x940f, "balance would pass its limit";
    /// Four records wait for acknowledgement.
    JournalFull = 0x9410, "journal full: deliver its records first";
    /// The card still has value.
    NotEmpty = 0x9411, "card is not empty";
    /// The PIN must be verified immediately before.
    PinNeeded = 0x6982, "PIN needed";
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({:04X})", self.text(), self.status_word())?;
        if let Self::Wrong { tries_left } = self {
            write!(f, ", {tries_left} tries left")?;
        }
        Ok(())
    }
}

impl core::error::Error for Refusal {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_word_survives_a_round_trip_or_is_unknown() {
        let mut known = 0;
        for word in 0..=u16::MAX {
            if let Some(refusal) = Refusal::from_status_word(word) {
                assert_eq!(refusal.status_word(), word);
                known += 1;
            }
        }
        assert_eq!(known, Refusal::FIXED.len() + 16);
        assert_eq!(Refusal::from_status_word(0x9000), None);
    }
}
