//! Lines of LIST and NLST (DAT-70..73).
//!
//! The form is that of `ls -l`, because it is what thirty years of clients parse: ten mode letters,
//! links, owner, group, size, date, name, at least one space between. Everything is written by hand
//! into the caller's buffer; a listing of 100 000 lines is a matter of milliseconds. Which entries, in
//! what order, with which rights: that is decided by the caller.

use crate::ftp::{
    decimal,
    reply::push_name,
    time::{Calendar, FtpTime},
};

/// How old a file may be to show hours and minutes instead of the year: 182.5 days.
const RECENT: i64 = 15_768_000;
/// How far in the future a time may lie to be shown with hours and minutes: an hour.
const SKEW: i64 = 3_600;

const MONTHS: [&[u8; 3]; 12] = [
    b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec",
];

/// The kind of an entry, its first mode letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `-`.
    File,
    /// `d`.
    Directory,
    /// `l`.
    Symlink,
}

/// One entry of a LIST.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// What it is.
    pub kind: Kind,
    /// Permission bits, at most 0o7777, already cut to what this user may do (DAT-78).
    pub mode: u32,
    /// Link count.
    pub links: u64,
    /// Owner, name or number; spaces become `_`.
    pub owner: &'a [u8],
    /// Group, name or number; spaces become `_`.
    pub group: &'a [u8],
    /// Octets.
    pub size: u64,
    /// Last change.
    pub modified: FtpTime,
    /// The name.
    pub name: &'a [u8],
    /// Where a link points, if it may be shown.
    pub target: Option<&'a [u8]>,
}

/// The parts of a line that are the same for a whole listing.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    /// Seconds since 1970 of now: decides between time of day and year (DAT-71).
    pub now: i64,
    /// Seconds to add to UTC.
    pub zone: i32,
    /// A mark behind the names of directories (`/`), links (`@`) and executables (`*`), for `-F`.
    pub classify: bool,
}

/// Appends one LIST line with CR LF.
pub fn push_long(entry: &Entry<'_>, style: Style, out: &mut Vec<u8>) {
    push_long_bare(entry, style, out);
    out.extend_from_slice(b"\r\n");
}

/// Appends one LIST line without its line end, for STAT.
pub fn push_long_bare(entry: &Entry<'_>, style: Style, out: &mut Vec<u8>) {
    out.extend_from_slice(&mode_string(entry.kind, entry.mode));
    out.push(b' ');
    decimal::push_right(out, entry.links, 3);
    out.push(b' ');
    push_owner(entry.owner, out);
    push_owner(entry.group, out);
    decimal::push_right(out, entry.size, 8);
    out.push(b' ');
    out.extend_from_slice(&date(entry.modified.seconds(), style));
    out.push(b' ');
    push_name(entry.name, out);
    if style.classify {
        out.extend_from_slice(mark(entry));
    }
    if let Some(target) = entry.target
        && entry.kind == Kind::Symlink
    {
        out.extend_from_slice(b" -> ");
        push_name(target, out);
    }
}

/// Appends one NLST line: `prefix` (such as `dir/`, may be empty), the name, CR LF.
pub fn push_short(prefix: &[u8], name: &[u8], out: &mut Vec<u8>) {
    push_name(prefix, out);
    push_name(name, out);
    out.extend_from_slice(b"\r\n");
}

/// Ten letters: kind, three times `rwx`, with `s`, `S`, `t`, `T`.
pub fn mode_string(kind: Kind, mode: u32) -> [u8; 10] {
    let bit = |mask: u32, letter: u8| if mode & mask == 0 { b'-' } else { letter };
    let run = |execute: u32, special: u32, both: u8, alone: u8| match (
        mode & execute != 0,
        mode & special != 0,
    ) {
        (true, true) => both,
        (false, true) => alone,
        (true, false) => b'x',
        (false, false) => b'-',
    };
    [
        match kind {
            Kind::File => b'-',
            Kind::Directory => b'd',
            Kind::Symlink => b'l',
        },
        bit(0o400, b'r'),
        bit(0o200, b'w'),
        run(0o100, 0o4000, b's', b'S'),
        bit(0o040, b'r'),
        bit(0o020, b'w'),
        run(0o010, 0o2000, b's', b'S'),
        bit(0o004, b'r'),
        bit(0o002, b'w'),
        run(0o001, 0o1000, b't', b'T'),
    ]
}

