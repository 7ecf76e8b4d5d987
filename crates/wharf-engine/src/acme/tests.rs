//! Orders at a directory that fails in chosen ways, and certificates that outlive it.
//!
//! The directory here speaks HTTPS and answers by script: it is there for what Pebble cannot be made
//! to do (rate limits, one bad nonce). Whole orders run against Pebble in `tests/pebble.rs`.

#![expect(
    clippy::disallowed_methods,
    reason = "the root is written and modes are looked at in a scratch folder"
)]

use std::{os::unix::fs::PermissionsExt as _, sync::Mutex};

use rcgen::{CertificateParams, KeyPair};
use rustls::ServerConfig;
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpListener,
};
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::tls::{PemPair, self_signed};

const DAY: Duration = Duration::from_secs(24 * 3600);
/// Nobody listens there.
const NOWHERE: &str = "https://127.0.0.1:1/directory";

fn settings(folder: &TempDir, directory: &str) -> Settings {
    Settings {
        directory: directory.to_owned(),
        contact: Some("admin@example.org".to_owned()),
        domains: vec!["FTP.example.org".to_owned()],
        challenge: Challenge::Http01 {
            listen: "127.0.0.1:0".parse().unwrap(),
        },
        storage: folder.path().join("acme"),
        root_ca: Some(folder.path().join("root.pem")),
        renew_before: DAY * 30,
    }
}

/// A folder with a root certificate; the root signs for `localhost`.
fn folder() -> (TempDir, PemPair) {
    let folder = TempDir::new().unwrap();
    let pair = self_signed(&["localhost".to_owned()], 1_700_000_000).unwrap();
    std::fs::write(folder.path().join("root.pem"), &pair.certificate).unwrap();
    (folder, pair)
}

fn tls() -> Arc<Tls> {
    Arc::new(Tls::load(crate::tls::Settings::default()).unwrap())
}

fn names(tls: &Tls) -> Vec<Vec<String>> {
    tls.certificates()
        .into_iter()
        .map(|facts| facts.names)
        .collect()
}

/// The end of a certificate's 90 days.
const END: Duration = Duration::from_secs(1_800_000_000);

/// A certificate for `domain` that holds for 90 days until [`END`].
fn pair(domain: &str) -> PemPair {
    let mut params = CertificateParams::new(vec![domain.to_owned()]).unwrap();
    let end = rcgen::date_time_ymd(1970, 1, 1) + END;
    params.not_before = end - DAY * 90;
    params.not_after = end;
    let key = KeyPair::generate().unwrap();
    PemPair {
        certificate: params.self_signed(&key).unwrap().pem(),
        key: key.serialize_pem(),
    }
}

async fn keep(settings: &Settings, pair: PemPair) {
    let store = Store::new(&settings.storage, &settings.directory);
    store.prepare().await.unwrap();
    store.keep(pair).await.unwrap();
}

/// One look, and what was reported.
async fn step(acme: &mut Acme, now: SystemTime) -> (Duration, Vec<Report>) {
    let reports = Mutex::new(Vec::new());
    let wait = acme
        .step(now, &|report| reports.lock().unwrap().push(report))
        .await;
    (wait, reports.into_inner().unwrap())
}

fn end() -> SystemTime {
    SystemTime::UNIX_EPOCH + END
}

#[tokio::test]
async fn a_kept_certificate_is_used_at_once_and_nothing_is_ordered() {
    let (folder, _) = folder();
    let settings = settings(&folder, NOWHERE);
    keep(&settings, pair("ftp.example.org")).await;
    let tls = tls();
    let mut acme = Acme::open(settings, Arc::clone(&tls)).unwrap();
    let (wait, reports) = step(&mut acme, end() - DAY * 40).await;
    assert!(matches!(reports[..], [Report::Loaded { not_after }] if not_after == end()));
    assert_eq!(wait, DAY * 10);
    assert_eq!(names(&tls), [["ftp.example.org"]]);
}

