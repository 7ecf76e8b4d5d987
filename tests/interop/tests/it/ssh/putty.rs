//! PuTTY's `psftp` and `pscp` (INT-33).

use std::fs;
use std::process::Command;

use wharf_acceptance_tests::{PASSWORD, USER};

use super::{Client, Scene};

fn told(scene: &Scene, program: &str) -> Command {
    let mut command = Command::new(program);
    command.args([
        "-batch",
        "-hostkey",
        &scene.fingerprint(),
        "-P",
        &scene.port(),
        "-pw",
        PASSWORD,
    ]);
    command
}

struct Psftp;

impl Psftp {
    fn command(scene: &Scene, lines: &str) -> Command {
        fs::write(scene.local("script"), lines).unwrap();
        let mut command = told(scene, "psftp");
        command
            .arg("-b")
            .arg(scene.local("script"))
            .arg(format!("{USER}@127.0.0.1"));
        command
    }

    fn batch(scene: &Scene, lines: &str) -> String {
        scene.run(&mut Self::command(scene, lines))
    }
}

impl Client for Psftp {
    fn put(&self, scene: &Scene, local: &str, remote: &str) {
        Self::batch(scene, &format!("put \"{local}\" \"{remote}\"\n"));
    }

    fn get(&self, scene: &Scene, remote: &str, local: &str) {
        Self::batch(scene, &format!("get \"{remote}\" \"{local}\"\n"));
    }

    fn put_tree(&self, scene: &Scene, local: &str, remote: &str) -> bool {
        Self::batch(scene, &format!("put -r {local} {remote}\n"));
        false
    }

    fn get_tree(&self, scene: &Scene, remote: &str, local: &str) -> bool {
        Self::batch(scene, &format!("get -r {remote} {local}\n"));
        false
    }

    fn list(&self, scene: &Scene, folder: &str) -> Option<String> {
        Some(Self::batch(scene, &format!("cd {folder}\nls\n")))
    }

    fn rename(&self, scene: &Scene, from: &str, to: &str) -> bool {
        Self::batch(scene, &format!("mv {from} {to}\n"));
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
        Some(Self::command(scene, &format!("put {local} {remote}\n")))
    }
}

/// `pscp`, over SFTP or the old protocol.
struct Pscp(&'static str);

impl Pscp {
    fn command(&self, scene: &Scene, arguments: &[&str]) -> Command {
        let mut command = told(scene, "pscp");
        command.args([self.0, "-q"]).args(arguments);
        command
    }
}

impl Client for Pscp {
    fn put(&self, scene: &Scene, local: &str, remote: &str) {
        let target = format!("{USER}@127.0.0.1:{}", self.name(remote));
        scene.run(&mut self.command(scene, &[local, &target]));
    }

    fn get(&self, scene: &Scene, remote: &str, local: &str) {
        let source = format!("{USER}@127.0.0.1:{}", self.name(remote));
        scene.run(&mut self.command(scene, &[&source, local]));
    }

    fn put_tree(&self, scene: &Scene, local: &str, remote: &str) -> bool {
        // It puts a directory below the one that is named.
        scene.server.mkdir(remote);
        let target = format!("{USER}@127.0.0.1:{remote}");
        scene.run(&mut self.command(scene, &["-r", "-p", local, &target]));
        let (inner, aside) = (
            scene.server.path(remote).join(local),
            scene.server.path("aside"),
        );
        fs::rename(inner, &aside).unwrap();
        fs::remove_dir(scene.server.path(remote)).unwrap();
        fs::rename(aside, scene.server.path(remote)).unwrap();
        false
    }

    fn get_tree(&self, scene: &Scene, remote: &str, local: &str) -> bool {
        fs::create_dir(scene.local("below")).unwrap();
        let source = format!("{USER}@127.0.0.1:{remote}");
        scene.run(&mut self.command(scene, &["-r", "-p", &source, "below"]));
        fs::rename(scene.local("below").join(remote), scene.local(local)).unwrap();
        false
    }

    fn list(&self, scene: &Scene, folder: &str) -> Option<String> {
        // The old protocol has no listing: pscp runs ls then.
        (self.0 == "-sftp").then(|| {
            let folder = format!("{USER}@127.0.0.1:{folder}");
            scene.run(&mut self.command(scene, &["-ls", &folder]))
        })
    }

    fn sender(&self, scene: &Scene, local: &str, remote: &str) -> Option<Command> {
        let target = format!("{USER}@127.0.0.1:{remote}");
        Some(self.command(scene, &[local, &target]))
    }
}

impl Pscp {
    /// The old protocol goes through what a shell would do with the name.
    fn name(&self, name: &str) -> String {
        if self.0 == "-scp" {
            format!("'{name}'")
        } else {
            name.to_owned()
        }
    }
}

mod psftp {
    crate::ssh::cells!(super::Psftp);
}

mod pscp_over_sftp {
    crate::ssh::cells!(super::Pscp("-sftp"));
}

mod pscp_legacy {
    crate::ssh::cells!(super::Pscp("-scp"));
}
