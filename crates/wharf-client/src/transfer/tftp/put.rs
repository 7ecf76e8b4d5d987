//! A local file to a server, by TFTP.

use std::{path::Path, sync::Arc};

use wharf_proto::tftp::{Direction, Offer, Outcome, Sender, sender::Transmit};
use wharf_transfer::Meter;

use super::{
    super::{Course, Transferred, Upload},
    Asked,
    content::{Content, Original},
    count, hear, patience, sure, tell,
};
use crate::{
    Result,
    local::{Local, blocking},
    tftp::{Context, Heard, Link, Opening, Trouble, now},
};

/// Room for what a server says; blocks of its are cut, and count for nothing.
const ROOM: usize = 4096;

/// One attempt at one file.
pub(in super::super) async fn put(
    course: &mut Course<'_>,
    upload: &Upload,
    context: &Arc<Context>,
) -> Result<Transferred> {
    let asked = Asked::new(Direction::Write, &upload.target, &context.options)?;
    let _turn = context.turn().await?;
    let (file, size) = open(&upload.source).await?;
    let original = Original::new(file, size, asked.is_text()).await?;
    let mut openings = context.openings().await?;
    course.tell_started(Some(original.wire), 0);
    let meter = Arc::clone(&course.meter);
    while let Some(opening) = openings.next() {
        match Box::pin(send(context, &asked, &opening, &original, &meter)).await {
            Ok(size_was_told) => {
                return Ok(Transferred {
                    size: original.host,
                    kept: 0,
                    verified: sure(&context.options, size_was_told),
                });
            }
            Err(trouble) => openings.failed(&asked.what, &opening, trouble)?,
        }
    }
    Err(openings.exhausted())
}

async fn open(path: &Path) -> Result<(Local, u64)> {
    let what = format!("cannot read {}", path.display());
    let path = path.to_owned();
    blocking(&what, move || {
        let file = Local::open(&path)?;
        let size = file.size()?;
        Ok((file, size))
    })
    .await
}

/// Sends a file by asking once; says whether the server was told the size and agreed.
async fn send(
    context: &Context,
    asked: &Asked,
    opening: &Opening,
    original: &Original,
    meter: &Meter,
) -> Result<bool, Trouble> {
    let tftp = &context.options.tftp;
    let offer = if opening.is_bare {
        Offer::default()
    } else {
        tftp.offer(original.wire)
    };
    let request = asked.request(&offer, &*context.observer)?;
    let link = Link::open(opening.address, tftp.any_source).map_err(Trouble::Unreachable)?;
    let sender = Sender::asking(request, offer, tftp.timing, now());
    let mut delivery = Delivery {
        context,
        asked,
        opening,
        offer,
        link,
        sender,
        original,
        content: None,
        meter,
    };
    delivery.run().await
}

struct Delivery<'a> {
    context: &'a Context,
    asked: &'a Asked,
    opening: &'a Opening,
    offer: Offer,
    link: Link,
    sender: Sender,
    original: &'a Original,
    /// The file in blocks, once their size is agreed on.
    content: Option<Content>,
    meter: &'a Meter,
}

impl Delivery<'_> {
    async fn run(&mut self) -> Result<bool, Trouble> {
        let mut room = [0; ROOM];
        let mut heard_at = now();
        loop {
            self.transmit().await?;
            if self.sender.outcome().is_some() {
                self.link.end();
            }
            match self.sender.outcome() {
                None => {}
                Some(Outcome::Complete) => {
                    let told = self.sender.terms().and_then(|terms| terms.size);
                    return Ok(told == Some(self.original.wire));
                }
                Some(_) => return Err(self.ended()),
            }
            let limit = heard_at + patience(self.context, self.opening, &self.link);
            let until = self.sender.poll_timeout();
            let until = until.map_or(limit, |until| until.min(limit));
            let heard = self.link.hear(&mut room, until).await;
            let heard =
                heard.map_err(|error| Trouble::of_link(&self.link, &self.asked.what, error))?;
            let now = now();
            if heard == Heard::Packet {
                heard_at = now;
                tell(&*self.context.observer, '<', self.link.packet());
                hear(&self.offer, self.link.packet(), |packet| {
                    self.sender.handle_packet(packet, now);
                });
                self.learn();
            }
            self.sender.handle_timeout(now);
            if now >= limit {
                return Err(self.ended());
            }
        }
    }

    /// Sends what the machine wants sent.
    async fn transmit(&mut self) -> Result<()> {
        while let Some(transmit) = self.sender.poll_transmit() {
            match (transmit, &mut self.content) {
                (Transmit::Packet(packet), _) => self.link.send(packet).await,
                (Transmit::Blocks { first, count }, Some(content)) => {
                    content.send(&mut self.link, first, count).await?;
                    self.sender.transmitted(now());
                }
                // It wants blocks only after an answer, which told their size.
                (Transmit::Blocks { .. }, None) => {}
            }
        }
        Ok(())
    }

    /// What an answer tells: the size of blocks, and how far the server is.
    fn learn(&mut self) {
        let taken = self.content.is_some() || self.sender.outcome().is_none();
        let Some(terms) = self.sender.terms().copied().filter(|_| taken) else {
            return;
        };
        let content = self.content.get_or_insert_with(|| {
            self.asked.taken(self.context, self.opening);
            Content::new(self.original.clone(), terms.block_size, terms.rollover)
        });
        self.sender.set_last(content.last());
        let arrived = self
            .sender
            .acknowledged()
            .saturating_mul(u64::from(terms.block_size))
            .min(self.original.wire);
        count(self.meter, arrived);
    }

    fn ended(&self) -> Trouble {
        let sender = &self.sender;
        self.asked.ended(
            &self.link,
            sender.outcome(),
            sender.terms().filter(|_| self.content.is_some()),
            sender.acknowledged(),
        )
    }
}
