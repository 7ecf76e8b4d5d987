//! From a failed handshake or a refused command to its cause and its cure (rows D20 to D26, D46 to
//! D50).
//!
//! A certificate that is not accepted is always told with its fingerprint and the flag that would pin
//! it, so that a script's owner can decide without a second tool.

use rustls::{AlertDescription, CertificateError, Error as TlsError, pki_types::UnixTime};
use wharf_proto::ftp::{reply::Reply, time::Calendar};
use wharf_transfer::tls;

use super::{CertificateFacts, Mode, Rejected, Tls, Trust, Version, verifier::Reason};
use crate::{Error, Kind, Site, Step, error::shown};

/// The host's name is none that a certificate could have.
pub(crate) fn unreadable_name(site: &Site) -> Error {
    let text = format!(
        "{:?} is no name that a certificate can be checked for",
        site.host
    );
    Error::new(Step::Tls, Kind::Usage, text).hint("use the host's DNS name or its address")
}

/// The handshake did not come about.
pub(crate) fn handshake_failed(
    site: &Site,
    error: &tls::Error,
    rejected: Option<&Rejected>,
    trust: &Trust,
    settings: &Tls,
) -> Error {
    if let Some(rejected) = rejected {
        return not_accepted(site, rejected, trust);
    }
    let failed = |kind| {
        let text = format!("no TLS connection with {}: {error}", site.host);
        Error::new(Step::Tls, kind, text)
    };
    match error {
        tls::Error::Protocol(error) => protocol(failed, error, settings),
        _ => failed(Kind::Tls)
            .because(
                "D24",
                [
                    "a firewall that inspects TLS may stand between: ask for an exception, or try from another network",
                    "for the server's admin: the reason stands in the server's log",
                ],
            )
            .retryable(),
    }
}

fn protocol(failed: impl Fn(Kind) -> Error, error: &TlsError, settings: &Tls) -> Error {
    use AlertDescription as Alert;
    match error {
        TlsError::AlertReceived(
            Alert::ProtocolVersion | Alert::HandshakeFailure | Alert::InsufficientSecurity,
        )
        | TlsError::PeerIncompatible(_) => {
            let error = failed(Kind::Tls);
            if settings.minimum == Version::Tls13 {
                return error.because("D23", ["leave out --tls-min 1.3: the server may speak 1.2"]);
            }
            error.because(
                "D23",
                ["for the server's admin: offer TLS 1.2 or 1.3 with an ECDHE suite (AES-GCM or ChaCha20); older ones are not safe and not spoken"],
            )
        }
        TlsError::AlertReceived(
            Alert::CertificateRequired
            | Alert::BadCertificate
            | Alert::CertificateUnknown
            | Alert::CertificateExpired
            | Alert::CertificateRevoked
            | Alert::UnsupportedCertificate
            | Alert::UnknownCA
            | Alert::AccessDenied,
        ) => failed(Kind::Certificate).because(
            "D26",
            [
                "the server wants a certificate of this client that it accepts: --cert FILE --key FILE",
                "for the server's admin: tell which authority's certificates are accepted",
            ],
        ),
        TlsError::AlertReceived(Alert::UnrecognisedName) => failed(Kind::Certificate)
            .because("D25", ["the server has no certificate for this name: use the name that it was set up for"]),
        TlsError::InvalidMessage(_) if settings.mode == Mode::Implicit => failed(Kind::Tls).because(
            "D22",
            ["the port does not speak TLS from the first byte: ftpes:// (port 21) begins in clear, ftps:// (port 990) does not"],
        ),
        TlsError::InvalidMessage(_) => failed(Kind::Tls).because(
            "D24",
            ["something else than TLS came although the server agreed to TLS: a gateway or somebody on the way interferes"],
        ),
        _ => failed(Kind::Tls).because(
            "D24",
            ["for the server's admin: the reason stands in the server's log"],
        ),
    }
}

/// D25: which part of the check failed, and what mends it.
fn not_accepted(site: &Site, rejected: &Rejected, trust: &Trust) -> Error {
    let CertificateFacts { fingerprint, .. } = &rejected.certificate;
    let text = format!(
        "the certificate of {} is not accepted: {}",
        site.host,
        why(rejected)
    );
    let error = Error::new(Step::Tls, Kind::Certificate, text);
    let pin = format!(
        "its fingerprint is {fingerprint}; if the server's admin confirms it: --pin {fingerprint}"
    );
    let mend = match &rejected.reason {
        Reason::Changed { .. } => {
            return error.because(
                "D25",
                [
                    "somebody may stand between you and the server: ask its admin whether the certificate was replaced".to_owned(),
                    format!("if it was: delete {}, or --pin {fingerprint}", trust.told()),
                ],
            );
        }
        Reason::NotTheSessions => {
            return error.because(
                "D25",
                ["somebody else answered the data connection; or, for the server's admin: all nodes behind one address need the same certificate".to_owned()],
            );
        }
        Reason::NotPinned => return error.because("D25", [pin]),
        Reason::NoAuthorities => {
            "install the system's certificate authorities (ca-certificates), or name one: --ca FILE"
        }
        Reason::Chain(chain) => match chain {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                "for the server's admin: renew it; if it is still good, this machine's clock is wrong"
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                "the clock of this machine or of the one that made it is wrong"
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                "use a name that the certificate is for; or, for the server's admin: add this one to it"
            }
            CertificateError::Revoked => {
                return error.because(
                    "D25",
                    ["its authority has taken it back: do not connect; for the server's admin: get a new one".to_owned()],
                );
            }
            _ if rejected.certificate.self_signed => {
                "nobody but the server vouches for it; for the server's admin: get one from an authority"
            }
            CertificateError::UnknownIssuer => {
                "if its authority is your company's: --ca FILE; for the server's admin: send the whole chain"
            }
            _ => "for the server's admin: the certificate is damaged or of a kind that is not safe",
        },
    };
    error.because("D25", [mend.to_owned(), pin])
}

