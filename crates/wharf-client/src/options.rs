//! Choices that hold for all work with a site.

use std::{fmt, time::Duration};

use zeroize::Zeroizing;

use crate::{ssh::Ssh, tftp::options::Tftp, tls::Tls};

/// A password: wiped when dropped, never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Takes a password.
    #[must_use]
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(Zeroizing::new(bytes.into()))
    }

    /// The password itself.
    pub(crate) fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("***")
    }
}

/// Who logs in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// The user.
    pub user: Vec<u8>,
    /// The password.
    pub password: Secret,
}

impl Credentials {
    /// Nobody in particular (RFC 1635): a password that is a mail address by form.
    #[must_use]
    pub fn anonymous() -> Self {
        Self {
            user: b"anonymous".to_vec(),
            password: Secret::new(*b"wharf@"),
        }
    }

    /// Whether the password is one that others must not learn.
    pub(crate) fn are_secret(&self) -> bool {
        !self.user.eq_ignore_ascii_case(b"anonymous") && !self.user.eq_ignore_ascii_case(b"ftp")
    }
}

/// Who opens data connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DataMode {
    /// The client; the server when that fails.
    #[default]
    Auto,
    /// The client only (EPSV, PASV).
    Passive,
    /// The server only (EPRT, PORT).
    Active,
}

/// Which addresses of a host are used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Family {
    /// All.
    #[default]
    Any,
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

/// How a finished transfer is checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Verify {
    /// The size always, a hash when the server offers one.
    #[default]
    Auto,
    /// The size.
    Size,
    /// A hash; a server without one is an error.
    Hash,
    /// Only what the server says.
    None,
}

/// Choices; the defaults suit most.
#[derive(Clone, Debug)]
pub struct Options {
    /// Who opens data connections.
    pub data_mode: DataMode,
    /// Which addresses are used.
    pub family: Family,
    /// Time to open a connection, control or data. Default 10 s.
    pub connect_timeout: Duration,
    /// Time without an octet or a reply. Default 60 s.
    pub idle_timeout: Duration,
    /// Attempts after the first. Default 3.
    pub retries: u32,
    /// Wait before the second attempt; doubled for each further one, 30 s at the most. Default 0.5 s.
    pub retry_wait: Duration,
    /// How a transfer is checked.
    pub verify: Verify,
    /// Go on with a partial file that an earlier run left.
    pub resume: bool,
    /// Give copies the permissions of the original (SFTP and SCP; FTP has no way to tell or set them).
    /// Times are kept always. Default no.
    pub keep_permissions: bool,
    /// Make symbolic links of the links in a remote tree, as far as they stay in the directory that is
    /// fetched (SFTP, SFT-83). Default no: files that links lead to are fetched.
    pub links: bool,
    /// Put Telnet's IP and Synch before ABOR (RPL-14); some servers and gateways stumble over urgent
    /// data. Default yes.
    pub telnet_abort: bool,
    /// Sessions at once, at least 1. Default 4.
    pub parallel: usize,
    /// TLS.
    pub tls: Tls,
    /// SSH.
    pub ssh: Ssh,
    /// TFTP.
    pub tftp: Tftp,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            data_mode: DataMode::Auto,
            family: Family::Any,
            connect_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(60),
            retries: 3,
            retry_wait: Duration::from_millis(500),
            verify: Verify::Auto,
            resume: false,
            keep_permissions: false,
            links: false,
            telnet_abort: true,
            parallel: 4,
            tls: Tls::default(),
            ssh: Ssh::default(),
            tftp: Tftp::default(),
        }
    }
}
