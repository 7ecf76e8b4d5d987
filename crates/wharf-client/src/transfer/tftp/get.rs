//! A remote file into a local one, by TFTP.

use std::sync::Arc;

use wharf_proto::tftp::Direction;

use super::{
    super::{Course, Download, Transferred},
    Asked,
    outlet::Outlet,
    receive::receive,
};
use crate::{Result, tftp::Context};

/// One attempt at one file.
pub(in super::super) async fn get(
    course: &mut Course<'_>,
    download: &Download,
    context: &Arc<Context>,
) -> Result<Transferred> {
    let asked = Asked::new(Direction::Read, &download.source, &context.options)?;
    let _turn = context.turn().await?;
    let mut openings = context.openings().await?;
    while let Some(opening) = openings.next() {
        let mut outlet = Outlet::File {
            url: course.url.clone(),
            course,
            target: &download.target,
            open: None,
        };
        match Box::pin(receive(context, &asked, &opening, &mut outlet)).await {
            Ok(fetched) => {
                return Ok(Transferred {
                    size: fetched.size,
                    kept: 0,
                    verified: fetched.verified,
                });
            }
            Err(trouble) => openings.failed(&asked.what, &opening, trouble)?,
        }
    }
    Err(openings.exhausted())
}
