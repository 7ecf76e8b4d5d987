//! Rules of rewriting: what stars take, in which order, and that no name costs more than its length.

use proptest::prelude::*;

use super::*;

fn peer() -> IpAddr {
    "192.0.2.7".parse().unwrap()
}

fn rule(from: &str, to: &str) -> Rewrite {
    Rewrite::new(from, to, Vec::new(), false).unwrap()
}

fn rewritten(from: &str, to: &str, name: &str) -> Option<String> {
    rule(from, to)
        .apply(name.as_bytes(), peer(), None)
        .map(|name| String::from_utf8(name).unwrap())
}

/// Every row: pattern, template, name, and what comes out.
#[test]
fn tft_04_names_become_what_the_rule_says() {
    for (from, to, name, wanted) in [
        ("a", "b", "a", Some("b")),
        ("a", "b", "aa", None),
        ("a", "b", "A", None),
        ("/a", "b", "a", Some("b")),
        (r"\boot\*", "$1", "boot/x", Some("x")),
        (
            "**SEP*.cnf.xml",
            "phones/sep-$2.xml",
            "a/SEP001BD4.cnf.xml",
            Some("phones/sep-001BD4.xml"),
        ),
        (
            "*/start*.elf",
            "pi/start$2.elf",
            "10000000abcdef01/start4.elf",
            Some("pi/start4.elf"),
        ),
        (
            "*/cmdline.txt",
            "pi/$1/cmdline.txt",
            "1000abcd/cmdline.txt",
            Some("pi/1000abcd/cmdline.txt"),
        ),
        (
            "bootx64.efi",
            "ipxe/x86_64/snponly.efi",
            "bootx64.efi",
            Some("ipxe/x86_64/snponly.efi"),
        ),
        (
            "flash:**",
            "cisco/$1",
            "flash:c1900/image.bin",
            Some("cisco/c1900/image.bin"),
        ),
        ("flash:*", "cisco/$1", "flash:c1900/image.bin", None),
        ("**", "$1", "", Some("")),
        ("*", "all/$1", "a/b", None),
        (
            "SEP*.cnf.xml",
            "phones/sep-$1.xml",
            "SEP001BD4.cnf.xml",
            Some("phones/sep-001BD4.xml"),
        ),
        ("*-*", "$2-$1", "a-b-c", Some("c-a-b")),
        ("**/*", "$2 of $1", "a/b/c", Some("c of a/b")),
        ("**/boot/*", "$1|$2", "x/boot/y/boot/z", Some("x/boot/y|z")),
        ("*.bin**", "$1|$2", "a.bin", Some("a|")),
        ("*a*a*", "$1|$2|$3", "aaa", Some("a||")),
        ("x*", "$1$1", "xab", Some("abab")),
        (
            "pxelinux.cfg/01-*",
            "hosts/$1",
            "pxelinux.cfg/01-00-1b-d4-01-02-03",
            Some("hosts/00-1b-d4-01-02-03"),
        ),
    ] {
        assert_eq!(
            rewritten(from, to, name).as_deref(),
            wanted,
            "{from} {name}"
        );
    }
}

#[test]
fn case_is_ignored_where_the_rule_says_so() {
    let rule = Rewrite::new("FLASH:*", "cisco/$1", Vec::new(), true).unwrap();
    assert_eq!(
        rule.apply(b"Flash:Image", peer(), None).unwrap(),
        b"cisco/Image"
    );
}

#[test]
fn a_rule_holds_for_its_networks_alone() {
    let networks = vec!["192.0.2.0/24".parse().unwrap()];
    let rule = Rewrite::new("*", "lab/$1", networks, false).unwrap();
    assert!(rule.apply(b"a", peer(), None).is_some());
    assert!(
        rule.apply(b"a", "::ffff:192.0.2.9".parse().unwrap(), None)
            .is_some()
    );
    assert!(
        rule.apply(b"a", "198.51.100.1".parse().unwrap(), None)
            .is_none()
    );
}

#[test]
fn a_rule_with_a_hardware_address_holds_only_where_it_is_known() {
    let rule = rule("config", "%MAC%/config");
    assert!(rule.wants_mac());
    assert_eq!(rule.apply(b"config", peer(), None), None);
    let mac = Some(Mac([0, 0x1b, 0xd4, 1, 2, 3]));
    assert_eq!(
        rule.apply(b"config", peer(), mac).unwrap(),
        b"00-1b-d4-01-02-03/config"
    );
}

