//! Links: what a second name, or a text, must not lend.

use super::*;

/// CVE-2015-1419's lesson for hard links: a second name gives no more than the first.
#[tokio::test]
async fn a_hard_link_lends_no_right_that_the_file_has_not() {
    let volume = memory();
    for text in ["/pub", "/secret", "/mine"] {
        make(&volume, text).await;
    }
    put(&volume, "/pub/f", b"kept").await;
    put(&volume, "/secret/f", b"secret").await;
    put(&volume, "/mine/f", b"mine").await;
    let looks = Rights::READ_ONLY.with(Right::Link);
    let view = view_of(
        &volume,
        &[
            ("/", ALL),
            ("/pub", looks),
            ("/secret", Rights::NONE),
            ("/locked", Rights::READ_ONLY),
        ],
    );
    let link = |from: &'static str, to: &'static str| {
        let view = view.clone();
        async move { view.create_hard_link(&path(from), &path(to)).await }
    };
    // Written through its new name it would be another's file that changes.
    assert_eq!(refused(link("/pub/f", "/mine/g").await), ErrorKind::Denied);
    assert_eq!(
        refused(link("/secret/f", "/mine/g").await),
        ErrorKind::NotFound
    );
    // Both ends pass the gate.
    assert_eq!(
        refused(link("/mine/f", "/secret/g").await),
        ErrorKind::NotFound
    );
    assert_eq!(
        refused(link("/mine/f", "/locked/g").await),
        ErrorKind::Denied
    );
    assert_eq!(
        refused(link("/locked/f", "/mine/g").await),
        ErrorKind::Denied
    );
    assert_eq!(crate::contract::names(&volume, "/mine").await, ["f"]);
    must(link("/mine/f", "/mine/g").await);
    must(link("/mine/f", "/pub/g").await);
    must(link("/pub/f", "/pub/h").await);
}

#[tokio::test]
async fn sft_52_a_hard_link_stays_in_its_volume_and_replaces_nothing() {
    let (view, one, _other) = two_volumes().await;
    put(&one, "/f", b"").await;
    put(&one, "/g", b"").await;
    for (to, expected) in [
        ("/other/f", ErrorKind::CrossVolume),
        ("/other", ErrorKind::Exists),
        ("/", ErrorKind::Exists),
        ("/g", ErrorKind::Exists),
    ] {
        assert_eq!(
            refused(view.create_hard_link(&path("/f"), &path(to)).await),
            expected,
            "{to}"
        );
    }
    for from in ["/", "/other"] {
        assert_eq!(
            refused(view.create_hard_link(&path(from), &path("/x")).await),
            ErrorKind::IsADirectory,
            "{from}"
        );
    }
    let error = view
        .create_hard_link(&path("/missing"), &path("/x"))
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind, error.path),
        (ErrorKind::NotFound, path("/missing"))
    );
}

/// SFT-31: as given when it stays inside, else not at all.
#[tokio::test]
async fn sft_31_a_links_text_is_kept_if_it_is_relative_and_stays_inside() {
    let volume = memory();
    for text in ["/a", "/a/b"] {
        make(&volume, text).await;
    }
    let view = view_of(&volume, &[("/", ALL)]);
    for (number, text) in ["x", "./x//y/", "../x", "../../x", ".././..", "."]
        .into_iter()
        .enumerate()
    {
        let link = path(&format!("/a/b/{number}"));
        must(view.create_symlink_text(text.as_bytes(), &link).await);
        assert_eq!(must(view.read_link(&link).await), text.as_bytes());
    }
    for (text, expected) in [
        ("/a", ErrorKind::Denied),
        ("/", ErrorKind::Denied),
        ("../../..", ErrorKind::Denied),
        ("../../../a", ErrorKind::Denied),
        // Where it leads hangs on what `x` is.
        ("x/..", ErrorKind::Denied),
        ("../x/../../../y", ErrorKind::Denied),
        ("", ErrorKind::InvalidName),
        ("a\0b", ErrorKind::InvalidName),
    ] {
        let made = view
            .create_symlink_text(text.as_bytes(), &path("/a/b/l"))
            .await;
        assert_eq!(refused(made), expected, "{text:?}");
    }
    let long = vec![b'x'; 256];
    let made = view.create_symlink_text(&long, &path("/a/b/l")).await;
    assert_eq!(refused(made), ErrorKind::InvalidName);
}

/// A link whose directory is reached by a link: `..` would count from elsewhere.
#[tokio::test]
async fn sft_31_a_text_that_leads_up_is_refused_below_a_link() {
    let volume = memory();
    for text in ["/a", "/a/b", "/top"] {
        make(&volume, text).await;
    }
    must(
        volume
            .create_symlink(&path("/top"), &path("/a/b/way"))
            .await,
    );
    let view = view_of(&volume, &[("/", ALL)]);
    let link = path("/a/b/way/l");
    assert_eq!(
        refused(view.create_symlink_text(b"../../x", &link).await),
        ErrorKind::Denied
    );
    must(view.create_symlink_text(b"x", &link).await);
}

/// A mount is a top, too.
#[tokio::test]
async fn sft_31_a_text_does_not_lead_out_of_its_mount() {
    let (view, one, other) = two_volumes().await;
    make(&other, "/d").await;
    put(&one, "/f", b"").await;
    let made = view
        .create_symlink_text(b"../../f", &path("/other/d/l"))
        .await;
    assert_eq!(refused(made), ErrorKind::Denied);
    let made = view.create_symlink_text(b"other/f", &path("/l")).await;
    assert_eq!(refused(made), ErrorKind::CrossVolume);
    must(view.create_symlink_text(b"../f", &path("/other/d/l")).await);
}

/// CVE-2015-1419: by text as by path.
#[tokio::test]
async fn a_links_text_does_not_lead_around_a_rule() {
    let volume = memory();
    for text in ["/secret", "/a", "/a/secret"] {
        make(&volume, text).await;
    }
    let view = view_of(
        &volume,
        &[
            ("/", ALL),
            ("/secret", Rights::NONE),
            ("/shown", Rights::READ_ONLY),
        ],
    );
    for (text, at, expected) in [
        ("secret/f", "/l", ErrorKind::NotFound),
        ("../secret/f", "/a/l", ErrorKind::Denied),
        ("shown/f", "/l", ErrorKind::Denied),
        ("..", "/a/l", ErrorKind::Denied),
        ("../a/secret", "/a/l", ErrorKind::Denied),
        (".", "/l", ErrorKind::Denied),
    ] {
        let made = view.create_symlink_text(text.as_bytes(), &path(at)).await;
        assert_eq!(refused(made), expected, "{text}");
    }
    must(view.create_symlink_text(b"secret", &path("/a/l")).await);
}
