//! Rules as text and as judgement.

use super::*;

fn certificate() -> Certificate {
    let attribute = |kind: &str, value: &str| (kind.to_owned(), value.to_owned());
    Certificate {
        sha256: [0xab; 32],
        subject: vec![
            attribute("O", "Example, Inc."),
            attribute("CN", "anna"),
            attribute("OU", "a\\b"),
        ],
        names: vec![
            AlternativeName::Dns("cam1.example.org".to_owned()),
            AlternativeName::Email("anna@example.org".to_owned()),
        ],
    }
}

fn rule(text: &str) -> CertificateRule {
    text.parse().unwrap()
}

/// TLS-09: fingerprint, alternative name, subject.
#[test]
fn tls_09_a_rule_means_exactly_the_certificates_it_names() {
    let shown = certificate();
    let hex = "ab".repeat(32);
    let colons = ["AB"; 32].join(":");
    for yes in [
        &format!("sha256:{hex}"),
        &format!("sha256:{colons}"),
        "dns:CAM1.example.org",
        "email:anna@example.org",
        "subject:CN=anna",
        r"subject:CN=anna,O=Example\, Inc.",
        r"subject:ou=a\\b",
    ] {
        assert!(rule(yes).matches(&shown), "{yes}");
    }
    let other = format!("sha256:{}", "ac".repeat(32));
    for no in [
        other.as_str(),
        "dns:cam1.example.org.evil.test",
        "dns:*.example.org",
        "dns:anna@example.org",
        "email:ANNA@example.org",
        "uri:anna@example.org",
        "upn:anna@example.org",
        "subject:CN=ann",
        "subject:CN=Anna",
        "subject:O=anna",
        "subject:CN=anna,O=Other",
    ] {
        assert!(!rule(no).matches(&shown), "{no}");
    }
}

#[test]
fn a_rule_is_read_as_it_was_written() {
    for text in [
        &format!("sha256:{}", "0f".repeat(32)),
        "dns:a.example",
        "email:a@b",
        "uri:spiffe://x/y:z",
        "upn:a@b",
        r"subject:CN=a\,b\\c,O=x=y",
    ] {
        assert_eq!(rule(text).to_string(), text);
    }
}

#[test]
fn what_is_no_rule_is_refused() {
    let short = format!("sha256:{}", "ab".repeat(31));
    let odd = format!("sha256:{}a", "ab".repeat(32));
    let long = format!("subject:{}", ["CN=a"; 17].join(","));
    for text in [
        "",
        "anna",
        "sha256:",
        &short,
        &odd,
        "sha256:zz",
        "sha1:ab",
        "dns:",
        "dns:a\0b",
        "subject:",
        "subject:CN",
        "subject:=anna",
        "subject:CN=",
        "subject:CN=a,",
        "subject:CN=a\\",
        &long,
    ] {
        assert!(text.parse::<CertificateRule>().is_err(), "{text}");
    }
}

#[test]
fn an_empty_subject_rule_means_nobody() {
    assert!(!CertificateRule::Subject(Vec::new()).matches(&certificate()));
}

#[test]
fn require_tls_is_read_as_it_was_written() {
    for (value, word) in RequireTls::ALL {
        assert_eq!(word.parse(), Ok(value));
        assert_eq!(value.to_string(), word);
    }
    assert!("yes".parse::<RequireTls>().is_err());
}
