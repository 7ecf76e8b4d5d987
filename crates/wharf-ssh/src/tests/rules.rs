//! Messages out of their place, of the wrong size or without end: what ended other servers.

use std::time::Duration;

use super::{
    house::{House, Plan, settings, soon},
    raw::{Message, Raw, STRICT, message, open, password, request, text},
};
use crate::{Algorithms, Settings};

/// CVE-2018-10933, CVE-2025-32433: a server that believed its client about the login, and one that
/// ran what it was told before it.
#[tokio::test]
async fn messages_of_a_channel_before_login_do_nothing() {
    let house = House::usual();
    let (stream, _) = house.call();
    let mut raw = soon(Raw::guest(stream)).await;
    for early in [
        Message::new(message::USERAUTH_SUCCESS),
        open("session", 2 << 20, 32 << 10),
        request(0, "exec").text("echo early"),
        request(0, "subsystem").text("sftp"),
        Message::new(message::CHANNEL_DATA).number(0).text("early"),
        Message::new(message::GLOBAL_REQUEST)
            .text("tcpip-forward")
            .byte(1)
            .text("")
            .number(80),
    ] {
        raw.say(&early).await.unwrap();
    }
    raw.say(&password("wrong")).await.unwrap();
    let first = soon(raw.hear()).await.unwrap();
    assert_eq!(first[0], message::USERAUTH_FAILURE, "nothing came before");
    assert!(house.events("LoggedIn").is_empty());
    raw.say(&password("secret")).await.unwrap();
    let second = soon(raw.hear()).await.unwrap();
    assert_eq!(second, [message::USERAUTH_SUCCESS]);
}

/// CVE-2023-48795 (Terrapin): whoever can slip a message in before the keys can take one out after
/// them.
#[tokio::test]
async fn a_message_slipped_into_a_strict_key_exchange_ends_it() {
    let house = House::usual();
    let (stream, serving) = house.call();
    let mut raw = soon(Raw::greet(stream)).await;
    raw.offer(&[STRICT]).await.unwrap();
    let ignore = Message::new(message::IGNORE).text("");
    raw.say(&ignore).await.unwrap();
    assert!(soon(raw.exchange()).await.is_err());
    soon(serving).await.unwrap();
    // And before the client's KEXINIT as well.
    let (stream, serving) = house.call();
    let mut raw = soon(Raw::greet(stream)).await;
    raw.say(&ignore).await.unwrap();
    let _ = raw.offer(&[STRICT]).await;
    assert!(soon(raw.exchange()).await.is_err());
    soon(serving).await.unwrap();
}

/// SFT-02: what is offered is what is decided on, strict order among it, and no more.
#[tokio::test]
async fn only_good_algorithms_are_offered() {
    let house = House::usual();
    let (stream, _) = house.call();
    let raw = soon(Raw::greet(stream)).await;
    let mut left = &raw.server_kexinit[17..];
    let mut lists = (0..8).map(|_| {
        let list = String::from_utf8(text(&mut left).to_vec()).unwrap();
        list.split(',').map(str::to_owned).collect::<Vec<_>>()
    });
    let usual = Algorithms::default();
    let kex = lists.next().unwrap();
    assert_eq!(kex[0], "mlkem768x25519-sha256");
    for name in usual
        .kex
        .iter()
        .map(String::as_str)
        .chain(["kex-strict-s-v00@openssh.com", "ext-info-s"])
    {
        assert!(kex.iter().any(|offered| offered == name), "{name}");
    }
    assert_eq!(kex.len(), usual.kex.len() + 2);
    assert_eq!(lists.next().unwrap(), ["ssh-ed25519"]);
    for _ in 0..2 {
        assert_eq!(lists.next().unwrap(), usual.ciphers);
    }
    for _ in 0..2 {
        assert_eq!(lists.next().unwrap(), usual.macs);
    }
    for _ in 0..2 {
        assert_eq!(lists.next().unwrap(), ["none", "zlib@openssh.com"]);
    }
}

/// INT-37: libssh2 before 1.11 and its like are offered the MACs that they know, last; others are not,
/// nor anybody where the settings name the MACs.
#[tokio::test]
async fn older_clients_are_offered_the_macs_that_they_know() {
    let macs = async |house: &House, id: &[u8]| {
        let (stream, _) = house.call();
        let raw = soon(Raw::greet_as(stream, id)).await;
        let mut left = &raw.server_kexinit[17..];
        (0..8).map(|_| text(&mut left).to_vec()).nth(4).unwrap()
    };
    let house = House::usual();
    let usual = Algorithms::default().macs.join(",").into_bytes();
    assert_eq!(macs(&house, b"SSH-2.0-OpenSSH_9.2").await, usual);
    let older = [&usual[..], b",hmac-sha2-256,hmac-sha2-512"].concat();
    assert_eq!(macs(&house, b"SSH-2.0-libssh2_1.10.0").await, older);
    let named = "hmac-sha2-512-etm@openssh.com";
    let house = House::of(Plan {
        settings: Settings {
            algorithms: Algorithms {
                macs: vec![named.to_owned()],
                ..Algorithms::default()
            },
            ..settings()
        },
        ..Plan::default()
    });
    assert_eq!(
        macs(&house, b"SSH-2.0-libssh2_1.10.0").await,
        named.as_bytes()
    );
}

