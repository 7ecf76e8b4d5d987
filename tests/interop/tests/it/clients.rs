//! Each client of today uploads a real tree and downloads it again; the bytes on disk decide.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use wharf_acceptance_tests::subject::run;
use wharf_acceptance_tests::{Kind, PASSWORD, Scratch, Server, Setup, USER};
use wharf_interop_tests::{grow, hand_over, large, plant, same_file, same_tree};

/// Wharf, a tree to send, and a place to fetch into.
struct Scene {
    server: Server,
    scratch: Scratch,
}

impl Scene {
    fn new() -> Self {
        let server = Server::with(Setup {
            kind: Kind::Wharf,
            ..Setup::default()
        });
        let scratch = Scratch::new("interop");
        plant(&scratch.path().join("sent"));
        fs::create_dir(scratch.path().join("got")).unwrap();
        Self { server, scratch }
    }

    fn sent(&self) -> PathBuf {
        self.scratch.path().join("sent")
    }

    fn got(&self) -> PathBuf {
        self.scratch.path().join("got")
    }

    fn port(&self) -> String {
        self.server.address().port().to_string()
    }

    /// Runs a client in the scratch directory with a home of its own.
    fn run(&self, command: &mut Command) -> String {
        run(command
            .current_dir(self.scratch.path())
            .env("HOME", self.scratch.path())
            .env("LC_ALL", "C.UTF-8"))
    }

    /// Runs a client that reads its commands from standard input.
    fn feed(&self, command: &mut Command, script: &str) -> String {
        let log = self.scratch.path().join("client.log");
        let out = fs::File::create(&log).unwrap();
        let mut child = command
            .current_dir(self.scratch.path())
            .env("HOME", self.scratch.path())
            .env("LC_ALL", "C.UTF-8")
            .stdin(Stdio::piped())
            .stdout(out.try_clone().unwrap())
            .stderr(out)
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        child
            .stdin
            .take()
            .unwrap()
            .write_all(script.as_bytes())
            .unwrap();
        let status = child.wait().unwrap();
        let said = fs::read_to_string(&log).unwrap_or_default();
        assert!(status.success(), "{status}\n{said}");
        said
    }

    /// The directories of the tree, parents first, and its files, relative.
    fn paths(&self) -> (Vec<String>, Vec<String>) {
        fn walk(root: &Path, below: &str, folders: &mut Vec<String>, files: &mut Vec<String>) {
            for entry in fs::read_dir(root.join(below)).unwrap().flatten() {
                let name = entry.file_name().into_string().unwrap();
                let path = if below.is_empty() {
                    name
                } else {
                    format!("{below}/{name}")
                };
                if root.join(&path).is_dir() {
                    folders.push(path.clone());
                    walk(root, &path, folders, files);
                } else {
                    files.push(path);
                }
            }
        }
        let (mut folders, mut files) = (Vec::new(), Vec::new());
        walk(&self.sent(), "", &mut folders, &mut files);
        (folders, files)
    }

    #[track_caller]
    fn uploaded(&self, folder: &str) {
        same_tree(&self.sent(), &self.server.path(folder));
    }

    #[track_caller]
    fn downloaded(&self, folder: &str) {
        same_tree(&self.sent(), &self.got().join(folder));
    }

    /// The large file, made when this run wants one of this client.
    fn big(&self, always: bool) -> Option<PathBuf> {
        let blocks = large(always)?;
        let path = self.scratch.path().join("big");
        grow(&path, blocks);
        Some(path)
    }

    /// What a client uploaded as `big`, and fetched as `big.got`, is what was sent.
    #[track_caller]
    fn same_big(&self) {
        let sent = self.scratch.path().join("big");
        same_file(&sent, &self.server.path("big"));
        same_file(&sent, &self.scratch.path().join("big.got"));
    }
}

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

/// INT-06.
#[test]
fn curl_sends_and_fetches_a_tree() {
    let scene = Scene::new();
    let user = format!("{USER}:{PASSWORD}");
    let base = format!("ftp://127.0.0.1:{}", scene.port());
    let (_, files) = scene.paths();
    let (mut up, mut down) = (String::new(), String::new());
    for file in &files {
        let url = format!("{base}/tree/{}", escape(file));
        writeln!(
            up,
            "upload-file = \"{}\"\nurl = \"{url}\"",
            scene.sent().join(file).display()
        )
        .unwrap();
        writeln!(
            down,
            "output = \"{}\"\nurl = \"{url}\"",
            scene.got().join(file).display()
        )
        .unwrap();
    }
    let curl = |config: &str, text: &str| {
        let path = scene.scratch.path().join(config);
        fs::write(&path, text).unwrap();
        scene.run(
            Command::new("curl")
                .args([
                    "-q",
                    "-sS",
                    "--fail-early",
                    "--create-dirs",
                    // Alone, curl 7.88 sleeps a second whenever a 229 comes before it looks for it.
                    "--parallel",
                    "--parallel-max",
                    "8",
                    "--ftp-create-dirs",
                    "-u",
                    &user,
                    "-K",
                ])
                .arg(path),
        );
    };
    curl("up.conf", &up);
    scene.uploaded("tree");
    curl("down.conf", &down);
    scene.downloaded("");

    let big = scene.big(true).unwrap();
    scene.run(
        Command::new("curl")
            .args(["-q", "-sS", "-u", &user, "-T"])
            .arg(big)
            .arg(format!("{base}/big")),
    );
    scene.run(
        Command::new("curl")
            .args(["-q", "-sS", "-u", &user, "-o", "big.got"])
            .arg(format!("{base}/big")),
    );
    scene.same_big();
}

