//! Command lines as clients write them, and as attackers do.

use crate::scp::{
    Command, Hash, Helper, Operand, Refusal, SinkCommand, SourceCommand, Wanted, command::parse,
    quote,
};

fn sink(line: &str) -> SinkCommand {
    match parse(line.as_bytes()) {
        Ok(Command::Sink(command)) => command,
        other => panic!("{line}: {other:?}"),
    }
}

fn source(line: &str) -> SourceCommand {
    match parse(line.as_bytes()) {
        Ok(Command::Source(command)) => command,
        other => panic!("{line}: {other:?}"),
    }
}

fn refusal(line: &[u8]) -> Refusal {
    parse(line).unwrap_err()
}

fn literal(path: &[u8]) -> Operand {
    Operand {
        path: path.to_vec(),
        pattern: None,
    }
}

/// SCP-01, INT-31, INT-39.
#[test]
fn options_are_read_combined_apart_and_oddly_spaced() {
    let all = SinkCommand {
        recursive: true,
        preserve: true,
        directory: true,
        target: b"x".to_vec(),
    };
    for line in [
        "scp -r -p -d -t x",
        "scp -v -rpdt x",
        "/usr/bin/scp -rp  -d\t-qt -- x ",
        "  scp -C -B -1 -4 -rpdt x",
    ] {
        assert_eq!(sink(line), all, "{line}");
    }
    let plain = SinkCommand {
        target: b"x".to_vec(),
        ..SinkCommand::default()
    };
    assert_eq!(sink("scp -t x"), plain);
    assert!(source("scp -r -f x").recursive && source("scp -p -f x").preserve);
}

/// SCP-01.
#[test]
fn exactly_one_of_sink_and_source_is_needed() {
    for line in ["scp x", "scp -t -f x", "scp", "scp -v"] {
        assert_eq!(refusal(line.as_bytes()), Refusal::Mode, "{line}");
    }
    assert_eq!(
        refusal(b"scp -t x -f"),
        Refusal::Paths,
        "after a path: a path"
    );
}

/// SCP-01.
#[test]
fn an_unknown_option_is_refused_with_a_message_and_status_1() {
    for line in [
        b"scp -t -x y".as_slice(),
        b"scp -tS x",
        b"scp --help",
        b"scp -o a -t x",
    ] {
        let refusal = refusal(line);
        assert_eq!(refusal, Refusal::UnknownOption);
        assert_eq!(refusal.exit_status(), 1);
        assert!(refusal.is_for_scp());
        assert_eq!(refusal.to_string(), "scp: unknown option");
    }
}

/// SCP-02; section 3 of the specification: `scp -t -- -x`, `scp -t 'a b'`.
#[test]
fn a_sink_takes_one_path_and_a_source_one_or_more() {
    assert_eq!(sink("scp -t -- -x").target, b"-x");
    assert_eq!(sink("scp -t 'a b'").target, b"a b");
    assert_eq!(sink("scp -t ''").target, b"");
    for line in ["scp -t", "scp -t a b", "scp -f", "scp -t --"] {
        assert_eq!(refusal(line.as_bytes()), Refusal::Paths, "{line}");
    }
    assert_eq!(
        source("scp -f a 'b c' -- -d").paths,
        [
            literal(b"a"),
            literal(b"b c"),
            literal(b"--"),
            literal(b"-d")
        ]
    );
}

/// SCP-02: old clients rely on the remote shell for patterns and home.
#[test]
fn unquoted_patterns_and_tildes_are_kept_apart_from_quoted_ones() {
    let pattern = |line: &str| source(line).paths[0].pattern.clone();
    assert_eq!(pattern("scp -f *.txt").unwrap(), b"*.txt");
    assert_eq!(pattern("scp -f '*.txt'"), None);
    assert_eq!(pattern("scp -f a\\*b*").unwrap(), b"a\\*b*");
    assert_eq!(pattern("scp -f \"[\"a?").unwrap(), b"\\[a?");
    assert_eq!(source("scp -f '*.txt'").paths, [literal(b"*.txt")]);
    for (line, path) in [
        ("scp -t ~", b"".as_slice()),
        ("scp -t ~/", b""),
        ("scp -t ~//a", b"a"),
        ("scp -t ~/'a b'", b"a b"),
        ("scp -t '~'", b"~"),
        ("scp -t \\~/a", b"~/a"),
        ("scp -t ~bob", b"~bob"),
        ("scp -t a~", b"a~"),
    ] {
        assert_eq!(sink(line).target, path, "{line}");
    }
    assert_eq!(pattern("scp -f ~/*").unwrap(), b"*");
}

