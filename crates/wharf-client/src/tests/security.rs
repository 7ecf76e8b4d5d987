//! FTPS against a server whose TLS is not ours: what is trusted, what is resumed, what is cut.

use std::{
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use rustls::version::{TLS12, TLS13};
use wharf_proto::ftp::listing::parse::Kind as EntryKind;

use super::{
    certificates::{Authority, BOTH, Fault, Identity},
    noise, options,
    server::{HANG_UP, SILENCE, Server, Tls, Wish},
    with_file,
};
use crate::{
    Answer, Credentials, DataMode, Error, Kind, Location, Observer, Options, Pool, Question,
    Secret, Silent, Step, Transferred, Verified, Verify,
    tls::{Fingerprint, Identity as Shown, Mode, Pin, Version},
    transfer::{Download, Upload, cat, get, put},
    tree,
};

const LARGE: usize = 300_000;

/// Somebody who answers, and remembers the questions.
struct Person {
    answer: Answer,
    asked: Mutex<Vec<Question>>,
    notes: Mutex<Vec<String>>,
}

impl Person {
    fn who_says(answer: Answer) -> Arc<Self> {
        Arc::new(Self {
            answer,
            asked: Mutex::default(),
            notes: Mutex::default(),
        })
    }

    fn asked(&self) -> usize {
        self.asked.lock().unwrap().len()
    }
}

impl Observer for Person {
    fn ask(&self, question: &Question) -> Answer {
        self.asked.lock().unwrap().push(question.clone());
        self.answer
    }

    fn note(&self, text: &str) {
        self.notes.lock().unwrap().push(text.to_owned());
    }
}

/// A server with TLS, and a client that trusts its authority.
struct Case {
    server: Server,
    authority: Authority,
    options: Options,
    credentials: Credentials,
    observer: Arc<dyn Observer>,
}

impl Case {
    /// A server with one file `f`; `change` makes its TLS what the test wants.
    async fn new(size: usize, change: impl FnOnce(&mut Tls)) -> Self {
        Self::with(with_file(size), change).await
    }

    async fn with(wish: Wish, change: impl FnOnce(&mut Tls)) -> Self {
        let authority = Authority::new();
        let config = authority.identity(Fault::None).config(BOTH);
        Self::showing(wish, authority, Tls::new(config), change).await
    }

    async fn showing(
        mut wish: Wish,
        authority: Authority,
        mut tls: Tls,
        change: impl FnOnce(&mut Tls),
    ) -> Self {
        change(&mut tls);
        let mut options = options();
        // A debug build needs its time for a handshake.
        options.idle_timeout = Duration::from_secs(5);
        options.retries = 0;
        options.tls.mode = if tls.implicit {
            Mode::Implicit
        } else {
            Mode::Explicit
        };
        options.tls.authorities = vec![authority.path()];
        wish.tls = Some(tls);
        Self {
            server: Server::start(wish).await,
            authority,
            options,
            credentials: Credentials {
                user: b"ann".to_vec(),
                password: Secret::new(*b"secret"),
            },
            observer: Arc::new(Silent),
        }
    }

    fn pool(&self) -> Pool {
        let site = Location::parse(&self.server.url("")).unwrap().site;
        let observer = Arc::clone(&self.observer);
        Pool::new(
            site,
            self.credentials.clone(),
            self.options.clone(),
            observer,
        )
    }

    fn place(&self, path: &str) -> Location {
        Location::parse(&self.server.url(path)).unwrap()
    }

    fn folder(&self) -> &Path {
        self.authority.folder.path()
    }

    async fn get_by(&self, pool: &Pool) -> Result<Transferred, Error> {
        let download = Download {
            source: self.place("f"),
            target: self.folder().join("f"),
            known: None,
        };
        get(pool, &download).await
    }

    async fn get(&self) -> Result<Transferred, Error> {
        self.get_by(&self.pool()).await
    }

    async fn put_by(&self, pool: &Pool, bytes: &[u8]) -> Result<Transferred, Error> {
        let source = self.folder().join("source");
        std::fs::write(&source, bytes).unwrap();
        let target = self.place("f");
        put(pool, &Upload { source, target }).await
    }

    /// The verbs that the server heard.
    fn verbs(&self) -> Vec<String> {
        let verb = |line: &String| line.split(' ').next().unwrap_or_default().to_owned();
        self.server.with(|wish| wish.log.iter().map(verb).collect())
    }
}

/// TLS-51, on both kinds of port and in both versions.
#[tokio::test]
async fn files_and_listings_move_under_tls_in_the_right_order() {
    for (implicit, version) in [
        (false, &TLS12),
        (false, &TLS13),
        (true, &TLS12),
        (true, &TLS13),
    ] {
        let authority = Authority::new();
        let config = authority.identity(Fault::None).config(&[version]);
        let mut wish = with_file(LARGE);
        wish.listing = Some("-rw-r--r-- 1 u g 300000 Jan  1  2020 f\r\n");
        let case = Case::showing(wish, authority, Tls::new(config), |tls| {
            tls.implicit = implicit;
        })
        .await;
        let pool = case.pool();
        assert_eq!(
            case.get_by(&pool).await.unwrap().verified,
            Verified::Size,
            "{version:?}"
        );
        assert_eq!(
            std::fs::read(case.folder().join("f")).unwrap(),
            noise(LARGE)
        );
        let entries = tree::list(&pool, &case.place("")).await.unwrap();
        assert_eq!(entries[0].kind, EntryKind::File);
        case.put_by(&pool, b"new").await.unwrap();
        assert_eq!(case.server.with(|wish| wish.files["f"].clone()), b"new");
        pool.close().await;
        let begin: &[&str] = if implicit {
            &["PBSZ", "PROT", "USER", "PASS"]
        } else {
            &["AUTH", "PBSZ", "PROT", "USER", "PASS"]
        };
        assert_eq!(case.verbs()[..begin.len()], *begin);
        assert_eq!(case.server.with(|wish| wish.resumed.clone()), [true; 3]);
    }
}

/// TLS-50: the default of `ftp://`.
#[tokio::test]
async fn plain_url_takes_tls_when_offered_unless_told_not_to() {
    let mut case = Case::new(10, |_| {}).await;
    case.options.tls.mode = Mode::Auto;
    case.get().await.unwrap();
    assert_eq!(case.server.said("AUTH TLS"), 1);
    case.options.tls.mode = Mode::Plain;
    case.get().await.unwrap();
    assert_eq!(case.server.said("AUTH TLS"), 1);
}

/// TLS-50, D20: nothing secret in clear after a refused AUTH, unless a person says so.
#[tokio::test]
async fn refused_auth_keeps_the_password_back() {
    let mut case = Case::new(10, |_| {}).await;
    case.server
        .with(|wish| wish.always.insert("AUTH", "502 not here"));
    let error = case.get().await.unwrap_err();
    assert_eq!(
        (error.kind(), error.cause(), error.code()),
        (Kind::Tls, Some("D20"), Some(502))
    );
    case.options.tls.mode = Mode::Auto;
    let error = case.get().await.unwrap_err();
    assert_eq!((error.kind(), error.cause()), (Kind::Tls, Some("D20")));
    assert!(error.hints().iter().any(|hint| hint.contains("--tls none")));
    case.observer = Person::who_says(Answer::No);
    assert_eq!(case.get().await.unwrap_err().kind(), Kind::Tls);
    assert!(!case.verbs().contains(&"USER".to_owned()));
    let person = Person::who_says(Answer::Always);
    case.observer = Arc::clone(&person) as _;
    let pool = case.pool();
    case.get_by(&pool).await.unwrap();
    // Anonymous has nothing to hide; a permission holds for the run.
    case.credentials = Credentials::anonymous();
    case.get().await.unwrap();
    assert_eq!(person.asked(), 1);
}

/// TLS-52, D25: each fault with its reason, its kind, and the flag that would pin it.
#[tokio::test]
async fn bad_certificate_is_refused_with_its_reason_and_the_fix() {
    let other = Authority::new();
    for (fault, reason) in [
        (Fault::Expired, "it expired on 2021-02-03"),
        (Fault::NotYetValid, "it is not valid before 2999-01-01"),
        (
            Fault::OtherName,
            "it is not for this name but for other.example",
        ),
        (Fault::None, "no known authority vouches for it"),
    ] {
        let authority = Authority::new();
        let identity = if fault == Fault::None {
            other.identity(fault)
        } else {
            authority.identity(fault)
        };
        assert_refused(authority, &identity, reason).await;
    }
    for as_authority in [false, true] {
        let identity = Identity::self_signed(as_authority);
        assert_refused(Authority::new(), &identity, "it is self-signed").await;
    }
}

async fn assert_refused(authority: Authority, identity: &Identity, reason: &str) {
    let tls = Tls::new(identity.config(BOTH));
    let case = Case::showing(with_file(10), authority, tls, |_| {}).await;
    let error = case.get().await.unwrap_err();
    assert!(error.to_string().contains(reason), "{error}");
    assert_eq!(
        (error.step(), error.kind(), error.cause()),
        (Step::Tls, Kind::Certificate, Some("D25"))
    );
    assert!(!error.is_retryable());
    let pin = format!("--pin {}", Fingerprint::of(&identity.certificate));
    assert!(
        error.hints().iter().any(|hint| hint.contains(&pin)),
        "{:?}",
        error.hints()
    );
    assert_eq!(case.verbs(), ["AUTH"]);
}

/// D25: a revoked certificate is no question for a person.
#[tokio::test]
async fn revoked_certificate_is_refused_and_not_asked_about() {
    let mut case = Case::new(10, |_| {}).await;
    let person = Person::who_says(Answer::Always);
    case.observer = Arc::clone(&person) as _;
    case.options.tls.revocations = vec![case.authority.revocations()];
    let error = case.get().await.unwrap_err();
    assert!(error.to_string().contains("revoked"), "{error}");
    assert_eq!((error.kind(), person.asked()), (Kind::Certificate, 0));
}

#[tokio::test]
async fn pin_is_all_that_counts_when_there_is_one() {
    let identity = Identity::self_signed(false);
    let tls = Tls::new(identity.config(BOTH));
    let mut case = Case::showing(with_file(10), Authority::new(), tls, |_| {}).await;
    let certificate = Pin::Certificate(Fingerprint::of(&identity.certificate));
    let parsed = webpki::EndEntityCert::try_from(&identity.certificate).unwrap();
    let key = Pin::Key(Fingerprint::of(&parsed.subject_public_key_info()));
    let wrong = Pin::Certificate(Fingerprint::of(b"another"));
    for pins in [vec![certificate], vec![key], vec![wrong, key]] {
        case.options.tls.pins = pins;
        case.get().await.unwrap();
    }
    // A good chain does not help against a pin.
    let mut case = Case::new(10, |_| {}).await;
    case.options.tls.pins = vec![wrong];
    let error = case.get().await.unwrap_err();
    assert_eq!(
        (error.kind(), error.cause()),
        (Kind::Certificate, Some("D25"))
    );
}

/// TLS-52: asked once, kept for good, and a change is an error.
#[tokio::test]
async fn certificate_that_a_person_trusts_is_kept_and_a_change_is_an_error() {
    let identity = Identity::self_signed(false);
    let tls = Tls::new(identity.config(BOTH));
    let mut case = Case::showing(with_file(10), Authority::new(), tls, |_| {}).await;
    case.options.tls.trust_store = Some(case.folder().join("state/trusted"));
    let person = Person::who_says(Answer::Once);
    case.observer = Arc::clone(&person) as _;
    case.get().await.unwrap();
    case.observer = Arc::new(Silent);
    assert_eq!(case.get().await.unwrap_err().kind(), Kind::Certificate);

    let person = Person::who_says(Answer::Always);
    case.observer = Arc::clone(&person) as _;
    case.get().await.unwrap();
    let fingerprint = Fingerprint::of(&identity.certificate);
    let asked = person.asked.lock().unwrap().clone();
    let [
        Question::TrustCertificate {
            certificate,
            reason,
            ..
        },
    ] = asked.as_slice()
    else {
        panic!("{asked:?}");
    };
    assert_eq!(
        (certificate.fingerprint, reason.as_str()),
        (fingerprint, "it is self-signed")
    );
    case.observer = Arc::new(Silent);
    case.get().await.unwrap();

    let person = Person::who_says(Answer::Always);
    case.observer = Arc::clone(&person) as _;
    let next = Identity::self_signed(false);
    case.server
        .with(|wish| wish.tls = Some(Tls::new(next.config(BOTH))));
    let error = case.get().await.unwrap_err();
    assert_eq!((error.kind(), person.asked()), (Kind::Certificate, 0));
    let text = error.to_string();
    assert!(text.contains(&fingerprint.to_string()), "{text}");
    assert!(text.contains(&Fingerprint::of(&next.certificate).to_string()));
}

#[tokio::test]
async fn several_sessions_ask_one_question() {
    let mut wish = with_file(10);
    for name in ["a", "b", "c", "d"] {
        wish.files.insert(name.into(), noise(5000));
    }
    wish.features.push("MLST type*;size*;");
    wish.listing = Some(
        "type=file;size=5000; a\r\ntype=file;size=5000; b\r\ntype=file;size=5000; c\r\ntype=file;size=5000; d\r\n",
    );
    let tls = Tls::new(Identity::self_signed(false).config(BOTH));
    let mut case = Case::showing(wish, Authority::new(), tls, |_| {}).await;
    case.options.parallel = 4;
    let person = Person::who_says(Answer::Once);
    case.observer = Arc::clone(&person) as _;
    let pool = case.pool();
    let target = case.folder().join("tree");
    let source = case.place("");
    let (tally, file) = tokio::join!(tree::get_tree(&pool, &source, &target), case.get_by(&pool));
    assert_eq!((tally.unwrap().files, file.unwrap().size), (4, 10));
    assert_eq!(person.asked(), 1);
}

/// TLS-55, TLS-63: the server takes each TLS 1.3 ticket once and refuses what resumes nothing; TLS 1.2
/// resumes one session for ever.
#[tokio::test]
async fn twenty_transfers_in_a_row_resume_and_use_each_ticket_once() {
    for version in [&TLS12, &TLS13] {
        let authority = Authority::new();
        let config = authority.identity(Fault::None).config(&[version]);
        let case = Case::showing(with_file(1000), authority, Tls::new(config), |tls| {
            tls.requires_resumption = true;
        })
        .await;
        let pool = case.pool();
        for turn in 0..20 {
            if turn % 2 == 0 {
                case.get_by(&pool).await.unwrap();
            } else {
                case.put_by(&pool, &noise(1000)).await.unwrap();
            }
        }
        assert_eq!(case.server.with(|wish| wish.resumed.clone()), [true; 20]);
        assert_eq!(case.server.with(|wish| wish.sessions), 1);
    }
}

/// D47: a server that sends tickets on the control connection only.
#[tokio::test]
async fn tickets_that_run_out_make_the_next_session_one_of_tls_12() {
    let few = |tls: &mut Tls| {
        let mut data = (*tls.control).clone();
        data.send_tls13_tickets = 0;
        tls.data = Arc::new(data);
        tls.requires_resumption = true;
    };
    let case = Case::new(1000, few).await;
    let pool = case.pool();
    for _ in 0..6 {
        case.get_by(&pool).await.unwrap();
        std::fs::remove_file(case.folder().join("f")).unwrap();
    }
    let resumed = case.server.with(|wish| wish.resumed.clone());
    assert_eq!(resumed, [true, true, false, true, true, true, true]);
    assert_eq!(case.server.with(|wish| wish.sessions), 2);

    let mut case = Case::new(1000, few).await;
    case.options.tls.minimum = Version::Tls13;
    let pool = case.pool();
    let mut last = case.get_by(&pool).await;
    for _ in 0..2 {
        last = case.get_by(&pool).await;
    }
    let error = last.unwrap_err();
    assert_eq!((error.kind(), error.cause()), (Kind::Data, Some("D46")));
}

/// TLS-54: whoever answers the data connection must be the server of the control connection, even with
/// a certificate that would be good by itself.
#[tokio::test]
async fn data_connection_of_another_server_is_refused() {
    let authority = Authority::new();
    let control = authority.identity(Fault::None).config(BOTH);
    let stranger = authority.identity(Fault::None).config(BOTH);
    let case = Case::showing(with_file(10), authority, Tls::new(control), |tls| {
        tls.data = Arc::new(stranger);
    })
    .await;
    let error = case.get().await.unwrap_err();
    assert_eq!(
        (error.kind(), error.cause()),
        (Kind::Certificate, Some("D25"))
    );
    assert!(!case.folder().join("f").exists());
}

/// TLS-36, D48: the size decides about an end without close_notify.
#[tokio::test]
async fn missing_close_notify_is_borne_where_the_size_agrees() {
    let mut case = Case::new(LARGE, |tls| tls.says_goodbye = false).await;
    assert_eq!(case.get().await.unwrap().verified, Verified::Size);
    let mut given = Vec::new();
    let mut sink = |bytes: &[u8]| {
        given.extend_from_slice(bytes);
        Ok(())
    };
    cat(&case.pool(), &case.place("f"), &mut sink)
        .await
        .unwrap();
    assert_eq!(given, noise(LARGE));
    // Cut short.
    case.server
        .with(|wish| wish.cuts = [(1000, "226 complete"), (1000, "226 complete")].into());
    assert_eq!(case.get().await.unwrap_err().kind(), Kind::Partial);
    // What nobody compares is not taken on trust.
    case.options.verify = Verify::None;
    let error = case.get().await.unwrap_err();
    assert_eq!((error.kind(), error.cause()), (Kind::Partial, Some("D48")));
}

/// TLS-36.
#[tokio::test]
async fn missing_close_notify_is_an_error_where_the_size_is_unknown() {
    let case = Case::new(1000, |tls| tls.says_goodbye = false).await;
    case.server
        .with(|wish| wish.always.insert("SIZE", "550 no sizes here"));
    let error = case.get().await.unwrap_err();
    assert_eq!((error.kind(), error.cause()), (Kind::Partial, Some("D48")));
    let error = cat(&case.pool(), &case.place("f"), &mut |_| Ok(()))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), Kind::Data);
    assert!(!case.folder().join("f").exists());
}

