//! lftp (INT-05): `ftp:ssl-force` and `ftps://`, with GnuTLS below it.

use std::process::Command;

use wharf_acceptance_tests::{PASSWORD, USER};

use super::{Client, Mode, Scene, cells};

pub(super) struct Lftp;

impl Lftp {
    /// lftp that does as the line says.
    fn command(scene: &Scene, line: &str) -> Command {
        let scheme = match scene.mode {
            Mode::Explicit => "ftp",
            Mode::Implicit => "ftps",
        };
        let script = format!(
            "set cmd:fail-exit yes; set net:max-retries 1; set net:timeout 20; set xfer:clobber yes; \
             set ftp:ssl-force yes; set ftp:ssl-protect-data yes; set ssl:verify-certificate yes; \
             set ssl:ca-file \"{}\"; set ssl:priority \"NORMAL:-VERS-ALL:+VERS-TLS{}\"; \
             open -u {USER},\"{PASSWORD}\" {scheme}://127.0.0.1:{}; {line}",
            scene.authority(),
            scene.version.number(),
            scene.port()
        );
        let mut command = Command::new("lftp");
        command.args(["--norc", "-c", &script]);
        command
    }

    fn run(scene: &Scene, line: &str) -> String {
        scene.run(&mut Self::command(scene, line))
    }
}

impl Client for Lftp {
    fn upload(&self, scene: &Scene, local: &str, remote: &str) {
        Self::run(scene, &format!("put {local} -o \"{remote}\""));
    }

    fn download(&self, scene: &Scene, remote: &str, local: &str) {
        Self::run(scene, &format!("get \"{remote}\" -o {local}"));
    }

    fn list(&self, scene: &Scene) -> String {
        Self::run(scene, "ls")
    }

    fn resume_download(&self, scene: &Scene, remote: &str, local: &str) {
        Self::run(scene, &format!("get -c \"{remote}\" -o {local}"));
    }

    fn resume_upload(&self, scene: &Scene, local: &str, remote: &str) -> bool {
        Self::run(scene, &format!("put -c {local} -o \"{remote}\""));
        true
    }

    fn abort_download(&self, scene: &Scene, remote: &str, octets: usize) -> Vec<u8> {
        let mut command = Self::command(scene, &format!("cat {remote}"));
        scene.killed_in_a_download(&mut command, octets)
    }

    fn abort_upload(&self, scene: &Scene, bytes: &[u8], remote: &str) {
        let mut command = Self::command(scene, &format!("put /dev/stdin -o {remote}"));
        scene.killed_in_an_upload(&mut command, bytes);
    }
}

cells!(Lftp);

/// TLS-37: lftp never reads what the server says on an upload's connection. Whatever it found there when
/// it closes would make a reset of its end, and destroy what is still under way.
#[test]
fn uploads_are_whole_though_lftp_reads_no_tickets() {
    let scene = Scene::new(Mode::Explicit, super::Version::Tls13);
    let bytes = wharf_interop_tests::content(1, 3_000_000);
    std::fs::write(scene.local("sent"), &bytes).unwrap();
    let puts: String = (0..20).map(|n| format!("put sent -o up{n};")).collect();
    Lftp::run(&scene, &puts);
    for n in 0..20 {
        assert!(scene.server.read(format!("up{n}")) == bytes, "up{n}");
    }
    let log = scene.server.log();
    assert!(!log.contains("aborted"), "lftp had to try again:\n{log}");
}
