//! A bounded pool of pipes: the way by which the kernel moves octets from a socket into a file.
//!
//! A pipe is given back only when it is empty, else the next transfer would begin with the rest of
//! this one.

use std::{os::fd::OwnedFd, sync::Mutex};

use rustix::{
    io::Errno,
    pipe::{PipeFlags, fcntl_setpipe_size, pipe_with},
};

/// What a pipe is asked to hold, octets; the kernel may grant less.
pub const PIPE_SIZE: usize = 1 << 20;

const KEPT: usize = 16;

static POOL: Mutex<Vec<Pipe>> = Mutex::new(Vec::new());

/// Both ends of a pipe.
#[derive(Debug)]
pub(crate) struct Pipe {
    pub(crate) read: OwnedFd,
    pub(crate) write: OwnedFd,
}

/// Borrows an empty pipe.
pub(crate) fn borrow() -> Result<Pipe, Errno> {
    if let Some(pipe) = POOL
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
        .pop()
    {
        return Ok(pipe);
    }
    let (read, write) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
    // An unprivileged user has a budget of big pipes; past it the default size must do.
    let _ = fcntl_setpipe_size(&write, PIPE_SIZE);
    Ok(Pipe { read, write })
}

/// Gives an empty pipe back.
pub(crate) fn give_back(pipe: Pipe) {
    let mut pool = POOL
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    if pool.len() < KEPT {
        pool.push(pipe);
    }
}
