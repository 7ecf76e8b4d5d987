//! HELP and FEAT: what the table says, as text.

use super::{UNKNOWN_HELP, line_end};
use crate::ftp::{
    facts::FactSet,
    feature,
    server::{HashAlgorithm, output::Output},
    sink::Sink,
    verb::{Row, TABLE, Verb, VerbSet},
};

/// SITE subcommands and their syntax.
const SITE: &[(&str, &str)] = &[
    ("CHMOD", "SITE CHMOD <SP> mode <SP> path"),
    ("HELP", "SITE HELP"),
    ("IDLE", "SITE IDLE [<SP> seconds]"),
    ("UMASK", "SITE UMASK [<SP> octal mask]"),
    ("UTIME", "SITE UTIME <SP> YYYYMMDDhhmm[ss] <SP> path"),
];

/// Names in one line of a list.
const PER_LINE: usize = 8;

fn list<'a>(out: &mut Output, names: impl Iterator<Item = &'a str>) {
    let mut column = 0;
    for name in names {
        out.put(b" ");
        out.put(name.as_bytes());
        column += 1;
        if column == PER_LINE {
            column = 0;
            line_end(out);
        }
    }
    if column > 0 {
        line_end(out);
    }
}

fn is_shown(row: &Row, hidden: VerbSet) -> bool {
    row.syntax.is_some() && !hidden.contains(row.verb)
}

pub(in crate::ftp::server) fn help(out: &mut Output, hidden: VerbSet) {
    out.put(b"214-The following commands are recognized:\r\n");
    let rows = TABLE.iter().filter(|row| is_shown(row, hidden));
    let names = rows.flat_map(|row| {
        let aliases = row.aliases.iter().filter(|alias| alias.starts_with('X'));
        std::iter::once(row.name).chain(aliases.copied())
    });
    list(out, names);
    out.put(b"214 End\r\n");
}

pub(in crate::ftp::server) fn help_verb(out: &mut Output, verb: Option<Verb>, hidden: VerbSet) {
    match verb.map(Verb::row) {
        Some(Row {
            syntax: Some(syntax),
            verb,
            ..
        }) if !hidden.contains(*verb) => {
            out.put(b"214 Syntax: ");
            out.put(syntax.as_bytes());
            line_end(out);
        }
        _ => out.put(UNKNOWN_HELP),
    }
}

pub(in crate::ftp::server) fn help_site(out: &mut Output) {
    out.put(b"214-The following SITE commands are recognized:\r\n");
    list(out, SITE.iter().map(|(name, _)| *name));
    out.put(b"214 End\r\n");
}

pub(in crate::ftp::server) fn help_site_verb(out: &mut Output, name: &[u8]) {
    let found = SITE
        .iter()
        .find(|(known, _)| known.as_bytes().eq_ignore_ascii_case(name));
    match found {
        Some((_, syntax)) => {
            out.put(b"214 Syntax: ");
            out.put(syntax.as_bytes());
            line_end(out);
        }
        None => out.put(UNKNOWN_HELP),
    }
}

pub(in crate::ftp::server) fn features(
    out: &mut Output,
    hidden: VerbSet,
    facts: FactSet,
    hash: HashAlgorithm,
) {
    out.put(b"211-Features:\r\n");
    let mut lines = Vec::with_capacity(512);
    feature::encode_lines(hidden, facts, hash, &mut lines);
    out.put(&lines);
    out.put(b"211 End\r\n");
}
