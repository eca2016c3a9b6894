//! What a story knows at a moment: its variables, what was made, what the card has signed.

use std::collections::{BTreeMap, BTreeSet};

use apdu_spec::AID;
use apdu_spec::cose::Sign1;
use apdu_spec::record::{CreditToken, LimitsRecord, Permit, Record};
use apdu_spec::value::{Hash, PublicKey, Signature};

use super::bytes::{Bytes, Variables};
use crate::keys::{TestKey, has_low_s, key_id, sha256, verifies};

/// Something that was made, to be looked up by name.
#[derive(Clone, Copy)]
pub(super) enum Made {
    Permit(Permit),
    Token(CreditToken),
    Limits(LimitsRecord),
}

pub(super) struct Scene {
    pub(super) variables: Variables,
    pub(super) made: BTreeMap<String, Made>,
    pub(super) signatures: BTreeMap<String, Signature>,
    /// Head of the chain over all journal records that were checked.
    pub(super) journal_head: Hash,
    booked: BTreeSet<Hash>,
}

impl Scene {
    pub(super) fn new() -> Self {
        let key = |name| TestKey::named(name).public().0.to_vec();
        let variables = [
            ("aid", AID.to_vec()),
            ("card", b"CARD0001".to_vec()),
            ("issuer", b"ISSUER01".to_vec()),
            ("shop", b"SHOP0001".to_vec()),
            ("root", key("root")),
            ("payment", key("payment")),
            ("payment2", key("payment2")),
            ("stranger", key("stranger")),
        ];
        Self {
            variables: variables
                .into_iter()
                .map(|(name, bytes)| (name.to_owned(), bytes))
                .collect(),
            made: BTreeMap::new(),
            signatures: BTreeMap::new(),
            journal_head: Hash([0; 32]),
            booked: BTreeSet::new(),
        }
    }

    pub(super) fn array<const N: usize>(&self, name: &str) -> Result<[u8; N], String> {
        let bytes = self.variables.get(name);
        let bytes = bytes.ok_or_else(|| format!("nothing is called {name} yet"))?;
        let length = bytes.len();
        let array = bytes.as_slice().try_into();
        array.map_err(|_| format!("{name} has {length} bytes, not {N}"))
    }

    pub(super) fn permit(&self, name: &str) -> Result<Permit, String> {
        match self.made.get(name) {
            Some(Made::Permit(permit)) => Ok(*permit),
            Some(Made::Token(_) | Made::Limits(_)) | None => Err(format!("no permit {name}")),
        }
    }

    pub(super) fn token(&self, name: &str) -> Result<CreditToken, String> {
        match self.made.get(name) {
            Some(Made::Token(token)) => Ok(*token),
            Some(Made::Permit(_) | Made::Limits(_)) | None => Err(format!("no token {name}")),
        }
    }

    pub(super) fn limits(&self, name: &str) -> Result<LimitsRecord, String> {
        match self.made.get(name) {
            Some(Made::Limits(limits)) => Ok(*limits),
            Some(Made::Permit(_) | Made::Token(_)) | None => Err(format!("no limits {name}")),
        }
    }

    /// Rebuilds a record that the card signed and verifies the signature with `{card_key}`.
    pub(super) fn signed_by_card<R: Record>(
        &self,
        record: &R,
        signature: Signature,
    ) -> Result<Vec<u8>, String> {
        let key = PublicKey(self.array("card_key")?);
        let payload = record.encode().map_err(|error| error.to_string())?;
        let sign1 = Sign1 { kid: key_id(&key), payload: payload.as_bytes(), signature };
        if !verifies(&key, &sign1) {
            let name = R::NAME;
            return Err(format!("the signature is not the card's over this {name}"));
        }
        if !has_low_s(&signature) {
            return Err("the card's signature has s above n/2".to_owned());
        }
        let bytes = sign1.write().map_err(|error| error.to_string())?;
        Ok(bytes.as_bytes().to_vec())
    }

    /// Adds a journal record to the chain, unless it is there already.
    pub(super) fn book(&mut self, record: &[u8]) -> Result<(), String> {
        let sign1 = Sign1::read(record).map_err(|error| error.to_string())?;
        let structure = sign1.sig_structure().map_err(|error| error.to_string())?;
        let hash = sha256(structure.as_bytes());
        if self.booked.insert(hash) {
            self.journal_head = sha256(&[self.journal_head.0, hash.0].concat());
        }
        Ok(())
    }
}

/// The arguments of a directive; each is taken once, and none may be left.
pub(super) struct Arguments {
    left: Vec<(String, String)>,
    variables: Variables,
}

impl Arguments {
    pub(super) fn new(arguments: &[(String, String)], scene: &Scene) -> Self {
        Self { left: arguments.to_vec(), variables: scene.variables.clone() }
    }

    pub(super) fn text(&mut self, key: &str) -> Option<String> {
        let place = self.left.iter().position(|(name, _)| name == key)?;
        Some(self.left.remove(place).1)
    }

    pub(super) fn number<T: TryFrom<u64>>(&mut self, key: &str, default: T) -> Result<T, String> {
        let Some(text) = self.text(key) else {
            return Ok(default);
        };
        let number: Option<u64> = text.parse().ok();
        number
            .and_then(|number| T::try_from(number).ok())
            .ok_or_else(|| format!("{key}={text} is not a number that fits"))
    }

    pub(super) fn bytes(&mut self, key: &str) -> Result<Option<Vec<u8>>, String> {
        let text = self.text(key);
        text.map(|text| Bytes::parse(&text)?.fill_in(&self.variables)).transpose()
    }

    pub(super) fn array<const N: usize>(
        &mut self,
        key: &str,
        default: [u8; N],
    ) -> Result<[u8; N], String> {
        let Some(bytes) = self.bytes(key)? else {
            return Ok(default);
        };
        let length = bytes.len();
        let array = bytes.try_into();
        array.map_err(|_| format!("{key} has {length} bytes, not {N}"))
    }

    pub(super) fn finish(self) -> Result<(), String> {
        match self.left.first() {
            Some((key, _)) => Err(format!("{key}= has no meaning here")),
            None => Ok(()),
        }
    }
}
