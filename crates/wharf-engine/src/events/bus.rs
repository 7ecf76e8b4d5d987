//! The bus: hands each event to every sink that wants its level, and to the counters always.
//!
//! It runs on the emitter's thread; a sink must not block (the [writer](super::writer) queues).

use std::time::SystemTime;

use super::{Counters, Event, Level, Origin};

/// Somebody who listens to events.
pub trait Sink: Send + Sync {
    /// The least important level that this sink wants.
    fn level(&self) -> Level;

    /// Takes one event. Must not block.
    fn take(&self, at: SystemTime, origin: &Origin, event: &Event<'_>);

    /// Opens its output anew (after log rotation).
    fn reopen(&self) {}
}

/// All sinks.
pub struct Bus {
    sinks: Vec<Box<dyn Sink>>,
    level: Option<Level>,
    counters: Counters,
}

impl Bus {
    /// A bus with these sinks.
    pub fn new(sinks: Vec<Box<dyn Sink>>) -> Self {
        let level = sinks.iter().map(|sink| sink.level()).max();
        Self {
            sinks,
            level,
            counters: Counters::default(),
        }
    }

    /// Whether any sink wants events of this level: lets an emitter skip costly preparations.
    pub fn wants(&self, level: Level) -> bool {
        self.level.is_some_and(|most| level <= most)
    }

    /// Tells everyone.
    pub fn emit(&self, origin: &Origin, event: &Event<'_>) {
        self.counters.count(event);
        let level = event.level();
        if !self.wants(level) {
            return;
        }
        #[expect(
            clippy::disallowed_methods,
            reason = "the rim: an event is stamped here, once"
        )]
        let at = SystemTime::now();
        for sink in self.sinks.iter().filter(|sink| level <= sink.level()) {
            sink.take(at, origin, event);
        }
    }

    /// The counters.
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Opens every output anew.
    pub fn reopen(&self) {
        for sink in &self.sinks {
            sink.reopen();
        }
    }
}
