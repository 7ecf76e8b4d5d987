//! HASH and the X-verbs: content hashes, computed beside the control connection.

use std::sync::Arc;

use wharf_engine::{Abort, events::Event};
use wharf_proto::ftp::{
    Pathname,
    server::{Finished, HashAlgorithm, Outcome, Reason},
};
use wharf_transfer::{Algorithm, Meter, checksum};
use wharf_vfs::{Operation, Right};

use crate::{
    clock, replies,
    session::{FtpSession, Reaction, Running},
};

/// ANON-03: an anonymous user may not make the server hash more than this.
const ANONYMOUS_MAX: u64 = 64 << 20;

impl FtpSession {
    pub(super) async fn hash(
        &self,
        name: &Pathname,
        algorithm: HashAlgorithm,
        start: u64,
        end: Option<u64>,
    ) -> Result<Reaction, Outcome> {
        let path = self.required(name)?;
        let user = self.user()?;
        let view = user.view();
        view.authorize(Right::Hash, &path, Operation::Read)
            .map_err(|error| self.refused(&error, name.as_bytes()))?;
        let (file, metadata) = view
            .open_read(&path)
            .await
            .map_err(|error| self.refused(&error, name.as_bytes()))?;
        let end = end.unwrap_or(metadata.size);
        if start > metadata.size || end > metadata.size || start > end {
            let detail = format!(
                "the range lies outside the file of {} octets",
                metadata.size
            );
            return Err(replies::refused_because(
                Reason::TooLarge,
                name.as_bytes(),
                detail,
            ));
        }
        let anonymous = user.account().account.is_anonymous();
        let most = if anonymous {
            self.settings.hash_max_bytes.min(ANONYMOUS_MAX)
        } else {
            self.settings.hash_max_bytes
        };
        if end - start > most {
            let detail = format!("more than {most} octets (hash.max_bytes)");
            return Err(replies::refused_because(
                Reason::TooLarge,
                name.as_bytes(),
                detail,
            ));
        }
        let algorithm = match algorithm {
            HashAlgorithm::Sha256 => Algorithm::Sha256,
            HashAlgorithm::Sha512 => Algorithm::Sha512,
            HashAlgorithm::Sha1 => Algorithm::Sha1,
            HashAlgorithm::Md5 => Algorithm::Md5,
            HashAlgorithm::Crc32 => Algorithm::Crc32,
        };
        let (abort, meter) = (Arc::new(Abort::default()), Arc::new(Meter::default()));
        let (asked, counted) = (Arc::clone(&abort), Arc::clone(&meter));
        let (engine, origin) = (Arc::clone(self.engine()), user.origin());
        let name = name.as_bytes().to_vec();
        let work = async move {
            match asked
                .or(checksum::of_file(&file, algorithm, start, end, &counted))
                .await
            {
                Some(Ok(hex)) => Outcome::Digest { hex, start, end },
                Some(Err(wharf_transfer::Error::Store(error))) => {
                    if let Some(cause) = replies::for_the_log(&error) {
                        engine
                            .bus
                            .emit(&origin, &Event::VolumeFailed { cause: &cause });
                    }
                    replies::refused(&error, &name)
                }
                Some(Err(error)) => {
                    replies::refused_because(Reason::Broken, &name, error.to_string())
                }
                None => Outcome::Finished(Finished::Aborted),
            }
        };
        Ok(Reaction::Working(Running {
            work: Box::pin(work),
            abort,
            meter,
            started: clock::now(),
            short: false,
        }))
    }
}
