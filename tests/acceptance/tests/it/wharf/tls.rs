//! TLS: names and certificates, policy of accounts, what is told and logged.

use std::fs;
use std::path::Path;
use std::time::Instant;

use wharf_acceptance_tests::socket::{PATIENCE, with_patience};
use wharf_acceptance_tests::tls::certificates::{CERTIFICATES, Identity};
use wharf_acceptance_tests::tls::{Client, TLS12, TLS13, VERSIONS};
use wharf_acceptance_tests::{Control, PASSWORD, RequireTls, Server, Setup, TlsSetup, USER};

fn configured(wharf: &'static str) -> Server {
    Server::with(Setup {
        tls: Some(TlsSetup::default()),
        wharf,
        ..Setup::default()
    })
}

#[track_caller]
fn shows(control: &Control, identity: &Identity) {
    let certificate = control.tls().unwrap().certificate().unwrap();
    assert!(certificate == identity.certificate(), "another certificate");
}

/// TLS-06: SNI chooses among the certificates; an unknown name, and none, get the first one.
#[test]
fn sni_chooses_the_certificate() {
    let server = Server::with_tls();
    for version in VERSIONS {
        let client = |name: &str| Client::only(version).named(name);
        for name in ["other.test", "OTHER.test"] {
            shows(&server.secured(&client(name)), &CERTIFICATES.other);
        }
        for name in ["localhost", "ftp.test", "nowhere.test", "127.0.0.1"] {
            shows(&server.secured(&client(name)), &CERTIFICATES.server);
        }
        let mut control = server.secured(&Client::only(version).nameless());
        shows(&control, &CERTIFICATES.server);
        control.log_in();
    }
}

/// TLS-06: a session under the other name has private data as well.
#[test]
fn data_connections_follow_the_name() {
    let server = Server::with_tls();
    server.put("f", "hello");
    let client = Client::new().forgetful().named("other.test");
    let mut control = server.private_login(&client);
    let mut data = control.transfer("RETR f", &client).unwrap();
    assert!(data.certificate().unwrap() == CERTIFICATES.other.certificate());
    assert_eq!(data.drain().0, b"hello");
    drop(data);
    control.wants(226);
}

/// Puts the other pair where the server's own lies, as renewal programs do it: new files, then names.
fn renew(directory: &Path) {
    for end in ["key", "pem"] {
        let new = directory.join(format!("new.{end}"));
        fs::copy(directory.join(format!("other.{end}")), &new).unwrap();
        let meta = fs::metadata(directory.join("server.pem")).unwrap();
        let (user, group) = {
            use std::os::unix::fs::MetadataExt;
            (meta.uid(), meta.gid())
        };
        let _ = std::os::unix::fs::chown(&new, Some(user), Some(group));
        fs::rename(&new, directory.join(format!("server.{end}"))).unwrap();
    }
}

/// Connects again and again until the server shows `identity`.
#[track_caller]
fn until_it_shows(server: &Server, identity: &Identity) {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        let control = server.secured(&Client::new());
        if control.tls().unwrap().certificate().unwrap() == identity.certificate() {
            return;
        }
    }
    panic!("the new certificate was not taken up");
}

/// TLS-10: a renewed certificate holds for new sessions; those that run keep theirs, data and all.
#[test]
fn a_renewed_certificate_ends_no_session() {
    let server = Server::with_tls();
    server.put("f", "hello");
    let (resuming, forgetful) = (Client::new(), Client::new().forgetful());
    let mut one = server.private_login(&resuming);
    let mut two = server.private_login(&forgetful);
    renew(&server.certificates());
    server.hang_up();
    until_it_shows(&server, &CERTIFICATES.other);
    for _ in 0..3 {
        assert_eq!(one.fetch("RETR f"), b"hello");
    }
    let mut data = two.transfer("RETR f", &forgetful).unwrap();
    assert!(
        data.certificate().unwrap() == CERTIFICATES.server.certificate(),
        "a data connection under another certificate than its control connection"
    );
    assert_eq!(data.drain().0, b"hello");
    drop(data);
    two.wants(226);
}

/// TLS-10: without a signal, too: the files are watched.
#[test]
fn certificate_files_are_watched() {
    let server = Server::with_tls();
    renew(&server.certificates());
    until_it_shows(&server, &CERTIFICATES.other);
}

/// TLS-10: what cannot be read or used changes nothing.
#[test]
fn a_broken_certificate_file_changes_nothing() {
    let server = Server::with_tls();
    let directory = server.certificates();
    for (file, text) in [("server.pem", "nonsense"), ("server.key", "")] {
        fs::write(directory.join(file), text).unwrap();
        server.hang_up();
        shows(&server.secured(&Client::new()), &CERTIFICATES.server);
    }
    // A key that is not this certificate's.
    fs::copy(directory.join("other.pem"), directory.join("server.pem")).unwrap();
    server.hang_up();
    shows(&server.secured(&Client::new()), &CERTIFICATES.server);
    server.private_login(&Client::new()).in_step();
}

