//! CWD, MKD, RMD, DELE, RNFR and RNTO; times and modes.

use super::*;

async fn house_with_a_tree() -> (House, Client) {
    let house = House::usual().await;
    let mut client = Client::login(&house, "anna").await;
    for place in ["", "disk/"] {
        client.ask(&format!("MKD {place}dir"), 257).await;
        client.ask(&format!("MKD {place}dir/below"), 257).await;
        client.store(&format!("{place}file"), b"content").await;
    }
    (house, client)
}

#[tokio::test]
async fn cwd_knows_home_and_says_why_not() {
    let (_house, mut client) = house_with_a_tree().await;
    for (path, leads_to) in [
        ("dir", "/dir"),
        ("below/", "/dir/below"),
        ("~", "/"),
        ("~/dir", "/dir"),
        ("//disk", "/disk"),
    ] {
        client.ask(&format!("CWD {path}"), 250).await;
        assert_eq!(client.ask("XPWD", 257).await.quoted(), leads_to);
    }
    client.ask("CDUP", 250).await;
    client.ask("XCUP", 250).await;
    assert_eq!(client.ask("PWD", 257).await.quoted(), "/");
    assert_eq!(
        client.ask("CWD file", 550).await.text,
        "file: Not a directory."
    );
    assert_eq!(
        client.ask("CWD none", 550).await.text,
        "none: No such file or directory."
    );
    client.ask("CWD", 501).await;
    client.ask("CDUP x", 501).await;
}

/// PWD is 550 when the directory is gone; the session stays usable.
#[tokio::test]
async fn a_directory_that_somebody_removed_is_told() {
    let (house, mut client) = house_with_a_tree().await;
    let mut other = Client::login(&house, "anna").await;
    for place in ["", "disk/"] {
        client.ask(&format!("CWD /{place}dir/below"), 250).await;
        other.ask(&format!("RMD {place}dir/below"), 250).await;
        // Within a moment of the last look the answer may be that look's.
        tokio::time::pause();
        tokio::time::advance(std::time::Duration::from_secs(1)).await;
        tokio::time::resume();
        client.ask("PWD", 550).await;
        for command in ["LIST", "STOR x", "MKD d", "RETR x", "MLSD"] {
            assert!(client.say(command).await.code >= 550, "{command}");
        }
        client.ask("CDUP", 250).await;
        assert_eq!(
            client.ask("PWD", 257).await.quoted(),
            format!("/{place}dir")
        );
        // One's own: whoever stood in it stands above it.
        client.ask("RMD .", 250).await;
        client.ask("PWD", 257).await;
    }
}

/// INT-42: the words that clients look for.
#[tokio::test]
async fn mkd_and_rmd_say_what_clients_read() {
    let (_house, mut client) = house_with_a_tree().await;
    assert!(
        client
            .ask("MKD dir", 550)
            .await
            .text
            .contains("File exists")
    );
    assert!(
        client
            .ask("MKD file", 550)
            .await
            .text
            .contains("File exists")
    );
    assert!(
        client
            .ask("MKD disk", 550)
            .await
            .text
            .contains("File exists")
    );
    assert!(client.ask("MKD /", 550).await.text.contains("File exists"));
    client.ask("MKD none/x", 550).await;
    assert_eq!(
        client.ask("MKD say \"x\"", 257).await.text,
        "\"/say \"\"x\"\"\" created."
    );
    client.ask("CWD say \"x\"", 250).await;
    assert_eq!(
        client.ask("PWD", 257).await.text,
        "\"/say \"\"x\"\"\" is the current directory."
    );
    client.ask("CDUP", 250).await;
    assert!(client.ask("RMD dir", 550).await.text.contains("not empty"));
    for command in [
        "RMD /",
        "RMD disk",
        "RMD ..",
        "RMD file",
        "RMD none",
        "DELE dir",
        "DELE disk",
        "DELE /",
        "DELE none",
    ] {
        client.ask(command, 550).await;
    }
    client.ask("XRMD dir/below", 250).await;
    client.ask("XMKD dir/again", 257).await;
}

#[tokio::test]
async fn mkd_of_what_exists_can_be_521() {
    let mut plan = Plan::default();
    plan.machine().mkd_exists_code = 521;
    let house = plan.open().await;
    let mut client = Client::login(&house, "anna").await;
    client.ask("MKD d", 257).await;
    client.ask("MKD d", 521).await;
}

#[tokio::test]
async fn rnto_stands_right_behind_rnfr() {
    let (_house, mut client) = house_with_a_tree().await;
    client.ask("RNTO x", 503).await;
    client.ask("RNFR file", 350).await;
    client.ask("NOOP", 200).await;
    client.ask("STAT", 211).await;
    client.ask("RNTO renamed", 250).await;
    client.ask("RNFR renamed", 350).await;
    client.ask("PWD", 257).await;
    client.ask("RNTO file", 503).await;
    client.ask("RNFR renamed", 350).await;
    client.ask("RNTO none/x", 553).await;
    client.ask("RNTO file", 503).await;
    for refused in ["RNFR none", "RNFR /", "RNFR .", "RNFR disk"] {
        client.ask(refused, 550).await;
        client.ask("RNTO x", 503).await;
    }
}

