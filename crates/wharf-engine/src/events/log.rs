//! Log lines, for people or as JSON: one per event.
//!
//! Bytes from outside are escaped below 0x20 and at 0x7F (RPL-09), so nobody can forge a line.

use std::{
    fmt::Write as _,
    time::{SystemTime, UNIX_EPOCH},
};

use super::{Event, FileChange, Level, LineWriter, Origin, Sink, TransferEnd, TransferRecord};

/// The form of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `2026-01-02T03:04:05.678Z info ftp#17 192.0.2.9 anna uploaded /a (5 octets, 0.01 s)`
    Human,
    /// One JSON object.
    Json,
}

/// Writes a line per event.
pub struct LogSink {
    format: Format,
    level: Level,
    writer: LineWriter,
}

impl LogSink {
    /// A log of events down to `level`.
    pub const fn new(format: Format, level: Level, writer: LineWriter) -> Self {
        Self {
            format,
            level,
            writer,
        }
    }
}

impl Sink for LogSink {
    fn level(&self) -> Level {
        self.level
    }

    fn take(&self, at: SystemTime, origin: &Origin, event: &Event<'_>) {
        if !self
            .writer
            .line(line(self.format, at, origin, event).into_bytes())
        {
            return;
        }
        // There is room again: time to tell what was lost.
        if let Some(text) = self.writer.complaint() {
            let notice = Event::Notice {
                level: Level::Warning,
                text: &text,
            };
            self.writer
                .line(line(self.format, at, &Origin::default(), &notice).into_bytes());
        }
    }

    fn reopen(&self) {
        self.writer.reopen();
    }
}

/// The line of an event, without its end.
pub(crate) fn line(format: Format, at: SystemTime, origin: &Origin, event: &Event<'_>) -> String {
    let mut line = String::with_capacity(160);
    match format {
        Format::Human => human(&mut line, at, origin, event),
        Format::Json => json(&mut line, at, origin, event),
    }
    line
}

fn human(line: &mut String, at: SystemTime, origin: &Origin, event: &Event<'_>) {
    let _ = write!(line, "{} {}", rfc3339(at), event.level().word());
    match origin.session {
        Some(session) => {
            let _ = write!(line, " {}#{}", origin.service, session.0);
        }
        None if !origin.service.is_empty() => {
            let _ = write!(line, " {}", origin.service);
        }
        None => {}
    }
    if let Some(peer) = origin.peer {
        let _ = write!(line, " {peer}");
    }
    if let Some(account) = &origin.account {
        let _ = write!(line, " {}", escape(account.as_bytes()));
    }
    line.push(' ');
    line.push_str(&sentence(event));
}

/// The event in words.
fn sentence(event: &Event<'_>) -> String {
    match event {
        Event::Listening(address) => format!("listening on {address}"),
        Event::Opened { peer } => format!("connection from {peer}"),
        Event::Refused { cause } => format!("connection refused: {}", escape(cause.as_bytes())),
        Event::LoggedIn { note: "", key: "" } => "logged in".into(),
        Event::LoggedIn { note: "", key } => {
            format!("logged in with {}", escape(key.as_bytes()))
        }
        Event::LoggedIn { note, .. } => {
            format!("logged in as anonymous, gave {}", escape(note.as_bytes()))
        }
        Event::LoginFailed { user, cause } => format!(
            "login of {} failed: {}",
            escape(user),
            escape(cause.as_bytes())
        ),
        Event::Command { verb, argument } => format!("{verb} {}", escape(argument)),
        Event::ClientName(name) => format!("client is {}", escape(name)),
        Event::Transfer(record) => transfer(record),
        Event::RequestRefused {
            direction,
            path,
            cause,
        } => format!(
            "{} of {} refused: {}",
            direction.word(),
            escape(path),
            escape(cause.as_bytes())
        ),
        Event::Changed(change) => match change {
            FileChange::Removed(path) => format!("removed {}", escape(path)),
            FileChange::DirectoryMade(path) => format!("made directory {}", escape(path)),
            FileChange::DirectoryRemoved(path) => format!("removed directory {}", escape(path)),
            FileChange::Renamed(from, to) => format!("renamed {} to {}", escape(from), escape(to)),
            FileChange::Attributes(path) => format!("changed attributes of {}", escape(path)),
            FileChange::Linked(path, to) => {
                format!("made link {} to {}", escape(path), escape(to))
            }
        },
        Event::DataConnection { cause } => format!("data connection: {}", escape(cause.as_bytes())),
        Event::Secured {
            purpose,
            version,
            suite,
            resumed,
        } => {
            let how = if *resumed { "resumed" } else { "not resumed" };
            format!(
                "{} connection under {version}, {suite}, {how}",
                purpose.word()
            )
        }
        Event::TlsFailed { cause } => format!("TLS failed: {}", escape(cause.as_bytes())),
        Event::VolumeFailed { cause } => format!("volume failed: {}", escape(cause.as_bytes())),
        Event::Closed { cause, seconds } => {
            format!("closed after {seconds} s: {}", escape(cause.as_bytes()))
        }
        Event::Reloaded => "configuration read again".into(),
        Event::ReloadFailed { cause } => {
            format!(
                "new configuration refused, the old one stays: {}",
                escape(cause.as_bytes())
            )
        }
        Event::Draining => "draining: no new connections, running transfers may finish".into(),
        Event::Notice { text, .. } => escape(text.as_bytes()),
    }
}

