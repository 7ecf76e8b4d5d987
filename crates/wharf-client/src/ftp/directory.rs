//! Where a session stands, and single commands on names.
//!
//! A place is a list of segments from the directory after login. Without TVFS in FEAT no path is ever
//! put together (INT-86): one CWD per segment, and names without directories.

use wharf_proto::ftp::{
    Pathname,
    client::{Request, Way, answer},
    reply::{Class, Reply},
    time::FtpTime,
};

use super::{Session, memory::Works};
use crate::{Error, Kind, Result, Step};

impl Session {
    /// Goes to the directory that `target` names.
    pub(crate) async fn go_to(&mut self, target: &[Vec<u8>]) -> Result<()> {
        if self.directory == target {
            return Ok(());
        }
        let absolute = target
            .first()
            .is_some_and(|segment| segment.starts_with(b"/"));
        // Only here is the answer the directory after login.
        if self.home.is_none() && self.directory.is_empty() {
            let reply = self.ask(Request::CurrentDirectory).await?;
            self.home = answer::path(&reply);
        }
        if !target.starts_with(&self.directory) {
            if !absolute {
                // Without a known way home only a new session stands there again.
                let Some(home) = self.home.clone() else {
                    self.give_up();
                    return Err(Error::new(
                        Step::Command,
                        Kind::Protocol,
                        "the server does not tell its directory",
                    )
                    .retryable());
                };
                self.enter(&home).await?;
            }
            self.directory.clear();
        }
        let rest = target.get(self.directory.len()..).unwrap_or_default();
        let plain = rest
            .iter()
            .skip(1)
            .all(|segment| !segment.starts_with(b"/"));
        if self.capabilities.tvfs && plain && rest.len() > 1 {
            let first_is_root = rest.first().is_some_and(|segment| segment == b"/");
            let joined = if first_is_root {
                [
                    b"/",
                    rest.get(1..).unwrap_or_default().join(&b'/').as_slice(),
                ]
                .concat()
            } else {
                rest.join(&b'/')
            };
            self.enter(&joined).await?;
            self.directory = target.to_vec();
        } else {
            for segment in rest {
                self.enter(segment).await?;
                self.directory.push(segment.clone());
            }
        }
        Ok(())
    }

    async fn enter(&mut self, name: &[u8]) -> Result<()> {
        let reply = self
            .ask(Request::ChangeDirectory(Pathname::from(name)))
            .await?;
        self.expect(
            Step::Command,
            "CWD",
            &format!("cannot enter {}", Pathname::from(name)),
            &reply,
        )
    }

    /// Whether `target` is a directory that can be entered.
    pub(crate) async fn is_directory(&mut self, target: &[Vec<u8>]) -> Result<bool> {
        match self.go_to(target).await {
            Ok(()) => Ok(true),
            Err(error)
                if matches!(
                    error.kind(),
                    Kind::NotFound | Kind::Rejected | Kind::Permission
                ) =>
            {
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    /// An error unless the reply says that it is done.
    #[expect(clippy::unused_self, reason = "reads as a sentence where it is used")]
    pub(super) fn expect(&self, step: Step, verb: &str, what: &str, reply: &Reply) -> Result<()> {
        if reply.code.class() == Class::Completion {
            Ok(())
        } else {
            Err(Error::refused(step, verb, what, reply))
        }
    }

    /// DELE in the current directory.
    pub(crate) async fn remove_file(&mut self, name: &[u8]) -> Result<()> {
        let path = Pathname::from(name);
        let what = format!("cannot remove {path}");
        let reply = self.ask(Request::RemoveFile(path)).await?;
        self.expect(Step::Command, "DELE", &what, &reply)
    }

    /// RMD in the current directory.
    pub(crate) async fn remove_directory(&mut self, name: &[u8]) -> Result<()> {
        let path = Pathname::from(name);
        let what = format!("cannot remove directory {path}");
        let reply = self.ask(Request::RemoveDirectory(path)).await?;
        self.expect(Step::Command, "RMD", &what, &reply)
    }

    /// MKD in the current directory.
    pub(crate) async fn make_directory(&mut self, name: &[u8]) -> Result<()> {
        let path = Pathname::from(name);
        let what = format!("cannot make directory {path}");
        let reply = self.ask(Request::MakeDirectory(path)).await?;
        self.expect(Step::Command, "MKD", &what, &reply)
    }

    /// RNFR and RNTO, from a name in the current directory.
    pub(crate) async fn rename(&mut self, from: &[u8], to: &[u8]) -> Result<()> {
        let (from, to) = (Pathname::from(from), Pathname::from(to));
        let what = format!("cannot rename {from} to {to}");
        let reply = self.ask(Request::Rename { from, to }).await?;
        self.expect(Step::Command, "RNTO", &what, &reply)
    }

    /// The absolute path of the current directory.
    pub(crate) async fn current_directory(&mut self) -> Result<Vec<u8>> {
        let reply = self.ask(Request::CurrentDirectory).await?;
        answer::path(&reply).ok_or_else(|| {
            Error::refused(
                Step::Command,
                "PWD",
                "cannot learn the current directory",
                &reply,
            )
        })
    }

    /// SIZE; `None` when the server does not tell it.
    pub(crate) async fn size(&mut self, name: &[u8]) -> Result<Option<u64>> {
        let reply = self.ask(Request::Size(Pathname::from(name))).await?;
        Ok(answer::size(&reply))
    }

    /// MDTM, Unix seconds; `None` when the server does not tell it.
    pub(crate) async fn modified(&mut self, name: &[u8]) -> Result<Option<i64>> {
        if !self.capabilities.modification_time {
            return Ok(None);
        }
        let reply = self
            .ask(Request::ModificationTime(Pathname::from(name)))
            .await?;
        Ok(answer::modification_time(&reply).map(|time| time.seconds()))
    }

    /// Sets a file's time by the first way that is not refused (RPL-57); gives whether one worked.
    pub(crate) async fn set_time(&mut self, name: &[u8], seconds: i64) -> Result<bool> {
        if self.context.memory.recall(|known| known.set_time) == Works::No {
            return Ok(false);
        }
        let time = FtpTime::new(seconds, 0);
        let path = || Pathname::from(name);
        let mut way = Way::Mfmt;
        loop {
            let request = match way {
                Way::Mfmt => Request::SetModificationTime { path: path(), time },
                Way::MdtmSet => Request::SetModificationTimeByMdtm { path: path(), time },
                _ => Request::SetModificationTimeBySite { path: path(), time },
            };
            let reply = self.ask(request).await?;
            if reply.code.class() == Class::Completion {
                return Ok(true);
            }
            match way.next(reply.code) {
                Some(next) => way = next,
                None => {
                    self.context
                        .memory
                        .learn(|known| known.set_time = Works::No);
                    return Ok(false);
                }
            }
        }
    }
}
