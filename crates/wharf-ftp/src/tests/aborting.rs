//! ABOR at every stage of a transfer, STAT and QUIT beside one (DAT-60 to DAT-66, RPL-10 to RPL-13).

use tokio::{io::AsyncWriteExt as _, net::TcpStream};

use super::{
    client::{pattern, read_all, soon},
    *,
};

const BIG: usize = 32 << 20;

async fn house_with_big_files() -> (House, Client) {
    let house = House::usual().await;
    let mut client = Client::login(&house, "anna").await;
    client.store("big", &pattern(BIG)).await;
    client.store("disk/big", &pattern(BIG)).await;
    (house, client)
}

/// The session can be used: the next transfer works.
async fn is_usable(client: &mut Client) {
    client.store("after", b"hello").await;
    assert_eq!(client.fetch("RETR after").await, b"hello");
}

#[tokio::test]
async fn dat_60_abor_in_a_download_resets_the_data_connection() {
    let (house, mut client) = house_with_big_files().await;
    for name in ["big", "disk/big"] {
        let mut data = client.passive().await;
        client.ask(&format!("RETR {name}"), 150).await;
        client.await_octets(1).await;
        client.ask("ABOR", 426).await;
        client.expect(226).await;
        // DAT-33: a short file must not look whole.
        assert!(read_all(&mut data).await.is_err(), "{name}");
        is_usable(&mut client).await;
    }
    assert_eq!(house.events("Transfer Download").len(), 4);
    assert_eq!(house.events("Aborted { cause").len(), 2);
}

#[tokio::test]
async fn dat_61_abor_while_waiting_for_the_client_ends_the_wait() {
    let (house, mut client) = house_with_big_files().await;
    for command in ["RETR big", "STOR new", "LIST", "STOU", "APPE new"] {
        let address = client.passive_address().await;
        client.ask(command, 150).await;
        client.ask("ABOR", 426).await;
        client.expect(226).await;
        assert!(
            TcpStream::connect(address).await.is_err(),
            "the listener of {command} is closed"
        );
    }
    // Nothing was sent, so nothing stays; APPE writes in place and made its file.
    assert_eq!(client.list("NLST").await, ["big", "disk", "new", "small"]);
    is_usable(&mut client).await;
    drop(house);
}

/// DAT-66: a new file keeps its data for a restart, a file that stood there stays as it was.
#[tokio::test]
async fn dat_66_abor_in_an_upload_keeps_the_part_only_where_nothing_stood() {
    let (_house, mut client) = house_with_big_files().await;
    for place in ["", "disk/"] {
        client.store(&format!("{place}old"), b"as it was").await;
        for name in ["old", "new"] {
            let mut data = client.passive().await;
            client.ask(&format!("STOR {place}{name}"), 150).await;
            soon(data.write_all(&pattern(300_000))).await.unwrap();
            client.await_octets(300_000).await;
            client.ask("ABOR", 426).await;
            client.expect(226).await;
        }
        assert_eq!(
            client.fetch(&format!("RETR {place}old")).await,
            b"as it was"
        );
        assert_eq!(
            client.fetch(&format!("RETR {place}new")).await,
            pattern(300_000)
        );
        let mut data = client.passive().await;
        client.ask("REST 300000", 350).await;
        client.ask(&format!("STOR {place}new"), 150).await;
        soon(data.write_all(&pattern(300_100)[300_000..]))
            .await
            .unwrap();
        drop(data);
        client.expect(226).await;
        assert_eq!(
            client.fetch(&format!("RETR {place}new")).await,
            pattern(300_100)
        );
    }
}

/// Two replies in each case (DAT-62).
#[tokio::test]
async fn dat_62_abor_behind_the_end_gives_two_replies() {
    let (_house, mut client) = house_with_big_files().await;
    client.store("small-one", b"x").await;
    let mut data = client.passive().await;
    client.line("RETR small-one").await;
    assert_eq!(read_all(&mut data).await.unwrap(), b"x");
    client.line("ABOR").await;
    for code in [150, 226, 226] {
        client.expect(code).await;
    }
    is_usable(&mut client).await;
}

#[tokio::test]
async fn dat_63_abor_at_rest_closes_the_listener() {
    let (_house, mut client) = house_with_big_files().await;
    client.ask("ABOR", 226).await;
    let address = client.passive_address().await;
    client.ask("ABOR", 226).await;
    assert!(TcpStream::connect(address).await.is_err());
    is_usable(&mut client).await;
}

/// RPL-31: an ABOR in the same segment as the command means that command; the others follow in order.
#[tokio::test]
async fn rpl_31_abor_in_the_same_segment_means_the_transfer_before_it() {
    let (_house, mut client) = house_with_big_files().await;
    let mut data = client.passive().await;
    client
        .send("NOOP\r\nRETR big\r\nSYST\r\nABOR\r\nPWD\r\n")
        .await;
    for code in [200, 150, 426, 226, 215, 257] {
        client.expect(code).await;
    }
    assert!(read_all(&mut data).await.is_err());
    is_usable(&mut client).await;
}

