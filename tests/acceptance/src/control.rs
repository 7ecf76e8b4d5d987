//! A raw FTP control connection: lines out, replies in, data connections beside it; in clear or
//! under TLS.
//!
//! Every failure shows the dialogue so far, so that a failing test can be read like a transcript.

use std::fmt::Write as _;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::time::Instant;

use crate::socket::{PATIENCE, connect_to, drain, with_patience};
use crate::tls::{Client, End, Secure};
use crate::{PASSWORD, Reply, USER};

/// One control connection.
#[derive(Debug)]
pub struct Control {
    stream: TcpStream,
    tls: Option<Box<Secure>>,
    /// Secures the data connections, once PROT P was said.
    private: Option<Client>,
    input: Vec<u8>,
    dialogue: String,
}

impl Control {
    /// Connects and reads nothing.
    ///
    /// # Panics
    /// When nobody listens at `address`.
    #[must_use]
    #[track_caller]
    pub fn open(address: SocketAddr) -> Self {
        Self::over(connect_to(address).expect("control connection"))
    }

    /// Takes a stream that is already connected.
    #[must_use]
    pub fn over(stream: TcpStream) -> Self {
        Self {
            stream: with_patience(stream),
            tls: None,
            private: None,
            input: Vec::new(),
            dialogue: String::new(),
        }
    }

    /// Connects and reads the greeting.
    ///
    /// # Panics
    /// When the greeting is not 220.
    #[must_use]
    #[track_caller]
    pub fn greeted(address: SocketAddr) -> Self {
        let mut control = Self::open(address);
        control.wants(220);
        control
    }

    /// Logs in as the suite's account.
    #[track_caller]
    pub fn log_in(&mut self) {
        self.expect(format!("USER {USER}"), 331);
        self.expect(format!("PASS {PASSWORD}"), 230);
    }

    /// The socket itself.
    #[must_use]
    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// The server's address.
    #[must_use]
    pub fn peer(&self) -> SocketAddr {
        self.stream.peer_addr().expect("peer address")
    }

    /// This end's address.
    #[must_use]
    pub fn local(&self) -> SocketAddr {
        self.stream.local_addr().expect("local address")
    }

    /// Gives up the control connection and returns the socket.
    #[must_use]
    pub fn into_stream(self) -> TcpStream {
        self.stream
    }

    /// Sends bytes as they are. A failed write is noted in the dialogue only: the server may close
    /// first, and the next read tells.
    pub fn raw(&mut self, bytes: impl AsRef<[u8]>) {
        let bytes = bytes.as_ref();
        let shown = bytes.get(..200).unwrap_or(bytes);
        let _ = writeln!(self.dialogue, "C> {}", shown.escape_ascii());
        let written = match &mut self.tls {
            Some(tls) => tls.write_all(bytes),
            None => self.stream.write_all(bytes),
        };
        if let Err(error) = written {
            let _ = writeln!(self.dialogue, "   (not written: {error})");
        }
    }

    /// Sends bytes one by one: each in a segment, and under TLS in a record, of its own.
    pub fn dribble(&mut self, bytes: impl AsRef<[u8]>) {
        for byte in bytes.as_ref() {
            self.raw([*byte]);
        }
    }

    /// Sends a command line, CR LF added.
    pub fn send(&mut self, line: impl AsRef<[u8]>) {
        let mut bytes = line.as_ref().to_vec();
        bytes.extend_from_slice(b"\r\n");
        self.raw(bytes);
    }

