//! Certificates that a person agreed to, by host and port (TLS-52).
//!
//! A text file, one line each: `host:port sha256:HEX`. The last line of a host counts, lines that cannot
//! be read count for nothing. It is only ever appended to, never opened through a symbolic link, and
//! its owner alone can read it. A line is taken back by deleting it.
#![expect(
    clippy::disallowed_methods,
    reason = "the one room of the file of trusted certificates"
)]

use std::{
    fs::{DirBuilder, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use rustix::fs::OFlags;

use super::{Fingerprint, Pin};
use crate::{Error, Result, Site, local::blocking};

/// A file of trusted certificates is small; what is behind this is not read.
const LIMIT: u64 = 1024 * 1024;

/// What is trusted for one site.
#[derive(Debug)]
pub(crate) struct Trust {
    store: Option<PathBuf>,
    place: String,
    /// Agreed to in this run.
    agreed: Mutex<Option<Fingerprint>>,
}

impl Trust {
    pub(crate) fn new(site: &Site, store: Option<PathBuf>) -> Self {
        Self {
            store,
            place: place(site),
            agreed: Mutex::new(None),
        }
    }

    fn agreed(&self) -> MutexGuard<'_, Option<Fingerprint>> {
        self.agreed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The certificate that a person agreed to.
    pub(crate) async fn known(&self) -> Result<Option<Fingerprint>> {
        let agreed = *self.agreed();
        let (None, Some(store)) = (agreed, self.store.clone()) else {
            return Ok(agreed);
        };
        let place = self.place.clone();
        let what = format!(
            "cannot read the trusted certificates in {}",
            store.display()
        );
        blocking(&what, move || {
            Ok(read(&store)?
                .lines()
                .filter_map(line)
                .rfind(|(at, _)| *at == place)
                .map(|(_, fingerprint)| fingerprint))
        })
        .await
    }

    /// Agreed to as long as this run lasts.
    pub(crate) fn agree(&self, fingerprint: Fingerprint) {
        *self.agreed() = Some(fingerprint);
    }

    /// Agreed to for good.
    pub(crate) async fn remember(&self, fingerprint: Fingerprint) -> Result<()> {
        self.agree(fingerprint);
        let Some(store) = self.store.clone() else {
            return Ok(());
        };
        let text = format!("{} {fingerprint}\n", self.place);
        let path = store.clone();
        tokio::task::spawn_blocking(move || append(&path, &text))
            .await
            .unwrap_or_else(|error| Err(io::Error::other(error)))
            .map_err(|error| Error::local(&format!("cannot write {}", store.display()), &error))
    }

    /// Where a line can be deleted, for people.
    pub(crate) fn told(&self) -> String {
        match &self.store {
            Some(store) => format!("the line of {} in {}", self.place, store.display()),
            None => "what was agreed to in this run".to_owned(),
        }
    }
}

/// `host:port`, with brackets around an IPv6 address; names are the same in any case.
fn place(site: &Site) -> String {
    let host = site.host.to_lowercase();
    if host.contains(':') {
        format!("[{host}]:{}", site.port)
    } else {
        format!("{host}:{}", site.port)
    }
}

fn line(text: &str) -> Option<(&str, Fingerprint)> {
    let (place, fingerprint) = text.trim().split_once(' ')?;
    match fingerprint.trim().parse() {
        Ok(Pin::Certificate(fingerprint)) => Some((place, fingerprint)),
        _ => None,
    }
}

fn no_link() -> i32 {
    i32::try_from(OFlags::NOFOLLOW.bits()).unwrap_or(0)
}

fn read(path: &Path) -> io::Result<String> {
    let file = match OpenOptions::new()
        .read(true)
        .custom_flags(no_link())
        .open(path)
    {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(String::new()),
        other => other?,
    };
    let mut bytes = Vec::new();
    File::take(file, LIMIT).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn append(path: &Path, text: &str) -> io::Result<()> {
    if let Some(directory) = path.parent() {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)?;
    }
    let mut file = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .custom_flags(no_link())
        .open(path)?;
    file.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;
    use crate::Location;

    fn site(url: &str) -> Site {
        Location::parse(url).unwrap().site
    }

    /// TLS-52: per host and port.
    #[tokio::test]
    async fn agreement_is_kept_for_its_host_and_port_only() {
        let folder = tempfile::tempdir().unwrap();
        let store = Some(folder.path().join("new/known"));
        let one = Fingerprint::of(b"one");
        let trust = Trust::new(&site("ftpes://Host:2121/"), store.clone());
        assert_eq!(trust.known().await.unwrap(), None);
        trust.remember(one).await.unwrap();
        let known = async |url: &str| Trust::new(&site(url), store.clone()).known().await.unwrap();
        assert_eq!(known("ftpes://hOST:2121/").await, Some(one));
        assert_eq!(known("ftpes://host/").await, None);
        assert_eq!(known("ftpes://host2:2121/").await, None);
        let mode = std::fs::metadata(store.as_ref().unwrap()).unwrap().mode();
        assert_eq!(mode & 0o777, 0o600);
        // A later line replaces an earlier one; nonsense in between is passed over.
        append(store.as_ref().unwrap(), "nonsense\nhost:2121 sha256:12\n").unwrap();
        assert_eq!(known("ftpes://host:2121/").await, Some(one));
        let two = Fingerprint::of(b"two");
        Trust::new(&site("ftps://[::1]/"), store.clone())
            .remember(two)
            .await
            .unwrap();
        trust.remember(two).await.unwrap();
        assert_eq!(known("ftpes://host:2121/").await, Some(two));
        assert_eq!(known("ftps://[::1]/").await, Some(two));
    }

    #[tokio::test]
    async fn agreement_for_once_is_not_written() {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("known");
        let trust = Trust::new(&site("ftpes://host/"), Some(store.clone()));
        trust.agree(Fingerprint::of(b"x"));
        assert_eq!(trust.known().await.unwrap(), Some(Fingerprint::of(b"x")));
        assert!(!store.exists());
    }

    #[tokio::test]
    async fn store_behind_a_symbolic_link_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("known");
        std::os::unix::fs::symlink("/dev/null", &store).unwrap();
        let trust = Trust::new(&site("ftpes://host/"), Some(store));
        assert!(trust.remember(Fingerprint::of(b"x")).await.is_err());
    }
}