/// SFT-04.
#[tokio::test]
async fn signatures_are_announced_to_who_asks() {
    let house = House::usual();
    let (stream, _) = house.call();
    let mut raw = soon(Raw::greet(stream)).await;
    raw.offer(&[STRICT, "ext-info-c"]).await.unwrap();
    soon(raw.exchange()).await.unwrap();
    let told = soon(raw.hear_any()).await.unwrap();
    assert_eq!(told[0], message::EXT_INFO);
    let mut left = &told[5..];
    assert_eq!(text(&mut left), b"server-sig-algs");
    let list = String::from_utf8_lossy(text(&mut left));
    assert_eq!(list, Algorithms::default().signatures.join(","));
    assert!(!list.split(',').any(|name| name == "ssh-rsa"));
}

/// CVE-2024-43410: a length is not believed before anything else is known.
#[tokio::test(start_paused = true)]
async fn lengths_of_packets_are_bounded_before_login() {
    let house = House::usual();
    for length in [0, 1, 3, 1 << 19, u32::MAX - 4, u32::MAX] {
        let (stream, serving) = house.call();
        let mut raw = soon(Raw::greet(stream)).await;
        let head = [&length.to_be_bytes()[..], &[0; 60]].concat();
        raw.say_octets(&head).await.unwrap();
        soon(serving).await.unwrap();
    }
    assert_eq!(house.events("Closed").len(), 6);
    assert!(house.events("fault").is_empty());
}

/// CVE-2025-26466, CVE-2025-22869: while new keys are on their way, nothing else is taken.
#[tokio::test]
async fn a_flood_while_keys_are_exchanged_is_not_kept() {
    let house = House::usual();
    let (stream, serving) = house.call();
    let mut raw = soon(Raw::user(stream)).await;
    let channel = soon(raw.channel()).await;
    raw.offer(&[]).await.unwrap();
    let flood = async {
        let piece = Message::new(message::CHANNEL_DATA)
            .number(channel)
            .text([0; 1000]);
        let mut sent = 0;
        while raw.say(&piece).await.is_ok() {
            sent += 1000;
        }
        sent
    };
    let sent = soon(flood).await;
    assert!(sent < 1_000_000, "{sent} octets were taken");
    soon(serving).await.unwrap();
}

/// Answers that nobody takes stop the questions.
#[tokio::test(start_paused = true)]
async fn a_flood_of_questions_is_held_back_by_its_answers() {
    let house = House::usual();
    let (stream, _serving) = house.call();
    let mut raw = Raw::user(stream).await;
    let question = Message::new(message::GLOBAL_REQUEST)
        .text("keepalive@openssh.com")
        .byte(1);
    let mut asked = 0_usize;
    let flood = async {
        while raw.say(&question).await.is_ok() {
            asked += 1;
        }
    };
    let ended = tokio::time::timeout(Duration::from_secs(60), flood).await;
    assert!(ended.is_err(), "it waits, and is not cut off");
    assert!(asked < 100_000, "{asked} questions were taken");
}

/// SFT-08, SFTPGo 760bf692: malformed subsystem requests ended a whole server once. One of these ends
/// its own connection at the most.
#[tokio::test]
async fn requests_that_end_too_soon_or_too_late_hurt_nobody_else() {
    let house = House::usual();
    let (stream, _) = house.call();
    let mut other = soon(Raw::user(stream)).await;
    let requests: [fn(u32) -> Message; 9] = [
        |channel| request(channel, "subsystem"),
        |channel| request(channel, "subsystem").number(u32::MAX),
        |channel| request(channel, "subsystem").text([0xff; 9]),
        |channel| request(channel, "subsystem").text("sftp").byte(0),
        |channel| request(channel, "exec").number(5).byte(0),
        |channel| request(channel, "pty-req").text("x").number(1),
        |channel| request(channel, "env").text("A").number(1 << 30),
        |channel| Message::new(message::CHANNEL_REQUEST).number(channel),
        |_| Message::new(message::CHANNEL_REQUEST),
    ];
    for make in requests {
        let (stream, _) = house.call();
        let mut raw = soon(Raw::user(stream)).await;
        let channel = soon(raw.channel()).await;
        raw.say(&make(channel)).await.unwrap();
        let heard = soon(raw.hear()).await;
        assert!(heard.is_err() || heard.unwrap()[0] == message::CHANNEL_FAILURE);
    }
    soon(other.channel()).await;
    assert!(house.events("fault").is_empty(), "nothing panicked");
}

