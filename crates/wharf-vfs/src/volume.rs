//! A place where bytes rest: the contract that every store fulfils.
//!
//! Paths here are the volume's own: `/` is its top. No method follows a link out of the volume, and
//! none opens a device, FIFO or socket. What a volume cannot do it says in its [`Capabilities`];
//! it does not pretend. Rights are not checked here: the [view](crate::View) has done so.

use std::{fmt, sync::Arc};

use crate::{
    Answer, AttributeChange, DirectoryReader, FileRef, Links, Metadata, Space, VirtualPath,
};

/// What a volume can do beyond reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// Anything can be written at all.
    pub write: bool,
    /// Writing may start anywhere in an existing file.
    pub random_write: bool,
    /// A rename replaces its target in one step.
    pub atomic_rename: bool,
    /// Permission bits are kept.
    pub modes: bool,
    /// Modification times can be set.
    pub set_times: bool,
    /// Symbolic links exist.
    pub symlinks: bool,
    /// Hard links exist.
    pub hard_links: bool,
    /// Names differ by case.
    pub case_sensitive: bool,
}

/// How a file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenMode {
    /// For reading; must exist.
    Read,
    /// For reading and writing; must exist.
    Update,
    /// For reading and writing; made with these permission bits if it does not exist.
    UpdateOrCreate {
        /// Permission bits, 0 to 0o777.
        mode: u32,
    },
    /// For reading and writing; made with these permission bits, and it must not exist.
    CreateNew {
        /// Permission bits, 0 to 0o777.
        mode: u32,
    },
}

/// Whether a rename may replace what stands at its target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replace {
    /// A file may replace a file.
    Files,
    /// The target must not exist; checked and done in one step.
    Never,
}

/// A store of files and directories.
pub trait Volume: Send + Sync + fmt::Debug {
    /// What this volume can do.
    fn capabilities(&self) -> Capabilities;

    /// Looks at an object.
    fn metadata<'a>(&'a self, path: &'a VirtualPath, links: Links) -> Answer<'a, Metadata>;

    /// Opens a regular file. A directory is `IsADirectory`, anything else `Denied`.
    fn open<'a>(&'a self, path: &'a VirtualPath, mode: OpenMode) -> Answer<'a, FileRef>;

    /// Opens a directory for reading.
    fn read_directory<'a>(&'a self, path: &'a VirtualPath) -> Answer<'a, Box<dyn DirectoryReader>>;

    /// Makes one directory with these permission bits; its parent must exist.
    fn create_directory<'a>(&'a self, path: &'a VirtualPath, mode: u32) -> Answer<'a, ()>;

    /// Removes a file, or a symbolic link itself.
    fn remove_file<'a>(&'a self, path: &'a VirtualPath) -> Answer<'a, ()>;

    /// Removes an empty directory.
    fn remove_directory<'a>(&'a self, path: &'a VirtualPath) -> Answer<'a, ()>;

    /// Renames; a directory only onto nothing. `Exists` when the target may not be replaced.
    fn rename<'a>(
        &'a self,
        from: &'a VirtualPath,
        to: &'a VirtualPath,
        replace: Replace,
    ) -> Answer<'a, ()>;

    /// Changes attributes of the object that `path` leads to, or of a link itself. A link has no
    /// permission bits of its own: a mode for the link itself is passed over.
    fn set_attributes<'a>(
        &'a self,
        path: &'a VirtualPath,
        links: Links,
        change: AttributeChange,
    ) -> Answer<'a, ()>;

    /// Reads a symbolic link's target text, raw.
    fn read_link<'a>(&'a self, path: &'a VirtualPath) -> Answer<'a, Vec<u8>>;

    /// Makes a symbolic link at `path` to `target` (an absolute path of this volume, stored so that
    /// it stays inside).
    fn create_symlink<'a>(
        &'a self,
        target: &'a VirtualPath,
        path: &'a VirtualPath,
    ) -> Answer<'a, ()>;

    /// Makes a symbolic link at `path` with exactly this text. The text is relative; whether it
    /// leads out of the volume is for the caller to know, and no method here follows it then.
    fn create_symlink_text<'a>(&'a self, text: &'a [u8], path: &'a VirtualPath) -> Answer<'a, ()>;

    /// Gives the regular file `existing` the further name `path`, which must not exist. The last
    /// component is not followed: a directory is `IsADirectory`, anything else but a regular file
    /// `Denied`.
    fn create_hard_link<'a>(
        &'a self,
        existing: &'a VirtualPath,
        path: &'a VirtualPath,
    ) -> Answer<'a, ()>;

    /// Free and total space around `path`.
    fn space<'a>(&'a self, path: &'a VirtualPath) -> Answer<'a, Space>;

    /// The directory at `path` as a volume of its own that no link leaves, if the store can confine
    /// paths to it itself; `None` when the [`Rooted`](crate::layers::Rooted) layer must do it.
    fn subtree<'a>(&'a self, path: &'a VirtualPath) -> Answer<'a, Option<Arc<dyn Volume>>> {
        let _ = path;
        Answer::now(Ok(None))
    }
}
