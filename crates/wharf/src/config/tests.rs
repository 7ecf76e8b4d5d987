//! What a configuration means, and what is told about one that means nothing.

mod people;
mod ssh;
mod tftp;
mod tls;

use std::{num::NonZeroU64, path::Path, time::Duration};

use wharf_accounts::{Tree, normalised};
use wharf_vfs::{Right, Rights, VirtualPath};

use super::{
    raw::Place,
    section::{Default, Setting},
    table::Root,
    types::{Bytes, Umask},
    *,
};

fn env(variables: &[(&str, &str)]) -> Vec<(String, String)> {
    let home = ("HOME".to_owned(), "/home/wharf".to_owned());
    variables
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .chain([home])
        .collect()
}

fn load_text(text: &str) -> Result<Config, ConfigError> {
    load_with(text, &[])
}

#[expect(
    clippy::disallowed_methods,
    reason = "writes the file that is then loaded"
)]
fn load_with(text: &str, variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("wharf.toml");
    std::fs::write(&path, text).unwrap();
    std::fs::write(
        directory.path().join("secret"),
        "$1$abcdefgh$vdBSIIpG7R8DPkuUogsqU0\n",
    )
    .unwrap();
    std::fs::write(directory.path().join("word"), "open sesame\n").unwrap();
    load(Some(&path), &env(variables))
}

fn problems(text: &str) -> Vec<Problem> {
    match load_text(text) {
        Err(ConfigError::Invalid(problems)) => problems,
        other => panic!("{text}: {other:?}"),
    }
}

/// Line, column, message and hint of the only problem.
fn problem(text: &str) -> (usize, usize, String, String) {
    let all = problems(text);
    let [problem] = all.as_slice() else {
        panic!("{text}: {all:?}")
    };
    let (line, column) = match &problem.place {
        Place::File { line, column, .. } => (*line, *column),
        Place::Variable(_) | Place::Default => (0, 0),
    };
    (
        line,
        column,
        problem.message.clone(),
        problem.hint.clone().unwrap_or_default(),
    )
}

#[test]
fn nothing_written_is_a_configuration_of_defaults() {
    let config = load(None, &env(&[])).unwrap();
    assert_eq!(
        config.state_dir,
        Path::new("/home/wharf/.local/state/wharf")
    );
    assert_eq!(
        config.account_store(),
        Path::new("/home/wharf/.local/state/wharf/accounts.db")
    );
    assert_eq!(
        load(None, &[]).unwrap().state_dir,
        Path::new("/var/lib/wharf")
    );
    assert_eq!(config.ftp.idle_timeout, Duration::from_secs(900));
    assert_eq!(config.data.passive_ports, 49152..=65534);
    assert_eq!(config.data.peer_check, PeerCheck::Exact);
    assert_eq!(config.ftp.ascii_size_max, Bytes(16 << 20));
    assert_eq!(config.hash.max_bytes, Bytes(16 << 30));
    assert_eq!(
        (config.lockout.failures, config.ftp.max_login_failures),
        (10, 3)
    );
    assert!(config.accounts.is_empty() && config.volumes.is_empty());
}

#[test]
fn every_default_of_the_table_is_a_value_of_its_type() {
    let mut report = raw::Report::default();
    let empty = toml_edit::Table::new();
    let root = Root::read(
        &raw::Node::table(String::new(), &empty, &raw::Origin::Default),
        &mut report,
    );
    assert!(
        root.is_some() && report.is_clean(),
        "{:?}",
        report.into_problems()
    );
    fn walk(keys: &[section::Key], seen: &mut usize) {
        for key in keys {
            *seen += 1;
            assert!(!key.text().is_empty(), "{}", key.name);
            if let Default::Toml(text) = key.default {
                assert!(
                    text.parse::<toml_edit::Value>().is_ok(),
                    "{}: {text}",
                    key.name
                );
            }
            walk(key.fields, seen);
        }
    }
    let mut seen = 0;
    walk(Root::KEYS, &mut seen);
    assert!(seen > 80, "{seen}");
}

#[test]
fn the_reference_in_the_documentation_is_the_table() {
    let kept = include_str!("../../../../docs/configuration.md");
    assert_eq!(
        kept,
        markdown(),
        "run `wharf config reference > docs/configuration.md`"
    );
}

