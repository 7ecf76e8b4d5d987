//! SFTP and SCP with the clients of today: each of them sends and fetches files and trees, lists,
//! renames, resumes, keeps times and modes as far as it can, and is killed in the middle; the bytes on
//! the server's disk decide. What a client cannot do, it says by giving `false`, and that is all.

mod asyncssh;
mod curl;
mod exec;
mod lftp;
mod openssh;
mod own_client;
mod paramiko;
mod putty;
mod rclone;
mod sshfs;

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use wharf_acceptance_tests::subject::run;
use wharf_acceptance_tests::{Kind, PASSWORD, Scratch, Server, Setup, SshSetup, USER, noise};
use wharf_interop_tests::{grow, hand_over, has_octets, large, same_file, same_tree, until};

/// A server, and a directory of the client's own with its key and the server's.
pub(crate) struct Scene {
    pub(crate) server: Server,
    pub(crate) scratch: Scratch,
}

impl Scene {
    pub(crate) fn new() -> Self {
        Self::with(Kind::chosen(), "")
    }

    /// `account`: further keys of the account in Wharf's configuration.
    pub(crate) fn with(kind: Kind, account: &'static str) -> Self {
        let scratch = Scratch::new("ssh");
        run(Command::new("ssh-keygen")
            .args(["-q", "-t", "ed25519", "-N", "", "-C", "test", "-f"])
            .arg(scratch.path().join("key")));
        let server = Server::with(Setup {
            kind,
            ssh: Some(SshSetup {
                authorized_keys: fs::read_to_string(scratch.path().join("key.pub")).unwrap(),
                account,
            }),
            ..Setup::default()
        });
        let scene = Self { server, scratch };
        // Keys of every kind: clients do not agree on which one they prefer.
        let scanned =
            run(Command::new("ssh-keyscan").args(["-T", "60", "-p", &scene.port(), "127.0.0.1"]));
        assert!(scanned.contains("ssh-ed25519"), "no host key: {scanned}");
        fs::write(scene.local("known_hosts"), scanned).unwrap();
        scene
    }

    pub(crate) fn port(&self) -> String {
        self.server.ssh().port().to_string()
    }

    /// A file of the client's.
    pub(crate) fn local(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }

    /// As the command line of a client has it.
    pub(crate) fn text(&self, name: &str) -> String {
        self.local(name).display().to_string()
    }

    /// The fingerprint of the server's key, as OpenSSH writes it.
    pub(crate) fn fingerprint(&self) -> String {
        let shown = run(Command::new("ssh-keygen")
            .args(["-l", "-f"])
            .arg(self.local("known_hosts")));
        let line = shown.lines().find(|line| line.contains("ED25519"));
        let fingerprint = line.and_then(|line| line.split_whitespace().nth(1));
        fingerprint.expect("a key of that kind").to_owned()
    }

    /// What every OpenSSH program is told.
    pub(crate) fn options(&self) -> Vec<String> {
        let mut all = vec!["-F".to_owned(), "none".to_owned()];
        for option in [
            "StrictHostKeyChecking=yes",
            "IdentitiesOnly=yes",
            "BatchMode=yes",
            &format!("UserKnownHostsFile={}", self.text("known_hosts")),
            &format!("IdentityFile={}", self.text("key")),
        ] {
            all.extend(["-o".to_owned(), option.to_owned()]);
        }
        all
    }

    pub(crate) fn at_home<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command
            .current_dir(self.scratch.path())
            .env("HOME", self.scratch.path())
            .env_remove("SSH_AUTH_SOCK")
            .env("LC_ALL", "C.UTF-8")
    }

    /// Runs a client to its end, which must be a good one, and gives what it said.
    #[track_caller]
    pub(crate) fn run(&self, command: &mut Command) -> String {
        run(self.at_home(command))
    }

    /// Starts a client and kills it when some of what it sends has arrived.
    #[track_caller]
    fn killed(&self, command: &mut Command) {
        let mut child = self
            .at_home(command)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        until(
            || has_octets(self.server.root(), |name| name.starts_with(".wharf-")),
            || format!("nothing arrived of {command:?}\n{}", self.server.log()),
        );
        child.kill().unwrap();
        child.wait().unwrap();
    }
}

/// What a client can be asked for. Local names are relative to the client's directory, remote ones to
/// the account's.
pub(crate) trait Client {
    /// Sends a file.
    fn put(&self, scene: &Scene, local: &str, remote: &str);

    /// Fetches a file.
    fn get(&self, scene: &Scene, remote: &str, local: &str);

    /// Sends a directory as `remote`, with times and modes if it can: whether it could.
    fn put_tree(&self, scene: &Scene, local: &str, remote: &str) -> bool;

