//! `make`: what others than the card sign, with test keys. Everything not named has a default.

use apdu_spec::CompactCertificate;
use apdu_spec::cose::Sign1;
use apdu_spec::record::{CreditToken, LimitsRecord, Permit, Record};
use apdu_spec::value::{
    Amount, CardId, CreditId, Currency, Epoch, Generation, Hash, IssuerId, LimitsVersion, OrderPin,
    PaymentId, PublicKey, Purpose, Sequence, ShopId, Signature, Time, TransactionId,
};

use super::parse::Directive;
use super::scene::{Arguments, Made, Scene};
use crate::keys::{TestKey, key_id, other_s, sha256};

/// The yen.
pub(super) const CURRENCY: Currency = Currency(392);

pub(super) fn make(scene: &mut Scene, directive: &Directive) -> Result<(), String> {
    let Directive { kind, name, arguments } = directive;
    if name.is_empty() {
        return Err(format!("expected: make {kind} NAME key=value …"));
    }
    let mut arguments = Arguments::new(arguments, scene);
    let bytes = match kind.as_str() {
        "permit" => {
            let permit = permit(scene, &mut arguments, name)?;
            scene.made.insert(name.clone(), Made::Permit(permit));
            signed_record(scene, &mut arguments, name, &permit)?
        }
        "token" => {
            let token = token(scene, &mut arguments, name)?;
            scene.made.insert(name.clone(), Made::Token(token));
            signed_record(scene, &mut arguments, name, &token)?
        }
        "limits" => {
            let limits = limits(scene, &mut arguments)?;
            scene.made.insert(name.clone(), Made::Limits(limits));
            signed_record(scene, &mut arguments, name, &limits)?
        }
        "payment_certificate" => payment_certificate(scene, &mut arguments, name)?,
        "file" => file(name, arguments.number("size", 0)?),
        _ => return Err(format!("{kind} cannot be made")),
    };
    arguments.finish()?;
    scene.variables.insert(name.clone(), bytes);
    Ok(())
}

/// The first bytes of a hash over a name: numbers that differ for each object.
fn number_for<const N: usize>(what: &str, name: &str) -> [u8; N] {
    let hash = sha256(format!("{what} {name}").as_bytes()).0;
    *hash.first_chunk().expect("at most 32 bytes")
}

fn permit(scene: &Scene, arguments: &mut Arguments, name: &str) -> Result<Permit, String> {
    let base = match arguments.text("like") {
        Some(like) => scene.permit(&like)?,
        None => Permit {
            card: CardId(scene.array("card")?),
            debit_seq: Sequence(1),
            payment: PaymentId(number_for("payment", name)),
            invoice_hash: Hash(number_for("invoice", name)),
            shop: ShopId(scene.array("shop")?),
            amount: Amount(1000),
            currency: CURRENCY,
            expiry: Time(1_800_000_000),
            epoch: Epoch(1),
            ack_debit: Sequence(0),
            ack_credit: Sequence(0),
        },
    };
    Ok(Permit {
        card: CardId(arguments.array("card", base.card.0)?),
        debit_seq: Sequence(arguments.number("seq", base.debit_seq.0)?),
        payment: PaymentId(arguments.array("payment", base.payment.0)?),
        invoice_hash: Hash(arguments.array("invoice_hash", base.invoice_hash.0)?),
        shop: ShopId(arguments.array("shop", base.shop.0)?),
        amount: Amount(arguments.number("amount", base.amount.0)?),
        currency: Currency(arguments.number("currency", base.currency.0)?),
        expiry: Time(arguments.number("expiry", base.expiry.0)?),
        epoch: Epoch(arguments.number("epoch", base.epoch.0)?),
        ack_debit: Sequence(arguments.number("ack_debit", base.ack_debit.0)?),
        ack_credit: Sequence(arguments.number("ack_credit", base.ack_credit.0)?),
    })
}

