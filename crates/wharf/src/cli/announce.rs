//! What `wharf serve` says at the start: one line per protocol, to paste.
//!
//! It tells an invented password because it is told nowhere else; one that somebody chose is never
//! shown.

use std::{
    fmt::Write as _,
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
};

use super::quick_start::Login;
use crate::certificates::hex;

/// What there is to tell.
pub(super) struct Announcement<'a> {
    /// The folder of the quick start.
    pub(super) directory: Option<&'a Path>,
    /// Nobody can change it.
    pub(super) read_only: bool,
    /// Accounts that were made for it.
    pub(super) logins: &'a [Login],
    /// Anybody may read it.
    pub(super) anonymous: bool,
    /// Where connections begin in clear.
    pub(super) explicit: &'a [SocketAddr],
    /// Where they begin with TLS.
    pub(super) implicit: &'a [SocketAddr],
    /// Where connections are SSH.
    pub(super) ssh: &'a [SocketAddr],
    /// Where requests of TFTP come.
    pub(super) tftp: &'a [SocketAddr],
    /// Some clients of TFTP can store files.
    pub(super) tftp_writes: bool,
    /// Kind and fingerprint of the host key that clients see first.
    pub(super) host_key: Option<(String, String)>,
    /// The certificate that clients see first.
    pub(super) certificate: Option<Certificate>,
    /// Nobody logs in without TLS.
    pub(super) tls_only: bool,
    /// The process stays user 0.
    pub(super) stays_root: bool,
}

/// A certificate, as far as a client's user wants to know it.
pub(super) struct Certificate {
    /// SHA-256 of its DER.
    pub(super) sha256: [u8; 32],
    /// The file, where the server made it itself.
    pub(super) self_signed: Option<PathBuf>,
    /// Names for which an authority's takes its place as soon as it is there.
    pub(super) ordered: Vec<String>,
}

impl Announcement<'_> {
    /// The text.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        if let Some(directory) = self.directory {
            let only = if self.read_only { ", read only" } else { "" };
            let _ = writeln!(text, "Serving {}{only}", directory.display());
        }
        for login in self.logins {
            let secret = login
                .invented
                .as_ref()
                .map_or_else(String::new, |password| format!(":{password}"));
            self.addresses(&mut text, &format!("{}{secret}@", login.name), "");
            if let (Some(password), Some(host)) = (&login.invented, host(self.explicit, 21)) {
                let tls = match &self.certificate {
                    None => String::new(),
                    Some(Certificate {
                        self_signed: Some(file),
                        ..
                    }) => format!("--ssl-reqd --cacert {} ", quoted(file)),
                    Some(_) => "--ssl-reqd ".to_owned(),
                };
                let _ = writeln!(
                    text,
                    "      curl {tls}-u '{}:{password}' ftp://{host}/",
                    login.name
                );
            }
        }
        if let ([login, ..], Some(at)) = (self.logins, address(self.ssh)) {
            let port = match at.port() {
                22 => String::new(),
                port => format!("-P {port} "),
            };
            let _ = writeln!(text, "      sftp {port}{}@{}", login.name, name(at));
        }
        if self.anonymous {
            self.addresses(&mut text, "", " (anonymous, read only)");
        }
        if let Some(host) = host(self.tftp, 69) {
            let only = if self.tftp_writes {
                "takes files"
            } else {
                "read only"
            };
            let _ = writeln!(text, "TFTP  tftp://{host}/ (no login, {only})");
            let _ = writeln!(text, "      wharf get tftp://{host}/FILE");
            let _ = writeln!(text, "      curl -O tftp://{host}/FILE");
        }
        let is_ftp_served = !self.explicit.is_empty() || !self.implicit.is_empty();
        if let Some(certificate) = self.certificate.as_ref().filter(|_| is_ftp_served) {
            let digest = hex(&certificate.sha256);
            let note = match (&certificate.self_signed, certificate.ordered.as_slice()) {
                (_, [_, ..]) => {
                    format!(
                        " until that for {} is there",
                        certificate.ordered.join(", ")
                    )
                }
                (Some(_), []) => " (self-signed: compare it when a client asks)".to_owned(),
                (None, []) => String::new(),
            };
            let _ = writeln!(text, "TLS   certificate sha256:{digest}{note}");
        }
        if let Some((kind, fingerprint)) = &self.host_key {
            let _ = writeln!(
                text,
                "SSH   host key {fingerprint} ({kind}: compare it when a client asks)"
            );
        }
        if self.stays_root {
            text.push_str("Note: the folder belongs to root, so the server stays user 0 without any other privilege; --run-as USER is safer\n");
        }
        text.push_str("Stop with Ctrl-C.");
        text.push_str(match (self.tls_only, &self.certificate) {
            _ if self.explicit.is_empty() => "\n",
            (true, _) => "\n",
            (false, None) => {
                " Plain FTP sends passwords in clear: use it in networks that you trust.\n"
            }
            (false, Some(_)) => {
                " Plain ftp:// sends passwords in clear: use ftpes:// or ftps:// in networks that you do not trust.\n"
            }
        });
        text
    }

    /// One line per protocol.
    fn addresses(&self, text: &mut String, login: &str, note: &str) {
        if let Some(host) = host(self.explicit, 21) {
            if !self.tls_only {
                let _ = writeln!(text, "FTP   ftp://{login}{host}/{note}");
            }
            if self.certificate.is_some() {
                let _ = writeln!(text, "FTPES ftpes://{login}{host}/{note}");
            }
        }
        if let Some(host) = host(self.implicit, 990) {
            let _ = writeln!(text, "FTPS  ftps://{login}{host}/{note}");
        }
        if let Some(host) = host(self.ssh, 22) {
            let _ = writeln!(text, "SFTP  sftp://{login}{host}/{note}");
        }
    }
}

