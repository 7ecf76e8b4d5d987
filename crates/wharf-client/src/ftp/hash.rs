//! Hashes that the server computes.

use wharf_proto::ftp::{
    Pathname,
    client::{Request, answer},
    reply::Class,
    server::HashAlgorithm,
};
use wharf_transfer::Algorithm;

use super::Session;
use crate::{Result, Step};

impl Session {
    /// The best hash that the server offers: by HASH or by a verb of its own.
    pub(crate) fn offered_hash(&self) -> Option<HashAlgorithm> {
        let best = |offered: &[HashAlgorithm]| {
            HashAlgorithm::ALL
                .into_iter()
                .find(|one| offered.contains(one))
        };
        best(&self.capabilities.hashes).or_else(|| best(&self.capabilities.hash_verbs))
    }

    /// Lets the server hash a whole file of the current directory. `None` when it offers none, refuses,
    /// or answers in a form that is not understood.
    pub(crate) async fn remote_hash(&mut self, name: &[u8]) -> Result<Option<(Algorithm, String)>> {
        let Some(algorithm) = self.offered_hash() else {
            return Ok(None);
        };
        let path = Pathname::from(name);
        let by_hash = self.capabilities.hashes.contains(&algorithm);
        if by_hash && !self.hash_chosen && self.capabilities.hashes.first() != Some(&algorithm) {
            let reply = self.ask(Request::ChooseHash(algorithm)).await?;
            if reply.code.class() != Class::Completion {
                return Ok(None);
            }
            self.hash_chosen = true;
        }
        let request = if by_hash {
            Request::Hash(path)
        } else {
            Request::HashBy { algorithm, path }
        };
        let reply = self.ask_patiently(Step::Verify, request).await?;
        Ok(answer::hash(&reply, algorithm).map(|hash| (ours(algorithm), hash)))
    }
}

const fn ours(algorithm: HashAlgorithm) -> Algorithm {
    match algorithm {
        HashAlgorithm::Sha256 => Algorithm::Sha256,
        HashAlgorithm::Sha512 => Algorithm::Sha512,
        HashAlgorithm::Sha1 => Algorithm::Sha1,
        HashAlgorithm::Md5 => Algorithm::Md5,
        HashAlgorithm::Crc32 => Algorithm::Crc32,
    }
}
