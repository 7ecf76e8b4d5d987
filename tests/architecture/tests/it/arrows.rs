//! Which crate may use which: the list under "Arrows" in `ARCHITECTURE.md` is the law.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use wharf_architecture_tests::root;

type Arrows = BTreeSet<(String, String)>;

/// `a -> b` and `a -> b, c` lines of the fenced block in the section that is called Arrows.
fn drawn() -> Arrows {
    let text = std::fs::read_to_string(root().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md");
    let section = text
        .split("\n#")
        .find(|section| {
            section
                .lines()
                .next()
                .is_some_and(|title| title.to_lowercase().contains("arrows"))
        })
        .expect("a section `Arrows` in ARCHITECTURE.md");
    let block = section
        .split("```")
        .nth(1)
        .expect("a fenced list in the section `Arrows`");
    let mut arrows = Arrows::new();
    for line in block.lines().filter(|line| line.contains("->")) {
        let (from, to) = line.split_once("->").unwrap();
        for to in to.split(',') {
            arrows.insert((from.trim().to_owned(), to.trim().to_owned()));
        }
    }
    assert!(!arrows.is_empty(), "the fenced list is empty");
    arrows
}

/// The ordinary dependencies between the workspace's `wharf*` crates; tests may use what they like.
fn built() -> Arrows {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let output = Command::new(cargo)
        .args([
            "metadata",
            "--no-deps",
            "--offline",
            "--format-version",
            "1",
        ])
        .current_dir(root())
        .output()
        .expect("cargo metadata");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let mut arrows = Arrows::new();
    for package in metadata["packages"].as_array().expect("packages") {
        let from = package["name"].as_str().expect("a name");
        if from.ends_with("-tests") {
            continue;
        }
        for dependency in package["dependencies"].as_array().expect("dependencies") {
            let to = dependency["name"].as_str().expect("a name");
            if (to == "wharf" || to.starts_with("wharf-")) && dependency["kind"].is_null() {
                arrows.insert((from.to_owned(), to.to_owned()));
            }
        }
    }
    arrows
}

#[test]
fn the_arrows_are_those_of_the_map() {
    let (drawn, built) = (drawn(), built());
    let only_built: Vec<_> = built.difference(&drawn).collect();
    let only_drawn: Vec<_> = drawn.difference(&built).collect();
    assert!(
        only_built.is_empty(),
        "in the manifests, not in ARCHITECTURE.md: {only_built:?}"
    );
    assert!(
        only_drawn.is_empty(),
        "in ARCHITECTURE.md, not in the manifests: {only_drawn:?}"
    );
}

/// The NEVER rows, whatever the map says.
#[test]
fn forbidden_arrows_are_not_there() {
    for (from, to) in built() {
        let forbidden = match from.as_str() {
            "wharf-proto" => true,
            "wharf-vfs" | "wharf-transfer" | "wharf-accounts" | "wharf-engine"
                if to == "wharf-proto" =>
            {
                true
            }
            "wharf-ftp" => matches!(to.as_str(), "wharf-client" | "wharf-ssh" | "wharf-tftp"),
            "wharf-client" => to == "wharf-engine",
            _ => to == "wharf",
        };
        assert!(!forbidden, "{from} -> {to}");
    }
}

/// No circle, in whatever words.
#[test]
fn the_arrows_make_no_circle() {
    let mut below: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (from, to) in built() {
        below.entry(to.clone()).or_default();
        below.entry(from).or_default().insert(to);
    }
    while let Some(leaf) = below
        .iter()
        .find(|(_, to)| to.is_empty())
        .map(|(name, _)| name.clone())
    {
        below.remove(&leaf);
        below.values_mut().for_each(|to| {
            to.remove(&leaf);
        });
    }
    assert!(below.is_empty(), "a circle among {:?}", below.keys());
}