#[test]
fn the_schema_holds_every_key_and_forbids_others() {
    let schema = schema();
    for section in Root::KEYS {
        let shape = &schema["properties"][section.name];
        let shape = if shape["type"] == "array" {
            &shape["items"]
        } else {
            shape
        };
        assert_eq!(shape["additionalProperties"], false, "{}", section.name);
        for key in section.fields {
            assert!(
                shape["properties"][key.name]["description"].is_string(),
                "{}.{}",
                section.name,
                key.name
            );
        }
    }
    assert_eq!(
        schema["properties"]["ftp"]["properties"]["strict_crlf"]["default"],
        false
    );
    assert_eq!(
        schema["properties"]["ftp"]["properties"]["line_limit"]["maximum"],
        65536
    );
}

#[test]
fn the_example_is_understood() {
    // Its one file of secrets is on the example's machine.
    let text =
        include_str!("../../../../docs/wharf.toml").replace("/etc/wharf/deploy.password", "secret");
    let config = load_text(&text).unwrap();
    let names: Vec<_> = config
        .accounts
        .iter()
        .map(|account| account.name.as_str())
        .collect();
    assert_eq!(names, ["deploy", "camera", "anonymous"]);
    let camera = &config.accounts[1];
    let at = |path: &str| {
        camera
            .grants
            .at(&VirtualPath::parse(&VirtualPath::root(), path.as_bytes()).unwrap())
    };
    assert!(at("/pictures/a.jpg").has(Right::Create) && !at("/pictures/a.jpg").has(Right::Read));
    assert_eq!(at("/firmware"), Rights::READ_ONLY);
    assert_eq!(camera.home.start.as_bytes(), b"/pictures");
    assert!(matches!(&camera.home.tree, Tree::Volumes(mounts) if mounts.len() == 2));
    let anonymous = &config.accounts[2];
    assert!(anonymous.is_anonymous());
    let incoming = VirtualPath::parse(&VirtualPath::root(), b"/incoming/x").unwrap();
    assert_eq!(anonymous.grants.at(&incoming), Rights::INCOMING);
    assert_eq!(anonymous.limits.download_rate, NonZeroU64::new(50 << 20));
    assert_eq!(config.data.external_address.len(), 2);
}

#[test]
fn an_unknown_key_is_told_with_its_place_and_the_nearest_name() {
    let (line, column, message, hint) = problem("[ftp]\nline_limit = 8192\n  idle_timout = 900\n");
    assert_eq!((line, column), (3, 3));
    assert_eq!(message, "unknown key `ftp.idle_timout`");
    assert_eq!(hint, "did you mean `idle_timeout`?");
    let (line, column, _, hint) = problem("# ä comment\n[dat]\n");
    assert_eq!(
        (line, column, hint.as_str()),
        (2, 2, "did you mean `data`?")
    );
    let (.., hint) = problem("[hash]\ncolour = 1\n");
    assert_eq!(hint, "known here: max_bytes");
}

#[test]
fn a_wrong_type_is_told_with_what_was_found() {
    let (line, column, message, _) = problem("[ftp]\nstrict_crlf = \"yes\"\n");
    assert_eq!((line, column), (2, 15));
    assert_eq!(
        message,
        "`ftp.strict_crlf`: expected true or false, found the text \"yes\""
    );
    let (line, column, message, hint) =
        problem("[ftp]\nlisten = [\n  \"0.0.0.0:21\",\n  \"::1:21x\",\n]\n");
    assert_eq!((line, column), (4, 3));
    assert!(
        message.starts_with("`ftp.listen[1]`: expected address and port"),
        "{message}"
    );
    assert!(!hint.is_empty());
    let (.., message, _) = problem("ftp = 3\n");
    assert_eq!(message, "`ftp`: expected a table, found the number 3");
    let (.., message, _) = problem("user = { name = \"ann\" }\n");
    assert!(
        message.starts_with("`user`: expected a list of: table"),
        "{message}"
    );
}

#[test]
fn a_value_out_of_range_is_told() {
    // RFC 1123 4.1.3.2: an idle timeout is at least five minutes.
    let (.., message, _) = problem("[ftp]\nidle_timeout = 299\n");
    assert_eq!(
        message,
        "`ftp.idle_timeout`: must be from 300 to 604800, found the number 299"
    );
    problem("[ftp]\nidle_timeout = \"299s\"\n");
    problem("[limits]\nconnections = 0\n");
    problem("[limits]\nconnections = -1\n");
    problem("[data]\npassive_ports = \"0-10\"\n");
    let (.., hint) = problem("[data]\npassive_ports = \"51000-50000\"\n");
    assert_eq!(hint, "the range is empty; did you mean \"50000-51000\"?");
}

