//! The server under test, started on loopback over a directory of the test's own.
//!
//! `SUBJECT` chooses it: `wharf` (default), `vsftpd`, `proftpd`, `pure-ftpd`, `openssh`, `tftpd-hpa`, `atftpd`
//! or `dnsmasq`. Wharf's binary is `$WHARF`, else the one beside this test in the target directory. The reference servers are
//! unpacked Debian packages in `$PEERS`, else `target/peers` (`scripts/setup-tests` puts them
//! there); they know only system accounts, so each one runs in a mount and process namespace of its
//! own in which `/etc/passwd`, `/etc/shadow` and PAM are the test's. That needs root; Wharf does
//! not.

mod atftpd;
mod dnsmasq;
mod openssh;
mod proftpd;
mod pure_ftpd;
mod tftpd_hpa;
mod vsftpd;
mod wharf;

use std::ffi::OsString;
use std::fs;
use std::io::Read;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::socket::{connect_to, free_port};
use crate::tls::Client;
use crate::tls::certificates::CERTIFICATES;
use crate::{Control, Scratch};

/// The unprivileged account that the reference servers serve as.
const UID: u32 = 61_000;

/// Which server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The product.
    Wharf,
    /// vsftpd.
    Vsftpd,
    /// ProFTPD.
    Proftpd,
    /// Pure-FTPd.
    PureFtpd,
    /// OpenSSH's sshd with its own SFTP; it speaks nothing but SSH.
    OpenSsh,
    /// tftp-hpa's server; it speaks nothing but TFTP, as the next two here.
    TftpdHpa,
    /// Advanced TFTP's server.
    Atftpd,
    /// dnsmasq, which only serves TFTP's own port and only sends.
    Dnsmasq,
}

impl Kind {
    /// The one that `SUBJECT` names.
    ///
    /// # Panics
    /// When it names none.
    #[must_use]
    pub fn chosen() -> Self {
        match std::env::var("SUBJECT").as_deref() {
            Err(_) | Ok("" | "wharf") => Self::Wharf,
            Ok("vsftpd") => Self::Vsftpd,
            Ok("proftpd") => Self::Proftpd,
            Ok("pure-ftpd") => Self::PureFtpd,
            Ok("openssh") => Self::OpenSsh,
            Ok("tftpd-hpa") => Self::TftpdHpa,
            Ok("atftpd") => Self::Atftpd,
            Ok("dnsmasq") => Self::Dnsmasq,
            Ok(other) => panic!(
                "SUBJECT={other}: expected wharf, vsftpd, proftpd, pure-ftpd, openssh, tftpd-hpa, atftpd or dnsmasq"
            ),
        }
    }

    /// Its name, as in `SUBJECT`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Wharf => "wharf",
            Self::Vsftpd => "vsftpd",
            Self::Proftpd => "proftpd",
            Self::PureFtpd => "pure-ftpd",
            Self::OpenSsh => "openssh",
            Self::TftpdHpa => "tftpd-hpa",
            Self::Atftpd => "atftpd",
            Self::Dnsmasq => "dnsmasq",
        }
    }

    /// Whether FTP is no business of its.
    fn is_without_ftp(self) -> bool {
        matches!(self, Self::TftpdHpa | Self::Atftpd | Self::Dnsmasq)
    }
}

/// What a test wants of the server beyond the ordinary.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Which server.
    pub kind: Kind,
    /// The address to listen on.
    pub address: IpAddr,
    /// Anonymous login, read-only.
    pub anonymous: bool,
    /// Nobody may write.
    pub read_only: bool,
    /// The range of passive ports, both ends included.
    pub passive_ports: Option<(u16, u16)>,
    /// The directory to serve; a new one when `None`.
    pub root: Option<PathBuf>,
    /// Wharf's configuration file; none when empty. No other server looks at it. `{tls}` becomes the
    /// directory of the certificates, `{root}` the served one. Beside [`Self::tls`] it must write keys with their sections
    /// (`ftp.ccc = true`): the set-up's own stand in front.
    pub wharf: &'static str,
    /// Serve a new tmpfs of this size (`mount`'s syntax), which only Wharf sees: a disk that can be
    /// filled. Needs root.
    pub tmpfs: Option<&'static str>,
    /// TLS with the suite's certificates; `None`: whatever the server does by itself.
    pub tls: Option<TlsSetup>,
    /// SSH as well ([`Server::ssh`]); `None`: without. Only Wharf and OpenSSH have it.
    pub ssh: Option<SshSetup>,
    /// TFTP ([`Server::tftp`]), and nothing else; `None`: without. Wharf and three others have it.
    pub tftp: Option<TftpSetup>,
}

