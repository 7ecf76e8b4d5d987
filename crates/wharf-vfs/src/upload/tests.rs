//! Uploads appear whole or not at all, whatever ends them.

use super::{names::random_letters, *};
use crate::{
    Grants, Links, Mount, MountTable, Right, Rights, View, ViewSettings,
    contract::{fetch, make, must, names, path, put, refused},
    volumes::MemoryVolume,
    writers::Writers,
};

struct Place {
    volume: MemoryVolume,
    writers: Arc<Writers>,
}

impl Place {
    fn new() -> Self {
        Self {
            volume: MemoryVolume::new(1 << 20),
            writers: Arc::default(),
        }
    }

    fn view_with(&self, rights: Rights, upload: UploadPolicy) -> View {
        let mount = Mount::new(VirtualPath::root(), Arc::new(self.volume.clone()), "m");
        let table = must(MountTable::new([mount])).with_writers(Arc::clone(&self.writers));
        let settings = ViewSettings {
            upload,
            ..ViewSettings::default()
        };
        View::new(
            Arc::new(table),
            Arc::new(Grants::everywhere(rights)),
            Arc::new(settings),
        )
    }

    fn view(&self) -> View {
        self.view_with(Rights::FULL, UploadPolicy::default())
    }
}

const UMASK: u32 = 0o027;

async fn begin(view: &View, text: &str, mode: UploadMode) -> Upload {
    must(view.begin_upload(&path(text), mode, UMASK).await)
}

async fn write(upload: &Upload, bytes: &[u8]) {
    must(upload.file().write_at(bytes.to_vec(), upload.start()).await);
}

/// Upload rule: data go to a temporary in the same directory and are renamed over the target.
#[tokio::test]
async fn the_target_is_untouched_until_the_commit() {
    let place = Place::new();
    make(&place.volume, "/d").await;
    put(&place.volume, "/d/f", b"old").await;
    let upload = begin(&place.view(), "/d/f", UploadMode::Replace).await;
    write(&upload, b"new content").await;
    assert_eq!(fetch(&place.volume, "/d/f").await, b"old");
    let staged = names(&place.volume, "/d").await;
    assert_eq!(staged.len(), 2);
    let temporary = &staged[0];
    assert!(
        temporary.starts_with(".wharf-") && temporary.ends_with(".part") && temporary.len() == 28,
        "{temporary}"
    );
    must(upload.commit(None).await);
    assert_eq!(fetch(&place.volume, "/d/f").await, b"new content");
    assert_eq!(names(&place.volume, "/d").await, ["f"]);
}

#[tokio::test]
async fn a_new_file_gets_the_mode_that_the_umask_leaves_and_the_time_that_was_sent() {
    let place = Place::new();
    let upload = begin(&place.view(), "/f", UploadMode::Replace).await;
    let modified = Timestamp {
        seconds: 5,
        nanoseconds: 0,
    };
    must(upload.commit(Some(modified)).await);
    let found = must(place.volume.metadata(&path("/f"), Links::Follow).await);
    assert_eq!((found.mode, found.modified), (0o640, modified));
}

/// Upload rule: what stood there before stays when an atomic upload fails.
#[tokio::test]
async fn an_aborted_upload_keeps_what_stood_there() {
    let place = Place::new();
    put(&place.volume, "/f", b"old").await;
    let upload = begin(&place.view(), "/f", UploadMode::Replace).await;
    write(&upload, b"new").await;
    assert_eq!(must(upload.abort(3).await), AbortedUpload::Discarded);
    assert_eq!(fetch(&place.volume, "/f").await, b"old");
    assert_eq!(names(&place.volume, "/").await, ["f"]);
}

