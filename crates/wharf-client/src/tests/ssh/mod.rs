//! SSH against a server that is as a test wishes: whom the client trusts, and how it logs in.

mod agent;
mod host_keys;
mod login;
mod server;
mod way;

use std::{
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use russh::keys::PrivateKey;
use ssh_key::LineEnding;

use self::server::{Server, Wish, private};
use crate::{
    Answer, Location, Observer, Options, Prompt, Question, Result, Secret,
    ssh::{Connection, Context, Ssh},
};

/// Answers as it was told, and keeps what it was asked and told.
#[derive(Default)]
struct Person {
    trust: Answer,
    /// Typed one after the other.
    typed: Mutex<Vec<&'static str>>,
    asked: Mutex<Vec<String>>,
    told: Mutex<Vec<String>>,
}

impl Person {
    fn asked(&self) -> Vec<String> {
        self.asked
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn told(&self) -> String {
        self.told
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .join("\n")
    }

    fn hear(list: &Mutex<Vec<String>>, text: String) {
        list.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(text);
    }
}

impl Observer for Person {
    fn ask(&self, question: &Question) -> Answer {
        Self::hear(&self.asked, format!("{question:?}"));
        self.trust
    }

    fn answer(&self, prompt: &Prompt) -> Option<Secret> {
        Self::hear(&self.asked, format!("{prompt:?}"));
        let mut typed = self.typed.lock().unwrap_or_else(PoisonError::into_inner);
        (!typed.is_empty()).then(|| Secret::new(typed.remove(0)))
    }

    fn note(&self, text: &str) {
        Self::hear(&self.told, text.to_owned());
    }

    fn dialogue(&self, _: char, line: &str) {
        Self::hear(&self.told, line.to_owned());
    }
}

/// A home directory, a person, and choices.
struct Case {
    folder: tempfile::TempDir,
    person: Arc<Person>,
    options: Options,
}

impl Case {
    fn new(person: Person) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join(".ssh")).unwrap();
        let options = Options {
            connect_timeout: Duration::from_secs(5),
            idle_timeout: Duration::from_secs(20),
            ssh: Ssh {
                home: Some(folder.path().to_owned()),
                config_files: vec![folder.path().join(".ssh/config")],
                ..Ssh::default()
            },
            ..Options::default()
        };
        Self {
            folder,
            person: Arc::new(person),
            options,
        }
    }

    /// One who is never asked anything: the server's key is known.
    fn knowing(server: &Server) -> Self {
        let this = Self::new(Person::default());
        this.write("known_hosts", &server.line());
        this
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(".ssh").join(name)
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
        path
    }

    fn write_key(&self, name: &str, key: &PrivateKey) -> PathBuf {
        self.write(name, &key.to_openssh(LineEnding::LF).unwrap())
    }

    fn context(&self, url: &str) -> Arc<Context> {
        let site = Location::parse(url).unwrap().site;
        let observer: Arc<Person> = Arc::clone(&self.person);
        Arc::new(Context::new(site, self.options.clone(), observer))
    }

    async fn open(&self, url: &str) -> Result<Connection> {
        Box::pin(Connection::open(&self.context(url))).await
    }
}

fn exists(path: &Path) -> bool {
    path.try_exists().unwrap()
}
