//! OpenSSH's own clients (INT-30, INT-31): `sftp`, `scp` in both of its protocols, and `sftp` over
//! every cipher and key exchange that both sides know.

use std::process::Command;

use wharf_acceptance_tests::{Kind, USER};

use super::{Client, Scene};

/// As a batch of sftp quotes it.
fn quoted(name: &str) -> String {
    format!("\"{name}\"")
}

struct Sftp;

impl Sftp {
    fn command(scene: &Scene) -> Command {
        let mut command = Command::new("sftp");
        command
            .args(scene.options())
            .args(["-q", "-P", &scene.port(), "-b"]);
        command
    }

    fn batch(scene: &Scene, lines: &str) -> String {
        std::fs::write(scene.local("batch"), lines).unwrap();
        scene.run(
            Self::command(scene)
                .arg(scene.local("batch"))
                .arg(format!("{USER}@127.0.0.1")),
        )
    }
}

impl Client for Sftp {
    fn put(&self, scene: &Scene, local: &str, remote: &str) {
        Self::batch(
            scene,
            &format!("put {} {}\n", quoted(local), quoted(remote)),
        );
    }

    fn get(&self, scene: &Scene, remote: &str, local: &str) {
        Self::batch(
            scene,
            &format!("get {} {}\n", quoted(remote), quoted(local)),
        );
    }

    fn put_tree(&self, scene: &Scene, local: &str, remote: &str) -> bool {
        Self::batch(
            scene,
            &format!("mkdir {remote}\nput -Rp {local} {remote}\n"),
        );
        // It puts the directory below one that exists.
        let (inner, outer) = (
            scene.server.path(remote).join(local),
            scene.server.path(remote),
        );
        let aside = scene.server.path("aside");
        std::fs::rename(inner, &aside).unwrap();
        std::fs::remove_dir(&outer).unwrap();
        std::fs::rename(aside, outer).unwrap();
        true
    }

    fn get_tree(&self, scene: &Scene, remote: &str, local: &str) -> bool {
        Self::batch(scene, &format!("get -Rp {remote} {local}\n"));
        true
    }

    fn list(&self, scene: &Scene, folder: &str) -> Option<String> {
        let listed = Self::batch(scene, &format!("ls -la {folder}\n"));
        assert!(listed.contains("-rw-"), "no long names: {listed}");
        Some(listed)
    }

    fn rename(&self, scene: &Scene, from: &str, to: &str) -> bool {
        Self::batch(scene, &format!("rename {from} {to}\n"));
        true
    }

    fn resume_get(&self, scene: &Scene, remote: &str, local: &str) -> bool {
        Self::batch(scene, &format!("reget {remote} {local}\n"));
        true
    }

    fn resume_put(&self, scene: &Scene, local: &str, remote: &str) -> bool {
        Self::batch(scene, &format!("reput {local} {remote}\n"));
        true
    }

    fn sender(&self, scene: &Scene, local: &str, remote: &str) -> Option<Command> {
        std::fs::write(scene.local("batch"), format!("put {local} {remote}\n")).unwrap();
        let mut command = Self::command(scene);
        command
            .arg(scene.local("batch"))
            .arg(format!("{USER}@127.0.0.1"));
        Some(command)
    }
}

/// The protocol that `scp` is told to speak.
#[derive(Clone, Copy)]
enum Scp {
    /// `-O`: the old one, over exec.
    Legacy,
    /// `-s`: over SFTP.
    Modern,
}

impl Scp {
    fn command(self, scene: &Scene, arguments: &[&str]) -> Command {
        let mut command = Command::new("scp");
        command
            .arg(match self {
                Self::Legacy => "-O",
                Self::Modern => "-s",
            })
            .args(scene.options())
            .args(["-q", "-P", &scene.port()])
            .args(arguments);
        command
    }

    /// The old protocol goes through what a shell would do with the name.
    fn remote(self, name: &str) -> String {
        let name = match self {
            Self::Legacy => name.replace(' ', "\\ "),
            Self::Modern => name.to_owned(),
        };
        format!("{USER}@127.0.0.1:{name}")
    }
}

impl Client for Scp {
    fn put(&self, scene: &Scene, local: &str, remote: &str) {
        scene.run(&mut self.command(scene, &["--", local, &self.remote(remote)]));
    }

    fn get(&self, scene: &Scene, remote: &str, local: &str) {
        scene.run(&mut self.command(scene, &["--", &self.remote(remote), local]));
    }

    fn put_tree(&self, scene: &Scene, local: &str, remote: &str) -> bool {
        scene.run(&mut self.command(scene, &["-rp", local, &self.remote(remote)]));
        true
    }

    fn get_tree(&self, scene: &Scene, remote: &str, local: &str) -> bool {
        scene.run(&mut self.command(scene, &["-rp", &self.remote(remote), local]));
        true
    }

