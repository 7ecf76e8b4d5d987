//! Many clients at once: a hall of machines that boot after a power cut, and a class that fetches an image.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use rustix::net::sockopt;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use wharf_acceptance_tests::{Kind, noise};

use super::relay::Faults;
use super::{Scene, server};

/// How long a machine waits before it says the same again.
const PATIENCE: Duration = Duration::from_millis(700);

/// How often it says the same.
const TRIES: u32 = 40;

/// A boot ROM: it knows one file, one way to ask, and compares each block on arrival.
struct Machine<'a> {
    socket: UdpSocket,
    server: SocketAddr,
    wanted: &'a [u8],
    block: usize,
    window: u64,
}

impl<'a> Machine<'a> {
    /// The `number`th machine of a hall, from an address of its own.
    fn new(hall: u8, number: usize, server: SocketAddr, wanted: &'a [u8]) -> Self {
        let [.., high, low] = number.to_be_bytes();
        let address = IpAddr::from(Ipv4Addr::new(127, 100 + hall, high, low + 1));
        let socket = UdpSocket::bind((address, 0)).expect("an address of loopback");
        socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        let _ = sockopt::set_socket_recv_buffer_size(&socket, 1 << 20);
        Self {
            socket,
            server,
            wanted,
            block: 1428,
            window: 4,
        }
    }

    /// Fetches the file; an error tells how far it came.
    fn fetch(&self, name: &str) -> Result<(), String> {
        let mut saying = format!(
            "\0\x01{name}\0octet\0blksize\0{}\0windowsize\0{}\0",
            self.block, self.window
        )
        .into_bytes();
        let mut to = self.server;
        let mut buffer = vec![0; self.block + 4];
        // Blocks that came, and how many of them are acknowledged.
        let (mut came, mut told) = (0_u64, 0_u64);
        let mut window = self.window;
        let mut is_complaining = false;
        let mut silences = 0;
        let tell = |saying: &[u8], to| self.socket.send_to(saying, to).map_err(|e| e.to_string());
        tell(&saying, to)?;
        loop {
            let (length, from) = match self.socket.recv_from(&mut buffer) {
                Ok(received) => received,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock && silences < TRIES => {
                    silences += 1;
                    tell(&saying, to)?;
                    continue;
                }
                Err(error) => return Err(format!("after {came} blocks: {error}")),
            };
            silences = 0;
            let is_opening = to == self.server && came == 0;
            if from != to && !is_opening {
                continue;
            }
            match buffer[..length] {
                [0, 6, ref granted @ ..] if came == 0 => {
                    to = from;
                    if !granted.windows(6).any(|name| name == b"window") {
                        window = 1;
                    }
                }
                [0, 3, high, low, ref content @ ..] if !is_opening => {
                    if u16::from_be_bytes([high, low]) == (came + 1) as u16 {
                        let at = came as usize * self.block;
                        let end = (at + self.block).min(self.wanted.len());
                        if content != &self.wanted[at..end] {
                            return Err(format!("block {} differs", came + 1));
                        }
                        came += 1;
                        is_complaining = false;
                        let is_last = content.len() < self.block;
                        if is_last || came - told == window {
                            told = came;
                        } else {
                            continue;
                        }
                        if is_last {
                            tell(&ack(came), to)?;
                            return Ok(());
                        }
                    } else if is_complaining {
                        continue;
                    } else {
                        // A gap, or what is here already: once (TFT-34).
                        is_complaining = true;
                        told = came;
                    }
                }
                [0, 5, _, code, ref text @ ..] => {
                    let text = String::from_utf8_lossy(text);
                    return Err(format!("after {came} blocks: error {code}, {text}"));
                }
                _ => continue,
            }
            saying = ack(came).to_vec();
            tell(&saying, to)?;
        }
    }
}

fn ack(block: u64) -> [u8; 4] {
    let [high, low] = (block as u16).to_be_bytes();
    [0, 4, high, low]
}

/// As many descriptors as there may be.
fn raise_limit() {
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(
        Resource::Nofile,
        Rlimit {
            current: limit.maximum,
            ..limit
        },
    );
}

/// Runs all machines at once and asserts that none of them failed.
fn all(machines: usize, each: impl Fn(usize) -> Result<(), String> + Sync) {
    let failed: Vec<_> = std::thread::scope(|scope| {
        let each = &each;
        let running: Vec<_> = (0..machines)
            .map(|number| {
                std::thread::Builder::new()
                    .stack_size(256 << 10)
                    .spawn_scoped(scope, move || each(number))
                    .expect("a thread")
            })
            .collect();
        running
            .into_iter()
            .enumerate()
            .filter_map(|(number, thread)| Some((number, thread.join().ok()?.err()?)))
            .collect()
    });
    assert!(failed.is_empty(), "{} failed: {failed:?}", failed.len());
}

/// TFT-43, the boot storm: 1,000 requests for one file by 500 machines over a network that loses five
/// percent each way, and none fails.
#[test]
fn none_of_1000_requests_for_one_file_fails_under_5_percent_loss() {
    raise_limit();
    let scene = Scene::behind(&server(Kind::chosen(), ""), Faults::loss(5), 1);
    let file = noise(1, 30_000);
    scene.server.put("boot.bin", &file);
    all(500, |number| {
        (0..2).try_for_each(|_| Machine::new(0, number, scene.address(), &file).fetch("boot.bin"))
    });
}

/// 200 machines fetch 4 MiB at once, and all finish.
#[test]
fn all_of_200_clients_finish_4_mebibytes_at_once() {
    raise_limit();
    let scene = Scene::new(&server(Kind::chosen(), ""));
    let files: Vec<_> = (0..4).map(|seed| noise(seed, 4 << 20)).collect();
    for (number, file) in files.iter().enumerate() {
        scene.server.put(format!("image-{number}"), file);
    }
    all(200, |number| {
        let file = number % files.len();
        let mut machine = Machine::new(1, number, scene.address(), &files[file]);
        (machine.block, machine.window) = (8192, 8);
        machine.fetch(&format!("image-{file}"))
    });
}
