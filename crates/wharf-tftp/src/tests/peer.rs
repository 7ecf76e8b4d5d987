//! A client that says what it is told to say, and one that does as it should.

use std::net::SocketAddr;

use rustix::net::RecvFlags;
use tokio::net::UdpSocket;

use super::house::soon;

pub(super) const RRQ: u8 = 1;
pub(super) const WRQ: u8 = 2;

/// What a server says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Said {
    Data(u16, Vec<u8>),
    Ack(u16),
    Error(u16, String),
    Oack(Vec<(String, String)>),
}

impl Said {
    pub(super) fn of(datagram: &[u8]) -> Self {
        let number = |at: usize| u16::from_be_bytes([datagram[at], datagram[at + 1]]);
        match number(0) {
            3 => Self::Data(number(2), datagram[4..].to_vec()),
            4 => {
                assert_eq!(datagram.len(), 4);
                Self::Ack(number(2))
            }
            5 => {
                let text = datagram[4..].strip_suffix(&[0]).expect("NUL at the end");
                Self::Error(number(2), String::from_utf8(text.to_vec()).unwrap())
            }
            6 => {
                let words = datagram[2..].strip_suffix(&[0]).expect("NUL at the end");
                let words: Vec<_> = words
                    .split(|octet| *octet == 0)
                    .map(|word| String::from_utf8(word.to_vec()).unwrap())
                    .collect();
                let pairs = words.chunks_exact(2);
                assert!(pairs.remainder().is_empty());
                Self::Oack(
                    pairs
                        .map(|pair| (pair[0].clone(), pair[1].clone()))
                        .collect(),
                )
            }
            opcode => panic!("opcode {opcode}"),
        }
    }
}

pub(super) fn request(opcode: u8, name: &str, mode: &str, options: &[(&str, &str)]) -> Vec<u8> {
    let mut request = vec![0, opcode];
    let words = [name, mode].into_iter();
    for word in words.chain(options.iter().flat_map(|(name, value)| [*name, *value])) {
        request.extend_from_slice(word.as_bytes());
        request.push(0);
    }
    request
}

pub(super) fn ack(block: u16) -> Vec<u8> {
    let [high, low] = block.to_be_bytes();
    vec![0, 4, high, low]
}

pub(super) fn data(block: u16, content: &[u8]) -> Vec<u8> {
    let [high, low] = block.to_be_bytes();
    [&[0, 3, high, low], content].concat()
}

pub(super) fn error(code: u16, text: &str) -> Vec<u8> {
    let [high, low] = code.to_be_bytes();
    [&[0, 5, high, low], text.as_bytes(), &[0]].concat()
}

/// A refusal: number and words.
pub(super) type Refused = (u16, String);

pub(super) struct Peer {
    pub(super) socket: UdpSocket,
    pub(super) server: SocketAddr,
}

impl Peer {
    pub(super) async fn at(local: &str, server: SocketAddr) -> Self {
        let socket = UdpSocket::bind(local).await.unwrap();
        Self { socket, server }
    }

    /// Asks the listening port.
    pub(super) async fn ask(&self, datagram: &[u8]) {
        let server = self.server;
        self.say(datagram, server).await;
    }

    pub(super) async fn say(&self, datagram: &[u8], to: SocketAddr) {
        self.socket.send_to(datagram, to).await.unwrap();
    }

    pub(super) async fn hear(&self) -> (Said, SocketAddr) {
        let mut buffer = vec![0; 65_536];
        let (octets, from) = soon(self.socket.recv_from(&mut buffer)).await.unwrap();
        (Said::of(&buffer[..octets]), from)
    }

    /// Everything that is here already.
    pub(super) fn heard(&self) -> Vec<Said> {
        let mut buffer = vec![0; 65_536];
        let mut heard = Vec::new();
        // The socket itself is asked: the reactor may not know yet.
        loop {
            let received = rustix::net::recv(&self.socket, &mut buffer[..], RecvFlags::DONTWAIT);
            match received.map(|(octets, _)| octets) {
                Ok(octets) => heard.push(Said::of(&buffer[..octets])),
                Err(_) => return heard,
            }
        }
    }

