//! One transaction: from a request to its end.
//!
//! The rule that fits the client gives the account, the account the view, the view the open file. From then
//! on [`download`] and [`upload`] carry datagrams between the wire and the protocol's machine. All of it is
//! one task on one worker; while it waits it owns neither a buffer nor a lock.
//!
//! A refusal leaves by the listening socket, once. It is not repeated: the client repeats its request.

mod download;
mod scratch;
mod source;
mod upload;
mod watch;

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, OnceLock},
    time::Instant,
};

use wharf_engine::{
    Ending, FileTransfer, Lease, LoggedIn, LoginError, Session,
    engine::unmapped,
    events::{Direction, Event},
};
use wharf_proto::tftp::{
    self, ErrorCode, Mode, Packet, Request, Rollover, Terms,
    option::{self, ServerLimits},
    packet,
};
use wharf_transfer::{
    Throttle, buffer,
    datagram::{DatagramSocket, Route},
};
use wharf_vfs::VirtualPath;

use crate::{
    ClientRule, Settings, clock, error_codes,
    front_end::{SERVICE, TftpFrontEnd},
    mailbox::Inbox,
    name, neighbours, policy,
    transactions::Place,
    wire::{self, Shared, Wire},
};

/// Octets of a client's own words that the log gets.
const LOGGED_TEXT: usize = 128;

/// Why a transaction ended that nobody had answered, for the log.
const GAVE_WAY: &str =
    "no answer from the client, and others needed its place (tftp.transfers, tftp.per_address)";

/// A request that was let in.
pub(crate) struct Arrival {
    pub(crate) front_end: Arc<TftpFrontEnd>,
    /// Those of the moment when it came.
    pub(crate) settings: Arc<Settings>,
    /// The listening socket.
    pub(crate) socket: Arc<DatagramSocket>,
    /// Where the request was sent to.
    pub(crate) local: SocketAddr,
    pub(crate) route: Route,
    pub(crate) peer: SocketAddr,
    pub(crate) place: Place,
    pub(crate) lease: Lease,
}

/// Why there is no transfer: what the client is told, and what the log is.
struct Refusal {
    code: ErrorCode,
    text: &'static str,
    cause: String,
}

impl Refusal {
    fn new((code, text): (ErrorCode, &'static str), cause: impl Into<String>) -> Self {
        Self {
            code,
            text,
            cause: cause.into(),
        }
    }
}

impl From<wharf_vfs::Error> for Refusal {
    fn from(error: wharf_vfs::Error) -> Self {
        Self::new(error_codes::wire(error.kind), cause(&error))
    }
}

/// A volume's failure for the log.
fn cause(error: &wharf_vfs::Error) -> String {
    match &error.source {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

/// What comes after a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// Nothing, unless the client has asked again.
    Over,
    /// The client has begun anew: the same once more.
    Again,
}

/// What a transfer needs.
struct Context<'a> {
    front_end: &'a TftpFrontEnd,
    settings: &'a Settings,
    socket: &'a Arc<DatagramSocket>,
    peer: SocketAddr,
    route: Route,
    place: &'a Place,
    rule: &'a ClientRule,
    session: Arc<Session<LoggedIn>>,
    request: Request<'a>,
    path: VirtualPath,
}

/// Serves a request to its end.
pub(crate) async fn serve(arrival: Arrival) {
    let Arrival {
        front_end,
        settings,
        socket,
        local,
        route,
        peer,
        place,
        lease,
    } = arrival;
    let mailbox = Arc::clone(&place.mailbox);
    let Ok(Packet::Request(request)) = Packet::parse(&mailbox.request) else {
        return;
    };
    let address = unmapped(peer).ip();
    let known = OnceLock::new();
    let mac = || *known.get_or_init(|| neighbours::find(peer.ip(), route.interface));
    let Some(rule) = policy::find(&settings, address, mac) else {
        // Whom no rule knows learns nothing, not even that somebody is here.
        let cause = "no rule is this client's (tftp.client)";
        return front_end.dropped(peer, cause, clock::unix_now());
    };
    let mac = if settings.wants_mac() { mac() } else { None };
    let now = clock::now();
    let engine = Arc::clone(front_end.engine());
    let guest = Session::open_quietly(engine, lease, SERVICE, unmapped(peer), unmapped(local), now);
    let entering = guest.enter(Arc::clone(&rule.account), now, clock::unix_now());
    let refuse = |code, text: &str| {
        let mut answer = Vec::new();
        packet::error(code, text, &mut answer);
        // Lost where there is no room, as on any other way.
        let _ = socket.try_send_to(&answer, peer, &route);
    };
    let session = match Box::pin(entering).await {
        Ok(session) => Arc::new(session),
        Err(failure) => {
            return match failure.error {
                LoginError::TooManySessions => {
                    refuse(ErrorCode::NotDefined, "Too many transfers, try again later");
                }
                LoginError::Unavailable => refuse(ErrorCode::NotDefined, "Not available now"),
                LoginError::LockedOut => {}
                _ => refuse(ErrorCode::AccessViolation, "Permission denied"),
            };
        }
    };
    let resolved = name::resolve(request.name, rule, &settings.rewrites, address, mac);
    let outcome = match resolved {
        Ok(path) => {
            let mut context = Context {
                front_end: &front_end,
                settings: &settings,
                socket: &socket,
                peer,
                route,
                place: &place,
                rule,
                session: Arc::clone(&session),
                request,
                path,
            };
            context.transfer().await
        }
        Err(refused) => Err(Refusal::new(refused.wire(), refused.to_string())),
    };
    if let Err(refusal) = outcome {
        refuse(refusal.code, refusal.text);
        session.tell(&Event::RequestRefused {
            direction: match request.direction {
                tftp::Direction::Read => Direction::Download,
                tftp::Direction::Write => Direction::Upload,
            },
            path: request.name,
            cause: &refusal.cause,
        });
    }
}

impl Context<'_> {
    /// Transfers, and again where the client has asked again meanwhile.
    async fn transfer(&mut self) -> Result<(), Refusal> {
        if self.settings.ignore_case {
            let fixed = self.rule.directory.depth();
            let view = self.session.view();
            self.path = Box::pin(name::find_ignoring_case(view, &self.path, fixed)).await;
        }
        loop {
            let next = match self.request.direction {
                tftp::Direction::Read => Box::pin(download::serve(self)).await?,
                tftp::Direction::Write => Box::pin(upload::serve(self)).await?,
            };
            // Who ended it and asks again is served again at once, whichever was heard first.
            let is_ended = self.session.record().ending() != Ending::None;
            if is_ended || next == Next::Over && self.place.is_left() {
                return Ok(());
            }
        }
    }

