//! What a volume that cannot be written must do instead.

use super::{fetch, must, names, path, refused};
use crate::{AttributeChange, ErrorKind, Links, Metadata, OpenMode, Replace, Timestamp, Volume};

const fn time() -> Option<Timestamp> {
    Some(Timestamp {
        seconds: 0,
        nanoseconds: 0,
    })
}

/// Every change is [`ErrorKind::ReadOnly`], whether its object exists or not, and nothing changes
/// (CVE-2017-15906). The volume holds exactly the directory `/d` with the file `/d/f`.
pub async fn every_change_is_refused(volume: &dyn Volume) {
    assert!(!volume.capabilities().write);
    let before = must(volume.metadata(&path("/d/f"), Links::Follow).await);
    for text in ["/d", "/d/f", "/d/new"] {
        let object = path(text);
        let mut kinds = Vec::new();
        let any = OpenMode::UpdateOrCreate { mode: 0o644 };
        for mode in [OpenMode::Update, any, OpenMode::CreateNew { mode: 0o644 }] {
            kinds.push(refused(volume.open(&object, mode).await));
        }
        kinds.push(refused(volume.create_directory(&object, 0o755).await));
        kinds.push(refused(volume.remove_file(&object).await));
        kinds.push(refused(volume.remove_directory(&object).await));
        for replace in [Replace::Files, Replace::Never] {
            kinds.push(refused(
                volume.rename(&object, &path("/d/g"), replace).await,
            ));
            kinds.push(refused(
                volume.rename(&path("/d/f"), &object, replace).await,
            ));
        }
        let time = time();
        for change in [
            AttributeChange {
                mode: Some(0o777),
                ..AttributeChange::default()
            },
            AttributeChange {
                modified: time,
                ..AttributeChange::default()
            },
            AttributeChange {
                accessed: time,
                ..AttributeChange::default()
            },
            AttributeChange {
                owner: Some(1),
                ..AttributeChange::default()
            },
            AttributeChange {
                group: Some(1),
                ..AttributeChange::default()
            },
        ] {
            for links in [Links::Follow, Links::NoFollow] {
                kinds.push(refused(volume.set_attributes(&object, links, change).await));
            }
        }
        kinds.push(refused(volume.create_symlink(&path("/d/f"), &object).await));
        kinds.push(refused(volume.create_symlink_text(b"f", &object).await));
        let hard_link = volume.create_hard_link(&path("/d/f"), &object).await;
        kinds.push(refused(hard_link));
        assert!(
            kinds.iter().all(|kind| *kind == ErrorKind::ReadOnly),
            "{text}: {kinds:?}"
        );
    }
    assert_eq!(names(volume, "/").await, ["d"]);
    assert_eq!(names(volume, "/d").await, ["f"]);
    assert_eq!(
        must(volume.metadata(&path("/d/f"), Links::Follow).await),
        before
    );
    let file = must(volume.open(&path("/d/f"), OpenMode::Read).await);
    refused(file.write_at(b"x".to_vec(), 0).await);
    refused(file.set_size(0).await);
    assert!(!matches!(file.try_write_at(b"x", 0), Some(Ok(()))));
    refused(file.copy_range(&file, 0, before.size, 1).await);
    for (mode, modified, owner) in [
        (Some(0), None, None),
        (None, time(), None),
        (None, None, Some(1)),
    ] {
        let change = AttributeChange {
            mode,
            modified,
            owner,
            ..AttributeChange::default()
        };
        assert_eq!(
            refused(file.set_attributes(change).await),
            ErrorKind::ReadOnly
        );
    }
    assert_eq!(fetch(volume, "/d/f").await.len() as u64, before.size);
    let after = must(volume.metadata(&path("/d/f"), Links::Follow).await);
    // Reading may have told on itself.
    assert_eq!(
        Metadata {
            accessed: before.accessed,
            ..after
        },
        before
    );
}