    fn sender(&self, scene: &Scene, local: &str, remote: &str) -> Option<Command> {
        match self {
            Self::Legacy => Some(self.command(scene, &[local, &self.remote(remote)])),
            // It asks for the file that stands there to be written in place.
            Self::Modern => None,
        }
    }
}

mod sftp {
    crate::ssh::cells!(super::Sftp, true);
}

mod scp_legacy {
    crate::ssh::cells!(super::Scp::Legacy);
}

mod scp_modern {
    crate::ssh::cells!(super::Scp::Modern);
}

/// `scp host:*.txt` is expanded by us in the old protocol (SCP-02), by the client in the new one.
#[test]
fn scp_expands_names() {
    for scp in [Scp::Legacy, Scp::Modern] {
        let scene = Scene::new();
        for name in ["a.txt", "b.txt", "c.bin"] {
            scene.server.put(name, name);
        }
        std::fs::create_dir(scene.local("got")).unwrap();
        let source = format!("{USER}@127.0.0.1:*.txt");
        scene.run(&mut scp.command(&scene, &[&source, "got"]));
        let mut names: Vec<_> = std::fs::read_dir(scene.local("got"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        names.sort();
        assert_eq!(names, ["a.txt", "b.txt"]);
    }
}

/// SFT-02: every algorithm that both sides know moves bytes.
#[test]
fn every_common_algorithm_moves_bytes() {
    let scene = Scene::new();
    let bytes = wharf_acceptance_tests::noise(1, 300_000);
    scene.server.put("file", &bytes);
    let cells = [
        ("Ciphers", "chacha20-poly1305@openssh.com"),
        ("Ciphers", "aes256-gcm@openssh.com"),
        ("Ciphers", "aes128-gcm@openssh.com"),
        ("Ciphers", "aes256-ctr"),
        ("Ciphers", "aes192-ctr"),
        ("Ciphers", "aes128-ctr"),
        ("KexAlgorithms", "curve25519-sha256"),
        ("KexAlgorithms", "curve25519-sha256@libssh.org"),
        ("KexAlgorithms", "diffie-hellman-group16-sha512"),
        ("KexAlgorithms", "diffie-hellman-group18-sha512"),
        ("MACs", "hmac-sha2-256-etm@openssh.com"),
        ("MACs", "hmac-sha2-512-etm@openssh.com"),
        ("Compression", "yes"),
        ("RekeyLimit", "64K"),
    ];
    for (key, value) in cells {
        let option = format!("{key}={value}");
        let ctr = if key == "MACs" {
            "Ciphers=aes128-ctr"
        } else {
            "LogLevel=ERROR"
        };
        std::fs::write(scene.local("batch"), "get file back\nput back sent\n").unwrap();
        scene.run(
            Sftp::command(&scene)
                .arg(scene.local("batch"))
                .args(["-o", &option, "-o", ctr])
                .arg(format!("{USER}@127.0.0.1")),
        );
        assert!(scene.server.read("sent") == bytes, "{option}");
    }
}

/// RFC 8332, RFC 5656, RFC 8709: keys of each kind open the account.
#[test]
fn keys_of_every_kind_open_the_account() {
    for kind in [
        ["ed25519", "256"],
        ["ecdsa", "256"],
        ["ecdsa", "384"],
        ["ecdsa", "521"],
        ["rsa", "3072"],
    ] {
        let key = wharf_acceptance_tests::Scratch::new("key");
        wharf_acceptance_tests::subject::run(
            Command::new("ssh-keygen")
                .args(["-q", "-t", kind[0], "-b", kind[1], "-N", "", "-f"])
                .arg(key.path().join("key")),
        );
        let scene = Scene::new();
        // The account's file is read again when it changes.
        let authorized = scene
            .server
            .certificates()
            .parent()
            .unwrap()
            .join("authorized_keys");
        std::fs::copy(key.path().join("key.pub"), authorized).unwrap();
        for suffix in ["", ".pub"] {
            std::fs::copy(
                key.path().join(format!("key{suffix}")),
                scene.local(&format!("key{suffix}")),
            )
            .unwrap();
        }
        scene.server.put("file", "content");
        Sftp.get(&scene, "file", "back");
        assert_eq!(std::fs::read(scene.local("back")).unwrap(), b"content");
    }
}

/// INT-30: scp cuts the file where answers came out of order, on either side. With a rate to keep to,
/// nothing is answered at once.
#[test]
fn scp_moves_whole_files_while_requests_wait() {
    let account = "upload_rate = \"100 MB\"\ndownload_rate = \"100 MB\"";
    let scene = Scene::with(Kind::Wharf, account);
    let bytes = wharf_acceptance_tests::noise(3, 40 << 20);
    std::fs::write(scene.local("file"), &bytes).unwrap();
    for name in ["one", "two"] {
        Scp::Modern.put(&scene, "file", name);
        assert!(scene.server.read(name) == bytes, "{name} differs there");
        Scp::Modern.get(&scene, name, name);
        let got = std::fs::read(scene.local(name)).unwrap();
        assert!(got == bytes, "{name} differs here");
    }
}
