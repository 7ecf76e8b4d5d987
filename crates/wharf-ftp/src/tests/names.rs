//! Names and paths: nothing leads out, nothing forges a reply (PATH-01 to PATH-08, RPL-25).

use super::*;

const HOST_FILE: &str = "host-secret";

/// The host directory beside the volume holds a secret; links in the volume lead to it.
async fn house_with_ways_out() -> (House, Client) {
    let house = House::usual().await;
    let outside = house.disk.parent().unwrap().join("outside");
    rustix::fs::mkdir(&outside, 0o755.into()).unwrap();
    let flags = rustix::fs::OFlags::CREATE | rustix::fs::OFlags::WRONLY;
    let file = rustix::fs::open(outside.join(HOST_FILE), flags, 0o644.into()).unwrap();
    rustix::io::write(&file, b"secret").unwrap();
    for (target, link) in [
        (outside.as_path(), "absolute"),
        ("../outside".as_ref(), "relative"),
        ("/".as_ref(), "top"),
        ("..".as_ref(), "up"),
        ("../outside/host-secret".as_ref(), "leak"),
        ("nowhere".as_ref(), "dangling"),
        ("loop".as_ref(), "loop"),
        ("inside".as_ref(), "fine"),
    ] {
        rustix::fs::symlink(target, house.disk.join(link)).unwrap();
    }
    rustix::fs::mkdir(house.disk.join("inside"), 0o755.into()).unwrap();
    let mut client = Client::login(&house, "anna").await;
    client.store("disk/inside/file", b"inside").await;
    client.ask("CWD disk", 250).await;
    (house, client)
}

/// Dots end at the top; a backslash and a tilde in the middle are octets of a name.
#[tokio::test]
async fn path_01_dots_end_at_the_top() {
    let (_house, mut client) = house_with_ways_out().await;
    for (path, leads_to) in [
        ("..", "/"),
        ("../..", "/"),
        ("/../../..", "/"),
        ("./././disk/..//disk/./inside/", "/disk/inside"),
        ("/disk/inside/../../../../disk", "/disk"),
    ] {
        client.ask(&format!("CWD {path}"), 250).await;
        assert_eq!(client.ask("PWD", 257).await.quoted(), leads_to, "{path}");
        client.ask("CWD /", 250).await;
    }
    for path in [
        "..\\..",
        "\\",
        "~root",
        "disk/..\\..\\x",
        "%2e%2e",
        "....//",
        "disk/~",
    ] {
        client.ask(&format!("CWD {path}"), 550).await;
    }
    client.store("a\\b", b"x").await;
    assert_eq!(client.fetch("RETR a\\b").await, b"x");
}

/// PATH-02, PATH-03: no verb follows a link out of the volume, and no reply names the host.
#[tokio::test]
async fn path_03_a_link_that_leads_out_is_not_there() {
    let (house, mut client) = house_with_ways_out().await;
    let mut told = String::new();
    for link in [
        "absolute",
        "relative",
        "top",
        "up",
        "up/outside",
        "leak",
        "dangling",
        "loop",
    ] {
        for verb in [
            "CWD",
            "RETR",
            "SIZE",
            "MDTM",
            "HASH",
            "XMD5",
            "MFMT 20200101000000",
            "SITE CHMOD 777",
        ] {
            let reply = client.say(&format!("{verb} {link}")).await;
            assert!(matches!(reply.code, 550), "{verb} {link}: {reply:?}");
            told.push_str(&reply.text);
        }
        for command in [
            "RETR", "LIST", "NLST", "STOR", "APPE", "STOU", "MLSD", "MKD", "RMD", "DELE", "RNFR",
            "STAT",
        ] {
            client.passive_address().await;
            let reply = client.say(&format!("{command} {link}/{HOST_FILE}")).await;
            assert!(
                matches!(reply.code, 550 | 553),
                "{command} {link}: {reply:?}"
            );
            told.push_str(&reply.text);
        }
        client.ask("RNFR inside/file", 350).await;
        let reply = client.say(&format!("RNTO {link}/new")).await;
        assert!(matches!(reply.code, 550 | 553), "RNTO {link}: {reply:?}");
    }
    // Links are listed as links, without the host's names.
    let lines = client.list("LIST").await;
    let line = |name: &str| {
        lines
            .iter()
            .find(|line| line.contains(&format!(" {name}")))
            .unwrap()
    };
    assert!(line("fine").ends_with("fine -> inside"), "{lines:?}");
    for name in ["absolute", "relative", "top", "up", "leak"] {
        assert!(
            line(name).starts_with('l') && line(name).ends_with(name),
            "{lines:?}"
        );
    }
    told.push_str(&lines.join(" "));
    told.push_str(&client.list("MLSD").await.join(" "));
    assert!(
        !told.contains(house.disk.parent().unwrap().to_str().unwrap()),
        "{told}"
    );
    assert!(client.fetch("RETR fine/file").await == b"inside");
    // The link itself can be removed.
    client.ask("DELE leak", 250).await;
    assert_eq!(
        rustix::fs::stat(house.disk.parent().unwrap().join("outside").join(HOST_FILE))
            .unwrap()
            .st_size,
        6
    );
}

