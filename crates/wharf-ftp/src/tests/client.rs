//! A client that says what it is told to say, octet for octet, and reads whole replies.

use std::{
    future::Future,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

use rustix::net::{SendFlags, sockopt};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, Interest},
    net::{TcpListener, TcpStream},
};

use super::{House, layer::Layer};

/// Turns a test that would hang into one that fails; far beyond every limit of the service, so that
/// a stopped clock passes those first.
const HANGS: Duration = Duration::from_secs(48 * 3600);
/// The same for a clock that runs.
const HANGS_REALLY: Duration = Duration::from_secs(120);

/// Waits for what must come soon.
pub(super) async fn soon<T>(work: impl Future<Output = T>) -> T {
    let limit = if CLOCK_STANDS.get() {
        HANGS
    } else {
        HANGS_REALLY
    };
    tokio::time::timeout(limit, work)
        .await
        .expect("this must come soon")
}

thread_local! {
    static CLOCK_STANDS: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

/// Stops the clock: from here on time only passes while everybody waits for nothing else.
pub(super) fn stop_the_clock() {
    CLOCK_STANDS.set(true);
    tokio::time::pause();
}

/// One whole reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reply {
    pub(super) code: u16,
    /// All lines without the code of the last one and without the last line end.
    pub(super) text: String,
}

impl Reply {
    /// The first text between double quotes.
    pub(super) fn quoted(&self) -> &str {
        self.text.split('"').nth(1).unwrap()
    }
}

/// A control connection.
pub(super) struct Client {
    pub(super) control: TcpStream,
    received: Vec<u8>,
    /// TLS on the control connection, and what its data connections resume.
    pub(super) tls: Option<Layer>,
}

impl Client {
    /// Connects and hears the greeting.
    pub(super) async fn connect(house: &House) -> Self {
        let mut client = Self::connect_silently(house).await;
        client.expect(220).await;
        client
    }

    /// Connects and hears nothing yet.
    pub(super) async fn connect_silently(house: &House) -> Self {
        Self::connect_to(house.address).await
    }

    /// Connects to one of the listeners and hears nothing yet.
    pub(super) async fn connect_to(address: SocketAddr) -> Self {
        Self {
            control: TcpStream::connect(address).await.unwrap(),
            received: Vec::new(),
            tls: None,
        }
    }

    /// Connects and logs in; binary from the start.
    pub(super) async fn login(house: &House, user: &str) -> Self {
        let mut client = Self::connect(house).await;
        client.ask(&format!("USER {user}"), 331).await;
        client.ask("PASS secret", 230).await;
        client.ask("TYPE I", 200).await;
        client
    }

