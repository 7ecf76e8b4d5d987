//! Kick, drain and reload.

use std::time::Duration;

use wharf_engine::Ending;

use super::{
    house::{House, soon},
    peer::{RRQ, Said, WRQ, ack, data, request},
};

#[tokio::test]
async fn who_is_ended_by_an_administrator_hears_so() {
    for single_port in [false, true] {
        let house = House::with(|plan| plan.settings.single_port = single_port).await;
        house.put("f", &[0; 2000]).await;
        for (opcode, name, told) in [(RRQ, "f", "download"), (WRQ, "g", "upload")] {
            let peer = house.peer().await;
            peer.answer(&request(opcode, name, "octet", &[])).await;
            let sessions = house.engine.registry.sessions();
            assert_eq!(sessions.len(), 1);
            assert_eq!(sessions[0].service, "tftp");
            assert_eq!(sessions[0].account().as_deref(), Some("tftp"));
            assert!(house.engine.registry.kick(sessions[0].id));
            let (said, _) = peer.hear().await;
            assert!(matches!(said, Said::Error(0, _)), "{said:?}");
            let told = house.heard(&format!("{told}_aborted /{name}")).await;
            assert!(told.contains("ended by the server"), "{told}");
            house.emptied().await;
        }
        assert_eq!(house.names().await, ["f"], "nothing of the upload is left");
    }
}

#[tokio::test]
async fn a_drain_lets_transfers_finish_and_begins_none() {
    for single_port in [false, true] {
        let mut house = House::with(|plan| plan.settings.single_port = single_port).await;
        house.put("f", &[0; 1300]).await;
        let (reader, writer, late) = (house.peer().await, house.peer().await, house.peer().await);
        let (_, from) = reader.answer(&request(RRQ, "f", "octet", &[])).await;
        let (_, to) = writer.answer(&request(WRQ, "g", "octet", &[])).await;
        let serving = house.stop();
        house.engine.registry.end_all(Ending::AfterTransfer);
        late.ask(&request(RRQ, "f", "octet", &[])).await;
        for block in 1..=2 {
            reader.say(&ack(block), from).await;
            assert!(matches!(reader.hear().await.0, Said::Data(got, _) if got == block + 1));
        }
        reader.say(&ack(3), from).await;
        writer.say(&data(1, b"content"), to).await;
        assert_eq!(writer.hear().await.0, Said::Ack(1));
        house.heard("download_committed /f 1300").await;
        house.emptied().await;
        soon(serving).await.unwrap().unwrap();
        assert_eq!(house.content("g").await.unwrap(), b"content");
        assert_eq!(late.heard(), []);
    }
}

/// An upload that is complete waits for nothing but a client that has not heard so.
#[tokio::test]
async fn a_drain_does_not_wait_for_those_that_linger() {
    let house = House::with(|plan| plan.settings.timing.initial = Duration::from_secs(3600)).await;
    let peer = house.peer().await;
    peer.put("f", "octet", &[], b"content").await.unwrap();
    assert_eq!(house.engine.registry.len(), 1, "lingering");
    house.engine.registry.end_all(Ending::AfterTransfer);
    soon(house.engine.registry.emptied()).await;
    assert_eq!(house.told(), ["upload_committed /f 7"]);
}

#[tokio::test]
async fn a_reload_holds_for_the_next_request() {
    let house = House::usual().await;
    house.put("f", &[0; 2000]).await;
    let peer = house.peer().await;
    let options = [("blksize", "1000")];
    let (_, from) = peer.answer(&request(RRQ, "f", "octet", &options)).await;
    let mut settings = house.settings.clone();
    settings.max_block_size = 600;
    settings.single_port = true;
    house.front_end.reload(settings);
    peer.say(&ack(0), from).await;
    assert_eq!(peer.hear().await.0, Said::Data(1, vec![0; 1000]));
    let other = house.peer().await;
    let (said, from) = other.answer(&request(RRQ, "f", "octet", &options)).await;
    assert_eq!(said, Said::Oack(vec![("blksize".into(), "600".into())]));
    assert_eq!(from, house.address);
}