/// CVE-2021-40524: a limit is a positive number or not there; no number means "without a limit".
#[test]
fn cve_2021_40524_no_limit_is_zero_or_negative() {
    for line in [
        "[limits]\nper_account = -1",
        "[limits]\nper_account = 0",
        "[limits]\nper_address = -1",
        "[limits]\nunauthenticated = 0",
        "[anonymous]\nmax_sessions = -1",
        "[anonymous]\nupload_rate = -1",
        "[anonymous]\nupload_rate = 0",
        "[anonymous]\ndownload_rate = \"-1 MiB/s\"",
        "[rename]\ncopy_max = -1",
        "[hash]\nmax_bytes = -1",
        "[list]\nmax_entries = 0",
    ] {
        problem(&format!("{line}\n"));
    }
}

#[test]
fn what_is_no_toml_is_told_with_its_place() {
    let (line, column, ..) = problem("[ftp]\nstrict_crlf = \n");
    assert_eq!(line, 2);
    assert!(column > 1);
    let (line, ..) = problem("[ftp]\nuse = 1\nuse = 2\n");
    assert_eq!(line, 3);
}

#[test]
fn all_problems_are_told_at_once() {
    let all =
        problems("[ftp]\nx = 1\nstrict_crlf = 1\n[data]\nactive = 2\n[[user]]\nhome = \"/\"\n");
    assert_eq!(all.len(), 4, "{all:?}");
}

#[test]
fn contradictions_are_told_where_they_stand() {
    let user = |rest: &str| {
        format!("[[volume]]\nid = \"www\"\npath = \"w\"\n[[user]]\nname = \"ann\"\n{rest}")
    };
    let cases = [
        (
            "[server]\ngroup = \"wheel\"\n".to_owned(),
            2,
            "without `server.user`",
        ),
        ("[ftp]\nlisten = []\n".to_owned(), 2, "is empty"),
        (
            "[ftp]\nlisten = [\"0.0.0.0:1\", \"0.0.0.0:1\"]\n".to_owned(),
            2,
            "stands twice",
        ),
        ("[ftp]\nidle_max = 301\n".to_owned(), 2, "shorter than"),
        (
            "[ftp]\nmkd_exists_code = 551\n".to_owned(),
            2,
            "no reply to MKD",
        ),
        (
            "[ftp]\ngreeting = \"a\\rb\"\n".to_owned(),
            2,
            "control characters",
        ),
        (
            "[ftp]\ndisabled_commands = [\"SITE CHMOD\"]\n".to_owned(),
            2,
            "no FTP command",
        ),
        (
            "[lockout]\nlogin_delay = 20\n".to_owned(),
            0,
            "shorter than",
        ),
        (
            "[anonymous]\nenabled = true\n".to_owned(),
            2,
            "without `anonymous.root`",
        ),
        (
            "[anonymous]\nroot = \"/srv\"\n".to_owned(),
            2,
            "not enabled",
        ),
        (
            "[anonymous]\nenabled = true\nroot = \"/srv\"\nincoming = [\"/\"]\n".to_owned(),
            4,
            "the root itself",
        ),
        ("[[volume]]\nid = \"a\"\n".to_owned(), 2, "no `path`"),
        (
            "[[volume]]\nid = \"a\"\nkind = \"memory\"\npath = \"x\"\n".to_owned(),
            4,
            "no `path`",
        ),
        (
            "[[volume]]\nid = \"a\"\npath = \"x\"\nsize = 1\n".to_owned(),
            4,
            "no `size`",
        ),
        (
            "[[volume]]\nid = \"a\"\npath = \"x\"\n[[volume]]\nid = \"a\"\npath = \"y\"\n"
                .to_owned(),
            5,
            "two volumes",
        ),
        (user("password = \"x\"\n"), 5, "neither `home` nor `mounts`"),
        (
            user("password = \"x\"\nhome = \"h\"\nmounts = [{ path = \"/\", volume = \"www\" }]\n"),
            7,
            "both",
        ),
        (
            user("password = \"x\"\nmounts = [{ path = \"/\", volume = \"ww\" }]\n"),
            7,
            "no volume `ww`",
        ),
        (
            user(
                "password = \"x\"\nmounts = [\n{ path = \"/\", volume = \"www\" },\n{ path = \"/\", volume = \"www\" }]\n",
            ),
            9,
            "two volumes are mounted",
        ),
        (user("home = \"h\"\n"), 5, "no password"),
        (
            user("home = \"h\"\npassword = \"x\"\npassword_hash = \"!\"\n"),
            5,
            "more than one",
        ),
        (
            user(
                "home = \"h\"\npassword = \"x\"\n[[user]]\nname = \"ann\"\nhome = \"h\"\npassword = \"y\"\n",
            ),
            9,
            "two users",
        ),
        (
            user("home = \"h\"\npassword_file = \"missing\"\n"),
            7,
            "cannot read",
        ),
    ];
    for (text, at, part) in cases {
        let (line, _, message, hint) = problem(&text);
        assert!(message.contains(part), "{text}\n{message}");
        assert_eq!(line, at, "{text}\n{message}");
        assert!(!hint.is_empty(), "{text}");
    }
}