/// TLS-13: without a certificate there is no TLS, and nothing says that there was.
#[test]
fn without_a_certificate_auth_is_431() {
    let server = Server::with(Setup {
        wharf: "[tls]\nauto_self_signed = false\n",
        ..Setup::default()
    });
    let mut control = server.connect();
    control.expect("AUTH TLS", 431);
    control.expect("AUTH SSL", 431);
    let features = control.expect("FEAT", 211).inner().join("\n");
    for name in ["AUTH", "PBSZ", "PROT", "CCC"] {
        assert!(
            !features.lines().any(|line| line.trim().starts_with(name)),
            "{features}"
        );
    }
    control.log_in();
}

/// TLS-13: of itself the server makes a certificate at its first start, and keeps it.
#[test]
fn the_certificate_of_the_first_start_stays() {
    let mut server = Server::start();
    let first = server
        .secured(&Client::new())
        .tls()
        .unwrap()
        .certificate()
        .unwrap();
    assert!(server.log().contains("sha256:"), "{}", server.log());
    server.restart_after_a_crash(&Setup::default());
    let second = server
        .secured(&Client::new())
        .tls()
        .unwrap()
        .certificate()
        .unwrap();
    assert!(first == second, "a new certificate at each start");
}

/// TLS-04: the oldest version can be raised, not lowered.
#[test]
fn tls_1_2_can_be_switched_off() {
    let server = configured("tls.min_version = \"1.3\"\n");
    server.secured(&Client::only(TLS13)).log_in();
    let mut control = server.connect();
    control.expect("AUTH TLS", 234);
    assert!(control.try_start_tls(&Client::only(TLS12)).is_err());
}

/// TLS-20, word by word and verb by verb.
#[test]
fn a_login_in_clear_is_534_at_every_step() {
    let server = Server::with_tls_as(TlsSetup {
        require: RequireTls::Login,
        ..TlsSetup::default()
    });
    let mut control = server.connect();
    for line in [
        &format!("USER {USER}"),
        &format!("PASS {PASSWORD}"),
        "ACCT x",
        "USER anonymous",
        "PWD",
        "PASV",
        "RETR f",
        "MLSD",
    ] {
        assert_eq!(
            control.expect(line, 534).text(),
            "534 Policy requires TLS.",
            "{line}"
        );
    }
    for (line, code) in [
        ("OPTS UTF8 ON", 200),
        ("STAT", 211),
        ("ABOR", 226),
        ("REIN", 220),
        ("HELP", 214),
        ("FEAT", 211),
        ("SYST", 215),
        ("NOOP", 200),
        ("QUIT", 221),
    ] {
        control.expect(line, code);
    }
}

/// An account that asks for more than the server does.
const ANNA: &str = "user = [{ name = \"anna\", password = \"anna's\", home = \"{root}\", require_tls = \"login\" }]\n";

/// TLS-23: in clear she is refused with the words that everybody hears: neither her name nor her
/// password is confirmed. Others log in as ever.
#[test]
fn an_account_may_ask_for_tls() {
    let server = configured(ANNA);
    for (user, password) in [
        ("anna", "anna's"),
        ("anna", "wrong"),
        ("nobodyknows", "wrong"),
    ] {
        let mut control = server.connect();
        assert_eq!(
            control.expect(format!("USER {user}"), 331).text(),
            "331 Password required."
        );
        assert_eq!(
            control.expect(format!("PASS {password}"), 530).text(),
            "530 Login incorrect, or TLS required."
        );
        control.expect("PWD", 530);
    }
    server.login().expect("PWD", 257);
    for version in VERSIONS {
        let mut control = server.secured(&Client::only(version));
        control.expect("USER anna", 331);
        control.expect("PASS anna's", 230);
    }
}

/// TLS-21, TLS-22, TLS-23: data of an account, too.
#[test]
fn an_account_may_ask_for_private_data() {
    let server = configured(
        "user = [{ name = \"anna\", password = \"anna's\", home = \"{root}\", require_tls = \"both\" }]\n",
    );
    server.put("f", "hello");
    let client = Client::new();
    let mut control = server.secured(&client);
    control.expect("USER anna", 331);
    control.expect("PASS anna's", 230);
    control.refused("RETR f", &[521]);
    control.refused("STOR g", &[521]);
    control.expect("PBSZ 0", 200);
    control.expect("PROT C", 534);
    control.protect(&client);
    control.expect("TYPE I", 200);
    assert_eq!(control.fetch("RETR f"), b"hello");
    assert!(!server.has("g"));
    // Whoever logs in next on the connection is under his own rules.
    control.log_in();
    control.expect("PROT C", 200);
    control.clear_data();
    control.expect("TYPE I", 200);
    assert_eq!(control.fetch("RETR f"), b"hello");
}

