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
    let available = !root.tls.certificates.is_empty()
        || root.tls.auto_self_signed
        || !root.acme.domains.is_empty();
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
    check_acme(root, report);
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

/// An order that the authority would refuse is refused here.
fn check_acme(root: &Root, report: &mut Report) {
    let acme = &root.acme;
    if acme.domains.is_empty() {
        for key in [
            "agree_to_terms",
            "contact",
            "challenge",
            "listen",
            "root_ca",
        ] {
            let key = format!("acme.{key}");
            if report.is_set(&key) {
                let message = format!("`{key}` is set but `acme.domains` names nothing to order");
                report.add_at(
                    &key,
                    message,
                    "add domains = [\"ftp.example.org\"], or remove it",
                );
            }
        }
        return;
    }
    if !acme.agree_to_terms {
        report.add_at(
            "acme.domains",
            "`acme.domains` without `acme.agree_to_terms`",
            "read the terms of service of the authority and add agree_to_terms = true",
        );
    }
    for (at, domain) in acme.domains.iter().enumerate() {
        if !is_host_name(domain) {
            report.add_at(
                &format!("acme.domains[{at}]"),
                format!("`acme.domains`: {domain:?} is no name that a certificate can be ordered for"),
                "write whole names such as \"ftp.example.org\": no addresses, no wildcards, others than ASCII as xn--",
            );
        }
    }
    if !acme.directory.starts_with("https://") {
        report.add_at(
            "acme.directory",
            "`acme.directory` is no https address",
            "write the whole address, such as \"https://acme-v02.api.letsencrypt.org/directory\"",
        );
    }
    if let Some(contact) = &acme.contact
        && !contact.contains('@')
    {
        report.add_at(
            "acme.contact",
            "`acme.contact` is no e-mail address",
            "write one such as \"admin@example.org\", or remove the key",
        );
    }
}

/// Dotted labels of letters, digits and inner hyphens that are no address (RFC 1123 2.1).
fn is_host_name(name: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    name.len() <= 253
        && name.contains('.')
        && name.split('.').all(label)
        && name.bytes().any(|byte| byte.is_ascii_alphabetic())
}

impl RequireTls {
    /// Whether passwords and commands must not go in clear.
    pub(crate) const fn covers_login(self) -> bool {
        matches!(self, Self::Login | Self::Both)
    }
}
