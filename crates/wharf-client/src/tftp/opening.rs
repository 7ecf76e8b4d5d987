//! Whom to ask, and how: each address with options, then without (TFT-50).
//!
//! A server that refuses options says so, or says nothing; the request without any is then the one that
//! every server understands. The time that options may cost is half of what opening may take at all. A
//! server that has answered options before says nothing for another reason: it is busy, or not there. What
//! the network refuses (ICMP) is over at once.

use std::{collections::VecDeque, io, net::SocketAddr, sync::PoisonError, time::Duration};

use super::{
    Context, Link,
    diagnosis::{self, Failure},
};
use crate::{Error, Result, connect};

/// What worked before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Known {
    /// None: it did not answer any more.
    address: Option<SocketAddr>,
    is_bare: bool,
}

/// One way to ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Opening {
    /// Whom.
    pub(crate) address: SocketAddr,
    /// Without options.
    pub(crate) is_bare: bool,
    /// How long to wait for the first answer.
    pub(crate) patience: Duration,
}

/// Why an opening led nowhere, or a transaction failed.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// Nobody answered; or somebody else did.
    Silent(Option<SocketAddr>),
    /// The network says that nobody can answer.
    Unreachable(io::Error),
    /// The server refused the request, perhaps for its options.
    Options(Error),
    /// Asking otherwise does not help.
    Final(Error),
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self::Final(error)
    }
}

impl Trouble {
    /// An error of the socket.
    pub(crate) fn of_link(link: &Link, what: &str, error: io::Error) -> Self {
        if link.is_answered() {
            Self::Final(diagnosis::broken(what, &error))
        } else {
            Self::Unreachable(error)
        }
    }
}

/// The ways to ask that are left.
pub(crate) struct Openings<'a> {
    context: &'a Context,
    /// The server has answered requests with options before.
    knows_options: bool,
    waiting: VecDeque<Opening>,
    failures: Vec<(SocketAddr, Failure)>,
}

impl Context {
    /// The ways to ask this server.
    pub(crate) async fn openings(&self) -> Result<Openings<'_>> {
        let known = *self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let addresses = match known.and_then(|known| known.address) {
            Some(address) => VecDeque::from([address]),
            None => connect::resolve(&self.site, &self.options).await?,
        };
        let count = u32::try_from(addresses.len()).unwrap_or(u32::MAX).max(1);
        let share = self.options.connect_timeout / count;
        let is_bare = known.is_some_and(|known| known.is_bare);
        let knows_options = known.is_some_and(|known| !known.is_bare);
        let patience = if knows_options { share } else { share / 2 };
        let mut waiting = VecDeque::new();
        for address in addresses {
            let opening = |is_bare, patience| Opening {
                address,
                is_bare,
                patience,
            };
            if is_bare {
                waiting.push_back(opening(true, share));
            } else {
                waiting.push_back(opening(false, patience));
                waiting.push_back(opening(true, patience));
            }
        }
        Ok(Openings {
            context: self,
            knows_options,
            waiting,
            failures: Vec::new(),
        })
    }

    /// The server took a request: the next begins as this did.
    pub(crate) fn remember(&self, opening: &Opening) {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Some(Known {
            address: Some(opening.address),
            is_bare: opening.is_bare,
        });
    }

    /// Nobody answers: the address may have changed. That options were understood remains.
    fn forget(&self) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        *known = known.filter(|known| !known.is_bare).map(|known| Known {
            address: None,
            ..known
        });
    }
}

impl Openings<'_> {
    /// The next way to ask.
    pub(crate) fn next(&mut self) -> Option<Opening> {
        self.waiting.pop_front()
    }

    /// A way led nowhere: an error when the others would not, either.
    pub(crate) fn failed(&mut self, what: &str, opening: &Opening, trouble: Trouble) -> Result<()> {
        let observer = &self.context.observer;
        let address = opening.address;
        match trouble {
            Trouble::Final(error) => return Err(error),
            Trouble::Options(error) if opening.is_bare => return Err(error),
            Trouble::Options(error) => {
                observer.note(&format!("{error}; asking again without options"));
                self.waiting.retain(|other| other.address == address);
            }
            Trouble::Silent(Some(from)) => return Err(diagnosis::foreign(what, address, from)),
            Trouble::Silent(None) => {
                let seconds = opening.patience.as_secs_f32();
                if self.knows_options {
                    self.waiting.clear();
                } else if !opening.is_bare {
                    observer.note(&format!(
                        "{address} does not answer in {seconds} s; asking without options"
                    ));
                }
                self.failures
                    .push((address, Failure::Silent(opening.patience)));
            }
            Trouble::Unreachable(error) => {
                self.waiting.retain(|other| other.address != address);
                self.failures.push((address, Failure::Unreachable(error)));
            }
        }
        Ok(())
    }

    /// Why nobody was reached.
    pub(crate) fn exhausted(mut self) -> Error {
        self.context.forget();
        // An address that was asked twice is told once, with the whole time.
        self.failures
            .dedup_by(|later, earlier| match (&later.1, &mut earlier.1) {
                (Failure::Silent(more), Failure::Silent(time)) if later.0 == earlier.0 => {
                    *time += *more;
                    true
                }
                _ => false,
            });
        diagnosis::not_reached(&self.context.site, &self.failures)
    }
}
