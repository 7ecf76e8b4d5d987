//! Commands over a channel.

use std::sync::Arc;

use tokio::io::AsyncReadExt as _;
use wharf_vfs::{Grants, Right, Rights, volumes::MemoryVolume};

use super::*;
use crate::scp::tests::house::{House, Plan, exit};

/// SFT-70, SFT-71, INT-32, INT-36, CVE-2020-15778: no shell and no program, ever.
#[tokio::test]
async fn what_is_not_served_is_refused_with_a_sentence_and_127() {
    let house = House::new().await;
    for line in [
        "id",
        "",
        "scp -t a;id",
        "scp -t `id`",
        "scp -t a\nid",
        "bash -c 'scp -t a'",
        "echo ${ShellId}%ComSpec%",
        "md5sum f | cat",
    ] {
        let (heard, ended) = house.run(line, b"C0644 0 a\n\0").await;
        assert!(heard.is_empty(), "{line}");
        assert_eq!(ended.status, 127, "{line}");
        let text = String::from_utf8(ended.stderr).unwrap();
        assert!(
            text.ends_with('\n') && text.contains("SFTP"),
            "{line}: {text}"
        );
    }
    assert!(house.names("/").await.is_empty());
}

/// SCP-01.
#[tokio::test]
async fn a_scp_that_is_asked_wrongly_hears_it_as_a_message() {
    let house = House::new().await;
    let (heard, ended) = house.run("scp -t -S x", b"").await;
    assert_eq!(
        (heard.as_slice(), ended),
        (b"\x01scp: unknown option\n".as_slice(), exit(1))
    );
    for line in ["scp x", "scp -t a b", "scp -f"] {
        let (heard, ended) = house.run(line, b"").await;
        assert!(
            heard.starts_with(b"\x01scp: ") && heard.ends_with(b"\n"),
            "{line}"
        );
        assert_eq!(ended, exit(1));
    }
}

/// SFT-70: output as the Unix tools write it.
#[tokio::test]
async fn hashes_are_those_of_the_unix_tools() {
    let house = House::new().await;
    house.put("a b", b"abc").await;
    house.put("back\\slash", b"").await;
    for (line, output) in [
        ("md5sum a\\ b", "900150983cd24fb0d6963f7d28e17f72  a b\n"),
        (
            "sha1sum 'a b'",
            "a9993e364706816aba3e25717850c26c9cd0d89d  a b\n",
        ),
        (
            "sha256sum -- 'a b'",
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  a b\n",
        ),
        (
            "md5sum 'back\\slash'",
            "\\d41d8cd98f00b204e9800998ecf8427e  back\\\\slash\n",
        ),
    ] {
        let (heard, ended) = house.run(line, b"").await;
        assert_eq!((heard.as_slice(), ended), (output.as_bytes(), exit(0)));
    }
}

/// INT-36: rclone learns which hashes there are by hashing nothing.
#[tokio::test]
async fn a_hash_without_a_path_is_that_of_the_input() {
    let house = House::new().await;
    let (heard, ended) = house.run("md5sum", b"").await;
    assert_eq!(
        (heard.as_slice(), ended),
        (b"d41d8cd98f00b204e9800998ecf8427e  -\n".as_slice(), exit(0))
    );
    let (heard, _) = house.run("sha1sum", b"abc").await;
    assert_eq!(heard, b"a9993e364706816aba3e25717850c26c9cd0d89d  -\n");
}

#[tokio::test]
async fn a_hash_that_cannot_be_made_is_told_on_stderr_and_the_others_are_made() {
    let house = House::new().await;
    house.make("d", 0o755).await;
    house.put("f", b"").await;
    let (heard, ended) = house.run("md5sum none d f 'n\x1b'", b"").await;
    assert_eq!(heard, b"d41d8cd98f00b204e9800998ecf8427e  f\n");
    assert_eq!(ended.status, 1);
    assert_eq!(
        String::from_utf8(ended.stderr).unwrap(),
        "md5sum: none: No such file or directory\nmd5sum: d: Is a directory\n\
         md5sum: n\\u{1b}: No such file or directory\n"
    );
}

