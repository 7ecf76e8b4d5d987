//! One file over FTP: a control connection that is lent for the time of an attempt.

mod get;
mod put;
mod text;

pub(super) use get::get;
pub(super) use put::put;
pub(super) use text::FromWire;
