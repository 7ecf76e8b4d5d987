//! The pump over real sockets and real files: every path, whole and broken.

#![expect(
    clippy::disallowed_methods,
    reason = "tests make their files and read the virtual clock"
)]

use std::{io::Read as _, net::TcpListener, sync::Arc, time::Duration};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use wharf_vfs::{FileRef, OpenMode, VirtualPath, Volume, volumes};

use super::*;
use crate::guard_against_stall;

/// A connected pair: ours as a stream, the other end for the test.
async fn pair() -> (DataStream, tokio::net::TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let other = tokio::net::TcpStream::connect(listener.local_addr().unwrap())
        .await
        .unwrap();
    let (ours, _) = listener.accept().unwrap();
    ours.set_nonblocking(true).unwrap();
    // Small, so that a chunk does not go out at once.
    rustix::net::sockopt::set_socket_send_buffer_size(&ours, 64 * 1024).unwrap();
    (DataStream::new(ours.into()), other)
}

fn content(size: usize) -> Vec<u8> {
    (0..size)
        .map(|index| (index * 7 + index / 251).to_le_bytes()[0])
        .collect()
}

struct Place {
    _directory: tempfile::TempDir,
    volumes: [Arc<dyn Volume>; 2],
}

fn places() -> Place {
    let directory = tempfile::tempdir().unwrap();
    let local: Arc<dyn Volume> =
        Arc::new(volumes::local::LocalVolume::open(directory.path()).unwrap());
    let memory: Arc<dyn Volume> = Arc::new(volumes::memory::MemoryVolume::new(64 << 20));
    Place {
        _directory: directory,
        volumes: [local, memory],
    }
}

async fn file(volume: &Arc<dyn Volume>, bytes: &[u8]) -> FileRef {
    let path = VirtualPath::parse(&VirtualPath::root(), b"f").unwrap();
    let file = volume
        .open(&path, OpenMode::UpdateOrCreate { mode: 0o600 })
        .await
        .unwrap();
    file.set_size(0).await.unwrap();
    if !bytes.is_empty() {
        file.write_at(bytes.to_vec(), 0).await.unwrap();
    }
    file
}

async fn read_all(file: &FileRef) -> Vec<u8> {
    let mut whole = Vec::new();
    loop {
        let part = file
            .read_at(Vec::with_capacity(1 << 20), whole.len() as u64)
            .await
            .unwrap();
        if part.is_empty() {
            return whole;
        }
        whole.extend(part);
    }
}

#[tokio::test]
async fn every_path_sends_the_very_octets() {
    let place = places();
    for volume in &place.volumes {
        for size in [0, 1, 4096, 3 << 20, (40 << 20) + 1] {
            let bytes = content(size);
            let source = Source {
                file: file(volume, &bytes).await,
                offset: 0,
                length: size as u64,
            };
            let (mut stream, mut other) = pair().await;
            let meter = Meter::new();
            let flow = Flow {
                meter: &meter,
                throttles: &[],
            };
            let sending = async {
                let sent = send(&source, &mut stream, flow, None).await.unwrap();
                stream.finish();
                sent
            };
            let mut received = Vec::new();
            let (sent, got) = tokio::join!(sending, other.read_to_end(&mut received));
            got.unwrap();
            assert_eq!((sent, meter.octets()), (size as u64, size as u64));
            assert!(received == bytes, "{size} octets arrive as they are");
        }
    }
}

#[tokio::test]
async fn every_path_receives_the_very_octets_at_an_offset() {
    let place = places();
    for volume in &place.volumes {
        for size in [0, 5, 65_536, 65_537, 5 << 20] {
            let bytes = content(size);
            let file = file(volume, b"start").await;
            let target = Target {
                file: Arc::clone(&file),
                offset: 5,
                limit: u64::MAX,
            };
            let (mut stream, mut other) = pair().await;
            let meter = Meter::new();
            let flow = Flow {
                meter: &meter,
                throttles: &[],
            };
            let writing = async {
                other.write_all(&bytes).await.unwrap();
                other.shutdown().await.unwrap();
            };
            let (received, ()) = tokio::join!(receive(&target, &mut stream, flow, None), writing);
            assert_eq!(received.unwrap(), size as u64);
            assert!(
                read_all(&file).await == [b"start".as_slice(), &bytes].concat(),
                "{size}"
            );
        }
    }
}

