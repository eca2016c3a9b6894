//! The payment server without sockets and clock: a message in, its answer out. What is answered to
//! each message stands in the file of that message.

use std::fmt;

use apdu_spec::value::{Currency, IssuerId, PublicKey, Time};
use minicbor::bytes::ByteVec;
use protocol::Reject;
use protocol::certificate::{PartyName, Role};
use protocol::form::FormError;
use protocol::purchase::{Answer, Refused};
use protocol::signed::{BadSignature, CERTIFICATE_MAX, CHAIN_MAX, Signed, Signer, SignerError};
use server::Trust;
use tokio::sync::Notify;

use crate::store::{Failure, Introduced, Store, StoreError};

/// Longest life of a permit in seconds.
pub const PERMIT_LIFE_MAX_S: u64 = 600;

/// How a payment server answers where the protocol leaves a choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Life of a permit in seconds, at most [`PERMIT_LIFE_MAX_S`].
    pub permit_life_s: u64,
    /// 180 carries no receipt; the wallet asks for it with 190.
    pub explicit_receipt: bool,
}

/// Who this payment server is.
#[derive(Clone, Debug)]
pub(crate) struct Own {
    pub(crate) issuer: IssuerId,
    pub(crate) currency: Currency,
    pub(crate) name: PartyName,
    pub(crate) key: PublicKey,
    pub(crate) policy: Policy,
}

/// Why a request is not answered with what it asked for.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// It is refused.
    #[error(transparent)]
    Reject(#[from] Reject),
    /// The books cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Failure for Fault {
    fn is_fatal(&self) -> bool {
        match self {
            Self::Reject(_) => false,
            Self::Store(error) => error.is_fatal(),
        }
    }
}

impl From<SignerError> for Fault {
    fn from(error: SignerError) -> Self {
        Self::Store(error.into())
    }
}

/// Why a payment server cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Its own certificate is not one of a payment server under the trusted root.
    #[error("own certificate: {0}")]
    Certificate(String),
    /// Key, books or configuration are of different servers.
    #[error("{0}")]
    Mismatch(String),
    /// The books.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A payment server.
pub struct Service {
    pub(crate) store: Store,
    pub(crate) trust: Trust,
    pub(crate) signer: Box<dyn Signer + Send + Sync>,
    pub(crate) own: Own,
    /// Rings when a receipt was put into the outbox.
    pub(crate) outbox: Notify,
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service").field("own", &self.own).finish_non_exhaustive()
    }
}

impl Service {
    /// Joins books, trust and key.
    ///
    /// # Errors
    /// [`StartError`] when they do not fit together.
    pub fn new(
        store: Store,
        trust: Trust,
        signer: Box<dyn Signer + Send + Sync>,
        policy: Policy,
        now: Time,
    ) -> Result<Self, StartError> {
        let title = store.read(|books| books.title())?;
        let party = trust
            .identify(signer.chain(), Role::PaymentServer, now)
            .map_err(|error| StartError::Certificate(error.to_string()))?;
        if party.issuer() != title.issuer {
            let (found, expected) = (party.issuer(), title.issuer);
            let text = format!("the certificate is for issuer {found}, the books for {expected}");
            return Err(StartError::Mismatch(text));
        }
        if !(1..=PERMIT_LIFE_MAX_S).contains(&policy.permit_life_s) {
            let text = format!("permit_life_s must be 1 to {PERMIT_LIFE_MAX_S}");
            return Err(StartError::Mismatch(text));
        }
        Ok(Self {
            own: Own {
                issuer: title.issuer,
                currency: title.currency,
                name: party.name,
                key: party.key,
                policy,
            },
            store,
            trust,
            signer,
            outbox: Notify::new(),
        })
    }

    /// What was granted, or the refusal signed. Only what cannot be answered at all stays an
    /// error: a malformed message, or books that cannot be used.
    pub(crate) fn answer(
        &self,
        number: u16,
        request: &[u8],
        now: Time,
        outcome: Result<Vec<u8>, Fault>,
    ) -> Result<Answer, Fault> {
        match outcome {
            Ok(granted) => Ok(Answer::Granted(granted.into())),
            Err(fault) => Ok(Answer::Refused(self.refuse(number, request, now, fault)?.into())),
        }
    }

    /// A signed refusal.
    pub(crate) fn refuse(
        &self,
        number: u16,
        request: &[u8],
        now: Time,
        fault: Fault,
    ) -> Result<Vec<u8>, Fault> {
        let code = match fault {
            Fault::Reject(code @ (Reject::Malformed | Reject::Unavailable)) => {
                return Err(code.into());
            }
            Fault::Reject(code) => code,
            Fault::Store(error) => return Err(error.into()),
        };
        tracing::info!(message = number, code = code.code(), "refused: {code}");
        let refused = Refused::new(number, request, code, now);
        Ok(Signed::seal(refused, self.signer.as_ref())?.bytes().to_vec())
    }
}

/// Fresh random bytes.
pub(crate) fn draw<const N: usize>() -> Result<[u8; N], SignerError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| SignerError(error.to_string()))?;
    Ok(bytes)
}

pub(crate) fn malformed(error: FormError) -> Reject {
    tracing::debug!(%error, "malformed");
    Reject::Malformed
}

pub(crate) const fn bad_signature(_: BadSignature) -> Reject {
    Reject::BadSignature
}

/// The chain in a message, if it is not longer than any real one.
pub(crate) fn read_chain(chain: &[ByteVec]) -> Result<Vec<Vec<u8>>, Reject> {
    let fits = chain.len() <= CHAIN_MAX && chain.iter().all(|der| der.len() <= CERTIFICATE_MAX);
    if fits { Ok(chain.iter().map(|der| der.to_vec()).collect()) } else { Err(Reject::Malformed) }
}

/// Whose chain it is, if it is good for this role now.
pub(crate) fn introduce(
    trust: &Trust,
    chain: Vec<Vec<u8>>,
    role: Role,
    now: Time,
) -> Result<Introduced, Reject> {
    let party = trust.verify(&chain, role, now).map_err(|error| Reject::from(&error))?;
    Ok(Introduced { party, chain })
}
