//! PIN and PUK with their try counters, in a cell of their own that is written in turn into two
//! slots. A try is counted durably *before* the comparison, so that cutting the power during it
//! gains nothing.

use apdu_spec::codec::{CodecError, Reader};
use apdu_spec::value::{LifeCycle, Pin};
use apdu_spec::{PIN_TRIES, PUK_TRIES, Refusal};
use subtle::ConstantTimeEq;

use crate::applet::Stop;
use crate::env::{Cell, Env, Fault};
use crate::state::State;
use crate::store::{self, Content};

/// The PIN cell.
#[derive(Clone, Debug)]
pub(crate) struct PinCell {
    write: u64,
    pin: Pin,
    puk: Pin,
    pub(crate) pin_tries: u8,
    pub(crate) puk_tries: u8,
}

impl PinCell {
    const SIZE: usize = 8 + 2 * Pin::SIZE + 2;

    /// Writes the first PIN cell of a card.
    pub(crate) fn create(env: &mut impl Env, pin: Pin, puk: Pin) -> Result<(), Fault> {
        Self { write: 1, pin, puk, pin_tries: PIN_TRIES, puk_tries: PUK_TRIES }.store(env)
    }

    /// Reads the newest whole cell.
    pub(crate) fn load(env: &mut impl Env) -> Result<Self, Fault> {
        let mut newest: Option<Self> = None;
        for slot in [0, 1] {
            let bytes = store::read::<{ Self::SIZE }>(env, Cell::Pin(slot))?;
            let Some(cell) = bytes.and_then(|bytes| Self::decode(bytes.as_slice()).ok()) else {
                continue;
            };
            if newest.as_ref().is_none_or(|newest| cell.write > newest.write) {
                newest = Some(cell);
            }
        }
        newest.ok_or(Fault)
    }

    fn decode(bytes: &[u8]) -> Result<Self, CodecError> {
        let mut from = Reader::new(bytes);
        Ok(Self {
            write: from.u64()?,
            pin: Pin::from_block(from.array()?)?,
            puk: Pin::from_block(from.array()?)?,
            pin_tries: from.u8()?,
            puk_tries: from.u8()?,
        })
    }

    fn update(&mut self, env: &mut impl Env) -> Result<(), Fault> {
        self.write = self.write.checked_add(1).ok_or(Fault)?;
        self.store(env)
    }

    fn store(&self, env: &mut impl Env) -> Result<(), Fault> {
        let mut out = Content::new();
        out.extend(&self.write.to_be_bytes())?;
        out.extend(self.pin.block())?;
        out.extend(self.puk.block())?;
        out.extend(&[self.pin_tries, self.puk_tries])?;
        let slot = if self.write.is_multiple_of(2) { 0 } else { 1 };
        let written = store::write(env, Cell::Pin(slot), out.as_bytes());
        out.clear();
        written
    }
}

/// VERIFY: counts the try, compares, and gives the tries back when the PIN is right. Where `new`
/// is given (CHANGE REFERENCE DATA) it becomes the PIN in the same write.
pub(crate) fn verify(env: &mut impl Env, given: &Pin, new: Option<&Pin>) -> Result<(), Stop> {
    let mut cell = PinCell::load(env)?;
    cell.pin_tries = cell.pin_tries.checked_sub(1).ok_or(Refusal::PinBlocked)?;
    cell.update(env)?;
    if !is_same(given, &cell.pin) {
        return Err(Refusal::Wrong { tries_left: cell.pin_tries }.into());
    }
    cell.pin_tries = PIN_TRIES;
    if let Some(new) = new {
        cell.pin = new.clone();
    }
    Ok(cell.update(env)?)
}

/// RESET RETRY COUNTER: a new PIN and fresh tries against the PUK, whose own tries never grow.
/// The last wrong PUK blocks the card for good.
pub(crate) fn unblock(
    env: &mut impl Env,
    state: &mut State,
    puk: &Pin,
    new: &Pin,
) -> Result<(), Stop> {
    let mut cell = PinCell::load(env)?;
    let before = cell.puk_tries;
    cell.puk_tries = before.checked_sub(1).ok_or(Refusal::PinBlocked)?;
    cell.update(env)?;
    if !is_same(puk, &cell.puk) {
        if cell.puk_tries == 0 {
            let mut next = state.header.clone();
            next.life_cycle = LifeCycle::Blocked;
            state.commit(env, next)?;
        }
        return Err(Refusal::Wrong { tries_left: cell.puk_tries }.into());
    }
    cell.puk_tries = before;
    cell.pin_tries = PIN_TRIES;
    cell.pin = new.clone();
    Ok(cell.update(env)?)
}

fn is_same(one: &Pin, other: &Pin) -> bool {
    one.block().ct_eq(other.block()).into()
}
