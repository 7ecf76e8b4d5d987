//! Facts about one object, as MLST and MLSD write them (RFC 3659 7).
//!
//! `fact=value;fact=value; name`. One form, both ways: the server renders what the session knows,
//! the client reads what a server sent. A [`Facts`] borrows all its text, so rendering an entry
//! allocates nothing. Which rights make which permission letter is decided elsewhere.

use std::ops::BitOr;

use thiserror::Error;

use super::{decimal, reply::push_name, time::FtpTime};

/// One kind of fact, in the order in which it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Fact {
    /// What kind of object.
    Type,
    /// Octets in TYPE I.
    Size,
    /// Last change of the content.
    Modify,
    /// Birth.
    Create,
    /// What this user may do with it.
    Perm,
    /// Identity; the same for two names of one object.
    Unique,
    /// Permission bits, octal.
    UnixMode,
    /// Owner, number or name.
    UnixOwner,
    /// Group, number or name.
    UnixGroup,
    /// Media type by name.
    MediaType,
}

impl Fact {
    /// All of them, in the order in which they are written.
    pub const ALL: [Self; 10] = [
        Self::Type,
        Self::Size,
        Self::Modify,
        Self::Create,
        Self::Perm,
        Self::Unique,
        Self::UnixMode,
        Self::UnixOwner,
        Self::UnixGroup,
        Self::MediaType,
    ];

    /// The name as it is written; compared without regard to case.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Type => "type",
            Self::Size => "size",
            Self::Modify => "modify",
            Self::Create => "create",
            Self::Perm => "perm",
            Self::Unique => "unique",
            Self::UnixMode => "UNIX.mode",
            Self::UnixOwner => "UNIX.owner",
            Self::UnixGroup => "UNIX.group",
            Self::MediaType => "media-type",
        }
    }

    /// Finds a fact by name.
    pub fn find(name: &[u8]) -> Option<Self> {
        let same = |fact: &Self| fact.name().as_bytes().eq_ignore_ascii_case(name);
        Self::ALL.into_iter().find(same)
    }
}

/// A set of facts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FactSet(u16);

impl FactSet {
    /// No fact: MLSD then sends bare names.
    pub const EMPTY: Self = Self(0);
    /// Every fact.
    pub const ALL: Self = Self(0x3ff);
    /// All but the media type: what a session starts with.
    pub const DEFAULT: Self = Self(0x1ff);

    /// The set with one more fact.
    #[must_use]
    pub const fn with(self, fact: Fact) -> Self {
        Self(self.0 | 1 << fact as u8)
    }

    /// Whether the fact is in the set.
    pub const fn contains(self, fact: Fact) -> bool {
        self.0 & 1 << fact as u8 != 0
    }

    /// The facts, in the order in which they are written.
    pub fn iter(self) -> impl Iterator<Item = Fact> {
        Fact::ALL
            .into_iter()
            .filter(move |&fact| self.contains(fact))
    }

    /// Reads `type;size;`, the argument of OPTS MLST. Unknown facts are passed over (RFC 3659 7.9).
    pub fn parse(list: &[u8]) -> Self {
        list.split(|&byte| byte == b';')
            .filter_map(|name| Fact::find(name.trim_ascii()))
            .fold(Self::EMPTY, Self::with)
    }

    /// Reads the list of the FEAT line, `type*;size*;create;`: all facts, and those marked as on.
    pub fn parse_feature(list: &[u8]) -> (Self, Self) {
        let mut sets = (Self::EMPTY, Self::EMPTY);
        for name in list.split(|&byte| byte == b';').map(<[u8]>::trim_ascii) {
            let (name, on) = name
                .strip_suffix(b"*")
                .map_or((name, false), |name| (name, true));
            if let Some(fact) = Fact::find(name) {
                sets.0 = sets.0.with(fact);
                if on {
                    sets.1 = sets.1.with(fact);
                }
            }
        }
        sets
    }

    /// Writes `type;size;`.
    pub fn encode(self, out: &mut Vec<u8>) {
        for fact in self.iter() {
            out.extend_from_slice(fact.name().as_bytes());
            out.push(b';');
        }
    }

