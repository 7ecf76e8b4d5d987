//! The command line: one file per subcommand.
//!
//! From these definitions come the help, the completions and the man page. Nothing here moves bytes;
//! a command gathers what it needs and hands it to the room that does the work.

mod announce;
mod check;
mod client;
mod generate;
mod listeners;
mod ports;
mod quick_start;
mod serve;
mod user;

use std::io::{self, Write};

use clap::{Parser, Subcommand};

use crate::exit::Failure;

/// Every file-transfer port, from both ends: server and client.
#[derive(Parser)]
#[command(name = "wharf", version, about, max_term_width = 100)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve a folder, or a whole site with --config.
    Serve(Box<serve::Serve>),
    /// Check a configuration; show its ports, its risks and the firewall rules that it needs.
    Check(check::Check),
    /// Administer the accounts of the embedded store.
    User(user::User),
    /// Show what can be configured.
    #[command(subcommand)]
    Config(generate::Reference),
    #[command(flatten)]
    Client(client::ClientCommand),
    /// Write shell completions to standard output.
    Completions(generate::Completions),
    /// Write the man page to standard output.
    Man,
}

/// Runs what was typed.
pub(crate) fn run(arguments: Arguments) -> Result<(), Failure> {
    match arguments.command {
        Command::Serve(serve) => serve.run(),
        Command::Check(check) => check.run(),
        Command::User(user) => user.run(),
        Command::Config(reference) => reference.run(),
        Command::Client(command) => client::run(command),
        Command::Completions(completions) => completions.run(),
        Command::Man => generate::man(),
    }
}

/// Writes to standard output; a reader that has gone away is not an error.
fn say(text: &str) -> io::Result<()> {
    let mut output = io::stdout().lock();
    match output
        .write_all(text.as_bytes())
        .and_then(|()| output.flush())
    {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        done => done,
    }
}

/// The environment variables that are ours.
fn environment() -> Vec<(String, String)> {
    let wanted = [
        "HOME",
        "XDG_STATE_HOME",
        "STATE_DIRECTORY",
        "USER",
        "LOGNAME",
        "SSH_AUTH_SOCK",
    ];
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(name, _)| name.starts_with("WHARF_") || wanted.contains(&name.as_str()))
        .collect()
}
