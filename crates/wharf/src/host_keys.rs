//! Host keys of SSH: which files they lie in, and those of the first start.
//!
//! Like keys of TLS they are read while the process can still read everything, so they may be
//! root's alone. What is made here is made once: a new key would look like an attack to everybody who
//! has remembered the old one.
#![expect(
    clippy::disallowed_methods,
    reason = "host keys are the service's own files, not a volume's"
)]

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use wharf_ssh::{HostKey, HostKeyError, HostKeyKind, HostKeys};

use crate::{config::Config, state_file};

/// Why there are none.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HostKeysError {
    /// A file cannot be read.
    #[error("cannot read the host key {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's word.
        source: io::Error,
    },
    /// What a file holds is of no use.
    #[error("the host key {}: {source}", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: HostKeyError,
    },
    /// A file cannot be written.
    #[error("cannot write the host key {}: {source}; the state directory must be writable", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's word.
        source: io::Error,
    },
    /// They do not go together.
    #[error("ssh.host_keys: {0}")]
    Together(#[from] HostKeyError),
}

/// The files: those that are configured, else those of the first start.
pub(crate) fn files(config: &Config) -> Vec<PathBuf> {
    if config.ssh.host_keys.is_empty() {
        HostKeyKind::ALL
            .map(|kind| made(&config.state_dir, kind))
            .to_vec()
    } else {
        config.ssh.host_keys.clone()
    }
}

fn made(state_dir: &Path, kind: HostKeyKind) -> PathBuf {
    state_dir.join(format!("ssh_host_{}_key", kind.name()))
}

/// Reads the keys; where none is configured, makes those that are missing.
///
/// # Errors
/// [`HostKeysError`].
pub(crate) fn ensure(config: &Config) -> Result<Arc<HostKeys>, HostKeysError> {
    if config.ssh.host_keys.is_empty() {
        for kind in HostKeyKind::ALL {
            let path = made(&config.state_dir, kind);
            if !path.is_file() {
                make(&path, kind)?;
            }
        }
    }
    load(config)
}

/// Reads the keys.
///
/// # Errors
/// [`HostKeysError`].
pub(crate) fn load(config: &Config) -> Result<Arc<HostKeys>, HostKeysError> {
    let keys = files(config)
        .into_iter()
        .map(read)
        .collect::<Result<_, _>>()?;
    Ok(Arc::new(HostKeys::new(keys)?))
}

fn read(path: PathBuf) -> Result<HostKey, HostKeysError> {
    match fs::read_to_string(&path) {
        Ok(text) => HostKey::load(&text).map_err(|source| HostKeysError::Key { path, source }),
        Err(source) => Err(HostKeysError::Read { path, source }),
    }
}

fn make(path: &Path, kind: HostKeyKind) -> Result<(), HostKeysError> {
    let key = HostKey::generate(kind)?;
    let failed = |path: &Path, source| HostKeysError::Write {
        path: path.to_owned(),
        source,
    };
    let text = key.to_openssh()?;
    state_file::write(path, text.as_ref(), 0o600).map_err(|source| failed(path, source))?;
    let public = path.with_extension("pub");
    let line = format!("{}\n", key.public_line()?);
    state_file::write(&public, &line, 0o644).map_err(|source| failed(&public, source))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn the_first_start_makes_keys_and_later_ones_keep_them() {
        let directory = tempfile::tempdir().unwrap();
        let mut config = crate::config::load(None, &[]).unwrap();
        config.state_dir = directory.path().to_owned();
        let shown = |keys: &HostKeys| -> Vec<_> { keys.iter().map(HostKey::fingerprint).collect() };
        assert!(load(&config).is_err(), "reading alone makes nothing");
        let first = ensure(&config).unwrap();
        assert_eq!(shown(&first), shown(&ensure(&config).unwrap()));
        assert_eq!(
            first.iter().map(HostKey::kind).collect::<Vec<_>>(),
            ["ssh-ed25519", "ssh-rsa"]
        );
        for path in files(&config) {
            let mode = fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "nobody else reads {}", path.display());
            let public = fs::read_to_string(path.with_extension("pub")).unwrap();
            assert!(public.starts_with("ssh-"), "{public}");
        }
    }

    #[test]
    fn a_key_that_is_none_is_told_by_its_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        fs::write(&path, "no key").unwrap();
        let mut config = crate::config::load(None, &[]).unwrap();
        config.ssh.host_keys = vec![path.clone()];
        let error = ensure(&config).unwrap_err().to_string();
        assert!(error.contains(&path.display().to_string()), "{error}");
    }
}