/// DAT-33: less than was promised never looks whole.
#[tokio::test]
async fn a_file_that_shrinks_is_an_error() {
    let place = places();
    for volume in &place.volumes {
        let source = Source {
            file: file(volume, b"short").await,
            offset: 0,
            length: 10,
        };
        let (mut stream, mut other) = pair().await;
        let meter = Meter::new();
        let sent = send(
            &source,
            &mut stream,
            Flow {
                meter: &meter,
                throttles: &[],
            },
            None,
        )
        .await;
        assert!(
            matches!(
                sent,
                Err(Error::Shrank {
                    sent: 5,
                    expected: 10
                })
            ),
            "{sent:?}"
        );
        stream.reset();
        let mut rest = Vec::new();
        assert!(
            other.read_to_end(&mut rest).await.is_err(),
            "a reset, not an end"
        );
    }
}

#[tokio::test]
async fn a_limit_ends_an_upload() {
    let place = places();
    for volume in &place.volumes {
        for size in [20, 300_000] {
            let file = file(volume, b"").await;
            let target = Target {
                file: Arc::clone(&file),
                offset: 0,
                limit: size as u64 - 1,
            };
            let (mut stream, mut other) = pair().await;
            let meter = Meter::new();
            let flow = Flow {
                meter: &meter,
                throttles: &[],
            };
            let bytes = content(size);
            let writing = async {
                let _ = other.write_all(&bytes).await;
                let _ = other.shutdown().await;
            };
            let (received, ()) = tokio::join!(receive(&target, &mut stream, flow, None), writing);
            assert!(
                matches!(received, Err(Error::TooLong { .. })),
                "{received:?}"
            );
            assert!(
                read_all(&file).await.len() < size,
                "nothing beyond the limit is written"
            );
        }
    }
}

struct Doubler;

impl Transform for Doubler {
    fn apply(&mut self, input: &[u8], output: &mut Vec<u8>) {
        output.extend(input.iter().flat_map(|byte| [*byte, *byte]));
    }

    fn finish(&mut self, output: &mut Vec<u8>) {
        output.push(b'!');
    }
}

#[tokio::test]
async fn a_transform_sees_every_octet_and_the_end() {
    let place = places();
    for volume in &place.volumes {
        let source = Source {
            file: file(volume, b"abc").await,
            offset: 1,
            length: 2,
        };
        let (mut stream, mut other) = pair().await;
        let meter = Meter::new();
        let flow = Flow {
            meter: &meter,
            throttles: &[],
        };
        assert_eq!(
            send(&source, &mut stream, flow, Some(&mut Doubler))
                .await
                .unwrap(),
            5
        );
        stream.finish();
        let mut received = Vec::new();
        other.read_to_end(&mut received).await.unwrap();
        assert_eq!(received, b"bbcc!");
    }
}

#[tokio::test]
async fn a_transform_has_the_last_word_on_an_empty_file() {
    let [_, memory] = places().volumes;
    let source = Source {
        file: file(&memory, b"").await,
        offset: 0,
        length: 0,
    };
    let (mut stream, mut other) = pair().await;
    let meter = Meter::new();
    let flow = Flow {
        meter: &meter,
        throttles: &[],
    };
    assert_eq!(
        send(&source, &mut stream, flow, Some(&mut Doubler))
            .await
            .unwrap(),
        1
    );
    stream.finish();
    let mut received = Vec::new();
    other.read_to_end(&mut received).await.unwrap();
    assert_eq!(received, b"!");
}

/// A throttle holds over the whole flow: virtual time tells how long it took.
#[tokio::test(start_paused = true)]
async fn a_throttled_flow_takes_its_time() {
    let place = places();
    let [_, memory] = &place.volumes;
    let source = Source {
        file: file(memory, &content(100_000)).await,
        offset: 0,
        length: 100_000,
    };
    let (mut stream, mut other) = pair().await;
    let meter = Meter::new();
    let throttles = [Arc::new(Throttle::new(10_000))];
    let begin = tokio::time::Instant::now();
    let sending = async {
        send(
            &source,
            &mut stream,
            Flow {
                meter: &meter,
                throttles: &throttles,
            },
            None,
        )
        .await
        .unwrap();
        stream.finish();
    };
    let mut received = Vec::new();
    let ((), got) = tokio::join!(sending, other.read_to_end(&mut received));
    assert_eq!(got.unwrap(), 100_000);
    assert!(
        begin.elapsed() >= Duration::from_secs(9),
        "{:?}",
        begin.elapsed()
    );
}