/// D48: a listing has no size; a person is told.
#[tokio::test]
async fn listing_without_close_notify_is_told_of() {
    let mut wish = with_file(10);
    wish.listing = Some("-rw-r--r-- 1 u g 10 Jan  1  2020 f\r\n");
    let mut case = Case::with(wish, |tls| tls.says_goodbye = false).await;
    let person = Person::who_says(Answer::Nobody);
    case.observer = Arc::clone(&person) as _;
    let entries = tree::list(&case.pool(), &case.place("")).await.unwrap();
    assert_eq!(entries.len(), 1);
    let notes = person.notes.lock().unwrap().clone();
    assert!(
        notes.iter().any(|note| note.contains("close_notify")),
        "{notes:?}"
    );
}

/// TLS-58: the server can tell a whole upload from one that was cut.
#[tokio::test]
async fn upload_ends_with_close_notify() {
    for version in [&TLS12, &TLS13] {
        let authority = Authority::new();
        let config = authority.identity(Fault::None).config(&[version]);
        let case = Case::showing(with_file(0), authority, Tls::new(config), |_| {}).await;
        case.put_by(&case.pool(), &noise(LARGE)).await.unwrap();
        assert_eq!(case.server.with(|wish| wish.goodbyes.clone()), [true]);
        assert_eq!(
            case.server.with(|wish| wish.files["f"].clone()),
            noise(LARGE)
        );
    }
}

