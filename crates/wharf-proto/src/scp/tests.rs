//! The commands, the messages, and the machines alone, against each other and against peers that mean
//! no good.

mod command;
mod machines;
mod message;
mod trees;