/// Upload rule: the partial is kept only where nothing stood, something came and the policy says so.
#[tokio::test]
async fn a_partial_is_kept_for_a_restart_where_nothing_stood() {
    let keep = UploadPolicy::default();
    let discard = UploadPolicy {
        keep_partial: false,
        ..keep
    };
    for (policy, rights, received, kept) in [
        (keep, Rights::FULL, 4, true),
        (keep, Rights::FULL, 0, false),
        (discard, Rights::FULL, 4, false),
        // Nobody could continue or replace it.
        (keep, Rights::INCOMING, 4, false),
    ] {
        let place = Place::new();
        let upload = begin(&place.view_with(rights, policy), "/f", UploadMode::Replace).await;
        write(&upload, b"part").await;
        let expected = if kept {
            AbortedUpload::KeptPartial
        } else {
            AbortedUpload::Discarded
        };
        assert_eq!(must(upload.abort(received).await), expected);
        assert_eq!(
            names(&place.volume, "/").await,
            if kept { vec!["f"] } else { vec![] }
        );
    }
}

#[tokio::test]
async fn a_dropped_upload_leaves_nothing_and_frees_its_file() {
    let place = Place::new();
    let view = place.view();
    let upload = begin(&view, "/f", UploadMode::Replace).await;
    write(&upload, b"part").await;
    drop(upload);
    tokio::task::yield_now().await;
    assert_eq!(names(&place.volume, "/").await, [""; 0]);
    must(
        begin(&view, "/f", UploadMode::Replace)
            .await
            .commit(None)
            .await,
    );
}

/// STOR: two writers on one file, the second gets 450; over all views of the same volumes.
#[tokio::test]
async fn a_second_writer_is_busy_until_the_first_is_done() {
    let place = Place::new();
    let (one, other) = (place.view(), place.view());
    put(&place.volume, "/f", b"old").await;
    for mode in [
        UploadMode::Replace,
        UploadMode::ResumeAt(0),
        UploadMode::Append,
    ] {
        let first = begin(&one, "/f", mode).await;
        for second in [
            UploadMode::Replace,
            UploadMode::ResumeAt(0),
            UploadMode::Append,
        ] {
            assert_eq!(
                refused(other.begin_upload(&path("/f"), second, UMASK).await),
                ErrorKind::Busy
            );
        }
        must(first.commit(None).await);
        must(
            begin(&other, "/f", UploadMode::ResumeAt(0))
                .await
                .commit(None)
                .await,
        );
    }
    assert_eq!(names(&place.volume, "/").await, ["f"]);
}

#[tokio::test]
async fn a_refused_upload_frees_its_file() {
    let place = Place::new();
    let view = place.view();
    assert_eq!(
        refused(
            view.begin_upload(&path("/d/f"), UploadMode::Replace, UMASK)
                .await
        ),
        ErrorKind::NotFound
    );
    make(&place.volume, "/d").await;
    must(
        begin(&view, "/d/f", UploadMode::Replace)
            .await
            .commit(None)
            .await,
    );
}

#[tokio::test]
async fn a_directory_at_the_target_is_never_replaced() {
    for rights in [
        Rights::FULL,
        Rights::FULL.without(Right::Create),
        Rights::FULL.without(Right::Overwrite),
    ] {
        let place = Place::new();
        make(&place.volume, "/d").await;
        let refusal = match place
            .view_with(rights, UploadPolicy::default())
            .begin_upload(&path("/d"), UploadMode::Replace, 0)
            .await
        {
            Ok(upload) => refused(upload.commit(None).await),
            Err(error) => error.kind,
        };
        assert_eq!(refusal, ErrorKind::IsADirectory);
        assert_eq!(names(&place.volume, "/").await, ["d"]);
    }
}

