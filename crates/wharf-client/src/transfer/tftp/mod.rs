//! Transfers over TFTP: one transaction for each file, its blocks received or sent in runs.
//!
//! The protocol has no way to go on in the middle and no hash: a failed file starts over, and the size is
//! what a copy is checked by, told by tsize before the first block. A local file is not touched before the
//! server's first block is here, and bears its name only when it is whole (TFT-52).

mod cat;
mod content;
mod get;
mod outlet;
mod put;
mod receive;
#[cfg(test)]
mod tests;

pub(super) use cat::cat;
pub(super) use get::get;
pub(super) use put::put;

use std::time::Duration;

use wharf_proto::tftp::{
    Direction, ErrorCode, Mode, Offer, OptionList, Outcome, Packet, Terms, option, packet,
};

use wharf_transfer::Meter;

use super::Verified;
use crate::{
    Error, Kind, Location, Options, Result, Step, Verify,
    observer::Observer,
    site::UrlType,
    tftp::{Context, Link, Opening, Trouble, diagnosis, refusal},
};

/// What is asked of a server.
struct Asked {
    direction: Direction,
    name: Vec<u8>,
    mode: Mode,
    /// The name fits into a request, but options do not fit beside it.
    leaves_no_room: bool,
    /// What failed, when something does.
    what: String,
}

impl Asked {
    fn new(direction: Direction, place: &Location, options: &Options) -> Result<Self> {
        let usage = |text: String| Err(Error::new(Step::Command, Kind::Usage, text));
        if place.name().is_none_or(|name| name == b"/") || place.directory {
            return usage(format!("{place} names no file; TFTP has no directories"));
        }
        if options.verify == Verify::Hash {
            return usage("TFTP has no hash to compare with".to_owned());
        }
        let name = place.path();
        let mode = match place.kind {
            Some(UrlType::Text) => Mode::Netascii,
            _ => Mode::Octet,
        };
        let longest = options.tftp.offer(u64::MAX);
        let asking = packet::request(direction, &name, mode, &longest, &mut Vec::new());
        Ok(Self {
            direction,
            leaves_no_room: asking.is_err(),
            name,
            mode,
            what: match direction {
                Direction::Read => format!("cannot fetch {place}"),
                Direction::Write => format!("cannot send {place}"),
            },
        })
    }

    const fn is_text(&self) -> bool {
        matches!(self.mode, Mode::Netascii)
    }

    /// The request on the wire, which the observer hears.
    fn request(&self, offer: &Offer, observer: &dyn Observer) -> Result<Vec<u8>, Trouble> {
        let mut request = Vec::new();
        packet::request(self.direction, &self.name, self.mode, offer, &mut request).map_err(
            |error| {
                let text = format!("{}: {error}", self.what);
                // A long name may leave room for itself alone.
                Trouble::Options(Error::new(Step::Command, Kind::Usage, text))
            },
        )?;
        tell(observer, '>', &request);
        Ok(request)
    }

    /// The server took the request. That it takes none with options for text (tftpd-hpa has no tsize
    /// there), or that the name left no room for them, says nothing of other files.
    fn taken(&self, context: &Context, opening: &Opening) {
        let says_nothing = opening.is_bare && (self.is_text() || self.leaves_no_room);
        if !says_nothing {
            context.remember(opening);
        }
    }

    /// Why a transaction ended before its time; `terms`: where the server took the request.
    fn ended(
        &self,
        link: &Link,
        outcome: Option<&Outcome>,
        terms: Option<&Terms>,
        blocks: u64,
    ) -> Trouble {
        match outcome {
            Some(Outcome::Refused { code, text, .. }) => {
                let error = refusal::refused(&self.what, *code, text);
                let may_be_options = matches!(
                    code,
                    ErrorCode::NotDefined | ErrorCode::IllegalOperation | ErrorCode::OptionRefused
                );
                if terms.is_none() && may_be_options {
                    Trouble::Options(error)
                } else {
                    Trouble::Final(error)
                }
            }
            Some(Outcome::TimedOut { .. }) | None if !link.is_answered() => {
                Trouble::Silent(link.foreign())
            }
            Some(Outcome::Unconfirmed) => Trouble::Final(
                Error::new(
                    Step::Transfer,
                    Kind::Partial,
                    format!(
                        "{}: everything was sent, but the server did not say that it is there",
                        self.what
                    ),
                )
                .retryable(),
            ),
            Some(Outcome::Violation(violation)) => Trouble::Final(Error::new(
                Step::Transfer,
                Kind::Protocol,
                format!("{}: the server's answer: {violation}", self.what),
            )),
            // What failed here has an error of its own.
            Some(Outcome::Failed { .. }) => Trouble::Final(Error::new(
                Step::Transfer,
                Kind::Protocol,
                format!(
                    "{}: the server sent a larger block than agreed on",
                    self.what
                ),
            )),
            Some(Outcome::TimedOut { .. } | Outcome::Complete) | None => {
                Trouble::Final(diagnosis::stalled(&self.what, terms, blocks))
            }
        }
    }
}

/// How long silence is borne: the first answer may never come, and then another opening is tried.
const fn patience(context: &Context, opening: &Opening, link: &Link) -> Duration {
    if link.is_answered() {
        context.options.idle_timeout
    } else {
        opening.patience
    }
}

/// Gives a machine what the server says, but for a granted interval: that binds the server, whose own one
/// may be very long, while this end goes on adapting to the path.
fn hear(asked: &Offer, datagram: &[u8], handle: impl FnOnce(&Packet<'_>)) {
    let Ok(packet) = Packet::parse(datagram) else {
        return;
    };
    if let Packet::Oack(granted) = packet
        && option::accept(asked, &granted).is_ok()
    {
        let mut kept = Vec::new();
        for (name, value) in granted.iter() {
            if !name.eq_ignore_ascii_case(b"timeout") {
                for text in [name, value] {
                    kept.extend_from_slice(text);
                    kept.push(0);
                }
            }
        }
        if let Ok(kept) = OptionList::parse(&kept) {
            return handle(&Packet::Oack(kept));
        }
    }
    handle(&packet);
}

/// The observer hears what is no block and no ACK.
fn tell(observer: &dyn Observer, direction: char, datagram: &[u8]) {
    let line = match Packet::parse(datagram) {
        Ok(Packet::Request(request)) => {
            let verb = match request.direction {
                Direction::Read => "RRQ",
                Direction::Write => "WRQ",
            };
            let name = refusal::words(request.name);
            let options = listed(request.options.iter());
            format!("{verb} {name} {}{options}", request.mode.name())
        }
        Ok(Packet::Oack(options)) => format!("OACK{}", listed(options.iter())),
        Ok(Packet::Error { code, text }) => format!("ERROR {code} {}", refusal::words(text)),
        Ok(Packet::Data { .. } | Packet::Ack { .. }) | Err(_) => return,
    };
    observer.dialogue(direction, &line);
}

fn listed<'a>(options: impl Iterator<Item = (&'a [u8], &'a [u8])>) -> String {
    options
        .map(|(name, value)| format!(" {}={}", refusal::words(name), refusal::words(value)))
        .collect()
}

/// So many octets of a file have moved; those of an earlier attempt are not counted again.
fn count(meter: &Meter, octets: u64) {
    meter.add(octets.saturating_sub(meter.octets()));
}

/// How sure a copy is that the server told the size of, if it did.
fn sure(options: &Options, size_was_told: bool) -> Verified {
    if size_was_told && options.verify != Verify::None {
        Verified::Size
    } else {
        Verified::Closed
    }
}
