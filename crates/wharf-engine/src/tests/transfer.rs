//! Every end that a transfer can take: what stays in the volume, what the peer sees, what is told.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use rustix::net::{SendFlags, sockopt};
use tokio::{io::Interest, sync::Semaphore};
use wharf_transfer::{DataStream, Error, Meter, Source, Transform};
use wharf_vfs::{
    Answer, AttributeChange, Capabilities, DirectoryReader, ErrorKind, FileRef, Links, Metadata,
    Replace, Space, Upload, UploadMode,
};

use super::*;
use crate::{Abort, TransferOutcome, Transfers};

const STALL: Duration = Duration::from_secs(300);

fn transfers(session: &Session<LoggedIn>) -> Transfers {
    Transfers {
        engine: Arc::clone(session.engine()),
        origin: session.origin(),
        account: Arc::clone(session.account()),
        stall_timeout: STALL,
        meter: Arc::<Meter>::default(),
        abort: Arc::<Abort>::default(),
        started: Instant::now(),
    }
}

async fn begin(session: &Session<LoggedIn>) -> Upload {
    session
        .view()
        .begin_upload(&path("f"), UploadMode::Replace, 0)
        .await
        .unwrap()
}

async fn pair() -> (DataStream, TcpStream) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let other = TcpStream::connect(listener.local_addr().unwrap())
        .await
        .unwrap();
    let (ours, _) = listener.accept().await.unwrap();
    (DataStream::from_registered(ours), other)
}

/// Breaks the connection without an end.
fn break_off(stream: TcpStream) {
    sockopt::set_socket_linger(&stream, Some(Duration::ZERO)).unwrap();
}

/// Sends `bytes` and breaks off once all of them have arrived.
async fn send_and_break_off(mut stream: TcpStream, bytes: &[u8], meter: &Meter) {
    stream.write_all(bytes).await.unwrap();
    until(|| meter.octets() == bytes.len() as u64).await;
    break_off(stream);
}

async fn send_whole(mut stream: TcpStream, bytes: &[u8]) {
    // The receiver may hang up early.
    let _ = stream.write_all(bytes).await;
    let _ = stream.shutdown().await;
    let _ = stream.read(&mut [0]).await;
}

fn store_failure(outcome: &TransferOutcome) -> Option<ErrorKind> {
    match outcome {
        TransferOutcome::Failed(Error::Store(error)) => Some(error.kind),
        _ => None,
    }
}

#[tokio::test]
async fn a_whole_upload_is_under_its_name_when_it_is_told() {
    let house = House::new(Policy::default());
    house.put("f", b"old").await;
    let session = house.anna().await;
    let (upload, transfers) = (begin(&session).await, transfers(&session));
    let (stream, other) = pair().await;
    let uploading = transfers.upload(upload, stream, None, None, u64::MAX, b"/f");
    let (outcome, ()) = tokio::join!(uploading, send_whole(other, b"new"));
    assert!(
        matches!(outcome, TransferOutcome::Complete(3)),
        "{outcome:?}"
    );
    assert_eq!(house.content("f").await.unwrap(), b"new");
    assert_eq!(house.heard.transfers(), ["upload_committed"]);
    assert_eq!(house.objects().await, 1);
}

/// Product section 5: a torn upload is never visible where something stood before.
#[tokio::test]
async fn a_broken_upload_leaves_the_old_file_untouched() {
    let house = House::new(Policy::default());
    house.put("f", b"old").await;
    let session = house.anna().await;
    let (upload, transfers) = (begin(&session).await, transfers(&session));
    let (stream, other) = pair().await;
    let uploading = transfers.upload(upload, stream, None, Some(100), u64::MAX, b"/f");
    let (outcome, ()) = tokio::join!(
        uploading,
        send_and_break_off(other, b"new", &transfers.meter)
    );
    assert!(
        matches!(outcome, TransferOutcome::Failed(Error::Stream(_))),
        "{outcome:?}"
    );
    assert_eq!(house.content("f").await.unwrap(), b"old");
    let told = house.heard.transfers();
    assert!(
        told.len() == 1 && told[0].starts_with("upload_aborted: the data connection broke"),
        "{told:?}"
    );
    assert_eq!(house.objects().await, 1, "no temporary stays");
}

