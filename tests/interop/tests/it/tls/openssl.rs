//! `openssl s_client`, `-starttls ftp` and implicit: one process is the control connection, one each data
//! connection, which takes the session from a file.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use wharf_acceptance_tests::{PASSWORD, USER};

use super::{Client, Mode, Scene, Version};

/// Whether data connections resume the control connection's session.
#[derive(Clone, Copy, Debug)]
pub(super) enum Openssl {
    Resuming,
    Forgetful,
}

/// Where the session is kept.
const SESSION: &str = "session.pem";

fn s_client(scene: &Scene, port: u16) -> Command {
    let mut command = Command::new("openssl");
    command
        .args(["s_client", "-quiet", "-verify_return_error", "-connect"])
        .arg(format!("127.0.0.1:{port}"))
        .args(["-CAfile", &scene.authority(), "-sess_out", SESSION])
        .arg(match scene.version {
            Version::Tls12 => "-tls1_2",
            Version::Tls13 => "-tls1_3",
        })
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    scene.at_home(&mut command);
    command
}

/// A control connection that is logged in.
pub(super) struct Session<'a> {
    scene: &'a Scene,
    resumption: Openssl,
    child: Child,
    lines: ChildStdin,
    replies: BufReader<ChildStdout>,
}

impl Openssl {
    pub(super) fn log_in(self, scene: &Scene) -> Session<'_> {
        let mut command = s_client(scene, scene.port());
        if scene.mode == Mode::Explicit {
            // It takes the greeting for itself.
            command.args(["-starttls", "ftp"]);
        }
        let mut child = command.spawn().unwrap();
        let mut session = Session {
            scene,
            resumption: self,
            lines: child.stdin.take().unwrap(),
            replies: BufReader::new(child.stdout.take().unwrap()),
            child,
        };
        if scene.mode == Mode::Implicit {
            session.wants(220);
        }
        session.ask(&format!("USER {USER}"), 331);
        session.ask(&format!("PASS {PASSWORD}"), 230);
        session.ask("PBSZ 0", 200);
        session.ask("PROT P", 200);
        session.ask("TYPE I", 200);
        session
    }
}

impl Session<'_> {
    #[track_caller]
    pub(super) fn wants(&mut self, code: u16) -> String {
        let mut reply = String::new();
        loop {
            let start = reply.len();
            let count = self.replies.read_line(&mut reply).unwrap();
            assert!(count > 0, "no {code}: {reply}\n{}", self.scene.server.log());
            let line = &reply[start..];
            if line.as_bytes().get(3) == Some(&b' ') && line[..3].parse::<u16>().is_ok() {
                assert!(
                    line.starts_with(&code.to_string()),
                    "expected {code}: {reply}"
                );
                return reply;
            }
        }
    }

    #[track_caller]
    pub(super) fn ask(&mut self, line: &str, code: u16) -> String {
        self.lines
            .write_all(format!("{line}\r\n").as_bytes())
            .unwrap();
        self.wants(code)
    }

    /// Begins a transfer: the data connection's process, and what the server says to the command.
    #[track_caller]
    pub(super) fn begin(&mut self, line: &str, code: u16) -> Child {
        let reply = self.ask("EPSV", 229);
        let port = reply.rsplit('|').nth(1).unwrap().parse().unwrap();
        let mut command = s_client(self.scene, port);
        if matches!(self.resumption, Openssl::Resuming) {
            command.args(["-sess_in", SESSION]);
        }
        if line.starts_with("STOR") {
            // The end of its input is the end of the connection.
            command.arg("-no_ign_eof");
        }
        let child = command.spawn().unwrap();
        self.ask(line, code);
        child
    }

    #[track_caller]
    pub(super) fn fetch(&mut self, line: &str) -> Vec<u8> {
        let mut data = self.begin(line, 150);
        let mut bytes = Vec::new();
        data.stdout.take().unwrap().read_to_end(&mut bytes).unwrap();
        data.wait().unwrap();
        self.wants(226);
        bytes
    }

    #[track_caller]
    pub(super) fn send(&mut self, line: &str, bytes: &[u8]) {
        let mut data = self.begin(line, 150);
        data.stdin.take().unwrap().write_all(bytes).unwrap();
        data.wait().unwrap();
        self.wants(226);
    }
}

impl Drop for Session<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Client for Openssl {
    fn upload(&self, scene: &Scene, local: &str, remote: &str) {
        let bytes = fs::read(scene.local(local)).unwrap();
        self.log_in(scene).send(&format!("STOR {remote}"), &bytes);
    }

    fn download(&self, scene: &Scene, remote: &str, local: &str) {
        let bytes = self.log_in(scene).fetch(&format!("RETR {remote}"));
        fs::write(scene.local(local), bytes).unwrap();
    }

    fn list(&self, scene: &Scene) -> String {
        String::from_utf8(self.log_in(scene).fetch("LIST")).unwrap()
    }

    fn resume_download(&self, scene: &Scene, remote: &str, local: &str) {
        let mut session = self.log_in(scene);
        let mut bytes = fs::read(scene.local(local)).unwrap();
        session.ask(&format!("REST {}", bytes.len()), 350);
        bytes.extend(session.fetch(&format!("RETR {remote}")));
        fs::write(scene.local(local), bytes).unwrap();
    }

    fn resume_upload(&self, scene: &Scene, local: &str, remote: &str) -> bool {
        let mut session = self.log_in(scene);
        let bytes = fs::read(scene.local(local)).unwrap();
        let reply = session.ask(&format!("SIZE {remote}"), 213);
        let start: usize = reply[4..].trim().parse().unwrap();
        session.ask(&format!("REST {start}"), 350);
        session.send(&format!("STOR {remote}"), &bytes[start..]);
        true
    }

    /// With ABOR, after which the session goes on.
    fn abort_download(&self, scene: &Scene, remote: &str, octets: usize) -> Vec<u8> {
        let mut session = self.log_in(scene);
        let mut data = session.begin(&format!("RETR {remote}"), 150);
        let mut got = vec![0; octets];
        data.stdout.as_mut().unwrap().read_exact(&mut got).unwrap();
        session.ask("ABOR", 426);
        session.wants(226);
        session.ask("NOOP", 200);
        data.kill().unwrap();
        data.wait().unwrap();
        got
    }

    /// With ABOR, after which the session goes on.
    fn abort_upload(&self, scene: &Scene, bytes: &[u8], remote: &str) {
        let mut session = self.log_in(scene);
        let mut data = session.begin(&format!("STOR {remote}"), 150);
        data.stdin.as_mut().unwrap().write_all(bytes).unwrap();
        session.ask("ABOR", 426);
        session.wants(226);
        session.ask("NOOP", 200);
        data.kill().unwrap();
        data.wait().unwrap();
    }
}

mod resuming {
    use super::Openssl;

    crate::tls::cells!(Openssl::Resuming);
}

mod forgetful {
    use super::Openssl;

    crate::tls::cells!(Openssl::Forgetful);
}
