//! For tests: a transport that plays a script, and a key that signs as a card would.

use std::collections::VecDeque;
use std::thread;

use apdu_spec::Refusal;
use apdu_spec::answer::{Fci, Issued, PublicKeyObject};
use apdu_spec::command::Command;
use apdu_spec::cose::{Sign1, sig_structure};
use apdu_spec::record::Record;
use apdu_spec::value::{
    CardId, Currency, Generation, IssuerId, LifeCycle, Pin, PublicKey, Signature,
};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use firmware_bridge::{Disposition, Transport, TransportError};

use crate::signed::{CardIdentity, is_low_s};

pub(crate) const CARD: CardId = CardId([0xc1; 8]);
pub(crate) const ISSUER: IssuerId = IssuerId([0x15; 8]);
pub(crate) const YEN: Currency = Currency(392);

pub(crate) fn pin() -> Pin {
    Pin::from_digits("1234").unwrap()
}

/// Data and 9000.
pub(crate) fn ok(data: impl AsRef<[u8]>) -> Vec<u8> {
    [data.as_ref(), &[0x90, 0x00]].concat()
}

pub(crate) fn refused(refusal: Refusal) -> Vec<u8> {
    refusal.status_word().to_be_bytes().to_vec()
}

pub(crate) fn fci() -> Fci {
    Fci {
        life_cycle: LifeCycle::Active,
        issued: Some(Issued { issuer: ISSUER, currency: YEN, generation: Generation(1) }),
    }
}

enum Step {
    Begin(Result<(), TransportError>),
    Exchange(Vec<u8>, Result<Vec<u8>, TransportError>),
    End(Disposition, Result<(), TransportError>),
}

/// What must happen, in this order, and nothing else.
#[derive(Default)]
pub(crate) struct Scripted(VecDeque<Step>);

impl Scripted {
    pub(crate) fn begin(self) -> Self {
        self.begin_with(Ok(()))
    }

    pub(crate) fn begin_with(mut self, result: Result<(), TransportError>) -> Self {
        self.0.push_back(Step::Begin(result));
        self
    }

    pub(crate) fn send(self, command: &Command<'_>, answer: Vec<u8>) -> Self {
        self.send_with(command, Ok(answer))
    }

    pub(crate) fn send_with(
        mut self,
        command: &Command<'_>,
        answer: Result<Vec<u8>, TransportError>,
    ) -> Self {
        let command = command.encode().unwrap().as_bytes().to_vec();
        self.0.push_back(Step::Exchange(command, answer));
        self
    }

    pub(crate) fn leave(self) -> Self {
        self.end_with(Disposition::Leave, Ok(()))
    }

    pub(crate) fn reset(self) -> Self {
        self.end_with(Disposition::Reset, Ok(()))
    }

    pub(crate) fn end_with(
        mut self,
        disposition: Disposition,
        result: Result<(), TransportError>,
    ) -> Self {
        self.0.push_back(Step::End(disposition, result));
        self
    }

    /// Begin and SELECT with FCI.
    pub(crate) fn greeting(self) -> Self {
        let answer = ok(fci().encode().unwrap());
        self.begin().send(&Command::Select { fci: true }, answer)
    }

    /// Begin and SELECT without FCI.
    pub(crate) fn again(self) -> Self {
        self.begin().send(&Command::Select { fci: false }, ok([]))
    }
}

impl Transport for Scripted {
    fn begin(&mut self) -> Result<(), TransportError> {
        match self.0.pop_front() {
            Some(Step::Begin(result)) => result,
            _ => panic!("unexpected begin"),
        }
    }

    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, TransportError> {
        match self.0.pop_front() {
            Some(Step::Exchange(expected, answer)) => {
                assert_eq!(command, expected, "{command:02x?}");
                answer
            }
            _ => panic!("unexpected command {command:02x?}"),
        }
    }

    fn end(&mut self, disposition: Disposition) -> Result<(), TransportError> {
        match self.0.pop_front() {
            Some(Step::End(expected, result)) => {
                assert_eq!(disposition, expected);
                result
            }
            _ => panic!("unexpected end"),
        }
    }

    fn describe(&self) -> String {
        "script".to_owned()
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        if !thread::panicking() {
            assert_eq!(self.0.len(), 0, "steps of the script were not reached");
        }
    }
}

/// A card's key.
pub(crate) struct CardKey(EcdsaKeyPair);

impl CardKey {
    pub(crate) fn new() -> Self {
        Self(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap())
    }

    pub(crate) fn public(&self) -> PublicKey {
        PublicKey(self.0.public_key().as_ref()[1..].try_into().unwrap())
    }

    pub(crate) fn object(&self) -> Vec<u8> {
        let object = PublicKeyObject(self.public()).encode().unwrap();
        object.as_bytes().to_vec()
    }

    pub(crate) fn identity(&self) -> CardIdentity {
        CardIdentity::new(CARD, ISSUER, self.public())
    }

    /// As a card signs: s ≤ n/2.
    pub(crate) fn sign(&self, record: &impl Record) -> Signature {
        self.sign_with(record, true)
    }

    /// As a card may not sign.
    pub(crate) fn sign_high(&self, record: &impl Record) -> Signature {
        self.sign_with(record, false)
    }

    fn sign_with(&self, record: &impl Record, low: bool) -> Signature {
        let payload = record.encode().unwrap();
        let message = sig_structure(self.identity().kid(), payload.as_bytes()).unwrap();
        loop {
            let signature = self.0.sign(&SystemRandom::new(), message.as_bytes());
            let signature = Signature(signature.unwrap().as_ref().try_into().unwrap());
            if is_low_s(&signature) == low {
                return signature;
            }
        }
    }

    /// The whole COSE_Sign1.
    pub(crate) fn sign1(&self, record: &impl Record) -> Vec<u8> {
        let payload = record.encode().unwrap();
        let sign1 = Sign1 {
            kid: self.identity().kid(),
            payload: payload.as_bytes(),
            signature: self.sign(record),
        };
        sign1.write().unwrap().as_bytes().to_vec()
    }
}
