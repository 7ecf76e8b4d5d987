//! Where the octets of a download go: into a file that takes its name when it is whole, or out of our
//! hands.

use std::{io, path::Path};

use super::super::{
    Course,
    part::{Known, Part},
    writer::Writer,
};
use super::count;
use crate::{Error, Result};

/// Takes what `cat` gives out.
pub(super) type Sink<'a> = dyn FnMut(&[u8]) -> io::Result<()> + Send + 'a;

/// Where octets go.
pub(super) enum Outlet<'a, 'b> {
    /// Into a file.
    File {
        course: &'a mut Course<'b>,
        target: &'a Path,
        url: String,
        /// The file, once there is something to be put into it.
        open: Option<(Part, Writer)>,
    },
    /// Out, in order and once; and how many went.
    Stream {
        sink: &'a mut Sink<'b>,
        given: &'a mut u64,
    },
}

impl Outlet<'_, '_> {
    /// The first block is here.
    pub(super) async fn begin(&mut self, total: Option<u64>) -> Result<()> {
        let Self::File {
            course,
            target,
            url,
            open,
        } = self
        else {
            return Ok(());
        };
        course.tell_started(total, 0);
        let part = Part::open(target, url.clone()).await?;
        let writer = Writer::new(part.file.clone(), 0);
        let (part, _) = open.insert((part, writer));
        let known = Known {
            size: total,
            mtime: None,
        };
        part.keep(0, known).await
    }

    /// So many octets have come over the wire in all.
    pub(super) fn arrived(&self, octets: u64) {
        if let Self::File { course, .. } = self {
            count(&course.meter, octets);
        }
    }

    /// Takes the first `length` octets of `run`; gives memory for the next back.
    pub(super) async fn write(&mut self, run: Vec<u8>, length: usize) -> Result<Vec<u8>> {
        match self {
            Self::File { open, .. } => match open {
                Some((_, writer)) => writer.write_front(run, length).await,
                None => Ok(run),
            },
            Self::Stream { sink, given } => {
                let octets = run.get(..length).unwrap_or(&run);
                sink(octets).map_err(|error| Error::local("cannot write", &error))?;
                **given += octets.len() as u64;
                Ok(run)
            }
        }
    }

    /// Everything is here and as it should be: the file takes its name.
    pub(super) async fn finish(&mut self) -> Result<()> {
        if let Self::File { open, .. } = self {
            if let Some((part, writer)) = open {
                writer.end().await?;
                part.commit(None).await?;
            }
            *open = None;
        }
        Ok(())
    }

    /// What is here is of no use.
    pub(super) async fn abandon(&mut self) {
        if let Self::File { open, .. } = self
            && let Some((part, mut writer)) = open.take()
        {
            // The failure that led here is the one to tell.
            let _ = writer.end().await;
            let _ = part.discard().await;
        }
    }
}

/// Dropped in the middle, by Ctrl-C for one: there is no going on from what is here.
impl Drop for Outlet<'_, '_> {
    fn drop(&mut self) {
        if let Self::File {
            open: Some((part, _)),
            ..
        } = self
        {
            part.discard_now();
        }
    }
}
