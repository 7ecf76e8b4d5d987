//! The certificate of the first start: so that TLS is there before anybody has asked an authority.
//!
//! It is signed by itself, so a client can trust it by its fingerprint only; for that reason it is
//! made once and never replaced behind its owner's back. Here are its names and its files; what it
//! holds is the engine's (`tls::self_signed`).
//!
//! This room must not be used where a certificate is configured.
#![expect(
    clippy::disallowed_methods,
    reason = "key and certificate are the service's own files, and their dates come from the clock"
)]

use std::{
    fs, io,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use wharf_engine::tls;

use crate::state_file;

/// 2026-01-01: a clock that shows an earlier time has not been set yet. What was dated by it would
/// have ended before anybody saw it, and it is never made anew.
const EARLIEST: u64 = 1_767_225_600;

/// Where key and certificate lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Files {
    /// PEM file of the certificate, for clients to take along.
    pub(crate) chain: PathBuf,
    /// PEM file of the key, for the owner's eyes only.
    pub(crate) key: PathBuf,
}

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SelfSignedError {
    /// It cannot be made.
    #[error(transparent)]
    Make(#[from] tls::Error),
    /// A file cannot be written.
    #[error("cannot write {}: {source}; the state directory must be writable", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's word.
        source: io::Error,
    },
}

impl Files {
    /// Their place in a state directory, whether they are there or not.
    pub(crate) fn of(state_dir: &Path) -> Self {
        Self {
            chain: state_dir.join("self-signed.pem"),
            key: state_dir.join("self-signed.key"),
        }
    }

    /// Whether both are there.
    pub(crate) fn exist(&self) -> bool {
        self.chain.is_file() && self.key.is_file()
    }

    /// Makes them where one is missing; the names are this host's and those of `addresses`.
    /// True: they are new.
    ///
    /// # Errors
    /// [`SelfSignedError`].
    pub(crate) fn ensure(&self, addresses: &[SocketAddr]) -> Result<bool, SelfSignedError> {
        if self.exist() {
            return Ok(false);
        }
        let pair = tls::self_signed(&names(addresses), date(SystemTime::now()))?;
        // A certificate never stands beside a key that is not its own, whenever this is cut short.
        let _ = fs::remove_file(&self.chain);
        write(&self.key, &pair.key, 0o600)?;
        write(&self.chain, &pair.certificate, 0o644)?;
        Ok(true)
    }
}

/// Seconds since 1970 UTC from which the certificate counts.
fn date(now: SystemTime) -> u64 {
    let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_secs().max(EARLIEST)
}

/// What a client beside this host may type; what one on it types is in every such certificate.
fn names(addresses: &[SocketAddr]) -> Vec<String> {
    let host = rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned();
    let host = Some(host).filter(|host| {
        !host.is_empty()
            && host
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.')
    });
    let bound = addresses
        .iter()
        .map(SocketAddr::ip)
        .filter(|address| !address.is_unspecified())
        .map(|address| address.to_string());
    host.into_iter().chain(bound).collect()
}

fn write(path: &Path, text: &str, mode: u32) -> Result<(), SelfSignedError> {
    state_file::write(path, text, mode).map_err(|source| SelfSignedError::Write {
        path: path.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn the_first_start_makes_a_pair_and_later_ones_keep_it() {
        let directory = tempfile::tempdir().unwrap();
        let files = Files::of(directory.path());
        let address = ["192.0.2.7:2121".parse().unwrap()];
        assert!(!files.exist() && files.ensure(&address).unwrap());
        let key = fs::read_to_string(&files.key).unwrap();
        assert!(key.starts_with("-----BEGIN PRIVATE KEY-----"));
        let mode = fs::metadata(&files.key).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "nobody else reads the key");
        let chain = fs::read_to_string(&files.chain).unwrap();
        assert!(!files.ensure(&address).unwrap());
        assert_eq!(fs::read_to_string(&files.chain).unwrap(), chain);
        // A lost key takes its certificate with it.
        fs::remove_file(&files.key).unwrap();
        assert!(files.ensure(&address).unwrap());
        assert_ne!(fs::read_to_string(&files.chain).unwrap(), chain);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 2);
    }

    #[test]
    fn a_clock_that_was_never_set_dates_nothing() {
        assert_eq!(date(UNIX_EPOCH), EARLIEST);
        let later = std::time::Duration::from_secs(EARLIEST + 1);
        assert_eq!(date(UNIX_EPOCH + later), EARLIEST + 1);
    }

    #[test]
    fn the_names_are_those_that_a_client_may_type() {
        let names = names(&[
            "0.0.0.0:2121".parse().unwrap(),
            "127.0.0.1:2121".parse().unwrap(),
            "[2001:db8::7]:2121".parse().unwrap(),
        ]);
        for name in ["127.0.0.1", "2001:db8::7"] {
            assert!(
                names.iter().any(|known| known == name),
                "{name} in {names:?}"
            );
        }
        assert!(!names.iter().any(|name| name == "0.0.0.0"));
    }

    #[test]
    fn a_state_directory_that_cannot_be_written_is_told() {
        let files = Files::of(Path::new("/nonexistent/state"));
        let error = files.ensure(&[]).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("/nonexistent/state/self-signed.key")
        );
    }
}
