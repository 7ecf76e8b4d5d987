//! A small FTP server that does what a test tells it to do wrong.
//!
//! It is right by default: a few files in memory, passive connections, REST, SIZE, MLSD. A test forces
//! replies to a verb, cuts transfers, or hides features. It logs the lines that it was sent. Its TLS is
//! tokio-rustls's, not the record layer that is tested.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::{Arc, Mutex},
};

use rustls::{HandshakeKind, ServerConfig};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

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
    /// TLS, if it is offered.
    pub(super) tls: Option<Tls>,
    /// Of each protected data connection: whether it resumed a session.
    pub(super) resumed: Vec<bool>,
    /// Of each protected upload: whether it ended with close_notify.
    pub(super) goodbyes: Vec<bool>,
    /// Sessions that were greeted.
    pub(super) sessions: usize,
}

/// TLS as a test wants it.
#[derive(Clone)]
pub(super) struct Tls {
    /// Of the control connection.
    pub(super) control: Arc<ServerConfig>,
    /// Of data connections.
    pub(super) data: Arc<ServerConfig>,
    /// From the first octet.
    pub(super) implicit: bool,
    /// Data connections that resume no session are refused.
    pub(super) requires_resumption: bool,
    /// Data connections end with close_notify.
    pub(super) says_goodbye: bool,
    /// After the answer to AUTH nothing comes any more.
    pub(super) falls_silent: bool,
    /// Sent right behind the answer to AUTH, in clear.
    pub(super) behind_auth: &'static str,
}

impl Tls {
    /// Explicit, and right in everything.
    pub(super) fn new(config: ServerConfig) -> Self {
        let config = Arc::new(config);
        Self {
            control: Arc::clone(&config),
            data: config,
            implicit: false,
            requires_resumption: false,
            says_goodbye: true,
            falls_silent: false,
            behind_auth: "",
        }
    }
}

/// A connection, protected or not.
enum Wire {
    Plain(TcpStream),
    Secure(Box<TlsStream<TcpStream>>),
}

impl Wire {
    async fn secure(self, config: &Arc<ServerConfig>) -> std::io::Result<Self> {
        let Self::Plain(stream) = self else {
            return Ok(self);
        };
        let acceptor = TlsAcceptor::from(Arc::clone(config));
        Ok(Self::Secure(Box::new(acceptor.accept(stream).await?)))
    }

    /// close_notify both ways; what comes behind is plain.
    async fn unsecure(self) -> Self {
        let Self::Secure(mut stream) = self else {
            return self;
        };
        // In this order nothing plain can be read as part of TLS.
        assert_eq!(stream.read(&mut [0; 1]).await.unwrap(), 0);
        stream.get_mut().1.send_close_notify();
        stream.flush().await.unwrap();
        Self::Plain(stream.into_inner().0)
    }

    /// One octet at a time: what stands behind AUTH is not read as part of the line.
    async fn line(&mut self) -> Option<Vec<u8>> {
        let mut line = Vec::new();
        while line.last() != Some(&b'\n') {
            let octet = match self {
                Self::Plain(stream) => stream.read_u8().await,
                Self::Secure(stream) => stream.read_u8().await,
            };
            line.push(octet.ok()?);
        }
        Some(line)
    }