/// The address to tell: IPv4 first, since most clients try it first.
fn address(addresses: &[SocketAddr]) -> Option<&SocketAddr> {
    addresses
        .iter()
        .find(|address| address.is_ipv4())
        .or_else(|| addresses.first())
}

/// A host as URLs and most programs have it.
fn name(address: &SocketAddr) -> String {
    match address.ip() {
        ip if ip.is_unspecified() => "localhost".to_owned(),
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    }
}

/// Host and port as a URL has them.
fn host(addresses: &[SocketAddr], standard: u16) -> Option<String> {
    let address = address(addresses)?;
    let host = name(address);
    Some(if address.port() == standard {
        host
    } else {
        format!("{host}:{}", address.port())
    })
}

/// A path as a shell takes it.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:@".contains(c);
    if text.chars().all(plain) {
        text
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn announcement<'a>(
        explicit: &'a [SocketAddr],
        implicit: &'a [SocketAddr],
        logins: &'a [Login],
    ) -> Announcement<'a> {
        Announcement {
            directory: Some(Path::new("/srv")),
            read_only: false,
            logins,
            anonymous: false,
            explicit,
            implicit,
            ssh: &[],
            tftp: &[],
            tftp_writes: false,
            host_key: None,
            certificate: Some(Certificate {
                sha256: [0xab; 32],
                self_signed: Some("/state/my server/self-signed.pem".into()),
                ordered: Vec::new(),
            }),
            tls_only: false,
            stays_root: false,
        }
    }

    #[test]
    fn there_is_one_line_per_protocol_and_the_fingerprint() {
        let explicit = [
            "[::]:2121".parse().unwrap(),
            "0.0.0.0:2121".parse().unwrap(),
        ];
        let implicit = ["192.0.2.7:990".parse().unwrap()];
        let logins = [Login {
            name: "wharf".to_owned(),
            invented: Some("secret".to_owned()),
        }];
        let text = announcement(&explicit, &implicit, &logins).text();
        for line in [
            "FTP   ftp://wharf:secret@localhost:2121/",
            "FTPES ftpes://wharf:secret@localhost:2121/",
            "FTPS  ftps://wharf:secret@192.0.2.7/",
            "      curl --ssl-reqd --cacert '/state/my server/self-signed.pem' -u 'wharf:secret' ftp://localhost:2121/",
        ] {
            assert!(text.lines().any(|told| told == line), "{line} in {text}");
        }
        assert!(text.contains(&format!("sha256:{}", "ab".repeat(32))));
        assert!(text.contains("in clear"));
    }

    #[test]
    fn plain_ftp_is_not_offered_where_tls_is_demanded() {
        let explicit = ["127.0.0.1:21".parse().unwrap()];
        let logins = [Login {
            name: "anna".to_owned(),
            invented: None,
        }];
        let text = Announcement {
            tls_only: true,
            anonymous: true,
            ..announcement(&explicit, &[], &logins)
        }
        .text();
        assert!(
            !text.contains("ftp://anna") && !text.contains("in clear"),
            "{text}"
        );
        assert!(text.contains("ftpes://anna@127.0.0.1/\n"), "{text}");
        assert!(!text.contains("FTPS "), "{text}");
    }

    #[test]
    fn sftp_is_told_as_a_url_as_a_command_and_by_its_host_key() {
        let logins = [Login {
            name: "anna".to_owned(),
            invented: None,
        }];
        let ssh = ["0.0.0.0:2022".parse().unwrap()];
        let text = Announcement {
            ssh: &ssh,
            host_key: Some(("ssh-ed25519".to_owned(), "SHA256:abc".to_owned())),
            ..announcement(&[], &[], &logins)
        }
        .text();
        for line in [
            "SFTP  sftp://anna@localhost:2022/",
            "      sftp -P 2022 anna@localhost",
            "SSH   host key SHA256:abc (ssh-ed25519: compare it when a client asks)",
        ] {
            assert!(text.lines().any(|told| told == line), "{line} in {text}");
        }
    }

    #[test]
    fn tftp_is_told_with_what_anybody_may_do() {
        let tftp = [
            "[::]:6969".parse().unwrap(),
            "0.0.0.0:6969".parse().unwrap(),
        ];
        let told = |tftp_writes| {
            Announcement {
                tftp: &tftp,
                tftp_writes,
                ..announcement(&[], &[], &[])
            }
            .text()
        };
        let text = told(false);
        for line in [
            "TFTP  tftp://localhost:6969/ (no login, read only)",
            "      wharf get tftp://localhost:6969/FILE",
            "      curl -O tftp://localhost:6969/FILE",
        ] {
            assert!(text.lines().any(|told| told == line), "{line} in {text}");
        }
        assert!(told(true).contains("takes files"));
        assert!(
            !text.contains("TLS") && !text.contains("ftp:// sends"),
            "{text}"
        );
    }

    #[test]
    fn without_a_certificate_only_plain_ftp_is_told() {
        let explicit = ["127.0.0.1:2121".parse().unwrap()];
        let logins = [];
        let text = Announcement {
            certificate: None,
            anonymous: true,
            ..announcement(&explicit, &[], &logins)
        }
        .text();
        assert!(text.contains("FTP   ftp://127.0.0.1:2121/ (anonymous, read only)"));
        assert!(!text.contains("ftpes") && !text.contains("TLS"), "{text}");
    }
}
