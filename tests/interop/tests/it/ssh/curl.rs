//! curl with libssh2 (INT-37).

use std::fmt::Write as _;
use std::fs;
use std::process::Command;

use wharf_acceptance_tests::USER;

use super::{Client, Scene};

struct Curl;

fn escape(path: &str) -> String {
    path.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

impl Curl {
    fn url(scene: &Scene, path: &str) -> String {
        format!("sftp://127.0.0.1:{}/~/{}", scene.port(), escape(path))
    }

    fn command(scene: &Scene, arguments: &[&str]) -> Command {
        let mut command = Command::new("curl");
        command
            .args(["-q", "-sS", "-k", "-u", &format!("{USER}:"), "--key"])
            .arg(scene.local("key"))
            .arg("--pubkey")
            .arg(scene.local("key.pub"))
            .args(arguments);
        command
    }

    /// Many transfers over one connection.
    fn all(scene: &Scene, text: &str) {
        fs::write(scene.local("config"), text).unwrap();
        scene.run(&mut Self::command(
            scene,
            &["--create-dirs", "--ftp-create-dirs", "-K", "config"],
        ));
    }

    fn files(root: &std::path::Path) -> Vec<String> {
        wharf_interop_tests::harvest(root)
            .into_keys()
            .map(|path| path.display().to_string())
            .collect()
    }
}

impl Client for Curl {
    fn put(&self, scene: &Scene, local: &str, remote: &str) {
        let url = Self::url(scene, remote);
        scene.run(&mut Self::command(scene, &["-T", local, &url]));
    }

    fn get(&self, scene: &Scene, remote: &str, local: &str) {
        let url = Self::url(scene, remote);
        scene.run(&mut Self::command(scene, &["-o", local, &url]));
    }

    fn put_tree(&self, scene: &Scene, local: &str, remote: &str) -> bool {
        let mut text = String::new();
        for file in Self::files(&scene.local(local)) {
            let url = Self::url(scene, &format!("{remote}/{file}"));
            writeln!(text, "upload-file = \"{local}/{file}\"\nurl = \"{url}\"").unwrap();
        }
        Self::all(scene, &text);
        false
    }

    fn get_tree(&self, scene: &Scene, remote: &str, local: &str) -> bool {
        let mut text = String::new();
        for file in Self::files(&scene.server.path(remote)) {
            let url = Self::url(scene, &format!("{remote}/{file}"));
            writeln!(text, "output = \"{local}/{file}\"\nurl = \"{url}\"").unwrap();
        }
        Self::all(scene, &text);
        false
    }

    fn list(&self, scene: &Scene, folder: &str) -> Option<String> {
        let url = Self::url(scene, folder) + "/";
        Some(scene.run(&mut Self::command(scene, &[&url])))
    }

    fn rename(&self, scene: &Scene, from: &str, to: &str) -> bool {
        let url = Self::url(scene, "");
        let quote = format!("rename /~/{from} /~/{to}");
        scene.run(&mut Self::command(scene, &["-Q", &quote, &url]));
        true
    }

    fn resume_get(&self, scene: &Scene, remote: &str, local: &str) -> bool {
        let url = Self::url(scene, remote);
        scene.run(&mut Self::command(scene, &["-C", "-", "-o", local, &url]));
        true
    }

    fn resume_put(&self, scene: &Scene, local: &str, remote: &str) -> bool {
        let url = Self::url(scene, remote);
        scene.run(&mut Self::command(scene, &["-C", "-", "-T", local, &url]));
        true
    }

    fn sender(&self, scene: &Scene, local: &str, remote: &str) -> Option<Command> {
        let url = Self::url(scene, remote);
        Some(Self::command(scene, &["-T", local, &url]))
    }
}

crate::ssh::cells!(Curl);
