//! A local file cut into blocks: runs of them are read ahead on the blocking pool while others are sent.
//!
//! What must be sent again is read, and for text converted, again: a run's place in the file and the
//! converter's state there are all that is kept of it.

use std::{collections::VecDeque, io};

use tokio::task::{JoinHandle, spawn_blocking};
use wharf_proto::tftp::{Rollover, netascii::Encoder, packet};

use crate::{
    Error, Kind, Result, Step,
    local::{Local, blocking},
    tftp::Link,
};

/// Octets that are read at once; at least one block.
const RUN: usize = 256 * 1024;

/// Runs that are held; a window that spans more is read again where it must be sent again.
const HELD: usize = 2;

/// Octets of text that are converted at once.
const PIECE: usize = 64 * 1024;

/// A file that is to be sent.
#[derive(Clone, Debug)]
pub(super) struct Original {
    pub(super) file: Local,
    /// Octets of the file.
    pub(super) host: u64,
    /// Octets that it makes on the wire.
    pub(super) wire: u64,
    is_text: bool,
}

impl Original {
    /// Looks at a file; a text is read through, because line ends take more on the wire (TFT-22, TFT-40).
    pub(super) async fn new(file: Local, host: u64, is_text: bool) -> Result<Self> {
        let wire = if is_text {
            let file = file.clone();
            blocking("cannot read the local file", move || wire_size(&file, host)).await?
        } else {
            host
        };
        Ok(Self {
            file,
            host,
            wire,
            is_text,
        })
    }
}

fn wire_size(file: &Local, host: u64) -> io::Result<u64> {
    let mut piece = Vec::new();
    let mut at = 0;
    let mut size = host;
    while at < host {
        piece.resize(octets(host - at).min(PIECE), 0);
        file.read_all_at(&mut piece, at)?;
        at += piece.len() as u64;
        size += piece.iter().filter(|b| matches!(b, b'\n' | b'\r')).count() as u64;
    }
    Ok(size)
}

