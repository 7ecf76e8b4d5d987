//! Runs the golden transcripts (`transcripts/README.txt` tells their form) against the machine.

use std::{net::SocketAddr, path::Path};

use super::*;
use crate::ftp::time::FtpTime;

macro_rules! transcripts {
    ($($test:ident = $file:literal;)*) => {
        $(#[test]
        fn $test() {
            run(include_str!(concat!("../transcripts/", $file, ".txt")));
        })*

        const FILES: &[&str] = &[$($file),*];
    };
}

transcripts! {
    t_01_login_listing_retrieval = "t01_login_listing_retrieval";
    t_02_wrong_order_and_errors = "t02_wrong_order_and_errors";
    t_03_abort = "t03_abort";
    t_07_facts_and_times = "facts_and_times";
    rpl_30_commands_sent_ahead = "pipelining";
    cve_2020_9273_status_and_abort_in_a_transfer = "status_during_transfer";
    dat_46_restart_offsets = "restart";
    rename_needs_its_two_commands_in_a_row = "rename";
    proftpd_2141_epsv_all_survives_an_abort = "epsv_all";
    rpl_39_logins = "login";
    rein_waits_for_the_transfer = "reinitialize_in_transfer";
    cve_2021_3618_cross_protocol = "cross_protocol";
    rpl_08_tls_on_a_plain_port = "tls_on_plain_port";
    rpl_10_telnet = "telnet";
    feat_and_help_list_what_is_wired = "help_and_features";
    rpl_40_idle_timeout = "idle_timeout";
    login_timeout = "login_timeout";
    rpl_09_events_are_masked = "events";
    cve_2024_48208_names_forge_no_reply = "reply_injection";
    tls_01_explicit = "tls_explicit";
    tls_61_wrong_order = "tls_wrong_order";
    tls_20_and_22_required_for_all = "tls_required";
    tls_21_required_for_data = "tls_required_for_data";
    tls_65_implicit = "tls_implicit";
    tls_40_to_43_clear_command_channel = "tls_clear_command_channel";
    tls_44_rein_ends_tls = "tls_reinitialize";
    tls_09_certificates = "tls_certificate";
    cve_2011_1575_what_is_sent_ahead_of_the_handshake = "tls_injection";
    tls_12_auth_logs_out = "tls_after_login";
    tls_23_33_and_35_refusals_of_the_session = "tls_data_connection";
}

#[test]
fn every_transcript_is_run() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/ftp/server/transcripts");
    let mut found: Vec<String> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| {
            entry
                .unwrap()
                .path()
                .file_stem()
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned()
        })
        .filter(|name| name != "README")
        .collect();
    found.sort();
    let mut expected = FILES.to_vec();
    expected.sort_unstable();
    assert_eq!(found, expected);
}

struct Run {
    server: Server,
    now: Instant,
    /// What is left of the server's last write.
    batch: Vec<u8>,
    /// What the client has not sent yet.
    unsent: Vec<u8>,
}

fn run(text: &str) {
    let mut settings = Settings::default();
    let mut implicit = false;
    for line in text.lines() {
        match line.strip_prefix("% ") {
            Some("anonymous") => settings.anonymous = true,
            Some("tls") => settings.tls.offered = true,
            Some("ccc") => settings.tls.ccc = true,
            Some("implicit") => implicit = true,
            Some("require data") => settings.tls.require = RequireTls::Data,
            Some("require both") => settings.tls.require = RequireTls::Both,
            Some("events") => settings.command_events = true,
            Some(other) => {
                if let Some(verb) = other.strip_prefix("disable ") {
                    settings.disabled =
                        settings.disabled.with(Verb::find(verb.as_bytes()).unwrap());
                }
            }
            None => {}
        }
    }
    let now = origin();
    let new = if implicit {
        Server::implicit
    } else {
        Server::new
    };
    let mut run = Run {
        server: new(Arc::new(settings), now),
        now,
        batch: Vec::new(),
        unsent: Vec::new(),
    };
    run.server.greet(now);
    for (index, line) in text.lines().enumerate() {
        run.line(index + 1, line);
    }
    run.send();
    assert_eq!(
        run.server.poll_action(),
        None,
        "an action is left at the end"
    );
    assert!(
        run.batch.is_empty() && written(&mut run.server).is_empty(),
        "a reply is left at the end"
    );
}

