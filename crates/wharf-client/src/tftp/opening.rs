//! Whom to ask, and how: each address with options, then without (TFT-50).
//!
//! A server that refuses options says so, or says nothing; the request without any is then the one that
//! every server understands. The time that options may cost is half of what opening may take at all. What
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
    address: SocketAddr,
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
    waiting: VecDeque<Opening>,
    failures: Vec<(SocketAddr, Failure)>,
}

impl Context {
    /// The ways to ask this server.
    pub(crate) async fn openings(&self) -> Result<Openings<'_>> {
        let known = *self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let addresses = match known {
            Some(known) => VecDeque::from([known.address]),
            None => connect::resolve(&self.site, &self.options).await?,
        };
        let count = u32::try_from(addresses.len()).unwrap_or(u32::MAX).max(1);
        let share = self.options.connect_timeout / count;
        let is_bare = known.is_some_and(|known| known.is_bare);
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
                waiting.push_back(opening(false, share / 2));
                waiting.push_back(opening(true, share / 2));
            }
        }
        Ok(Openings {
            context: self,
            waiting,
            failures: Vec::new(),
        })
    }

    /// The server took a request: the next begins as this did.
    pub(crate) fn remember(&self, opening: &Opening) {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Some(Known {
            address: opening.address,
            is_bare: opening.is_bare,
        });
    }

    fn forget(&self) {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = None;
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
                if !opening.is_bare {
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