    /// Writes every fact there is, with `*` behind those of this set: the FEAT line.
    pub fn encode_feature(self, out: &mut Vec<u8>) {
        for fact in Fact::ALL {
            out.extend_from_slice(fact.name().as_bytes());
            if self.contains(fact) {
                out.push(b'*');
            }
            out.push(b';');
        }
    }
}

impl Default for FactSet {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// The value of the `type` fact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FactType<'a> {
    /// `file`.
    File,
    /// `dir`.
    Directory,
    /// `cdir`: the listed directory itself.
    CurrentDirectory,
    /// `pdir`: its parent.
    ParentDirectory,
    /// `OS.unix=symlink`, or `OS.unix=slink:target` as some servers write it.
    Symlink(Option<&'a [u8]>),
    /// `OS.unix=special`, and every type that is not known.
    Special,
}

impl<'a> FactType<'a> {
    fn parse(value: &'a [u8]) -> Self {
        let prefix = |text: &[u8]| {
            let (head, rest) = value.split_at_checked(text.len())?;
            head.eq_ignore_ascii_case(text).then_some(rest)
        };
        match value.to_ascii_lowercase().as_slice() {
            b"file" => Self::File,
            b"dir" => Self::Directory,
            b"cdir" => Self::CurrentDirectory,
            b"pdir" => Self::ParentDirectory,
            _ => match prefix(b"OS.unix=slink").or_else(|| prefix(b"OS.unix=symlink")) {
                Some(rest) => Self::Symlink(rest.strip_prefix(b":")),
                None => Self::Special,
            },
        }
    }

    fn encode(self, out: &mut Vec<u8>) {
        match self {
            Self::File => out.extend_from_slice(b"file"),
            Self::Directory => out.extend_from_slice(b"dir"),
            Self::CurrentDirectory => out.extend_from_slice(b"cdir"),
            Self::ParentDirectory => out.extend_from_slice(b"pdir"),
            Self::Symlink(None) => out.extend_from_slice(b"OS.unix=symlink"),
            Self::Symlink(Some(target)) => {
                out.extend_from_slice(b"OS.unix=slink:");
                push_value(target, out);
            }
            Self::Special => out.extend_from_slice(b"OS.unix=special"),
        }
    }
}

/// The letters of the `perm` fact (RFC 3659 7.5.5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Permissions(u16);

impl Permissions {
    const LETTERS: &'static [u8; 10] = b"acdeflmprw";

    /// None: `perm=;`.
    pub const NONE: Self = Self(0);
    /// `a`: APPE.
    pub const APPEND: Self = Self(1);
    /// `c`: files may be created in the directory.
    pub const CREATE: Self = Self(1 << 1);
    /// `d`: it may be deleted.
    pub const DELETE: Self = Self(1 << 2);
    /// `e`: CWD into it.
    pub const ENTER: Self = Self(1 << 3);
    /// `f`: RNFR.
    pub const RENAME: Self = Self(1 << 4);
    /// `l`: LIST.
    pub const LIST: Self = Self(1 << 5);
    /// `m`: MKD in it.
    pub const MAKE_DIRECTORY: Self = Self(1 << 6);
    /// `p`: its entries may be deleted.
    pub const PURGE: Self = Self(1 << 7);
    /// `r`: RETR.
    pub const READ: Self = Self(1 << 8);
    /// `w`: STOR.
    pub const WRITE: Self = Self(1 << 9);

    /// Whether all of `other` are here.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    fn parse(value: &[u8]) -> Self {
        let mut bits = 0;
        for byte in value.iter().map(u8::to_ascii_lowercase) {
            if let Some(place) = Self::LETTERS.iter().position(|&letter| letter == byte) {
                bits |= 1 << place;
            }
        }
        Self(bits)
    }

    fn encode(self, out: &mut Vec<u8>) {
        for (place, &letter) in Self::LETTERS.iter().enumerate() {
            if self.0 & 1 << place != 0 {
                out.push(letter);
            }
        }
    }
}

