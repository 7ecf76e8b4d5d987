//! What a channel is good for, and how it ends (SFT-07 to SFT-10, SFT-70).

use russh::{Channel, ChannelMsg, ChannelOpenFailure, client::Msg};

use super::house::{House, Plan, settings, soon};

/// What a channel said until it was closed.
#[derive(Debug, Default, PartialEq, Eq)]
struct Said {
    granted: Option<bool>,
    output: Vec<u8>,
    errors: String,
    exit_status: Option<u32>,
    /// The last messages in their order.
    end: Vec<&'static str>,
}

async fn listen(channel: &mut Channel<Msg>) -> Said {
    let mut said = Said::default();
    while let Some(message) = soon(channel.wait()).await {
        match message {
            ChannelMsg::Success => said.granted = Some(true),
            ChannelMsg::Failure => said.granted = Some(false),
            ChannelMsg::Data { data } => said.output.extend_from_slice(&data),
            ChannelMsg::ExtendedData { data, ext: 1 } => {
                said.errors.push_str(&String::from_utf8_lossy(&data));
            }
            ChannelMsg::ExitStatus { exit_status } => {
                said.exit_status = Some(exit_status);
                said.end.push("exit-status");
            }
            ChannelMsg::Eof => said.end.push("eof"),
            ChannelMsg::Close => {
                said.end.push("close");
                break;
            }
            _ => {}
        }
    }
    said
}

/// SFT-10.
const IN_ORDER: [&str; 3] = ["exit-status", "eof", "close"];

fn refused(opened: Result<Channel<Msg>, russh::Error>) -> ChannelOpenFailure {
    match opened {
        Err(russh::Error::ChannelOpenFailure(reason)) => reason,
        other => panic!("a refusal was expected: {other:?}"),
    }
}

/// SFTP's INIT, version 3.
const INIT: [u8; 9] = [0, 0, 0, 5, 1, 0, 0, 0, 3];

#[tokio::test]
async fn sftp_answers_and_ends_in_order() {
    let house = House::usual();
    let client = house.user().await;
    let mut channel = soon(client.channel_open_session()).await.unwrap();
    channel.request_subsystem(true, "sftp").await.unwrap();
    channel.data(&INIT[..]).await.unwrap();
    channel.eof().await.unwrap();
    let said = listen(&mut channel).await;
    assert_eq!(said.granted, Some(true));
    assert_eq!(said.output.get(4..9), Some(&[2, 0, 0, 0, 3][..]), "VERSION");
    assert_eq!((said.exit_status, said.end), (Some(0), IN_ORDER.to_vec()));
}

/// SFT-20: the channel is closed, the connection is not.
#[tokio::test]
async fn what_is_no_sftp_costs_its_channel_and_nothing_more() {
    let house = House::usual();
    let client = house.user().await;
    for garbage in [
        &[0xff; 64][..],
        &[0, 0, 0, 0, 0, 0, 0, 0],
        b"GET / HTTP/1.1\r\n\r\n",
        &[0, 4, 0, 1, 1, 0, 0, 0, 3],
    ] {
        let mut channel = soon(client.channel_open_session()).await.unwrap();
        channel.request_subsystem(true, "sftp").await.unwrap();
        channel.data(garbage).await.unwrap();
        let said = listen(&mut channel).await;
        assert_eq!((said.exit_status, said.end), (Some(1), IN_ORDER.to_vec()));
    }
    let mut channel = soon(client.channel_open_session()).await.unwrap();
    channel.exec(true, "echo still here").await.unwrap();
    assert_eq!(listen(&mut channel).await.output, b"still here\n");
}

/// SFT-08. A malformed request ended a whole server once.
#[tokio::test]
async fn subsystems_that_are_none_are_refused_and_nothing_panics() {
    let house = House::usual();
    let client = house.user().await;
    let long = "x".repeat(30_000);
    for name in ["", "sftp\0", "SFTP", "netconf", "sftp\n", "../sftp", &long] {
        let mut channel = soon(client.channel_open_session()).await.unwrap();
        channel.request_subsystem(true, name).await.unwrap();
        let answer = soon(channel.wait()).await;
        assert!(matches!(answer, Some(ChannelMsg::Failure)), "{answer:?}");
        channel.close().await.unwrap();
    }
    assert!(house.events("fault").is_empty());
}

