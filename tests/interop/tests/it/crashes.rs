//! `kill -9` at every kind of moment: what was acknowledged is whole, what was not is not torn.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::Shutdown;

use wharf_acceptance_tests::{Kind, Server, Setup, noise};

/// Where in an upload the server dies.
#[derive(Clone, Copy, Debug)]
enum Moment {
    /// The 150 is out, no byte was sent.
    Begin,
    /// After so many octets were sent.
    Within(usize),
    /// All bytes and the end are on their way, the 226 was not awaited.
    End,
    /// The 226 is there.
    Acknowledged,
}

/// The contract for bytes, line 1: 226 means whole, and survives `kill -9`.
#[test]
fn a_killed_server_keeps_what_it_acknowledged_and_tears_nothing() {
    let setup = Setup {
        kind: Kind::Wharf,
        ..Setup::default()
    };
    let mut server = Server::with(setup.clone());
    // What may stand under a name: the last acknowledged content, or a later whole one.
    let mut allowed: BTreeMap<String, Vec<Vec<u8>>> = BTreeMap::new();
    let mut acknowledged = 0;
    for round in 0..100_u64 {
        let size = 1000 + usize::try_from(round * 7919 % 40).unwrap() * 25_000;
        let bytes = noise(round + 1, size);
        // Every other upload replaces one of a few files, the others are new.
        let name = if round % 2 == 0 {
            format!("shared {}", round % 6)
        } else {
            format!("new {round}")
        };
        let moment = match round % 8 {
            0 => Moment::Begin,
            1 | 2 => Moment::End,
            3 => Moment::Acknowledged,
            _ => Moment::Within(size * usize::try_from(round * 31 % 97).unwrap() / 97),
        };
        let mut control = server.login();
        control.expect("TYPE I", 200);
        // An upload that is acknowledged, before the one that is cut.
        let steady = format!("steady {}", round % 10);
        let content = noise(round + 1000, 5000);
        control.store(format!("STOR {steady}"), &content);
        allowed.insert(steady, vec![content]);
        acknowledged += 1;

        let mut data = control.passive();
        control.send(format!("STOR {name}"));
        control.wants(150);
        let outcomes = allowed.entry(name.clone()).or_default();
        match moment {
            Moment::Begin => {}
            Moment::Within(count) => data.write_all(&bytes[..count]).unwrap(),
            Moment::End | Moment::Acknowledged => {
                data.write_all(&bytes).unwrap();
                data.shutdown(Shutdown::Write).unwrap();
            }
        }
        match moment {
            Moment::Acknowledged => {
                control.wants(226);
                acknowledged += 1;
                *outcomes = vec![bytes];
            }
            Moment::End => outcomes.push(bytes),
            Moment::Begin | Moment::Within(_) => {}
        }
        let may_be_missing = outcomes.len() < 2 && !matches!(moment, Moment::Acknowledged);
        server.restart_after_a_crash(&setup);
        for (name, contents) in &allowed {
            if contents.is_empty() || (may_be_missing && !server.has(name)) {
                assert!(
                    !server.has(name),
                    "round {round}, {moment:?}: {name} is torn or came from nowhere"
                );
                continue;
            }
            if !server.has(name) {
                // Only a new file whose upload was cut at its end may be missing.
                assert!(
                    name.starts_with("new") && matches!(moment, Moment::End),
                    "round {round}, {moment:?}: {name} is lost"
                );
                continue;
            }
            let found = server.read(name);
            assert!(
                contents.contains(&found),
                "round {round}, {moment:?}: {name} is torn ({} octets)",
                found.len()
            );
        }
        // What is there now is what may be there from now on.
        for (name, contents) in &mut allowed {
            *contents = if server.has(name) {
                vec![server.read(name)]
            } else {
                Vec::new()
            };
        }
        let mut listed = server.login().lines("NLST");
        listed.retain(|name| !allowed.contains_key(name));
        assert!(
            listed.is_empty(),
            "round {round}: {listed:?} came from nowhere"
        );
    }
    assert!(acknowledged > 100);
}
