//! Tests of sender and receiver: each against a script, and both against each other.

mod network;
pub(super) mod script;
