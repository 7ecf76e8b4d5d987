//! Python's `ftplib.FTP_TLS` (INT-12): as it stands, and with the control connection's session handed to
//! the data connections, which takes a subclass.

use std::fs;
use std::process::Command;

use wharf_acceptance_tests::{PASSWORD, USER};

use super::{Client, Mode, Scene};

/// Whether its data connections resume the control connection's session.
#[derive(Clone, Copy, Debug)]
pub(super) enum Ftplib {
    Resuming,
    Forgetful,
}

impl Ftplib {
    pub(super) fn run(self, scene: &Scene, arguments: &[&str]) -> String {
        let mut command = Command::new("python3");
        command
            .args(["-c", include_str!("ftplib.py")])
            .arg(match scene.mode {
                Mode::Explicit => "explicit",
                Mode::Implicit => "implicit",
            })
            .arg(scene.version.number())
            .arg(match self {
                Self::Resuming => "resuming",
                Self::Forgetful => "forgetful",
            })
            .args([
                &scene.port().to_string(),
                &scene.authority(),
                USER,
                PASSWORD,
            ])
            .args(arguments);
        scene.run(&mut command)
    }
}

impl Client for Ftplib {
    fn upload(&self, scene: &Scene, local: &str, remote: &str) {
        self.run(scene, &["put", local, remote]);
    }

    fn download(&self, scene: &Scene, remote: &str, local: &str) {
        self.run(scene, &["get", remote, local]);
    }

    fn list(&self, scene: &Scene) -> String {
        self.run(scene, &["ls"])
    }

    fn resume_download(&self, scene: &Scene, remote: &str, local: &str) {
        self.run(scene, &["continue-get", remote, local]);
    }

    fn resume_upload(&self, scene: &Scene, local: &str, remote: &str) -> bool {
        self.run(scene, &["continue-put", local, remote]);
        true
    }

    /// With ABOR, after which the session goes on.
    fn abort_download(&self, scene: &Scene, remote: &str, octets: usize) -> Vec<u8> {
        self.run(
            scene,
            &["abort-get", remote, "aborted", &octets.to_string()],
        );
        fs::read(scene.local("aborted")).unwrap()
    }

    /// With ABOR, after which the session goes on.
    fn abort_upload(&self, scene: &Scene, bytes: &[u8], remote: &str) {
        fs::write(scene.local("aborted"), bytes).unwrap();
        self.run(scene, &["abort-put", "aborted", remote]);
    }
}

mod resuming {
    use super::Ftplib;

    crate::tls::cells!(Ftplib::Resuming);
}

mod forgetful {
    use super::Ftplib;

    crate::tls::cells!(Ftplib::Forgetful);
}
