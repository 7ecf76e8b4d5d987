//! Who gets in, as what, and how everybody is shown out.

use std::time::Duration;

use super::*;
use crate::{AdmissionLimits, LockoutPolicy, SessionId};

fn limits(connections: usize, per_address: usize, unauthenticated: usize) -> Policy {
    let admission = AdmissionLimits {
        connections,
        per_address,
        unauthenticated,
    };
    Policy {
        admission,
        ..Policy::default()
    }
}

fn behind_proxy() -> Policy {
    Policy {
        proxies: vec!["127.0.0.0/8".parse().unwrap()],
        ..Policy::default()
    }
}

/// ADM-01: whoever is one too many is told so before the end, by whichever limit.
#[tokio::test]
async fn adm_01_the_refusal_reaches_who_is_turned_away() {
    for (policy, cause) in [
        (limits(1, 9, 9), "limits.connections"),
        (limits(9, 1, 9), "limits.per_address"),
        (limits(9, 9, 1), "limits.unauthenticated"),
    ] {
        let house = House::new(policy);
        let address = house.open();
        let mut first = Caller::call(address).await;
        assert_eq!(first.hear().await, "hello 127.0.0.1");
        let mut second = Caller::call(address).await;
        assert_eq!(
            (second.hear().await.as_str(), second.hear().await.as_str()),
            ("no place", "")
        );
        assert!(
            house.heard.all().last().unwrap().contains(cause),
            "{:?}",
            house.heard.all()
        );
        drop(first);
        until(|| house.engine.admission.connections() == 0).await;
        assert_eq!(
            Caller::call(address).await.hear().await,
            "hello 127.0.0.1",
            "its place is free again"
        );
    }
}

/// CVE-2021-30047: a login makes room for the next stranger.
#[tokio::test]
async fn cve_2021_30047_a_login_frees_a_strangers_place() {
    let house = House::new(limits(9, 9, 1));
    let session = house.anna().await;
    assert!(
        house
            .engine
            .admit([192, 0, 2, 9].into(), Instant::now())
            .is_ok()
    );
    let _guest = session.log_out();
    assert!(
        house
            .engine
            .admit([192, 0, 2, 9].into(), Instant::now())
            .is_err()
    );
}

/// INT-45
#[tokio::test]
async fn int_45_the_idle_session_makes_room_for_the_new_one() {
    let house = House::new(Policy {
        replace_oldest: true,
        ..limits(9, 1, 9)
    });
    let address = house.open();
    let mut first = Caller::call(address).await;
    assert_eq!(first.hear().await, "hello 127.0.0.1");
    let mut second = Caller::call(address).await;
    assert_eq!(second.hear().await, "hello 127.0.0.1");
    assert_eq!(
        (first.hear().await.as_str(), first.hear().await.as_str()),
        ("Now", "")
    );
}

/// INT-45: as long as the replaced one has not left, the next is refused, and nobody ended for it.
#[tokio::test]
async fn int_45_nobody_is_replaced_in_vain() {
    let house = House::new(Policy {
        replace_oldest: true,
        ..limits(9, 1, 9)
    });
    let (first, second) = (house.guest(1), house.guest(1));
    assert_eq!(first.record().ending(), crate::Ending::Now);
    assert!(
        house
            .engine
            .admit([192, 0, 2, 1].into(), Instant::now())
            .is_err()
    );
    assert_eq!(second.record().ending(), crate::Ending::None);
}

/// Anybody can send a datagram in anybody's name: it takes nobody's place and ends nobody's session.
#[tokio::test]
async fn requests_by_datagram_take_no_place_of_a_connection() {
    let house = House::new(Policy {
        replace_oldest: true,
        ..limits(2, 1, 1)
    });
    let session = house.guest(1);
    let ask = || {
        house
            .engine
            .admit_request([192, 0, 2, 1].into(), Instant::now())
    };
    let requests: Vec<_> = (0..9).map(|_| ask().unwrap()).collect();
    assert_eq!(session.record().ending(), crate::Ending::None);
    assert_eq!(house.engine.admission.connections(), 1);
    requests[0].set_logged_in(true);
    drop(requests);
    assert_eq!(house.engine.admission.connections(), 1);
    house.engine.registry.end_all(crate::Ending::AfterTransfer);
    assert!(ask().is_err(), "shutting down");
}

const BINARY: &[u8] =
    b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x07\xc0\0\x02\x01\x0f\xa0\0\x15";

/// ADM-03: both versions, whole or in pieces, and not one octet of what follows is lost.
#[tokio::test]
async fn adm_03_a_named_proxy_tells_the_peer() {
    let house = House::new(behind_proxy());
    let address = house.open();
    for header in [
        b"PROXY TCP4 192.0.2.7 192.0.2.1 4000 21\r\n".as_slice(),
        BINARY,
    ] {
        for cut in [0, 1, header.len() / 2, header.len() - 1] {
            let mut caller = Caller::call(address).await;
            caller.0.set_nodelay(true).unwrap();
            caller.say(&header[..cut]).await;
            // The listener has seen the first piece before the second comes.
            for _ in 0..20 {
                tokio::task::yield_now().await;
            }
            caller.say(&[&header[cut..], b"and more\n"].concat()).await;
            assert_eq!(caller.hear().await, "hello 192.0.2.7");
            assert_eq!(caller.hear().await, "and more");
        }
    }
}