#[tokio::test]
async fn a_rename_replaces_files_only_and_no_tree_goes_into_itself() {
    let (_house, mut client) = house_with_a_tree().await;
    for place in ["", "disk/"] {
        client.store(&format!("{place}other"), b"other").await;
        for (from, to, code) in [
            ("dir", "dir/inside", 553),
            ("dir", "dir/below/inside", 553),
            ("dir", "file", 553),
            ("file", "dir", 553),
            ("dir/below", "dir", 553),
            ("file", "file", 250),
            ("other", "file", 250),
            ("dir", "moved", 250),
        ] {
            client.ask(&format!("RNFR {place}{from}"), 350).await;
            let reply = client.say(&format!("RNTO {place}{to}")).await;
            assert_eq!(reply.code, code, "{from} {to}: {reply:?}");
        }
        assert_eq!(client.fetch(&format!("RETR {place}file")).await, b"other");
    }
    // Across volumes a file is copied, a directory is not.
    client.ask("RNFR file", 350).await;
    client.ask("RNTO disk/crossed", 250).await;
    assert_eq!(client.fetch("RETR disk/crossed").await, b"other");
    client.ask("SIZE file", 550).await;
    client.ask("RNFR moved", 350).await;
    client.ask("RNTO disk/moved2", 553).await;
    client.ask("CWD moved", 250).await;
}

#[tokio::test]
async fn times_are_set_and_told_in_utc() {
    let (_house, mut client) = house_with_a_tree().await;
    for place in ["", "disk/"] {
        let set = client
            .ask(&format!("MFMT 20020717210715 {place}file"), 213)
            .await
            .text;
        assert_eq!(set, format!("Modify=20020717210715; {place}file"));
        assert_eq!(
            client.ask(&format!("MDTM {place}file"), 213).await.text,
            "20020717210715"
        );
        client
            .ask(&format!("MDTM 20030717210715 {place}file"), 213)
            .await;
        assert_eq!(
            client.ask(&format!("MDTM {place}file"), 213).await.text,
            "20030717210715"
        );
        client
            .ask(&format!("SITE UTIME 20040717210715 {place}file"), 200)
            .await;
        assert!(
            client
                .ask(&format!("MLST {place}file"), 250)
                .await
                .text
                .contains("modify=20040717210715;")
        );
        // An object whose name looks like a time and a path is asked for, not set.
        client
            .store(&format!("{place}20020717210715 file"), b"")
            .await;
        client.ask(&format!("CWD /{place}"), 250).await;
        let asked = client.ask("MDTM 20020717210715 file", 213).await.text;
        assert!(!asked.starts_with("2002"), "{asked}");
        client.ask("CWD /", 250).await;
        client.ask(&format!("MDTM {place}dir"), 213).await;
        client.ask(&format!("MDTM {place}none"), 550).await;
        client
            .ask(&format!("MFMT 20020717210715 {place}none"), 550)
            .await;
        client
            .ask(&format!("MFMT 20021317210715 {place}file"), 501)
            .await;
        client
            .ask(&format!("MFMT 19691231235959 {place}file"), 501)
            .await;
    }
}

/// The mask holds for new objects; the session can make it stricter, never weaker.
#[tokio::test]
async fn site_chmod_and_umask_hold_within_bounds() {
    let (_house, mut client) = house_with_a_tree().await;
    client.ask("CWD disk", 250).await;
    let mode = async |client: &mut Client, name: &str| {
        let facts = client.ask(&format!("MLST {name}"), 250).await.text;
        facts
            .split(';')
            .find_map(|fact| fact.trim().strip_prefix("UNIX.mode=").map(str::to_owned))
            .unwrap()
    };
    assert_eq!(mode(&mut client, "file").await, "0644");
    client.ask("SITE CHMOD 6600 file", 200).await;
    assert_eq!(mode(&mut client, "file").await, "0600", "no set-id bits");
    client.ask("SITE CHMOD u+x,g=r file", 200).await;
    assert_eq!(mode(&mut client, "file").await, "0740");
    assert!(client.ask("SITE UMASK", 200).await.text.contains("022"));
    client.ask("SITE UMASK 000", 200).await;
    client.store("weaker", b"").await;
    assert_eq!(mode(&mut client, "weaker").await, "0644");
    client.ask("SITE UMASK 077", 200).await;
    client.store("stricter", b"").await;
    assert_eq!(mode(&mut client, "stricter").await, "0600");
    client.ask("MKD private", 257).await;
    assert_eq!(mode(&mut client, "private").await, "0700");
    for wrong in [
        "SITE UMASK 888",
        "SITE UMASK 1777",
        "SITE CHMOD 999 file",
        "SITE CHMOD 600",
        "SITE IDLE 299",
        "SITE IDLE 7201",
        "SITE IDLE x",
    ] {
        client.ask(wrong, 501).await;
    }
    client.ask("SITE EXEC ls", 500).await;
    client.ask("SITE CHMOD 600 none", 550).await;
}
