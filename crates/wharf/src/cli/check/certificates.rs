//! Certificates as `wharf check` shows them: for whom, until when, and who can read their keys.

use wharf_engine::tls::{CertificateFacts, CertificateSource, Origin, Tls};

use super::Risk;
use crate::{
    certificates::{self, Validity},
    compose,
    config::Config,
    exit::Failure,
    privileges,
};

/// Seconds since 1970 UTC.
#[expect(
    clippy::disallowed_methods,
    reason = "whether a certificate has expired is a question to the clock"
)]
pub(super) fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
    })
}

/// The certificates that the server would show; none where its own is not made yet.
pub(super) fn load_certificates(config: &Config) -> Result<Vec<CertificateFacts>, Failure> {
    if config.self_signed().is_some_and(|files| !files.exist()) {
        // Nothing of the server's own has ever been there.
        return Ok(Vec::new());
    }
    let Some(mut settings) = compose::tls(config) else {
        return Ok(Vec::new());
    };
    let configured = settings.certificates.len();
    settings.certificates.extend(kept(config));
    let tls = Tls::load(settings).map_err(|error| Failure::config(error.to_string()))?;
    let mut certificates = tls.certificates();
    // As at the service, an authority's certificate comes before a self-signed one.
    if config.self_signed().is_some() && certificates.len() > configured {
        certificates.rotate_left(configured);
    }
    Ok(certificates)
}

/// Those that an authority has given out and the service has kept: key and chain in one file.
fn kept(config: &Config) -> Vec<CertificateSource> {
    let Some(folders) = compose::acme(config).and_then(|acme| acme.storage.read_dir().ok()) else {
        return Vec::new();
    };
    let files = folders
        .flatten()
        .filter(|folder| folder.file_name().as_encoded_bytes().starts_with(b"acme-"))
        .map(|folder| folder.path().join("certificate.pem"));
    files
        .filter(|file| file.is_file())
        .map(|file| CertificateSource {
            certificate: file.clone(),
            key: file,
        })
        .collect()
}

/// What clients see, the default certificate first.
pub(super) fn certificate_table(config: &Config, certificates: &[CertificateFacts]) -> String {
    let mut text = String::from("Certificates\n");
    if certificates.is_empty() {
        text.push_str(&match config.self_signed() {
            Some(files) => format!(
                "  {} is made at the first start, signed by itself\n",
                files.chain.display()
            ),
            None => "  none: there is no TLS\n".to_owned(),
        });
    }
    for facts in certificates {
        let kind = if facts.self_signed {
            "signed by itself".to_owned()
        } else {
            format!("issued by {}", facts.issuer)
        };
        text.push_str(&format!(
            "  {}\n    file        {}\n    valid       {} to {}, {kind}\n    fingerprint sha256:{}\n",
            certificates::names(facts),
            certificates::place(facts),
            certificates::date(facts.not_before),
            certificates::date(facts.not_after),
            certificates::hex(&facts.sha256),
        ));
    }
    text.push('\n');
    text
}

/// Certificates that serve nobody any more.
pub(super) fn expired(certificates: &[CertificateFacts], now: i64) -> Vec<String> {
    let expired = certificates
        .iter()
        .filter(|facts| certificates::validity(facts, now) == Validity::Expired);
    expired
        .map(|facts| {
            format!(
                "the certificate {} of {} expired on {}; renew it: clients refuse the server",
                certificates::place(facts),
                certificates::names(facts),
                certificates::date(facts.not_after)
            )
        })
        .collect()
}

pub(super) fn certificate_risks(certificates: &[CertificateFacts], now: i64) -> Vec<Risk> {
    let mut risks = Vec::new();
    let mut add = |text: String| {
        risks.push(Risk {
            key: "tls.certificates",
            text,
        });
    };
    for facts in certificates {
        let (place, names) = (certificates::place(facts), certificates::names(facts));
        match certificates::validity(facts, now) {
            Validity::Good => {}
            Validity::EndsSoon(days) => add(format!(
                "{place} ({names}) ends in {days} days, on {}: renew it",
                certificates::date(facts.not_after)
            )),
            Validity::Expired => add(format!(
                "{place} ({names}) expired on {}",
                certificates::date(facts.not_after)
            )),
            Validity::NotYet => add(format!(
                "{place} ({names}) is not valid before {}; is the clock right?",
                certificates::date(facts.not_before)
            )),
        }
        if let (true, Origin::Files(source)) = (facts.key_exposed, &facts.origin) {
            let key = source.key.display();
            add(format!(
                "everybody on this host can read the key {key}: chmod o= {key}"
            ));
        }
    }
    risks
}

