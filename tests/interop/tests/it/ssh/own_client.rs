//! Wharf's own client over SFTP and SCP, against Wharf and against OpenSSH's sshd.

use std::fs;
use std::process::{Command, Output};

use wharf_acceptance_tests::subject::wharf_binary;
use wharf_acceptance_tests::{Kind, USER, noise};
use wharf_interop_tests::{plant, same_tree};

use super::{Client, Scene};

struct Own {
    scene: Scene,
    scheme: &'static str,
}

impl Own {
    fn with(kind: Kind, scheme: &'static str) -> Self {
        let scene = Scene::with(kind, "");
        let ssh = scene.local(".ssh");
        fs::create_dir(&ssh).unwrap();
        fs::copy(scene.local("known_hosts"), ssh.join("known_hosts")).unwrap();
        fs::copy(scene.local("key"), ssh.join("id_ed25519")).unwrap();
        fs::copy(scene.local("key.pub"), ssh.join("id_ed25519.pub")).unwrap();
        Self { scene, scheme }
    }

    /// `path` below the served folder, wherever the server thinks that it is.
    fn url(&self, path: &str) -> String {
        let top = match (self.scheme, self.scene.server.kind()) {
            ("sftp", Kind::OpenSsh) => self.scene.server.root().display().to_string(),
            _ => String::new(),
        };
        format!(
            "{}://{USER}@{}{top}/{path}",
            self.scheme,
            self.scene.server.ssh()
        )
    }

    fn try_run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(wharf_binary());
        command.args(arguments);
        self.scene.at_home(&mut command).output().unwrap()
    }

    #[track_caller]
    fn run(&self, arguments: &[&str]) -> String {
        let output = self.try_run(arguments);
        let (out, err) = (
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
        assert!(
            output.status.success(),
            "wharf {arguments:?}: {}\n{out}{err}\n{}",
            output.status,
            self.scene.server.log()
        );
        out.into_owned()
    }

    fn files_and_trees(&self) {
        let scratch = self.scene.scratch.path();
        let bytes = noise(1, 3_000_000);
        fs::write(scratch.join("one"), &bytes).unwrap();
        self.run(&["put", "one", &self.url("one")]);
        assert!(self.scene.server.read("one") == bytes, "the upload differs");
        self.run(&["get", &self.url("one"), "two"]);
        assert!(
            fs::read(scratch.join("two")).unwrap() == bytes,
            "the download differs"
        );
        plant(&scratch.join("tree"));
        self.run(&["put", "-r", "tree", &self.url("tree")]);
        same_tree(&scratch.join("tree"), &self.scene.server.path("tree"));
        self.run(&["get", "-r", &self.url("tree"), "back"]);
        same_tree(&scratch.join("tree"), &scratch.join("back"));
    }

    fn names(&self) {
        self.scene.server.mkdir("with space");
        self.scene.server.put("with space/Grüße", "x");
        let listed = self.run(&["ls", &self.url("with%20space/")]);
        assert!(listed.contains("Grüße"), "{listed}");
        assert_eq!(
            self.run(&["cat", &self.url("with%20space/Gr%C3%BC%C3%9Fe")]),
            "x"
        );
        self.run(&["mkdir", &self.url("made")]);
        self.run(&[
            "mv",
            &self.url("with%20space/Gr%C3%BC%C3%9Fe"),
            &self.url("made/moved"),
        ]);
        assert_eq!(self.scene.server.read("made/moved"), b"x");
        self.run(&["stat", &self.url("made/moved")]);
        self.run(&["rm", "-r", &self.url("made")]);
        assert!(!self.scene.server.has("made"));
    }

    fn resumes(&self) {
        let scratch = self.scene.scratch.path();
        let bytes = noise(2, 2_000_000);
        fs::write(scratch.join("whole"), &bytes).unwrap();
        self.scene.server.put("half", &bytes[..900_000]);
        self.run(&["put", "-c", "whole", &self.url("half")]);
        assert!(
            self.scene.server.read("half") == bytes,
            "the upload differs"
        );
    }
}

/// The client against its own server.
#[test]
fn wharf_to_wharf() {
    let own = Own::with(Kind::Wharf, "sftp");
    own.files_and_trees();
    own.names();
    own.resumes();
}

/// SFT-80.
#[test]
fn wharf_to_openssh() {
    let own = Own::with(Kind::OpenSsh, "sftp");
    own.files_and_trees();
    own.names();
    own.resumes();
}

