//! What is left of root after the start: looked at from outside, in the kernel's own report.
//!
//! These tests need root and fail without it: a server that never was root proves nothing.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use wharf_acceptance_tests::socket::free_port;
use wharf_acceptance_tests::subject::wharf_binary;
use wharf_acceptance_tests::{Control, PASSWORD, Scratch, USER};

/// How long a server may be silent.
const PATIENCE: Duration = Duration::from_secs(20);

/// `CAP_NET_BIND_SERVICE` in the kernel's masks.
const BIND_SERVICE: u64 = 1 << 10;

/// Groups that root has before the start, and that must not stay: root, adm, sudo, video.
const GROUPS_OF_ROOT: &str = "0,4,27,44";

/// Capabilities that a careless start hands down to whatever is run: they must not stay either.
const AMBIENT: &str = "+chown,+dac_override,+setuid,+net_bind_service";

/// A server that root started with supplementary groups and ambient capabilities.
struct Started {
    child: Child,
    address: SocketAddr,
}

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Identity and capabilities of one thread, as `/proc` tells them.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Status {
    users: Vec<u32>,
    groups: Vec<u32>,
    supplementary: Vec<u32>,
    /// Inheritable, permitted, effective, ambient.
    capabilities: [u64; 4],
    no_new_privileges: bool,
}

impl Status {
    fn of(user: u32, group: u32, kept: u64) -> Self {
        Self {
            users: vec![user; 4],
            groups: vec![group; 4],
            supplementary: vec![group],
            capabilities: [0, kept, kept, 0],
            no_new_privileges: true,
        }
    }

    fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).expect("a thread's status");
        let field = |name: &str| {
            text.lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
                .unwrap_or_else(|| panic!("no {name} in {text}"))
                .trim()
        };
        let numbers = |name: &str| {
            field(name)
                .split_whitespace()
                .map(|number| number.parse().expect("a number"))
                .collect()
        };
        Self {
            users: numbers("Uid"),
            groups: numbers("Gid"),
            supplementary: numbers("Groups"),
            capabilities: ["CapInh", "CapPrm", "CapEff", "CapAmb"]
                .map(|name| u64::from_str_radix(field(name), 16).expect("a mask")),
            no_new_privileges: field("NoNewPrivs") == "1",
        }
    }
}

impl Started {
    fn serving(folder: &Path, scratch: &Scratch, port: u16, more: &[&str]) -> Self {
        let own = Status::read(Path::new("/proc/self/status"));
        assert_eq!(own.users, [0; 4], "these tests need root");
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let mut child = Command::new("setpriv")
            .args(["--groups", GROUPS_OF_ROOT])
            .args(["--inh-caps", AMBIENT, "--ambient-caps", AMBIENT, "--"])
            .arg(wharf_binary())
            .arg("serve")
            .arg(folder)
            .args(["--listen", &address.to_string()])
            .args(["--user", &format!("{USER}:{PASSWORD}")])
            .arg("--state-dir")
            .arg(scratch.path().join("state"))
            .args(["--log-level", "warning"])
            .args(more)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("setpriv of util-linux");
        // It speaks when it is ready: its identity is final by then.
        let mut line = String::new();
        let output = child.stdout.as_mut().expect("its output");
        BufReader::new(output)
            .read_line(&mut line)
            .expect("its first line");
        let started = Self { child, address };
        assert!(line.starts_with("Serving "), "it did not start: {line:?}");
        started
    }

    /// What its threads are; one element when they agree.
    fn threads(&self) -> BTreeSet<Status> {
        // A session first, so that threads that are made late are there, too.
        self.login();
        fs::read_dir(format!("/proc/{}/task", self.child.id()))
            .expect("its threads")
            .flatten()
            .map(|thread| Status::read(&thread.path().join("status")))
            .collect()
    }

    fn login(&self) -> Control {
        let mut control = Control::greeted(self.address);
        control.log_in();
        control
    }
}

fn folder_of(scratch: &Scratch, owner: u32) -> std::path::PathBuf {
    let folder = scratch.path().join("home");
    fs::create_dir(&folder).expect("a folder");
    chown(&folder, Some(owner), Some(owner)).expect("its owner");
    folder
}

