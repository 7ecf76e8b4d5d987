//! The nodes of a memory volume and how a path is walked through them.
//!
//! Everything here runs under the volume's one lock and never waits.

use std::{
    collections::{BTreeMap, HashMap},
    time::{SystemTime, UNIX_EPOCH},
};

use crate::{
    AttributeChange, ErrorKind, FileKind, Links, Metadata, OpenMode, Replace, Timestamp,
    VirtualPath,
};

/// Links that are followed for one path at the most, as in the Linux kernel.
const MAX_LINKS: usize = 40;

pub(super) type NodeId = u64;

const ROOT: NodeId = 1;

type Outcome<T> = Result<T, ErrorKind>;

enum Body {
    File(Vec<u8>),
    Directory(BTreeMap<Vec<u8>, NodeId>),
    Symlink(Vec<u8>),
}

struct Node {
    body: Body,
    mode: u32,
    owner: u32,
    group: u32,
    modified: Timestamp,
    accessed: Timestamp,
    changed: Timestamp,
    created: Timestamp,
    /// How many names lead to it; an open file outlives its names.
    names: u64,
    /// How many open files there are of it.
    open: usize,
}

pub(super) struct Tree {
    nodes: HashMap<NodeId, Node>,
    next: NodeId,
    pub(super) capacity: u64,
    pub(super) used: u64,
    pub(super) fail_after: Option<u64>,
}

/// Where a path leads: a directory, a name in it, and what stands there.
struct Spot {
    parent: NodeId,
    name: Vec<u8>,
    node: Option<NodeId>,
}

impl Tree {
    pub(super) fn new(capacity: u64) -> Self {
        let mut tree = Self {
            nodes: HashMap::new(),
            next: ROOT,
            capacity,
            used: 0,
            fail_after: None,
        };
        tree.insert(Body::Directory(BTreeMap::new()), 0o755);
        tree
    }

    fn insert(&mut self, body: Body, mode: u32) -> NodeId {
        let id = self.next;
        self.next += 1;
        let now = now();
        let node = Node {
            body,
            mode: mode & 0o7777,
            owner: 0,
            group: 0,
            modified: now,
            accessed: now,
            changed: now,
            created: now,
            names: 1,
            open: 0,
        };
        self.nodes.insert(id, node);
        id
    }

    fn node(&self, id: NodeId) -> Outcome<&Node> {
        self.nodes.get(&id).ok_or(ErrorKind::Broken)
    }

    fn node_mut(&mut self, id: NodeId) -> Outcome<&mut Node> {
        self.nodes.get_mut(&id).ok_or(ErrorKind::Broken)
    }

    fn entries(&self, id: NodeId) -> Outcome<&BTreeMap<Vec<u8>, NodeId>> {
        match &self.node(id)?.body {
            Body::Directory(entries) => Ok(entries),
            Body::File(_) | Body::Symlink(_) => Err(ErrorKind::NotADirectory),
        }
    }

    /// Walks a path; a link may lead anywhere but out of the volume.
    fn walk(&self, path: &VirtualPath, links: Links) -> Outcome<Spot> {
        let mut trail = vec![ROOT];
        let mut pending: Vec<Vec<u8>> = path.components().rev().map(<[u8]>::to_vec).collect();
        let mut followed = 0;
        while let Some(name) = pending.pop() {
            let here = trail.last().copied().unwrap_or(ROOT);
            let entries = self.entries(here)?;
            match name.as_slice() {
                b"" | b"." => continue,
                b".." if trail.len() == 1 => return Err(ErrorKind::NotFound),
                b".." => {
                    trail.pop();
                    continue;
                }
                _ => {}
            }
            let last = pending.is_empty();
            let Some(&found) = entries.get(&name) else {
                return if last {
                    Ok(Spot {
                        parent: here,
                        name,
                        node: None,
                    })
                } else {
                    Err(ErrorKind::NotFound)
                };
            };
            match &self.node(found)?.body {
                Body::Symlink(text) if !last || links == Links::Follow => {
                    followed += 1;
                    if followed > MAX_LINKS || text.first() == Some(&b'/') {
                        return Err(ErrorKind::NotFound);
                    }
                    pending.extend(text.rsplit(|&byte| byte == b'/').map(<[u8]>::to_vec));
                }
                _ if last => {
                    return Ok(Spot {
                        parent: here,
                        name,
                        node: Some(found),
                    });
                }
                _ => trail.push(found),
            }
        }
        // The top, or a link whose text ends with `..`: a directory without a name to act on.
        Ok(Spot {
            parent: ROOT,
            name: Vec::new(),
            node: trail.pop(),
        })
    }