/// RPL-34, TLS-60: what a stranger puts behind the answer to AUTH is never taken for a reply.
#[tokio::test]
async fn octets_behind_the_answer_to_auth_end_the_session() {
    for behind in ["230 welcome\r\n", "2", "\r\n", "\u{16}\u{3}"] {
        let case = Case::new(10, |tls| tls.behind_auth = behind).await;
        let error = case.get().await.unwrap_err();
        assert!(
            matches!(error.kind(), Kind::Protocol | Kind::Tls),
            "{behind:?}: {error}"
        );
        assert_eq!(case.verbs(), ["AUTH"], "{behind:?}");
    }
}

/// TLS-51: refused before the login, asked for again after it.
#[tokio::test]
async fn protection_that_was_refused_before_the_login_is_asked_for_after_it() {
    let mut wish = with_file(10);
    wish.once
        .insert("PBSZ", ["503 log in first"].into_iter().collect());
    wish.once
        .insert("PROT", ["530 log in first"].into_iter().collect());
    let case = Case::with(wish, |_| {}).await;
    case.get().await.unwrap();
    let verbs = case.verbs();
    assert_eq!(
        verbs[..7],
        ["AUTH", "PBSZ", "PROT", "USER", "PASS", "PBSZ", "PROT"]
    );
    assert_eq!(case.server.with(|wish| wish.resumed.clone()), [true]);
}