#[tokio::test]
async fn adm_03_a_proxy_may_speak_for_itself() {
    let house = House::new(behind_proxy());
    let mut caller = Caller::call(house.open()).await;
    caller.say(b"PROXY UNKNOWN\r\n").await;
    assert_eq!(caller.hear().await, "hello 127.0.0.1");
}

#[tokio::test]
async fn adm_03_a_named_proxy_without_a_header_is_closed() {
    let house = House::new(behind_proxy());
    let mut caller = Caller::call(house.open()).await;
    caller.say(b"USER anna\r\n").await;
    assert_eq!(caller.hear().await, "");
    assert!(
        house
            .heard
            .all()
            .last()
            .unwrap()
            .contains("expected a PROXY header"),
        "{:?}",
        house.heard.all()
    );
    assert_eq!(house.engine.admission.connections(), 0);
}

#[tokio::test(start_paused = true)]
async fn adm_03_a_proxy_that_says_nothing_more_is_closed_in_time() {
    let house = House::new(behind_proxy());
    let address = house.open();
    for piece in [b"".as_slice(), b"PROXY TCP4 192"] {
        let mut caller = Caller::call(address).await;
        caller.say(piece).await;
        assert_eq!(caller.hear().await, "");
        assert_eq!(
            house.heard.all().last().unwrap(),
            "refused: no PROXY header within 5 s"
        );
    }
}

/// Whoever is no named proxy cannot choose his address.
#[tokio::test]
async fn adm_03_a_header_of_a_stranger_is_nothing_but_input() {
    let house = House::new(Policy::default());
    let mut caller = Caller::call(house.open()).await;
    caller
        .say(b"PROXY TCP4 192.0.2.7 192.0.2.1 4000 21\r\n")
        .await;
    assert_eq!(caller.hear().await, "hello 127.0.0.1");
    assert_eq!(
        caller.hear().await,
        "PROXY TCP4 192.0.2.7 192.0.2.1 4000 21\r"
    );
}

/// ADM-04: a ban holds at the door, for the address that the proxy tells.
#[tokio::test]
async fn adm_04_a_banned_address_is_refused_at_the_door() {
    let lockout = LockoutPolicy {
        failures: 1,
        ..LockoutPolicy::default()
    };
    let house = House::new(Policy {
        lockout,
        ..behind_proxy()
    });
    assert!(house.log_in(7, "anna", "wrong").await.is_err());
    let address = house.open();
    let mut banned = Caller::call(address).await;
    banned.say(BINARY).await;
    assert_eq!(banned.hear().await, "no place");
    let mut other = Caller::call(address).await;
    other
        .say(b"PROXY TCP4 192.0.2.8 192.0.2.1 4000 21\r\n")
        .await;
    assert_eq!(other.hear().await, "hello 192.0.2.8");
}

/// ADM-02: first they may finish, and when the grace is over they may not.
#[tokio::test(start_paused = true)]
async fn adm_02_a_drain_asks_first_and_insists_later() {
    let house = House::new(Policy::default());
    let mut caller = Caller::call(house.open()).await;
    assert_eq!(caller.hear().await, "hello 127.0.0.1");
    let hearing = async {
        assert_eq!(caller.hear().await, "AfterTransfer");
        caller.say(b"still here\n").await;
        assert_eq!(caller.hear().await, "still here");
        assert!(
            house
                .engine
                .admit([192, 0, 2, 1].into(), Instant::now())
                .is_err(),
            "nobody new"
        );
        assert_eq!(caller.hear().await, "Now");
        assert_eq!(caller.hear().await, "");
    };
    tokio::join!(house.engine.drain(Duration::from_secs(300)), hearing);
    assert!(house.engine.registry.is_empty());
}

#[tokio::test]
async fn a_drain_of_an_empty_house_is_over_at_once() {
    let house = House::new(Policy::default());
    house.engine.drain(Duration::from_secs(300)).await;
}

#[tokio::test]
async fn a_kick_ends_one_session_and_no_other() {
    let house = House::new(Policy::default());
    let address = house.open();
    let (mut first, mut second) = (Caller::call(address).await, Caller::call(address).await);
    assert_eq!(first.hear().await, "hello 127.0.0.1");
    assert_eq!(second.hear().await, "hello 127.0.0.1");
    let own = first.0.local_addr().unwrap();
    let id = house
        .engine
        .registry
        .sessions()
        .iter()
        .find(|record| record.peer == own)
        .unwrap()
        .id;
    assert!(house.engine.registry.kick(id));
    assert_eq!(first.hear().await, "Now");
    second.say(b"here\n").await;
    assert_eq!(second.hear().await, "here");
    assert!(!house.engine.registry.kick(SessionId(u64::MAX)));
}
