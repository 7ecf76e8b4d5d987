//! The server machine.
mod action;

pub use action::*;
/// Most lines of a STAT listing.
pub const STAT_LIST_LINES: usize = 2000;
/// x
#[derive(Debug)]
pub struct Settings { /// x
 pub command_events: bool }
