//! The client against a server that misbehaves in one way per test.
#![expect(
    clippy::disallowed_methods,
    reason = "tests look at the files that the client made"
)]

mod certificates;
mod security;
mod server;
mod ssh;

use std::{collections::VecDeque, sync::Arc, time::Duration};

use wharf_proto::ftp::listing::parse::Kind as EntryKind;

use self::server::{HANG_UP, SILENCE, Server, Wish};
use crate::{
    Credentials, DataMode, Error, Kind, Location, Options, Pool, Silent, Step, Transferred,
    Verified, Verify,
    transfer::{Download, OVERLAP, Upload, cat, get, put},
    tree,
};

fn options() -> Options {
    Options {
        connect_timeout: Duration::from_secs(2),
        idle_timeout: Duration::from_millis(400),
        retry_wait: Duration::from_millis(1),
        parallel: 1,
        ..Options::default()
    }
}

fn pool(server: &Server, options: Options) -> Pool {
    let site = Location::parse(&server.url("")).unwrap().site;
    Pool::new(site, Credentials::anonymous(), options, Arc::new(Silent))
}

/// Octets that are the same nowhere twice.
fn noise(length: usize) -> Vec<u8> {
    (0..length as u64)
        .flat_map(|n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes())
        .take(length)
        .collect()
}

fn with_file(length: usize) -> Wish {
    let mut wish = Wish {
        features: vec!["SIZE", "MDTM", "REST STREAM"],
        ..Wish::default()
    };
    wish.files.insert("f".into(), noise(length));
    wish
}

struct Case {
    server: Server,
    folder: tempfile::TempDir,
    options: Options,
}

impl Case {
    async fn new(wish: Wish) -> Self {
        Self {
            server: Server::start(wish).await,
            folder: tempfile::tempdir().unwrap(),
            options: options(),
        }
    }

    fn download(&self) -> Download {
        let source = Location::parse(&self.server.url("f")).unwrap();
        Download {
            source,
            target: self.folder.path().join("f"),
            known: None,
        }
    }

    async fn get(&self) -> Result<Transferred, Error> {
        get(&pool(&self.server, self.options.clone()), &self.download()).await
    }

    async fn put(&self, bytes: &[u8]) -> Result<Transferred, Error> {
        let source = self.folder.path().join("source");
        std::fs::write(&source, bytes).unwrap();
        let target = Location::parse(&self.server.url("f")).unwrap();
        put(
            &pool(&self.server, self.options.clone()),
            &Upload { source, target },
        )
        .await
    }

    fn local(&self, name: &str) -> Option<Vec<u8>> {
        std::fs::read(self.folder.path().join(name)).ok()
    }
}

const LARGE: usize = 300_000;

#[tokio::test]
async fn whole_file_is_counted_and_keeps_its_time() {
    let case = Case::new(with_file(LARGE)).await;
    let done = case.get().await.unwrap();
    assert_eq!(
        (done.size, done.kept, done.verified),
        (LARGE as u64, 0, Verified::Size)
    );
    assert_eq!(case.local("f"), Some(noise(LARGE)));
    assert_eq!(case.local(".f.wharf-part"), None);
    assert_eq!(case.local(".f.wharf-part.json"), None);
    use std::os::unix::fs::MetadataExt as _;
    let found = std::fs::metadata(case.folder.path().join("f")).unwrap();
    assert_eq!(found.mtime(), 1_718_452_800);
}

#[tokio::test]
async fn hash_is_compared_when_one_is_offered() {
    let mut wish = with_file(LARGE);
    wish.features.extend(["XMD5", "XSHA256"]);
    let case = Case::new(wish).await;
    assert_eq!(
        case.get().await.unwrap().verified,
        Verified::Hash(wharf_transfer::Algorithm::Sha256)
    );
}

#[tokio::test]
async fn wrong_hash_is_never_a_success_and_leaves_no_part() {
    let mut wish = with_file(1000);
    wish.features.push("XMD5");
    wish.always
        .insert("XMD5", "250 00000000000000000000000000000000");
    let case = Case::new(wish).await;
    let error = case.get().await.unwrap_err();
    assert_eq!((error.kind(), error.step()), (Kind::Differs, Step::Verify));
    assert_eq!((case.local("f"), case.local(".f.wharf-part")), (None, None));
}

