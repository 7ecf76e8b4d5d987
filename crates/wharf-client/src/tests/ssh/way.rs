//! The way to a server, what else may answer there, and channels.

use std::{borrow::Cow, time::Duration};

use russh::{ChannelMsg, Limits, Preferred, compression, kex};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::{Case, Person, Server, Wish, server::MANY};
use crate::{
    Credentials, Kind, Location, Pool, Secret, Step,
    ssh::CopyProtocol,
    transfer::{Download, get},
};

fn with_password() -> Wish {
    Wish {
        password: Some("secret"),
        ..Wish::default()
    }
}

fn case(server: &Server) -> Case {
    let mut case = Case::knowing(server);
    case.options.ssh.password = Some(Secret::new("secret"));
    case
}

/// What the client makes of a server that says this and waits.
async fn against(greeting: &'static [u8], ends: bool) -> crate::Error {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let serving = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(greeting).await.unwrap();
        let mut sink = Vec::new();
        if ends {
            let mut some = [0; 8];
            let _ = stream.read(&mut some).await;
        } else {
            let _ = stream.read_to_end(&mut sink).await;
        }
    });
    let mut case = Case::new(Person::default());
    case.options.idle_timeout = Duration::from_millis(300);
    let error = case
        .open(&format!("sftp://ann@127.0.0.1:{port}/"))
        .await
        .err()
        .unwrap();
    serving.abort();
    error
}

/// D12, D11, S01, S10.
#[tokio::test]
async fn whoever_else_answers_is_named() {
    for (greeting, ends, cause, says) in [
        (&b"220 ready\r\n"[..], false, "D12", "FTP"),
        (
            b"HTTP/1.1 400 Bad Request\r\n\r\n",
            true,
            "D12",
            "web server",
        ),
        (b"\x15\x03\x03\x00\x02\x02\x46", true, "D12", "TLS"),
        (b"Exceeded MaxStartups\r\n", true, "S01", "MaxStartups"),
        (b"hello\x1b[2J\r\n", true, "D12", "hello?[2J"),
        (b"", true, "S01", "closed the connection"),
        (b"", false, "D11", "did not speak SSH"),
        (b"SSH-2.0-Slow\r\n", false, "S10", "key exchange"),
        (
            b"SSH-2.0-Odd\r\n\0\0\0\x0c\xff\xff\xff\xff\xff\xff\xff\xff",
            true,
            "S01",
            "SSH-2.0-Odd",
        ),
    ] {
        let error = against(greeting, ends).await;
        assert_eq!(error.cause(), Some(cause), "{greeting:?}: {error}");
        assert!(error.to_string().contains(says), "{greeting:?}: {error}");
    }
}

#[tokio::test]
async fn nothing_that_listens_is_refused_as_for_every_protocol() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let case = Case::new(Person::default());
    let error = case
        .open(&format!("sftp://ann@127.0.0.1:{port}/"))
        .await
        .err()
        .unwrap();
    assert_eq!((error.kind(), error.cause()), (Kind::Refused, Some("D05")));
}

/// S02.
#[tokio::test]
async fn no_common_algorithm_names_both_lists_and_the_switch_that_helps() {
    let server = Server::start(Wish {
        preferred: Some(Preferred {
            kex: Cow::Owned(vec![kex::DH_G14_SHA1]),
            compression: vec![compression::NONE].into(),
            ..Preferred::default()
        }),
        ..with_password()
    })
    .await;
    let mut case = case(&server);
    let error = case.open(&server.url()).await.err().unwrap();
    assert_eq!((error.step(), error.cause()), (Step::Ssh, Some("S02")));
    let text = error.to_string();
    assert!(
        text.contains("diffie-hellman-group14-sha1") && text.contains("mlkem768x25519-sha256"),
        "{text}"
    );
    assert!(error.hints()[0].contains("--ssh-legacy"));
    case.options.ssh.legacy = true;
    case.open(&server.url()).await.unwrap();
}

#[tokio::test]
async fn host_behind_another_is_reached_through_it_and_both_are_verified() {
    let inner = Server::start(with_password()).await;
    let outer = Server::start(Wish {
        password: Some("outer"),
        ..Wish::default()
    })
    .await;
    let mut case = Case::new(Person {
        typed: vec!["outer", "outer"].into(),
        ..Person::default()
    });
    case.write("known_hosts", &(inner.line() + &outer.line()));
    case.options.ssh.password = Some(Secret::new("secret"));
    case.options.ssh.jump = Some(format!("gate@127.0.0.1:{}", outer.address.port()));
    let connection = case.open(&inner.url()).await.unwrap();
    connection.sftp_channel().await.unwrap();
    let port = inner.address.port();
    assert!(outer.has_heard(&format!("tunnel 127.0.0.1 {port}")));
    // The password of the one is not shown to the other.
    assert!(
        !outer.has_heard("password gate secret"),
        "{:?}",
        outer.heard()
    );
    connection.close().await;

    case.write("known_hosts", &outer.line());
    let error = case.open(&inner.url()).await.err().unwrap();
    assert_eq!(error.kind(), Kind::HostKey);
}

#[tokio::test]
async fn way_that_leads_to_itself_is_left() {
    let server = Server::start(with_password()).await;
    let case = case(&server);
    case.write("config", "Host *\nProxyJump loop\n");
    let error = case.open(&server.url()).await.err().unwrap();
    assert_eq!(error.kind(), Kind::Usage);
}