/// ProFTPD 2275 and 2279: an empty password is none, and what is not understood opens nothing.
#[test]
fn empty_and_unreadable_passwords_are_errors_and_are_not_shown_2275_2279() {
    for (field, value) in [
        ("password", ""),
        ("password_hash", ""),
        ("password_hash", "hunter2"),
        ("password_hash", "$6$cut$short"),
    ] {
        let text = format!("[[user]]\nname = \"ann\"\nhome = \"h\"\n{field} = \"{value}\"\n");
        let (line, _, message, hint) = problem(&text);
        assert_eq!(line, 4);
        assert!(
            value.is_empty() || !(message.contains(value) || hint.contains(value)),
            "{message} {hint}"
        );
    }
    let (.., message, _) = problem("[[user]]\nname = \"ann\"\nhome = \"h\"\npassword = 12345\n");
    assert!(!message.contains("12345"), "{message}");
    let locked =
        load_text("[[user]]\nname = \"ann\"\nhome = \"h\"\npassword_hash = \"!\"\n").unwrap();
    assert!(locked.accounts[0].password.lock().is_some());
}

#[test]
fn passwords_come_from_the_file_that_is_named() {
    let user = |file: &str| {
        format!("[[user]]\nname = \"ann\"\nhome = \"h\"\npassword_file = \"{file}\"\n")
    };
    let hashed = load_text(&user("secret")).unwrap();
    assert_eq!(hashed.accounts[0].password.scheme(), "md5-crypt");
    let plain = load_text(&user("word")).unwrap();
    assert!(plain.accounts[0].password.verify(b"open sesame"));
    let shown = format!("{plain:?}");
    assert!(!shown.contains("sesame"), "{shown}");
}

#[test]
fn names_with_control_characters_are_refused_cve_2025_47812() {
    let (.., message, hint) =
        problem("[[user]]\nname = \"ann\\u0000x\"\nhome = \"h\"\npassword = \"x\"\n");
    assert!(
        message.contains("account name") && hint.contains("control character"),
        "{message} {hint}"
    );
}

#[test]
fn grants_alone_leave_nothing_elsewhere() {
    let text = "[[user]]\nname = \"ann\"\nhome = \"h\"\npassword = \"x\"\ngrants = [{ path = \"/in\", rights = \"full\" }]\n";
    let config = load_text(text).unwrap();
    let grants = &config.accounts[0].grants;
    let inside = VirtualPath::parse(&VirtualPath::root(), b"/in/a").unwrap();
    assert_eq!(
        (grants.at(&VirtualPath::root()), grants.at(&inside)),
        (Rights::NONE, Rights::FULL)
    );
    let alone = load_text("[[user]]\nname = \"ann\"\nhome = \"h\"\npassword = \"x\"\n").unwrap();
    assert_eq!(alone.accounts[0].grants.at(&inside), Rights::FULL);
}

#[test]
fn units_dates_and_words_are_read() {
    let text = "[server]\nshutdown_grace = \"2m\"\n[data]\nstall_timeout = \"500 ms\"\npeer_check = \"net/24\"\n\
        [list]\nowners = \"fixed:ftp:users\"\n[hash]\nmax_bytes = \"1 GB\"\n[upload]\numask = \"077\"\n\
        [[user]]\nname = \"ann\"\nhome = \"h\"\npassword = \"x\"\nupload_rate = \"2 MiB/s\"\nexpires = 2000-02-29T23:59:59+01:00\n";
    let config = load_text(text).unwrap();
    assert_eq!(config.server.shutdown_grace, Duration::from_secs(120));
    assert_eq!(config.data.stall_timeout, Duration::from_millis(500));
    assert_eq!(config.data.peer_check, PeerCheck::Prefix { v4: 24, v6: 64 });
    assert_eq!(
        config.list.owners,
        Owners::Fixed {
            owner: "ftp".to_owned(),
            group: "users".to_owned()
        }
    );
    assert_eq!(
        (config.hash.max_bytes, config.upload.umask),
        (Bytes(1_000_000_000), Umask(0o077))
    );
    let account = &config.accounts[0];
    assert_eq!(account.limits.upload_rate, NonZeroU64::new(2 << 20));
    assert_eq!(account.expires, Some(951_865_199));
    for bad in ["umask = \"1000\"", "umask = \"9\"", "umask = 22"] {
        problem(&format!("[upload]\n{bad}\n"));
    }
    for bad in ["net/33", "net/24/200", "net/", "nearby"] {
        problem(&format!("[data]\npeer_check = \"{bad}\"\n"));
    }
    for bad in ["1.2.3", "-x y", "a..b", ""] {
        problem(&format!(
            "[data]\nexternal_address = [{{ network = \"0.0.0.0/0\", address = \"{bad}\" }}]\n"
        ));
    }
}

