//! Counters over all events since the start.
//!
//! One relaxed addition each; rendered in Prometheus' text format by [`Counters::render`].

use std::{
    fmt::Write as _,
    sync::atomic::{AtomicU64, Ordering},
};

use super::{Direction, Event, TransferEnd};

macro_rules! counters {
    ($($field:ident: $name:literal, $help:literal;)*) => {
        /// What was counted since the start.
        #[derive(Debug, Default)]
        pub struct Counters {
            $(#[doc = $help] pub $field: AtomicU64,)*
        }

        impl Counters {
            /// All counters in Prometheus' text exposition format.
            pub fn render(&self) -> String {
                let mut text = String::new();
                $(
                    // Writing to a String cannot fail.
                    let _ = writeln!(
                        text,
                        concat!("# HELP wharf_", $name, " ", $help, "\n# TYPE wharf_", $name, " counter\nwharf_", $name, " {}"),
                        self.$field.load(Ordering::Relaxed)
                    );
                )*
                text
            }
        }
    };
}

counters! {
    connections: "connections_total", "Connections let in.";
    refused: "connections_refused_total", "Connections turned away at the door.";
    logins: "logins_total", "Successful logins.";
    login_failures: "login_failures_total", "Failed logins.";
    closed: "sessions_closed_total", "Sessions that ended.";
    downloads: "downloads_total", "Downloads that were sent whole.";
    downloads_aborted: "downloads_aborted_total", "Downloads that were not.";
    uploads: "uploads_total", "Uploads under their final name.";
    uploads_aborted: "uploads_aborted_total", "Uploads that were not finished.";
    sent: "sent_octets_total", "Octets of files sent.";
    received: "received_octets_total", "Octets of files received.";
    requests_refused: "requests_refused_total", "Transfers refused before they began.";
    sizes_asked: "sizes_asked_total", "Downloads that asked for the size alone.";
    data_failures: "data_connection_failures_total", "Data connections refused or not come about.";
    tls_handshakes: "tls_handshakes_total", "Connections that TLS came up on, control and data.";
    tls_resumed: "tls_handshakes_resumed_total", "Those of them that resumed a TLS session.";
    tls_failures: "tls_failures_total", "Control connections that TLS did not come up on, or broke on.";
    volume_failures: "volume_failures_total", "Failures of volumes.";
}

impl Counters {
    pub(super) fn count(&self, event: &Event<'_>) {
        let add = |counter: &AtomicU64, by| counter.fetch_add(by, Ordering::Relaxed);
        match event {
            Event::Opened { .. } => add(&self.connections, 1),
            Event::Refused { .. } => add(&self.refused, 1),
            Event::LoggedIn { .. } => add(&self.logins, 1),
            Event::LoginFailed { .. } => add(&self.login_failures, 1),
            Event::Closed { .. } => add(&self.closed, 1),
            Event::RequestRefused { .. } => add(&self.requests_refused, 1),
            Event::DataConnection { .. } => add(&self.data_failures, 1),
            Event::Secured { resumed, .. } => {
                add(&self.tls_resumed, u64::from(*resumed));
                add(&self.tls_handshakes, 1)
            }
            Event::TlsFailed { .. } => add(&self.tls_failures, 1),
            Event::VolumeFailed { .. } => add(&self.volume_failures, 1),
            Event::Transfer(record) => {
                let (octets, whole, aborted) = match record.direction {
                    Direction::Download => (&self.sent, &self.downloads, &self.downloads_aborted),
                    Direction::Upload => (&self.received, &self.uploads, &self.uploads_aborted),
                };
                add(octets, record.octets);
                let ended = match record.end {
                    TransferEnd::Committed => whole,
                    TransferEnd::Aborted { .. } => aborted,
                    TransferEnd::SizeOnly => &self.sizes_asked,
                };
                add(ended, 1)
            }
            _ => 0,
        };
    }
}
