//! Which certificate is shown, and what a change of the files does.

use super::*;

fn shown(tls: &Tls, authority: &Authority, name: &str) -> CertificateDer<'static> {
    // The name that the server is asked for need not be one that it has.
    let client = Arc::new(authority.client(&version::TLS13));
    let session = tls.session();
    match shake(&client, name, session.config()) {
        Ok(ends) => ends.shown(),
        Err(failed) => panic!("{failed:?}"),
    }
}

#[test]
fn tls_06_the_name_chooses_the_certificate_and_an_unknown_name_sees_the_default() {
    let authority = Authority::new();
    let (a, b) = (
        authority.issue(&Leaf::server(&["a.example", "unknown.test"])),
        authority.issue(&Leaf::server(&["b.example", "*.c.example"])),
    );
    let exact = authority.issue(&Leaf::server(&["exact.c.example"]));
    let settings = Settings {
        certificates: vec![
            authority.store("a", &a),
            authority.store("b", &b),
            authority.store("c", &exact),
        ],
        ..Settings::default()
    };
    let tls = Tls::load(settings).unwrap();
    for (name, pair) in [
        ("a.example", &a),
        ("B.Example", &b),
        ("ftp.c.example", &b),
        ("exact.c.example", &exact),
    ] {
        assert_eq!(shown(&tls, &authority, name), leaf_of(pair), "{name}");
    }
    let directory = Arc::clone(&tls.current.load().directory);
    assert!(
        directory.of_name("x.y.c.example").next().is_none(),
        "one label"
    );
    assert!(directory.of_name("c.example").next().is_none());
    let default = shake_unknown(&tls, &authority);
    assert_eq!(default, leaf_of(&a));
}

/// A client without a name (an address is none) sees the default.
fn shake_unknown(tls: &Tls, authority: &Authority) -> CertificateDer<'static> {
    let client = Arc::new(authority.client(&version::TLS13));
    let config = tls.session().config();
    let failed = shake(&client, "192.0.2.1", Arc::clone(&config)).unwrap_err();
    assert!(matches!(
        failed.client,
        Some(rustls::Error::InvalidCertificate(_))
    ));
    // The first handshake failed at the client, which had seen the certificate by then.
    let mut client = authority.client(&version::TLS13);
    client.enable_sni = false;
    shake(&Arc::new(client), "a.example", config)
        .unwrap()
        .shown()
}

/// TLS-10: the running session shows what it showed, on data connections too, even without a name;
/// the next one shows the new certificate.
#[test]
fn tls_10_a_renewed_file_is_taken_over_and_running_sessions_keep_theirs() {
    let authority = Authority::new();
    let settings = authority.settings(&["a.example", "b.example"]);
    let source = settings.certificates[1].clone();
    let tls = Tls::load(settings).unwrap();
    let client = Arc::new(authority.client(&version::TLS13));
    let mut forgetful = authority.client(&version::TLS13);
    forgetful.resumption = rustls::client::Resumption::disabled();
    let forgetful = Arc::new(forgetful);
    let running = tls.session();
    let before = shake(&client, "b.example", running.config())
        .unwrap()
        .shown();
    assert!(!tls.refresh().unwrap(), "nothing has changed");

    let renewed = authority.issue(&Leaf::server(&["b.example"]));
    authority.store("b.example", &renewed);
    assert!(tls.refresh().unwrap());
    assert!(!tls.refresh().unwrap());
    let data = shake(&client, "b.example", running.config()).unwrap();
    assert!(data.resumed(), "over the reload");
    let full = shake(&forgetful, "b.example", running.config()).unwrap();
    assert!(!full.resumed());
    assert_eq!(full.shown(), before);
    let next = shake(&forgetful, "b.example", tls.session().config());
    assert_eq!(next.unwrap().shown(), leaf_of(&renewed));
    let facts = tls.certificates();
    assert_eq!(facts[1].origin, Origin::Files(source));
    assert_eq!(facts[1].sha256, facts_of(&renewed).sha256);
}

fn facts_of(pair: &PemPair) -> CertificateFacts {
    Certified::from_pair(pair, &provider()).unwrap().facts
}

