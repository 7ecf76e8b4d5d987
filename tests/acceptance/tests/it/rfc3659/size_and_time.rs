//! RFC 3659 3 and 4: MDTM and SIZE.

use wharf_acceptance_tests::Server;

/// 2002-07-17 21:07:15 UTC.
const MOMENT: u64 = 1_026_940_035;

/// RFC 3659 4, SIZE.
#[test]
fn size_in_type_i_is_the_files() {
    let server = Server::start();
    server.put("f", "a\nb\n");
    let mut control = server.login();
    control.expect("TYPE I", 200);
    assert_eq!(control.expect("SIZE f", 213).text(), "213 4");
}

/// RFC 3659 4: SIZE is what the transfer would carry.
#[test]
fn size_in_type_a_counts_the_line_ends() {
    let server = Server::start();
    server.put("f", "ab\ncd\nef\n");
    let mut control = server.login();
    control.expect("TYPE A", 200);
    assert_eq!(control.expect("SIZE f", 213).text(), "213 12");
    assert_eq!(control.fetch("RETR f").len(), 12);
}

/// RFC 3659 4.
#[test]
fn size_of_nothing_or_of_a_directory_is_550() {
    let server = Server::start();
    server.mkdir("d");
    let mut control = server.login();
    control.expect("TYPE I", 200);
    control.expect("SIZE missing", 550);
    control.expect("SIZE d", 550);
}

/// RFC 3659 4: sizes have 64 bits.
#[test]
fn size_has_64_bits() {
    let server = Server::start();
    server.put("f", "");
    std::fs::File::options()
        .write(true)
        .open(server.path("f"))
        .unwrap()
        .set_len(5 << 40)
        .unwrap();
    let mut control = server.login();
    control.expect("TYPE I", 200);
    assert_eq!(
        control.expect("SIZE f", 213).text(),
        format!("213 {}", 5_u64 << 40)
    );
}

/// RFC 3659 3, MDTM: UTC, fourteen digits.
#[test]
fn mdtm_is_utc() {
    let server = Server::start();
    server.put("f", "x");
    server.touch("f", MOMENT);
    assert_eq!(
        server.login().expect("MDTM f", 213).text(),
        "213 20020717210715"
    );
}

/// RFC 3659 3.
#[test]
fn mdtm_of_nothing_is_550() {
    let server = Server::start();
    server.login().expect("MDTM missing", 550);
}

/// RFC 3659 3: directories may have a time, too.
#[test]
fn mdtm_of_a_directory_is_known() {
    let server = Server::start();
    server.mkdir("d");
    server.touch("d", MOMENT);
    assert_eq!(
        server.login().expect("MDTM d", 213).text(),
        "213 20020717210715"
    );
}

/// RFC 3659 2.3: years before 2000 and leap days.
#[test]
fn mdtm_knows_the_calendar() {
    let server = Server::start();
    let mut control = server.login();
    for (seconds, text) in [
        (0, "19700101000000"),
        (951_782_400, "20000229000000"),
        (1_709_164_799, "20240228235959"),
        (4_102_444_800, "21000101000000"),
    ] {
        server.put("f", "x");
        server.touch("f", seconds);
        assert_eq!(control.expect("MDTM f", 213).text(), format!("213 {text}"));
    }
}
