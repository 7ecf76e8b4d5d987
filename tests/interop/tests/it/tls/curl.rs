//! curl (INT-06): `--ssl-reqd` and `ftps://`.

use std::process::Command;

use wharf_acceptance_tests::{PASSWORD, USER};

use super::{Client, Mode, Scene, cells};

pub(super) struct Curl;

impl Curl {
    /// curl with all that says how to come in.
    pub(super) fn command(scene: &Scene) -> Command {
        let version = scene.version.number();
        let mut command = Command::new("curl");
        command
            .args(["-q", "-sS", "--ssl-reqd", "--cacert", &scene.authority()])
            .args([&format!("--tlsv{version}"), "--tls-max", version])
            .args(["-u", &format!("{USER}:{PASSWORD}")]);
        command
    }

    pub(super) fn url(scene: &Scene, remote: &str) -> String {
        let scheme = match scene.mode {
            Mode::Explicit => "ftp",
            Mode::Implicit => "ftps",
        };
        let remote = remote.replace(' ', "%20");
        format!("{scheme}://127.0.0.1:{}/{remote}", scene.port())
    }
}

impl Client for Curl {
    fn upload(&self, scene: &Scene, local: &str, remote: &str) {
        let url = Self::url(scene, remote);
        scene.run(Self::command(scene).args(["-T", local, &url]));
    }

    fn download(&self, scene: &Scene, remote: &str, local: &str) {
        let url = Self::url(scene, remote);
        scene.run(Self::command(scene).args(["-o", local, &url]));
    }

    fn list(&self, scene: &Scene) -> String {
        scene.run(Self::command(scene).arg(Self::url(scene, "")))
    }

    fn resume_download(&self, scene: &Scene, remote: &str, local: &str) {
        let url = Self::url(scene, remote);
        scene.run(Self::command(scene).args(["-C", "-", "-o", local, &url]));
    }

    fn resume_upload(&self, scene: &Scene, local: &str, remote: &str) -> bool {
        let url = Self::url(scene, remote);
        scene.run(Self::command(scene).args(["-C", "-", "-T", local, &url]));
        true
    }

    fn abort_download(&self, scene: &Scene, remote: &str, octets: usize) -> Vec<u8> {
        let url = Self::url(scene, remote);
        scene.killed_in_a_download(Self::command(scene).args(["-N", "-o", "-", &url]), octets)
    }

    fn abort_upload(&self, scene: &Scene, bytes: &[u8], remote: &str) {
        let url = Self::url(scene, remote);
        scene.killed_in_an_upload(Self::command(scene).args(["-T", "-", &url]), bytes);
    }
}

cells!(Curl);