#[test]
fn relative_host_paths_are_meant_from_the_file() {
    let config = load_text("[[volume]]\nid = \"a\"\npath = \"data\"\n").unwrap();
    let VolumeStore::Local(path) = &config.volumes[0].store else {
        panic!("{:?}", config.volumes)
    };
    assert!(path.is_absolute() && path.ends_with("data"), "{path:?}");
    // The files of secrets of the other tests are found in the same way.
    load_text("[[user]]\nname = \"a\"\nhome = \"h\"\npassword_file = \"word\"\n").unwrap();
}

#[test]
fn the_environment_overrides_the_file() {
    let variables = [
        ("WHARF_FTP_LISTEN", "127.0.0.1:2121, [::1]:2121"),
        ("WHARF_FTP_GREETING", "42"),
        ("WHARF_FTP_STRICT_CRLF", "true"),
        ("WHARF_DATA_PASSIVE_PORTS", "50000-50010"),
        (
            "WHARF_DATA_EXTERNAL_ADDRESS",
            "[{ network = \"0.0.0.0/0\", address = \"203.0.113.7\" }]",
        ),
        ("WHARF_SERVER_SHUTDOWN_GRACE", "5s"),
        ("WHARF_LIMITS_CONNECTIONS", "7"),
        ("WHARF_PROXY_NETWORKS", ""),
        ("WHARF_SUBJECT", "somebody else's"),
        ("STATE_DIRECTORY", "/var/lib/wharf:/other"),
    ];
    let config = load_with(
        "[ftp]\nlisten = [\"0.0.0.0:21\"]\nstrict_crlf = false\n",
        &variables,
    )
    .unwrap();
    assert_eq!(
        config
            .ftp
            .listen
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>(),
        ["127.0.0.1:2121", "[::1]:2121"]
    );
    assert_eq!(config.ftp.greeting, "42");
    assert!(config.ftp.strict_crlf);
    assert_eq!(config.data.passive_ports, 50000..=50010);
    let address = AddressOrHost::Address(normalised("203.0.113.7".parse().unwrap()));
    assert_eq!(config.data.external_address[0].address, address);
    assert_eq!(config.server.shutdown_grace, Duration::from_secs(5));
    assert_eq!(config.limits.connections, 7);
    assert_eq!(config.state_dir, Path::new("/var/lib/wharf"));
}

#[test]
fn a_wrong_variable_is_told_by_its_name() {
    for (variable, value, part) in [
        (
            "WHARF_FTP_IDLE_TIMOUT",
            "900",
            "unknown key `ftp.idle_timout`",
        ),
        ("WHARF_FTP_IDLE_TIMEOUT", "3", "must be from 300"),
        ("WHARF_FTP_IDLE_TIMEOUT", "soon", "expected a duration"),
        ("WHARF_FTP_LISTEN", "here", "expected address and port"),
        ("WHARF_USER_NAME", "ann", "cannot be set by a variable"),
    ] {
        let Err(ConfigError::Invalid(problems)) = load_with("", &[(variable, value)]) else {
            panic!("{variable}")
        };
        let shown = problems
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join("\n");
        assert!(
            shown.starts_with(&format!("environment variable {variable}: ")),
            "{shown}"
        );
        assert!(shown.contains(part), "{shown}");
    }
}

#[test]
fn a_file_that_cannot_be_read_is_told() {
    let missing = Path::new("/nonexistent/wharf.toml");
    let Err(error) = load(Some(missing), &env(&[])) else {
        panic!("there is no such file")
    };
    assert!(
        error.to_string().contains("/nonexistent/wharf.toml"),
        "{error}"
    );
}

#[test]
fn keys_that_need_a_restart_are_told_by_name() {
    let old = load_text("").unwrap();
    let new = load_text(
        "[ftp]\nlisten = [\"0.0.0.0:21\"]\nidle_timeout = 600\n[server]\nlog_level = \"debug\"\n",
    )
    .unwrap();
    assert_eq!(
        old.restart_changes(&new),
        ["server.log_level", "ftp.listen"]
    );
    assert!(old.restart_changes(&old).is_empty());
}
