//! Keys of users: each one read, each one written wrongly.

use std::os::unix::fs::PermissionsExt as _;

use wharf_accounts::SshLogin;

use super::*;

const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKDarEXtR9tcG0Dd/cSGqLRQ31u3SXSY0qxGY+4XL0q9";
const SHORT_RSA: &str = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQCvjjvFoycpnslvQGaLvnGk9uEISyuLr0oRkgYWZ9pe9tw71RdqUET0BHXL/BCbCSYqweU7VKmbIoU/nlVgFRJK9CBYAfmY6MJQPQ8pgV+PPLisGehRBMlFBjaCGKBanEevle3bOpK1qQ2Q/cDNe2nB6z5iTvvMf0mvpkfgnq5q+Q==";

fn user(rest: &str) -> String {
    format!("[[user]]\nname = \"ann\"\nhome = \"h\"\n{rest}")
}

#[test]
fn sft_06_a_user_with_keys_needs_no_password() {
    let text = format!(
        "authorized_keys = ['restrict {KEY} laptop', '''
---- BEGIN SSH2 PUBLIC KEY ----
AAAAC3NzaC1lZDI1NTE5AAAAIKDarEXtR9tcG0Dd/cSGqLRQ31u3SXSY0qxGY+4XL0q9
---- END SSH2 PUBLIC KEY ----
''']\nssh_login = \"key\"\n"
    );
    let config = load_text(&user(&text)).unwrap();
    let [ann] = &config.accounts[..] else {
        panic!("{:?}", config.accounts)
    };
    assert_eq!(ann.ssh.login, SshLogin::Key);
    assert_eq!(ann.ssh.keys.len(), 2);
    assert_eq!(ann.ssh.keys[0].key(), ann.ssh.keys[1].key());
    assert!(ann.password.lock().is_some());
}

#[test]
fn sft_06_a_key_that_is_not_understood_is_an_error_where_it_stands() {
    let cases = [
        (
            "authorized_keys = ['nonsense']\n".to_owned(),
            4,
            "not a public key",
        ),
        (
            format!("authorized_keys = [\n  '{KEY}',\n  'verify-required {KEY}',\n]\n"),
            6,
            "the option `verify-required` is not known",
        ),
        (
            format!("authorized_keys = ['{SHORT_RSA}']\n"),
            4,
            "1024 bits",
        ),
        (
            format!("authorized_keys = ['from=\"a.example\" {KEY}']\n"),
            4,
            "names of hosts",
        ),
        (
            format!("authorized_keys = ['''{KEY}\n{KEY}''']\n"),
            4,
            "not a public key",
        ),
        (
            format!("authorized_keys = ['{KEY}']\nssh_login = \"key+password\"\n"),
            5,
            "wants a password",
        ),
        (
            "password = \"x\"\nauthorized_keys_file = \"missing\"\n".to_owned(),
            5,
            "No such file",
        ),
        (
            "password = \"x\"\nauthorized_keys_file = \"word\"\n".to_owned(),
            5,
            "line 1: not a public key",
        ),
        (
            "password = \"x\"\nssh_login = \"both\"\n".to_owned(),
            5,
            "ssh_login",
        ),
    ];
    for (rest, at, part) in cases {
        let (line, _, message, hint) = problem(&user(&rest));
        assert!(message.contains(part), "{rest}\n{message}");
        assert_eq!(line, at, "{rest}\n{message}");
        assert!(!hint.is_empty(), "{rest}");
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "writes the file that is read")]
fn sft_06_a_file_of_keys_that_others_may_write_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("keys");
    std::fs::write(&path, format!("# mine\n{KEY}\n")).unwrap();
    let text = user(&format!("authorized_keys_file = '{}'\n", path.display()));
    let mode = |mode| std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode));
    mode(0o640).unwrap();
    let config = load_text(&text).unwrap();
    let file = config.accounts[0].ssh.key_file.as_ref().unwrap();
    assert_eq!(file.path(), path);
    mode(0o660).unwrap();
    let (.., message, _) = problem(&text);
    assert!(message.contains("chmod go-w"), "{message}");
}
