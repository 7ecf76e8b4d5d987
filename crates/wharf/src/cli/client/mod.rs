//! The client's subcommands: one file each, and what they share.
//!
//! A command names its places by URL; everything else (logging in, choosing data connections, trying
//! again, checking) is `wharf-client`'s. Here is only what a person or a script sees.

mod cat;
mod get;
mod json;
mod login;
mod ls;
mod mkdir;
mod mv;
mod progress;
mod put;
mod rm;
mod security;
mod shared;
mod ssh;
mod stat;
mod terminal;
mod tftp;

use std::{future::Future, sync::Arc, time::Duration};

use crate::exit::Failure;

pub(crate) use shared::Shared;

/// What the client can do.
#[derive(clap::Subcommand)]
pub(crate) enum ClientCommand {
    /// List a remote directory.
    Ls(ls::Ls),
    /// Fetch files; checked, resumable, several at once.
    Get(get::Get),
    /// Send files; checked, resumable, several at once.
    Put(put::Put),
    /// Write remote files to standard output.
    Cat(cat::Cat),
    /// Remove remote files, or a whole tree.
    Rm(rm::Rm),
    /// Make a remote directory.
    Mkdir(mkdir::Mkdir),
    /// Rename a remote file or directory.
    Mv(mv::Mv),
    /// Show what is known of a remote file or directory.
    Stat(stat::Stat),
}

/// How long what was interrupted may take to end in order.
const LAST_CHORES: Duration = Duration::from_millis(200);

/// Runs a client command to its end, or until Ctrl-C.
pub(crate) fn run(command: ClientCommand) -> Result<(), Failure> {
    let (json, result) = match command {
        ClientCommand::Ls(ls) => (ls.json, on_runtime(ls.run())),
        ClientCommand::Get(get) => (get.json, on_runtime(get.run())),
        ClientCommand::Put(put) => (put.json, on_runtime(put.run())),
        ClientCommand::Cat(cat) => (false, on_runtime(cat.run())),
        ClientCommand::Rm(rm) => (rm.json, on_runtime(rm.run())),
        ClientCommand::Mkdir(mkdir) => (mkdir.json, on_runtime(mkdir.run())),
        ClientCommand::Mv(mv) => (mv.json, on_runtime(mv.run())),
        ClientCommand::Stat(stat) => (stat.json, on_runtime(stat.run())),
    };
    match result {
        Err(failure) if json && !failure.is_told() => {
            super::say(&format!("{}\n", json::ended(&failure)))?;
            Err(failure.already_told())
        }
        other => other,
    }
}

/// Two threads: one may hash or write while the other talks.
fn on_runtime(work: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let result = runtime.block_on(async {
        tokio::select! {
            result = work => result,
            interrupted = tokio::signal::ctrl_c() => {
                interrupted?;
                // A question may be open.
                terminal::restore();
                Err(Failure::interrupted())
            }
        }
    });
    // What was interrupted takes back what it began; a resolver may sit in a system call for long.
    runtime.shutdown_timeout(LAST_CHORES);
    result
}

/// A name or other bytes of the server as they may be shown to a person.
fn shown(bytes: &[u8]) -> String {
    wharf_proto::ftp::Pathname::from(bytes).to_string()
}

type Watcher = Arc<progress::Console>;
