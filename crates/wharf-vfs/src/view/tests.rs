//! The gate: every operation against every right.

mod in_place;
mod links;
mod renames;

use std::future::Future;

use super::*;
use crate::{
    AttributeChange, EntryBatch, Mount, Volume,
    contract::{content_of, fetch, make, must, path, put, refused},
    layers::ReadOnly,
    volumes::{LocalVolume, MemoryVolume},
};

fn memory() -> MemoryVolume {
    MemoryVolume::new(1 << 30)
}

fn table(mounts: Vec<(&str, Arc<dyn Volume>)>) -> Arc<MountTable> {
    let mounts = mounts.into_iter().enumerate();
    let mounts =
        mounts.map(|(number, (at, volume))| Mount::new(path(at), volume, number.to_string()));
    Arc::new(must(MountTable::new(mounts)))
}

fn view_with(
    mounts: Vec<(&str, Arc<dyn Volume>)>,
    rules: &[(&str, Rights)],
    settings: ViewSettings,
) -> View {
    let grants = Grants::new(rules.iter().map(|(at, rights)| (path(at), *rights)));
    View::new(table(mounts), Arc::new(grants), Arc::new(settings))
}

fn view_of(volume: &MemoryVolume, rules: &[(&str, Rights)]) -> View {
    view_with(
        vec![("/", Arc::new(volume.clone()))],
        rules,
        ViewSettings::default(),
    )
}

const ALL: Rights = Rights::FULL.with(Right::Chown).with(Right::Fxp);

async fn list(view: &View, text: &str) -> Vec<String> {
    let mut reader = must(view.read_directory(&path(text)).await);
    let mut names = Vec::new();
    let mut batch = EntryBatch::new();
    loop {
        batch = must(reader.next_batch(batch).await);
        if batch.is_empty() {
            names.sort();
            return names;
        }
        names.extend(
            batch
                .iter()
                .map(|entry| String::from_utf8_lossy(entry.name).into_owned()),
        );
    }
}

async fn upload(view: &View, text: &str, mode: UploadMode) -> Result<()> {
    let upload = view.begin_upload(&path(text), mode, 0o022).await?;
    must(
        upload
            .file()
            .write_at(b"new".to_vec(), upload.start())
            .await,
    );
    upload.commit(None).await
}

/// One way to use a view, the rights that it needs, and a name for it.
struct Use {
    name: &'static str,
    needs: &'static [Right],
}

const USES: &[Use] = &[
    Use {
        name: "open_read",
        needs: &[Right::Read],
    },
    Use {
        name: "read_directory",
        needs: &[Right::List],
    },
    Use {
        name: "upload a new file",
        needs: &[Right::Create],
    },
    Use {
        name: "upload over a file",
        needs: &[Right::Overwrite],
    },
    Use {
        name: "upload in place",
        needs: &[Right::Write],
    },
    Use {
        name: "append to a file",
        needs: &[Right::Append],
    },
    Use {
        name: "append to a new file",
        needs: &[Right::Create],
    },
    Use {
        name: "upload a unique file",
        needs: &[Right::Create],
    },
    Use {
        name: "create_directory",
        needs: &[Right::Mkdir],
    },
    Use {
        name: "remove_file",
        needs: &[Right::Delete],
    },
    Use {
        name: "remove_directory",
        needs: &[Right::Rmdir],
    },
    Use {
        name: "check_rename_source",
        needs: &[Right::Rename],
    },
    Use {
        name: "rename",
        needs: &[Right::Rename],
    },
    Use {
        name: "rename over a file",
        needs: &[Right::Rename, Right::Overwrite],
    },
    Use {
        name: "chmod",
        needs: &[Right::Chmod],
    },
    Use {
        name: "set modified",
        needs: &[Right::Times],
    },
    Use {
        name: "set accessed",
        needs: &[Right::Times],
    },
    Use {
        name: "chown",
        needs: &[Right::Chown],
    },
    Use {
        name: "chgrp",
        needs: &[Right::Chown],
    },
    Use {
        name: "chmod and set modified",
        needs: &[Right::Chmod, Right::Times],
    },
    Use {
        name: "create_symlink",
        needs: &[Right::Symlink, Right::List],
    },
    Use {
        name: "rename_new",
        needs: &[Right::Rename],
    },
    Use {
        name: "set modified of a link",
        needs: &[Right::Times],
    },
    Use {
        name: "create_symlink_text",
        needs: &[Right::Symlink, Right::List],
    },
    Use {
        name: "create_hard_link",
        needs: &[Right::Link],
    },
    Use {
        name: "upload a new file with its own mode",
        needs: &[Right::Create],
    },
    Use {
        name: "open in place to read",
        needs: &[Right::Read],
    },
    Use {
        name: "open in place to write",
        needs: &[Right::Write],
    },
    Use {
        name: "open in place to write or make",
        needs: &[Right::Write],
    },
    Use {
        name: "open in place to append",
        needs: &[Right::Append],
    },
    Use {
        name: "open in place to cut",
        needs: &[Right::Overwrite],
    },
    Use {
        name: "make in place",
        needs: &[Right::Create],
    },
    Use {
        name: "make in place, nothing else",
        needs: &[Right::Create],
    },
    Use {
        name: "make in place to read",
        needs: &[Right::Create, Right::Read],
    },
    Use {
        name: "space",
        needs: &[Right::Space],
    },
    Use {
        name: "metadata",
        needs: &[Right::List],
    },
    Use {
        name: "enter",
        needs: &[Right::List],
    },
    Use {
        name: "read_link",
        needs: &[Right::List],
    },
];

