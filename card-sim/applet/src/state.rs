//! What the card knows: the header record, which is the commit point of every step, and the facts
//! that are written once.

use apdu_spec::answer::Issued;
use apdu_spec::codec::{CodecError, Reader};
use apdu_spec::value::{
    Amount, CardId, Currency, Epoch, Generation, Hash, IssuerId, KeyId, LifeCycle, Limits,
    LimitsVersion, OrderPin, PublicKey, Sequence,
};

use crate::crypto::{self, PrivateKey};
use crate::env::{Cell, Env, Fault};
use crate::store::{self, Content};

/// Version of the stored form; another one is unreadable, never "new".
const FORMAT: u16 = 1;

/// The header record. The valid one with the highest `commit` of the two slots counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) commit: u64,
    pub(crate) life_cycle: LifeCycle,
    pub(crate) has_key: bool,
    pub(crate) balance: Amount,
    pub(crate) debit_seq: Sequence,
    pub(crate) credit_seq: Sequence,
    pub(crate) ack_debit: Sequence,
    pub(crate) ack_credit: Sequence,
    pub(crate) epoch: Epoch,
    pub(crate) generation: Generation,
    pub(crate) limits_version: LimitsVersion,
    pub(crate) limits: Limits,
    pub(crate) pin_free_spent: Amount,
    pub(crate) journal_head: Hash,
    pub(crate) certificate_area: u8,
    pub(crate) certificate_length: u16,
}

impl Header {
    const SIZE: usize = 2 + 8 + 1 + 1 + 8 + 4 * 4 + 8 + 4 + 4 + Limits::SIZE + 8 + 32 + 1 + 2;

    /// The first header of a chip.
    pub(crate) const BLANK: Self = Self {
        commit: 1,
        life_cycle: LifeCycle::Blank,
        has_key: false,
        balance: Amount(0),
        debit_seq: Sequence(0),
        credit_seq: Sequence(0),
        ack_debit: Sequence(0),
        ack_credit: Sequence(0),
        epoch: Epoch(0),
        generation: Generation(0),
        limits_version: LimitsVersion(0),
        limits: Limits {
            balance_max: Amount(0),
            debit_max: Amount(0),
            pin_floor: Amount(0),
            pin_free_max: Amount(0),
            order_pin: OrderPin::Never,
        },
        pin_free_spent: Amount(0),
        journal_head: Hash([0; 32]),
        certificate_area: 0,
        certificate_length: 0,
    };

    pub(crate) fn write(&self, env: &mut impl Env) -> Result<(), Fault> {
        let mut out = Content::new();
        out.extend(&FORMAT.to_be_bytes())?;
        out.extend(&self.commit.to_be_bytes())?;
        out.extend(&[self.life_cycle.number(), u8::from(self.has_key)])?;
        out.extend(&self.balance.0.to_be_bytes())?;
        for sequence in [self.debit_seq, self.credit_seq, self.ack_debit, self.ack_credit] {
            out.extend(&sequence.0.to_be_bytes())?;
        }
        out.extend(&self.epoch.0.to_be_bytes())?;
        out.extend(&self.generation.0.to_be_bytes())?;
        out.extend(&self.limits_version.0.to_be_bytes())?;
        self.limits.write(&mut out)?;
        out.extend(&self.pin_free_spent.0.to_be_bytes())?;
        out.extend(&self.journal_head.0)?;
        out.push(self.certificate_area)?;
        out.extend(&self.certificate_length.to_be_bytes())?;
        let slot = if self.commit.is_multiple_of(2) { 0 } else { 1 };
        store::write(env, Cell::Header(slot), out.as_bytes())
    }

    fn read_newest(env: &mut impl Env) -> Result<Self, Fault> {
        let mut newest: Option<Self> = None;
        for slot in [0, 1] {
            let bytes = store::read::<{ Self::SIZE }>(env, Cell::Header(slot))?;
            let Some(header) = bytes.and_then(|bytes| Self::decode(bytes.as_slice()).ok()) else {
                continue;
            };
            if newest.as_ref().is_none_or(|newest| header.commit > newest.commit) {
                newest = Some(header);
            }
        }
        newest.ok_or(Fault)
    }

    fn decode(bytes: &[u8]) -> Result<Self, CodecError> {
        let mut from = Reader::new(bytes);
        if from.u16()? != FORMAT {
            return Err(CodecError::Unexpected);
        }
        let header = Self {
            commit: from.u64()?,
            life_cycle: LifeCycle::from_number(from.u8()?)?,
            has_key: from.u8()? == 1,
            balance: Amount(from.u64()?),
            debit_seq: Sequence(from.u32()?),
            credit_seq: Sequence(from.u32()?),
            ack_debit: Sequence(from.u32()?),
            ack_credit: Sequence(from.u32()?),
            epoch: Epoch(from.u64()?),
            generation: Generation(from.u32()?),
            limits_version: LimitsVersion(from.u32()?),
            limits: Limits::read(&mut from)?,
            pin_free_spent: Amount(from.u64()?),
            journal_head: Hash(from.array()?),
            certificate_area: from.u8()?,
            certificate_length: from.u16()?,
        };
        from.end()?;
        Ok(header)
    }
}

