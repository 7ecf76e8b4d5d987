//! From a credential to a principal, in as many steps as it takes.
//!
//! A password needs one step; keyboard-interactive, one-time codes and PAM ask more. The trait is a
//! conversation from the start so that no front end is written for one step only.
//!
//! What comes out of a refusal ([`Refusal`]) is for the log. A front end gives its peer one text for
//! every reason that depends on the name.

use std::{future::Future, net::IpAddr, pin::Pin, time::Instant};

use crate::{Credential, Error, KeyRefusal, NameError, Principal, Proofs, Secret, SshLogin};

/// A future on the heap.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Proves who a peer is.
pub trait Authenticator: Send + Sync {
    /// Begins with the credential that the peer gave.
    fn begin<'a>(&'a self, credential: &'a Credential, now: Instant) -> BoxFuture<'a, Step>;
}

/// Where a conversation stands.
#[must_use]
pub enum Step {
    /// The peer is who it says.
    Done(Principal),
    /// It is not, or that cannot be known now.
    Refused(Refusal),
    /// More is asked; the answers go to [`Conversation::answer`].
    Ask {
        /// What to ask the peer, in this order.
        prompts: Vec<Prompt>,
        /// The rest of the conversation.
        conversation: Box<dyn Conversation>,
    },
}

/// A conversation that waits for answers.
pub trait Conversation: Send {
    /// Goes on with one answer per prompt, in their order.
    fn answer(self: Box<Self>, answers: Vec<Secret>, now: Instant) -> BoxFuture<'static, Step>;
}

/// One question to the peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prompt {
    /// The text to show.
    pub text: String,
    /// Whether the answer may be seen while it is typed.
    pub echo: bool,
}

/// Why somebody is not let in: for the log only, the peer must not learn which it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The bytes can be no account's name.
    #[error("not a name: {0}")]
    Name(#[from] NameError),
    /// The password is too long or holds a NUL.
    #[error("not a password: more than {max} bytes, or a NUL", max = crate::credential::MAX_PASSWORD)]
    Password,
    /// Nobody has that name.
    #[error("unknown name")]
    UnknownName,
    /// The password is wrong.
    #[error("wrong password")]
    WrongPassword,
    /// No password can be right: the stored one is empty, marked as locked or unreadable.
    #[error("locked account: {0}")]
    Locked(crate::Lock),
    /// The account is switched off.
    #[error("disabled account")]
    Disabled,
    /// The account has expired.
    #[error("account expired at {expired} s since 1970")]
    Expired {
        /// When, in seconds since 1970 UTC.
        expired: u64,
    },
    /// Not from this address.
    #[error("the account is not allowed from {0}")]
    Network(IpAddr),
    /// The account is for connections under TLS only.
    #[error("the account requires TLS (require_tls)")]
    TlsRequired,
    /// The peer showed no client certificate of this account.
    #[error("no certificate of this account was shown (certificates)")]
    Certificate,
    /// The key opens nothing.
    #[error("public key: {0}")]
    Key(#[from] KeyRefusal),
    /// Over SSH the account does not take what was given.
    #[error("the account does not take this proof over SSH (ssh_login is {0})")]
    SshLogin(SshLogin),
    /// What was given is right, and the account wants more.
    #[error("right so far; the account wants a key and the password (ssh_login)")]
    FurtherProof {
        /// What was given, now and before.
        proven: Proofs,
        /// What is still wanted.
        wanted: Proofs,
    },
    /// The anonymous account wants an e-mail address as password.
    #[error("the anonymous password is no e-mail address")]
    EmailWanted,
    /// It asks for more than the front end can ask of its peer.
    #[error("the authenticator asks {0} more questions, which this protocol cannot put")]
    NeedsConversation(usize),
    /// The back end failed: nobody's password was wrong.
    #[error("accounts are out of reach: {0}")]
    Unavailable(#[from] Error),
}

impl Refusal {
    /// Whether it must not count as a failed login of the peer.
    pub const fn is_ours(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::NeedsConversation(_))
    }
}
