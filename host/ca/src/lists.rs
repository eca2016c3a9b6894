//! Signing revocation lists from the books.

use std::time::Duration;

use apdu_spec::value::Time;

use crate::CaError;
use crate::books::Books;
use crate::certify::CaKey;
use crate::revocation::{ListContent, ListSigner, SignedList, listed_since};

/// Life of the root's list: the root is offline and comes out once a year.
pub(crate) const ROOT_LIST_LIFE: Duration = Duration::from_secs(365 * 24 * 3600);

/// Signs the next list and keeps it; inside a transaction.
pub(crate) fn sign(
    books: &Books,
    signer: ListSigner,
    key: &CaKey,
    now: Time,
    life: Duration,
) -> Result<Vec<u8>, CaError> {
    let before = books.list(signer)?.map_or(0, |list| list.number);
    let number = before.saturating_add(1);
    let der = key.list(&ListContent {
        number,
        time: now,
        life,
        revoked: books.revoked(signer, listed_since(now))?,
    })?;
    let list =
        SignedList { number, time: now, last_revocation: books.newest_revocation(signer)?, der };
    books.keep_list(signer, &list)?;
    Ok(list.der)
}

/// The issuing CA's list: the one at hand, or a new one where that is old or a revocation has been
/// made since, by whatever process.
pub(crate) fn current(
    books: &Books,
    key: &CaKey,
    now: Time,
    life: Duration,
) -> Result<Vec<u8>, CaError> {
    let signer = ListSigner::Issuing;
    // Most fetches need no more than this, and no lock on the books.
    if let Some(list) = at_hand(books, now, life)? {
        return Ok(list);
    }
    books.transaction(|books| match at_hand(books, now, life)? {
        Some(list) => Ok(list),
        None => sign(books, signer, key, now, life),
    })
}

fn at_hand(books: &Books, now: Time, life: Duration) -> Result<Option<Vec<u8>>, CaError> {
    let newest = books.newest_revocation(ListSigner::Issuing)?;
    let list = books.list(ListSigner::Issuing)?;
    let current = list.filter(|list| list.is_current(newest, now, life));
    Ok(current.map(|list| list.der))
}
