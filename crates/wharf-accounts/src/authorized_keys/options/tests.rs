//! Options one by one.

use super::*;

fn parsed(text: &str) -> Result<Options, OptionError> {
    Options::parse(text)
}

#[test]
fn sft_06_what_is_not_served_may_be_allowed_and_forbidden() {
    for text in [
        "",
        "restrict",
        "restrict,pty,no-pty,port-forwarding,NO-X11-forwarding,no-user-rc,agent-forwarding",
        "permitopen=\"host:80\",permitlisten=\"8080\",tunnel=\"0\",no-touch-required",
        "command=\"internal-sftp\"",
    ] {
        assert_eq!(parsed(text), Ok(Options::default()), "{text}");
    }
}

#[test]
fn sft_06_whatever_else_refuses_the_key() {
    for (text, name) in [
        ("verify-required", "verify-required"),
        ("environment=\"A=b\"", "environment"),
        ("restrict,Frob=\"x\"", "frob"),
        ("no-such", "no-such"),
    ] {
        assert_eq!(parsed(text), Err(OptionError::Unknown(name.to_owned())));
    }
    for command in ["/bin/sh", "internal-sftp -R", ""] {
        let refused = parsed(&format!("command=\"{command}\""));
        assert_eq!(refused, Err(OptionError::Command(command.to_owned())));
    }
    for text in [
        "from",
        "from=192.0.2.1",
        "command",
        "restrict=\"x\"",
        "tunnel",
        "cert-authority=\"x\"",
        "from=\"192.0.2.1\",from=\"192.0.2.2\"",
        "command=\"internal-sftp\",command=\"internal-sftp\"",
        "cert-authority,principals=\"a,,b\"",
    ] {
        let refused = parsed(text);
        assert!(
            matches!(refused, Err(OptionError::Value(_))),
            "{text}: {refused:?}"
        );
    }
    for text in [
        ",",
        "restrict,",
        "restrict,,pty",
        "from=\"192.0.2.1",
        "from=\"a\"b",
        "=\"x\"",
    ] {
        assert_eq!(parsed(text), Err(OptionError::Form), "{text}");
    }
    assert_eq!(
        parsed("from=\"host.example\""),
        Err(OptionError::From("host.example".to_owned()))
    );
    assert_eq!(parsed("principals=\"a\""), Err(OptionError::Principals));
}

#[test]
fn a_quote_inside_a_value_is_escaped_and_a_space_inside_it_is_kept() {
    let options = parsed("cert-authority,principals=\"a \\\"b\\\",c\"").unwrap();
    assert_eq!(options.principals, ["a \"b\"", "c"]);
    assert_eq!(
        split(b"a=\"x y\\\" z\",b  rest of it"),
        (&b"a=\"x y\\\" z\",b"[..], &b"rest of it"[..])
    );
    assert_eq!(split(b"a=\"x y"), (&b"a=\"x y"[..], &b""[..]));
}

#[test]
fn sft_06_expiry_times_are_utc_moments() {
    for (text, seconds) in [
        ("19700101", 0),
        ("19700102Z", 86_400),
        ("20000229", 951_782_400),
        ("20231114221320Z", 1_700_000_000),
        ("203801190314", 2_147_483_640),
        ("20380119031407", 2_147_483_647),
        ("21000301", 4_107_542_400),
    ] {
        assert_eq!(moment(text), Some(seconds), "{text}");
    }
    for text in [
        "",
        "Z",
        "2024",
        "2024-01-01",
        "20240230",
        "20230229",
        "21000229",
        "20241301",
        "20240100",
        "2024010124",
        "202401012400",
        "202401010060",
        "19691231",
        "2024010112000",
        "+0240101",
        "20240101z",
    ] {
        assert_eq!(moment(text), None, "{text}");
    }
    let both = parsed("expiry-time=\"20300101\",expiry-time=\"20250101\"").unwrap();
    assert_eq!(both.expires, moment("20250101"), "the earliest holds");
}
