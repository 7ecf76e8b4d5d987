//! rclone (INT-36), which looks for a shell and for hash commands before it does anything.

use std::process::Command;

use wharf_acceptance_tests::USER;

use super::{Client, Scene};

struct Rclone;

impl Rclone {
    fn remote(scene: &Scene, path: &str) -> String {
        format!(
            ":sftp,host=127.0.0.1,port={},user={USER},key_file=\"{}\",known_hosts_file=\"{}\":{path}",
            scene.port(),
            scene.text("key"),
            scene.text("known_hosts")
        )
    }

    fn command(arguments: &[&str]) -> Command {
        let mut command = Command::new("rclone");
        command
            .args(["--config", "/dev/null", "--retries", "1"])
            .args(arguments);
        command
    }
}

impl Client for Rclone {
    fn put(&self, scene: &Scene, local: &str, remote: &str) {
        let remote = Self::remote(scene, remote);
        scene.run(&mut Self::command(&["copyto", local, &remote]));
    }

    fn get(&self, scene: &Scene, remote: &str, local: &str) {
        let remote = Self::remote(scene, remote);
        scene.run(&mut Self::command(&["copyto", &remote, local]));
    }

    fn put_tree(&self, scene: &Scene, local: &str, remote: &str) -> bool {
        let to = Self::remote(scene, remote);
        scene.run(&mut Self::command(&[
            "copy",
            "--transfers",
            "8",
            local,
            &to,
        ]));
        // It found a way to hashes and compares them.
        scene.run(&mut Self::command(&["check", local, &to]));
        false
    }

    fn get_tree(&self, scene: &Scene, remote: &str, local: &str) -> bool {
        let from = Self::remote(scene, remote);
        scene.run(&mut Self::command(&[
            "copy",
            "--transfers",
            "8",
            &from,
            local,
        ]));
        false
    }

    fn list(&self, scene: &Scene, folder: &str) -> Option<String> {
        let remote = Self::remote(scene, folder);
        Some(scene.run(&mut Self::command(&["lsf", &remote])))
    }

    fn rename(&self, scene: &Scene, from: &str, to: &str) -> bool {
        let (from, to) = (Self::remote(scene, from), Self::remote(scene, to));
        scene.run(&mut Self::command(&["moveto", &from, &to]));
        true
    }

    fn sender(&self, scene: &Scene, local: &str, remote: &str) -> Option<Command> {
        let remote = Self::remote(scene, remote);
        Some(Self::command(&["copyto", local, &remote]))
    }
}

crate::ssh::cells!(Rclone);
