//! Who is blamed, and what becomes of a pipe, when the kernel's path fails.

use std::{fs::OpenOptions, os::fd::OwnedFd, sync::Arc};

use rustix::io::pread;
use wharf_vfs::{Answer, Error as StoreError, ErrorKind, File, Metadata, VirtualPath};

use super::*;

/// A descriptor as an open file: `/dev/full` is a disk without room.
struct Descriptor(OwnedFd);

impl Descriptor {
    fn open(path: &str) -> FileRef {
        #[expect(clippy::disallowed_methods, reason = "a device, not a volume's file")]
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(path)
            .unwrap();
        Arc::new(Self(file.into()))
    }

    fn unsupported<T>() -> Answer<'static, T> {
        let kind = ErrorKind::Unsupported;
        Answer::now(Err(StoreError::new(
            kind,
            Operation::Write,
            &VirtualPath::root(),
        )))
    }
}

impl File for Descriptor {
    fn descriptor(&self) -> Option<&OwnedFd> {
        Some(&self.0)
    }

    fn metadata(&self) -> Answer<'_, Metadata> {
        Self::unsupported()
    }

    fn read_at(&self, _: Vec<u8>, _: u64) -> Answer<'_, Vec<u8>> {
        Self::unsupported()
    }

    fn write_at(&self, _: Vec<u8>, _: u64) -> Answer<'_, Vec<u8>> {
        Self::unsupported()
    }

    fn set_size(&self, _: u64) -> Answer<'_, ()> {
        Self::unsupported()
    }

    fn sync(&self) -> Answer<'_, ()> {
        Self::unsupported()
    }
}

fn kind<T>(result: Result<T>) -> Option<ErrorKind> {
    match result {
        Err(Error::Store(error)) => Some(error.kind),
        _ => None,
    }
}

/// A full disk is the store's fault, by splice and by copy alike.
#[test]
fn a_full_disk_is_no_space_on_either_way_out_of_the_pipe() {
    let full = Descriptor::open("/dev/full");
    for drain in [drain, drain_by_copy] {
        let pipe = pipe::borrow().unwrap();
        rustix::io::write(&pipe.write, b"octets").unwrap();
        assert_eq!(kind(drain(&pipe, &full, 0, 6)), Some(ErrorKind::NoSpace));
    }
    assert_eq!(
        kind(write_all(&full, b"octets", 0)),
        Some(ErrorKind::NoSpace)
    );
}

/// What was in the pipe reaches the file whichever way it goes, at its offset.
#[test]
fn both_ways_out_of_the_pipe_write_at_the_offset() {
    let directory = tempfile::tempdir().unwrap();
    for (name, drain) in [("a", drain as fn(&_, &_, _, _) -> _), ("b", drain_by_copy)] {
        let path = directory.path().join(name);
        std::fs::File::create_new(&path).unwrap();
        let file = Descriptor::open(path.to_str().unwrap());
        let pipe = pipe::borrow().unwrap();
        rustix::io::write(&pipe.write, b"octets").unwrap();
        let drained: Result<()> = drain(&pipe, &file, 2, 6);
        drained.unwrap();
        let mut content = [0xff; 9];
        assert_eq!(
            pread(file.descriptor().unwrap(), &mut content, 0).unwrap(),
            8
        );
        assert_eq!(&content[..8], b"\0\0octets");
    }
}

/// EPIPE and its like are the network's; what no network says is the store's.
#[test]
fn each_error_of_sendfile_has_one_culprit() {
    for errno in [
        Errno::PIPE,
        Errno::CONNRESET,
        Errno::TIMEDOUT,
        Errno::HOSTUNREACH,
    ] {
        assert!(
            matches!(blame_for_send(errno.into()), Error::Stream(_)),
            "{errno}"
        );
    }
    for errno in [Errno::IO, Errno::STALE, Errno::ISDIR, Errno::BADF] {
        assert!(
            matches!(blame_for_send(errno.into()), Error::Store(_)),
            "{errno}"
        );
    }
}
