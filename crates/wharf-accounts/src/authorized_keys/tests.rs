//! Lines and blocks, whole and broken.

use proptest::prelude::*;

use super::*;
use crate::public_key::samples::*;

const RFC4716: &str = "---- BEGIN SSH2 PUBLIC KEY ----
Comment: \"256-bit ED25519, \\
converted from OpenSSH\"
x-whatever: said
AAAAC3NzaC1lZDI1NTE5AAAAIKDarEXtR9tcG0Dd/cSGqLRQ31u3SX
SY0qxGY+4XL0q9
---- END SSH2 PUBLIC KEY ----
";

fn errors(text: &str) -> Vec<(usize, KeyError)> {
    AuthorizedKeys::parse(text.as_bytes())
        .refused()
        .iter()
        .map(|refused| (refused.line(), refused.error().clone()))
        .collect()
}

fn one(text: &str) -> AuthorizedKey {
    text.parse()
        .unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn sft_06_lines_of_openssh_and_blocks_of_rfc_4716_stand_together() {
    let text = format!(
        "# keys\r\n\r\n{ED25519} ann@example.org\r\n{RFC4716}  restrict,from=\"192.0.2.1\"\t{ECDSA}  two words \n\n{SK_ED25519}\n{SK_ECDSA}"
    );
    let list = AuthorizedKeys::parse(text.as_bytes());
    assert_eq!(list.refused(), []);
    let found: Vec<_> = list
        .keys()
        .iter()
        .map(|key| (key.line(), key.comment(), key.options()))
        .collect();
    assert_eq!(
        found,
        [
            (3, "ann@example.org", ""),
            (4, "256-bit ED25519, converted from OpenSSH", ""),
            (11, "two words", "restrict,from=\"192.0.2.1\""),
            (13, "", ""),
            (14, "", ""),
        ]
    );
    assert_eq!(list.keys()[0].key(), list.keys()[1].key());
}

#[test]
fn a_key_is_written_as_the_line_that_means_it() {
    for line in [
        ED25519.to_owned(),
        format!("{RSA_2048} me and you"),
        format!("cert-authority,principals=\"a,b\",expiry-time=\"20300101Z\" {ECDSA} ca"),
        format!("command=\"internal-sftp\",no-pty {SK_ED25519}"),
    ] {
        assert_eq!(one(&line).to_string(), line);
        assert_eq!(one(&one(&line).to_string()), one(&line));
    }
    let block = one(RFC4716);
    assert_eq!(
        block.to_string(),
        format!("{ED25519} 256-bit ED25519, converted from OpenSSH")
    );
}

#[test]
fn a_line_that_is_no_key_is_refused_with_its_reason_and_the_others_stand() {
    let text = format!(
        "nonsense\n{ED25519}\nssh-ed25519 AAAA\nssh-ed25519\n{RSA_1024}\n{DSA}\n{CERTIFICATE}\nagent=\"x\" {ECDSA}\n"
    );
    let list = AuthorizedKeys::parse(text.as_bytes());
    assert_eq!(list.keys().len(), 1);
    let found = errors(&text);
    let lines: Vec<_> = found.iter().map(|(line, _)| *line).collect();
    assert_eq!(lines, [1, 3, 4, 5, 6, 7, 8]);
    assert!(matches!(found[0].1, KeyError::Form));
    assert!(matches!(found[1].1, KeyError::Key(_)));
    assert!(matches!(found[2].1, KeyError::Form));
    assert!(matches!(found[3].1, KeyError::Weak(WeakKey::Rsa(1024))));
    assert!(matches!(found[4].1, KeyError::Weak(WeakKey::Kind(_))));
    assert!(matches!(found[5].1, KeyError::Certificate));
    assert!(matches!(&found[6].1, KeyError::Option(OptionError::Unknown(name)) if name == "agent"));
}

#[test]
fn a_type_that_does_not_fit_its_key_is_refused() {
    let swapped = ED25519.replacen("ssh-ed25519", "ssh-rsa", 1);
    assert!(matches!(errors(&swapped)[..], [(1, KeyError::Key(_))]));
    let unknown = "ssh-future AAAACnNzaC1mdXR1cmUAAAAA";
    assert!(!errors(unknown).is_empty());
    let behind = format!("{}AAAA", ED25519);
    assert!(matches!(errors(&behind)[..], [(1, KeyError::Key(_))]));
}

#[test]
fn a_private_key_is_named_as_what_it_is() {
    let text = "-----BEGIN OPENSSH PRIVATE KEY-----";
    assert_eq!(errors(text), [(1, KeyError::Private)]);
    assert!(!KeyError::Private.to_string().is_empty());
}

#[test]
fn a_damaged_block_is_refused_from_its_first_line() {
    for (text, reason) in [
        (
            RFC4716.replace("---- END", "---- FIN"),
            "its end is missing",
        ),
        (
            RFC4716.replace("AAAAC3", "AAAA=3"),
            "its base64 is not right",
        ),
    ] {
        let list = format!("{ED25519}\n{text}");
        assert_eq!(errors(&list), [(2, KeyError::Block(reason))], "{text}");
    }
}

#[test]
fn lines_keys_and_blocks_are_bounded() {
    let long = format!("{ED25519} {}", "c".repeat(MAX_LINE));
    assert_eq!(errors(&long), [(1, KeyError::TooLong)]);
    let block = format!(
        "---- BEGIN SSH2 PUBLIC KEY ----\n{}\n",
        "A".repeat(MAX_LINE + 1)
    );
    assert_eq!(errors(&block), [(1, KeyError::TooLong)]);
    let many = format!("{ED25519}\n").repeat(MAX_KEYS + 5);
    let list = AuthorizedKeys::parse(many.as_bytes());
    assert_eq!(list.keys().len(), MAX_KEYS);
    assert_eq!(errors(&many), [(MAX_KEYS + 1, KeyError::TooMany)]);
}

#[test]
fn exactly_one_key_is_a_key() {
    assert_eq!("".parse::<AuthorizedKey>(), Err(KeyError::Form));
    let two = format!("{ED25519}\n{ECDSA}");
    assert_eq!(two.parse::<AuthorizedKey>(), Err(KeyError::Form));
}

#[test]
fn a_comment_carries_no_control_characters() {
    let text = format!("{ED25519} a\x1b[31mb\0c");
    assert_eq!(one(&text).comment(), "a[31mbc");
}

proptest! {
    #[test]
    fn whatever_stands_in_a_list_nothing_panics(text in proptest::collection::vec(any::<u8>(), 0..600)) {
        let list = AuthorizedKeys::parse(&text);
        prop_assert!(list.keys().len() + list.refused().len() <= MAX_KEYS + 1);
    }

    #[test]
    fn whatever_stands_before_a_key_nothing_panics(options in "[ -~]{0,60}") {
        let list = AuthorizedKeys::parse(format!("{options} {ED25519}\n").as_bytes());
        prop_assert!(list.keys().len() + list.refused().len() <= 1);
    }

    /// Options that are taken are read back as the same.
    #[test]
    fn a_key_that_is_taken_survives_its_own_line(
        options in proptest::sample::subsequence(
            vec![
                "restrict", "no-pty", "pty", "from=\"192.0.2.*,!192.0.2.1\"", "command=\"internal-sftp\"",
                "expiry-time=\"20300102030405\"", "cert-authority", "permitopen=\"a:1\"",
            ],
            0..8,
        ),
        comment in "[a-z@. ]{0,20}",
    ) {
        let line = format!("{} {ED25519} {comment}", options.join(","));
        let key = one(line.trim());
        prop_assert_eq!(one(&key.to_string()), key);
    }

    #[test]
    fn a_block_with_any_content_does_not_panic(lines in proptest::collection::vec("[ -~]{0,40}", 0..8)) {
        let text = format!("---- BEGIN SSH2 PUBLIC KEY ----\n{}\n---- END SSH2 PUBLIC KEY ----\n", lines.join("\n"));
        AuthorizedKeys::parse(text.as_bytes());
    }
}
