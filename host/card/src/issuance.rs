//! The beginning and the end of a card: personalisation, key, certificates, limits, termination.

use apdu_spec::codec::CodecError;
use apdu_spec::command::{Command, Personalisation};
use apdu_spec::record::Enrolment;
use apdu_spec::value::{Nonce, Pin, PublicKey};
use apdu_spec::{CERTIFICATE_MAX, PIECE_MAX};
use firmware_bridge::Transport;

use crate::client::Card;
use crate::error::CardError;
use crate::presentation::read_key;
use crate::purse::sign;
use crate::signed::{self, Signed};

impl<T: Transport> Card<T> {
    /// Gives a blank card its identity, first limits, PIN and PUK.
    ///
    /// # Errors
    /// Any [`CardError`].
    pub fn personalise(&mut self, personalisation: &Personalisation) -> Result<(), CardError> {
        self.forget();
        self.operation(|session| session.tell(&Command::Personalise(personalisation.clone())))
    }

    /// Makes the card's key, once. [`present`](Self::present) works from here on.
    ///
    /// # Errors
    /// Any [`CardError`].
    pub fn generate_key(&mut self) -> Result<PublicKey, CardError> {
        self.operation(|session| read_key(session, &Command::GenerateKey))
    }

    /// The card's public key, not proven to be its own.
    ///
    /// # Errors
    /// Any [`CardError`].
    pub fn public_key(&mut self) -> Result<PublicKey, CardError> {
        self.operation(|session| read_key(session, &Command::ReadKey))
    }

    /// The card's proof for the certificate authority that it holds the private key.
    ///
    /// # Errors
    /// Any [`CardError`].
    pub fn enrol(&mut self, nonce: Nonce) -> Result<Signed<Enrolment>, CardError> {
        self.signed_operation(|session, identity| {
            let signature = sign(session, &Command::SignEnrolment { nonce })?;
            let record = Enrolment {
                card: identity.card(),
                nonce,
                public_key: identity.key(),
                issuer: identity.issuer(),
            };
            Signed::rebuild(record, signature, identity)
        })
    }

    /// Writes the certificate file in pieces of 200 bytes and makes it valid. The PIN, where the
    /// card wants one, is verified immediately before that last step.
    ///
    /// # Errors
    /// Any [`CardError`]; [`CardError::Unsendable`] for an empty file or one of more than
    /// [`CERTIFICATE_MAX`] bytes. The file that was valid before stays so then.
    pub fn install_certificate(
        &mut self,
        chain: &[u8],
        pin: Option<&Pin>,
    ) -> Result<(), CardError> {
        let length = match u16::try_from(chain.len()) {
            Ok(length @ 1..) if chain.len() <= CERTIFICATE_MAX => length,
            Ok(_) | Err(_) => return Err(CardError::Unsendable(CodecError::Range)),
        };
        self.operation(|session| {
            for (offset, piece) in (0..length).step_by(PIECE_MAX).zip(chain.chunks(PIECE_MAX)) {
                session.tell(&Command::UpdateBinary { offset, piece })?;
            }
            session.verify(pin)?;
            session.tell(&Command::CommitCertificate { length, hash: signed::hash(chain) })
        })
    }

    /// Gives the card the payment server's compact certificate, a COSE_Sign1.
    ///
    /// # Errors
    /// Any [`CardError`].
    pub fn install_payment_certificate(&mut self, sign1: &[u8]) -> Result<(), CardError> {
        self.operation(|session| session.tell(&Command::PutPaymentCertificate(sign1)))
    }

    /// Gives the card a limits record signed by the payment server, a COSE_Sign1.
    ///
    /// # Errors
    /// Any [`CardError`].
    pub fn put_limits(&mut self, sign1: &[u8]) -> Result<(), CardError> {
        self.operation(|session| session.tell(&Command::PutLimits(sign1)))
    }

