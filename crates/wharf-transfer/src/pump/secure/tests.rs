//! Files through TLS over real sockets, whole and cut.

use std::{net::TcpListener, sync::Arc};

use rustls::SupportedProtocolVersion;
use wharf_vfs::{FileRef, OpenMode, VirtualPath, Volume, volumes};

use crate::{
    DataStream, Error, Flow, Meter, Source, Target, receive, send,
    tls::{
        Truncated,
        tests::{VERSIONS, sides},
    },
};

const SIZES: [usize; 7] = [
    0,
    1,
    16 * 1024,
    96 * 1024 - 1,
    96 * 1024 + 1,
    1 << 20,
    (5 << 20) + 17,
];

async fn pair(version: &'static SupportedProtocolVersion) -> (DataStream, DataStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let there = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (here, _) = listener.accept().unwrap();
    let stream = |socket: std::net::TcpStream| {
        socket.set_nonblocking(true).unwrap();
        DataStream::new(socket.into())
    };
    let (mut server, mut client) = (stream(here), stream(there));
    let (ours, theirs) = sides(version);
    let (one, other) = tokio::join!(server.secure(ours), client.secure(theirs));
    one.unwrap();
    other.unwrap();
    (server, client)
}

fn content(size: usize) -> Vec<u8> {
    (0..size)
        .map(|index| (index * 7 + index / 251).to_le_bytes()[0])
        .collect()
}

async fn file(volume: &dyn Volume, bytes: &[u8]) -> FileRef {
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
    let size = usize::try_from(file.metadata().await.unwrap().size).unwrap();
    file.read_at(Vec::with_capacity(size.max(1)), 0)
        .await
        .unwrap()
}

fn volumes(directory: &std::path::Path) -> [Arc<dyn Volume>; 2] {
    [
        Arc::new(volumes::local::LocalVolume::open(directory).unwrap()),
        Arc::new(volumes::memory::MemoryVolume::new(64 << 20)),
    ]
}

/// With a descriptor and without: the same octets.
#[tokio::test]
async fn files_go_down_whole_and_their_end_is_said() {
    let directory = tempfile::tempdir().unwrap();
    for volume in volumes(directory.path()) {
        for version in VERSIONS {
            for size in SIZES {
                let bytes = content(size);
                let (mut server, mut client) = pair(version).await;
                let source = Source {
                    file: file(&*volume, &bytes).await,
                    offset: 0,
                    length: size as u64,
                };
                let meter = Meter::new();
                let flow = Flow {
                    meter: &meter,
                    throttles: &[],
                };
                let sending = async {
                    let sent = send(&source, &mut server, flow, None).await;
                    server.end().await.unwrap();
                    sent
                };
                let reading = async {
                    let (mut all, mut buffer) = (Vec::new(), vec![0; 50_000]);
                    loop {
                        match client.read(&mut buffer).await.unwrap() {
                            0 => return all,
                            count => all.extend_from_slice(&buffer[..count]),
                        }
                    }
                };
                let (sent, all) = tokio::join!(sending, reading);
                assert_eq!(sent.unwrap(), size as u64);
                assert_eq!(meter.octets(), size as u64);
                assert!(all == bytes, "{size}");
            }
        }
    }
}

#[tokio::test]
async fn files_come_up_whole() {
    let directory = tempfile::tempdir().unwrap();
    for volume in volumes(directory.path()) {
        for version in VERSIONS {
            for size in SIZES {
                let bytes = content(size);
                let (mut server, mut client) = pair(version).await;
                let target = Target {
                    file: file(&*volume, b"").await,
                    offset: 0,
                    limit: u64::MAX,
                };
                let meter = Meter::new();
                let flow = Flow {
                    meter: &meter,
                    throttles: &[],
                };
                let sending = async {
                    client.write_all(&bytes).await.unwrap();
                    client.end().await.unwrap();
                };
                let (received, ()) =
                    tokio::join!(receive(&target, &mut server, flow, None), sending);
                assert_eq!(received.unwrap(), size as u64);
                assert!(read_all(&target.file).await == bytes, "{size}");
            }
        }
    }
}

/// TLS-36: an end that nobody said is told apart, and taken only where that is allowed.
#[tokio::test]
async fn tls_36_a_stream_cut_without_close_notify_is_truncated() {
    let directory = tempfile::tempdir().unwrap();
    for volume in volumes(directory.path()) {
        for tolerates in [false, true] {
            let (mut server, mut client) = pair(VERSIONS[1]).await;
            if tolerates {
                server.tolerate_truncation();
            }
            let target = Target {
                file: file(&*volume, b"").await,
                offset: 0,
                limit: u64::MAX,
            };
            let meter = Meter::new();
            let flow = Flow {
                meter: &meter,
                throttles: &[],
            };
            let sending = async {
                client.write_all(&content(100_000)).await.unwrap();
                let cut = client.when(tokio::io::Interest::WRITABLE, |socket| {
                    Ok(rustix::net::shutdown(socket, rustix::net::Shutdown::Write)?)
                });
                cut.await.unwrap();
            };
            let (received, ()) = tokio::join!(receive(&target, &mut server, flow, None), sending);
            match received {
                Ok(octets) => assert!(tolerates && octets == 100_000),
                Err(Error::Stream(error)) => assert!(!tolerates && Truncated::is(&error)),
                Err(error) => panic!("{error}"),
            }
        }
    }
}

/// A record that was changed on its way is no data.
#[tokio::test]
async fn a_forged_record_breaks_the_stream() {
    let (mut server, mut client) = pair(VERSIONS[1]).await;
    let forged = [0x17, 3, 3, 0, 32];
    client
        .when(tokio::io::Interest::WRITABLE, |socket| {
            Ok(rustix::io::write(
                socket,
                &[&forged[..], &[7; 32]].concat(),
            )?)
        })
        .await
        .unwrap();
    let error = server.read(&mut [0; 64]).await.unwrap_err();
    assert!(!Truncated::is(&error));
}

/// TLS-58: what the peer still says is read, and its end is waited for.
#[tokio::test]
async fn tls_58_our_end_waits_for_the_peers() {
    let (mut server, mut client) = pair(VERSIONS[1]).await;
    let ours = client.end_and_drain();
    let theirs = async {
        server.write_all(b"late words").await.unwrap();
        assert_eq!(server.read(&mut [0; 16]).await.unwrap(), 0);
        server.end().await.unwrap();
        server.finish();
    };
    let (ours, ()) = tokio::join!(ours, theirs);
    ours.unwrap();
}
