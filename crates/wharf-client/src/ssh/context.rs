//! What all connections with one site share.

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use russh::keys::PrivateKey;

use super::HostKeyPin;
use crate::{
    Answer, Observer, Options, Prompt, Question, Result, Secret, Site, local::blocking_result,
};

/// The site, the choices, and what was learnt in this run.
pub(crate) struct Context {
    pub(crate) site: Site,
    pub(crate) options: Options,
    pub(crate) observer: Arc<dyn Observer>,
    /// Held while a person is asked: connections do not ask side by side.
    asking: tokio::sync::Mutex<()>,
    /// Held by a login from its first prompt to its end: the others then find what was typed. Taken
    /// before `asking`, never after.
    pub(super) typing: tokio::sync::Mutex<()>,
    /// Held while a key is opened. Taken before `asking`, never after.
    pub(super) unlocking: tokio::sync::Mutex<()>,
    /// Held while keys are learnt: what one connection has written the next one finds.
    pub(super) learning: tokio::sync::Mutex<()>,
    memory: Mutex<Memory>,
}

/// Learnt in this run, for the connections that follow.
#[derive(Default)]
struct Memory {
    /// Host keys that a person agreed to.
    agreed: Vec<(String, HostKeyPin)>,
    /// Keys that a passphrase has opened; none: nobody knows it.
    opened: HashMap<PathBuf, Option<Arc<PrivateKey>>>,
    /// Passwords that were accepted, by `user@host:port`.
    passwords: HashMap<String, Secret>,
    /// Notes that need no repeating.
    noted: Vec<String>,
}

impl Context {
    pub(crate) fn new(site: Site, options: Options, observer: Arc<dyn Observer>) -> Self {
        Self {
            site,
            options,
            observer,
            asking: tokio::sync::Mutex::default(),
            typing: tokio::sync::Mutex::default(),
            unlocking: tokio::sync::Mutex::default(),
            learning: tokio::sync::Mutex::default(),
            memory: Mutex::default(),
        }
    }

    fn memory(&self) -> std::sync::MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers an agreement; tells whether it is new.
    pub(super) fn agree(&self, host: &str, key: HostKeyPin) -> bool {
        let mut memory = self.memory();
        let agreement = (host.to_owned(), key);
        let is_new = !memory.agreed.contains(&agreement);
        if is_new {
            memory.agreed.push(agreement);
        }
        is_new
    }

    pub(super) fn agreed(&self, host: &str) -> Vec<HostKeyPin> {
        let memory = self.memory();
        let of_host = memory.agreed.iter().filter(|(name, _)| name == host);
        of_host.map(|(_, key)| *key).collect()
    }

    pub(super) fn opened(&self, path: &PathBuf) -> Option<Option<Arc<PrivateKey>>> {
        self.memory().opened.get(path).cloned()
    }

    pub(super) fn open(&self, path: PathBuf, key: Option<Arc<PrivateKey>>) {
        self.memory().opened.insert(path, key);
    }

    pub(super) fn password(&self, login: &str) -> Option<Secret> {
        self.memory().passwords.get(login).cloned()
    }

    pub(super) fn accepted(&self, login: String, password: Secret) {
        self.memory().passwords.insert(login, password);
    }

    /// Says something worth knowing, once.
    pub(super) fn note(&self, text: String) {
        let mut memory = self.memory();
        if memory.noted.contains(&text) {
            return;
        }
        memory.noted.push(text.clone());
        drop(memory);
        self.observer.note(&text);
    }

    /// What was decided, for those who want to know why.
    pub(super) fn tell(&self, line: &str) {
        self.observer.dialogue('=', line);
    }

    /// Whether a person is being asked right now.
    pub(super) fn is_asking(&self) -> bool {
        self.asking.try_lock().is_err()
    }

    /// Asks a person, one question at a time; nothing when `settled` says that the answer came while
    /// others were asked.
    pub(super) async fn ask(
        &self,
        question: Question,
        settled: impl Fn() -> bool,
    ) -> Result<Option<Answer>> {
        let _one_at_a_time = self.asking.lock().await;
        if settled() {
            return Ok(None);
        }
        let observer = Arc::clone(&self.observer);
        blocking_result(move || Ok(Some(observer.ask(&question)))).await
    }

    /// Lets a person type, one prompt at a time.
    pub(super) async fn answer(&self, prompt: Prompt) -> Result<Option<Secret>> {
        let _one_at_a_time = self.asking.lock().await;
        let observer = Arc::clone(&self.observer);
        blocking_result(move || Ok(observer.answer(&prompt))).await
    }
}