/// `create` makes, `overwrite` replaces; the one never does for the other.
#[tokio::test]
async fn create_and_overwrite_are_two_rights() {
    for atomic in [true, false] {
        let policy = UploadPolicy {
            atomic,
            ..UploadPolicy::default()
        };
        let place = Place::new();
        put(&place.volume, "/old", b"old").await;
        let maker = place.view_with(Rights::NONE.with(Right::Create), policy);
        let changer = place.view_with(
            Rights::NONE.with(Right::Overwrite).with(Right::List),
            policy,
        );
        assert_eq!(
            refused(
                maker
                    .begin_upload(&path("/old"), UploadMode::Replace, 0)
                    .await
            ),
            ErrorKind::Denied
        );
        assert_eq!(
            refused(
                changer
                    .begin_upload(&path("/new"), UploadMode::Replace, 0)
                    .await
            ),
            ErrorKind::Denied
        );
        assert_eq!(fetch(&place.volume, "/old").await, b"old");
        assert_eq!(names(&place.volume, "/").await, ["old"]);
        must(
            begin(&maker, "/new", UploadMode::Replace)
                .await
                .commit(None)
                .await,
        );
        must(
            begin(&changer, "/old", UploadMode::Replace)
                .await
                .commit(None)
                .await,
        );
        assert!(fetch(&place.volume, "/old").await.is_empty());
    }
}

#[tokio::test]
async fn a_file_that_appears_meanwhile_is_not_replaced_without_the_right() {
    let place = Place::new();
    let view = place.view_with(
        Rights::FULL.without(Right::Overwrite),
        UploadPolicy::default(),
    );
    let upload = begin(&view, "/f", UploadMode::Replace).await;
    put(&place.volume, "/f", b"theirs").await;
    assert_eq!(refused(upload.commit(None).await), ErrorKind::Exists);
    assert_eq!(fetch(&place.volume, "/f").await, b"theirs");
    assert_eq!(names(&place.volume, "/").await, ["f"]);
}

/// Upload rule: a failed upload that is not atomic leaves the partial file.
#[tokio::test]
async fn without_staging_bytes_go_to_the_target_itself() {
    let place = Place::new();
    put(&place.volume, "/f", b"old and long").await;
    let policy = UploadPolicy {
        atomic: false,
        ..UploadPolicy::default()
    };
    let upload = begin(
        &place.view_with(Rights::FULL, policy),
        "/f",
        UploadMode::Replace,
    )
    .await;
    write(&upload, b"new").await;
    assert_eq!(fetch(&place.volume, "/f").await, b"new");
    assert_eq!(must(upload.abort(3).await), AbortedUpload::KeptPartial);
    assert_eq!(names(&place.volume, "/").await, ["f"]);
}

/// STOR after REST: old bytes behind the new end stay.
#[tokio::test]
async fn a_restart_writes_in_place_from_its_offset() {
    let place = Place::new();
    put(&place.volume, "/f", b"0123456789").await;
    let view = place.view();
    let upload = begin(&view, "/f", UploadMode::ResumeAt(4)).await;
    assert_eq!(upload.start(), 4);
    write(&upload, b"xy").await;
    must(upload.commit(None).await);
    assert_eq!(fetch(&place.volume, "/f").await, b"0123xy6789");
    let missing = view
        .begin_upload(&path("/missing"), UploadMode::ResumeAt(4), 0)
        .await;
    assert_eq!(refused(missing), ErrorKind::NotFound);
}

/// APPE: appends, creating if missing.
#[tokio::test]
async fn an_append_begins_at_the_end_or_makes_the_file() {
    let place = Place::new();
    let view = place.view();
    for expected in ["a", "aa", "aaa"] {
        let upload = begin(&view, "/f", UploadMode::Append).await;
        assert_eq!(upload.start(), expected.len() as u64 - 1);
        write(&upload, b"a").await;
        must(upload.commit(None).await);
        assert_eq!(fetch(&place.volume, "/f").await, expected.as_bytes());
    }
}

/// APPE: `append` for a file that exists, `create` for a new one.
#[tokio::test]
async fn append_and_create_are_two_rights() {
    let place = Place::new();
    put(&place.volume, "/old", b"old").await;
    let policy = UploadPolicy::default();
    let maker = place.view_with(Rights::NONE.with(Right::Create), policy);
    let appender = place.view_with(Rights::NONE.with(Right::Append), policy);
    assert_eq!(
        refused(
            maker
                .begin_upload(&path("/old"), UploadMode::Append, 0)
                .await
        ),
        ErrorKind::Denied
    );
    assert_eq!(
        refused(
            appender
                .begin_upload(&path("/new"), UploadMode::Append, 0)
                .await
        ),
        ErrorKind::Denied
    );
    must(
        begin(&maker, "/new", UploadMode::Append)
            .await
            .commit(None)
            .await,
    );
    assert_eq!(
        begin(&appender, "/old", UploadMode::Append).await.start(),
        3
    );
}

