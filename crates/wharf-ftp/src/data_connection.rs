//! Data connections: which way they come about, and who may be at the other end.
//!
//! Both directions check the peer: an active target is checked when it is named and again when it is
//! dialled (CVE-1999-0017), a passive listener drops strangers and goes on waiting (CVE-1999-0351).
//! Every failure names the port, the peer and the time.

mod security;

use std::{
    io,
    net::{IpAddr, SocketAddr},
    os::fd::OwnedFd,
    time::Duration,
};

use rustix::{
    io::Errno,
    net::{AddressFamily, SocketFlags, SocketType, ipproto, sockopt},
};
use tokio::{io::Interest, net::TcpListener};
use wharf_proto::ftp::server::DataRefusal;
use wharf_transfer::DataStream;

pub(crate) use self::security::DataSecurity;
use crate::{
    passive_ports::PassiveListener,
    settings::{DataSettings, PeerCheck},
};

/// So many strangers on one passive port end the wait.
const MAX_STRANGERS: usize = 10;

/// Longest wait for a client that never said where it listens (RFC 959 3.2's default port).
const DEFAULT_PORT_TIMEOUT: Duration = Duration::from_secs(5);

/// How the next data connection comes about.
#[derive(Debug, Default)]
pub(crate) enum DataPath {
    /// Nothing was set up.
    #[default]
    None,
    /// The client connects to us.
    Passive(PassiveListener),
    /// We connect to the client.
    Active(SocketAddr),
}

/// The two ends of the control connection, from which everything else follows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ends {
    pub(crate) peer: SocketAddr,
    pub(crate) local: SocketAddr,
    /// The socket's own address: differs from `local` behind a proxy.
    pub(crate) bound: SocketAddr,
    /// The account may send data to other hosts than the peer.
    pub(crate) fxp: bool,
}

/// Judges the target of a PORT or EPRT.
///
/// # Errors
/// Why it is refused.
pub(crate) fn check_target(
    target: SocketAddr,
    ends: &Ends,
    settings: &DataSettings,
) -> Result<(), DataRefusal> {
    if !settings.active {
        return Err(DataRefusal::ActiveDisabled);
    }
    let (named, peer) = (wharf_accounts::normalised(target.ip()), ends.peer.ip());
    if named != peer && !ends.fxp {
        return Err(DataRefusal::ForeignAddress { named, peer });
    }
    if named != peer && is_forbidden(named, ends) {
        return Err(DataRefusal::BadAddress(named));
    }
    if target.port() < 1024 {
        return Err(DataRefusal::LowPort(target.port()));
    }
    Ok(())
}

/// Nobody is sent there, right or not, unless it is the peer's very address (DAT-05).
fn is_forbidden(named: IpAddr, ends: &Ends) -> bool {
    let special = match named {
        IpAddr::V4(v4) => {
            v4.is_loopback()
                || v4.is_link_local()
                || v4.is_multicast()
                || v4.is_broadcast()
                || v4.is_unspecified()
        }
        IpAddr::V6(v6) => {
            v6.is_loopback()
                || v6.is_unicast_link_local()
                || v6.is_multicast()
                || v6.is_unspecified()
        }
    };
    special || named == ends.local.ip() || named == ends.bound.ip()
}

/// Makes the data connection. The error is a sentence for the user and the log.
pub(crate) async fn connect(
    path: DataPath,
    ends: Ends,
    settings: &DataSettings,
) -> Result<DataStream, String> {
    match path {
        DataPath::Passive(listener) => accept(listener, ends, settings).await,
        DataPath::Active(target) => dial(target, ends, settings, settings.connect_timeout).await,
        DataPath::None => dial(ends.peer, ends, settings, DEFAULT_PORT_TIMEOUT)
            .await
            .map_err(|cause| format!("use PASV or PORT first ({cause})")),
    }
}

async fn accept(
    listener: PassiveListener,
    ends: Ends,
    settings: &DataSettings,
) -> Result<DataStream, String> {
    let mut strangers = 0;
    let port = listener.address.port();
    // Mostly the client is there already.
    if let Some(found) = try_accept(&listener.socket, &ends, settings, &mut strangers, port)? {
        return Ok(found);
    }
    let listener = TcpListener::from_std(listener.socket.into())
        .map_err(|error| format!("port {port} cannot be watched: {}", reason(&error)))?;
    let waiting = async {
        loop {
            match listener.accept().await {
                Ok((socket, from)) => {
                    if is_right_peer(wharf_accounts::normalised(from.ip()), &ends, settings) {
                        return Ok(DataStream::from_registered(socket));
                    }
                    count_stranger(&mut strangers, &ends, port)?;
                }
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) => {
                    return Err(format!(
                        "port {port} cannot be accepted from: {}",
                        reason(&error)
                    ));
                }
            }
        }
    };
    tokio::time::timeout(settings.accept_timeout, waiting).await.unwrap_or_else(|_| {
        Err(format!(
            "no connection to port {port} from {} within {} s; the firewall between us probably drops the passive range",
            ends.peer.ip(),
            settings.accept_timeout.as_secs()
        ))
    })
}

