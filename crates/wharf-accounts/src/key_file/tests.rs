//! Files that change, and files that others may change.

use std::{fs, os::unix::fs::PermissionsExt as _};

use super::*;
use crate::public_key::samples::{ECDSA, ED25519};

struct Place {
    _directory: tempfile::TempDir,
    file: KeyFile,
}

impl Place {
    fn with(text: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let place = Self {
            file: KeyFile::new(directory.path().join("keys")),
            _directory: directory,
        };
        place.write(text);
        place
    }

    #[expect(clippy::disallowed_methods, reason = "writes the file that is read")]
    fn write(&self, text: &str) {
        fs::write(self.file.path(), text).unwrap();
        self.mode(0o600);
    }

    fn mode(&self, mode: u32) {
        fs::set_permissions(self.file.path(), fs::Permissions::from_mode(mode)).unwrap();
    }
}

#[test]
fn sft_06_a_file_that_changed_is_read_again_and_one_that_did_not_is_not() {
    let place = Place::with(ED25519);
    let first = place.file.look().unwrap();
    assert!(Arc::ptr_eq(&first, &place.file.look().unwrap()));
    place.write(&format!("{ED25519}\ncert-authority {ECDSA}\n"));
    assert!(!place.file.has_authorities());
    assert_eq!(place.file.look().unwrap().keys().len(), 2);
    assert!(place.file.has_authorities());
    place.write("");
    assert!(place.file.look().unwrap().keys().is_empty());
    assert_eq!(place.file.looks(), 4);
}

#[test]
#[expect(clippy::disallowed_methods, reason = "removes the file that is read")]
fn a_file_that_is_gone_opens_nothing_any_more() {
    let place = Place::with(ED25519);
    place.file.look().unwrap();
    fs::remove_file(place.file.path()).unwrap();
    assert!(matches!(place.file.look(), Err(KeyFileError::Read { .. })));
}

#[test]
fn sft_06_a_file_that_others_may_write_is_refused_with_its_mend() {
    let place = Place::with(ED25519);
    for mode in [0o620, 0o602, 0o666] {
        place.mode(mode);
        let error = place.file.look().unwrap_err().to_string();
        assert!(error.contains("chmod go-w"), "{error}");
        place.file.inspect().unwrap_err();
    }
    place.mode(0o644);
    place.file.look().unwrap();
}

#[test]
fn directories_and_endless_files_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let looked = KeyFile::new(directory.path()).look();
    assert!(matches!(looked, Err(KeyFileError::Kind { .. })));
    assert!(matches!(
        KeyFile::new("/dev/zero").look(),
        Err(KeyFileError::Kind { .. })
    ));
    let place = Place::with(&"#".repeat(usize::try_from(MAX_KEY_FILE).unwrap() + 1));
    assert!(matches!(place.file.look(), Err(KeyFileError::Kind { .. })));
}

/// Only root can make a file somebody else's; without root there is a file of root's to look at.
#[test]
fn sft_06_a_file_of_another_user_is_refused() {
    let place = Place::with(ED25519);
    if !rustix::process::geteuid().is_root() {
        KeyFile::new("/etc/hostname").look().unwrap();
        return;
    }
    std::os::unix::fs::chown(place.file.path(), Some(12_345), None).unwrap();
    assert!(matches!(
        place.file.look(),
        Err(KeyFileError::Owner { owner: 12_345, .. })
    ));
    place.file.inspect().unwrap();
}
