//! After the last ACK of a download (TFT-52): whoever did not hear it is answered again.
//!
//! The machine answers repeated blocks. Beyond that the last ACK is said again a few times at growing
//! distances: a lost one is mended before the server's timer runs out, and a server that has finished
//! lets us know, because its port is closed by then.

use std::{io, time::Duration};

use wharf_proto::tftp::{Packet, Receiver, packet};

use super::{Heard, Link, clock};

/// Before the last ACK is said for the second time.
const FIRST_REPEAT: Duration = Duration::from_millis(2);

/// Times that it is said again unasked.
const REPEATS: u32 = 4;

/// A datagram of the largest block, without its header.
const ROOM: usize = 65_536;

/// Keeps a finished transaction's end open until the machine is satisfied or the server is gone.
pub(super) async fn linger(mut link: Link, mut receiver: Receiver) {
    // That nobody is there any more is the usual end.
    let _ = until_over(&mut link, &mut receiver).await;
}

async fn until_over(link: &mut Link, receiver: &mut Receiver) -> io::Result<()> {
    let mut room = vec![0; ROOM];
    let last = receiver
        .terms()
        .map(|terms| packet::ack(terms.rollover.wire(receiver.received())));
    let mut distance = FIRST_REPEAT;
    let mut repeats = 0;
    let mut repeat = clock::now() + distance;
    while receiver.outcome().is_none() {
        while let Some(packet) = receiver.poll_transmit() {
            link.send(packet).await;
        }
        let Some(mut until) = receiver.poll_timeout() else {
            return Ok(());
        };
        if repeats < REPEATS {
            until = until.min(repeat);
        }
        let heard = link.hear(&mut room, until).await?;
        let now = clock::now();
        match heard {
            Heard::Block { block, length } => {
                receiver.handle_data(block, length, now);
            }
            Heard::Packet => {
                if let Ok(packet) = Packet::parse(link.packet()) {
                    receiver.handle_packet(&packet, now);
                }
            }
            Heard::Nothing => {}
        }
        receiver.handle_timeout(now);
        if repeats < REPEATS && now >= repeat {
            if let Some(last) = last {
                link.send(&last).await;
            }
            repeats += 1;
            distance *= 4;
            repeat = now + distance;
        }
    }
    Ok(())
}