/// What a test wants of the server's TFTP beyond everybody's right to read, create and overwrite.
#[derive(Clone, Debug, Default)]
pub struct TftpSetup {
    /// Further keys of Wharf's section `[tftp]`, and whatever follows it; `{root}` becomes the served directory.
    pub section: String,
}

/// What a test wants of the server's SSH.
#[derive(Clone, Debug, Default)]
pub struct SshSetup {
    /// The account's `authorized_keys` file.
    pub authorized_keys: String,
    /// Further keys of the account in Wharf's configuration.
    pub account: &'static str,
}

/// What a test wants of the server's TLS beyond the ordinary.
#[derive(Clone, Debug, Default)]
pub struct TlsSetup {
    /// What must not go in clear.
    pub require: RequireTls,
    /// Whether data connections must resume the control connection's session.
    pub reuse: bool,
    /// Whether clients must show a certificate of the suite's authority that is not revoked.
    pub client_certificates: bool,
    /// Whether CCC is wanted, where it must be switched on.
    pub ccc: bool,
    /// Whether there is a port on which TLS comes first ([`Server::implicit`]). Where a server has
    /// but one kind of port, it is that one.
    pub implicit: bool,
    /// Whether a reference server speaks nothing above TLS 1.2; Wharf has no such setting.
    pub old: bool,
}

/// What must not go in clear.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RequireTls {
    /// Nothing is demanded.
    #[default]
    No,
    /// Logins.
    Login,
    /// Files and listings.
    Data,
    /// Both.
    Both,
}

impl RequireTls {
    fn login(self) -> bool {
        matches!(self, Self::Login | Self::Both)
    }

    fn data(self) -> bool {
        matches!(self, Self::Data | Self::Both)
    }
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            kind: Kind::chosen(),
            address: Ipv4Addr::LOCALHOST.into(),
            anonymous: false,
            read_only: false,
            passive_ports: None,
            root: None,
            wharf: "",
            tmpfs: None,
            tls: None,
            ssh: None,
            tftp: None,
        }
    }
}

/// What a subject's module gives: how to start it.
struct Launch {
    command: Command,
    /// Whether the test's account files must be mounted over the system's.
    accounts: bool,
}

/// A running server. It is killed, with all its children, when dropped.
#[derive(Debug)]
pub struct Server {
    child: Child,
    address: SocketAddr,
    implicit: Option<SocketAddr>,
    ssh: Option<SocketAddr>,
    tftp: Option<SocketAddr>,
    root: PathBuf,
    scratch: Scratch,
    kind: Kind,
}

/// Where a server is to listen.
#[derive(Clone, Copy, Debug)]
struct Ports {
    /// In clear first.
    explicit: SocketAddr,
    /// TLS first.
    implicit: Option<SocketAddr>,
    /// SSH.
    ssh: Option<SocketAddr>,
    /// TFTP.
    tftp: Option<SocketAddr>,
}

impl Server {
    /// Starts the chosen subject with the ordinary set-up.
    #[must_use]
    pub fn start() -> Self {
        Self::with(Setup::default())
    }

    /// Starts it as `setup` says.
    ///
    /// # Panics
    /// When it cannot be started or does not greet within 15 seconds.
    #[must_use]
    pub fn with(setup: Setup) -> Self {
        let scratch = Scratch::new(setup.kind.name());
        let root = setup
            .root
            .clone()
            .unwrap_or_else(|| scratch.path().join("home"));
        make_directory(&root);
        CERTIFICATES.write(&scratch.path().join("tls"));
        if setup.kind == Kind::Wharf {
            // It serves as the owner of the directory, and looks at its certificates again.
            for entry in fs::read_dir(scratch.path().join("tls"))
                .into_iter()
                .flatten()
                .flatten()
            {
                own(&entry.path());
            }
        }
        let implicit = setup.tls.as_ref().is_some_and(|tls| tls.implicit);
        let implicit = implicit.then(|| SocketAddr::new(setup.address, free_port()));
        let mut address = SocketAddr::new(setup.address, free_port());
        if let (Some(only), true) = (implicit, setup.kind != Kind::Wharf) {
            address = only;
        }
        let ssh = setup
            .ssh
            .as_ref()
            .map(|_| SocketAddr::new(setup.address, free_port()));
        if let (Some(only), Kind::OpenSsh) = (ssh, setup.kind) {
            address = only;
        }
        let tftp = setup.tftp.as_ref().map(|_| match setup.kind {
            Kind::Dnsmasq => dnsmasq::address(),
            _ => SocketAddr::new(setup.address, free_port()),
        });
        if let Some(only) = tftp {
            address = only;
        }
        let child = launch(
            &setup,
            &scratch,
            &root,
            Ports {
                explicit: address,
                implicit,
                ssh,
                tftp,
            },
        );
        let mut server = Self {
            child,
            address,
            implicit,
            ssh,
            tftp,
            root,
            scratch,
            kind: setup.kind,
        };
        server.wait_until_it_greets();
        if setup.tmpfs.is_some() {
            // Seen through the server's own mount namespace.
            let inside = server.root.strip_prefix("/").expect("an absolute path");
            server.root = PathBuf::from(format!("/proc/{}/root", server.process())).join(inside);
        }
        server
    }

