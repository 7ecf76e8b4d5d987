//! Virtual paths: normal by construction, never above the root.

use proptest::prelude::*;

use super::*;

fn parse(text: &[u8]) -> Result<VirtualPath, PathError> {
    VirtualPath::parse(&VirtualPath::root(), text)
}

fn path(text: &str) -> VirtualPath {
    parse(text.as_bytes()).unwrap()
}

/// PATH-01.
#[test]
fn dots_are_resolved_and_the_top_has_no_parent() {
    for (sent, parsed) in [
        ("/", "/"),
        ("", "/"),
        ("//a///b/", "/a/b"),
        ("/a/./b/.", "/a/b"),
        ("/a/b/../c", "/a/c"),
        ("/..", "/"),
        ("/../../../etc/passwd", "/etc/passwd"),
        ("/a/../..", "/"),
        ("/...", "/..."),
        ("/..a/b..", "/..a/b.."),
        ("/a\\..\\b", "/a\\..\\b"),
    ] {
        assert_eq!(
            parse(sent.as_bytes()).unwrap().as_bytes(),
            parsed.as_bytes(),
            "{sent}"
        );
    }
}

/// PATH-01.
#[test]
fn a_relative_pathname_lies_below_its_base() {
    let base = path("/home/ann");
    for (sent, parsed) in [
        ("", "/home/ann"),
        (".", "/home/ann"),
        ("x", "/home/ann/x"),
        ("../bob", "/home/bob"),
        ("../../../x", "/x"),
        ("/x", "/x"),
    ] {
        assert_eq!(
            VirtualPath::parse(&base, sent.as_bytes()).unwrap(),
            path(parsed),
            "{sent}"
        );
    }
}

/// PATH-05.
#[test]
fn what_is_too_long_is_refused_at_the_first_octet_too_many() {
    let name = |length| vec![b'n'; length];
    assert!(parse(&name(255)).is_ok());
    assert_eq!(parse(&name(256)), Err(PathError::ComponentTooLong));
    let deep = |length: usize| "/1234567".repeat(length / 8) + &"12345678"[..length % 8];
    assert_eq!(path(&deep(4096)).as_bytes().len(), 4096);
    assert_eq!(parse(deep(4097).as_bytes()), Err(PathError::PathTooLong));
    assert_eq!(
        path(&deep(4095)).join_name(b"nn"),
        Err(PathError::PathTooLong)
    );
    assert_eq!(
        path(&deep(4090)).join(&path("/123456")),
        Err(PathError::PathTooLong)
    );
    assert!(path(&deep(4090)).join(&path("/12345")).is_ok());
}

/// PATH-06, PATH-07.
#[test]
fn names_that_may_be_made_are_fewer_than_names_that_may_be_reached() {
    assert_eq!(parse(b"/a\0b"), Err(PathError::NulByte));
    assert!(parse(b"/a\r\nb\xff").is_ok());
    for name in [b"a\rb".as_slice(), b"a\nb", b"\x1b[0m", b"\x7f", b"\t"] {
        assert_eq!(
            creatable(name, false),
            Err(PathError::ControlByte),
            "{name:?}"
        );
    }
    assert_eq!(creatable(b"caf\xe9", true), Err(PathError::NotUtf8));
    assert_eq!(creatable(b"caf\xe9", false), Ok(()));
    assert_eq!(creatable("café ~1 CON.".as_bytes(), true), Ok(()));
}

/// CVE-2026-30915: a user named `..` gets no home above all homes.
#[test]
fn what_a_template_puts_in_is_one_ordinary_component() {
    for bytes in [
        b"".as_slice(),
        b".",
        b"..",
        b"a/b",
        b"../..",
        b"/",
        b"a\0",
        b"a\n",
        b"\xff",
        b".wharf-x",
        b".WHARF-x",
    ] {
        assert!(VirtualPath::component_from(bytes).is_err(), "{bytes:?}");
    }
    assert_eq!(VirtualPath::component_from(b"ann"), Ok(b"ann".as_slice()));
}

/// PATH-08, CVE-2015-1419: whatever the case, wherever in the path.
#[test]
fn reserved_names_are_known_in_every_spelling() {
    for text in [
        "/.wharf-x.part",
        "/a/.wharf-/b",
        "/.WHARF-x",
        "/x/../.Wharf-a",
    ] {
        assert!(path(text).is_reserved(), "{text}");
    }
    for text in ["/.wharf", "/wharf-x", "/a.wharf-x", "/"] {
        assert!(!path(text).is_reserved(), "{text}");
    }
}

