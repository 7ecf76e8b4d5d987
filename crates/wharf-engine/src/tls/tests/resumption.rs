//! A session resumes itself, as often as one likes, and no other.

use rustls::client::{Resumption, Tls12Resumption};

use super::*;
use crate::tls::session::memory_size;

/// The client's ways to remember a session: TLS 1.2 by ticket, TLS 1.2 by session id, TLS 1.3.
fn clients(authority: &Authority) -> [(&'static str, Arc<ClientConfig>); 3] {
    let by = |version, way| {
        let mut client = authority.client(version);
        client.resumption = Resumption::in_memory_sessions(64).tls12_resumption(way);
        Arc::new(client)
    };
    [
        (
            "TLS 1.2 ticket",
            by(&version::TLS12, Tls12Resumption::SessionIdOrTickets),
        ),
        (
            "TLS 1.2 id",
            by(&version::TLS12, Tls12Resumption::SessionIdOnly),
        ),
        (
            "TLS 1.3",
            by(&version::TLS13, Tls12Resumption::SessionIdOrTickets),
        ),
    ]
}

/// TLS-32: and TLS-62's third case, a peer that comes with nothing.
#[test]
fn tls_32_a_session_resumes_itself_and_a_ticket_of_another_session_is_worth_nothing() {
    let authority = Authority::new();
    let tls = authority.tls();
    for (way, client) in clients(&authority) {
        let (one, other) = (tls.session(), tls.session());
        let run = |session: &SessionTls| {
            shake(&client, "a.example", session.config())
                .unwrap()
                .resumed()
        };
        assert!(!run(&one), "{way}: the control connection");
        assert!(run(&one), "{way}: its data connection");
        assert!(!run(&other), "{way}: a data connection of somebody else");
        assert!(run(&other), "{way}: after that full handshake");
        let (_, stranger) = &clients(&authority)[0];
        let ends = shake(stranger, "a.example", one.config()).unwrap();
        assert!(!ends.resumed(), "{way}: a peer without a ticket");
    }
}

/// TLS-31, TLS-63: the client uses every ticket once, and each handshake brings new ones.
#[test]
fn tls_63_twenty_data_connections_resume_with_tickets_used_once() {
    let authority = Authority::new();
    let tls = authority.tls();
    for (way, client) in clients(&authority) {
        let session = tls.session();
        shake(&client, "a.example", session.config()).unwrap();
        for number in 1..=20 {
            let ends = shake(&client, "a.example", session.config()).unwrap();
            assert!(ends.resumed(), "{way}: data connection {number}");
            if ends.client.protocol_version() == Some(ProtocolVersion::TLSv1_3) {
                let fresh = u32::try_from(TICKETS).unwrap();
                assert_eq!(ends.client.tls13_tickets_received(), fresh, "{number}");
            }
        }
    }
}

/// TLS-33 `off`: nothing to resume is given away.
#[test]
fn without_reuse_every_handshake_is_a_full_one() {
    let authority = Authority::new();
    let off = Settings {
        session_reuse: SessionReuse::Off,
        ..authority.settings(&["a.example"])
    };
    let tls = Tls::load(off).unwrap();
    for (way, client) in clients(&authority) {
        let session = tls.session();
        for _ in 0..3 {
            let ends = shake(&client, "a.example", session.config()).unwrap();
            assert!(!ends.resumed(), "{way}");
        }
    }
}

/// TLS-34: a session belongs to the name that it was made with (RFC 6066 section 3).
#[test]
fn tls_34_another_name_does_not_resume() {
    let authority = Authority::new();
    let certificate = authority.issue(&Leaf::server(&["a.example", "b.example"]));
    let settings = Settings {
        certificates: vec![authority.store("ab", &certificate)],
        ..Settings::default()
    };
    let session = Tls::load(settings).unwrap().session();
    // The store is asked by name: this one gives what it has for any.
    let client = |version| {
        let mut client = authority.client(version);
        client.resumption = Resumption::store(Arc::new(AnyName(
            rustls::client::ClientSessionMemoryCache::new(64),
        )));
        client
    };
    for version in VERSIONS {
        let client = Arc::new(client(version));
        let shake = |name| shake(&client, name, session.config()).unwrap().resumed();
        assert!(!shake("a.example"));
        assert!(shake("a.example"));
        assert!(!shake("b.example"));
    }
}

/// A client's memory that confuses all servers.
#[derive(Debug)]
struct AnyName(rustls::client::ClientSessionMemoryCache);

impl AnyName {
    fn name() -> ServerName<'static> {
        ServerName::try_from("any.example").unwrap()
    }
}

