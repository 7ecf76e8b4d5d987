//! What the compiler cannot forbid: words in the wrong room.

use wharf_architecture_tests::{Source, product};

/// Asserts that none of `words` stands in the code of the sources that `choose` takes.
fn never(choose: impl Fn(&Source) -> bool, words: &[&str], why: &str) {
    let sources: Vec<_> = product().into_iter().filter(choose).collect();
    assert!(!sources.is_empty(), "no file was looked at");
    let mut found = Vec::new();
    for source in &sources {
        for (number, line) in source.code() {
            for word in words.iter().filter(|word| has_word(line, word)) {
                found.push(format!("{}:{number}: `{word}`", source.path));
            }
        }
    }
    assert!(found.is_empty(), "{why}\n{}", found.join("\n"));
}

/// Whether `word` stands in `line` and is no part of a longer identifier.
fn has_word(line: &str, word: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        let open = word.starts_with(part) && before.is_some_and(part);
        let shut = word.ends_with(part) && after.is_some_and(part);
        !open && !shut
    })
}

#[test]
fn the_protocol_crate_does_no_io() {
    never(
        |source| source.path.starts_with("crates/wharf-proto/"),
        &[
            "tokio",
            "std::fs",
            "std::env",
            "std::process",
            "std::thread",
            "std::io",
            "TcpStream",
            "TcpListener",
            "UdpSocket",
            "Instant::now",
            "SystemTime::now",
            "rand",
            "getrandom",
            "rustix",
            "println!",
            "async fn",
        ],
        "wharf-proto is pure: bytes in, bytes out",
    );
}

#[test]
fn the_middle_floors_know_no_protocol() {
    let middle = |source: &Source| {
        [
            "wharf-vfs",
            "wharf-transfer",
            "wharf-accounts",
            "wharf-engine",
        ]
        .iter()
        .any(|name| source.path.starts_with(&format!("crates/{name}/")))
    };
    never(
        middle,
        &[
            "wharf_proto",
            "STOR",
            "RETR",
            "APPE",
            "STOU",
            "MLSD",
            "MLST",
            "NLST",
            "RNFR",
            "RNTO",
            "PASV",
            "EPSV",
            "EPRT",
            "ABOR",
            "\"150",
            "\"226",
            "\"425",
            "\"426",
            "\"450",
            "\"500",
            "\"530",
            "\"550",
            "\"553",
            "SSH_FX",
            "RRQ",
            "WRQ",
        ],
        "what a protocol says stands in wharf-proto; what the middle floors do has no protocol",
    );
}

#[test]
fn front_ends_take_no_socket_words_into_the_engine_of_the_client() {
    never(
        |source| source.path.starts_with("crates/wharf-client/"),
        &["wharf_engine", "wharf_ftp", "wharf_accounts"],
        "the client wing stands beside the server wing",
    );
}

#[test]
fn nothing_is_unsafe() {
    never(
        |_| true,
        &["unsafe"],
        "unsafe code is forbidden in the whole workspace",
    );
    let manifest =
        std::fs::read_to_string(wharf_architecture_tests::root().join("Cargo.toml")).unwrap();
    assert!(
        manifest.contains("unsafe_code = \"forbid\""),
        "the lint is gone from the workspace"
    );
}

#[test]
fn no_sql_and_no_command_lines_outside_their_rooms() {
    never(
        |source| !source.path.starts_with("crates/wharf-accounts/"),
        &["rusqlite", "SELECT ", "INSERT INTO"],
        "SQL stays behind the account directory",
    );
    never(
        |source| !source.path.starts_with("crates/wharf/"),
        &["Command::new", "toml_edit", "clap"],
        "no system command is run for a peer; the command line and TOML are the binary's",
    );
}

/// CVE-2025-24366 (options for rsync from a client), CVE-2024-52309 (programs run by a rule): what
/// cannot start a program cannot be talked into it.
#[test]
fn cve_2025_24366_cve_2024_52309_no_program_is_ever_run() {
    never(
        |_| true,
        &[
            "Command::new",
            "process::Command",
            "process::{Command",
            "tokio::process",
            "posix_spawn",
            "execve",
        ],
        "the product runs no other program, for nobody",
    );
}

/// CVE-2024-52801: ports, salts, keys and invented passwords come from the system's generator. Names
/// of new files (`wharf-vfs`) are no secrets: they only have to differ.
#[test]
fn cve_2024_52801_what_must_not_be_guessed_comes_from_the_system() {
    never(
        |source| !source.path.starts_with("crates/wharf-vfs/"),
        &[
            "rand",
            "fastrand",
            "RandomState",
            "DefaultHasher",
            "SmallRng",
        ],
        "what must not be guessed is `getrandom`'s",
    );
}

/// ProFTPD 2188, CVE-2026-44331: names that a peer's resolver makes up are never asked for.
#[test]
fn proftpd_2188_no_peer_is_looked_up_by_its_address() {
    never(
        |_| true,
        &[
            "lookup_addr",
            "getnameinfo",
            "dns_lookup",
            "hickory_resolver",
        ],
        "peers are addresses; reverse DNS is hostile input",
    );
}

#[test]
fn lints_are_expected_with_a_reason_and_never_allowed() {
    never(
        |_| true,
        &["#[allow(", "#![allow("],
        "`#[expect(lint, reason = \"...\")]` only",
    );
}

#[test]
fn nothing_is_left_undone() {
    never(
        |_| true,
        &["todo!", "unimplemented!", "dbg!", "FIXME", "XXX"],
        "no stubs",
    );
}

#[test]
fn words_are_found_whole() {
    assert!(
        has_word("use rand::Rng;", "rand")
            && !has_word("operand", "rand")
            && !has_word("random", "rand")
    );
    assert!(has_word("write(\"226 ok\")", "\"226"));
}
