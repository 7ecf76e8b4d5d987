//! What is read of `~/.ssh/config`.

use std::collections::HashMap;

use super::*;

/// Files by their path.
#[derive(Default)]
struct Files(HashMap<PathBuf, String>);

impl Source for Files {
    fn files(&self, pattern: &Path) -> Vec<(PathBuf, String)> {
        let text = self.0.get(pattern);
        text.map(|text| (pattern.to_owned(), text.clone()))
            .into_iter()
            .collect()
    }
}

fn read_with(host: &str, texts: &[&str], files: &Files) -> Values {
    let mut reader = Reader::new(host, Some(Path::new("/home/ann")), files);
    for text in texts {
        reader.read(Path::new("/home/ann/.ssh/config"), text);
    }
    reader.values
}

fn read(host: &str, text: &str) -> Values {
    read_with(host, &[text], &Files::default())
}

#[test]
fn first_value_wins_over_later_blocks_and_files() {
    let text = "Host a\n  User one\nHost *\n  User two\n  Port 2022\n";
    let found = read_with(
        "a",
        &[text, "User three\nPort 1\nHostName real"],
        &Files::default(),
    );
    assert_eq!(found.user.as_deref(), Some("one"));
    assert_eq!(found.port, Some(2022));
    assert_eq!(found.host_name.as_deref(), Some("real"));
    assert_eq!(read("b", text).user.as_deref(), Some("two"));
}

#[test]
fn key_files_add_up() {
    let found = read(
        "a",
        "IdentityFile ~/.ssh/one\nHost a\nIdentityFile \"/two words\" # why\n",
    );
    assert_eq!(found.identities, ["~/.ssh/one", "/two words"]);
}

#[test]
fn host_lines_take_wildcards_and_negation() {
    let text = "Host *.example.org !bad.example.org\nUser ann\n";
    assert_eq!(read("x.example.org", text).user.as_deref(), Some("ann"));
    assert_eq!(read("bad.example.org", text).user, None);
    assert_eq!(read("example.org", text).user, None);
}

#[test]
fn keywords_are_read_in_every_spelling() {
    for text in [
        "hOsTnAmE=real",
        "HostName = real",
        "HostName=\"real\"",
        "\tHostName\treal\r",
        "HostName 'real'",
    ] {
        assert_eq!(read("a", text).host_name.as_deref(), Some("real"), "{text}");
    }
    assert_eq!(read("a", "#User x\n\n   # User y\n").user, None);
}

#[test]
fn match_all_holds_and_other_matches_are_told() {
    let found = read("a", "Match exec \"true\"\nUser bad\nMatch all\nUser good\n");
    assert_eq!(found.user.as_deref(), Some("good"));
    assert_eq!(found.notes.len(), 1);
    assert!(found.notes[0].contains("config:1"), "{:?}", found.notes);
}

#[test]
fn included_file_is_read_in_place_and_ends_with_its_own_blocks() {
    let mut files = Files::default();
    files.0.insert(
        "/home/ann/.ssh/more".into(),
        "Host b\nUser inner\nHost a\nPort 7\n".into(),
    );
    let text = "Host a\nInclude more\nUser outer\nHost c\nInclude more\n";
    let found = read_with("a", &[text], &files);
    assert_eq!(
        (found.user.as_deref(), found.port),
        (Some("outer"), Some(7))
    );
    // The include stands in a block that is not for this host.
    assert_eq!(read_with("b", &[text], &files), Values::default());
}

#[test]
fn file_that_includes_itself_ends() {
    let mut files = Files::default();
    files.0.insert(
        "/home/ann/.ssh/loop".into(),
        "Include loop\nUser x\n".into(),
    );
    let found = read_with("a", &["Include loop"], &files);
    assert_eq!(found.user.as_deref(), Some("x"));
    assert!(found.notes.iter().any(|note| note.contains("too deeply")));
}

#[test]
fn whichever_of_jump_and_command_stands_first_holds() {
    let found = read("a", "ProxyJump none\nProxyCommand nc %h %p\n");
    assert_eq!(
        (found.jump.as_deref(), found.proxy_command),
        (Some("none"), None)
    );
    let found = read("a", "ProxyCommand nc %h %p\nProxyJump b\n");
    assert_eq!(found.proxy_command.as_deref(), Some("nc %h %p"));
    assert_eq!(found.jump, None);
}

#[test]
fn nonsense_is_told_with_file_and_line_and_changes_nothing() {
    let found = read("a", "Port none\nIdentitiesOnly maybe\nUser\nPort 22\n");
    assert_eq!((found.port, found.identities_only), (Some(22), None));
    assert_eq!(found.notes.len(), 3);
    assert!(found.notes[0].ends_with("config:1: port: expected a number from 1 to 65535"));
    assert_eq!(read("a", "RevokedHostKeys /x").notes.len(), 1);
    assert_eq!(read("a", "ForwardX11 yes").notes, Vec::<String>::new());
}

/// SFT-82: no way leads to accepting a changed key.
#[test]
fn strict_checking_that_is_off_accepts_new_hosts_only() {
    let found = read("a", "StrictHostKeyChecking no");
    assert_eq!(found.unknown_hosts, Some(UnknownHosts::Accept));
    let found = read("a", "StrictHostKeyChecking yes");
    assert_eq!(found.unknown_hosts, Some(UnknownHosts::Refuse));
}

#[test]
fn tokens_and_home_are_expanded() {
    let tokens = Tokens {
        host: "real",
        named: "alias",
        port: 2022,
        remote_user: "bob",
        local_user: "ann",
        home: Some(Path::new("/home/ann")),
    };
    assert_eq!(
        tokens.expand("%h-%n-%p-%r-%u-%d-%%").as_deref(),
        Some("real-alias-2022-bob-ann-/home/ann-%")
    );
    assert_eq!(tokens.path("~/.ssh/%h"), Some("/home/ann/.ssh/real".into()));
    assert_eq!(tokens.path("~bob/x"), None);
    assert_eq!((tokens.expand("%C"), tokens.expand("%")), (None, None));
}

proptest::proptest! {
    #[test]
    fn no_text_panics(text in "([ \\t\"'#=%~\\\\\\n\\r!*?,a-zA-Zäß]|Host |Match |Include |Port ){0,80}") {
        read("a", &text);
    }

    #[test]
    fn words_are_found_again(words_in in proptest::collection::vec("[a-z/ #=%~]{1,8}", 0..5)) {
        let quoted: Vec<String> = words_in.iter().map(|word| format!("\"{word}\"")).collect();
        proptest::prop_assert_eq!(words(&quoted.join(" ")), words_in);
    }
}
