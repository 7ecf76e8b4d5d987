//! What an account may do, per virtual subtree.
//!
//! Rights are a small set of words (the specification's "role rights"); a rule gives one subtree its
//! set, and the longest matching subtree decides, alone. There is no second place that decides.
//!
//! This room must not look at a volume: it answers from the path alone.

use crate::VirtualPath;

/// One thing that may be allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Right {
    /// See names and attributes, enter directories.
    List,
    /// Read files.
    Read,
    /// Change the content of files that exist in place (restart inside a file).
    Write,
    /// Append to files that exist.
    Append,
    /// Make new files.
    Create,
    /// Make directories.
    Mkdir,
    /// Remove files.
    Delete,
    /// Remove directories.
    Rmdir,
    /// Give an object another name (needed at both ends).
    Rename,
    /// Replace a file that exists (by upload or rename).
    Overwrite,
    /// Change permission bits.
    Chmod,
    /// Change owners and groups.
    Chown,
    /// Change times.
    Times,
    /// Make symbolic links.
    Symlink,
    /// Make hard links.
    Link,
    /// Ask for content hashes (with `read`).
    Hash,
    /// Send data connections to third hosts.
    Fxp,
    /// Ask for free space.
    Space,
}

impl Right {
    /// Every right with the word that configuration and `wharf user` use for it.
    pub const ALL: [(Self, &'static str); 18] = [
        (Self::List, "list"),
        (Self::Read, "read"),
        (Self::Write, "write"),
        (Self::Append, "append"),
        (Self::Create, "create"),
        (Self::Mkdir, "mkdir"),
        (Self::Delete, "delete"),
        (Self::Rmdir, "rmdir"),
        (Self::Rename, "rename"),
        (Self::Overwrite, "overwrite"),
        (Self::Chmod, "chmod"),
        (Self::Chown, "chown"),
        (Self::Times, "times"),
        (Self::Symlink, "symlink"),
        (Self::Link, "link"),
        (Self::Hash, "hash"),
        (Self::Fxp, "fxp"),
        (Self::Space, "space"),
    ];
}

/// A set of rights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Rights(u32);

impl Rights {
    /// No right at all.
    pub const NONE: Self = Self(0);

    /// Look and fetch: list, read, hash, space.
    pub const READ_ONLY: Self = Self::NONE
        .with(Right::List)
        .with(Right::Read)
        .with(Right::Hash)
        .with(Right::Space);

    /// Everything that an ordinary account does with its own files: all but chown and fxp.
    pub const FULL: Self = Self((1 << 18) - 1)
        .without(Right::Chown)
        .without(Right::Fxp);

    /// An anonymous drop box: make new files, see nothing, change nothing.
    pub const INCOMING: Self = Self::NONE.with(Right::Create);

    /// This set and one more.
    #[must_use]
    pub const fn with(self, right: Right) -> Self {
        Self(self.0 | 1 << right as u8)
    }

    /// This set and one less.
    #[must_use]
    pub const fn without(self, right: Right) -> Self {
        Self(self.0 & !(1 << right as u8))
    }

    /// Whether `right` is in the set.
    pub const fn has(self, right: Right) -> bool {
        self.0 & 1 << right as u8 != 0
    }

    /// What is in both sets.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Whether all of `other` is in this set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether objects can be seen with it at all.
    pub const fn can_see(self) -> bool {
        self.has(Right::List) || self.has(Right::Read)
    }

    /// Whether anything can be changed with it.
    pub const fn can_change(self) -> bool {
        self.0 & !Self::READ_ONLY.with(Right::Fxp).0 != 0
    }
}

/// The rights of one account: a rule per subtree, the longest match decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grants {
    rules: Vec<(VirtualPath, Rights)>,
}

impl Grants {
    /// The same rights everywhere.
    pub fn everywhere(rights: Rights) -> Self {
        Self {
            rules: vec![(VirtualPath::root(), rights)],
        }
    }

    /// Rules for subtrees; where none matches, nothing is allowed. A later rule for the same
    /// subtree replaces the earlier one.
    pub fn new(rules: impl IntoIterator<Item = (VirtualPath, Rights)>) -> Self {
        let mut kept: Vec<(VirtualPath, Rights)> = Vec::new();
        for (path, rights) in rules {
            kept.retain(|(other, _)| *other != path);
            kept.push((path, rights));
        }
        // The deepest subtree first, so that the first match is the longest.
        kept.sort_by_key(|(path, _)| std::cmp::Reverse(path.depth()));
        Self { rules: kept }
    }