/// STOU: the hint, then `hint.1`, `hint.2`; without a hint `ftp.` and 8 letters or digits.
#[tokio::test]
async fn a_unique_upload_takes_the_first_free_name() {
    let place = Place::new();
    let view = place.view();
    put(&place.volume, "/a", b"old").await;
    let hint = || UploadMode::Unique {
        hint: Some(b"a".to_vec()),
    };
    let first = begin(&view, "/", hint()).await;
    let second = begin(&view, "/", hint()).await;
    assert_eq!(
        (first.target(), second.target()),
        (&path("/a.1"), &path("/a.2"))
    );
    assert_eq!(must(second.commit_named(None).await), path("/a.2"));
    assert_eq!(must(first.commit_named(None).await), path("/a.1"));
    assert_eq!(fetch(&place.volume, "/a").await, b"old");
    let named = begin(&view, "/", UploadMode::Unique { hint: None }).await;
    let name = named.target().name().unwrap().to_vec();
    assert!(name.starts_with(b"ftp.") && name.len() == 12);
    assert!(
        name[4..]
            .iter()
            .all(|byte| byte.is_ascii_lowercase() || (b'2'..=b'7').contains(byte))
    );
}

#[tokio::test]
async fn a_unique_upload_gives_way_to_a_file_that_appears_meanwhile() {
    let place = Place::new();
    let upload = begin(
        &place.view(),
        "/",
        UploadMode::Unique {
            hint: Some(b"a".to_vec()),
        },
    )
    .await;
    write(&upload, b"mine").await;
    put(&place.volume, "/a", b"theirs").await;
    assert_eq!(must(upload.commit_named(None).await), path("/a.1"));
    assert_eq!(fetch(&place.volume, "/a").await, b"theirs");
    assert_eq!(fetch(&place.volume, "/a.1").await, b"mine");
}

/// A link at the target is replaced; what it leads to is not written.
#[tokio::test]
async fn a_staged_upload_does_not_write_through_a_link() {
    let place = Place::new();
    put(&place.volume, "/f", b"kept").await;
    must(place.volume.create_symlink(&path("/f"), &path("/l")).await);
    let upload = begin(&place.view(), "/l", UploadMode::Replace).await;
    write(&upload, b"new").await;
    must(upload.commit(None).await);
    assert_eq!(fetch(&place.volume, "/f").await, b"kept");
    assert_eq!(fetch(&place.volume, "/l").await, b"new");
}

#[test]
fn temporaries_have_80_random_bits() {
    let names: std::collections::HashSet<_> = (0..1000).map(|_| random_letters::<16>()).collect();
    assert_eq!(names.len(), 1000);
    for place in 0..16 {
        let letters: std::collections::HashSet<_> = names.iter().map(|name| name[place]).collect();
        assert_eq!(letters.len(), 32, "letters at {place}");
    }
}

/// What is asked for by its name must be there: visible at once, and the same open file goes on.
#[tokio::test]
async fn a_published_upload_is_visible_and_goes_on_in_place() {
    let place = Place::new();
    put(&place.volume, "/f", b"what stood there").await;
    let view = place.view();
    let mut upload = begin(&view, "/f", UploadMode::Replace).await;
    write(&upload, b"first").await;
    assert!(upload.is_staged());
    must(upload.publish().await);
    assert!(!upload.is_staged());
    assert_eq!(fetch(&place.volume, "/f").await, b"first");
    assert_eq!(names(&place.volume, "/").await, ["f"]);
    must(upload.file().write_at(b"second".to_vec(), 5).await);
    must(upload.publish().await);
    assert_eq!(fetch(&place.volume, "/f").await, b"firstsecond");
    let modified = Timestamp {
        seconds: 5,
        nanoseconds: 0,
    };
    must(upload.commit(Some(modified)).await);
    let found = must(place.volume.metadata(&path("/f"), Links::Follow).await);
    assert_eq!((found.modified, found.mode), (modified, 0o640));
}

