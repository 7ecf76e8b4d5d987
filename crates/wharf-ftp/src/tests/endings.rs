//! How sessions end: timeouts, the peer's disappearance, shutdown and kicks.

use std::time::Duration;

use tokio::{io::AsyncWriteExt as _, net::TcpStream};
use wharf_engine::Ending;

use super::{
    client::{pattern, read_all, reset, soon, stop_the_clock},
    *,
};
use crate::clock::now;

/// RPL-38: the 421 goes out before the close.
#[tokio::test]
async fn a_login_that_never_comes_ends_with_421() {
    let house = House::usual().await;
    let mut client = Client::connect(&house).await;
    client.ask("USER anna", 331).await;
    stop_the_clock();
    client.expect_end(&[421]).await;
    house.emptied().await;
    assert_eq!(house.events("not logged in in time").len(), 1);
}

/// CVE-2021-30047: the time for the login runs out for those, too, who never stop talking.
#[tokio::test]
async fn cve_2021_30047_noise_does_not_stretch_the_time_for_the_login() {
    let house = House::usual().await;
    let mut client = Client::connect(&house).await;
    tokio::time::pause();
    for _ in 0..59 {
        tokio::time::advance(Duration::from_secs(1)).await;
        client.ask("NOOP", 200).await;
    }
    // The last second passes over a heap of commands that wait: they do not go first.
    let heap = "NOOP\r\n".repeat(10_000);
    let sent = client.control.try_write(heap.as_bytes()).unwrap();
    assert!(sent > 50_000, "{sent}");
    tokio::time::advance(Duration::from_secs(1)).await;
    let mut answered = 0;
    while client.reply().await.code == 200 {
        answered += 1;
    }
    assert!(answered < 2000, "{answered} answers before the 421");
}

#[tokio::test]
async fn silence_ends_a_session_with_421() {
    let house = House::usual().await;
    let mut client = Client::login(&house, "anna").await;
    stop_the_clock();
    assert!(client.expect(421).await.text.contains("900 seconds"));
    client.expect_end(&[]).await;
    house.emptied().await;
}

/// A deadline that comes nearer is kept: SITE IDLE below what was in force.
#[tokio::test]
async fn a_shorter_idle_limit_holds_at_once() {
    let house = House::usual().await;
    let mut client = Client::login(&house, "anna").await;
    stop_the_clock();
    client.ask("SITE IDLE 7000", 200).await;
    tokio::time::advance(Duration::from_secs(1000)).await;
    client.ask("NOOP", 200).await;
    client.ask("SITE IDLE 300", 200).await;
    let before = now();
    client.expect(421).await;
    assert!(
        now() - before < Duration::from_secs(310),
        "by the stopped clock"
    );
}

/// RFC 959 REIN: the next login has its own time, and it is as short as the first one's.
#[tokio::test]
async fn rein_starts_the_time_for_the_login_anew() {
    let house = House::usual().await;
    let mut client = Client::login(&house, "anna").await;
    stop_the_clock();
    tokio::time::advance(Duration::from_secs(500)).await;
    client.ask("REIN", 220).await;
    let before = now();
    assert!(client.expect(421).await.text.contains("60"));
    let took = now() - before;
    assert!(
        took >= Duration::from_secs(59) && took < Duration::from_secs(70),
        "{took:?} by the stopped clock"
    );
}

/// RPL-40: the idle time stands while a transfer runs, and counts from its end.
#[tokio::test]
async fn rpl_40_a_transfer_is_not_silence_but_what_follows_it_is() {
    let house = House::usual().await;
    let mut client = Client::login(&house, "anna").await;
    let mut data = client.passive().await;
    client.ask("STOR slow", 150).await;
    stop_the_clock();
    for _ in 0..100 {
        tokio::time::advance(Duration::from_secs(100)).await;
        soon(data.write_all(b"x")).await.unwrap();
        client.ask("STAT", 211).await;
    }
    drop(data);
    client.expect(226).await;
    let before = now();
    client.expect(421).await;
    let took = now() - before;
    assert!(
        took >= Duration::from_secs(899) && took < Duration::from_secs(910),
        "{took:?} by the stopped clock"
    );
}

