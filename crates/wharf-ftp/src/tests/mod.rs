//! Sessions over real sockets: the front end, the engine and volumes as the binary composes them,
//! with a small client that says exactly what a test tells it to say.
//!
//! Where time matters the clock of the runtime is stopped; nothing here sleeps.

mod aborting;
mod accounts;
mod client;
mod data_paths;
mod endings;
mod floods;
mod hashes;
mod layer;
mod listings;
mod login;
mod names;
mod secure;
mod server;
mod text;
mod transfers;
mod tree;

use client::Client;
use server::{House, Plan};
