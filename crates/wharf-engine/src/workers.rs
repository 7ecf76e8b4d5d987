//! The threads that serve sessions: one reactor each, and a session stays where it began.
//!
//! A session's control connection, its machine and its transfers live on one thread, so nothing that
//! it does wakes another thread: a command costs one wait, one read and one write. A new session
//! goes to the thread that has the fewest; only those that exchange a datagram now and then are kept
//! together ([`Workers::spawn_together`]). Work that may sleep goes to the thread's blocking pool.

use std::{
    future::Future,
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread::JoinHandle,
};

use tokio::{
    runtime::{Builder, Handle},
    sync::watch,
};

/// Threads of one reactor's blocking pool.
const BLOCKING_THREADS: usize = 64;

/// The threads. Dropping them stops them; what is still running on them is dropped.
#[derive(Debug)]
pub struct Workers {
    workers: Vec<Worker>,
    stop: watch::Sender<bool>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Debug)]
struct Worker {
    handle: Handle,
    sessions: Arc<AtomicUsize>,
}

impl Worker {
    fn new(handle: Handle) -> Self {
        Self {
            handle,
            sessions: Arc::default(),
        }
    }

    fn spawn(&self, session: impl Future<Output = ()> + Send + 'static) {
        let place = Place::take(&self.sessions);
        self.handle.spawn(async move {
            session.await;
            drop(place);
        });
    }
}

impl Workers {
    /// The runtime of the caller alone. Must be called inside it.
    pub fn here() -> Self {
        let (stop, _) = watch::channel(false);
        Self {
            workers: vec![Worker::new(Handle::current())],
            stop,
            threads: Vec::new(),
        }
    }

    /// `count` threads with a runtime each (one at the least). The caller's runtime serves no
    /// session.
    ///
    /// # Errors
    /// The system's refusal to start a thread.
    pub fn start(count: usize) -> io::Result<Self> {
        let (stop, _) = watch::channel(false);
        let mut all = Self {
            workers: Vec::new(),
            stop,
            threads: Vec::new(),
        };
        for number in 1..=count.max(1) {
            let runtime = Builder::new_current_thread()
                .enable_all()
                .max_blocking_threads(BLOCKING_THREADS)
                .build()?;
            all.workers.push(Worker::new(runtime.handle().clone()));
            let mut stopped = all.stop.subscribe();
            let thread = std::thread::Builder::new()
                .name(format!("wharf-worker-{number}"))
                .spawn(move || {
                    // An error means that the sender is gone, which is a stop as well.
                    let _ = runtime.block_on(stopped.wait_for(|stop| *stop));
                    runtime.shutdown_background();
                })?;
            all.threads.push(thread);
        }
        Ok(all)
    }

    /// Runs a session to its end on the thread that has the fewest.
    pub fn spawn(&self, session: impl Future<Output = ()> + Send + 'static) {
        let fewest = self
            .workers
            .iter()
            .min_by_key(|worker| worker.sessions.load(Ordering::Relaxed));
        if let Some(worker) = fewest {
            worker.spawn(session);
        }
    }

    /// Runs a session to its end on the first thread that has fewer than `most`, else on the one that has
    /// the fewest.
    ///
    /// For sessions that do very little at a time and all at the same time: one thread that is always awake
    /// finds several at each wait, where two that share them fall asleep between any two (200 sessions in
    /// lock-step, one core left for them: 300 against 240 MB/s).
    pub fn spawn_together(&self, most: usize, session: impl Future<Output = ()> + Send + 'static) {
        let roomy = self
            .workers
            .iter()
            .find(|worker| worker.sessions.load(Ordering::Relaxed) < most);
        match roomy {
            Some(worker) => worker.spawn(session),
            None => self.spawn(session),
        }
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        let _ = self.stop.send(true);
        for thread in self.threads.drain(..) {
            // A worker that panicked has stopped as well.
            let _ = thread.join();
        }
    }
}

/// Counts a session for as long as it lives, however it ends.
struct Place(Arc<AtomicUsize>);

impl Place {
    fn take(sessions: &Arc<AtomicUsize>) -> Self {
        sessions.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(sessions))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::HashSet, sync::Mutex};

    use tokio::sync::Barrier;

    use super::*;

    #[tokio::test]
    async fn sessions_are_spread_over_all_threads() {
        let workers = Workers::start(3).unwrap();
        let names = Arc::new(Mutex::new(HashSet::new()));
        let barrier = Arc::new(Barrier::new(7));
        for _ in 0..6 {
            let (names, barrier) = (Arc::clone(&names), Arc::clone(&barrier));
            workers.spawn(async move {
                names.lock().unwrap().insert(std::thread::current().id());
                barrier.wait().await;
            });
        }
        barrier.wait().await;
        assert_eq!(names.lock().unwrap().len(), 3);
        let busy = |workers: &Workers| {
            workers
                .workers
                .iter()
                .map(|worker| worker.sessions.load(Ordering::Relaxed))
                .sum::<usize>()
        };
        while busy(&workers) > 0 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn sessions_that_stay_together_spread_only_when_there_are_many() {
        let workers = Workers::start(2).unwrap();
        let barrier = Arc::new(Barrier::new(6));
        for _ in 0..5 {
            let barrier = Arc::clone(&barrier);
            workers.spawn_together(2, async move {
                barrier.wait().await;
            });
        }
        let counts: Vec<_> = workers
            .workers
            .iter()
            .map(|worker| worker.sessions.load(Ordering::Relaxed))
            .collect();
        assert_eq!(counts, [3, 2], "two, two, and then the fewest");
        barrier.wait().await;
    }

    /// SFTPGo 760bf692: a bug that one peer finds ends one session.
    #[tokio::test]
    async fn a_session_that_panics_frees_its_place() {
        let workers = Workers::here();
        workers.spawn(async { panic!("a bug") });
        while workers.workers[0].sessions.load(Ordering::Relaxed) > 0 {
            tokio::task::yield_now().await;
        }
    }
}