    /// The opening goes out: whose client does not answer it gives way to others.
    fn begins_at(&self, now: Instant) {
        let from = now.checked_add(self.settings.timing.initial);
        self.place.mailbox.set_spare(from);
    }

    /// The terms that the request comes to, and the OACK that tells them. `size`: of an RRQ, as octets will
    /// be sent.
    fn terms(&self, size: Option<u64>, throttles: &[Arc<Throttle>]) -> (Terms, Option<Vec<u8>>) {
        let rule = self.rule;
        let mut limits = ServerLimits {
            max_block_size: rule.max_block_size.unwrap_or(self.settings.max_block_size),
            max_window: self.settings.max_window,
            rollover: rule.rollover.unwrap_or(self.settings.rollover),
        };
        // Whether there is a cap does not depend on the MTU; what it is costs a few calls to ask.
        let fits = |mtu| self.settings.mtu_cap.largest_block(self.peer.ip(), mtu);
        if fits(u16::MAX).is_some()
            && let Some(fits) = wire::path_mtu(self.peer).and_then(fits)
        {
            limits.max_block_size = limits.max_block_size.min(fits);
        }
        if let Some(slowest) = throttles.iter().min_by_key(|throttle| throttle.rate()) {
            // A window goes out in a time that nobody takes for a loss.
            let block = u16::try_from(slowest.chunk()).unwrap_or(u16::MAX);
            limits.max_block_size = limits.max_block_size.min(block);
            let window = slowest.rate() / 4 / u64::from(limits.max_block_size.max(1));
            let window = u16::try_from(window).unwrap_or(u16::MAX).max(1);
            limits.max_window = limits.max_window.min(window);
        }
        if self.request.mode == Mode::Netascii {
            // A window of text is converted as a whole, into one buffer.
            let (bare, _) = option::answer(&self.request, &limits, None);
            let window = buffer::BUFFER_SIZE / usize::from(bare.block_size);
            let window = u16::try_from(window).unwrap_or(u16::MAX);
            limits.max_window = limits.max_window.min(source::TEXT_WINDOW).min(window);
        }
        option::answer(&self.request, &limits, size)
    }