/// What personalisation wrote.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) card: CardId,
    pub(crate) issuer: IssuerId,
    pub(crate) card_root: PublicKey,
    pub(crate) currency: Currency,
}

impl Identity {
    const SIZE: usize = 8 + 8 + 64 + 2;

    pub(crate) fn write(&self, env: &mut impl Env) -> Result<(), Fault> {
        let mut out = Content::new();
        out.extend(&self.card.0)?;
        out.extend(&self.issuer.0)?;
        out.extend(&self.card_root.0)?;
        out.extend(&self.currency.0.to_be_bytes())?;
        store::write(env, Cell::Identity, out.as_bytes())
    }

    fn read(env: &mut impl Env) -> Result<Self, Fault> {
        let bytes = store::read::<{ Self::SIZE }>(env, Cell::Identity)?.ok_or(Fault)?;
        let mut from = Reader::new(bytes.as_slice());
        Ok(Self {
            card: CardId(from.array()?),
            issuer: IssuerId(from.array()?),
            card_root: PublicKey(from.array()?),
            currency: Currency(from.u16()?),
        })
    }
}

/// A public key with its ID.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NamedKey {
    pub(crate) key: PublicKey,
    pub(crate) kid: KeyId,
}

impl NamedKey {
    pub(crate) fn new(key: PublicKey) -> Self {
        Self { key, kid: crypto::key_id(&key) }
    }
}

/// Everything read at power-up. Each part past the header exists from the step that made it.
#[derive(Clone, Debug)]
pub(crate) struct State {
    pub(crate) header: Header,
    pub(crate) identity: Option<Identity>,
    pub(crate) own_key: Option<NamedKey>,
    pub(crate) payment_key: Option<NamedKey>,
}

impl State {
    /// Reads the committed state; a fault when any part of it is not whole.
    pub(crate) fn load(env: &mut impl Env) -> Result<Self, Fault> {
        let header = Header::read_newest(env)?;
        let identity = match header.life_cycle {
            LifeCycle::Blank => None,
            LifeCycle::Personalised
            | LifeCycle::Active
            | LifeCycle::Blocked
            | LifeCycle::Terminated => Some(Identity::read(env)?),
        };
        let own_key = match header.has_key {
            false => None,
            true => Some(NamedKey::new(read_key_pair(env)?.1)),
        };
        let payment_key = match header.generation {
            Generation(0) => None,
            generation => Some(NamedKey::new(read_payment_key(env, generation)?)),
        };
        Ok(Self { header, identity, own_key, payment_key })
    }

    /// The commit point: writes the next header into the other slot, then takes it over.
    pub(crate) fn commit(&mut self, env: &mut impl Env, mut next: Header) -> Result<(), Fault> {
        next.commit = self.header.commit.checked_add(1).ok_or(Fault)?;
        next.write(env)?;
        self.header = next;
        Ok(())
    }

    pub(crate) fn issued(&self) -> Option<Issued> {
        self.identity.as_ref().map(|identity| Issued {
            issuer: identity.issuer,
            currency: identity.currency,
            generation: self.header.generation,
        })
    }
}

pub(crate) fn write_key_pair(
    env: &mut impl Env,
    private: &PrivateKey,
    public: &PublicKey,
) -> Result<(), Fault> {
    let mut out = Content::new();
    out.extend(private.as_slice())?;
    out.extend(&public.0)?;
    let written = store::write(env, Cell::PrivateKey, out.as_bytes());
    out.clear();
    written
}

pub(crate) fn read_key_pair(env: &mut impl Env) -> Result<(PrivateKey, PublicKey), Fault> {
    let bytes = store::read::<96>(env, Cell::PrivateKey)?.ok_or(Fault)?;
    let mut from = Reader::new(bytes.as_slice());
    Ok((PrivateKey::new(from.array()?), PublicKey(from.array()?)))
}

/// The payment key of a generation stands in a slot of its own, so that a torn write of the next
/// one leaves it whole.
pub(crate) fn write_payment_key(
    env: &mut impl Env,
    slot: u8,
    generation: Generation,
    key: &PublicKey,
) -> Result<(), Fault> {
    let mut out = Content::new();
    out.extend(&generation.0.to_be_bytes())?;
    out.extend(&key.0)?;
    store::write(env, Cell::PaymentKey(slot), out.as_bytes())
}

/// Slot in which a generation stands, if it stands in one.
pub(crate) fn payment_key_slot(
    env: &mut impl Env,
    generation: Generation,
) -> Result<Option<(u8, PublicKey)>, Fault> {
    for slot in [0, 1] {
        let Some(bytes) = store::read::<68>(env, Cell::PaymentKey(slot))? else {
            continue;
        };
        let mut from = Reader::new(bytes.as_slice());
        if Generation(from.u32()?) == generation {
            return Ok(Some((slot, PublicKey(from.array()?))));
        }
    }
    Ok(None)
}

fn read_payment_key(env: &mut impl Env, generation: Generation) -> Result<PublicKey, Fault> {
    payment_key_slot(env, generation)?.map(|(_, key)| key).ok_or(Fault)
}
