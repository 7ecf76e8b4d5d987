//! What the interop tests share: a tree of awkward files, its comparison, and a large file.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use wharf_acceptance_tests::noise;

/// Files in the tree.
pub const FILES: usize = 2000;

/// Makes a tree of [`FILES`] small files: names with spaces, UTF-8, deep directories, empty files,
/// bytes that a text conversion would change.
///
/// # Panics
/// When it cannot be written.
pub fn plant(root: &Path) {
    let deep = (1..=12)
        .map(|level| format!("level {level}"))
        .collect::<Vec<_>>()
        .join("/");
    let folders = [
        "",
        "plain",
        "with space",
        "Grüße",
        "日本語/файлы",
        "a/b/c",
        &deep,
    ];
    for folder in folders {
        fs::create_dir_all(root.join(folder)).expect("a directory of the tree");
    }
    for number in 0..FILES {
        let folder = folders[number % folders.len()];
        let name = match number % 5 {
            0 => format!("file {number:04}.bin"),
            1 => format!("naïve-{number:04}.txt"),
            2 => format!("UPPER.{number:04}"),
            3 => format!("x{number:04}"),
            _ => format!("a (copy) + {number:04} = b,c.dat"),
        };
        let size = match number % 50 {
            0 => 0,
            1 => 70_000,
            _ => number * 7 % 3000,
        };
        let mut bytes = noise(number as u64, size);
        if number % 3 == 0 {
            bytes.iter_mut().step_by(11).for_each(|byte| *byte = b'\n');
            bytes.iter_mut().step_by(13).for_each(|byte| *byte = b'\r');
        }
        fs::write(root.join(folder).join(name), bytes).expect("a file of the tree");
    }
}

/// Gives a tree to the account that the servers serve as.
pub fn hand_over(root: &Path) {
    let _ = chown(root, Some(61_000), Some(61_000));
    for entry in fs::read_dir(root).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            hand_over(&path);
        } else {
            let _ = chown(&path, Some(61_000), Some(61_000));
        }
    }
}

/// Every file below `root` with its bytes.
///
/// # Panics
/// When one cannot be read.
#[must_use]
pub fn harvest(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    fn walk(root: &Path, below: &Path, found: &mut BTreeMap<PathBuf, Vec<u8>>) {
        for entry in fs::read_dir(root.join(below))
            .expect("a directory")
            .flatten()
        {
            let path = below.join(entry.file_name());
            if root.join(&path).is_dir() {
                walk(root, &path, found);
            } else {
                found.insert(path.clone(), fs::read(root.join(&path)).expect("a file"));
            }
        }
    }
    let mut found = BTreeMap::new();
    walk(root, Path::new(""), &mut found);
    found
}

/// Asserts that two trees hold the same files with the same bytes.
///
/// # Panics
/// When they differ; the message names the first difference.
#[track_caller]
pub fn same_tree(wanted: &Path, got: &Path) {
    let (wanted, got) = (harvest(wanted), harvest(got));
    for (path, bytes) in &wanted {
        match got.get(path) {
            None => panic!(
                "{} is missing; {} of {} files are there",
                path.display(),
                got.len(),
                wanted.len()
            ),
            Some(other) => assert!(
                other == bytes,
                "{} differs: {} octets instead of {}",
                path.display(),
                other.len(),
                bytes.len()
            ),
        }
    }
    let extra: Vec<_> = got
        .keys()
        .filter(|path| !wanted.contains_key(*path))
        .collect();
    assert!(extra.is_empty(), "files that nobody sent: {extra:?}");
}

/// One megabyte, the unit of the large file.
const BLOCK: usize = 1 << 20;

/// Writes a file of `blocks` MiB and some octets, no two blocks alike, without holes.
///
/// # Panics
/// When it cannot be written.
pub fn grow(path: &Path, blocks: u64) {
    let mut block = noise(7, BLOCK);
    let mut file = File::create(path).expect("the large file");
    for number in 0..blocks {
        block[..8].copy_from_slice(&number.to_le_bytes());
        file.write_all(&block).expect("the large file");
    }
    file.write_all(b"and an odd end").expect("the large file");
}

/// Asserts that two large files are the same, without holding them.
///
/// # Panics
/// When they differ or cannot be read.
#[track_caller]
pub fn same_file(wanted: &Path, got: &Path) {
    let length = |path: &Path| path.metadata().map(|meta| meta.len()).unwrap_or_default();
    assert_eq!(length(wanted), length(got), "the lengths differ");
    let (mut one, mut two) = (
        File::open(wanted).expect("a file"),
        File::open(got).expect("a file"),
    );
    let (mut left, mut right) = (vec![0; BLOCK], vec![0; BLOCK]);
    let mut offset = 0;
    loop {
        let count = one.read(&mut left).expect("a file");
        if count == 0 {
            return;
        }
        two.read_exact(&mut right[..count]).expect("a file");
        assert!(
            left[..count] == right[..count],
            "the files differ after octet {offset}"
        );
        offset += count;
    }
}

/// How many MiB the large file of this run has for a client: 2 GiB for the one that is always
/// tried with it, and for every client when `WHARF_BIG` is set.
#[must_use]
pub fn large(always: bool) -> Option<u64> {
    (always || std::env::var_os("WHARF_BIG").is_some()).then_some(2048)
}

/// Waits until something has happened elsewhere, and says what is missing when it does not.
///
/// # Panics
/// When it has not happened after 30 seconds.
#[track_caller]
pub fn until(has_happened: impl Fn() -> bool, missing: impl Fn() -> String) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !has_happened() {
        assert!(Instant::now() < deadline, "{}", missing());
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Random bytes, as [`noise`], without those that `openssl s_client` takes for commands to itself when a
/// block of its input begins with them.
#[must_use]
pub fn content(seed: u64, length: usize) -> Vec<u8> {
    let mut bytes = noise(seed, length);
    for byte in &mut bytes {
        if b"BCKkQR".contains(byte) {
            *byte = b'\r';
        }
    }
    bytes
}

/// Whether a file with such a name has octets in it.
#[must_use]
pub fn has_octets(folder: &Path, is_it: impl Fn(&str) -> bool) -> bool {
    fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .any(|entry| {
            is_it(&entry.file_name().to_string_lossy())
                && entry.metadata().is_ok_and(|meta| meta.len() > 0)
        })
}