/// TLS-53, D50.
#[tokio::test]
async fn data_move_in_clear_only_when_permitted() {
    let mut wish = with_file(10);
    wish.always.insert("PROT", "536 no protection");
    let mut case = Case::with(wish, |_| {}).await;
    let error = case.get().await.unwrap_err();
    assert_eq!((error.kind(), error.cause()), (Kind::Tls, Some("D50")));
    assert_eq!(case.server.said("RETR f"), 0);
    case.options.tls.clear_data = true;
    case.get().await.unwrap();
    assert_eq!(case.server.with(|wish| wish.resumed.len()), 0);
}

/// TLS-56: the control connection in clear, data as before.
#[tokio::test]
async fn ccc_clears_the_control_connection_and_leaves_data_protected() {
    for version in [&TLS12, &TLS13] {
        let authority = Authority::new();
        let config = authority.identity(Fault::None).config(&[version]);
        let mut case = Case::showing(with_file(LARGE), authority, Tls::new(config), |_| {}).await;
        case.options.tls.clear_control = true;
        let pool = case.pool();
        case.get_by(&pool).await.unwrap();
        case.put_by(&pool, b"x").await.unwrap();
        assert_eq!(case.server.said("CCC"), 1);
        assert_eq!(case.server.with(|wish| wish.resumed.clone()), [true, true]);
    }
    let mut case = Case::new(10, |_| {}).await;
    case.options.tls.clear_control = true;
    case.server
        .with(|wish| wish.always.insert("CCC", "534 not here"));
    assert_eq!(case.get().await.unwrap_err().kind(), Kind::Tls);
}

