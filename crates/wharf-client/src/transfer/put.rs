//! Uploads, attempt by attempt, by whatever the site speaks.

use super::{Course, Transferred, Upload, ftp, scp, sftp, tftp};
use crate::{Pool, Result, pool::Way};

/// Sends one file; tries again as the pool's options say, going on from what the server is proved to
/// hold.
///
/// # Errors
/// [`Error`](crate::Error).
pub async fn put(pool: &Pool, upload: &Upload) -> Result<Transferred> {
    let mut course = Course::new(pool, &upload.target, &upload.source);
    loop {
        let attempt = attempt(&mut course, upload).await;
        if let Some(result) = course.ended(attempt).await {
            return result;
        }
    }
}

async fn attempt(course: &mut Course<'_>, upload: &Upload) -> Result<Transferred> {
    match course.pool.way().await? {
        Way::Ftp => Box::pin(ftp::put(course, upload)).await,
        Way::Sftp(session) => Box::pin(sftp::put(course, upload, &session)).await,
        Way::Scp(connection) => Box::pin(scp::put(course, upload, &connection)).await,
        Way::Tftp(context) => Box::pin(tftp::put(course, upload, &context)).await,
    }
}
