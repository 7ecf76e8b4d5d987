//! Uploads by the old protocol of scp.
//!
//! A sink puts what it is offered into its target when that is a directory, and calls it so when it is
//! not: which of both, nobody tells. So the directory above is named as the target (`-d`), and what is
//! offered bears the last name: it lands where it was asked for, whatever stands there.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use wharf_proto::scp::{
    Header, Source, Times,
    source::{OfferError, Step as Wish, Stop},
};
use wharf_transfer::Meter;

use super::{
    super::{Course, Transferred, Upload},
    RUN, command, counted, parent,
};
use crate::{
    Error, Kind, Location, Pool, Result, Step,
    local::{Facts, Local, Named, blocking, facts, read_directory},
    ssh::{
        Connection,
        scp::{self, Pipe, refused},
        sftp::wire::{Incoming, Outgoing},
    },
    tally::Tally,
};

/// One attempt at one file.
pub(in super::super) async fn put(
    course: &mut Course<'_>,
    upload: &Upload,
    connection: &Connection,
) -> Result<Transferred> {
    let pool = course.pool;
    let above = parent(&upload.target, pool.options())?;
    let command = command("-p -d -t", &above);
    let idle = pool.options().idle_timeout;
    let _turn = pool.command().await?;
    let pipe = scp::run(connection, &command, pool.site(), idle).await?;
    Box::pin(send_one(pipe, course, upload)).await
}

/// The other end of [`put`].
pub(super) async fn send_one<I: Incoming, O: Outgoing>(
    mut pipe: Pipe<I, O>,
    course: &mut Course<'_>,
    upload: &Upload,
) -> Result<Transferred> {
    let what = format!("cannot send {}", upload.target);
    let name = upload.target.name().unwrap_or_default().to_vec();
    let (file, facts) = open(&upload.source).await?;
    course.tell_started(Some(facts.size), 0);
    let mut source = Source::new();
    idle(&mut pipe, &mut source, &what).await?;
    let header = header(name, &facts, facts.size);
    let meter = Arc::clone(&course.meter);
    send(&mut pipe, &mut source, header, &file, &meter, &what).await?;
    pipe.finish().await?;
    Ok(Transferred {
        size: facts.size,
        kept: 0,
        verified: counted(course.pool.options()),
    })
}

async fn open(path: &Path) -> Result<(Local, Facts)> {
    let what = format!("cannot read {}", path.display());
    let path = path.to_owned();
    blocking(&what, move || {
        let file = Local::open(&path)?;
        let found = facts(&path)?.ok_or(std::io::ErrorKind::NotFound)?;
        Ok((file, found))
    })
    .await
}

fn header(name: Vec<u8>, facts: &Facts, size: u64) -> Header {
    let modified = u64::try_from(facts.modified).unwrap_or(0);
    Header {
        name,
        mode: facts.mode & 0o777,
        size,
        times: Some(Times {
            modified,
            modified_micros: 0,
            accessed: modified,
            accessed_micros: 0,
        }),
    }
}

/// Waits until the sink wants the next, or the octets of what was offered.
async fn wish<I: Incoming, O: Outgoing>(
    pipe: &mut Pipe<I, O>,
    source: &mut Source,
    what: &str,
) -> Result<Wish> {
    loop {
        match pipe.step_source(source) {
            Wish::NeedInput => {
                pipe.flush(source.output()).await?;
                if !pipe.more().await? {
                    return Err(pipe.ended().await);
                }
            }
            Wish::Stop(stop) => {
                return Err(match &stop {
                    Stop::Unwilling(text) | Stop::Fatal(text) => refused(what, text),
                    other => Error::new(Step::Transfer, Kind::Protocol, format!("{what}: {other}")),
                });
            }
            other => return Ok(other),
        }
    }
}

/// As [`wish`], where only the readiness for the next is in order; a refusal is an error.
async fn idle<I: Incoming, O: Outgoing>(
    pipe: &mut Pipe<I, O>,
    source: &mut Source,
    what: &str,
) -> Result<()> {
    match wish(pipe, source, what).await? {
        Wish::Idle => Ok(()),
        Wish::Refused(text) | Wish::Failed(text) => Err(refused(what, &text)),
        _ => Err(out_of_order(what)),
    }
}

