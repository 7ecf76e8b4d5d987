//! From a symptom to its cause and its cure: the texts of the decision tree.
//!
//! Each row has a stable name (`D05`) that machines may rely on. What cannot be told apart from here is
//! said to be so, never guessed. Only what the client sees on its way is judged; nothing is probed.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use wharf_proto::ftp::{
    client::{Foreign, ProtocolError},
    reply::Reply,
};

use crate::{
    error::{Error, Kind, Step},
    site::Site,
};

/// D01, D02.
pub(crate) fn name_not_found(site: &Site, error: &io::Error) -> Error {
    let text = error.to_string();
    let message = format!("cannot look up {}: {text}", site.host);
    if text.contains("emporary failure") || error.kind() == io::ErrorKind::TimedOut {
        return Error::new(Step::Resolve, Kind::Name, message)
            .because(
                "D02",
                ["the name server does not answer: check this machine's network and DNS settings"],
            )
            .retryable();
    }
    Error::new(Step::Resolve, Kind::Name, message).because(
        "D01",
        [
            "check the spelling; a name of a private network needs its VPN or DNS server",
            "for the server's admin: publish an A or AAAA record for this name",
        ],
    )
}

/// Where such a server usually listens.
const fn usual_ports(site: &Site) -> &'static str {
    if site.scheme.is_ssh() {
        "22, 2022, 2222"
    } else {
        "21, 2121"
    }
}

/// The host has no address of the family asked for.
pub(crate) fn no_address(site: &Site) -> Error {
    Error::new(
        Step::Resolve,
        Kind::Name,
        format!("{} has no address of the family asked for", site.host),
    )
    .because("D04", ["leave out -4 or -6"])
}

