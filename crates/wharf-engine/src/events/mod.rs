//! What happened, once, as a typed fact; log lines, xferlog and counters are views of it.
//!
//! A session calls [`Bus::emit`]; it never formats a line. So the human log, the JSON log and the
//! counters cannot disagree.

pub mod bus;
pub mod event;
pub mod log;
pub mod metrics;
pub mod writer;
pub mod xferlog;

pub use bus::{Bus, Sink};
pub use event::{
    Direction, Event, FileChange, Level, Origin, Purpose, TransferEnd, TransferRecord,
};
pub use log::{Format, LogSink};
pub use metrics::Counters;
pub use writer::LineWriter;
pub use xferlog::XferlogSink;
