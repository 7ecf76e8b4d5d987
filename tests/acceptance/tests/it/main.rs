//! The black-box suite: what an FTP server must do, foldered by the document that says so.
//!
//! Every test starts a server of its own, speaks raw FTP to it and names the rules it checks in its
//! doc line (RFC section, rule of the specification, id of a past hole). The same tests run against
//! the reference servers (`SUBJECT`), so that a wrong test is found out; where those differ, the
//! difference stands in `docs/conformance.md` and is no failure of theirs.

mod drafts;
mod rfc1123;
mod rfc2389;
mod rfc2428;
mod rfc2577;
mod rfc2640;
mod rfc3659;
mod rfc4217;
mod rfc959;
mod wharf;

use std::fs;
use std::path::Path;

/// A file that no `mod` names would never run: the suite finds it.
#[test]
fn every_file_is_declared() {
    let base = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it");
    let mut seen = 0;
    for (index, folder) in [(base.join("main.rs"), base.clone())].into_iter().chain(
        fs::read_dir(&base)
            .unwrap()
            .flatten()
            .filter(|entry| entry.path().is_dir())
            .map(|entry| {
                let folder = entry.path();
                (folder.join("mod.rs"), folder)
            }),
    ) {
        let declared = fs::read_to_string(&index)
            .unwrap_or_else(|error| panic!("{}: {error}", index.display()));
        for entry in fs::read_dir(&folder).unwrap().flatten() {
            let name = entry.file_name().into_string().unwrap();
            let module = name.strip_suffix(".rs").unwrap_or(&name);
            if matches!(module, "main" | "mod") {
                continue;
            }
            seen += 1;
            assert!(
                declared
                    .lines()
                    .any(|line| line == format!("mod {module};")),
                "{} lacks `mod {module};`",
                index.display()
            );
        }
    }
    assert!(
        seen > 25,
        "the walk over the folders found only {seen} files"
    );
}
