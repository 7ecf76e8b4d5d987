//! WRQ: a file comes in.
//!
//! Blocks are received right behind one another into a thread's buffer, acknowledged, and written as one
//! run. Runs that are short wait for one another, as long as the client goes on: a write for each block of a
//! lock-step would cost as much as the block. The last ACK goes out when the file is complete under its name
//! (TFT-37).

use std::{io, time::Instant};

use wharf_engine::{
    Ending, FileTransfer,
    events::{Direction, Event, TransferEnd},
    transfers::pay,
};
use wharf_proto::tftp::{
    ErrorCode, Mode, Packet, Receiver, Terms, netascii::Decoder, outcome::Outcome, packet::HEADER,
    receiver::Arrival,
};
use wharf_transfer::buffer;
use wharf_vfs::{AbortedUpload, ErrorKind, Links, Metadata, Upload, UploadMode};

use super::{
    Context, GAVE_WAY, Next, Refusal, Repetitions, cause, refused, scratch, silence,
    watch::{Wake, Watch},
};
use crate::{
    WriteMode, clock, error_codes,
    mailbox::Note,
    policy,
    wire::{Wire, is_gone},
};

/// Datagrams that are heard before what came is written.
const AT_ONCE: usize = 1024;

/// Octets of short runs that wait to be written together.
const HELD: usize = 32 * 1024;

/// Octets of an ERROR's words that are looked at.
const LOOKED_AT: usize = 512;

/// What the first octets of a block are.
const DATA: [u8; 2] = [0, 3];

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
    /// The file is there, and nobody shall wait for the client any more.
    Settled,
    /// The client is gone.
    Gone(io::Error),
}

/// Where the blocks go. Nothing is made before the first has come: until then anybody may have asked, in
/// anybody's name.
enum Target {
    /// Not begun.
    Waiting,
    /// Being written.
    Open(Upload),
    /// It has its name, or is given up.
    Settled,
}

/// What a wake brought.
#[derive(Default)]
struct Gathered {
    /// Octets of blocks.
    octets: u64,
    /// The file is whole.
    is_last: bool,
    /// More may be there.
    is_cut: bool,
    /// What could not be written at once.
    late: Option<Vec<u8>>,
}

struct Receiving<'a> {
    context: &'a Context<'a>,
    wire: Wire,
    machine: Receiver,
    terms: Terms,
    target: Target,
    /// Permissions of the file, where they are not what a new one gets.
    permissions: Option<u32>,
    told: Option<FileTransfer>,
    decoder: Option<Decoder>,
    /// What came and waits to be written; empty and without room while the client is silent.
    held: Vec<u8>,
    /// Octets that came.
    received: u64,
    /// Octets of the file that are written.
    written: u64,
    /// Why we gave up, for the log.
    failure: Option<String>,
    /// What kept the last datagram from leaving this host.
    unsent: Option<io::Error>,
    repetitions: Repetitions,
}

/// Serves a WRQ.
pub(super) async fn serve(context: &Context<'_>) -> Result<Next, Refusal> {
    let existing = existing(context).await?;
    policy::may_write(context.rule.write, existing.as_ref())
        .map_err(|told| Refusal::new(told, format!("{} (tftp.write)", told.1)))?;
    let throttles = &context.session.account().upload;
    let (terms, oack) = context.terms(None, throttles);
    if terms
        .size
        .is_some_and(|size| size > context.settings.max_upload)
    {
        return Err(Refusal::new(
            error_codes::wire(ErrorKind::OverQuota),
            "the file is larger than tftp.max_upload",
        ));
    }
    let wire = context.wire()?;
    // What the whole world may write stays so, or it would be the last time.
    let permissions = existing
        .filter(|_| context.rule.write == WriteMode::Existing)
        .map(|file| file.mode);
    let now = clock::now();
    context.begins_at(now);
    let mut receiving = Receiving {
        context,
        wire,
        machine: Receiver::serving(terms, oack, context.settings.timing, now),
        terms,
        target: Target::Waiting,
        permissions,
        told: Some(context.told(Direction::Upload)),
        decoder: (context.request.mode == Mode::Netascii).then(Decoder::default),
        held: Vec::new(),
        received: 0,
        written: 0,
        failure: None,
        unsent: None,
        repetitions: Repetitions::default(),
    };
    let mut watch = Watch::new(&context.place.mailbox, context.session.record(), now);
    let end = receiving.run(&mut watch).await;
    Ok(receiving.finish(end).await)
}

