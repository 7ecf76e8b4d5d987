//! SCP over a channel, against a volume: what stays in it, what the peer hears, what is told.

mod attributes;
pub(crate) mod house;
mod sink;
mod source;
