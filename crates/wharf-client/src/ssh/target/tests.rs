//! What the choices and the configuration make of a site.
#![expect(
    clippy::disallowed_methods,
    reason = "tests write the files that are read"
)]

use std::os::unix::fs::PermissionsExt;

use super::*;

struct Home {
    folder: tempfile::TempDir,
    options: Ssh,
}

impl Home {
    fn new(config: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().to_owned();
        std::fs::create_dir(home.join(".ssh")).unwrap();
        let path = home.join(".ssh/config");
        std::fs::write(&path, config).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
        Self {
            options: Ssh {
                home: Some(home),
                local_user: Some("local".to_owned()),
                config_files: vec![path, "/does/not/exist".into()],
                agent: Some("/run/agent".into()),
                ..Ssh::default()
            },
            folder,
        }
    }

    fn at(&self, url: &str) -> Result<Target> {
        Target::resolve(&Location::parse(url).unwrap().site, &self.options, false)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(".ssh").join(name)
    }
}

#[test]
fn url_goes_before_options_and_options_before_the_files() {
    let mut home = Home::new("Host office\nHostName %h.example.org\nPort 2022\nUser filed\n");
    let found = home.at("sftp://office/").unwrap();
    assert_eq!(found.site.host, "office.example.org");
    assert_eq!((found.site.port, found.user.as_str()), (2022, "filed"));
    assert_eq!(found.name, "office.example.org");
    home.options.user = Some("flag".to_owned());
    assert_eq!(home.at("office:x").unwrap().user, "flag");
    let found = home.at("sftp://url@office:22/").unwrap();
    assert_eq!((found.site.port, found.user.as_str()), (22, "url"));
    assert_eq!(home.at("sftp://else/").unwrap().site.port, 22);
    home.options.user = None;
    assert_eq!(home.at("sftp://else/").unwrap().user, "local");
    home.options.local_user = None;
    assert_eq!(home.at("sftp://else/").unwrap_err().kind(), Kind::Usage);
}

#[test]
fn keys_are_the_named_ones_or_the_usual_ones() {
    let mut home = Home::new("Host a\nIdentityFile ~/.ssh/%h_%r\nIdentityFile ~/.ssh/%C\n");
    let found = home.at("sftp://ann@a/").unwrap();
    let paths: Vec<_> = found
        .identities
        .iter()
        .map(|known| known.path.clone())
        .collect();
    assert_eq!(paths, [home.file("a_ann")]);
    assert!(found.notes.iter().any(|note| note.contains("%C")));
    let usual = home.at("sftp://ann@b/").unwrap().identities;
    assert_eq!(usual.len(), DEFAULT_KEYS.len());
    assert!(usual.iter().all(|known| !known.named));
    home.options.identities = vec!["/k".into()];
    let flagged = home.at("sftp://ann@b/").unwrap().identities;
    assert_eq!(flagged.len(), 1);
}

#[test]
fn agent_may_be_named_or_left_out_by_the_files() {
    let home = Home::new("Host a\nIdentityAgent none\nHost b\nIdentityAgent ~/sock\n");
    assert_eq!(home.at("sftp://a/").unwrap().agent, None);
    assert_eq!(
        home.at("sftp://b/").unwrap().agent,
        Some(home.folder.path().join("sock"))
    );
    assert_eq!(
        home.at("sftp://c/").unwrap().agent,
        Some("/run/agent".into())
    );
}

#[test]
fn hosts_on_the_way_are_read_in_every_form() {
    let mut home =
        Home::new("Host a\nProxyJump ann@one:2022,ssh://[::1]:23\nHost b\nProxyJump none\n");
    let jumps = home.at("sftp://a/").unwrap().jumps;
    let told: Vec<String> = jumps.iter().map(|jump| jump.site.to_string()).collect();
    assert_eq!(told, ["sftp://ann@one:2022", "sftp://[::1]:23"]);
    assert!(home.at("sftp://b/").unwrap().jumps.is_empty());
    home.options.jump = Some("none".to_owned());
    assert!(home.at("sftp://a/").unwrap().jumps.is_empty());
    home.options.jump = Some("a/b".to_owned());
    assert!(home.at("sftp://a/").is_err());
}

#[test]
fn proxy_command_is_refused_in_plain_words() {
    let mut home = Home::new("ProxyCommand nc %h %p\n");
    let error = home.at("sftp://a/").unwrap_err();
    assert!(error.to_string().contains("ProxyCommand"), "{error}");
    home.options.jump = Some("none".to_owned());
    assert!(home.at("sftp://a/").is_ok());
}

/// A password is for the host that it was given for.
#[test]
fn password_and_pins_are_not_for_hosts_on_the_way() {
    let mut home = Home::new("");
    home.options.password = Some(Secret::new(*b"x"));
    home.options.pins = vec![format!("SHA256:{}", "A".repeat(43)).parse().unwrap()];
    let site = Location::parse("sftp://ann@a/").unwrap().site;
    let last = Target::resolve(&site, &home.options, false).unwrap();
    assert!(last.password.is_some() && last.pins.len() == 1);
    let jump = Target::resolve(&site, &home.options, true).unwrap();
    assert!(jump.password.is_none() && jump.pins.is_empty());
}

#[test]
fn configuration_that_others_may_write_is_refused() {
    let home = Home::new("User x\n");
    std::fs::set_permissions(home.file("config"), PermissionsExt::from_mode(0o666)).unwrap();
    let error = home.at("sftp://a/").unwrap_err();
    assert_eq!(error.kind(), Kind::Local);
}

#[test]
fn included_files_are_found_by_wildcards_in_order() {
    let home = Home::new("Include conf.d/*.conf\n");
    std::fs::create_dir(home.file("conf.d")).unwrap();
    for (name, text) in [
        ("b.conf", "User b\nPort 2\n"),
        ("a.conf", "User a\n"),
        ("c", "Port 3\n"),
    ] {
        let path = home.file("conf.d").join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).unwrap();
    }
    let found = home.at("sftp://a/").unwrap();
    assert_eq!((found.user.as_str(), found.site.port), ("a", 2));
}

#[test]
fn alias_names_the_key_of_the_host() {
    let home = Home::new("Host a\nHostKeyAlias Cluster\nUserKnownHostsFile ~/.ssh/k1 /k2\n");
    let found = home.at("sftp://a/").unwrap();
    assert_eq!((found.name.as_str(), found.has_alias), ("cluster", true));
    assert_eq!(found.known_hosts, [home.file("k1"), "/k2".into()]);
}