async fn run(view: &View, name: &str) -> Result<()> {
    let (file, new, directory) = (path("/d/file"), path("/d/new"), path("/d/empty"));
    let none = AttributeChange::default();
    let time = Some(Timestamp::default());
    match name {
        "open_read" => view.open_read(&file).await.map(drop),
        "read_directory" => view.read_directory(&path("/d")).await.map(drop),
        "upload a new file" => upload(view, "/d/new", UploadMode::Replace).await,
        "upload over a file" => upload(view, "/d/file", UploadMode::Replace).await,
        "upload in place" => upload(view, "/d/file", UploadMode::ResumeAt(1)).await,
        "append to a file" => upload(view, "/d/file", UploadMode::Append).await,
        "append to a new file" => upload(view, "/d/new", UploadMode::Append).await,
        "upload a unique file" => {
            upload(
                view,
                "/d",
                UploadMode::Unique {
                    hint: Some(b"file".to_vec()),
                },
            )
            .await
        }
        "create_directory" => view.create_directory(&new, 0o022).await,
        "remove_file" => view.remove_file(&file).await,
        "remove_directory" => view.remove_directory(&directory).await,
        "check_rename_source" => view.check_rename_source(&file).await,
        "rename" => view.rename(&file, &new).await,
        "rename over a file" => view.rename(&file, &path("/d/other")).await,
        "chmod" => {
            view.set_attributes(
                &file,
                Links::Follow,
                AttributeChange {
                    mode: Some(0o600),
                    ..none
                },
            )
            .await
        }
        "set modified" => {
            view.set_attributes(
                &file,
                Links::Follow,
                AttributeChange {
                    modified: time,
                    ..none
                },
            )
            .await
        }
        "set accessed" => {
            view.set_attributes(
                &file,
                Links::Follow,
                AttributeChange {
                    accessed: time,
                    ..none
                },
            )
            .await
        }
        "chown" => {
            view.set_attributes(
                &file,
                Links::Follow,
                AttributeChange {
                    owner: Some(1),
                    ..none
                },
            )
            .await
        }
        "chgrp" => {
            view.set_attributes(
                &file,
                Links::Follow,
                AttributeChange {
                    group: Some(1),
                    ..none
                },
            )
            .await
        }
        "chmod and set modified" => {
            view.set_attributes(
                &file,
                Links::Follow,
                AttributeChange {
                    mode: Some(0o600),
                    modified: time,
                    ..none
                },
            )
            .await
        }
        "create_symlink" => view.create_symlink(&file, &new).await,
        "rename_new" => view.rename_new(&file, &new).await,
        "set modified of a link" => {
            let change = AttributeChange {
                modified: time,
                ..none
            };
            view.set_attributes(&path("/d/link"), Links::NoFollow, change)
                .await
        }
        "create_symlink_text" => view.create_symlink_text(b"file", &new).await,
        "create_hard_link" => view.create_hard_link(&file, &new).await,
        "upload a new file with its own mode" => {
            let upload = view.begin_upload_as(&new, UploadMode::Replace, 0o600);
            upload.await?.commit(None).await
        }
        "open in place to read" => in_place::open(view, "/d/file", in_place::READ).await,
        "open in place to write" => in_place::open(view, "/d/file", in_place::WRITE).await,
        "open in place to write or make" => in_place::open(view, "/d/file", in_place::MAKE).await,
        "open in place to append" => in_place::open(view, "/d/file", in_place::APPEND).await,
        "open in place to cut" => in_place::open(view, "/d/file", in_place::CUT).await,
        "make in place" => in_place::open(view, "/d/new", in_place::MAKE).await,
        "make in place, nothing else" => {
            let asked = InPlace {
                exclusive: true,
                ..in_place::MAKE
            };
            in_place::open(view, "/d/new", asked).await
        }
        "make in place to read" => {
            let asked = InPlace {
                read: true,
                create: Some(0o600),
                ..InPlace::default()
            };
            in_place::open(view, "/d/new", asked).await
        }
        "space" => view.space(&path("/d")).await.map(drop),
        "metadata" => view.metadata(&file, Links::Follow).await.map(drop),
        "enter" => view.enter(&path("/d")).await,
        "read_link" => view.read_link(&path("/d/link")).await.map(drop),
        other => panic!("no such use: {other}"),
    }
}