impl Run {
    fn line(&mut self, number: usize, line: &str) {
        let (kind, rest) = line.split_once(' ').unwrap_or((line, ""));
        if kind != "C:" {
            self.send();
        }
        match kind {
            "#" | "" => {}
            "%" if rest == "login" => {
                self.server
                    .handle_input(self.now, b"USER anna\r\nPASS secret\r\n");
                assert!(matches!(
                    self.server.poll_action(),
                    Some(Action::Authenticate { .. })
                ));
                let message = String::new();
                self.server
                    .handle_outcome(self.now, Outcome::LoggedIn { message });
                written(&mut self.server);
            }
            "%" => {}
            "~" => match rest {
                "started" => self.server.tls_started(self.now, false),
                "started certificate" => self.server.tls_started(self.now, true),
                "ended" => self.server.tls_ended(self.now),
                other => panic!("line {number}: what is {other:?}?"),
            },
            "@" => {
                self.now += Duration::from_secs(rest.parse().unwrap());
                let due = self
                    .server
                    .poll_timeout()
                    .is_some_and(|deadline| deadline <= self.now);
                if due {
                    self.server.handle_timeout(self.now);
                }
            }
            "C:" => {
                let (text, end) = rest
                    .strip_suffix("\\c")
                    .map_or((rest, "\r\n"), |text| (text, ""));
                self.unsent.extend(bytes(text));
                self.unsent.extend_from_slice(end.as_bytes());
            }
            "S:" => {
                if self.batch.is_empty() {
                    self.server.poll_transmit(&mut self.batch);
                }
                let end = self
                    .batch
                    .windows(2)
                    .position(|pair| pair == b"\r\n")
                    .map_or(self.batch.len(), |at| at + 2);
                let reply: Vec<u8> = self.batch.drain(..end).collect();
                let reply = reply.strip_suffix(b"\r\n").unwrap_or(&reply);
                assert_eq!(shown(reply), shown(&bytes(rest)), "line {number}");
            }
            "--" => assert!(
                self.batch.is_empty(),
                "line {number}: the write goes on: {}",
                shown(&self.batch)
            ),
            "!" => {
                let action = self.server.poll_action().map(|action| action_text(&action));
                assert_eq!(action.as_deref(), Some(rest), "line {number}");
            }
            "<" => self.server.handle_outcome(self.now, outcome(rest)),
            other => panic!("line {number}: what is {other:?}?"),
        }
    }

    fn send(&mut self) {
        if !self.unsent.is_empty() {
            self.server
                .handle_input(self.now, &std::mem::take(&mut self.unsent));
        }
    }
}

/// Undoes `\xNN` and `\\`.
fn bytes(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        match (byte, rest) {
            (b'\\', [b'x', high, low, tail @ ..]) => {
                let digits = [*high, *low];
                out.push(u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap());
                rest = tail;
            }
            (b'\\', [b'\\', tail @ ..]) => {
                out.push(b'\\');
                rest = tail;
            }
            _ => out.push(byte),
        }
    }
    out
}

fn shown(bytes: &[u8]) -> String {
    bytes
        .iter()
        .map(|&byte| match byte {
            b' '..=b'~' => char::from(byte).to_string(),
            byte => format!("\\x{byte:02x}"),
        })
        .collect()
}

fn listed(facts: FactSet) -> String {
    let mut out = Vec::new();
    facts.encode(&mut out);
    String::from_utf8(out).unwrap()
}

fn option_text(options: &ListOptions) -> String {
    let flags = [
        (options.all, " all"),
        (options.long, " long"),
        (options.reverse, " reverse"),
    ];
    flags
        .into_iter()
        .filter(|(on, _)| *on)
        .map(|(_, name)| name)
        .collect()
}

fn action_text(action: &Action) -> String {
    let name = |path: &crate::ftp::Pathname| match path.as_bytes() {
        b"" => "-".to_owned(),
        path => shown(path),
    };
    match action {
        Action::Authenticate { user, password } => {
            format!("Authenticate {} {}", shown(user), shown(password))
        }
        Action::IdentifyByCertificate { user } => {
            format!("IdentifyByCertificate {}", shown(user))
        }
        Action::ChangeDirectory(path) => format!("ChangeDirectory {}", name(path)),
        Action::MakeDirectory(path) => format!("MakeDirectory {}", name(path)),
        Action::RenameFrom(path) => format!("RenameFrom {}", name(path)),
        Action::Rename { from, to } => format!("Rename {} {}", name(from), name(to)),
        Action::SetActive(address) => format!("SetActive {address}"),
        Action::OpenPassive { extended: None } => "OpenPassive".to_owned(),
        Action::OpenPassive {
            extended: Some(None),
        } => "OpenPassive extended".to_owned(),
        Action::OpenPassive {
            extended: Some(Some(family)),
        } => format!("OpenPassive extended {family}"),
        Action::Retrieve {
            path,
            offset,
            representation,
        } => {
            format!("Retrieve {} {offset} {representation:?}", name(path))
        }
        Action::Store {
            path,
            placement,
            representation,
            announced,
        } => {
            let announced =
                announced.map_or(String::new(), |octets| format!(" announced {octets}"));
            format!(
                "Store {} {placement:?} {representation:?}{announced}",
                name(path)
            )
        }
        Action::List {
            path,
            style,
            options,
        } => {
            let style = match style {
                ListStyle::Facts(_) => "Facts".to_owned(),
                style => format!("{style:?}"),
            };
            format!("List {} {style}{}", name(path), option_text(options))
        }
        Action::StatPath { path, options } => {
            format!("StatPath {}{}", name(path), option_text(options))
        }
        Action::Facts { path, facts } => format!("Facts {} {}", name(path), listed(*facts)),
        Action::Size {
            path,
            representation,
        } => format!("Size {} {representation:?}", name(path)),
        Action::ModificationTime(path) => format!("ModificationTime {}", name(path)),
        Action::ModificationTimeOrSet { time, path, .. } => {
            format!(
                "ModificationTimeOrSet {} {}",
                name(path),
                shown(&time.digits())
            )
        }
        Action::SetModificationTime { path, time } => {
            format!(
                "SetModificationTime {} {}",
                name(path),
                shown(&time.digits())
            )
        }
        Action::Hash {
            path,
            algorithm,
            start,
            end,
        } => {
            let end = end.map_or(String::new(), |end| format!(" {end}"));
            format!("Hash {} {algorithm:?} {start}{end}", name(path))
        }
        Action::Allocate { octets } => format!("Allocate {octets}"),
        Action::ChangeMode { path, mode } => format!("ChangeMode {} {mode:?}", name(path)),
        Action::Umask(mask) => format!("Umask {}", mask.unwrap_or_default()),
        Action::IdleLimit(seconds) => format!("IdleLimit {}", seconds.unwrap_or_default()),
        Action::ClientName(client) => format!("ClientName {}", shown(client)),
        Action::CommandSeen { verb, argument } => format!("CommandSeen {verb} {}", shown(argument)),
        Action::Close(reason) => format!("Close {reason:?}"),
        plain => format!("{plain:?}"),
    }
}

