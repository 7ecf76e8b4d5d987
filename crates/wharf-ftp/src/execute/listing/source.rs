//! What a listing lists: a directory, one object, or what a pattern matches.
//!
//! A directory is read while it is sent. What a pattern matches is collected first, within limits
//! that make a costly pattern a refusal before the 150 (DAT-83); patterns are taken in the last two
//! components only, and never when an object has the literal name (DAT-81, DAT-82).

use std::cmp::Ordering;

use wharf_proto::ftp::{
    Pathname,
    listing::glob::{Pattern, is_pattern},
    server::{ListOptions, ListOrder, ListStyle, Outcome, Reason},
};
use wharf_vfs::{
    Entry, EntryBatch, FileKind, Links, Metadata, Result, View, VirtualPath, view::ViewReader,
};

use super::render::Renderer;
use crate::{execute::file::is_missing, replies, session::FtpSession};

/// Entries that are sorted; a larger directory comes in the order of the store.
const SORT_WINDOW: usize = 4096;

/// Entries that a pattern may read (DAT-83).
const PATTERN_READS: usize = 10_000;

/// A listing in the making.
pub(super) struct Lister {
    feed: Feed,
    renderer: Renderer,
    options: ListOptions,
    directory: bool,
    truncated_at: Option<usize>,
}

/// Where the next entries come from.
enum Feed {
    /// A directory from which nothing was read yet.
    Fresh(ViewReader),
    /// A directory whose entries go out as they come.
    Streaming(ViewReader, EntryBatch),
    /// Entries in memory, to be sorted.
    Collected(Vec<EntryBatch>),
    /// Nothing is left.
    Dry,
}

impl Lister {
    /// Settles what `name` means.
    pub(super) async fn open(
        session: &FtpSession,
        name: &Pathname,
        style: ListStyle,
        options: ListOptions,
    ) -> std::result::Result<Self, Outcome> {
        let view = session.view()?;
        let path = session.resolve(name)?;
        let refused = |error: &wharf_vfs::Error| session.refused(error, name.as_bytes());
        let links = if matches!(style, ListStyle::Facts(_))
            || options.follow
            || name.as_bytes().ends_with(b"/")
        {
            Links::Follow
        } else {
            Links::NoFollow
        };
        let metadata = match view.metadata(&path, Links::Follow).await {
            Ok(metadata) => metadata,
            Err(error)
                if is_missing(error.kind)
                    && has_pattern(name)
                    && !matches!(style, ListStyle::Facts(_)) =>
            {
                return Self::of_pattern(session, name, style, options).await;
            }
            // A dangling link is an object, too.
            Err(error) if links == Links::NoFollow => view
                .metadata(&path, Links::NoFollow)
                .await
                .map_err(|_| refused(&error))?,
            Err(error) => return Err(refused(&error)),
        };
        if metadata.is_directory() && !options.directory_itself {
            let reader = view
                .read_directory(&path)
                .await
                .map_err(|error| refused(&error))?;
            let prefix = match style {
                ListStyle::Names if !name.is_empty() => with_slash(name.as_bytes()),
                _ => Vec::new(),
            };
            let mut renderer = Renderer::new(session, &path, style, options)?.with_prefix(prefix);
            renderer.head(&path).await;
            let truncated_at = Some(view.settings().list_max_entries);
            return Ok(Self {
                feed: Feed::Fresh(reader),
                renderer,
                options,
                directory: true,
                truncated_at,
            });
        }
        if let ListStyle::Facts(_) = style {
            return Err(replies::refused_because(
                Reason::NotADirectory,
                name.as_bytes(),
                "",
            ));
        }
        let itself = match links {
            Links::NoFollow => view
                .metadata(&path, Links::NoFollow)
                .await
                .unwrap_or(metadata),
            Links::Follow => metadata,
        };
        let is_link = itself.kind == FileKind::Symlink;
        let target = (is_link && metadata.kind != FileKind::Symlink).then_some(metadata);
        let mut batch = EntryBatch::new();
        let shown = if name.is_empty() {
            b".".as_slice()
        } else {
            name.as_bytes()
        };
        batch.push(shown, itself, target);
        let renderer =
            Renderer::new(session, &session.directory, style, options)?.with_names_as_given();
        Ok(Self {
            feed: Feed::Collected(vec![batch]),
            renderer,
            options,
            directory: false,
            truncated_at: None,
        })
    }