#[tokio::test]
async fn a_channel_is_used_once() {
    let house = House::usual();
    let client = house.user().await;
    let mut channel = soon(client.channel_open_session()).await.unwrap();
    channel.request_subsystem(true, "sftp").await.unwrap();
    assert!(matches!(
        soon(channel.wait()).await,
        Some(ChannelMsg::Success)
    ));
    channel.request_subsystem(true, "sftp").await.unwrap();
    assert!(matches!(
        soon(channel.wait()).await,
        Some(ChannelMsg::Failure)
    ));
    channel.exec(true, "echo no").await.unwrap();
    assert!(matches!(
        soon(channel.wait()).await,
        Some(ChannelMsg::Failure)
    ));
    channel.request_shell(true).await.unwrap();
    assert!(matches!(
        soon(channel.wait()).await,
        Some(ChannelMsg::Failure)
    ));
    channel.data(&INIT[..]).await.unwrap();
    assert!(matches!(
        soon(channel.wait()).await,
        Some(ChannelMsg::Data { .. })
    ));
}

/// SFT-08.
#[tokio::test]
async fn a_shell_is_refused_with_a_sentence() {
    let house = House::usual();
    let client = house.user().await;
    for want_reply in [true, false] {
        let mut channel = soon(client.channel_open_session()).await.unwrap();
        channel.request_shell(want_reply).await.unwrap();
        let said = listen(&mut channel).await;
        assert_eq!(said.granted, want_reply.then_some(false));
        assert!(said.errors.contains("SFTP and SCP only"), "{said:?}");
        assert_eq!((said.exit_status, said.end), (Some(1), IN_ORDER.to_vec()));
    }
}

#[tokio::test]
async fn a_terminal_an_environment_and_an_agent_are_refused() {
    let house = House::usual();
    let client = house.user().await;
    let mut channel = soon(client.channel_open_session()).await.unwrap();
    channel
        .request_pty(true, "xterm", 80, 24, 0, 0, &[])
        .await
        .unwrap();
    assert!(matches!(
        soon(channel.wait()).await,
        Some(ChannelMsg::Failure)
    ));
    channel.set_env(true, "LD_PRELOAD", "x.so").await.unwrap();
    assert!(matches!(
        soon(channel.wait()).await,
        Some(ChannelMsg::Failure)
    ));
    channel.agent_forward(true).await.unwrap();
    assert!(matches!(
        soon(channel.wait()).await,
        Some(ChannelMsg::Failure)
    ));
    channel
        .request_x11(true, false, "MIT-MAGIC-COOKIE-1", "00", 0)
        .await
        .unwrap();
    assert!(matches!(
        soon(channel.wait()).await,
        Some(ChannelMsg::Failure)
    ));
}

/// SFT-70: 127 and a sentence, not a failure of the channel.
#[tokio::test]
async fn a_command_that_is_not_ours_is_refused_with_127() {
    let house = House::usual();
    let client = house.user().await;
    for line in ["ls", "sh -c id", "echo $(id)", "scp -t x; id", ""] {
        let mut channel = soon(client.channel_open_session()).await.unwrap();
        channel.exec(true, line).await.unwrap();
        let said = listen(&mut channel).await;
        assert_eq!(said.granted, Some(true), "{line}");
        assert!(
            !said.errors.is_empty() && said.output.is_empty(),
            "{said:?}"
        );
        assert_eq!((said.exit_status, said.end), (Some(127), IN_ORDER.to_vec()));
    }
}

#[tokio::test]
async fn scp_brings_a_file_and_takes_it_away_again() {
    let house = House::usual();
    let client = house.user().await;
    let content = vec![b'x'; 3_000_000];
    let mut channel = soon(client.channel_open_session()).await.unwrap();
    channel.exec(true, "scp -t file").await.unwrap();
    let header = format!("C0644 {} file\n", content.len());
    channel.data(header.as_bytes()).await.unwrap();
    channel.data(&content[..]).await.unwrap();
    channel.data(&b"\0"[..]).await.unwrap();
    channel.eof().await.unwrap();
    let said = listen(&mut channel).await;
    assert_eq!((said.exit_status, said.output), (Some(0), vec![0, 0, 0]));
    let mut channel = soon(client.channel_open_session()).await.unwrap();
    channel.exec(true, "scp -f file").await.unwrap();
    channel.data(&[0, 0, 0][..]).await.unwrap();
    channel.eof().await.unwrap();
    let said = listen(&mut channel).await;
    assert_eq!(said.exit_status, Some(0));
    assert_eq!(said.output.len(), header.len() + content.len() + 1);
}

