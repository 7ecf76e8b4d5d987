//! The sessions with one site: as many as asked for, fewer when the server says so.
//!
//! FTP moves one file per session, so a pool of them is lent out. A server that answers "too many"
//! (421, 530) while others of our sessions stand lowers the number for the rest of the run: there is no
//! knob to tune and no deadlock (rclone's issue 4694). SSH carries everything over one connection: there
//! is one session, which all share; a new one is opened when it is lost.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU64, AtomicUsize, Ordering},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};

use crate::{
    Credentials, Error, Kind, Observer, Options, Result, Scheme, Site, Step, TransferId,
    ftp::{Session, session},
    retry::Retry,
    ssh::{self, CopyProtocol, sftp::Sftp},
    tftp,
};

/// Sessions with one site. Cheap to clone.
#[derive(Clone)]
pub struct Pool {
    inner: Arc<Inner>,
}

struct Inner {
    sessions: Sessions,
    transfers: AtomicU64,
}

enum Sessions {
    Ftp(Ftp),
    Ssh(Ssh),
    /// Nothing stands between two files.
    Tftp(Arc<tftp::Context>),
}

struct Ftp {
    context: Arc<session::Context>,
    permits: Arc<Semaphore>,
    idle: Mutex<Vec<Session>>,
    /// Sessions that are open, idle or lent.
    open: AtomicUsize,
}

struct Ssh {
    context: Arc<ssh::Context>,
    /// Held while a session is opened: whoever comes meanwhile waits and shares it.
    reached: tokio::sync::Mutex<Option<Reached>>,
    /// Commands of the old protocol that may run at once.
    commands: Semaphore,
    /// How often opening one was tried.
    tried: AtomicU64,
    /// Why it failed the last time.
    failure: Mutex<Option<Copied>>,
}

/// As much of an error as those need who waited for the same session.
#[derive(Clone)]
struct Copied {
    step: Step,
    kind: Kind,
    message: String,
    retryable: bool,
}

impl Copied {
    fn of(error: &Error) -> Self {
        Self {
            step: error.step(),
            kind: error.kind(),
            message: error.to_string(),
            retryable: error.is_retryable(),
        }
    }

    fn error(&self) -> Error {
        let error = Error::new(self.step, self.kind, self.message.clone());
        if self.retryable {
            error.retryable()
        } else {
            error
        }
    }
}

/// A connection, and what is spoken on it.
#[derive(Clone)]
enum Reached {
    /// SFTP, and the connection that carries it; none where a test is the server.
    Sftp(Sftp, Option<Arc<ssh::Connection>>),
    /// The protocol of `scp -O`.
    Scp(Arc<ssh::Connection>),
}

/// What work goes through.
pub(crate) enum Way {
    /// A session of the pool's, to be leased.
    Ftp,
    /// The one session that all share.
    Sftp(Sftp),
    /// A command on the other side for each piece of work (SCP-30).
    Scp(Arc<ssh::Connection>),
    /// A transaction of its own for each file.
    Tftp(Arc<tftp::Context>),
}

impl Pool {
    /// A pool without a session yet. `credentials` serve FTP; SSH's are in [`Options::ssh`], and these
    /// are taken for what is missing there. TFTP has none.
    #[must_use]
    pub fn new(
        site: Site,
        credentials: Credentials,
        options: Options,
        observer: Arc<dyn Observer>,
    ) -> Self {
        let sessions = if site.scheme.is_ssh() {
            let mut options = options;
            if credentials.are_secret() && options.ssh.user.is_none() {
                options.ssh.user = String::from_utf8(credentials.user).ok();
                options.ssh.password = options.ssh.password.or(Some(credentials.password));
            }
            Sessions::Ssh(Ssh {
                commands: Semaphore::new(options.parallel.max(1)),
                context: Arc::new(ssh::Context::new(site, options, observer)),
                reached: tokio::sync::Mutex::default(),
                tried: AtomicU64::new(0),
                failure: Mutex::default(),
            })
        } else if site.scheme == Scheme::Tftp {
            Sessions::Tftp(Arc::new(tftp::Context::new(site, options, observer)))
        } else {
            let parallel = options.parallel.max(1);
            let context = session::Context::new(site, credentials, options, observer);
            Sessions::Ftp(Ftp {
                context: Arc::new(context),
                permits: Arc::new(Semaphore::new(parallel)),
                idle: Mutex::new(Vec::new()),
                open: AtomicUsize::new(0),
            })
        };
        Self {
            inner: Arc::new(Inner {
                sessions,
                transfers: AtomicU64::new(0),
            }),
        }
    }

