//! What became of a request, and the reply that says so.
//!
//! Work gives an [`Outcome`]; only here, under the channel's lock, does it touch handles and become
//! octets. Each request ends in exactly one call of [`Desk::answer`], or in the inline reply of a
//! READ or WRITE that was done at once.

use wharf_proto::sftp::{
    Attributes, RequestId, StatusCode,
    response::{self, Data, FileSystem, SpaceAvailable},
};

use super::{
    context::{Refusal, Result},
    desk::Desk,
    directory::OpenDirectory,
    file::Entry,
    handles::Handle,
};

/// What a request led to, when it was not refused.
pub(super) enum Outcome {
    /// Done.
    Done,
    /// A file or directory was opened.
    Opened(Entry),
    /// More of a directory was read; it goes back to its handle.
    Page {
        /// Whose.
        handle: Handle,
        /// The directory.
        directory: Box<OpenDirectory>,
    },
    /// Octets of a file; none at its end.
    Data {
        /// Whose.
        handle: Handle,
        /// The octets.
        data: Vec<u8>,
    },
    /// Octets were written, or not.
    Written {
        /// Whose.
        handle: Handle,
        /// How many.
        octets: u64,
        /// Why not all of them.
        refused: Option<Refusal>,
    },
    /// Octets were copied from another file of the server.
    Copied {
        /// To whose.
        handle: Handle,
        /// How many.
        octets: u64,
        /// The source ended before what was asked for.
        is_short: bool,
        /// Why not all that there was.
        refused: Option<Refusal>,
    },
    /// What is known of an object.
    Attributes(Attributes),
    /// A path.
    Name(Vec<u8>),
    /// A file system's numbers.
    FileSystem(FileSystem),
    /// Room on a device.
    Space(SpaceAvailable),
    /// Hashes, one behind the other.
    Hashes {
        /// Of this algorithm.
        algorithm: &'static str,
        /// The hashes.
        hashes: Vec<u8>,
    },
    /// An MD5, or nothing where the quick check differed.
    Md5(Vec<u8>),
}

impl Desk<'_> {
    /// Appends the reply. Of a file that was opened: its handle and its identity.
    pub(super) fn answer(
        &mut self,
        id: RequestId,
        finished: Result<Outcome>,
    ) -> Option<(Handle, u64)> {
        let outcome = match finished {
            Ok(outcome) => outcome,
            Err(refusal) => {
                self.refuse(id, &refusal);
                return None;
            }
        };
        let output = &mut *self.output;
        match outcome {
            Outcome::Opened(entry) => return self.opened(id, entry),
            Outcome::Done => done(id, output),
            Outcome::Page {
                handle,
                mut directory,
            } => {
                directory.answer(id, output);
                if let Some(Entry::Directory(place)) = self.handles.find(handle) {
                    *place = Some(directory);
                }
            }
            Outcome::Data { data, .. } if data.is_empty() => eof(id, output),
            Outcome::Data { handle, data } => {
                let packet = Data::begin(id, output);
                output.extend_from_slice(&data);
                packet.finish(output);
                if let Some(Entry::File(file)) = self.handles.find(handle) {
                    file.transfer.sent(data.len() as u64);
                }
            }
            Outcome::Written {
                handle,
                octets,
                refused,
            } => {
                if let Some(Entry::File(file)) = self.handles.find(handle) {
                    file.transfer.received(octets);
                }
                match refused {
                    None => done(id, output),
                    Some(refusal) => self.refuse_write(id, handle, refusal),
                }
            }
            Outcome::Copied {
                handle,
                octets,
                is_short,
                refused,
            } => {
                if let Some(Entry::File(file)) = self.handles.find(handle) {
                    file.transfer.received(octets);
                }
                match refused {
                    Some(refusal) => self.refuse_write(id, handle, refusal),
                    None if is_short => eof(id, output),
                    None => done(id, output),
                }
            }
            Outcome::Attributes(attributes) => response::attributes(id, &attributes, output),
            Outcome::Name(name) => response::name(id, &name, output),
            Outcome::FileSystem(system) => response::file_system(id, &system, output),
            Outcome::Space(room) => response::space_available(id, &room, output),
            Outcome::Hashes { algorithm, hashes } => {
                response::check_file(id, algorithm.as_bytes(), &hashes, output);
            }
            Outcome::Md5(hash) => response::md5_hash(id, &hash, output),
        }
        None
    }

    fn opened(&mut self, id: RequestId, entry: Entry) -> Option<(Handle, u64)> {
        let file = entry.identity();
        match self.handles.insert(entry) {
            Ok(handle) => {
                response::handle(id, &handle.octets(), self.output);
                file.map(|file| (handle, file))
            }
            // Not to be: room was looked for before anything was opened.
            Err(_) => {
                response::status(id, StatusCode::Failure, TOO_MANY, self.output);
                None
            }
        }
    }

    /// Appends a refusal; what the peer is not told goes to the log.
    pub(super) fn refuse(&mut self, id: RequestId, refusal: &Refusal) {
        if let Refusal::Store(error) = refusal {
            self.work.log(error);
        }
        let (code, text) = refusal.told();
        response::status(id, code, text, self.output);
    }

    /// Refuses a write; closing the file tells of it once more.
    pub(super) fn refuse_write(&mut self, id: RequestId, handle: Handle, refusal: Refusal) {
        self.refuse(id, &refusal);
        if let Some(Entry::File(file)) = self.handles.find(handle) {
            file.failed.get_or_insert(refusal);
        }
    }
}

/// More handles than there may be (SFT-24).
pub(super) const TOO_MANY: &str = "Too many open files";

/// STATUS OK.
pub(super) fn done(id: RequestId, output: &mut Vec<u8>) {
    response::status(id, StatusCode::Ok, StatusCode::Ok.text(), output);
}

/// STATUS EOF.
pub(super) fn eof(id: RequestId, output: &mut Vec<u8>) {
    response::status(id, StatusCode::Eof, StatusCode::Eof.text(), output);
}

impl Refusal {
    /// What an event says of a refusal: for the log, so with the back end's words.
    pub(super) fn cause(&self) -> String {
        match self {
            Self::Store(error) => match &error.source {
                Some(source) => format!("{error}: {source}"),
                None => error.to_string(),
            },
            Self::Said(_, text) => (*text).into(),
        }
    }
}