/// What stands where the file shall go.
async fn existing(context: &Context<'_>) -> Result<Option<Metadata>, Refusal> {
    if context.rule.write == WriteMode::Deny {
        return Ok(None);
    }
    let links = match context.rule.write {
        // A link is something that stands there, wherever it leads.
        WriteMode::Create => Links::NoFollow,
        _ => Links::Follow,
    };
    let view = context.session.view();
    match view.metadata(&context.path, links).await {
        Ok(metadata) => Ok(Some(metadata)),
        Err(error) if error.kind == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

impl Receiving<'_> {
    async fn run(&mut self, watch: &mut Watch) -> End {
        loop {
            if let Err(error) = self.transmit() {
                return End::Gone(error);
            }
            if self.machine.outcome().is_some() {
                return End::Outcome;
            }
            let ending = self.context.session.record().ending();
            if self.machine.is_settled() && ending != Ending::None {
                return End::Settled;
            }
            let taken = match watch.wait(&self.wire, self.machine.poll_timeout()).await {
                Wake::Readable => self.take(false).await.map(drop),
                Wake::Due => match self.take(false).await {
                    Ok(now) => {
                        self.flush().await;
                        self.machine.handle_timeout(now);
                        Ok(())
                    }
                    Err(error) => Err(error),
                },
                Wake::Note(note) => {
                    // What the client said before it asked again is here.
                    let taken = self.take(true).await;
                    if let Some(end) = self.noted(note) {
                        return end;
                    }
                    taken.map(drop)
                }
                Wake::Ending(Ending::Now) => {
                    let text = "Ended by the server";
                    self.fail(ErrorCode::NotDefined, text, "ended by the server");
                    Ok(())
                }
                Wake::Ending(_) => Ok(()),
            };
            if let Err(error) = taken {
                return End::Gone(error);
            }
        }
    }

    /// The client asked again; tells whether that is the end.
    fn noted(&mut self, note: Note) -> Option<End> {
        let is_over = self.machine.outcome().is_some();
        match note {
            Note::Replaced => (!is_over).then_some(End::Replaced),
            Note::GiveWay if is_over => None,
            Note::GiveWay if self.machine.is_settled() => Some(End::Settled),
            Note::GiveWay => (!self.machine.peer_has_answered()).then_some(End::GaveWay),
            Note::Repeated if is_over => {
                // Not meant for this one: for what follows.
                self.context.place.mailbox.note(Note::Repeated);
                None
            }
            Note::Repeated if self.machine.is_settled() => Some(End::Anew),
            Note::Repeated if self.machine.peer_has_answered() => {
                let progress = self.machine.received();
                let is_anew = self.repetitions.is_new_beginning(progress);
                is_anew.then_some(End::Anew)
            }
            Note::Repeated => {
                self.machine.repeat_opening(clock::now());
                None
            }
        }
    }

    /// Takes what has come and stores it; tells the time. `is_unannounced`: also what the reactor has not heard
    /// of.
    async fn take(&mut self, is_unannounced: bool) -> io::Result<Instant> {
        let now = clock::now();
        let was_open = !self.machine.peer_has_answered();
        let gathered = self.gather(now, is_unannounced)?;
        if was_open && self.machine.peer_has_answered() {
            self.context.place.mailbox.set_spare(None);
        }
        if gathered.octets > 0
            && let Some(told) = &mut self.told
        {
            told.received(gathered.octets);
        }
        // The ACKs of what is limited wait until it is paid for.
        pay(&self.context.session.account().upload, gathered.octets).await;
        if let Some(late) = gathered.late {
            self.write(late).await;
        }
        if gathered.is_last {
            self.commit().await;
        }
        if gathered.is_cut {
            tokio::task::yield_now().await;
        }
        Ok(now)
    }

    /// Receives what is there, as far as a run has room, acknowledges it, and writes it if that can be done
    /// at once.
    fn gather(&mut self, now: Instant, is_unannounced: bool) -> io::Result<Gathered> {
        scratch::receiving(|buffer| {
            let is_limited = !self.context.session.account().upload.is_empty();
            let block_size = usize::from(self.terms.block_size);
            let mut gathered = Gathered {
                is_cut: true,
                ..Gathered::default()
            };
            let mut filled = 0;
            for _ in 0..AT_ONCE {
                if self.machine.outcome().is_some() || gathered.is_last {
                    break;
                }
                // Room for a block, and for an ERROR's words where blocks are small.
                let room = block_size.max(LOOKED_AT);
                let Some(body) = buffer.get_mut(filled..filled + room) else {
                    break;
                };
                let mut head = [0; HEADER];
                let octets = match self.wire.try_receive(&mut head, body, is_unannounced) {
                    Ok(octets) => octets,
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        gathered.is_cut = false;
                        break;
                    }
                    Err(error) if is_gone(&error) => return Err(error),
                    Err(_) => continue,
                };
                let Some(length) = octets.checked_sub(HEADER) else {
                    continue;
                };
                let [first, second, high, low] = head;
                if [first, second] != DATA {
                    self.hear(head, body, length, now);
                    continue;
                }
                let block = u16::from_be_bytes([high, low]);
                let arrival = self.machine.handle_data(block, length, now);
                if let Arrival::Store { is_last, .. } = arrival {
                    filled += length;
                    gathered.octets += length as u64;
                    gathered.is_last = is_last;
                    if self.received + gathered.octets > self.context.settings.max_upload {
                        let (code, text) = error_codes::wire(ErrorKind::OverQuota);
                        self.fail(code, text, "the file is larger than tftp.max_upload");
                        gathered.is_last = false;
                        break;
                    }
                }
                if !is_limited {
                    self.transmit()?;
                }
            }
            self.received += gathered.octets;
            let run = buffer.get(..filled).unwrap_or_default();
            gathered.late = self.keep(run, gathered.is_last);
            Ok(gathered)
        })
    }

    /// Takes what is no block.
    fn hear(&mut self, head: [u8; HEADER], body: &[u8], length: usize, now: Instant) {
        let mut datagram = [0; HEADER + LOOKED_AT];
        let octets = length.min(LOOKED_AT).min(body.len());
        let (front, back) = datagram.split_at_mut(HEADER);
        front.copy_from_slice(&head);
        for (to, from) in back.iter_mut().zip(body.iter().take(octets)) {
            *to = *from;
        }
        // What is no packet is nobody's.
        if let Ok(packet) = Packet::parse(datagram.get(..HEADER + octets).unwrap_or_default()) {
            self.machine.handle_packet(&packet, now);
        }
    }

    /// Writes a run, or holds it back for the next; what must be waited for comes back.
    fn keep(&mut self, run: &[u8], is_last: bool) -> Option<Vec<u8>> {
        if run.is_empty() && !is_last {
            return None;
        }
        // The first blocks wait for nothing: the client hears at once where they cannot be stored.
        let is_first = matches!(self.target, Target::Waiting);
        if self.held.is_empty() && (is_last || is_first || run.len() >= HELD) {
            return self.write_at_once(run, is_last);
        }
        self.held.reserve_exact(HELD);
        self.held.extend_from_slice(run);
        if !is_last && self.held.len() < HELD {
            return None;
        }
        let mut held = std::mem::take(&mut self.held);
        let late = self.write_at_once(&held, is_last);
        if !is_last {
            held.clear();
            held.shrink_to(HELD);
            self.held = held;
        }
        late
    }

    /// Writes what was held back, and gives its room back.
    async fn flush(&mut self) {
        let held = std::mem::take(&mut self.held);
        if let Some(late) = self.write_at_once(&held, false) {
            self.write(late).await;
        }
    }

    /// Writes a run; what must be waited for comes back.
    fn write_at_once(&mut self, run: &[u8], is_last: bool) -> Option<Vec<u8>> {
        let upload = match &self.target {
            Target::Waiting => None,
            Target::Open(upload) => Some(upload),
            Target::Settled => return None,
        };
        let converted = self.decoder.as_mut().map(|decoder| {
            let mut converted = buffer::borrow();
            decoder.decode(run, &mut converted);
            if is_last {
                decoder.finish(&mut converted);
            }
            converted
        });
        let octets = converted.as_deref().unwrap_or(run);
        if octets.is_empty() {
            converted.into_iter().for_each(buffer::give_back);
            return None;
        }
        let done = upload.and_then(|upload| {
            let at = upload.start() + self.written;
            upload.file().try_write_at(octets, at)
        });
        match done {
            None => Some(converted.unwrap_or_else(|| {
                let mut kept = buffer::borrow();
                kept.extend_from_slice(run);
                kept
            })),
            Some(done) => {
                let count = octets.len() as u64;
                converted.into_iter().for_each(buffer::give_back);
                self.wrote(done.map(|()| count));
                None
            }
        }
    }

    /// Begins the upload, if nothing has come before.
    async fn begin(&mut self) {
        if !matches!(self.target, Target::Waiting) || self.machine.outcome().is_some() {
            return;
        }
        let (view, path) = (self.context.session.view(), &self.context.path);
        let begun = match self.permissions {
            Some(permissions) => {
                view.begin_upload_as(path, UploadMode::Replace, permissions)
                    .await
            }
            None => {
                let umask = view.settings().umask;
                view.begin_upload(path, UploadMode::Replace, umask).await
            }
        };
        match begun {
            Ok(upload) => self.target = Target::Open(upload),
            Err(error) => {
                self.target = Target::Settled;
                self.fail_by(&error);
            }
        }
    }

    /// Writes a run that must be waited for.
    async fn write(&mut self, run: Vec<u8>) {
        Box::pin(self.begin()).await;
        let Target::Open(upload) = &self.target else {
            return;
        };
        let at = upload.start() + self.written;
        let count = run.len() as u64;
        let done = upload.file().write_at(run, at).await;
        self.wrote(done.map(|run| {
            buffer::give_back(run);
            count
        }));
    }

    fn wrote(&mut self, done: wharf_vfs::Result<u64>) {
        match done {
            Ok(octets) => self.written += octets,
            Err(error) => self.fail_by(&error),
        }
    }

    /// All has come: the file gets its name, then the client its last ACK.
    async fn commit(&mut self) {
        if self.machine.outcome().is_some() {
            return;
        }
        Box::pin(self.begin()).await;
        let Target::Open(upload) = std::mem::replace(&mut self.target, Target::Settled) else {
            return;
        };
        match Box::pin(upload.commit(None)).await {
            Ok(()) => {
                if let Some(told) = self.told.take() {
                    told.finish(TransferEnd::Committed);
                }
                let now = clock::now();
                self.machine.settle(now);
                self.context.place.mailbox.set_spare(Some(now));
            }
            Err(error) => self.fail_by(&error),
        }
    }

    /// Sends what is due.
    fn transmit(&mut self) -> io::Result<()> {
        while let Some(packet) = self.machine.poll_transmit() {
            match self.wire.try_send(packet) {
                Err(error) if is_gone(&error) => return Err(error),
                sent => self.unsent = sent.err(),
            }
        }
        Ok(())
    }

    fn fail_by(&mut self, error: &wharf_vfs::Error) {
        let (code, text) = error_codes::wire(error.kind);
        self.fail(code, text, &cause(error));
    }

    fn fail(&mut self, code: ErrorCode, text: &str, cause: &str) {
        self.failure.get_or_insert_with(|| cause.to_owned());
        self.machine.fail(code, text);
    }

    /// Removes what is not whole, tells, and says whether the client wants the same again.
    async fn finish(mut self, end: End) -> Next {
        let is_anew = matches!(end, End::Anew);
        let cause = match end {
            End::Anew => "the client has begun anew".to_owned(),
            End::Replaced => "the client asked for something else".to_owned(),
            End::GaveWay => GAVE_WAY.to_owned(),
            End::Gone(error) => format!("the client is gone: {error}"),
            End::Settled => String::new(),
            End::Outcome => match self.machine.outcome() {
                Some(Outcome::Refused { code, text, .. }) => refused(*code, text),
                Some(Outcome::TimedOut { answered }) => {
                    let blocks = self.machine.received();
                    silence(*answered, blocks, &self.terms, self.unsent.as_ref())
                }
                // Where the failure is not ours to tell, it is the machine's only one.
                _ => self
                    .failure
                    .take()
                    .unwrap_or_else(|| "the client sent a block larger than agreed on".to_owned()),
            },
        };
        if self.context.settings.keep_partial && self.failure.is_none() {
            self.flush().await;
        }
        let mut kept = false;
        if let Target::Open(upload) = std::mem::replace(&mut self.target, Target::Settled) {
            let counted = if self.context.settings.keep_partial {
                self.received
            } else {
                0
            };
            match Box::pin(upload.abort(counted)).await {
                Ok(aborted) => kept = aborted == AbortedUpload::KeptPartial,
                Err(error) => {
                    let cause = super::cause(&error);
                    let event = Event::VolumeFailed { cause: &cause };
                    self.context.session.tell(&event);
                }
            }
        }
        if let Some(told) = self.told.take() {
            told.finish(TransferEnd::Aborted { cause, kept });
        }
        if is_anew { Next::Again } else { Next::Over }
    }
}
