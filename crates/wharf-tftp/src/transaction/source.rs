//! Where a download's blocks come from.
//!
//! Octets are read by offset, a run of blocks at a time, or taken from where somebody has read them already
//! ([`Contents`]). What could be had at once is lent out of a thread's buffer; only who must wait for a disk
//! brings one of its own. Text is converted on the way, and again from a mark at the block where a
//! retransmission begins, so nothing that went out is kept.

use std::{collections::VecDeque, io, sync::Arc};

use wharf_proto::tftp::netascii::Encoder;
use wharf_transfer::buffer;
use wharf_vfs::{Error, FileRef};

use super::scratch::RUN;
use crate::content::{Content, Contents};

/// Blocks of text that may be under way: one mark is kept for each.
pub(super) const TEXT_WINDOW: u16 = 64;

/// Files up to so many octets are converted once beforehand to tell their size as text (TFT-22).
const MEASURED_TEXT: u64 = buffer::BUFFER_SIZE as u64;

/// Smaller files are read by each who wants them.
const SMALLEST_SHARED: u64 = 64 * 1024;

/// Why nothing more can be sent.
#[derive(Debug)]
pub(super) enum Halt {
    /// The client is gone, or the way to it.
    Gone(io::Error),
    /// The store failed.
    Store(Error),
    /// The file has become shorter than it was (TFT-41).
    Shrunk,
}

/// A run of blocks, or what must come first.
#[derive(Debug)]
pub(super) enum Run<'a> {
    /// Whole blocks, or all up to the end of the file.
    Here(&'a [u8]),
    /// These octets must be waited for; `chunk`: to be kept for all under this number.
    Wait {
        offset: u64,
        length: usize,
        chunk: Option<usize>,
    },
    /// A chunk was read for all: once more.
    Kept,
    /// There is no room for what is read for all: once more, for oneself.
    NoRoom,
}

/// An open file, as it goes out octet by octet.
pub(super) struct Source {
    pub(super) file: FileRef,
    /// Octets when it was opened: what is appended later is not sent.
    pub(super) size: u64,
    pub(super) block_size: usize,
    /// What all who fetch it share.
    pub(super) content: Option<Arc<Content>>,
}

impl Source {
    pub(super) fn new(
        file: FileRef,
        size: u64,
        block_size: u16,
        contents: &Contents,
        unix_now: u64,
    ) -> Self {
        let content = (size >= SMALLEST_SHARED)
            .then(|| contents.of(&file, unix_now))
            .flatten()
            .filter(|content| content.size() == size);
        Self {
            file,
            size,
            block_size: block_size.into(),
            content,
        }
    }

    /// The number of the last block (TFT-31).
    pub(super) const fn last(&self) -> u64 {
        self.size / self.block_size as u64 + 1
    }

    /// Octets of the file in front of a block.
    pub(super) fn offset(&self, block: u64) -> u64 {
        let before = block
            .saturating_sub(1)
            .saturating_mul(self.block_size as u64);
        before.min(self.size)
    }

    /// Up to `count` blocks from `first` on, as many as can be had at once. `buffer`: an empty one.
    pub(super) fn run<'a>(
        &'a self,
        contents: &Contents,
        first: u64,
        count: u64,
        buffer: &'a mut Vec<u8>,
    ) -> Result<Run<'a>, Halt> {
        let offset = self.offset(first);
        let most = (RUN / self.block_size * self.block_size) as u64;
        let length = (self.size - offset)
            .min(count.saturating_mul(self.block_size as u64))
            .min(most);
        let length = usize::try_from(length).unwrap_or_default();
        if length == 0 {
            // The empty block that ends a file of whole blocks.
            return Ok(Run::Here(&[]));
        }
        if let Some(content) = &self.content {
            let had = content.from(offset).unwrap_or_default();
            if let Some(run) = had.get(..self.whole(had.len(), length))
                && !run.is_empty()
            {
                return Ok(Run::Here(run));
            }
            let missing = offset + had.len() as u64;
            let block = length.min(self.block_size);
            match content.from(missing) {
                // One block lies over the border of two chunks.
                Some(rest) if had.len() + rest.len() >= block => {
                    buffer.extend_from_slice(had);
                    buffer.extend_from_slice(rest.get(..block - had.len()).unwrap_or_default());
                    return Ok(Run::Here(buffer));
                }
                _ if content.is_wanted() => {
                    if let Some(chunk) = content.chunk(missing) {
                        return self.read_for_all(contents, content, chunk, buffer);
                    }
                }
                _ => {}
            }
        }
        match self.file.try_read_at(buffer, length, offset) {
            None => Ok(Run::Wait {
                offset,
                length,
                chunk: None,
            }),
            Some(read) => {
                let read = read.map_err(Halt::Store)?;
                self.whole_of(buffer, read, length).map(Run::Here)
            }
        }
    }

    fn read_for_all<'a>(
        &self,
        contents: &Contents,
        content: &Arc<Content>,
        (number, offset, length): (usize, u64, usize),
        buffer: &mut Vec<u8>,
    ) -> Result<Run<'a>, Halt> {
        let Some(read) = self.file.try_read_at(buffer, length, offset) else {
            return Ok(Run::Wait {
                offset,
                length,
                chunk: Some(number),
            });
        };
        read.map_err(Halt::Store)?;
        Ok(if contents.keep(content, number, buffer) {
            Run::Kept
        } else {
            Run::NoRoom
        })
    }

    /// What can go out of `read` octets of a run of `length`.
    pub(super) fn whole_of<'a>(
        &self,
        octets: &'a [u8],
        read: usize,
        length: usize,
    ) -> Result<&'a [u8], Halt> {
        match octets.get(..self.whole(read, length)) {
            Some(whole) if !whole.is_empty() => Ok(whole),
            _ => Err(Halt::Shrunk),
        }
    }

    /// How many of `had` octets make a run: all that was wanted, or whole blocks.
    const fn whole(&self, had: usize, wanted: usize) -> usize {
        if had >= wanted {
            wanted
        } else {
            had / self.block_size * self.block_size
        }
    }
}