async fn furnished() -> MemoryVolume {
    let volume = memory();
    make(&volume, "/d").await;
    make(&volume, "/d/empty").await;
    put(&volume, "/d/file", b"old").await;
    put(&volume, "/d/other", b"other").await;
    must(
        volume
            .create_symlink(&path("/d/file"), &path("/d/link"))
            .await,
    );
    volume
}

/// What a volume holds, to see that nothing changed.
async fn snapshot(volume: &MemoryVolume) -> Vec<(String, Metadata, Vec<u8>)> {
    let mut all = Vec::new();
    for name in crate::contract::names(volume, "/d").await {
        let text = format!("/d/{name}");
        let metadata = must(volume.metadata(&path(&text), Links::NoFollow).await);
        let content = if metadata.is_file() {
            fetch(volume, &text).await
        } else {
            Vec::new()
        };
        all.push((text, metadata, content));
    }
    all
}

/// CVE-2010-3867, ProFTPD 2095, 2175, 2180: every method against every single missing right.
#[tokio::test]
async fn every_method_is_refused_without_each_right_that_it_needs() {
    for one in USES {
        let granted = one
            .needs
            .iter()
            .fold(Rights::NONE, |rights, right| rights.with(*right));
        let volume = furnished().await;
        run(&view_of(&volume, &[("/", granted)]), one.name)
            .await
            .unwrap_or_else(|error| {
                panic!("{} must work with {:?}: {error:?}", one.name, one.needs);
            });
        for missing in one.needs {
            // `read` and `list` both let an account see: without the one, take the other as well.
            let mut rights = ALL.without(*missing);
            if matches!(
                one.name,
                "metadata" | "enter" | "read_link" | "create_symlink" | "create_symlink_text"
            ) && *missing == Right::List
            {
                rights = rights.without(Right::Read);
            }
            let volume = furnished().await;
            let before = snapshot(&volume).await;
            let kind = refused(run(&view_of(&volume, &[("/", rights)]), one.name).await);
            let expected: &[_] = match (one.name, missing) {
                ("rename over a file", Right::Overwrite) => &[ErrorKind::Exists],
                (_, Right::List | Right::Read) => &[ErrorKind::NotFound, ErrorKind::Denied],
                _ => &[ErrorKind::Denied],
            };
            assert!(
                expected.contains(&kind),
                "{} without {missing:?}: {kind:?}",
                one.name
            );
            assert_eq!(
                snapshot(&volume).await,
                before,
                "{} without {missing:?}",
                one.name
            );
        }
    }
}

/// CVE-2017-15906: no method of an account that may only read changes anything.
#[tokio::test]
async fn an_account_that_may_only_read_changes_nothing() {
    let volume = furnished().await;
    let before = snapshot(&volume).await;
    let view = view_of(&volume, &[("/", Rights::READ_ONLY)]);
    for one in USES {
        let reads = one.needs.iter().all(|right| Rights::READ_ONLY.has(*right));
        assert_eq!(run(&view, one.name).await.is_ok(), reads, "{}", one.name);
    }
    assert_eq!(snapshot(&volume).await, before);
}

/// CVE-2017-15906: however many rights, the volume decides.
#[tokio::test]
async fn no_right_changes_a_read_only_volume() {
    let volume = furnished().await;
    let before = snapshot(&volume).await;
    let layer: Arc<dyn Volume> = Arc::new(ReadOnly::new(Arc::new(volume.clone())));
    let view = view_with(vec![("/", layer)], &[("/", ALL)], ViewSettings::default());
    for one in USES {
        let reads = one.needs.iter().all(|right| Rights::READ_ONLY.has(*right))
            || one.name == "check_rename_source";
        match run(&view, one.name).await {
            Ok(()) => assert!(reads, "{}", one.name),
            Err(error) => assert_eq!(
                (reads, error.kind),
                (false, ErrorKind::ReadOnly),
                "{}",
                one.name
            ),
        }
    }
    assert_eq!(snapshot(&volume).await, before);
    assert!(!view.rights(&path("/d")).can_change());
}

