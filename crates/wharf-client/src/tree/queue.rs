//! The work of a tree, shared by the tasks that do it.

use std::{
    collections::VecDeque,
    future::Future,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::{sync::Notify, task::JoinSet};

use super::Tally;
use crate::{Error, Pool, Result, Step, Subject, Transferred};

/// A piece of work.
pub(super) enum Work<D, F> {
    /// Look into a directory; gives more work.
    Directory(D),
    /// Move a file.
    File(F),
}

pub(super) struct Queue<D, F> {
    inner: Mutex<Inner<D, F>>,
    changed: Notify,
}

struct Inner<D, F> {
    directories: Vec<D>,
    files: VecDeque<F>,
    /// Pieces that some task has in hand and that may give more.
    in_hand: usize,
    /// Pieces that were ever taken.
    begun: u64,
    tally: Tally,
    /// No more is begun: the site is out of reach.
    stopped: Option<Error>,
}

impl<D, F> Queue<D, F> {
    fn with<T>(&self, act: impl FnOnce(&mut Inner<D, F>) -> T) -> T {
        act(&mut self.inner.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn push(&self, work: Work<D, F>) {
        self.with(|inner| match work {
            Work::Directory(directory) => inner.directories.push(directory),
            Work::File(file) => inner.files.push_back(file),
        });
        self.changed.notify_one();
    }

    /// Counts a failure that was told.
    pub(super) fn fail(&self, pool: &Pool, name: &str, error: Error) {
        let subject = Subject {
            url: name,
            path: None,
        };
        pool.observer()
            .finished(pool.next_transfer(), subject, &Err(error));
        self.with(|inner| inner.tally.failed += 1);
    }

    /// The next piece; `None` when all is done. Files come first, so that few are held.
    async fn take(&self) -> Option<Work<D, F>> {
        loop {
            let waiting = self.changed.notified();
            let next = self.with(|inner| {
                if inner.stopped.is_some() {
                    return Some(None);
                }
                let work = match inner.files.pop_front() {
                    Some(file) => Some(Work::File(file)),
                    None => inner.directories.pop().map(Work::Directory),
                };
                match work {
                    Some(work) => {
                        inner.in_hand += 1;
                        inner.begun += 1;
                        Some(Some(work))
                    }
                    None if inner.in_hand == 0 => Some(None),
                    None => None,
                }
            });
            if let Some(next) = next {
                return next;
            }
            waiting.await;
        }
    }

    fn done(&self, result: Option<&Transferred>) {
        self.with(|inner| {
            inner.in_hand -= 1;
            if let Some(transferred) = result {
                inner.tally.files += 1;
                inner.tally.octets += transferred.size;
            }
        });
        self.changed.notify_waiters();
        self.changed.notify_one();
    }

    /// Whether the first directory is still in hand: without it there is nothing else to do.
    fn is_at_the_top(&self) -> bool {
        self.with(|inner| inner.begun == 1)
    }

    fn stop(&self, error: Error) {
        self.with(|inner| inner.stopped = inner.stopped.take().or(Some(error)));
        self.changed.notify_waiters();
    }
}

/// Whether going on with the next piece makes no sense: the site was not even reached.
const fn is_fatal(error: &Error) -> bool {
    matches!(
        error.step(),
        Step::Resolve | Step::Connect | Step::Greeting | Step::Login
    )
}

/// Works a tree off. A directory that cannot be read is one failure; a site that cannot be reached ends
/// the whole.
pub(super) async fn run<D, F, L, LF, M, MF>(
    pool: &Pool,
    first: Work<D, F>,
    look: L,
    move_file: M,
) -> Result<Tally>
where
    D: Send + 'static,
    F: Send + 'static,
    L: Fn(Pool, D, Arc<Queue<D, F>>) -> LF + Clone + Send + 'static,
    LF: Future<Output = Result<()>> + Send,
    M: Fn(Pool, F) -> MF + Clone + Send + 'static,
    MF: Future<Output = Result<Transferred>> + Send,
{
    let inner = Inner {
        directories: Vec::new(),
        files: VecDeque::new(),
        in_hand: 0,
        begun: 0,
        tally: Tally::default(),
        stopped: None,
    };
    let queue = Arc::new(Queue {
        inner: Mutex::new(inner),
        changed: Notify::new(),
    });
    queue.push(first);
    let mut tasks = JoinSet::new();
    for _ in 0..pool.files_at_once() {
        let (queue, pool, look, move_file) = (
            Arc::clone(&queue),
            pool.clone(),
            look.clone(),
            move_file.clone(),
        );
        tasks.spawn(async move {
            while let Some(work) = queue.take().await {
                match work {
                    Work::Directory(directory) => {
                        let looked = look(pool.clone(), directory, Arc::clone(&queue)).await;
                        match looked {
                            Ok(()) => {}
                            Err(error) if is_fatal(&error) || queue.is_at_the_top() => {
                                queue.stop(error);
                            }
                            Err(error) => {
                                let name = pool.site().to_string();
                                queue.fail(&pool, &name, error);
                            }
                        }
                        queue.done(None);
                    }
                    Work::File(file) => match move_file(pool.clone(), file).await {
                        Ok(transferred) => queue.done(Some(&transferred)),
                        Err(error) => {
                            queue.with(|inner| inner.tally.failed += 1);
                            if is_fatal(&error) {
                                queue.stop(error);
                            }
                            queue.done(None);
                        }
                    },
                }
            }
        });
    }
    while tasks.join_next().await.is_some() {}
    let (stopped, tally) = queue.with(|inner| (inner.stopped.take(), inner.tally));
    match stopped {
        Some(error) => Err(error),
        None => Ok(tally),
    }
}