/// Where a block of text begins.
#[derive(Clone, Copy, Debug)]
struct Mark {
    block: u64,
    /// In the file.
    offset: u64,
    state: Encoder,
}

/// A file that goes out as text (TFT-40).
pub(super) struct Text {
    file: FileRef,
    size: u64,
    block_size: usize,
    /// One for each block from the first that is not acknowledged to the next new one.
    marks: VecDeque<Mark>,
}

impl Text {
    pub(super) fn new(file: FileRef, size: u64, block_size: u16) -> Self {
        Self {
            file,
            size,
            block_size: block_size.into(),
            marks: VecDeque::from([Mark {
                block: 1,
                offset: 0,
                state: Encoder::default(),
            }]),
        }
    }

    /// Appends `count` blocks from `first` on to `output`, fewer where the text ends. Tells the last block
    /// once it is found. All up to `acknowledged` will not be asked for again.
    pub(super) async fn blocks(
        &mut self,
        first: u64,
        count: u16,
        acknowledged: u64,
        output: &mut Vec<u8>,
    ) -> Result<Option<u64>, Halt> {
        while self
            .marks
            .front()
            .is_some_and(|mark| mark.block <= acknowledged)
            && self.marks.len() > 1
        {
            self.marks.pop_front();
        }
        // Nothing is asked for again that was acknowledged, nor anything before it was reached.
        let Some(mut mark) = self.marks.iter().find(|mark| mark.block == first).copied() else {
            return Err(Halt::Shrunk);
        };
        let mut input = buffer::borrow();
        let mut taken = 0;
        let mut limit = output.len();
        let mut last = None;
        for _ in 0..count {
            limit += self.block_size;
            loop {
                let rest = input.get(taken..).unwrap_or_default();
                let used = mark.state.encode(rest, output, limit);
                taken += used;
                mark.offset += used as u64;
                if output.len() >= limit || mark.offset >= self.size {
                    break;
                }
                (input, taken) = (self.read(input, mark.offset).await?, 0);
            }
            if output.len() < limit {
                last = Some(mark.block);
                break;
            }
            mark.block += 1;
            if self.marks.back().is_none_or(|back| back.block < mark.block) {
                self.marks.push_back(mark);
            }
        }
        buffer::give_back(input);
        Ok(last)
    }

    async fn read(&self, mut input: Vec<u8>, offset: u64) -> Result<Vec<u8>, Halt> {
        input.clear();
        let length = (self.size - offset).min(buffer::BUFFER_SIZE as u64);
        let length = usize::try_from(length).unwrap_or_default();
        match self.file.try_read_at(&mut input, length, offset) {
            Some(read) => {
                read.map_err(Halt::Store)?;
            }
            None => {
                input = self
                    .file
                    .read_at(input, offset)
                    .await
                    .map_err(Halt::Store)?
            }
        }
        input.truncate(length);
        if input.is_empty() {
            return Err(Halt::Shrunk);
        }
        Ok(input)
    }
}

/// The size of a file as text, if it is cheap to know.
pub(super) async fn text_size(file: &FileRef, size: u64) -> Option<u64> {
    if size > MEASURED_TEXT {
        return None;
    }
    let mut content = buffer::borrow();
    let length = usize::try_from(size).ok()?;
    while content.len() < length {
        let offset = content.len() as u64;
        let before = content.len();
        match file.try_read_at(&mut content, length - before, offset) {
            Some(read) => {
                read.ok()?;
            }
            None => {
                let part = file.read_at(buffer::borrow(), offset).await.ok()?;
                content.extend_from_slice(&part);
                buffer::give_back(part);
            }
        }
        if content.len() == before {
            return None;
        }
    }
    content.truncate(length);
    let pairs = content
        .iter()
        .filter(|&&octet| matches!(octet, b'\n' | b'\r'))
        .count();
    buffer::give_back(content);
    Some(size + pairs as u64)
}

#[cfg(test)]
mod tests;