#[tokio::test]
async fn with_the_directory_down_the_old_certificate_stays() {
    for now in [end() - DAY, end() + DAY] {
        let (folder, _) = folder();
        let settings = settings(&folder, NOWHERE);
        keep(&settings, pair("ftp.example.org")).await;
        let tls = tls();
        let mut acme = Acme::open(settings, Arc::clone(&tls)).unwrap();
        let (wait, reports) = step(&mut acme, now).await;
        let [
            Report::Loaded { .. },
            Report::Ordering {
                reason: Reason::Renewal,
            },
            Report::Failed {
                error: Error::Unreachable(_),
                retry_in,
            },
        ] = reports[..]
        else {
            panic!("{reports:?}");
        };
        assert_eq!(wait, retry_in);
        assert_eq!(names(&tls), [["ftp.example.org"]]);
        // Too early for another order.
        let (_, reports) = step(&mut acme, now + retry_in / 2).await;
        assert!(reports.is_empty(), "{reports:?}");
        let (_, reports) = step(&mut acme, now + retry_in).await;
        assert_eq!(reports.len(), 2, "{reports:?}");
    }
}

#[tokio::test]
async fn a_certificate_for_other_domains_is_not_used() {
    let (folder, _) = folder();
    let settings = settings(&folder, NOWHERE);
    keep(&settings, pair("other.example.org")).await;
    let tls = tls();
    let mut acme = Acme::open(settings, Arc::clone(&tls)).unwrap();
    let (_, reports) = step(&mut acme, end() - DAY * 40).await;
    assert!(matches!(
        reports[0],
        Report::Ordering {
            reason: Reason::OtherDomains
        }
    ));
    assert!(names(&tls).is_empty());
}

#[tokio::test]
async fn a_kept_key_that_is_not_the_certificates_is_reported_and_ordered_anew() {
    let (folder, _) = folder();
    let settings = settings(&folder, NOWHERE);
    let mixed = PemPair {
        key: pair("ftp.example.org").key,
        ..pair("ftp.example.org")
    };
    keep(&settings, mixed).await;
    let tls = tls();
    let mut acme = Acme::open(settings, Arc::clone(&tls)).unwrap();
    let (_, reports) = step(&mut acme, end() - DAY * 40).await;
    assert!(matches!(
        reports[..],
        [
            Report::Failed {
                error: Error::Kept { .. },
                ..
            },
            Report::Ordering {
                reason: Reason::Unreadable
            },
            Report::Failed { .. }
        ]
    ));
    assert!(names(&tls).is_empty());
}

#[tokio::test]
async fn what_is_kept_is_the_owners_alone_and_replaced_as_a_whole() {
    let (folder, _) = folder();
    let settings = settings(&folder, NOWHERE);
    keep(&settings, pair("old.example.org")).await;
    keep(&settings, pair("ftp.example.org")).await;
    let store = Store::new(&settings.storage, &settings.directory);
    let kept = store.certificate().await.unwrap().unwrap();
    assert!(kept.names(&["ftp.example.org".to_owned()]));
    let mode =
        |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let account = settings.storage.join("acme-127.0.0.1_1_directory");
    assert_eq!(mode(&account), 0o700);
    assert_eq!(mode(&account.join("certificate.pem")), 0o600);
    assert_eq!(std::fs::read_dir(&account).unwrap().count(), 1);
}

#[test]
fn settings_that_cannot_be_served_are_refused_before_anything_is_asked() {
    let (folder, _) = folder();
    let refused = |change: &dyn Fn(&mut Settings)| {
        let mut settings = settings(&folder, NOWHERE);
        change(&mut settings);
        Acme::open(settings, tls()).map(|_| ()).unwrap_err()
    };
    for bad in [
        "*.example.org",
        "192.0.2.1",
        "::1",
        "a..b",
        "-a.example",
        "a_b.example",
        "",
    ] {
        let error = refused(&|settings| settings.domains = vec![bad.to_owned()]);
        assert!(matches!(error, Error::Domain(_)), "{bad}: {error}");
    }
    let error = refused(&|settings| settings.domains.clear());
    assert!(matches!(error, Error::Domains(0)));
    for bad in ["http://ca.example/", "ca.example", "https://", ""] {
        let error = refused(&|settings| settings.directory = bad.to_owned());
        assert!(matches!(error, Error::Directory(_)), "{bad}: {error}");
    }
    let error = refused(&|settings| settings.root_ca = Some(folder.path().join("none.pem")));
    assert!(matches!(error, Error::Root { .. }));
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = taken.local_addr().unwrap();
    let error = refused(&|settings| settings.challenge = Challenge::TlsAlpn01 { listen });
    assert!(matches!(error, Error::Listen { .. }));
}