/// Without `list` and `read` nothing tells what exists from what does not.
#[tokio::test]
async fn what_may_not_be_seen_does_not_exist() {
    let volume = furnished().await;
    make(&volume, "/secret").await;
    put(&volume, "/secret/file", b"").await;
    let view = view_of(&volume, &[("/", Rights::FULL), ("/secret", Rights::NONE)]);
    for text in ["/secret", "/secret/file", "/secret/missing"] {
        let object = path(text);
        let change = AttributeChange {
            mode: Some(0),
            ..AttributeChange::default()
        };
        let kinds = [
            refused(view.metadata(&object, Links::Follow).await),
            refused(view.enter(&object).await),
            refused(view.open_read(&object).await),
            refused(view.read_directory(&object).await),
            refused(view.create_directory(&object, 0).await),
            refused(view.remove_file(&object).await),
            refused(view.remove_directory(&object).await),
            refused(view.rename(&object, &path("/x")).await),
            refused(view.rename(&path("/d/file"), &object).await),
            refused(view.set_attributes(&object, Links::Follow, change).await),
            refused(
                view.set_attributes(&object, Links::Follow, AttributeChange::default())
                    .await,
            ),
            refused(view.read_link(&object).await),
            refused(view.create_symlink(&object, &path("/x")).await),
            refused(view.create_symlink(&path("/d"), &object).await),
            refused(view.create_symlink_text(b"x", &object).await),
            refused(
                view.create_symlink_text(object.relative(), &path("/x"))
                    .await,
            ),
            refused(view.create_hard_link(&object, &path("/x")).await),
            refused(view.create_hard_link(&path("/d/file"), &object).await),
            refused(view.rename_new(&object, &path("/x")).await),
            refused(view.rename_new(&path("/d/file"), &object).await),
            refused(view.open_in_place(&object, in_place::READ).await),
            refused(view.open_in_place(&object, in_place::MAKE).await),
            refused(view.open_in_place(&object, in_place::CUT).await),
            refused(view.authorize_change(&object, change)),
            refused(view.begin_upload(&object, UploadMode::Replace, 0).await),
            refused(view.begin_upload(&object, UploadMode::Append, 0).await),
            refused(view.space(&object).await),
        ];
        assert!(
            kinds.iter().all(|kind| *kind == ErrorKind::NotFound),
            "{text}: {kinds:?}"
        );
    }
    assert_eq!(list(&view, "/").await, ["d"]);
}

/// ANON-02: make new files, see nothing, change nothing.
#[tokio::test]
async fn an_incoming_directory_takes_new_files_and_shows_none() {
    let volume = memory();
    make(&volume, "/incoming").await;
    put(&volume, "/incoming/theirs", b"theirs").await;
    let view = view_of(
        &volume,
        &[("/", Rights::READ_ONLY), ("/incoming", Rights::INCOMING)],
    );
    assert_eq!(list(&view, "/").await, ["incoming"]);
    must(view.enter(&path("/incoming")).await);
    must(upload(&view, "/incoming/mine", UploadMode::Replace).await);
    must(
        upload(
            &view,
            "/incoming",
            UploadMode::Unique {
                hint: Some(b"theirs".to_vec()),
            },
        )
        .await,
    );
    assert_eq!(
        crate::contract::names(&volume, "/incoming").await,
        ["mine", "theirs", "theirs.1"]
    );
    let theirs = path("/incoming/theirs");
    assert_eq!(
        refused(view.read_directory(&path("/incoming")).await),
        ErrorKind::Denied
    );
    assert_eq!(refused(view.open_read(&theirs).await), ErrorKind::NotFound);
    assert_eq!(
        refused(view.metadata(&theirs, Links::NoFollow).await),
        ErrorKind::NotFound
    );
    assert_eq!(
        refused(upload(&view, "/incoming/theirs", UploadMode::Replace).await),
        ErrorKind::Denied
    );
    assert_eq!(
        refused(upload(&view, "/incoming/theirs", UploadMode::Append).await),
        ErrorKind::Denied
    );
    assert_eq!(
        refused(upload(&view, "/incoming/theirs", UploadMode::ResumeAt(0)).await),
        ErrorKind::NotFound
    );
    assert_eq!(
        refused(view.remove_file(&theirs).await),
        ErrorKind::NotFound
    );
    assert_eq!(
        refused(view.create_directory(&path("/incoming/d"), 0).await),
        ErrorKind::NotFound
    );
    assert_eq!(fetch(&volume, "/incoming/theirs").await, b"theirs");
}

/// PATH-08: hidden, and refused as if missing, in any case of letters.
#[tokio::test]
async fn temporaries_are_hidden_and_out_of_reach() {
    let volume = memory();
    put(&volume, "/.wharf-abc.part", b"half").await;
    put(&volume, "/.WHARF-x", b"half").await;
    put(&volume, "/f", b"").await;
    let view = view_of(&volume, &[("/", ALL)]);
    assert_eq!(list(&view, "/").await, ["f"]);
    for text in ["/.wharf-abc.part", "/.WHARF-x", "/.wharf-new"] {
        let hidden = [
            refused(view.create_hard_link(&path(text), &path("/x")).await),
            refused(view.create_hard_link(&path("/f"), &path(text)).await),
            refused(view.create_symlink_text(b"f", &path(text)).await),
            refused(
                view.create_symlink_text(&text.as_bytes()[1..], &path("/x"))
                    .await,
            ),
            refused(view.rename_new(&path(text), &path("/x")).await),
            refused(view.rename_new(&path("/f"), &path(text)).await),
            refused(view.open_in_place(&path(text), in_place::READ).await),
            refused(view.open_in_place(&path(text), in_place::WRITE).await),
            refused(view.open_in_place(&path(text), in_place::MAKE).await),
            refused(view.open_in_place(&path(text), in_place::CUT).await),
        ];
        assert_eq!(hidden, [ErrorKind::NotFound; 10], "{text}");
        assert_eq!(
            refused(view.metadata(&path(text), Links::Follow).await),
            ErrorKind::NotFound
        );
        assert_eq!(
            refused(view.open_read(&path(text)).await),
            ErrorKind::NotFound
        );
        assert_eq!(
            refused(view.remove_file(&path(text)).await),
            ErrorKind::NotFound
        );
        assert_eq!(
            refused(view.create_directory(&path(text), 0).await),
            ErrorKind::NotFound
        );
        assert_eq!(
            refused(view.rename(&path("/f"), &path(text)).await),
            ErrorKind::NotFound
        );
        assert_eq!(
            refused(upload(&view, text, UploadMode::Replace).await),
            ErrorKind::NotFound
        );
    }
    let hint = UploadMode::Unique {
        hint: Some(b".wharf-x".to_vec()),
    };
    assert_eq!(refused(upload(&view, "/", hint).await), ErrorKind::NotFound);
}

