//! RFC 2640 2 and 3: names are UTF-8, and every byte of them counts.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use wharf_acceptance_tests::Server;

const NAMES: [&str; 6] = [
    "Grüße.txt",
    "файл",
    "日本語 ファイル",
    "naïve (2)",
    "🚢",
    "e\u{301}",
];

/// RFC 2640 3.1: a round trip of names.
#[test]
fn utf8_names_survive() {
    let server = Server::start();
    let mut control = server.login();
    control.expect_any("OPTS UTF8 ON", &[200, 202]);
    control.expect("TYPE I", 200);
    for name in NAMES {
        control.store(format!("STOR {name}"), name.as_bytes());
        assert_eq!(server.read(name), name.as_bytes());
        assert_eq!(control.fetch(format!("RETR {name}")), name.as_bytes());
    }
    let mut listed = control.lines("NLST");
    let mut names = NAMES.map(str::to_owned);
    listed.sort();
    names.sort();
    assert_eq!(listed, names);
}

/// RFC 2640 3.1: directories, too.
#[test]
fn utf8_directories_survive() {
    let server = Server::start();
    let mut control = server.login();
    for name in NAMES {
        assert_eq!(
            control.expect(format!("MKD {name}"), 257).quoted(),
            Some(format!("/{name}"))
        );
        control.expect(format!("CWD {name}"), 250);
        assert_eq!(
            control.expect("PWD", 257).quoted(),
            Some(format!("/{name}"))
        );
        control.expect("CWD /", 250);
    }
}

/// RFC 2640 2.2: no normalisation: two spellings are two names.
#[test]
fn names_are_not_normalised() {
    let server = Server::start();
    let mut control = server.login();
    control.expect("MKD \u{e9}", 257);
    control.expect("MKD e\u{301}", 257);
    assert_eq!(server.names().len(), 2);
}

/// PATH-07: existing names that are no UTF-8 are listed raw and can be fetched.
#[test]
fn other_encodings_are_listed_raw() {
    let server = Server::start();
    let name = b"caf\xe9";
    server.put(OsStr::from_bytes(name), "latin");
    let mut control = server.login();
    let list = control.fetch("NLST");
    assert_eq!(list, b"caf\xe9\r\n", "{}", list.escape_ascii());
    let mut line = b"RETR ".to_vec();
    line.extend_from_slice(name);
    assert_eq!(control.fetch(line), b"latin");
}

/// RFC 2640 4, LANG.
#[test]
fn lang_en_is_accepted_where_lang_is_known() {
    let server = Server::start();
    let mut control = server.login();
    let known = control.expect("FEAT", 211).text().contains("\n LANG");
    let reply = control.ask("LANG EN");
    assert!(
        if known {
            matches!(reply.code, 200 | 504)
        } else {
            matches!(reply.code, 500 | 502)
        },
        "{}",
        reply.text()
    );
}

/// RFC 3659 6: the view is a tree with `/` between names, and other bytes have no meaning.
#[test]
fn odd_bytes_are_only_bytes() {
    let server = Server::start();
    let mut control = server.login();
    control.expect("TYPE I", 200);
    for name in [
        "back\\slash",
        "-dash",
        "~tilde",
        "#hash",
        "percent%20",
        "semi;colon",
        "a'b\"c",
        "$HOME",
        "`id`",
        "|id",
    ] {
        control.store(format!("STOR {name}"), name.as_bytes());
        assert_eq!(server.read(name), name.as_bytes());
    }
}
