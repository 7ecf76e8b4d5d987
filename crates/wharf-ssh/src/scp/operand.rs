//! What a path of `scp -f` means: itself, or what its pattern matches (SCP-02, DAT-82, DAT-83).
//!
//! A shell would expand patterns for an old client; here is none. Patterns are taken in the last two
//! components, and never when an object has the literal name. What may be read for one is bounded.

use wharf_proto::{
    ftp::listing::glob::{Pattern, is_pattern},
    scp::Operand,
};
use wharf_vfs::{EntryBatch, ErrorKind, Links, View, VirtualPath};

use super::{Context, is_missing, reason};

/// Entries that a pattern may look at (DAT-83).
const READS: usize = 10_000;

/// The paths that an operand means, at least one; the error is a reason for the peer.
pub(super) async fn expand(
    context: &Context,
    operand: &Operand,
) -> Result<Vec<VirtualPath>, &'static str> {
    let invalid = |_| ErrorKind::InvalidName.text();
    let view = context.session.view();
    let path = context.resolve(&operand.path).map_err(invalid)?;
    let Some(pattern) = &operand.pattern else {
        return Ok(vec![path]);
    };
    if view.metadata(&path, Links::NoFollow).await.is_ok() {
        return Ok(vec![path]);
    }
    let (above, last) = split(pattern);
    let (top, middle) = split(above);
    let mut search = Search { view, reads: 0 };
    let last = parse(last)?;
    let mut found = Vec::new();
    if is_pattern(middle) {
        let top = context.resolve(&unescape(top)?).map_err(invalid)?;
        for directory in search.matches(&top, &parse(middle)?).await? {
            found.extend(search.matches(&directory, &last).await?);
        }
    } else {
        let directory = context.resolve(&unescape(above)?).map_err(invalid)?;
        found = search.matches(&directory, &last).await?;
    }
    if found.is_empty() {
        return Err(ErrorKind::NotFound.text());
    }
    Ok(found)
}

/// What stands above the last component, its `/` included, and the component.
fn split(path: &[u8]) -> (&[u8], &[u8]) {
    let end = path
        .iter()
        .rposition(|&byte| byte != b'/')
        .map_or(0, |last| last + 1);
    let trimmed = path.get(..end).unwrap_or_default();
    let start = trimmed
        .iter()
        .rposition(|&byte| byte == b'/')
        .map_or(0, |slash| slash + 1);
    trimmed.split_at_checked(start).unwrap_or((b"", trimmed))
}

fn parse(component: &[u8]) -> Result<Pattern, &'static str> {
    Pattern::parse(component).map_err(|_| "the pattern would cost too much")
}

/// The literal path that escaped octets stand for; refused when it is still a pattern.
fn unescape(path: &[u8]) -> Result<Vec<u8>, &'static str> {
    let mut literal = Vec::with_capacity(path.len());
    let mut octets = path.iter().copied();
    while let Some(byte) = octets.next() {
        match byte {
            b'\\' => literal.extend(octets.next()),
            byte if is_pattern(&[byte]) => {
                return Err("patterns are taken in the last two components only");
            }
            byte => literal.push(byte),
        }
    }
    Ok(literal)
}

struct Search<'a> {
    view: &'a View,
    reads: usize,
}

impl Search<'_> {
    /// What matches in one directory, sorted. A directory that is not there holds nothing.
    async fn matches(
        &mut self,
        directory: &VirtualPath,
        pattern: &Pattern,
    ) -> Result<Vec<VirtualPath>, &'static str> {
        let mut reader = match self.view.read_directory(directory).await {
            Ok(reader) => reader,
            Err(error) if is_missing(error.kind) => return Ok(Vec::new()),
            Err(error) => return Err(reason(&error)),
        };
        let mut found = Vec::new();
        let mut batch = EntryBatch::new();
        loop {
            batch = reader
                .next_batch(batch)
                .await
                .map_err(|error| reason(&error))?;
            if batch.is_empty() {
                break;
            }
            self.reads += batch.len();
            if self.reads > READS {
                return Err("the pattern would cost too much");
            }
            let names = batch.iter().map(|entry| entry.name);
            let matching = names.filter(|name| pattern.matches(name));
            found.extend(matching.filter_map(|name| directory.join_name(name).ok()));
        }
        found.sort();
        Ok(found)
    }
}