/// What the socket did not take at once is not paid for twice.
#[tokio::test(start_paused = true)]
async fn a_throttled_flow_takes_no_longer_than_its_rate_asks() {
    let place = places();
    for volume in &place.volumes {
        let size = 24 << 20;
        let source = Source {
            file: file(volume, &content(size)).await,
            offset: 0,
            length: size as u64,
        };
        let (mut stream, mut other) = pair().await;
        let meter = Meter::new();
        let throttles = [Arc::new(Throttle::new(12 << 20))];
        let begin = tokio::time::Instant::now();
        let sending = async {
            send(
                &source,
                &mut stream,
                Flow {
                    meter: &meter,
                    throttles: &throttles,
                },
                None,
            )
            .await
            .unwrap();
            stream.finish();
        };
        let mut received = Vec::with_capacity(size);
        let ((), got) = tokio::join!(sending, other.read_to_end(&mut received));
        assert_eq!(got.unwrap(), size);
        assert!(
            begin.elapsed() <= Duration::from_secs(2),
            "{:?} of virtual time",
            begin.elapsed()
        );
    }
}

/// DAT-36: rate limits do not count as stalls, however long one chunk must wait.
#[tokio::test(start_paused = true)]
async fn a_wait_for_the_throttle_is_no_stall() {
    let place = places();
    for volume in &place.volumes {
        let source = Source {
            file: file(volume, &content(20_000)).await,
            offset: 0,
            length: 20_000,
        };
        let (mut stream, mut other) = pair().await;
        let meter = Meter::new();
        let throttles = [Arc::new(Throttle::new(10))];
        let sending = send(
            &source,
            &mut stream,
            Flow {
                meter: &meter,
                throttles: &throttles,
            },
            None,
        );
        let guarded = guard_against_stall(&meter, Duration::from_secs(300), sending);
        assert_eq!(guarded.await.unwrap(), 20_000);
        stream.finish();
        let mut received = Vec::new();
        assert_eq!(other.read_to_end(&mut received).await.unwrap(), 20_000);
    }
}

/// A flow that is stopped while it waits, for the peer or for the throttle, ends and leaves no debt.
#[tokio::test(start_paused = true)]
async fn a_stopped_flow_ends_wherever_it_waits() {
    let place = places();
    for volume in &place.volumes {
        let target = Target {
            file: file(volume, b"").await,
            offset: 0,
            limit: u64::MAX,
        };
        let (mut stream, _other) = pair().await;
        let meter = Meter::new();
        let receiving = receive(
            &target,
            &mut stream,
            Flow {
                meter: &meter,
                throttles: &[],
            },
            None,
        );
        let (received, ()) = tokio::join!(receiving, async { meter.stop() });
        assert!(matches!(received, Err(Error::Stopped)), "{received:?}");

        let source = Source {
            file: file(volume, &content(50_000)).await,
            offset: 0,
            length: 50_000,
        };
        let meter = Meter::new();
        let throttles = [Arc::new(Throttle::new(10))];
        let (mut stream, _other) = pair().await;
        let sending = send(
            &source,
            &mut stream,
            Flow {
                meter: &meter,
                throttles: &throttles,
            },
            None,
        );
        let (sent, ()) = tokio::join!(sending, async { meter.stop() });
        assert!(matches!(sent, Err(Error::Stopped)), "{sent:?}");
        let now = tokio::time::Instant::now().into_std();
        let moved = Duration::from_secs(meter.octets() / 10 + 1);
        assert!(
            throttles[0].take(now, 1) <= moved,
            "only what moved is paid for"
        );
    }
}

/// A file whose writes end when the test says so.
struct SlowFile {
    file: FileRef,
    begun: tokio::sync::Semaphore,
    gate: tokio::sync::Semaphore,
}

impl wharf_vfs::File for SlowFile {
    fn descriptor(&self) -> Option<&std::os::fd::OwnedFd> {
        None
    }

    fn metadata(&self) -> wharf_vfs::Answer<'_, wharf_vfs::Metadata> {
        self.file.metadata()
    }

    fn read_at(&self, buffer: Vec<u8>, offset: u64) -> wharf_vfs::Answer<'_, Vec<u8>> {
        self.file.read_at(buffer, offset)
    }

    fn write_at(&self, buffer: Vec<u8>, offset: u64) -> wharf_vfs::Answer<'_, Vec<u8>> {
        wharf_vfs::Answer::later(async move {
            self.begun.add_permits(1);
            self.gate.acquire().await.unwrap().forget();
            self.file.write_at(buffer, offset).await
        })
    }

    fn set_size(&self, size: u64) -> wharf_vfs::Answer<'_, ()> {
        self.file.set_size(size)
    }

    fn sync(&self) -> wharf_vfs::Answer<'_, ()> {
        self.file.sync()
    }
}

