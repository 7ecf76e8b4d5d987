//! Connections as their peers see them: over pipes, against a volume in memory.

mod channels;
mod deadlines;
mod house;
mod login;
mod malformed;
mod raw;
mod rules;