/// CVE-2024-48651: the groups that root had are gone, in every thread, and so is what they open.
#[test]
fn cve_2024_48651_no_group_and_no_capability_of_root_stays() {
    let scratch = Scratch::new("privileges");
    let folder = folder_of(&scratch, 61_000);
    for (name, group) in [("of root", 0), ("of adm", 4), ("ours", 61_000)] {
        let path = folder.join(name);
        fs::write(&path, "x").unwrap();
        chown(&path, Some(0), Some(group)).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    }
    let server = Started::serving(&folder, &scratch, free_port(), &[]);
    assert_eq!(
        server.threads(),
        BTreeSet::from([Status::of(61_000, 61_000, 0)])
    );
    let mut control = server.login();
    assert_eq!(control.fetch("RETR ours"), b"x");
    control.refused("RETR of root", &[550]);
    control.refused("RETR of adm", &[550]);
}

/// CVE-2024-48651: also when no account file knows the user, and so nobody names a group.
#[test]
fn cve_2024_48651_a_user_without_an_entry_has_its_own_group_alone() {
    for (who, user, group) in [("4711", 4711, 4711), ("4711:4712", 4711, 4712)] {
        let scratch = Scratch::new("privileges");
        let folder = folder_of(&scratch, 0);
        let server = Started::serving(&folder, &scratch, free_port(), &["--run-as", who]);
        assert_eq!(
            server.threads(),
            BTreeSet::from([Status::of(user, group, 0)]),
            "{who}"
        );
    }
}

/// A root-owned folder: the number stays, every power and every other group goes.
#[test]
fn a_server_of_a_folder_of_root_is_root_by_number_only() {
    let scratch = Scratch::new("privileges");
    let folder = folder_of(&scratch, 0);
    fs::write(folder.join("private"), "x").unwrap();
    chown(folder.join("private"), Some(61_000), Some(61_000)).unwrap();
    fs::set_permissions(folder.join("private"), fs::Permissions::from_mode(0o600)).unwrap();
    let server = Started::serving(&folder, &scratch, free_port(), &[]);
    assert_eq!(server.threads(), BTreeSet::from([Status::of(0, 0, 0)]));
    server.login().refused("RETR private", &[550]);
}

/// RFC 959 3.2: a standard port next to the data port keeps the one capability that binds it.
#[test]
fn a_standard_port_keeps_the_capability_to_bind_and_no_other() {
    let port = (600..1000)
        .find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok())
        .expect("a free port below 1024");
    let scratch = Scratch::new("privileges");
    let folder = folder_of(&scratch, 61_000);
    let server = Started::serving(&folder, &scratch, port, &[]);
    assert_eq!(
        server.threads(),
        BTreeSet::from([Status::of(61_000, 61_000, BIND_SERVICE)])
    );
}

/// A key that only root can read, as certbot leaves it, is read once: that is told at the start, not
/// on the day of a renewal that nobody sees.
#[test]
fn a_key_that_only_root_can_read_is_told_at_the_start_with_its_mend() {
    let scratch = Scratch::new("privileges");
    let path = |name: &str| scratch.path().join(name).display().to_string();
    let (chain, key, configuration) = (path("chain.pem"), path("key.pem"), path("wharf.toml"));
    let made = Command::new("openssl")
        .args([
            "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "90",
        ])
        .args([
            "-subj",
            "/CN=ftp.example.org",
            "-out",
            &chain,
            "-keyout",
            &key,
        ])
        .output()
        .expect("openssl");
    assert!(made.status.success(), "{made:?}");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    let public = folder_of(&scratch, 4711);
    let text = format!(
        "[server]\nuser = \"4711:4712\"\nstate_dir = {state:?}\n[ftp]\nlisten = [\"127.0.0.1:{port}\"]\n\
         [[tls.certificates]]\nchain = {chain:?}\nkey = {key:?}\n\
         [anonymous]\nenabled = true\nroot = {public:?}\n",
        state = path("state"),
        port = free_port(),
    );
    fs::write(&configuration, text).unwrap();
    let mut child = Command::new(wharf_binary())
        .args(["serve", "--config", &configuration])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the server");
    let log = BufReader::new(child.stderr.take().expect("its log"));
    let (tell, told) = mpsc::channel();
    let listening = thread::spawn(move || {
        let mut lines = log.lines().map_while(Result::ok);
        let _ = tell.send(lines.find(|line| line.contains(" warning ")));
    });
    let warning = told.recv_timeout(PATIENCE);
    let _ = child.kill();
    let _ = child.wait();
    listening.join().unwrap();
    let warning = warning.ok().flatten();
    let warning = warning.expect("a warning");
    for part in [
        key.as_str(),
        "user 4711, group 4712",
        "chgrp 4712",
        "systemctl restart",
        "SIGHUP",
    ] {
        assert!(warning.contains(part), "{part} in {warning}");
    }
}
