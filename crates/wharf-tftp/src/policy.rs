//! Which client gets what: the first rule that is a client's, and what that rule lets it send (TFT-05).

use std::{cell::OnceCell, net::IpAddr};

use wharf_proto::tftp::ErrorCode;
use wharf_vfs::{ErrorKind, Metadata};

use crate::{
    error_codes,
    mac::Mac,
    settings::{ClientRule, Settings, WriteMode},
};

/// Permission bit of a file that the whole world may write.
const WORLD_WRITABLE: u32 = 0o002;

/// The first rule that is this client's. Its hardware address is asked for once at the most, and only where a
/// rule wants to know.
pub fn find(
    settings: &Settings,
    peer: IpAddr,
    mac: impl FnOnce() -> Option<Mac>,
) -> Option<&ClientRule> {
    let known = OnceCell::new();
    let mut ask = Some(mac);
    settings.clients.iter().find(|rule| {
        rule.matches(peer, || {
            *known.get_or_init(|| ask.take().and_then(|mac| mac()))
        })
    })
}

/// Whether a rule lets its clients send a file to where `existing` stands now; `None`: nothing does.
///
/// # Errors
/// What the client is told.
pub fn may_write(
    mode: WriteMode,
    existing: Option<&Metadata>,
) -> Result<(), (ErrorCode, &'static str)> {
    let refused = match (mode, existing) {
        (WriteMode::Deny, _) => ErrorKind::Denied,
        (_, Some(file)) if file.is_directory() => ErrorKind::IsADirectory,
        (WriteMode::Existing, None) => ErrorKind::NotFound,
        (WriteMode::Existing, Some(file)) if file.mode & WORLD_WRITABLE == 0 => ErrorKind::Denied,
        (WriteMode::Create, Some(_)) => ErrorKind::Exists,
        (WriteMode::Existing | WriteMode::Overwrite, Some(_))
        | (WriteMode::Create | WriteMode::Overwrite, None) => return Ok(()),
    };
    Err(error_codes::wire(refused))
}

#[cfg(test)]
mod tests;