    /// Ends the life of an empty card.
    ///
    /// # Errors
    /// Any [`CardError`].
    pub fn terminate(&mut self, pin: &Pin) -> Result<(), CardError> {
        self.operation(|session| {
            session.verify(Some(pin))?;
            session.tell(&Command::Terminate)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scripted::{CARD, CardKey, ISSUER, Scripted, YEN, ok, pin, refused};
    use apdu_spec::Refusal;
    use apdu_spec::value::{Amount, Limits, OrderPin};

    #[test]
    fn a_card_is_born() {
        let key = CardKey::new();
        let personalisation = Personalisation {
            card: CARD,
            issuer: ISSUER,
            card_root: CardKey::new().public(),
            currency: YEN,
            limits: Limits {
                balance_max: Amount(50_000),
                debit_max: Amount(20_000),
                pin_floor: Amount(1_000),
                pin_free_max: Amount(5_000),
                order_pin: OrderPin::Never,
            },
            pin: pin(),
            puk: pin(),
        };
        let nonce = Nonce([3; 16]);
        let enrolment = Enrolment { card: CARD, nonce, public_key: key.public(), issuer: ISSUER };
        let script = Scripted::default()
            .greeting()
            .send(&Command::Personalise(personalisation.clone()), ok([]))
            .leave()
            .again()
            .send(&Command::GenerateKey, ok(key.object()))
            .leave()
            .again()
            .send(&Command::SignEnrolment { nonce }, ok(key.sign(&enrolment)))
            .leave();
        let mut card = Card::new(script);
        card.personalise(&personalisation).unwrap();
        assert_eq!(card.generate_key(), Ok(key.public()));
        card.recall(key.identity());
        assert_eq!(*card.enrol(nonce).unwrap().record(), enrolment);
    }

    #[test]
    fn a_key_that_is_no_point_is_not_taken() {
        let mut object = CardKey::new().object();
        object[69] ^= 1;
        let answers = |command| {
            let script = Scripted::default().greeting();
            Card::new(script.send(&command, ok(&object)).leave())
        };
        let made = answers(Command::GenerateKey).generate_key();
        let read = answers(Command::ReadKey).public_key();
        for key in [made, read] {
            assert!(matches!(key, Err(CardError::Garbled(_))), "{key:?}");
        }
    }

    #[test]
    fn a_certificate_is_written_in_pieces_and_committed_under_its_hash() {
        for (length, pieces) in [(1, 1), (200, 1), (201, 2), (2_200, 11)] {
            let chain = vec![0x30; length];
            for with_pin in [false, true] {
                let mut script = Scripted::default().greeting();
                for (offset, piece) in (0..).step_by(200).zip(chain.chunks(200)).take(pieces) {
                    script = script.send(&Command::UpdateBinary { offset, piece }, ok([]));
                }
                if with_pin {
                    script = script.send(&Command::Verify(pin()), ok([]));
                }
                let commit = Command::CommitCertificate {
                    length: u16::try_from(length).unwrap(),
                    hash: signed::hash(&chain),
                };
                script = script.send(&commit, ok([]));
                let script = if with_pin { script.reset() } else { script.leave() };
                let pin = with_pin.then(pin);
                let written = Card::new(script).install_certificate(&chain, pin.as_ref());
                assert_eq!(written, Ok(()), "{length}");
            }
        }
    }

    #[test]
    fn a_certificate_that_does_not_fit_is_not_begun() {
        for length in [0, 2_201, 70_000] {
            let mut card = Card::new(Scripted::default());
            let written = card.install_certificate(&vec![0; length], None);
            assert_eq!(written, Err(CardError::Unsendable(CodecError::Range)), "{length}");
        }
    }

    #[test]
    fn a_piece_that_is_refused_ends_the_writing() {
        let (offset, piece) = (0, &[1; 200][..]);
        let script = Scripted::default()
            .greeting()
            .send(&Command::UpdateBinary { offset, piece }, refused(Refusal::MemoryFailure))
            .leave();
        let written = Card::new(script).install_certificate(&[1; 500], Some(&pin()));
        assert_eq!(written, Err(CardError::Refused(Refusal::MemoryFailure)));
    }
}
