//! Who holds the TLS of the control connection may have the data connection (TLS-31 to TLS-33).

use wharf_engine::tls::SessionReuse;

use super::{super::client::pattern, *};

async fn strict_house() -> House {
    let mut plan = Plan::secure();
    plan.tls().session_reuse = SessionReuse::Require;
    plan.open().await
}

/// The files of a listing with all their facts.
fn files(listing: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(listing);
    let files = text.lines().filter(|line| line.starts_with("type=file"));
    files.map(str::to_owned).collect()
}

/// TLS-62, past hole CVE-1999-0351 under TLS: whoever does not resume gets 522, from the very same
/// address, and there is nothing to see of what he was about.
async fn refused_commands_touch_nothing(atomic: bool, is_foreign: bool) {
    let mut plan = Plan::secure();
    plan.tls().session_reuse = SessionReuse::Require;
    plan.view.upload.atomic = atomic;
    let house = plan.open().await;
    for version in VERSIONS {
        let mut secure = SecureClient::login(&house, version).await;
        for place in ["", "disk/"] {
            let reply = secure.give(&format!("STOR {place}old"), b"as it was").await;
            assert_eq!(reply.code, 226, "{reply:?}");
        }
        let mut before = Vec::new();
        for command in ["MLSD", "MLSD disk"] {
            before.push(files(&secure.fetch(command).await));
        }
        let stranger = if is_foreign {
            // He has tickets, but of another control session.
            SecureClient::login(&house, version).await.config
        } else {
            Arc::new(house.client_config(version))
        };
        for place in ["", "disk/"] {
            for command in [
                "STOR old", "STOR new", "APPE old", "APPE new", "STOU new", "RETR old",
            ] {
                let (verb, name) = command.split_once(' ').unwrap();
                let reply = secure
                    .refused(&format!("{verb} {place}{name}"), &stranger)
                    .await;
                assert_eq!(reply.code, 522, "{command}: {reply:?}");
                assert!(reply.text.contains("not resumed"), "{reply:?}");
            }
            secure.client.ask("REST 3", 350).await;
            let reply = secure.refused(&format!("STOR {place}old"), &stranger).await;
            assert_eq!(reply.code, 522, "{reply:?}");
            for command in ["LIST", "NLST", "MLSD"] {
                let reply = secure
                    .refused(&format!("{command} {place}"), &stranger)
                    .await;
                assert_eq!(reply.code, 522, "{command}: {reply:?}");
            }
        }
        // He whom the control connection belongs to goes on as if nothing had been.
        for (command, before) in ["MLSD", "MLSD disk"].into_iter().zip(before) {
            assert_eq!(files(&secure.fetch(command).await), before);
        }
        assert_eq!(secure.fetch("RETR disk/old").await, b"as it was");
        assert_eq!(house.disk_names(), ["old"], "no temporary stays");
        secure.client.ask("QUIT", 221).await;
    }
    assert_eq!(house.events("did not resume").len(), 40);
}

#[tokio::test]
async fn tls_62_who_does_not_resume_gets_522_and_nothing_is_touched() {
    refused_commands_touch_nothing(true, false).await;
}

#[tokio::test]
async fn tls_62_a_ticket_of_another_session_gets_522_and_nothing_is_touched() {
    refused_commands_touch_nothing(true, true).await;
}

#[tokio::test]
async fn tls_62_where_uploads_are_written_in_place_a_refused_one_touches_nothing_either() {
    refused_commands_touch_nothing(false, false).await;
}

/// Else one refused connection would buy the next one.
#[tokio::test]
async fn tls_33_a_refused_connection_takes_away_nothing_that_it_could_resume() {
    let house = strict_house().await;
    for version in VERSIONS {
        let mut secure = SecureClient::login(&house, version).await;
        secure.give("STOR file", b"secret").await;
        let thief = Arc::new(house.client_config(version));
        for _ in 0..3 {
            let mut data = secure.passive_with(&thief).await;
            secure.client.ask("RETR file", 150).await;
            soon(data.layer.shake_hands(&mut data.socket))
                .await
                .unwrap();
            assert!(!data.layer.is_resumed());
            // He reads to the end, tickets and all.
            assert_eq!(data.read_all().await.unwrap(), b"");
            secure.client.expect(522).await;
        }
        assert_eq!(secure.fetch("RETR file").await, b"secret");
    }
}

/// TLS-63, TLS-31: a TLS 1.3 client uses each ticket once and never runs out.
#[tokio::test]
async fn tls_63_twenty_transfers_with_tickets_that_are_used_once() {
    let house = strict_house().await;
    for version in VERSIONS {
        let mut secure = SecureClient::login(&house, version).await;
        for round in 0..10 {
            let bytes = pattern(1000 + round);
            let mut up = secure.begin("STOR file").await;
            assert!(up.layer.is_resumed() && up.layer.version() == Some(version.version));
            up.write(&bytes).await;
            up.finish().await;
            secure.client.expect(226).await;
            let mut down = secure.begin("RETR file").await;
            assert!(down.layer.is_resumed());
            assert_eq!(down.read_all().await.unwrap(), bytes);
            secure.client.expect(226).await;
        }
    }
    let resumed = house.events("Secured { purpose: Data");
    assert_eq!(resumed.len(), 40);
    assert!(resumed.iter().all(|event| event.contains("resumed: true")));
}

/// TLS-33: without the requirement everybody of the right address is served, and the log tells.
#[tokio::test]
async fn tls_33_by_default_who_does_not_resume_is_served_and_told_of() {
    let house = Plan::secure().open().await;
    for version in VERSIONS {
        let mut secure = SecureClient::login(&house, version).await;
        secure.config = Arc::new(house.client_config(version));
        assert_eq!(secure.give("STOR file", b"x").await.code, 226);
        assert_eq!(secure.fetch("RETR file").await, b"x");
    }
    let events = house.events("Secured { purpose: Data");
    let resumed = events.iter().map(|event| event.contains("resumed: true"));
    assert_eq!(resumed.collect::<Vec<_>>(), [false, true, false, true]);
}

/// TLS-14.
#[tokio::test]
async fn tls_14_stat_and_the_log_show_version_suite_and_resumption() {
    let house = Plan::secure().open().await;
    for (version, shown) in VERSIONS.into_iter().zip(["TLSv1_2", "TLSv1_3"]) {
        let mut secure = SecureClient::login(&house, version).await;
        let status = secure.client.ask("STAT", 211).await.text;
        let line = status
            .lines()
            .find(|line| line.contains("Control connection"))
            .unwrap();
        assert!(
            line.contains(shown) && line.contains("AES_128_GCM") && line.ends_with("not resumed"),
            "{line}"
        );
        let told = house.events("Secured { purpose: Control");
        assert!(told.last().unwrap().contains(shown), "{told:?}");
    }
    let mut plain = Client::login(&house, "anna").await;
    let status = plain.ask("STAT", 211).await.text;
    assert!(!status.contains("Control connection"), "{status}");
}
