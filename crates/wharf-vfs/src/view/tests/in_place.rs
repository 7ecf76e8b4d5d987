//! Files that are opened in place: rights, neighbours, and what was asked.

use super::*;

pub(super) const READ: InPlace = InPlace {
    read: true,
    write: false,
    append: false,
    create: None,
    exclusive: false,
    truncate: false,
};
pub(super) const WRITE: InPlace = InPlace {
    read: false,
    write: true,
    ..READ
};
pub(super) const APPEND: InPlace = InPlace {
    append: true,
    ..WRITE
};
pub(super) const CUT: InPlace = InPlace {
    truncate: true,
    ..WRITE
};
pub(super) const MAKE: InPlace = InPlace {
    create: Some(0o640),
    ..WRITE
};

/// Opens, and writes if that was asked.
pub(super) async fn open(view: &View, text: &str, asked: InPlace) -> Result<()> {
    let opened = view.open_in_place(&path(text), asked).await?;
    if asked.write {
        must(opened.file.write_at(b"new".to_vec(), 0).await);
    }
    Ok(())
}

/// Every combination of what can be asked.
fn combinations() -> impl Iterator<Item = InPlace> {
    (0..64_u32).map(|bits| {
        let has = |bit: u32| bits >> bit & 1 == 1;
        InPlace {
            read: has(0),
            write: has(1),
            append: has(2),
            create: has(3).then_some(0o644),
            exclusive: has(4),
            truncate: has(5),
        }
    })
}

/// CVE-2017-15906: `O_CREAT` alone makes an empty file, so it is refused, too.
#[tokio::test]
async fn cve_2017_15906_no_combination_gets_past_an_account_that_may_only_read() {
    let volume = furnished().await;
    let before = snapshot(&volume).await;
    let view = view_of(&volume, &[("/", Rights::READ_ONLY)]);
    for asked in combinations() {
        let changes = asked.write || asked.append || asked.truncate || asked.create.is_some();
        for text in ["/d/file", "/d/new", "/d/link"] {
            let opened = view.open_in_place(&path(text), asked).await;
            match (changes, text) {
                (true, _) => assert_eq!(refused(opened), ErrorKind::Denied, "{text} {asked:?}"),
                (false, "/d/new") => assert_eq!(refused(opened), ErrorKind::NotFound),
                (false, _) => {
                    let opened = must(opened);
                    assert!(opened.file.write_at(b"x".to_vec(), 0).await.is_err());
                    assert!(opened.file.set_size(0).await.is_err());
                }
            }
        }
    }
    assert_eq!(snapshot(&volume).await, before);
}

/// The same where the volume decides: no combination changes anything, whatever the rights.
#[tokio::test]
async fn no_combination_changes_a_read_only_volume() {
    let volume = furnished().await;
    let before = snapshot(&volume).await;
    let layer: Arc<dyn Volume> = Arc::new(ReadOnly::new(Arc::new(volume.clone())));
    let view = view_with(vec![("/", layer)], &[("/", ALL)], ViewSettings::default());
    for asked in combinations() {
        for text in ["/d/file", "/d/new"] {
            if let Ok(opened) = view.open_in_place(&path(text), asked).await {
                assert!(!asked.writes() && !opened.created, "{text} {asked:?}");
                let change = AttributeChange {
                    mode: Some(0),
                    ..AttributeChange::default()
                };
                assert_eq!(
                    refused(opened.file.set_attributes(change).await),
                    ErrorKind::ReadOnly
                );
            }
        }
    }
    assert_eq!(snapshot(&volume).await, before);
}

/// Each right opens what it is for and nothing else, whatever is asked besides.
#[tokio::test]
async fn what_exists_is_changed_only_by_the_right_for_it() {
    for asked in combinations().filter(|asked| asked.writes()) {
        let needed = asked.change().unwrap();
        let volume = furnished().await;
        let before = snapshot(&volume).await;
        let view = view_of(&volume, &[("/", ALL.without(needed))]);
        let kind = refused(view.open_in_place(&path("/d/file"), asked).await);
        let expected = if asked.create.is_some() && asked.exclusive {
            ErrorKind::Exists
        } else {
            ErrorKind::Denied
        };
        assert_eq!(kind, expected, "{asked:?}");
        assert_eq!(snapshot(&volume).await, before, "{asked:?}");
    }
}

#[tokio::test]
async fn a_file_is_made_once_and_kept_or_cut_afterwards() {
    let volume = memory();
    let view = view_of(&volume, &[("/", ALL)]);
    let made = must(view.open_in_place(&path("/f"), MAKE).await);
    assert!(made.created);
    assert_eq!(must(made.file.metadata().await).mode, 0o640);
    must(made.file.write_at(b"0123456789".to_vec(), 0).await);
    let again = must(view.open_in_place(&path("/f"), MAKE).await);
    assert!(!again.created);
    assert_eq!(fetch(&volume, "/f").await, b"0123456789");
    let cut = InPlace {
        truncate: true,
        ..MAKE
    };
    let cut = must(view.open_in_place(&path("/f"), cut).await);
    assert!(!cut.created && fetch(&volume, "/f").await.is_empty());
    let exclusive = InPlace {
        exclusive: true,
        ..MAKE
    };
    assert_eq!(
        refused(view.open_in_place(&path("/f"), exclusive).await),
        ErrorKind::Exists
    );
    // Without `create` there is nothing to be exclusive about.
    let exclusive = InPlace {
        exclusive: true,
        ..WRITE
    };
    drop(must(view.open_in_place(&path("/f"), exclusive).await));
    assert_eq!(
        refused(view.open_in_place(&path("/missing"), WRITE).await),
        ErrorKind::NotFound
    );
}

