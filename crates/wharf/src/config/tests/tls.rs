//! Keys about TLS: each one read, each one written wrongly, each contradiction.

use super::{
    super::types::{
        AcmeChallenge, CertificateRole, ClientCertificates, DataProtection, RequireTls,
        SessionReuse, TlsVersion,
    },
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

/// TLS-23: an account asks for TLS of its own.
#[test]
fn tls23_an_account_has_its_own_demands_and_certificates() {
    let digest = "0A:".repeat(31) + "0a";
    let text = format!(
        "[anonymous]\nenabled = true\nroot = \"/srv\"\nrequire_tls = \"no\"\n\
        [tls]\nclient_certificates = \"request\"\nclient_ca = \"ca.pem\"\nclient_certificate_role = \"second\"\n\
        [[user]]\nname = \"ann\"\nhome = \"h\"\npassword = \"x\"\nrequire_tls = \"both\"\n\
        certificates = [\"sha256:{digest}\", \"email:ann@example.org\", \"subject:CN=ann,O=Example\"]\n\
        [[user]]\nname = \"bob\"\nhome = \"h\"\npassword = \"x\"\n"
    );
    let config = load_text(&text).unwrap();
    let demands: Vec<_> = config
        .accounts
        .iter()
        .map(|account| account.require_tls)
        .collect();
    use wharf_accounts::RequireTls as Account;
    assert_eq!(demands, [Account::Both, Account::Inherit, Account::No]);
    let rules = &config.accounts[0].certificates;
    assert_eq!(rules[0].to_string(), format!("sha256:{}", "0a".repeat(32)));
    assert_eq!(rules.len(), 3);
    assert!(config.accounts[1].certificates.is_empty());
    assert_eq!(config.tls.client_certificate_role, CertificateRole::Second);
}

#[test]
fn wrong_demands_of_an_account_are_told_where_they_stand() {
    let user =
        |rest: &str| format!("[[user]]\nname = \"ann\"\nhome = \"h\"\npassword = \"x\"\n{rest}\n");
    let asked = "[tls]\nclient_certificates = \"request\"\nclient_ca = \"ca.pem\"\n";
    for (text, at, part) in [
        (user("require_tls = \"yes\""), 5, "require_tls"),
        (
            user("require_tls = \"login\"\n[tls]\nauto_self_signed = false"),
            5,
            "no certificate",
        ),
        (
            user("certificates = [\"email:a@b.example\"]"),
            5,
            "not asked",
        ),
        (
            format!("{asked}{}", user("certificates = [\"sha256:12\"]")),
            8,
            "certificates[0]",
        ),
        (
            format!("{asked}client_certificate_role = \"first\"\n"),
            4,
            "client_certificate_role",
        ),
        (
            "[tls]\nclient_certificate_role = \"second\"\n".to_owned(),
            2,
            "not asked",
        ),
        (
            "[anonymous]\nenabled = true\nroot = \"/srv\"\nrequire_tls = \"data\"\n[tls]\nauto_self_signed = false\n".to_owned(),
            4,
            "no certificate",
        ),
    ] {
        let (line, _, message, hint) = problem(&text);
        assert!(message.contains(part), "{text}\n{message}");
        assert_eq!(line, at, "{text}\n{message}");
        assert!(!hint.is_empty(), "{text}\n{message}");
    }
}

#[test]
fn an_order_of_certificates_is_read() {
    let config = load_text(
        "[acme]\ndomains = [\"ftp.example.org\"]\nagree_to_terms = true\ncontact = \"admin@example.org\"\n\
        challenge = \"http-01\"\nlisten = \"0.0.0.0:8080\"\nroot_ca = \"pebble.pem\"\n\
        directory = \"https://localhost:14000/dir\"\nrenew_before = \"10d\"\n[tls]\nauto_self_signed = false\n[ftp]\nrequire_tls = \"both\"\n",
    )
    .unwrap();
    assert!(config.has_tls() && config.self_signed().is_none());
    assert_eq!(config.acme.challenge, AcmeChallenge::Http01);
    assert_eq!(config.acme.listen, Some("0.0.0.0:8080".parse().unwrap()));
    assert_eq!(config.acme.renew_before, Duration::from_secs(864_000));
    let defaults = load_text("").unwrap().acme;
    assert!(defaults.domains.is_empty() && !defaults.agree_to_terms);
    assert_eq!(defaults.challenge, AcmeChallenge::TlsAlpn01);
    let new = load_text("[acme]\ndomains = [\"a.example\"]\nagree_to_terms = true\n").unwrap();
    assert_eq!(
        load_text("").unwrap().restart_changes(&new),
        ["acme.domains", "acme.agree_to_terms"]
    );
}

#[test]
fn an_order_that_no_authority_takes_is_refused() {
    let order = |rest: &str| {
        format!("[acme]\nagree_to_terms = true\ndomains = [\"ftp.example.org\"]\n{rest}\n")
    };
    for (text, at, part) in [
        (
            "[acme]\ndomains = [\"ftp.example.org\"]\n".to_owned(),
            2,
            "agree_to_terms",
        ),
        (
            "[acme]\nagree_to_terms = true\n".to_owned(),
            2,
            "nothing to order",
        ),
        (
            "[acme]\nlisten = \"0.0.0.0:80\"\n".to_owned(),
            2,
            "nothing to order",
        ),
        (order("directory = \"http://ca.example/\""), 4, "https"),
        (order("contact = \"nobody\""), 4, "e-mail"),
        (order("challenge = \"dns-01\""), 4, "acme.challenge"),
        (order("listen = \"80\""), 4, "acme.listen"),
        (order("renew_before = \"5m\""), 4, "acme.renew_before"),
        (order("root_ca = \"\""), 4, "acme.root_ca"),
    ] {
        let (line, _, message, _) = problem(&text);
        assert!(message.contains(part), "{text}\n{message}");
        assert_eq!(line, at, "{text}\n{message}");
    }
    for bad in [
        "*.example.org",
        "192.0.2.7",
        "localhost",
        "a..b",
        "-a.example",
        "ä.example",
    ] {
        let text = format!("[acme]\nagree_to_terms = true\ndomains = [\"{bad}\"]\n");
        let (line, _, message, hint) = problem(&text);
        assert!(
            message.contains("no name") && hint.contains("ftp.example.org"),
            "{message}"
        );
        assert_eq!(line, 3);
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