/// D26.
#[tokio::test]
async fn server_that_wants_a_client_certificate_gets_it_or_the_fix_is_told() {
    for version in [&TLS12, &TLS13] {
        let authority = Authority::new();
        let config = authority.asking(&authority.identity(Fault::None), &[version]);
        let mut case = Case::showing(with_file(10), authority, Tls::new(config), |_| {}).await;
        let error = case.get().await.unwrap_err();
        assert_eq!(
            (error.kind(), error.cause()),
            (Kind::Certificate, Some("D26")),
            "{error}"
        );
        let path = case.authority.client();
        case.options.tls.identity = Some(Shown {
            certificate: path.clone(),
            key: path,
        });
        case.get().await.unwrap();
        assert_eq!(case.server.with(|wish| wish.resumed.clone()), [true]);
    }
}

/// D23.
#[tokio::test]
async fn server_of_older_versions_only_is_told() {
    let authority = Authority::new();
    let config = authority.identity(Fault::None).config(&[&TLS12]);
    let mut case = Case::showing(with_file(10), authority, Tls::new(config), |_| {}).await;
    case.options.tls.minimum = Version::Tls13;
    let error = case.get().await.unwrap_err();
    assert_eq!((error.kind(), error.cause()), (Kind::Tls, Some("D23")));
    assert!(error.hints().iter().any(|hint| hint.contains("--tls-min")));
}

