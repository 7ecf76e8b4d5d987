//! A remote file as a stream, over SFTP. Nothing is given twice: a broken transfer goes on behind the
//! last octet that was given.

use wharf_proto::sftp::{Attributes, FileType, OpenFlags};

use super::{
    super::{Verified, partial},
    file_path,
};
use crate::{
    Error, Kind, Location, Pool, Result, Step, Verify,
    ssh::sftp::{Reading, Sftp},
};

/// What the file was when its first octets were given: size, and time of last change.
pub(in super::super) type Seen = (Option<u64>, Option<u32>);

/// One attempt.
pub(in super::super) async fn cat(
    pool: &Pool,
    sftp: &Sftp,
    source: &Location,
    given: &mut u64,
    seen: &mut Option<Seen>,
    sink: &mut (dyn FnMut(&[u8]) -> std::io::Result<()> + Send),
) -> Result<Verified> {
    let path = file_path(source)?;
    let what = format!("cannot fetch {source}");
    let _open = sftp.file().await?;
    let opening = sftp.open(&path, OpenFlags::READ, Attributes::default());
    let told = sftp.stat(&path, &what).await?;
    if told.file_type() == Some(FileType::Directory) {
        let text = format!("{source} is a directory");
        return Err(Error::new(Step::Command, Kind::Usage, text));
    }
    let found = (told.size, told.times.map(|(_, modified)| modified));
    if *given > 0 && seen.is_some_and(|seen| seen != found) {
        let text = format!("{what}: the remote file changed while it was fetched");
        return Err(Error::new(Step::Transfer, Kind::Differs, text));
    }
    *seen = Some(found);
    let remote = opening.opened(&what).await?;
    let mut reading = Reading::new(sftp, remote.handle(), *given, told.size);
    while let Some(run) = reading.next(&what).await? {
        sink(&run).map_err(|error| Error::local("cannot write", &error))?;
        *given += run.len() as u64;
        reading.reuse(run);
    }
    remote.close().done(&what).await?;
    match told
        .size
        .filter(|size| *size > 0 && pool.options().verify != Verify::None)
    {
        Some(size) if *given < size => Err(partial(&what, *given, size)),
        Some(_) => Ok(Verified::Size),
        None => Ok(Verified::Closed),
    }
}