impl BitOr for Permissions {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// What is known about one object; `None` where it is not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Facts<'a> {
    /// What kind of object.
    pub kind: Option<FactType<'a>>,
    /// Octets in TYPE I.
    pub size: Option<u64>,
    /// Last change of the content, UTC.
    pub modify: Option<FtpTime>,
    /// Birth, UTC.
    pub create: Option<FtpTime>,
    /// What this user may do.
    pub perm: Option<Permissions>,
    /// Identity; see [`Unique`].
    pub unique: Option<&'a [u8]>,
    /// Permission bits, at most 0o7777.
    pub unix_mode: Option<u32>,
    /// Owner, number or name.
    pub unix_owner: Option<&'a [u8]>,
    /// Group, number or name.
    pub unix_group: Option<&'a [u8]>,
    /// Media type.
    pub media_type: Option<&'a [u8]>,
}

/// Why a line of facts could not be read.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum FactsError {
    /// No space in front of the name.
    #[error("expected fact=value; pairs, one space and a name")]
    NoName,
    /// A part without `=`.
    #[error("expected fact=value in front of each semicolon")]
    NoValue,
    /// A size, mode or time that is none.
    #[error("the value of a size, time or mode fact cannot be read")]
    BadValue,
}

impl<'a> Facts<'a> {
    /// Writes those facts that are known and wanted, each with its `;`. Line ends, semicolons and
    /// spaces in a value become `?`, because they would end it.
    pub fn encode(&self, wanted: FactSet, out: &mut Vec<u8>) {
        let begin = |fact: Fact, out: &mut Vec<u8>| {
            out.extend_from_slice(fact.name().as_bytes());
            out.push(b'=');
        };
        if wanted.contains(Fact::Type)
            && let Some(kind) = self.kind
        {
            begin(Fact::Type, out);
            kind.encode(out);
            out.push(b';');
        }
        if wanted.contains(Fact::Size)
            && let Some(size) = self.size
        {
            begin(Fact::Size, out);
            decimal::push(out, size);
            out.push(b';');
        }
        for (fact, time) in [(Fact::Modify, self.modify), (Fact::Create, self.create)] {
            if wanted.contains(fact)
                && let Some(time) = time
            {
                begin(fact, out);
                time.encode_with_fraction(out);
                out.push(b';');
            }
        }
        if wanted.contains(Fact::Perm)
            && let Some(perm) = self.perm
        {
            begin(Fact::Perm, out);
            perm.encode(out);
            out.push(b';');
        }
        let text = |fact: Fact, value: Option<&[u8]>, out: &mut Vec<u8>| {
            if wanted.contains(fact)
                && let Some(value) = value
            {
                begin(fact, out);
                push_value(value, out);
                out.push(b';');
            }
        };
        text(Fact::Unique, self.unique, out);
        if wanted.contains(Fact::UnixMode)
            && let Some(mode) = self.unix_mode
        {
            begin(Fact::UnixMode, out);
            for shift in [9, 6, 3, 0] {
                out.push(b'0' + u8::try_from(mode >> shift & 7).unwrap_or(0));
            }
            out.push(b';');
        }
        text(Fact::UnixOwner, self.unix_owner, out);
        text(Fact::UnixGroup, self.unix_group, out);
        text(Fact::MediaType, self.media_type, out);
    }

    /// Writes a whole line of MLSD: facts, one space, the name, CR LF. CR, LF and NUL of the name
    /// become `?` (they would end the line or forge another).
    pub fn encode_line(&self, wanted: FactSet, name: &[u8], out: &mut Vec<u8>) {
        self.encode(wanted, out);
        out.push(b' ');
        push_name(name, out);
        out.extend_from_slice(b"\r\n");
    }

    /// Reads `fact=value;... name`, without its line end. Unknown facts are passed over, names of
    /// facts are compared without regard to case. Gives the facts and the name.
    ///
    /// # Errors
    /// [`FactsError`].
    pub fn parse_line(line: &'a [u8]) -> Result<(Self, &'a [u8]), FactsError> {
        let space = line
            .iter()
            .position(|&byte| byte == b' ')
            .ok_or(FactsError::NoName)?;
        let (list, name) = line.split_at_checked(space).ok_or(FactsError::NoName)?;
        Ok((Self::parse(list)?, name.get(1..).unwrap_or_default()))
    }