/// PATH-06, PATH-07: by every method that makes a name.
#[tokio::test]
async fn names_that_may_not_be_made_are_refused_everywhere() {
    let volume = memory();
    put(&volume, "/f", b"").await;
    let view = view_of(&volume, &[("/", ALL)]);
    for name in [b"a\r\nb".as_slice(), b"\x1b", b"caf\xe9"] {
        let bad = VirtualPath::root().join_name(name).unwrap();
        assert_eq!(
            refused(view.create_directory(&bad, 0).await),
            ErrorKind::InvalidName
        );
        assert_eq!(
            refused(view.rename(&path("/f"), &bad).await),
            ErrorKind::InvalidName
        );
        assert_eq!(
            refused(view.create_symlink(&path("/f"), &bad).await),
            ErrorKind::InvalidName
        );
        let made = [
            refused(view.create_symlink_text(b"f", &bad).await),
            refused(view.create_hard_link(&path("/f"), &bad).await),
            refused(view.rename_new(&path("/f"), &bad).await),
            refused(view.open_in_place(&bad, in_place::MAKE).await),
        ];
        assert_eq!(made, [ErrorKind::InvalidName; 4]);
        assert_eq!(
            refused(view.begin_upload(&bad, UploadMode::Replace, 0).await),
            ErrorKind::InvalidName
        );
        assert_eq!(
            refused(view.begin_upload(&bad, UploadMode::Append, 0).await),
            ErrorKind::InvalidName
        );
        let unique = UploadMode::Unique {
            hint: Some(name.to_vec()),
        };
        assert_eq!(
            refused(view.begin_upload(&path("/"), unique, 0).await),
            ErrorKind::InvalidName
        );
    }
    let slash = UploadMode::Unique {
        hint: Some(b"../x".to_vec()),
    };
    assert_eq!(
        refused(view.begin_upload(&path("/"), slash, 0).await),
        ErrorKind::InvalidName
    );
}

/// What cannot be made today can still be read, continued and removed (PATH-07).
#[tokio::test]
async fn old_names_stay_usable() {
    let volume = memory();
    let old = VirtualPath::root().join_name(b"caf\xe9").unwrap();
    must(volume.open(&old, OpenMode::CreateNew { mode: 0o644 }).await);
    let view = view_of(&volume, &[("/", ALL)]);
    must(view.open_read(&old).await);
    let upload = must(view.begin_upload(&old, UploadMode::ResumeAt(0), 0).await);
    must(upload.commit(None).await);
    must(view.remove_file(&old).await);
}

/// Root, mount points, home, and what they lie in.
#[tokio::test]
async fn what_the_tree_hangs_on_cannot_be_removed_or_renamed() {
    let volume = memory();
    for text in ["/a", "/a/b", "/home", "/home/ann"] {
        make(&volume, text).await;
    }
    let settings = ViewSettings {
        home: path("/home/ann"),
        ..ViewSettings::default()
    };
    let mounts: Vec<(_, Arc<dyn Volume>)> =
        vec![("/", Arc::new(volume)), ("/a/b", Arc::new(memory()))];
    let view = view_with(mounts, &[("/", ALL)], settings);
    for text in ["/", "/a", "/a/b", "/home", "/home/ann"] {
        assert_eq!(
            refused(view.remove_directory(&path(text)).await),
            ErrorKind::Denied,
            "{text}"
        );
        assert_eq!(
            refused(view.check_rename_source(&path(text)).await),
            ErrorKind::Denied,
            "{text}"
        );
        assert_eq!(
            refused(view.rename(&path(text), &path("/x")).await),
            ErrorKind::Denied,
            "{text}"
        );
    }
    for text in ["/", "/a", "/a/b"] {
        assert_eq!(
            refused(view.create_directory(&path(text), 0).await),
            ErrorKind::Exists,
            "{text}"
        );
        assert_eq!(
            refused(view.remove_file(&path(text)).await),
            ErrorKind::IsADirectory,
            "{text}"
        );
        let refused_upload = refused(view.begin_upload(&path(text), UploadMode::Replace, 0).await);
        assert_eq!(refused_upload, ErrorKind::IsADirectory, "{text}");
    }
}

