//! TFTP with the clients of today, over a good network and over bad ones: each of them sends and fetches
//! files of every awkward size, as octets and as text, bare and with options, and the bytes on both disks
//! decide (TFT-20..40, INT-60..67).
//!
//! `SUBJECT=tftpd-hpa` and `SUBJECT=atftpd` run the same cells against those servers: what a client cannot
//! do with them either is its own.

mod atftp;
mod curl;
mod own_client;
mod relay;
mod single_port;
mod storm;
mod tftp_hpa;
mod tftpy;

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use wharf_acceptance_tests::subject::run;
use wharf_acceptance_tests::{Kind, Scratch, Server, Setup, TftpSetup, noise};
use wharf_interop_tests::{grow, hand_over, same_file, until};

use relay::{Faults, Relay};

/// A server that speaks TFTP; `section`: further lines of Wharf's own. One address makes all the cells'
/// requests, more of them than a device would.
pub(crate) fn server(kind: Kind, section: &str) -> Arc<Server> {
    let limits = "requests_per_second = 100000\nper_address = 1000\n";
    Arc::new(Server::with(Setup {
        kind,
        tftp: Some(TftpSetup {
            section: format!("{limits}{section}"),
        }),
        ..Setup::default()
    }))
}

/// A server, maybe behind a bad network, and a directory of the client's own.
pub(crate) struct Scene {
    pub(crate) server: Arc<Server>,
    relay: Option<Relay>,
    scratch: Scratch,
}

impl Scene {
    pub(crate) fn new(server: &Arc<Server>) -> Self {
        Self {
            server: Arc::clone(server),
            relay: None,
            scratch: Scratch::new("tftp"),
        }
    }

    pub(crate) fn behind(server: &Arc<Server>, faults: Faults, seed: u64) -> Self {
        Self {
            relay: Some(Relay::start(server.tftp(), faults, seed)),
            ..Self::new(server)
        }
    }

    /// Where the client sends its requests.
    pub(crate) fn address(&self) -> SocketAddr {
        self.relay
            .as_ref()
            .map_or_else(|| self.server.tftp(), Relay::address)
    }

    pub(crate) fn host(&self) -> String {
        self.address().ip().to_string()
    }

    pub(crate) fn port(&self) -> String {
        self.address().port().to_string()
    }

    /// What the bad network did.
    pub(crate) fn counts(&self) -> &relay::Counts {
        self.relay.as_ref().expect("a relay").counts()
    }

    /// A file of the client's.
    pub(crate) fn local(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }

    pub(crate) fn at_home<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command
            .current_dir(self.scratch.path())
            .env("HOME", self.scratch.path())
            .env("LC_ALL", "C.UTF-8")
    }

    /// Runs a client to its end, which must be a good one, and gives what it said.
    #[track_caller]
    pub(crate) fn run(&self, command: &mut Command) -> String {
        run(self.at_home(command))
    }

    /// Asserts what lies in the server's directory. Other servers acknowledge first and write then.
    #[track_caller]
    pub(crate) fn holds(&self, name: &str, wanted: &[u8], what: &str) {
        let is_there = || fs::read(self.server.path(name)).is_ok_and(|bytes| bytes == wanted);
        if self.server.kind() != Kind::Wharf {
            return until(is_there, || format!("{what}: {name} differs there"));
        }
        assert!(is_there(), "{what}: {name} differs there");
    }
}

/// How a file is asked for; what is not set is not asked.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Ask {
    pub(crate) netascii: bool,
    pub(crate) blksize: Option<u16>,
    pub(crate) windowsize: Option<u16>,
    pub(crate) tsize: bool,
    pub(crate) timeout: Option<u8>,
}

impl Ask {
    pub(crate) const BARE: Self = Self {
        netascii: false,
        blksize: None,
        windowsize: None,
        tsize: false,
        timeout: None,
    };

    pub(crate) const TEXT: Self = Self {
        netascii: true,
        ..Self::BARE
    };

    pub(crate) const fn blksize(self, octets: u16) -> Self {
        Self {
            blksize: Some(octets),
            ..self
        }
    }

    pub(crate) const fn windowsize(self, blocks: u16) -> Self {
        Self {
            windowsize: Some(blocks),
            ..self
        }
    }

    pub(crate) const fn tsize(self) -> Self {
        Self {
            tsize: true,
            ..self
        }
    }

    pub(crate) const fn timeout(self, seconds: u8) -> Self {
        Self {
            timeout: Some(seconds),
            ..self
        }
    }

    fn block(&self) -> usize {
        usize::from(self.blksize.unwrap_or(512))
    }
}

/// Who turns lines into the network's and back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Text {
    /// The client does: its files are as its system has them.
    Converted,
    /// Nobody does: its files are as the wire has them, and the test converts.
    AsOnTheWire,
}

/// A client.
pub(crate) trait Client: Sync {
    /// What it does with `netascii`.
    fn text(&self) -> Text {
        Text::Converted
    }

    /// Sends a file.
    fn put(&self, scene: &Scene, ask: &Ask, local: &str, remote: &str);

    /// Fetches a file.
    fn get(&self, scene: &Scene, ask: &Ask, remote: &str, local: &str);
}

/// RFC 764's lines as RFC 1350 wants them: CR LF for a line's end, CR NUL for a CR (TFT-40).
pub(crate) fn to_wire(host: &[u8]) -> Vec<u8> {
    let mut wire = Vec::with_capacity(host.len());
    for byte in host {
        match byte {
            b'\n' => wire.extend(b"\r\n"),
            b'\r' => wire.extend(b"\r\0"),
            _ => wire.push(*byte),
        }
    }
    wire
}

