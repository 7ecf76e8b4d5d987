//! Lines to a file or a terminal without making a session wait.
//!
//! One thread writes for all; sessions put lines into a bounded queue. When the disk cannot follow,
//! lines are dropped and their number is written once there is room: a full log disk must not stop
//! the service.

use std::{
    io::{self, Write},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    },
    thread::JoinHandle,
};

/// Opens the output: at the start, and again after rotation.
pub type Open = Box<dyn FnMut() -> io::Result<Box<dyn Write + Send>> + Send>;

/// How many lines may wait.
const QUEUE: usize = 8192;

enum Order {
    Line(Vec<u8>),
    Reopen,
}

/// A queue of lines with a thread behind it. Dropping it writes what is queued.
pub struct LineWriter {
    queue: Option<SyncSender<Order>>,
    dropped: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

impl LineWriter {
    /// Opens the output and starts the thread.
    ///
    /// # Errors
    /// What `open` gives.
    pub fn start(mut open: Open) -> io::Result<Self> {
        let output = open()?;
        let (queue, orders) = sync_channel(QUEUE);
        let dropped = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&dropped);
        let thread = std::thread::Builder::new()
            .name("wharf-log".into())
            .spawn(move || write_lines(&orders, output, open, &counter))?;
        Ok(Self { queue: Some(queue), dropped, thread: Some(thread) })
    }

    /// Queues a line, without its line end.
    pub fn line(&self, mut line: Vec<u8>) {
        line.push(b'\n');
        self.order(Order::Line(line));
    }

    /// Opens the output anew before the next line.
    pub fn reopen(&self) {
        self.order(Order::Reopen);
    }

    fn order(&self, order: Order) {
        let Some(queue) = &self.queue else { return };
        if let Err(TrySendError::Full(_)) = queue.try_send(order) {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Drop for LineWriter {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            // A writer that panicked has nothing left to say.
            let _ = thread.join();
        }
    }
}

fn write_lines(orders: &Receiver<Order>, mut output: Box<dyn Write + Send>, mut open: Open, dropped: &AtomicU64) {
    // Errors are swallowed on purpose: there is no second place to complain to.
    while let Ok(order) = orders.recv() {
        match order {
            Order::Line(line) => {
                let _ = output.write_all(&line);
                // Flush only when nothing more is waiting.
                while let Ok(next) = orders.try_recv() {
                    match next {
                        Order::Line(line) => {
                            let _ = output.write_all(&line);
                        }
                        Order::Reopen => reopen(&mut output, &mut open),
                    }
                }
                let lost = dropped.swap(0, Ordering::Relaxed);
                if lost > 0 {
                    let _ = writeln!(output, "{lost} log lines were dropped because the log could not be written fast enough");
                }
                let _ = output.flush();
            }
            Order::Reopen => reopen(&mut output, &mut open),
        }
    }
    let _ = output.flush();
}

fn reopen(output: &mut Box<dyn Write + Send>, open: &mut Open) {
    let _ = output.flush();
    if let Ok(fresh) = open() {
        *output = fresh;
    }
}