/// DAT-36: no octet for the stall time is 426; the session goes on.
#[tokio::test]
async fn dat_36_a_transfer_that_stalls_is_given_up() {
    let house = House::usual().await;
    let mut client = Client::login(&house, "anna").await;
    let _data = client.passive().await;
    client.ask("STOR stalls", 150).await;
    stop_the_clock();
    client.expect(426).await;
    client.ask("NOOP", 200).await;
    assert_eq!(client.list("NLST").await, ["disk", "small"]);
}

/// ADM-02: who is idle gets 421, a transfer finishes first.
#[tokio::test]
async fn adm_02_a_drain_lets_transfers_finish() {
    let house = House::usual().await;
    let mut idle = Client::login(&house, "anna").await;
    let mut guest = Client::connect(&house).await;
    let mut busy = Client::login(&house, "anna").await;
    let mut data = busy.passive().await;
    busy.ask("STOR last", 150).await;
    soon(data.write_all(b"almost ")).await.unwrap();
    busy.await_octets(7).await;
    let engine = std::sync::Arc::clone(&house.engine);
    let drain = tokio::spawn(async move { engine.drain(Duration::from_secs(300)).await });
    idle.expect_end(&[421]).await;
    guest.expect_end(&[421]).await;
    drop((idle, guest));
    // Not one command more is begun.
    busy.line("MKD never").await;
    soon(data.write_all(b"done")).await.unwrap();
    drop(data);
    busy.expect_end(&[226, 421]).await;
    drop(busy);
    soon(drain).await.unwrap();
    assert_eq!(house.events("Committed").len(), 1);
    assert_eq!(house.events("DirectoryMade").len(), 0);
}

/// ADM-02: after the grace a transfer gets 426, the session 421.
#[tokio::test]
async fn adm_02_the_grace_of_a_drain_has_an_end() {
    let house = House::usual().await;
    let mut client = Client::login(&house, "anna").await;
    let mut data = client.passive().await;
    client.ask("STOR last", 150).await;
    soon(data.write_all(b"part")).await.unwrap();
    client.await_octets(4).await;
    stop_the_clock();
    let engine = std::sync::Arc::clone(&house.engine);
    let drain = tokio::spawn(async move { engine.drain(Duration::from_secs(200)).await });
    client.expect_end(&[426, 421]).await;
    soon(drain).await.unwrap();
    assert_eq!(house.events("kept: true").len(), 1);
}

/// An administrator's kick is heard in every state.
#[tokio::test]
async fn a_kick_ends_a_session_at_once() {
    let house = House::usual().await;
    let kick = || house.engine.registry.end_all(Ending::Now);
    let mut guest = Client::connect(&house).await;
    let mut idle = Client::login(&house, "anna").await;
    let mut waits = Client::login(&house, "anna").await;
    waits.passive_address().await;
    waits.ask("STOR one", 150).await;
    let mut sends = Client::login(&house, "anna").await;
    sends.store("big", &pattern(16 << 20)).await;
    let mut data = sends.passive().await;
    sends.ask("RETR big", 150).await;
    sends.await_octets(1).await;
    kick();
    guest.expect_end(&[421]).await;
    idle.expect_end(&[421]).await;
    waits.expect_end(&[426, 421]).await;
    sends.expect_end(&[426, 421]).await;
    assert!(read_all(&mut data).await.is_err());
    drop((guest, idle, waits, sends));
    house.emptied().await;
}

/// A kick reaches those who never stop talking and those who never listen.
#[tokio::test]
async fn a_kick_is_heard_through_noise_and_silence() {
    let house = House::usual().await;
    let mut noisy = Client::login(&house, "anna").await;
    // More than the service reads before it lets others come to their turn.
    let line = format!("NOOP {}\r\n", "x".repeat(1000));
    let sent = noisy
        .control
        .try_write(line.repeat(2000).as_bytes())
        .unwrap();
    let commands = sent / line.len();
    assert!(commands > 1000, "{commands}");
    noisy.expect(200).await;
    house
        .engine
        .registry
        .sessions()
        .iter()
        .for_each(|session| session.end(Ending::Now));
    let mut answered = 1;
    while noisy.reply().await.code == 200 {
        answered += 1;
    }
    assert!(
        answered < 900,
        "{answered} answers of {commands} before the 421"
    );
    drop(noisy);
    house.emptied().await;
    let deaf = Client::login(&house, "anna").await;
    // Fill both buffers: the service cannot write one octet more.
    let noise = "HELP\r\n".repeat(200);
    let mut stuck = false;
    while !stuck {
        let sent = deaf.control.try_write(noise.as_bytes());
        stuck = sent.is_err();
        for _ in 0..200 {
            tokio::task::yield_now().await;
        }
    }
    stop_the_clock();
    let before = now();
    house.engine.registry.end_all(Ending::Now);
    house.emptied().await;
    assert!(
        now() - before < Duration::from_secs(10),
        "by the stopped clock"
    );
    drop(deaf);
}

