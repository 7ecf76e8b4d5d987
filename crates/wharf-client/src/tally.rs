//! What came of many files.

use crate::{Error, Kind, Result, Step};

/// What came of a tree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Files that are done.
    pub files: u64,
    /// Their octets.
    pub octets: u64,
    /// What failed; each was told to the observer.
    pub failed: u64,
}

impl Tally {
    /// An error when something failed.
    ///
    /// # Errors
    /// [`Kind::SomeFailed`].
    pub fn into_result(self) -> Result<Self> {
        if self.failed == 0 {
            return Ok(self);
        }
        let text = format!("{} of {} failed", self.failed, self.failed + self.files);
        Err(Error::new(Step::Transfer, Kind::SomeFailed, text))
    }
}
