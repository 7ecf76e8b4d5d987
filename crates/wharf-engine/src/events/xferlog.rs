//! The transfer log in wu-ftpd's form, which log analysers have read for thirty years.
//!
//! `current-time transfer-time remote-host file-size filename transfer-type special-action-flag
//! direction access-mode username service-name authentication-method authenticated-user-id
//! completion-status`; spaces in names are written as `_`, as the other servers do.

use std::time::{SystemTime, UNIX_EPOCH};

use super::{Direction, Event, Level, LineWriter, Origin, Sink, TransferEnd, log::Calendar};

/// Writes a line per transfer.
pub struct XferlogSink {
    writer: LineWriter,
}

impl XferlogSink {
    /// A transfer log.
    pub const fn new(writer: LineWriter) -> Self {
        Self { writer }
    }
}

impl Sink for XferlogSink {
    fn level(&self) -> Level {
        Level::Info
    }

    fn take(&self, at: SystemTime, origin: &Origin, event: &Event<'_>) {
        // Its readers know whole files and broken ones; who asked for a size moved neither.
        if let Event::Transfer(record) = event
            && record.end != TransferEnd::SizeOnly
        {
            let seconds = at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
            self.writer.line(line(seconds, origin, record).into_bytes());
        }
    }

    fn reopen(&self) {
        self.writer.reopen();
    }
}

fn line(seconds: u64, origin: &Origin, record: &super::TransferRecord<'_>) -> String {
    const DAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let date = Calendar::of(seconds);
    let name = |names: &[&'static str], index: u64| {
        usize::try_from(index)
            .ok()
            .and_then(|index| names.get(index))
            .copied()
            .unwrap_or_default()
    };
    let account = origin.account.as_deref().unwrap_or("?");
    format!(
        "{} {} {:2} {:02}:{:02}:{:02} {} {} {} {} {} {} _ {} {} {} {} 0 * {}",
        name(&DAYS, date.weekday),
        name(&MONTHS, date.month - 1),
        date.day,
        date.hour,
        date.minute,
        date.second,
        date.year,
        record.seconds.round(),
        origin
            .peer
            .map_or_else(|| "?".into(), |peer| peer.to_string()),
        record.octets,
        unspaced(record.path),
        if record.ascii { 'a' } else { 'b' },
        match record.direction {
            Direction::Download => 'o',
            Direction::Upload => 'i',
        },
        if record.anonymous { 'a' } else { 'r' },
        unspaced(account.as_bytes()),
        origin.service,
        if record.end == TransferEnd::Committed {
            'c'
        } else {
            'i'
        },
    )
}

fn unspaced(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes)
        .chars()
        .map(|character| {
            if character.is_whitespace() || character.is_control() {
                '_'
            } else {
                character
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_what_analysers_expect() {
        let origin = Origin {
            service: "ftp",
            peer: Some([192, 0, 2, 9].into()),
            account: Some("anna b".into()),
            session: None,
        };
        let record = super::super::TransferRecord {
            direction: Direction::Upload,
            path: b"/a b\n.txt",
            octets: 5,
            seconds: 1.2,
            ascii: false,
            anonymous: false,
            end: TransferEnd::Committed,
        };
        assert_eq!(
            line(86_400 * 9, &origin, &record),
            "Sat Jan 10 00:00:00 1970 1 192.0.2.9 5 /a_b_.txt b _ i r anna_b ftp 0 * c"
        );
    }
}