/// CVE-free but common: a renewal that writes the certificate first, a truncated copy, a lost file.
#[test]
fn bad_files_keep_the_old_certificates() {
    let authority = Authority::new();
    let settings = authority.settings(&["a.example"]);
    let source = settings.certificates[0].clone();
    let tls = Tls::load(settings.clone()).unwrap();
    let before = tls.certificates();
    let renewed = authority.issue(&Leaf::server(&["a.example"]));

    authority.write("a.example.crt", &renewed.certificate);
    let text = tls.refresh().unwrap_err().to_string();
    assert!(text.contains("renewed together"), "{text}");
    for (content, said) in [
        ("", "no certificate in it"),
        ("nonsense", "no certificate in it"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n", "PEM"),
        (
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            "X.509",
        ),
    ] {
        authority.write("a.example.crt", content);
        let text = tls.refresh().unwrap_err().to_string();
        assert!(
            text.contains(said) && text.contains("a.example.crt"),
            "{text}"
        );
        assert!(tls.reload(settings.clone()).is_err());
    }
    std::fs::remove_file(&source.certificate).unwrap();
    assert!(matches!(tls.refresh(), Err(Error::Read { .. })));
    authority.write("a.example.crt", &renewed.certificate);
    authority.write("a.example.key", "-----BEGIN ENCRYPTED PRIVATE KEY-----\n");
    let text = tls.refresh().unwrap_err().to_string();
    assert!(text.contains("passphrase"), "{text}");
    assert_eq!(tls.certificates(), before);
    assert_eq!(facts_of_shown(&tls, &authority), before[0].sha256);

    authority.write("a.example.key", &renewed.key);
    assert!(tls.refresh().unwrap(), "mended");
    assert_ne!(tls.certificates(), before);
}

fn facts_of_shown(tls: &Tls, authority: &Authority) -> [u8; 32] {
    use sha2::{Digest as _, Sha256};
    Sha256::digest(shown(tls, authority, "a.example")).into()
}

#[test]
fn reload_takes_over_new_settings() {
    let authority = Authority::new();
    let tls = authority.tls();
    let strict = Settings {
        session_reuse: SessionReuse::Require,
        require_close_notify: false,
        ..authority.settings(&["c.example"])
    };
    let running = tls.session();
    tls.reload(strict).unwrap();
    let next = tls.session();
    assert_eq!(running.reuse(), SessionReuse::Prefer);
    assert!(running.require_close_notify());
    assert_eq!(next.reuse(), SessionReuse::Require);
    assert!(!next.require_close_notify());
    assert_eq!(tls.certificates()[0].names, ["c.example"]);
}

/// TLS-13: no certificate, nothing to offer; an installed one changes that.
#[test]
fn tls_13_without_a_certificate_there_is_nothing_to_offer() {
    let authority = Authority::new();
    let tls = Tls::load(Settings::default()).unwrap();
    assert!(!tls.is_ready());
    let client = Arc::new(authority.client(&version::TLS13));
    assert!(shake(&client, "a.example", tls.session().config()).is_err());
    let (first, second) = (
        authority.issue(&Leaf::server(&["a.example"])),
        authority.issue(&Leaf::server(&["a.example"])),
    );
    tls.install(&first).unwrap();
    assert!(tls.is_ready());
    assert_eq!(shown(&tls, &authority, "a.example"), leaf_of(&first));
    tls.install(&second).unwrap();
    assert_eq!(tls.certificates().len(), 1, "the same names: in its place");
    assert_eq!(shown(&tls, &authority, "a.example"), leaf_of(&second));
    let unfit = PemPair {
        key: first.key,
        ..second
    };
    assert!(matches!(tls.install(&unfit), Err(Error::Pair(_))));
    tls.reload(Settings::default()).unwrap();
    assert_eq!(tls.certificates()[0].origin, Origin::Installed);
}

#[test]
fn an_installed_certificate_comes_before_a_self_signed_one_and_after_others() {
    let authority = Authority::new();
    let own = self_signed(&["a.example".to_owned()], 1_700_000_000).unwrap();
    let mut settings = authority.settings(&["b.example"]);
    settings.certificates.push(authority.store("own", &own));
    let tls = Tls::load(settings).unwrap();
    tls.install(&authority.issue(&Leaf::server(&["a.example"])))
        .unwrap();
    let order: Vec<_> = tls
        .certificates()
        .into_iter()
        .map(|facts| (facts.names[0].clone(), facts.self_signed))
        .collect();
    let expected = [
        ("b.example", false),
        ("a.example", false),
        ("a.example", true),
    ];
    assert_eq!(order, expected.map(|(name, own)| (name.to_owned(), own)));
}

#[test]
fn tls_13_a_self_signed_certificate_is_for_its_names_and_localhost() {
    let authority = Authority::new();
    let now = 1_700_000_000;
    let names = [
        "ftp.example.org".to_owned(),
        "192.0.2.7".to_owned(),
        "localhost".to_owned(),
    ];
    let pair = self_signed(&names, now).unwrap();
    assert!(!format!("{pair:?}").contains("PRIVATE"));
    let settings = Settings {
        certificates: vec![authority.store("own", &pair)],
        ..Settings::default()
    };
    let facts = Tls::load(settings.clone())
        .unwrap()
        .certificates()
        .remove(0);
    let all = [
        "ftp.example.org",
        "192.0.2.7",
        "localhost",
        "127.0.0.1",
        "::1",
    ];
    assert_eq!(facts.names, all);
    assert!(facts.self_signed);
    let now = i64::try_from(now).unwrap();
    let lifetime = i64::try_from(SELF_SIGNED_LIFETIME.as_secs()).unwrap();
    assert_eq!(
        (facts.not_before, facts.not_after),
        (now - 3600, now + lifetime)
    );
    let text = fingerprint(&facts.sha256);
    assert_eq!((text.len(), &text[2..3]), (95, ":"));
    assert!(self_signed(&["bücher.example".to_owned()], 0).is_err());

    // It can be shown: a client that trusts it alone is content.
    let mut roots = RootCertStore::empty();
    roots.add(leaf_of(&pair)).unwrap();
    let client = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let session = Tls::load(settings).unwrap().session();
    shake(&Arc::new(client), "ftp.example.org", session.config()).unwrap();
}

#[cfg(unix)]
#[test]
fn a_key_that_everybody_can_read_is_told() {
    use std::os::unix::fs::PermissionsExt as _;
    let authority = Authority::new();
    let settings = authority.settings(&["a.example"]);
    let tls = Tls::load(settings.clone()).unwrap();
    for (mode, exposed) in [
        (0o600, false),
        (0o640, false),
        (0o644, true),
        (0o400, false),
    ] {
        let permissions = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(&settings.certificates[0].key, permissions).unwrap();
        tls.refresh().unwrap();
        assert_eq!(tls.certificates()[0].key_exposed, exposed, "{mode:o}");
    }
}