    pub(super) fn find(&self, path: &VirtualPath, links: Links) -> Outcome<NodeId> {
        self.walk(path, links)?.node.ok_or(ErrorKind::NotFound)
    }

    pub(super) fn metadata(&self, id: NodeId) -> Outcome<Metadata> {
        let node = self.node(id)?;
        let (kind, size) = match &node.body {
            Body::File(content) => (FileKind::File, content.len()),
            Body::Directory(entries) => (FileKind::Directory, entries.len()),
            Body::Symlink(text) => (FileKind::Symlink, text.len()),
        };
        Ok(Metadata {
            kind,
            size: size as u64,
            modified: node.modified,
            accessed: Some(node.accessed),
            changed: Some(node.changed),
            created: Some(node.created),
            mode: node.mode,
            owner: node.owner,
            group: node.group,
            links: node.names,
            identity: id,
        })
    }

    pub(super) fn names(&self, id: NodeId) -> Outcome<Vec<(Vec<u8>, NodeId)>> {
        Ok(self
            .entries(id)?
            .iter()
            .map(|(name, id)| (name.clone(), *id))
            .collect())
    }

    fn link(&mut self, parent: NodeId, name: Vec<u8>, id: NodeId) -> Outcome<()> {
        let now = now();
        let node = self.node_mut(parent)?;
        (node.modified, node.changed) = (now, now);
        match &mut node.body {
            Body::Directory(entries) => {
                entries.insert(name, id);
                Ok(())
            }
            Body::File(_) | Body::Symlink(_) => Err(ErrorKind::NotADirectory),
        }
    }

    fn unlink(&mut self, parent: NodeId, name: &[u8]) -> Outcome<()> {
        let now = now();
        let node = self.node_mut(parent)?;
        (node.modified, node.changed) = (now, now);
        if let Body::Directory(entries) = &mut node.body {
            entries.remove(name);
        }
        Ok(())
    }

    /// Forgets a node that neither a name nor an open file keeps.
    fn release(&mut self, id: NodeId) {
        if self
            .nodes
            .get(&id)
            .is_some_and(|node| node.names == 0 && node.open == 0)
            && let Some(Node {
                body: Body::File(content),
                ..
            }) = self.nodes.remove(&id)
        {
            self.used -= content.len() as u64;
        }
    }

    fn forget_name(&mut self, id: NodeId) -> Outcome<()> {
        let node = self.node_mut(id)?;
        node.names -= 1;
        node.changed = now();
        self.release(id);
        Ok(())
    }

    pub(super) fn open(&mut self, path: &VirtualPath, mode: OpenMode) -> Outcome<NodeId> {
        let links = if matches!(mode, OpenMode::CreateNew { .. }) {
            Links::NoFollow
        } else {
            Links::Follow
        };
        let spot = self.walk(path, links)?;
        let id = match (spot.node, mode) {
            (Some(_), OpenMode::CreateNew { .. }) => return Err(ErrorKind::Exists),
            (Some(id), _) => id,
            (None, OpenMode::UpdateOrCreate { mode } | OpenMode::CreateNew { mode }) => {
                let id = self.insert(Body::File(Vec::new()), mode);
                self.link(spot.parent, spot.name, id)?;
                id
            }
            (None, OpenMode::Read | OpenMode::Update) => return Err(ErrorKind::NotFound),
        };
        let node = self.node_mut(id)?;
        match node.body {
            Body::File(_) => node.open += 1,
            Body::Directory(_) => return Err(ErrorKind::IsADirectory),
            Body::Symlink(_) => return Err(ErrorKind::Denied),
        }
        Ok(id)
    }

