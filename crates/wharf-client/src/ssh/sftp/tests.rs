//! Sessions, transfers and trees against a server that may do anything wrong.
#![expect(
    clippy::disallowed_methods,
    reason = "a test looks at the files that a transfer made"
)]

pub(crate) mod server;
mod sessions;
mod transfers;
mod trees;

use std::{sync::Arc, time::Duration};

use server::{Fake, Wish};
use wharf_proto::sftp::Attributes;

use super::Sftp;
use crate::{Location, Options, Pool, Silent, Site};

const IDLE: Duration = Duration::from_secs(20);

fn place(path: &str) -> Location {
    Location::parse(&format!("sftp://h/~/{path}")).unwrap()
}

fn site() -> Site {
    place("").site
}

async fn session(fake: &Fake) -> Sftp {
    let (incoming, outgoing) = fake.serve();
    Sftp::begin(&site(), incoming, outgoing, IDLE)
        .await
        .unwrap()
}

/// A pool whose one session is with that server.
async fn pool(fake: &Fake, options: Options) -> Pool {
    let sftp = session(fake).await;
    Pool::with_session(site(), options, Arc::new(Silent), sftp)
}

fn with_files(files: &[(&str, &[u8])]) -> Wish {
    let mut wish = Wish::default();
    for (name, data) in files {
        let node = server::Node::file(*data);
        wish.nodes.insert(name.as_bytes().to_vec(), node);
    }
    wish
}

/// Octets that are nowhere alike.
pub(crate) fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_u32;
    std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_le_bytes()[0]
    })
    .take(length)
    .collect()
}

const NOTHING: Attributes = Attributes {
    size: None,
    owner: None,
    permissions: None,
    times: None,
};
