//! The listener that answers challenges and nothing else: `/.well-known/acme-challenge/TOKEN` of the
//! orders under way (RFC 8555 8.3), or a handshake for `acme-tls/1` (RFC 8737).
//!
//! It stands on a public port, so it is as small as it can be: one request or handshake per
//! connection, a bounded head, a deadline, a bounded number of connections, and no octet of a request
//! in an answer. Between orders it stays open, for a low port may not be had a second time, and
//! answers 404 or an alert.

use std::{
    collections::HashMap,
    convert::Infallible,
    io,
    net::{SocketAddr, TcpListener as StdListener},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rustls::ServerConfig;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_rustls::TlsAcceptor;

use super::Error;

/// The path of a challenge, without its token.
const WELL_KNOWN: &str = "/.well-known/acme-challenge/";
/// The longest head of a request, in octets.
const MAX_HEAD: usize = 4096;
/// The time for a whole connection.
const CONNECTION_TIME: Duration = Duration::from_secs(10);
/// Connections at a time; further ones wait in the backlog.
const MAX_CONNECTIONS: usize = 32;
/// The wait after the system refused to accept.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

const NOT_FOUND: &[u8] =
    b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
const NOT_ALLOWED: &[u8] =
    b"HTTP/1.1 405 Method Not Allowed\r\nAllow: GET\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
const BAD_REQUEST: &[u8] =
    b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

/// The answers by token. Clones share them.
#[derive(Clone, Debug, Default)]
pub(super) struct Tokens(Arc<Mutex<HashMap<String, String>>>);

impl Tokens {
    /// Puts an answer up. Orders bound their number.
    pub(super) fn put(&self, token: &str, answer: &str) {
        self.lock().insert(token.to_owned(), answer.to_owned());
    }

    /// Takes it down.
    pub(super) fn forget(&self, token: &str) {
        self.lock().remove(token);
    }

    fn find(&self, token: &str) -> Option<String> {
        self.lock().get(token).cloned()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The listener.
pub(super) struct Responder {
    listener: StdListener,
    address: SocketAddr,
    speech: Speech,
}

/// How a listener answers.
#[derive(Clone)]
pub(super) enum Speech {
    /// One request of HTTP/1.1.
    Http(Tokens),
    /// One handshake with a challenge's certificate (RFC 8737 3).
    Tls(Arc<ServerConfig>),
}

impl Responder {
    /// Opens the listener; nobody is served before [`Responder::serve`].
    pub(super) fn bind(address: SocketAddr, speech: Speech) -> Result<Self, Error> {
        let bound = || {
            let listener = StdListener::bind(address)?;
            listener.set_nonblocking(true)?;
            let address = listener.local_addr()?;
            Ok((listener, address))
        };
        let (listener, address) = bound().map_err(|cause| Error::Listen { address, cause })?;
        Ok(Self {
            listener,
            address,
            speech,
        })
    }

    /// Where it listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until it is dropped, its connections with it.
    pub(super) async fn serve(&self) -> Infallible {
        let listener = loop {
            let listener = self.listener.try_clone().and_then(TcpListener::from_std);
            match listener {
                Ok(listener) => break listener,
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            }
        };
        let mut connections = JoinSet::new();
        loop {
            while connections.len() >= MAX_CONNECTIONS {
                connections.join_next().await;
            }
            while connections.try_join_next().is_some() {}
            match listener.accept().await {
                Ok((stream, _)) => {
                    let speech = self.speech.clone();
                    connections.spawn(tokio::time::timeout(
                        CONNECTION_TIME,
                        answer(stream, speech),
                    ));
                }
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            }
        }
    }
}

/// One connection. A peer that goes away early is no event.
async fn answer(stream: TcpStream, speech: Speech) -> io::Result<()> {
    match speech {
        Speech::Http(tokens) => answer_http(stream, &tokens).await,
        Speech::Tls(config) => {
            let mut stream = TlsAcceptor::from(config).accept(stream).await?;
            stream.shutdown().await
        }
    }
}

async fn answer_http(mut stream: TcpStream, tokens: &Tokens) -> io::Result<()> {
    let mut head = Vec::with_capacity(MAX_HEAD);
    let mut bounded = (&mut stream).take(MAX_HEAD as u64);
    while !head.ends_with(b"\r\n\r\n") {
        if bounded.read_buf(&mut head).await? == 0 {
            break;
        }
    }
    match request(&head) {
        Request::Challenge(token) => match tokens.find(token) {
            Some(answer) => {
                let length = answer.len();
                let answer = format!(
                    "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n\
                     Content-Length: {length}\r\nConnection: close\r\n\r\n{answer}"
                );
                stream.write_all(answer.as_bytes()).await?;
            }
            None => stream.write_all(NOT_FOUND).await?,
        },
        Request::Other => stream.write_all(NOT_FOUND).await?,
        Request::OtherMethod => stream.write_all(NOT_ALLOWED).await?,
        Request::Bad => stream.write_all(BAD_REQUEST).await?,
    }
    stream.shutdown().await
}

/// What a head asks for.
#[derive(Debug, PartialEq, Eq)]
enum Request<'a> {
    /// The answer of this token.
    Challenge(&'a str),
    /// Another path.
    Other,
    /// Another method than GET.
    OtherMethod,
    /// Not a whole HTTP/1 head.
    Bad,
}

fn request(head: &[u8]) -> Request<'_> {
    let Some(head) = head.strip_suffix(b"\r\n\r\n") else {
        return Request::Bad;
    };
    let line = std::str::from_utf8(head)
        .ok()
        .and_then(|head| head.split("\r\n").next());
    let mut words = line.unwrap_or_default().split(' ');
    let (method, path, version, more) = (words.next(), words.next(), words.next(), words.next());
    match (method, path, version, more) {
        (Some("GET"), Some(path), Some("HTTP/1.1" | "HTTP/1.0"), None) => path
            .strip_prefix(WELL_KNOWN)
            .map_or(Request::Other, Request::Challenge),
        (Some(_), Some(_), Some("HTTP/1.1" | "HTTP/1.0"), None) => Request::OtherMethod,
        _ => Request::Bad,
    }
}

#[cfg(test)]
mod tests;
