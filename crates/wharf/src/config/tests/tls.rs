//! Keys about TLS: each one read, each one written wrongly, each contradiction.

use super::{
    super::types::{ClientCertificates, DataProtection, RequireTls, SessionReuse, TlsVersion},
    *,
};

#[test]
fn tls_is_there_without_a_word_of_configuration() {
    let config = load_text("").unwrap();
    assert!(config.tls.auto_self_signed && config.tls.certificates.is_empty());
    assert_eq!(config.tls.min_version, TlsVersion::Tls12);
    assert_eq!(config.tls.session_reuse, SessionReuse::Prefer);
    assert_eq!(config.tls.client_certificates, ClientCertificates::Off);
    assert_eq!(config.ftp.require_tls, RequireTls::No);
    assert_eq!(config.ftp.listen_implicit, None);
    assert!(!config.ftp.ccc && !config.tls.require_close_notify);
}

/// D-21: on the implicit port PROT begins at P.
#[test]
fn implicit_data_begins_private_d21_tls30() {
    let config = load_text("").unwrap();
    assert_eq!(config.tls.implicit_default_prot, DataProtection::Private);
    let config = load_text("[tls]\nimplicit_default_prot = \"C\"\n").unwrap();
    assert_eq!(config.tls.implicit_default_prot, DataProtection::Clear);
}

#[test]
fn every_key_of_tls_is_read() {
    let text = "[ftp]\nlisten_implicit = [\"0.0.0.0:990\", \"[::]:990\"]\nrequire_tls = \"data\"\nccc = true\n\
        [tls]\nauto_self_signed = false\nmin_version = \"1.3\"\nsession_reuse = \"require\"\n\
        require_close_notify = true\nclient_certificates = \"request\"\nclient_ca = \"ca.pem\"\nclient_crl = [\"a.crl\", \"b.crl\"]\n\
        [[tls.certificates]]\nchain = \"a.pem\"\nkey = \"a.key\"\n\
        [[tls.certificates]]\nchain = \"/b.pem\"\nkey = \"/b.key\"\n";
    let config = load_text(text).unwrap();
    let tls = &config.tls;
    assert_eq!(
        config.ftp.listen_implicit,
        Some(vec![
            "0.0.0.0:990".parse().unwrap(),
            "[::]:990".parse().unwrap()
        ])
    );
    assert_eq!(config.ftp.require_tls, RequireTls::Data);
    assert!(config.ftp.ccc && tls.require_close_notify && !tls.auto_self_signed);
    assert_eq!(tls.min_version, TlsVersion::Tls13);
    assert_eq!(tls.session_reuse, SessionReuse::Require);
    assert_eq!(tls.client_certificates, ClientCertificates::Request);
    let ca = tls.client_ca.as_deref().unwrap();
    assert!(ca.is_absolute() && ca.ends_with("ca.pem"), "{ca:?}");
    assert_eq!(tls.client_crl.len(), 2);
    let [first, second] = tls.certificates.as_slice() else {
        panic!("{tls:?}")
    };
    assert!(first.chain.is_absolute() && first.chain.ends_with("a.pem"));
    assert_eq!(second.key, Path::new("/b.key"));
}

#[test]
fn a_wrong_value_is_told_with_the_words_that_are_right() {
    for (text, part, wanted) in [
        ("[tls]\nmin_version = \"1.1\"\n", "tls.min_version", "1.2"),
        ("[tls]\nmin_version = 1.3\n", "tls.min_version", ""),
        (
            "[tls]\nsession_reuse = \"requires\"\n",
            "tls.session_reuse",
            "did you mean \"require\"?",
        ),
        (
            "[tls]\nsession_reuse = true\n",
            "\"off\" or \"prefer\" or \"require\"",
            "",
        ),
        (
            "[tls]\nclient_certificates = \"optional\"\n",
            "tls.client_certificates",
            "the words are off, request, require",
        ),
        (
            "[tls]\nimplicit_default_prot = \"E\"\n",
            "tls.implicit_default_prot",
            "the words are C, P",
        ),
        (
            "[tls]\nrequire_close_notify = \"yes\"\n",
            "true or false",
            "",
        ),
        ("[tls]\nauto_self_signed = 1\n", "true or false", ""),
        (
            "[ftp]\nrequire_tls = \"yes\"\n",
            "ftp.require_tls",
            "the words are no, login, data, both",
        ),
        ("[ftp]\nccc = \"no\"\n", "ftp.ccc", ""),
        (
            "[ftp]\nlisten_implicit = [\"990\"]\n",
            "address and port",
            "",
        ),
        (
            "[tls]\nmin_versoin = \"1.3\"\n",
            "unknown key",
            "did you mean `min_version`?",
        ),
        (
            "[[tls.certificates]]\nchian = \"a\"\nchain = \"b\"\nkey = \"c\"\n",
            "unknown key `tls.certificates[0].chian`",
            "did you mean `chain`?",
        ),
        (
            "[[tls.certificates]]\nchain = \"a\"\n",
            "`tls.certificates[0].key` is missing",
            "private key",
        ),
        (
            "[[tls.certificates]]\nkey = \"a\"\n",
            "`tls.certificates[0].chain` is missing",
            "PEM",
        ),
        ("[tls]\nclient_crl = \"a\"\n", "a list of", ""),
        ("[tls]\nclient_ca = \"\"\n", "host path", "directory"),
    ] {
        let (line, _, message, hint) = problem(text);
        assert!(line > 0, "{text}");
        assert!(
            message.contains(part) && hint.contains(wanted),
            "{text}{message}\n{hint}"
        );
    }
}