/// SFT-71.
#[test]
fn quotes_are_read_as_a_shell_reads_them() {
    for (line, path) in [
        (r"scp -t 'a'\''b'", b"a'b".as_slice()),
        (
            r#"scp -t "a \"b\" \$c \`d\` \\ \e""#,
            b"a \"b\" $c `d` \\ \\e",
        ),
        (r"scp -t a\ b\;c", b"a b;c"),
        ("scp -t 'a\nb;$c'", b"a\nb;$c"),
        (r#"scp -t a'b'"c"d"#, b"abcd"),
        ("scp -t 'gr\u{fc}n #1 (2)'", "grün #1 (2)".as_bytes()),
    ] {
        assert_eq!(sink(line).target, path, "{line}");
    }
    for line in ["scp -t 'a", "scp -t \"a", "scp -t a\\", "scp -t \"a\\"] {
        assert_eq!(refusal(line.as_bytes()).exit_status(), 127, "{line}");
    }
}

/// SFT-71, CVE-2020-15778: nothing that only a shell could act on is guessed at.
#[test]
fn what_only_a_shell_could_do_is_refused_with_127() {
    for line in [
        "scp -t a;id",
        "scp -t a; id",
        "scp -t `id`",
        "scp -t $(id)",
        "scp -t \"$(id)\"",
        "scp -t \"`id`\"",
        "scp -t $HOME",
        "scp -t a | sh",
        "scp -t a > b",
        "scp -t a < b",
        "scp -t a && id",
        "scp -t a\nid",
        "scp -t a\\\nid",
        "md5sum x; id",
        "echo ${ShellId}%ComSpec%",
    ] {
        let refusal = refusal(line.as_bytes());
        assert!(matches!(refusal, Refusal::Quote(_)), "{line}: {refusal:?}");
        assert_eq!(refusal.exit_status(), 127, "{line}");
        assert!(!refusal.is_for_scp());
    }
    assert_eq!(refusal(b"scp -t a\0b").exit_status(), 127);
    assert_eq!(
        refusal(&vec![b'a'; quote::LINE_LIMIT + 1]).exit_status(),
        127
    );
}

/// INT-32: who wants a shell is told of SFTP by name.
#[test]
fn every_other_command_is_refused_with_127_and_a_sentence() {
    for line in [
        "",
        " ",
        "id",
        "bash",
        "/bin/sh -c id",
        "sftp-server",
        "scpx -t a",
        "rsync --server .",
        "'scp -t a'",
        "ls -la",
        "unalias ls",
    ] {
        let refusal = refusal(line.as_bytes());
        assert_eq!(refusal.exit_status(), 127, "{line}");
        assert!(refusal.to_string().contains("SFTP"), "{line}");
        assert!(!refusal.to_string().contains('\n'));
    }
}

/// SFT-70, INT-36.
#[test]
fn probes_are_read() {
    let helper = |line: &str| match parse(line.as_bytes()) {
        Ok(Command::Helper(helper)) => helper,
        other => panic!("{line}: {other:?}"),
    };
    let hash = |hash, paths: &[&[u8]]| Helper::Hash {
        hash,
        paths: paths.iter().map(|path| path.to_vec()).collect(),
    };
    assert_eq!(helper("md5sum"), hash(Hash::Md5, &[]));
    assert_eq!(helper("md5sum a\\ b c"), hash(Hash::Md5, &[b"a b", b"c"]));
    assert_eq!(helper("sha1sum -b -- -x"), hash(Hash::Sha1, &[b"-x"]));
    assert_eq!(helper("sha256sum ~/x"), hash(Hash::Sha256, &[b"x"]));
    let free = |path: &[u8]| Helper::DiskFree {
        path: path.to_vec(),
    };
    assert_eq!(helper("df -k"), free(b""));
    assert_eq!(helper("df -k 'a b'"), free(b"a b"));
    assert_eq!(helper("df -k -- -a"), free(b"-a"));
    assert_eq!(helper("pwd"), Helper::WorkingDirectory);
    assert_eq!(
        helper("echo  a  'b  c' \\;"),
        Helper::Echo(b"a b  c ;\n".to_vec())
    );
    assert_eq!(helper("echo"), Helper::Echo(b"\n".to_vec()));
    assert_eq!(helper("echo -n x -n"), Helper::Echo(b"x -n".to_vec()));
    for line in [
        "df",
        "df -h .",
        "df -k a b",
        "pwd -P",
        "md5sum -c x",
        "sha1sum --check x",
    ] {
        let refusal = refusal(line.as_bytes());
        assert!(matches!(refusal, Refusal::Usage { .. }), "{line}");
        assert_eq!(refusal.exit_status(), 1);
    }
}

/// SCP-31.
#[test]
fn a_remote_path_is_quoted_for_any_shell() {
    for (path, quoted) in [
        (b"a b".as_slice(), b"'a b'".as_slice()),
        (b"a'b", b"'a'\\''b'"),
        (b"-x", b"'./-x'"),
        (b"", b"''"),
        (b"~", b"~"),
        (b"~/a b", b"~/'a b'"),
        (b"~bob", b"'~bob'"),
        (b"*;`id`$(id)\n", b"'*;`id`$(id)\n'"),
    ] {
        assert_eq!(quote::path(path), quoted);
    }
    assert_eq!(quote::pattern(b"a b*.[ch]; id"), b"'a b'*'.'['ch']'; id'");
    assert_eq!(quote::pattern(b"-*"), b"./'-'*");
    assert_eq!(quote::pattern(b"~/*"), b"~/*");
}

/// SCP-31 with SCP-02: a server of ours reads what a client of ours quotes.
#[test]
fn quoting_and_reading_are_each_others_inverse() {
    let mut all: Vec<u8> = (1..=255).collect();
    all.extend_from_slice(b"''\\\\\"\"");
    let line = [b"scp -t ".as_slice(), &quote::path(&all)].concat();
    assert_eq!(
        parse(&line).unwrap(),
        Command::Sink(SinkCommand {
            target: all,
            ..SinkCommand::default()
        })
    );
    let line = [b"scp -f ".as_slice(), &quote::pattern(b"it's; *?")].concat();
    let operand = source(str::from_utf8(&line).unwrap()).paths.remove(0);
    assert_eq!(operand.path, b"it's; *?");
    assert_eq!(operand.pattern.unwrap(), b"it's; *?");
}

/// SCP-32, CVE-2019-6111.
#[test]
fn only_names_that_were_asked_for_are_wanted() {
    let paths = |path: &'static str| Wanted::paths([path.as_bytes()]);
    let patterns = |path: &'static str| Wanted::patterns([path.as_bytes()]);
    assert!(paths("/a/b.txt").includes(b"b.txt") && paths("b.txt//").includes(b"b.txt"));
    assert!(!paths("/a/b.txt").includes(b"a") && !paths("b").includes(b".bashrc"));
    assert!(!paths("*").includes(b"x") && paths("*").includes(b"*"));
    assert!(patterns("a/*.txt").includes(b"x.txt") && patterns("a/*.txt").includes(b"*.txt"));
    assert!(!patterns("a/*.txt").includes(b"x.tx") && !patterns("*").includes(b".bashrc"));
    for path in [".", "..", "/", "", "~", "a/..", "./"] {
        assert!(
            paths(path).includes(b"home"),
            "{path}: the server knows its name"
        );
    }
    assert!(Wanted::anything().includes(b"x"));
    let two = Wanted::paths([b"a".as_slice(), b"d/b"]);
    assert!(two.includes(b"a") && two.includes(b"b") && !two.includes(b"d"));
}