/// An upload that was given up is not written to behind the back of who takes its place.
#[tokio::test]
async fn a_stopped_flow_has_no_write_under_way() {
    let [_, memory] = places().volumes;
    let closed = || tokio::sync::Semaphore::new(0);
    let slow = Arc::new(SlowFile {
        file: file(&memory, b"").await,
        begun: closed(),
        gate: closed(),
    });
    let target = Target {
        file: slow.clone(),
        offset: 0,
        limit: u64::MAX,
    };
    let (mut stream, mut other) = pair().await;
    let meter = Meter::new();
    let mut receiving = Box::pin(receive(
        &target,
        &mut stream,
        Flow {
            meter: &meter,
            throttles: &[],
        },
        None,
    ));
    other.write_all(b"octets").await.unwrap();
    tokio::select! {
        _ = &mut receiving => panic!("it ended before its write did"),
        begun = slow.begun.acquire() => begun.unwrap().forget(),
    }
    meter.stop();
    tokio::select! {
        biased;
        _ = &mut receiving => panic!("it ended before its write did"),
        () = std::future::ready(()) => {}
    }
    slow.gate.add_permits(1);
    assert!(matches!(receiving.await, Err(Error::Stopped)));
    assert_eq!(
        (meter.octets(), read_all(&slow.file).await),
        (6, b"octets".to_vec())
    );
}

/// DAT-36: a peer that takes nothing is noticed, one that takes something is not.
#[tokio::test(start_paused = true)]
async fn a_flow_that_stands_still_is_given_up() {
    let meter = Meter::new();
    let limit = Duration::from_secs(300);
    let stalled = guard_against_stall(&meter, limit, std::future::pending::<Result<u64>>()).await;
    assert!(
        matches!(stalled, Err(Error::Stalled { seconds: 300 })),
        "{stalled:?}"
    );
    let slow = async {
        for _ in 0..10 {
            tokio::time::sleep(Duration::from_secs(200)).await;
            meter.add(1);
        }
        Ok(10)
    };
    assert_eq!(guard_against_stall(&meter, limit, slow).await.unwrap(), 10);
}

/// The cold path: pages that are not in the page cache are fetched elsewhere and then sent.
#[tokio::test]
async fn a_cold_file_arrives_whole() {
    let directory = tempfile::tempdir_in("/var/tmp").unwrap();
    let bytes = content(3 << 20);
    let path = directory.path().join("f");
    std::fs::write(&path, &bytes).unwrap();
    let plain = std::fs::File::open(&path).unwrap();
    plain.sync_all().unwrap();
    rustix::fs::fadvise(&plain, 0, None, rustix::fs::Advice::DontNeed).unwrap();
    let volume = volumes::local::LocalVolume::open(directory.path()).unwrap();
    let name = VirtualPath::parse(&VirtualPath::root(), b"f").unwrap();
    let file = volume.open(&name, OpenMode::Read).await.unwrap();
    let source = Source {
        file,
        offset: 0,
        length: bytes.len() as u64,
    };
    let (mut stream, other) = pair().await;
    let reader = std::thread::spawn(move || {
        let mut other = other.into_std().unwrap();
        other.set_nonblocking(false).unwrap();
        let mut received = Vec::new();
        other.read_to_end(&mut received).unwrap();
        received
    });
    let meter = Meter::new();
    send(
        &source,
        &mut stream,
        Flow {
            meter: &meter,
            throttles: &[],
        },
        None,
    )
    .await
    .unwrap();
    stream.finish();
    assert!(reader.join().unwrap() == bytes);
}

/// A socket that the reactor knows already is still there after it is asked to know it.
#[tokio::test]
async fn a_registered_stream_can_be_watched_again() {
    let (mut stream, mut other) = pair().await;
    stream.watch().unwrap();
    stream.watch().unwrap();
    stream.write_all(b"here").await.unwrap();
    stream.finish();
    let mut received = Vec::new();
    other.read_to_end(&mut received).await.unwrap();
    assert_eq!(received, b"here");
}