    pub(super) fn close(&mut self, id: NodeId) {
        if let Some(node) = self.nodes.get_mut(&id) {
            node.open -= 1;
            self.release(id);
        }
    }

    pub(super) fn create_directory(&mut self, path: &VirtualPath, mode: u32) -> Outcome<()> {
        self.create(path, Body::Directory(BTreeMap::new()), mode)
    }

    pub(super) fn create_symlink(&mut self, path: &VirtualPath, text: Vec<u8>) -> Outcome<()> {
        self.create(path, Body::Symlink(text), 0o777)
    }

    fn create(&mut self, path: &VirtualPath, body: Body, mode: u32) -> Outcome<()> {
        let spot = self.walk(path, Links::NoFollow)?;
        if spot.node.is_some() {
            return Err(ErrorKind::Exists);
        }
        let id = self.insert(body, mode);
        self.link(spot.parent, spot.name, id)
    }

    pub(super) fn create_hard_link(
        &mut self,
        existing: &VirtualPath,
        path: &VirtualPath,
    ) -> Outcome<()> {
        let id = self.find(existing, Links::NoFollow)?;
        match self.node(id)?.body {
            Body::File(_) => {}
            Body::Directory(_) => return Err(ErrorKind::IsADirectory),
            Body::Symlink(_) => return Err(ErrorKind::Denied),
        }
        let spot = self.walk(path, Links::NoFollow)?;
        if spot.node.is_some() {
            return Err(ErrorKind::Exists);
        }
        self.link(spot.parent, spot.name, id)?;
        let node = self.node_mut(id)?;
        node.names += 1;
        node.changed = now();
        Ok(())
    }

    pub(super) fn remove(&mut self, path: &VirtualPath, directory: bool) -> Outcome<()> {
        let spot = self.walk(path, Links::NoFollow)?;
        let id = spot.node.ok_or(ErrorKind::NotFound)?;
        match (&self.node(id)?.body, directory) {
            (_, true) if id == ROOT => return Err(ErrorKind::Busy),
            (Body::Directory(entries), true) if !entries.is_empty() => {
                return Err(ErrorKind::NotEmpty);
            }
            (Body::Directory(_), false) => return Err(ErrorKind::IsADirectory),
            (Body::File(_) | Body::Symlink(_), true) => return Err(ErrorKind::NotADirectory),
            _ => {}
        }
        self.unlink(spot.parent, &spot.name)?;
        self.forget_name(id)?;
        if !matches!(
            self.nodes.get(&id),
            Some(Node {
                body: Body::File(_),
                ..
            })
        ) {
            self.nodes.remove(&id);
        }
        Ok(())
    }

    pub(super) fn rename(
        &mut self,
        from: &VirtualPath,
        to: &VirtualPath,
        replace: Replace,
    ) -> Outcome<()> {
        let source = self.walk(from, Links::NoFollow)?;
        let target = self.walk(to, Links::NoFollow)?;
        let id = source.node.ok_or(ErrorKind::NotFound)?;
        if id == ROOT || target.node == Some(ROOT) {
            return Err(ErrorKind::Busy);
        }
        let moves_directory = matches!(self.node(id)?.body, Body::Directory(_));
        if let Some(old) = target.node {
            if replace == Replace::Never || moves_directory && old != id {
                return Err(ErrorKind::Exists);
            }
            if old == id {
                return Ok(());
            }
            if matches!(self.node(old)?.body, Body::Directory(_)) {
                return Err(ErrorKind::IsADirectory);
            }
            self.unlink(target.parent, &target.name)?;
            self.forget_name(old)?;
        } else if moves_directory && self.lies_in(target.parent, id) {
            return Err(ErrorKind::InvalidName);
        }
        self.unlink(source.parent, &source.name)?;
        self.link(target.parent, target.name, id)?;
        self.node_mut(id)?.changed = now();
        Ok(())
    }

