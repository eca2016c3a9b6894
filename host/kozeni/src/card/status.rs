//! `kozeni card status`: no card, an unknown card, or ours and how it stands.

use std::fmt;

use ::card::{CardError, Presence, Presented};
use apdu_spec::Refusal;
use apdu_spec::answer::{Fci, LimitsAnswer};
use apdu_spec::value::{LifeCycle, OrderPin};
use serde::Serialize;

use super::AnyCard;
use crate::failure::Failure;
use crate::output::{Lines, money};

#[derive(Debug, Serialize)]
pub(super) struct Status {
    reader: String,
    pub(super) presence: WhatIsThere,
    /// Of a card of ours.
    #[serde(skip_serializing_if = "Option::is_none")]
    life_cycle: Option<&'static str>,
    /// Of a card of ours that was personalised.
    #[serde(skip_serializing_if = "Option::is_none")]
    issued: Option<Issued>,
    /// Of a card of ours that has a key.
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<State>,
    /// Of a card of ours that tells them.
    #[serde(skip_serializing_if = "Option::is_none")]
    limits: Option<Limits>,
}

#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum WhatIsThere {
    NoCard,
    Unknown,
    Kozeni,
}

impl WhatIsThere {
    /// Makes an empty reader and a foreign card failures; they were reported nevertheless.
    pub(super) const fn require(self) -> Result<(), Failure> {
        match self {
            Self::NoCard => Err(Failure::NoCard),
            Self::Unknown => Err(Failure::UnknownCard),
            Self::Kozeni => Ok(()),
        }
    }
}

#[derive(Debug, Serialize)]
struct Issued {
    issuer: String,
    currency: u16,
    /// Of the payment server's key; 0: none yet.
    generation: u32,
}

#[derive(Debug, Serialize)]
struct State {
    card: String,
    public_key: String,
    /// In minor units.
    balance: u64,
    currency: u16,
    pin_tries: u8,
    puk_tries: u8,
    debit_seq: u32,
    credit_seq: u32,
    /// Transfers in the journal.
    unacknowledged: u32,
    epoch: u64,
    /// Debits since the last one under a PIN, in minor units.
    pin_free_spent: u64,
}

/// Amounts in minor units.
#[derive(Debug, Serialize)]
struct Limits {
    version: u32,
    balance_max: u64,
    debit_max: u64,
    pin_floor: u64,
    pin_free_max: u64,
    order_pin: &'static str,
}

pub(super) fn run(card: &mut AnyCard) -> Result<Status, Failure> {
    let mut status = Status {
        reader: card.describe(),
        presence: WhatIsThere::NoCard,
        life_cycle: None,
        issued: None,
        state: None,
        limits: None,
    };
    match card.presence()? {
        Presence::NoCard => {}
        Presence::Unknown => status.presence = WhatIsThere::Unknown,
        Presence::Ours(fci) => {
            status.presence = WhatIsThere::Kozeni;
            status.life_cycle = Some(life_cycle(fci.life_cycle));
            status.issued = issued(&fci);
            status.state = if_told(card.present())?.as_ref().map(state);
            status.limits = if_told(card.limits())?.as_ref().map(limits);
        }
    }
    Ok(status)
}

/// `None` where the card's life cycle does not allow the question, or its memory has failed.
fn if_told<T>(answer: Result<T, CardError>) -> Result<Option<T>, CardError> {
    match answer {
        Err(CardError::Refused(Refusal::ConditionsNotSatisfied | Refusal::MemoryFailure)) => {
            Ok(None)
        }
        answer => answer.map(Some),
    }
}

const fn life_cycle(life_cycle: LifeCycle) -> &'static str {
    match life_cycle {
        LifeCycle::Blank => "blank",
        LifeCycle::Personalised => "personalised",
        LifeCycle::Active => "active",
        LifeCycle::Blocked => "blocked",
        LifeCycle::Terminated => "terminated",
    }
}

fn issued(fci: &Fci) -> Option<Issued> {
    fci.issued.map(|issued| Issued {
        issuer: issued.issuer.to_string(),
        currency: issued.currency.0,
        generation: issued.generation.0,
    })
}

fn state(presented: &Presented) -> State {
    let answer = &presented.status.answer;
    let debits = answer.debit_seq.0.saturating_sub(answer.ack_debit.0);
    let credits = answer.credit_seq.0.saturating_sub(answer.ack_credit.0);
    State {
        card: answer.card.to_string(),
        public_key: presented.identity.key().to_string(),
        balance: answer.balance.0,
        currency: answer.currency.0,
        pin_tries: answer.pin_tries,
        puk_tries: answer.puk_tries,
        debit_seq: answer.debit_seq.0,
        credit_seq: answer.credit_seq.0,
        unacknowledged: debits.saturating_add(credits),
        epoch: answer.epoch.0,
        pin_free_spent: answer.pin_free_spent.0,
    }
}

const fn limits(answer: &LimitsAnswer) -> Limits {
    Limits {
        version: answer.version.0,
        balance_max: answer.limits.balance_max.0,
        debit_max: answer.limits.debit_max.0,
        pin_floor: answer.limits.pin_floor.0,
        pin_free_max: answer.limits.pin_free_max.0,
        order_pin: match answer.limits.order_pin {
            OrderPin::Never => "never",
            OrderPin::OverFloor => "over_floor",
            OrderPin::Always => "always",
        },
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines = vec![("reader", self.reader.clone())];
        let kind = match self.presence {
            WhatIsThere::NoCard => "none",
            WhatIsThere::Unknown => "not a Kozeni card",
            WhatIsThere::Kozeni => self.life_cycle.unwrap_or("Kozeni card"),
        };
        lines.push(("card", kind.to_owned()));
        let currency = self.issued.as_ref().map_or(0, |issued| issued.currency);
        if let Some(issued) = &self.issued {
            lines.push(("issuer", issued.issuer.clone()));
        }
        if let Some(state) = &self.state {
            lines.push(("card ID", state.card.clone()));
            lines.push(("balance", money(state.balance, state.currency)));
            lines.push(("PIN tries left", state.pin_tries.to_string()));
            lines.push(("PUK tries left", state.puk_tries.to_string()));
            lines.push(("debits, credits", format!("{}, {}", state.debit_seq, state.credit_seq)));
            lines.push(("unacknowledged", state.unacknowledged.to_string()));
        }
        if let Some(limits) = &self.limits {
            lines.push(("highest balance", money(limits.balance_max, currency)));
            lines.push(("highest debit", money(limits.debit_max, currency)));
            lines.push(("PIN needed above", money(limits.pin_floor, currency)));
            lines.push(("without PIN in all", money(limits.pin_free_max, currency)));
        }
        Lines(&lines).fmt(f)
    }
}
