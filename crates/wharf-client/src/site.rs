//! URLs of sites and places on them (RFC 1738 3.2, RFC 3617, RFC 3986;
//! draft-ietf-secsh-scp-sftp-ssh-uri-04).
//!
//! An FTP URL is a list of *segments*: one CWD for each but the last, each percent-decoded on its own,
//! so `%2F` is a byte of a name and a leading `%2F` means the server's root. Segments are never glued
//! into a path here. A decoded CR, LF or NUL is refused before anything is sent (command injection); a
//! password is never shown. What only SSH's places have (`~`, `host:path`, fingerprints) is in [`ssh`];
//! TFTP's have one name, without a login.

mod ssh;

use std::{fmt, net::Ipv6Addr};

use thiserror::Error;

use crate::{options::Secret, ssh::HostKeyPin};

/// Why a text is no usable URL.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum UrlError {
    /// No `scheme://`.
    #[error("expected a URL such as ftp://host/path or sftp://host/path, got {0:?}")]
    NoScheme(String),
    /// A scheme that is not spoken.
    #[error(
        "{0}:// is not spoken by this version; supported are ftp://, ftpes://, ftps://, sftp://, scp:// and tftp://"
    )]
    Scheme(String),
    /// No host.
    #[error("the URL names no host; expected ftp://host/path")]
    NoHost,
    /// A host that cannot be one.
    #[error("{0:?} is not a host name, an IPv4 address or an IPv6 address in brackets")]
    Host(String),
    /// A port that is none.
    #[error("port {0:?} is not a number from 1 to 65535")]
    Port(String),
    /// `%` without two hexadecimal digits.
    #[error("a % in a URL is followed by two hexadecimal digits; write %25 for the sign itself")]
    Percent,
    /// CR, LF or NUL after decoding.
    #[error("the URL holds a line end or NUL, which could smuggle commands")]
    Forbidden,
    /// `;type=` with another value than a, i or d.
    #[error(";type= is a (text), i (binary) or d (listing), not {0:?}")]
    Type(String),
    /// `;mode=` with another value than octet or netascii (RFC 3617).
    #[error(";mode= is octet (as it is) or netascii (text), not {0:?}")]
    Mode(String),
    /// A user, where no login exists.
    #[error("TFTP has no login: leave out what stands before the @")]
    User,
    /// `;fingerprint=` that cannot be read.
    #[error(
        ";fingerprint= is the host key's type and SHA-256, such as ssh-ed25519-2ViqsnF..., not {0:?}"
    )]
    Fingerprint(String),
}

/// How a URL wants its object (RFC 1738 3.2.2; for TFTP RFC 3617).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UrlType {
    /// `;type=a`, `;mode=netascii`.
    Text,
    /// `;type=i`, `;mode=octet`.
    Image,
    /// `;type=d`.
    Listing,
}

/// How a server is reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// `ftp://`: TLS when the server offers it.
    #[default]
    Ftp,
    /// `ftpes://`: AUTH TLS is required (RFC 4217).
    Ftpes,
    /// `ftps://`: TLS from the first byte.
    Ftps,
    /// `sftp://`: SFTP over SSH; paths begin at the root.
    Sftp,
    /// `scp://` and `host:path`: SSH; paths begin at home, as OpenSSH's scp has it.
    Scp,
    /// `tftp://`: single files, without a login.
    Tftp,
}

impl Scheme {
    /// Every scheme.
    pub const ALL: [Self; 6] = [
        Self::Ftp,
        Self::Ftpes,
        Self::Ftps,
        Self::Sftp,
        Self::Scp,
        Self::Tftp,
    ];

