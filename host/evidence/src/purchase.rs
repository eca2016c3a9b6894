//! The bound chain of a purchase, checked document by document.

use apdu_spec::record::{DebitRecord, DebitRequest, Order, Permit, Record};
use apdu_spec::value::Time;
use minicbor::bytes::ByteVec;
use protocol::bundle::{Bundle, Stage};
use protocol::certificate::{Authority, Party, Role, certified_key};
use protocol::form;
use protocol::purchase::{Completion, Invoice, Line, OrderRequest, PaymentMode, Receipt, total};
use protocol::signed::{Signed, SignedRecord, Verified, VerifiedRecord, sha256};
use serde::Serialize;

use crate::Failure;

/// What a bundle proves.
#[derive(Clone, Debug, Serialize)]
pub struct Proof {
    /// M's number for the transaction, in hexadecimal.
    pub transaction: String,
    /// P's number for the payment, in hexadecimal.
    pub payment: String,
    /// The holder's number.
    pub payer: String,
    /// The holder's name by certificate.
    pub payer_name: String,
    /// The card, in hexadecimal.
    pub card: String,
    /// The card's debit sequence.
    pub debit_seq: u32,
    /// The shop's name by certificate.
    pub shop_name: String,
    /// The shop's number, in hexadecimal.
    pub shop: String,
    /// The payee's name by certificate.
    pub payee: String,
    /// Amount in minor units.
    pub amount: u64,
    /// ISO 4217 numeric code.
    pub currency: u16,
    /// When the shop made the invoice: seconds since 1970.
    pub invoiced_at: u64,
    /// When the payment server received the money: seconds since 1970.
    pub paid_at: u64,
    /// Whether the shop has confirmed the receipt.
    pub complete: bool,
    /// The lines; `None` for one that was erased.
    pub lines: Vec<Option<ProvedLine>>,
    /// What is proved, in plain words, in the order in which it was checked.
    pub statements: Vec<String>,
}

/// An order line whose hash stands in order and invoice.
#[derive(Clone, Debug, Serialize)]
pub struct ProvedLine {
    /// The shop's article number.
    pub article: String,
    /// The article's name.
    pub name: String,
    /// How many.
    pub quantity: u32,
    /// Price of one in minor units.
    pub unit_price: u64,
}

/// Who took part, by their certificates.
struct Parties {
    shop: Party,
    payment: Party,
    holder: Party,
}

pub(crate) fn verify(bundle: &Bundle, authority: &Authority) -> Result<Proof, Failure> {
    let receipt = Signed::<Receipt>::parse(&bundle.receipt).map_err(form_failure(RECEIPT))?;
    let invoice = Signed::<Invoice>::parse(&bundle.invoice).map_err(form_failure(INVOICE))?;
    let parties = identify(bundle, authority, &receipt, &invoice)?;
    let receipt = receipt.open(&parties.payment.key).map_err(failure(RECEIPT))?;
    let invoice = invoice.open(&parties.shop.key).map_err(failure(INVOICE))?;
    check_invoice(&invoice, &parties)?;
    let request = check_order(bundle, &invoice, &parties)?;
    let lines = check_lines(bundle, &invoice, &request)?;
    let debit = check_payment(bundle, &invoice, &parties)?;
    check_receipt(&receipt, &invoice, &debit, &parties)?;
    check_completion(bundle, &invoice, &receipt, &parties)?;
    Ok(proof(bundle, &parties, &invoice, &receipt, &debit, lines))
}

const RECEIPT: &str = "receipt 53";
const INVOICE: &str = "invoice 51";
const ORDER: &str = "order";
const LINES: &str = "order line";
const REQUEST: &str = "request (signature 52)";
const PERMIT: &str = "permit";
const DEBIT: &str = "debit record";
const COMPLETION: &str = "completion";
const CARD_CHAIN: &str = "card certificate";

/// The shop and the holder are judged at the time of the invoice, when the shop accepted the
/// holder's order; the payment server at the time of its receipt. The lists are the receipt's.
fn identify(
    bundle: &Bundle,
    authority: &Authority,
    receipt: &Signed<Receipt>,
    invoice: &Signed<Invoice>,
) -> Result<Parties, Failure> {
    let paid = receipt.claims().time;
    let invoiced = invoice.claims().issued;
    let judge = |document, chain: &[Vec<u8>], role, at: Time| {
        authority.verify_later(chain, role, at, paid).map_err(failure(document))
    };
    let card_chain: Vec<Vec<u8>> = bundle.card_chain.iter().map(|der| der.to_vec()).collect();
    Ok(Parties {
        payment: judge(RECEIPT, receipt.chain(), Role::PaymentServer, paid)?,
        shop: judge(INVOICE, invoice.chain(), Role::Shop, invoiced)?,
        holder: judge(CARD_CHAIN, &card_chain, Role::Holder, invoiced)?,
    })
}