    /// Kills the server at once (`SIGKILL`) and starts it again on the same port and directory.
    ///
    /// # Panics
    /// When it does not come up again.
    pub fn restart_after_a_crash(&mut self, setup: &Setup) {
        self.kill();
        self.child = launch(
            setup,
            &self.scratch,
            &self.root,
            Ports {
                explicit: self.address,
                implicit: self.implicit,
                ssh: self.ssh,
                tftp: self.tftp,
            },
        );
        self.wait_until_it_greets();
    }

    /// Asks Wharf to read its configuration and certificates again (`SIGHUP`).
    ///
    /// # Panics
    /// When there is no such process.
    pub fn hang_up(&self) {
        let process = i32::try_from(self.process())
            .ok()
            .and_then(Pid::from_raw)
            .expect("a process");
        kill_process(process, Signal::HUP).expect("a signal");
    }

    /// Kills the server at once.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    fn wait_until_it_greets(&mut self) {
        let deadline = Instant::now() + Duration::from_secs(15);
        while Instant::now() < deadline {
            if let Ok(Some(status)) = self.child.try_wait() {
                panic!("{} ended with {status}:\n{}", self.kind.name(), self.log());
            }
            if self.greets() {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!(
            "{} does not greet on {}:\n{}",
            self.kind.name(),
            self.address,
            self.log()
        );
    }

    fn greets(&self) -> bool {
        if let Some(address) = self.tftp {
            return answers(address);
        }
        let mut greeting = [0; 3];
        let in_clear = self.implicit == Some(self.address)
            || connect_to(self.address)
                .and_then(|mut stream| stream.read_exact(&mut greeting))
                .is_ok();
        let over_ssh = self.ssh.is_none_or(|address| {
            connect_to(address)
                .and_then(|mut stream| stream.read_exact(&mut greeting))
                .is_ok_and(|()| greeting == *b"SSH")
        });
        in_clear
            && over_ssh
            && self.implicit.is_none_or(|address| {
                connect_to(address)
                    .and_then(|stream| Client::new().connect(stream))
                    .and_then(|mut stream| stream.read_exact(&mut greeting))
                    .is_ok()
            })
    }

    /// Which server it is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The process: of Wharf itself, or of the namespace that holds a reference server.
    #[must_use]
    pub fn process(&self) -> u32 {
        self.child.id()
    }

    /// The resident memory of Wharf's process, in KiB.
    ///
    /// # Panics
    /// When `/proc` cannot be read.
    #[must_use]
    pub fn resident_kib(&self) -> u64 {
        let status =
            fs::read_to_string(format!("/proc/{}/status", self.process())).expect("process status");
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .expect("VmRSS");
        line.trim()
            .trim_end_matches(" kB")
            .parse()
            .expect("a number of KiB")
    }

    /// The processor time that Wharf's process has used, in ticks of 10 ms.
    ///
    /// # Panics
    /// When `/proc` cannot be read.
    #[must_use]
    pub fn processor_ticks(&self) -> u64 {
        let stat =
            fs::read_to_string(format!("/proc/{}/stat", self.process())).expect("process stat");
        // Behind the name, which may hold anything: state is the first, utime the 12th, stime the 13th.
        let fields = stat.rsplit_once(')').expect("a name in brackets").1;
        fields
            .split_whitespace()
            .skip(11)
            .take(2)
            .map(|ticks| ticks.parse::<u64>().expect("a number of ticks"))
            .sum()
    }

    /// What the server wrote to its standard error.
    #[must_use]
    pub fn log(&self) -> String {
        let bytes = fs::read(self.scratch.path().join("log")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// A connection that has read the greeting.
    #[must_use]
    #[track_caller]
    pub fn connect(&self) -> Control {
        Control::greeted(self.address)
    }

    /// A connection that is logged in.
    #[must_use]
    #[track_caller]
    pub fn login(&self) -> Control {
        let mut control = self.connect();
        control.log_in();
        control
    }

    /// Where TLS comes first.
    ///
    /// # Panics
    /// When the set-up did not ask for it.
    #[must_use]
    pub fn implicit(&self) -> SocketAddr {
        self.implicit.expect("a set-up with an implicit port")
    }

    /// Where it speaks SSH.
    ///
    /// # Panics
    /// When the set-up did not ask for it.
    #[must_use]
    pub fn ssh(&self) -> SocketAddr {
        self.ssh.expect("a set-up with SSH")
    }

    /// Where it speaks TFTP.
    ///
    /// # Panics
    /// When the set-up did not ask for it.
    #[must_use]
    pub fn tftp(&self) -> SocketAddr {
        self.tftp.expect("a set-up with TFTP")
    }

    /// Starts it with TLS and nothing else out of the ordinary.
    #[must_use]
    pub fn with_tls() -> Self {
        Self::with_tls_as(TlsSetup::default())
    }

    /// Starts it with TLS as `tls` says.
    #[must_use]
    pub fn with_tls_as(tls: TlsSetup) -> Self {
        Self::with(Setup {
            tls: Some(tls),
            ..Setup::default()
        })
    }

    /// A connection under TLS, after AUTH.
    #[must_use]
    #[track_caller]
    pub fn secured(&self, client: &Client) -> Control {
        let mut control = self.connect();
        control.secure(client);
        control
    }

    /// A connection under TLS that is logged in and whose data are private.
    #[must_use]
    #[track_caller]
    pub fn private_login(&self, client: &Client) -> Control {
        let mut control = self.secured(client);
        control.protect(client);
        control.log_in();
        control.expect("TYPE I", 200);
        control
    }

    /// A connection to the implicit port that has read the greeting.
    #[must_use]
    #[track_caller]
    pub fn implicit_connect(&self, client: &Client) -> Control {
        let mut control = Control::open(self.implicit());
        control.start_tls(client);
        control.wants(220);
        control
    }

    /// The directory with the certificates (`server.pem`, `server.key`, `ca.pem` and so on).
    #[must_use]
    pub fn certificates(&self) -> PathBuf {
        self.scratch.path().join("tls")
    }

    /// The directory that is served.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The host's path of a served name.
    #[must_use]
    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.root.join(name)
    }

    /// A directory beside the served one: nothing in it may ever be seen or touched.
    #[must_use]
    pub fn outside(&self) -> PathBuf {
        let path = self.scratch.path().join("outside");
        make_directory(&path);
        path
    }

    /// Puts a file into the served directory.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn put(&self, name: impl AsRef<Path>, bytes: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::write(&path, bytes).expect("a file of the test");
        own(&path);
    }

    /// Makes a directory in the served one.
    pub fn mkdir(&self, name: impl AsRef<Path>) {
        make_directory(&self.path(name));
    }

    /// The bytes of a served file.
    ///
    /// # Panics
    /// When it cannot be read.
    #[must_use]
    #[track_caller]
    pub fn read(&self, name: impl AsRef<Path>) -> Vec<u8> {
        let path = self.path(name);
        fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// Whether there is such a name.
    #[must_use]
    pub fn has(&self, name: impl AsRef<Path>) -> bool {
        self.path(name).symlink_metadata().is_ok()
    }

    /// The names in the served directory, sorted, the server's own temporaries included.
    #[must_use]
    pub fn names(&self) -> Vec<OsString> {
        let mut names: Vec<_> = fs::read_dir(&self.root)
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.file_name())
            .collect();
        names.sort();
        names
    }

    /// Sets a file's modification time, in seconds since 1970.
    ///
    /// # Panics
    /// When it cannot be set.
    pub fn touch(&self, name: impl AsRef<Path>, seconds: u64) {
        let time = std::time::UNIX_EPOCH + Duration::from_secs(seconds);
        fs::File::open(self.path(name))
            .and_then(|file| file.set_modified(time))
            .expect("modification time");
    }

    /// A file's modification time, in seconds since 1970.
    ///
    /// # Panics
    /// When the file has none.
    #[must_use]
    pub fn modified(&self, name: impl AsRef<Path>) -> u64 {
        let time = self
            .path(name)
            .metadata()
            .and_then(|meta| meta.modified())
            .expect("modification time");
        time.duration_since(std::time::UNIX_EPOCH)
            .expect("a time after 1970")
            .as_secs()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!("--- log of {}:\n{}", self.kind.name(), self.log());
        }
    }
}

