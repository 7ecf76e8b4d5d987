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

/// A file that no `mod` names would never run: the suite finds it.
#[test]
fn every_file_is_declared() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it");
    let declared = std::fs::read_to_string(folder.join("main.rs")).unwrap();
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let name = entry.file_name().into_string().unwrap();
        let module = name.strip_suffix(".rs").unwrap_or(&name);
        assert!(
            module == "main" || declared.contains(&format!("\nmod {module};\n")),
            "main.rs lacks `mod {module};`"
        );
    }
}
