//! FTP over TLS with the clients of today: each of them uploads, downloads, lists, resumes and is
//! killed in the middle, over explicit and implicit TLS, 1.2 and 1.3; the bytes on disk decide.
//!
//! The server demands TLS for everything and a `close_notify` behind every upload, so a client that
//! passes protects its data and ends them in order, and one that is killed leaves no whole file.

mod clearing;
mod curl;
mod ftplib;
mod lftp;
mod openssl;
mod own_client;
mod rclone;
mod reuse;
mod weaknesses;

use std::fs;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use wharf_acceptance_tests::subject::run;
use wharf_acceptance_tests::{Kind, RequireTls, Scratch, Server, Setup, TlsSetup};
use wharf_interop_tests::{content, has_octets, until};

/// How TLS begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// By AUTH.
    Explicit,
    /// With the first byte.
    Implicit,
}

/// The version of TLS that a client is held to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    Tls12,
    Tls13,
}

impl Version {
    /// Both.
    pub(crate) const ALL: [Self; 2] = [Self::Tls12, Self::Tls13];

    /// As curl, GnuTLS and Wharf's configuration write it.
    pub(crate) fn number(self) -> &'static str {
        match self {
            Self::Tls12 => "1.2",
            Self::Tls13 => "1.3",
        }
    }

    /// As Wharf's log writes it.
    fn in_log(self) -> &'static str {
        match self {
            Self::Tls12 => "TLSv1_2",
            Self::Tls13 => "TLSv1_3",
        }
    }
}

/// Wharf, how a client is to come to it, and a directory of the client's own.
pub(crate) struct Scene {
    pub(crate) server: Server,
    pub(crate) scratch: Scratch,
    pub(crate) mode: Mode,
    pub(crate) version: Version,
}

impl Scene {
    /// TLS for everything.
    pub(crate) fn new(mode: Mode, version: Version) -> Self {
        let tls = TlsSetup {
            require: RequireTls::Both,
            ..TlsSetup::default()
        };
        Self::with(mode, version, tls)
    }

    pub(crate) fn with(mode: Mode, version: Version, tls: TlsSetup) -> Self {
        let server = Server::with(Setup {
            kind: Kind::Wharf,
            wharf: "tls.require_close_notify = true\n",
            tls: Some(TlsSetup {
                implicit: true,
                ..tls
            }),
            ..Setup::default()
        });
        Self {
            server,
            scratch: Scratch::new("tls"),
            mode,
            version,
        }
    }

    pub(crate) fn port(&self) -> u16 {
        match self.mode {
            Mode::Explicit => self.server.address().port(),
            Mode::Implicit => self.server.implicit().port(),
        }
    }

    /// The certificate to trust.
    pub(crate) fn authority(&self) -> String {
        let path = self.server.certificates().join("server.pem");
        path.display().to_string()
    }

    /// A file of the client's.
    pub(crate) fn local(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }

    fn at_home<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command
            .current_dir(self.scratch.path())
            .env("HOME", self.scratch.path())
            .env("LC_ALL", "C.UTF-8")
    }

    /// Runs a client to its end, which must be a good one, and gives what it said.
    pub(crate) fn run(&self, command: &mut Command) -> String {
        run(self.at_home(command))
    }

    /// Reads so many octets of what a client fetches to its standard output, and kills it.
    fn killed_in_a_download(&self, command: &mut Command, octets: usize) -> Vec<u8> {
        let mut child = self
            .at_home(command)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut got = vec![0; octets];
        let read = child.stdout.take().unwrap().read_exact(&mut got);
        child.kill().unwrap();
        child.wait().unwrap();
        read.unwrap_or_else(|error| panic!("{command:?}: {error}\n{}", self.server.log()));
        got
    }

    /// Gives so many octets to a client that sends its standard input, and kills it before the end.
    fn killed_in_an_upload(&self, command: &mut Command, bytes: &[u8]) {
        let mut child = self.at_home(command).stdin(Stdio::piped()).spawn().unwrap();
        let mut input = child.stdin.take().unwrap();
        let written = input.write_all(bytes);
        until(
            || has_octets(self.server.root(), is_staged),
            || format!("nothing arrived of {command:?}\n{}", self.server.log()),
        );
        child.kill().unwrap();
        child.wait().unwrap();
        drop(input);
        written.unwrap_or_else(|error| panic!("{command:?}: {error}\n{}", self.server.log()));
    }

    /// Waits until the log has the line that a transfer ends with.
    #[track_caller]
    fn logged(&self, text: &str) {
        until(
            || self.server.log().contains(text),
            || format!("no `{text}` in\n{}", self.server.log()),
        );
    }
}

/// Whether it is the name of an upload under way: Wharf gives the file its own when it is whole.
pub(crate) fn is_staged(name: &str) -> bool {
    name.starts_with(".wharf-")
}

/// What a client can be asked for. Local names are of [`Scene::local`].
pub(crate) trait Client {
    /// Sends a file.
    fn upload(&self, scene: &Scene, local: &str, remote: &str);

    /// Fetches a file.
    fn download(&self, scene: &Scene, remote: &str, local: &str);

    /// Lists the top.
    fn list(&self, scene: &Scene) -> String;

    /// Fetches what `local` still lacks.
    fn resume_download(&self, scene: &Scene, remote: &str, local: &str);