#[tokio::test]
async fn mounts_cover_and_join_what_the_volume_tells() {
    let (volume, data) = (memory(), memory());
    make(&volume, "/data").await;
    put(&volume, "/data/covered", b"").await;
    put(&volume, "/f", b"").await;
    put(&data, "/seen", b"").await;
    let mounts: Vec<(_, Arc<dyn Volume>)> = vec![
        ("/", Arc::new(volume)),
        ("/data", Arc::new(data)),
        ("/deep/er/mount", Arc::new(memory())),
    ];
    let view = view_with(mounts, &[("/", ALL)], ViewSettings::default());
    assert_eq!(list(&view, "/").await, ["data", "deep", "f"]);
    assert_eq!(list(&view, "/data").await, ["seen"]);
    assert_eq!(list(&view, "/deep").await, ["er"]);
    assert_eq!(list(&view, "/deep/er").await, ["mount"]);
    assert_eq!(list(&view, "/deep/er/mount").await, [""; 0]);
    must(view.enter(&path("/deep/er")).await);
    assert!(must(view.metadata(&path("/deep"), Links::Follow).await).is_directory());
    assert_eq!(
        refused(view.open_read(&path("/deep/er")).await),
        ErrorKind::IsADirectory
    );
    assert_eq!(
        refused(view.open_read(&path("/data/covered")).await),
        ErrorKind::NotFound
    );
    assert_eq!(
        (
            view.volume_id(&path("/data/x")),
            view.volume_id(&path("/datax"))
        ),
        ("1", "0")
    );
}

#[tokio::test]
async fn a_mount_that_may_not_be_seen_is_not_listed() {
    let mounts: Vec<(_, Arc<dyn Volume>)> =
        vec![("/", Arc::new(memory())), ("/data", Arc::new(memory()))];
    let view = view_with(
        mounts,
        &[("/", ALL), ("/data", Rights::NONE)],
        ViewSettings::default(),
    );
    assert_eq!(list(&view, "/").await, [""; 0]);
}

/// DAT-80.
#[tokio::test]
async fn a_listing_ends_at_its_limit_and_says_so() {
    let volume = memory();
    for number in 0..1500 {
        put(&volume, &format!("/{number}"), b"").await;
    }
    for (limit, told, truncated) in [
        (10, 10, true),
        (1024, 1024, true),
        (1499, 1499, true),
        (1500, 1500, false),
    ] {
        let settings = ViewSettings {
            list_max_entries: limit,
            ..ViewSettings::default()
        };
        let view = view_with(
            vec![("/", Arc::new(volume.clone()))],
            &[("/", ALL)],
            settings,
        );
        let mut reader = must(view.read_directory(&path("/")).await);
        let mut batch = must(reader.next_batch(EntryBatch::new()).await);
        let mut count = 0;
        while !batch.is_empty() {
            count += batch.len();
            batch = must(reader.next_batch(batch).await);
        }
        assert_eq!((count, reader.is_truncated()), (told, truncated), "{limit}");
        assert!(must(reader.next_batch(batch).await).is_empty());
    }
}

/// A tree does not leave a rule, or come under one, by the rename of what it lies in.
#[tokio::test]
async fn a_rename_does_not_carry_a_tree_from_one_rule_to_another() {
    let volume = memory();
    for text in ["/pub", "/pub/locked", "/mine"] {
        make(&volume, text).await;
    }
    put(&volume, "/pub/locked/f", b"").await;
    let view = view_of(
        &volume,
        &[
            ("/", ALL),
            ("/pub/locked", Rights::READ_ONLY),
            ("/gone/locked", Rights::NONE),
        ],
    );
    assert_eq!(
        refused(view.rename(&path("/pub"), &path("/x")).await),
        ErrorKind::Denied
    );
    assert_eq!(
        refused(view.rename(&path("/mine"), &path("/gone")).await),
        ErrorKind::Denied
    );
    assert_eq!(
        refused(view.rename(&path("/pub/locked/f"), &path("/x")).await),
        ErrorKind::Denied
    );
    assert_eq!(
        refused(view.rename(&path("/mine"), &path("/pub/locked/x")).await),
        ErrorKind::Denied
    );
}