/// What is wrong with a certificate, in words.
pub(crate) fn why(rejected: &Rejected) -> String {
    match &rejected.reason {
        Reason::NoAuthorities => "this machine knows no certificate authority".to_owned(),
        Reason::NotPinned => format!(
            "it is none of the pinned ones ({})",
            rejected.certificate.fingerprint
        ),
        Reason::Changed { known } => format!(
            "it has changed: {known} was agreed to, {} is shown now",
            rejected.certificate.fingerprint
        ),
        Reason::NotTheSessions => {
            "on a data connection it is another one than on the control connection".to_owned()
        }
        Reason::Chain(error) => match error {
            CertificateError::Expired => "it has expired".to_owned(),
            CertificateError::ExpiredContext { not_after, .. } => {
                format!("it expired on {}", day(*not_after))
            }
            CertificateError::NotValidYet => "it is not valid yet".to_owned(),
            CertificateError::NotValidYetContext { not_before, .. } => {
                format!("it is not valid before {}", day(*not_before))
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                let names = &rejected.certificate.names;
                if names.is_empty() {
                    "it is not for this name".to_owned()
                } else {
                    format!("it is not for this name but for {}", names.join(", "))
                }
            }
            CertificateError::Revoked => "its authority has revoked it".to_owned(),
            CertificateError::UnknownIssuer | CertificateError::Other(_)
                if rejected.certificate.self_signed =>
            {
                "it is self-signed".to_owned()
            }
            CertificateError::UnknownIssuer => "no known authority vouches for it".to_owned(),
            other => other.to_string(),
        },
    }
}

fn day(time: UnixTime) -> String {
    let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    let Calendar {
        year, month, day, ..
    } = Calendar::of(seconds);
    format!("{year:04}-{month:02}-{day:02}")
}

/// D20: TLS is required and not to be had.
pub(crate) fn not_offered(site: &Site, reply: &Reply) -> Error {
    Error::refused(
        Step::Tls,
        "AUTH TLS",
        &format!("{} offers no TLS", site.host),
        reply,
    )
    .of_kind(Kind::Tls)
    .because(
        "D20",
        [
            "if the server has an implicit TLS port: ftps:// (990)",
            "a firewall that inspects FTP may strip AUTH: for its admin, switch FTP inspection off",
            "to go on in clear, where everybody on the way reads along: ftp:// with --tls none",
        ],
    )
}

/// D20: there is no TLS, and nobody allowed a password in clear (TLS-50).
pub(crate) fn password_in_clear(site: &Site) -> Error {
    let text = format!(
        "{} offers no TLS, and the password is not sent in clear without permission",
        site.host
    );
    Error::new(Step::Tls, Kind::Tls, text).because(
        "D20",
        [
            "if the server has an implicit TLS port: ftps:// (990)",
            "to send it where everybody on the way can read it: --tls none",
        ],
    )
}

/// D50, TLS-53: the server does not protect data.
pub(crate) fn not_protected(reply: Option<&Reply>) -> Error {
    let said = reply.map_or_else(String::new, |reply| format!(" ({})", shown(reply)));
    let text = format!("the server refuses to protect data connections{said}");
    Error::new(Step::Tls, Kind::Tls, text).because(
        "D50",
        [
            "for the server's admin: allow PROT P",
            "to move files in clear though the login was protected: --allow-clear-data",
        ],
    )
}

/// D48: TLS ended without `close_notify`, and nothing that could be believed says how much there is.
pub(crate) fn cut(step: Step) -> Error {
    Error::new(
        step,
        Kind::Partial,
        "TLS ended without close_notify and no size can be relied on: nobody knows whether all has come",
    )
    .because(
        "D48",
        ["for the server's admin: update the server; one that offers SIZE can be checked by it, but not after --ccc"],
    )
}

/// D46, D47, D50: the server does not want the data connection as it was; `None` when the refusal is
/// about something else.
pub(crate) fn data_refused(error: &Error, reply: &Reply, resumed: bool) -> Option<&'static str> {
    let text = String::from_utf8_lossy(&reply.lines.join(&b' ')).to_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
    match reply.code.value() {
        521 | 522 | 425 | 450 | 550
            if says(&["resum", "reuse", "reused", "session"]) && error.kind() != Kind::NotFound =>
        {
            Some("D46")
        }
        // ProFTPD says no more than "Operation not permitted".
        522 | 425 if !resumed && says(&["not permitted", "ssl", "tls"]) => Some("D46"),
        521 | 522 => Some("D50"),
        _ => None,
    }
}