#[tokio::test]
async fn verify_hash_needs_a_hash() {
    let mut case = Case::new(with_file(10)).await;
    case.options.verify = Verify::Hash;
    assert_eq!(case.get().await.unwrap_err().kind(), Kind::Differs);
}

/// What ncftp, tnftp and wget take for whole.
#[tokio::test]
async fn truncated_download_that_ends_with_226_is_resumed() {
    let mut wish = with_file(LARGE);
    wish.cuts = [(200_000, "226 complete")].into();
    let case = Case::new(wish).await;
    let done = case.get().await.unwrap();
    assert_eq!((done.size, done.kept), (LARGE as u64, 200_000));
    assert_eq!(case.local("f"), Some(noise(LARGE)));
    assert_eq!(case.server.said(&format!("REST {}", 200_000 - OVERLAP)), 1);
}

#[tokio::test]
async fn download_that_stays_truncated_is_a_failure_and_keeps_its_part() {
    let mut wish = with_file(LARGE);
    wish.cuts = vec![(200_000, "226 complete"); 9].into();
    let case = Case::new(wish).await;
    let error = case.get().await.unwrap_err();
    assert_eq!(error.kind(), Kind::Partial);
    assert_eq!(case.local("f"), None);
    assert_eq!(
        case.local(".f.wharf-part").map(|part| part.len()),
        Some(200_000)
    );
    assert_eq!(
        case.server
            .with(|wish| wish.log.iter().filter(|line| *line == "RETR f").count()),
        4
    );
}

#[tokio::test]
async fn download_cut_with_426_goes_on_from_what_is_there() {
    let mut wish = with_file(LARGE);
    wish.cuts = [(100_000, "426 broken"), (250_000, "426 broken")].into();
    let case = Case::new(wish).await;
    assert_eq!(case.get().await.unwrap().size, LARGE as u64);
    assert_eq!(case.local("f"), Some(noise(LARGE)));
}

#[tokio::test]
async fn session_closed_with_421_in_the_middle_is_opened_again() {
    let mut wish = with_file(LARGE);
    wish.cuts = [(100_000, "421 shutting down")].into();
    let case = Case::new(wish).await;
    assert_eq!(case.get().await.unwrap().size, LARGE as u64);
    assert_eq!(case.server.with(|wish| wish.sessions), 2);
}

/// D75; xroche/httrack#798: no tool tested noticed this.
#[tokio::test]
async fn part_of_another_file_is_not_glued_to_this_one() {
    let mut case = Case::new(with_file(LARGE)).await;
    case.options.retries = 0;
    // The scripted server's runtime sleeps over octets behind urgent ones.
    case.options.telnet_abort = false;
    case.server
        .with(|wish| wish.cuts = [(200_000, "426 broken")].into());
    assert_eq!(case.get().await.unwrap_err().kind(), Kind::Data);
    // Same size and time, other content.
    case.server
        .with(|wish| wish.files.insert("f".into(), vec![7; LARGE]));
    case.options.retries = 1;
    case.options.resume = true;
    assert_eq!(case.get().await.unwrap().kept, 0);
    assert_eq!(case.local("f"), Some(vec![7; LARGE]));
    assert_eq!(case.server.said("ABOR"), 1);
}

