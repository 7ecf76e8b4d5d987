//! Shape of the tree: opening lines, sizes, names, paths.

use wharf_architecture_tests::{product, tracked};

/// Code lines that a file may have, tests and comments not counted.
const LONGEST: usize = 500;

#[test]
fn every_source_opens_with_its_purpose() {
    let bare: Vec<_> = tracked()
        .into_iter()
        .filter(|source| source.path.ends_with(".rs") && !source.text.starts_with("//!"))
        .map(|source| source.path)
        .collect();
    assert!(bare.is_empty(), "no `//!` at the top: {bare:#?}");
}

#[test]
fn no_file_is_too_long() {
    let long: Vec<_> = product()
        .into_iter()
        .map(|source| (source.code().count(), source.path.clone()))
        .filter(|(lines, _)| *lines > LONGEST)
        .collect();
    assert!(
        long.is_empty(),
        "over {LONGEST} code lines, split by subject: {long:#?}"
    );
}

#[test]
fn no_attic() {
    let attics: Vec<_> = tracked()
        .into_iter()
        .map(|source| source.path)
        .filter(|path| {
            path.split('/').any(|part| {
                let name = part.strip_suffix(".rs").unwrap_or(part);
                matches!(
                    name,
                    "common" | "util" | "utils" | "helper" | "helpers" | "misc" | "types_common"
                )
            })
        })
        .collect();
    assert!(
        attics.is_empty(),
        "a homeless function means a subject has no room yet: {attics:#?}"
    );
}

#[test]
fn no_path_of_one_machine() {
    // Put together here, so that this file does not find itself.
    let homes = [
        ["/wo", "rk/"].concat(),
        ["/ro", "ot/"].concat(),
        ["/ho", "me/runner"].concat(),
    ];
    let mut found = Vec::new();
    for source in tracked() {
        for (number, line) in source.text.lines().enumerate() {
            if homes.iter().any(|home| {
                line.match_indices(home.as_str()).any(|(at, _)| {
                    // `/proc/1/root/x` or `a/work/b` name no machine.
                    !line[..at].ends_with(|c: char| {
                        c.is_alphanumeric() || matches!(c, '.' | '}' | '_' | '-')
                    })
                })
            }) {
                found.push(format!("{}:{}: {}", source.path, number + 1, line.trim()));
            }
        }
    }
    assert!(
        found.is_empty(),
        "paths that exist on one machine only:\n{}",
        found.join("\n")
    );
}

#[test]
fn the_papers_are_there() {
    for name in [
        "README.md",
        "ARCHITECTURE.md",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
        "LICENSE-MIT",
        "LICENSE-APACHE",
        "deny.toml",
        "justfile",
        ".ci/run",
        "docs/conformance.md",
        "fuzz/Cargo.lock",
        "Cargo.lock",
    ] {
        assert!(
            wharf_architecture_tests::root().join(name).is_file(),
            "{name} is missing"
        );
    }
}