#[tokio::test]
async fn a_hash_needs_its_right() {
    let house = House::of(Plan {
        grants: Grants::everywhere(Rights::FULL.without(Right::Hash)),
        ..Plan::default()
    })
    .await;
    house.put("f", b"").await;
    let (heard, ended) = house.run("md5sum f", b"").await;
    assert!(heard.is_empty());
    assert_eq!(
        (ended.status, ended.stderr),
        (1, b"md5sum: f: Permission denied\n".to_vec())
    );
}

/// SFT-70.
#[tokio::test]
async fn df_pwd_and_echo_answer() {
    let house = House::of(Plan {
        volume: Arc::new(MemoryVolume::new(1 << 20)),
        ..Plan::default()
    })
    .await;
    house.put("f", &[0; 512 * 1024]).await;
    let (heard, ended) = house.run("df -k .", b"").await;
    assert_eq!(ended, exit(0));
    let table = String::from_utf8(heard).unwrap();
    let fields: Vec<&str> = table.lines().nth(1).unwrap().split_whitespace().collect();
    assert_eq!(fields, ["wharf", "1024", "512", "512", "50%", "/"]);
    assert_eq!(house.run("pwd", b"").await, (b"/\n".to_vec(), exit(0)));
    assert_eq!(
        house.run("echo 'a  b' c", b"").await,
        (b"a  b c\n".to_vec(), exit(0))
    );
    let (heard, ended) = house.run("df -h .", b"").await;
    assert!(heard.is_empty() && ended.status == 1);
    assert_eq!(ended.stderr, b"df: this use is not supported\n");
}

/// What is switched off is refused as everything else is.
#[tokio::test]
async fn what_is_switched_off_is_refused() {
    let house = House::new().await;
    let none = Allowed {
        scp: false,
        helpers: false,
        hash_max_bytes: 0,
    };
    for line in ["scp -t .", "scp -f x", "scp -S", "md5sum x", "echo a"] {
        let (ours, mut theirs) = tokio::io::duplex(64);
        let session = Arc::clone(&house.session);
        let ended = run(ours, line.as_bytes(), none, session, std::future::pending()).await;
        assert_eq!(ended.status, 127, "{line}");
        assert!(ended.stderr.ends_with(b"\n") && ended.stderr.len() > 20);
        let mut heard = Vec::new();
        theirs.read_to_end(&mut heard).await.unwrap();
        assert!(heard.is_empty());
    }
}

/// SFT-60: by exec no more is hashed than by check-file, and for nobody who is gone.
#[tokio::test]
async fn a_probe_hashes_what_may_be_hashed_and_not_for_the_gone() {
    let house = House::new().await;
    house.put("long", b"abc").await;
    house.put("short", b"ab").await;
    let allowed = Allowed {
        scp: false,
        helpers: true,
        hash_max_bytes: 2,
    };
    let (ours, mut theirs) = tokio::io::duplex(1 << 10);
    let session = Arc::clone(&house.session);
    let never = std::future::pending();
    let ended = run(ours, b"md5sum long short", allowed, session, never).await;
    assert_eq!(ended.status, 1);
    let text = String::from_utf8(ended.stderr).unwrap();
    assert!(text.starts_with("md5sum: long: "), "{text}");
    let mut heard = String::new();
    theirs.read_to_string(&mut heard).await.unwrap();
    assert_eq!(heard, "187ef4436122d1cc2f40dc2b92f0eba0  short\n");
    // Input that never comes.
    let (ours, _theirs) = tokio::io::duplex(1 << 10);
    let session = Arc::clone(&house.session);
    let gone = std::future::ready(());
    assert_eq!(run(ours, b"md5sum", allowed, session, gone).await, exit(0));
}
