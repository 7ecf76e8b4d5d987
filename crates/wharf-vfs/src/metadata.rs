//! What is known of an object: kind, size, times, modes, identity.
//!
//! Times are kept as seconds and nanoseconds since 1970-01-01 UTC, because every protocol has its
//! own calendar form and none of them is ours to know.

/// Seconds and nanoseconds since 1970-01-01T00:00:00Z; seconds may be negative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp {
    /// Whole seconds.
    pub seconds: i64,
    /// 0 to 999,999,999.
    pub nanoseconds: u32,
}

/// What an object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FileKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link, not followed (or dangling, or pointing out of its volume).
    Symlink,
    /// A device, FIFO or socket: listed, never opened.
    Special,
}

/// Whether the last component of a path is followed when it is a symbolic link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Links {
    /// Followed, as long as the target stays in the volume.
    Follow,
    /// Looked at itself.
    NoFollow,
}

/// What is known of one object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// What it is.
    pub kind: FileKind,
    /// Size in octets.
    pub size: u64,
    /// Last change of content.
    pub modified: Timestamp,
    /// Last access, where the volume knows.
    pub accessed: Option<Timestamp>,
    /// Last change of content or attributes, where the volume knows.
    pub changed: Option<Timestamp>,
    /// Creation, where the volume knows.
    pub created: Option<Timestamp>,
    /// Permission bits, 0 to 0o7777.
    pub mode: u32,
    /// Numeric owner.
    pub owner: u32,
    /// Numeric group.
    pub group: u32,
    /// Number of hard links.
    pub links: u64,
    /// The same for all names of one object, unlike for different objects of one volume.
    pub identity: u64,
}

impl Metadata {
    /// Whether it is a directory.
    pub const fn is_directory(&self) -> bool {
        matches!(self.kind, FileKind::Directory)
    }

    /// Whether it is a regular file.
    pub const fn is_file(&self) -> bool {
        matches!(self.kind, FileKind::File)
    }
}

/// What shall change; `None` stays as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AttributeChange {
    /// Permission bits, 0 to 0o7777.
    pub mode: Option<u32>,
    /// Last change of content.
    pub modified: Option<Timestamp>,
    /// Last access.
    pub accessed: Option<Timestamp>,
    /// Numeric owner.
    pub owner: Option<u32>,
    /// Numeric group.
    pub group: Option<u32>,
}

/// Free and total space of a volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    /// Octets in all.
    pub total: u64,
    /// Octets that this service can still write.
    pub free: u64,
    /// Objects that there may be in all, where the store counts them.
    pub files: Option<u64>,
    /// Objects that can still be made, where the store counts them.
    pub files_free: Option<u64>,
    /// Octets of the unit in which the store gives out space; at least 1.
    pub block_size: u32,
}
