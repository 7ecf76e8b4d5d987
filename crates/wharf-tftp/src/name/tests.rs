//! Names as clients send them, and as attackers do.

use std::sync::Arc;

use proptest::prelude::*;
use wharf_vfs::{
    Grants, Mount, MountTable, OpenMode, Right, Rights, ViewSettings, Volume as _,
    volumes::memory::MemoryVolume,
};

use super::*;
use crate::settings::tests::anybody;

const MAC: Mac = Mac([0, 0x1b, 0xd4, 1, 2, 3]);

fn peer() -> IpAddr {
    "192.0.2.7".parse().unwrap()
}

fn of_directory(directory: &str) -> ClientRule {
    ClientRule {
        directory: directory.parse().unwrap(),
        ..anybody()
    }
}

fn resolved(name: &[u8], directory: &str, rewrites: &[Rewrite]) -> Result<String, Refused> {
    resolve(name, &of_directory(directory), rewrites, peer(), Some(MAC))
        .map(|path| path.to_string())
}

fn rewrite(from: &str, to: &str) -> Rewrite {
    Rewrite::new(from, to, Vec::new(), false).unwrap()
}

#[test]
fn tft_04_names_are_taken_as_devices_spell_them() {
    for (name, wanted) in [
        (&b"boot/pxelinux.0"[..], "/boot/pxelinux.0"),
        (b"/boot/pxelinux.0", "/boot/pxelinux.0"),
        (b"//boot//.///pxelinux.0", "/boot/pxelinux.0"),
        (br"\Boot\BCD", "/Boot/BCD"),
        (br"boot\\x64\wdsnbp.com", "/boot/x64/wdsnbp.com"),
        (b"flash:image.bin", "/flash:image.bin"),
        (b"C:/x", "/C:/x"),
        (b"...", "/..."),
        (b"..a/b..", "/..a/b.."),
        (b"a b\xff", "/a b\u{fffd}"),
    ] {
        assert_eq!(resolved(name, "/", &[]).as_deref(), Ok(wanted), "{name:?}");
    }
}

/// In every spelling that a device or an attacker has.
#[test]
fn tft_04_a_name_with_two_dots_is_refused_with_2() {
    for name in [
        &b".."[..],
        b"../x",
        b"/../x",
        b"a/../b",
        b"a/..",
        br"..\x",
        br"a\..\b",
        b"/./..",
        br"..\/x",
        b"../../../../etc/passwd",
    ] {
        let refused = resolved(name, "/a/b", &[]).unwrap_err();
        assert_eq!(refused, Refused::Outside, "{name:?}");
        assert_eq!(refused.wire().0, ErrorCode::AccessViolation);
    }
}

/// tftp-hpa 5.4: its tokenizer of paths and a buffer that was never filled let names past the limits.
/// Here a name is refused or becomes one path below the client's directory, and its length is bounded.
#[test]
fn tftp_hpa_5_4_odd_separators_and_lengths_do_not_get_past_the_limits() {
    let long = [b"a".repeat(256), b"/b".to_vec()].concat();
    assert_eq!(
        resolved(&long, "/", &[]),
        Err(Refused::Name(PathError::ComponentTooLong))
    );
    assert_eq!(
        resolved(&b"a/".repeat(2048), "/", &[]).unwrap().len(),
        2 * 2048
    );
    assert_eq!(
        resolved(&b"a/".repeat(2049), "/", &[]),
        Err(Refused::Name(PathError::PathTooLong))
    );
    assert_eq!(
        resolved(&b"a/".repeat(2048), "/below", &[]),
        Err(Refused::Name(PathError::PathTooLong))
    );
    for nothing in [&b""[..], b"/", b"\\", b"///", b".", b"/./.\\"] {
        assert_eq!(resolved(nothing, "/", &[]), Err(Refused::Directory));
    }
    assert_eq!(
        resolved(b"a\0/../b", "/", &[]),
        Err(Refused::Outside),
        "a NUL ends nothing"
    );
    assert_eq!(
        resolved(b"a\0b", "/", &[]),
        Err(Refused::Name(PathError::NulByte))
    );
}

#[test]
fn the_clients_directory_stands_in_front() {
    assert_eq!(resolved(b"/x", "/boot", &[]).unwrap(), "/boot/x");
    assert_eq!(
        resolved(b"config", "/phones/%MAC%", &[]).unwrap(),
        "/phones/00-1b-d4-01-02-03/config"
    );
    assert_eq!(
        resolve(b"config", &of_directory("/phones/%MAC%"), &[], peer(), None),
        Err(Refused::NoMac)
    );
}