    /// The next reply, or `None` when the server closed the connection.
    ///
    /// # Errors
    /// A timeout, a reset, or a first line that is no reply.
    pub fn try_reply(&mut self) -> io::Result<Option<Reply>> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some((reply, used)) = parse(&self.input)? {
                self.input.drain(..used);
                let _ = writeln!(self.dialogue, "S> {}", reply.text());
                return Ok(Some(reply));
            }
            let mut buffer = [0; 16 * 1024];
            let read = match &mut self.tls {
                Some(tls) => tls.read(&mut buffer),
                None => self.stream.read(&mut buffer),
            };
            match read {
                Ok(0) => {
                    let _ = writeln!(self.dialogue, "S> (end)");
                    return Ok(None);
                }
                Ok(count) => self.input.extend_from_slice(&buffer[..count]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    let _ = writeln!(
                        self.dialogue,
                        "S> ({error}; unparsed: {})",
                        self.input.escape_ascii()
                    );
                    return Err(error);
                }
            }
            if Instant::now() > deadline {
                return Err(io::ErrorKind::TimedOut.into());
            }
        }
    }

    /// The next reply.
    ///
    /// # Panics
    /// When none comes.
    #[track_caller]
    pub fn reply(&mut self) -> Reply {
        match self.try_reply() {
            Ok(Some(reply)) => reply,
            Ok(None) => panic!(
                "the server closed the connection instead of replying\n{}",
                self.dialogue
            ),
            Err(error) => panic!("no reply: {error}\n{}", self.dialogue),
        }
    }

    /// The next reply, whose code must be `code`.
    #[track_caller]
    pub fn wants(&mut self, code: u16) -> Reply {
        self.wants_any(&[code])
    }

    /// The next reply, whose code must be one of `codes`.
    #[track_caller]
    pub fn wants_any(&mut self, codes: &[u16]) -> Reply {
        let reply = self.reply();
        assert!(
            codes.contains(&reply.code),
            "expected {codes:?}, got {}\n{}",
            reply.code,
            self.dialogue
        );
        reply
    }

    /// Sends a line and takes its reply.
    #[track_caller]
    pub fn ask(&mut self, line: impl AsRef<[u8]>) -> Reply {
        self.send(line);
        self.reply()
    }

    /// Sends a line; the reply's code must be `code`.
    #[track_caller]
    pub fn expect(&mut self, line: impl AsRef<[u8]>, code: u16) -> Reply {
        self.send(line);
        self.wants(code)
    }

    /// Sends a line; the reply's code must be one of `codes`.
    #[track_caller]
    pub fn expect_any(&mut self, line: impl AsRef<[u8]>, codes: &[u16]) -> Reply {
        self.send(line);
        self.wants_any(codes)
    }

    /// Asserts that no reply is left over: the next one is that of this NOOP.
    #[track_caller]
    pub fn in_step(&mut self) {
        self.expect("NOOP", 200);
    }

    /// Asserts that the server closes the connection, after at most one 421.
    #[track_caller]
    pub fn closes(&mut self) {
        loop {
            match self.try_reply() {
                Ok(None) => return,
                Ok(Some(reply)) => assert!(
                    matches!(reply.code, 421 | 221),
                    "expected the connection to end, got {}\n{}",
                    reply.code,
                    self.dialogue
                ),
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::ConnectionReset | io::ErrorKind::UnexpectedEof
                    ) =>
                {
                    return;
                }
                Err(error) => panic!("the connection stays open: {error}\n{}", self.dialogue),
            }
        }
    }

    /// Sends PASV and returns the address that the 227 names.
    #[track_caller]
    pub fn pasv(&mut self) -> SocketAddr {
        let reply = self.expect("PASV", 227);
        host_port(&reply.text())
            .unwrap_or_else(|| panic!("no address in the 227\n{}", self.dialogue))
    }

    /// Sends EPSV and returns the address: the control peer's, with the port of the 229.
    #[track_caller]
    pub fn epsv(&mut self) -> SocketAddr {
        let reply = self.expect("EPSV", 229);
        let port = extended_port(&reply.text())
            .unwrap_or_else(|| panic!("no port in the 229\n{}", self.dialogue));
        SocketAddr::new(self.peer().ip(), port)
    }

    /// Sends PASV (EPSV on IPv6) and connects.
    #[track_caller]
    pub fn passive(&mut self) -> TcpStream {
        let address = if self.peer().is_ipv4() {
            self.pasv()
        } else {
            self.epsv()
        };
        connect_to(address)
            .unwrap_or_else(|error| panic!("passive port {address}: {error}\n{}", self.dialogue))
    }

    /// Listens on this end's address and sends PORT (EPRT on IPv6).
    #[track_caller]
    pub fn active(&mut self) -> TcpListener {
        let listener = TcpListener::bind((self.local().ip(), 0)).expect("listener");
        let address = listener.local_addr().expect("listener's address");
        let line = match address.ip() {
            IpAddr::V4(ip) => port_line(ip, address.port()),
            IpAddr::V6(ip) => format!("EPRT |2|{ip}|{}|", address.port()),
        };
        self.expect(line, 200);
        listener
    }

    /// A download or listing over a passive connection: the bytes of the data connection. The
    /// replies must be 150 or 125, then 226 or 250.
    #[track_caller]
    pub fn fetch(&mut self, line: impl AsRef<[u8]>) -> Vec<u8> {
        let mut data = self.passive();
        self.send(line);
        self.wants_any(&[150, 125]);
        let bytes = if let Some(client) = &self.private {
            let mut data = self.secured(client, data);
            let (bytes, end) = data.drain();
            assert!(
                matches!(end, End::CloseNotify),
                "data connection: {end:?}\n{}",
                self.dialogue
            );
            let _ = data.finish();
            bytes
        } else {
            let mut bytes = Vec::new();
            data.read_to_end(&mut bytes)
                .unwrap_or_else(|error| panic!("data connection: {error}\n{}", self.dialogue));
            drop(data);
            bytes
        };
        self.wants_any(&[226, 250]);
        bytes
    }

    #[track_caller]
    fn secured(&self, client: &Client, data: TcpStream) -> Secure {
        client
            .connect(data)
            .unwrap_or_else(|error| panic!("data connection: {error}\n{}", self.dialogue))
    }

    /// As [`Self::fetch`], as lines of text without their CR LF.
    ///
    /// # Panics
    /// When a line does not end in CR LF.
    #[track_caller]
    pub fn lines(&mut self, line: impl AsRef<[u8]>) -> Vec<String> {
        let bytes = self.fetch(line);
        if bytes.is_empty() {
            return Vec::new();
        }
        let text = String::from_utf8_lossy(&bytes).into_owned();
        assert!(
            text.ends_with("\r\n"),
            "the last line has no CR LF: {text:?}"
        );
        text.trim_end_matches("\r\n")
            .split("\r\n")
            .map(str::to_owned)
            .collect()
    }

    /// An upload over a passive connection; returns the final reply, which must be 226 or 250.
    #[track_caller]
    pub fn store(&mut self, line: impl AsRef<[u8]>, bytes: &[u8]) -> Reply {
        let mut data = self.passive();
        self.send(line);
        self.wants_any(&[150, 125]);
        let failed = |error| panic!("data connection: {error}\n{}", self.dialogue);
        if let Some(client) = &self.private {
            let mut data = self.secured(client, data);
            data.write_all(bytes).unwrap_or_else(failed);
            let _ = data.finish();
            // Whoever closes before reading throws the tickets away.
            let _ = data.drain();
        } else {
            data.write_all(bytes).unwrap_or_else(failed);
            let _ = data.shutdown(Shutdown::Write);
            drop(data);
        }
        self.wants_any(&[226, 250])
    }

    /// A transfer command that must be refused before any 150, over a passive connection.
    #[track_caller]
    pub fn refused(&mut self, line: impl AsRef<[u8]>, codes: &[u16]) -> Reply {
        let _data = self.passive();
        self.expect_any(line, codes)
    }

    /// A transfer that must not succeed, before or after its 150.
    #[track_caller]
    pub fn fails(&mut self, line: impl AsRef<[u8]>, codes: &[u16]) -> Reply {
        let data = self.passive();
        self.send(line);
        let reply = self.reply();
        if matches!(reply.code, 150 | 125) {
            if let Some(client) = &self.private {
                let _ = client.connect(data).map(|mut data| data.drain());
            } else {
                let _ = drain(data);
            }
            return self.wants_any(codes);
        }
        assert!(
            codes.contains(&reply.code),
            "expected {codes:?}, got {}\n{}",
            reply.code,
            self.dialogue
        );
        reply
    }

    /// AUTH TLS and the handshake.
    #[track_caller]
    pub fn secure(&mut self, client: &Client) {
        self.expect("AUTH TLS", 234);
        self.start_tls(client);
    }

    /// The handshake alone, where the server waits for it.
    #[track_caller]
    pub fn start_tls(&mut self, client: &Client) {
        self.try_start_tls(client)
            .unwrap_or_else(|error| panic!("handshake: {error}\n{}", self.dialogue));
    }

    /// The handshake alone, if the server lets it succeed.
    ///
    /// # Errors
    /// As [`Client::connect`].
    ///
    /// # Panics
    /// When the server said something in clear that nobody has read: it would have come from
    /// somebody in between.
    #[track_caller]
    pub fn try_start_tls(&mut self, client: &Client) -> io::Result<()> {
        assert!(
            self.input.is_empty(),
            "said before the handshake: {}\n{}",
            self.input.escape_ascii(),
            self.dialogue
        );
        let socket = self.stream.try_clone()?;
        let secure = client.connect(socket)?;
        let _ = writeln!(
            self.dialogue,
            "-- TLS: {:?}, {}",
            secure.version(),
            secure.suite()
        );
        self.tls = Some(Box::new(secure));
        Ok(())
    }

    /// Takes over a session that the test has made itself.
    pub fn under(&mut self, secure: Secure) {
        self.tls = Some(Box::new(secure));
    }

    /// A transfer up to its data connection: passive, the command, its 150, a handshake by `client`.
    ///
    /// # Errors
    /// Those of the handshake.
    #[track_caller]
    pub fn transfer(&mut self, line: impl AsRef<[u8]>, client: &Client) -> io::Result<Secure> {
        let data = self.passive();
        self.send(line);
        self.wants_any(&[150, 125]);
        client.connect(data)
    }

    /// PBSZ 0 and PROT P: the data connections of [`Self::fetch`], [`Self::store`] and the like are
    /// secured by `client` from now on.
    #[track_caller]
    pub fn protect(&mut self, client: &Client) {
        self.expect("PBSZ 0", 200);
        self.expect("PROT P", 200);
        self.private_data(client);
    }

    /// Secures data connections by `client` from now on; says nothing.
    pub fn private_data(&mut self, client: &Client) {
        self.private = Some(client.clone());
    }

    /// Leaves data connections in clear from now on; says nothing.
    pub fn clear_data(&mut self) {
        self.private = None;
    }

    /// The TLS session, if there is one.
    #[must_use]
    pub fn tls(&self) -> Option<&Secure> {
        self.tls.as_deref()
    }

    /// Answers the server's end of TLS (after the reply to CCC or REIN): reads its close_notify,
    /// sends this side's, goes on in clear.
    #[track_caller]
    pub fn leave_tls(&mut self) {
        let mut tls = self.tls.take().expect("a session under TLS");
        let mut rest = [0; 64];
        let read = tls.read(&mut rest);
        assert!(
            matches!(read, Ok(0)),
            "expected close_notify, got {read:?}\n{}",
            self.dialogue
        );
        let _ = tls.notify_close();
        let _ = writeln!(self.dialogue, "-- in clear");
    }

    /// Goes on in clear without a close_notify of its own and without waiting for the server's.
    ///
    /// # Panics
    /// When it is in clear.
    pub fn drop_tls(&mut self) -> Secure {
        let _ = writeln!(self.dialogue, "-- in clear, without close_notify");
        *self.tls.take().expect("a session under TLS")
    }

    /// What came and is no whole reply.
    #[must_use]
    pub fn unparsed(&self) -> &[u8] {
        &self.input
    }

    /// The dialogue so far, for a test's own messages.
    #[must_use]
    pub fn dialogue(&self) -> &str {
        &self.dialogue
    }
}