    /// A pool whose session stands already.
    #[cfg(test)]
    pub(crate) fn with_session(
        site: Site,
        options: Options,
        observer: Arc<dyn Observer>,
        sftp: Sftp,
    ) -> Self {
        let ssh = Ssh {
            commands: Semaphore::new(options.parallel.max(1)),
            context: Arc::new(ssh::Context::new(site, options, observer)),
            reached: tokio::sync::Mutex::new(Some(Reached::Sftp(sftp, None))),
            tried: AtomicU64::new(0),
            failure: Mutex::default(),
        };
        Self {
            inner: Arc::new(Inner {
                sessions: Sessions::Ssh(ssh),
                transfers: AtomicU64::new(0),
            }),
        }
    }

    /// The choices that hold.
    #[must_use]
    pub fn options(&self) -> &Options {
        match &self.inner.sessions {
            Sessions::Ftp(ftp) => &ftp.context.options,
            Sessions::Ssh(ssh) => &ssh.context.options,
            Sessions::Tftp(context) => &context.options,
        }
    }

    /// The site.
    #[must_use]
    pub fn site(&self) -> &Site {
        match &self.inner.sessions {
            Sessions::Ftp(ftp) => &ftp.context.site,
            Sessions::Ssh(ssh) => &ssh.context.site,
            Sessions::Tftp(context) => &context.site,
        }
    }

    pub(crate) fn observer(&self) -> &Arc<dyn Observer> {
        match &self.inner.sessions {
            Sessions::Ftp(ftp) => &ftp.context.observer,
            Sessions::Ssh(ssh) => &ssh.context.observer,
            Sessions::Tftp(context) => &context.observer,
        }
    }

    /// How many files may be worked on at once. Where they share one session, far more than there are
    /// sessions: the session itself bounds how many are open.
    pub(crate) fn files_at_once(&self) -> usize {
        match &self.inner.sessions {
            Sessions::Ftp(_) | Sessions::Tftp(_) => self.options().parallel.max(1),
            Sessions::Ssh(_) => ssh::sftp::OPEN_FILES,
        }
    }

    /// What the next piece of work goes through; opens it when it is not there.
    pub(crate) async fn way(&self) -> Result<Way> {
        let ssh = match &self.inner.sessions {
            Sessions::Ftp(_) => return Ok(Way::Ftp),
            Sessions::Tftp(context) => return Ok(Way::Tftp(Arc::clone(context))),
            Sessions::Ssh(ssh) => ssh,
        };
        Ok(match Box::pin(ssh.reach()).await? {
            Reached::Sftp(sftp, _) => Way::Sftp(sftp),
            Reached::Scp(connection) => Way::Scp(connection),
        })
    }

    /// Waits until one more command of the old protocol of scp may run: a server permits few sessions on
    /// one connection (OpenSSH's MaxSessions: 10).
    pub(crate) async fn command(&self) -> Result<SemaphorePermit<'_>> {
        let ended = |_| Error::new(Step::Connect, Kind::Protocol, "the work was ended");
        match &self.inner.sessions {
            Sessions::Ssh(ssh) => ssh.commands.acquire().await.map_err(ended),
            Sessions::Ftp(ftp) => ftp.permits.acquire().await.map_err(ended),
            Sessions::Tftp(context) => context.turn().await,
        }
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

