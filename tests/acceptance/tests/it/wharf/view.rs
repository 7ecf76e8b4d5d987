//! The walls of the view (PATH-01 to PATH-08): no path and no link leads out of it.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::sync::atomic::{AtomicBool, Ordering};

use wharf_acceptance_tests::{Control, Server};

/// Every verb that takes a path, tried on one that must not be reached: each must refuse.
fn nothing_reaches(control: &mut Control, path: &str) {
    for verb in [
        "CWD",
        "SIZE",
        "MDTM",
        "MLST",
        "RNFR",
        "HASH",
        "STAT",
        "MFMT 20200101000000",
        "SITE CHMOD 777",
    ] {
        let reply = control.ask(format!("{verb} {path}"));
        assert!(reply.code >= 400, "{verb} {path}: {}", reply.text());
        assert!(
            !reply.text().contains("/tmp/"),
            "a host path is shown: {}",
            reply.text()
        );
    }
    for verb in ["RETR", "LIST", "NLST", "MLSD"] {
        let reply = control.fails(format!("{verb} {path}"), &[450, 501, 550]);
        assert!(
            !reply.text().contains("/tmp/"),
            "a host path is shown: {}",
            reply.text()
        );
    }
}

/// PATH-01: dots never leave the root, for any verb.
#[test]
fn dots_do_not_leave_the_root() {
    let server = Server::start();
    let outside = server.outside();
    std::fs::write(outside.join("secret"), "secret").unwrap();
    let mut control = server.login();
    for path in [
        "../outside/secret",
        "/../../outside/secret",
        "x/../../outside/secret",
        "..//..//outside/secret",
    ] {
        nothing_reaches(&mut control, path);
    }
    for line in [
        "STOR ../outside/new",
        "APPE ../outside/secret",
        "STOU ../outside/new",
    ] {
        control.refused(line, &[550, 553]);
    }
    control.expect_any("MKD ../outside/d", &[550, 553]);
    control.expect("DELE ../outside/secret", 550);
    assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 1);
    assert_eq!(std::fs::read(outside.join("secret")).unwrap(), b"secret");
}

/// PATH-03: a link out of the volume leads nowhere.
#[test]
fn links_do_not_leave_the_root() {
    let server = Server::start();
    let outside = server.outside();
    std::fs::write(outside.join("secret"), "secret").unwrap();
    symlink(&outside, server.path("dir")).unwrap();
    symlink(outside.join("secret"), server.path("file")).unwrap();
    symlink("../outside", server.path("relative")).unwrap();
    let mut control = server.login();
    for path in ["dir", "dir/secret", "relative/secret", "relative"] {
        for verb in ["CWD", "SIZE", "HASH"] {
            let reply = control.ask(format!("{verb} {path}"));
            assert!(reply.code >= 400, "{verb} {path}: {}", reply.text());
        }
    }
    for path in ["dir/secret", "file", "relative/secret"] {
        control.refused(format!("RETR {path}"), &[550]);
    }
    for line in ["STOR dir/new", "STOR relative/new", "APPE file"] {
        control.refused(line, &[550, 553]);
    }
    control.expect_any("MKD dir/d", &[550, 553]);
    control.expect("DELE dir/secret", 550);
    let reply = control.ask("SITE CHMOD 777 file");
    assert!(reply.code >= 500);
    assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 1);
    assert_eq!(std::fs::read(outside.join("secret")).unwrap(), b"secret");
}

/// PATH-03: a link inside the volume works.
#[test]
fn links_inside_are_followed() {
    let server = Server::start();
    server.mkdir("real");
    server.put("real/f", "hello");
    symlink("real", server.path("link")).unwrap();
    symlink("real/f", server.path("file")).unwrap();
    let mut control = server.login();
    assert_eq!(control.fetch("RETR link/f"), b"hello");
    assert_eq!(control.fetch("RETR file"), b"hello");
    control.expect("CWD link", 250);
}

/// Past holes CVE-2012-6095, CVE-2017-7418: a link that is swapped while we look.
#[test]
fn a_swapped_link_never_shows_the_outside() {
    let server = Server::start();
    let outside = server.outside();
    std::fs::write(outside.join("f"), "the secret").unwrap();
    server.mkdir("real");
    server.put("real/f", "harmless");
    symlink("real", server.path("door")).unwrap();
    let stop = AtomicBool::new(false);
    // Also when an assertion fails: the scope waits for its thread.
    struct Stop<'a>(&'a AtomicBool);
    impl Drop for Stop<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    std::thread::scope(|scope| {
        let _stop = Stop(&stop);
        scope.spawn(|| {
            let (door, next) = (server.path("door"), server.path("next"));
            let mut out = true;
            while !stop.load(Ordering::Relaxed) {
                let target = if out {
                    outside.as_os_str()
                } else {
                    OsStr::new("real")
                };
                symlink(target, &next).unwrap();
                std::fs::rename(&next, &door).unwrap();
                out = !out;
            }
        });
        let mut control = server.login();
        control.expect("TYPE I", 200);
        let mut served = 0;
        for _ in 0..300 {
            let mut data = control.passive();
            control.send("RETR door/f");
            if control.wants_any(&[150, 550]).code == 150 {
                let mut bytes = Vec::new();
                std::io::Read::read_to_end(&mut data, &mut bytes).unwrap();
                drop(data);
                control.wants(226);
                assert_eq!(bytes, b"harmless");
                served += 1;
            }
        }
        for round in 0..100 {
            let reply = control.ask(format!("MKD door/d{round}"));
            assert!(matches!(reply.code, 257 | 550 | 553), "{}", reply.text());
        }
        assert!(served > 0, "the race never let a download through");
    });
    assert_eq!(
        std::fs::read_dir(&outside).unwrap().count(),
        1,
        "something was made outside"
    );
}

