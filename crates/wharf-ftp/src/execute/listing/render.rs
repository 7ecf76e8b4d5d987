//! How an entry looks: a line of `ls -l`, a name, or facts.
//!
//! Modes and permissions are those that the account's rights leave (DAT-78, DAT-93), not the host's.
//! An entry costs no allocation; only a symbolic link costs another question to the volume.

use std::sync::Arc;

use wharf_proto::ftp::{
    facts::{FactSet, FactType, Facts, Permissions, Unique},
    listing::render::{Entry as Line, Kind, Style, push_long, push_short},
    media_type::media_type_of,
    server::{ListOptions, ListStyle, Outcome},
};
use wharf_vfs::{Entry, EntryBatch, FileKind, Links, Metadata, Right, Rights, View, VirtualPath};

use crate::{clock, execute::file::ftp_time, session::FtpSession, settings::Owners};

/// Renders the entries of one directory.
pub(super) struct Renderer {
    view: View,
    directory: VirtualPath,
    /// Names are as the user gave them, relative to `directory`: they may be whole paths.
    as_given: bool,
    style: ListStyle,
    options: ListOptions,
    now: i64,
    owners: Owners,
    account: Arc<str>,
    /// Of files of this directory; directories may have rules of their own.
    rights: Rights,
    volume: u64,
    prefix: Vec<u8>,
    /// Lines that come before all others.
    head: Vec<u8>,
    /// Entries that were read while it was not known yet whether all can be sorted.
    ahead: Vec<EntryBatch>,
    cut: bool,
}

impl Renderer {
    pub(super) fn new(
        session: &FtpSession,
        directory: &VirtualPath,
        style: ListStyle,
        options: ListOptions,
    ) -> Result<Self, Outcome> {
        let user = session.user()?;
        let view = user.view().clone();
        // `-l` given to NLST asks for lines.
        let style = if options.long && style == ListStyle::Names {
            ListStyle::Long
        } else {
            style
        };
        let owners = if options.numeric {
            Owners::Numeric
        } else {
            session.settings.list.owners.clone()
        };
        Ok(Self {
            rights: view.rights(directory),
            volume: fingerprint(view.volume_id(directory)),
            directory: directory.clone(),
            as_given: false,
            style,
            options,
            now: i64::try_from(clock::unix_now()).unwrap_or(i64::MAX),
            owners,
            account: Arc::clone(&user.account().name),
            view,
            prefix: Vec::new(),
            head: Vec::new(),
            ahead: Vec::new(),
            cut: false,
        })
    }

    pub(super) fn with_prefix(mut self, prefix: Vec<u8>) -> Self {
        self.prefix = prefix;
        self
    }

    /// For objects that are named by what the user said, not by their directory.
    pub(super) const fn with_names_as_given(mut self) -> Self {
        self.as_given = true;
        self
    }

    fn path_of(&self, name: &[u8]) -> Option<VirtualPath> {
        if self.as_given {
            VirtualPath::parse(&self.directory, name).ok()
        } else {
            self.directory.join_name(name).ok()
        }
    }

    pub(super) const fn is_facts(&self) -> bool {
        matches!(self.style, ListStyle::Facts(_))
    }

    /// Whether names with a leading dot are shown without being asked for.
    pub(super) const fn shows_all(&self) -> bool {
        self.as_given || self.is_facts()
    }

    pub(super) const fn was_cut(&self) -> bool {
        self.cut
    }

    pub(super) const fn note_cut(&mut self, cut: bool) {
        self.cut = cut;
    }

    pub(super) fn keep_ahead(&mut self, batches: Vec<EntryBatch>) {
        self.ahead = batches;
    }

    pub(super) fn take_ahead(&mut self) -> Vec<EntryBatch> {
        std::mem::take(&mut self.ahead)
    }