    /// Lends an FTP session; waits for one when all are lent.
    pub(crate) async fn lease(&self) -> Result<Lease> {
        let Sessions::Ftp(ftp) = &self.inner.sessions else {
            let text = "a session of FTP was asked of another site";
            return Err(Error::new(Step::Connect, Kind::Usage, text));
        };
        loop {
            let permit = Arc::clone(&ftp.permits)
                .acquire_owned()
                .await
                .map_err(|_| Error::new(Step::Connect, Kind::Protocol, "the work was ended"))?;
            let idle = ftp.idle().pop();
            if let Some(session) = idle {
                return Ok(Lease {
                    session: Some(session),
                    pool: self.clone(),
                    _permit: permit,
                });
            }
            match Session::open(&ftp.context).await {
                Ok(session) => {
                    ftp.open.fetch_add(1, Ordering::Relaxed);
                    return Ok(Lease {
                        session: Some(session),
                        pool: self.clone(),
                        _permit: permit,
                    });
                }
                Err(error)
                    if error.kind() == Kind::Busy && ftp.open.load(Ordering::Relaxed) > 0 =>
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
        match &self.inner.sessions {
            Sessions::Ftp(ftp) => {
                let sessions = std::mem::take(&mut *ftp.idle());
                for session in sessions {
                    session.close().await;
                }
            }
            Sessions::Ssh(ssh) => {
                let connection = match ssh.reached.lock().await.take() {
                    Some(Reached::Sftp(sftp, connection)) => {
                        sftp.close();
                        connection
                    }
                    Some(Reached::Scp(connection)) => Some(connection),
                    None => None,
                };
                if let Some(connection) = connection.and_then(Arc::into_inner) {
                    connection.close().await;
                }
            }
            Sessions::Tftp(context) => context.close().await,
        }
    }
}

impl Reached {
    fn is_usable(&self) -> bool {
        match self {
            Self::Sftp(sftp, connection) => {
                sftp.is_usable() && connection.as_ref().is_none_or(|it| !it.is_closed())
            }
            Self::Scp(connection) => !connection.is_closed(),
        }
    }
}

impl Ssh {
    /// The session that stands, or a new one. Hundreds may wait for it: when it cannot be opened, all of
    /// them hear why, and none tries the same again on its own.
    async fn reach(&self) -> Result<Reached> {
        let seen = self.tried.load(Ordering::Relaxed);
        let mut reached = self.reached.lock().await;
        if let Some(stands) = reached.as_ref().filter(|stands| stands.is_usable()) {
            return Ok(stands.clone());
        }
        if self.tried.load(Ordering::Relaxed) != seen
            && let Some(failure) = self.failure().as_ref()
        {
            return Err(failure.error());
        }
        *reached = None;
        let opened = self.open().await;
        self.tried.fetch_add(1, Ordering::Relaxed);
        *self.failure() = opened.as_ref().err().map(Copied::of);
        let opened = opened?;
        *reached = Some(opened.clone());
        Ok(opened)
    }

    fn failure(&self) -> std::sync::MutexGuard<'_, Option<Copied>> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn open(&self) -> Result<Reached> {
        let context = &*self.context;
        let copy = context.options.ssh.copy;
        let may_be_old = context.site.scheme == Scheme::Scp;
        let connection = Box::pin(ssh::Connection::open(&self.context)).await?;
        let connection = Arc::new(connection);
        if may_be_old && copy == CopyProtocol::Old {
            return Ok(Reached::Scp(connection));
        }
        let channel = match connection.sftp_channel().await {
            Ok(channel) => channel,
            Err(error)
                if may_be_old && copy == CopyProtocol::Auto && error.kind() == Kind::Rejected =>
            {
                let text = "the server has no SFTP; going on with the old protocol of scp";
                context.observer.note(text);
                return Ok(Reached::Scp(connection));
            }
            Err(error) => return Err(error),
        };
        let (incoming, outgoing) = channel.split();
        let idle = context.options.idle_timeout;
        let sftp = Sftp::begin(&context.site, incoming, outgoing, idle).await?;
        Ok(Reached::Sftp(sftp, Some(connection)))
    }
}

impl Ftp {
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
        let Sessions::Ftp(ftp) = &self.pool.inner.sessions else {
            return;
        };
        match self.session.take() {
            Some(session) if session.is_usable() => ftp.idle().push(session),
            _ => {
                ftp.open.fetch_sub(1, Ordering::Relaxed);
            }
        }
    }
}

/// Only SFTP can do that; the old protocol of scp moves files and nothing else.
pub(crate) fn needs_sftp(pool: &Pool) -> Error {
    let text = format!(
        "{}: the old protocol of scp can only get and put files",
        pool.site()
    );
    Error::new(Step::Command, Kind::Usage, text)
        .hint("this needs SFTP: use sftp://, leave out -O, or ask the server's admin to offer SFTP")
}

/// TFTP moves single files and nothing else.
pub(crate) fn only_moves_files(pool: &Pool) -> Error {
    let text = format!("{}: TFTP can only get and put single files", pool.site());
    Error::new(Step::Command, Kind::Usage, text).hint(
        "it has no way to list, remove, rename or make anything; use ftp:// or sftp:// if the host serves them",
    )
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;
    use crate::{Location, Silent};

    /// Hundreds of files may wait for one session; a server that is out of order is asked once.
    #[tokio::test]
    async fn all_who_wait_for_a_session_share_its_failure() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&seen);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::Relaxed);
                drop(stream);
            }
        });
        let site = Location::parse(&format!("sftp://ann@127.0.0.1:{port}/"));
        let pool = Pool::new(
            site.unwrap().site,
            Credentials::anonymous(),
            Options::default(),
            Arc::new(Silent),
        );
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..100 {
            let pool = pool.clone();
            tasks.spawn(async move { pool.way().await.map(drop).unwrap_err() });
        }
        while let Some(error) = tasks.join_next().await {
            assert!(error.unwrap().is_retryable());
        }
        assert_eq!(seen.load(Ordering::Relaxed), 1);
    }
}