/// INT-06: an interrupted download goes on where it stopped.
#[test]
fn curl_resumes() {
    let scene = Scene::new();
    let bytes = wharf_acceptance_tests::noise(1, 3 << 20);
    scene.server.put("f", &bytes);
    fs::write(scene.scratch.path().join("part"), &bytes[..1_234_567]).unwrap();
    let url = format!("ftp://127.0.0.1:{}", scene.port());
    let user = format!("{USER}:{PASSWORD}");
    scene.run(Command::new("curl").args([
        "-q",
        "-sS",
        "-u",
        &user,
        "-C",
        "-",
        "-o",
        "part",
        &format!("{url}/f"),
    ]));
    assert!(fs::read(scene.scratch.path().join("part")).unwrap() == bytes);
    scene.server.put("up", &bytes[..1_234_567]);
    scene.run(Command::new("curl").args([
        "-q",
        "-sS",
        "-u",
        &user,
        "-C",
        "-",
        "-T",
        "part",
        &format!("{url}/up"),
    ]));
    assert!(scene.server.read("up") == bytes);
}

/// INT-05.
#[test]
fn lftp_mirrors_both_ways() {
    let scene = Scene::new();
    let lftp = |line: &str| {
        let script = format!(
            "set cmd:fail-exit yes; set ftp:ssl-allow no; set net:max-retries 2; set net:timeout 20; \
             set xfer:clobber yes; open -u {USER},\"{PASSWORD}\" -p {} 127.0.0.1; {line}",
            scene.port()
        );
        scene.run(Command::new("lftp").args(["--norc", "-c", &script]))
    };
    lftp("mirror -R -P 4 sent tree");
    scene.uploaded("tree");
    lftp("mirror -P 4 tree got/tree");
    scene.downloaded("tree");
    // A second run finds nothing to do: sizes and times came through.
    let again = lftp("mirror -R --verbose sent tree");
    assert!(!again.contains("Transferring"), "{again}");
    if scene.big(false).is_some() {
        lftp("put big; get big -o big.got");
        scene.same_big();
    }
}

/// INT-08.
#[test]
fn ncftp_sends_and_fetches_a_tree() {
    let scene = Scene::new();
    let port = scene.port();
    let login = ["-u", USER, "-p", PASSWORD, "-P", &port];
    scene.run(
        Command::new("ncftpput")
            .args(login)
            .args(["-V", "-R", "127.0.0.1", "/", "sent"]),
    );
    scene.uploaded("sent");
    scene.run(
        Command::new("ncftpget")
            .args(login)
            .args(["-V", "-R", "127.0.0.1", "got", "/sent"]),
    );
    scene.downloaded("sent");
    if scene.big(false).is_some() {
        scene.run(
            Command::new("ncftpput")
                .args(login)
                .args(["-V", "127.0.0.1", "/", "big"]),
        );
        fs::create_dir(scene.scratch.path().join("in")).unwrap();
        scene.run(
            Command::new("ncftpget")
                .args(login)
                .args(["-V", "127.0.0.1", "in", "/big"]),
        );
        fs::rename(
            scene.scratch.path().join("in/big"),
            scene.scratch.path().join("big.got"),
        )
        .unwrap();
        scene.same_big();
    }
}

/// INT-11.
#[test]
fn tnftp_sends_and_fetches_a_tree() {
    let scene = Scene::new();
    let (folders, files) = scene.paths();
    let mut script = format!(
        "open 127.0.0.1 {}\nuser {USER} \"{PASSWORD}\"\nbinary\nmkdir tree\n",
        scene.port()
    );
    for folder in &folders {
        writeln!(script, "mkdir \"tree/{folder}\"").unwrap();
        fs::create_dir_all(scene.got().join(folder)).unwrap();
    }
    for file in &files {
        writeln!(script, "put \"sent/{file}\" \"tree/{file}\"").unwrap();
    }
    for file in &files {
        writeln!(script, "get \"tree/{file}\" \"got/{file}\"").unwrap();
    }
    let big = scene.big(false).is_some();
    if big {
        script += "put big big\nget big big.got\n";
    }
    script += "quit\n";
    scene.feed(Command::new("tnftp").args(["-n", "-i", "-v"]), &script);
    scene.uploaded("tree");
    scene.downloaded("");
    if big {
        scene.same_big();
    }
}