    /// What may be done at `path`.
    pub fn at(&self, path: &VirtualPath) -> Rights {
        self.rules
            .iter()
            .find(|(subtree, _)| path.starts_with(subtree))
            .map_or(Rights::NONE, |(_, rights)| *rights)
    }

    /// What may be done at `path` where names that differ only by case are one name: what *every*
    /// rule allows that could be meant (CVE-2015-1419).
    pub(crate) fn at_any_case(&self, path: &VirtualPath) -> Rights {
        let fold = |component: &[u8]| String::from_utf8_lossy(component).to_lowercase();
        let path: Vec<String> = path.components().map(fold).collect();
        let matches = |subtree: &VirtualPath| {
            subtree.depth() <= path.len()
                && subtree
                    .components()
                    .map(fold)
                    .eq(path.iter().take(subtree.depth()).cloned())
        };
        let mut found = self.rules.iter().filter(|(subtree, _)| matches(subtree));
        let Some((deepest, rights)) = found.next() else {
            return Rights::NONE;
        };
        found
            .take_while(|(subtree, _)| subtree.depth() == deepest.depth())
            .fold(*rights, |all, (_, one)| all.and(*one))
    }

    /// Whether the same is allowed everywhere.
    pub fn is_uniform(&self) -> bool {
        matches!(self.rules.as_slice(), [(subtree, _)] if subtree.is_root())
    }

    /// Whether a rule begins strictly below `path`.
    pub(crate) fn differ_below(&self, path: &VirtualPath) -> bool {
        self.rules
            .iter()
            .any(|(subtree, _)| subtree != path && subtree.starts_with(path))
    }

    /// The rules, the deepest subtree first.
    pub fn rules(&self) -> &[(VirtualPath, Rights)] {
        &self.rules
    }

    /// The same rules with everything taken away that `mask` does not have.
    #[must_use]
    pub fn masked(&self, mask: Rights) -> Self {
        Self {
            rules: self
                .rules
                .iter()
                .map(|(path, rights)| (path.clone(), rights.and(mask)))
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> VirtualPath {
        VirtualPath::parse(&VirtualPath::root(), text.as_bytes()).unwrap()
    }

    #[test]
    fn every_right_has_its_own_bit_and_word() {
        let mut words = std::collections::HashSet::new();
        let mut all = Rights::NONE;
        for (right, word) in Right::ALL {
            assert!(!all.has(right) && words.insert(word), "{word}");
            all = all.with(right);
            assert!(!all.without(right).has(right));
        }
        assert!(all.contains(Rights::FULL) && !Rights::FULL.contains(all));
    }

    #[test]
    fn the_longest_subtree_decides_alone() {
        let grants = Grants::new([
            (path("/"), Rights::FULL),
            (path("/pub/in"), Rights::INCOMING),
            (path("/pub"), Rights::READ_ONLY),
        ]);
        for (at, rights) in [
            ("/", Rights::FULL),
            ("/public", Rights::FULL),
            ("/pub", Rights::READ_ONLY),
            ("/pub/x/y", Rights::READ_ONLY),
            ("/pub/in/x", Rights::INCOMING),
            ("/pub/inner", Rights::READ_ONLY),
        ] {
            assert_eq!(grants.at(&path(at)), rights, "{at}");
        }
    }

    #[test]
    fn nothing_is_allowed_where_no_rule_is() {
        let grants = Grants::new([(path("/home"), Rights::FULL)]);
        assert_eq!(grants.at(&path("/")), Rights::NONE);
        assert_eq!(grants.at(&path("/etc")), Rights::NONE);
    }

    #[test]
    fn a_later_rule_replaces_an_earlier_one_for_the_same_subtree() {
        let grants = Grants::new([(path("/"), Rights::FULL), (path("/"), Rights::READ_ONLY)]);
        assert_eq!(grants, Grants::everywhere(Rights::READ_ONLY));
    }

    #[test]
    fn only_what_changes_nothing_counts_as_looking() {
        assert!(!Rights::READ_ONLY.with(Right::Fxp).can_change());
        for (right, word) in Right::ALL {
            let looks = Rights::READ_ONLY.with(Right::Fxp).has(right);
            assert_eq!(Rights::NONE.with(right).can_change(), !looks, "{word}");
        }
    }

    #[test]
    fn a_mask_takes_rights_away_everywhere() {
        let grants = Grants::new([(path("/"), Rights::READ_ONLY), (path("/in"), Rights::FULL)]);
        let masked = grants.masked(Rights::READ_ONLY);
        assert_eq!(masked.at(&path("/in/x")), Rights::READ_ONLY);
        assert_eq!(masked.at(&path("/x")), Rights::READ_ONLY);
    }
}