/// The mark of `-F`.
fn mark(entry: &Entry<'_>) -> &'static [u8] {
    match entry.kind {
        Kind::Directory => b"/",
        Kind::Symlink if entry.target.is_none() => b"@",
        Kind::File if entry.mode & 0o111 != 0 => b"*",
        Kind::File | Kind::Symlink => b"",
    }
}

/// Left-justified to eight columns and one space.
fn push_owner(name: &[u8], out: &mut Vec<u8>) {
    if name.is_empty() {
        out.push(b'?');
    }
    out.extend(name.iter().map(|&byte| match byte {
        0..=b' ' | 0x7f => b'_',
        byte => byte,
    }));
    let pad = 9_usize.saturating_sub(name.len().max(1)).max(1);
    out.extend_from_slice(b"         ".get(..pad).unwrap_or(b" "));
}

/// `Mon dd HH:MM` or `Mon dd  YYYY`, twelve columns.
fn date(modified: i64, style: Style) -> [u8; 12] {
    let local = Calendar::of(modified.saturating_add(style.zone.into()));
    let digit = |number: u16| b'0' + u8::try_from(number % 10).unwrap_or(0);
    let two = |number: u8| (digit(u16::from(number) / 10), digit(number.into()));
    let [m0, m1, m2] = **MONTHS.get(usize::from(local.month) - 1).unwrap_or(&b"???");
    let (d0, d1) = two(local.day);
    let d0 = if d0 == b'0' { b' ' } else { d0 };
    let age = style.now.saturating_sub(modified);
    if (-SKEW..=RECENT).contains(&age) {
        let (hour, minute) = (two(local.hour), two(local.minute));
        [
            m0, m1, m2, b' ', d0, d1, b' ', hour.0, hour.1, b':', minute.0, minute.1,
        ]
    } else {
        let year = local.year;
        [
            m0,
            m1,
            m2,
            b' ',
            d0,
            d1,
            b' ',
            b' ',
            digit(year / 1000),
            digit(year / 100),
            digit(year / 10),
            digit(year),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_700_000_000;
    const STYLE: Style = Style {
        now: NOW,
        zone: 0,
        classify: false,
    };

    fn entry(name: &[u8]) -> Entry<'_> {
        Entry {
            kind: Kind::File,
            mode: 0o644,
            links: 1,
            owner: b"anna",
            group: b"staff",
            size: 1024,
            modified: FtpTime::new(NOW - 60, 0),
            name,
            target: None,
        }
    }

    fn line(entry: &Entry<'_>, style: Style) -> String {
        let mut out = Vec::new();
        push_long(entry, style, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn dat_70_the_line_of_ls() {
        assert_eq!(
            line(&entry(b"file1.txt"), STYLE),
            "-rw-r--r--   1 anna     staff        1024 Nov 14 22:12 file1.txt\r\n"
        );
    }

    #[test]
    fn dat_71_old_and_future_times_show_the_year() {
        for (age, shown) in [
            (15_768_000, "May 16 10:13"),
            (15_768_001, "May 16  2023"),
            (-3_600, "Nov 14 23:13"),
            (-3_601, "Nov 14  2023"),
        ] {
            let entry = Entry {
                modified: FtpTime::new(NOW - age, 0),
                ..entry(b"f")
            };
            let line = line(&entry, STYLE);
            assert!(line.contains(shown), "{age}: {line}");
        }
        let entry = Entry {
            modified: FtpTime::new(0, 0),
            ..entry(b"f")
        };
        assert!(line(&entry, STYLE).contains("Jan  1  1970"));
        assert!(
            line(
                &entry,
                Style {
                    zone: -3600,
                    ..STYLE
                }
            )
            .contains("Dec 31  1969")
        );
    }

    #[test]
    fn dat_72_an_owner_never_holds_a_space() {
        let entry = Entry {
            owner: b"CORP\\an na",
            group: b"",
            ..entry(b"f")
        };
        assert!(line(&entry, STYLE).starts_with("-rw-r--r--   1 CORP\\an_na ?            1024 "));
    }

    #[test]
    fn dat_73_links_show_their_target() {
        let link = Entry {
            kind: Kind::Symlink,
            mode: 0o777,
            target: Some(b"/x"),
            ..entry(b"l")
        };
        assert!(line(&link, STYLE).ends_with(" l -> /x\r\n"));
        let style = Style {
            classify: true,
            ..STYLE
        };
        assert!(
            line(
                &Entry {
                    target: None,
                    ..link
                },
                style
            )
            .ends_with(" l@\r\n")
        );
        assert!(
            line(
                &Entry {
                    kind: Kind::Directory,
                    ..entry(b"d")
                },
                style
            )
            .ends_with(" d/\r\n")
        );
    }

    #[test]
    fn path_06_line_ends_in_names_become_question_marks() {
        assert!(line(&entry(b"a\r\n-rw b"), STYLE).ends_with(" a??-rw b\r\n"));
        let mut out = Vec::new();
        push_short(b"d/", b"x\ny", &mut out);
        assert_eq!(out, b"d/x?y\r\n");
    }

    #[test]
    fn mode_letters() {
        let show = |mode| String::from_utf8(mode_string(Kind::Directory, mode).to_vec()).unwrap();
        assert_eq!(show(0o7777), "drwsrwsrwt");
        assert_eq!(show(0o7000), "d--S--S--T");
        assert_eq!(show(0o750), "drwxr-x---");
    }
}