/// INT-56: with every announced octet here, a reset in place of an end is the client's bad manners.
#[tokio::test]
async fn int_56_a_reset_after_the_announced_octets_is_a_whole_upload() {
    let house = House::new(Policy::default());
    house.put("f", b"old").await;
    let session = house.anna().await;
    let (upload, transfers) = (begin(&session).await, transfers(&session));
    let (stream, other) = pair().await;
    let uploading = transfers.upload(upload, stream, None, Some(3), u64::MAX, b"/f");
    let (outcome, ()) = tokio::join!(
        uploading,
        send_and_break_off(other, b"new", &transfers.meter)
    );
    assert!(
        matches!(outcome, TransferOutcome::Complete(3)),
        "{outcome:?}"
    );
    assert_eq!(house.content("f").await.unwrap(), b"new");
    assert_eq!(house.heard.transfers(), ["upload_committed"]);
}

/// INT-56: what a transform holds back at a reset is lost, so that upload is not whole.
#[tokio::test]
async fn int_56_a_transformed_upload_needs_its_end() {
    struct Same;
    impl Transform for Same {
        fn apply(&mut self, input: &[u8], output: &mut Vec<u8>) {
            output.extend_from_slice(input);
        }
        fn finish(&mut self, _: &mut Vec<u8>) {}
    }
    let house = House::new(Policy::default());
    let session = house.anna().await;
    let (upload, transfers) = (begin(&session).await, transfers(&session));
    let (stream, other) = pair().await;
    let uploading = transfers.upload(
        upload,
        stream,
        Some(Box::new(Same)),
        Some(3),
        u64::MAX,
        b"/f",
    );
    let (outcome, ()) = tokio::join!(
        uploading,
        send_and_break_off(other, b"new", &transfers.meter)
    );
    assert!(
        matches!(outcome, TransferOutcome::Failed(Error::Stream(_))),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn a_full_volume_is_no_space_and_keeps_the_old_file() {
    let house = House::with(Policy::default(), [account("anna")], MemoryVolume::new(10));
    house.put("f", b"old").await;
    let session = house.anna().await;
    for _ in 0..2 {
        let (upload, transfers) = (begin(&session).await, transfers(&session));
        let (stream, other) = pair().await;
        let uploading = transfers.upload(upload, stream, None, None, u64::MAX, b"/f");
        let (outcome, ()) = tokio::join!(uploading, send_whole(other, &[7; 50]));
        assert_eq!(
            store_failure(&outcome),
            Some(ErrorKind::NoSpace),
            "{outcome:?}"
        );
        assert_eq!(house.content("f").await.unwrap(), b"old");
        assert_eq!(house.objects().await, 1, "the space is free again");
    }
    assert_eq!(house.heard.transfers().len(), 2);
}

#[tokio::test]
async fn a_store_that_breaks_is_blamed_and_keeps_the_old_file() {
    let house = House::new(Policy::default());
    house.put("f", b"old").await;
    let session = house.anna().await;
    let (upload, transfers) = (begin(&session).await, transfers(&session));
    house.volume.fail_after(Some(5));
    let (stream, other) = pair().await;
    let uploading = transfers.upload(upload, stream, None, None, u64::MAX, b"/f");
    let (outcome, ()) = tokio::join!(uploading, send_whole(other, &[7; 50]));
    assert_eq!(
        store_failure(&outcome),
        Some(ErrorKind::Broken),
        "{outcome:?}"
    );
    assert_eq!(house.content("f").await.unwrap(), b"old");
}

/// DAT-33: less than was promised ends in a reset, not in an end.
#[tokio::test]
async fn dat_33_a_download_of_a_shrinking_file_resets() {
    let house = House::new(Policy::default());
    house.put("f", b"0123456789").await;
    let session = house.anna().await;
    let (file, metadata) = session.view().open_read(&path("f")).await.unwrap();
    house
        .volume
        .open(&path("f"), OpenMode::Update)
        .await
        .unwrap()
        .set_size(5)
        .await
        .unwrap();
    let transfers = transfers(&session);
    let (stream, mut other) = pair().await;
    let source = Source {
        file,
        offset: 0,
        length: metadata.size,
    };
    let outcome = transfers.download(source, stream, None, b"/f").await;
    assert!(
        matches!(
            outcome,
            TransferOutcome::Failed(Error::Shrank {
                sent: 5,
                expected: 10
            })
        ),
        "{outcome:?}"
    );
    assert!(other.read_to_end(&mut Vec::new()).await.is_err(), "a reset");
    assert_eq!(
        house.heard.transfers(),
        ["download_aborted: the file shrank while it was read: 5 of 10 octets were sent"]
    );
}

#[tokio::test]
async fn a_whole_download_ends_in_order() {
    let house = House::new(Policy::default());
    house.put("f", b"0123456789").await;
    let session = house.anna().await;
    let (file, _) = session.view().open_read(&path("f")).await.unwrap();
    let (stream, mut other) = pair().await;
    let source = Source {
        file,
        offset: 2,
        length: 8,
    };
    let outcome = transfers(&session)
        .download(source, stream, None, b"/f")
        .await;
    assert!(
        matches!(outcome, TransferOutcome::Complete(8)),
        "{outcome:?}"
    );
    let mut received = Vec::new();
    other.read_to_end(&mut received).await.unwrap();
    assert_eq!(
        (received.as_slice(), house.heard.transfers()),
        (
            b"23456789".as_slice(),
            vec!["download_committed".to_owned()]
        )
    );
}

/// Asked before or in the midst, an abort ends an upload once and the old file stays.
#[tokio::test]
async fn an_aborted_upload_is_told_once_and_leaves_the_old_file() {
    for is_early in [true, false] {
        let house = House::new(Policy::default());
        house.put("f", b"old").await;
        let session = house.anna().await;
        let (upload, transfers) = (begin(&session).await, transfers(&session));
        if is_early {
            transfers.abort.ask();
        }
        let (stream, mut other) = pair().await;
        other.write_all(b"new").await.unwrap();
        let asking = async {
            if !is_early {
                until(|| transfers.meter.octets() == 3).await;
                transfers.abort.ask();
            }
        };
        let uploading = transfers.upload(upload, stream, None, None, u64::MAX, b"/f");
        let (outcome, ()) = tokio::join!(uploading, asking);
        assert!(matches!(outcome, TransferOutcome::Aborted), "{outcome:?}");
        assert_eq!(house.content("f").await.unwrap(), b"old");
        assert_eq!(
            house.heard.transfers(),
            ["upload_aborted: aborted on request"]
        );
        assert_eq!(house.objects().await, 1);
    }
}

/// A partial is kept only where nothing stood, and then it is whole up to what was counted.
#[tokio::test]
async fn an_aborted_upload_of_a_new_file_keeps_the_part() {
    let house = House::new(Policy::default());
    let session = house.anna().await;
    let (upload, transfers) = (begin(&session).await, transfers(&session));
    let (stream, mut other) = pair().await;
    other.write_all(b"part").await.unwrap();
    let asking = async {
        until(|| transfers.meter.octets() == 4).await;
        transfers.abort.ask();
    };
    tokio::join!(
        transfers.upload(upload, stream, None, None, u64::MAX, b"/f"),
        asking
    );
    assert_eq!(house.content("f").await.unwrap(), b"part");
}

/// DAT-36
#[tokio::test(start_paused = true)]
async fn dat_36_an_upload_that_stands_still_is_given_up() {
    let house = House::new(Policy::default());
    let session = house.anna().await;
    let (upload, transfers) = (begin(&session).await, transfers(&session));
    let (stream, _other) = pair().await;
    let outcome = transfers
        .upload(upload, stream, None, None, u64::MAX, b"/f")
        .await;
    assert!(
        matches!(
            outcome,
            TransferOutcome::Failed(Error::Stalled { seconds: 300 })
        ),
        "{outcome:?}"
    );
    assert_eq!(
        house.heard.transfers(),
        ["upload_aborted: no octet moved for 300 s"]
    );
    assert_eq!(house.objects().await, 0);
}

/// TLS-11, DAT-36: a peer under TLS that takes not even our close_notify holds nobody up, nor does it
/// keep an abort from being heard.
#[tokio::test(start_paused = true)]
async fn a_download_whose_close_notify_is_not_taken_is_given_up() {
    for is_aborted in [false, true] {
        let house = House::new(Policy::default());
        house.put("f", b"").await;
        let session = house.anna().await;
        let (file, _) = session.view().open_read(&path("f")).await.unwrap();
        let (mut stream, other) = pair().await;
        let mut other = DataStream::from_registered(other);
        let (ours, theirs) = crate::tls::tests::sides();
        let (one, two) = tokio::join!(stream.secure(ours), other.secure(theirs));
        one.and(two).unwrap();
        let full = stream.when(Interest::WRITABLE, |socket| {
            while rustix::net::send(socket, &[0; 65536], SendFlags::empty()).is_ok() {}
            Ok(())
        });
        full.await.unwrap();
        let source = Source {
            file,
            offset: 0,
            length: 0,
        };
        let transfers = transfers(&session);
        let asking = async {
            if is_aborted {
                transfers.abort.ask();
            }
        };
        let downloading = transfers.download(source, stream, None, b"/f");
        let both = async { tokio::join!(biased; downloading, asking) };
        let (outcome, ()) = tokio::time::timeout(4 * STALL, both)
            .await
            .expect("it waits for ever");
        match is_aborted {
            true => assert!(matches!(outcome, TransferOutcome::Aborted), "{outcome:?}"),
            false => assert!(
                matches!(outcome, TransferOutcome::Failed(Error::Stalled { .. })),
                "{outcome:?}"
            ),
        }
    }
}

/// INT-45: as long as it runs, its session is not the idle one that makes room.
#[tokio::test]
async fn a_session_with_a_transfer_is_not_replaced() {
    let house = House::new(Policy::default());
    let session = house.anna().await;
    let (upload, transfers) = (begin(&session).await, transfers(&session));
    let (stream, other) = pair().await;
    let peer = session.record().peer.ip();
    let trying = async {
        let is_replaced = house.engine.registry.replace_oldest(peer);
        send_whole(other, b"new").await;
        is_replaced
    };
    let (_, is_replaced) =
        tokio::join!(biased; transfers.upload(upload, stream, None, None, u64::MAX, b"/f"), trying);
    assert!(!is_replaced && house.engine.registry.replace_oldest(peer));
}

/// A volume whose renames and writes wait at gates: the moment of the commit, made long, and a disk
/// that is busy on another thread.
#[derive(Debug)]
struct Gated {
    inner: MemoryVolume,
    is_asked: AtomicBool,
    gate: Semaphore,
    writes: Arc<Semaphore>,
}

struct GatedFile(FileRef, Arc<Semaphore>);

impl wharf_vfs::File for GatedFile {
    fn descriptor(&self) -> Option<&std::os::fd::OwnedFd> {
        self.0.descriptor()
    }
    fn metadata(&self) -> Answer<'_, Metadata> {
        self.0.metadata()
    }
    fn read_at(&self, buffer: Vec<u8>, offset: u64) -> Answer<'_, Vec<u8>> {
        self.0.read_at(buffer, offset)
    }
    /// Once begun it goes on, whoever waits for it or does not.
    fn write_at(&self, buffer: Vec<u8>, offset: u64) -> Answer<'_, Vec<u8>> {
        let (file, gate) = (Arc::clone(&self.0), Arc::clone(&self.1));
        let work = tokio::spawn(async move {
            gate.acquire().await.unwrap().forget();
            file.write_at(buffer, offset).await
        });
        Answer::later(async move { work.await.unwrap() })
    }
    fn set_size(&self, size: u64) -> Answer<'_, ()> {
        self.0.set_size(size)
    }
    fn set_attributes(&self, change: AttributeChange) -> Answer<'_, ()> {
        self.0.set_attributes(change)
    }
    fn sync(&self) -> Answer<'_, ()> {
        self.0.sync()
    }
}