fn octets(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

/// Where a run begins.
#[derive(Clone, Copy, Debug, Default)]
struct Checkpoint {
    /// In the file.
    offset: u64,
    encoder: Encoder,
}

type Reading = JoinHandle<io::Result<(Vec<u8>, Checkpoint)>>;

/// A file's blocks.
pub(super) struct Content {
    original: Original,
    block_size: usize,
    /// Blocks of a run.
    blocks: u64,
    rollover: Rollover,
    /// Where each run begins, as far as that is known; for text only.
    checkpoints: Vec<Checkpoint>,
    /// Runs that are here, by number.
    held: VecDeque<(u64, Vec<u8>)>,
    /// The run that is being read.
    ahead: Option<(u64, Reading)>,
    spare: Vec<Vec<u8>>,
}

impl Content {
    pub(super) fn new(original: Original, block_size: u16, rollover: Rollover) -> Self {
        let block_size = usize::from(block_size.max(1));
        Self {
            original,
            block_size,
            blocks: (RUN / block_size).max(1) as u64,
            rollover,
            checkpoints: vec![Checkpoint::default()],
            held: VecDeque::new(),
            ahead: None,
            spare: Vec::new(),
        }
    }

    /// The number of the last block: the one that is not full.
    pub(super) fn last(&self) -> u64 {
        self.original.wire / self.block_size as u64 + 1
    }

    /// Sends `count` blocks from `first` on.
    pub(super) async fn send(&mut self, link: &mut Link, first: u64, count: u16) -> Result<()> {
        let (rollover, block_size) = (self.rollover, self.block_size);
        let mut block = first;
        let end = first + u64::from(count);
        while block < end {
            // Blocks are counted from 1.
            let number = (block - 1) / self.blocks;
            let begin = number * self.blocks + 1;
            let stop = end.min(begin + self.blocks);
            let run = self.run(number).await?;
            let place = |block: u64| octets(block - begin).saturating_mul(block_size);
            let content = run
                .get(place(block)..place(stop).min(run.len()))
                .unwrap_or_default();
            let full = content.len().div_ceil(block_size) as u64;
            let header = |index: usize| packet::data_header(rollover.wire(block + index as u64));
            link.send_blocks(header, block_size, content).await;
            // What follows the last full block is an empty one (TFT-31).
            if full > 0 && block + full < stop {
                let header = |_| packet::data_header(rollover.wire(block + full));
                link.send_blocks(header, block_size, &[]).await;
            }
            block = stop;
        }
        Ok(())
    }

    /// The content of a run, which is read if it is not here; the next is read meanwhile.
    async fn run(&mut self, number: u64) -> Result<&[u8]> {
        if !self.held.iter().any(|(held, _)| *held == number) {
            self.read(number).await?;
        }
        if self.ahead.is_none() && !self.held.iter().any(|(held, _)| *held == number + 1) {
            self.read_ahead(number + 1);
        }
        let found = self.held.iter().find(|(held, _)| *held == number);
        Ok(found.map(|(_, run)| run.as_slice()).unwrap_or_default())
    }

    async fn read(&mut self, number: u64) -> Result<()> {
        if self
            .ahead
            .as_ref()
            .is_none_or(|(ahead, _)| *ahead != number)
        {
            // What is being read is finished first: its memory and its end are of use.
            self.settle().await?;
            self.read_ahead(number);
        }
        self.settle().await
    }

    /// Begins to read a run whose beginning is known.
    fn read_ahead(&mut self, number: u64) {
        let run = self.blocks * self.block_size as u64;
        let at = number.saturating_mul(run);
        if at >= self.original.wire && number > 0 {
            // The empty last block's run has nothing to be read; an empty one stands for it.
            if at == self.original.wire {
                self.hold(number, Vec::new());
            }
            return;
        }
        let from = if self.original.is_text {
            let known = usize::try_from(number).ok();
            let Some(known) = known.and_then(|number| self.checkpoints.get(number)) else {
                return;
            };
            *known
        } else {
            Checkpoint {
                offset: at,
                ..Checkpoint::default()
            }
        };
        let length = octets(self.original.wire.saturating_sub(at).min(run));
        let original = self.original.clone();
        let memory = self.spare.pop().unwrap_or_default();
        let is_last = at + length as u64 == original.wire;
        let reading = spawn_blocking(move || original.read(memory, from, length, is_last));
        self.ahead = Some((number, reading));
    }

    /// Waits for what is being read.
    async fn settle(&mut self) -> Result<()> {
        let Some((number, reading)) = self.ahead.take() else {
            return Ok(());
        };
        let read = reading
            .await
            .unwrap_or_else(|error| Err(io::Error::other(error)));
        let (run, next) = read.map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => {
                let text = "the local file changed while it was sent";
                Error::new(Step::Local, Kind::Local, text)
            }
            _ => Error::local("the local file failed", &error),
        })?;
        if self.original.is_text && self.checkpoints.len() as u64 == number + 1 {
            self.checkpoints.push(next);
        }
        self.hold(number, run);
        Ok(())
    }

    fn hold(&mut self, number: u64, run: Vec<u8>) {
        if self.held.len() == HELD
            && let Some((_, oldest)) = self.held.pop_front()
        {
            self.spare.push(oldest);
        }
        self.held.push_back((number, run));
    }
}

impl Original {
    /// Reads a run of `length` octets on the wire; and where the next begins. A text must end where its
    /// last run does, or its size on the wire is not any more what the server was told.
    fn read(
        &self,
        mut run: Vec<u8>,
        mut at: Checkpoint,
        length: usize,
        is_last: bool,
    ) -> io::Result<(Vec<u8>, Checkpoint)> {
        if !self.is_text {
            run.resize(length, 0);
            self.file.read_all_at(&mut run, at.offset)?;
            at.offset += length as u64;
            return Ok((run, at));
        }
        run.clear();
        let mut piece = Vec::new();
        while run.len() < length {
            piece.resize(octets(self.host - at.offset).min(PIECE), 0);
            self.file.read_all_at(&mut piece, at.offset)?;
            let taken = at.encoder.encode(&piece, &mut run, length);
            if taken == 0 && piece.is_empty() && run.len() < length {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            at.offset += taken as u64;
        }
        if is_last && (at.offset < self.host || at.encoder.pending()) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok((run, at))
    }
}