    /// Asks, and tells the answer.
    pub(super) async fn answer(&self, datagram: &[u8]) -> (Said, SocketAddr) {
        self.ask(datagram).await;
        self.hear().await
    }

    /// Fetches a file as a client should that loses nothing.
    pub(super) async fn get(
        &self,
        name: &str,
        mode: &str,
        options: &[(&str, &str)],
    ) -> Result<Vec<u8>, Refused> {
        let (mut said, from) = self.answer(&request(RRQ, name, mode, options)).await;
        let (mut block_size, mut window, mut first) = (512, 1, 1_u64);
        if let Said::Oack(granted) = &said {
            for (name, value) in granted {
                match name.as_str() {
                    "blksize" => block_size = value.parse().unwrap(),
                    "windowsize" => window = value.parse().unwrap(),
                    "rollover" => first = value.parse().unwrap(),
                    _ => {}
                }
            }
            self.say(&ack(0), from).await;
            said = self.hear().await.0;
        }
        let number = |block: u64| {
            let wrapped = match first {
                0 => block % 65_536,
                _ if options.iter().all(|(name, _)| *name != "rollover") => block % 65_536,
                _ => (block - 1) % 65_535 + 1,
            };
            u16::try_from(wrapped).unwrap()
        };
        let (mut content, mut block, mut since_ack) = (Vec::new(), 0, 0);
        loop {
            match said {
                Said::Error(code, text) => return Err((code, text)),
                Said::Data(got, data) if got == number(block + 1) => {
                    block += 1;
                    since_ack += 1;
                    content.extend_from_slice(&data);
                    let is_last = data.len() < block_size;
                    if is_last || since_ack == window {
                        since_ack = 0;
                        self.say(&ack(got), from).await;
                    }
                    if is_last {
                        return Ok(content);
                    }
                }
                // Lost in a full socket, or sent again.
                Said::Data(..) => {
                    since_ack = 0;
                    self.say(&ack(number(block)), from).await;
                    // The rest of that window says nothing new.
                    self.heard();
                }
                other => panic!("{other:?}"),
            }
            said = self.hear().await.0;
        }
    }

    /// Stores a file as a client should that loses nothing.
    pub(super) async fn put(
        &self,
        name: &str,
        mode: &str,
        options: &[(&str, &str)],
        content: &[u8],
    ) -> Result<(), Refused> {
        let (said, from) = self.answer(&request(WRQ, name, mode, options)).await;
        let (mut block_size, mut window) = (512, 1);
        match said {
            Said::Ack(0) => {}
            Said::Oack(granted) => {
                for (name, value) in granted {
                    match name.as_str() {
                        "blksize" => block_size = value.parse().unwrap(),
                        "windowsize" => window = value.parse().unwrap(),
                        _ => {}
                    }
                }
            }
            Said::Error(code, text) => return Err((code, text)),
            other => panic!("{other:?}"),
        }
        let last = content.len() / block_size + 1;
        let mut done = 0;
        while done < last {
            let end = last.min(done + window);
            for block in done + 1..=end {
                let begin = (block - 1) * block_size;
                let stop = content.len().min(begin + block_size);
                let number = u16::try_from(block % 65_536).unwrap();
                self.say(&data(number, &content[begin..stop]), from).await;
            }
            loop {
                match self.hear().await.0 {
                    Said::Ack(got) => {
                        let ahead =
                            usize::from(got.wrapping_sub(u16::try_from(done % 65_536).unwrap()));
                        if ahead <= window {
                            done += ahead;
                            break;
                        }
                    }
                    Said::Error(code, text) => return Err((code, text)),
                    Said::Oack(_) => {}
                    other => panic!("{other:?}"),
                }
            }
        }
        Ok(())
    }
}
