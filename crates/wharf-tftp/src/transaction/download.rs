//! RRQ: a file goes out.
//!
//! A wake is one datagram, one word of the machine, one read of a run of blocks and one send of it; in the
//! usual case nothing of that waits, allocates or takes a lock.

use std::{io, time::Instant};

use tokio::runtime::{Handle, RuntimeFlavor};
use wharf_engine::{
    Ending, FileTransfer,
    events::{Direction, TransferEnd},
    transfers::pay,
};
use wharf_proto::tftp::{
    ErrorCode, Mode, Packet, Sender, Terms,
    outcome::Outcome,
    packet::{self, HEADER},
    sender::Transmit,
};
use wharf_transfer::buffer;
use wharf_vfs::ErrorKind;

use super::{
    Context, GAVE_WAY, Next, Refusal, Repetitions, cause, refused, scratch, silence,
    source::{Halt, Run, Source, Text, text_size},
    watch::{Wake, Watch},
};
use crate::{
    clock, error_codes,
    mailbox::Note,
    wire::{Wire, is_gone},
};

/// Datagrams that are heard before something is answered.
const AT_ONCE: usize = 64;

/// Octets of a packet that are looked at: an ACK, or an ERROR with what the log takes of its words.
const LOOKED_AT: usize = HEADER + 512;

/// Octets that are sent before others on this thread get their turn: the greatest window that is granted
/// without a word of the operator, and more.
const AT_A_STRETCH: u64 = 8 << 20;

/// Wakes after which others on this thread get their turn.
const TURN: u32 = 32;

/// The file, as octets or as text.
enum Content {
    Octets(Source),
    Text(Text),
}

/// Why the loop ended.
enum End {
    /// The machine says how.
    Outcome,
    /// The client has begun anew.
    Anew,
    /// The client asked for something else.
    Replaced,
    /// The client has not answered, and others need the place.
    GaveWay,
    /// The client is gone.
    Gone(io::Error),
}

/// What became of a run.
enum Went {
    /// So many blocks are out.
    Blocks(u64),
    /// The socket has no room for these blocks.
    Full(Vec<u8>),
    /// Octets must be waited for.
    Wait {
        offset: u64,
        length: usize,
        chunk: Option<usize>,
    },
    /// Nothing yet: once more.
    Nothing,
    /// There is no room to read for all.
    NoRoom,
}

struct Download<'a> {
    context: &'a Context<'a>,
    wire: Wire,
    machine: Sender,
    content: Content,
    terms: Terms,
    told: FileTransfer,
    /// Octets of the file, as they go out, that were told of as sent.
    counted: u64,
    /// The last block, once it has gone out.
    last_out: Option<u64>,
    /// Why we gave up, for the log.
    failure: Option<String>,
    /// What kept the last datagram from leaving this host.
    unsent: Option<io::Error>,
    repetitions: Repetitions,
    /// Each datagram is answered by one, on a thread that has one reactor: after an answer nothing is there.
    is_lock_step: bool,
    /// Something was waited for since the last datagram.
    has_waited: bool,
}

/// Serves an RRQ.
pub(super) async fn serve(context: &Context<'_>) -> Result<Next, Refusal> {
    if !context.rule.read {
        return Err(Refusal::new(
            error_codes::wire(ErrorKind::Denied),
            "this client may not fetch files (tftp.read)",
        ));
    }
    let (file, metadata) = context.session.view().open_read(&context.path).await?;
    if !metadata.is_file() {
        let told = error_codes::wire(ErrorKind::IsADirectory);
        return Err(Refusal::new(told, "not a regular file"));
    }
    let size = metadata.size;
    let is_text = context.request.mode == Mode::Netascii;
    let told_size = if !is_text {
        Some(size)
    } else if context.request.options.find("tsize").is_some() {
        text_size(&file, size).await
    } else {
        None
    };
    let throttles = &context.session.account().download;
    let (terms, oack) = context.terms(told_size, throttles);
    let wire = context.wire()?;
    let told = context.told(Direction::Download);
    let now = clock::now();
    context.begins_at(now);
    let mut machine = Sender::serving(terms, oack, context.settings.timing, now);
    let content = if is_text {
        Content::Text(Text::new(file, size, terms.block_size))
    } else {
        let contents = &context.front_end.contents;
        let source = Source::new(file, size, terms.block_size, contents, clock::unix_now());
        machine.set_last(source.last());
        Content::Octets(source)
    };
    let one_reactor = Handle::current().runtime_flavor() == RuntimeFlavor::CurrentThread;
    let mut download = Download {
        context,
        wire,
        machine,
        content,
        terms,
        told,
        counted: 0,
        last_out: None,
        failure: None,
        unsent: None,
        repetitions: Repetitions::default(),
        is_lock_step: one_reactor && terms.window == 1,
        has_waited: false,
    };
    let mut watch = Watch::new(&context.place.mailbox, context.session.record(), now);
    let end = download.run(&mut watch).await;
    Ok(download.finish(end))
}

