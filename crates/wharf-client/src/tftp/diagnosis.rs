//! What silence, ICMP errors and stalls of TFTP mean: rows T01, T02, T05 and T06 of the decision tree.

use std::{io, net::SocketAddr, time::Duration};

use wharf_proto::tftp::Terms;

use crate::{Error, Kind, Site, Step};

/// The largest block whose datagram Ethernet carries in one piece.
const UNFRAGMENTED: u16 = 1468;

/// The largest block whose datagram passes every path (RFC 1350).
const SMALLEST_PATH: u16 = 512;

/// Blocks that a server can count without beginning again at 0 or 1.
const COUNTED_BLOCKS: u64 = 65_535;

/// What became of asking one address.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Nothing came.
    Silent(Duration),
    /// The network said that nothing can come.
    Unreachable(io::Error),
}

/// None of the addresses answered.
pub(crate) fn not_reached(site: &Site, failures: &[(SocketAddr, Failure)]) -> Error {
    let each: Vec<String> = failures
        .iter()
        .map(|(address, failure)| match failure {
            Failure::Silent(limit) => format!("{address}: no answer in {} s", limit.as_secs_f32()),
            Failure::Unreachable(error) => format!("{address}: {error}"),
        })
        .collect();
    let message = format!(
        "cannot reach {} by UDP port {}: {}",
        site.host,
        site.port,
        each.join("; ")
    );
    let any = |kind: io::ErrorKind| {
        failures.iter().any(
            |(_, failure)| matches!(failure, Failure::Unreachable(error) if error.kind() == kind),
        )
    };
    if any(io::ErrorKind::ConnectionRefused) {
        return Error::new(Step::Connect, Kind::Refused, message).because(
            "T01",
            [
                format!("the host is up but no TFTP server listens on UDP port {}: is the port right (69, 6969)?", site.port),
                "for the server's admin: start the service; make sure it does not listen on 127.0.0.1 only".to_owned(),
            ],
        );
    }
    if failures
        .iter()
        .any(|(_, failure)| matches!(failure, Failure::Silent(_)))
    {
        return Error::new(Step::Connect, Kind::TimedOut, message)
            .because(
                "T02",
                [
                    format!("the host is down, or a firewall drops UDP port {}", site.port),
                    "a TFTP server answers from a new port: this machine's firewall or a NAT between may drop that answer; load the conntrack helper (nf_conntrack_tftp), or let a Wharf server answer from one port (tftp.single_port)".to_owned(),
                    "try from the server's own network; if that works, something between drops the packets".to_owned(),
                ],
            )
            .retryable();
    }
    if any(io::ErrorKind::NetworkUnreachable) {
        return Error::new(Step::Connect, Kind::TimedOut, message).because(
            "D08",
            ["this machine has no route there: is the network or the VPN up?"],
        );
    }
    Error::new(Step::Connect, Kind::TimedOut, message).because(
        "D07",
        ["a firewall rejects the packets, or the host is off (\"no route to host\" is often a firewall's answer)"],
    )
}

/// Somebody else answered than who was asked (TFT-53).
pub(crate) fn foreign(what: &str, asked: SocketAddr, from: SocketAddr) -> Error {
    let text = format!(
        "{what}: {} was asked, but {} answered",
        asked.ip(),
        from.ip()
    );
    Error::new(Step::Connect, Kind::Protocol, text)
        .hint("if that is the same server by another of its addresses, use --any-source, or ask that address")
        .hint("for the server's admin: answer from the address that was asked")
}

/// The server fell silent in the middle.
pub(crate) fn stalled(what: &str, terms: Option<&Terms>, blocks: u64) -> Error {
    let text = format!("{what}: the server fell silent after {blocks} blocks");
    let error = Error::new(Step::Transfer, Kind::TimedOut, text).retryable();
    match terms {
        Some(terms) if terms.block_size > UNFRAGMENTED && blocks == 0 => error.because(
            "T05",
            ["blocks of this size travel as fragments, which a firewall may drop: try --blksize 1428, then 512"],
        ),
        Some(terms) if terms.block_size > SMALLEST_PATH && blocks == 0 => error.because(
            "T05",
            ["packets of this size may be too large for the path, through a tunnel for one: try --blksize 512"],
        ),
        Some(_) if blocks == COUNTED_BLOCKS || blocks == COUNTED_BLOCKS + 1 => error.because(
            "T06",
            ["the server cannot count beyond block 65535: a larger --blksize makes fewer blocks"],
        ),
        _ => error,
    }
}

/// The way broke in the middle.
pub(crate) fn broken(what: &str, error: &io::Error) -> Error {
    let text = if error.kind() == io::ErrorKind::ConnectionRefused {
        format!("{what}: the server ended the transfer without a word (its port is closed)")
    } else {
        format!("{what}: {error}")
    };
    Error::new(Step::Transfer, Kind::Data, text).retryable()
}
