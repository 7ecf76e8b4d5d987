//! The sessions with one site: as many as asked for, fewer when the server says so.
//!
//! A server that answers "too many" (421, 530) while others of our sessions stand lowers the number for
//! the rest of the run: there is no knob to tune and no deadlock (rclone's issue 4694).

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU64, AtomicUsize, Ordering},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{
    Credentials, Error, Kind, Observer, Options, Result, Site, Step, TransferId,
    ftp::{Session, session::Context},
    retry::Retry,
};

/// Sessions with one site. Cheap to clone.
#[derive(Clone)]
pub struct Pool {
    inner: Arc<Inner>,
}

struct Inner {
    context: Arc<Context>,
    permits: Arc<Semaphore>,
    idle: Mutex<Vec<Session>>,
    /// Sessions that are open, idle or lent.
    open: AtomicUsize,
    transfers: AtomicU64,
}

impl Pool {
    /// A pool without a session yet.
    #[must_use]
    pub fn new(
        site: Site,
        credentials: Credentials,
        options: Options,
        observer: Arc<dyn Observer>,
    ) -> Self {
        let parallel = options.parallel.max(1);
        let context = Context::new(site, credentials, options, observer);
        Self {
            inner: Arc::new(Inner {
                context: Arc::new(context),
                permits: Arc::new(Semaphore::new(parallel)),
                idle: Mutex::new(Vec::new()),
                open: AtomicUsize::new(0),
                transfers: AtomicU64::new(0),
            }),
        }
    }

    /// The choices that hold.
    #[must_use]
    pub fn options(&self) -> &Options {
        &self.inner.context.options
    }

    /// The site.
    #[must_use]
    pub fn site(&self) -> &Site {
        &self.inner.context.site
    }

    pub(crate) fn observer(&self) -> &Arc<dyn Observer> {
        &self.inner.context.observer
    }

    pub(crate) fn retry(&self) -> Retry {
        Retry::new(
            self.options().retries,
            self.options().retry_wait,
            Arc::clone(self.observer()),
        )
    }

    pub(crate) fn next_transfer(&self) -> TransferId {
        TransferId(self.inner.transfers.fetch_add(1, Ordering::Relaxed))
    }

    /// Lends a session; waits for one when all are lent.
    pub(crate) async fn lease(&self) -> Result<Lease> {
        loop {
            let permit = Arc::clone(&self.inner.permits)
                .acquire_owned()
                .await
                .map_err(|_| Error::new(Step::Connect, Kind::Protocol, "the work was ended"))?;
            let idle = self.inner.idle().pop();
            if let Some(session) = idle {
                return Ok(Lease {
                    session: Some(session),
                    pool: self.clone(),
                    _permit: permit,
                });
            }
            match Session::open(&self.inner.context).await {
                Ok(session) => {
                    self.inner.open.fetch_add(1, Ordering::Relaxed);
                    return Ok(Lease {
                        session: Some(session),
                        pool: self.clone(),
                        _permit: permit,
                    });
                }
                Err(error)
                    if error.kind() == Kind::Busy
                        && self.inner.open.load(Ordering::Relaxed) > 0 =>
                {
                    // The others go on; this place is given up for good.
                    permit.forget();
                    self.observer()
                        .note("the server takes no more sessions; going on with fewer");
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Says goodbye to the server on every idle session.
    pub async fn close(&self) {
        let sessions = std::mem::take(&mut *self.inner.idle());
        for session in sessions {
            session.close().await;
        }
    }
}

impl Inner {
    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Session>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A lent session; goes back when dropped, if it is still of use.
pub(crate) struct Lease {
    session: Option<Session>,
    pool: Pool,
    _permit: OwnedSemaphorePermit,
}

impl Lease {
    pub(crate) fn session(&mut self) -> Result<&mut Session> {
        self.session
            .as_mut()
            .ok_or_else(|| Error::new(Step::Connect, Kind::Protocol, "the session was given back"))
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        match self.session.take() {
            Some(session) if session.is_usable() => self.pool.inner.idle().push(session),
            _ => {
                self.pool.inner.open.fetch_sub(1, Ordering::Relaxed);
            }
        }
    }
}