    /// Reads `fact=value;...`.
    ///
    /// # Errors
    /// [`FactsError::NoValue`] or [`FactsError::BadValue`].
    pub fn parse(list: &'a [u8]) -> Result<Self, FactsError> {
        let mut facts = Self::default();
        for pair in list
            .split(|&byte| byte == b';')
            .filter(|pair| !pair.is_empty())
        {
            let equals = pair
                .iter()
                .position(|&byte| byte == b'=')
                .ok_or(FactsError::NoValue)?;
            let (name, value) = pair.split_at_checked(equals).ok_or(FactsError::NoValue)?;
            let value = value.get(1..).unwrap_or_default();
            let time = || FtpTime::parse(value).map_err(|_| FactsError::BadValue);
            match Fact::find(name) {
                Some(Fact::Type) => facts.kind = Some(FactType::parse(value)),
                Some(Fact::Size) => {
                    facts.size = Some(decimal::parse(value).ok_or(FactsError::BadValue)?);
                }
                Some(Fact::Modify) => facts.modify = Some(time()?),
                Some(Fact::Create) => facts.create = Some(time()?),
                Some(Fact::Perm) => facts.perm = Some(Permissions::parse(value)),
                Some(Fact::Unique) => facts.unique = Some(value),
                Some(Fact::UnixMode) => {
                    let octal = std::str::from_utf8(value).ok();
                    let mode = octal.and_then(|octal| u32::from_str_radix(octal, 8).ok());
                    facts.unix_mode = Some(mode.ok_or(FactsError::BadValue)? & 0o7777);
                }
                Some(Fact::UnixOwner) => facts.unix_owner = Some(value),
                Some(Fact::UnixGroup) => facts.unix_group = Some(value),
                Some(Fact::MediaType) => facts.media_type = Some(value),
                None => {}
            }
        }
        Ok(facts)
    }
}

/// A value inside a fact: what would end it becomes `?`.
fn push_value(value: &[u8], out: &mut Vec<u8>) {
    out.extend(value.iter().map(|&byte| match byte {
        b';' | b' ' | b'\r' | b'\n' | 0 => b'?',
        byte => byte,
    }));
}

/// The text of the `unique` fact, made of volume and inode without an allocation.
#[derive(Clone, Copy, Debug)]
pub struct Unique {
    text: [u8; 33],
    start: usize,
}

impl Unique {
    /// `<volume hex>g<inode hex>`.
    pub fn new(volume: u64, inode: u64) -> Self {
        let mut unique = Self {
            text: [b'g'; 33],
            start: 33,
        };
        unique.prepend(inode);
        unique.start -= 1;
        unique.prepend(volume);
        unique
    }

    fn prepend(&mut self, mut number: u64) {
        for place in self.text.iter_mut().take(self.start).rev() {
            let digit = u8::try_from(number & 15).unwrap_or(0);
            *place = digit + if digit < 10 { b'0' } else { b'a' - 10 };
            self.start -= 1;
            number >>= 4;
            if number == 0 {
                break;
            }
        }
    }