    /// Sends what `remote` still lacks; false when the client knows no way.
    fn resume_upload(&self, scene: &Scene, local: &str, remote: &str) -> bool;

    /// Ends a download after so many octets, which it gives.
    fn abort_download(&self, scene: &Scene, remote: &str, octets: usize) -> Vec<u8>;

    /// Ends an upload after these octets.
    fn abort_upload(&self, scene: &Scene, bytes: &[u8], remote: &str);
}

/// The octets of the large file: more than fits between a server and a client that does not read.
const LARGE: usize = 24 << 20;

/// What is there of a file when it is resumed.
const PART: usize = 1_234_567;

/// Everything, in one cell of the matrix. The client is held to `scene.version` by its own means.
fn everything(scene: &Scene, client: &dyn Client) {
    transfers(scene, client);
    resumes(scene, client);
    aborts(scene, client);
    holds_to_its_version(scene);
}

/// Every session that logged in spoke the version that was wanted.
fn holds_to_its_version(scene: &Scene) {
    let log = scene.server.log();
    let sessions: Vec<&str> = log
        .lines()
        .filter(|line| line.ends_with(" logged in"))
        .filter_map(|line| line.split(' ').find(|word| word.contains('#')))
        .collect();
    assert!(!sessions.is_empty(), "no session:\n{log}");
    let wanted = format!("control connection under {},", scene.version.in_log());
    for session in sessions {
        let session = format!(" {session} ");
        let mut lines = log.lines().filter(|line| line.contains(&session));
        assert!(
            lines.any(|line| line.contains(&wanted)),
            "not {wanted}\n{log}"
        );
    }
}

/// Uploads, downloads and a listing.
pub(crate) fn transfers(scene: &Scene, client: &dyn Client) {
    let contents = [
        ("whole.bin", content(1, 3_000_000)),
        ("empty", Vec::new()),
        ("with space é.txt", b"a\r\nb\nc\rd\r\n\0\xff".to_vec()),
    ];
    for (name, bytes) in &contents {
        fs::write(scene.local("sent"), bytes).unwrap();
        client.upload(scene, "sent", name);
        assert!(scene.server.read(name) == *bytes, "upload of {name}");
        client.download(scene, name, "got");
        let got = fs::read(scene.local("got")).unwrap();
        assert!(got == *bytes, "download of {name}: {} octets", got.len());
        fs::remove_file(scene.local("got")).unwrap();
    }
    let listed = client.list(scene);
    for (name, _) in &contents {
        assert!(listed.contains(name), "{listed}");
    }
}

fn resumes(scene: &Scene, client: &dyn Client) {
    let bytes = content(2, 3 << 20);
    let rest = bytes.len() - PART;
    scene.server.put("down", &bytes);
    fs::write(scene.local("part"), &bytes[..PART]).unwrap();
    client.resume_download(scene, "down", "part");
    assert!(
        fs::read(scene.local("part")).unwrap() == bytes,
        "resumed download"
    );
    scene.logged(&format!("download of /down whole ({rest} octets"));

    scene.server.put("up", &bytes[..PART]);
    if client.resume_upload(scene, "part", "up") {
        assert!(scene.server.read("up") == bytes, "resumed upload");
        scene.logged(&format!("upload of /up whole ({rest} octets"));
    }
}

fn aborts(scene: &Scene, client: &dyn Client) {
    let bytes = content(3, LARGE);
    scene.server.put("large", &bytes);
    let part = client.abort_download(scene, "large", PART);
    assert!(part == bytes[..PART], "what came before the end");
    scene.logged("download of /large aborted");
    fs::write(scene.local("large"), &part).unwrap();
    client.resume_download(scene, "large", "large");
    assert!(
        fs::read(scene.local("large")).unwrap() == bytes,
        "after an aborted download"
    );

    client.abort_upload(scene, &bytes[..2 * PART], "cut");
    scene.logged("upload of /cut aborted");
    let kept = scene.server.read("cut");
    assert!(bytes[..2 * PART].starts_with(&kept), "what was kept");
    if client.resume_upload(scene, "large", "cut") {
        assert!(scene.server.read("cut") == bytes, "after an aborted upload");
    }
}

/// The four cells of a client in the matrix, a test each.
macro_rules! cells {
    ($client:expr) => {
        /// RFC 4217 over TLS 1.2; TLS-01.
        #[test]
        fn explicit_tls12() {
            let scene =
                crate::tls::Scene::new(crate::tls::Mode::Explicit, crate::tls::Version::Tls12);
            crate::tls::everything(&scene, &$client);
        }

        /// RFC 4217 over TLS 1.3; TLS-01.
        #[test]
        fn explicit_tls13() {
            let scene =
                crate::tls::Scene::new(crate::tls::Mode::Explicit, crate::tls::Version::Tls13);
            crate::tls::everything(&scene, &$client);
        }

        /// TLS 1.2 first; TLS-01.
        #[test]
        fn implicit_tls12() {
            let scene =
                crate::tls::Scene::new(crate::tls::Mode::Implicit, crate::tls::Version::Tls12);
            crate::tls::everything(&scene, &$client);
        }

        /// TLS 1.3 first; TLS-01.
        #[test]
        fn implicit_tls13() {
            let scene =
                crate::tls::Scene::new(crate::tls::Mode::Implicit, crate::tls::Version::Tls13);
            crate::tls::everything(&scene, &$client);
        }
    };
}
use cells;