#[test]
fn prefixes_end_at_components() {
    let base = path("/a/b");
    assert!(path("/a/b").starts_with(&base));
    assert!(path("/a/b/c").starts_with(&base));
    assert!(!path("/a/bc").starts_with(&base));
    assert!(!path("/a").starts_with(&base));
    assert_eq!(path("/a/b/c").strip_prefix(&base), Some(path("/c")));
    assert_eq!(path("/a/b").strip_prefix(&base), Some(VirtualPath::root()));
    assert_eq!(path("/a/bc").strip_prefix(&base), None);
}

#[test]
fn parent_name_and_depth_agree() {
    assert_eq!(
        (path("/a/b").parent(), path("/a/b").name()),
        (Some(path("/a")), Some(b"b".as_slice()))
    );
    assert_eq!(
        (path("/a").parent(), path("/a").name()),
        (Some(path("/")), Some(b"a".as_slice()))
    );
    assert_eq!(
        (path("/").parent(), path("/").name(), path("/").depth()),
        (None, None, 0)
    );
    assert_eq!(path("/a/b").depth(), 2);
}

#[test]
fn control_characters_never_reach_a_log() {
    assert_eq!(
        parse(b"/a\r\n\x1b\x7f\xc2\x9b\xff").unwrap().to_string(),
        "/a\\u{d}\\u{a}\\u{1b}\\u{7f}\\u{9b}\u{fffd}"
    );
}

#[test]
fn link_texts_are_relative_and_lead_to_their_target() {
    for (at, target, text) in [
        ("/l", "/f", "f"),
        ("/a/l", "/f", "../f"),
        ("/a/b/l", "/a/c", "../c"),
        ("/a/l", "/a", "."),
        ("/a/b/l", "/", "../.."),
        ("/l", "/", "."),
    ] {
        assert_eq!(
            path(at).link_text(&path(target)),
            text.as_bytes(),
            "{at} {target}"
        );
    }
}

fn sent() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(b"..".to_vec()),
        Just(b".".to_vec()),
        Just(b"".to_vec()),
        Just(vec![0]),
        Just(b".wharf-x".to_vec()),
        prop::collection::vec(any::<u8>(), 0..20),
        prop::collection::vec(any::<u8>(), 250..260),
    ];
    prop::collection::vec(piece, 0..20).prop_map(|pieces| pieces.join(&b'/'))
}

proptest! {
    /// The invariant of the type, for whatever bytes a peer sends, from whatever base.
    #[test]
    fn a_parsed_path_is_normal(base in sent(), pathname in sent()) {
        let base = parse(&base).unwrap_or_else(|_| VirtualPath::root());
        if let Ok(parsed) = VirtualPath::parse(&base, &pathname) {
            let bytes = parsed.as_bytes();
            prop_assert_eq!(bytes[0], b'/');
            prop_assert!(bytes.len() <= VirtualPath::MAX_LENGTH);
            prop_assert!(!bytes.contains(&0));
            if bytes.len() > 1 {
                for component in bytes[1..].split(|&byte| byte == b'/') {
                    prop_assert!(!matches!(component, b"" | b"." | b".."));
                    prop_assert!(component.len() <= VirtualPath::MAX_COMPONENT);
                }
            }
            // Parsing again changes nothing (CVE-2026-30914).
            prop_assert_eq!(&parse(bytes).unwrap(), &parsed);
            prop_assert_eq!(&VirtualPath::parse(&base, bytes).unwrap(), &parsed);
        }
    }

    /// Whatever comes relative to a directory, without `..` at work, stays in it.
    #[test]
    fn names_joined_to_a_base_stay_below_it(base in sent(), name in prop::collection::vec(any::<u8>(), 0..300)) {
        let base = parse(&base).unwrap_or_else(|_| VirtualPath::root());
        if let Ok(joined) = base.join_name(&name) {
            prop_assert!(joined.starts_with(&base));
            prop_assert_eq!(joined.name(), Some(name.as_slice()));
            prop_assert_eq!(joined.parent(), Some(base.clone()));
            prop_assert_eq!(joined.depth(), base.depth() + 1);
            prop_assert_eq!(base.join(&joined.strip_prefix(&base).unwrap()), Ok(joined));
        }
    }

    /// What people read is what was meant, for names without control characters.
    #[test]
    fn a_shown_path_parses_to_itself(text in "(/[^/\\x00-\\x1f\\x7f-\\x9f\u{fffd}]{1,40}){1,10}") {
        let parsed = parse(text.as_bytes()).unwrap();
        prop_assert_eq!(parse(parsed.to_string().as_bytes()).unwrap(), parsed);
    }

    /// A link's text, resolved where it stands, is its target.
    #[test]
    fn a_link_text_resolves_to_its_target(at in sent(), target in sent()) {
        if let (Ok(at), Ok(target)) = (parse(&at), parse(&target))
            && let Some(parent) = at.parent()
        {
            prop_assert_eq!(VirtualPath::parse(&parent, &at.link_text(&target)), Ok(target));
        }
    }
}