    /// DAT-97: MLSD begins with the directory itself and its parent. They are called `.` and `..`:
    /// clients that do not know the types (INT-18) would descend into every other name.
    pub(super) async fn head(&mut self, path: &VirtualPath) {
        let ListStyle::Facts(wanted) = self.style else {
            return;
        };
        if !wanted.contains(wharf_proto::ftp::facts::Fact::Type) {
            return;
        }
        let mut head = Vec::new();
        if let Ok(metadata) = self.view.metadata(path, Links::Follow).await {
            self.push_facts(
                FactType::CurrentDirectory,
                path,
                &metadata,
                wanted,
                b".",
                &mut head,
            );
        }
        if let Some(parent) = path.parent()
            && let Ok(metadata) = self.view.metadata(&parent, Links::Follow).await
        {
            self.push_facts(
                FactType::ParentDirectory,
                &parent,
                &metadata,
                wanted,
                b"..",
                &mut head,
            );
        }
        self.head = head;
    }

    pub(super) fn take_head(&mut self, out: &mut Vec<u8>) {
        out.append(&mut self.head);
    }

    /// MLST: the facts of one object, without a name.
    pub(super) fn facts_of(&self, path: &VirtualPath, metadata: &Metadata, out: &mut Vec<u8>) {
        let ListStyle::Facts(wanted) = self.style else {
            return;
        };
        let rights = self.view.rights(path);
        self.facts(
            kind_of(metadata.kind),
            metadata,
            rights,
            path.name().unwrap_or_default(),
            |facts| {
                facts.encode(wanted, out);
            },
        );
    }

    /// One entry of the directory.
    pub(super) async fn entry(&self, entry: &Entry<'_>, out: &mut Vec<u8>) {
        match self.style {
            ListStyle::Names => {
                let mark = if self.options.classify {
                    mark(&entry.metadata)
                } else {
                    b""
                };
                if mark.is_empty() {
                    push_short(&self.prefix, entry.name, out);
                } else {
                    push_short(&self.prefix, &[entry.name, mark].concat(), out);
                }
            }
            ListStyle::Facts(wanted) => {
                let shown = entry.target.unwrap_or(entry.metadata);
                let rights = self.rights_of(entry);
                self.facts(kind_of(shown.kind), &shown, rights, entry.name, |facts| {
                    facts.encode_line(wanted, entry.name, out);
                });
            }
            ListStyle::Long => self.long(entry, out).await,
        }
    }

    /// Only directories can be the top of another rule's subtree.
    fn rights_of(&self, entry: &Entry<'_>) -> Rights {
        if !entry.metadata.is_directory() && !self.as_given {
            return self.rights;
        }
        self.path_of(entry.name)
            .map_or(self.rights, |path| self.view.rights(&path))
    }

    async fn long(&self, entry: &Entry<'_>, out: &mut Vec<u8>) {
        let metadata = match entry.target {
            Some(target) if self.options.follow => target,
            _ => entry.metadata,
        };
        let target = if metadata.kind == FileKind::Symlink && entry.target.is_some() {
            match self.path_of(entry.name) {
                Some(path) => self.view.read_link(&path).await.ok(),
                None => None,
            }
        } else {
            None
        };
        let rights = self.rights_of(entry);
        self.owned(&metadata, |owner, group| {
            let line = Line {
                kind: match metadata.kind {
                    FileKind::Directory => Kind::Directory,
                    FileKind::Symlink => Kind::Symlink,
                    FileKind::File | FileKind::Special => Kind::File,
                },
                mode: shown_mode(&metadata, rights),
                links: metadata.links,
                owner,
                group,
                size: metadata.size,
                modified: ftp_time(metadata.modified),
                name: entry.name,
                target: target.as_deref(),
            };
            push_long(
                &line,
                Style {
                    now: self.now,
                    zone: 0,
                    classify: self.options.classify,
                },
                out,
            );
        });
    }

    fn push_facts(
        &self,
        kind: FactType<'_>,
        path: &VirtualPath,
        metadata: &Metadata,
        wanted: FactSet,
        name: &[u8],
        out: &mut Vec<u8>,
    ) {
        self.facts(kind, metadata, self.view.rights(path), b"", |facts| {
            facts.encode_line(wanted, name, out)
        });
    }