#[tokio::test]
async fn part_is_gone_on_from_only_when_asked_and_only_if_untouched() {
    let mut case = Case::new(with_file(LARGE)).await;
    case.options.retries = 0;
    let cut = |case: &Case| {
        case.server
            .with(|wish| wish.cuts = [(200_000, "426 broken")].into())
    };
    cut(&case);
    assert!(case.get().await.is_err());
    // Not asked for: from the start.
    cut(&case);
    assert!(case.get().await.is_err());
    assert_eq!(
        case.server.with(|wish| wish
            .log
            .iter()
            .filter(|line| line.starts_with("REST"))
            .count()),
        0
    );
    // Somebody else wrote into the part: from the start.
    let part = case.folder.path().join(".f.wharf-part");
    let mut bytes = std::fs::read(&part).unwrap();
    bytes[0] ^= 1;
    std::fs::write(&part, &bytes).unwrap();
    case.options.resume = true;
    assert_eq!(case.get().await.unwrap().kept, 0);
    assert_eq!(case.local("f"), Some(noise(LARGE)));
    // Whole, same size and time: nothing is fetched.
    let before = case.server.said("RETR f");
    assert_eq!(case.get().await.unwrap().kept, LARGE as u64);
    assert_eq!(case.server.said("RETR f"), before);
}

#[tokio::test]
async fn refused_rest_starts_over() {
    let mut wish = with_file(LARGE);
    wish.cuts = [(200_000, "426 broken")].into();
    wish.always.insert("REST", "502 no");
    let case = Case::new(wish).await;
    assert_eq!(case.get().await.unwrap().kept, 0);
    assert_eq!(case.local("f"), Some(noise(LARGE)));
}

#[tokio::test]
async fn size_that_is_refused_leaves_only_the_servers_word() {
    let mut wish = with_file(1000);
    wish.always
        .insert("SIZE", "550 SIZE not allowed in ASCII mode");
    let case = Case::new(wish).await;
    let done = case.get().await.unwrap();
    assert_eq!((done.size, done.verified), (1000, Verified::Closed));
}

/// D53.
#[tokio::test]
async fn missing_226_after_all_octets_is_no_failure_when_the_size_agrees() {
    let mut wish = with_file(1000);
    wish.cuts = [(1000, "150 still here")].into();
    let case = Case::new(wish).await;
    assert_eq!(case.get().await.unwrap().verified, Verified::Size);
}

/// RPL-53: the address of a 227 is a lie in this server.
#[tokio::test]
async fn address_of_227_is_not_followed() {
    let mut wish = with_file(1000);
    wish.always.insert("EPSV", "500 what?");
    let case = Case::new(wish).await;
    assert_eq!(case.get().await.unwrap().size, 1000);
    assert_eq!(case.server.said("EPSV"), 1);
}

#[tokio::test]
async fn refused_epsv_is_remembered_for_the_site() {
    let mut wish = with_file(1000);
    wish.always.insert("EPSV", "500 what?");
    let case = Case::new(wish).await;
    let pool = pool(&case.server, case.options.clone());
    for _ in 0..3 {
        get(&pool, &case.download()).await.unwrap();
    }
    assert_eq!((case.server.said("EPSV"), case.server.said("PASV")), (1, 3));
}

/// D44; INT-87: a 229 without a port.
#[tokio::test]
async fn malformed_229_falls_back_to_pasv() {
    let mut wish = with_file(1000);
    wish.always
        .insert("EPSV", "229 Entering Extended Passive Mode");
    let case = Case::new(wish).await;
    assert_eq!(case.get().await.unwrap().size, 1000);
}

/// D44: the port of EPSV leads nowhere, that of PASV does.
#[tokio::test]
async fn epsv_whose_port_is_dead_falls_back_to_pasv() {
    let mut wish = with_file(1000);
    wish.always.insert("EPSV", "229 ok (|||1|)");
    let case = Case::new(wish).await;
    assert_eq!(case.get().await.unwrap().size, 1000);
    assert_eq!(case.server.said("PASV"), 1);
}

/// D44: a gateway swallows EPSV.
#[tokio::test]
async fn epsv_without_an_answer_is_replaced_by_pasv_on_a_new_session() {
    let mut wish = with_file(1000);
    wish.always.insert("EPSV", SILENCE);
    let mut case = Case::new(wish).await;
    case.options.connect_timeout = Duration::from_millis(300);
    assert_eq!(case.get().await.unwrap().size, 1000);
    assert_eq!((case.server.said("EPSV"), case.server.said("PASV")), (1, 1));
}