/// What a script answers: status line, headers, body.
type Answer = (&'static str, String, String);

/// Serves `script` as `https://localhost:PORT` while `work` runs; the script sees the method, the path
/// and the nonce of the request.
async fn scripted<T>(
    identity: &PemPair,
    script: impl Fn(&str, &str, Option<String>) -> Answer,
    work: impl AsyncFnOnce(String) -> T,
) -> T {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!(
        "https://localhost:{}",
        listener.local_addr().unwrap().port()
    );
    let tls = Arc::new(Tls::load(crate::tls::Settings::default()).unwrap());
    tls.install(identity).unwrap();
    let config: Arc<ServerConfig> = tls.session().config();
    let base = url.clone();
    let serve = async {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let stream = TlsAcceptor::from(Arc::clone(&config))
                .accept(stream)
                .await
                .unwrap();
            let mut stream = BufReader::new(stream);
            let (mut first, mut length) = (String::new(), 0);
            stream.read_line(&mut first).await.unwrap();
            loop {
                let mut line = String::new();
                stream.read_line(&mut line).await.unwrap();
                let line = line.trim_end().to_ascii_lowercase();
                if let Some(value) = line.strip_prefix("content-length: ") {
                    length = value.parse().unwrap();
                }
                if line.is_empty() {
                    break;
                }
            }
            let mut body = vec![0; length];
            stream.read_exact(&mut body).await.unwrap();
            let mut words = first.split(' ');
            let (method, path) = (words.next().unwrap(), words.next().unwrap());
            let (status, headers, body) = script(method, path, nonce_of(&body));
            let body = body.replace("BASE", &base);
            let headers = headers.replace("BASE", &base);
            let length = body.len();
            let head = format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\n\r\n");
            stream.write_all(head.as_bytes()).await.unwrap();
            if method != "HEAD" {
                stream.write_all(body.as_bytes()).await.unwrap();
            }
            stream.shutdown().await.unwrap();
        }
    };
    tokio::select! {
        done = work(format!("{url}/directory")) => done,
        () = serve => unreachable!(),
    }
}

/// The nonce in the protected header of a JWS (RFC 7515 3).
fn nonce_of(body: &[u8]) -> Option<String> {
    let body: serde_json::Value = serde_json::from_slice(body).ok()?;
    let protected = unbase64(body["protected"].as_str()?);
    let protected: serde_json::Value = serde_json::from_slice(&protected).ok()?;
    Some(protected["nonce"].as_str()?.to_owned())
}

/// Base64 with the URL alphabet (RFC 4648 5).
fn unbase64(text: &str) -> Vec<u8> {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut out = Vec::new();
    let (mut bits, mut count) = (0_u32, 0);
    for octet in text.bytes() {
        let value = alphabet.iter().position(|&letter| letter == octet).unwrap();
        bits = bits << 6 | u32::try_from(value).unwrap();
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push((bits >> count & 0xff) as u8);
        }
    }
    out
}

fn directory() -> Answer {
    let body = r#"{"newNonce":"BASE/nonce","newAccount":"BASE/account","newOrder":"BASE/order"}"#;
    ("200 OK", String::new(), body.to_owned())
}

fn problem(status: &'static str, headers: &str, kind: &str) -> Answer {
    let body = format!(
        r#"{{"type":"urn:ietf:params:acme:error:{kind}","detail":"no\nmore","status":{}}}"#,
        &status[..3]
    );
    (status, headers.to_owned(), body)
}

