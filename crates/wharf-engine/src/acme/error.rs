//! What can go wrong, in words for the server's operator. None of it reaches a peer.

use std::{io, net::SocketAddr, path::PathBuf};

use crate::tls;

/// The most characters of a foreign text that are repeated.
const MAX_FOREIGN: usize = 400;
/// The prefix of ACME's error types (RFC 8555 6.7).
const ACME_ERRORS: &str = "urn:ietf:params:acme:error:";

/// Why there is no (new) certificate.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No domain, or too many.
    #[error("a certificate names 1 to 100 domains, here are {0}: mend the list of domains")]
    Domains(usize),
    /// A name that neither challenge can show.
    #[error(
        "`{0}` is no domain that can be validated: give DNS names without wildcard and address, \
         international ones in their xn-- form"
    )]
    Domain(String),
    /// Not an `https` URL.
    #[error("the directory `{0}` is no https URL of at most 200 characters")]
    Directory(String),
    /// The private root is unreadable or holds no certificate.
    #[error("the root certificates in {} cannot be used: {cause}", path.display())]
    Root {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: String,
    },
    /// The system has no root certificates.
    #[error("the system has no root certificates: install ca-certificates, or name a root_ca")]
    NoRoots,
    /// The listener of HTTP-01.
    #[error("cannot listen on {address} for HTTP-01: {cause}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why.
        cause: io::Error,
    },
    /// The storage folder or a file in it.
    #[error("cannot {action} {}: {cause}", path.display())]
    Storage {
        /// What was tried.
        action: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// A kept file that does not hold what it should.
    #[error("{} is not as it was written ({cause}): the next order replaces it", path.display())]
    Kept {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: tls::Error,
    },
    /// A certificate that cannot be made, or an issued one that cannot be used.
    #[error(transparent)]
    Certificate(#[from] tls::Error),
    /// What should never happen: a library or the runtime refused.
    #[error("internal: {0}")]
    Internal(String),
    /// The certificate does not name what was ordered.
    #[error("the directory issued a certificate for other names than were ordered")]
    OtherNames,
    /// The directory could not be reached or did not speak ACME.
    #[error("no answer from the directory that could be used: {0}")]
    Unreachable(String),
    /// The directory refused.
    #[error("the directory refused: {detail} ({kind})")]
    Refused {
        /// The type of the problem, without ACME's prefix.
        kind: String,
        /// The directory's words.
        detail: String,
    },
    /// The directory offers other challenges only.
    #[error("the directory does not offer {challenge} for {domain}: choose the other challenge")]
    NotOffered {
        /// The challenge that is set up.
        challenge: &'static str,
        /// The domain.
        domain: String,
    },
    /// The directory's look at the challenge failed.
    #[error(
        "the directory could not validate {domain} by {challenge}: {detail}; it must reach \
         {port} of that name, forwarded to this server"
    )]
    NotValidated {
        /// The challenge that is set up.
        challenge: &'static str,
        /// The port that the directory connects to.
        port: &'static str,
        /// The domain.
        domain: String,
        /// The directory's words.
        detail: String,
    },
    /// The order took too long.
    #[error("the order was not done in {0} minutes")]
    Late(u64),
}

impl Error {
    /// The directory wants fewer requests (RFC 8555 6.6).
    pub(super) fn is_rate_limit(&self) -> bool {
        matches!(self, Self::Refused { kind, .. } if kind == "rateLimited")
    }

    /// The directory does not know the account (any more).
    pub(super) fn is_unknown_account(&self) -> bool {
        matches!(self, Self::Refused { kind, .. } if kind == "accountDoesNotExist")
    }
}

impl From<instant_acme::Error> for Error {
    fn from(error: instant_acme::Error) -> Self {
        match error {
            instant_acme::Error::Api(problem) => {
                let kind = problem.r#type.as_deref().unwrap_or("no type");
                Self::Refused {
                    kind: foreign(kind.strip_prefix(ACME_ERRORS).unwrap_or(kind)),
                    detail: detail(&problem),
                }
            }
            other => Self::Unreachable(foreign(&other.to_string())),
        }
    }
}

/// The words of a problem and of its parts.
pub(super) fn detail(problem: &instant_acme::Problem) -> String {
    let mut text = problem.detail.clone().unwrap_or_default();
    for part in &problem.subproblems {
        text.push_str("; ");
        text.push_str(&part.to_string());
    }
    foreign(&text)
}

/// A text from the network, fit for one line of a log.
fn foreign(text: &str) -> String {
    text.chars()
        .take(MAX_FOREIGN)
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .collect()
}