    async fn of_pattern(
        session: &FtpSession,
        name: &Pathname,
        style: ListStyle,
        options: ListOptions,
    ) -> std::result::Result<Self, Outcome> {
        let view = session.view()?;
        let bytes = name.as_bytes();
        let (last_start, last) = split_last(bytes);
        let before = bytes
            .get(..last_start.saturating_sub(1))
            .unwrap_or_default();
        let costly = |error: &dyn std::fmt::Display| {
            replies::refused_because(Reason::TooCostly, bytes, error.to_string())
        };
        let last = Pattern::parse(last).map_err(|error| costly(&error))?;
        let mut search = Search {
            view,
            options,
            reads: 0,
            found: EntryBatch::new(),
        };
        let (middle_start, middle) = split_last(before);
        let searched = if last_start > 0 && is_pattern(middle) {
            let middle = Pattern::parse(middle).map_err(|error| costly(&error))?;
            let top = bytes.get(..middle_start).unwrap_or_default();
            let top_path = session.resolve(&Pathname::from(if top.is_empty() {
                b".".as_slice()
            } else {
                top
            }))?;
            search.two(&top_path, top, &middle, &last).await
        } else {
            let prefix = bytes.get(..last_start).unwrap_or_default();
            let path = session.resolve(&Pathname::from(if prefix.is_empty() {
                b".".as_slice()
            } else {
                prefix
            }))?;
            search.one(&path, prefix, &last).await
        };
        match searched {
            Ok(()) => {}
            Err(Searched::TooCostly) => {
                return Err(costly(&format!(
                    "more than {PATTERN_READS} entries would have to be looked at"
                )));
            }
            // A directory that is not there holds nothing that matches.
            Err(Searched::Failed(error)) if is_missing(error.kind) => {}
            Err(Searched::Failed(error)) => return Err(session.refused(&error, bytes)),
        }
        let found = search.found;
        let renderer =
            Renderer::new(session, &session.directory, style, options)?.with_names_as_given();
        Ok(Self {
            feed: Feed::Collected(vec![found]),
            renderer,
            options,
            directory: true,
            truncated_at: None,
        })
    }

    /// Whether a directory (or a pattern) is listed, not one object.
    pub(super) const fn is_directory(&self) -> bool {
        self.directory
    }

    /// A note for the end: empty, or that entries were left out.
    pub(super) fn note(&self) -> String {
        let truncated = match &self.feed {
            Feed::Streaming(reader, _) | Feed::Fresh(reader) => reader.is_truncated(),
            Feed::Collected(_) | Feed::Dry => self.renderer.was_cut(),
        };
        match self.truncated_at {
            Some(limit) if truncated => format!("truncated at {limit} entries"),
            _ => String::new(),
        }
    }

    /// Appends the next lines; `false` when there are no more.
    pub(super) async fn fill(&mut self, out: &mut Vec<u8>) -> Result<bool> {
        self.renderer.take_head(out);
        loop {
            match std::mem::replace(&mut self.feed, Feed::Dry) {
                Feed::Dry => return Ok(false),
                Feed::Fresh(reader) => self.feed = self.begin(reader).await?,
                Feed::Collected(batches) => {
                    // What was named or matched is shown; a pattern minds leading dots itself (DAT-84).
                    let all = self.renderer.shows_all();
                    render_sorted(&self.renderer, &batches, self.options, all, out).await;
                    return Ok(false);
                }
                Feed::Streaming(mut reader, batch) => {
                    let ahead = self.renderer.take_ahead();
                    if !ahead.is_empty() {
                        for batch in &ahead {
                            render_batch(&self.renderer, batch, self.options, out).await;
                        }
                        self.feed = Feed::Streaming(reader, batch);
                        return Ok(true);
                    }
                    let batch = reader.next_batch(batch).await?;
                    if batch.is_empty() {
                        self.renderer.note_cut(reader.is_truncated());
                        return Ok(false);
                    }
                    render_batch(&self.renderer, &batch, self.options, out).await;
                    self.feed = Feed::Streaming(reader, batch);
                    return Ok(true);
                }
            }
        }
    }

    /// Facts have no order; everything else is read up to the window first.
    async fn begin(&mut self, mut reader: ViewReader) -> Result<Feed> {
        if self.renderer.is_facts() || self.options.order == ListOrder::Storage {
            return Ok(Feed::Streaming(reader, EntryBatch::new()));
        }
        let mut batches = Vec::new();
        let mut count = 0;
        loop {
            let batch = reader.next_batch(EntryBatch::new()).await?;
            if batch.is_empty() {
                self.renderer.note_cut(reader.is_truncated());
                return Ok(Feed::Collected(batches));
            }
            count += batch.len();
            batches.push(batch);
            if count > SORT_WINDOW {
                self.renderer.keep_ahead(batches);
                return Ok(Feed::Streaming(reader, EntryBatch::new()));
            }
        }
    }
}