/// What ends it settles the open file, whatever its name is by then, and takes nothing away.
#[tokio::test]
async fn a_published_upload_is_not_undone_by_its_end() {
    let place = Place::new();
    let view = place.view();
    let modified = Timestamp {
        seconds: 5,
        nanoseconds: 0,
    };
    let mut upload = begin(&view, "/f.part", UploadMode::Replace).await;
    write(&upload, b"content").await;
    must(upload.publish().await);
    must(view.rename(&path("/f.part"), &path("/f")).await);
    put(&place.volume, "/f.part", b"another").await;
    must(upload.commit(Some(modified)).await);
    let found = must(place.volume.metadata(&path("/f"), Links::Follow).await);
    assert_eq!(found.modified, modified);
    assert_eq!(fetch(&place.volume, "/f.part").await, b"another");
    for ends_by_abort in [true, false] {
        let mut upload = begin(&view, "/g", UploadMode::Replace).await;
        must(upload.publish().await);
        if ends_by_abort {
            assert_eq!(must(upload.abort(0).await), AbortedUpload::KeptPartial);
        } else {
            drop(upload);
            tokio::task::yield_now().await;
        }
        assert_eq!(names(&place.volume, "/").await, ["f", "f.part", "g"]);
    }
}

#[tokio::test]
async fn a_published_upload_lets_others_write_in_place_but_no_upload() {
    let place = Place::new();
    let view = place.view();
    let asked = crate::InPlace {
        write: true,
        ..crate::InPlace::default()
    };
    let mut upload = begin(&view, "/f", UploadMode::Replace).await;
    write(&upload, b"abc").await;
    assert_eq!(
        refused(view.open_in_place(&path("/f"), asked).await),
        ErrorKind::Busy
    );
    must(upload.publish().await);
    let beside = must(view.open_in_place(&path("/f"), asked).await);
    must(beside.file.write_at(b"X".to_vec(), 1).await);
    let busy = view
        .begin_upload(&path("/f"), UploadMode::Replace, UMASK)
        .await;
    assert_eq!(refused(busy), ErrorKind::Busy);
    must(upload.commit(None).await);
    let busy = view
        .begin_upload(&path("/f"), UploadMode::Replace, UMASK)
        .await;
    assert_eq!(refused(busy), ErrorKind::Busy);
    drop(beside);
    assert_eq!(fetch(&place.volume, "/f").await, b"aXc");
    must(
        begin(&view, "/f", UploadMode::Replace)
            .await
            .commit(None)
            .await,
    );
}

/// What cannot be made visible stays staged, and is still discarded by the end.
#[tokio::test]
async fn an_upload_that_cannot_be_published_stays_staged() {
    let place = Place::new();
    let view = place.view();
    let mut upload = begin(&view, "/f", UploadMode::Replace).await;
    write(&upload, b"content").await;
    make(&place.volume, "/f").await;
    assert_eq!(refused(upload.publish().await), ErrorKind::IsADirectory);
    assert!(upload.is_staged());
    assert_eq!(refused(upload.commit(None).await), ErrorKind::IsADirectory);
    assert_eq!(names(&place.volume, "/").await, ["f"]);
}

#[tokio::test]
async fn an_upload_takes_the_permission_bits_that_it_was_begun_with() {
    let place = Place::new();
    for (mode, at) in [
        (UploadMode::Replace, "/a"),
        (UploadMode::Append, "/b"),
        (
            UploadMode::Unique {
                hint: Some(b"c".to_vec()),
            },
            "/",
        ),
    ] {
        let upload = must(place.view().begin_upload_as(&path(at), mode, 0o751).await);
        let path = must(upload.commit_named(None).await);
        let found = must(place.volume.metadata(&path, Links::Follow).await);
        assert_eq!(found.mode, 0o751, "{path}");
    }
}