impl rustls::client::ClientSessionStore for AnyName {
    fn set_kx_hint(&self, _: ServerName<'static>, group: rustls::NamedGroup) {
        self.0.set_kx_hint(Self::name(), group);
    }

    fn kx_hint(&self, _: &ServerName<'_>) -> Option<rustls::NamedGroup> {
        self.0.kx_hint(&Self::name())
    }

    fn set_tls12_session(
        &self,
        _: ServerName<'static>,
        value: rustls::client::Tls12ClientSessionValue,
    ) {
        self.0.set_tls12_session(Self::name(), value);
    }

    fn tls12_session(&self, _: &ServerName<'_>) -> Option<rustls::client::Tls12ClientSessionValue> {
        self.0.tls12_session(&Self::name())
    }

    fn remove_tls12_session(&self, _: &ServerName<'static>) {
        self.0.remove_tls12_session(&Self::name());
    }

    fn insert_tls13_ticket(
        &self,
        _: ServerName<'static>,
        value: rustls::client::Tls13ClientSessionValue,
    ) {
        self.0.insert_tls13_ticket(Self::name(), value);
    }

    fn take_tls13_ticket(
        &self,
        _: &ServerName<'static>,
    ) -> Option<rustls::client::Tls13ClientSessionValue> {
        self.0.take_tls13_ticket(&Self::name())
    }
}

/// A ticket that was changed on its way, or cut, is none.
#[test]
fn a_ticket_is_opened_whole_or_not_at_all() {
    let tls = Authority::new().tls();
    let (one, other) = (tls.session().config(), tls.session().config());
    let ticket = one.ticketer.encrypt(b"secret").unwrap();
    assert_eq!(
        one.ticketer.decrypt(&ticket).as_deref(),
        Some(&b"secret"[..])
    );
    assert_eq!(other.ticketer.decrypt(&ticket), None);
    for cut in 0..ticket.len() {
        assert_eq!(one.ticketer.decrypt(&ticket[..cut]), None, "{cut}");
        let mut changed = ticket.clone();
        changed[cut] ^= 1;
        assert_eq!(one.ticketer.decrypt(&changed), None, "{cut}");
    }
}

/// A client that never resumes fills nothing.
#[test]
fn session_ids_are_bounded_and_the_one_used_longest_ago_gives_way() {
    let config = Authority::new().tls().session().config();
    let store = &config.session_storage;
    for id in 0..MAX_SESSION_IDS {
        assert!(store.put(vec![u8::try_from(id).unwrap()], vec![1]));
    }
    assert!(store.get(&[0]).is_some());
    assert!(store.put(vec![100], vec![1]));
    assert!(store.get(&[1]).is_none(), "the oldest that nobody used");
    assert!(store.get(&[0]).is_some() && store.get(&[100]).is_some());
    assert!(!store.put(vec![101], vec![0; MAX_STORED_SESSION + 1]));
    assert!(store.take(&[100]).is_some() && store.take(&[100]).is_none());
}

/// Idle sessions are many: all that is not shared is counted here.
#[test]
fn a_session_costs_less_than_half_a_kibibyte() {
    let tls = Authority::new().tls();
    let session = tls.session();
    let size = size_of::<SessionTls>() + memory_size(&session.config());
    assert!(size <= 512, "{size} bytes");
}
