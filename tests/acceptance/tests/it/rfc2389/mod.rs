//! RFC 2389: FEAT and OPTS.

mod features;