/// PATH-04: pipes and sockets are never opened.
#[test]
fn pipes_and_sockets_are_not_opened() {
    let server = Server::start();
    wharf_acceptance_tests::subject::run(
        std::process::Command::new("mkfifo").arg(server.path("pipe")),
    );
    let _socket = std::os::unix::net::UnixListener::bind(server.path("socket")).unwrap();
    let mut control = server.login();
    for name in ["pipe", "socket"] {
        control.refused(format!("RETR {name}"), &[550]);
        control.refused(format!("APPE {name}"), &[550, 553]);
        let reply = control.ask(format!("HASH {name}"));
        assert!(reply.code >= 500, "{}", reply.text());
    }
    control.in_step();
}

/// PATH-05: names and paths have a length.
#[test]
fn overlong_names_are_refused() {
    let server = Server::start();
    let mut control = server.login();
    let name = "n".repeat(256);
    control.expect_any(format!("MKD {name}"), &[553, 550]);
    control.refused(format!("STOR {name}"), &[553, 550]);
    control.expect(format!("CWD {name}"), 550);
    let deep = "d/".repeat(3000);
    control.expect_any(format!("MKD {deep}x"), &[553, 550]);
    control.expect("MKD ".to_owned() + &"n".repeat(240), 257);
}

/// PATH-06, PATH-07: what a name may not hold when it is made.
#[test]
fn unfit_names_are_not_made() {
    let server = Server::start();
    let mut control = server.login();
    control.send(b"MKD caf\xe9");
    control.wants(553);
    control.raw(b"MKD a\r\0b\r\n");
    control.wants_any(&[553, 501]);
    assert!(server.names().is_empty(), "{:?}", server.names());
}

/// PATH-07: an old name in another encoding can be deleted and renamed.
#[test]
fn an_old_name_in_another_encoding_can_be_renamed() {
    let server = Server::start();
    server.put(OsStr::from_bytes(b"caf\xe9"), "x");
    let mut control = server.login();
    control.send(b"RNFR caf\xe9");
    control.wants(350);
    control.expect("RNTO café", 250);
    assert!(server.has("café"));
}

/// DAT-83; past holes CVE-2011-0762, CVE-2011-0418: a pattern that would explode does not.
#[test]
fn glob_bombs_are_bounded() {
    let server = Server::start();
    for number in 0..300 {
        server.put(format!("{}{number}", "a".repeat(200)), "");
    }
    let mut control = server.login();
    for pattern in [
        "*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b",
        "{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}",
        "*/../*/../*/../*/../*/../*",
        "[[[[[[[[[[[[[[[[[[[[[[",
        "*?*?*?*?*?*?*?*?*?*?*?*?*?*?c",
    ] {
        let reply = control.ask(format!("STAT {pattern}"));
        assert!(
            matches!(reply.code, 211 | 212 | 213 | 450 | 501 | 550),
            "{}",
            reply.text()
        );
    }
    control.in_step();
}

/// CVE-2025-14242, ProFTPD 2030: options of any length are only options.
#[test]
fn absurd_list_options_are_harmless() {
    let server = Server::start();
    server.put("f", "x");
    let mut control = server.login();
    for options in [
        "-".to_owned() + &"B".repeat(5000),
        "-a ".repeat(1000),
        "--".into(),
        "-".into(),
        "-R".into(),
    ] {
        let data = control.passive();
        let reply = control.ask(format!("LIST {options}"));
        if reply.code == 150 {
            let _ = wharf_acceptance_tests::socket::drain(data);
            control.wants(226);
        } else {
            assert!(reply.code >= 400, "{}", reply.text());
        }
    }
    control.in_step();
}

/// CVE-2019-20176: a deep tree does not exhaust a stack.
#[test]
fn a_deep_tree_is_listed_and_left() {
    let server = Server::start();
    let mut control = server.login();
    for _ in 0..200 {
        control.expect("MKD d", 257);
        control.expect("CWD d", 250);
    }
    control.fetch("LIST -R");
    control.fetch("LIST -R /");
    control.expect("CWD /", 250);
    control.in_step();
}
