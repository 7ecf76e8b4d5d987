//! Host keys that are remembered: new hosts, and further keys of known ones.
//!
//! A server may announce all its keys after the login (`hostkeys-00@openssh.com`). They are believed
//! only from a host whose key stood in a file already, and only after it proved to hold each of them;
//! so a key that is about to be changed is known in time. Nothing is ever removed from a file.

use std::sync::{Arc, Weak};

use russh::{
    client,
    keys::{Algorithm, PublicKey},
};
use tokio::{sync::mpsc, time::timeout};

use super::{
    Context, connection,
    host_key::Judge,
    known_hosts::{self, KnownHosts, Marker},
    target::Target,
    watch::Watch,
};
use crate::{Error, Result, local::blocking_result};

/// Keys of one announcement that are looked at.
const MOST: usize = 32;

/// What the files say of a host.
pub(super) async fn known(target: &Target) -> Result<KnownHosts> {
    let target = target.clone();
    blocking_result(move || {
        connection::read_known(&target)
            .map_err(|error| Error::local("cannot read the known hosts", &error))
    })
    .await
}

/// Appends keys to the first file; without one they are forgotten with this run.
pub(super) async fn remember(
    target: &Target,
    name: &str,
    keys: Vec<PublicKey>,
    hash: bool,
) -> Result<()> {
    let Some(path) = target.known_hosts.first().cloned() else {
        return Ok(());
    };
    let name = name.to_owned();
    blocking_result(move || {
        known_hosts::append(&path, &name, &keys, hash).map_err(|error| {
            Error::local(
                &format!("cannot write the host's key to {}", path.display()),
                &error,
            )
        })
    })
    .await
}

/// Learns from announcements while the connection lasts.
pub(super) fn listen(
    context: Arc<Context>,
    target: Target,
    handle: Weak<client::Handle<Watch>>,
    mut announcements: mpsc::Receiver<Vec<PublicKey>>,
    hash: bool,
) {
    tokio::spawn(async move {
        while let Some(announced) = announcements.recv().await {
            // What cannot be learnt is no failure of the work at hand.
            let learning = learn(&context, &target, &handle, announced, hash);
            if let Err(error) = Box::pin(learning).await {
                context.tell(&error.to_string());
            }
        }
    });
}

async fn learn(
    context: &Context,
    target: &Target,
    handle: &Weak<client::Handle<Watch>>,
    announced: Vec<PublicKey>,
    hash: bool,
) -> Result<()> {
    let _in_turn = context.learning.lock().await;
    let known = known(target).await?;
    let is_revoked = |key: &PublicKey| {
        known
            .marked(Marker::Revoked)
            .any(|line| line.key.key_data() == key.key_data())
    };
    let mut new: Vec<PublicKey> = Vec::new();
    for key in announced.into_iter().take(MOST) {
        if is_usable(&key) && known.line_of(&key).is_none() && !is_revoked(&key) {
            new.push(key);
        }
    }
    let (false, Some(handle)) = (new.is_empty(), handle.upgrade()) else {
        return Ok(());
    };
    let proof = timeout(
        context.options.idle_timeout,
        handle.hostkeys_prove(new.clone()),
    );
    if !matches!(proof.await, Ok(Ok(()))) {
        context.tell("the server did not prove to have the host keys that it announced");
        return Ok(());
    }
    drop(handle);
    let name = connection::known_name(target);
    for key in &new {
        let facts = Judge::facts(key);
        context.tell(&format!(
            "another key of {name} is known from now on: {} {}",
            facts.algorithm, facts.fingerprint
        ));
    }
    remember(target, &name, new, hash).await
}

/// A key that could be asked for later.
fn is_usable(key: &PublicKey) -> bool {
    matches!(
        key.algorithm(),
        Algorithm::Ed25519 | Algorithm::Ecdsa { .. } | Algorithm::Rsa { .. }
    )
}
