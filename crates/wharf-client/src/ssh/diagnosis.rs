//! What goes wrong with SSH: the rows S01 to S13 of the decision tree, and what mends them.

use std::time::Duration;

use russh::{AlgorithmKind, ChannelOpenFailure, keys::PublicKey};

use super::{
    HostKeyFacts, HostKeyPin,
    greeting::{Foreign, Heard},
    known_hosts::Known,
    plain,
    watch::Ended,
};
use crate::{Error, Kind, Site, Step, diagnosis};

/// S01, D12 and S02: there is no key exchange.
pub(super) fn handshake_failed(site: &Site, heard: &Heard, error: &russh::Error) -> Error {
    if let Some(foreign) = heard.foreign() {
        return not_ssh(site, foreign, &heard.text());
    }
    match error {
        russh::Error::NoCommonAlgo { kind, ours, theirs } => {
            no_common_algorithm(site, kind, ours, theirs)
        }
        russh::Error::WrongServerSig | russh::Error::Signature(_) => Error::new(
            Step::Ssh,
            Kind::HostKey,
            format!("{} could not prove to have its host key", site.host),
        )
        .hint("somebody may be in between: do not log in; tell the server's admin"),
        russh::Error::StrictKeyExchangeViolation { .. } => Error::new(
            Step::Ssh,
            Kind::Protocol,
            format!("{}: messages out of place in the key exchange", site.host),
        )
        .hint("somebody may be in between (the Terrapin attack), or the server is broken"),
        _ if heard.version().is_some() => Error::new(
            Step::Ssh,
            Kind::Protocol,
            format!(
                "{} broke off SSH's key exchange: {error} (it is {})",
                site.host,
                plain(&heard.version().unwrap_or_default())
            ),
        )
        .because(
            "S01",
            [
                "the address may be banned or over a limit: wait, or ask the server's admin to look in the ban list",
                "for the server's admin: the reason stands in the log of the SSH server",
            ],
        )
        .retryable(),
        _ if heard.text().is_empty() => diagnosis::closed_before_greeting(site).because(
            "S01",
            ["for the server's admin: OpenSSH's MaxStartups or PerSourcePenalties does this too"],
        ),
        _ => garbage(site, &heard.text()),
    }
}

fn garbage(site: &Site, text: &str) -> Error {
    let error = Error::new(
        Step::Greeting,
        Kind::Protocol,
        format!(
            "{} port {} does not speak SSH; it says \"{text}\"",
            site.host, site.port
        ),
    );
    let lower = text.to_lowercase();
    if lower.contains("maxstartups") || lower.contains("not allowed") || lower.contains("too many")
    {
        return Error::new(Step::Greeting, Kind::Busy, error.to_string())
            .because(
                "S01",
                ["the server takes no more connections now: wait, or use --parallel 1"],
            )
            .retryable();
    }
    error.because("D12", ["is the port right?"])
}

/// D12.
fn not_ssh(site: &Site, foreign: Foreign, text: &str) -> Error {
    let (who, hint) = match foreign {
        Foreign::Ftp => (
            format!("an FTP or mail server answers (\"{text}\")"),
            "use ftp:// or ftpes:// for this port; SSH usually listens on 22",
        ),
        Foreign::Http => (
            "a web server answers".to_owned(),
            "is the port right? On a guest network, log in to its portal",
        ),
        Foreign::Tls => (
            "the server speaks TLS from the first byte".to_owned(),
            "use ftps:// if it is a file server; SSH usually listens on 22",
        ),
    };
    Error::new(
        Step::Greeting,
        Kind::Protocol,
        format!("{} port {} is not SSH: {who}", site.host, site.port),
    )
    .because("D12", [hint])
}

/// S02.
fn no_common_algorithm(
    site: &Site,
    kind: &AlgorithmKind,
    ours: &[String],
    theirs: &[String],
) -> Error {
    let what = match kind {
        AlgorithmKind::Kex => "key exchange",
        AlgorithmKind::Key => "type of host key",
        AlgorithmKind::Cipher => "cipher",
        AlgorithmKind::Compression => "compression",
        AlgorithmKind::Mac => "MAC",
    };
    let theirs = plain(&theirs.join(", "));
    Error::new(
        Step::Ssh,
        Kind::Protocol,
        format!(
            "{} and this client have no {what} in common: it offers {theirs}; we offer {}",
            site.host,
            ours.join(", ")
        ),
    )
    .because(
        "S02",
        [
            "--ssh-legacy also offers what is no longer thought safe: for this one host, until it is updated",
            "for the server's admin: update the server; add curve25519-sha256, ssh-ed25519 and aes128-gcm@openssh.com",
        ],
    )
}

