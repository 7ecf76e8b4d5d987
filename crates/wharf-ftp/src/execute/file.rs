//! SIZE, MDTM, MFMT, SITE CHMOD: what is known of an object, and the change of it.

use wharf_engine::events::FileChange;
use wharf_proto::ftp::{
    Pathname, ascii,
    server::{ModeChange, Outcome, Reason, Representation},
    time::FtpTime,
};
use wharf_transfer::buffer;
use wharf_vfs::{AttributeChange, ErrorKind, FileRef, Links, Timestamp};

use crate::{replies, session::FtpSession};

impl FtpSession {
    pub(super) async fn size(
        &self,
        name: &Pathname,
        representation: Representation,
    ) -> Result<Outcome, Outcome> {
        let path = self.resolve(name)?;
        let view = self.view()?;
        let metadata = view
            .metadata(&path, Links::Follow)
            .await
            .map_err(|error| self.refused(&error, name.as_bytes()))?;
        if !metadata.is_file() {
            let reason = if metadata.is_directory() {
                Reason::IsADirectory
            } else {
                Reason::Denied
            };
            return Err(replies::refused_because(
                reason,
                name.as_bytes(),
                "not a regular file",
            ));
        }
        match representation {
            Representation::Image => Ok(Outcome::Number(metadata.size)),
            Representation::Ascii if metadata.size > self.settings.ascii_size_max => {
                Err(replies::refused_because(
                    Reason::TooLarge,
                    name.as_bytes(),
                    "too large to count its size in TYPE A; use TYPE I",
                ))
            }
            Representation::Ascii => {
                let (file, metadata) = view
                    .open_read(&path)
                    .await
                    .map_err(|error| self.refused(&error, name.as_bytes()))?;
                let size = ascii_size(&file, metadata.size)
                    .await
                    .map_err(|error| self.refused(&error, name.as_bytes()))?;
                Ok(Outcome::Number(size))
            }
        }
    }

    pub(super) async fn modification_time(&self, name: &Pathname) -> Result<Outcome, Outcome> {
        let path = self.resolve(name)?;
        let metadata = self.view()?.metadata(&path, Links::Follow).await;
        let metadata = metadata.map_err(|error| self.refused(&error, name.as_bytes()))?;
        Ok(Outcome::Time(ftp_time(metadata.modified)))
    }

    pub(super) async fn modification_time_or_set(
        &self,
        whole: &Pathname,
        time: FtpTime,
        name: &Pathname,
    ) -> Result<Outcome, Outcome> {
        // A file may well be called `20260102030405 x`: then it was a question. But `..` may have undone
        // the component with the time in it.
        if let Ok(path) = self.resolve(whole)
            && self.resolve(name).as_ref() != Ok(&path)
            && let Ok(metadata) = self.view()?.metadata(&path, Links::Follow).await
        {
            return Ok(Outcome::Time(ftp_time(metadata.modified)));
        }
        self.set_modification_time(name, time).await
    }

    pub(super) async fn set_modification_time(
        &self,
        name: &Pathname,
        time: FtpTime,
    ) -> Result<Outcome, Outcome> {
        let path = self.required(name)?;
        self.check_somebody(name.as_bytes())?;
        let modified = Timestamp {
            seconds: time.seconds(),
            nanoseconds: time.nanoseconds(),
        };
        let change = AttributeChange {
            modified: Some(modified),
            ..AttributeChange::default()
        };
        let view = self.view()?;
        view.set_attributes(&path, Links::Follow, change)
            .await
            .map_err(|error| self.refused(&error, name.as_bytes()))?;
        self.changed(FileChange::Attributes(path.as_bytes()));
        // As stored: the volume may keep whole seconds only.
        let metadata = view
            .metadata(&path, Links::Follow)
            .await
            .map_err(|error| self.refused(&error, name.as_bytes()))?;
        Ok(Outcome::Time(ftp_time(metadata.modified)))
    }

    pub(super) async fn change_mode(
        &self,
        name: &Pathname,
        mode: ModeChange,
    ) -> Result<Outcome, Outcome> {
        /// Set-id and sticky bits are never set by a client.
        const ALLOWED: u32 = 0o777;
        let path = self.required(name)?;
        self.check_somebody(name.as_bytes())?;
        let view = self.view()?;
        let bits = match mode {
            ModeChange::Set(bits) => bits,
            ModeChange::Adjust { keep, set } => {
                let metadata = view
                    .metadata(&path, Links::Follow)
                    .await
                    .map_err(|error| self.refused(&error, name.as_bytes()))?;
                metadata.mode & keep | set
            }
        };
        let change = AttributeChange {
            mode: Some(bits & ALLOWED),
            ..AttributeChange::default()
        };
        view.set_attributes(&path, Links::Follow, change)
            .await
            .map_err(|error| self.refused(&error, name.as_bytes()))?;
        self.changed(FileChange::Attributes(path.as_bytes()));
        Ok(Outcome::Done)
    }
}

/// A volume's time in FTP's form.
pub(super) fn ftp_time(time: Timestamp) -> FtpTime {
    FtpTime::new(time.seconds, time.nanoseconds)
}

/// Octets that a file has in TYPE A.
pub(super) async fn ascii_size(file: &FileRef, size: u64) -> Result<u64, wharf_vfs::Error> {
    let mut chunk = buffer::borrow();
    let (mut offset, mut count) = (0, 0);
    while offset < size {
        chunk = file.read_at(chunk, offset).await?;
        if chunk.is_empty() {
            break;
        }
        offset += chunk.len() as u64;
        count += ascii::encoded_len(&chunk);
    }
    buffer::give_back(chunk);
    Ok(count)
}

/// Whether a failure means that the object is simply not there.
pub(super) const fn is_missing(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::NotFound | ErrorKind::NotADirectory)
}
