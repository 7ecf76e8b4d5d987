//! Sockets with what `std` leaves out: a chosen source address, urgent data, a reset instead of an
//! orderly end.

use std::io::{self, Read};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use rustix::net::{AddressFamily, SendFlags, SocketType, bind, connect, send, socket, sockopt};

/// How long a test waits for bytes, a connection or a reply before it fails.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// Connects from a chosen local address: `127.0.0.2` is another peer to a server on `127.0.0.1`.
///
/// # Errors
/// Those of socket, bind and connect.
pub fn connect_from(source: IpAddr, target: SocketAddr) -> io::Result<TcpStream> {
    let family = if target.is_ipv4() {
        AddressFamily::INET
    } else {
        AddressFamily::INET6
    };
    let fd = socket(family, SocketType::STREAM, None)?;
    // Bounds the connect, too.
    sockopt::set_socket_timeout(&fd, sockopt::Timeout::Send, Some(PATIENCE))?;
    bind(&fd, &SocketAddr::new(source, 0))?;
    connect(&fd, &target)?;
    Ok(with_patience(TcpStream::from(fd)))
}

/// Connects with the suite's timeouts set.
///
/// # Errors
/// Those of connect.
pub fn connect_to(target: SocketAddr) -> io::Result<TcpStream> {
    Ok(with_patience(TcpStream::connect_timeout(
        &target, PATIENCE,
    )?))
}

/// Sends bytes of which the last one is urgent (`MSG_OOB`), as Telnet's Synch wants it.
///
/// # Errors
/// Those of send.
pub fn send_urgent(stream: &TcpStream, bytes: &[u8]) -> io::Result<()> {
    send(stream, bytes, SendFlags::OOB)?;
    Ok(())
}

/// Closes with a reset: what a crashed client or a cut line looks like.
pub fn reset(stream: TcpStream) {
    let _ = sockopt::set_socket_linger(&stream, Some(Duration::ZERO));
    drop(stream);
}

/// Reads until the server ends or resets the connection, closes it, and gives what came.
#[must_use]
pub fn drain(mut stream: TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    bytes
}

/// Sets read and write timeouts and switches Nagle's delay off.
#[must_use]
pub fn with_patience(stream: TcpStream) -> TcpStream {
    let _ = stream.set_read_timeout(Some(PATIENCE));
    let _ = stream.set_write_timeout(Some(PATIENCE));
    let _ = stream.set_nodelay(true);
    stream
}

/// A port below the ephemeral range that nobody listens on.
///
/// # Panics
/// When none is free.
#[must_use]
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Processes that run at the same time start at different places.
    let spread = (std::process::id() % 160) as u16 * 100;
    for _ in 0..16_000 {
        let port = 12_000 + (spread + NEXT.fetch_add(1, Ordering::Relaxed)) % 16_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok()
            && TcpListener::bind(("0.0.0.0", port)).is_ok()
            && UdpSocket::bind(("0.0.0.0", port)).is_ok()
        {
            return port;
        }
    }
    panic!("no free port between 12000 and 28000");
}