#[tokio::test]
async fn no_passive_way_ends_in_active_mode_and_its_diagnosis() {
    let mut wish = with_file(1000);
    wish.always.extend([
        ("EPSV", "502 no"),
        ("PASV", "502 no"),
        ("PORT", "500 Illegal PORT command"),
    ]);
    let mut case = Case::new(wish).await;
    let error = case.get().await.unwrap_err();
    assert_eq!((error.kind(), error.cause()), (Kind::Data, Some("D44")));
    case.options.data_mode = DataMode::Active;
    let error = case.get().await.unwrap_err();
    assert_eq!((error.kind(), error.cause()), (Kind::Data, Some("D60")));
}

/// D61.
#[tokio::test]
async fn server_that_never_connects_is_told_from_a_refusal() {
    let mut wish = with_file(1000);
    wish.always
        .extend([("PORT", "200 ok"), ("RETR", "150 opening")]);
    let mut case = Case::new(wish).await;
    case.options.data_mode = DataMode::Active;
    case.options.connect_timeout = Duration::from_millis(200);
    case.options.retries = 0;
    let error = case.get().await.unwrap_err();
    assert_eq!((error.kind(), error.cause()), (Kind::Data, Some("D61")));
}

/// D13: the pool shrinks; what has a session goes on.
#[tokio::test]
async fn too_many_sessions_are_given_up_without_a_failure() {
    let mut wish = with_file(0);
    for name in ["a", "b", "c", "d", "e"] {
        wish.files.insert(name.into(), noise(5000));
    }
    wish.listing = Some(
        "type=file;size=5000; a\r\ntype=file;size=5000; b\r\ntype=file;size=5000; c\r\ntype=file;size=5000; d\r\ntype=file;size=5000; e\r\n",
    );
    wish.features.push("MLST type*;size*;");
    let many = "421 Too many connections from this address";
    wish.greetings = VecDeque::from(["220 ready", many, many, many, many, many, many]);
    let case = Case::new(wish).await;
    let pool = pool(
        &case.server,
        Options {
            parallel: 4,
            ..case.options.clone()
        },
    );
    let source = Location::parse(&case.server.url("")).unwrap();
    let tally = tree::get_tree(&pool, &source, case.folder.path())
        .await
        .unwrap();
    assert_eq!((tally.files, tally.failed), (5, 0));
}

#[tokio::test]
async fn full_server_is_busy_and_may_be_tried_again() {
    let mut wish = with_file(10);
    wish.greetings = VecDeque::from(["421 Too many users"; 9]);
    let case = Case::new(wish).await;
    let error = case.get().await.unwrap_err();
    assert_eq!(
        (error.kind(), error.cause(), error.code()),
        (Kind::Busy, Some("D13"), Some(421))
    );
    assert!(error.is_retryable());
}

#[tokio::test]
async fn wrong_password_is_tried_once() {
    let mut wish = with_file(10);
    wish.always.insert("PASS", "530 Login incorrect.");
    let case = Case::new(wish).await;
    let error = case.get().await.unwrap_err();
    assert_eq!(
        (error.kind(), error.step(), error.cause()),
        (Kind::Authentication, Step::Login, Some("D27"))
    );
    assert_eq!(case.server.said("USER anonymous"), 1);
}

/// D12.
#[tokio::test]
async fn other_protocol_is_named() {
    let mut wish = with_file(10);
    wish.greetings = VecDeque::from(["SSH-2.0-OpenSSH_9.2"; 4]);
    let case = Case::new(wish).await;
    let error = case.get().await.unwrap_err();
    assert_eq!((error.kind(), error.cause()), (Kind::Protocol, Some("D12")));
}

/// D09.
#[tokio::test]
async fn connection_closed_before_any_word_is_diagnosed() {
    let mut wish = with_file(10);
    wish.greetings = VecDeque::from([HANG_UP; 9]);
    let case = Case::new(wish).await;
    assert_eq!(case.get().await.unwrap_err().cause(), Some("D09"));
}

