//! The task that owns the channel: sends what callers have asked, hands out what the server answers.
//!
//! Both directions and the watchdog run side by side in one task. Receiving waits for nothing but the
//! server: replies go into bounded inboxes (a caller asks for no more than its window), so a full
//! window for sending never keeps the replies back.

use std::{sync::Arc, time::Duration};

use super::{
    state::{Loss, Next, Shared},
    wire::{Incoming, Outgoing},
};

/// Drives the session to its end.
pub(super) async fn run(
    shared: Arc<Shared>,
    incoming: impl Incoming,
    outgoing: impl Outgoing,
    idle: Duration,
) {
    let loss = tokio::select! {
        loss = receive(&shared, incoming) => loss,
        loss = transmit(&shared, outgoing) => loss,
        loss = watch(&shared, idle) => loss,
    };
    shared.lose(loss);
}

async fn receive(shared: &Shared, mut incoming: impl Incoming) -> Loss {
    while let Some(octets) = incoming.next().await {
        shared.step_on();
        if let Err(loss) = shared.accept(&octets) {
            return loss;
        }
    }
    Loss::Ended
}

async fn transmit(shared: &Shared, mut outgoing: impl Outgoing) -> Loss {
    loop {
        match shared.next() {
            Next::Send(octets) => {
                if outgoing.send(octets).await.is_err() {
                    return Loss::Ended;
                }
                shared.step_on();
            }
            Next::Wait => {
                shared.outgoing.notified().await;
                // Whoever asks in the same moment goes into the same packet.
                tokio::task::yield_now().await;
            }
            Next::End => {
                outgoing.end().await;
                return Loss::Closed;
            }
        }
    }
}

/// Done when the server owes an answer and nothing at all has moved for `idle`. One timer, re-armed when
/// it finds that something moved: a fast session pays nothing per packet.
async fn watch(shared: &Shared, idle: Duration) -> Loss {
    let mut seen = shared.progress();
    loop {
        tokio::time::sleep(idle).await;
        // Ended by us, but a transmit that nobody takes holds the task.
        if shared.state().lost.is_some() {
            return Loss::Closed;
        }
        let now = shared.progress();
        if now.0 == seen.0 && now.1 && seen.1 {
            return Loss::Silent(idle);
        }
        seen = now;
    }
}