/// DAT-37: the control connection breaks in an upload. Where a file stood it stays, where nothing
/// stood the part stays.
#[tokio::test]
async fn dat_37_a_lost_control_connection_leaves_no_torn_file() {
    let house = House::usual().await;
    for place in ["", "disk/"] {
        let mut client = Client::login(&house, "anna").await;
        client.store(&format!("{place}old"), b"as it was").await;
        for name in ["old", "new"] {
            let mut client = Client::login(&house, "anna").await;
            let mut data = client.passive().await;
            client.ask(&format!("STOR {place}{name}"), 150).await;
            soon(data.write_all(&pattern(200_000))).await.unwrap();
            client.await_octets(200_000).await;
            client.vanish();
            // The transfer is given up although its own connection stands.
            assert!(read_all(&mut data).await.is_err());
        }
        client.ask("QUIT", 221).await;
        house.emptied().await;
        let mut client = Client::login(&house, "anna").await;
        assert_eq!(
            client.fetch(&format!("RETR {place}old")).await,
            b"as it was"
        );
        assert_eq!(
            client.fetch(&format!("RETR {place}new")).await,
            pattern(200_000)
        );
        client.ask("QUIT", 221).await;
    }
    assert_eq!(house.disk_names(), ["new", "old"], "no temporary stays");
}

/// QUIT is not needed: an end in order lets the upload finish (the row of QUIT).
#[tokio::test]
async fn an_orderly_end_of_the_control_connection_lets_the_upload_finish() {
    let house = House::usual().await;
    let mut client = Client::login(&house, "anna").await;
    let mut data = client.passive().await;
    client.ask("STOR late", 150).await;
    client.control.shutdown().await.unwrap();
    soon(data.write_all(b"whole")).await.unwrap();
    drop(data);
    client.expect_end(&[226]).await;
    house.emptied().await;
    let mut client = Client::login(&house, "anna").await;
    assert_eq!(client.fetch("RETR late").await, b"whole");
}

/// The peer leaves after each step of an upload, with a reset and in order: never a torn file, never
/// a temporary, never a session that stays.
#[tokio::test]
async fn leaving_at_any_step_of_an_upload_leaves_nothing_behind() {
    let house = House::usual().await;
    let mut client = Client::login(&house, "anna").await;
    client.store("disk/target", b"as it was").await;
    client.ask("QUIT", 221).await;
    for step in 0..7 {
        for resets in [true, false] {
            let mut client = Client::connect_silently(&house).await;
            let mut data = None;
            if step > 0 {
                client.expect(220).await;
                client.ask("USER anna", 331).await;
            }
            if step > 1 {
                client.ask("PASS secret", 230).await;
            }
            let mut address = None;
            if step > 2 {
                address = Some(client.passive_address().await);
            }
            if step > 3 {
                client.ask("STOR disk/target", 150).await;
            }
            if step > 4 {
                data = Some(soon(TcpStream::connect(address.unwrap())).await.unwrap());
            }
            if step > 5 {
                soon(data.as_mut().unwrap().write_all(&pattern(100_000)))
                    .await
                    .unwrap();
            }
            if resets {
                client.vanish();
                if let Some(data) = data {
                    reset(data);
                }
            } else {
                if let Some(data) = data {
                    reset(data);
                }
                drop(client);
            }
            if step == 4 && !resets {
                // It waits for a data connection that may still come; only time or a kick ends that.
                house
                    .engine
                    .registry
                    .sessions()
                    .iter()
                    .for_each(|session| session.end(Ending::Now));
            }
            house.emptied().await;
        }
    }
    assert_eq!(house.disk_names(), ["target"]);
}
