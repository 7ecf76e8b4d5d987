//! lftp, which drives OpenSSH's ssh and speaks SFTP itself.

use std::process::Command;

use wharf_acceptance_tests::USER;

use super::{Client, Scene};

struct Lftp;

impl Lftp {
    fn command(scene: &Scene, script: &str) -> Command {
        let options = scene.options().join(" ");
        let mut command = Command::new("lftp");
        command.args(["--norc", "-c"]).arg(format!(
            "set cmd:fail-exit yes; set net:max-retries 1; set net:timeout 20; \
             set sftp:connect-program \"ssh -a -x {options}\"; \
             open -u {USER}, sftp://127.0.0.1:{}; {script}",
            scene.port()
        ));
        command
    }

    fn script(scene: &Scene, script: &str) -> String {
        scene.run(&mut Self::command(scene, script))
    }
}

impl Client for Lftp {
    fn put(&self, scene: &Scene, local: &str, remote: &str) {
        Self::script(scene, &format!("put \"{local}\" -o \"{remote}\""));
    }

    fn get(&self, scene: &Scene, remote: &str, local: &str) {
        Self::script(scene, &format!("get \"{remote}\" -o \"{local}\""));
    }

    fn put_tree(&self, scene: &Scene, local: &str, remote: &str) -> bool {
        Self::script(scene, &format!("mirror -R --parallel=4 {local} {remote}"));
        // Modes go through the client's umask.
        false
    }

    fn get_tree(&self, scene: &Scene, remote: &str, local: &str) -> bool {
        Self::script(scene, &format!("mirror --parallel=4 {remote} {local}"));
        false
    }

    fn list(&self, scene: &Scene, folder: &str) -> Option<String> {
        Some(Self::script(scene, &format!("ls {folder}")))
    }

    fn rename(&self, scene: &Scene, from: &str, to: &str) -> bool {
        Self::script(scene, &format!("mv {from} {to}"));
        true
    }

    fn resume_get(&self, scene: &Scene, remote: &str, local: &str) -> bool {
        Self::script(scene, &format!("get -c {remote} -o {local}"));
        true
    }

    fn resume_put(&self, scene: &Scene, local: &str, remote: &str) -> bool {
        Self::script(scene, &format!("put -c {local} -o {remote}"));
        true
    }

    fn sender(&self, scene: &Scene, local: &str, remote: &str) -> Option<Command> {
        Some(Self::command(scene, &format!("put {local} -o {remote}")))
    }
}

crate::ssh::cells!(Lftp);
