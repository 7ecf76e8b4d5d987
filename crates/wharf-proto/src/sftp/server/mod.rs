//! The server's end: what a client sends becomes requests that may be executed now (SFT-20..23).
//!
//! The driver calls [`Server::next_request`] until it says `None`, answers each request exactly once
//! with [`super::response`], and tells of those that it cannot answer at once: [`Server::defer`] when
//! it goes on to the next, [`Server::settle`] when the answer is there. The machine holds back what
//! must not overtake a deferred request: the room `order` has the rules. INIT, what is malformed and
//! what is of an unknown type it answers itself. It holds no handle and knows no path.

mod order;
#[cfg(test)]
mod tests;

use super::{
    MAX_DATA, Request, RequestId, StatusCode, SymlinkOrder,
    extension::{Set, Vendor},
    packet::{BadLength, Found, Packets, Reader, kind},
    request::NoRequest,
    response,
};
use order::{Order, Touch};

pub use order::Spelling;

/// Most octets that wait behind a deferred request.
pub const MAX_HELD: usize = 4 * 1024 * 1024;
/// Most requests that are deferred at a time (SFT-23).
pub const MAX_DEFERRED: usize = 64;
/// Most packets in a row that are no request; what is written for them in one call is bounded so.
pub const MAX_REFUSED: u32 = 1_024;

/// How a session is held.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The extensions that are announced and understood; the others are unknown.
    pub extensions: Set,
    /// The product, when it may be named (SFT-64).
    pub vendor: Option<Vendor<'static>>,
    /// How the client orders the paths of SYMLINK (SFT-31).
    pub symlink_order: SymlinkOrder,
    /// Most requests that are deferred at a time.
    pub max_deferred: usize,
    /// Most octets that are held for later.
    pub max_held: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            extensions: Set::ALL,
            vendor: None,
            symlink_order: SymlinkOrder::OpenSsh,
            max_deferred: MAX_DEFERRED,
            max_held: MAX_HELD,
        }
    }
}

/// Why the channel must be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// No packet has such a length (SFT-20).
    #[error(transparent)]
    Length(#[from] BadLength),
    /// A packet without an identifier to answer to (SFT-20).
    #[error("a packet too short for a type and an identifier")]
    NoId,
    /// The first packet is not INIT.
    #[error("a packet of type {0} where INIT was expected")]
    NotInit(u8),
    /// INIT without a version.
    #[error("an INIT without a version")]
    BadInit,
    /// A second INIT (SFT-21).
    #[error("a second INIT")]
    SecondInit,
    /// More waits behind deferred requests than is held for anybody.
    #[error("more than {0} octets of requests wait for others")]
    TooMuchHeld(usize),
    /// [`MAX_REFUSED`] packets in a row were no requests.
    #[error("{MAX_REFUSED} packets in a row that are no requests")]
    TooManyRefused,
}

/// One SFTP session, the server's end.
#[derive(Debug)]
pub struct Server {
    packets: Packets,
    state: State,
}

/// Everything but the octets.
#[derive(Debug)]
struct State {
    settings: Settings,
    is_open: bool,
    order: Order,
    /// Packets in a row that were no requests.
    refused: u32,
    /// The request that was handed out last, and what it touches.
    last: Option<(RequestId, Touch)>,
}

/// What became of a packet.
enum Verdict<'a> {
    Request(RequestId, Request<'a>),
    Answered,
    Waits,
}

