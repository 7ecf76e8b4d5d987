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
        let length = run.len();
        let mut spare = self.write_front(run, length).await?;
        spare.clear();
        Ok(spare)
    }

    /// As [`Self::write`], but only the first `length` octets, and the memory that is given back keeps
    /// its length.
    pub(super) async fn write_front(&mut self, run: Vec<u8>, length: usize) -> Result<Vec<u8>> {
        let spare = self.settled().await?;
        let (file, offset) = (self.file.clone(), self.at);
        self.at += length.min(run.len()) as u64;
        self.job = Some(tokio::task::spawn_blocking(move || {
            let front = run.get(..length).unwrap_or(&run);
            file.write_all_at(front, offset).map(|()| run)
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
        written.map_err(|error| Error::local("the local file failed", &error))
    }
}