    /// As a URL has it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ftp => "ftp",
            Self::Ftpes => "ftpes",
            Self::Ftps => "ftps",
            Self::Sftp => "sftp",
            Self::Scp => "scp",
            Self::Tftp => "tftp",
        }
    }

    /// Its port.
    #[must_use]
    pub const fn port(self) -> u16 {
        match self {
            Self::Ftp | Self::Ftpes => FTP_PORT,
            Self::Ftps => FTPS_PORT,
            Self::Sftp | Self::Scp => SSH_PORT,
            Self::Tftp => TFTP_PORT,
        }
    }

    /// Whether it runs over SSH.
    #[must_use]
    pub const fn is_ssh(self) -> bool {
        matches!(self, Self::Sftp | Self::Scp)
    }
}

/// A server, and who logs in when the URL says so.
#[derive(Clone, PartialEq, Eq)]
pub struct Site {
    /// How it is reached.
    pub scheme: Scheme,
    /// Name or address, without brackets.
    pub host: String,
    /// TCP port; UDP port for TFTP.
    pub port: u16,
    /// Whether the port was named; where it was not, `~/.ssh/config` may name another.
    pub port_is_named: bool,
    /// The user, decoded.
    pub user: Option<Vec<u8>>,
    /// The password, decoded.
    pub password: Option<Secret>,
    /// The only host key that is accepted (`;fingerprint=`); never overrides a stored one.
    pub fingerprint: Option<HostKeyPin>,
}

/// A place on a site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// The server.
    pub site: Site,
    /// Decoded segments; none for the directory after login. The first is `/` or begins with `/` when
    /// the place starts at the root.
    pub segments: Vec<Vec<u8>>,
    /// Whether the URL ended in `/` (or names no path): a directory is meant.
    pub directory: bool,
    /// `;type=` or `;mode=`.
    pub kind: Option<UrlType>,
}

/// TCP port of `ftp://` and `ftpes://`.
pub const FTP_PORT: u16 = 21;

/// TCP port of `ftps://`.
pub const FTPS_PORT: u16 = 990;

/// TCP port of `sftp://` and `scp://`.
pub const SSH_PORT: u16 = 22;

/// UDP port of `tftp://`.
pub const TFTP_PORT: u16 = 69;

impl Location {
    /// Reads a URL, or `user@host:path` as scp has it.
    ///
    /// # Errors
    /// [`UrlError`].
    pub fn parse(url: &str) -> Result<Self, UrlError> {
        if !Self::is_url(url) {
            return ssh::copy_form(url).unwrap_or_else(|| Err(UrlError::NoScheme(redacted(url))));
        }
        let (scheme, rest) = url
            .split_once("://")
            .ok_or_else(|| UrlError::NoScheme(redacted(url)))?;
        let scheme = Scheme::ALL
            .into_iter()
            .find(|known| scheme.eq_ignore_ascii_case(known.name()))
            .ok_or_else(|| UrlError::Scheme(scheme.to_ascii_lowercase()))?;
        let (authority, path) = match rest.find(['/', '?', '#']) {
            Some(at) => rest.split_at(at),
            None => (rest, ""),
        };
        let (user_info, host_port) = match authority.rsplit_once('@') {
            Some((user, host)) => (Some(user), host),
            None => (None, authority),
        };
        if scheme == Scheme::Tftp && user_info.is_some() {
            return Err(UrlError::User);
        }
        let (user_info, fingerprint) = match user_info {
            Some(text) if scheme.is_ssh() => {
                let (text, fingerprint) = ssh::parameters(text)?;
                (Some(text), fingerprint)
            }
            other => (other, None),
        };
        let (user, password) = match user_info
            .map(|text| text.split_once(':').unwrap_or((text, "\0")))
        {
            None => (None, None),
            Some((user, "\0")) => (Some(decode(user)?), None),
            Some((user, password)) => (Some(decode(user)?), Some(Secret::new(decode(password)?))),
        };
        let (host, port) = host_and_port(host_port)?;
        let site = Site {
            scheme,
            host,
            port: port.unwrap_or_else(|| scheme.port()),
            port_is_named: port.is_some(),
            user: user.filter(|user| !user.is_empty()),
            password,
            fingerprint,
        };
        let (path, kind) = if scheme == Scheme::Tftp {
            split_mode(path)?
        } else {
            split_type(path)?
        };
        let (segments, directory) = match scheme {
            Scheme::Sftp => ssh::segments_from_root(path)?,
            Scheme::Scp => ssh::segments_from_home(path)?,
            Scheme::Ftp | Scheme::Ftpes | Scheme::Ftps | Scheme::Tftp => segments(path)?,
        };
        Ok(Self {
            site,
            segments,
            directory,
            kind,
        })
    }