/// D11 and S10: nothing comes any more.
pub(super) fn handshake_timed_out(site: &Site, heard: &Heard, limit: Duration) -> Error {
    if heard.version().is_some() {
        return Error::new(
            Step::Ssh,
            Kind::TimedOut,
            format!(
                "{}: SSH's key exchange did not end within {} s",
                site.host,
                limit.as_secs_f32()
            ),
        )
        .because(
            "S10",
            [
                "large packets may be lost on the way (MTU): try from another network, or lower the MTU",
                "for the firewall's admin: clamp the MSS, let ICMP \"fragmentation needed\" pass",
            ],
        )
        .retryable();
    }
    Error::new(
        Step::Greeting,
        Kind::TimedOut,
        format!(
            "{} port {} accepted but did not speak SSH within {} s",
            site.host,
            site.port,
            limit.as_secs_f32()
        ),
    )
    .because(
        "D11",
        [
            "is the port right? SSH usually listens on 22",
            "a middlebox may hold the connection",
        ],
    )
}

/// The key exchange ended without a host key.
pub(super) fn no_host_key(site: &Site) -> Error {
    Error::new(
        Step::Ssh,
        Kind::HostKey,
        format!("{} showed no host key", site.host),
    )
}

fn shown(key: &PublicKey) -> String {
    let facts = HostKeyFacts::of(key);
    format!("{} {}", facts.algorithm, facts.fingerprint)
}

fn host_key(message: String) -> Error {
    Error::new(Step::Ssh, Kind::HostKey, message)
}

/// S03: nobody knows the key, and nobody is there to be asked.
pub(super) fn unknown(name: &str, key: &PublicKey, reason: &str) -> Error {
    host_key(format!(
        "the host key of {name} is not accepted: {reason}; it shows {}",
        shown(key)
    ))
    .because(
        "S03",
        [
            format!(
                "compare that with what the server's admin tells you, then add --pin {}",
                HostKeyPin::of(key)
            ),
            "--accept-new trusts hosts that are seen for the first time".to_owned(),
        ],
    )
}

/// S03: a person said no.
pub(super) fn not_agreed(name: &str) -> Error {
    host_key(format!("the host key of {name} was not agreed to"))
        .because("S03", ["ask the server's admin for the right fingerprint"])
}

/// S03: another key than the stored one.
pub(super) fn changed(name: &str, key: &PublicKey, line: &Known) -> Error {
    host_key(format!(
        "the host key of {name} has CHANGED: {} has {}, the server shows {}. Somebody may be in between, \
         or the server was set up anew",
        line.place(),
        shown(&line.key),
        shown(key)
    ))
    .because(
        "S03",
        [
            "ask the server's admin whether the key was changed, and for its fingerprint".to_owned(),
            format!(
                "only then remove the old one: ssh-keygen -R '{name}' -f '{}'",
                line.file.display()
            ),
        ],
    )
}

/// S03: a key or authority that must not be trusted.
pub(super) fn revoked(name: &str, key: &PublicKey, line: &Known) -> Error {
    host_key(format!(
        "the host key of {name} is revoked by {}: {}",
        line.place(),
        shown(key)
    ))
    .because(
        "S03",
        ["do not log in; the server's admin must give the server a new key"],
    )
}

/// S03: not the key that was named.
pub(super) fn not_pinned(name: &str, key: &PublicKey, pins: &[HostKeyPin]) -> Error {
    let pins: Vec<String> = pins.iter().map(ToString::to_string).collect();
    host_key(format!(
        "the host key of {name} is {}, but only {} is accepted",
        shown(key),
        pins.join(" or ")
    ))
    .because(
        "S03",
        ["the fingerprint in the URL or in --pin must be that of the key which the server shows"],
    )
}

/// S03: the authority is trusted, the certificate is not right.
pub(super) fn bad_certificate(name: &str, reason: &str) -> Error {
    host_key(format!(
        "the host certificate of {name} is not accepted: {}",
        plain(reason)
    ))
    .because(
        "S03",
        ["for the server's admin: sign a new host certificate for this name (ssh-keygen -s CA -h -n NAME)"],
    )
}

/// The host on the way does not lead on.
pub(super) fn no_tunnel(through: &str, site: &Site, error: &russh::Error) -> Error {
    let why = match error {
        russh::Error::ChannelOpenFailure(ChannelOpenFailure::AdministrativelyProhibited) => {
            "it forbids forwarding"
        }
        russh::Error::ChannelOpenFailure(ChannelOpenFailure::ConnectFailed) => {
            "it cannot connect there"
        }
        _ => "the connection was refused",
    };
    Error::new(
        Step::Connect,
        Kind::Refused,
        format!(
            "{through} does not lead on to {} port {}: {why}",
            site.host, site.port
        ),
    )
    .hint("for the admin of the host on the way: AllowTcpForwarding, and a route to that host")
}

/// S07.
pub(super) fn no_subsystem(login: &str) -> Error {
    Error::new(
        Step::Command,
        Kind::Rejected,
        format!("{login}: the server has no SFTP"),
    )
    .because(
        "S07",
        [
            "try scp:// (it falls back to the old protocol)",
            "for the server's admin, OpenSSH: Subsystem sftp internal-sftp",
        ],
    )
}

