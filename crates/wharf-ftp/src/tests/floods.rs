//! Clients that send more than they should, or read less than they should.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{
    client::{pattern, read_all, soon},
    *,
};

/// RPL-32: what is sent ahead is neither refused nor held without limit, and all of it is answered in
/// order, during a transfer and without one.
#[tokio::test]
async fn rpl_32_thousands_of_commands_sent_ahead_are_answered_in_order() {
    let house = House::usual().await;
    let mut client = Client::login(&house, "anna").await;
    let mut data = client.passive().await;
    client.ask("STOR slow", 150).await;
    let many = "NOOP\r\nSYST\r\n".repeat(5000);
    let (mut from, mut to) = client.control.into_split();
    let writing = tokio::spawn(async move {
        to.write_all(many.as_bytes()).await.unwrap();
        to
    });
    soon(data.write_all(&pattern(1_000_000))).await.unwrap();
    drop(data);
    let mut heard = Vec::new();
    let whole = "226 Transfer complete.\r\n".len()
        + 5000 * ("200 NOOP command successful.\r\n215 UNIX Type: L8\r\n".len());
    while heard.len() < whole {
        let mut piece = [0; 4096];
        let count = soon(from.read(&mut piece)).await.unwrap();
        assert!(count > 0, "closed after {} octets", heard.len());
        heard.extend_from_slice(&piece[..count]);
        if heard.len() > whole - 100
            && String::from_utf8_lossy(&heard).matches("215 ").count() == 5000
        {
            break;
        }
    }
    let text = String::from_utf8(heard).unwrap();
    let codes: Vec<&str> = text.lines().map(|line| &line[..3]).collect();
    assert_eq!(codes[0], "226");
    assert!(codes[1..].chunks(2).all(|two| two == ["200", "215"]));
    soon(writing).await.unwrap();
}

/// Whoever does not read his replies stops being read; when he reads again, everything is there.
#[tokio::test]
async fn a_slow_reader_of_replies_loses_nothing() {
    let house = House::usual().await;
    let mut client = Client::login(&house, "anna").await;
    // The replies are many times what the sockets between us hold.
    client.send("HELP\r\n".repeat(10_000)).await;
    for _ in 0..10_000 {
        tokio::task::yield_now().await;
    }
    for _ in 0..10_000 {
        client.expect(214).await;
    }
    client.ask("QUIT", 221).await;
}

/// Neither starves the other: STATs without end while a transfer runs.
#[tokio::test]
async fn a_flood_of_stat_does_not_stall_the_transfer() {
    let house = House::usual().await;
    let mut client = Client::login(&house, "anna").await;
    client.store("big", &pattern(8 << 20)).await;
    let mut data = client.passive().await;
    client.ask("RETR big", 150).await;
    let (mut from, mut to) = client.control.into_split();
    let flood = tokio::spawn(async move {
        let many = "STAT\r\n".repeat(500);
        while to.write_all(many.as_bytes()).await.is_ok() {}
    });
    let hearing = tokio::spawn(async move {
        let mut piece = vec![0; 65536];
        let mut tail = Vec::new();
        loop {
            let count = from.read(&mut piece).await.unwrap();
            tail.extend_from_slice(&piece[..count]);
            if count == 0
                || tail.windows(6).any(|six| six == b"\r\n226 ")
                || tail.starts_with(b"226 ")
            {
                return count > 0;
            }
            let keep = tail.len().saturating_sub(6);
            tail.drain(..keep);
        }
    });
    assert_eq!(read_all(&mut data).await.unwrap(), pattern(8 << 20));
    assert!(soon(hearing).await.unwrap(), "the 226 came");
    flood.abort();
}

/// RPL-03, RPL-04, RPL-07: noise ends with 421.
#[tokio::test]
async fn noise_is_bounded() {
    let house = House::usual().await;
    for noise in [
        "\r\n".repeat(30),
        "WHAT\r\n".repeat(200),
        format!("{}\r\n", "x".repeat(10_000)).repeat(4),
    ] {
        let mut client = Client::connect(&house).await;
        let _ = client.control.write_all(noise.as_bytes()).await;
        let mut last = None;
        while let Some(reply) = client.try_reply().await {
            last = Some(reply.code);
        }
        assert_eq!(last, Some(421));
    }
    house.emptied().await;
}

/// RPL-08, CVE-2021-3618: another protocol's words close the connection before the login.
#[tokio::test]
async fn cve_2021_3618_another_protocol_is_shown_the_door() {
    let house = House::usual().await;
    for words in [
        &b"GET / HTTP/1.1\r\nHost: x\r\n\r\nUSER anna\r\nPASS secret\r\n"[..],
        b"EHLO x\r\n",
        b"\x16\x03\x01\x02",
    ] {
        let mut client = Client::connect(&house).await;
        client.send(words).await;
        client.expect_end(&[421]).await;
    }
    house.emptied().await;
}