impl Volume for Gated {
    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }
    fn metadata<'a>(&'a self, path: &'a VirtualPath, links: Links) -> Answer<'a, Metadata> {
        self.inner.metadata(path, links)
    }
    fn open<'a>(&'a self, path: &'a VirtualPath, mode: OpenMode) -> Answer<'a, FileRef> {
        let writes = Arc::clone(&self.writes);
        Answer::later(async move {
            Ok(Arc::new(GatedFile(self.inner.open(path, mode).await?, writes)) as FileRef)
        })
    }
    fn read_directory<'a>(&'a self, path: &'a VirtualPath) -> Answer<'a, Box<dyn DirectoryReader>> {
        self.inner.read_directory(path)
    }
    fn create_directory<'a>(&'a self, path: &'a VirtualPath, mode: u32) -> Answer<'a, ()> {
        self.inner.create_directory(path, mode)
    }
    fn remove_file<'a>(&'a self, path: &'a VirtualPath) -> Answer<'a, ()> {
        self.inner.remove_file(path)
    }
    fn remove_directory<'a>(&'a self, path: &'a VirtualPath) -> Answer<'a, ()> {
        self.inner.remove_directory(path)
    }
    fn rename<'a>(
        &'a self,
        from: &'a VirtualPath,
        to: &'a VirtualPath,
        replace: Replace,
    ) -> Answer<'a, ()> {
        Answer::later(async move {
            self.is_asked.store(true, Ordering::SeqCst);
            self.gate.acquire().await.unwrap().forget();
            self.inner.rename(from, to, replace).await
        })
    }
    fn set_attributes<'a>(
        &'a self,
        path: &'a VirtualPath,
        links: Links,
        change: AttributeChange,
    ) -> Answer<'a, ()> {
        self.inner.set_attributes(path, links, change)
    }
    fn read_link<'a>(&'a self, path: &'a VirtualPath) -> Answer<'a, Vec<u8>> {
        self.inner.read_link(path)
    }
    fn create_symlink<'a>(
        &'a self,
        target: &'a VirtualPath,
        path: &'a VirtualPath,
    ) -> Answer<'a, ()> {
        self.inner.create_symlink(target, path)
    }
    fn create_symlink_text<'a>(&'a self, text: &'a [u8], path: &'a VirtualPath) -> Answer<'a, ()> {
        self.inner.create_symlink_text(text, path)
    }
    fn create_hard_link<'a>(
        &'a self,
        existing: &'a VirtualPath,
        path: &'a VirtualPath,
    ) -> Answer<'a, ()> {
        self.inner.create_hard_link(existing, path)
    }
    fn space<'a>(&'a self, path: &'a VirtualPath) -> Answer<'a, Space> {
        self.inner.space(path)
    }
}

