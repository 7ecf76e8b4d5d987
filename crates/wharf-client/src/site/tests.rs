//! URLs of every scheme, read and written; what could smuggle or mislead is refused.

use super::*;

fn parse(url: &str) -> Location {
    Location::parse(url).unwrap()
}

fn texts(location: &Location) -> Vec<&str> {
    location
        .segments
        .iter()
        .map(|s| std::str::from_utf8(s).unwrap())
        .collect()
}

/// RFC 1738 3.2.2.
#[test]
fn path_is_a_list_of_segments_each_decoded_alone() {
    let location = parse("ftp://h/a%2Fb/c%20d/e");
    assert_eq!(texts(&location), ["a/b", "c d", "e"]);
    assert_eq!(texts(&parse("ftp://h/%2Fetc/motd")), ["/etc", "motd"]);
    assert_eq!(texts(&parse("ftp://h//etc/motd")), ["/", "etc", "motd"]);
    assert!(
        parse("ftp://h").directory && parse("ftp://h/").directory && parse("ftp://h/a/").directory
    );
    assert!(!parse("ftp://h/a").directory);
}

#[test]
fn user_password_host_and_port_are_told_apart() {
    let location = parse("ftp://ann%40x:p%3Aw@h:w@example.org:2121/x;type=A");
    assert_eq!(location.site.user.as_deref(), Some(&b"ann@x"[..]));
    assert_eq!(
        location.site.password.as_ref().unwrap().expose(),
        b"p:w@h:w"
    );
    assert_eq!(
        (location.site.host.as_str(), location.site.port),
        ("example.org", 2121)
    );
    assert_eq!(
        (texts(&location), location.kind),
        (vec!["x"], Some(UrlType::Text))
    );
}

#[test]
fn ipv6_stands_in_brackets() {
    let site = parse("ftp://[2001:db8::1]:2121/").site;
    assert_eq!((site.host.as_str(), site.port), ("2001:db8::1", 2121));
    assert_eq!(parse("ftp://[fe80::1%25eth0]/").site.host, "fe80::1%eth0");
    assert!(matches!(
        Location::parse("ftp://[nonsense]/"),
        Err(UrlError::Host(_))
    ));
    assert!(matches!(
        Location::parse("ftp://[::1/"),
        Err(UrlError::Host(_))
    ));
}

#[test]
fn password_is_masked_in_display_and_debug() {
    let location = parse("ftp://ann:s3cret@h:2121/a%20b/c");
    assert_eq!(location.to_string(), "ftp://ann:***@h:2121/a%20b/c");
    assert!(!format!("{location:?}").contains("s3cret"));
}

#[test]
fn what_is_shown_is_read_back_the_same() {
    for url in [
        "ftp://h/",
        "ftp://h/a/",
        "ftp://[::1]:21/x",
        "ftp://u@h/%2Fetc/a%2Fb;type=d",
        "ftp://h//etc",
        "ftpes://u@h/x",
        "ftps://[::1]:2121/x",
        "tftp://h:6969//etc/motd;mode=netascii",
        "tftp://[::1]/a%20b/c;mode=octet",
    ] {
        let location = parse(url);
        let mut again = parse(&location.to_string());
        again.site.port_is_named = location.site.port_is_named;
        assert_eq!(again, location, "{url}");
    }
}

/// Command injection: curl's CVE-2012-0036.
#[test]
fn decoded_line_ends_and_nul_are_refused() {
    for url in [
        "ftp://h/a%0d%0aDELE%20b",
        "ftp://h/a%00",
        "ftp://u%0a@h/",
        "ftp://u:p%0d@h/",
        "ftp://h/a\nb",
    ] {
        assert_eq!(Location::parse(url), Err(UrlError::Forbidden), "{url}");
    }
}

/// TLS-50: nobody's `ftps://` means explicit TLS on port 21.
#[test]
fn scheme_says_how_tls_begins_and_on_which_port() {
    let site = |url| {
        let site = parse(url).site;
        (site.scheme, site.port, site.to_string())
    };
    assert_eq!(site("ftpes://h/"), (Scheme::Ftpes, 21, "ftpes://h".into()));
    assert_eq!(site("FTPS://h/"), (Scheme::Ftps, 990, "ftps://h".into()));
    assert_eq!(
        site("ftps://h:21/"),
        (Scheme::Ftps, 21, "ftps://h:21".into())
    );
    assert_eq!(
        site("ftp://h:990/"),
        (Scheme::Ftp, 990, "ftp://h:990".into())
    );
}

/// RFC 3617: the mode stands behind the name, and nobody logs in.
#[test]
fn tftp_has_a_mode_and_no_user() {
    let location = parse("tftp://h/pxe/boot.cfg;MODE=NetASCII");
    assert_eq!(texts(&location), ["pxe", "boot.cfg"]);
    assert_eq!(
        (location.site.port, location.kind),
        (69, Some(UrlType::Text))
    );
    assert_eq!(
        parse("tftp://h:6969/x;mode=octet").kind,
        Some(UrlType::Image)
    );
    assert_eq!(texts(&parse("tftp://h/x;type=a")), ["x;type=a"]);
    assert_eq!(Location::parse("tftp://ann@h/x"), Err(UrlError::User));
    assert!(matches!(
        Location::parse("tftp://h/x;mode=mail"),
        Err(UrlError::Mode(_))
    ));
    assert_eq!(
        Location::parse("tftp://h/a%00octet"),
        Err(UrlError::Forbidden)
    );
}

#[test]
fn other_schemes_are_named() {
    assert_eq!(
        Location::parse("http://h/"),
        Err(UrlError::Scheme("http".into()))
    );
    assert!(matches!(Location::parse("h/x"), Err(UrlError::NoScheme(_))));
    assert_eq!(Location::parse("ftp://"), Err(UrlError::NoHost));
    assert!(matches!(
        Location::parse("ftp://h:0/"),
        Err(UrlError::Port(_))
    ));
    assert!(matches!(
        Location::parse("ftp://h:+21/"),
        Err(UrlError::Port(_))
    ));
    assert_eq!(Location::parse("ftp://h/%zz"), Err(UrlError::Percent));
    assert!(matches!(
        Location::parse("ftp://h/a;type=x"),
        Err(UrlError::Type(_))
    ));
}

proptest::proptest! {
    #[test]
    fn no_text_panics(text in ".{0,60}") {
        let _ = Location::parse(&text);
        let _ = Location::parse(&format!("ftp://{text}"));
    }
}
