//! Commands over a channel.