/// RPL-50.
#[tokio::test]
async fn garbage_instead_of_a_reply_ends_the_session() {
    let mut wish = with_file(10);
    wish.always.insert("TYPE", "\u{1}\u{2}what");
    let case = Case::new(wish).await;
    assert_eq!(case.get().await.unwrap_err().kind(), Kind::Protocol);
}

/// RPL-51: bounded memory and bounded time.
#[tokio::test]
async fn endless_reply_is_cut_off() {
    let mut wish = with_file(10);
    let endless: &'static str =
        Box::leak(format!("200-{}", "x\r\n".repeat(700_000)).into_boxed_str());
    wish.always.insert("TYPE", endless);
    let case = Case::new(wish).await;
    let error = case.get().await.unwrap_err();
    assert_eq!(error.kind(), Kind::Protocol, "{error}");
}

/// CVE-2019-6111's family (a read loop without progress): bounded time.
#[tokio::test]
async fn server_that_falls_silent_is_given_up() {
    let mut wish = with_file(10);
    wish.always.insert("TYPE", SILENCE);
    let mut case = Case::new(wish).await;
    case.options.retries = 1;
    let error = case.get().await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (Kind::TimedOut, true));
    assert_eq!(case.server.with(|wish| wish.sessions), 2);
}

#[tokio::test]
async fn missing_file_is_not_found_and_not_tried_again() {
    let mut case = Case::new(Wish::default()).await;
    case.options.retries = 3;
    let error = case.get().await.unwrap_err();
    assert_eq!(error.kind(), Kind::NotFound, "{error}");
    assert_eq!(std::fs::read_dir(case.folder.path()).unwrap().count(), 0);
}

/// RPL-57.
#[tokio::test]
async fn refused_mlsd_falls_back_to_list_and_is_remembered() {
    let mut wish = Wish {
        features: vec!["MLST type*;"],
        ..Wish::default()
    };
    wish.always.insert("MLSD", "500 what?");
    wish.listing = Some(
        "total 1\r\n-rw-r--r-- 1 u g 5 Jan  1  2020 a b\r\ndrwxr-xr-x 2 u g 1 Jan  1  2020 d\r\n",
    );
    let case = Case::new(wish).await;
    let pool = pool(&case.server, case.options.clone());
    let place = Location::parse(&case.server.url("")).unwrap();
    for _ in 0..2 {
        let entries = tree::list(&pool, &place).await.unwrap();
        let found: Vec<_> = entries
            .iter()
            .map(|e| (e.name.as_slice(), e.kind))
            .collect();
        assert_eq!(
            found,
            [(&b"a b"[..], EntryKind::File), (b"d", EntryKind::Directory)]
        );
    }
    assert_eq!((case.server.said("MLSD"), case.server.said("LIST")), (1, 2));
}

/// CVE-2019-6111: the server names files outside of the target.
#[tokio::test]
async fn names_that_leave_the_target_are_refused_and_counted() {
    let mut wish = with_file(10);
    wish.features.push("MLST type*;");
    wish.listing = Some(
        "type=file; ../evil\r\ntype=file; /tmp/evil\r\ntype=dir; ..\r\ntype=file; a\\b\r\ntype=file;size=10; f\r\n",
    );
    let case = Case::new(wish).await;
    let target = case.folder.path().join("target");
    let source = Location::parse(&case.server.url("")).unwrap();
    let pool = pool(&case.server, case.options.clone());
    let tally = tree::get_tree(&pool, &source, &target).await.unwrap();
    assert_eq!((tally.files, tally.failed), (1, 3));
    assert_eq!(std::fs::read_dir(case.folder.path()).unwrap().count(), 1);
    assert_eq!(std::fs::read_dir(&target).unwrap().count(), 1);
    assert_eq!(tally.into_result().unwrap_err().kind(), Kind::SomeFailed);
}

#[tokio::test]
async fn upload_is_counted_on_the_server() {
    let case = Case::new(with_file(0)).await;
    let done = case.put(&noise(LARGE)).await.unwrap();
    assert_eq!((done.size, done.verified), (LARGE as u64, Verified::Size));
    assert_eq!(
        case.server.with(|wish| wish.files["f"].clone()),
        noise(LARGE)
    );
    assert!(
        case.server
            .with(|wish| wish.log.iter().any(|line| line.starts_with("MFMT ")))
    );
}

