//! Wharf's own client against Wharf and the three reference servers, all in clear.

use std::fs;
use std::process::{Command, Output};

use wharf_acceptance_tests::subject::wharf_binary;
use wharf_acceptance_tests::{Kind, PASSWORD, Scratch, Server, Setup, USER, noise};
use wharf_interop_tests::{plant, same_tree};

struct Scene {
    server: Server,
    scratch: Scratch,
}

impl Scene {
    fn with(kind: Kind) -> Self {
        let scene = Self {
            server: Server::with(Setup {
                kind,
                ..Setup::default()
            }),
            scratch: Scratch::new("own"),
        };
        fs::create_dir(scene.scratch.path().join("home")).unwrap();
        scene
    }

    fn url(&self, path: &str) -> String {
        let password = PASSWORD.replace(' ', "%20");
        format!("ftp://{USER}:{password}@{}/{path}", self.server.address())
    }

    fn try_run(&self, arguments: &[&str]) -> Output {
        let (verb, rest) = arguments.split_first().unwrap();
        Command::new(wharf_binary())
            .args([verb, "--tls", "none"])
            .args(rest)
            .current_dir(self.scratch.path())
            .env("HOME", self.scratch.path().join("home"))
            .env("LC_ALL", "C.UTF-8")
            .output()
            .unwrap()
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
            "wharf {arguments:?}: {}\n{out}{err}",
            output.status
        );
        out.into_owned()
    }
}

fn files_and_trees(kind: Kind) {
    let scene = Scene::with(kind);
    let scratch = scene.scratch.path();
    let bytes = noise(1, 3_000_000);
    fs::write(scratch.join("one"), &bytes).unwrap();
    scene.run(&["put", "one", &scene.url("one")]);
    assert!(scene.server.read("one") == bytes, "the upload differs");
    scene.run(&["get", &scene.url("one"), "two"]);
    assert!(
        fs::read(scratch.join("two")).unwrap() == bytes,
        "the download differs"
    );

    scene.server.mkdir("with space");
    scene.server.put("with space/Grüße", "x");
    let listed = scene.run(&["ls", &scene.url("with%20space/")]);
    assert!(listed.contains("Grüße"), "{listed}");

    plant(&scratch.join("tree"));
    scene.run(&["put", "-r", "tree", &scene.url("tree")]);
    same_tree(&scratch.join("tree"), &scene.server.path("tree"));
    scene.run(&["get", "-r", &scene.url("tree"), "back"]);
    same_tree(&scratch.join("tree"), &scratch.join("back"));
}

fn failures_are_told(kind: Kind) {
    let scene = Scene::with(kind);
    let output = scene.try_run(&["get", &scene.url("missing"), "out"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success(), "a missing file was a success");
    assert!(
        said.contains("missing") && !said.contains(PASSWORD),
        "{said}"
    );
    assert!(
        !scene.scratch.path().join("out").exists(),
        "an empty file was left"
    );

    let wrong = scene.url("missing").replace("se%20cret", "wrong");
    let output = scene.try_run(&["ls", &wrong]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        !output.status.success() && !said.contains("wrong@"),
        "{said}"
    );
}

/// The client against its own server.
#[test]
fn wharf_to_wharf() {
    files_and_trees(Kind::Wharf);
}

/// INT-80.
#[test]
fn wharf_to_vsftpd() {
    files_and_trees(Kind::Vsftpd);
}

/// INT-81.
#[test]
fn wharf_to_proftpd() {
    files_and_trees(Kind::Proftpd);
}

/// INT-82.
#[test]
fn wharf_to_pure_ftpd() {
    files_and_trees(Kind::PureFtpd);
}

/// Errors name the file, never the password.
#[test]
fn refusals_are_told_without_the_password() {
    for kind in [Kind::Wharf, Kind::Vsftpd, Kind::Proftpd, Kind::PureFtpd] {
        failures_are_told(kind);
    }
}
