//! draft-ietf-ftpext2-hash and the older X verbs.

use wharf_acceptance_tests::{Server, Setup};

const SHA256: &str = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
const SHA1: &str = "aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d";
const MD5: &str = "5d41402abc4b2a76b9719d911017c592";
const CRC32: &str = "3610a686";

fn with_hello() -> Server {
    let server = Server::start();
    server.put("f", "hello");
    server
}

/// draft-ietf-ftpext2-hash-03 3.1; SHA-256 is the default.
#[test]
fn hash_is_sha256_by_default() {
    let server = with_hello();
    assert_eq!(
        server.login().expect("HASH f", 213).text(),
        format!("213 SHA-256 0-4 {SHA256} f")
    );
}

/// draft-ietf-ftpext2-hash-03 3.2: OPTS HASH chooses.
#[test]
fn opts_hash_chooses_the_algorithm() {
    let server = with_hello();
    let mut control = server.login();
    for (name, hex) in [
        ("SHA-1", SHA1),
        ("MD5", MD5),
        ("CRC32", CRC32),
        ("SHA-256", SHA256),
    ] {
        assert_eq!(
            control.expect(format!("OPTS HASH {name}"), 200).text(),
            format!("200 {name}")
        );
        let text = control.expect("HASH f", 213).text();
        assert!(text.contains(&format!("{name} 0-4 {hex} ")), "{text}");
    }
    control.expect("OPTS HASH SHA-0", 501);
    assert_eq!(control.expect("OPTS HASH", 200).text(), "200 SHA-256");
}

/// draft-ietf-ftpext2-hash-03 3: FEAT names them all and stars the one in use.
#[test]
fn feat_names_the_hashes() {
    let server = with_hello();
    let mut control = server.login();
    let text = control.expect("FEAT", 211).text();
    assert!(text.contains("\n HASH SHA-256*;"), "{text}");
    control.expect("OPTS HASH SHA-1", 200);
    let text = control.expect("FEAT", 211).text();
    assert!(
        text.contains("SHA-1*") && !text.contains("SHA-256*"),
        "{text}"
    );
}

/// draft-ietf-ftpext2-hash-03 3.1.
#[test]
fn hash_of_nothing_or_of_a_directory_is_refused() {
    let server = with_hello();
    server.mkdir("d");
    let mut control = server.login();
    control.expect("HASH missing", 550);
    control.expect_any("HASH d", &[553, 550]);
    control.expect("HASH", 501);
}

/// Practice: the X verbs answer in upper case.
#[test]
fn the_x_verbs_hash() {
    let server = with_hello();
    let mut control = server.login();
    for (verb, hex) in [
        ("XCRC", CRC32),
        ("XMD5", MD5),
        ("XSHA", SHA1),
        ("XSHA1", SHA1),
        ("XSHA256", SHA256),
    ] {
        let text = control.expect(format!("{verb} f"), 250).text();
        assert!(text.contains(&hex.to_uppercase()), "{verb}: {text}");
        let text = control.expect(format!("{verb} \"f\""), 250).text();
        assert!(text.contains(&hex.to_uppercase()), "{verb} quoted: {text}");
    }
}

/// Practice: a start, and an end behind the last octet.
#[test]
fn the_x_verbs_take_a_range() {
    let server = Server::start();
    server.put("f", "xxhelloyy");
    let mut control = server.login();
    let text = control.expect("XSHA256 \"f\" 2 7", 250).text();
    assert!(text.contains(&SHA256.to_uppercase()), "{text}");
    control.expect("XSHA256 \"f\" 100 200", 550);
}

/// The hash is kept from the stream, and never a stale one.
#[test]
fn a_hash_follows_the_file() {
    let server = Server::start();
    let mut control = server.login();
    control.expect("TYPE I", 200);
    control.store("STOR f", b"hello");
    assert!(control.expect("HASH f", 213).text().contains(SHA256));
    control.store("STOR f", b"other");
    assert!(!control.expect("HASH f", 213).text().contains(SHA256));
    server.put("f", "hello");
    assert!(control.expect("HASH f", 213).text().contains(SHA256));
}

/// The hash is of the file's octets, whatever TYPE says.
#[test]
fn a_hash_does_not_depend_on_the_type() {
    let server = Server::start();
    server.put("f", "hello\n");
    let mut control = server.login();
    control.expect("TYPE A", 200);
    let ascii = control.expect("HASH f", 213).text();
    control.expect("TYPE I", 200);
    assert_eq!(control.expect("HASH f", 213).text(), ascii);
}

/// An empty file has a hash; the range of nothing is shown as 0-0.
#[test]
fn an_empty_file_has_a_hash() {
    let server = Server::with(Setup::default());
    server.put("f", "");
    let text = server.login().expect("HASH f", 213).text();
    assert_eq!(
        text,
        "213 SHA-256 0-0 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 f"
    );
}