#[tokio::test]
async fn a_bad_nonce_is_replaced_and_a_rate_limit_is_obeyed() {
    let (folder, identity) = folder();
    let seen = Mutex::new(Vec::new());
    let script = |method: &str, path: &str, nonce: Option<String>| {
        let mut seen = seen.lock().unwrap();
        seen.push((path.to_owned(), nonce.clone()));
        match (method, path, nonce.as_deref()) {
            ("GET", "/directory", _) => directory(),
            ("HEAD", "/nonce", _) => (
                "200 OK",
                "Replay-Nonce: stale\r\n".to_owned(),
                String::new(),
            ),
            ("POST", "/account", Some("stale")) => {
                problem("400 Bad Request", "Replay-Nonce: fresh\r\n", "badNonce")
            }
            ("POST", "/account", Some("fresh")) => (
                "201 Created",
                "Location: BASE/account/1\r\nReplay-Nonce: next\r\n".to_owned(),
                r#"{"status":"valid"}"#.to_owned(),
            ),
            ("POST", "/order", _) => problem(
                "429 Too Many Requests",
                "Retry-After: 100000\r\n",
                "rateLimited",
            ),
            other => panic!("{other:?}"),
        }
    };
    let asked = Duration::from_secs(100_000);
    scripted(&identity, script, async |url| {
        let mut acme = Acme::open(settings(&folder, &url), tls()).unwrap();
        let (wait, reports) = step(&mut acme, end()).await;
        let Report::Failed { error, retry_in } = &reports[1] else {
            panic!("{reports:?}");
        };
        assert!(error.is_rate_limit(), "{error}");
        // A line of the directory's stays one line of the log.
        assert!(error.to_string().contains("no more"), "{error}");
        assert_eq!((wait, *retry_in), (asked, asked));
        let requests = seen.lock().unwrap().len();
        let (wait, reports) = step(&mut acme, end() + asked - DAY).await;
        assert!(reports.is_empty(), "{reports:?}");
        assert_eq!(wait, DAY);
        assert_eq!(seen.lock().unwrap().len(), requests);
        // The account that was made is used again.
        step(&mut acme, end() + asked).await;
    })
    .await;
    let seen = seen.into_inner().unwrap();
    let accounts = seen.iter().filter(|(path, _)| path == "/account");
    let nonces: Vec<_> = accounts.filter_map(|(_, nonce)| nonce.as_deref()).collect();
    assert_eq!(nonces, ["stale", "fresh"]);
    assert_eq!(seen.iter().filter(|(path, _)| path == "/order").count(), 2);
}

#[tokio::test]
async fn an_account_that_the_directory_forgot_is_made_anew_once() {
    let (folder, identity) = folder();
    let accounts = Mutex::new(0);
    let script = |method: &str, path: &str, _: Option<String>| match (method, path) {
        ("GET", "/directory") => directory(),
        ("HEAD", "/nonce") => ("200 OK", "Replay-Nonce: n\r\n".to_owned(), String::new()),
        ("POST", "/account") => {
            *accounts.lock().unwrap() += 1;
            let location = "Location: BASE/account/1\r\n".to_owned();
            ("201 Created", location, r#"{"status":"valid"}"#.to_owned())
        }
        _ => problem("400 Bad Request", "", "accountDoesNotExist"),
    };
    scripted(&identity, script, async |url| {
        let mut acme = Acme::open(settings(&folder, &url), tls()).unwrap();
        let (_, reports) = step(&mut acme, end()).await;
        assert!(matches!(&reports[1], Report::Failed { error, .. } if error.is_unknown_account()));
    })
    .await;
    assert_eq!(accounts.into_inner().unwrap(), 2);
}

#[tokio::test]
async fn a_directory_that_speaks_no_acme_is_an_error_and_no_panic() {
    let (folder, identity) = folder();
    for (status, body) in [
        ("200 OK", "not json".to_owned()),
        ("200 OK", "{}".to_owned()),
        ("500 Internal Server Error", String::new()),
        ("200 OK", "x".repeat(1_000_000)),
        ("302 Found", String::new()),
    ] {
        let script = |_: &str, _: &str, _: Option<String>| (status, String::new(), body.clone());
        scripted(&identity, script, async |url| {
            let mut acme = Acme::open(settings(&folder, &url), tls()).unwrap();
            let (_, reports) = step(&mut acme, end()).await;
            assert!(matches!(
                &reports[1],
                Report::Failed {
                    error: Error::Unreachable(_),
                    ..
                }
            ));
        })
        .await;
    }
}

#[tokio::test]
async fn stop_ends_the_run_between_orders_and_during_one() {
    let (folder, _) = folder();
    let acme = Acme::open(settings(&folder, NOWHERE), tls()).unwrap();
    let (failed, stop) = tokio::sync::oneshot::channel::<()>();
    let failed = Mutex::new(Some(failed));
    let report = |report| {
        if matches!(report, Report::Failed { .. }) {
            failed.lock().unwrap().take();
        }
    };
    let stopped = async {
        let _ = stop.await;
    };
    acme.run(end, report, stopped).await;
    let acme = Acme::open(settings(&folder, NOWHERE), tls()).unwrap();
    let none = |report| panic!("{report:?}");
    let run = tokio::spawn(acme.run(end, none, std::future::ready(())));
    run.await.unwrap();
}