/// SCP-30: over SFTP unless told otherwise.
#[test]
fn scp_urls_go_over_sftp() {
    for kind in [Kind::Wharf, Kind::OpenSsh] {
        Own::with(kind, "scp").files_and_trees();
    }
}

/// The cells of the matrix, with [`Kind::chosen`] as the server; `true`: by the old protocol of scp.
struct Matrix(bool);

impl Matrix {
    fn wharf(&self, scene: &Scene, arguments: &[&str]) -> Command {
        let mut command = Command::new(wharf_binary());
        command.args(arguments);
        command.args([
            "--batch",
            "--no-agent",
            "--ssh-config",
            "none",
            "--known-hosts",
        ]);
        command.arg(scene.local("known_hosts"));
        command.arg("--identity").arg(scene.local("key"));
        if self.0 {
            command.arg("-O");
        }
        command
    }

    fn url(&self, scene: &Scene, path: &str) -> String {
        let (address, path) = (scene.server.ssh(), path.replace(' ', "%20"));
        let (scheme, home) = if self.0 { ("scp", "") } else { ("sftp", "~/") };
        // Everybody's home is the served folder.
        format!("{scheme}://{USER}@{address}/{home}{path}")
    }

    fn run(&self, scene: &Scene, arguments: &[&str]) -> String {
        scene.run(&mut self.wharf(scene, arguments))
    }
}

impl Client for Matrix {
    fn put(&self, scene: &Scene, local: &str, remote: &str) {
        self.run(scene, &["put", local, &self.url(scene, remote)]);
    }

    fn get(&self, scene: &Scene, remote: &str, local: &str) {
        self.run(scene, &["get", &self.url(scene, remote), local]);
    }

    fn put_tree(&self, scene: &Scene, local: &str, remote: &str) -> bool {
        self.run(scene, &["put", "-r", "-p", local, &self.url(scene, remote)]);
        true
    }

    fn get_tree(&self, scene: &Scene, remote: &str, local: &str) -> bool {
        self.run(scene, &["get", "-r", "-p", &self.url(scene, remote), local]);
        true
    }

    fn list(&self, scene: &Scene, folder: &str) -> Option<String> {
        let url = self.url(scene, &format!("{folder}/"));
        (!self.0).then(|| self.run(scene, &["ls", &url]))
    }

    fn rename(&self, scene: &Scene, from: &str, to: &str) -> bool {
        if !self.0 {
            let (from, to) = (self.url(scene, from), self.url(scene, to));
            self.run(scene, &["mv", &from, &to]);
        }
        !self.0
    }

    fn resume_put(&self, scene: &Scene, local: &str, remote: &str) -> bool {
        self.run(scene, &["put", "-c", local, &self.url(scene, remote)]);
        true
    }

    fn sender(&self, scene: &Scene, local: &str, remote: &str) -> Option<Command> {
        // By SFTP a part of the client's own name stays, to be gone on from.
        let url = self.url(scene, remote);
        self.0.then(|| self.wharf(scene, &["put", local, &url]))
    }
}

/// SFT-80, SFT-81.
mod over_sftp {
    crate::ssh::cells!(super::Matrix(false));
}

/// SCP-30: `-O`.
mod over_the_old_protocol {
    crate::ssh::cells!(super::Matrix(true));
}

/// SFT-82: a server whose key is another one is refused, and nothing is sent.
#[test]
fn a_changed_host_key_is_refused() {
    let own = Own::with(Kind::Wharf, "sftp");
    let other = own.scene.local("other");
    wharf_acceptance_tests::subject::run(
        Command::new("ssh-keygen")
            .args(["-q", "-t", "ed25519", "-N", "", "-f"])
            .arg(&other),
    );
    let key = fs::read_to_string(own.scene.local("other.pub")).unwrap();
    let line = format!("[127.0.0.1]:{} {key}", own.scene.port());
    fs::write(own.scene.local(".ssh/known_hosts"), line).unwrap();
    let output = own.try_run(&["ls", &own.url("")]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success());
    assert!(
        said.contains("known_hosts") && said.contains("SHA256:"),
        "{said}"
    );
}

/// Without an answer on a terminal, an unknown server is not trusted.
#[test]
fn an_unknown_host_is_not_trusted_in_batch() {
    let own = Own::with(Kind::Wharf, "sftp");
    fs::write(own.scene.local(".ssh/known_hosts"), "").unwrap();
    let output = own.try_run(&["ls", &own.url("")]);
    assert!(!output.status.success());
    assert!(
        !own.scene.server.log().contains("logged in"),
        "a login was tried"
    );
}