    async fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        match self {
            Self::Plain(stream) => stream.write_all(bytes).await,
            Self::Secure(stream) => {
                stream.write_all(bytes).await?;
                stream.flush().await
            }
        }
    }

    /// Everything up to the end, and whether it was one with close_notify.
    async fn read_to_end(&mut self) -> (Vec<u8>, bool) {
        let mut bytes = Vec::new();
        let ended = match self {
            Self::Plain(stream) => stream.read_to_end(&mut bytes).await,
            Self::Secure(stream) => stream.read_to_end(&mut bytes).await,
        };
        (bytes, ended.is_ok())
    }

    async fn end(mut self, says_goodbye: bool) {
        if let Self::Secure(stream) = &mut self
            && says_goodbye
        {
            let _ = stream.shutdown().await;
        }
    }
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
        let tls = self.with(|wish| wish.tls.clone());
        let mut wire = Wire::Plain(stream);
        if let Some(tls) = tls.as_ref().filter(|tls| tls.implicit) {
            match wire.secure(&tls.control).await {
                Ok(secure) => wire = secure,
                Err(_) => return,
            }
        }
        if greeting == HANG_UP
            || wire
                .write(format!("{greeting}\r\n").as_bytes())
                .await
                .is_err()
        {
            return;
        }
        let mut state = State {
            way: None,
            offset: 0,
            tls: None,
        };
        while let Some(mut line) = wire.line().await {
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
                None => self.answer(&mut state, &mut wire, verb, argument).await,
            };
            let switch = reply.get(..3).unwrap_or_default();
            let behind = match &tls {
                Some(tls) if switch == "234" => tls.behind_auth,
                _ => "",
            };
            if wire
                .write(format!("{reply}\r\n{behind}").as_bytes())
                .await
                .is_err()
            {
                return;
            }
            if let Some(tls) = tls.as_ref().filter(|_| switch == "234") {
                if tls.falls_silent {
                    wire.read_to_end().await;
                    return;
                }
                match wire.secure(&tls.control).await {
                    Ok(secure) => wire = secure,
                    Err(_) => return,
                }
            }
            if verb == "CCC" && switch == "200" {
                wire = wire.unsecure().await;
            }
        }
    }

    async fn answer(
        &self,
        state: &mut State,
        control: &mut Wire,
        verb: &str,
        argument: &str,
    ) -> String {
        let file = |name: &str| self.with(|wish| wish.files.get(name).cloned());
        match verb {
            "AUTH" if self.with(|wish| wish.tls.is_some()) => "234 go on".into(),
            "PBSZ" | "CCC" if self.with(|wish| wish.tls.is_some()) => "200 ok".into(),
            "PROT" if argument == "P" => {
                state.tls = self.with(|wish| wish.tls.clone());
                match state.tls {
                    Some(_) => "200 ok".into(),
                    None => "502 not here".into(),
                }
            }
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
                state.way = Some(Way::Passive(listener));
                if verb == "EPSV" {
                    format!("229 ok (|||{port}|)")
                } else {
                    // A private address that is not ours (RPL-53).
                    format!("227 ok (10,9,8,7,{},{})", port >> 8, port & 255)
                }
            }
            "PORT" => {
                let octets: Vec<u16> = argument.split(',').map(|o| o.parse().unwrap()).collect();
                state.way = Some(Way::Active(octets[4] << 8 | octets[5]));
                "200 ok".into()
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
                let _ = control.write(b"150 here it comes\r\n").await;
                match self.data(state).await {
                    Ok((mut data, says_goodbye)) => {
                        let _ = data.write(&bytes[from..to]).await;
                        data.end(says_goodbye).await;
                        last.into()
                    }
                    Err(refusal) => refusal.into(),
                }
            }
            "MLSD" | "LIST" => {
                let listing = self.with(|wish| wish.listing);
                let _ = control.write(b"150 here it comes\r\n").await;
                match self.data(state).await {
                    Ok((mut data, says_goodbye)) => {
                        let _ = data.write(listing.unwrap_or_default().as_bytes()).await;
                        data.end(says_goodbye).await;
                        "226 complete".into()
                    }
                    Err(refusal) => refusal.into(),
                }
            }
            "STOR" | "APPE" => {
                let _ = control.write(b"150 go on\r\n").await;
                let received = match self.data(state).await {
                    Ok((mut data, says_goodbye)) => {
                        let (received, in_order) = data.read_to_end().await;
                        data.end(says_goodbye).await;
                        self.with(|wish| wish.goodbyes.push(in_order));
                        received
                    }
                    Err(refusal) => return refusal.into(),
                };
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

    /// The data connection, and how it is ended; or the reply instead.
    async fn data(&self, state: &mut State) -> Result<(Wire, bool), &'static str> {
        const NONE: &str = "425 no data connection";
        let stream = match state.way.take().ok_or(NONE)? {
            Way::Passive(listener) => listener.accept().await.map_err(|_| NONE)?.0,
            Way::Active(port) => TcpStream::connect(("127.0.0.1", port))
                .await
                .map_err(|_| NONE)?,
        };
        let wire = Wire::Plain(stream);
        let Some(tls) = &state.tls else {
            return Ok((wire, true));
        };
        let wire = wire.secure(&tls.data).await.map_err(|_| "522 no TLS")?;
        let resumed = match &wire {
            Wire::Secure(stream) => {
                stream.get_ref().1.handshake_kind() == Some(HandshakeKind::Resumed)
            }
            Wire::Plain(_) => false,
        };
        self.with(|wish| wish.resumed.push(resumed));
        if tls.requires_resumption && !resumed {
            return Err("522 TLS session of data connection not resumed");
        }
        Ok((wire, tls.says_goodbye))
    }
}

enum Way {
    Passive(TcpListener),
    Active(u16),
}

struct State {
    way: Option<Way>,
    offset: usize,
    /// Of data connections, after PROT P.
    tls: Option<Tls>,
}
