//! The certificate authority: who has which key, and which of them no longer counts.
//!
//! [`found`] makes a CA in a folder: a root that can then be kept offline, an issuing CA, and the
//! card root key for compact certificates. [`Ca`] issues to servers and cards, revokes, and signs
//! lists. [`serve`] answers cards that enrol and everybody who fetches certificates and lists.

mod authority;
mod books;
mod certify;
mod chance;
mod code;
mod enrolment;
mod error;
mod folder;
mod issued;
mod lists;
mod pem;
mod revocation;
mod serial;
mod service;
mod subject;

pub use authority::{Ca, IssuingKey, PaymentCertificates, Registration, ServerRequest, Target};
pub use books::BooksError;
pub use code::{CodeError, EnrolmentCode};
pub use error::CaError;
pub use folder::{Folder, Founded, NewCa, found};
pub use issued::{IssuedCertificate, Kind};
pub use pem::write_pem;
pub use revocation::{Reason, ReasonError, Revocation};
pub use serial::{Serial, SerialError};
pub use service::{Settings, serve, serve_until};
pub use subject::{Holder, Owner, payer_id};
