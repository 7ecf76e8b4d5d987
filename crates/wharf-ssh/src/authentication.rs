//! From a method of RFC 4252 to the engine's login, and its answer back to what the transport says.
//!
//! A name, a password or a key that opens nothing get one answer in one time, whoever they name
//! (CVE-2018-15473); what was proved comes from the transport only after it has verified the
//! signature, never from an offer (CVE-2024-45337).

use russh::{MethodKind, MethodSet, server::Auth};
use ssh_key::Algorithm;
use wharf_accounts::{Credential, Proofs};
use wharf_engine::{Guest, LoggedIn, LoginError, Session};

use crate::{
    Settings, clock,
    connection::{Farewell, Reason},
};

/// What came of an attempt.
pub(crate) enum Attempted {
    /// An account.
    In(Box<Session<LoggedIn>>),
    /// Nobody yet: the session, and what the transport is to answer.
    Out(Box<Session<Guest>>, Auth),
    /// Nobody, and no more attempts.
    Over(Box<Session<Guest>>, Farewell),
}

/// Tries a credential; the engine's delay for a failure has passed when the answer comes.
pub(crate) async fn attempt(guest: Session<Guest>, credential: &Credential) -> Attempted {
    let failure = match guest
        .log_in(credential, clock::now(), clock::unix_now())
        .await
    {
        Ok(session) => return Attempted::In(Box::new(session)),
        Err(failure) => failure,
    };
    tokio::time::sleep(failure.delay).await;
    let session = Box::new(failure.session);
    match failure.error {
        LoginError::FurtherProof { wanted } => {
            let answer = Auth::Reject {
                proceed_with_methods: Some(methods(wanted)),
                partial_success: true,
            };
            Attempted::Out(session, answer)
        }
        LoginError::LockedOut => Attempted::Over(
            session,
            Farewell {
                reason: Reason::ByApplication,
                text: "Too many failed logins from this address, try again later.",
                cause: "too many failed logins",
            },
        ),
        LoginError::TooManySessions => Attempted::Over(
            session,
            Farewell {
                reason: Reason::TooManyConnections,
                text: "Too many sessions of this account, try again later.",
                cause: "too many sessions of the account",
            },
        ),
        _ => Attempted::Out(session, reject()),
    }
}

/// No, and what may be tried.
pub(crate) fn reject() -> Auth {
    Auth::Reject {
        proceed_with_methods: Some(methods(Proofs::PASSWORD.with(Proofs::PUBLIC_KEY))),
        partial_success: false,
    }
}

/// The methods that can give a proof, in the order in which they are offered.
pub(crate) fn methods(wanted: Proofs) -> MethodSet {
    let mut methods = MethodSet::empty();
    if wanted.has(Proofs::PUBLIC_KEY) {
        methods.push(MethodKind::PublicKey);
    }
    if wanted.has(Proofs::PASSWORD) {
        methods.push(MethodKind::Password);
        methods.push(MethodKind::KeyboardInteractive);
    }
    methods
}

/// Whether signatures by `algorithm` are taken: `ssh-rsa` is SHA-1, and named by nobody who has not
/// asked for it.
pub(crate) fn takes(settings: &Settings, algorithm: &Algorithm) -> bool {
    let name = algorithm.as_str();
    settings
        .algorithms
        .signatures
        .iter()
        .any(|taken| taken == name)
}
