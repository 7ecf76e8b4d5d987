//! A directory of a test's own, removed when the test is done with it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// A temporary directory, mode 0755: servers that drop their privileges must be able to pass it.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
}

impl Scratch {
    /// Makes a new one below `$TMPDIR` (or `/tmp`).
    ///
    /// # Panics
    /// When the directory cannot be made.
    #[must_use]
    pub fn new(label: &str) -> Self {
        Self::below(&std::env::temp_dir(), label)
    }

    /// Makes a new one below `base`.
    ///
    /// # Panics
    /// When the directory cannot be made.
    #[must_use]
    pub fn below(base: &Path, label: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = base.join(format!("wharf-{label}-{}-{number}", std::process::id()));
        fs::create_dir_all(&path).expect("scratch directory");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755))
            .expect("mode of the scratch directory");
        Self { path }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}
