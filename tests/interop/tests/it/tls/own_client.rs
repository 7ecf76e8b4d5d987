//! Wharf's own client over TLS against Wharf and the three reference servers: vsftpd with
//! `require_ssl_reuse=YES`, ProFTPD with mod_tls' defaults (it requires resumption, too), Pure-FTPd; TLS 1.2
//! and 1.3; explicit, and implicit where a server has it.

use std::fs;
use std::process::{Command, Output};

use wharf_acceptance_tests::subject::{run, wharf_binary};
use wharf_acceptance_tests::{Kind, PASSWORD, RequireTls, Scratch, Server, Setup, TlsSetup, USER};
use wharf_interop_tests::{content, grow, hand_over, has_octets, same_file, same_tree, until};

use super::{Mode, Version, is_staged};

struct Scene {
    server: Server,
    scratch: Scratch,
    mode: Mode,
    /// The host that the client is told.
    host: &'static str,
}

impl Scene {
    fn new(kind: Kind, mode: Mode, version: Version) -> Self {
        Self::at(kind, mode, version, "127.0.0.1")
    }

    fn at(kind: Kind, mode: Mode, version: Version, host: &'static str) -> Self {
        let wharf = kind == Kind::Wharf;
        let server = Server::with(Setup {
            kind,
            address: host.parse().unwrap(),
            wharf: match version {
                Version::Tls12 => "",
                Version::Tls13 => "tls.min_version = \"1.3\"\n",
            },
            tls: Some(TlsSetup {
                require: RequireTls::Both,
                reuse: kind != Kind::PureFtpd,
                implicit: mode == Mode::Implicit,
                old: version == Version::Tls12 && !wharf,
                ..TlsSetup::default()
            }),
            ..Setup::default()
        });
        let scratch = Scratch::new("own-tls");
        fs::create_dir(scratch.path().join("home")).unwrap();
        Self {
            server,
            scratch,
            mode,
            host,
        }
    }

    fn url(&self, path: &str) -> String {
        let (scheme, port) = match self.mode {
            Mode::Explicit => ("ftpes", self.server.address().port()),
            Mode::Implicit => ("ftps", self.server.implicit().port()),
        };
        let password = PASSWORD.replace(' ', "%20");
        format!("{scheme}://{USER}:{password}@{}:{port}/{path}", self.host)
    }

    fn certificate(&self, name: &str) -> String {
        self.server.certificates().join(name).display().to_string()
    }

    /// The client, in a home of its own and with the system's usual authorities, whatever else this
    /// machine trusts.
    fn command(&self) -> Command {
        let mut command = Command::new(wharf_binary());
        command
            .current_dir(self.scratch.path())
            .env("HOME", self.scratch.path().join("home"))
            .env("LC_ALL", "C.UTF-8")
            .env_remove("SSL_CERT_DIR");
        command
    }

    fn try_run(&self, arguments: &[&str]) -> Output {
        self.command().args(arguments).output().unwrap()
    }

    /// Runs the client, which trusts the server's certificate, and gives all that it says.
    #[track_caller]
    fn run(&self, arguments: &[&str]) -> String {
        let (verb, rest) = arguments.split_first().unwrap();
        let authority = self.certificate("server.pem");
        let mut all = vec![*verb, "--batch", "--ca", &authority];
        all.extend(rest);
        let output = self.try_run(&all);
        let said = said(&output);
        assert!(
            output.status.success(),
            "wharf {all:?}: {}\n{said}\n{}",
            output.status,
            self.server.log()
        );
        said
    }

    /// The client refuses to go on, for this reason, and has not logged in.
    #[track_caller]
    fn is_refused(&self, options: &[&str], reason: &str) {
        let url = self.url("secret");
        let mut arguments = vec!["get", "--batch"];
        arguments.extend(options);
        arguments.extend(["-v", &url, "out"]);
        let output = self.try_run(&arguments);
        let said = said(&output);
        assert!(!output.status.success(), "{options:?}: accepted\n{said}");
        assert!(
            said.contains(reason),
            "{options:?}: no `{reason}` in\n{said}"
        );
        assert!(
            !said.contains("> USER") && !said.contains("> PASS"),
            "{options:?}: logged in all the same\n{said}"
        );
        assert!(!self.scratch.path().join("out").exists());
    }
}