/// D22: `ftps://` and an explicit port.
#[tokio::test]
async fn clear_greeting_instead_of_a_handshake_is_told() {
    let mut case = Case::new(10, |_| {}).await;
    case.options.tls.mode = Mode::Implicit;
    let error = case.get().await.unwrap_err();
    assert_eq!((error.kind(), error.cause()), (Kind::Tls, Some("D22")));
}

/// D24: nobody shakes hands, or somebody hangs up on the way; never the same again in clear (TLS-03).
#[tokio::test]
async fn handshake_that_does_not_come_about_is_told_and_never_followed_by_clear() {
    let mut case = Case::new(10, |tls| tls.falls_silent = true).await;
    case.options.tls.mode = Mode::Auto;
    case.options.connect_timeout = Duration::from_millis(300);
    let error = case.get().await.unwrap_err();
    assert_eq!(error.cause(), Some("D24"), "{error}");
    assert_eq!(case.verbs(), ["AUTH"]);

    let mut case = Case::new(10, |_| {}).await;
    case.options.tls.mode = Mode::Implicit;
    case.server.with(|wish| {
        wish.tls = None;
        wish.greetings = [HANG_UP; 2].into();
    });
    let error = case.get().await.unwrap_err();
    assert_eq!((error.kind(), error.cause()), (Kind::Tls, Some("D24")));
    assert!(error.is_retryable());
}