/// A set-id bit is not given to a new file, by whatever way it is made.
#[tokio::test]
async fn a_new_file_gets_no_set_id_bit() {
    let volume = memory();
    let view = view_of(&volume, &[("/", ALL)]);
    let asked = InPlace {
        create: Some(0o6755),
        ..MAKE
    };
    drop(must(view.open_in_place(&path("/f"), asked).await));
    let upload = view
        .begin_upload_as(&path("/g"), UploadMode::Replace, 0o6700)
        .await;
    must(must(upload).commit(None).await);
    for (text, mode) in [("/f", 0o755), ("/g", 0o700)] {
        let found = must(volume.metadata(&path(text), Links::Follow).await);
        assert_eq!(found.mode, mode, "{text}");
    }
}

#[tokio::test]
async fn handles_in_place_stand_side_by_side_and_uploads_do_not() {
    let volume = furnished().await;
    let view = view_of(&volume, &[("/", ALL)]);
    let file = path("/d/file");
    let one = must(view.open_in_place(&file, WRITE).await);
    let other = must(view.open_in_place(&file, APPEND).await);
    must(one.file.write_at(b"A".to_vec(), 0).await);
    must(other.file.write_at(b"Z".to_vec(), 3).await);
    assert_eq!(fetch(&volume, "/d/file").await, b"AldZ");
    for mode in [
        UploadMode::Replace,
        UploadMode::Append,
        UploadMode::ResumeAt(0),
    ] {
        assert_eq!(
            refused(view.begin_upload(&file, mode, 0).await),
            ErrorKind::Busy
        );
    }
    drop(one);
    assert_eq!(
        refused(view.begin_upload(&file, UploadMode::Replace, 0).await),
        ErrorKind::Busy
    );
    drop(other);
    let upload = must(view.begin_upload(&file, UploadMode::Replace, 0).await);
    for asked in [WRITE, APPEND, CUT, MAKE] {
        assert_eq!(
            refused(view.open_in_place(&file, asked).await),
            ErrorKind::Busy,
            "{asked:?}"
        );
    }
    // Nothing was cut before the claim, and reading disturbs nobody.
    assert_eq!(fetch(&volume, "/d/file").await, b"AldZ");
    drop(must(view.open_in_place(&file, READ).await));
    must(upload.commit(None).await);
    drop(must(view.open_in_place(&file, WRITE).await));
}

/// ANON-02: nothing tells whether a name is taken.
#[tokio::test]
async fn a_drop_box_takes_new_files_in_place_and_tells_of_no_old_one() {
    let volume = memory();
    put(&volume, "/theirs", b"theirs").await;
    let view = view_of(&volume, &[("/", Rights::INCOMING)]);
    assert!(must(view.open_in_place(&path("/mine"), MAKE).await).created);
    for exclusive in [false, true] {
        let asked = InPlace { exclusive, ..MAKE };
        assert_eq!(
            refused(view.open_in_place(&path("/theirs"), asked).await),
            ErrorKind::Denied
        );
    }
    for asked in [READ, WRITE, CUT] {
        assert_eq!(
            refused(view.open_in_place(&path("/theirs"), asked).await),
            ErrorKind::NotFound
        );
    }
    assert_eq!(fetch(&volume, "/theirs").await, b"theirs");
}

#[tokio::test]
async fn a_directory_or_a_mount_is_no_file_to_be_opened() {
    let mounts: Vec<(_, Arc<dyn Volume>)> = vec![
        ("/", Arc::new(furnished().await)),
        ("/m/n", Arc::new(memory())),
    ];
    let view = view_with(mounts, &[("/", ALL)], ViewSettings::default());
    for text in ["/", "/d", "/m", "/m/n"] {
        for asked in [READ, WRITE, CUT, MAKE] {
            assert_eq!(
                refused(view.open_in_place(&path(text), asked).await),
                ErrorKind::IsADirectory,
                "{text} {asked:?}"
            );
        }
    }
}

/// As `open` does: a link that leads to nothing yet gets its file.
#[tokio::test]
async fn a_link_to_nothing_gets_its_file() {
    let volume = furnished().await;
    must(volume.create_symlink(&path("/d/later"), &path("/l")).await);
    let view = view_of(&volume, &[("/", ALL)]);
    assert!(must(view.open_in_place(&path("/l"), MAKE).await).created);
    assert!(fetch(&volume, "/d/later").await.is_empty());
}

/// PATH-07: nothing is made, so the name need not be one that may be made.
#[tokio::test]
async fn an_old_name_is_opened_in_place() {
    let volume = memory();
    let old = VirtualPath::root().join_name(b"caf\xe9").unwrap();
    must(volume.open(&old, OpenMode::CreateNew { mode: 0o644 }).await);
    let view = view_of(&volume, &[("/", ALL)]);
    for asked in [READ, WRITE, CUT, MAKE] {
        assert!(!must(view.open_in_place(&old, asked).await).created);
    }
}
