//! Opening a TCP connection, of any protocol, to whichever of a host's addresses answers first (RFC 8305).
//!
//! Addresses are tried a short time after each other, families in turn, so that a broken IPv6 path
//! costs a quarter of a second and not a timeout.

use std::{
    collections::VecDeque,
    io,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use tokio::{
    net::{TcpSocket, TcpStream},
    task::JoinSet,
    time::timeout,
};

use crate::{Error, Family, Options, Result, diagnosis, site::Site};

/// Time before the next address is tried beside the last (RFC 8305 5).
const STAGGER: Duration = Duration::from_millis(250);

/// Addresses that are tried at the most.
const MOST_ADDRESSES: usize = 16;

pub(crate) async fn connect(site: &Site, options: &Options) -> Result<TcpStream> {
    let addresses = resolve(site, options).await?;
    race(addresses, options.connect_timeout)
        .await
        .map_err(|failures| diagnosis::not_connected(site, &failures, options.connect_timeout))
}

pub(crate) async fn resolve(site: &Site, options: &Options) -> Result<VecDeque<SocketAddr>> {
    let look_up = tokio::net::lookup_host((site.host.as_str(), site.port));
    let found = match timeout(options.connect_timeout, look_up).await {
        Ok(Ok(found)) => found,
        Ok(Err(error)) => return Err(diagnosis::name_not_found(site, &error)),
        Err(_) => {
            return Err(diagnosis::name_not_found(
                site,
                &io::ErrorKind::TimedOut.into(),
            ));
        }
    };
    let wanted = found.filter(|address| match options.family {
        Family::Any => true,
        Family::V4 => address.is_ipv4(),
        Family::V6 => address.is_ipv6(),
    });
    let addresses = in_turn(wanted);
    if addresses.is_empty() {
        Err(diagnosis::no_address(site))
    } else {
        Ok(addresses)
    }
}

/// The resolver's order, but families alternating.
fn in_turn(addresses: impl Iterator<Item = SocketAddr>) -> VecDeque<SocketAddr> {
    let all: Vec<SocketAddr> = addresses.take(MOST_ADDRESSES).collect();
    let first_is_v6 = all.first().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) = all
        .into_iter()
        .partition(|address| address.is_ipv6() == first_is_v6);
    let mut second = second.into_iter();
    let mut turned = VecDeque::new();
    for address in first {
        turned.push_back(address);
        turned.extend(second.next());
    }
    turned.extend(second);
    turned
}

async fn race(
    mut waiting: VecDeque<SocketAddr>,
    limit: Duration,
) -> Result<TcpStream, Vec<(SocketAddr, io::Error)>> {
    let mut attempts = JoinSet::new();
    let mut failures = Vec::new();
    loop {
        if let Some(address) = waiting.pop_front() {
            attempts.spawn(async move {
                let result = timeout(limit, TcpStream::connect(address)).await;
                (
                    address,
                    result.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())),
                )
            });
        }
        let stagger = async {
            if waiting.is_empty() {
                std::future::pending::<()>().await;
            }
            tokio::time::sleep(STAGGER).await;
        };
        tokio::select! {
            ended = attempts.join_next() => match ended {
                Some(Ok((_, Ok(stream)))) => return Ok(stream),
                Some(Ok((address, Err(error)))) => failures.push((address, error)),
                Some(Err(_)) => {}
                None => return Err(failures),
            },
            () = stagger => {}
        }
    }
}

/// Opens a data connection from the control connection's own address (DAT-17).
pub(crate) async fn connect_data(
    own: IpAddr,
    target: SocketAddr,
    limit: Duration,
) -> io::Result<TcpStream> {
    let socket = if target.is_ipv4() {
        TcpSocket::new_v4()
    } else {
        TcpSocket::new_v6()
    }?;
    // A link-local address needs its zone, which an address alone does not carry: let the kernel choose.
    let link_local = matches!(own, IpAddr::V6(address) if address.is_unicast_link_local());
    if !link_local {
        socket.bind(SocketAddr::new(own, 0))?;
    }
    timeout(limit, socket.connect(target))
        .await
        .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

/// Turns a socket error into ours.
pub(crate) fn broken(step: crate::Step, error: &io::Error) -> Error {
    Error::new(
        step,
        crate::Kind::Protocol,
        format!("the control connection broke: {error}"),
    )
    .retryable()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_take_turns() {
        let addresses = ["[::1]:1", "[::2]:1", "[::3]:1", "1.1.1.1:1", "2.2.2.2:1"];
        let turned = in_turn(addresses.iter().map(|a| a.parse().unwrap()));
        let turned: Vec<String> = turned.iter().map(ToString::to_string).collect();
        assert_eq!(
            turned,
            ["[::1]:1", "1.1.1.1:1", "[::2]:1", "2.2.2.2:1", "[::3]:1"]
        );
    }
}