/// The target directory that this test was built in (`CARGO_TARGET_DIR` is respected by looking at
/// where the test lies, not at where it should).
///
/// # Panics
/// When the test does not lie in `TARGET/PROFILE/deps`.
#[must_use]
pub fn profile_directory() -> PathBuf {
    let test = std::env::current_exe().expect("the test's own path");
    let deps = test.parent().expect("a directory");
    deps.parent()
        .expect("the profile's directory")
        .to_path_buf()
}

/// The binary of the product.
///
/// # Panics
/// When it has not been built.
#[must_use]
pub fn wharf_binary() -> PathBuf {
    let path =
        std::env::var_os("WHARF").map_or_else(|| profile_directory().join("wharf"), PathBuf::from);
    assert!(
        path.is_file(),
        "{} is missing: build it with `cargo build --workspace --all-targets`",
        path.display()
    );
    path
}

/// A file of an unpacked reference package.
///
/// # Panics
/// When the package has not been unpacked.
#[must_use]
pub fn peer(path: &str) -> PathBuf {
    let base = std::env::var_os("PEERS").map_or_else(
        || {
            profile_directory()
                .parent()
                .expect("the target directory")
                .join("peers")
        },
        PathBuf::from,
    );
    let path = base.join(path);
    assert!(
        path.exists(),
        "{} is missing: run scripts/setup-tests",
        path.display()
    );
    path
}