/// TLS-13: what needs a certificate is an error without one, not a server that listens in clear.
#[test]
fn tls13_tls_without_a_certificate_is_refused_at_the_start() {
    const NONE: &str = "[tls]\nauto_self_signed = false\n";
    for line in [
        "require_tls = \"login\"",
        "require_tls = \"data\"",
        "require_tls = \"both\"",
        "listen_implicit = [\"0.0.0.0:990\"]",
    ] {
        let (at, _, message, hint) = problem(&format!("[ftp]\n{line}\n{NONE}"));
        assert_eq!(at, 2);
        assert!(message.contains("no certificate"), "{message}");
        assert!(hint.contains("tls.certificates") && hint.contains("auto_self_signed"));
        load_text(&format!("[ftp]\n{line}\n")).unwrap();
    }
    load_text(&format!("[ftp]\nrequire_tls = \"no\"\n{NONE}")).unwrap();
    load_text(&format!("[ftp]\nlisten_implicit = []\n{NONE}")).unwrap();
}

#[test]
fn contradictions_about_tls_are_told_where_they_stand() {
    for (text, at, part) in [
        (
            "[ftp]\nccc = true\nrequire_tls = \"both\"\n",
            2,
            "leave TLS",
        ),
        (
            "[ftp]\nrequire_tls = \"login\"\nccc = true\n",
            3,
            "leave TLS",
        ),
        (
            "[ftp]\nlisten = [\"0.0.0.0:990\"]\nlisten_implicit = [\"0.0.0.0:990\"]\n",
            3,
            "stands twice",
        ),
        (
            "[tls]\nclient_certificates = \"require\"\n",
            2,
            "without `tls.client_ca`",
        ),
        ("[tls]\nclient_ca = \"ca.pem\"\n", 2, "not asked"),
        ("[tls]\nclient_crl = [\"x.crl\"]\n", 2, "not asked"),
        (
            "[[tls.certificates]]\nchain = \"a\"\nkey = \"b\"\n[[tls.certificates]]\nchain = \"a\"\nkey = \"c\"\n",
            5,
            "stands twice",
        ),
    ] {
        let (line, _, message, hint) = problem(text);
        assert!(message.contains(part), "{text}\n{message}");
        assert_eq!(line, at, "{text}\n{message}");
        assert!(!hint.is_empty(), "{text}");
    }
}

#[test]
fn the_environment_sets_tls_as_well() {
    let variables = [
        ("WHARF_TLS_MIN_VERSION", "1.3"),
        ("WHARF_FTP_LISTEN_IMPLICIT", ""),
        ("WHARF_FTP_REQUIRE_TLS", "both"),
        (
            "WHARF_TLS_CERTIFICATES",
            "[{ chain = \"/c.pem\", key = \"/c.key\" }]",
        ),
    ];
    let config = load_with("", &variables).unwrap();
    assert_eq!(config.tls.min_version, TlsVersion::Tls13);
    assert_eq!(config.ftp.listen_implicit, Some(Vec::new()));
    assert_eq!(config.ftp.require_tls, RequireTls::Both);
    assert_eq!(config.tls.certificates[0].key, Path::new("/c.key"));
}

#[test]
fn new_certificates_need_no_restart_new_ports_do() {
    let old = load_text("").unwrap();
    let new = load_text(
        "[ftp]\nlisten_implicit = [\"0.0.0.0:990\"]\n[[tls.certificates]]\nchain = \"a\"\nkey = \"b\"\n",
    )
    .unwrap();
    assert_eq!(old.restart_changes(&new), ["ftp.listen_implicit"]);
}