async fn render_batch(
    renderer: &Renderer,
    batch: &EntryBatch,
    options: ListOptions,
    out: &mut Vec<u8>,
) {
    let all = renderer.is_facts();
    for entry in batch.iter().filter(|entry| is_shown(entry, options, all)) {
        renderer.entry(&entry, out).await;
    }
}

async fn render_sorted(
    renderer: &Renderer,
    batches: &[EntryBatch],
    options: ListOptions,
    all: bool,
    out: &mut Vec<u8>,
) {
    let entries = batches.iter().flat_map(EntryBatch::iter);
    let mut entries: Vec<Entry<'_>> = entries
        .filter(|entry| is_shown(entry, options, all))
        .collect();
    entries.sort_unstable_by(|one, other| order(one, other, options));
    for entry in &entries {
        renderer.entry(entry, out).await;
    }
}

fn is_shown(entry: &Entry<'_>, options: ListOptions, facts: bool) -> bool {
    facts || options.all || !entry.name.starts_with(b".")
}

/// DAT-77.
fn order(one: &Entry<'_>, other: &Entry<'_>, options: ListOptions) -> Ordering {
    let key = match options.order {
        ListOrder::Time => other.metadata.modified.cmp(&one.metadata.modified),
        ListOrder::Size => other.metadata.size.cmp(&one.metadata.size),
        _ => Ordering::Equal,
    };
    let ascending = key.then_with(|| one.name.cmp(other.name));
    if options.reverse {
        ascending.reverse()
    } else {
        ascending
    }
}

/// Whether one of the last two components is a pattern.
fn has_pattern(name: &Pathname) -> bool {
    let bytes = name.as_bytes();
    let (start, last) = split_last(bytes);
    let (_, middle) = split_last(bytes.get(..start.saturating_sub(1)).unwrap_or_default());
    is_pattern(last) || is_pattern(middle)
}

/// Where the last component begins, and itself.
fn split_last(bytes: &[u8]) -> (usize, &[u8]) {
    let start = bytes
        .iter()
        .rposition(|byte| *byte == b'/')
        .map_or(0, |slash| slash + 1);
    (start, bytes.get(start..).unwrap_or_default())
}

fn with_slash(name: &[u8]) -> Vec<u8> {
    let mut prefix = name.to_vec();
    if !prefix.ends_with(b"/") {
        prefix.push(b'/');
    }
    prefix
}

/// Why a search ended early.
enum Searched {
    TooCostly,
    Failed(wharf_vfs::Error),
}

impl From<wharf_vfs::Error> for Searched {
    fn from(error: wharf_vfs::Error) -> Self {
        Self::Failed(error)
    }
}

/// A search for what a pattern matches.
struct Search<'a> {
    view: &'a View,
    options: ListOptions,
    reads: usize,
    found: EntryBatch,
}

impl Search<'_> {
    /// Matches names of one directory.
    async fn one(
        &mut self,
        path: &VirtualPath,
        prefix: &[u8],
        pattern: &Pattern,
    ) -> std::result::Result<(), Searched> {
        for (name, metadata, target) in self.matching(path, pattern).await? {
            self.found.push(&[prefix, &name].concat(), metadata, target);
        }
        Ok(())
    }

    /// Matches directories of one directory, then names in each of them.
    async fn two(
        &mut self,
        path: &VirtualPath,
        prefix: &[u8],
        middle: &Pattern,
        last: &Pattern,
    ) -> std::result::Result<(), Searched> {
        for (name, metadata, target) in self.matching(path, middle).await? {
            if !target.unwrap_or(metadata).is_directory() {
                continue;
            }
            let Ok(below) = path.join_name(&name) else {
                continue;
            };
            let prefix = [prefix, name.as_slice(), b"/"].concat();
            match self.one(&below, &prefix, last).await {
                // A directory that may not be read matches nothing.
                Ok(()) | Err(Searched::Failed(_)) => {}
                Err(costly) => return Err(costly),
            }
        }
        Ok(())
    }

    async fn matching(
        &mut self,
        path: &VirtualPath,
        pattern: &Pattern,
    ) -> std::result::Result<Vec<(Vec<u8>, Metadata, Option<Metadata>)>, Searched> {
        let mut reader = self.view.read_directory(path).await?;
        let mut batch = EntryBatch::new();
        let mut found = Vec::new();
        loop {
            batch = reader.next_batch(batch).await?;
            if batch.is_empty() {
                return Ok(found);
            }
            self.reads += batch.len();
            if self.reads > PATTERN_READS {
                return Err(Searched::TooCostly);
            }
            let matches = batch.iter().filter(|entry| pattern.matches(entry.name));
            let shown =
                matches.filter(|entry| !self.options.directory_itself || !entry.name.is_empty());
            found.extend(shown.map(|entry| (entry.name.to_vec(), entry.metadata, entry.target)));
        }
    }
}