    fn facts(
        &self,
        kind: FactType<'_>,
        metadata: &Metadata,
        rights: Rights,
        name: &[u8],
        with: impl FnOnce(&Facts<'_>),
    ) {
        let unique = Unique::new(self.volume, metadata.identity);
        self.owned(metadata, |owner, group| {
            with(&Facts {
                kind: Some(kind),
                size: metadata.is_file().then_some(metadata.size),
                modify: Some(ftp_time(metadata.modified).whole_seconds()),
                create: metadata
                    .created
                    .map(|created| ftp_time(created).whole_seconds()),
                perm: Some(permissions(metadata, rights)),
                unique: Some(unique.as_bytes()),
                unix_mode: Some(shown_mode(metadata, rights)),
                unix_owner: Some(owner),
                unix_group: Some(group),
                media_type: if metadata.is_file() {
                    media_type_of(name)
                } else {
                    None
                },
            });
        });
    }

    /// DAT-72.
    fn owned(&self, metadata: &Metadata, with: impl FnOnce(&[u8], &[u8])) {
        match &self.owners {
            Owners::Session => with(self.account.as_bytes(), self.account.as_bytes()),
            Owners::Fixed(owner, group) => with(owner.as_bytes(), group.as_bytes()),
            Owners::Numeric => {
                let (owner, owner_start) = wharf_proto::ftp::decimal::digits(metadata.owner.into());
                let (group, group_start) = wharf_proto::ftp::decimal::digits(metadata.group.into());
                with(
                    owner.get(owner_start..).unwrap_or_default(),
                    group.get(group_start..).unwrap_or_default(),
                );
            }
        }
    }
}

const fn kind_of(kind: FileKind) -> FactType<'static> {
    match kind {
        FileKind::File => FactType::File,
        FileKind::Directory => FactType::Directory,
        FileKind::Symlink => FactType::Symlink(None),
        FileKind::Special => FactType::Special,
    }
}

fn mark(metadata: &Metadata) -> &'static [u8] {
    match metadata.kind {
        FileKind::Directory => b"/",
        FileKind::Symlink => b"@",
        FileKind::File if metadata.mode & 0o111 != 0 => b"*",
        FileKind::File | FileKind::Special => b"",
    }
}

/// DAT-78: whoever cannot change or read does not see that others can.
const fn shown_mode(metadata: &Metadata, rights: Rights) -> u32 {
    let mut mode = metadata.mode;
    if !rights.can_change() {
        mode &= !0o222;
    }
    if !rights.has(Right::Read) && !rights.has(Right::List) {
        mode &= !0o444;
    }
    mode
}

/// DAT-93, RFC 3659 7.5.5.
fn permissions(metadata: &Metadata, rights: Rights) -> Permissions {
    let if_has = |right, letter| {
        if rights.has(right) {
            letter
        } else {
            Permissions::NONE
        }
    };
    match metadata.kind {
        FileKind::Directory => {
            // Whoever sees a directory may enter it; a drop box shows nothing more.
            let enter = rights != Rights::NONE;
            if_has(Right::Create, Permissions::CREATE)
                | if_has(Right::Rmdir, Permissions::DELETE)
                | if enter {
                    Permissions::ENTER
                } else {
                    Permissions::NONE
                }
                | if_has(Right::Rename, Permissions::RENAME)
                | if_has(Right::List, Permissions::LIST)
                | if_has(Right::Mkdir, Permissions::MAKE_DIRECTORY)
                | if_has(Right::Delete, Permissions::PURGE)
        }
        FileKind::File => {
            if_has(Right::Append, Permissions::APPEND)
                | if_has(Right::Delete, Permissions::DELETE)
                | if_has(Right::Rename, Permissions::RENAME)
                | if_has(Right::Read, Permissions::READ)
                | if_has(Right::Overwrite, Permissions::WRITE)
        }
        FileKind::Symlink | FileKind::Special => {
            if_has(Right::Delete, Permissions::DELETE) | if_has(Right::Rename, Permissions::RENAME)
        }
    }
}

/// A volume's id as a number for the `unique` fact (FNV-1a): opaque, the same in every session.
fn fingerprint(id: &str) -> u64 {
    id.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