fn token(scene: &Scene, arguments: &mut Arguments, name: &str) -> Result<CreditToken, String> {
    let base = match arguments.text("like") {
        Some(like) => scene.token(&like)?,
        None => CreditToken {
            card: CardId(scene.array("card")?),
            slot: Sequence(1),
            credit: CreditId(number_for("credit", name)),
            authority_hash: Hash(number_for("authority", name)),
            transaction: TransactionId([0; 16]),
            shop: ShopId([0; 8]),
            amount: Amount(1000),
            currency: CURRENCY,
            purpose: Purpose::Load,
            epoch: Epoch(1),
            ack_debit: Sequence(0),
            ack_credit: Sequence(0),
        },
    };
    let purpose = arguments.number("purpose", base.purpose.number())?;
    Ok(CreditToken {
        card: CardId(arguments.array("card", base.card.0)?),
        slot: Sequence(arguments.number("slot", base.slot.0)?),
        credit: CreditId(arguments.array("credit", base.credit.0)?),
        authority_hash: Hash(arguments.array("authority_hash", base.authority_hash.0)?),
        transaction: TransactionId(arguments.array("transaction", base.transaction.0)?),
        shop: ShopId(arguments.array("shop", base.shop.0)?),
        amount: Amount(arguments.number("amount", base.amount.0)?),
        currency: Currency(arguments.number("currency", base.currency.0)?),
        purpose: Purpose::from_number(purpose).map_err(|error| error.to_string())?,
        epoch: Epoch(arguments.number("epoch", base.epoch.0)?),
        ack_debit: Sequence(arguments.number("ack_debit", base.ack_debit.0)?),
        ack_credit: Sequence(arguments.number("ack_credit", base.ack_credit.0)?),
    })
}

fn limits(scene: &Scene, arguments: &mut Arguments) -> Result<LimitsRecord, String> {
    let base = match arguments.text("like") {
        Some(like) => scene.limits(&like)?,
        None => LimitsRecord {
            card: CardId(scene.array("card")?),
            version: LimitsVersion(1),
            balance_max: Amount(100_000),
            debit_max: Amount(50_000),
            pin_floor: Amount(2_000),
            pin_free_max: Amount(5_000),
            order_pin: OrderPin::Never,
        },
    };
    let order_pin = arguments.number("order_pin", base.order_pin.number())?;
    Ok(LimitsRecord {
        card: CardId(arguments.array("card", base.card.0)?),
        version: LimitsVersion(arguments.number("version", base.version.0)?),
        balance_max: Amount(arguments.number("balance_max", base.balance_max.0)?),
        debit_max: Amount(arguments.number("debit_max", base.debit_max.0)?),
        pin_floor: Amount(arguments.number("pin_floor", base.pin_floor.0)?),
        pin_free_max: Amount(arguments.number("pin_free_max", base.pin_free_max.0)?),
        order_pin: OrderPin::from_number(order_pin).map_err(|error| error.to_string())?,
    })
}

fn payment_certificate(
    scene: &mut Scene,
    arguments: &mut Arguments,
    name: &str,
) -> Result<Vec<u8>, String> {
    let certificate = CompactCertificate {
        issuer: IssuerId(arguments.array("issuer", scene.array("issuer")?)?),
        generation: Generation(arguments.number("generation", 1)?),
        key: PublicKey(arguments.array("public_key", scene.array("payment")?)?),
    };
    let payload = certificate.encode().map_err(|error| error.to_string())?;
    sign(scene, arguments, name, payload.as_bytes(), "root")
}

fn signed_record<R: Record>(
    scene: &mut Scene,
    arguments: &mut Arguments,
    name: &str,
    record: &R,
) -> Result<Vec<u8>, String> {
    let payload = record.encode().map_err(|error| error.to_string())?;
    sign(scene, arguments, name, payload.as_bytes(), "payment")
}

/// Signs with `key=`, claiming to be `kid=`; or takes the signature of another object with
/// `signature_of=`. `s=other` gives the other form of the signature.
fn sign(
    scene: &mut Scene,
    arguments: &mut Arguments,
    name: &str,
    payload: &[u8],
    default_key: &str,
) -> Result<Vec<u8>, String> {
    let key = arguments.text("key");
    let key = key.unwrap_or_else(|| default_key.to_owned());
    let claimed = arguments.text("kid").unwrap_or_else(|| key.clone());
    let kid = key_id(&TestKey::named(&claimed).public());
    let mut signature = match arguments.text("signature_of") {
        Some(other) => {
            let signature = scene.signatures.get(&other);
            *signature.ok_or_else(|| format!("nobody signed {other}"))?
        }
        None => TestKey::named(&key).sign(kid, payload),
    };
    signature = Signature(arguments.array("signature", signature.0)?);
    match arguments.text("s").as_deref() {
        Some("other") => signature = other_s(&signature),
        Some(_) => return Err("expected s=other".to_owned()),
        None => {}
    }
    scene.signatures.insert(name.to_owned(), signature);
    let sign1 = Sign1 { kid, payload, signature };
    let bytes = sign1.write().map_err(|error| error.to_string())?;
    Ok(bytes.as_bytes().to_vec())
}

/// Bytes that stand for a certificate file: the card does not look into it.
fn file(name: &str, size: usize) -> Vec<u8> {
    let piece = |number: usize| sha256(format!("file {name} {number}").as_bytes()).0;
    (0..size.div_ceil(32)).flat_map(piece).take(size).collect()
}
