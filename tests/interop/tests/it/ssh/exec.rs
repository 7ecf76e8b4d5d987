//! What is not SFTP: no shell, no program, no forwarding, a few built-in probes (SFT-07, SFT-08,
//! SFT-70, SFT-71).

use std::process::{Command, Output};

use wharf_acceptance_tests::USER;

use super::Scene;

fn ssh(scene: &Scene, options: &[&str], words: &[&str]) -> Output {
    let mut command = Command::new("ssh");
    command
        .args(scene.options())
        .args(["-p", &scene.port()])
        .args(options)
        .arg(format!("{USER}@127.0.0.1"))
        .args(words)
        .stdin(std::process::Stdio::null());
    scene.at_home(&mut command).output().unwrap()
}

/// SFT-70: the probes answer as the Unix tools do.
#[test]
fn probes_answer() {
    let scene = Scene::new();
    scene.server.put("a file", "abc");
    for (command, wanted) in [
        ("echo hello", "hello\n"),
        ("pwd", "/\n"),
        (
            "md5sum 'a file'",
            "900150983cd24fb0d6963f7d28e17f72  a file\n",
        ),
        (
            "sha1sum a\\ file",
            "a9993e364706816aba3e25717850c26c9cd0d89d  a file\n",
        ),
        (
            "sha256sum \"a file\"",
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  a file\n",
        ),
    ] {
        let output = ssh(&scene, &[], &[command]);
        assert_eq!(String::from_utf8_lossy(&output.stdout), wanted, "{command}");
        assert!(output.status.success(), "{command}");
    }
    let output = ssh(&scene, &[], &["df -k ."]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && said.contains('%'), "{said}");
}

/// SFT-70, SFT-71: nothing else is run, and the sentence says so.
#[test]
fn nothing_else_is_run() {
    let scene = Scene::new();
    for command in [
        "id",
        "sh -c id",
        "echo a; id",
        "pwd && id",
        "echo $(id)",
        "scp -t a;id",
    ] {
        let output = ssh(&scene, &[], &[command]);
        assert_eq!(output.status.code(), Some(127), "{command}");
        assert!(!output.stderr.is_empty(), "{command}: nothing was said");
    }
    assert!(scene.server.names().is_empty());
}

/// SFT-08: a shell is refused with a plain sentence.
#[test]
fn there_is_no_shell() {
    let scene = Scene::new();
    for options in [&["-T"][..], &["-tt"][..]] {
        let output = ssh(&scene, options, &[]);
        assert!(!output.status.success(), "{options:?}: a shell was given");
        assert!(output.stdout.is_empty(), "{options:?}");
    }
}

/// SFT-07: nothing is forwarded.
#[test]
fn nothing_is_forwarded() {
    let scene = Scene::new();
    let target = format!("127.0.0.1:{}", scene.port());
    let output = ssh(&scene, &["-W", &target], &[]);
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("prohibited"), "{said}");
    let output = ssh(
        &scene,
        &[
            "-o",
            "ExitOnForwardFailure=yes",
            "-R",
            "0:127.0.0.1:1",
            "-N",
        ],
        &[],
    );
    assert!(!output.status.success(), "a port was opened for a client");
}