/// Whether a TFTP server says anything about a file that it does not have.
fn answers(server: SocketAddr) -> bool {
    let any = SocketAddr::new(server.ip(), 0);
    UdpSocket::bind(any).is_ok_and(|socket| {
        let _ = socket.set_read_timeout(Some(Duration::from_millis(200)));
        socket
            .send_to(b"\0\x01no such file\0octet\0", server)
            .is_ok()
            && socket.recv_from(&mut [0; 600]).is_ok()
    })
}

fn launch(setup: &Setup, scratch: &Scratch, root: &Path, ports: Ports) -> Child {
    assert!(
        setup.tftp.is_some() || !setup.kind.is_without_ftp(),
        "{} has no FTP",
        setup.kind.name()
    );
    let launch = match setup.kind {
        Kind::Wharf => wharf::launch(setup, scratch, root, ports),
        Kind::Vsftpd => vsftpd::launch(setup, scratch, root, ports.explicit),
        Kind::Proftpd => proftpd::launch(setup, scratch, root, ports.explicit),
        Kind::PureFtpd => pure_ftpd::launch(setup, scratch, ports.explicit),
        Kind::OpenSsh => openssh::launch(setup, scratch, ports),
        Kind::TftpdHpa => tftpd_hpa::launch(root, ports.explicit),
        Kind::Atftpd => atftpd::launch(root, ports.explicit),
        Kind::Dnsmasq => dnsmasq::launch(root, ports.explicit),
    };
    let mut command = if launch.accounts {
        isolated(&launch.command, scratch, root)
    } else if let Some(size) = setup.tmpfs {
        over_tmpfs(&launch.command, size, root)
    } else {
        launch.command
    };
    let log = fs::OpenOptions::new()
        .create(true)
        .append(true)
        .read(true)
        .open(scratch.path().join("log"))
        .expect("log");
    command
        // vsftpd reports its failures on standard input.
        .stdin(log.try_clone().expect("log"))
        .stdout(log.try_clone().expect("log"))
        .stderr(log)
        .env("LANG", "C.UTF-8")
        .env("TZ", "UTC");
    if setup.tls.as_ref().is_some_and(|tls| tls.old) {
        assert!(launch.accounts, "Wharf does not use OpenSSL");
        let limits = "openssl_conf = a\n[a]\nssl_conf = b\n[b]\nsystem_default = c\n[c]\nMaxProtocol = TLSv1.2\n";
        command.env("OPENSSL_CONF", config(scratch, "openssl.cnf", limits));
    }
    command
        .spawn()
        .unwrap_or_else(|error| panic!("{}: {error}", setup.kind.name()))
}