    /// Fetches a directory as `local`, with times and modes if it can: whether it could.
    fn get_tree(&self, scene: &Scene, remote: &str, local: &str) -> bool;

    /// The names in a directory, in whatever form; `None` when it cannot list.
    fn list(&self, _scene: &Scene, _folder: &str) -> Option<String> {
        None
    }

    /// Gives a file another name.
    fn rename(&self, _scene: &Scene, _from: &str, _to: &str) -> bool {
        false
    }

    /// Fetches what `local` still lacks.
    fn resume_get(&self, _scene: &Scene, _remote: &str, _local: &str) -> bool {
        false
    }

    /// Sends what `remote` still lacks.
    fn resume_put(&self, _scene: &Scene, _local: &str, _remote: &str) -> bool {
        false
    }

    /// The command that sends a file, to be killed; `None` when it is no single process.
    fn sender(&self, _scene: &Scene, _local: &str, _remote: &str) -> Option<Command> {
        None
    }
}

/// Small files in the tree of many.
const MANY: usize = 5000;

fn set_time(path: &Path, seconds: u64) {
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    File::open(path).unwrap().set_modified(time).unwrap();
}

fn seconds(path: &Path) -> u64 {
    let time = path.metadata().unwrap().modified().unwrap();
    time.duration_since(SystemTime::UNIX_EPOCH)
        .unwrap()
        .as_secs()
}

fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().permissions().mode() & 0o777
}

/// Files of awkward sizes and names go and come back.
pub(crate) fn sends_and_fetches(client: &dyn Client) {
    let scene = Scene::new();
    for (number, (name, size)) in [
        ("empty", 0),
        ("one", 1),
        ("block", 32_768),
        ("odd", 3_000_001),
        ("with space", 70_000),
        ("Grüße.txt", 5),
    ]
    .into_iter()
    .enumerate()
    {
        let bytes = noise(number as u64, size);
        fs::write(scene.local(name), &bytes).unwrap();
        client.put(&scene, name, name);
        assert!(scene.server.read(name) == bytes, "{name} differs there");
        client.get(&scene, name, "back");
        let back = fs::read(scene.local("back")).unwrap();
        assert!(back == bytes, "{name} differs here");
        fs::remove_file(scene.local("back")).unwrap();
    }
    // A shorter file in place of a longer one.
    fs::write(scene.local("short"), "short").unwrap();
    client.put(&scene, "short", "odd");
    assert_eq!(scene.server.read("odd"), b"short");
}

/// Names of all kinds are listed.
pub(crate) fn lists(client: &dyn Client) {
    let scene = Scene::new();
    scene.server.mkdir("folder");
    for name in ["plain", "with space", "Grüße", "-dash"] {
        scene.server.put(format!("folder/{name}"), name);
    }
    scene.server.mkdir("folder/below");
    if let Some(listed) = client.list(&scene, "folder") {
        for name in ["plain", "with space", "Grüße", "-dash", "below"] {
            assert!(listed.contains(name), "{name} is missing in\n{listed}");
        }
    }
}

/// A file gets another name.
pub(crate) fn renames(client: &dyn Client) {
    let scene = Scene::new();
    scene.server.put("before", "content");
    if client.rename(&scene, "before", "after") {
        assert!(!scene.server.has("before"));
        assert_eq!(scene.server.read("after"), b"content");
    }
}

/// The rest of a file is sent and fetched.
pub(crate) fn resumes(client: &dyn Client) {
    let scene = Scene::new();
    let bytes = noise(7, 1_000_000);
    fs::write(scene.local("whole"), &bytes).unwrap();
    scene.server.put("part", &bytes[..400_000]);
    if client.resume_put(&scene, "whole", "part") {
        assert!(scene.server.read("part") == bytes, "the upload differs");
    }
    scene.server.put("whole", &bytes);
    fs::write(scene.local("rest"), &bytes[..300_000]).unwrap();
    if client.resume_get(&scene, "whole", "rest") {
        let rest = fs::read(scene.local("rest")).unwrap();
        assert!(rest == bytes, "the download differs");
    }
}

