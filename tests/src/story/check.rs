//! `check`: records that the card signed, rebuilt from what the story knows and verified.

use apdu_spec::answer::StatusAnswer;
use apdu_spec::record::{
    BurnedSlot, CreditRecord, CreditRequest, DebitRecord, DebitRequest, Enrolment, Order, Record,
    Status,
};
use apdu_spec::value::{
    Amount, CardId, Currency, Hash, IssuerId, Nonce, PublicKey, Purpose, RequestId, Sequence,
    ShopId, Signature,
};

use super::make::CURRENCY;
use super::parse::Directive;
use super::scene::{Arguments, Scene};

/// Checks the record that `{signature}`, or the variable that `signature=` names, belongs to, and
/// keeps it under the given name.
pub(super) fn check(scene: &mut Scene, directive: &Directive) -> Result<(), String> {
    let Directive { kind, name, arguments } = directive;
    let mut left = Arguments::new(arguments, scene);
    let arguments = &mut left;
    let signature = match arguments.text("signature") {
        Some(name) => Signature(scene.array(&name)?),
        None => Signature(scene.array("signature")?),
    };
    let record = match kind.as_str() {
        "debit_record" => rebuild(scene, &debit_record(scene, arguments)?, signature)?,
        "credit_record" => rebuild(scene, &credit_record(scene, arguments)?, signature)?,
        "burned_slot" => rebuild(scene, &burned_slot(scene, arguments)?, signature)?,
        "debit_request" => rebuild(scene, &debit_request(scene, arguments)?, signature)?,
        "credit_request" => rebuild(scene, &credit_request(scene, arguments)?, signature)?,
        "order" => rebuild(scene, &order(scene, arguments)?, signature)?,
        "enrolment" => rebuild(scene, &enrolment(scene, arguments)?, signature)?,
        _ => return Err(format!("{kind} cannot be checked")),
    };
    left.finish()?;
    if matches!(kind.as_str(), "debit_record" | "credit_record" | "burned_slot") {
        scene.book(&record)?;
    }
    if !name.is_empty() {
        scene.variables.insert(name.clone(), record);
    }
    Ok(())
}

fn rebuild<R: Record>(scene: &Scene, record: &R, signature: Signature) -> Result<Vec<u8>, String> {
    scene.signed_by_card(record, signature)
}

fn debit_record(scene: &Scene, arguments: &mut Arguments) -> Result<DebitRecord, String> {
    let permit = scene.permit(&arguments.text("of").ok_or("of which permit?")?)?;
    Ok(DebitRecord {
        card: permit.card,
        debit_seq: permit.debit_seq,
        payment: permit.payment,
        invoice_hash: permit.invoice_hash,
        shop: permit.shop,
        amount: permit.amount,
        currency: permit.currency,
    })
}

fn credit_record(scene: &Scene, arguments: &mut Arguments) -> Result<CreditRecord, String> {
    let token = scene.token(&arguments.text("of").ok_or("of which token?")?)?;
    Ok(CreditRecord {
        card: token.card,
        slot: token.slot,
        credit: token.credit,
        authority_hash: token.authority_hash,
        transaction: token.transaction,
        shop: token.shop,
        amount: token.amount,
        currency: token.currency,
        purpose: token.purpose,
    })
}

fn burned_slot(scene: &Scene, arguments: &mut Arguments) -> Result<BurnedSlot, String> {
    Ok(BurnedSlot {
        card: CardId(scene.array("card")?),
        slot: Sequence(arguments.number("slot", 0)?),
    })
}

fn debit_request(scene: &Scene, arguments: &mut Arguments) -> Result<DebitRequest, String> {
    Ok(DebitRequest {
        card: CardId(scene.array("card")?),
        debit_seq: Sequence(arguments.number("seq", 0)?),
        invoice_hash: Hash(arguments.array("invoice_hash", [0; 32])?),
        shop: ShopId(arguments.array("shop", scene.array("shop")?)?),
        amount: Amount(arguments.number("amount", 0)?),
        currency: CURRENCY,
    })
}

fn credit_request(scene: &Scene, arguments: &mut Arguments) -> Result<CreditRequest, String> {
    let purpose = arguments.number("purpose", Purpose::Load.number())?;
    Ok(CreditRequest {
        card: CardId(scene.array("card")?),
        slot: Sequence(arguments.number("slot", 0)?),
        authority_hash: Hash(arguments.array("authority_hash", [0; 32])?),
        amount: Amount(arguments.number("amount", 0)?),
        currency: CURRENCY,
        purpose: Purpose::from_number(purpose).map_err(|error| error.to_string())?,
    })
}

fn order(scene: &Scene, arguments: &mut Arguments) -> Result<Order, String> {
    Ok(Order {
        card: CardId(scene.array("card")?),
        shop: ShopId(arguments.array("shop", scene.array("shop")?)?),
        amount: Amount(arguments.number("amount", 0)?),
        currency: CURRENCY,
        request: RequestId(arguments.array("request", [0; 16])?),
        request_hash: Hash(arguments.array("request_hash", [0; 32])?),
    })
}

fn enrolment(scene: &Scene, arguments: &mut Arguments) -> Result<Enrolment, String> {
    Ok(Enrolment {
        card: CardId(scene.array("card")?),
        nonce: Nonce(arguments.array("nonce", [0; 16])?),
        public_key: PublicKey(scene.array("card_key")?),
        issuer: IssuerId(scene.array("issuer")?),
    })
}

/// Checks an answer of GET STATUS: its signature over the nonce, the journal head over all records
/// that the story has checked, the card and its currency, and every field that is named.
pub(super) fn check_status(
    scene: &Scene,
    arguments: &[(String, String)],
    nonce: Nonce,
    data: &[u8],
) -> Result<(), String> {
    let answer = StatusAnswer::decode(data).map_err(|error| format!("GET STATUS: {error}"))?;
    let record = Status {
        card: answer.card,
        debit_seq: answer.debit_seq,
        credit_seq: answer.credit_seq,
        currency: answer.currency,
        epoch: answer.epoch,
        nonce,
        balance: answer.balance,
        journal_head: answer.journal_head,
    };
    scene.signed_by_card(&record, answer.signature)?;
    let facts = [
        ("life_cycle", u64::from(answer.life_cycle.number())),
        ("pin_tries", answer.pin_tries.into()),
        ("puk_tries", answer.puk_tries.into()),
        ("generation", answer.generation.0.into()),
        ("limits_version", answer.limits_version.0.into()),
        ("ack_debit", answer.ack_debit.0.into()),
        ("ack_credit", answer.ack_credit.0.into()),
        ("pin_free_spent", answer.pin_free_spent.0),
        ("balance", answer.balance.0),
        ("debit_seq", answer.debit_seq.0.into()),
        ("credit_seq", answer.credit_seq.0.into()),
        ("epoch", answer.epoch.0),
    ];
    let mut arguments = Arguments::new(arguments, scene);
    for (name, found) in facts {
        let expected = arguments.number(name, found)?;
        if expected != found {
            return Err(format!("expected {name} {expected}\n     got {found}"));
        }
    }
    arguments.finish()?;
    let currency = Currency(answer.currency.0);
    if answer.card != CardId(scene.array("card")?) || currency != CURRENCY {
        return Err(format!("status of card {} in currency {currency}", answer.card));
    }
    if answer.journal_head != scene.journal_head {
        return Err("the journal head is not that of the records checked so far".to_owned());
    }
    Ok(())
}
