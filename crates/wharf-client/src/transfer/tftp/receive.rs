//! One transaction that fetches: blocks go straight to their place in a run, runs go to the outlet.

use std::sync::Arc;

use wharf_proto::tftp::{Offer, Receiver, netascii::Decoder, receiver::Arrival};

use super::{super::Verified, Asked, hear, outlet::Outlet, patience, sure, tell};
use crate::{
    Error, Kind, Result, Step, Verify,
    tftp::{Context, Heard, Link, Opening, Trouble, now},
};

/// Octets that are written at once.
const RUN: usize = 256 * 1024;

/// Room behind a full run for one more block, the largest there is, and an octet that shows it too long.
const SLACK: usize = 66 * 1024;

/// What a transaction brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fetched {
    /// Octets of the file here.
    pub(super) size: u64,
    pub(super) verified: Verified,
}

/// Fetches a file by asking once.
pub(super) async fn receive(
    context: &Arc<Context>,
    asked: &Asked,
    opening: &Opening,
    outlet: &mut Outlet<'_, '_>,
) -> Result<Fetched, Trouble> {
    let tftp = &context.options.tftp;
    let offer = if opening.is_bare {
        Offer::default()
    } else {
        tftp.offer(0)
    };
    let request = asked.request(&offer, &*context.observer)?;
    let link = Link::open(opening.address, tftp.any_source).map_err(Trouble::Unreachable)?;
    let receiver = Receiver::asking(request, offer, tftp.timing, now());
    let mut fetch = Fetch {
        context,
        asked,
        opening,
        offer,
        link,
        receiver,
        is_taken: false,
        intake: Intake::new(asked.is_text()),
        outlet,
    };
    match fetch.run().await {
        Ok(fetched) => {
            context.linger(fetch.link, fetch.receiver);
            Ok(fetched)
        }
        Err(trouble) => {
            fetch.outlet.abandon().await;
            Err(trouble)
        }
    }
}

struct Fetch<'a, 'b, 'c> {
    context: &'a Context,
    asked: &'a Asked,
    opening: &'a Opening,
    offer: Offer,
    link: Link,
    receiver: Receiver,
    /// The server took the request.
    is_taken: bool,
    intake: Intake,
    outlet: &'a mut Outlet<'b, 'c>,
}

impl Fetch<'_, '_, '_> {
    async fn run(&mut self) -> Result<Fetched, Trouble> {
        let mut heard_at = now();
        loop {
            self.flush_packets().await;
            if self.receiver.outcome().is_some() {
                self.link.end();
                return Err(self.ended());
            }
            self.intake.write_full_run(self.outlet).await?;
            let limit = heard_at + patience(self.context, self.opening, &self.link);
            let until = self.receiver.poll_timeout();
            let until = until.map_or(limit, |until| until.min(limit));
            let heard = self.link.hear(self.intake.room(), until).await;
            let heard =
                heard.map_err(|error| Trouble::of_link(&self.link, &self.asked.what, error))?;
            let now = now();
            match heard {
                Heard::Block { block, length } => {
                    heard_at = now;
                    match self.receiver.handle_data(block, length, now) {
                        Arrival::Ignore => {}
                        Arrival::Store { block, is_last } => {
                            if block == 1 {
                                self.begin().await?;
                            }
                            self.intake.took(length);
                            self.outlet.arrived(self.intake.wire);
                            self.check_length(false)?;
                            if is_last {
                                return self.finish().await;
                            }
                        }
                    }
                }
                Heard::Packet => {
                    heard_at = now;
                    tell(&*self.context.observer, '<', self.link.packet());
                    hear(&self.offer, self.link.packet(), |packet| {
                        self.receiver.handle_packet(packet, now);
                    });
                }
                Heard::Nothing => {}
            }
            self.is_taken |= self.receiver.outcome().is_none() && self.receiver.terms().is_some();
            self.receiver.handle_timeout(now);
            if now >= limit {
                return Err(self.ended());
            }
        }
    }

    /// The first block is here: the server took the request, and there is something to be stored.
    async fn begin(&mut self) -> Result<()> {
        self.asked.taken(self.context, self.opening);
        self.outlet.begin(self.told()).await
    }

    /// Everything is here: it is stored, then the server hears of it (TFT-52).
    async fn finish(&mut self) -> Result<Fetched, Trouble> {
        self.intake.write_rest(self.outlet).await?;
        self.check_length(true)?;
        self.outlet.finish().await?;
        let size_was_told = self.told().is_some_and(|told| self.intake.is_size(told));
        self.receiver.settle(now());
        // The file is here, whatever becomes of the last ACK.
        self.link.end();
        self.flush_packets().await;
        Ok(Fetched {
            size: self.intake.host,
            verified: sure(&self.context.options, size_was_told),
        })
    }

    /// The size that the server told. Some answer 0 to every question.
    fn told(&self) -> Option<u64> {
        let told = self.receiver.terms().and_then(|terms| terms.size);
        told.filter(|told| *told > 0 || self.receiver.received() == 0 || self.intake.wire == 0)
    }

    /// What came must not be more than was told, nor less in the end. Servers disagree on what the size
    /// of a text is: there it proves something only when it fits.
    fn check_length(&self, is_whole: bool) -> Result<()> {
        let Some(told) = self.told() else {
            return Ok(());
        };
        let wire = self.intake.wire;
        if self.asked.is_text() || self.context.options.verify == Verify::None {
            return Ok(());
        }
        if wire > told {
            let text = format!(
                "{}: more than the {told} octets came that the server had told",
                self.asked.what
            );
            return Err(size_differs(Kind::Differs, text));
        }
        if is_whole && wire < told {
            let text = format!(
                "{}: {wire} of {told} octets arrived, though the server sent a last block",
                self.asked.what
            );
            return Err(size_differs(Kind::Partial, text));
        }
        Ok(())
    }

    async fn flush_packets(&mut self) {
        while let Some(packet) = self.receiver.poll_transmit() {
            self.link.send(packet).await;
        }
    }

    fn ended(&self) -> Trouble {
        let receiver = &self.receiver;
        self.asked.ended(
            &self.link,
            receiver.outcome(),
            receiver.terms().filter(|_| self.is_taken),
            receiver.received(),
        )
    }
}