fn said(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// What the client's dialogue calls the versions.
fn in_dialogue(version: Version) -> &'static str {
    match version {
        Version::Tls12 => "* TLSv1_2 ",
        Version::Tls13 => "* TLSv1_3 ",
    }
}

/// Twenty transfers in one session, up and down, large, small and empty; listings; both kinds of resuming.
fn everything(kind: Kind, mode: Mode, version: Version) {
    let scene = Scene::new(kind, mode, version);
    let scratch = scene.scratch.path();
    fs::create_dir(scratch.join("tree")).unwrap();
    for number in 0..10_usize {
        let bytes = content(number as u64, number * number * 25_000);
        fs::write(scratch.join(format!("tree/file {number}")), bytes).unwrap();
    }
    // One session each, so that ten transfers follow one another on one control connection.
    let said = scene.run(&["put", "-v", "-r", "-P", "1", "tree", &scene.url("tree")]);
    assert!(
        said.contains(in_dialogue(version)),
        "not {version:?}: {said}"
    );
    same_tree(&scratch.join("tree"), &scene.server.path("tree"));
    scene.run(&["get", "-r", "-P", "1", &scene.url("tree"), "back"]);
    same_tree(&scratch.join("tree"), &scratch.join("back"));
    let listed = scene.run(&["ls", &scene.url("tree/")]);
    assert!(listed.contains("file 9"), "{listed}");
    twenty_in_a_row(&scene);

    resumes(&scene);
}

/// Twenty downloads in one process and one session.
fn twenty_in_a_row(scene: &Scene) {
    let scratch = scene.scratch.path();
    for number in 10..20_u64 {
        scene
            .server
            .put(format!("tree/file {number}"), content(number, 1000));
    }
    let urls: Vec<String> = (0..20)
        .map(|number| scene.url(&format!("tree/file%20{number}")))
        .collect();
    fs::create_dir(scratch.join("twenty")).unwrap();
    let mut arguments = vec!["get", "-v", "-P", "1"];
    arguments.extend(urls.iter().map(String::as_str));
    arguments.push("twenty/");
    let said = scene.run(&arguments);
    assert_eq!(said.matches("> USER").count(), 1, "one session: {said}");
    same_tree(&scene.server.path("tree"), &scratch.join("twenty"));
}

/// The MiB of a file that takes long enough to be interrupted.
const LARGE: u64 = 256;

/// Runs the client until `has_begun`, and interrupts it as Ctrl-C does.
#[track_caller]
fn interrupted(scene: &Scene, arguments: &[&str], has_begun: impl Fn() -> bool) {
    let (verb, rest) = arguments.split_first().unwrap();
    let mut child = scene
        .command()
        .args([
            *verb,
            "--batch",
            "-q",
            "--ca",
            &scene.certificate("server.pem"),
        ])
        .args(rest)
        .spawn()
        .unwrap();
    until(has_begun, || format!("{arguments:?} never began"));
    run(Command::new("kill").args(["-INT", &child.id().to_string()]));
    let status = child.wait().unwrap();
    assert!(
        !status.success(),
        "{arguments:?} was done before it was interrupted"
    );
}

