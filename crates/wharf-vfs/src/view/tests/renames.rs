//! Renames that must not replace (SFT-41).

use super::*;

#[tokio::test]
async fn sft_41_a_rename_that_must_not_replace_does_not_whatever_the_rights() {
    let volume = furnished().await;
    let before = snapshot(&volume).await;
    let view = view_of(&volume, &[("/", ALL)]);
    for to in ["/d/other", "/d/link", "/d/empty", "/d/file"] {
        assert_eq!(
            refused(view.rename_new(&path("/d/file"), &path(to)).await),
            ErrorKind::Exists,
            "{to}"
        );
    }
    assert_eq!(
        refused(view.rename_new(&path("/d/no"), &path("/d/no")).await),
        ErrorKind::NotFound
    );
    assert_eq!(snapshot(&volume).await, before);
    must(view.rename_new(&path("/d/file"), &path("/d/new")).await);
    assert_eq!(fetch(&volume, "/d/new").await, b"old");
}

#[tokio::test]
async fn sft_41_across_volumes_nothing_is_replaced_either() {
    let (view, one, other) = two_volumes().await;
    put(&one, "/f", b"new").await;
    put(&other, "/f", b"old").await;
    assert_eq!(
        refused(view.rename_new(&path("/f"), &path("/other/f")).await),
        ErrorKind::Exists
    );
    assert_eq!(fetch(&other, "/f").await, b"old");
    must(view.rename_new(&path("/f"), &path("/other/g")).await);
    assert_eq!(fetch(&other, "/g").await, b"new");
    assert!(crate::contract::names(&one, "/").await.is_empty());
}
