//! What the keys about TLS mean together: nothing is asked for that no certificate can give.

use std::collections::HashSet;

use crate::config::{
    raw::Report,
    table::Root,
    types::{ClientCertificates, RequireTls},
};

/// How to come by a certificate.
const CERTIFICATE_HINT: &str = "name one in [[tls.certificates]] (chain and key), or let the server make one: tls.auto_self_signed = true";

/// Contradictions between keys of TLS and of those who need it.
pub(super) fn check(root: &Root, report: &mut Report) {
    let available = !root.tls.certificates.is_empty() || root.tls.auto_self_signed;
    let mut needs = |key: &str, wanted: bool| {
        if wanted && !available {
            let message = format!("`{key}` asks for TLS, but there is no certificate");
            report.add_at(key, message, CERTIFICATE_HINT);
        }
    };
    needs("ftp.require_tls", root.ftp.require_tls != RequireTls::No);
    let implicit = root.ftp.listen_implicit.as_deref().unwrap_or_default();
    needs("ftp.listen_implicit", !implicit.is_empty());
    let demands = |word: Option<RequireTls>| word.is_some_and(|word| word != RequireTls::No);
    needs("anonymous.require_tls", demands(root.anonymous.require_tls));
    for (at, user) in root.user.iter().enumerate() {
        needs(
            &format!("user[{at}].require_tls"),
            demands(user.require_tls),
        );
    }
    if root.ftp.ccc && root.ftp.require_tls.covers_login() {
        report.add_at(
            "ftp.ccc",
            "`ftp.ccc` lets clients leave TLS, but `ftp.require_tls` demands it",
            "remove one of them, or set require_tls = \"data\"",
        );
    }
    check_listeners(root, report);
    check_certificates(root, report);
    check_client_certificates(root, report);
}

/// A port speaks TLS first or it does not.
fn check_listeners(root: &Root, report: &mut Report) {
    let mut seen: HashSet<_> = root.ftp.listen.iter().collect();
    let implicit = root.ftp.listen_implicit.iter().flatten().enumerate();
    for (at, address) in implicit {
        // Port 0 is another one each time.
        if address.port() != 0 && !seen.insert(address) {
            report.add_at(
                &format!("ftp.listen_implicit[{at}]"),
                format!("`ftp.listen_implicit`: {address} stands twice, here or in `ftp.listen`"),
                "implicit TLS needs a port of its own, such as 990",
            );
        }
    }
}

fn check_certificates(root: &Root, report: &mut Report) {
    let mut seen = HashSet::new();
    for (at, entry) in root.tls.certificates.iter().enumerate() {
        if !seen.insert(&entry.chain) {
            report.add_at(
                &format!("tls.certificates[{at}].chain"),
                format!("`tls.certificates`: {} stands twice", entry.chain.display()),
                "remove one",
            );
        }
    }
}

fn check_client_certificates(root: &Root, report: &mut Report) {
    let tls = &root.tls;
    if tls.client_certificates == ClientCertificates::Off {
        let users = (0..root.user.len()).map(|at| format!("user[{at}].certificates"));
        let keys = ["client_ca", "client_crl", "client_certificate_role"];
        for key in keys
            .map(|key| format!("tls.{key}"))
            .into_iter()
            .chain(users)
        {
            let key = key.as_str();
            if report.is_set(key) {
                let message = format!("`{key}` is set but clients are not asked for certificates");
                report.add_at(
                    key,
                    message,
                    "set tls.client_certificates = \"request\", or remove it",
                );
            }
        }
    } else if tls.client_ca.is_none() {
        report.add_at(
            "tls.client_certificates",
            "`tls.client_certificates` without `tls.client_ca`",
            "name the PEM file of the authorities that issue your clients' certificates",
        );
    }
}

impl RequireTls {
    /// Whether passwords and commands must not go in clear.
    pub(crate) const fn covers_login(self) -> bool {
        matches!(self, Self::Login | Self::Both)
    }
}
