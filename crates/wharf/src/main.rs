//! `wharf`: every file-transfer port, from both ends.
//!
//! This file only turns what was typed into a command, runs it and ends the process with its code.
//! Everything that could be called a decision stands in `cli` and below.

mod certificates;
mod cli;
mod compose;
mod config;
mod exit;
mod host_keys;
mod privileges;
mod self_signed;
mod service;
mod state_file;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    let arguments = cli::Arguments::parse();
    match cli::run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
