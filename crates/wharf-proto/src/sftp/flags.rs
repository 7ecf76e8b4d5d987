//! How a file is to be opened (draft section 6.3; SFT-30).
//!
//! The bits as they came; which of them mean something together is the server's rule.

use std::ops::BitOr;

/// The `pflags` of OPEN.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OpenFlags(pub u32);

impl OpenFlags {
    /// For reading.
    pub const READ: Self = Self(0x01);
    /// For writing.
    pub const WRITE: Self = Self(0x02);
    /// Every write goes to the end.
    pub const APPEND: Self = Self(0x04);
    /// Made when it does not exist.
    pub const CREATE: Self = Self(0x08);
    /// Emptied.
    pub const TRUNCATE: Self = Self(0x10);
    /// With CREATE: it must not exist.
    pub const EXCLUSIVE: Self = Self(0x20);

    /// Whether all of `other` are set.
    #[must_use]
    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether opening or what it leads to may change anything: all but plain reading.
    #[must_use]
    pub fn may_change(self) -> bool {
        self.0 & !Self::READ.0 != 0
    }
}

impl BitOr for OpenFlags {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}
