//! A remote file as a stream: to standard output, into a pipe.
//!
//! What was given out cannot be taken back, so nothing is given twice: a broken transfer goes on by
//! REST at the octet after the last one, and the size is compared in the end.

use wharf_proto::ftp::{Pathname, client::Request, server::Representation};
use wharf_transfer::{Transform, buffer, tls::Truncated};

use super::{Transferred, Verified, ftp::FromWire, partial, sftp, tftp};
use crate::{
    Error, Kind, Location, Pool, Result, Scheme, Step, Verify,
    ftp::{Session, read_within},
    pool::{Way, needs_sftp},
    site::UrlType,
};

/// Gives a file's octets to `sink`, in order and once; `sink` may block.
///
/// # Errors
/// [`Error`]; one of the sink ends it at once.
pub async fn cat(
    pool: &Pool,
    source: &Location,
    sink: &mut (dyn FnMut(&[u8]) -> std::io::Result<()> + Send),
) -> Result<Transferred> {
    let mut given = 0;
    let mut seen = None;
    let mut retry = pool.retry();
    loop {
        match attempt(pool, source, &mut given, &mut seen, sink).await {
            Ok(verified) => {
                return Ok(Transferred {
                    size: given,
                    kept: 0,
                    verified,
                });
            }
            Err(error) if given > 0 && !goes_on(source) => return Err(error),
            Err(error) => retry.after(error).await?,
        }
    }
}

/// Whether what is left can be asked for alone.
fn goes_on(source: &Location) -> bool {
    source.kind != Some(UrlType::Text) && source.site.scheme != Scheme::Tftp
}

async fn attempt(
    pool: &Pool,
    source: &Location,
    given: &mut u64,
    seen: &mut Option<sftp::Seen>,
    sink: &mut (dyn FnMut(&[u8]) -> std::io::Result<()> + Send),
) -> Result<Verified> {
    match pool.way().await? {
        Way::Ftp => {
            let mut lease = pool.lease().await?;
            Box::pin(attempt_ftp(pool, lease.session()?, source, given, sink)).await
        }
        Way::Sftp(session) => Box::pin(sftp::cat(pool, &session, source, given, seen, sink)).await,
        Way::Scp(_) => Err(needs_sftp(pool)),
        Way::Tftp(context) => Box::pin(tftp::cat(&context, source, given, sink)).await,
    }
}

async fn attempt_ftp(
    pool: &Pool,
    session: &mut Session,
    source: &Location,
    given: &mut u64,
    sink: &mut (dyn FnMut(&[u8]) -> std::io::Result<()> + Send),
) -> Result<Verified> {
    let name = source
        .name()
        .ok_or_else(|| {
            Error::new(
                Step::Command,
                Kind::Usage,
                format!("{source} names no file"),
            )
        })?
        .to_vec();
    session.go_to(source.parents()).await?;
    let mut text = (source.kind == Some(UrlType::Text)).then(FromWire::default);
    session
        .represent(if text.is_some() {
            Representation::Ascii
        } else {
            Representation::Image
        })
        .await?;
    let told = if text.is_some() {
        None
    } else {
        session.size(&name).await?
    };
    let what = format!("cannot fetch {source}");
    let request = Request::Retrieve {
        path: Pathname::new(name),
        offset: *given,
    };
    let mut running = session.begin(request, &what).await?;
    let size = told.or_else(|| running.announced.filter(|_| *given == 0 && text.is_none()));
    let limit = pool.options().idle_timeout;
    let mut piece = buffer::borrow();
    piece.resize(buffer::BUFFER_SIZE, 0);
    let mut changed = Vec::new();
    let read = loop {
        let count = match read_within(&mut running.stream, &mut piece, limit).await {
            Ok(0) => break Ok(()),
            Ok(count) => count,
            // TLS-36, D48: the size tells whether all is here.
            Err(error)
                if Truncated::is(&error)
                    && size.is_some()
                    && session.replies_are_protected()
                    && pool.options().verify != Verify::None =>
            {
                break Ok(());
            }
            Err(error) => break Err(error),
        };
        let bytes = piece.get(..count).unwrap_or_default();
        let out = match &mut text {
            Some(text) => {
                changed.clear();
                text.apply(bytes, &mut changed);
                changed.as_slice()
            }
            None => bytes,
        };
        if let Err(error) = sink(out) {
            session.give_up();
            return Err(Error::local("cannot write", &error));
        }
        *given += out.len() as u64;
    };
    buffer::give_back(piece);
    session.end(running.finish().await, &what).await?;
    read.map_err(|error| {
        Error::new(
            Step::Transfer,
            Kind::Data,
            format!("the data connection broke: {error}"),
        )
        .retryable()
    })?;
    if let Some(text) = &mut text {
        changed.clear();
        text.finish(&mut changed);
        sink(&changed).map_err(|error| Error::local("cannot write", &error))?;
    }
    match size.filter(|_| pool.options().verify != Verify::None) {
        Some(size) if size != *given => Err(partial(&what, *given, size)),
        Some(_) => Ok(Verified::Size),
        None => Ok(Verified::Closed),
    }
}