#[tokio::test]
async fn upload_that_the_server_cut_is_gone_on_with() {
    let mut wish = with_file(0);
    wish.swallows = [(200_000, "226 complete")].into();
    let case = Case::new(wish).await;
    let done = case.put(&noise(LARGE)).await.unwrap();
    assert_eq!(done.kept, 200_000);
    assert_eq!(
        case.server.with(|wish| wish.files["f"].clone()),
        noise(LARGE)
    );
}

#[tokio::test]
async fn upload_over_another_file_is_not_glued_to_it() {
    let mut wish = with_file(0);
    wish.files.insert("f".into(), vec![9; 100_000]);
    let mut case = Case::new(wish).await;
    case.options.resume = true;
    assert_eq!(case.put(&noise(LARGE)).await.unwrap().kept, 0);
    assert_eq!(
        case.server.with(|wish| wish.files["f"].clone()),
        noise(LARGE)
    );
}

#[tokio::test]
async fn upload_that_stays_short_is_a_failure() {
    let mut wish = with_file(0);
    wish.swallows = vec![(1000, "226 complete"); 9].into();
    let case = Case::new(wish).await;
    assert_eq!(
        case.put(&noise(LARGE)).await.unwrap_err().kind(),
        Kind::Partial
    );
}

#[tokio::test]
async fn full_disk_is_told_and_not_tried_again() {
    let mut wish = with_file(0);
    wish.always.insert("STOR", "552 Quota exceeded");
    let case = Case::new(wish).await;
    let error = case.put(b"x").await.unwrap_err();
    assert_eq!(
        (error.kind(), error.code(), error.is_retryable()),
        (Kind::Rejected, Some(552), false)
    );
    assert_eq!(case.server.said("STOR f"), 1);
}

/// RPL-57.
#[tokio::test]
async fn time_is_set_by_the_first_way_that_works() {
    let mut wish = with_file(0);
    wish.always.extend([
        ("MFMT", "500 what?"),
        ("MDTM", "501 no"),
        ("SITE", "200 done"),
    ]);
    let case = Case::new(wish).await;
    case.put(b"x").await.unwrap();
    let verbs = case.server.with(|wish| {
        let tail = wish
            .log
            .iter()
            .filter_map(|line| line.split(' ').next().map(str::to_owned));
        tail.filter(|verb| ["MFMT", "MDTM", "SITE"].contains(&verb.as_str()))
            .collect::<Vec<_>>()
    });
    assert_eq!(verbs, ["MFMT", "MDTM", "SITE"]);
}

#[tokio::test]
async fn stream_to_a_pipe_gives_no_octet_twice() {
    let mut wish = with_file(LARGE);
    wish.cuts = [(100_000, "426 broken")].into();
    let case = Case::new(wish).await;
    let mut given = Vec::new();
    let pool = pool(&case.server, case.options.clone());
    let mut sink = |bytes: &[u8]| {
        given.extend_from_slice(bytes);
        Ok(())
    };
    cat(&pool, &case.download().source, &mut sink)
        .await
        .unwrap();
    assert_eq!(given, noise(LARGE));
    assert_eq!(case.server.said("REST 100000"), 1);
}

/// An attempt that moved nothing leaves nothing to go on from: what stands there is somebody else's.
#[tokio::test]
async fn older_file_there_is_not_taken_for_the_upload_after_a_refused_attempt() {
    let mut wish = with_file(0);
    let mut older = noise(LARGE);
    older[0] ^= 1;
    wish.files.insert("f".into(), older);
    wish.once
        .insert("STOR", ["425 no data connection"].into_iter().collect());
    let case = Case::new(wish).await;
    assert_eq!(case.put(&noise(LARGE)).await.unwrap().kept, 0);
    assert_eq!(
        case.server.with(|wish| wish.files["f"].clone()),
        noise(LARGE)
    );
}
