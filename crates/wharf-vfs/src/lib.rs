//! Where bytes rest: virtual paths, grants, views, mounts and volumes.
//!
//! A front end never sees a volume. It holds a [`View`], one account's sight of the tree, and the
//! view is the one gate for authorisation: it parses nothing, but every operation of every protocol
//! passes it with a [`VirtualPath`], is checked against the account's [grants](Grants), finds its
//! [mount](MountTable) and only then reaches a [`Volume`].
//!
//! This crate must not know a protocol's words: no verb, no reply code, no pathname as sent.

pub mod answer;
pub mod directory;
pub mod error;
pub mod file;
pub mod grant;
pub mod layers;
pub mod metadata;
pub mod mount;
pub mod path;
pub mod upload;
pub mod view;
pub mod volume;
pub mod volumes;
pub mod writers;

#[cfg(any(test, feature = "contract"))]
pub mod contract;

pub use answer::Answer;
pub use directory::{DirectoryReader, Entry, EntryBatch};
pub use error::{Error, ErrorKind, Operation, Result};
pub use file::{File, FileRef};
pub use grant::{Grants, Right, Rights};
pub use metadata::{AttributeChange, FileKind, Links, Metadata, Space, Timestamp};
pub use mount::{Mount, MountError, MountTable};
pub use path::{PathError, VirtualPath};
pub use upload::{AbortedUpload, Upload, UploadMode, UploadPolicy};
pub use view::{InPlace, InPlaceFile, View, ViewReader, ViewSettings};
pub use volume::{Capabilities, OpenMode, Replace, Volume};