fn transfer(record: &TransferRecord<'_>) -> String {
    let what = record.direction.word();
    let path = escape(record.path);
    let (octets, seconds) = (record.octets, record.seconds);
    match &record.end {
        TransferEnd::Committed => {
            format!("{what} of {path} whole ({octets} octets, {seconds:.3} s)")
        }
        TransferEnd::SizeOnly => format!("size of {path} asked, nothing fetched"),
        TransferEnd::Aborted { cause, kept } => {
            let part = if *kept { ", the part was kept" } else { "" };
            format!(
                "{what} of {path} aborted after {octets} octets, {seconds:.3} s: {}{part}",
                escape(cause.as_bytes())
            )
        }
    }
}

fn json(line: &mut String, at: SystemTime, origin: &Origin, event: &Event<'_>) {
    let _ = write!(
        line,
        r#"{{"time":"{}","level":"{}","event":"{}""#,
        rfc3339(at),
        event.level().word(),
        event.name()
    );
    if !origin.service.is_empty() {
        field(line, "service", origin.service.as_bytes());
    }
    if let Some(session) = origin.session {
        let _ = write!(line, r#","session":{}"#, session.0);
    }
    if let Some(peer) = origin.peer {
        let _ = write!(line, r#","peer":"{peer}""#);
    }
    if let Some(account) = &origin.account {
        field(line, "account", account.as_bytes());
    }
    match event {
        Event::Listening(address) => {
            let _ = write!(line, r#","address":"{address}""#);
        }
        Event::Opened { peer } => {
            let _ = write!(line, r#","peer_port":{}"#, peer.port());
        }
        Event::LoggedIn { note, key } => {
            for (name, text) in [("gave", note), ("key", key)] {
                if !text.is_empty() {
                    field(line, name, text.as_bytes());
                }
            }
        }
        Event::LoginFailed { user, cause } => {
            field(line, "user", user);
            field(line, "cause", cause.as_bytes());
        }
        Event::Command { verb, argument } => {
            field(line, "verb", verb.as_bytes());
            field(line, "argument", argument);
        }
        Event::ClientName(name) => field(line, "client", name),
        Event::Transfer(record) => {
            field(line, "path", record.path);
            let _ = write!(
                line,
                r#","octets":{},"seconds":{:.6},"ascii":{}"#,
                record.octets, record.seconds, record.ascii
            );
            if let TransferEnd::Aborted { cause, kept } = &record.end {
                field(line, "cause", cause.as_bytes());
                let _ = write!(line, r#","kept":{kept}"#);
            }
        }
        Event::RequestRefused {
            direction,
            path,
            cause,
        } => {
            field(line, "direction", direction.word().as_bytes());
            field(line, "path", path);
            field(line, "cause", cause.as_bytes());
        }
        Event::Changed(change) => match change {
            FileChange::Renamed(path, to) | FileChange::Linked(path, to) => {
                field(line, "path", path);
                field(line, "to", to);
            }
            FileChange::Removed(path)
            | FileChange::DirectoryMade(path)
            | FileChange::DirectoryRemoved(path)
            | FileChange::Attributes(path) => field(line, "path", path),
        },
        Event::Secured {
            purpose,
            version,
            suite,
            resumed,
        } => {
            field(line, "connection", purpose.word().as_bytes());
            field(line, "version", version.as_bytes());
            field(line, "suite", suite.as_bytes());
            let _ = write!(line, r#","resumed":{resumed}"#);
        }
        Event::Refused { cause }
        | Event::DataConnection { cause }
        | Event::TlsFailed { cause }
        | Event::VolumeFailed { cause }
        | Event::ReloadFailed { cause } => field(line, "cause", cause.as_bytes()),
        Event::Closed { cause, seconds } => {
            field(line, "cause", cause.as_bytes());
            let _ = write!(line, r#","seconds":{seconds}"#);
        }
        Event::Notice { text, .. } => field(line, "text", text.as_bytes()),
        Event::Reloaded | Event::Draining => {}
    }
    line.push('}');
}

/// `,"name":"value"` with JSON's escapes; bytes that are not UTF-8 become U+FFFD.
fn field(line: &mut String, name: &str, value: &[u8]) {
    let _ = write!(line, r#","{name}":""#);
    for character in String::from_utf8_lossy(value).chars() {
        match character {
            '"' => line.push_str("\\\""),
            '\\' => line.push_str("\\\\"),
            control if control.is_control() => {
                let _ = write!(line, "\\u{:04x}", control as u32);
            }
            other => line.push(other),
        }
    }
    line.push('"');
}

/// Text for a human line: control bytes (C1 of ISO 6429 too, which terminals obey) and what is not
/// UTF-8 as `\xNN`, a backslash doubled.
pub(super) fn escape(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '\\' => text.push_str("\\\\"),
                control if control.is_control() => {
                    let _ = write!(text, "\\x{:02x}", control as u32);
                }
                other => text.push(other),
            }
        }
        for byte in chunk.invalid() {
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    text
}

/// Calendar form in UTC with milliseconds (RFC 3339).
fn rfc3339(at: SystemTime) -> String {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    let date = Calendar::of(since.as_secs());
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
        date.year,
        date.month,
        date.day,
        date.hour,
        date.minute,
        date.second,
        since.subsec_millis()
    )
}

/// A moment in UTC, proleptic Gregorian calendar.
pub(super) struct Calendar {
    pub(super) year: u64,
    pub(super) month: u64,
    pub(super) day: u64,
    pub(super) weekday: u64,
    pub(super) hour: u64,
    pub(super) minute: u64,
    pub(super) second: u64,
}

impl Calendar {
    /// From seconds since 1970. Years begin in March here, so that the leap day is the last.
    pub(super) const fn of(seconds: u64) -> Self {
        let days = seconds / 86_400;
        let shifted = days + 719_468;
        let era = shifted / 146_097;
        let day_of_era = shifted % 146_097;
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted_month = (5 * day_of_year + 2) / 153;
        let month = if shifted_month < 10 {
            shifted_month + 3
        } else {
            shifted_month - 9
        };
        Self {
            year: era * 400 + year_of_era + (month <= 2) as u64,
            month,
            day: day_of_year - (153 * shifted_month + 2) / 5 + 1,
            weekday: (days + 4) % 7,
            hour: seconds / 3600 % 24,
            minute: seconds / 60 % 60,
            second: seconds % 60,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::registry::SessionId;

    #[test]
    fn a_name_cannot_forge_a_line() {
        let origin = Origin {
            session: Some(SessionId(7)),
            service: "ftp",
            ..Origin::default()
        };
        let event = Event::Changed(FileChange::Removed(b"/a\r\n2026 info forged\x7f\\"));
        let mut line = String::new();
        human(&mut line, UNIX_EPOCH, &origin, &event);
        assert_eq!(
            line,
            "1970-01-01T00:00:00.000Z info ftp#7 removed /a\\x0d\\x0a2026 info forged\\x7f\\\\"
        );
        let mut line = String::new();
        json(&mut line, UNIX_EPOCH, &origin, &event);
        assert!(
            line.contains(r#""path":"/a\u000d\u000a2026 info forged\u007f\\""#),
            "{line}"
        );
    }

    #[test]
    fn the_calendar_knows_leap_days() {
        let at = |seconds| rfc3339(UNIX_EPOCH + Duration::from_secs(seconds));
        assert_eq!(at(951_782_400), "2000-02-29T00:00:00.000Z");
        assert_eq!(at(1_709_251_199), "2024-02-29T23:59:59.000Z");
        assert_eq!(at(4_102_444_800), "2100-01-01T00:00:00.000Z");
        assert_eq!(Calendar::of(0).weekday, 4, "1970-01-01 was a Thursday");
    }
}
