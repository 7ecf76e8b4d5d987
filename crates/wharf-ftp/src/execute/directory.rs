//! CWD, CDUP, MKD, RMD, DELE, RNFR and RNTO: the tree.

use std::{sync::Arc, time::Duration};

use wharf_engine::{
    Abort,
    events::{Event, FileChange},
};
use wharf_proto::ftp::{
    Pathname,
    server::{Finished, Outcome, Reason},
};
use wharf_vfs::VirtualPath;

use crate::{
    clock, replies,
    session::{FtpSession, Reaction, Running},
};

/// PWD does not look again at a directory that was found so lately.
const SEEN_LATELY: Duration = Duration::from_millis(10);

impl FtpSession {
    pub(super) async fn change_directory(&mut self, name: &Pathname) -> Result<Outcome, Outcome> {
        let path = match name.as_bytes() {
            b"~" => self.view()?.home().clone(),
            [b'~', b'/', rest @ ..] => VirtualPath::parse(self.view()?.home(), rest)
                .map_err(|error| replies::bad_path(&error, name.as_bytes()))?,
            _ => self.resolve(name)?,
        };
        self.enter_directory(path, name.as_bytes()).await
    }

    pub(super) async fn parent_directory(&mut self) -> Result<Outcome, Outcome> {
        let path = self.directory.parent().unwrap_or_else(VirtualPath::root);
        self.enter_directory(path, b"..").await
    }

    /// The current directory, if it was found to be there a moment ago.
    pub(super) fn current_directory_at_once(&self) -> Option<Outcome> {
        let seen = self.directory_seen?;
        let fresh = clock::now().saturating_duration_since(seen) < SEEN_LATELY;
        fresh.then(|| Outcome::Path(self.directory.as_bytes().to_vec()))
    }

    /// Somebody else may have removed it meanwhile.
    pub(super) async fn current_directory(&mut self) -> Result<Outcome, Outcome> {
        let entered = self.view()?.enter(&self.directory).await;
        entered.map_err(|error| self.refused(&error, self.directory.as_bytes()))?;
        self.directory_seen = Some(clock::now());
        Ok(Outcome::Path(self.directory.as_bytes().to_vec()))
    }

    async fn enter_directory(
        &mut self,
        path: VirtualPath,
        name: &[u8],
    ) -> Result<Outcome, Outcome> {
        self.view()?
            .enter(&path)
            .await
            .map_err(|error| self.refused(&error, name))?;
        self.directory = path;
        self.directory_seen = Some(clock::now());
        Ok(Outcome::Done)
    }

    pub(super) async fn make_directory(&self, name: &Pathname) -> Result<Outcome, Outcome> {
        let path = self.resolve(name)?;
        let made = self.view()?.create_directory(&path, self.umask).await;
        made.map_err(|error| self.refused(&error, name.as_bytes()))?;
        self.changed(FileChange::DirectoryMade(path.as_bytes()));
        Ok(Outcome::Path(path.as_bytes().to_vec()))
    }

    pub(super) async fn remove_directory(&mut self, name: &Pathname) -> Result<Outcome, Outcome> {
        let path = self.resolve(name)?;
        let removed = self.view()?.remove_directory(&path).await;
        removed.map_err(|error| self.refused(&error, name.as_bytes()))?;
        // Whoever stood in it stands above it now.
        if self.directory.starts_with(&path) {
            self.directory = path.parent().unwrap_or_else(VirtualPath::root);
        }
        self.changed(FileChange::DirectoryRemoved(path.as_bytes()));
        Ok(Outcome::Done)
    }

    pub(super) async fn remove_file(&self, name: &Pathname) -> Result<Outcome, Outcome> {
        let path = self.resolve(name)?;
        let removed = self.view()?.remove_file(&path).await;
        removed.map_err(|error| self.refused(&error, name.as_bytes()))?;
        self.changed(FileChange::Removed(path.as_bytes()));
        Ok(Outcome::Done)
    }

    pub(super) async fn rename_from(&self, name: &Pathname) -> Result<Outcome, Outcome> {
        let path = self.resolve(name)?;
        let checked = self.view()?.check_rename_source(&path).await;
        checked.map_err(|error| self.refused(&error, name.as_bytes()))?;
        Ok(Outcome::Done)
    }

    /// Beside the control connection: across volumes it is a copy, which takes its time.
    pub(super) fn rename(&self, from: Pathname, to: Pathname) -> Result<Reaction, Outcome> {
        let (source, target) = (self.resolve(&from)?, self.resolve(&to)?);
        let user = self.user()?;
        let (view, origin, engine) = (
            user.view().clone(),
            user.origin(),
            Arc::clone(self.engine()),
        );
        let abort = Arc::new(Abort::default());
        let asked = Arc::clone(&abort);
        let work = async move {
            match asked.or(view.rename(&source, &target)).await {
                Some(Ok(())) => {
                    let change = FileChange::Renamed(source.as_bytes(), target.as_bytes());
                    engine.bus.emit(&origin, &Event::Changed(change));
                    Outcome::Done
                }
                Some(Err(error)) => {
                    if let Some(cause) = replies::for_the_log(&error) {
                        engine
                            .bus
                            .emit(&origin, &Event::VolumeFailed { cause: &cause });
                    }
                    // The name at fault is the target's unless the source has gone.
                    let name = if error.path == source { &from } else { &to };
                    replies::refused(&error, name.as_bytes())
                }
                None => Outcome::Finished(Finished::Aborted),
            }
        };
        Ok(Reaction::Working(Running {
            work: Box::pin(work),
            abort,
            meter: Arc::default(),
            started: clock::now(),
            short: false,
        }))
    }

    /// A name that must be given.
    pub(super) fn required(&self, name: &Pathname) -> Result<VirtualPath, Outcome> {
        if name.is_empty() {
            return Err(replies::refused_because(
                Reason::BadArgument,
                b"",
                "a name is missing",
            ));
        }
        self.resolve(name)
    }
}
