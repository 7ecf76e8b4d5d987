//! Downloads, attempt by attempt, by whatever the site speaks.

use super::{Course, Download, Transferred, ftp, scp, sftp, tftp};
use crate::{Pool, Result, pool::Way};

/// Fetches one file; tries again as the pool's options say.
///
/// # Errors
/// [`Error`](crate::Error); the part file stays for the next run unless it is proved worthless.
pub async fn get(pool: &Pool, download: &Download) -> Result<Transferred> {
    let mut course = Course::new(pool, &download.source, &download.target);
    loop {
        let attempt = attempt(&mut course, download).await;
        if let Some(result) = course.ended(attempt).await {
            return result;
        }
    }
}

async fn attempt(course: &mut Course<'_>, download: &Download) -> Result<Transferred> {
    match course.pool.way().await? {
        Way::Ftp => Box::pin(ftp::get(course, download)).await,
        Way::Sftp(session) => Box::pin(sftp::get(course, download, &session)).await,
        Way::Scp(connection) => Box::pin(scp::get(course, download, &connection)).await,
        Way::Tftp(context) => Box::pin(tftp::get(course, download, &context)).await,
    }
}