/// Two accounts and their certificates.
const CERTIFIED: &str = "tls.client_certificates = \"request\"\ntls.client_ca = \"{tls}/ca.pem\"\n\
    tls.client_crl = [\"{tls}/crl.pem\"]\nuser = [\n\
    { name = \"anna\", password = \"anna's\", home = \"{root}\", certificates = [\"subject:CN=wharf\"] },\n\
    { name = \"bert\", password = \"bert's\", home = \"{root}\", certificates = [\"subject:CN=someone\"] },\n]\n";

/// RFC 4217 10.3; TLS-09: a certificate that an account lists stands for its password.
#[test]
fn a_certificate_logs_in() {
    let server = configured(CERTIFIED);
    server.put("f", "hello");
    for version in VERSIONS {
        let client = Client::only(version).identified_by(&CERTIFICATES.client);
        let mut control = server.secured(&client);
        control.expect("USER anna", 232);
        control.expect("PWD", 257);
        control.protect(&client);
        control.expect("TYPE I", 200);
        assert_eq!(control.fetch("RETR f"), b"hello");
    }
}

/// TLS-09: it opens nobody else's account, and a password opens everybody's own.
#[test]
fn a_certificate_is_good_for_its_own_account_alone() {
    let server = configured(CERTIFIED);
    let client = Client::new().identified_by(&CERTIFICATES.client);
    for user in ["bert", USER, "nobodyknows"] {
        let mut control = server.secured(&client);
        control.expect(format!("USER {user}"), 331);
        control.expect("PASS wrong", 530);
        control.expect("PWD", 530);
    }
    let mut control = server.secured(&client);
    control.expect("USER bert", 331);
    control.expect("PASS bert's", 230);
    // And without any certificate, where none is required.
    let mut control = server.secured(&Client::new());
    control.expect("USER anna", 331);
    control.expect("PASS anna's", 230);
}

/// TLS-09: where a certificate is asked for and a bad one is shown, there is no session.
#[test]
fn a_bad_certificate_is_worse_than_none() {
    let server = configured(CERTIFIED);
    for version in VERSIONS {
        for bad in [&CERTIFICATES.revoked, &CERTIFICATES.stranger] {
            let mut control = server.connect();
            control.expect("AUTH TLS", 234);
            if control
                .try_start_tls(&Client::only(version).identified_by(bad))
                .is_ok()
            {
                control.send("USER anna");
                assert!(!matches!(control.try_reply(), Ok(Some(_))));
            }
        }
    }
}

/// TLS-09, mode `second`: certificate and password, or nothing.
#[test]
fn a_certificate_may_be_asked_for_besides_the_password() {
    let server = configured(
        "tls.client_certificates = \"request\"\ntls.client_ca = \"{tls}/ca.pem\"\n\
         tls.client_certificate_role = \"second\"\n\
         user = [{ name = \"anna\", password = \"anna's\", home = \"{root}\", certificates = [\"subject:CN=wharf\"] }]\n",
    );
    let mut control = server.secured(&Client::new().identified_by(&CERTIFICATES.client));
    control.expect("USER anna", 331);
    control.expect("PASS wrong", 530);
    control.expect("USER anna", 331);
    control.expect("PASS anna's", 230);
    for client in [
        Client::new(),
        Client::new().identified_by(&CERTIFICATES.someone),
    ] {
        let mut control = server.secured(&client);
        control.expect("USER anna", 331);
        control.expect("PASS anna's", 530);
    }
}

/// TLS-14: STAT tells version, suite, and PROT.
#[test]
fn stat_tells_of_tls() {
    let server = Server::with_tls();
    for (version, name) in [(TLS12, "TLSv1_2"), (TLS13, "TLSv1_3")] {
        let client = Client::only(version);
        let mut control = server.private_login(&client);
        let text = control.expect("STAT", 211).text();
        let suite = control.tls().unwrap().suite();
        assert!(
            text.contains(name) || text.contains(&name.replace("v1_", " 1.")),
            "{text}"
        );
        assert!(text.contains(&suite) || text.contains("AES"), "{text}");
        assert!(text.contains("PROT: P"), "{text}");
    }
    let text = server.login().expect("STAT", 211).text();
    assert!(!text.contains("TLSv1"), "{text}");
}

