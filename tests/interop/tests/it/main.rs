//! Wharf among others: real clients, real servers, and the accidents of real machines.
//!
//! A tool that is missing fails its test (`scripts/setup-tests` installs them all): a silent skip
//! would look like a success.

mod clients;
mod crashes;
mod full_disk;
mod memory;
mod own_client;
mod privileges;
mod ssh;
mod tftp;
mod tls;

/// A file that no `mod` names would never run: the suite finds it.
#[test]
fn every_file_is_declared() {
    let top = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it");
    for list in [
        top.join("main.rs"),
        top.join("ssh/mod.rs"),
        top.join("tftp/mod.rs"),
        top.join("tls/mod.rs"),
    ] {
        let declared = std::fs::read_to_string(&list).unwrap();
        for entry in std::fs::read_dir(list.parent().unwrap()).unwrap().flatten() {
            let name = entry.file_name().into_string().unwrap();
            let module = name.strip_suffix(".rs").unwrap_or(&name);
            let is_code = entry.path().is_dir() || name.ends_with(".rs");
            assert!(
                !is_code
                    || ["main", "mod"].contains(&module)
                    || declared.contains(&format!("\nmod {module};\n")),
                "{} lacks `mod {module};`",
                list.display()
            );
        }
    }
}
