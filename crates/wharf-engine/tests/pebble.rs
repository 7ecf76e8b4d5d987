//! Whole orders at Pebble, the test server of the authors of Let's Encrypt: every request signed,
//! every challenge looked at over the network, names resolved by its own DNS server.
//!
//! `scripts/setup-tests` unpacks it; where it is missing these tests fail.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test may unwrap, touch files and read the clock"
)]

use std::{
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::{ClientConfig, RootCertStore, pki_types::ServerName};
use tempfile::TempDir;
use tokio::sync::{mpsc, oneshot};
use wharf_engine::{
    acme::{Acme, Challenge, Reason, Report, Settings},
    tls::{Origin, Tls},
};

const DAY: Duration = Duration::from_secs(24 * 3600);
const DOMAINS: [&str; 2] = ["ftp.example.org", "files.example.org"];
/// How long Pebble may take to start.
const START: Duration = Duration::from_secs(60);

/// A folder with a root, and a certificate for `localhost` under it.
struct Scratch {
    folder: TempDir,
    /// Where Pebble will listen.
    port: u16,
}

impl Scratch {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let write =
            |name: &str, text: String| std::fs::write(folder.path().join(name), text).unwrap();
        let mut root = CertificateParams::default();
        root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let root_key = KeyPair::generate().unwrap();
        write("root.pem", root.self_signed(&root_key).unwrap().pem());
        let issuer = Issuer::new(root, root_key);
        let key = KeyPair::generate().unwrap();
        let leaf = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        write("leaf.pem", leaf.signed_by(&key, &issuer).unwrap().pem());
        write("leaf.key", key.serialize_pem());
        Self {
            folder,
            port: free_port(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn settings(&self, challenge: Challenge) -> Settings {
        Settings {
            directory: format!("https://localhost:{}/dir", self.port),
            contact: Some("admin@example.org".to_owned()),
            domains: DOMAINS.map(str::to_owned).to_vec(),
            challenge,
            storage: self.path("acme"),
            root_ca: Some(self.path("root.pem")),
            renew_before: DAY * 30,
        }
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// Pebble and its DNS server, for which every name is here.
struct Pebble(Vec<Child>);

impl Pebble {
    /// Starts it; it looks for challenges at `port`.
    fn start(scratch: &Scratch, port: u16) -> Self {
        let dns = free_port();
        let config = format!(
            r#"{{"pebble": {{
                "listenAddress": "127.0.0.1:{}", "managementListenAddress": "",
                "certificate": {:?}, "privateKey": {:?},
                "httpPort": {port}, "tlsPort": {port},
                "ocspResponderURL": "", "externalAccountBindingRequired": false
            }}}}"#,
            scratch.port,
            scratch.path("leaf.pem"),
            scratch.path("leaf.key"),
        );
        std::fs::write(scratch.path("pebble.json"), config).unwrap();
        let mut children = Self(Vec::new());
        children.launch(
            Command::new(program("pebble-challtestsrv"))
                .args([
                    "-defaultIPv4",
                    "127.0.0.1",
                    "-defaultIPv6",
                    "",
                    "-http01",
                    "",
                ])
                .args(["-https01", "", "-tlsalpn01", "", "-management", ""])
                .args(["-dns01", &format!("127.0.0.1:{dns}")]),
        );
        children.launch(
            Command::new(program("pebble"))
                .args(["-strict", "-dnsserver", &format!("127.0.0.1:{dns}")])
                .arg("-config")
                .arg(scratch.path("pebble.json"))
                .env("PEBBLE_VA_NOSLEEP", "1")
                .env("PEBBLE_AUTHZREUSE", "0")
                .env("PEBBLE_WFE_NONCEREJECT", "0"),
        );
        for port in [dns, scratch.port] {
            let since = Instant::now();
            while TcpStream::connect(("127.0.0.1", port)).is_err() {
                assert!(since.elapsed() < START, "Pebble does not listen on {port}");
                std::thread::yield_now();
            }
        }
        children
    }

    fn launch(&mut self, command: &mut Command) {
        let quiet = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        self.0.push(quiet.spawn().unwrap());
    }
}

impl Drop for Pebble {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn program(name: &str) -> PathBuf {
    let peers = std::env::var_os("PEERS").map_or_else(
        || {
            // target/debug/deps/pebble-HASH
            let here = std::env::current_exe().unwrap();
            here.ancestors().nth(3).unwrap().join("peers")
        },
        PathBuf::from,
    );
    let path = peers.join("pebble/usr/bin").join(name);
    assert!(
        path.exists(),
        "{} is missing: run scripts/setup-tests",
        path.display()
    );
    path
}

fn tls() -> Arc<Tls> {
    Arc::new(Tls::load(wharf_engine::tls::Settings::default()).unwrap())
}

/// Runs until something is installed or failed; `then` runs while challenges are still listened for.
/// Gives all reports.
async fn run(acme: Acme, now: SystemTime, then: impl AsyncFnOnce()) -> Vec<Report> {
    let (sender, mut receiver) = mpsc::unbounded_channel();
    let (end, ended) = oneshot::channel::<()>();
    let report = move |report| {
        let _ = sender.send(report);
    };
    let stop = async {
        let _ = ended.await;
    };
    let watch = async {
        let mut reports = Vec::new();
        while let Some(report) = receiver.recv().await {
            let last = matches!(report, Report::Installed { .. } | Report::Failed { .. });
            reports.push(report);
            if last {
                break;
            }
        }
        then().await;
        drop(end);
        reports
    };
    let ((), reports) = tokio::join!(acme.run(move || now, report, stop), watch);
    reports
}

fn assert_serves(tls: &Tls) -> [u8; 32] {
    let certificates = tls.certificates();
    assert_eq!(certificates.len(), 1);
    let facts = &certificates[0];
    assert_eq!(facts.origin, Origin::Installed);
    let mut names = facts.names.clone();
    names.sort();
    let mut wanted = DOMAINS.map(str::to_owned);
    wanted.sort();
    assert_eq!(names, wanted);
    assert!(facts.issuer.contains("Pebble"), "{}", facts.issuer);
    facts.sha256
}

fn challenges() -> [Challenge; 2] {
    let listen: SocketAddr = "127.0.0.1:0".parse().unwrap();
    [
        Challenge::TlsAlpn01 { listen },
        Challenge::Http01 { listen },
    ]
}

/// Whether an `acme-tls/1` handshake for the first domain goes through (RFC 8737).
async fn answers_acme_tls(address: SocketAddr) -> bool {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    config.alpn_protocols = vec![b"acme-tls/1".to_vec()];
    let stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let name = ServerName::try_from(DOMAINS[0]).unwrap();
    let done = tokio_rustls::TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await;
    // A certificate that is shown, but not trusted, is an answer.
    match done {
        Ok(_) => true,
        Err(error) => error.to_string().contains("certificate"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_goes_through_by_either_challenge_and_is_renewed_in_its_window() {
    for challenge in challenges() {
        let scratch = Scratch::new();
        let (live, now) = (tls(), SystemTime::now());
        let acme = Acme::open(scratch.settings(challenge), Arc::clone(&live)).unwrap();
        let address = acme.listens_on();
        let pebble = Pebble::start(&scratch, address.port());
        let reports = run(acme, now, async || {
            if let Challenge::TlsAlpn01 { .. } = challenge {
                assert!(
                    !answers_acme_tls(address).await,
                    "the answer outlived its order"
                );
            }
        })
        .await;
        let [
            Report::Ordering {
                reason: Reason::Missing,
            },
            Report::Installed { not_after },
        ] = reports[..]
        else {
            panic!("{reports:?}");
        };
        let first = assert_serves(&live);

        // After a restart it is there at once; a day before its end, another one is had.
        let live = tls();
        let mut settings = scratch.settings(challenge);
        settings.challenge = match challenge {
            Challenge::TlsAlpn01 { .. } => Challenge::TlsAlpn01 { listen: address },
            Challenge::Http01 { .. } => Challenge::Http01 { listen: address },
        };
        let acme = Acme::open(settings, Arc::clone(&live)).unwrap();
        let reports = run(acme, not_after - DAY, async || {}).await;
        assert!(
            matches!(
                reports[..],
                [
                    Report::Loaded { .. },
                    Report::Ordering {
                        reason: Reason::Renewal
                    },
                    Report::Installed { .. }
                ]
            ),
            "{reports:?}"
        );
        assert_ne!(assert_serves(&live), first);
        drop(pebble);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_validation_says_what_to_forward() {
    for challenge in challenges() {
        let scratch = Scratch::new();
        let acme = Acme::open(scratch.settings(challenge), tls()).unwrap();
        // The authority comes to a port where nobody is.
        let _pebble = Pebble::start(&scratch, free_port());
        let reports = run(acme, SystemTime::now(), async || {}).await;
        let Some(Report::Failed { error, .. }) = reports.last() else {
            panic!("{reports:?}");
        };
        let (name, port) = match challenge {
            Challenge::TlsAlpn01 { .. } => ("tls-alpn-01", "port 443"),
            Challenge::Http01 { .. } => ("http-01", "port 80"),
        };
        let text = error.to_string();
        assert!(text.contains(name) && text.contains(port), "{text}");
        assert!(
            !Path::new(&scratch.path("acme"))
                .join("certificate.pem")
                .exists()
        );
    }
}
