//! sshfs (INT-35): the served folder as a file system, under programs that expect one.
//!
//! In-place writes at random places, sizes that are set, files that are read while they are written,
//! renames over files, links, many handles: git, SQLite, and a load of random operations that is
//! compared with the same done in memory.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use wharf_acceptance_tests::subject::run;
use wharf_acceptance_tests::{USER, noise};
use wharf_interop_tests::{plant, same_tree, until};

use super::Scene;

/// A mounted folder; unmounted when dropped.
struct Mounted {
    scene: Scene,
    sshfs: Child,
    point: PathBuf,
}

impl Mounted {
    fn new(options: &[&str]) -> Self {
        let scene = Scene::new();
        let point = scene.local("mounted");
        fs::create_dir(&point).unwrap();
        let mut command = Command::new("sshfs");
        command.args(["-f", "-p", &scene.port()]);
        for pair in scene.options().chunks(2) {
            // sshfs hands options to ssh itself, and knows no -F of its own.
            match pair {
                [flag, _] if flag == "-F" => command.args(["-F", "/dev/null"]),
                [flag, value] => command.args([flag, value]),
                _ => unreachable!("options come in pairs"),
            };
        }
        for option in options {
            command.args(["-o", option]);
        }
        command
            .arg(format!("{USER}@127.0.0.1:"))
            .arg(&point)
            .stdin(Stdio::null());
        let before = point.metadata().unwrap().dev();
        let sshfs = scene.at_home(&mut command).spawn().unwrap();
        until(
            || point.metadata().is_ok_and(|meta| meta.dev() != before),
            || format!("not mounted\n{}", scene.server.log()),
        );
        Self {
            scene,
            sshfs,
            point,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.point.join(name)
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("fusermount3")
            .args(["-u", "-z"])
            .arg(&self.point)
            .status();
        let _ = self.sshfs.kill();
        let _ = self.sshfs.wait();
    }
}

fn in_folder(folder: &Path, program: &str, arguments: &[&str]) -> String {
    run(Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .env("HOME", folder)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        // The files belong to the account of the server.
        .env("GIT_CONFIG_COUNT", "1")
        .env("GIT_CONFIG_KEY_0", "safe.directory")
        .env("GIT_CONFIG_VALUE_0", "*"))
}

/// A tree is copied in and out.
#[test]
fn a_tree_is_copied() {
    let mounted = Mounted::new(&[]);
    let tree = mounted.scene.local("tree");
    plant(&tree);
    in_folder(
        &mounted.point,
        "cp",
        &["-r", &tree.display().to_string(), "copy"],
    );
    same_tree(&tree, &mounted.scene.server.path("copy"));
    in_folder(
        mounted.scene.scratch.path(),
        "cp",
        &["-r", "mounted/copy", "back"],
    );
    same_tree(&tree, &mounted.scene.local("back"));
}

/// What a file system promises is kept.
#[test]
fn it_is_a_file_system() {
    let mounted = Mounted::new(&[]);
    // Read while it is written, before it is closed.
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .open(mounted.path("new"))
        .unwrap();
    file.write_all(b"hello world").unwrap();
    file.sync_all().unwrap();
    assert_eq!(fs::read(mounted.path("new")).unwrap(), b"hello world");
    // Random places, holes, sizes.
    file.write_all_at(b"HOLE", 100_000).unwrap();
    file.seek(SeekFrom::Start(0)).unwrap();
    let mut start = [0; 5];
    file.read_exact(&mut start).unwrap();
    assert_eq!(&start, b"hello");
    file.set_len(50).unwrap();
    drop(file);
    assert_eq!(mounted.scene.server.read("new").len(), 50);
    // Append.
    let mut file = OpenOptions::new()
        .append(true)
        .open(mounted.path("new"))
        .unwrap();
    file.write_all(b"end").unwrap();
    drop(file);
    assert_eq!(&mounted.scene.server.read("new")[50..], b"end");
    // A rename replaces; a link is followed; a mode is set; a directory must be empty.
    fs::write(mounted.path("old"), "old").unwrap();
    fs::rename(mounted.path("new"), mounted.path("old")).unwrap();
    assert_eq!(mounted.scene.server.read("old").len(), 53);
    symlink("old", mounted.path("link")).unwrap();
    assert_eq!(
        fs::read_link(mounted.path("link")).unwrap(),
        Path::new("old")
    );
    assert_eq!(fs::read(mounted.path("link")).unwrap().len(), 53);
    fs::set_permissions(mounted.path("old"), fs::Permissions::from_mode(0o640)).unwrap();
    assert_eq!(
        mounted.path("old").metadata().unwrap().mode() & 0o777,
        0o640
    );
    fs::create_dir_all(mounted.path("a/b")).unwrap();
    assert!(fs::remove_dir(mounted.path("a")).is_err());
    fs::remove_dir(mounted.path("a/b")).unwrap();
    fs::remove_dir(mounted.path("a")).unwrap();
    assert!(
        File::create_new(mounted.path("old")).is_err(),
        "a file was made twice"
    );
    fs::hard_link(mounted.path("old"), mounted.path("second")).unwrap();
    assert_eq!(mounted.scene.server.read("second").len(), 53);
    assert!(mounted.path("missing").metadata().is_err());
}

/// git clones into it, commits, repacks and checks.
#[test]
fn git_works_on_it() {
    let mounted = Mounted::new(&[]);
    let origin = mounted.scene.local("origin");
    fs::create_dir(&origin).unwrap();
    let me = ["-c", "user.name=t", "-c", "user.email=t@example.org"];
    in_folder(&origin, "git", &["init", "-q", "-b", "main"]);
    plant(&origin.join("tree"));
    in_folder(&origin, "git", &["add", "."]);
    in_folder(
        &origin,
        "git",
        &[&me[..], &["commit", "-q", "-m", "one"]].concat(),
    );
    let url = format!("file://{}", origin.display());
    in_folder(&mounted.point, "git", &["clone", "-q", &url, "clone"]);
    let clone = mounted.path("clone");
    same_tree(&origin.join("tree"), &clone.join("tree"));
    fs::write(clone.join("more"), "more").unwrap();
    in_folder(&clone, "git", &["add", "."]);
    in_folder(
        &clone,
        "git",
        &[&me[..], &["commit", "-q", "-m", "two"]].concat(),
    );
    in_folder(&clone, "git", &["gc", "-q"]);
    in_folder(&clone, "git", &["fsck", "--full", "--strict"]);
    assert_eq!(in_folder(&clone, "git", &["status", "--short"]), "");
}

/// SQLite keeps a database on it, with its journal.
#[test]
fn sqlite_works_on_it() {
    let mounted = Mounted::new(&[]);
    let sql = "PRAGMA journal_mode=DELETE; CREATE TABLE t(a INTEGER PRIMARY KEY, b BLOB); \
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<2000) \
        INSERT INTO t SELECT i, randomblob(300) FROM n; \
        DELETE FROM t WHERE a%3=0; VACUUM; PRAGMA integrity_check; SELECT count(*) FROM t;";
    let said = in_folder(&mounted.point, "sqlite3", &["base.db", sql]);
    assert!(said.ends_with("ok\n1334\n"), "{said}");
    let said = run(Command::new("sqlite3")
        .arg(mounted.scene.server.path("base.db"))
        .arg("PRAGMA integrity_check;"));
    assert_eq!(said, "ok\n");
}

/// Numbers that look random and are the same in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 11).unwrap() % sides
    }
}

