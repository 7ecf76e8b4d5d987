//! A disk that is full: a clear refusal, nothing torn, the old file intact.

use std::io::Write;

use wharf_acceptance_tests::{Control, Kind, Server, Setup, noise};

fn on_a_small_disk() -> Server {
    Server::with(Setup {
        kind: Kind::Wharf,
        tmpfs: Some("2m"),
        ..Setup::default()
    })
}

/// An upload that cannot fit: refused before the 150 or after it, as D-25 says.
fn overflow(control: &mut Control, line: &str) {
    let mut data = control.passive();
    let reply = control.ask(line);
    if reply.code != 150 {
        assert!(matches!(reply.code, 452 | 552), "{}", reply.text());
        return;
    }
    // The server stops reading when the disk is full: a failing write is no failure of the test.
    let _ = data.write_all(&noise(1, 4 << 20));
    drop(data);
    control.wants_any(&[451, 452, 552]);
}

/// D-25: 451, 452 or 552, and no torn file under the name.
#[test]
fn an_upload_larger_than_the_disk_leaves_nothing() {
    let server = on_a_small_disk();
    let mut control = server.login();
    control.expect("TYPE I", 200);
    overflow(&mut control, "STOR new");
    control.in_step();
    // A partial of a new file may be kept for resumption, and is then a beginning of what was sent.
    if server.has("new") {
        let kept = server.read("new");
        assert!(
            noise(1, 4 << 20).starts_with(&kept),
            "what was kept is no beginning of the file"
        );
    }
}

/// The old file survives an upload that does not fit.
#[test]
fn the_old_file_survives_an_upload_that_does_not_fit() {
    let server = on_a_small_disk();
    let mut control = server.login();
    control.expect("TYPE I", 200);
    let old = noise(2, 500_000);
    control.store("STOR f", &old);
    overflow(&mut control, "STOR f");
    assert!(server.read("f") == old, "the old file is not what it was");
    assert_eq!(server.names(), ["f"], "litter was left");
    assert!(control.fetch("RETR f") == old);
}

/// When space is there again, uploads work again on the same session.
#[test]
fn uploads_work_again_when_there_is_space() {
    let server = on_a_small_disk();
    let mut control = server.login();
    control.expect("TYPE I", 200);
    let ballast = noise(3, 1_500_000);
    control.store("STOR ballast", &ballast);
    let mut data = control.passive();
    let reply = control.ask("STOR f");
    if reply.code == 150 {
        let _ = data.write_all(&noise(4, 1 << 20));
        drop(data);
        control.wants_any(&[451, 452, 552]);
    }
    control.expect("DELE ballast", 250);
    if server.has("f") {
        control.expect("DELE f", 250);
    }
    let bytes = noise(5, 1 << 20);
    control.store("STOR f", &bytes);
    assert!(server.read("f") == bytes);
}

/// Directories need space, too: a refusal, not a hang.
#[test]
fn small_operations_on_a_full_disk_are_answered() {
    let server = on_a_small_disk();
    let mut control = server.login();
    control.expect("TYPE I", 200);
    overflow(&mut control, "STOR filler");
    for number in 0..50 {
        let reply = control.ask(format!("MKD d{number}"));
        assert!(
            matches!(reply.code, 257 | 451 | 452 | 550 | 552),
            "{}",
            reply.text()
        );
    }
    control.in_step();
}
