//! The server over real sockets and a volume in memory, and peers that say exactly what a test wants.

mod crowd;
mod downloads;
mod ending;
mod house;
mod limits;
mod peer;
mod requests;
mod uploads;