/// Wraps a server into namespaces in which the suite's accounts exist: the host's own files are
/// neither changed nor seen, and every child dies with the wrapper.
fn isolated(server: &Command, scratch: &Scratch, root: &Path) -> Command {
    let etc = scratch.path().join("etc");
    fs::create_dir_all(&etc).expect("etc");
    let home = root.display();
    // MD5-crypt of the suite's password: cheap to check, known to every libcrypt.
    let hash = "$1$wharf$nv4G3uZfPpvEiHOKaNL0l/";
    let ftp = UID + 1;
    for (file, mode, lines) in [
        (
            "passwd",
            0o644,
            format!(
                "wharf:x:{UID}:{UID}::{home}:/bin/sh\nftp:x:{ftp}:{UID}::{home}:/bin/sh\n\
                 sshd:x:{}:65534::/run/sshd:/usr/sbin/nologin\n",
                UID + 2
            ),
        ),
        ("group", 0o644, format!("wharf:x:{UID}:\n")),
        (
            "shadow",
            0o600,
            format!("wharf:{hash}:19000:0:99999:7:::\nftp:*:19000:0:99999:7:::\n"),
        ),
    ] {
        let system = fs::read_to_string(format!("/etc/{file}")).expect("the system's account file");
        let kept: String = system
            .lines()
            .filter(|line| {
                !["wharf:", "ftp:", "sshd:"]
                    .iter()
                    .any(|name| line.starts_with(name))
            })
            .flat_map(|line| [line, "\n"])
            .collect();
        fs::write(etc.join(file), kept + &lines).expect("account file");
        fs::set_permissions(etc.join(file), fs::Permissions::from_mode(mode)).expect("mode");
    }
    // Pure-FTPd looks for its certificate there and nowhere else.
    let private = etc.join("private");
    fs::create_dir_all(&private).expect("private");
    fs::copy(
        scratch.path().join("tls/server.both.pem"),
        private.join("pure-ftpd.pem"),
    )
    .expect("certificate");
    let pam = etc.join("pam.d");
    fs::create_dir_all(&pam).expect("pam.d");
    fs::write(
        pam.join("wharf-acceptance"),
        "auth required pam_unix.so nodelay\naccount required pam_permit.so\nsession required pam_permit.so\n",
    )
    .expect("PAM service");
    let script = r#"
etc=$1; shift
for f in passwd group shadow pam.d; do mount --bind "$etc/$f" "/etc/$f" || exit 70; done
mount --bind "$etc/private" /etc/ssl/private || exit 70
mount -t tmpfs -o mode=755 run /run && mkdir /run/sshd || exit 70
# Not exec: vsftpd gives up when it reaps an orphan, and the first process of a namespace gets them all.
"$@"
exit $?"#;
    let mut command = Command::new("unshare");
    command.args([
        "--mount",
        "--pid",
        "--ipc",
        "--fork",
        "--kill-child=SIGKILL",
        "--mount-proc",
    ]);
    command.args(["sh", "-c", script, "sh"]).arg(&etc);
    command.arg(server.get_program()).args(server.get_args());
    command
}

/// Wraps a server into a mount namespace in which `root` is a tmpfs; the process stays the same one.
fn over_tmpfs(server: &Command, size: &str, root: &Path) -> Command {
    let script = r#"mount -t tmpfs -o "$1" tmpfs "$2" && shift 2 && exec "$@""#;
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", script, "sh"]);
    command
        .arg(format!("size={size},mode=755,uid={UID},gid={UID}"))
        .arg(root);
    command.arg(server.get_program()).args(server.get_args());
    command
}

fn make_directory(path: &Path) {
    fs::create_dir_all(path).expect("a directory of the test");
    own(path);
}

/// Gives a file to the account of the reference servers; only root can, and only they need it.
fn own(path: &Path) {
    let _ = chown(path, Some(UID), Some(UID));
}

/// Writes a configuration file into the scratch directory.
fn config(scratch: &Scratch, name: &str, text: &str) -> PathBuf {
    let path = scratch.path().join(name);
    fs::write(&path, text).expect("configuration file");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("mode");
    path
}

/// Runs a program to its end and gives its standard output.
///
/// # Panics
/// When it cannot be run or fails.
pub fn run(command: &mut Command) -> String {
    let output = command
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}
