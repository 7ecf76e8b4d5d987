//! Words on the command line become changes of an account, and nothing else does.

use clap::Parser;

use super::*;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    properties: Properties,
}

fn changed(account: &Account, words: &[&str]) -> Result<Account, String> {
    let line = Line::try_parse_from(std::iter::once(&"set").chain(words))
        .map_err(|error| error.to_string())?;
    let mut account = account.clone();
    line.properties
        .apply(&mut account)
        .map_err(|failure| failure.to_string())?;
    Ok(account)
}

const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKDarEXtR9tcG0Dd/cSGqLRQ31u3SXSY0qxGY+4XL0q9";

fn plain() -> Account {
    Account {
        name: AccountName::parse(b"anna").unwrap(),
        kind: AccountKind::User,
        home: Home::directory("/srv"),
        grants: Grants::everywhere(Rights::FULL),
        limits: AccountLimits::default(),
        enabled: true,
        expires: None,
        allowed_networks: Vec::new(),
        password: StoredSecret::plain("secret"),
        require_tls: RequireTls::Inherit,
        certificates: Vec::new(),
        ssh: SshAccess::default(),
    }
}

#[test]
fn sft_06_keys_of_an_account_are_set_shown_and_taken_back() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("keys");
    write(&file, &format!("{KEY}\n"));
    let line = format!("restrict {KEY} anna@example.org");
    let path = file.to_str().unwrap();
    let words = [
        "--authorized-key",
        &line,
        "--authorized-keys-file",
        path,
        "--ssh-login",
        "key+password",
    ];
    let keyed = changed(&plain(), &words).unwrap();
    assert_eq!(keyed.ssh.login, SshLogin::KeyAndPassword);
    let shown = details(&keyed);
    for line in [
        "SSH login      key+password\n",
        "authorized key ssh-ed25519 SHA256:",
        " anna@example.org  (restrict)\n",
        "keys in file   /",
    ] {
        assert!(shown.contains(line), "{line} in {shown}");
    }
    let kept = changed(&keyed, &["--max-sessions", "3"]).unwrap();
    assert_eq!(kept.ssh, keyed.ssh);
    let back = changed(&keyed, &["--no-authorized-keys", "--ssh-login", "any"]).unwrap();
    assert_eq!(back.ssh, SshAccess::default());
    write(&file, "verify-required nonsense\n");
    for (words, part) in [
        (["--ssh-login", "two"], "any, key, password, key+password"),
        (["--authorized-key", "nonsense"], "not a public key"),
        (["--authorized-keys-file", path], "line 1:"),
        (
            ["--authorized-keys-file", "/nowhere/at/all"],
            "/nowhere/at/all",
        ),
    ] {
        let error = changed(&plain(), &words).unwrap_err();
        assert!(error.contains(part), "{error}");
    }
}

#[expect(clippy::disallowed_methods, reason = "writes the file that is read")]
fn write(path: &std::path::Path, text: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

#[test]
fn tls_of_an_account_is_set_shown_and_taken_back() {
    let plain = plain();
    let rule = format!("sha256:{}", "0a".repeat(32));
    let words = [
        "--require-tls",
        "both",
        "--certificate",
        &rule,
        "--certificate",
        "email:anna@example.org",
    ];
    let secured = changed(&plain, &words).unwrap();
    assert_eq!(secured.require_tls, RequireTls::Both);
    let shown = details(&secured);
    for line in [
        "require TLS    both\n".to_owned(),
        format!("certificate    {rule}\n"),
        "certificate    email:anna@example.org\n".to_owned(),
    ] {
        assert!(shown.contains(&line), "{line} in {shown}");
    }
    let kept = changed(&secured, &["--max-sessions", "3"]).unwrap();
    assert_eq!(kept.certificates, secured.certificates);
    assert_eq!(kept.require_tls, RequireTls::Both);
    let words = ["--no-certificates", "--require-tls", "inherit"];
    let back = changed(&secured, &words).unwrap();
    assert!(back.certificates.is_empty());
    assert_eq!(back.require_tls, RequireTls::Inherit);
    for (words, part) in [
        (
            ["--require-tls", "yes"],
            "inherit, no, login, data and both",
        ),
        (["--certificate", "sha256:12"], "64 hexadecimal digits"),
    ] {
        let error = changed(&plain, &words).unwrap_err();
        assert!(error.contains(part), "{error}");
    }
}