    /// Whether a text names a remote place rather than a local path: a URL, or a colon before the
    /// first slash (`./a:b` is local, as for scp).
    #[must_use]
    pub fn is_remote(text: &str) -> bool {
        Self::is_url(text) || ssh::split_copy_form(text).is_some()
    }

    fn is_url(text: &str) -> bool {
        text.split_once("://").is_some_and(|(scheme, _)| {
            !scheme.is_empty()
                && scheme
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
        })
    }

    /// The last segment: the name of the object in its directory.
    #[must_use]
    pub fn name(&self) -> Option<&[u8]> {
        self.segments.last().map(Vec::as_slice)
    }

    /// The segments before the last.
    #[must_use]
    pub fn parents(&self) -> &[Vec<u8>] {
        self.segments
            .split_last()
            .map_or(&[], |(_, parents)| parents)
    }

    /// The place of that name below this one.
    #[must_use]
    pub fn child(&self, name: &[u8], directory: bool) -> Self {
        let mut segments = self.segments.clone();
        segments.push(name.to_vec());
        Self {
            site: self.site.clone(),
            segments,
            directory,
            kind: None,
        }
    }
}

/// The URL, with the password masked.
impl fmt::Display for Location {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.site)?;
        if self.site.scheme.is_ssh() {
            return ssh::write_path(self, formatter);
        }
        for (index, segment) in self.segments.iter().enumerate() {
            // A first segment `/etc` was written `%2Fetc`.
            let plain = if index == 0 && segment == b"/" {
                &b"/"[..]
            } else {
                segment
            };
            formatter.write_str("/")?;
            encode(plain, formatter)?;
        }
        if self.directory {
            formatter.write_str("/")?;
        }
        if self.site.scheme == Scheme::Tftp {
            return formatter.write_str(match self.kind {
                Some(UrlType::Text) => ";mode=netascii",
                Some(UrlType::Image) => ";mode=octet",
                Some(UrlType::Listing) | None => "",
            });
        }
        formatter.write_str(match self.kind {
            Some(UrlType::Text) => ";type=a",
            Some(UrlType::Image) => ";type=i",
            Some(UrlType::Listing) => ";type=d",
            None => "",
        })
    }
}

impl fmt::Display for Site {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}://", self.scheme.name())?;
        if let Some(user) = &self.user {
            encode(user, formatter)?;
            formatter.write_str(if self.password.is_some() {
                ":***@"
            } else {
                "@"
            })?;
        }
        if self.host.contains(':') {
            write!(formatter, "[{}]", self.host)?;
        } else {
            formatter.write_str(&self.host)?;
        }
        if self.port != self.scheme.port() {
            write!(formatter, ":{}", self.port)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Site {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Site({self})")
    }
}

/// What of a text may be shown: nothing that could be a password.
fn redacted(text: &str) -> String {
    text.rsplit_once('@')
        .map_or_else(|| text.to_owned(), |(_, rest)| format!("***@{rest}"))
}

