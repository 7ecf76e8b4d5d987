//! The contract for bytes: no torn file under a name that stood for a whole one.

use std::io::Write;

use wharf_acceptance_tests::socket::reset;
use wharf_acceptance_tests::{Server, noise};

/// Until 226 the old file is the file.
#[test]
fn the_old_file_stands_until_the_new_one_is_whole() {
    let server = Server::start();
    server.put("f", "the old file");
    let mut writer = server.login();
    writer.expect("TYPE I", 200);
    let mut data = writer.passive();
    writer.send("STOR f");
    writer.wants(150);
    data.write_all(b"half").unwrap();
    let mut reader = server.login();
    reader.expect("TYPE I", 200);
    assert_eq!(reader.fetch("RETR f"), b"the old file");
    drop(data);
    writer.wants(226);
    assert_eq!(reader.fetch("RETR f"), b"half");
}

/// An aborted upload leaves the old file, and no litter.
#[test]
fn an_aborted_upload_leaves_the_old_file() {
    let server = Server::start();
    server.put("f", "the old file");
    let mut control = server.login();
    control.expect("TYPE I", 200);
    let mut data = control.passive();
    control.send("STOR f");
    control.wants(150);
    data.write_all(&noise(1, 300_000)).unwrap();
    control.send("ABOR");
    control.wants(426);
    control.wants(226);
    assert_eq!(server.read("f"), b"the old file");
    assert_eq!(server.names(), ["f"]);
}

/// A reset data connection is a failure, not an end.
#[test]
fn a_reset_upload_leaves_the_old_file() {
    let server = Server::start();
    server.put("f", "the old file");
    let mut control = server.login();
    control.expect("TYPE I", 200);
    let mut data = control.passive();
    control.send("STOR f");
    control.wants(150);
    data.write_all(&noise(1, 300_000)).unwrap();
    reset(data);
    control.wants(426);
    assert_eq!(server.read("f"), b"the old file");
    assert_eq!(server.names(), ["f"]);
}

/// Temporaries are the server's own: not listed, not fetched, not made (PATH-08).
#[test]
fn temporaries_are_hidden() {
    let server = Server::start();
    server.put(".wharf-abc.part", "secret");
    let mut control = server.login();
    assert!(control.fetch("LIST -a").is_empty());
    assert!(control.fetch("NLST -a").is_empty());
    assert!(
        !control
            .lines("MLSD")
            .iter()
            .any(|line| line.contains(".wharf-"))
    );
    control.refused("RETR .wharf-abc.part", &[550]);
    control.expect("DELE .wharf-abc.part", 550);
    control.expect("SIZE .wharf-abc.part", 550);
    control.refused("STOR .wharf-x.part", &[550, 553]);
}

/// Two writers on one file: the second is told so.
#[test]
fn a_second_writer_is_450() {
    let server = Server::start();
    let mut first = server.login();
    let mut second = server.login();
    let data = first.passive();
    first.send("STOR f");
    first.wants(150);
    second.refused("STOR f", &[450]);
    drop(data);
    first.wants(226);
    second.store("STOR f", b"second");
    assert_eq!(server.read("f"), b"second");
}

/// While a file is written nobody deletes or renames it away unnoticed.
#[test]
fn an_upload_survives_a_deleted_target() {
    let server = Server::start();
    server.put("f", "old");
    let mut writer = server.login();
    writer.expect("TYPE I", 200);
    let mut data = writer.passive();
    writer.send("STOR f");
    writer.wants(150);
    data.write_all(b"new").unwrap();
    std::fs::remove_file(server.path("f")).unwrap();
    drop(data);
    writer.wants(226);
    assert_eq!(server.read("f"), b"new");
}

/// STOU with a hint keeps the hint, and never overwrites.
#[test]
fn stou_takes_a_hint() {
    let server = Server::start();
    server.put("scan.pdf", "first");
    let mut control = server.login();
    control.expect("TYPE I", 200);
    let reply = control.store("STOU scan.pdf", b"second");
    assert!(
        reply.text().contains("FILE: scan.pdf.1"),
        "{}",
        reply.text()
    );
    assert_eq!(server.read("scan.pdf"), b"first");
    assert_eq!(server.read("scan.pdf.1"), b"second");
}

/// The mode of a new file is not that of a temporary.
#[test]
fn an_uploaded_file_can_be_read_by_others() {
    use std::os::unix::fs::PermissionsExt;
    let server = Server::start();
    let mut control = server.login();
    control.store("STOR f", b"x");
    assert_eq!(
        server.path("f").metadata().unwrap().permissions().mode() & 0o777,
        0o644
    );
}
