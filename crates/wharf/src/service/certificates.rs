//! Certificates while the service runs: files that are watched, an authority's that arrive.
//!
//! Whatever goes wrong here, what is in use stays in use; the log says so.

use std::{future::Future, io, sync::Arc, time::SystemTime};

use rustix::process::{getegid, geteuid};
use wharf_engine::{
    Engine,
    acme::{Reason, Report},
    engine::Current,
    events::{Event, Level},
    tls::{self, Tls},
};

use crate::certificates;

/// Takes up new certificates where they lie, so that nobody has to send a signal.
pub(super) async fn watch_certificates(
    engine: Arc<Engine>,
    watched: Arc<Current<Option<Arc<Tls>>>>,
    stop: impl Future<Output = ()>,
) {
    let watching = async {
        let mut told = String::new();
        // The first look is at once: what was read as root may be out of reach now, and that is not
        // to be told on the day of a renewal.
        loop {
            if let Some(tls) = watched.load().as_ref().clone() {
                let looked = Arc::clone(&tls);
                if let Ok(refreshed) = tokio::task::spawn_blocking(move || looked.refresh()).await {
                    tell_refreshed(&engine, &tls, refreshed, &mut told);
                }
            }
            tokio::time::sleep(tls::REFRESH_INTERVAL).await;
        }
    };
    tokio::select! {
        () = watching => {}
        () = stop => {}
    }
}

/// Tells of new certificates; of a failure once, until another thing happens.
pub(super) fn tell_refreshed(
    engine: &Engine,
    tls: &Tls,
    refreshed: Result<bool, tls::Error>,
    told: &mut String,
) {
    let (level, text) = match refreshed {
        Ok(false) => return told.clear(),
        Ok(true) => {
            let names: Vec<_> = tls.certificates().iter().map(certificates::line).collect();
            (
                Level::Info,
                format!("new certificates: {}", names.join("; ")),
            )
        }
        Err(tls::Error::Read { path, source })
            if source.kind() == io::ErrorKind::PermissionDenied =>
        {
            let (user, group) = (geteuid().as_raw(), getegid().as_raw());
            let text = certificates::unreadable(&path, user, group);
            (Level::Warning, text)
        }
        Err(error) => (
            Level::Warning,
            format!("the certificates of before stay in use: {error}"),
        ),
    };
    if text != *told {
        engine.tell("", &Event::Notice { level, text: &text });
        *told = text;
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the clock of certificates is read here, at the rim"
)]
pub(super) fn time_of_day() -> SystemTime {
    SystemTime::now()
}

/// The way of a certificate from its authority.
pub(super) fn tell_acme(engine: &Engine, report: &Report) {
    let day = |moment: &SystemTime| {
        let since = moment.duration_since(SystemTime::UNIX_EPOCH);
        let seconds = since.unwrap_or_default().as_secs();
        certificates::date(i64::try_from(seconds).unwrap_or(i64::MAX))
    };
    let (level, text) = match report {
        Report::Loaded { not_after } => (
            Level::Info,
            format!(
                "ACME: the certificate of before is good until {}",
                day(not_after)
            ),
        ),
        Report::Ordering { reason } => {
            let reason = match reason {
                Reason::Missing => "there is none",
                Reason::OtherDomains => "the one that is kept is for other domains",
                Reason::Unreadable => "the one that is kept cannot be read",
                Reason::Renewal => "the one in use ends soon",
            };
            (
                Level::Info,
                format!("ACME: ordering a certificate, {reason}"),
            )
        }
        Report::Installed { not_after } => (
            Level::Info,
            format!("ACME: a new certificate, good until {}", day(not_after)),
        ),
        Report::NotKept { error } => (
            Level::Warning,
            format!("ACME: a new certificate is in use but cannot be kept: {error}"),
        ),
        Report::Failed { error, retry_in } => (
            Level::Warning,
            format!(
                "ACME: no new certificate: {error}; next try in {} minutes",
                retry_in.as_secs().div_ceil(60)
            ),
        ),
    };
    engine.tell("", &Event::Notice { level, text: &text });
}
