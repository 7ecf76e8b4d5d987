//! `--json`: one object per line on standard output, with stable fields.
//!
//! | event | fields |
//! | --- | --- |
//! | `done` | url, path, bytes, kept, seconds, verified |
//! | `error` | url, path, error |
//! | `retry` | error, wait |
//! | `note` | text |
//! | `entry` | url, name, kind, size, modified, precision, mode, owner, group, target |
//! | `removed`, `made`, `renamed` | url, (to) |
//!
//! `error` holds step, kind, code, cause, retryable, message, fix. Names that are not UTF-8 come with
//! U+FFFD in them and a `name_hex` beside.

use std::path::Path;

use serde_json::{Value, json};
use wharf_client::{Error, Location, Transferred};
use wharf_proto::ftp::{
    listing::parse::{Entry, Kind, Precision},
    time::Calendar,
};

use crate::exit::Failure;

pub(super) fn done(
    url: &str,
    path: Option<&Path>,
    transferred: &Transferred,
    seconds: f64,
) -> Value {
    json!({
        "event": "done",
        "url": url,
        "path": path.map(|path| path.to_string_lossy()),
        "bytes": transferred.size,
        "kept": transferred.kept,
        "seconds": (seconds * 1000.0).round() / 1000.0,
        "verified": transferred.verified.name(),
    })
}

pub(super) fn failed(url: &str, path: Option<&Path>, error: &Error) -> Value {
    json!({
        "event": "error",
        "url": url,
        "path": path.map(|path| path.to_string_lossy()),
        "error": body(error),
    })
}

/// What ended the command, when it was not told with one of its files.
pub(super) fn ended(failure: &Failure) -> Value {
    let error = match failure.remote() {
        Some(error) => body(error),
        None => json!({
            "step": "command-line",
            "kind": if failure.code() == 130 { "interrupted" } else { "usage" },
            "code": null,
            "cause": null,
            "retryable": failure.code() == 130,
            "message": failure.to_string(),
            "fix": [],
        }),
    };
    json!({ "event": "error", "url": null, "path": null, "error": error })
}

pub(super) fn retry(error: &Error, wait: f64) -> Value {
    json!({ "event": "retry", "error": body(error), "wait": wait })
}

pub(super) fn note(text: &str) -> Value {
    json!({ "event": "note", "text": text })
}

pub(super) fn entry(place: &Location, entry: &Entry) -> Value {
    let text = |bytes: &Option<Vec<u8>>| {
        bytes
            .as_ref()
            .map(|bytes| String::from_utf8_lossy(bytes).into_owned())
    };
    let mut value = json!({
        "event": "entry",
        "url": place.to_string(),
        "name": String::from_utf8_lossy(&entry.name),
        "kind": kind(entry.kind),
        "size": entry.size,
        "modified": entry.modified.map(|modified| time(modified.seconds)),
        "precision": entry.modified.map(|modified| match modified.precision {
            Precision::Day => "day",
            Precision::Minute => "minute",
            Precision::Second => "second",
        }),
        "mode": entry.mode.map(|mode| format!("{mode:04o}")),
        "owner": text(&entry.owner),
        "group": text(&entry.group),
        "target": text(&entry.link_target),
    });
    if std::str::from_utf8(&entry.name).is_err()
        && let Some(object) = value.as_object_mut()
    {
        let hex: String = entry
            .name
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        object.insert("name_hex".to_owned(), Value::String(hex));
    }
    value
}

/// One thing that was done to a place.
pub(super) fn change(event: &str, place: &Location) -> Value {
    json!({ "event": event, "url": place.to_string() })
}

pub(super) const fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::File => "file",
        Kind::Directory => "directory",
        Kind::Link => "link",
        Kind::Other => "other",
    }
}

fn time(seconds: i64) -> String {
    let Calendar {
        year,
        month,
        day,
        hour,
        minute,
        second,
    } = Calendar::of(seconds);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

fn body(error: &Error) -> Value {
    json!({
        "step": error.step().name(),
        "kind": error.kind().name(),
        "code": error.code(),
        "cause": error.cause(),
        "retryable": error.is_retryable(),
        "message": error.to_string(),
        "fix": error.hints(),
    })
}