    /// The way to the client.
    fn wire(&self) -> Result<Wire, Refusal> {
        if self.place.mailbox.is_shared {
            return Ok(Wire::Shared(Shared {
                socket: Arc::clone(self.socket),
                peer: self.peer,
                route: self.route,
                mailbox: Arc::clone(&self.place.mailbox),
                inbox: Inbox::default(),
            }));
        }
        Wire::own(self.peer, &self.route, self.settings.port_range.as_ref()).map_err(|error| {
            let told = (ErrorCode::NotDefined, "Not available now");
            Refusal::new(
                told,
                format!("cannot open a port for the transfer: {error}"),
            )
        })
    }

    /// The account of the transfer, from now on.
    fn told(&self, direction: Direction) -> FileTransfer {
        FileTransfer::asked(
            Arc::clone(&self.session),
            self.path.clone(),
            direction,
            self.request.mode == Mode::Netascii,
            clock::now(),
        )
    }
}

/// Whether a repeated request says that the client has begun anew (TFT-07): it has come twice and nothing
/// moved between. One alone may have been on its way for long.
#[derive(Debug, Default)]
struct Repetitions {
    /// How far the transfer was at the last one.
    at: Option<u64>,
}

impl Repetitions {
    fn is_new_beginning(&mut self, progress: u64) -> bool {
        self.at.replace(progress) == Some(progress)
    }
}

/// The end of a transfer that nobody answered any more, for the log. A client that stops just where block
/// numbers begin anew expects another number there (TFT-36); one that got none of larger blocks is perhaps
/// behind something that drops fragments (TFT-20). `unsent`: what kept our own last datagram from leaving,
/// such as a firewall of this host.
fn silence(answered: bool, blocks: u64, terms: &Terms, unsent: Option<&io::Error>) -> String {
    const NUMBERS: u64 = 65_536;
    /// Octets of a block that fits into a packet of Ethernet over either family.
    const UNFRAGMENTED: u16 = 1448;
    let Terms {
        rollover,
        window,
        block_size,
        ..
    } = *terms;
    let since = blocks % (NUMBERS - 1);
    let is_at_border = blocks + u64::from(window) >= NUMBERS - 1
        && (since <= 1 || since + u64::from(window) >= NUMBERS - 1);
    if let Some(error) = unsent {
        return format!("this host could not send to the client after block {blocks}: {error}");
    }
    match (answered, is_at_border) {
        (false, _) => "no answer from the client".to_owned(),
        (true, true) => {
            let setting = match rollover {
                Rollover::Zero => 1,
                Rollover::One => 0,
            };
            format!(
                "the client fell silent after block {blocks}, where numbers begin anew: if it always does, set tftp.rollover = {setting} for it"
            )
        }
        (true, false) if blocks == 0 && block_size > UNFRAGMENTED => format!(
            "the client fell silent after block 0: if it always does, blocks of {block_size} octets do not reach it, and tftp.max_blksize = 1428 may"
        ),
        (true, false) => format!("the client fell silent after block {blocks}"),
    }
}

/// The end that the client brought about, for the log.
fn refused(code: ErrorCode, text: &[u8]) -> String {
    let text = text.get(..LOGGED_TEXT).unwrap_or(text);
    format!(
        "the client ended it: error {}: {}",
        code.number(),
        text.escape_ascii()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tft_36_a_silence_where_numbers_begin_anew_names_the_setting() {
        let names = |blocks, window| {
            let terms = Terms {
                window,
                ..Terms::default()
            };
            silence(true, blocks, &terms, None).contains("tftp.rollover")
        };
        assert!(names(65_535, 1));
        assert!(names(65_536, 1));
        assert!(names(65_500, 64));
        assert!(names(2 * 65_535, 1));
        assert!(!names(0, 1));
        assert!(!names(1, 1));
        assert!(!names(65_000, 64));
        assert!(!names(70_000, 64));
        assert!(!silence(false, 0, &Terms::default(), None).contains("rollover"));
    }

    #[test]
    fn a_silence_that_this_host_made_is_told_as_its_own() {
        let firewall = io::Error::from_raw_os_error(1);
        let told = silence(false, 0, &Terms::default(), Some(&firewall));
        assert!(told.contains("this host could not send"), "{told}");
    }

    #[test]
    fn tft_07_a_request_that_comes_twice_without_progress_is_a_new_beginning() {
        let mut repetitions = Repetitions::default();
        assert!(!repetitions.is_new_beginning(5));
        assert!(!repetitions.is_new_beginning(6));
        assert!(repetitions.is_new_beginning(6));
    }
}