/// TLS-14, TLS-33: so does the log, of data connections too; that they resume is no news (debug).
#[test]
fn the_log_tells_of_tls() {
    let server = configured("server.log_level = \"debug\"\n");
    server.put("f", "hello");
    let client = Client::only(TLS13);
    let mut control = server.private_login(&client);
    assert_eq!(control.fetch("RETR f"), b"hello");
    // The log is written behind the replies.
    let line = |word: &str| {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let log = server.log();
            if let Some(line) = log.lines().find(|line| line.contains(word)) {
                return line.to_owned();
            }
            assert!(Instant::now() < deadline, "{word}: {log}");
        }
    };
    assert!(line("control connection under").contains("not resumed"));
    let data = line("data connection under");
    assert!(
        data.contains("resumed") && !data.contains("not resumed"),
        "{data}"
    );
}

/// RPL-33, word by word.
#[test]
fn the_text_for_injected_commands() {
    let server = Server::with_tls();
    let mut control = server.connect();
    control.raw("AUTH TLS\r\nUSER x\r\n");
    assert_eq!(
        control.wants(421).text(),
        "421 Plaintext received after AUTH; closing."
    );
    control.closes();
}

/// T-01 of TLS, word by word.
#[test]
fn the_texts_of_the_way_into_tls() {
    let server = Server::with_tls();
    let mut control = server.connect();
    assert_eq!(
        control.expect("auth tls", 234).text(),
        "234 Proceed with TLS negotiation."
    );
    control.start_tls(&Client::new());
    assert_eq!(control.expect("PBSZ 16384", 200).text(), "200 PBSZ=0");
    assert_eq!(
        control.expect("PROT P", 200).text(),
        "200 Protection set to Private."
    );
    assert_eq!(
        control.expect("PROT C", 200).text(),
        "200 Protection set to Clear."
    );
}

/// TLS-64, DAT-03: active data come from the port below the one that the client connected to, 989 of
/// 990.
#[test]
fn active_data_come_from_the_port_below() {
    let client = Client::new();
    // Addresses of their own: nobody else has the port below there.
    for (host, implicit) in [(8, false), (9, true)] {
        let server = Server::with(Setup {
            address: std::net::Ipv4Addr::new(127, 0, 0, host).into(),
            tls: Some(TlsSetup {
                implicit,
                ..TlsSetup::default()
            }),
            ..Setup::default()
        });
        server.put("f", "hello");
        let mut control = if implicit {
            let mut control = server.implicit_connect(&client);
            control.log_in();
            control.expect("TYPE I", 200);
            control
        } else {
            server.private_login(&client)
        };
        let listener = control.active();
        control.send("RETR f");
        control.wants(150);
        let (stream, from) = listener.accept().unwrap();
        assert_eq!(from.port(), control.peer().port() - 1);
        let mut data = client.connect(with_patience(stream)).unwrap();
        assert_eq!(data.drain().0, b"hello");
        drop(data);
        control.wants(226);
    }
}

/// An aborted private upload leaves the old file, and no litter.
#[test]
fn an_aborted_private_upload_leaves_the_old_file() {
    let server = Server::with_tls();
    server.put("f", "the old file");
    for version in VERSIONS {
        let client = Client::only(version);
        let mut control = server.private_login(&client);
        let mut data = control.transfer("STOR f", &client).unwrap();
        std::io::Write::write_all(&mut data, &[7; 300_000]).unwrap();
        control.send("ABOR");
        control.wants(426);
        control.wants(226);
        assert_eq!(server.read("f"), b"the old file");
        assert_eq!(server.names(), ["f"]);
    }
}

/// What a peer sees of a failure of TLS holds no path of the host.
#[test]
fn refusals_show_no_path() {
    let server = Server::with_tls();
    let mut control = server.private_login(&Client::new());
    let data = control.passive();
    control.send("STOR f");
    control.wants(150);
    std::io::Write::write_all(&mut (&data), b"in clear, and enough of it\r\n").unwrap();
    let text = control.wants(522).text();
    assert!(!text.contains('/') && !text.contains("rustls"), "{text}");
}

/// A handshake that hangs holds a stranger's place, and gives it back.
#[test]
fn places_of_hanging_handshakes_come_back() {
    let server = configured("limits.per_address = 5\n");
    let hanging: Vec<_> = (0..5)
        .map(|_| {
            let mut control = server.connect();
            control.expect("AUTH TLS", 234);
            control
        })
        .collect();
    Control::open(server.address()).wants(421);
    drop(hanging);
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        if Control::open(server.address()).reply().code == 220 {
            server.secured(&Client::new()).log_in();
            return;
        }
    }
    panic!("the places of dead handshakes did not come back");
}
