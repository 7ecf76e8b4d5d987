//! Tests of sender and receiver against each other.

mod network;
