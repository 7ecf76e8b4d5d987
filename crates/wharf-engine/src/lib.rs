//! What sessions of every protocol share: listeners, admission, login, limits, registry, events,
//! shutdown.
//!
//! A front end brings the protocol; this crate brings everything that must hold over all protocols
//! at once: who is let in at the door ([`admission`]), who has failed too often ([`lockout`]), how
//! many sessions an account has ([`accounts`]), who is here ([`registry`]), what happened
//! ([`events`]), and how it all comes to an end ([`registry::Registry::end_all`]).
//!
//! This crate must not know a protocol's words, nor a concrete volume or account store.

pub mod accounts;
#[cfg(feature = "acme")]
pub mod acme;
pub mod admission;
pub mod engine;
pub mod events;
pub mod listener;
pub mod lockout;
pub mod login;
pub mod proxy_header;
pub mod registry;
pub mod request_rate;
pub mod session;
pub mod tls;
pub mod transfers;
pub mod workers;

pub use accounts::{ActiveAccount, Views};
pub use admission::{Admission, AdmissionLimits, Lease, Turned};
pub use engine::{Engine, Policy};
pub use listener::{Connection, FrontEnd, Listener};
pub use lockout::{Lockout, LockoutPolicy};
pub use login::{LoginError, LoginFailure};
pub use registry::{Ending, Record, Registry, SessionId};
pub use request_rate::RequestRate;
pub use session::{Guest, LoggedIn, Session};
pub use tls::{SessionTls, Tls};
pub use transfers::{Abort, FileTransfer, Outcome as TransferOutcome, Transfers};
pub use workers::Workers;

#[cfg(test)]
mod tests;