fn check_invoice(invoice: &Verified<Invoice>, parties: &Parties) -> Result<(), Failure> {
    let agreed = |holds, what| check(INVOICE, holds, what);
    agreed(invoice.shop == parties.shop.shop(), "another shop than its certificate")?;
    agreed(invoice.shop_name == parties.shop.name, "another shop name than its certificate")?;
    agreed(Some(&invoice.payer) == parties.holder.payer.as_ref(), "names another payer")?;
    agreed(invoice.mode == PaymentMode::ElectronicMoney, "not for electronic money")?;
    agreed(invoice.payee == parties.payment.name, "names another payee")?;
    let leaf = invoice.payment_chain.first().map(|leaf| certified_key(leaf));
    let key = leaf.and_then(Result::ok);
    agreed(key == Some(parties.payment.key), "names another payment server")
}

fn check_order(
    bundle: &Bundle,
    invoice: &Verified<Invoice>,
    parties: &Parties,
) -> Result<OrderRequest, Failure> {
    let agreed = |holds, what| check(ORDER, holds, what);
    let request: OrderRequest = form::decode(&bundle.order_request).map_err(form_failure(ORDER))?;
    let order: VerifiedRecord<Order> = open_record(ORDER, &bundle.order, &parties.holder)?;
    agreed(order.card == parties.holder.card(), "signed for another card")?;
    agreed(order.request_hash == sha256(&bundle.order_request), "signed for another request")?;
    agreed(order.request == request.request, "other request number")?;
    agreed(order.shop == request.shop && request.shop == invoice.shop, "for another shop")?;
    agreed(order.amount == request.amount && request.amount == invoice.amount, "other amount")?;
    let currency = order.currency == request.currency && request.currency == invoice.currency;
    agreed(currency, "other currency")?;
    agreed(request.mode == invoice.mode, "other payment mode")?;
    let bound = invoice.request == request.request && invoice.order_hash == order.request_hash;
    check(INVOICE, bound, "made for another order")?;
    check(INVOICE, invoice.lines == request.lines, "lists other lines than the order")?;
    Ok(request)
}

fn check_lines(
    bundle: &Bundle,
    invoice: &Verified<Invoice>,
    request: &OrderRequest,
) -> Result<Vec<Option<Line>>, Failure> {
    let agreed = |holds, what| check(LINES, holds, what);
    agreed(bundle.lines.len() == request.lines.len(), "missing or too many")?;
    let mut lines = Vec::new();
    for (bytes, hash) in bundle.lines.iter().zip(&request.lines) {
        if bytes.is_empty() {
            lines.push(None);
            continue;
        }
        agreed(sha256(bytes).0 == **hash, "not the one that was ordered")?;
        let line: Line = form::decode(bytes).map_err(form_failure(LINES))?;
        agreed(line.quantity > 0, "orders nothing")?;
        lines.push(Some(line));
    }
    let known: Vec<Line> = lines.iter().flatten().cloned().collect();
    if known.len() == lines.len() {
        agreed(total(&known) == Some(invoice.amount), "lines do not add up to the amount")?;
    }
    Ok(lines)
}

fn check_payment(
    bundle: &Bundle,
    invoice: &Verified<Invoice>,
    parties: &Parties,
) -> Result<VerifiedRecord<DebitRecord>, Failure> {
    let holder = &parties.holder;
    let request: VerifiedRecord<DebitRequest> = open_record(REQUEST, &bundle.request, holder)?;
    let asked = DebitRequest {
        card: holder.card(),
        debit_seq: request.debit_seq,
        invoice_hash: invoice.hash(),
        shop: invoice.shop,
        amount: invoice.amount,
        currency: invoice.currency,
    };
    check(REQUEST, *request == asked, "not for this invoice and card")?;
    let permit: VerifiedRecord<Permit> = open_record(PERMIT, &bundle.permit, &parties.payment)?;
    let same = permit.card == asked.card
        && permit.debit_seq == asked.debit_seq
        && permit.invoice_hash == asked.invoice_hash
        && permit.shop == asked.shop
        && permit.amount == asked.amount
        && permit.currency == asked.currency;
    check(PERMIT, same, "does not grant this request")?;
    check(PERMIT, permit.expiry <= invoice.due, "outlives the invoice's due time")?;
    let debit: VerifiedRecord<DebitRecord> = open_record(DEBIT, &bundle.debit, holder)?;
    check(DEBIT, *debit == permit.debit_record(), "not made from this permit")?;
    Ok(debit)
}

fn check_receipt(
    receipt: &Verified<Receipt>,
    invoice: &Verified<Invoice>,
    debit: &VerifiedRecord<DebitRecord>,
    parties: &Parties,
) -> Result<(), Failure> {
    let agreed = |holds, what| check(RECEIPT, holds, what);
    agreed(receipt.invoice_hash == invoice.hash(), "for another invoice")?;
    agreed(receipt.debit_hash == debit.hash(), "for another debit")?;
    agreed(receipt.payment == debit.payment, "other payment number")?;
    agreed(receipt.transaction == invoice.transaction, "other transaction")?;
    agreed(receipt.payer == invoice.payer, "names another payer")?;
    let amount = receipt.amount == invoice.amount && receipt.currency == invoice.currency;
    agreed(amount, "other amount or currency")?;
    agreed(receipt.mode == invoice.mode, "other payment mode")?;
    let shop = receipt.shop == invoice.shop && receipt.shop_name == invoice.shop_name;
    agreed(shop, "names another shop")?;
    agreed(receipt.recipient == parties.payment.name, "names another recipient")?;
    agreed(receipt.time <= invoice.due, "dated after the invoice's due time")
}

