//! The section about certificates that an authority gives out by itself (ACME, RFC 8555).

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use crate::config::{section::section, types::AcmeChallenge};

section! {
    /// Certificates from an authority, ordered and renewed by the server itself (ACME). Until the
    /// first one is there, what `tls` has serves.
    Acme {
        /// Names that the certificate is for; none: no certificate is ordered. They must lead to this
        /// host.
        domains: Vec<String> = "[]", Restart;
        /// The authority's directory.
        directory: String = "\"https://acme-v02.api.letsencrypt.org/directory\"", Restart;
        /// Whether you agree to the authority's terms of service; nothing is ordered otherwise.
        agree_to_terms: bool = "false", Restart;
        /// E-mail address to which the authority writes when something is wrong.
        contact: Option<String> = none, Restart;
        /// How the authority sees that the names are yours: it connects to port 443 (`tls-alpn-01`) or
        /// port 80 (`http-01`) of each.
        challenge: AcmeChallenge = "\"tls-alpn-01\"", Restart;
        /// Address and port where that is answered; without it all addresses on the challenge's port.
        /// Another port is for a router that forwards.
        listen: Option<SocketAddr> = none, Restart;
        /// PEM file of the authorities behind a private directory; without it, the system's.
        root_ca: Option<PathBuf> = none, Restart;
        /// How long before its end a certificate is renewed; at most a third of its life.
        renew_before: Duration = "\"30d\"" in 3600..=31536000, Restart;
    }
}
