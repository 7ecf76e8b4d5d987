//! Virtual paths: the one place where a peer's path becomes one of ours.
//!
//! Holds: a parsed path is absolute and normalised, has no dots and no empty components, survives
//! being parsed again, and is below its parent. Past holes: CVE-2026-30914, CVE-2026-30915.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wharf_vfs::VirtualPath;

fn check(path: &VirtualPath) {
    let bytes = path.as_bytes();
    assert!(bytes.starts_with(b"/") && !bytes.contains(&0));
    assert!(path.is_root() || !bytes.ends_with(b"/"));
    assert!(bytes.len() <= 4096);
    for component in path.components() {
        assert!(
            !component.is_empty()
                && component != b"."
                && component != b".."
                && component.len() <= 255
        );
    }
    assert_eq!(path.components().count(), path.depth());
    assert_eq!(
        VirtualPath::parse(&VirtualPath::root(), bytes).as_ref(),
        Ok(path)
    );
    assert!(path.starts_with(&VirtualPath::root()));
    match path.parent() {
        Some(parent) => {
            assert!(path.starts_with(&parent) && !parent.starts_with(path));
            let name = path.name().unwrap_or_default();
            assert_eq!(parent.join_name(name).as_ref(), Ok(path));
        }
        None => assert!(path.is_root()),
    }
}

fuzz_target!(|data: &[u8]| {
    let at = data
        .iter()
        .position(|&byte| byte == b'\n')
        .unwrap_or(data.len());
    let (first, second) = data.split_at(at);
    let second = second.get(1..).unwrap_or_default();
    let Ok(base) = VirtualPath::parse(&VirtualPath::root(), first) else {
        return;
    };
    check(&base);
    let Ok(path) = VirtualPath::parse(&base, second) else {
        return;
    };
    check(&path);
    if !second.starts_with(b"/") && !second.windows(2).any(|pair| pair == b"..") {
        assert!(path.starts_with(&base), "a path without dots left its base");
    }
    if let Some(rest) = path.strip_prefix(&base) {
        check(&rest);
        assert_eq!(base.join(&rest).as_ref(), Ok(&path));
    }
});