fn outcome(text: &str) -> Outcome {
    let (kind, rest) = text.split_once(' ').unwrap_or((text, ""));
    let (first, others) = rest.split_once(' ').unwrap_or((rest, ""));
    let refusal = || Refusal {
        reason: reason(first),
        name: bytes(others),
        detail: String::new(),
    };
    match kind {
        "Done" => Outcome::Done,
        "Superfluous" => Outcome::Superfluous,
        "LoggedIn" => Outcome::LoggedIn {
            message: rest.to_owned(),
        },
        "PasswordNeeded" => Outcome::PasswordNeeded,
        "LoginInClear" => Outcome::LoginRefused(LoginRefusal::InClear),
        "LoginIncorrect" => Outcome::LoginRefused(LoginRefusal::Incorrect),
        "Path" => Outcome::Path(bytes(rest)),
        "Number" => Outcome::Number(rest.parse().unwrap()),
        "Time" => Outcome::Time(FtpTime::parse(rest.as_bytes()).unwrap()),
        "Facts" => Outcome::Facts {
            facts: bytes(first),
            path: bytes(others),
        },
        "Lines" => Outcome::Lines {
            lines: vec![bytes(rest)],
            directory: true,
            truncated: false,
        },
        "Status" => Outcome::Status(Status {
            peer: "192.0.2.7".to_owned(),
            user: first.to_owned(),
            transfer: others
                .split_once(' ')
                .map(|(octets, seconds)| (octets.parse().unwrap(), seconds.parse().unwrap())),
            lines: Vec::new(),
        }),
        "Digest" => {
            let (start, end) = others.split_once(' ').unwrap();
            Outcome::Digest {
                hex: first.to_owned(),
                start: start.parse().unwrap(),
                end: end.parse().unwrap(),
            }
        }
        "Passive" => Outcome::Passive(rest.parse::<SocketAddr>().unwrap()),
        "ForeignAddress" => Outcome::DataRefused(DataRefusal::ForeignAddress {
            named: first.parse().unwrap(),
            peer: others.parse().unwrap(),
        }),
        "LowPort" => Outcome::DataRefused(DataRefusal::LowPort(rest.parse().unwrap())),
        "Family" => Outcome::DataRefused(DataRefusal::Family { usable: &[2] }),
        "NoPort" => Outcome::DataRefused(DataRefusal::NoPort),
        "NotSetUp" => Outcome::DataRefused(DataRefusal::NotSetUp),
        "Refused" => Outcome::Refused(refusal()),
        "Started" => Outcome::Started(Started {
            name: bytes(first),
            size: others.parse().ok(),
        }),
        "Complete" => Outcome::Finished(Finished::Complete {
            octets: first.parse().unwrap(),
            note: others.to_owned(),
        }),
        "NoConnection" => Outcome::Finished(Finished::NoConnection(rest.to_owned())),
        "Broken" => Outcome::Finished(Finished::Broken(rest.to_owned())),
        "TlsFailed" => Outcome::Finished(Finished::TlsFailed(rest.to_owned())),
        "NotResumed" => Outcome::Finished(Finished::NotResumed),
        "Aborted" => Outcome::Finished(Finished::Aborted),
        "Failed" => Outcome::Finished(Finished::Failed(refusal())),
        other => panic!("no such outcome: {other}"),
    }
}

fn reason(text: &str) -> Reason {
    match text {
        "NotFound" => Reason::NotFound,
        "Exists" => Reason::Exists,
        "NotADirectory" => Reason::NotADirectory,
        "IsADirectory" => Reason::IsADirectory,
        "Denied" => Reason::Denied,
        "NoSpace" => Reason::NoSpace,
        "OverQuota" => Reason::OverQuota,
        "Busy" => Reason::Busy,
        "BadRestart" => Reason::BadRestart,
        "TooLarge" => Reason::TooLarge,
        other => panic!("no such reason: {other}"),
    }
}