fn out_of_order(what: &str) -> Error {
    let text = format!("{what}: the server answered out of order");
    Error::new(Step::Transfer, Kind::Protocol, text)
}

fn unsendable(what: &str, error: OfferError) -> Error {
    Error::new(Step::Transfer, Kind::Usage, format!("{what}: {error}"))
}

/// Sends one file; a refusal of the file alone is an error of [`Step::Transfer`], after which the next
/// may be offered.
async fn send<I: Incoming, O: Outgoing>(
    pipe: &mut Pipe<I, O>,
    source: &mut Source,
    header: Header,
    file: &Local,
    meter: &Meter,
    what: &str,
) -> Result<()> {
    source
        .file(header)
        .map_err(|error| unsendable(what, error))?;
    let mut at = 0;
    let mut failure: Option<std::io::Error> = None;
    loop {
        let left = match wish(pipe, source, what).await? {
            Wish::Send(left) => left,
            Wish::Idle => {
                // A sink may have answered before it was told.
                pipe.flush(source.output()).await?;
                break;
            }
            Wish::Refused(text) | Wish::Failed(text) => return Err(refused(what, &text)),
            _ => return Err(out_of_order(what)),
        };
        pipe.flush(source.output()).await?;
        if left == 0 {
            // The promised octets are sent; whether they were the file's is said behind them.
            let text = failure.as_ref().map(|error| format!("{error}"));
            source.finish(text.as_deref().map(str::as_bytes));
            continue;
        }
        let length = usize::try_from(left).unwrap_or(usize::MAX).min(RUN);
        let copy = file.clone();
        let read = tokio::task::spawn_blocking(move || copy.read_exact_at(at, length)).await;
        let mut run = match read.unwrap_or_else(|error| Err(std::io::Error::other(error))) {
            Ok(run) => run,
            Err(error) => {
                failure.get_or_insert(error);
                Vec::new()
            }
        };
        if run.len() < length {
            failure.get_or_insert_with(|| std::io::ErrorKind::UnexpectedEof.into());
            // The promise is kept with zeros (SCP-22).
            run.resize(length, 0);
        }
        pipe.send(Bytes::from(run)).await?;
        meter.add(length as u64);
        source.sent(length as u64);
        at += length as u64;
    }
    match failure {
        None => Ok(()),
        Some(error) => Err(Error::local(
            "the local file changed while it was sent",
            &error,
        )),
    }
}

/// Sends a directory with everything below it; `target` is made when it is not there.
///
/// # Errors
/// The transfer ends before its time; single failures are in the [`Tally`].
pub(crate) async fn put_tree(
    pool: &Pool,
    connection: &Connection,
    source: &Path,
    target: &Location,
) -> Result<Tally> {
    let above = parent(target, pool.options())?;
    let command = command("-r -p -d -t", &above);
    let idle = pool.options().idle_timeout;
    let _turn = pool.command().await?;
    let pipe = scp::run(connection, &command, pool.site(), idle).await?;
    Box::pin(send_tree(pipe, pool, source, target)).await
}

/// A directory that is being sent: what is left of it, last first.
struct Level {
    place: Location,
    left: Vec<Named>,
}