impl Download<'_> {
    async fn run(&mut self, watch: &mut Watch) -> End {
        let mut wakes = 0_u32;
        loop {
            let has_sent = match self.transmit().await {
                Ok(has_sent) => has_sent,
                Err(error) => return End::Gone(error),
            };
            if self.machine.outcome().is_some() {
                return End::Outcome;
            }
            if !std::mem::take(&mut self.has_waited) && has_sent && self.is_lock_step {
                self.wire.rest();
            }
            wakes = wakes.wrapping_add(1);
            if wakes.is_multiple_of(TURN) {
                tokio::task::yield_now().await;
            }
            let heard = match watch.wait(&self.wire, self.machine.poll_timeout()).await {
                Wake::Readable => self
                    .hear(if self.is_lock_step { 1 } else { AT_ONCE }, false)
                    .map(drop),
                Wake::Due => {
                    let now = self.hear(AT_ONCE, true);
                    now.map(|now| {
                        if self
                            .machine
                            .poll_timeout()
                            .is_some_and(|deadline| deadline <= now)
                        {
                            // Where something was lost, two answers may be there at once.
                            self.is_lock_step = false;
                            self.machine.handle_timeout(now);
                        }
                    })
                }
                Wake::Note(note) => {
                    // What the client said before it asked again is here.
                    let heard = self.hear(AT_ONCE, true);
                    if let Some(end) = self.noted(note) {
                        return end;
                    }
                    heard.map(drop)
                }
                Wake::Ending(Ending::Now) => {
                    self.fail(
                        ErrorCode::NotDefined,
                        "Ended by the server",
                        "ended by the server",
                    );
                    Ok(())
                }
                Wake::Ending(_) => Ok(()),
            };
            if let Err(error) = heard {
                return End::Gone(error);
            }
        }
    }

    /// The client asked again; tells whether that is the end.
    fn noted(&mut self, note: Note) -> Option<End> {
        let is_over = self.machine.outcome().is_some();
        match note {
            Note::Replaced => (!is_over).then_some(End::Replaced),
            Note::GiveWay => {
                let is_open = !is_over && !self.machine.peer_has_answered();
                is_open.then_some(End::GaveWay)
            }
            Note::Repeated if is_over => {
                // Not meant for this one: for what follows.
                self.context.place.mailbox.note(Note::Repeated);
                None
            }
            Note::Repeated if self.machine.peer_has_answered() => {
                let progress = self.machine.acknowledged();
                let is_anew = self.repetitions.is_new_beginning(progress);
                is_anew.then_some(End::Anew)
            }
            Note::Repeated => {
                self.machine.repeat_opening(clock::now());
                None
            }
        }
    }

    /// Takes what has come, at most so many datagrams; tells the time. `is_unannounced`: also what the reactor
    /// has not heard of.
    fn hear(&mut self, most: usize, is_unannounced: bool) -> io::Result<Instant> {
        let now = clock::now();
        let was_open = !self.machine.peer_has_answered();
        let mut datagram = [0; LOOKED_AT];
        for _ in 0..most {
            if self.machine.outcome().is_some() {
                break;
            }
            match self
                .wire
                .try_receive(&mut datagram, &mut [], is_unannounced)
            {
                Ok(octets) => {
                    let seen = datagram.get(..octets).unwrap_or(&datagram);
                    // What is no packet is nobody's.
                    if let Ok(packet) = Packet::parse(seen) {
                        self.machine.handle_packet(&packet, now);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.has_waited = true;
                    break;
                }
                Err(error) if is_gone(&error) => return Err(error),
                Err(_) => {}
            }
        }
        if was_open && self.machine.peer_has_answered() {
            self.context.place.mailbox.set_spare(None);
        }
        Ok(now)
    }

    /// Sends what is due; tells whether anything was.
    async fn transmit(&mut self) -> io::Result<bool> {
        let mut has_sent = false;
        loop {
            let due = self.machine.poll_transmit();
            has_sent |= due.is_some();
            let (first, count) = match due {
                None => return Ok(has_sent),
                Some(Transmit::Packet(packet)) => match self.wire.try_send(packet) {
                    Err(error) if is_gone(&error) => return Err(error),
                    sent => {
                        self.unsent = sent.err();
                        continue;
                    }
                },
                Some(Transmit::Blocks { first, count }) => (first, count),
            };
            let sent = match self.content {
                Content::Octets(_) => self.send(first, count.into()).await,
                Content::Text(_) => self.send_text(first, count).await,
            };
            match sent {
                Ok(()) => {}
                Err(Halt::Gone(error)) => return Err(error),
                Err(Halt::Store(error)) => {
                    let (code, text) = error_codes::wire(error.kind);
                    self.fail(code, text, &cause(&error));
                }
                Err(Halt::Shrunk) => {
                    let text = "The file has become shorter";
                    self.fail(
                        ErrorCode::NotDefined,
                        text,
                        "the file became shorter while it was sent",
                    );
                }
            }
        }
    }

    /// Sends blocks of octets.
    async fn send(&mut self, first: u64, count: u64) -> Result<(), Halt> {
        let context = self.context;
        let throttles = &context.session.account().download;
        let block_size = u64::from(self.terms.block_size);
        let (mut next, end) = (first, first + count);
        let mut was_held_up = false;
        while next < end {
            // Others on this thread get their turn within windows of great size, too.
            if next > first {
                tokio::task::yield_now().await;
                was_held_up = true;
            }
            let mut most = (end - next).min((AT_A_STRETCH / block_size).max(1));
            if let Some(slowest) = throttles.iter().min_by_key(|throttle| throttle.rate()) {
                most = most.min((slowest.chunk() / block_size).max(1));
                pay(throttles, most * block_size).await;
                was_held_up = true;
            }
            let stop = next + most;
            while next < stop {
                match self.go(next, stop - next)? {
                    Went::Blocks(blocks) => next += blocks,
                    Went::Nothing | Went::NoRoom => {}
                    Went::Full(blocks) => {
                        was_held_up = true;
                        next += self.send_waiting(next, blocks).await?;
                    }
                    Went::Wait {
                        offset,
                        length,
                        chunk,
                    } => {
                        was_held_up = true;
                        next += self.read_waiting(next, offset, length, chunk).await?;
                    }
                }
            }
        }
        if let Content::Octets(source) = &self.content {
            let (octets, last) = (source.offset(end), source.last());
            self.count(octets);
            if end > last {
                self.last_out = Some(last);
            }
        }
        if was_held_up {
            self.has_waited = true;
            self.machine.transmitted(clock::now());
        }
        Ok(())
    }

    /// Sends what can be had and sent at once.
    fn go(&mut self, first: u64, count: u64) -> Result<Went, Halt> {
        let Content::Octets(source) = &mut self.content else {
            return Ok(Went::Blocks(count));
        };
        let contents = &self.context.front_end.contents;
        let (wire, unsent) = (&self.wire, &mut self.unsent);
        let went = scratch::reading(|buffer| {
            Ok(match source.run(contents, first, count, buffer)? {
                Run::Here(blocks) => {
                    let header = header(self.terms, first);
                    match wire.try_send_blocks(header, source.block_size, blocks) {
                        Ok(sent) => {
                            *unsent = None;
                            Went::Blocks(sent as u64)
                        }
                        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                            let mut kept = buffer::borrow();
                            kept.extend_from_slice(blocks);
                            Went::Full(kept)
                        }
                        Err(error) if is_gone(&error) => return Err(Halt::Gone(error)),
                        // Lost like on any other way.
                        Err(error) => {
                            *unsent = Some(error);
                            Went::Blocks(blocks_of(blocks.len(), source.block_size))
                        }
                    }
                }
                Run::Wait {
                    offset,
                    length,
                    chunk,
                } => Went::Wait {
                    offset,
                    length,
                    chunk,
                },
                Run::Kept => Went::Nothing,
                Run::NoRoom => Went::NoRoom,
            })
        })?;
        if matches!(went, Went::NoRoom) {
            source.content = None;
        }
        Ok(went)
    }

    /// Sends blocks when there is room; tells how many.
    async fn send_waiting(&mut self, first: u64, blocks: Vec<u8>) -> Result<u64, Halt> {
        let block_size = usize::from(self.terms.block_size);
        let sent = self
            .wire
            .send_blocks(header(self.terms, first), block_size, &blocks)
            .await;
        let count = blocks_of(blocks.len(), block_size);
        buffer::give_back(blocks);
        match sent {
            Err(error) if is_gone(&error) => Err(Halt::Gone(error)),
            sent => {
                self.unsent = sent.err();
                Ok(count)
            }
        }
    }

    /// Reads what must be waited for, and sends it or keeps it for all; tells how many blocks went out.
    async fn read_waiting(
        &mut self,
        first: u64,
        offset: u64,
        length: usize,
        chunk: Option<usize>,
    ) -> Result<u64, Halt> {
        let Content::Octets(source) = &mut self.content else {
            return Ok(0);
        };
        let read = source.file.read_at(buffer::borrow(), offset).await;
        let mut octets = read.map_err(Halt::Store)?;
        octets.truncate(length);
        if let Some(number) = chunk {
            let contents = &self.context.front_end.contents;
            let is_kept = source
                .content
                .as_ref()
                .is_some_and(|content| contents.keep(content, number, &octets));
            buffer::give_back(octets);
            if !is_kept {
                source.content = None;
            }
            return Ok(0);
        }
        let whole = source.whole_of(&octets, octets.len(), length)?.len();
        octets.truncate(whole);
        self.send_waiting(first, octets).await
    }

    /// Sends blocks of text.
    async fn send_text(&mut self, first: u64, count: u16) -> Result<(), Halt> {
        let acknowledged = self.machine.acknowledged();
        let Content::Text(text) = &mut self.content else {
            return Ok(());
        };
        let mut blocks = buffer::borrow();
        let last = text.blocks(first, count, acknowledged, &mut blocks).await?;
        let throttles = &self.context.session.account().download;
        pay(throttles, blocks.len() as u64).await;
        self.has_waited = true;
        let block_size = usize::from(self.terms.block_size);
        let full = (blocks.len() / block_size) as u64;
        // A send of whole blocks leaves the empty one out that ends the text.
        let ends_empty = last.is_some() && blocks.len().is_multiple_of(block_size) && full > 0;
        let octets = (first - 1) * u64::from(self.terms.block_size) + blocks.len() as u64;
        let sent = self.send_waiting(first, blocks).await?;
        if ends_empty {
            self.send_waiting(first + sent, Vec::new()).await?;
        }
        if let Some(last) = last {
            self.machine.set_last(last);
            self.last_out = Some(last);
        }
        self.machine.transmitted(clock::now());
        self.count(octets);
        Ok(())
    }

    /// All up to here went out; tells of what did so for the first time.
    fn count(&mut self, octets: u64) {
        if octets > self.counted {
            self.told.sent(octets - self.counted);
            self.counted = octets;
        }
    }

    fn fail(&mut self, code: ErrorCode, text: &str, cause: &str) {
        self.failure.get_or_insert_with(|| cause.to_owned());
        self.machine.fail(code, text);
    }

    /// Whether only the last word of a client is missing that has probably all (TFT-37): the last block is
    /// out, and where there are several, it had others.
    fn is_probably_whole(&self) -> bool {
        let acknowledged = self.machine.acknowledged();
        let window = u64::from(self.terms.window);
        self.machine.peer_has_answered()
            && self.last_out.is_some_and(|last| {
                last - acknowledged <= window && (acknowledged > 0 || last == 1)
            })
    }

    /// Tells how it ended, and whether the client wants the same again.
    fn finish(self, end: End) -> Next {
        let aborted = |cause: String| TransferEnd::Aborted { cause, kept: false };
        let is_whole = self.is_probably_whole();
        let silent = |answered| {
            let blocks = self.machine.acknowledged();
            aborted(silence(answered, blocks, &self.terms, self.unsent.as_ref()))
        };
        let is_anew = matches!(end, End::Anew);
        let ended = match end {
            End::Anew => aborted("the client has begun anew".to_owned()),
            End::Replaced => aborted("the client asked for something else".to_owned()),
            End::GaveWay => aborted(GAVE_WAY.to_owned()),
            // It has closed its port before it heard that we missed its last ACK.
            End::Gone(error) if is_whole && error.kind() == io::ErrorKind::ConnectionRefused => {
                TransferEnd::Committed
            }
            End::Gone(error) => aborted(format!("the client is gone: {error}")),
            End::Outcome => match self.machine.outcome() {
                Some(Outcome::Complete) => TransferEnd::Committed,
                Some(Outcome::Unconfirmed) if is_whole => TransferEnd::Committed,
                Some(Outcome::Unconfirmed) => silent(true),
                Some(Outcome::Refused {
                    sized_only: true, ..
                }) => TransferEnd::SizeOnly,
                Some(Outcome::Refused { code, text, .. }) => aborted(refused(*code, text)),
                Some(Outcome::TimedOut { answered }) => silent(*answered),
                Some(Outcome::Failed { .. } | Outcome::Violation(_)) | None => {
                    aborted(self.failure.unwrap_or_default())
                }
            },
        };
        self.told.finish(ended);
        if is_anew { Next::Again } else { Next::Over }
    }
}

/// The headers of blocks from `first` on.
fn header(terms: Terms, first: u64) -> impl Fn(usize) -> [u8; HEADER] {
    move |index| packet::data_header(terms.rollover.wire(first + index as u64))
}

/// How many blocks so many octets make.
const fn blocks_of(octets: usize, block_size: usize) -> u64 {
    if octets == 0 {
        1
    } else {
        octets.div_ceil(block_size) as u64
    }
}
