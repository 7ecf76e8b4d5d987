//! The path through one pooled buffer: for files without a descriptor, and for transforms.
//!
//! Nothing is allocated per chunk: the read buffer and the transformed one are borrowed once.

use super::{Flow, Source, Target, Transform};
use crate::{DataStream, Error, Result, buffer};

pub(super) async fn send(
    source: &Source,
    stream: &mut DataStream,
    flow: Flow<'_>,
    mut transform: Option<&mut dyn Transform>,
) -> Result<u64> {
    let mut chunk = buffer::borrow();
    let mut changed = if transform.is_some() {
        buffer::borrow()
    } else {
        Vec::new()
    };
    let (mut offset, mut left, mut sent) = (source.offset, source.length, 0);
    while left > 0 {
        chunk = flow
            .meter
            .unless_stopped(source.file.read_at(chunk, offset))
            .await??;
        if chunk.is_empty() {
            return Err(Error::Shrank {
                sent,
                expected: source.length,
            });
        }
        let usable = chunk.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let mut bytes = chunk.get(..usable).unwrap_or_default();
        offset += usable as u64;
        left -= usable as u64;
        if let Some(transform) = &mut transform {
            changed.clear();
            transform.apply(bytes, &mut changed);
            bytes = &changed;
        }
        sent += write(stream, bytes, flow).await?;
    }
    if let Some(transform) = transform {
        changed.clear();
        transform.finish(&mut changed);
        sent += write(stream, &changed, flow).await?;
    }
    buffer::give_back(chunk);
    buffer::give_back(changed);
    Ok(sent)
}

async fn write(stream: &mut DataStream, bytes: &[u8], flow: Flow<'_>) -> Result<u64> {
    for piece in bytes.chunks(most(flow)) {
        super::send_bytes(stream, piece, flow).await?;
    }
    Ok(bytes.len() as u64)
}

/// The most that may move at once.
fn most(flow: Flow<'_>) -> usize {
    usize::try_from(flow.chunk(buffer::BUFFER_SIZE as u64)).unwrap_or(buffer::BUFFER_SIZE)
}

pub(super) async fn receive(
    target: &Target,
    stream: &mut DataStream,
    flow: Flow<'_>,
    mut transform: Option<&mut dyn Transform>,
) -> Result<u64> {
    let most = most(flow);
    let mut chunk = if most < buffer::BUFFER_SIZE {
        Vec::with_capacity(most)
    } else {
        buffer::borrow()
    };
    let mut changed = if transform.is_some() {
        buffer::borrow()
    } else {
        Vec::new()
    };
    let (mut offset, mut received) = (target.offset, 0_u64);
    loop {
        chunk.clear();
        let count = flow
            .meter
            .unless_stopped(stream.read_into(&mut chunk))
            .await?
            .map_err(Error::Stream)?;
        received += count as u64;
        if received > target.limit {
            return Err(Error::TooLong {
                limit: target.limit,
            });
        }
        let mut length = count;
        if let Some(transform) = &mut transform {
            changed.clear();
            transform.apply(&chunk, &mut changed);
            if count == 0 {
                transform.finish(&mut changed);
            }
            length = changed.len();
            if length > 0 {
                changed = target.file.write_at(changed, offset).await?;
            }
        } else if length > 0 {
            chunk = target.file.write_at(chunk, offset).await?;
        }
        offset += length as u64;
        if count == 0 {
            break;
        }
        flow.meter.add(count as u64);
        flow.admit(count as u64).await?;
    }
    buffer::give_back(chunk);
    buffer::give_back(changed);
    Ok(received)
}
