//! SCP over a channel.
