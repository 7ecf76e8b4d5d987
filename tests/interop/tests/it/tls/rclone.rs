//! rclone (INT-18): `explicit_tls` and `tls` of its FTP back end, with Go's TLS below it.

use std::fs::OpenOptions;
use std::process::{Command, Stdio};

use wharf_acceptance_tests::subject::run;
use wharf_acceptance_tests::{PASSWORD, USER};

use super::{Client, Mode, Scene, Version, cells};

pub(super) struct Rclone;

impl Rclone {
    fn command(scene: &Scene, arguments: &[&str]) -> Command {
        let hidden = run(Command::new("rclone").args(["obscure", PASSWORD]));
        let mut command = Command::new("rclone");
        command
            .args(arguments)
            .args(["--config", "/dev/null", "--retries", "1"])
            // Debian's rclone takes the 426 for a range that it closed itself as a failure when it
            // fetches one file in several streams.
            .args(["--multi-thread-streams", "0"])
            .args(["--ftp-host", "127.0.0.1", "--ftp-user", USER])
            .args(["--ftp-pass", hidden.trim()])
            .args(["--ftp-port", &scene.port().to_string()])
            .arg(match scene.mode {
                Mode::Explicit => "--ftp-explicit-tls",
                Mode::Implicit => "--ftp-tls",
            })
            // Its back end does not look at --ca-cert.
            .env("SSL_CERT_FILE", scene.authority());
        if scene.version == Version::Tls12 {
            command.arg("--ftp-disable-tls13");
        }
        command
    }

    fn run(scene: &Scene, arguments: &[&str]) -> String {
        scene.run(&mut Self::command(scene, arguments))
    }
}

fn remote(name: &str) -> String {
    format!(":ftp:{name}")
}

impl Client for Rclone {
    fn upload(&self, scene: &Scene, local: &str, name: &str) {
        Self::run(scene, &["copyto", local, &remote(name)]);
    }

    fn download(&self, scene: &Scene, name: &str, local: &str) {
        Self::run(scene, &["copyto", &remote(name), local]);
    }

    fn list(&self, scene: &Scene) -> String {
        Self::run(scene, &["lsf", ":ftp:"])
    }

    /// It has no word for it, but fetches from an offset.
    fn resume_download(&self, scene: &Scene, name: &str, local: &str) {
        let path = scene.local(local);
        let offset = path.metadata().unwrap().len().to_string();
        let file = OpenOptions::new().append(true).open(path).unwrap();
        let mut command = Self::command(scene, &["cat", "--offset", &offset, &remote(name)]);
        let status = scene
            .at_home(&mut command)
            .stdin(Stdio::null())
            .stdout(file)
            .status();
        assert!(status.unwrap().success(), "{command:?}");
    }

    /// It always sends a file whole.
    fn resume_upload(&self, _: &Scene, _: &str, _: &str) -> bool {
        false
    }

    fn abort_download(&self, scene: &Scene, name: &str, octets: usize) -> Vec<u8> {
        scene.killed_in_a_download(&mut Self::command(scene, &["cat", &remote(name)]), octets)
    }

    fn abort_upload(&self, scene: &Scene, bytes: &[u8], name: &str) {
        scene.killed_in_an_upload(&mut Self::command(scene, &["rcat", &remote(name)]), bytes);
    }
}

cells!(Rclone);