/// CVE-2015-1419: no second path to what a rule hides, by links made or moved.
#[tokio::test]
async fn a_link_does_not_lead_around_a_rule() {
    let volume = memory();
    for text in ["/secret", "/a", "/a/secret"] {
        make(&volume, text).await;
    }
    put(&volume, "/secret/f", b"").await;
    let view = view_of(
        &volume,
        &[
            ("/", ALL),
            ("/secret", Rights::NONE),
            ("/shown", Rights::READ_ONLY),
        ],
    );
    let kind = |result| refused(result);
    assert_eq!(
        kind(view.create_symlink(&path("/secret/f"), &path("/l")).await),
        ErrorKind::NotFound
    );
    assert_eq!(
        kind(view.create_symlink(&path("/shown/f"), &path("/l")).await),
        ErrorKind::Denied
    );
    assert_eq!(
        kind(view.create_symlink(&path("/"), &path("/a/l")).await),
        ErrorKind::Denied
    );
    must(view.create_symlink(&path("/a/secret"), &path("/a/l")).await);
    assert_eq!(
        kind(view.rename(&path("/a/l"), &path("/l")).await),
        ErrorKind::Denied
    );
    must(view.rename(&path("/a/l"), &path("/a/m")).await);
    let everywhere = view_of(&volume, &[("/", ALL)]);
    must(
        everywhere
            .create_symlink(&path("/secret/f"), &path("/a/l"))
            .await,
    );
    must(everywhere.rename(&path("/a/l"), &path("/l")).await);
}

/// CVE-2015-1419: on a store that folds case, every spelling meets every rule that could be meant.
#[test]
fn rules_hold_in_every_case_of_letters_where_the_store_folds_it() {
    let grants = Grants::new([
        (path("/"), ALL),
        (path("/Secret"), Rights::NONE),
        (path("/straße"), Rights::READ_ONLY),
        (path("/Straße"), Rights::INCOMING),
    ]);
    for text in ["/secret", "/SECRET/f", "/Secret"] {
        assert_eq!(grants.at_any_case(&path(text)), Rights::NONE, "{text}");
    }
    assert_eq!(grants.at_any_case(&path("/sTraße")), Rights::NONE);
    assert_eq!(grants.at_any_case(&path("/secrets")), ALL);
}

/// A host's absolute path is not told to a peer.
#[tokio::test]
async fn an_absolute_link_text_is_not_told() {
    let host = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink("/etc/passwd", host.path().join("l")).unwrap();
    let volume: Arc<dyn Volume> = Arc::new(LocalVolume::open(host.path()).unwrap());
    let view = view_with(vec![("/", volume)], &[("/", ALL)], ViewSettings::default());
    assert_eq!(
        refused(view.read_link(&path("/l")).await),
        ErrorKind::NotFound
    );
}

async fn two_volumes() -> (View, MemoryVolume, MemoryVolume) {
    let (one, other) = (memory(), memory());
    let mounts: Vec<(_, Arc<dyn Volume>)> = vec![
        ("/", Arc::new(one.clone())),
        ("/other", Arc::new(other.clone())),
    ];
    let settings = ViewSettings {
        rename_copy_max: 10,
        ..ViewSettings::default()
    };
    (view_with(mounts, &[("/", ALL)], settings), one, other)
}

#[tokio::test]
async fn a_small_file_crosses_volumes_with_its_mode_and_time() {
    let (view, one, other) = two_volumes().await;
    put(&one, "/f", b"0123456789").await;
    let modified = Some(Timestamp {
        seconds: 7,
        nanoseconds: 0,
    });
    let change = AttributeChange {
        mode: Some(0o640),
        modified,
        ..AttributeChange::default()
    };
    must(one.set_attributes(&path("/f"), Links::Follow, change).await);
    must(view.rename(&path("/f"), &path("/other/g")).await);
    assert_eq!(fetch(&other, "/g").await, b"0123456789");
    let found = must(other.metadata(&path("/g"), Links::Follow).await);
    assert_eq!((found.mode, Some(found.modified)), (0o640, modified));
    assert!(crate::contract::names(&one, "/").await.is_empty());
    assert_eq!(crate::contract::names(&other, "/").await, ["g"]);
}

#[tokio::test]
async fn what_cannot_cross_volumes_stays() {
    let (view, one, other) = two_volumes().await;
    put(&one, "/big", b"0123456789+").await;
    make(&one, "/d").await;
    put(&one, "/f", b"").await;
    put(&other, "/taken", b"taken").await;
    make(&other, "/td").await;
    let across = |from: &'static str, to: &'static str| {
        let view = view.clone();
        async move { refused(view.rename(&path(from), &path(to)).await) }
    };
    assert_eq!(across("/big", "/other/big").await, ErrorKind::CrossVolume);
    assert_eq!(across("/d", "/other/d").await, ErrorKind::CrossVolume);
    assert_eq!(across("/missing", "/other/x").await, ErrorKind::NotFound);
    assert_eq!(across("/f", "/other/td").await, ErrorKind::IsADirectory);
    assert_eq!(across("/f", "/other/missing/x").await, ErrorKind::NotFound);
    let view = view_with(
        vec![
            ("/", Arc::new(one.clone())),
            ("/other", Arc::new(other.clone())),
        ],
        &[("/", ALL.without(Right::Overwrite))],
        ViewSettings::default(),
    );
    assert_eq!(
        refused(view.rename(&path("/f"), &path("/other/taken")).await),
        ErrorKind::Exists
    );
    assert_eq!(crate::contract::names(&one, "/").await, ["big", "d", "f"]);
    assert_eq!(crate::contract::names(&other, "/").await, ["taken", "td"]);
    assert_eq!(fetch(&other, "/taken").await, b"taken");
}