fn check_completion(
    bundle: &Bundle,
    invoice: &Verified<Invoice>,
    receipt: &Verified<Receipt>,
    parties: &Parties,
) -> Result<(), Failure> {
    let bytes = match (bundle.stage, &bundle.completion) {
        (Stage::Complete, Some(bytes)) => bytes,
        (Stage::Complete, None) => return Err(Failure::new(COMPLETION, "missing")),
        (Stage::Paid, Some(_)) => return Err(Failure::new(COMPLETION, "not expected yet")),
        (Stage::Paid, None) => return Ok(()),
    };
    let completion = Signed::<Completion>::parse(bytes).map_err(form_failure(COMPLETION))?;
    let signer = completion.chain().first().map(|leaf| certified_key(leaf));
    let by_shop = signer.and_then(Result::ok) == Some(parties.shop.key);
    check(COMPLETION, by_shop, "carries another certificate than the invoice")?;
    let completion = completion.open(&parties.shop.key).map_err(failure(COMPLETION))?;
    let same =
        completion.transaction == invoice.transaction && completion.receipt_hash == receipt.hash();
    check(COMPLETION, same, "for another receipt")
}

fn open_record<R: Record>(
    document: &'static str,
    bytes: &ByteVec,
    signer: &Party,
) -> Result<VerifiedRecord<R>, Failure> {
    let record = SignedRecord::<R>::parse(bytes).map_err(form_failure(document))?;
    record.open(&signer.key).map_err(failure(document))
}

fn check(document: &'static str, holds: bool, reason: &str) -> Result<(), Failure> {
    if holds { Ok(()) } else { Err(Failure::new(document, reason)) }
}

fn failure<E: ToString>(document: &'static str) -> impl Fn(E) -> Failure {
    move |error| Failure::new(document, error)
}

fn form_failure(document: &'static str) -> impl Fn(form::FormError) -> Failure {
    move |error| Failure::new(document, error.reason)
}

fn proof(
    bundle: &Bundle,
    parties: &Parties,
    invoice: &Verified<Invoice>,
    receipt: &Verified<Receipt>,
    debit: &VerifiedRecord<DebitRecord>,
    lines: Vec<Option<Line>>,
) -> Proof {
    let complete = bundle.stage == Stage::Complete;
    let erased = lines.iter().filter(|line| line.is_none()).count();
    Proof {
        transaction: invoice.transaction.to_string(),
        payment: receipt.payment.to_string(),
        payer: invoice.payer.to_string(),
        payer_name: parties.holder.name.to_string(),
        card: parties.holder.card().to_string(),
        debit_seq: debit.debit_seq.0,
        shop_name: parties.shop.name.to_string(),
        shop: parties.shop.shop().to_string(),
        payee: parties.payment.name.to_string(),
        amount: invoice.amount.0,
        currency: invoice.currency.0,
        invoiced_at: invoice.issued.0,
        paid_at: receipt.time.0,
        complete,
        lines: lines.into_iter().map(|line| line.map(proved_line)).collect(),
        statements: statements(parties, complete, erased),
    }
}

fn proved_line(line: Line) -> ProvedLine {
    ProvedLine {
        article: line.article.to_string(),
        name: line.name.to_string(),
        quantity: line.quantity,
        unit_price: line.unit_price.0,
    }
}

fn statements(parties: &Parties, complete: bool, erased: usize) -> Vec<String> {
    let holder = format!("{} (payer {})", parties.holder.name, payer(parties));
    let (shop, payment) = (&parties.shop.name, &parties.payment.name);
    let mut statements = vec![
        format!("{holder} ordered with card {}: the card signed the order.", parties.holder.card()),
        format!("{shop} made the invoice for exactly this order, and signed it."),
        format!("The card of {holder} asked to pay exactly this invoice, and signed that."),
        format!("{payment}, named in the invoice, checked both signatures and permitted it."),
        "The card debited itself once, with a sequence that it uses only once.".to_owned(),
        format!("{payment} received the money within the due time, and signed the receipt."),
    ];
    if complete {
        statements.push(format!("{shop} accepted the receipt: the purchase is complete."));
    } else {
        statements.push(format!("{shop} has not confirmed the receipt in this bundle."));
    }
    if erased > 0 {
        statements.push(format!("{erased} order lines were erased; their hashes still stand."));
    }
    statements
}

fn payer(parties: &Parties) -> &str {
    parties.holder.payer.as_ref().map_or("unknown", |payer| payer.as_str())
}