/// A house on such a volume: no rename, and so many writes.
fn gated(writes: usize) -> (House, Arc<Gated>) {
    let inner = MemoryVolume::new(1 << 20);
    let volume = Arc::new(Gated {
        inner: inner.clone(),
        is_asked: AtomicBool::new(false),
        gate: Semaphore::new(0),
        writes: Arc::new(Semaphore::new(writes)),
    });
    let views = Box::new(OneVolume::new(volume.clone(), 0));
    (
        House::of(
            Policy::default(),
            [account("anna")],
            inner,
            views,
            Vec::new(),
        ),
        volume,
    )
}

/// CVE-2020-9273: an abort in the very moment of the commit comes too late, and does no harm.
#[tokio::test]
async fn cve_2020_9273_an_abort_during_the_commit_still_commits_and_is_told_once() {
    let (house, volume) = gated(9);
    let session = house.anna().await;
    let (upload, transfers) = (begin(&session).await, transfers(&session));
    let (stream, other) = pair().await;
    let asking = async {
        until(|| volume.is_asked.load(Ordering::SeqCst)).await;
        transfers.abort.ask();
        tokio::task::yield_now().await;
        volume.gate.add_permits(1);
    };
    let uploading = transfers.upload(upload, stream, None, None, u64::MAX, b"/f");
    let (outcome, (), ()) = tokio::join!(uploading, asking, send_whole(other, b"new"));
    assert!(
        matches!(outcome, TransferOutcome::Complete(3)),
        "{outcome:?}"
    );
    assert_eq!(house.content("f").await.unwrap(), b"new");
    assert_eq!(house.heard.transfers(), ["upload_committed"]);
}