/// Takes the first waiting connection that comes from the right peer; `None` when none is waiting.
fn try_accept(
    listener: &OwnedFd,
    ends: &Ends,
    settings: &DataSettings,
    strangers: &mut usize,
    port: u16,
) -> Result<Option<DataStream>, String> {
    loop {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        match rustix::net::acceptfrom_with(listener, flags) {
            Ok((socket, address)) => {
                let from = address
                    .and_then(|address| SocketAddr::try_from(address).ok())
                    .map(|from| from.ip());
                if from.is_some_and(|from| {
                    is_right_peer(wharf_accounts::normalised(from), ends, settings)
                }) {
                    return Ok(Some(DataStream::new(socket)));
                }
                count_stranger(strangers, ends, port)?;
            }
            Err(Errno::AGAIN) => return Ok(None),
            Err(Errno::INTR | Errno::CONNABORTED) => {}
            Err(error) => {
                return Err(format!(
                    "port {port} cannot be accepted from: {}",
                    reason(&error.into())
                ));
            }
        }
    }
}

fn count_stranger(strangers: &mut usize, ends: &Ends, port: u16) -> Result<(), String> {
    *strangers += 1;
    if *strangers < MAX_STRANGERS {
        return Ok(());
    }
    Err(format!(
        "{MAX_STRANGERS} connections to port {port} came from other addresses than {}",
        ends.peer.ip()
    ))
}

fn is_right_peer(from: IpAddr, ends: &Ends, settings: &DataSettings) -> bool {
    let peer = ends.peer.ip();
    if ends.fxp || from == peer {
        return true;
    }
    match (settings.peer_check, from, peer) {
        (PeerCheck::Off, _, _) => true,
        (PeerCheck::Prefix(bits, _), IpAddr::V4(from), IpAddr::V4(peer)) => {
            (from.to_bits() ^ peer.to_bits()).leading_zeros() >= bits.into()
        }
        (PeerCheck::Prefix(_, bits), IpAddr::V6(from), IpAddr::V6(peer)) => {
            (from.to_bits() ^ peer.to_bits()).leading_zeros() >= bits.into()
        }
        _ => false,
    }
}

async fn dial(
    target: SocketAddr,
    ends: Ends,
    settings: &DataSettings,
    patience: Duration,
) -> Result<DataStream, String> {
    if ends.peer != target {
        check_target(target, &ends, settings)
            .map_err(|_| format!("{target} is no allowed target"))?;
    }
    let outcome = tokio::time::timeout(patience, open_connection(target, &ends)).await;
    match outcome {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error)) => Err(format!(
            "{target} cannot be reached: {}; a firewall or NAT in front of the client probably refuses it, passive mode avoids that",
            reason(&error)
        )),
        Err(_) => Err(format!(
            "{target} did not answer within {} s; a firewall or NAT in front of the client probably drops it, passive mode avoids that",
            patience.as_secs()
        )),
    }
}

/// The system's words without its numbers.
fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error")
        .next()
        .unwrap_or_default()
        .to_lowercase()
}

async fn open_connection(target: SocketAddr, ends: &Ends) -> io::Result<DataStream> {
    // RFC 959 3.2: from the port next to the control port; where that is impossible, from any.
    let source = SocketAddr::new(ends.bound.ip(), ends.bound.port().saturating_sub(1));
    match start_connection(target, source).await {
        Err(error) if is_about_the_source(&error) => {
            start_connection(target, SocketAddr::new(source.ip(), 0)).await
        }
        done => done,
    }
}

fn is_about_the_source(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::AddrInUse
            | io::ErrorKind::AddrNotAvailable
            | io::ErrorKind::PermissionDenied
    )
}

async fn start_connection(target: SocketAddr, source: SocketAddr) -> io::Result<DataStream> {
    let family = if target.is_ipv4() {
        AddressFamily::INET
    } else {
        AddressFamily::INET6
    };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(family, SocketType::STREAM, flags, Some(ipproto::TCP))?;
    if source.is_ipv4() == target.is_ipv4() {
        sockopt::set_socket_reuseaddr(&socket, true)?;
        rustix::net::bind(&socket, &source)?;
    }
    match rustix::net::connect(&socket, &target) {
        Ok(()) => return Ok(DataStream::new(socket)),
        Err(Errno::INPROGRESS | Errno::AGAIN) => {}
        Err(error) => return Err(error.into()),
    }
    let mut stream = DataStream::new(socket);
    stream
        .when(Interest::WRITABLE, |socket| {
            sockopt::socket_error(socket)??;
            // Writable without an error, yet no peer: not connected yet.
            match rustix::net::getpeername(socket) {
                Ok(_) => Ok(()),
                Err(Errno::NOTCONN) => Err(io::ErrorKind::WouldBlock.into()),
                Err(error) => Err(error.into()),
            }
        })
        .await?;
    Ok(stream)
}

#[cfg(test)]
mod tests;
