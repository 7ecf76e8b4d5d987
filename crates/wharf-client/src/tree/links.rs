//! Symbolic links of a remote tree, made here at the end of the work and only when they cannot lead out
//! of it (SFT-83).
//!
//! A link's text may begin with as many `..` as there are directories between it and the top, and has
//! none behind a name: then, whatever the other links are, it ends inside. None is there while files are
//! written, so nothing is ever written through one (SCP-33).

use std::{
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use crate::{
    Pool, Result,
    local::{blocking, make_link},
};

/// Links to be made.
#[derive(Default)]
pub(super) struct Links(Mutex<Vec<(PathBuf, Vec<u8>)>>);

/// Whether a link, `depth` directories below the top, leads to something below the top.
fn stays_inside(text: &[u8], depth: usize) -> bool {
    if text.is_empty() || text.starts_with(b"/") || text.contains(&0) {
        return false;
    }
    let parts = || {
        text.split(|octet| *octet == b'/')
            .filter(|part| !matches!(*part, b"" | b"."))
    };
    let up = parts().take_while(|part| *part == b"..").count();
    up <= depth && parts().skip(up).all(|part| part != b"..")
}

impl Links {
    /// Remembers a link; says whether it will be made.
    pub(super) fn add(&self, path: PathBuf, text: &[u8], depth: usize) -> bool {
        let inside = stays_inside(text, depth);
        if inside {
            let mut links = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            links.push((path, text.to_vec()));
        }
        inside
    }

    /// Makes them; gives how many failed, each of which was told.
    pub(super) async fn make(&self, pool: &Pool) -> u64 {
        let links = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        let mut failed = 0;
        for (path, text) in links {
            if let Err(error) = make(path.clone(), text).await {
                failed += 1;
                let subject = crate::Subject {
                    url: &pool.site().to_string(),
                    path: Some(Path::new(&path)),
                };
                let result = Err(error);
                pool.observer()
                    .finished(pool.next_transfer(), subject, &result);
            }
        }
        failed
    }
}

async fn make(path: PathBuf, text: Vec<u8>) -> Result<()> {
    let what = format!("cannot make the link {}", path.display());
    blocking(&what, move || make_link(&path, &text)).await
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SFT-83.
    #[test]
    fn links_that_may_lead_out_of_the_tree_are_not_made() {
        for (text, depth) in [
            (&b"/etc/passwd"[..], 5),
            (b"..", 0),
            (b"../../x", 1),
            (b"a/../../x", 1),
            // Through a link `s -> ../..` this would lead out, though the count says otherwise.
            (b"a/b/s/..", 0),
            (b"./../x", 0),
            (b"", 1),
            (b"a\0b", 1),
        ] {
            assert!(!stays_inside(text, depth), "{text:?} at {depth}");
        }
        for (text, depth) in [
            (&b"x"[..], 0),
            (b"./a//b", 0),
            (b"../x", 1),
            (b"../../a/b", 2),
            (b"..x", 0),
        ] {
            assert!(stays_inside(text, depth), "{text:?} at {depth}");
        }
    }
}
