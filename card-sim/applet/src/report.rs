//! What the card tells about itself.

use apdu_spec::Refusal;
use apdu_spec::answer::{Balance, Fci, LimitsAnswer, PublicKeyObject, StatusAnswer};
use apdu_spec::record::Status;
use apdu_spec::value::{LifeCycle, Nonce};

use crate::applet::Stop;
use crate::env::Env;
use crate::pin::PinCell;
use crate::state::State;

/// FCI of a card whose memory can be read, or `None` for one whose memory cannot.
pub(crate) fn fci(state: Option<&State>) -> Fci {
    match state {
        Some(state) => Fci { life_cycle: state.header.life_cycle, issued: state.issued() },
        None => Fci { life_cycle: LifeCycle::Blocked, issued: None },
    }
}

/// GET STATUS: signed over the asking party's nonce.
pub(crate) fn status(
    env: &mut impl Env,
    state: &State,
    nonce: Nonce,
) -> Result<StatusAnswer, Stop> {
    let (identity, _) = state.signer()?;
    let header = &state.header;
    let record = Status {
        card: identity.card,
        debit_seq: header.debit_seq,
        credit_seq: header.credit_seq,
        currency: identity.currency,
        epoch: header.epoch,
        nonce,
        balance: header.balance,
        journal_head: header.journal_head,
    };
    let signature = state.sign(env, &record)?.signature;
    let pin = PinCell::load(env)?;
    Ok(StatusAnswer {
        life_cycle: header.life_cycle,
        pin_tries: pin.pin_tries,
        puk_tries: pin.puk_tries,
        generation: header.generation,
        limits_version: header.limits_version,
        ack_debit: header.ack_debit,
        ack_credit: header.ack_credit,
        pin_free_spent: header.pin_free_spent,
        card: identity.card,
        balance: header.balance,
        currency: identity.currency,
        debit_seq: header.debit_seq,
        credit_seq: header.credit_seq,
        epoch: header.epoch,
        journal_head: header.journal_head,
        signature,
    })
}

/// GET BALANCE.
pub(crate) fn balance(state: &State) -> Result<Balance, Stop> {
    let identity = state.identity.as_ref().ok_or(Refusal::ConditionsNotSatisfied)?;
    Ok(Balance { balance: state.header.balance, currency: identity.currency })
}

/// GET DATA (limits).
pub(crate) fn limits(state: &State) -> LimitsAnswer {
    LimitsAnswer { version: state.header.limits_version, limits: state.header.limits }
}

/// READ PUBLIC KEY.
pub(crate) fn public_key(state: &State) -> Result<PublicKeyObject, Stop> {
    let key = state.own_key.ok_or(Refusal::ConditionsNotSatisfied)?;
    Ok(PublicKeyObject(key.key))
}
