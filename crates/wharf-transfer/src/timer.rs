//! Timers that another thread keeps.
//!
//! A thread that waits for sockets *and* for a moment asks the kernel for both, and arming that
//! moment costs a fifth of a small command's time (`docs/performance.md`). Deadlines of sessions are
//! far away and need no precision, so one thread keeps them all and wakes whoever's time has come;
//! the threads that serve sockets wait for sockets only.

use std::{
    sync::OnceLock,
    time::{Duration, Instant},
};

use tokio::{
    runtime::Handle,
    time::{Sleep, sleep_until as runtime_sleep_until},
};

static KEEPER: OnceLock<Handle> = OnceLock::new();

/// From now on the runtime behind `keeper` keeps the timers of this process. Only the first call
/// counts; without one, each thread keeps its own.
pub fn keep_on(keeper: Handle) {
    // A second keeper changes nothing: whoever was first goes on.
    let _ = KEEPER.set(keeper);
}

/// Waits for a while.
pub fn sleep(time: Duration) -> Sleep {
    on_keeper(|| tokio::time::sleep(time))
}

/// Waits until a moment.
pub fn sleep_until(deadline: Instant) -> Sleep {
    on_keeper(|| runtime_sleep_until(deadline.into()))
}

/// A timer belongs to the runtime that is current when it is made.
fn on_keeper(make: impl FnOnce() -> Sleep) -> Sleep {
    let _current = KEEPER.get().map(Handle::enter);
    make()
}