#[tokio::test]
async fn scp_and_probes_can_be_switched_off() {
    let mut settings = settings();
    (settings.scp, settings.exec_helpers) = (false, false);
    let house = House::of(Plan {
        settings,
        ..Plan::default()
    });
    let client = house.user().await;
    for line in ["scp -t .", "echo hello"] {
        let mut channel = soon(client.channel_open_session()).await.unwrap();
        channel.exec(true, line).await.unwrap();
        let said = listen(&mut channel).await;
        assert_eq!(said.exit_status, Some(127), "{line}: {said:?}");
    }
}

/// SFT-07.
#[tokio::test]
async fn no_channel_leads_anywhere_else() {
    let house = House::usual();
    let client = house.user().await;
    let tcp = soon(client.channel_open_direct_tcpip("10.0.0.1", 22, "127.0.0.1", 1)).await;
    assert_eq!(refused(tcp), ChannelOpenFailure::AdministrativelyProhibited);
    let local = soon(client.channel_open_direct_streamlocal("/run/agent")).await;
    assert_eq!(
        refused(local),
        ChannelOpenFailure::AdministrativelyProhibited
    );
    let x11 = soon(client.channel_open_x11("127.0.0.1", 1)).await;
    assert_eq!(refused(x11), ChannelOpenFailure::AdministrativelyProhibited);
    assert!(soon(client.tcpip_forward("0.0.0.0", 8080)).await.is_err());
    assert!(soon(client.streamlocal_forward("/run/x")).await.is_err());
}

/// SFT-07: ten at a time; one that is over makes room.
#[tokio::test]
async fn channels_are_counted() {
    let house = House::usual();
    let client = house.user().await;
    let mut channels = Vec::new();
    for _ in 0..10 {
        channels.push(soon(client.channel_open_session()).await.unwrap());
    }
    let eleventh = soon(client.channel_open_session()).await;
    assert_eq!(refused(eleventh), ChannelOpenFailure::ResourceShortage);
    let mut first = channels.remove(0);
    first.exec(true, "echo over").await.unwrap();
    assert_eq!(listen(&mut first).await.exit_status, Some(0));
    drop(first);
    // The client's own close may come after our room was looked at.
    for _ in 0..1000 {
        if soon(client.channel_open_session()).await.is_ok() {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("a channel that is over keeps its place");
}

/// Zero packets looped a server once (mod_sftp); of one octet each they would be a flood.
#[tokio::test]
async fn packets_of_nothing_are_refused_and_huge_windows_are_not() {
    let house = House::usual();
    for (window_size, maximum_packet_size, opens) in [
        (0, 32_768, false),
        (2 << 20, 0, false),
        (2 << 20, 1, false),
        (u32::MAX, u32::MAX, true),
        (32_768, 1024, true),
    ] {
        let client = house
            .user_with(russh::client::Config {
                window_size,
                maximum_packet_size,
                ..russh::client::Config::default()
            })
            .await;
        let opened = soon(client.channel_open_session()).await;
        assert_eq!(opened.is_ok(), opens, "{window_size} {maximum_packet_size}");
    }
}

/// SFT-04: keys change while octets flow, whoever asks.
#[tokio::test]
async fn new_keys_are_agreed_on_while_a_transfer_runs() {
    let mut settings = settings();
    settings.rekey_bytes = 1 << 20;
    let house = House::of(Plan {
        settings,
        ..Plan::default()
    });
    let client = house.user().await;
    let mut channel = soon(client.channel_open_session()).await.unwrap();
    channel.exec(true, "scp -t file").await.unwrap();
    let content: Vec<u8> = (0..=250).cycle().take(6_000_000).collect();
    let header = format!("C0644 {} file\n", content.len());
    channel.data(header.as_bytes()).await.unwrap();
    for piece in content.chunks(500_000) {
        channel.data(piece).await.unwrap();
        client.rekey_soon().await.unwrap();
    }
    channel.data(&b"\0"[..]).await.unwrap();
    channel.eof().await.unwrap();
    assert_eq!(listen(&mut channel).await.exit_status, Some(0));
    let mut channel = soon(client.channel_open_session()).await.unwrap();
    channel.exec(true, "scp -f file").await.unwrap();
    channel.data(&[0, 0, 0][..]).await.unwrap();
    channel.eof().await.unwrap();
    let said = listen(&mut channel).await;
    let got = said.output.get(header.len()..header.len() + content.len());
    let wrong = got
        .unwrap()
        .iter()
        .zip(&content)
        .position(|(got, sent)| got != sent);
    assert_eq!(wrong, None, "of {} octets", said.output.len());
}
