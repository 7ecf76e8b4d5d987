//! How an upload begins: what each mode needs, and where its bytes go first.

use std::sync::Arc;

use super::{
    Conditions, Stage, UNIQUE_TRIES, Upload, UploadMode,
    names::{numbered, random_letters, temporary_name},
    target::{check_place, check_target, claim, taken},
};
use crate::{Error, ErrorKind, OpenMode, Operation, Replace, Result, Right, View, VirtualPath};

/// Names that are tried for a temporary; they have 80 random bits, so one is enough.
const STAGE_TRIES: u32 = 4;

impl Upload {
    pub(crate) async fn begin(
        view: &View,
        path: &VirtualPath,
        mode: UploadMode,
        permissions: u32,
    ) -> Result<Self> {
        match mode {
            UploadMode::Replace => Self::begin_replace(view, path, permissions).await,
            UploadMode::ResumeAt(offset) => {
                view.authorize(Right::Write, path, Operation::Write)?;
                let mut upload = Self::in_place(view, path, OpenMode::Update).await?;
                upload.start = offset;
                Ok(upload)
            }
            UploadMode::Append => Self::begin_append(view, path, permissions).await,
            UploadMode::Unique { hint } => Self::begin_unique(view, path, hint, permissions).await,
        }
    }

    async fn begin_replace(view: &View, path: &VirtualPath, mode: u32) -> Result<Self> {
        let rights = view.granted(path);
        let (create, overwrite) = (rights.has(Right::Create), rights.has(Right::Overwrite));
        let needed = if overwrite {
            Right::Overwrite
        } else {
            Right::Create
        };
        view.authorize(needed, path, Operation::Write)?;
        if !(create && overwrite) {
            check_target(view, path, create).await?;
        }
        let policy = view.settings().upload;
        if policy.atomic {
            // Who may neither restart nor replace the file could only be stopped by a partial.
            let mendable = overwrite || rights.has(Right::Write) || rights.has(Right::Append);
            let replace = if overwrite {
                Replace::Files
            } else {
                Replace::Never
            };
            let keep_partial = policy.keep_partial && mendable;
            return Self::stage(
                view,
                path,
                Conditions {
                    replace,
                    keep_partial,
                    mode,
                },
            )
            .await;
        }
        let open = match (create, overwrite) {
            (true, true) => OpenMode::UpdateOrCreate { mode },
            (true, false) => OpenMode::CreateNew { mode },
            (false, _) => OpenMode::Update,
        };
        let upload = Self::in_place(view, path, open).await?;
        if overwrite {
            upload
                .file
                .set_size(0)
                .await
                .map_err(|error| error.at(path))?;
        }
        Ok(upload)
    }

    async fn begin_append(view: &View, path: &VirtualPath, mode: u32) -> Result<Self> {
        let rights = view.granted(path);
        let (create, append) = (rights.has(Right::Create), rights.has(Right::Append));
        let needed = if append { Right::Append } else { Right::Create };
        view.authorize(needed, path, Operation::Write)?;
        let open = match (create, append) {
            (true, true) => OpenMode::UpdateOrCreate { mode },
            (true, false) => OpenMode::CreateNew { mode },
            (false, _) => OpenMode::Update,
        };
        if !create || !append {
            check_target(view, path, create).await?;
        }
        let mut upload = Self::in_place(view, path, open).await?;
        upload.start = upload
            .file
            .metadata()
            .await
            .map_err(|error| error.at(path))?
            .size;
        Ok(upload)
    }

    async fn begin_unique(
        view: &View,
        directory: &VirtualPath,
        hint: Option<Vec<u8>>,
        mode: u32,
    ) -> Result<Self> {
        let first = match hint {
            Some(name) => name,
            None => [b"ftp.".as_slice(), &random_letters::<8>()].concat(),
        };
        let invalid = |error: crate::PathError| error.into_error(Operation::Write, directory);
        let rights = view.granted(&directory.join_name(&first).map_err(invalid)?);
        let keep_partial = view.settings().upload.keep_partial
            && (rights.has(Right::Overwrite)
                || rights.has(Right::Write)
                || rights.has(Right::Append));
        for number in 0..=UNIQUE_TRIES {
            let path = numbered(directory, &first, number).map_err(invalid)?;
            view.authorize(Right::Create, &path, Operation::Write)?;
            if taken(view, &path).await? {
                continue;
            }
            let conditions = Conditions {
                replace: Replace::Never,
                keep_partial,
                mode,
            };
            match Self::stage(view, &path, conditions).await {
                Err(error) if error.kind == ErrorKind::Busy => {}
                Ok(mut upload) => {
                    if let Stage::Temporary { unique, .. } = &mut upload.stage {
                        *unique = true;
                    }
                    return Ok(upload);
                }
                refused => return refused,
            }
        }
        Err(Error::new(ErrorKind::Busy, Operation::Write, directory))
    }

    /// A new file beside `path` that takes its place on commit. Rights were checked.
    pub(crate) async fn stage(
        view: &View,
        path: &VirtualPath,
        conditions: Conditions,
    ) -> Result<Self> {
        check_place(view, path)?;
        let place = view.mounts().find(path);
        let writer = claim(view, path)?;
        let volume = Arc::clone(place.mount.volume());
        let directory = place.path.parent().unwrap_or_else(VirtualPath::root);
        let mut tries = 0;
        let (temporary, file) = loop {
            let temporary = temporary_name(&directory, path)?;
            match volume
                .open(
                    &temporary,
                    OpenMode::CreateNew {
                        mode: conditions.mode,
                    },
                )
                .await
            {
                Ok(file) => break (temporary, file),
                Err(error) if error.kind == ErrorKind::Exists && tries < STAGE_TRIES => tries += 1,
                Err(error) => return Err(error.at(path)),
            }
        };
        let Conditions {
            replace,
            keep_partial,
            ..
        } = conditions;
        let stage = Stage::Temporary {
            path: temporary,
            replace,
            unique: false,
            keep_partial,
        };
        let place = place.path.into_owned();
        let fsync = view.settings().upload.fsync;
        Ok(Self {
            file,
            start: 0,
            target: path.clone(),
            volume,
            place,
            stage,
            fsync,
            writer: Some(writer),
        })
    }

    async fn in_place(view: &View, path: &VirtualPath, open: OpenMode) -> Result<Self> {
        if open == OpenMode::Update {
            // Nothing is made: an old name that could not be made today is good enough.
            if view.mounts().holds_mount(path) {
                return Err(Error::new(ErrorKind::IsADirectory, Operation::Write, path));
            }
        } else {
            check_place(view, path)?;
        }
        let place = view.mounts().find(path);
        let writer = claim(view, path)?;
        let volume = Arc::clone(place.mount.volume());
        let opened = volume.open(&place.path, open).await;
        let file = opened.map_err(|error| match error.kind {
            // Not to be replaced: the account lacks the right.
            ErrorKind::Exists => Error::new(ErrorKind::Denied, Operation::Write, path),
            _ => error.at(path),
        })?;
        let place = place.path.into_owned();
        let fsync = view.settings().upload.fsync;
        let stage = Stage::InPlace;
        Ok(Self {
            file,
            start: 0,
            target: path.clone(),
            volume,
            place,
            stage,
            fsync,
            writer: Some(writer),
        })
    }
}