/// Reads, writes, truncations, extensions and reopenings at random, compared with memory each time.
fn exercise(options: &[&str], seed: u64) {
    const LARGEST: usize = 300_000;
    let mounted = Mounted::new(options);
    let path = mounted.path("exercised");
    let open = || {
        OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .unwrap()
    };
    let (mut file, mut model, mut dice) = (open(), Vec::<u8>::new(), Dice(seed));
    for step in 0..1500 {
        let (at, length) = (dice.roll(LARGEST), 1 + dice.roll(70_000));
        match dice.roll(10) {
            0..=3 => {
                let length = length.min(LARGEST - at);
                let bytes = noise(step, length);
                file.write_all_at(&bytes, at as u64).unwrap();
                if model.len() < at + length {
                    model.resize(at + length, 0);
                }
                model[at..at + length].copy_from_slice(&bytes);
            }
            4..=7 => {
                let mut bytes = vec![0; length];
                let mut got = 0;
                while got < length {
                    match file.read_at(&mut bytes[got..], (at + got) as u64).unwrap() {
                        0 => break,
                        count => got += count,
                    }
                }
                let wanted = model.get(at.min(model.len())..).unwrap_or_default();
                let wanted = &wanted[..length.min(wanted.len())];
                assert!(
                    bytes[..got] == *wanted,
                    "step {step}: {got} octets at {at} instead of {}",
                    wanted.len()
                );
            }
            8 => {
                file.set_len(at as u64).unwrap();
                model.resize(at, 0);
            }
            _ => {
                drop(file);
                assert_eq!(path.metadata().unwrap().len(), model.len() as u64);
                file = open();
            }
        }
    }
    drop(file);
    assert!(mounted.scene.server.read("exercised") == model);
}

/// With the client's caches.
#[test]
fn random_operations_agree_with_memory() {
    exercise(&[], 0x9E37_79B9_7F4A_7C15);
}

/// Every operation on the wire.
#[test]
fn random_operations_agree_with_memory_without_caches() {
    exercise(&["direct_io", "dir_cache=no"], 0xD1B5_4A32_D192_ED03);
}

/// Several connections of one mount.
#[test]
fn random_operations_agree_over_several_connections() {
    exercise(&["max_conns=4"], 0x2545_F491_4F6C_DD1D);
}
