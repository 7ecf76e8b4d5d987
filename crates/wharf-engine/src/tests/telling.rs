//! The log for people, the log for machines, the transfer log and the counters tell the same.

use std::{io::Write, sync::atomic::Ordering};

use proptest::prelude::*;
use wharf_transfer::{DataStream, Meter};

use super::*;
use crate::{
    Abort, SessionId, Transfers,
    events::{
        Direction, FileChange, Format, LineWriter, LogSink, TransferRecord, XferlogSink, log::line,
    },
};

/// A file in memory.
#[derive(Clone, Default)]
pub(super) struct Page(Arc<Mutex<Vec<u8>>>);

impl Page {
    pub(super) fn writer(&self) -> LineWriter {
        let page = self.clone();
        LineWriter::start(Box::new(move || Ok(Box::new(page.clone())))).unwrap()
    }

    pub(super) fn lines(&self) -> Vec<String> {
        String::from_utf8(self.0.lock().unwrap().clone())
            .unwrap()
            .lines()
            .map(str::to_owned)
            .collect()
    }
}

impl Write for Page {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

async fn upload(house: &House, name: &str, is_whole: bool) {
    let session = house.anna().await;
    let transfers = Transfers {
        engine: Arc::clone(&house.engine),
        origin: session.origin(),
        account: Arc::clone(session.account()),
        stall_timeout: std::time::Duration::from_secs(300),
        meter: Arc::<Meter>::default(),
        abort: Arc::<Abort>::default(),
        started: Instant::now(),
    };
    let mode = wharf_vfs::UploadMode::Replace;
    let upload = session
        .view()
        .begin_upload(&path(name), mode, 0)
        .await
        .unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut other = TcpStream::connect(listener.local_addr().unwrap())
        .await
        .unwrap();
    let stream = DataStream::from_registered(listener.accept().await.unwrap().0);
    other.write_all(b"12345").await.unwrap();
    if is_whole {
        other.shutdown().await.unwrap();
    } else {
        transfers.abort.ask();
    }
    transfers
        .upload(
            upload,
            stream,
            None,
            None,
            u64::MAX,
            format!("/{name}").as_bytes(),
        )
        .await;
}

/// ARCHITECTURE: the bus hears of each transfer exactly once, and everybody hears it from the bus.
#[tokio::test]
async fn each_transfer_reaches_each_log_once() {
    let (human, json, xferlog) = (Page::default(), Page::default(), Page::default());
    let sinks: Vec<Box<dyn Sink>> = vec![
        Box::new(LogSink::new(Format::Human, Level::Info, human.writer())),
        Box::new(LogSink::new(Format::Json, Level::Info, json.writer())),
        Box::new(XferlogSink::new(xferlog.writer())),
    ];
    let volume = MemoryVolume::new(1 << 20);
    let views = Box::new(OneVolume::new(Arc::new(volume.clone()), 0));
    let house = House::of(Policy::default(), [account("anna")], volume, views, sinks);
    upload(&house, "a b", true).await;
    upload(&house, "torn", false).await;
    let counters = house.engine.bus.counters();
    let count = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
    assert_eq!(
        (count(&counters.uploads), count(&counters.uploads_aborted)),
        (1, 1)
    );
    assert_eq!(count(&counters.received), 5);
    assert!(counters.render().contains("\nwharf_uploads_total 1\n"));
    // The last holder flushes the logs.
    drop(house);
    let of = |lines: Vec<String>, word: &str| -> Vec<String> {
        lines
            .into_iter()
            .filter(|line| line.contains(word))
            .collect()
    };
    let told = of(human.lines(), "upload of");
    assert!(
        told.len() == 2 && told[0].contains("192.0.2.1 anna upload of /a b whole (5 octets"),
        "{told:?}"
    );
    let told = of(json.lines(), r#""event":"upload_"#);
    assert_eq!(told.len(), 2, "{told:?}");
    let record: serde_json::Value = serde_json::from_str(&told[0]).unwrap();
    assert_eq!(
        (&record["path"], &record["octets"], &record["account"]),
        (&"/a b".into(), &5.into(), &"anna".into())
    );
    let told = xferlog.lines();
    assert!(
        told.len() == 2
            && told[0].ends_with(" 5 /a_b b _ i r anna test 0 * c")
            && told[1].ends_with(" i"),
        "{told:?}"
    );
}

fn origin(account: &str) -> Origin {
    Origin {
        session: Some(SessionId(7)),
        service: "test",
        peer: Some(std::net::Ipv6Addr::LOCALHOST.into()),
        account: Some(account.into()),
    }
}

proptest! {
    /// RPL-09: whatever bytes come from outside, a line stays one line, and JSON stays JSON.
    #[test]
    fn rpl_09_no_bytes_forge_a_line(bytes in proptest::collection::vec(any::<u8>(), 0..40), text in ".{0,20}") {
        let events = [
            Event::Refused { cause: &text },
            Event::LoggedIn {
                note: &text,
                key: &text,
            },
            Event::LoggedIn { note: "", key: &text },
            Event::LoginFailed { user: &bytes, cause: &text },
            Event::Command { verb: "STOR", argument: &bytes },
            Event::ClientName(&bytes),
            Event::Changed(FileChange::Renamed(&bytes, &bytes)),
            Event::Changed(FileChange::Removed(&bytes)),
            Event::RequestRefused {
                direction: Direction::Download,
                path: &bytes,
                cause: &text,
            },
            Event::DataConnection { cause: &text },
            Event::VolumeFailed { cause: &text },
            Event::ReloadFailed { cause: &text },
            Event::Closed { cause: &text, seconds: 1 },
            Event::Notice { level: Level::Error, text: &text },
            Event::Listening(([127, 0, 0, 1], 21).into()),
            Event::Opened { peer: ([127, 0, 0, 1], 21).into() },
            Event::Reloaded,
            Event::Draining,
            Event::Transfer(TransferRecord {
                direction: Direction::Upload,
                path: &bytes,
                octets: u64::MAX,
                seconds: 1e9,
                ascii: true,
                anonymous: false,
                end: TransferEnd::Aborted { cause: text.clone(), kept: true },
            }),
        ];
        for event in &events {
            let at = SystemTime::UNIX_EPOCH;
            let human = line(Format::Human, at, &origin(&text), event);
            prop_assert!(!human.chars().any(char::is_control), "{human:?}");
            let json = line(Format::Json, at, &origin(&text), event);
            prop_assert!(!json.chars().any(char::is_control), "{json:?}");
            let value: serde_json::Value = serde_json::from_str(&json).unwrap();
            prop_assert_eq!(&value["event"], event.name());
            prop_assert_eq!(&value["account"], text.as_str());
        }
    }
}

/// Two names that differ look different for people, even where neither is UTF-8.
#[test]
fn names_that_are_not_utf_8_stay_distinct() {
    let told = |name: &[u8]| {
        line(
            Format::Human,
            SystemTime::UNIX_EPOCH,
            &Origin::default(),
            &Event::Changed(FileChange::Removed(name)),
        )
    };
    assert!(told(b"/\xff").ends_with(r"removed /\xff"));
    assert_ne!(told(b"/\xff"), told(b"/\xfe"));
    assert!(
        told("/\u{9b}31m".as_bytes()).ends_with(r"/\x9b31m"),
        "a terminal obeys C1 too"
    );
}