/// Whoever takes the place of an aborted upload must not find a thread that still writes into it.
#[tokio::test]
async fn an_aborted_upload_ends_after_its_last_write() {
    let (house, volume) = gated(0);
    house.put("f", b"0123456789").await;
    let session = house.anna().await;
    let upload = session
        .view()
        .begin_upload(&path("f"), UploadMode::ResumeAt(2), 0)
        .await
        .unwrap();
    let transfers = transfers(&session);
    let (stream, mut other) = pair().await;
    other.write_all(b"new").await.unwrap();
    let uploading = transfers.upload(upload, stream, None, None, u64::MAX, b"/f");
    let going_on = async {
        // The write has been begun and waits for the disk.
        until(|| Arc::strong_count(&volume.writes) > 2).await;
        transfers.abort.ask();
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        assert!(
            house.heard.transfers().is_empty(),
            "it is not over before its write is"
        );
        volume.writes.add_permits(1);
    };
    let (outcome, ()) = tokio::join!(uploading, going_on);
    assert!(matches!(outcome, TransferOutcome::Aborted), "{outcome:?}");
    assert_eq!(house.content("f").await.unwrap(), b"01new56789");
    assert_eq!(transfers.meter.octets(), 3, "what is written is counted");
}

/// CVE-2020-9273: a session that is gone in the midst leaves no temporary, no claim and one event.
#[tokio::test]
async fn cve_2020_9273_a_dropped_transfer_cleans_up_after_itself() {
    for is_committing in [false, true] {
        let (house, volume) = gated(9);
        house.put("f", b"old").await;
        let session = house.anna().await;
        let (upload, transfers) = (begin(&session).await, transfers(&session));
        let (stream, mut other) = pair().await;
        other.write_all(b"new").await.unwrap();
        if is_committing {
            other.shutdown().await.unwrap();
        }
        let uploading = transfers.upload(upload, stream, None, None, u64::MAX, b"/f");
        tokio::select! {
            _ = uploading => panic!("it cannot end"),
            () = until(|| transfers.meter.octets() == 3 && volume.is_asked.load(Ordering::SeqCst) == is_committing) => {}
        }
        assert_eq!(
            house.heard.transfers(),
            ["upload_aborted: the session was dropped"]
        );
        while house.objects().await > 1 {
            tokio::task::yield_now().await;
        }
        assert_eq!(house.content("f").await.unwrap(), b"old");
        drop(begin(&session).await);
    }
}
