//! Opening the ports of `wharf serve`, and what to do where one cannot be had.
//!
//! This comes before the process gives up root: ports below 1024 need it.

use std::{
    io,
    net::{SocketAddr, UdpSocket},
};

use wharf_engine::Listener;
use wharf_transfer::datagram;

use crate::exit::Failure;

/// Opens every address of a key for connections.
pub(super) fn connections(addresses: &[SocketAddr], key: &str) -> Result<Vec<Listener>, Failure> {
    // Urgent data in line is for FTP; the others never see any.
    every(addresses, key, |address| Listener::open(address, true))
}

/// Opens every address of a key for datagrams.
pub(super) fn datagrams(addresses: &[SocketAddr], key: &str) -> Result<Vec<UdpSocket>, Failure> {
    every(addresses, key, datagram::bind)
}

fn every<T>(
    addresses: &[SocketAddr],
    key: &str,
    open: impl Fn(SocketAddr) -> io::Result<T>,
) -> Result<Vec<T>, Failure> {
    let opened = addresses
        .iter()
        .map(|address| one(*address, key, addresses.len() > 1, &open))
        .collect::<Result<Vec<_>, _>>()?;
    let listeners: Vec<_> = opened.into_iter().flatten().collect();
    if listeners.is_empty() && !addresses.is_empty() {
        return Err(Failure::denied(format!(
            "none of the addresses of {key} can be listened on"
        )));
    }
    Ok(listeners)
}

/// A wildcard of a family that this host does not have is passed over; anything else is an error.
fn one<T>(
    address: SocketAddr,
    key: &str,
    several: bool,
    open: impl Fn(SocketAddr) -> io::Result<T>,
) -> Result<Option<T>, Failure> {
    let flag = match key {
        "tftp.listen" => "--listen-tftp",
        "ssh.listen" => "--listen-ssh",
        "ftp.listen_implicit" => "--listen-implicit",
        _ => "--listen",
    };
    match open(address) {
        Ok(opened) => Ok(Some(opened)),
        Err(error) if several && address.ip().is_unspecified() && is_no_family(&error) => Ok(None),
        Err(error) => {
            let hint = match error.kind() {
                io::ErrorKind::AddrInUse => {
                    format!(
                        "another program listens there: stop it, or choose another port with {flag}"
                    )
                }
                io::ErrorKind::PermissionDenied => {
                    format!(
                        "ports below 1024 need root: start as root (it is given up at once), or choose a port above them with {flag}"
                    )
                }
                io::ErrorKind::AddrNotAvailable => {
                    "this host does not have that address".to_owned()
                }
                _ => format!("choose another address with {flag}"),
            };
            Err(Failure::denied(format!(
                "cannot listen on {address}: {error}; {hint}"
            )))
        }
    }
}

fn is_no_family(error: &io::Error) -> bool {
    use rustix::io::Errno;
    [Errno::AFNOSUPPORT, Errno::ADDRNOTAVAIL]
        .iter()
        .any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}