/// PATH-04: a FIFO is not opened, and nobody waits for its other end.
#[tokio::test]
async fn path_04_special_files_are_never_opened() {
    let (house, mut client) = house_with_ways_out().await;
    rustix::fs::mknodat(
        rustix::fs::CWD,
        house.disk.join("fifo"),
        rustix::fs::FileType::Fifo,
        0o644.into(),
        0,
    )
    .unwrap();
    for command in ["RETR fifo", "APPE fifo", "SIZE fifo", "HASH fifo"] {
        client.passive_address().await;
        let reply = client.say(command).await;
        assert!(
            matches!(reply.code, 550 | 552 | 553),
            "{command}: {reply:?}"
        );
    }
    assert!(
        !client
            .list("MLSD")
            .await
            .iter()
            .any(|line| line.ends_with(" fifo") && line.contains("type=file"))
    );
}

/// PATH-05: 255 octets of a name and 4096 of a path, not one more.
#[tokio::test]
async fn path_05_long_names_are_refused() {
    let (_house, mut client) = house_with_ways_out().await;
    let fits = "n".repeat(255);
    let long = "n".repeat(256);
    for place in ["/", "/disk/"] {
        client.store(&format!("{place}{fits}"), b"x").await;
        assert_eq!(client.fetch(&format!("RETR {place}{fits}")).await, b"x");
        client.ask(&format!("DELE {place}{fits}"), 250).await;
        for (verb, code) in [
            ("STOR", 553),
            ("APPE", 553),
            ("STOU", 553),
            ("MKD", 553),
            ("RETR", 550),
            ("CWD", 550),
            ("DELE", 550),
        ] {
            client.ask(&format!("{verb} {place}{long}"), code).await;
            client
                .ask(&format!("{verb} {}", "/x".repeat(2049)), code)
                .await;
        }
        client.store("source", b"x").await;
        client.ask("RNFR source", 350).await;
        client.ask(&format!("RNTO {place}{long}"), 553).await;
    }
}

/// PATH-06: no NUL, no line ends, in any form in which they can be sent.
#[tokio::test]
async fn path_06_line_ends_and_nul_make_no_names_and_forge_no_replies() {
    let (house, mut client) = house_with_ways_out().await;
    client.send(b"STOR a\0b\r\n").await;
    client.expect(501).await;
    client.send(b"MKD a\rb\r\n").await;
    client.expect(501).await;
    // CR NUL is a CR in the argument (RFC 2640).
    for verb in ["STOR", "MKD", "STOU", "APPE"] {
        client.passive_address().await;
        client
            .send([verb.as_bytes(), b" a\r\0b\r\n"].concat())
            .await;
        client.expect(553).await;
    }
    client.send(b"CWD a\r\x00226 forged\r\n").await;
    assert!(!client.expect(550).await.text.contains('\n'));
    // Those that stand on the host are shown with `?`.
    for name in ["lf\nname", "cr\rname", "226 x\r\n250 y"] {
        rustix::fs::mkdir(house.disk.join("inside").join(name), 0o755.into()).unwrap();
    }
    for command in ["NLST inside", "LIST inside", "MLSD inside"] {
        let lines = client.list(command).await;
        let shown = ["lf?name", "cr?name", "226 x??250 y"];
        assert!(
            shown
                .iter()
                .all(|name| lines.iter().any(|line| line.ends_with(name))),
            "{lines:?}"
        );
        assert!(lines.iter().all(|line| !line.contains(['\r', '\n'])));
    }
    let status = client.say("STAT inside").await;
    assert_eq!(
        status.text.lines().count(),
        6,
        "a head, four entries and an end: {status:?}"
    );
}

/// PATH-07: new names are UTF-8, old ones are taken as they are.
#[tokio::test]
async fn path_07_old_names_may_be_any_octets() {
    use std::os::unix::ffi::OsStrExt as _;

    let (house, mut client) = house_with_ways_out().await;
    rustix::fs::mkdir(
        house.disk.join(std::ffi::OsStr::from_bytes(b"old\xe4")),
        0o755.into(),
    )
    .unwrap();
    client.send(b"MKD new\xe4\r\n").await;
    client.expect(553).await;
    client.send(b"CWD old\xe4\r\n").await;
    client.expect(250).await;
    client.ask("CWD ..", 250).await;
    client.ask("MKD gr\u{fc}n \u{1f6a2}", 257).await;
    // RPL-10: 0xFF is doubled on the wire.
    rustix::fs::mkdir(
        house.disk.join(std::ffi::OsStr::from_bytes(b"\xff")),
        0o755.into(),
    )
    .unwrap();
    client.send(b"RMD \xff\xff\r\n").await;
    client.expect(250).await;
}

/// PATH-08: the service's own temporaries are not there, for any verb.
#[tokio::test]
async fn path_08_temporaries_are_hidden() {
    let (house, mut client) = house_with_ways_out().await;
    rustix::fs::mkdir(house.disk.join(".wharf-x.part"), 0o755.into()).unwrap();
    for (command, code) in [
        ("CWD .wharf-x.part", 550),
        ("RETR .wharf-x.part", 550),
        ("RMD .wharf-x.part", 550),
        ("RNFR .wharf-x.part", 550),
        ("STOR .wharf-y.part", 553),
        ("MKD .wharf-y", 550),
        ("LIST .wharf-x.part", 550),
        ("MLST .wharf-x.part", 550),
    ] {
        let reply = client.say(command).await;
        assert!(
            reply.code == code || reply.code == 553,
            "{command}: {reply:?}"
        );
    }
    assert!(
        !client
            .list("LIST -a")
            .await
            .iter()
            .any(|line| line.contains(".wharf"))
    );
    assert!(client.list("NLST .wharf*").await.is_empty());
}