/// Downloads and uploads go on where Ctrl-C ended them.
fn resumes(scene: &Scene) {
    let scratch = scene.scratch.path();
    let there = scene.server.path("down");
    grow(&there, LARGE);
    hand_over(scene.server.root());
    let url = scene.url("down");
    interrupted(scene, &["get", &url, "down"], || {
        has_octets(scratch, |name| name == ".down.wharf-part")
    });
    let said = scene.run(&["get", "-v", "-c", &url, "down"]);
    assert!(said.contains("> REST "), "from the start: {said}");
    same_file(&there, &scratch.join("down"));

    let url = scene.url("up");
    interrupted(scene, &["put", "down", &url], || {
        has_octets(scene.server.root(), |name| name == "up" || is_staged(name))
    });
    let said = scene.run(&["put", "-v", "-c", "down", &url]);
    assert!(
        said.contains("> REST ") || said.contains("> APPE "),
        "from the start: {said}"
    );
    same_file(&scratch.join("down"), &scene.server.path("up"));
}

/// A certificate that is not accepted ends it before the login (TLS-52): of nobody known, of another
/// authority, with another fingerprint, for another name; a version that the server does not have.
fn refusals(kind: Kind, mode: Mode) {
    let scene = Scene::new(kind, mode, Version::Tls12);
    scene.server.put("secret", "x");
    scene.is_refused(&[], "self-signed");
    scene.is_refused(&["--ca", &scene.certificate("ca.pem")], "certificate");
    let other = format!("sha256:{}", "0".repeat(64));
    scene.is_refused(&["--pin", &other], "pin");
    let pin = fingerprint(&scene.certificate("server.pem"));
    let url = scene.url("secret");
    let pinned = scene.try_run(&["get", "--batch", "--pin", &pin, &url, "pinned"]);
    assert!(pinned.status.success(), "{}", said(&pinned));
    if kind != Kind::Wharf {
        let authority = scene.certificate("server.pem");
        scene.is_refused(
            &["--ca", &authority, "--tls-min", "1.3"],
            "no TLS connection with",
        );
    }
    // The certificate knows 127.0.0.1 only.
    let elsewhere = Scene::at(kind, mode, Version::Tls12, "127.0.0.2");
    elsewhere.server.put("secret", "x");
    elsewhere.is_refused(&["--ca", &elsewhere.certificate("server.pem")], "127.0.0.2");
}

/// As `--pin` wants it.
fn fingerprint(certificate: &str) -> String {
    let said = run(Command::new("openssl").args([
        "x509",
        "-noout",
        "-fingerprint",
        "-sha256",
        "-in",
        certificate,
    ]));
    let hex = said.trim().rsplit('=').next().unwrap().replace(':', "");
    format!("sha256:{}", hex.to_lowercase())
}

macro_rules! against {
    ($module:ident, $kind:expr, $($cell:ident: $mode:expr, $version:expr;)*) => {
        mod $module {
            use wharf_acceptance_tests::Kind;

            use crate::tls::{Mode, Version};

            $(
                /// TLS-54, TLS-63.
                #[test]
                fn $cell() {
                    super::everything($kind, $mode, $version);
                }
            )*

            /// TLS-52.
            #[test]
            fn certificates_are_refused() {
                super::refusals($kind, Mode::Explicit);
            }
        }
    };
}

against! { wharf, Kind::Wharf,
    explicit_tls13: Mode::Explicit, Version::Tls13;
    implicit_tls13: Mode::Implicit, Version::Tls13;
}

against! { vsftpd, Kind::Vsftpd,
    explicit_tls12: Mode::Explicit, Version::Tls12;
    explicit_tls13: Mode::Explicit, Version::Tls13;
    implicit_tls12: Mode::Implicit, Version::Tls12;
    implicit_tls13: Mode::Implicit, Version::Tls13;
}

against! { proftpd, Kind::Proftpd,
    explicit_tls12: Mode::Explicit, Version::Tls12;
    explicit_tls13: Mode::Explicit, Version::Tls13;
    implicit_tls12: Mode::Implicit, Version::Tls12;
    implicit_tls13: Mode::Implicit, Version::Tls13;
}

against! { pure_ftpd, Kind::PureFtpd,
    explicit_tls12: Mode::Explicit, Version::Tls12;
    explicit_tls13: Mode::Explicit, Version::Tls13;
}