/// Bytes that a text conversion would change, and that come back whole if it is undone.
pub(crate) fn text(seed: u64, length: usize) -> Vec<u8> {
    let mut bytes = noise(seed, length);
    bytes.iter_mut().step_by(7).for_each(|byte| *byte = b'\n');
    bytes.iter_mut().step_by(11).for_each(|byte| *byte = b'\r');
    bytes.iter_mut().step_by(13).for_each(|byte| *byte = 0);
    if let Some(last) = bytes.last_mut() {
        *last = b'\r';
    }
    bytes
}

/// One file there and back.
#[track_caller]
pub(crate) fn there_and_back(client: &dyn Client, scene: &Scene, ask: &Ask, size: usize) {
    there(client, scene, ask, size);
    back(client, scene, ask, size);
}

/// What a cell's file has on the server's disk and on the client's.
fn content(client: &dyn Client, scene: &Scene, ask: &Ask, size: usize) -> (Vec<u8>, Vec<u8>) {
    let mut bytes = if ask.netascii {
        text(size as u64, size)
    } else {
        noise(size as u64, size)
    };
    if scene.server.kind() == Kind::Dnsmasq {
        // It has no form for a CR in text.
        bytes.retain(|byte| !ask.netascii || *byte != b'\r');
    }
    let as_on_the_wire = ask.netascii && client.text() == Text::AsOnTheWire;
    let local = if as_on_the_wire {
        to_wire(&bytes)
    } else {
        bytes.clone()
    };
    (bytes, local)
}

#[track_caller]
pub(crate) fn there(client: &dyn Client, scene: &Scene, ask: &Ask, size: usize) {
    let (wanted, local) = content(client, scene, ask, size);
    let remote = format!("up-{}", scene.port());
    fs::write(scene.local("file"), local).unwrap();
    client.put(scene, ask, "file", &remote);
    scene.holds(&remote, &wanted, &format!("{size} octets, {ask:?}"));
}

#[track_caller]
pub(crate) fn back(client: &dyn Client, scene: &Scene, ask: &Ask, size: usize) {
    let (there, wanted) = content(client, scene, ask, size);
    let remote = format!("down-{}", scene.port());
    scene.server.put(&remote, there);
    client.get(scene, ask, &remote, "back");
    let got = fs::read(scene.local("back")).unwrap();
    assert!(
        got == wanted,
        "{size} octets, {ask:?}: {} came back",
        got.len()
    );
    fs::remove_file(scene.local("back")).unwrap();
}

/// Files of every awkward size go and come back over a good network, for every way to ask.
pub(crate) fn every_size(client: &dyn Client, asks: &[Ask]) {
    let server = server(Kind::chosen(), "");
    std::thread::scope(|scope| {
        for ask in asks {
            let server = &server;
            scope.spawn(move || {
                // Remote names are the relay's port, so that the cells do not meet.
                let scene = Scene::behind(server, Faults::default(), 0);
                let block = ask.block();
                let mut sizes = vec![0, 1, 511, 512, 513, 1 << 20];
                sizes.extend([block - 1, block, block + 1, 2 * block, 9 * block]);
                sizes.sort_unstable();
                sizes.dedup();
                for size in sizes {
                    there_and_back(client, &scene, ask, size);
                }
            });
        }
    });
}

/// Which way a cell goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    There,
    Back,
    Both,
}

/// Files go and come back though the network loses, doubles and reorders so many percent of all
/// datagrams, each way; every cell has a network of its own, and all run at once.
pub(crate) fn in_spite_of(client: &dyn Client, percent: u8, cells: &[(Way, Ask, usize)]) {
    in_spite_of_faults(
        client,
        &server(Kind::chosen(), ""),
        Faults::of(percent),
        cells,
    );
}

pub(crate) fn in_spite_of_faults(
    client: &dyn Client,
    server: &Arc<Server>,
    faults: Faults,
    cells: &[(Way, Ask, usize)],
) {
    std::thread::scope(|scope| {
        for ((way, ask, size), seed) in cells.iter().zip(u64::from(faults.loss) << 16..) {
            scope.spawn(move || {
                let scene = Scene::behind(server, faults, seed);
                if *way != Way::Back {
                    there(client, &scene, ask, *size);
                }
                if *way != Way::There {
                    back(client, &scene, ask, *size);
                }
            });
        }
    });
}

/// 100 MiB there and back over a good network: more blocks of 512 octets than there are numbers
/// (TFT-36).
pub(crate) fn hundred_mebibytes(client: &dyn Client, scene: &Scene, ask: &Ask) {
    grow(&scene.local("large"), 100);
    client.put(scene, ask, "large", "large");
    if scene.server.kind() != Kind::Wharf {
        let size = fs::metadata(scene.local("large")).unwrap().len();
        until(
            || fs::metadata(scene.server.path("large")).is_ok_and(|meta| meta.len() == size),
            || "not all of it is there".to_owned(),
        );
    }
    same_file(&scene.local("large"), &scene.server.path("large"));
    hand_over(scene.server.root());
    client.get(scene, ask, "large", "back");
    same_file(&scene.local("large"), &scene.local("back"));
}

/// Whether the long cells run, too.
pub(crate) fn is_long_run() -> bool {
    std::env::var_os("WHARF_BIG").is_some()
}