/// Files that the start reads as root and the service user could not read again when they are renewed.
/// Only root can try; everybody else has just read them himself.
pub(super) fn watch_risks(config: &Config) -> Vec<Risk> {
    let (Some(settings), Some(user)) = (compose::tls(config), &config.server.user) else {
        return Vec::new();
    };
    if !privileges::is_root() {
        return Vec::new();
    }
    let Ok(identity) = privileges::find(user, config.server.group.as_deref()) else {
        return Vec::new();
    };
    let pairs = settings.certificates.iter();
    let trust = settings.client_certificates.trust().into_iter();
    let mut files: Vec<_> = pairs
        .flat_map(|pair| [&pair.certificate, &pair.key])
        .chain(trust.flat_map(|trust| trust.authorities.iter().chain(&trust.revocations)))
        // The start hands the state directory over.
        .filter(|file| !file.starts_with(&config.state_dir))
        .cloned()
        .collect();
    files.dedup();
    let unreadable = privileges::unreadable_to(identity, &files).unwrap_or_default();
    let unreadable = unreadable.iter();
    unreadable
        .map(|file| Risk {
            key: "tls.certificates",
            text: certificates::unreadable(file, identity.user, identity.group),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![expect(
        clippy::disallowed_methods,
        reason = "writes the file that is then shown"
    )]

    use super::*;
    use crate::config;

    #[test]
    fn certificates_are_shown_with_names_end_and_key_mode() {
        use std::os::unix::fs::PermissionsExt as _;
        let directory = tempfile::tempdir().unwrap();
        let mut config = config::load(None, &[]).unwrap();
        config.state_dir = directory.path().to_owned();
        assert!(certificate_table(&config, &[]).contains("made at the first start"));
        let files = config.self_signed().unwrap();
        files.ensure(&["192.0.2.7:21".parse().unwrap()]).unwrap();
        let facts = load_certificates(&config).unwrap();
        let table = certificate_table(&config, &facts);
        for part in [
            "192.0.2.7",
            "signed by itself",
            "sha256:",
            "self-signed.pem",
        ] {
            assert!(table.contains(part), "{part} in {table}");
        }
        let end = facts[0].not_after;
        assert!(certificate_risks(&facts, facts[0].not_before).is_empty());
        let told = |now| certificate_risks(&facts, now).remove(0).text;
        assert!(told(end - 86_401).contains("ends in 1 days"));
        assert!(expired(&facts, end).is_empty());
        assert!(expired(&facts, end + 1)[0].contains("expired on"));
        assert!(told(facts[0].not_before - 1).contains("clock"));
        let mode = std::fs::Permissions::from_mode(0o644);
        std::fs::set_permissions(&files.key, mode).unwrap();
        let facts = load_certificates(&config).unwrap();
        let risk = certificate_risks(&facts, facts[0].not_before).remove(0);
        assert!(risk.text.contains("can read the key"), "{}", risk.text);
    }

    /// A Let's Encrypt key that only root can read: the start reads it, no renewal is taken up.
    #[test]
    fn a_key_that_the_service_user_cannot_read_again_is_told_with_its_mend() {
        use std::os::unix::fs::PermissionsExt as _;
        let directory = tempfile::tempdir().unwrap();
        let mode = |path: &std::path::Path, mode| {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        mode(directory.path(), 0o755);
        let pair = wharf_engine::tls::self_signed(&["ftp.example.org".to_owned()], 1_000).unwrap();
        let (chain, key) = (
            directory.path().join("fullchain.pem"),
            directory.path().join("privkey.pem"),
        );
        std::fs::write(&chain, &pair.certificate).unwrap();
        std::fs::write(&key, &pair.key).unwrap();
        mode(&chain, 0o644);
        mode(&key, 0o600);
        let variables = [(
            "WHARF_TLS_CERTIFICATES".to_owned(),
            format!("[{{ chain = {chain:?}, key = {key:?} }}]"),
        )];
        let mut config = config::load(None, &variables).unwrap();
        assert!(watch_risks(&config).is_empty(), "nobody is to be become");
        config.server.user = Some("4711:4712".to_owned());
        let told = watch_risks(&config);
        if !privileges::is_root() {
            assert!(told.is_empty(), "whoever reads it himself goes on doing so");
            return;
        }
        assert_eq!(told.len(), 1, "{told:?}");
        for part in [
            "privkey.pem",
            "user 4711, group 4712",
            "chgrp 4712",
            "systemctl restart",
            "SIGHUP",
        ] {
            assert!(told[0].text.contains(part), "{part} in {told:?}");
        }
        std::os::unix::fs::chown(&key, None, Some(4712)).unwrap();
        mode(&key, 0o640);
        assert!(watch_risks(&config).is_empty());
    }

    #[test]
    fn certificates_that_cannot_be_used_are_refused_with_the_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("missing.pem");
        let variables = [(
            "WHARF_TLS_CERTIFICATES".to_owned(),
            format!("[{{ chain = {path:?}, key = {path:?} }}]"),
        )];
        let config = config::load(None, &variables).unwrap();
        let error = load_certificates(&config).unwrap_err().to_string();
        assert!(error.contains("missing.pem"), "{error}");
    }

    #[test]
    fn what_an_authority_gave_out_is_shown_before_the_own_one() {
        let directory = tempfile::tempdir().unwrap();
        let mut config = config::load(None, &[]).unwrap();
        config.state_dir = directory.path().to_owned();
        config.acme.domains = vec!["ftp.example.org".to_owned()];
        config.self_signed().unwrap().ensure(&[]).unwrap();
        let own = load_certificates(&config).unwrap();
        assert_eq!(own.len(), 1);
        let folder = directory.path().join("acme-ca.example");
        std::fs::create_dir(&folder).unwrap();
        let kept = wharf_engine::tls::self_signed(&["ftp.example.org".to_owned()], 1_000).unwrap();
        let file = folder.join("certificate.pem");
        std::fs::write(&file, format!("{}{}", kept.key, kept.certificate)).unwrap();
        let all = load_certificates(&config).unwrap();
        assert_eq!(all.len(), 2);
        assert_eq!(all[0].names[0], "ftp.example.org");
        assert_eq!(all[1].sha256, own[0].sha256);
        // Whoever stops ordering has no use for what was kept.
        config.acme.domains.clear();
        assert_eq!(load_certificates(&config).unwrap().len(), 1);
    }
}