/// CVE-2025-54804: windows that grow beyond what fits.
#[tokio::test]
async fn a_window_grows_to_the_most_and_no_further() {
    let house = House::usual();
    let (stream, _) = house.call();
    let mut raw = soon(Raw::user(stream)).await;
    let channel = soon(raw.channel()).await;
    for _ in 0..10 {
        let adjust = Message::new(message::CHANNEL_WINDOW_ADJUST);
        raw.say(&adjust.number(channel).number(u32::MAX))
            .await
            .unwrap();
    }
    let probe = request(channel, "env").text("A").text("B");
    raw.say(&probe).await.unwrap();
    assert_eq!(soon(raw.hear()).await.unwrap()[0], message::CHANNEL_FAILURE);
}

#[tokio::test]
async fn what_is_for_no_channel_is_passed_over() {
    let house = House::usual();
    let (stream, _) = house.call();
    let mut raw = soon(Raw::user(stream)).await;
    for message in [
        Message::new(message::CHANNEL_DATA).number(77).text("x"),
        Message::new(message::CHANNEL_WINDOW_ADJUST)
            .number(77)
            .number(1),
        request(77, "exec").text("echo"),
        // What no RFC has.
        Message::new(192).text("ping"),
        Message::new(255),
    ] {
        raw.say(&message).await.unwrap();
    }
    soon(raw.channel()).await;
}

/// A login is once: who is in cannot become somebody else on the way.
#[tokio::test]
async fn a_second_login_is_not_heard() {
    let house = House::usual();
    let (stream, _) = house.call();
    let mut raw = soon(Raw::user(stream)).await;
    raw.say(&password("secret")).await.unwrap();
    soon(raw.channel()).await;
    assert_eq!(house.events("LoggedIn").len(), 1);
}

#[tokio::test]
async fn a_goodbye_says_why() {
    let house = House::usual();
    let (stream, _) = house.call();
    let mut raw = soon(Raw::user(stream)).await;
    house.engine.registry.end_all(wharf_engine::Ending::Now);
    let heard = soon(raw.hear_out()).await;
    let mut left = &heard.last().unwrap()[5..];
    let text = String::from_utf8_lossy(text(&mut left));
    assert!(text.contains("administrator"), "{text}");
}

/// CVE-2025-26466's kind, after login: the transport keeps what a peer takes no window for, and every late
/// answer of the connection behind it. So a channel that ends so ends its connection.
#[tokio::test(start_paused = true)]
async fn what_a_closed_channel_never_took_is_not_kept() {
    let house = House::usual();
    // By the peer, and by us for more questions than are held.
    let close = |channel| Message::new(message::CHANNEL_CLOSE).number(channel);
    let flood = |channel| {
        let data = Message::new(message::CHANNEL_DATA).number(channel);
        data.text([0; 30_000])
    };
    for is_ours in [false, true] {
        let (stream, serving) = house.call();
        let mut raw = soon(Raw::user(stream)).await;
        raw.say(&open("session", 512, 32 << 10)).await.unwrap();
        let opened = soon(raw.hear()).await.unwrap();
        let channel = u32::from_be_bytes(opened[5..9].try_into().unwrap());
        raw.say(&request(channel, "subsystem").text("sftp"))
            .await
            .unwrap();
        assert_eq!(soon(raw.hear()).await.unwrap()[0], message::CHANNEL_SUCCESS);
        let mut asked = vec![0, 0, 0, 5, 1, 0, 0, 0, 3];
        // REALPATH, whose answers are longer than what the window lets go.
        for _ in 0..100 {
            asked.extend([0, 0, 0, 10, 16, 0, 0, 0, 1, 0, 0, 0, 1, b'.']);
        }
        let data = Message::new(message::CHANNEL_DATA).number(channel);
        raw.say(&data.text(asked)).await.unwrap();
        assert_eq!(soon(raw.hear()).await.unwrap()[0], message::CHANNEL_DATA);
        if is_ours {
            for _ in 0..200 {
                // Until it is hung up.
                let _ = raw.say(&flood(channel)).await;
            }
        } else {
            raw.say(&close(channel)).await.unwrap();
        }
        let heard = soon(raw.hear_out()).await;
        assert_eq!(heard.last().unwrap()[0], message::DISCONNECT);
        soon(serving).await.unwrap();
    }
    assert_eq!(house.events("never took").len(), 2);
}
