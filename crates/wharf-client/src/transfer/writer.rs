//! Runs of octets that go into a file one behind the other, each written on the blocking pool while the
//! next gathers: the network and the disk overlap, and no more than two runs are held.

use std::io;

use tokio::task::JoinHandle;

use crate::{Error, Result, local::Local};

pub(super) struct Writer {
    file: Local,
    at: u64,
    job: Option<JoinHandle<io::Result<Vec<u8>>>>,
}

impl Writer {
    /// Writes from `at` on.
    pub(super) const fn new(file: Local, at: u64) -> Self {
        Self {
            file,
            at,
            job: None,
        }
    }

    /// The offset behind everything that was given.
    pub(super) const fn at(&self) -> u64 {
        self.at
    }

    /// Begins to write a run, when the one before is written; gives its memory back.
    pub(super) async fn write(&mut self, run: Vec<u8>) -> Result<Vec<u8>> {
        let spare = self.settled().await?;
        let (file, offset) = (self.file.clone(), self.at);
        self.at += run.len() as u64;
        self.job = Some(tokio::task::spawn_blocking(move || {
            file.write_all_at(&run, offset).map(|()| run)
        }));
        Ok(spare)
    }

    /// Waits until everything is written.
    pub(super) async fn end(&mut self) -> Result<()> {
        self.settled().await.map(drop)
    }

    async fn settled(&mut self) -> Result<Vec<u8>> {
        let Some(job) = self.job.take() else {
            return Ok(Vec::new());
        };
        let written = job
            .await
            .unwrap_or_else(|error| Err(io::Error::other(error)));
        written
            .map(|mut run| {
                run.clear();
                run
            })
            .map_err(|error| Error::local("the local file failed", &error))
    }
}