/// The server runs no commands.
pub(super) fn no_exec(login: &str) -> Error {
    Error::new(
        Step::Command,
        Kind::Rejected,
        format!("{login}: the server runs no commands, so there is no scp"),
    )
    .because("S07", ["try sftp://"])
}

/// S09.
pub(super) fn closed_at_once(login: &str) -> Error {
    Error::new(
        Step::Command,
        Kind::Protocol,
        format!("{login}: logged in, but the server closed the channel at once"),
    )
    .because(
        "S09",
        [
            "for the server's admin: a chroot must belong to root and be writable by nobody else; the account may \
             have expired; a forced command may have failed: its log says why",
        ],
    )
}

/// No channel.
pub(super) fn no_channel(login: &str, reason: ChannelOpenFailure) -> Error {
    let (kind, why) = match reason {
        ChannelOpenFailure::AdministrativelyProhibited => (Kind::Permission, "it is forbidden"),
        ChannelOpenFailure::ResourceShortage => (Kind::Busy, "the server takes no more"),
        _ => (Kind::Rejected, "the server refuses"),
    };
    let error = Error::new(Step::Command, kind, format!("{login}: no channel: {why}"));
    if kind == Kind::Busy {
        return error.retryable();
    }
    error
}

/// The connection is gone.
pub(super) fn lost(step: Step, login: &str, ended: Option<&Ended>) -> Error {
    match ended {
        Some(Ended::ByServer { reason, text }) => Error::new(
            step,
            Kind::Protocol,
            format!("{login}: the server ended the connection: {reason} (\"{text}\")"),
        )
        .retryable(),
        Some(Ended::Broken(why)) => Error::new(
            step,
            Kind::Protocol,
            format!("{login}: the connection broke: {why}"),
        )
        .retryable(),
        None => Error::new(
            step,
            Kind::Protocol,
            format!("{login}: the server closed the connection without a word"),
        )
        .hint("a firewall may have forgotten the idle connection, or the server process ended")
        .retryable(),
    }
}

/// No answer.
pub(super) fn silent(step: Step, login: &str, limit: Duration) -> Error {
    Error::new(
        step,
        Kind::TimedOut,
        format!("{login}: no answer within {} s", limit.as_secs_f32()),
    )
    .retryable()
}

/// What was tried to log in, for [`refused`].
#[derive(Debug, Default)]
pub(super) struct Tried {
    /// Keys that were offered.
    pub(super) keys: Vec<String>,
    /// Keys that stayed unused, and why.
    pub(super) unused: Vec<String>,
    /// Passwords and answers.
    pub(super) passwords: usize,
    /// Whether a key or password was right, but not enough.
    pub(super) partial: bool,
    /// What the server would still take.
    pub(super) methods: Vec<&'static str>,
}

/// S04, S05 and S06: the login was refused.
pub(super) fn refused(login: &str, tried: &Tried, ended: Option<&Ended>) -> Error {
    let mut message = format!("cannot log in as {login}");
    if let Some(Ended::ByServer { text, .. }) = ended {
        message.push_str(&format!(": the server ended it (\"{text}\")"));
    } else if tried.partial {
        message.push_str(": one proof was right, but the server wants another");
    }
    let offered = match (tried.keys.len(), tried.passwords) {
        (0, 0) => "nothing could be offered".to_owned(),
        (keys, 0) => format!("{keys} key(s) refused"),
        (0, _) => "the password was refused".to_owned(),
        (keys, _) => format!("{keys} key(s) and the password refused"),
    };
    let methods = if tried.methods.is_empty() {
        String::new()
    } else {
        format!("; the server takes {}", tried.methods.join(", "))
    };
    message.push_str(&format!("; {offered}{methods}"));
    let too_many = matches!(ended, Some(Ended::ByServer { text, .. }) if text.to_lowercase().contains("too many"));
    let error = Error::new(Step::Login, Kind::Authentication, message);
    if too_many {
        return error.because(
            "S05",
            ["the agent holds more keys than the server lets try: --identities-only with --identity FILE offers the right one alone"],
        );
    }
    let wants = |method| tried.methods.contains(&method);
    let takes_passwords = wants("password") || wants("keyboard-interactive");
    let mut error = if !takes_passwords && wants("publickey") {
        error.because(
            if tried.keys.is_empty() { "S06" } else { "S04" },
            [
                "the server takes keys only: name the right one with --identity FILE, or put it into the agent (ssh-add)",
                "for the server's admin: is the key in authorized_keys, and may only its owner write to that file?",
            ],
        )
    } else if !wants("publickey") && tried.passwords == 0 {
        error.because(
            "S06",
            ["give the password: --password-file, WHARF_PASSWORD, or at the terminal"],
        )
    } else {
        error.because(
            "S04",
            [
                "check the user name; --identity FILE and --user NAME choose others; -v tells what was tried",
                "for the server's admin: the reason stands in the authentication log",
            ],
        )
    };
    for unused in &tried.unused {
        error = error.hint(unused.clone());
    }
    error
}