/// TLS-64, from the client's side: it stays the TLS client when the server connects.
#[tokio::test]
async fn active_data_connection_is_protected_too() {
    let mut case = Case::new(LARGE, |_| {}).await;
    case.options.data_mode = DataMode::Active;
    let pool = case.pool();
    case.get_by(&pool).await.unwrap();
    case.put_by(&pool, &noise(LARGE)).await.unwrap();
    assert_eq!(case.server.with(|wish| wish.resumed.clone()), [true, true]);
}

/// RPL-14: Telnet's interrupt has no place under TLS.
#[tokio::test]
async fn abort_under_tls_is_a_line_like_any_other() {
    let mut case = Case::new(LARGE, |_| {}).await;
    case.options.retries = 1;
    case.server
        .with(|wish| wish.cuts = [(200_000, "426 broken")].into());
    case.options.resume = true;
    let pool = case.pool();
    case.get_by(&pool).await.unwrap();
    assert_eq!(
        std::fs::read(case.folder().join("f")).unwrap(),
        noise(LARGE)
    );
    // What was fetched does not fit: the transfer under way is aborted.
    case.server
        .with(|wish| wish.cuts = [(200_000, "426 broken")].into());
    std::fs::remove_file(case.folder().join("f")).unwrap();
    case.options.retries = 0;
    assert!(case.get().await.is_err());
    case.server
        .with(|wish| wish.files.insert("f".into(), vec![7; LARGE]));
    case.options.retries = 1;
    assert_eq!(case.get().await.unwrap().kept, 0);
    assert_eq!(case.server.said("ABOR"), 1);
}

#[tokio::test]
async fn silent_server_under_tls_is_given_up() {
    let mut case = Case::new(10, |_| {}).await;
    case.server.with(|wish| wish.always.insert("TYPE", SILENCE));
    case.options.idle_timeout = Duration::from_millis(500);
    assert_eq!(case.get().await.unwrap_err().kind(), Kind::TimedOut);
}

/// D25: what a person agreed to for its name or its dates can still be revoked.
#[tokio::test]
async fn agreed_certificate_that_is_revoked_is_refused() {
    let authority = Authority::new();
    let tls = Tls::new(authority.identity(Fault::OtherName).config(BOTH));
    let mut case = Case::showing(with_file(10), authority, tls, |_| {}).await;
    case.options.tls.trust_store = Some(case.folder().join("trusted"));
    case.observer = Person::who_says(Answer::Always);
    case.get().await.unwrap();
    case.get().await.unwrap();
    case.options.tls.revocations = vec![case.authority.revocations()];
    let error = case.get().await.unwrap_err();
    assert!(error.to_string().contains("revoked"), "{error}");
}