    /// Whether the directory `inner` is `outer` or lies in it.
    fn lies_in(&self, inner: NodeId, outer: NodeId) -> bool {
        inner == outer
            || self.entries(outer).is_ok_and(|entries| {
                entries
                    .values()
                    .any(|&child| self.entries(child).is_ok() && self.lies_in(inner, child))
            })
    }

    pub(super) fn set_attributes(&mut self, id: NodeId, change: AttributeChange) -> Outcome<()> {
        let now = now();
        let node = self.node_mut(id)?;
        if !matches!(node.body, Body::Symlink(_)) {
            node.mode = change.mode.map_or(node.mode, |mode| mode & 0o7777);
        }
        node.modified = change.modified.unwrap_or(node.modified);
        node.accessed = change.accessed.unwrap_or(node.accessed);
        node.owner = change.owner.unwrap_or(node.owner);
        node.group = change.group.unwrap_or(node.group);
        node.changed = now;
        Ok(())
    }

    pub(super) fn read_link(&self, path: &VirtualPath) -> Outcome<Vec<u8>> {
        match &self.node(self.find(path, Links::NoFollow)?)?.body {
            Body::Symlink(text) => Ok(text.clone()),
            Body::File(_) | Body::Directory(_) => Err(ErrorKind::Unsupported),
        }
    }

    pub(super) fn content(&self, id: NodeId) -> Outcome<&[u8]> {
        match &self.node(id)?.body {
            Body::File(content) => Ok(content),
            Body::Directory(_) | Body::Symlink(_) => Err(ErrorKind::Broken),
        }
    }

    pub(super) fn set_size(&mut self, id: NodeId, size: u64) -> Outcome<()> {
        let old = self.content(id)?.len() as u64;
        let used = (self.used - old).saturating_add(size);
        if size > old && used > self.capacity {
            return Err(ErrorKind::NoSpace);
        }
        let length = usize::try_from(size).map_err(|_| ErrorKind::NoSpace)?;
        let now = now();
        let node = self.node_mut(id)?;
        (node.modified, node.changed) = (now, now);
        if let Body::File(content) = &mut node.body {
            content.resize(length, 0);
        }
        self.used = used;
        Ok(())
    }

    pub(super) fn write(&mut self, id: NodeId, bytes: &[u8], offset: u64) -> Outcome<()> {
        if let Some(left) = &mut self.fail_after {
            let Some(rest) = left.checked_sub(bytes.len() as u64) else {
                return Err(ErrorKind::Broken);
            };
            *left = rest;
        }
        if bytes.is_empty() {
            return Ok(());
        }
        let end = offset
            .checked_add(bytes.len() as u64)
            .ok_or(ErrorKind::NoSpace)?;
        let size = end.max(self.content(id)?.len() as u64);
        self.set_size(id, size)?;
        let start = usize::try_from(offset).map_err(|_| ErrorKind::NoSpace)?;
        if let Body::File(content) = &mut self.node_mut(id)?.body
            && let Some(place) = content.get_mut(start..start + bytes.len())
        {
            place.copy_from_slice(bytes);
        }
        Ok(())
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a store stamps what it stores, as a disk's file system does"
)]
fn now() -> Timestamp {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Timestamp {
        seconds: i64::try_from(now.as_secs()).unwrap_or(i64::MAX),
        nanoseconds: now.subsec_nanos(),
    }
}
