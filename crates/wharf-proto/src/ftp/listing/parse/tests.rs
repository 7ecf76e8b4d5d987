//! Samples of real servers, and properties.

use proptest::prelude::*;

use super::{Entry, Format, Kind, Limits, ListingParser, Precision, is_plain_name, line};

/// 2024-06-15 12:00:00 UTC.
const NOW: i64 = 1_718_452_800;

fn list(text: &str) -> Entry {
    line(Format::Detect, text.as_bytes(), NOW).unwrap_or_else(|| panic!("not understood: {text}"))
}

fn name(entry: &Entry) -> &str {
    std::str::from_utf8(&entry.name).unwrap()
}

#[test]
fn unix_line_with_a_time_takes_the_last_such_date() {
    let entry = list("-rw-r--r--   1 ftp      ftp          1024 Jun 15 11:59 a.txt");
    assert_eq!(
        (name(&entry), entry.kind, entry.size, entry.mode),
        ("a.txt", Kind::File, Some(1024), Some(0o644))
    );
    let modified = entry.modified.unwrap();
    assert_eq!(
        (modified.seconds, modified.precision),
        (NOW - 60, Precision::Minute)
    );
    assert_eq!(
        (entry.owner.as_deref(), entry.group.as_deref()),
        (Some(&b"ftp"[..]), Some(&b"ftp"[..]))
    );
    // Last December, not the coming one.
    assert_eq!(
        list("-rw-r--r-- 1 a b 1 Dec 31 00:00 x")
            .modified
            .unwrap()
            .seconds,
        1_703_980_800
    );
}

#[test]
fn unix_line_with_a_year_is_exact_to_the_day() {
    let modified = list("-rw-r--r-- 1 a b 1 Jan  1  2020 x").modified.unwrap();
    assert_eq!(
        (modified.seconds, modified.precision),
        (1_577_836_800, Precision::Day)
    );
}

#[test]
fn names_keep_their_blanks() {
    assert_eq!(
        name(&list("-rw-r--r-- 1 a b 1 Jan  1  2020  two  blanks ")),
        " two  blanks "
    );
    assert_eq!(
        name(&list("-rw-r--r-- 1 a b 1 Jan  1  2020 Jan 12 2019 x")),
        "Jan 12 2019 x"
    );
}

#[test]
fn links_are_cut_at_the_arrow() {
    let entry = list("lrwxrwxrwx 1 root root 7 May  3 10:00 bin -> usr/bin");
    assert_eq!((name(&entry), entry.kind), ("bin", Kind::Link));
    assert_eq!(entry.link_target.as_deref(), Some(&b"usr/bin"[..]));
    // A file may hold the arrow in its name.
    assert_eq!(
        name(&list("-rw-r--r-- 1 root root 7 May  3 10:00 a -> b")),
        "a -> b"
    );
}

#[test]
fn unix_dialects() {
    for (text, expected, size) in [
        (
            "-rw-r--r--   1 owner      123 Mar 12  2019 nogroup",
            "nogroup",
            Some(123),
        ),
        (
            "-rw-r--r-- owner group 123 Mar 12  2019 nolinks",
            "nolinks",
            Some(123),
        ),
        ("-rw-r--r--+  1 o g 5 Mar 12 2019 acl", "acl", Some(5)),
        (
            "-rw-r--r--. 1 o g 5 Mar 12 2019 selinux",
            "selinux",
            Some(5),
        ),
        ("-rw-r--r--@ 1 o g 5 Mar 12 2019 mac", "mac", Some(5)),
        ("-rw-r--r-- 1 o g 5 2024-03-12 10:11 iso", "iso", Some(5)),
        (
            "-rw-r--r-- 1 o g 5 2024-03-12 10:11:12.123456789 +0200 full",
            "full",
            Some(5),
        ),
        (
            "-rw-r--r-- 1 o g 5 12 Mar 2019 dayfirst",
            "dayfirst",
            Some(5),
        ),
        (
            "-rw-r--r-- 1 o g 5 12. Mär 10:11 deutsch",
            "deutsch",
            Some(5),
        ),
        (
            "-rw-r--r-- 1 o g 5 Mar 12 10:11:12 2019 bsd",
            "bsd",
            Some(5),
        ),
        (
            "crw-rw-rw- 1 root root 1, 3 Mar 12 10:11 null",
            "null",
            None,
        ),
        (
            "brw-rw---- 1 root disk 8,   0 Mar 12 10:11 sda",
            "sda",
            None,
        ),
        (
            "d [R----F--] supervisor            512       Jan 16 18:53    login",
            "   login",
            Some(512),
        ),
        (
            "drwxr-xr-x 2 domain users group 4096 Mar 12 2019 ad",
            "ad",
            Some(4096),
        ),
        (
            "---------- 1 owner group 1803128 Jul 10 2019 ls-lR.Z",
            "ls-lR.Z",
            Some(1_803_128),
        ),
    ] {
        let entry = list(text);
        assert_eq!((name(&entry), entry.size), (expected, size), "{text}");
    }
}