/// `PORT h1,h2,h3,h4,p1,p2`.
#[must_use]
pub fn port_line(ip: Ipv4Addr, port: u16) -> String {
    let [a, b, c, d] = ip.octets();
    format!("PORT {a},{b},{c},{d},{},{}", port >> 8, port & 255)
}

/// The six numbers of a 227.
#[must_use]
pub fn host_port(text: &str) -> Option<SocketAddr> {
    let numbers: Vec<u8> = text
        .get(4..)?
        .split(|c: char| !c.is_ascii_digit())
        .filter(|part| !part.is_empty())
        .map(|part| part.parse().ok())
        .collect::<Option<_>>()?;
    let [a, b, c, d, high, low] = numbers[..] else {
        return None;
    };
    Some(SocketAddr::new(
        Ipv4Addr::new(a, b, c, d).into(),
        u16::from_be_bytes([high, low]),
    ))
}

/// The port of a 229.
#[must_use]
pub fn extended_port(text: &str) -> Option<u16> {
    let inside = text.split_once('(')?.1.split_once(')')?.0;
    inside.strip_prefix("|||")?.strip_suffix('|')?.parse().ok()
}

/// A whole reply at the start of `input` and its length, if there is one.
fn parse(input: &[u8]) -> io::Result<Option<(Reply, usize)>> {
    let mut lines = Vec::new();
    let mut used = 0;
    let mut code = None;
    while let Some(end) = input[used..].iter().position(|&byte| byte == b'\n') {
        let line = &input[used..used + end];
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        used += end + 1;
        lines.push(line.to_vec());
        let number = line
            .get(..3)
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| digits.parse().ok());
        let last = line.len() == 3 || line.get(3) == Some(&b' ');
        match (code, number) {
            (None, None) => {
                let shown = line.escape_ascii().to_string();
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    format!("not a reply: {shown}"),
                ));
            }
            (None, Some(first)) => {
                code = Some(first);
                if last {
                    return Ok(Some((Reply { code: first, lines }, used)));
                }
            }
            (Some(first), Some(this)) if first == this && last => {
                return Ok(Some((Reply { code: first, lines }, used)));
            }
            (Some(_), _) => {}
        }
    }
    Ok(None)
}
