//! A remote file as a stream, by TFTP. What was given out cannot be taken back, and there is no going on in
//! the middle: once octets are out, a failure is the end.

use std::sync::Arc;

use wharf_proto::tftp::Direction;

use super::{
    super::Verified,
    Asked,
    outlet::{Outlet, Sink},
    receive::receive,
};
use crate::{Location, Result, tftp::Context};

/// One attempt.
pub(in super::super) async fn cat(
    context: &Arc<Context>,
    source: &Location,
    given: &mut u64,
    sink: &mut Sink<'_>,
) -> Result<Verified> {
    let asked = Asked::new(Direction::Read, source, &context.options)?;
    let _turn = context.turn().await?;
    let mut openings = context.openings().await?;
    while let Some(opening) = openings.next() {
        let mut outlet = Outlet::Stream { sink, given };
        match Box::pin(receive(context, &asked, &opening, &mut outlet)).await {
            Ok(fetched) => return Ok(fetched.verified),
            Err(trouble) => openings.failed(&asked.what, &opening, trouble)?,
        }
    }
    Err(openings.exhausted())
}
