//! What decisions read from the books, and the rows that they become. Each function is called
//! inside one transaction, together with its decision.

use std::collections::BTreeMap;

use apdu_spec::value::{Time, TransactionId};
use protocol::document::{Invoice, Receipt};
use protocol::purchase::{Completion, PaymentMode};
use protocol::query::InvoiceState;
use protocol::signed::{Signed, Verified};

use crate::books::{Deed, Evidence, EvidenceKind, Note, OrderState};
use crate::order::{KnownOrder, OrderBooks, SignedOrder};
use crate::receipt::ReceiptBooks;
use crate::store::{Store, StoreError};

/// What the books say about an order that comes in (message 130).
///
/// # Errors
/// [`StoreError`].
pub fn order_books(store: &Store, order: &SignedOrder) -> Result<OrderBooks, StoreError> {
    let known = match store.order_by_request(order.request())? {
        None => None,
        Some(known) => Some(KnownOrder {
            card: known.card,
            order_hash: known.order_hash,
            invoice: invoice(store, known.transaction)?.bytes,
        }),
    };
    let mut goods = BTreeMap::new();
    for article in order.articles() {
        if let Some(good) = store.good(article)? {
            goods.insert(article.clone(), good);
        }
    }
    Ok(OrderBooks { known, goods })
}

/// Steps 540 and 550 (source Fig. 9): order data 61 and 62 are stored as unpaid; with the invoice
/// the order is acknowledged.
///
/// # Errors
/// [`StoreError`].
pub fn post_order(
    store: &Store,
    order: &SignedOrder,
    invoice: &Verified<Invoice>,
) -> Result<(), StoreError> {
    let data = order.order_data(invoice);
    store.insert_order(&data, &order.line_data())?;
    for evidence in order.evidence(data.placed) {
        store.add_evidence(data.transaction, &evidence)?;
    }
    let evidence = document(EvidenceKind::Invoice, invoice, data.placed);
    store.add_evidence(data.transaction, &evidence)?;
    advance(store, data.transaction, OrderState::Acknowledged)
}

/// The signed invoice of an order that P can still be paid for, and where that P is.
///
/// # Errors
/// [`StoreError`].
pub fn open_invoice(
    store: &Store,
    transaction: TransactionId,
) -> Result<Option<(Vec<u8>, String)>, StoreError> {
    let order = store.order(transaction)?;
    let open = order.is_some_and(|order| {
        (order.state, order.mode) == (OrderState::Acknowledged, PaymentMode::ElectronicMoney)
    });
    if !open {
        return Ok(None);
    }
    let invoice = invoice(store, transaction)?.bytes;
    let url = read_invoice(&invoice)?.claims().payment_url.clone();
    Ok(Some((invoice, url.as_str().to_owned())))
}

/// What the books say about the order that a receipt or an answer of P names.
///
/// # Errors
/// [`StoreError`].
pub fn receipt_books(
    store: &Store,
    transaction: TransactionId,
) -> Result<Option<ReceiptBooks>, StoreError> {
    let Some(order) = store.order(transaction)? else {
        return Ok(None);
    };
    let invoice = read_invoice(&invoice(store, transaction)?.bytes)?;
    let receipt = store.evidence(transaction, EvidenceKind::Receipt)?;
    let completion = store.evidence(transaction, EvidenceKind::Completion)?;
    let accepted = receipt.zip(completion);
    Ok(Some(ReceiptBooks {
        state: order.state,
        invoice,
        accepted: accepted.map(|(receipt, completion)| (receipt.hash, completion.bytes)),
    }))
}

/// Step 670 (source Fig. 9): the order is paid.
///
/// # Errors
/// [`StoreError`].
pub fn post_completion(
    store: &Store,
    receipt: &Verified<Receipt>,
    completion: &Verified<Completion>,
) -> Result<(), StoreError> {
    let (transaction, at) = (completion.transaction, completion.time);
    advance(store, transaction, OrderState::Paid)?;
    let receipt = document(EvidenceKind::Receipt, receipt, at);
    store.add_evidence(transaction, &receipt)?;
    let completion = document(EvidenceKind::Completion, completion, at);
    store.add_evidence(transaction, &completion)
}

/// Keeps the first receipt that contradicts what P has signed before.
///
/// # Errors
/// [`StoreError`].
pub fn post_contradiction(
    store: &Store,
    receipt: &Verified<Receipt>,
    now: Time,
) -> Result<(), StoreError> {
    let kind = EvidenceKind::Contradiction;
    if store.evidence(receipt.transaction, kind)?.is_none() {
        store.add_evidence(receipt.transaction, &document(kind, receipt, now))?;
    }
    Ok(())
}

/// Nobody can pay the invoice any more: the order ends, on P's signed word.
///
/// # Errors
/// [`StoreError`].
pub fn post_release(
    store: &Store,
    transaction: TransactionId,
    (to, answer): (OrderState, &Verified<InvoiceState>),
    operator: Option<Note>,
    now: Time,
) -> Result<(), StoreError> {
    advance(store, transaction, to)?;
    let answer = document(EvidenceKind::PaymentState, answer, now);
    store.add_evidence(transaction, &answer)?;
    match operator {
        None => Ok(()),
        Some(note) => store.add_note(transaction, &note),
    }
}

/// An operator ends an order that P knows nothing of.
///
/// # Errors
/// [`StoreError`].
pub fn post_deed(store: &Store, order: TransactionId, note: &Note) -> Result<(), StoreError> {
    let to = match note.deed {
        Deed::MarkedPaid => OrderState::Paid,
        Deed::Cancelled => OrderState::Cancelled,
    };
    advance(store, order, to)?;
    store.add_note(order, note)
}

/// The invoice of an order: every order that was committed has one.
///
/// # Errors
/// [`StoreError`], also when it has none.
pub fn invoice(store: &Store, order: TransactionId) -> Result<Evidence, StoreError> {
    let invoice = store.evidence(order, EvidenceKind::Invoice)?;
    invoice.ok_or_else(|| StoreError::Damaged(format!("order {order} has no invoice")))
}

fn read_invoice(bytes: &[u8]) -> Result<Signed<Invoice>, StoreError> {
    Signed::parse(bytes).map_err(|error| StoreError::Damaged(error.to_string()))
}

/// The decision has read the state in the same transaction, so the move must be possible.
fn advance(store: &Store, order: TransactionId, to: OrderState) -> Result<(), StoreError> {
    if store.advance(order, to)? {
        return Ok(());
    }
    let name = to.name();
    Err(StoreError::Damaged(format!("order {order} cannot become {name}")))
}

fn document<T>(kind: EvidenceKind, document: &Verified<T>, at: Time) -> Evidence {
    Evidence { kind, hash: document.hash(), bytes: document.bytes().to_vec(), at }
}