    /// The text.
    pub fn as_bytes(&self) -> &[u8] {
        self.text.get(self.start..).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn dat_97_a_line_is_facts_one_space_and_the_name() {
        let facts = Facts {
            kind: Some(FactType::File),
            size: Some(5),
            modify: Some(FtpTime::new(897_904_845, 0)),
            perm: Some(Permissions::READ | Permissions::APPEND | Permissions::DELETE),
            unix_mode: Some(0o100_644),
            ..Facts::default()
        };
        let mut out = Vec::new();
        facts.encode_line(FactSet::DEFAULT, b"a b", &mut out);
        assert_eq!(
            out,
            b"type=file;size=5;modify=19980615100045;perm=adr;UNIX.mode=0644; a b\r\n"
        );
        out.clear();
        facts.encode_line(FactSet::EMPTY, b"x", &mut out);
        assert_eq!(out, b" x\r\n");
    }

    #[test]
    fn cve_2024_48208_a_name_with_line_ends_forges_no_line() {
        let mut out = Vec::new();
        Facts::default().encode_line(FactSet::ALL, b"a\r\n226 gone\0\xff", &mut out);
        assert_eq!(out, b" a??226 gone?\xff\r\n");
    }

    #[test]
    fn facts_of_other_servers_are_read() {
        let line = b"Type=OS.unix=slink:/x;Modify=20200101000000.5;UNIX.mode=0777;UNIX.owner=anna;Foo=1;  y";
        let (facts, name) = Facts::parse_line(line).unwrap();
        assert_eq!(facts.kind, Some(FactType::Symlink(Some(b"/x"))));
        assert_eq!(facts.unix_owner, Some(&b"anna"[..]));
        assert_eq!(name, b" y");
        assert_eq!(Facts::parse_line(b"type=file;"), Err(FactsError::NoName));
        assert_eq!(Facts::parse_line(b"type; x"), Err(FactsError::NoValue));
        assert_eq!(Facts::parse_line(b"size=-1; x"), Err(FactsError::BadValue));
    }

    #[test]
    fn opts_mlst_passes_over_unknown_facts() {
        let mut out = Vec::new();
        FactSet::parse(b"size;TYPE;bogus;").encode(&mut out);
        assert_eq!(out, b"type;size;");
        out.clear();
        FactSet::DEFAULT.encode_feature(&mut out);
        assert_eq!(
            FactSet::parse_feature(&out),
            (FactSet::ALL, FactSet::DEFAULT)
        );
    }

    #[test]
    fn unique_is_the_same_for_the_same_numbers() {
        assert_eq!(Unique::new(0, 0).as_bytes(), b"0g0");
        assert_eq!(Unique::new(0x1f, 0xabc).as_bytes(), b"1fgabc");
        assert_eq!(Unique::new(u64::MAX, u64::MAX).as_bytes().len(), 33);
    }

    fn word() -> impl Strategy<Value = Option<Vec<u8>>> {
        proptest::option::of("[a-z0-9/:.]{1,12}".prop_map(String::into_bytes))
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(
            size in proptest::option::of(any::<u64>()),
            modify in proptest::option::of(-1_000_000_000_i64..10_000_000_000),
            perm in proptest::option::of(0_u16..1024),
            unix_mode in proptest::option::of(0_u32..0o10000),
            texts in (word(), word(), word(), word()),
            kind in 0..8,
            name in "[^\r\n\0]{0,20}",
        ) {
            let (unique, owner, group, media_type) = &texts;
            let facts = Facts {
                kind: match kind {
                    0 => Some(FactType::File), 1 => Some(FactType::Directory),
                    2 => Some(FactType::CurrentDirectory), 3 => Some(FactType::ParentDirectory),
                    4 => Some(FactType::Symlink(None)), 5 => Some(FactType::Special),
                    6 => unique.as_deref().map(|target| FactType::Symlink(Some(target))),
                    _ => None,
                },
                size,
                modify: modify.map(|seconds| FtpTime::new(seconds, 500_000_000)),
                create: modify.map(|seconds| FtpTime::new(seconds / 2, 0)),
                perm: perm.map(Permissions),
                unique: unique.as_deref(),
                unix_mode,
                unix_owner: owner.as_deref(),
                unix_group: group.as_deref(),
                media_type: media_type.as_deref(),
            };
            let mut out = Vec::new();
            facts.encode_line(FactSet::ALL, name.as_bytes(), &mut out);
            let line = out.strip_suffix(b"\r\n").unwrap();
            prop_assert_eq!(Facts::parse_line(line), Ok((facts, name.as_bytes())));
        }

        #[test]
        fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = Facts::parse_line(&bytes);
            let _ = (FactSet::parse(&bytes), FactSet::parse_feature(&bytes));
        }
    }
}