/// D04 to D08: what became of each address.
pub(crate) fn not_connected(
    site: &Site,
    failures: &[(SocketAddr, io::Error)],
    limit: Duration,
) -> Error {
    let each: Vec<String> = failures
        .iter()
        .map(|(address, error)| format!("{address}: {error}"))
        .collect();
    let message = format!(
        "cannot connect to {} port {}: {}",
        site.host,
        site.port,
        each.join("; ")
    );
    let any = |kind: io::ErrorKind| failures.iter().any(|(_, error)| error.kind() == kind);
    let seconds = limit.as_secs_f32();
    if any(io::ErrorKind::ConnectionRefused) {
        return Error::new(Step::Connect, Kind::Refused, message).because(
            "D05",
            [
                format!("the host is up but nothing listens on port {}: is the port right ({})?", site.port, usual_ports(site)),
                "for the server's admin: start the service; make sure it does not listen on 127.0.0.1 only".to_owned(),
            ],
        );
    }
    if any(io::ErrorKind::TimedOut) {
        return Error::new(Step::Connect, Kind::TimedOut, message)
            .because(
                "D06",
                [
                    format!("nothing answered for {seconds} s: the host is down, or a firewall drops the packets"),
                    "try from another network; if that works, this network blocks the port".to_owned(),
                    format!("for the server's or firewall's admin: let in TCP port {}", site.port),
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
        ["a firewall rejects the connection, or the host is off (\"no route to host\" is often a firewall's answer)"],
    )
}

/// D09: closed before any word.
pub(crate) fn closed_before_greeting(site: &Site) -> Error {
    Error::new(
        Step::Greeting,
        Kind::Protocol,
        format!("{} closed the connection before saying anything", site.host),
    )
    .because(
        "D09",
        [
            "the address may be banned or over a limit: wait, or ask the server's admin to look in the ban list",
            "for the server's admin: fail2ban, hosts.deny, a per-address limit, or a dead back end behind a proxy",
        ],
    )
    .retryable()
}

/// D11: connected, never a word.
pub(crate) fn no_greeting(site: &Site, limit: Duration) -> Error {
    Error::new(
        Step::Greeting,
        Kind::TimedOut,
        format!("{} port {} accepted but said nothing for {} s", site.host, site.port, limit.as_secs_f32()),
    )
    .because(
        "D11",
        [
            "the port may expect TLS from the first byte: try ftps:// with this port",
            "a middlebox may hold the connection; for the firewall's admin: switch off FTP inspection for this host",
        ],
    )
}

/// D24: TLS was begun and came to no end.
pub(crate) fn no_handshake(site: &Site, limit: Duration) -> Error {
    Error::new(
        Step::Tls,
        Kind::TimedOut,
        format!(
            "{} port {}: the TLS handshake did not end within {} s",
            site.host,
            site.port,
            limit.as_secs_f32()
        ),
    )
    .because(
        "D24",
        [
            "a firewall that inspects TLS, or a path with too large packets (MTU), may hold it: try from another network",
            "the port may not speak TLS from the first byte: ftpes:// (21) begins in clear, ftps:// (990) does not",
        ],
    )
}

/// D12 and nonsense.
pub(crate) fn not_ftp(step: Step, error: ProtocolError) -> Error {
    let failure = Error::new(step, Kind::Protocol, error.to_string());
    match error {
        ProtocolError::Foreign(Foreign::Ssh) => failure.because(
            "D12",
            ["this is an SSH server: use its FTP port, or an sftp client"],
        ),
        ProtocolError::Foreign(Foreign::Http) => failure.because(
            "D12",
            ["a web server answers: is the port right? On a guest network, log in to its portal"],
        ),
        ProtocolError::Foreign(Foreign::Tls) => failure.because(
            "D12",
            ["the server speaks TLS from the first byte: use ftps://"],
        ),
        _ => failure,
    }
}

/// D13 and other endings of the session.
pub(crate) fn session_lost(step: Step, reply: Option<&Reply>) -> Error {
    let Some(reply) = reply else {
        return Error::new(
            step,
            Kind::Protocol,
            "the server closed the control connection without a word",
        )
        .hint("a firewall may have forgotten the idle connection, or the server process ended")
        .retryable();
    };
    let busy = wharf_proto::ftp::client::answer::is_too_many(reply) || step == Step::Greeting;
    let kind = if busy { Kind::Busy } else { Kind::Protocol };
    let error = Error::refused(step, "the session", "the server ended it", reply);
    let error = Error::new(step, kind, error.to_string())
        .with_code(reply)
        .retryable();
    if busy {
        return error.because(
            "D13",
            [
                "use --parallel 1 and close other sessions",
                "for the server's admin: raise the limit per user or address",
            ],
        );
    }
    error
}

/// D27 and D21: the login was refused.
pub(crate) fn login_refused(user: &[u8], reply: &Reply, secure: bool) -> Error {
    let user = String::from_utf8_lossy(user);
    let error = Error::refused(
        Step::Login,
        "the login",
        &format!("cannot log in as {user}"),
        reply,
    );
    let text = String::from_utf8_lossy(&reply.lines.join(&b' ')).to_lowercase();
    if error.kind() == Kind::Busy {
        return error.because("D13", ["use --parallel 1 and close other sessions"]);
    }
    if !secure
        && (text.contains("tls")
            || text.contains("ssl")
            || text.contains("encrypt")
            || reply.code.value() == 534)
    {
        return error.because(
            "D21",
            ["the server wants TLS: use ftpes:// and leave out --tls none"],
        );
    }
    if matches!(reply.code.value(), 332 | 532) {
        return error.because(
            "D29",
            ["the server wants an account (ACCT), which is not supported"],
        );
    }
    if text.contains("writable root inside chroot") {
        return error.because("D28", ["for the server's admin: vsftpd needs allow_writeable_chroot=YES, or chmod a-w on the root"]);
    }
    if error.kind() != Kind::Authentication {
        return error.hint("for the server's admin: the server is at fault here; its own words and its log say why");
    }
    error.because(
        "D27",
        [
            "check user and password (--user, --password-file, WHARF_PASSWORD, .netrc)",
            "for the server's admin: the reason stands in the authentication log (wrong password, barred user, shell not in /etc/shells)",
        ],
    )
}

/// D40 to D44: no data connection by passive mode.
pub(crate) fn passive_failed(
    peer: IpAddr,
    told: Option<IpAddr>,
    port: u16,
    error: &io::Error,
    limit: Duration,
) -> Error {
    let timed_out = error.kind() == io::ErrorKind::TimedOut;
    let how = if timed_out {
        format!("no answer within {} s", limit.as_secs_f32())
    } else {
        error.to_string()
    };
    let mut failure = Error::new(
        Step::Data,
        Kind::Data,
        format!("cannot open the data connection to {peer} port {port}: {how}"),
    )
    .retryable();
    if timed_out {
        failure = failure.because(
            "D42",
            [
                format!(
                    "for the server's firewall: port {port} was announced but is not let through; \
                     set a small passive range there and open exactly that range"
                ),
                "your own network may block high ports: try another network, or --active"
                    .to_owned(),
            ],
        );
    } else if error.kind() == io::ErrorKind::ConnectionRefused {
        failure = failure.because(
            "D43",
            ["for the server's admin: the passive ports lead to nothing; with Docker publish the range 1:1"],
        );
    }
    match told {
        Some(told) if told != peer => failure.hint(format!(
            "for the server's admin: it announced {told}, which is not the address {peer} it is reached by (D40); \
             set pasv_address, MasqueradeAddress or ForcePassiveIP"
        )),
        _ => failure,
    }
}

/// D44: neither EPSV nor PASV is understood.
pub(crate) fn passive_refused(reply: &Reply) -> Error {
    Error::refused(Step::Data, "PASV", "no passive data connection", reply)
        .of_data()
        .because("D44", ["try --active"])
}

/// D60: PORT refused.
pub(crate) fn active_refused(own: SocketAddr, reply: &Reply) -> Error {
    Error::refused(
        Step::Data,
        "PORT",
        &format!("the server does not connect to {own}"),
        reply,
    )
    .of_data()
    .because(
        "D60",
        ["this machine is probably behind NAT, where active mode cannot work: use --passive"],
    )
}

/// D61: nobody connected.
pub(crate) fn active_unanswered(own: SocketAddr, strangers: usize, limit: Duration) -> Error {
    let error = Error::new(
        Step::Data,
        Kind::Data,
        format!(
            "the server did not connect to {own} within {} s",
            limit.as_secs_f32()
        ),
    )
    .because(
        "D61",
        ["a firewall or NAT on this side drops connections from outside: use --passive"],
    );
    if strangers > 0 {
        return error.hint(format!(
            "{strangers} connection(s) from other hosts were turned away (D62)"
        ));
    }
    error
}

/// D53: the data are through, the server does not say so.
pub(crate) fn no_final_reply(limit: Duration) -> Error {
    Error::new(
        Step::Transfer,
        Kind::TimedOut,
        format!(
            "the data connection ended, but the server did not confirm it within {} s",
            limit.as_secs_f32()
        ),
    )
    .because(
        "D53",
        ["a NAT or firewall forgot the idle control connection: raise its TCP idle timeout"],
    )
    .retryable()
}
