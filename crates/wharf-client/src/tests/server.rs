//! A small FTP server that does what a test tells it to do wrong.
//!
//! It is right by default: a few files in memory, passive connections, REST, SIZE, MLSD. A test forces
//! replies to a verb, cuts transfers, or hides features. It logs the lines that it was sent.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::{Arc, Mutex},
};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};

/// What a test wants.
#[derive(Default)]
pub(super) struct Wish {
    pub(super) files: BTreeMap<String, Vec<u8>>,
    /// Inner lines of FEAT.
    pub(super) features: Vec<&'static str>,
    /// Replies to a verb instead of the right ones, in order; then the right ones again.
    pub(super) once: HashMap<&'static str, VecDeque<&'static str>>,
    /// As `once`, for ever.
    pub(super) always: HashMap<&'static str, &'static str>,
    /// Greetings instead of 220, in order.
    pub(super) greetings: VecDeque<&'static str>,
    /// Of RETR in order: how many octets of the file are sent, and the final reply.
    pub(super) cuts: VecDeque<(usize, &'static str)>,
    /// Of STOR in order: how many octets are kept, and the final reply.
    pub(super) swallows: VecDeque<(usize, &'static str)>,
    /// What MLSD and LIST send.
    pub(super) listing: Option<&'static str>,
    /// Every line that came.
    pub(super) log: Vec<String>,
    /// Sessions that were greeted.
    pub(super) sessions: usize,
}

/// No reply at all.
pub(super) const SILENCE: &str = "";

/// Ends the session instead of replying.
pub(super) const HANG_UP: &str = "hang up";

#[derive(Clone)]
pub(super) struct Server {
    pub(super) port: u16,
    wish: Arc<Mutex<Wish>>,
}

impl Server {
    pub(super) async fn start(wish: Wish) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = Self {
            port,
            wish: Arc::new(Mutex::new(wish)),
        };
        let accepting = server.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let session = accepting.clone();
                tokio::spawn(async move { session.serve(stream).await });
            }
        });
        server
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("ftp://127.0.0.1:{}/{path}", self.port)
    }

    pub(super) fn with<T>(&self, act: impl FnOnce(&mut Wish) -> T) -> T {
        act(&mut self.wish.lock().unwrap())
    }

    pub(super) fn said(&self, line: &str) -> usize {
        self.with(|wish| wish.log.iter().filter(|said| *said == line).count())
    }

    async fn serve(self, stream: TcpStream) {
        let greeting = self.with(|wish| {
            wish.sessions += 1;
            wish.greetings.pop_front().unwrap_or("220 ready")
        });
        let (read, mut write) = stream.into_split();
        if greeting == HANG_UP
            || write
                .write_all(format!("{greeting}\r\n").as_bytes())
                .await
                .is_err()
        {
            return;
        }
        let mut lines = BufReader::new(read);
        let mut state = State {
            passive: None,
            offset: 0,
        };
        let mut line = Vec::new();
        loop {
            line.clear();
            if lines.read_until(b'\n', &mut line).await.unwrap_or(0) == 0 {
                return;
            }
            // Telnet's IP and Synch before ABOR.
            line.retain(|b| *b < 0x80);
            let text = String::from_utf8_lossy(&line).trim_end().to_owned();
            let (verb, argument) = text.split_once(' ').unwrap_or((&text, ""));
            let forced = self.with(|wish| {
                wish.log.push(text.clone());
                let once = wish.once.get_mut(verb).and_then(VecDeque::pop_front);
                once.or_else(|| wish.always.get(verb).copied())
            });
            let reply = match forced {
                Some(SILENCE) => continue,
                Some(HANG_UP) => return,
                Some(reply) => reply.to_owned(),
                None => self.answer(&mut state, &mut write, verb, argument).await,
            };
            if write
                .write_all(format!("{reply}\r\n").as_bytes())
                .await
                .is_err()
            {
                return;
            }
        }
    }

    async fn answer(
        &self,
        state: &mut State,
        control: &mut tokio::net::tcp::OwnedWriteHalf,
        verb: &str,
        argument: &str,
    ) -> String {
        let file = |name: &str| self.with(|wish| wish.files.get(name).cloned());
        match verb {
            "USER" => "331 password".into(),
            "PASS" => "230 in".into(),
            "FEAT" => {
                let lines = self.with(|wish| {
                    wish.features
                        .iter()
                        .map(|f| format!(" {f}\r\n"))
                        .collect::<String>()
                });
                format!("211-Features\r\n{lines}211 End")
            }
            "PWD" => "257 \"/\"".into(),
            "EPSV" | "PASV" => {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                let port = listener.local_addr().unwrap().port();
                state.passive = Some(listener);
                if verb == "EPSV" {
                    format!("229 ok (|||{port}|)")
                } else {
                    // A private address that is not ours (RPL-53).
                    format!("227 ok (10,9,8,7,{},{})", port >> 8, port & 255)
                }
            }
            "REST" => {
                state.offset = argument.parse().unwrap();
                "350 ok".into()
            }
            "SIZE" => match file(argument) {
                Some(bytes) => format!("213 {}", bytes.len()),
                None => "550 no such file".into(),
            },
            "MDTM" => "213 20240615120000".into(),
            "MFMT" => "213 ok".into(),
            "CWD" | "TYPE" | "NOOP" | "OPTS" | "MKD" | "DELE" => "250 ok".into(),
            "XMD5" | "XSHA256" => {
                let name = argument.trim_matches('"');
                let mut digest = wharf_transfer::Digest::new(if verb == "XMD5" {
                    wharf_transfer::Algorithm::Md5
                } else {
                    wharf_transfer::Algorithm::Sha256
                });
                digest.update(&file(name).unwrap_or_default());
                format!("250 {}", digest.finish().to_uppercase())
            }
            "RETR" => {
                let Some(bytes) = file(argument) else {
                    return "550 no such file".into();
                };
                let (cut, last) = self
                    .with(|wish| wish.cuts.pop_front())
                    .unwrap_or((usize::MAX, "226 complete"));
                let from = std::mem::take(&mut state.offset).min(bytes.len());
                let to = cut.clamp(from, bytes.len());
                let _ = control.write_all(b"150 here it comes\r\n").await;
                if let Some(mut data) = state.accept().await {
                    let _ = data.write_all(&bytes[from..to]).await;
                }
                last.into()
            }
            "MLSD" | "LIST" => {
                let listing = self.with(|wish| wish.listing);
                let _ = control.write_all(b"150 here it comes\r\n").await;
                if let Some(mut data) = state.accept().await {
                    let _ = data.write_all(listing.unwrap_or_default().as_bytes()).await;
                }
                "226 complete".into()
            }
            "STOR" | "APPE" => {
                let _ = control.write_all(b"150 go on\r\n").await;
                let mut received = Vec::new();
                if let Some(mut data) = state.accept().await {
                    let _ = data.read_to_end(&mut received).await;
                }
                let offset = std::mem::take(&mut state.offset);
                self.with(|wish| {
                    let (kept, last) = wish
                        .swallows
                        .pop_front()
                        .unwrap_or((usize::MAX, "226 complete"));
                    let held = wish.files.entry(argument.to_owned()).or_default();
                    held.truncate(if verb == "APPE" { held.len() } else { offset });
                    held.extend_from_slice(&received);
                    held.truncate(kept);
                    last.into()
                })
            }
            "QUIT" => "221 bye".into(),
            _ => "502 not here".into(),
        }
    }
}

struct State {
    passive: Option<TcpListener>,
    offset: usize,
}

impl State {
    async fn accept(&mut self) -> Option<TcpStream> {
        Some(self.passive.take()?.accept().await.ok()?.0)
    }
}