#[test]
fn special_permission_bits_are_read() {
    for (text, mode) in [
        ("-rwsr-sr-t 1 o g 5 Mar 12 2019 x", 0o7755),
        ("-rwSr-Sr-T 1 o g 5 Mar 12 2019 x", 0o7644),
        ("-rwxrwxrwx 1 o g 5 Mar 12 2019 x", 0o777),
    ] {
        assert_eq!(list(text).mode, Some(mode), "{text}");
    }
}

#[test]
fn time_zone_of_full_time_is_subtracted() {
    let entry = list("-rw-r--r-- 1 o g 5 2024-06-15 14:00:00.000000000 +0200 x");
    assert_eq!(entry.modified.unwrap().seconds, NOW);
}

/// INT-84: IIS.
#[test]
fn dos_lines() {
    let entry = list("06-15-24  12:00PM       <DIR>          My Folder");
    assert_eq!(
        (name(&entry), entry.kind, entry.size),
        ("My Folder", Kind::Directory, None)
    );
    assert_eq!(entry.modified.unwrap().seconds, NOW);
    let entry = list("06-15-2024  01:00AM             1,234 a  b.txt");
    assert_eq!((name(&entry), entry.size), ("a  b.txt", Some(1234)));
    assert_eq!(entry.modified.unwrap().seconds, NOW - 11 * 3600);
    assert_eq!(name(&list("2024-06-15  12:00  17 x")), "x");
    let entry = list("06-15-24  12:00PM  <SYMLINKD>  link [C:\\real dir]");
    assert_eq!((name(&entry), entry.kind), ("link", Kind::Link));
    assert_eq!(entry.link_target.as_deref(), Some(&b"C:\\real dir"[..]));
}

#[test]
fn eplf_lines() {
    let entry = list("+i8388621.48594,m825718503,r,s280,up644,\tdjb.html");
    assert_eq!(
        (name(&entry), entry.kind, entry.size, entry.mode),
        ("djb.html", Kind::File, Some(280), Some(0o644))
    );
    assert_eq!(entry.modified.unwrap().seconds, 825_718_503);
    assert_eq!(
        list("+i8388621.50690,m824255907,/,\t514").kind,
        Kind::Directory
    );
}

/// RFC 3659 7.7.
#[test]
fn mlsd_lines() {
    let facts = |text: &str| line(Format::Facts, text.as_bytes(), NOW);
    let entry =
        facts("Type=file;Size=1024990;Modify=19980426150227.5;Perm=r;UNIX.mode=0640; a name")
            .unwrap();
    assert_eq!(
        (name(&entry), entry.kind, entry.size),
        ("a name", Kind::File, Some(1_024_990))
    );
    assert_eq!(
        (entry.modified.unwrap().seconds, entry.mode),
        (893_602_947, Some(0o640))
    );
    assert_eq!(facts("type=cdir;modify=20240615120000; /"), None);
    assert_eq!(facts("Type=pdir; .."), None);
    let link = facts("type=OS.unix=slink:/a/b; l").unwrap();
    assert_eq!(
        (link.kind, link.link_target.as_deref()),
        (Kind::Link, Some(&b"/a/b"[..]))
    );
    // No facts at all is one space and a name.
    assert_eq!(name(&facts(" bare").unwrap()), "bare");
    // A name that begins with a blank.
    assert_eq!(name(&facts("type=file;  x").unwrap()), " x");
}

/// INT-87: NLST with paths or without.
#[test]
fn names_lose_their_directories() {
    let names = |text: &str| line(Format::Names, text.as_bytes(), NOW).map(|e| e.name);
    assert_eq!(names("dir/sub/x y"), Some(b"x y".to_vec()));
    assert_eq!(names("/"), None);
}

