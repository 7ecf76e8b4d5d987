//! Packets and signatures that are not what they should be, behind the keys: the rows of mod_sftp
//! (ProFTPD 2242, 2102, 2104, 2106, 2108, 2115, 2190). Each costs its own connection at the most.

use ssh_key::{PrivateKey, private::Ed25519Keypair};
use wharf_accounts::{AuthorizedKeys, SshAccess};

use super::{
    house::{House, Plan, soon},
    raw::{Message, Raw, STRICT, message, password},
};

/// The length is in clear for the first three, and what is garbage behind the keys for the last: it
/// is looked at before anything else is known of the packet.
#[tokio::test]
async fn mod_sftp_no_length_behind_the_keys_is_believed() {
    let house = House::usual();
    let mut calls = 0;
    for cipher in [
        "aes256-gcm@openssh.com",
        "aes256-ctr",
        "aes128-ctr",
        "chacha20-poly1305@openssh.com",
    ] {
        for length in [0, 1, 3, 4, 11, 17, (1 << 18) + 1, u32::MAX - 3, u32::MAX] {
            let (stream, serving) = house.call();
            let mut raw = soon(Raw::greet(stream)).await;
            raw.offer_cipher(cipher, &[STRICT]).await.unwrap();
            soon(raw.exchange()).await.unwrap();
            let head = [&length.to_be_bytes()[..], &[0x5a; 512]].concat();
            // The server may be gone before it has read all of this.
            let _ = raw.say_octets(&head).await;
            drop(raw);
            soon(serving).await.unwrap();
            calls += 1;
        }
    }
    assert_eq!(house.events("Closed").len(), calls);
    assert!(house.events("fault").is_empty(), "nothing panicked");
}

/// A packet whose octets were changed on the way is no packet.
#[tokio::test]
async fn mod_sftp_a_packet_that_was_changed_is_not_heard() {
    let house = House::usual();
    let (stream, serving) = house.call();
    let mut raw = soon(Raw::guest(stream)).await;
    let length = 32_u32.to_be_bytes();
    let forged = [&length[..], &[0; 48]].concat();
    raw.say_octets(&forged).await.unwrap();
    let _ = raw.say(&password("secret")).await;
    soon(serving).await.unwrap();
    assert!(house.events("LoggedIn").is_empty());
    assert!(house.events("fault").is_empty(), "nothing panicked");
}

/// A message without even a number, before the login and after it.
#[tokio::test]
async fn mod_sftp_an_empty_payload_hurts_nobody() {
    let house = House::usual();
    let (stream, _) = house.call();
    let mut other = soon(Raw::user(stream)).await;
    for logged_in in [false, true] {
        let (stream, _) = house.call();
        let mut raw = if logged_in {
            soon(Raw::user(stream)).await
        } else {
            soon(Raw::guest(stream)).await
        };
        raw.say(&Message::default()).await.unwrap();
        // Whether it is passed over or the end of this connection is the transport's choice.
        let _ = raw.say(&password("wrong")).await;
    }
    soon(other.channel()).await;
    assert!(house.events("fault").is_empty(), "nothing panicked");
}

/// A key that is the account's, with signatures that are not its own.
#[tokio::test]
async fn mod_sftp_a_signature_that_is_none_opens_nothing() {
    let pair = Ed25519Keypair::from_seed(&[1; 32]);
    let key = PrivateKey::new(pair.into(), "").unwrap();
    let line = key.public_key().to_openssh().unwrap();
    let blob = key.public_key().to_bytes().unwrap();
    let house = House::of(Plan {
        ssh: SshAccess {
            keys: AuthorizedKeys::parse(line.as_bytes()).keys().to_vec(),
            ..SshAccess::default()
        },
        ..Plan::default()
    });
    let signature = |algorithm: &str, octets: &[u8]| {
        let mut left = Vec::new();
        for part in [algorithm.as_bytes(), octets] {
            left.extend(u32::try_from(part.len()).unwrap().to_be_bytes());
            left.extend(part);
        }
        left
    };
    for shown in [
        Vec::new(),
        vec![0xff; 4],
        signature("ssh-ed25519", &[]),
        signature("ssh-ed25519", &[0; 63]),
        signature("ssh-ed25519", &[0; 64]),
        signature("ssh-ed25519", &[0xff; 64]),
        signature("ssh-ed25519", &[1; 65]),
        signature("ssh-rsa", &[1; 256]),
        signature("rsa-sha2-512", &[0; 64]),
        signature("none", &[0; 64]),
        signature("", &[0; 200_000]),
    ] {
        let (stream, _) = house.call();
        let mut raw = soon(Raw::guest(stream)).await;
        let login = Message::new(message::USERAUTH_REQUEST)
            .text("anna")
            .text("ssh-connection")
            .text("publickey")
            .byte(1)
            .text("ssh-ed25519")
            .text(&blob)
            .text(&shown);
        raw.say(&login).await.unwrap();
        if let Ok(heard) = soon(raw.hear()).await {
            assert_eq!(
                heard[0],
                message::USERAUTH_FAILURE,
                "{} octets",
                shown.len()
            );
        }
    }
    assert!(house.events("LoggedIn").is_empty());
    assert!(house.events("fault").is_empty(), "nothing panicked");
}

/// CVE-2025-26466, CVE-2025-22869: the first exchange of keys keeps nothing either, whether or not
/// the client keeps strict order.
#[tokio::test]
async fn cve_2025_26466_a_flood_before_the_first_keys_is_not_kept() {
    let house = House::usual();
    for extra in [&[STRICT][..], &[]] {
        let (stream, serving) = house.call();
        let mut raw = soon(Raw::greet(stream)).await;
        raw.offer(extra).await.unwrap();
        let question = Message::new(message::GLOBAL_REQUEST)
            .text("keepalive@openssh.com")
            .byte(1);
        let flood = async {
            let mut sent = 0_usize;
            while raw.say(&question).await.is_ok() {
                sent += 1;
            }
            sent
        };
        let sent = soon(flood).await;
        assert!(sent < 10_000, "{sent} questions were taken");
        soon(serving).await.unwrap();
    }
    assert!(house.events("LoggedIn").is_empty());
}
