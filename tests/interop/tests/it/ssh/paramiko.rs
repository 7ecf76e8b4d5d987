//! paramiko, the SSH of most Python programs.

use std::process::Command;

use wharf_acceptance_tests::{USER, subject::peer};

use super::{Client, Scene};

/// A Python client: a script of verbs.
pub(super) struct Python(pub(super) &'static str);

impl Python {
    fn command(&self, scene: &Scene, arguments: &[&str]) -> Command {
        let mut command = Command::new(peer("python/bin/python"));
        command
            .args(["-W", "ignore", "-c", self.0, &scene.port(), USER])
            .arg(scene.local("key"))
            .arg(scene.local("known_hosts"))
            .args(arguments);
        command
    }

    pub(super) fn verb(&self, scene: &Scene, arguments: &[&str]) -> String {
        scene.run(&mut self.command(scene, arguments))
    }
}

impl Client for Python {
    fn put(&self, scene: &Scene, local: &str, remote: &str) {
        self.verb(scene, &["put", local, remote]);
    }

    fn get(&self, scene: &Scene, remote: &str, local: &str) {
        self.verb(scene, &["get", remote, local]);
    }

    fn put_tree(&self, scene: &Scene, local: &str, remote: &str) -> bool {
        self.verb(scene, &["put-tree", local, remote]);
        true
    }

    fn get_tree(&self, scene: &Scene, remote: &str, local: &str) -> bool {
        self.verb(scene, &["get-tree", remote, local]);
        true
    }

    fn list(&self, scene: &Scene, folder: &str) -> Option<String> {
        Some(self.verb(scene, &["ls", folder]))
    }

    fn rename(&self, scene: &Scene, from: &str, to: &str) -> bool {
        self.verb(scene, &["mv", from, to]);
        true
    }

    fn resume_get(&self, scene: &Scene, remote: &str, local: &str) -> bool {
        self.verb(scene, &["continue-get", remote, local]);
        true
    }

    fn resume_put(&self, scene: &Scene, local: &str, remote: &str) -> bool {
        self.verb(scene, &["continue-put", local, remote]);
        true
    }

    fn sender(&self, scene: &Scene, local: &str, remote: &str) -> Option<Command> {
        Some(self.command(scene, &["put", local, remote]))
    }
}

const PARAMIKO: Python = Python(include_str!("paramiko.py"));

crate::ssh::cells!(PARAMIKO);

/// SFT-60, D-19: paramiko asks `check-file` with a handle.
#[test]
fn hashes_are_told() {
    let scene = Scene::new();
    scene.server.put("file", "abc");
    assert_eq!(
        PARAMIKO.verb(&scene, &["hash", "file", "sha256"]).trim(),
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    );
}