/// A tree goes and comes back, with its times and modes where the client keeps them.
pub(crate) fn keeps_times_and_modes(client: &dyn Client) {
    let scene = Scene::new();
    let tree = scene.local("tree");
    fs::create_dir_all(tree.join("a/b")).unwrap();
    for (number, (path, bits)) in [("a/b/deep", 0o640), ("a/run", 0o755), ("top", 0o600)]
        .into_iter()
        .enumerate()
    {
        fs::write(tree.join(path), noise(number as u64, 1000)).unwrap();
        fs::set_permissions(tree.join(path), fs::Permissions::from_mode(bits)).unwrap();
        set_time(&tree.join(path), 1_000_000_000 + number as u64);
    }
    let alike = |one: &Path, two: &Path| {
        for path in ["a/b/deep", "a/run", "top"] {
            assert_eq!(seconds(&one.join(path)), seconds(&two.join(path)), "{path}");
            assert_eq!(mode(&one.join(path)), mode(&two.join(path)), "{path}");
        }
    };
    let kept = client.put_tree(&scene, "tree", "sent");
    same_tree(&tree, &scene.server.path("sent"));
    if kept {
        alike(&tree, &scene.server.path("sent"));
    }
    run(Command::new("cp")
        .args(["-a"])
        .arg(&tree)
        .arg(scene.server.path("kept")));
    hand_over(&scene.server.path("kept"));
    let kept = client.get_tree(&scene, "kept", "got");
    same_tree(&tree, &scene.local("got"));
    if kept {
        alike(&tree, &scene.local("got"));
    }
}

/// Five thousand small files go and come back.
pub(crate) fn many_small_files(client: &dyn Client) {
    let scene = Scene::new();
    let tree = scene.local("many");
    for number in 0..MANY {
        let folder = tree.join(format!("{}", number / 500));
        if number % 500 == 0 {
            fs::create_dir_all(&folder).unwrap();
        }
        fs::write(
            folder.join(format!("f{number}")),
            noise(number as u64, number % 300),
        )
        .unwrap();
    }
    client.put_tree(&scene, "many", "many");
    same_tree(&tree, &scene.server.path("many"));
    client.get_tree(&scene, "many", "back");
    same_tree(&tree, &scene.local("back"));
}

/// A client that dies in the middle leaves what stood there as it was, and nothing else.
pub(crate) fn killed_while_sending(client: &dyn Client) {
    let scene = Scene::new();
    scene.server.put("victim", "what stood there");
    grow(&scene.local("large"), 256);
    if scene.server.kind() != Kind::Wharf {
        // Others write in place; the promise is ours.
        return;
    }
    let Some(mut command) = client.sender(&scene, "large", "victim") else {
        return;
    };
    scene.killed(&mut command);
    until(
        || scene.server.names() == ["victim"],
        || format!("left: {:?}\n{}", scene.server.names(), scene.server.log()),
    );
    assert_eq!(scene.server.read("victim"), b"what stood there");
    client.get(&scene, "victim", "after");
    assert_eq!(fs::read(scene.local("after")).unwrap(), b"what stood there");
}

/// A file of 2 GiB and some goes and comes back.
pub(crate) fn moves_a_large_file(client: &dyn Client, always: bool) {
    let Some(blocks) = large(always) else {
        return;
    };
    let scene = Scene::new();
    grow(&scene.local("big"), blocks);
    client.put(&scene, "big", "big");
    same_file(&scene.local("big"), &scene.server.path("big"));
    client.get(&scene, "big", "big.got");
    same_file(&scene.local("big"), &scene.local("big.got"));
}

/// One test per cell of the matrix.
macro_rules! cells {
    ($client:expr) => {
        $crate::ssh::cells!($client, false);
    };
    ($client:expr, $always_large:expr) => {
        #[test]
        fn sends_and_fetches() {
            $crate::ssh::sends_and_fetches(&$client);
        }

        #[test]
        fn lists() {
            $crate::ssh::lists(&$client);
        }

        #[test]
        fn renames() {
            $crate::ssh::renames(&$client);
        }

        #[test]
        fn resumes() {
            $crate::ssh::resumes(&$client);
        }

        #[test]
        fn keeps_times_and_modes() {
            $crate::ssh::keeps_times_and_modes(&$client);
        }

        #[test]
        fn many_small_files() {
            $crate::ssh::many_small_files(&$client);
        }

        #[test]
        fn killed_while_sending() {
            $crate::ssh::killed_while_sending(&$client);
        }

        #[test]
        fn moves_a_large_file() {
            $crate::ssh::moves_a_large_file(&$client, $always_large);
        }
    };
}
pub(crate) use cells;

/// A password with a space in it goes where a key could.
#[test]
fn logs_in_with_a_password() {
    let scene = Scene::new();
    scene.server.put("file", "content");
    let pass = PASSWORD;
    let url = format!("sftp://127.0.0.1:{}/~/file", scene.port());
    let got = scene.run(Command::new("curl").args([
        "-q",
        "-sS",
        "-k",
        "-u",
        &format!("{USER}:{pass}"),
        &url,
    ]));
    assert_eq!(got, "content");
}