#[test]
fn what_is_no_rule_says_why() {
    let error = |from: &str, to: &str| Rewrite::new(from, to, Vec::new(), false).unwrap_err();
    assert_eq!(error("", "a"), RewriteError::PatternLength);
    assert_eq!(error("/", "a"), RewriteError::PatternLength);
    assert_eq!(error(&"a".repeat(513), "a"), RewriteError::PatternLength);
    assert_eq!(error("***", "a"), RewriteError::StarsInARow);
    assert_eq!(error(&"*/".repeat(10), "a"), RewriteError::Stars);
    assert!(matches!(error("*", "$2"), RewriteError::Template(_)));
    assert!(matches!(error("*", "../$1"), RewriteError::Template(_)));
}

/// A matcher that goes back would need more steps than there are atoms.
#[test]
fn patterns_full_of_stars_end_at_once() {
    let name = "a".repeat(2048);
    assert_eq!(rewritten("a*a*a*a*a*a*a*a*a*b", "x", &name), None);
    assert_eq!(rewritten("**a**a**a**a**a**a**a**a**b", "x", &name), None);
}

/// The plain meaning of a pattern, by trying everything.
fn is_pattern(pattern: &[u8], name: &[u8]) -> bool {
    match pattern {
        [] => name.is_empty(),
        [b'*', b'*', rest @ ..] => (0..=name.len()).any(|taken| is_pattern(rest, &name[taken..])),
        [b'*', rest @ ..] => (0..=name.len())
            .take_while(|taken| !name[..*taken].contains(&b'/'))
            .any(|taken| is_pattern(rest, &name[taken..])),
        [octet, rest @ ..] => name.first() == Some(octet) && is_pattern(rest, &name[1..]),
    }
}

proptest! {
    #[test]
    fn no_name_breaks_a_rule(
        from in "/?[a-c/*]{1,12}",
        to in "[a-c/$1-9]{0,8}",
        name in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        if let Ok(rule) = Rewrite::new(&from, &to, Vec::new(), false) {
            let _ = rule.apply(&name, peer(), None);
        }
    }

    #[test]
    fn no_text_breaks_the_reader(from: String, to: String) {
        let _ = Rewrite::new(&from, &to, Vec::new(), false);
    }

    #[test]
    fn the_walk_finds_what_trying_everything_finds(from in "[ab/*]{1,8}", name in "[ab/]{0,10}") {
        let from = from.trim_start_matches('/');
        if let Ok(rule) = Rewrite::new(from, "x", Vec::new(), false) {
            prop_assert_eq!(
                rule.apply(name.as_bytes(), peer(), None).is_some(),
                is_pattern(from.as_bytes(), name.as_bytes()),
            );
        }
    }

    /// What the stars took, put where they stood, is the name again.
    #[test]
    fn the_stars_and_the_pattern_make_up_the_name(from in "([ab/]|\\*|\\*\\*){1,8}", name in "[ab/]{0,10}") {
        let from = from.trim_start_matches('/');
        let mut to = String::new();
        let mut stars = 0;
        for (index, octet) in from.char_indices() {
            if octet != '*' {
                to.push(octet);
            } else if !from[..index].ends_with('*') {
                stars += 1;
                to.push_str(&format!("${stars}"));
            }
        }
        if let Ok(rule) = Rewrite::new(from, &to, Vec::new(), false)
            && let Some(again) = rule.apply(name.as_bytes(), peer(), None)
        {
            prop_assert_eq!(again, name.as_bytes());
        }
    }

    /// The places that are looked at are bounded by the pattern, octet by octet.
    #[test]
    fn each_octet_costs_no_more_than_the_pattern_is_long(
        from in "[a/*]{1,20}",
        name in "[a/]{0,200}",
    ) {
        if let Ok(rule) = Rewrite::new(&from, "x", Vec::new(), false) {
            let mut places = Places::new(rule.pattern.len());
            for at in 0..name.len() {
                for token in 0..rule.pattern.len() {
                    rule.arrive(&mut places, Place { token, spans: [(0, 0); Rewrite::MAX_STARS] }, at);
                }
                prop_assert!(places.list.len() <= rule.pattern.len() + 1);
            }
        }
    }
}
