//! TFTP's client against a server that does one thing per test.
#![expect(
    clippy::disallowed_methods,
    reason = "tests look at the files that a transfer made"
)]

mod failure;
mod get;
mod opening;
mod put;
mod server;

use std::{
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

use wharf_proto::tftp::Timing;

use self::server::Server;
use crate::{
    Credentials, Location, Observer, Options, Pool, Result, Transferred, Verified,
    tftp::Tftp,
    transfer::{self, Download, Upload},
};

/// Far more than a test takes: whoever waits for it is never told anything.
const FOREVER: Duration = Duration::from_secs(3600);

/// Quick where something is lost on purpose, and never out of patience elsewhere.
fn options() -> Options {
    Options {
        connect_timeout: FOREVER,
        idle_timeout: FOREVER,
        retries: 0,
        retry_wait: Duration::from_millis(1),
        parallel: 1,
        tftp: Tftp {
            timing: Timing {
                initial: Duration::from_millis(100),
                shortest: Duration::from_millis(20),
                longest: Duration::from_millis(200),
                tries: 4,
            },
            ..Tftp::default()
        },
        ..Options::default()
    }
}

/// Keeps notes and the dialogue.
#[derive(Default)]
struct Ears(Mutex<Vec<String>>);

impl Observer for Ears {
    fn note(&self, text: &str) {
        self.0.lock().unwrap().push(text.to_owned());
    }

    fn dialogue(&self, direction: char, line: &str) {
        self.0.lock().unwrap().push(format!("{direction} {line}"));
    }
}

/// Octets that are the same nowhere twice.
fn noise(length: usize) -> Vec<u8> {
    (0..length as u64)
        .flat_map(|n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes())
        .take(length)
        .collect()
}

/// A server, a pool of it and a directory.
struct Case {
    server: Server,
    pool: Pool,
    ears: Arc<Ears>,
    folder: tempfile::TempDir,
}

impl Case {
    async fn new(options: Options) -> Self {
        let server = Server::start().await;
        let ears = Arc::new(Ears::default());
        let site = Location::parse(&server.url("")).unwrap().site;
        let observer = Arc::clone(&ears) as Arc<dyn Observer>;
        let pool = Pool::new(site, Credentials::anonymous(), options, observer);
        Self {
            server,
            pool,
            ears,
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("f")
    }

    fn place(&self, path: &str) -> Location {
        Location::parse(&self.server.url(path)).unwrap()
    }

    async fn get(&self, path: &str) -> Result<Transferred> {
        let download = Download {
            source: self.place(path),
            target: self.path(),
            known: None,
        };
        transfer::get(&self.pool, &download).await
    }

    async fn put(&self, path: &str, content: &[u8]) -> Result<Transferred> {
        std::fs::write(self.path(), content).unwrap();
        let upload = Upload {
            source: self.path(),
            target: self.place(path),
        };
        transfer::put(&self.pool, &upload).await
    }

    /// What the local file holds.
    fn content(&self) -> Vec<u8> {
        std::fs::read(self.path()).unwrap()
    }

    /// The names in the local directory.
    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(self.folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    fn heard(&self) -> Vec<String> {
        self.ears.0.lock().unwrap().clone()
    }
}

fn whole(size: usize, verified: Verified) -> Transferred {
    Transferred {
        size: size as u64,
        kept: 0,
        verified,
    }
}

/// The options of a request: what follows name and mode.
fn asked(request: &[u8]) -> Vec<String> {
    request[2..]
        .split(|octet| *octet == 0)
        .map(|text| String::from_utf8(text.to_vec()).unwrap())
        .skip(1)
        .take_while(|text| !text.is_empty())
        .collect()
}
