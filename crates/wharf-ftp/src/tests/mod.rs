//! Sessions over real sockets: the front end, the engine and volumes as the binary composes them,
//! with a small client that says exactly what a test tells it to say.
//!
//! Where time matters the clock of the runtime is stopped; nothing here sleeps.

mod aborting;
mod client;
mod endings;
mod login;
mod data_paths;
mod floods;
mod text;
mod transfers;
mod accounts;
mod hashes;
mod listings;
mod names;
mod tree;
mod server;

use client::Client;
use server::{House, Plan};