#[test]
fn headings_and_oneself_are_skipped_and_noise_is_counted() {
    let mut parser = ListingParser::new(Format::Detect, NOW, Limits::default());
    parser.handle_input(
        b"total 12\r\ndrwxr-xr-x 2 a b 1 Jan 1 2020 .\r\ndrwxr-xr-x 2 a b 1 Jan 1 2020 ..\r\n",
    );
    parser.handle_input(b"?? noise\n\r\n-rw-r--r-- 1 a b 1 Jan 1 2020 last");
    parser.handle_end();
    assert_eq!(parser.poll_entry().unwrap().name, b"last");
    assert_eq!(parser.poll_entry(), None);
    assert_eq!(parser.not_understood(), 1);
}

#[test]
fn a_listing_without_end_is_held_within_limits() {
    let mut parser = ListingParser::new(
        Format::Names,
        NOW,
        Limits {
            line: 16,
            entries: 2,
        },
    );
    for _ in 0..1000 {
        parser.handle_input(b"xxxxxxxxxxxxxxxxx");
    }
    assert!(parser.line.len() <= 16);
    parser.handle_input(b"\na\nb\nc\n");
    assert_eq!((parser.not_understood(), parser.dropped()), (1, 1));
}

/// CVE-2019-6111 and its family: a server names a file outside the directory asked for.
#[test]
fn names_that_leave_the_directory_are_not_plain() {
    for bad in [
        &b""[..],
        b".",
        b"..",
        b"../x",
        b"/etc/passwd",
        b"a/b",
        b"a\\b",
        b"a\0b",
        b"a\x1bb",
        b"..\\x",
    ] {
        assert!(!is_plain_name(bad), "{bad:?}");
    }
    for good in [&b"..."[..], b".hidden", b" x", b"\xff\xfe", "ä".as_bytes()] {
        assert!(is_plain_name(good), "{good:?}");
    }
}

/// A line of listing words in any order: closer to the parsers than plain noise.
fn nearly() -> impl Strategy<Value = Vec<u8>> {
    let word = prop_oneof![
        Just("-rw-r--r--"),
        Just("lrwxrwxrwx"),
        Just("d"),
        Just("[RWC]"),
        Just("1,"),
        Just("Feb"),
        Just("29"),
        Just("30."),
        Just("12:61"),
        Just("12:00AM"),
        Just("2023"),
        Just("99999999999999999999"),
        Just("02-30-99"),
        Just("2024-02-30"),
        Just("<DIR>"),
        Just("->"),
        Just(" "),
        Just("+i,m,s,up9\t"),
        Just("\u{e9}"),
        Just("total"),
        Just("type=file;modify=20241301000000;"),
        Just("+9999"),
        Just("-0000"),
        Just("[x]"),
    ];
    proptest::collection::vec(word, 0..12).prop_map(|words| words.join(" ").into_bytes())
}

proptest! {
    /// INT-87: tolerant parsers, never crash.
    #[test]
    fn no_line_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200), words in nearly(), now in any::<i64>()) {
        for text in [&bytes, &words] {
            for format in [Format::Facts, Format::Detect, Format::Names] {
                if let Some(entry) = line(format, text, now) {
                    prop_assert!(!entry.name.is_empty());
                }
            }
        }
    }

    #[test]
    fn splitting_the_input_changes_nothing(words in proptest::collection::vec(nearly(), 0..6), at in 0_usize..200) {
        let text = words.join(&b"\r\n"[..]);
        let read = |pieces: &[&[u8]]| {
            let mut parser = ListingParser::new(Format::Detect, NOW, Limits::default());
            for piece in pieces {
                parser.handle_input(piece);
            }
            parser.handle_end();
            let entries: Vec<Entry> = std::iter::from_fn(|| parser.poll_entry()).collect();
            (entries, parser.not_understood())
        };
        let (front, back) = text.split_at(at.min(text.len()));
        prop_assert_eq!(read(&[front, back]), read(&[&text]));
    }

    #[test]
    fn what_ls_writes_is_read_back(
        file in "[a-zA-Z0-9._][ -~]{0,30}", size in 0_u64..1 << 50, month in 0_usize..12, day in 1_u32..29, year in 1971..2100,
    ) {
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
        let text = format!("-rw-r--r--    1 1000     users    {size:>12} {} {day:>2}  {year} {file}", months[month]);
        let entry = list(&text);
        prop_assert_eq!(name(&entry), file.as_str());
        prop_assert_eq!(entry.size, Some(size));
        prop_assert_eq!(entry.kind, Kind::File);
    }
}