fn size_differs(kind: Kind, text: String) -> Error {
    Error::new(Step::Verify, kind, text)
        .hint("the file may have changed meanwhile: try again")
        .hint("some servers tell sizes of 2 or 4 GiB and more wrongly: --verify none takes what comes")
        .starting_over()
}

/// Blocks that gather to runs.
struct Intake {
    run: Vec<u8>,
    filled: usize,
    /// Where text is converted, and into what.
    text: Option<(Decoder, Vec<u8>)>,
    /// Octets that came over the wire.
    wire: u64,
    /// Octets of the file here.
    host: u64,
}

impl Intake {
    fn new(is_text: bool) -> Self {
        Self {
            run: vec![0; RUN + SLACK],
            filled: 0,
            text: is_text.then(Default::default),
            wire: 0,
            host: 0,
        }
    }

    /// Where the content of the next block goes.
    fn room(&mut self) -> &mut [u8] {
        self.run.get_mut(self.filled..).unwrap_or_default()
    }

    /// A block lies in the room, and belongs there.
    fn took(&mut self, length: usize) {
        self.filled = (self.filled + length).min(self.run.len());
        self.wire += length as u64;
    }

    async fn write_full_run(&mut self, outlet: &mut Outlet<'_, '_>) -> Result<()> {
        if self.filled < RUN {
            return Ok(());
        }
        self.write(outlet).await
    }

    async fn write_rest(&mut self, outlet: &mut Outlet<'_, '_>) -> Result<()> {
        self.write(outlet).await?;
        if let Some((decoder, text)) = &mut self.text {
            text.clear();
            decoder.finish(text);
            self.host += text.len() as u64;
            let length = text.len();
            *text = outlet.write(std::mem::take(text), length).await?;
        }
        Ok(())
    }

    async fn write(&mut self, outlet: &mut Outlet<'_, '_>) -> Result<()> {
        match &mut self.text {
            Some((decoder, text)) => {
                text.clear();
                decoder.decode(self.run.get(..self.filled).unwrap_or_default(), text);
                let length = text.len();
                self.host += length as u64;
                *text = outlet.write(std::mem::take(text), length).await?;
            }
            None => {
                self.host += self.filled as u64;
                let run = std::mem::take(&mut self.run);
                self.run = outlet.write(run, self.filled).await?;
                // Only the first time is there none to be used again.
                self.run.resize(RUN + SLACK, 0);
            }
        }
        self.filled = 0;
        Ok(())
    }

    /// Whether a size that was told is this file's, on the wire or here.
    fn is_size(&self, told: u64) -> bool {
        told == self.wire || (self.text.is_some() && told == self.host)
    }
}