impl Server {
    /// Before INIT.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self {
            packets: Packets::default(),
            state: State {
                settings,
                is_open: false,
                order: Order::default(),
                refused: 0,
                last: None,
            },
        }
    }

    /// The next request that may be executed, taken off `input`; `None` when there is none: then all
    /// of `input` was taken, and what could not be handed out is held. Answers of the machine itself
    /// are appended to `output`. After [`Server::settle`] it is to be called again, with what came
    /// meanwhile or with nothing.
    ///
    /// A READ asks for at most [`MAX_DATA`] octets here, whatever the client wanted (SFT-33).
    ///
    /// # Errors
    /// When the channel must be closed; what it says afterwards means nothing.
    pub fn next_request<'s, 'i: 's>(
        &'s mut self,
        input: &mut &'i [u8],
        output: &mut Vec<u8>,
    ) -> Result<Option<(RequestId, Request<'s>)>, Violation> {
        let found = loop {
            let found = self.packets.next(input)?;
            let verdict = match found {
                Found::Nothing => return Ok(None),
                // What lies in the input is read once: it does not borrow from the machine.
                Found::Input(body) => match self.state.judge(body, output)? {
                    Verdict::Request(id, request) => {
                        self.packets.take(&found, input);
                        if matches!(request, Request::Close { .. }) {
                            self.packets.release();
                        }
                        return Ok(Some((id, request)));
                    }
                    other => other,
                },
                Found::Held(_) => {
                    let body = self.packets.body(found.clone());
                    self.state.judge(body, output)?
                }
            };
            match verdict {
                Verdict::Waits => return self.hold(input).map(|()| None),
                Verdict::Answered => self.packets.take(&found, input),
                Verdict::Request(..) => break found,
            }
        };
        self.packets.take(&found, input);
        Ok(self.state.parse(self.packets.body(found)).ok())
    }

    /// Keeps `input` without looking at it, when nothing is to be executed for now; the next call of
    /// [`Server::next_request`] goes on with it.
    ///
    /// # Errors
    /// When more is held than the settings let.
    pub fn hold(&mut self, input: &mut &[u8]) -> Result<(), Violation> {
        let limit = self.state.settings.max_held;
        if self.packets.held().saturating_add(input.len()) > limit {
            return Err(Violation::TooMuchHeld(limit));
        }
        self.packets.hold(input);
        Ok(())
    }

    /// The request that was handed out last is being executed: what must not overtake it waits.
    pub fn defer(&mut self, id: RequestId) {
        self.state.defer(id, |touch| touch);
    }

    /// As [`Server::defer`], for a CLOSE of a file whose path was spelled so when it was opened:
    /// other files are opened meanwhile.
    pub fn defer_close(&mut self, id: RequestId, spelling: Spelling) {
        self.state.defer(id, |touch| touch.spelled(spelling));
    }

    /// A handle that was given out leads to the file of that number: what is done through it and
    /// through every other handle with the same number keeps its order. A CLOSE forgets it.
    pub fn is_file(&mut self, handle: &[u8], file: u64) {
        self.state.order.is_file(handle, file);
    }

    /// A deferred request was answered.
    pub fn settle(&mut self, id: RequestId) {
        self.state.order.settle(id);
    }

    /// How many requests are deferred.
    #[must_use]
    pub fn deferred(&self) -> usize {
        self.state.order.len()
    }

    /// Octets that are held: a packet that is not whole, and what waits.
    #[must_use]
    pub fn held(&self) -> usize {
        self.packets.held()
    }
}

impl State {
    fn judge<'a>(
        &mut self,
        body: &'a [u8],
        output: &mut Vec<u8>,
    ) -> Result<Verdict<'a>, Violation> {
        if !self.is_open || body.first() == Some(&kind::INIT) {
            return self.open(body, output);
        }
        let (id, code) = match self.parse(body) {
            Ok((id, request)) => {
                let touch = self.order.touch(&request);
                if !self.order.admits(id, &touch, self.settings.max_deferred) {
                    return Ok(Verdict::Waits);
                }
                if let Request::Close { handle } = request {
                    self.order.forget(handle);
                }
                self.last = Some((id, touch));
                self.refused = 0;
                return Ok(Verdict::Request(id, request));
            }
            Err(NoRequest::NoId) => return Err(Violation::NoId),
            Err(NoRequest::Malformed(id)) => (id, StatusCode::BadMessage),
            Err(NoRequest::UnknownType { id, .. }) => (id, StatusCode::OpUnsupported),
        };
        self.refused += 1;
        if self.refused > MAX_REFUSED {
            return Err(Violation::TooManyRefused);
        }
        response::status(id, code, code.text(), output);
        Ok(Verdict::Answered)
    }

    fn open<'a>(&mut self, body: &[u8], output: &mut Vec<u8>) -> Result<Verdict<'a>, Violation> {
        let mut reader = Reader::new(body);
        match reader.byte() {
            Ok(kind::INIT) if self.is_open => return Err(Violation::SecondInit),
            Ok(kind::INIT) => {}
            Ok(other) => return Err(Violation::NotInit(other)),
            Err(_) => return Err(Violation::NoId),
        }
        // Whatever version is asked for, three is what is spoken; the extensions of a client mean
        // nothing in it (SFT-21).
        reader.u32().map_err(|_| Violation::BadInit)?;
        self.is_open = true;
        let Settings {
            extensions, vendor, ..
        } = &self.settings;
        response::version(*extensions, vendor.as_ref(), output);
        Ok(Verdict::Answered)
    }

    fn parse<'a>(&self, body: &'a [u8]) -> Result<(RequestId, Request<'a>), NoRequest> {
        let (id, request) = Request::parse(body, self.settings.extensions)?;
        Ok((
            id,
            match request.turned(self.settings.symlink_order) {
                Request::Read {
                    handle,
                    offset,
                    length,
                } => Request::Read {
                    handle,
                    offset,
                    length: length.min(MAX_DATA),
                },
                other => other,
            },
        ))
    }

    fn defer(&mut self, id: RequestId, how: impl FnOnce(Touch) -> Touch) {
        if let Some((_, touch)) = self.last.take_if(|(last, _)| *last == id) {
            self.order.defer(id, how(touch));
        }
    }
}