/// INT-12.
#[test]
fn ftplib_sends_and_fetches_a_tree() {
    let scene = Scene::new();
    let script = r#"
import ftplib, os, sys
port, user, password, big = int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4] == "big"
f = ftplib.FTP()
f.connect("127.0.0.1", port, 30)
f.login(user, password)
f.mkd("tree")
for root, dirs, files in os.walk("sent"):
    remote = "tree" + root[len("sent"):]
    for d in dirs:
        f.mkd(f"{remote}/{d}")
    for name in files:
        with open(f"{root}/{name}", "rb") as h:
            f.storbinary(f"STOR {remote}/{name}", h)
def fetch(remote, local):
    os.makedirs(local, exist_ok=True)
    f.cwd("/" + remote)
    for name, facts in list(f.mlsd()):
        if facts["type"] == "dir":
            fetch(f"{remote}/{name}", f"{local}/{name}")
            f.cwd("/" + remote)
        elif facts["type"] == "file":
            with open(f"{local}/{name}", "wb") as h:
                f.retrbinary(f"RETR {name}", h.write)
            assert os.path.getsize(f"{local}/{name}") == int(facts["size"]) == f.size(name)
fetch("tree", "got/tree")
f.cwd("/")
assert sorted(f.nlst("tree"))[0].startswith("tree/")
# An abort as ftplib does it: urgent data.
f.voidcmd("TYPE I")
conn = f.transfercmd("RETR tree/file 0035.bin")
f.abort()
conn.close()
f.set_pasv(False)
f.retrlines("LIST", lambda line: None)
if big:
    with open("big", "rb") as h:
        f.storbinary("STOR big", h, 1 << 16)
    with open("big.got", "wb") as h:
        f.retrbinary("RETR big", h.write, 1 << 16)
f.quit()
"#;
    let big = if scene.big(false).is_some() {
        "big"
    } else {
        ""
    };
    scene.run(Command::new("python3").args(["-c", script, &scene.port(), USER, PASSWORD, big]));
    scene.uploaded("tree");
    scene.downloaded("tree");
    if !big.is_empty() {
        scene.same_big();
    }
}

/// INT-18.
#[test]
fn rclone_sends_and_fetches_a_tree() {
    let scene = Scene::new();
    let hidden = scene.run(Command::new("rclone").args(["obscure", PASSWORD]));
    let port = scene.port();
    let rclone = |arguments: &[&str]| {
        scene.run(Command::new("rclone").args(arguments).args([
            "--config",
            "/dev/null",
            "--ftp-host",
            "127.0.0.1",
            "--ftp-port",
            &port,
            "--ftp-user",
            USER,
            "--ftp-pass",
            hidden.trim(),
            "--retries",
            "1",
            // Debian's rclone takes the 426 for a range that it closed itself as a failure when it
            // fetches one file in several streams.
            "--multi-thread-streams",
            "0",
        ]))
    };
    rclone(&["copy", "sent", ":ftp:tree"]);
    scene.uploaded("tree");
    rclone(&["copy", ":ftp:tree", "got/tree"]);
    scene.downloaded("tree");
    rclone(&["check", "sent", ":ftp:tree", "--download"]);
    if scene.big(false).is_some() {
        rclone(&["copyto", "big", ":ftp:big"]);
        rclone(&["copyto", ":ftp:big", "big.got"]);
        scene.same_big();
    }
}

/// INT-07: wget only fetches.
#[test]
fn wget_fetches_a_tree() {
    let scene = Scene::new();
    let status = Command::new("cp")
        .arg("-r")
        .arg(scene.sent())
        .arg(scene.server.path("tree"))
        .status()
        .unwrap();
    assert!(status.success());
    hand_over(&scene.server.path("tree"));
    scene.run(Command::new("wget").args([
        "-q",
        "-r",
        "-l",
        "inf",
        "-nH",
        "-P",
        "got",
        "--restrict-file-names=nocontrol",
        "--no-remove-listing",
        &format!("--ftp-user={USER}"),
        &format!("--ftp-password={PASSWORD}"),
        &format!("ftp://127.0.0.1:{}/tree/", scene.port()),
    ]));
    for folder in [scene.got().join("tree")].iter().chain(
        &scene
            .paths()
            .0
            .iter()
            .map(|f| scene.got().join("tree").join(f))
            .collect::<Vec<_>>(),
    ) {
        let _ = fs::remove_file(folder.join(".listing"));
    }
    scene.downloaded("tree");
    if scene.big(false).is_some() {
        fs::copy(scene.scratch.path().join("big"), scene.server.path("big")).unwrap();
        scene.run(Command::new("wget").args([
            "-q",
            "-O",
            "big.got",
            &format!("--ftp-user={USER}"),
            &format!("--ftp-password={PASSWORD}"),
            &format!("ftp://127.0.0.1:{}/big", scene.port()),
        ]));
        scene.same_big();
    }
}