/// RPL-30: STATs, however many come at once, and an ABOR behind them are heard while bytes flow.
#[tokio::test]
async fn rpl_30_stat_stat_abor_in_one_segment_are_all_heard() {
    let (_house, mut client) = house_with_big_files().await;
    let _data = client.passive().await;
    client.ask("RETR big", 150).await;
    client.send("STAT\r\nSTAT\r\nSTAT\r\nABOR\r\n").await;
    for code in [211, 211, 211, 426, 226] {
        client.expect(code).await;
    }
    is_usable(&mut client).await;
}

/// RPL-12: Telnet IP and DM around ABOR, with the urgent mark on any octet or on none.
#[tokio::test]
async fn rpl_12_abor_is_heard_with_telnet_bytes_and_urgent_data() {
    let (_house, mut client) = house_with_big_files().await;
    let (ip, dm) = (b"\xff\xf4", b"\xff\xf2");
    let plain: [&[u8]; 3] = [ip, dm, b"ABOR\r\n"];
    let forms: [&[(&[u8], bool)]; 5] = [
        &[(&plain.concat(), false)],
        &[(b"\xff\xf4\xff", true), (b"\xf2ABOR\r\n", false)],
        &[(b"\xff\xf4\xff\xf2", true), (b"ABOR\r\n", false)],
        &[(b"\xff\xf4\xff\xf2A", true), (b"BOR\r\n", false)],
        &[(b"ABOR\r\n", true)],
    ];
    for form in forms {
        let _data = client.passive().await;
        client.ask("RETR big", 150).await;
        for (bytes, urgent) in form {
            if *urgent {
                client.send_urgent(bytes).await
            } else {
                client.send(bytes).await
            }
        }
        client.expect(426).await;
        client.expect(226).await;
    }
    is_usable(&mut client).await;
}

/// A read ends at the urgent mark; what comes behind it in the same segment is heard as well.
#[tokio::test]
async fn rpl_12_what_follows_the_urgent_mark_is_not_forgotten() {
    let (_house, mut client) = house_with_big_files().await;
    for _ in 0..50 {
        client.send_urgent(b"\xff\xf4\xff\xf2").await;
        client.send(b"ABOR\r\n\xff\xf1NOOP\r\n").await;
        client.expect(226).await;
        client.expect(200).await;
    }
    client.send_urgent(b"\xff\xf2").await;
    // More than the queue holds: the rest must come in turn, none is lost and nobody is thrown out.
    client.send("NOOP\r\n".repeat(3000)).await;
    for _ in 0..3000 {
        client.expect(200).await;
    }
}

/// DAT-65: a hash is long work, too.
#[tokio::test]
async fn dat_65_abor_ends_a_hash() {
    let (_house, mut client) = house_with_big_files().await;
    client.send("HASH big\r\nABOR\r\n").await;
    client.expect(426).await;
    client.expect(226).await;
    client.send("XSHA512 disk/big\r\nABOR\r\nNOOP\r\n").await;
    for code in [426, 226, 200] {
        client.expect(code).await;
    }
}

/// ABOR is legal before the login and does nothing there.
#[tokio::test]
async fn abor_before_the_login_is_harmless() {
    let house = House::usual().await;
    let mut client = Client::connect(&house).await;
    client.ask("ABOR", 226).await;
    client.ask("USER anna", 331).await;
    client.ask("ABOR", 226).await;
    client.ask("PASS secret", 230).await;
}

/// QUIT waits for the running transfer, sends its reply, then says goodbye.
#[tokio::test]
async fn quit_in_a_transfer_lets_it_finish() {
    let (house, mut client) = house_with_big_files().await;
    let mut data = client.passive().await;
    client.ask("RETR big", 150).await;
    client.line("QUIT").await;
    assert_eq!(read_all(&mut data).await.unwrap(), pattern(BIG));
    client.expect_end(&[226, 221]).await;
    let mut client = Client::login(&house, "anna").await;
    let mut data = client.passive().await;
    client.ask("STOR late", 150).await;
    client.line("QUIT").await;
    soon(data.write_all(b"still came")).await.unwrap();
    drop(data);
    client.expect_end(&[226, 221]).await;
    let mut client = Client::login(&house, "anna").await;
    assert_eq!(client.fetch("RETR late").await, b"still came");
}

/// ProFTPD 2265: STAT at each await point; its numbers are those of the running transfer, and
/// nothing else is answered before the transfer is.
#[tokio::test]
async fn stat_in_a_transfer_tells_the_octets_and_other_commands_wait() {
    let (_house, mut client) = house_with_big_files().await;
    let address = client.passive_address().await;
    client.ask("STOR slow", 150).await;
    assert!(
        client
            .ask("STAT", 211)
            .await
            .text
            .contains("Transfer running: 0 octets")
    );
    let mut data = soon(TcpStream::connect(address)).await.unwrap();
    soon(data.write_all(b"12345")).await.unwrap();
    client.await_octets(5).await;
    client.send("PWD\r\nSTAT\r\n").await;
    client.expect(211).await;
    drop(data);
    client.expect(226).await;
    client.expect(257).await;
    let status = client.ask("STAT", 211).await.text;
    assert!(
        !status.contains("Transfer running") && status.contains("Last transfer: 5 bytes"),
        "{status}"
    );
}
