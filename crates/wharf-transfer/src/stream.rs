//! A data stream: one non-blocking socket that learns of the reactor only when it must wait.
//!
//! A 4 KiB file fits into a socket's buffer: accept, sendfile, close, and the reactor never heard of
//! the socket. Only a call that would block registers it (one `epoll_ctl`), so the many small
//! transfers of a tree pay for nothing that they do not use. [`DataStream::secure`] puts TLS on it;
//! reading and writing then go through the record layer, whoever calls.

mod secure;

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    time::Duration,
};

use rustix::{buffer::spare_capacity, io::Errno, net::sockopt};
use tokio::{io::Interest, net::TcpStream};

pub(crate) use secure::{PIECE, Secure, broken};

/// What is read of a peer that still talks when a stream is closed, octets.
const MOST_LEFT: usize = 64 * 1024;

/// A connected stream socket, plain or under TLS.
#[derive(Debug)]
pub struct DataStream {
    socket: Registration,
    secure: Option<Box<Secure>>,
}

/// The socket, known to the reactor or not.
#[derive(Debug)]
pub(crate) enum Registration {
    /// The reactor does not know it yet.
    Bare(OwnedFd),
    /// It had to wait once.
    Registered(TcpStream),
    /// Only between the two: registration failed.
    Lost,
}

impl DataStream {
    /// Takes a connected socket, which must be non-blocking.
    pub const fn new(socket: OwnedFd) -> Self {
        Self {
            socket: Registration::Bare(socket),
            secure: None,
        }
    }

    /// Takes a socket that the reactor knows already.
    pub const fn from_registered(socket: TcpStream) -> Self {
        Self {
            socket: Registration::Registered(socket),
            secure: None,
        }
    }

    /// Runs `operation` on the socket, now and whenever `interest` is signalled, until it no longer
    /// says [`io::ErrorKind::WouldBlock`]. It sees what is on the wire, ciphertext under TLS.
    ///
    /// # Errors
    /// What `operation` gives, or the reactor's refusal to watch the socket.
    pub async fn when<T>(
        &mut self,
        interest: Interest,
        operation: impl FnMut(BorrowedFd<'_>) -> io::Result<T>,
    ) -> io::Result<T> {
        self.socket.when(interest, operation).await
    }

    /// Makes the reactor watch the socket at once, for a caller who knows that it will have to wait:
    /// a client sends its first octet after it was told that it may.
    ///
    /// # Errors
    /// The reactor's refusal.
    pub fn watch(&mut self) -> io::Result<()> {
        self.socket.register()
    }

    /// Reads what is there into `buffer`; 0 is the end.
    ///
    /// # Errors
    /// The socket's; under TLS also [`crate::tls::Truncated`] and a broken protocol.
    pub async fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Some(secure) = &mut self.secure {
            return secure.read(&mut self.socket, buffer).await;
        }
        self.when(Interest::READABLE, |socket| {
            Ok(rustix::io::read(socket, &mut *buffer)?)
        })
        .await
    }

    /// Appends what is there to `buffer`, up to its capacity; 0 is the end.
    pub(crate) async fn read_into(&mut self, buffer: &mut Vec<u8>) -> io::Result<usize> {
        if let Some(secure) = &mut self.secure {
            return secure.read_into(&mut self.socket, buffer).await;
        }
        self.when(Interest::READABLE, |socket| {
            Ok(rustix::io::read(socket, spare_capacity(buffer))?)
        })
        .await
    }

    /// Writes as much of `bytes` as the socket takes, at least one octet of them.
    pub(crate) async fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Some(secure) = &mut self.secure {
            return secure.write(&mut self.socket, bytes).await;
        }
        self.socket.send(bytes).await
    }

    /// Writes all of `bytes`.
    ///
    /// # Errors
    /// The socket's.
    pub async fn write_all(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let sent = self.write(bytes).await?;
            bytes = bytes.get(sent..).unwrap_or_default();
        }
        Ok(())
    }

    /// Closes in order: what was written is still delivered, then the peer sees the end. A secure
    /// stream says so by [`DataStream::end`] first. What a peer under TLS has said behind its part of
    /// the work (its own end, mostly) is read: unread it would turn the close into a reset, which
    /// takes with it what is still on its way.
    pub fn finish(self) {
        let Some(socket) = self.descriptor().filter(|_| self.is_secure()) else {
            return;
        };
        let _ = rustix::net::shutdown(socket, rustix::net::Shutdown::Write);
        let mut scratch = [0; 1024];
        for _ in 0..MOST_LEFT / scratch.len() {
            if !matches!(rustix::io::read(socket, &mut scratch), Ok(1..)) {
                break;
            }
        }
    }

    /// Breaks the connection with a reset, so that the peer cannot take a short file as whole.
    pub fn reset(self) {
        if let Some(socket) = self.descriptor() {
            let _ = sockopt::set_socket_linger(socket, Some(Duration::ZERO));
        }
    }

    /// The socket itself.
    pub(crate) fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        match &self.socket {
            Registration::Bare(socket) => Some(socket.as_fd()),
            Registration::Registered(socket) => Some(socket.as_fd()),
            Registration::Lost => None,
        }
    }
}

impl Registration {
    pub(crate) async fn when<T>(
        &mut self,
        interest: Interest,
        mut operation: impl FnMut(BorrowedFd<'_>) -> io::Result<T>,
    ) -> io::Result<T> {
        if let Self::Bare(socket) = self {
            match operation(socket.as_fd()) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.register()?,
                done => return done,
            }
        }
        let Self::Registered(socket) = self else {
            return Err(io::ErrorKind::NotConnected.into());
        };
        socket
            .async_io(interest, || operation(socket.as_fd()))
            .await
    }

    fn register(&mut self) -> io::Result<()> {
        *self = match std::mem::replace(self, Self::Lost) {
            Self::Bare(socket) => Self::Registered(TcpStream::from_std(socket.into())?),
            known => known,
        };
        Ok(())
    }

    /// Sends what the socket takes of `bytes` at once; 0 when it is full.
    pub(crate) fn try_send(&self, bytes: &[u8]) -> io::Result<usize> {
        let socket = match self {
            Self::Bare(socket) => socket.as_fd(),
            Self::Registered(socket) => socket.as_fd(),
            Self::Lost => return Err(io::ErrorKind::NotConnected.into()),
        };
        match rustix::net::send(socket, bytes, rustix::net::SendFlags::NOSIGNAL) {
            Err(Errno::AGAIN) => Ok(0),
            done => Ok(done?),
        }
    }

    /// Sends as much of `bytes` as the socket takes.
    async fn send(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let flags = rustix::net::SendFlags::NOSIGNAL;
        self.when(Interest::WRITABLE, |socket| {
            Ok(rustix::net::send(socket, bytes, flags)?)
        })
        .await
    }
}
