//! Pushes receipts to the shops (210 by P, unasked), again and again until each has answered 220.
//!
//! A receipt stands in the outbox from the transaction that booked it, so no crash loses it; a shop
//! may get one twice, which 210 allows.

use std::sync::Arc;
use std::time::Duration;

use apdu_spec::value::Time;
use protocol::certificate::Role;
use protocol::field::Number;
use protocol::form::{self, Form};
use protocol::purchase::{Answer, Completion, CompletionReply, ReceiptCopy, Refused};
use protocol::signed::{Signed, Verified, sha256};
use protocol::{Reject, Retry};
use server::{Peer, PeerError, Stop, Trust};
use tokio::task::{JoinSet, spawn_blocking};

use crate::service::{Fault, Service, introduce};
use crate::store::{Push, PushEnd};

/// Receipts that are pushed at the same time.
const AT_ONCE: i64 = 16;

/// How long a shop may take to answer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Longest pause between two attempts, in seconds.
const PAUSE_MAX_S: u64 = 60 * 60;

/// Pushes receipts until it is time to stop.
pub(crate) async fn keep_pushing(service: Arc<Service>, stop: Stop) {
    loop {
        let pushed = tokio::select! {
            pushed = push_due(&service) => pushed,
            // Whatever is on its way may be lost: it is pushed again after the next start.
            () = stop.wait() => return,
        };
        let pause = match pushed {
            Ok(pause) => pause,
            Err(error) => {
                tracing::error!(%error, "receipts cannot be pushed");
                if crate::store::Failure::is_fatal(&error) {
                    return stop.set();
                }
                TIMEOUT
            }
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = service.outbox.notified() => {}
            () = stop.wait() => return,
        }
    }
}

/// Pushes what is due now and says how long to pause.
async fn push_due(service: &Arc<Service>) -> Result<Duration, Fault> {
    let due = on_books(service, |service, now| {
        service.store.read(|books| Ok(books.pushes(now, AT_ONCE)?))
    });
    let mut attempts = JoinSet::new();
    for push in due.await? {
        attempts.spawn(attempt(Arc::clone(service), push));
    }
    while let Some(ended) = attempts.join_next().await {
        ended.map_err(|_| Reject::Unavailable)??;
    }
    let (next, now) = on_books(service, |service, now| {
        let next = service.store.read(|books| Ok::<_, Fault>(books.next_push()?))?;
        Ok((next, now))
    })
    .await?;
    let pause = next.map_or(PAUSE_MAX_S, |next| next.0.saturating_sub(now.0));
    Ok(Duration::from_secs(pause.min(PAUSE_MAX_S)))
}

async fn attempt(service: Arc<Service>, push: Push) -> Result<(), Fault> {
    let outcome = match ask(&push).await {
        Ok(reply) => judge(&reply, &push, &service.trust, server::now()),
        Err(error) => Err(error.to_string()),
    };
    on_books(&service, move |service, now| {
        service.store.apply(|books| {
            match &outcome {
                Ok(end) => books.end_push(&push.receipt, *end)?,
                Err(reason) => {
                    let next = Time(now.0.saturating_add(pause_s(push.attempts)));
                    tracing::info!(shop = %push.shop, reason, %next, "receipt not delivered yet");
                    books.delay_push(&push.receipt, next)?;
                }
            }
            Ok(())
        })
    })
    .await
}

async fn ask(push: &Push) -> Result<CompletionReply, PeerError> {
    Peer::new(&push.url, TIMEOUT)?.ask("/210", &message(push)).await
}

fn message(push: &Push) -> ReceiptCopy {
    ReceiptCopy { number: Number, receipt: push.bytes.clone().into() }
}

/// How the push ended, if the shop itself says so for good.
pub(crate) fn judge(
    reply: &CompletionReply,
    push: &Push,
    trust: &Trust,
    now: Time,
) -> Result<PushEnd, String> {
    match &reply.answer {
        Answer::Granted(bytes) => {
            let completion = open::<Completion>(bytes, push, trust, now)?;
            if completion.receipt_hash == push.receipt {
                Ok(PushEnd::Delivered)
            } else {
                Err("the shop confirms another receipt".to_owned())
            }
        }
        Answer::Refused(bytes) => {
            let refused = open::<Refused>(bytes, push, trust, now)?;
            if refused.request != sha256(&form::encode(&message(push))) {
                return Err("the shop refuses another request".to_owned());
            }
            if refused.number == 220 && refused.code.retry() == Retry::Never {
                tracing::error!(shop = %push.shop, receipt = %push.receipt,
                    "the shop refuses a receipt: {}", refused.code);
                Ok(PushEnd::Refused)
            } else {
                Err(refused.code.to_string())
            }
        }
    }
}

/// A document that only the receipt's own shop can have signed.
fn open<T: Form>(
    bytes: &[u8],
    push: &Push,
    trust: &Trust,
    now: Time,
) -> Result<Verified<T>, String> {
    let document = Signed::<T>::parse(bytes).map_err(|error| error.to_string())?;
    let shop = introduce(trust, document.chain().to_vec(), Role::Shop, now);
    let shop = shop.map_err(|reject| reject.to_string())?.party;
    if shop.shop() != push.shop {
        return Err("another shop answers there".to_owned());
    }
    document.open(&shop.key).map_err(|error| error.to_string())
}

/// One second, then twice as long each time.
fn pause_s(attempts: i64) -> u64 {
    let doubled = u32::try_from(attempts).ok().and_then(|attempts| 1_u64.checked_shl(attempts));
    doubled.unwrap_or(PAUSE_MAX_S).min(PAUSE_MAX_S)
}

/// Runs a job with the books on a thread that may block.
async fn on_books<T: Send + 'static>(
    service: &Arc<Service>,
    job: impl FnOnce(&Service, Time) -> Result<T, Fault> + Send + 'static,
) -> Result<T, Fault> {
    let service = Arc::clone(service);
    let ended = spawn_blocking(move || job(&service, server::now())).await;
    ended.map_err(|_| Reject::Unavailable)?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_an_hour() {
        for (attempts, pause) in [(0, 1), (1, 2), (5, 32), (12, 3600), (64, 3600), (-1, 3600)] {
            assert_eq!(pause_s(attempts), pause, "{attempts}");
        }
    }
}
