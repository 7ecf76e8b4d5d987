//! What the architecture tests look at: the files that git tracks, and source text without its
//! comments and tests.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The root of the repository.
///
/// # Panics
/// When this crate does not lie two levels below it.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .expect("the repository")
        .to_path_buf()
}

/// A tracked text file.
#[derive(Clone, Debug)]
pub struct Source {
    /// Its path below the root, with `/`.
    pub path: String,
    /// Its text.
    pub text: String,
}

impl Source {
    /// Whether it is product code: below `crates/`, and neither a test nor a bench.
    #[must_use]
    pub fn is_product(&self) -> bool {
        self.path.starts_with("crates/") && self.path.ends_with(".rs") && !self.is_test()
    }

    /// Whether the whole file is tests.
    #[must_use]
    pub fn is_test(&self) -> bool {
        let name = self.path.rsplit('/').next().unwrap_or_default();
        self.path.contains("/tests/")
            || self.path.starts_with("tests/")
            || name == "tests.rs"
            || self.path.contains("/benches/")
    }

    /// Lines of code with their numbers: without comments, and without what follows a
    /// `#[cfg(test)]` that opens a module (by the house's order the last thing in a file).
    pub fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines: Vec<_> = self.text.lines().collect();
        let end = lines
            .iter()
            .enumerate()
            .position(|(index, line)| {
                line.trim() == "#[cfg(test)]"
                    && lines[index + 1..]
                        .iter()
                        .find(|next| !next.trim_start().starts_with("#["))
                        .is_some_and(|next| {
                            let next = next.trim_start();
                            next.starts_with("mod ") && next.ends_with('{')
                        })
            })
            .unwrap_or(lines.len());
        lines
            .into_iter()
            .take(end)
            .enumerate()
            .filter_map(|(index, line)| {
                let line = line.trim();
                let code = line.split(" //").next().unwrap_or_default().trim_end();
                (!code.is_empty() && !code.starts_with("//")).then_some((index + 1, code))
            })
    }
}

/// Every tracked file that is text.
///
/// # Panics
/// When git cannot be asked.
#[must_use]
pub fn tracked() -> Vec<Source> {
    let output = Command::new("git")
        .args(["ls-files", "-z"])
        .current_dir(root())
        .output()
        .expect("git ls-files");
    assert!(
        output.status.success(),
        "git ls-files: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let mut sources = Vec::new();
    for path in output
        .stdout
        .split(|&byte| byte == 0)
        .filter(|path| !path.is_empty())
    {
        let path = String::from_utf8(path.to_vec()).expect("a path in UTF-8");
        // A file that was removed but not yet committed, or one that is no text.
        if let Ok(text) = fs::read_to_string(root().join(&path)) {
            sources.push(Source { path, text });
        }
    }
    assert!(sources.len() > 50, "only {} tracked files", sources.len());
    sources
}

/// The product's sources.
#[must_use]
pub fn product() -> Vec<Source> {
    tracked().into_iter().filter(Source::is_product).collect()
}