fn host_and_port(text: &str) -> Result<(String, Option<u16>), UrlError> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, behind) = rest
                .split_once(']')
                .ok_or_else(|| UrlError::Host(text.to_owned()))?;
            // A zone (RFC 6874) is `%25eth0`; the address in front of it must be one.
            let decoded = host.replace("%25", "%");
            let address = decoded.split('%').next().unwrap_or_default();
            if address.parse::<Ipv6Addr>().is_err() {
                return Err(UrlError::Host(text.to_owned()));
            }
            let port = match behind.strip_prefix(':') {
                Some(port) => Some(port),
                None if behind.is_empty() => None,
                None => return Err(UrlError::Host(text.to_owned())),
            };
            (decoded, port)
        }
        None => match text.split_once(':') {
            Some((host, port)) => (host.to_owned(), Some(port)),
            None => (text.to_owned(), None),
        },
    };
    if host.is_empty() {
        return Err(UrlError::NoHost);
    }
    if !host
        .chars()
        .all(|c| c.is_alphanumeric() || "-._:%".contains(c))
    {
        return Err(UrlError::Host(host));
    }
    let port = match port {
        None | Some("") => None,
        Some(digits) => match digits.parse() {
            Ok(port) if port > 0 && digits.bytes().all(|b| b.is_ascii_digit()) => Some(port),
            _ => return Err(UrlError::Port(digits.to_owned())),
        },
    };
    Ok((host, port))
}

/// The path without a last parameter `name`, and its value.
fn split_parameter<'a>(path: &'a str, name: &str) -> (&'a str, Option<&'a str>) {
    let found = path.to_ascii_lowercase().rfind(name).and_then(|at| {
        let (front, parameter) = path.split_at(at);
        Some((front, parameter.get(name.len()..)?))
    });
    match found {
        Some((front, value)) if !value.contains('/') => (front, Some(value)),
        _ => (path, None),
    }
}

fn split_type(path: &str) -> Result<(&str, Option<UrlType>), UrlError> {
    let (path, value) = split_parameter(path, ";type=");
    let kind = match value.map(str::to_ascii_lowercase).as_deref() {
        None => None,
        Some("a") => Some(UrlType::Text),
        Some("i") => Some(UrlType::Image),
        Some("d") => Some(UrlType::Listing),
        Some(other) => return Err(UrlError::Type(other.to_owned())),
    };
    Ok((path, kind))
}

/// RFC 3617 section 3.
fn split_mode(path: &str) -> Result<(&str, Option<UrlType>), UrlError> {
    let (path, value) = split_parameter(path, ";mode=");
    let kind = match value.map(str::to_ascii_lowercase).as_deref() {
        None => None,
        Some("netascii") => Some(UrlType::Text),
        Some("octet") => Some(UrlType::Image),
        Some(other) => return Err(UrlError::Mode(other.to_owned())),
    };
    Ok((path, kind))
}

fn segments(path: &str) -> Result<(Vec<Vec<u8>>, bool), UrlError> {
    let Some(path) = path.strip_prefix('/') else {
        // `ftp://host?x`: FTP has no query; the text belongs to the name.
        return Ok(if path.is_empty() {
            (Vec::new(), true)
        } else {
            (vec![decode(path)?], false)
        });
    };
    let mut found = Vec::new();
    // `ftp://host//etc` means the root, as curl has it.
    if path.starts_with('/') {
        found.push(b"/".to_vec());
    }
    for part in path.split('/').filter(|part| !part.is_empty()) {
        found.push(decode(part)?);
    }
    Ok((found, path.is_empty() || path.ends_with('/')))
}

/// Undoes percent-encoding once.
fn decode(text: &str) -> Result<Vec<u8>, UrlError> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let mut digit = || {
            bytes
                .next()
                .and_then(|b| char::from(b).to_digit(16))
                .and_then(|d| u8::try_from(d).ok())
        };
        match (digit(), digit()) {
            (Some(high), Some(low)) => out.push(high * 16 + low),
            _ => return Err(UrlError::Percent),
        }
    }
    if out.iter().any(|b| matches!(b, b'\r' | b'\n' | 0)) {
        return Err(UrlError::Forbidden);
    }
    Ok(out)
}

fn encode(bytes: &[u8], formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
    for byte in bytes {
        if byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,=:@".contains(byte) {
            write!(formatter, "{}", char::from(*byte))?;
        } else {
            write!(formatter, "%{byte:02X}")?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
