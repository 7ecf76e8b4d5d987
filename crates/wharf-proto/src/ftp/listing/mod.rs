//! Directory listings: written for LIST and NLST, matched against patterns, read from other servers.

pub mod glob;
pub mod parse;
pub mod render;
