//! The doing: each action of the machine as an operation on the session's view.
//!
//! What is answered from memory is done at once in [`FtpSession::act`]; whatever may wait for a
//! volume is a boxed future, so that an idle control connection does not carry its frame.

mod data;
mod directory;
mod file;
mod hash;
mod listing;
mod login;
mod transfer;
mod upload;

use wharf_proto::ftp::server::{Action, Outcome, Reason};

use crate::{
    replies,
    session::{FtpSession, Reaction},
};

impl FtpSession {
    /// Does what needs no waiting; gives the action back when it does need some.
    pub(crate) fn act_at_once(&mut self, action: Action) -> Result<Reaction, Action> {
        let outcome = match action {
            Action::Logout => {
                self.log_out();
                Outcome::Done
            }
            Action::SetActive(target) => self.set_active(target),
            Action::OpenPassive { extended } => self.open_passive(extended),
            Action::Umask(mask) => self.set_umask(mask).unwrap_or_else(|refused| refused),
            Action::IdleLimit(seconds) => self.set_idle_limit(seconds),
            Action::CurrentDirectory => {
                return self
                    .current_directory_at_once()
                    .map(Reaction::Over)
                    .ok_or(Action::CurrentDirectory);
            }
            other => return Err(other),
        };
        Ok(outcome.into())
    }

    /// Does what may wait.
    pub(crate) async fn act(&mut self, action: Action) -> Reaction {
        let done = match action {
            Action::Authenticate { user, password } => {
                Ok(self.authenticate(user, password).await.into())
            }
            Action::IdentifyByCertificate { user } => Ok(self.identify(user).await.into()),
            Action::ChangeDirectory(name) => over(self.change_directory(&name).await),
            Action::ParentDirectory => over(self.parent_directory().await),
            Action::CurrentDirectory => over(self.current_directory().await),
            Action::MakeDirectory(name) => over(self.make_directory(&name).await),
            Action::RemoveDirectory(name) => over(self.remove_directory(&name).await),
            Action::RemoveFile(name) => over(self.remove_file(&name).await),
            Action::RenameFrom(name) => over(self.rename_from(&name).await),
            Action::Rename { from, to } => self.rename(from, to),
            Action::Facts { path, facts } => over(self.facts(&path, facts).await),
            Action::Size {
                path,
                representation,
            } => over(self.size(&path, representation).await),
            Action::ModificationTime(name) => over(self.modification_time(&name).await),
            Action::ModificationTimeOrSet { whole, time, path } => {
                over(self.modification_time_or_set(&whole, time, &path).await)
            }
            Action::SetModificationTime { path, time } => {
                over(self.set_modification_time(&path, time).await)
            }
            Action::ChangeMode { path, mode } => over(self.change_mode(&path, mode).await),
            Action::Allocate { octets } => over(self.allocate(octets).await),
            Action::Hash {
                path,
                algorithm,
                start,
                end,
            } => self.hash(&path, algorithm, start, end).await,
            Action::StatPath { path, options } => over(self.stat_path(&path, options).await),
            Action::List {
                path,
                style,
                options,
            } => self.list(&path, style, options).await,
            Action::Retrieve {
                path,
                offset,
                representation,
            } => self.retrieve(&path, offset, representation).await,
            Action::Store {
                path,
                placement,
                representation,
                announced,
            } => self.store(path, placement, representation, announced).await,
            // An action that is added to the machine gets its arm here; until then it is refused.
            _ => Err(replies::refused_because(Reason::Unsupported, b"", "")),
        };
        done.unwrap_or_else(Reaction::Over)
    }
}

fn over(result: Result<Outcome, Outcome>) -> Result<Reaction, Outcome> {
    result.map(Reaction::Over)
}