/// TLS-50: whoever pinned a certificate, agreed to one, or had TLS a moment ago is not led into clear by
/// a refused AUTH, anonymous or not.
#[tokio::test]
async fn tls_that_was_there_before_is_not_given_up() {
    let refused = |case: &Case| {
        case.server
            .with(|wish| wish.always.insert("AUTH", "502 not here"));
    };
    let assert_kept = |case: &Case, error: &Error| {
        assert_eq!((error.kind(), error.cause()), (Kind::Tls, Some("D20")));
        assert_eq!(case.verbs().last().unwrap(), "AUTH");
    };
    let mut case = Case::new(10, |_| {}).await;
    case.options.tls.mode = Mode::Auto;
    case.credentials = Credentials::anonymous();
    refused(&case);
    case.options.tls.pins = vec![Pin::Certificate(Fingerprint::of(b"the server"))];
    assert_kept(&case, &case.get().await.unwrap_err());

    case.options.tls.pins.clear();
    let store = case.folder().join("trusted");
    let line = format!(
        "127.0.0.1:{} {}\n",
        case.place("").site.port,
        Fingerprint::of(b"the server")
    );
    std::fs::write(&store, line).unwrap();
    case.options.tls.trust_store = Some(store);
    assert_kept(&case, &case.get().await.unwrap_err());

    let mut case = Case::new(10, |_| {}).await;
    case.options.tls.mode = Mode::Auto;
    case.options.retries = 1;
    let person = Person::who_says(Answer::Always);
    case.observer = Arc::clone(&person) as _;
    for credentials in [Credentials::anonymous(), case.credentials.clone()] {
        case.credentials = credentials;
        case.server.with(|wish| wish.always.remove("AUTH"));
        let pool = case.pool();
        case.get_by(&pool).await.unwrap();
        refused(&case);
        case.server
            .with(|wish| wish.once.insert("TYPE", [HANG_UP].into()));
        case.server
            .with(|wish| wish.once.insert("RETR", [HANG_UP].into()));
        assert_kept(&case, &case.get_by(&pool).await.unwrap_err());
    }
    assert_eq!(person.asked(), 0);
}

/// A person who says no is not asked the same for every session.
#[tokio::test]
async fn several_sessions_take_one_no() {
    let tls = Tls::new(Identity::self_signed(false).config(BOTH));
    let mut case = Case::showing(with_file(10), Authority::new(), tls, |_| {}).await;
    case.options.parallel = 4;
    let person = Person::who_says(Answer::No);
    case.observer = Arc::clone(&person) as _;
    let pool = case.pool();
    let (one, two) = tokio::join!(case.get_by(&pool), case.get_by(&pool));
    assert!(one.is_err() && two.is_err());
    assert_eq!(person.asked(), 1);

    let mut case = Case::new(10, |_| {}).await;
    case.options.tls.mode = Mode::Auto;
    case.server
        .with(|wish| wish.always.insert("AUTH", "502 not here"));
    case.options.parallel = 4;
    let person = Person::who_says(Answer::No);
    case.observer = Arc::clone(&person) as _;
    let pool = case.pool();
    let (one, two) = tokio::join!(case.get_by(&pool), case.get_by(&pool));
    assert!(one.is_err() && two.is_err());
    assert_eq!(person.asked(), 1);
}

/// TLS-36, TLS-56: after CCC anybody on the way can say a size, so only close_notify tells the end.
#[tokio::test]
async fn missing_close_notify_is_an_error_after_ccc() {
    let mut wish = with_file(1000);
    wish.listing = Some("-rw-r--r-- 1 u g 10 Jan  1  2020 f\r\n");
    let mut case = Case::with(wish, |tls| tls.says_goodbye = false).await;
    case.options.tls.clear_control = true;
    let error = case.get().await.unwrap_err();
    assert_eq!((error.kind(), error.cause()), (Kind::Partial, Some("D48")));
    let error = cat(&case.pool(), &case.place("f"), &mut |_| Ok(()))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), Kind::Data);
    let error = tree::list(&case.pool(), &case.place("")).await.unwrap_err();
    assert_eq!((error.kind(), error.cause()), (Kind::Partial, Some("D48")));
}

/// D48: a listing that ends in the middle of a line is not whole, whatever the server says.
#[tokio::test]
async fn listing_cut_within_a_line_is_an_error() {
    let mut wish = with_file(10);
    wish.listing =
        Some("-rw-r--r-- 1 u g 10 Jan  1  2020 f\r\n-rw-r--r-- 1 u g 10 Jan  1  2020 lon");
    let case = Case::with(wish, |tls| tls.says_goodbye = false).await;
    let error = tree::list(&case.pool(), &case.place("")).await.unwrap_err();
    assert_eq!((error.kind(), error.cause()), (Kind::Partial, Some("D48")));
}