#[test]
fn the_first_rule_that_matches_is_applied_and_then_no_other() {
    let rules = [
        rewrite("a/*", "b/$1"),
        rewrite("b/*", "c/$1"),
        rewrite("**", "d/$1"),
    ];
    assert_eq!(resolved(b"/a/x", "/", &rules).unwrap(), "/b/x");
    assert_eq!(resolved(br"\b\x", "/", &rules).unwrap(), "/c/x");
    assert_eq!(resolved(b"x", "/", &rules).unwrap(), "/d/x");
}

#[test]
fn what_a_rule_makes_is_judged_like_what_a_client_sent() {
    // Two stars that each took a dot make `..`.
    let dots = [rewrite("*-*", "$1$2/x")];
    assert_eq!(resolved(b".-.", "/top", &dots), Err(Refused::Outside));
    let absolute = [rewrite("**", "//$1//")];
    assert_eq!(resolved(b"x", "/top", &absolute).unwrap(), "/top/x");
    let nothing = [rewrite("**", "")];
    assert_eq!(resolved(b"x", "/top", &nothing), Err(Refused::Directory));
    // Cut anywhere, it would be the name of another file.
    let endless = [rewrite("**", &"/$1".repeat(150))];
    assert_eq!(
        resolved(&b"a/".repeat(100), "/", &endless),
        Err(Refused::Name(PathError::PathTooLong))
    );
}

async fn view(files: &[&str], rights: Rights) -> View {
    let volume = MemoryVolume::new(1 << 20);
    for file in files {
        let path = VirtualPath::parse(&VirtualPath::root(), file.as_bytes()).unwrap();
        let mut above = VirtualPath::root();
        for name in path.parent().unwrap().components() {
            above = above.join_name(name).unwrap();
            let _ = volume.create_directory(&above, 0o755).await;
        }
        volume
            .open(&path, OpenMode::CreateNew { mode: 0o644 })
            .await
            .unwrap();
    }
    let table = MountTable::new([Mount::new(VirtualPath::root(), Arc::new(volume), "memory")]);
    View::new(
        Arc::new(table.unwrap()),
        Arc::new(Grants::everywhere(rights)),
        Arc::new(ViewSettings::default()),
    )
}

async fn found(view: &View, path: &str, fixed: usize) -> String {
    let path = VirtualPath::parse(&VirtualPath::root(), path.as_bytes()).unwrap();
    find_ignoring_case(view, &path, fixed).await.to_string()
}

#[tokio::test]
async fn int_64_a_name_in_another_case_is_found() {
    let view = view(
        &["/Boot/Image.BIN", "/boot2/x", "/B/ab", "/B/aB", "/B/AB"],
        Rights::READ_ONLY,
    )
    .await;
    for (asked, wanted) in [
        ("/Boot/Image.BIN", "/Boot/Image.BIN"),
        ("/boot/image.bin", "/Boot/Image.BIN"),
        ("/BOOT/missing", "/Boot/missing"),
        ("/none/Image.bin", "/none/Image.bin"),
        ("/b/ab", "/B/ab"),
        ("/b/Ab", "/B/AB"),
        ("/", "/"),
    ] {
        assert_eq!(found(&view, asked, 0).await, wanted, "{asked}");
    }
}

#[tokio::test]
async fn another_spelling_of_the_clients_directory_is_somebody_elses() {
    let view = view(&["/Phones/a"], Rights::READ_ONLY).await;
    assert_eq!(found(&view, "/phones/A", 1).await, "/phones/A");
    assert_eq!(found(&view, "/phones/A", 0).await, "/Phones/a");
}

#[tokio::test]
async fn who_may_not_list_learns_no_name() {
    let view = view(&["/Boot/Image.BIN"], Rights::NONE.with(Right::Read)).await;
    assert_eq!(found(&view, "/boot/image.bin", 0).await, "/boot/image.bin");
}

proptest! {
    /// Whatever octets come, through whatever rules: the path lies in the client's directory, or there is none.
    #[test]
    fn no_octets_lead_out_of_the_clients_directory(
        name in prop::collection::vec(
            prop_oneof![Just(b'/'), Just(b'\\'), Just(b'.'), Just(b'-'), any::<u8>()],
            0..400,
        ),
        directory in prop_oneof![Just("/"), Just("/phones/%MAC%"), Just("/a/%IP%/b")],
        to in prop_oneof![Just("$1"), Just("$1$2"), Just("/$1/$2"), Just(r"$2\$1"), Just("x/$1.$2")],
    ) {
        let rule = of_directory(directory);
        let top = rule.directory.of(peer(), Some(MAC)).unwrap();
        for rewrites in [&[][..], &[rewrite("**-**", to)], &[rewrite("*.*", to)]] {
            if let Ok(path) = resolve(&name, &rule, rewrites, peer(), Some(MAC)) {
                prop_assert!(path.starts_with(&top) && path.depth() > top.depth());
                prop_assert!(!path.components().any(|name| name == b".." || name == b"."));
            }
        }
    }
}
