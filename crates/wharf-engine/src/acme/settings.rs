//! What the operator chooses, checked before anything is asked of the network.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use hyper::Uri;

use super::Error;

/// The most names in one certificate (the public authorities' own limit).
const MAX_DOMAINS: usize = 100;
/// The longest directory URL, in octets: it becomes the name of a folder.
const MAX_URL: usize = 200;
/// The longest name and the longest label of a name, in octets (RFC 1035 2.3.4).
const MAX_NAME: usize = 253;
const MAX_LABEL: usize = 63;

/// How automatic certificates are had.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The directory's URL, `https` (RFC 8555 7.1.1). Naming it agrees to its terms of service.
    pub directory: String,
    /// A mail address for the authority's warnings, with or without `mailto:`.
    pub contact: Option<String>,
    /// The names of the certificate, 1 to 100: DNS names without wildcards, international ones in
    /// their `xn--` form.
    pub domains: Vec<String>,
    /// How the authority sees that the names are ours.
    pub challenge: Challenge,
    /// The folder that keeps account, key and certificate; made when it is missing.
    pub storage: PathBuf,
    /// A PEM file with the roots of a private directory's own certificate, in place of the system's.
    pub root_ca: Option<PathBuf>,
    /// How long before its end a certificate is renewed; never more than a third of its life is
    /// given up.
    pub renew_before: Duration,
}

/// The way in which control of a name is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Challenge {
    /// `tls-alpn-01` (RFC 8737): the authority connects to port 443 of the name.
    TlsAlpn01 {
        /// Where it is answered: port 443, or a port that 443 is forwarded to.
        listen: SocketAddr,
    },
    /// `http-01` (RFC 8555 8.3): the authority connects to port 80 of the name.
    Http01 {
        /// Where it is answered: port 80, or a port that 80 is forwarded to.
        listen: SocketAddr,
    },
}

impl Settings {
    /// The names as they are compared: in small letters.
    pub(super) fn domains(&self) -> Vec<String> {
        self.domains
            .iter()
            .map(|name| name.to_ascii_lowercase())
            .collect()
    }

    /// The directory's URL, when all settings can be served.
    pub(super) fn check(&self) -> Result<String, Error> {
        if self.domains.is_empty() || self.domains.len() > MAX_DOMAINS {
            return Err(Error::Domains(self.domains.len()));
        }
        if let Some(bad) = self.domains.iter().find(|name| !is_host_name(name)) {
            return Err(Error::Domain(bad.clone()));
        }
        let secure = self.directory.parse::<Uri>().is_ok_and(|url| {
            url.scheme_str() == Some("https") && url.host().is_some_and(|host| !host.is_empty())
        });
        if !secure || self.directory.len() > MAX_URL {
            return Err(Error::Directory(self.directory.clone()));
        }
        Ok(self.directory.clone())
    }
}

/// Letters, digits and inner hyphens in labels (RFC 1123 2.1); not an address, not a wildcard.
fn is_host_name(name: &str) -> bool {
    let labels_hold = name.split('.').all(|label| {
        !label.is_empty()
            && label.len() <= MAX_LABEL
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|octet| octet.is_ascii_alphanumeric() || octet == b'-')
    });
    let last_is_numeric = name
        .rsplit('.')
        .next()
        .is_some_and(|label| label.bytes().all(|octet| octet.is_ascii_digit()));
    name.len() <= MAX_NAME && labels_hold && !last_is_numeric
}