    /// Sends octets as they are.
    pub(super) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        if let Some(tls) = &mut self.tls {
            return soon(tls.write(&mut self.control, bytes.as_ref()))
                .await
                .unwrap();
        }
        soon(self.control.write_all(bytes.as_ref())).await.unwrap();
    }

    /// Sends a line.
    pub(super) async fn line(&mut self, line: &str) {
        self.send(format!("{line}\r\n")).await;
    }

    /// Sends octets of which the last one is urgent.
    pub(super) async fn send_urgent(&self, bytes: &[u8]) {
        let sent = self
            .control
            .async_io(Interest::WRITABLE, || {
                Ok(rustix::net::send(&self.control, bytes, SendFlags::OOB)?)
            })
            .await;
        assert_eq!(sent.unwrap(), bytes.len());
    }

    /// Hears one reply; `None` at the end of the connection.
    pub(super) async fn try_reply(&mut self) -> Option<Reply> {
        let mut whole = Vec::new();
        let mut code = None;
        loop {
            let line = self.read_line().await?;
            let line = String::from_utf8_lossy(&line).into_owned();
            let number = line.get(..3).and_then(|digits| digits.parse::<u16>().ok());
            let is_last = line.as_bytes().get(3) == Some(&b' ');
            match (code, number) {
                (None, Some(number)) => code = Some(number),
                (None, None) => panic!("no reply: {line:?}"),
                _ => {}
            }
            let ends = is_last && number == code;
            whole.push(if ends {
                line.get(4..).unwrap().to_owned()
            } else {
                line
            });
            if ends {
                return Some(Reply {
                    code: code.unwrap(),
                    text: whole.join("\n"),
                });
            }
        }
    }

    /// Hears one reply.
    pub(super) async fn reply(&mut self) -> Reply {
        self.try_reply().await.expect("a reply, not the end")
    }

    /// Hears a reply of this code.
    pub(super) async fn expect(&mut self, code: u16) -> Reply {
        let reply = self.reply().await;
        assert_eq!(reply.code, code, "{reply:?}");
        reply
    }

    /// Says a line and hears the reply.
    pub(super) async fn say(&mut self, line: &str) -> Reply {
        self.line(line).await;
        self.reply().await
    }

    /// Says a line and hears a reply of this code.
    pub(super) async fn ask(&mut self, line: &str, code: u16) -> Reply {
        let reply = self.say(line).await;
        assert_eq!(reply.code, code, "{line}: {reply:?}");
        reply
    }

    /// Hears that the connection ends, after replies of these codes.
    pub(super) async fn expect_end(&mut self, codes: &[u16]) {
        let mut heard = Vec::new();
        while let Some(reply) = self.try_reply().await {
            heard.push(reply.code);
        }
        assert_eq!(heard, codes);
    }

    async fn read_line(&mut self) -> Option<Vec<u8>> {
        loop {
            if let Some(end) = self.received.windows(2).position(|two| two == b"\r\n") {
                let mut line: Vec<u8> = self.received.drain(..end + 2).collect();
                line.truncate(end);
                return Some(line);
            }
            if let Some(tls) = &mut self.tls {
                match soon(tls.read(&mut self.control)).await {
                    Ok(Some(bytes)) => self.received.extend_from_slice(&bytes),
                    Ok(None) | Err(_) => {
                        assert!(self.received.is_empty(), "half a line: {:?}", self.received);
                        return None;
                    }
                }
                continue;
            }
            let mut piece = [0; 4096];
            match soon(self.control.read(&mut piece)).await {
                Ok(0) | Err(_) => {
                    assert!(self.received.is_empty(), "half a line: {:?}", self.received);
                    return None;
                }
                Ok(count) => self.received.extend_from_slice(&piece[..count]),
            }
        }
    }

    /// PASV: where to connect to.
    pub(super) async fn passive_address(&mut self) -> SocketAddr {
        let reply = self.ask("PASV", 227).await;
        let (_, numbers) = reply.text.split_once('(').unwrap();
        let numbers: Vec<u8> = numbers
            .trim_end_matches([')', '.'])
            .split(',')
            .map(|number| number.parse().unwrap())
            .collect();
        let address = Ipv4Addr::new(numbers[0], numbers[1], numbers[2], numbers[3]);
        SocketAddr::new(
            IpAddr::V4(address),
            u16::from(numbers[4]) << 8 | u16::from(numbers[5]),
        )
    }

    /// PASV, and connects.
    pub(super) async fn passive(&mut self) -> TcpStream {
        let address = self.passive_address().await;
        soon(TcpStream::connect(address)).await.unwrap()
    }

    /// PORT with a listener of our own.
    pub(super) async fn active(&mut self) -> TcpListener {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        self.ask(&format!("PORT 127,0,0,1,{},{}", port >> 8, port & 255), 200)
            .await;
        listener
    }

    /// A command that sends us something, to its 226.
    pub(super) async fn fetch(&mut self, command: &str) -> Vec<u8> {
        let mut data = self.passive().await;
        self.ask(command, 150).await;
        let bytes = read_all(&mut data).await.unwrap();
        self.expect(226).await;
        bytes
    }

    /// The lines of a listing.
    pub(super) async fn list(&mut self, command: &str) -> Vec<String> {
        let bytes = self.fetch(command).await;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        assert!(text.is_empty() || text.ends_with("\r\n"), "{text:?}");
        text.split_terminator("\r\n").map(str::to_owned).collect()
    }

    /// A command that takes something from us, to its final reply.
    pub(super) async fn give(&mut self, command: &str, bytes: &[u8]) -> Reply {
        let mut data = self.passive().await;
        self.ask(command, 150).await;
        soon(data.write_all(bytes)).await.unwrap();
        drop(data);
        self.reply().await
    }

    /// STAT until it tells of so many octets of the running transfer.
    pub(super) async fn await_octets(&mut self, octets: u64) {
        loop {
            let status = self.ask("STAT", 211).await.text;
            let running = status
                .lines()
                .find_map(|line| line.strip_prefix(" Transfer running: "))
                .unwrap();
            if running.split(' ').next().unwrap().parse::<u64>().unwrap() >= octets {
                return;
            }
        }
    }

    /// STOR that must succeed.
    pub(super) async fn store(&mut self, name: &str, bytes: &[u8]) {
        let reply = self.give(&format!("STOR {name}"), bytes).await;
        assert_eq!(reply.code, 226, "{reply:?}");
    }

    /// Breaks the control connection with a reset.
    pub(super) fn vanish(self) {
        reset(self.control);
    }
}

/// Reads to the end.
pub(super) async fn read_all(stream: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    soon(stream.read_to_end(&mut bytes)).await?;
    Ok(bytes)
}

/// Closes with a reset.
pub(super) fn reset(stream: TcpStream) {
    sockopt::set_socket_linger(&stream, Some(Duration::ZERO)).unwrap();
}

/// Octets in which every place can be told from the next.
pub(super) fn pattern(length: usize) -> Vec<u8> {
    (0..length)
        .map(|index| u8::try_from((index * 7 + index / 251) % 251).unwrap())
        .collect()
}
