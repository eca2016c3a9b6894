//! Signing typed records (Invariant T): the host chooses fields, the card builds the whole
//! `Sig_structure` from type, card ID and its own next sequence.

use apdu_spec::Refusal;
use apdu_spec::answer::Numbered;
use apdu_spec::command::{CreditFields, DebitFields, OrderFields};
use apdu_spec::cose::{self, Sign1, Sign1Bytes};
use apdu_spec::record::{CreditRequest, DebitRequest, Enrolment, Order, Record};
use apdu_spec::value::{Amount, Currency, Hash, Nonce, OrderPin, Signature};

use crate::applet::Stop;
use crate::crypto;
use crate::env::{Env, Fault};
use crate::state::{self, Identity, NamedKey, State};

/// A record that the card has signed.
pub(crate) struct Signed {
    pub(crate) bytes: Sign1Bytes,
    pub(crate) signature: Signature,
    pub(crate) hash: Hash,
}

impl State {
    /// Identity and key of a card that can sign.
    pub(crate) fn signer(&self) -> Result<(&Identity, NamedKey), Stop> {
        match (&self.identity, self.own_key) {
            (Some(identity), Some(key)) => Ok((identity, key)),
            _ => Err(Refusal::ConditionsNotSatisfied.into()),
        }
    }

    /// Signs a record with the card's key.
    pub(crate) fn sign<R: Record>(&self, env: &mut impl Env, record: &R) -> Result<Signed, Stop> {
        let (_, key) = self.signer()?;
        let payload = record.encode().map_err(Fault::from)?;
        let structure = cose::sig_structure(key.kid, payload.as_bytes()).map_err(Fault::from)?;
        let hash = crypto::hash(&[structure.as_bytes()]);
        let (private, _) = state::read_key_pair(env)?;
        let signature = crypto::sign(env, &private, &key.key, hash)?;
        let sign1 = Sign1 { kid: key.kid, payload: payload.as_bytes(), signature };
        Ok(Signed { bytes: sign1.write().map_err(Fault::from)?, signature, hash })
    }

    /// Checks what every amount that the host names must satisfy.
    pub(crate) fn check_amount(&self, amount: Amount, currency: Currency) -> Result<(), Stop> {
        let (identity, _) = self.signer()?;
        if currency != identity.currency {
            return Err(Refusal::WrongCurrency.into());
        }
        if amount == Amount(0) {
            return Err(Refusal::ZeroAmount.into());
        }
        Ok(())
    }
}

/// SIGN ENROLMENT: shows that the card holds the key that the CA shall certify.
pub(crate) fn enrolment(
    env: &mut impl Env,
    state: &State,
    nonce: Nonce,
) -> Result<Signature, Stop> {
    let (identity, key) = state.signer()?;
    let record =
        Enrolment { card: identity.card, nonce, public_key: key.key, issuer: identity.issuer };
    state.sign(env, &record).map(|signed| signed.signature)
}

/// SIGN ORDER (message 130).
pub(crate) fn order(
    env: &mut impl Env,
    state: &State,
    fields: &OrderFields,
    pin_verified: bool,
) -> Result<Signature, Stop> {
    let (identity, _) = state.signer()?;
    state.check_amount(fields.amount, fields.currency)?;
    let limits = &state.header.limits;
    let needs_pin = match limits.order_pin {
        OrderPin::Never => false,
        OrderPin::OverFloor => fields.amount > limits.pin_floor,
        OrderPin::Always => true,
    };
    if needs_pin && !pin_verified {
        return Err(Refusal::PinNeeded.into());
    }
    let record = Order {
        card: identity.card,
        shop: fields.shop,
        amount: fields.amount,
        currency: fields.currency,
        request: fields.request,
        request_hash: fields.request_hash,
    };
    state.sign(env, &record).map(|signed| signed.signature)
}

/// SIGN REQUEST (D1): repeat freely, nothing is stored.
pub(crate) fn debit_request(
    env: &mut impl Env,
    state: &State,
    fields: &DebitFields,
) -> Result<Numbered, Stop> {
    let (identity, _) = state.signer()?;
    let header = &state.header;
    state.check_amount(fields.amount, fields.currency)?;
    let debit_seq = header.debit_seq.next().ok_or(Refusal::SequenceExhausted)?;
    if fields.amount > header.limits.debit_max {
        return Err(Refusal::OverDebitMax.into());
    }
    if fields.amount > header.balance {
        return Err(Refusal::InsufficientBalance.into());
    }
    let record = DebitRequest {
        card: identity.card,
        debit_seq,
        invoice_hash: fields.invoice_hash,
        shop: fields.shop,
        amount: fields.amount,
        currency: fields.currency,
    };
    let signature = state.sign(env, &record)?.signature;
    Ok(Numbered { sequence: debit_seq, signature })
}

/// SIGN CREDIT REQUEST (C1): refuses what would pass the balance limit; nothing is stored.
pub(crate) fn credit_request(
    env: &mut impl Env,
    state: &State,
    fields: &CreditFields,
) -> Result<Numbered, Stop> {
    let (identity, _) = state.signer()?;
    let header = &state.header;
    state.check_amount(fields.amount, fields.currency)?;
    let slot = header.credit_seq.next().ok_or(Refusal::SequenceExhausted)?;
    match header.balance.checked_add(fields.amount) {
        Some(sum) if sum <= header.limits.balance_max => {}
        Some(_) | None => return Err(Refusal::OverBalanceMax.into()),
    }
    let record = CreditRequest {
        card: identity.card,
        slot,
        authority_hash: fields.authority_hash,
        amount: fields.amount,
        currency: fields.currency,
        purpose: fields.purpose,
    };
    let signature = state.sign(env, &record)?.signature;
    Ok(Numbered { sequence: slot, signature })
}
