//! Lines to a file or a terminal without making a session wait.
//!
//! One thread writes for all; sessions put lines into a bounded queue. When the disk cannot follow,
//! lines are dropped and counted; the sink says so in its own form once there is room
//! ([`LineWriter::complaint`]): a full log disk must not stop the service.

use std::{
    io::{self, Write},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc::{Receiver, Sender, SyncSender, channel, sync_channel},
    },
    time::Duration,
};

/// Opens the output: at the start, and again after rotation.
pub type Open = Box<dyn FnMut() -> io::Result<Box<dyn Write + Send>> + Send>;

/// How many lines may wait.
const QUEUE: usize = 8192;

/// How long the end of the process waits for what is queued.
const LAST_WORDS: Duration = Duration::from_secs(5);

enum Order {
    Line(Vec<u8>),
    /// Look at the flags.
    Wake,
}

/// What both sides see beside the queue.
#[derive(Default)]
struct Shared {
    dropped: AtomicU64,
    /// A flag and no order: a full queue must not swallow it.
    reopen: AtomicBool,
    reopen_error: Mutex<Option<io::Error>>,
}

/// A queue of lines with a thread behind it. Dropping it writes what is queued, unless the output
/// takes nothing for 5 s.
pub struct LineWriter {
    queue: Option<SyncSender<Order>>,
    shared: Arc<Shared>,
    /// Disconnected when the thread has written everything.
    done: Mutex<Receiver<()>>,
}

impl LineWriter {
    /// Opens the output and starts the thread.
    ///
    /// # Errors
    /// What `open` gives.
    pub fn start(mut open: Open) -> io::Result<Self> {
        let output = open()?;
        let (queue, orders) = sync_channel(QUEUE);
        let (alive, done) = channel();
        let shared = Arc::<Shared>::default();
        let output = Output {
            output,
            open,
            shared: Arc::clone(&shared),
            _alive: alive,
        };
        std::thread::Builder::new()
            .name("wharf-log".into())
            .spawn(move || output.write(&orders))?;
        Ok(Self {
            queue: Some(queue),
            shared,
            done: Mutex::new(done),
        })
    }

    /// Queues a line, without its line end; `false` when there was no room for it.
    pub fn line(&self, mut line: Vec<u8>) -> bool {
        line.push(b'\n');
        let is_queued = self.order(Order::Line(line));
        if !is_queued {
            self.shared.dropped.fetch_add(1, Ordering::Relaxed);
        }
        is_queued
    }

    /// Opens the output anew before the next line.
    pub fn reopen(&self) {
        self.shared.reopen.store(true, Ordering::Release);
        // No room: the lines that wait will do.
        self.order(Order::Wake);
    }

    /// What went wrong since the last call and should stand in the log, in the log's own form.
    pub fn complaint(&self) -> Option<String> {
        let dropped = self.shared.dropped.swap(0, Ordering::Relaxed);
        if dropped > 0 {
            return Some(format!(
                "{dropped} log lines were dropped because the log could not be written fast enough"
            ));
        }
        let error = self
            .shared
            .reopen_error
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()?;
        Some(format!(
            "the log could not be opened anew and goes on where it was: {error}"
        ))
    }

    fn order(&self, order: Order) -> bool {
        self.queue
            .as_ref()
            .is_some_and(|queue| queue.try_send(order).is_ok())
    }
}

impl Drop for LineWriter {
    fn drop(&mut self) {
        self.queue = None;
        let done = self.done.get_mut().unwrap_or_else(PoisonError::into_inner);
        // Nothing is ever sent; either way there is nothing left to wait for.
        let _ = done.recv_timeout(LAST_WORDS);
    }
}

/// The thread's side.
struct Output {
    output: Box<dyn Write + Send>,
    open: Open,
    shared: Arc<Shared>,
    _alive: Sender<()>,
}

impl Output {
    fn write(mut self, orders: &Receiver<Order>) {
        // Errors are swallowed on purpose: there is no second place to complain to.
        while let Ok(order) = orders.recv() {
            self.obey(order);
            // Flushed when nothing more is waiting, and now and then under a flood.
            for order in orders.try_iter().take(QUEUE) {
                self.obey(order);
            }
            let _ = self.output.flush();
        }
    }

    fn obey(&mut self, order: Order) {
        if self.shared.reopen.swap(false, Ordering::AcqRel) {
            let _ = self.output.flush();
            match (self.open)() {
                Ok(fresh) => self.output = fresh,
                Err(error) => {
                    *self
                        .shared
                        .reopen_error
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner) = Some(error);
                }
            }
        }
        if let Order::Line(line) = order {
            let _ = self.output.write_all(&line);
        }
    }
}

#[cfg(test)]
mod tests;