/// ProFTPD issue 2256: neither end is followed.
#[tokio::test]
async fn a_rename_across_volumes_follows_no_link() {
    let (view, one, other) = two_volumes().await;
    put(&one, "/secret", b"secret").await;
    put(&one, "/f", b"new").await;
    put(&other, "/kept", b"kept").await;
    must(one.create_symlink(&path("/secret"), &path("/l")).await);
    must(other.create_symlink(&path("/kept"), &path("/l")).await);
    assert_eq!(
        refused(view.rename(&path("/l"), &path("/other/x")).await),
        ErrorKind::CrossVolume
    );
    must(view.rename(&path("/f"), &path("/other/l")).await);
    assert_eq!(fetch(&other, "/kept").await, b"kept");
    assert_eq!(
        must(other.metadata(&path("/l"), Links::NoFollow).await).kind,
        FileKind::File
    );
    assert_eq!(fetch(&one, "/secret").await, b"secret");
}

/// OpenSSH 5a5e4774's cause, two names for one file: a volume that stands at two mounts.
#[tokio::test]
async fn a_rename_onto_itself_by_another_mount_keeps_the_file() {
    let store = memory();
    let mounts: Vec<(_, Arc<dyn Volume>)> = vec![
        ("/", Arc::new(store.clone())),
        ("/again", Arc::new(store.clone())),
    ];
    let view = view_with(mounts, &[("/", ALL)], ViewSettings::default());
    put(&store, "/f", b"kept").await;
    must(view.rename(&path("/f"), &path("/again/f")).await);
    assert_eq!(fetch(&store, "/f").await, b"kept");
    must(view.rename(&path("/f"), &path("/again/g")).await);
    assert_eq!(crate::contract::names(&store, "/").await, ["g"]);
}

#[tokio::test]
async fn a_failed_copy_across_volumes_leaves_both_ends_as_they_were() {
    let (view, one, other) = two_volumes().await;
    put(&one, "/f", b"new").await;
    let old = put(&other, "/f", b"old").await;
    other.fail_after(Some(1));
    assert_eq!(
        refused(view.rename(&path("/f"), &path("/other/f")).await),
        ErrorKind::Broken
    );
    tokio::task::yield_now().await;
    assert_eq!(fetch(&one, "/f").await, b"new");
    assert_eq!(content_of(&old).await, b"old");
    assert_eq!(crate::contract::names(&other, "/").await, ["f"]);
}

#[tokio::test]
async fn failures_tell_the_path_in_the_view() {
    let mounts: Vec<(_, Arc<dyn Volume>)> =
        vec![("/", Arc::new(memory())), ("/data", Arc::new(memory()))];
    let view = view_with(mounts, &[("/", ALL)], ViewSettings::default());
    let error = view
        .open_read(&path("/data/x"))
        .await
        .map(drop)
        .unwrap_err();
    assert_eq!(error.path, path("/data/x"));
    let error = view
        .rename(&path("/data/x"), &path("/data/y"))
        .await
        .unwrap_err();
    assert_eq!(error.path, path("/data/x"));
}

#[test]
fn a_view_can_be_shared_by_tasks() {
    fn assert_shared<T: Send + Sync + Clone + 'static>(_: &T) {}
    fn assert_send(_: &(impl Future + Send)) {}
    let view = view_of(&memory(), &[("/", ALL)]);
    assert_shared(&view);
    let root = VirtualPath::root();
    assert_send(&view.read_directory(&root));
    assert_send(&view.begin_upload(&root, UploadMode::Replace, 0));
    assert_send(&view.rename(&root, &root));
    assert_send(&view.open_in_place(&root, in_place::MAKE));
    assert_send(&view.create_symlink_text(b"x", &root));
}

#[test]
fn a_table_needs_one_volume_at_the_top_and_one_per_path() {
    let mount = |at: &str| Mount::new(path(at), Arc::new(memory()), "m");
    assert_eq!(
        MountTable::new([mount("/a")]).map(drop),
        Err(crate::MountError::RootMissing)
    );
    assert_eq!(
        MountTable::new([mount("/"), mount("/")]).map(drop),
        Err(crate::MountError::Twice(path("/")))
    );
    let twice = MountTable::new([mount("/"), mount("/a"), mount("/a")]).map(drop);
    assert_eq!(twice, Err(crate::MountError::Twice(path("/a"))));
    assert!(MountTable::new([mount("/"), mount("/a"), mount("/a/b")]).is_ok());
}