#[tokio::test]
async fn host_on_the_way_that_leads_nowhere_is_named() {
    let outer = Server::start(with_password()).await;
    let mut case = Case::new(Person {
        typed: vec!["secret"].into(),
        ..Person::default()
    });
    case.write("known_hosts", &outer.line());
    case.options.ssh.jump = Some(format!("gate@127.0.0.1:{}", outer.address.port()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let error = case
        .open(&format!("sftp://ann@127.0.0.1:{port}/"))
        .await
        .err()
        .unwrap();
    assert!(
        error
            .to_string()
            .contains("gate@127.0.0.1 does not lead on"),
        "{error}"
    );
}

/// S07.
#[tokio::test]
async fn server_without_sftp_or_commands_is_told_apart_from_a_broken_one() {
    let server = Server::start(Wish {
        has_sftp: false,
        ..with_password()
    })
    .await;
    let case = case(&server);
    let connection = case.open(&server.url()).await.unwrap();
    let error = connection.sftp_channel().await.err().unwrap();
    assert_eq!((error.kind(), error.cause()), (Kind::Rejected, Some("S07")));
    let error = connection.exec_channel(b"none").await.err().unwrap();
    assert_eq!(error.kind(), Kind::Rejected);
    let error = connection.exec_channel(b"close").await.err().unwrap();
    assert_eq!(error.cause(), Some("S09"));
    assert!(!connection.is_closed());
}

#[tokio::test]
async fn goodbye_of_the_server_is_told_without_control_characters() {
    let server = Server::start(with_password()).await;
    let case = case(&server);
    let connection = case.open(&server.url()).await.unwrap();
    let error = connection.exec_channel(b"leave").await.err().unwrap();
    assert!(error.to_string().contains("gone?]0;fishing?"), "{error}");
    assert!(error.is_retryable());
}

/// Keys are exchanged anew while data flow.
#[tokio::test]
async fn new_keys_in_the_middle_lose_nothing() {
    let server = Server::start(Wish {
        limits: Limits::new(512 * 1024, 512 * 1024, Duration::from_secs(3600)),
        ..with_password()
    })
    .await;
    let case = case(&server);
    let connection = case.open(&server.url()).await.unwrap();
    let mut channel = connection.exec_channel(b"many").await.unwrap();
    let mut octets = 0;
    while let Some(message) = channel.wait().await {
        if let ChannelMsg::Data { data } = message {
            octets += data.len();
        }
    }
    assert_eq!(octets, MANY);
}

/// A server without SFTP that copies, and files of it.
async fn copying(most_sessions: usize) -> (Server, Case, Pool) {
    let server = Server::start(Wish {
        has_sftp: false,
        copied: Some("the content"),
        most_sessions,
        ..with_password()
    })
    .await;
    let mut case = case(&server);
    case.options.retries = 0;
    let site = Location::parse(&server.url().replace("sftp:", "scp:"))
        .unwrap()
        .site;
    let pool = Pool::new(
        site,
        Credentials::anonymous(),
        case.options.clone(),
        std::sync::Arc::clone(&case.person) as _,
    );
    (server, case, pool)
}

fn download(pool: &Pool, case: &Case, name: &str) -> Download {
    Download {
        source: Location {
            segments: vec![name.as_bytes().to_vec()],
            ..Location::parse(&format!("{}/", pool.site())).unwrap()
        },
        target: case.path(name),
        known: None,
    }
}

/// SCP-30: the subsystem is refused, and its session is given back for the command.
#[tokio::test]
async fn scp_falls_back_to_the_old_protocol_where_the_subsystem_is_refused() {
    let (server, case, pool) = copying(1).await;
    let done = get(&pool, &download(&pool, &case, "f")).await.unwrap();
    assert_eq!(done.size, 11);
    assert_eq!(case.read("f"), "the content");
    assert!(case.person.told().contains("the server has no SFTP"));
    assert!(server.has_heard("subsystem sftp") && server.has_heard("exec scp -p -f"));
    // The connection serves the next file as well.
    get(&pool, &download(&pool, &case, "g")).await.unwrap();
    assert_eq!(case.read("g"), "the content");
    pool.close().await;
}

/// SCP-30: not where it was forbidden, and not for `sftp://`.
#[tokio::test]
async fn scp_does_not_fall_back_where_that_is_forbidden() {
    let (server, mut case, _pool) = copying(1).await;
    for (scheme, copy) in [("sftp:", CopyProtocol::Auto), ("scp:", CopyProtocol::Sftp)] {
        case.options.ssh.copy = copy;
        let site = Location::parse(&server.url().replace("sftp:", scheme))
            .unwrap()
            .site;
        let pool = Pool::new(
            site,
            Credentials::anonymous(),
            case.options.clone(),
            std::sync::Arc::clone(&case.person) as _,
        );
        let error = get(&pool, &download(&pool, &case, "f")).await.unwrap_err();
        assert_eq!(error.cause(), Some("S07"), "{error}");
    }
    assert!(!server.has_heard("exec"));
}

/// OpenSSH's MaxSessions: many files by the old protocol wait for each other.
#[tokio::test]
async fn no_more_commands_run_at_once_than_sessions_are_permitted() {
    let (_server, case, pool) = copying(crate::Options::default().parallel).await;
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..30 {
        let (pool, download) = (pool.clone(), download(&pool, &case, &format!("f{number}")));
        tasks.spawn(async move { get(&pool, &download).await });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap().unwrap();
    }
}

/// The same for commands that end before their time.
#[tokio::test]
async fn failed_copy_gives_its_session_back() {
    let (_server, case, pool) = copying(2).await;
    for _ in 0..5 {
        let mut lost = download(&pool, &case, "f");
        lost.target = case.path("no/such/directory/f");
        let error = get(&pool, &lost).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Local, "{error}");
    }
    get(&pool, &download(&pool, &case, "f")).await.unwrap();
}