/// The other end of [`put_tree`].
pub(super) async fn send_tree<I: Incoming, O: Outgoing>(
    mut pipe: Pipe<I, O>,
    pool: &Pool,
    source: &Path,
    target: &Location,
) -> Result<Tally> {
    let what = format!("cannot send {target}");
    let mut tally = Tally::default();
    let mut machine = Source::new();
    idle(&mut pipe, &mut machine, &what).await?;
    let left = read(source).await?;
    if let Some(name) = target.name().filter(|name| *name != b"/") {
        let path = source.to_owned();
        let facts = blocking("cannot look at the directory", move || facts(&path)).await?;
        let header = header(name.to_vec(), &facts.unwrap_or_default(), 0);
        directory(&mut pipe, &mut machine, header, &what).await??;
    }
    let mut levels = vec![Level {
        place: target.clone(),
        left,
    }];
    while let Some(level) = levels.last_mut() {
        let Some(named) = level.left.pop() else {
            levels.pop();
            if machine.depth() > 0 {
                machine.leave().map_err(|error| unsendable(&what, error))?;
                idle(&mut pipe, &mut machine, &what).await?;
            }
            continue;
        };
        let place = level.place.child(&named.name, false);
        let told = match named.facts {
            Some(facts) if facts.directory && !named.link => {
                let header = header(named.name.clone(), &facts, 0);
                match directory(&mut pipe, &mut machine, header, &what).await? {
                    Ok(()) => {
                        let left = read(&named.path).await;
                        // It was entered: whatever it holds, it must be left again.
                        let (left, result) = match left {
                            Ok(left) => (left, Ok(())),
                            Err(error) => (Vec::new(), Err(error)),
                        };
                        levels.push(Level { place, left });
                        result
                    }
                    Err(error) => Err(error),
                }
            }
            Some(facts) if facts.file => {
                one(&mut pipe, &mut machine, pool, &named, &place, &mut tally).await?;
                Ok(())
            }
            _ => {
                let text = format!(
                    "{}: no plain file or directory, left out",
                    named.path.display()
                );
                pool.observer().note(&text);
                Ok(())
            }
        };
        if let Err(error) = told {
            tally.failed += 1;
            let url = target.to_string();
            let subject = crate::Subject {
                url: &url,
                path: Some(&named.path),
            };
            let result = Err(error);
            pool.observer()
                .finished(pool.next_transfer(), subject, &result);
        }
    }
    match pipe.finish().await {
        // What failed was told already.
        Err(_) if tally.failed > 0 => Ok(tally),
        other => other.map(|()| tally),
    }
}

/// What a directory holds, last first.
async fn read(path: &Path) -> Result<Vec<Named>> {
    let (what, path): (String, PathBuf) =
        (format!("cannot read {}", path.display()), path.to_owned());
    let mut found = blocking(&what, move || read_directory(&path)).await?;
    found.reverse();
    Ok(found)
}

async fn directory<I: Incoming, O: Outgoing>(
    pipe: &mut Pipe<I, O>,
    machine: &mut Source,
    header: Header,
    what: &str,
) -> Result<Result<()>> {
    if let Err(error) = machine.directory(header) {
        return Ok(Err(unsendable(what, error)));
    }
    match wish(pipe, machine, what).await? {
        Wish::Idle => Ok(Ok(())),
        Wish::Refused(text) | Wish::Failed(text) => Ok(Err(refused(what, &text))),
        _ => Err(out_of_order(what)),
    }
}

/// Sends one file of a tree; an error ends the whole.
async fn one<I: Incoming, O: Outgoing>(
    pipe: &mut Pipe<I, O>,
    machine: &mut Source,
    pool: &Pool,
    named: &Named,
    place: &Location,
    tally: &mut Tally,
) -> Result<()> {
    let what = format!("cannot send {place}");
    let mut course = Course::new(pool, place, &named.path);
    let opened = open(&named.path).await;
    let result = match opened {
        Err(error) => Err(error),
        Ok((file, facts)) => {
            course.tell_started(Some(facts.size), 0);
            let meter = Arc::clone(&course.meter);
            let header = header(named.name.clone(), &facts, facts.size);
            let sent = send(pipe, machine, header, &file, &meter, &what).await;
            sent.map(|()| Transferred {
                size: facts.size,
                kept: 0,
                verified: counted(pool.options()),
            })
        }
    };
    match course.tell(result) {
        Ok(done) => {
            tally.files += 1;
            tally.octets += done.size;
            Ok(())
        }
        Err(error) if matches!(error.kind(), Kind::Protocol | Kind::TimedOut) => Err(error),
        Err(_) => {
            tally.failed += 1;
            Ok(())
        }
    }
}
