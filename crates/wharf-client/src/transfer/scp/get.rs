//! Downloads by the old protocol of scp.
//!
//! The server names what it sends, and is believed nothing: a single file goes where it was asked for
//! whatever it is called, and its name must be the one that was asked for (CVE-2019-6111); names in a
//! tree are single plain components (CVE-2018-20685); every file is written beside its target and
//! renamed, so that nothing is written through a link (SCP-33).

use std::{
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use wharf_proto::{
    ftp::listing::parse::is_plain_name,
    scp::{
        Header, Sink, Wanted,
        message::escape,
        sink::{self, Settings, Step as Wish, Stop},
    },
};
use wharf_transfer::Meter;

use super::{
    super::{
        Course, Download, Transferred,
        part::{Known, Part},
        partial,
        writer::Writer,
    },
    RUN, command, counted, path,
};
use crate::{
    Error, Kind, Location, Pool, Result, Step,
    local::{blocking, make_directory},
    ssh::{
        Connection,
        scp::{self, Pipe, refused},
        sftp::wire::{Incoming, Outgoing},
    },
    tally::Tally,
};

/// One attempt at one file.
pub(in super::super) async fn get(
    course: &mut Course<'_>,
    download: &Download,
    connection: &Connection,
) -> Result<Transferred> {
    let pool = course.pool;
    let path = path(&download.source, pool.options())?;
    let command = command("-p -f", &path);
    let idle = pool.options().idle_timeout;
    let _turn = pool.command().await?;
    let pipe = scp::run(connection, &command, pool.site(), idle).await?;
    Box::pin(receive_one(pipe, course, download, &path)).await
}

/// The other end of [`get`].
pub(super) async fn receive_one<I: Incoming, O: Outgoing>(
    mut pipe: Pipe<I, O>,
    course: &mut Course<'_>,
    download: &Download,
    path: &[u8],
) -> Result<Transferred> {
    let what = format!("cannot fetch {}", download.source);
    let mut sink = Sink::new(Settings {
        recursive: false,
        wanted: Wanted::paths([path]),
    });
    sink.accept();
    let mut done = None;
    loop {
        match pipe.step_sink(&mut sink) {
            Wish::NeedInput => {
                pipe.flush(sink.output()).await?;
                if !pipe.more().await? {
                    break;
                }
            }
            Wish::File(_) if done.is_some() => {
                sink.refuse(b"one file was asked for");
            }
            Wish::File(header) => {
                course.tell_started(Some(header.size), 0);
                let (target, url) = (download.target.as_path(), download.source.to_string());
                let keeps = course.pool.options().keep_permissions;
                let meter = Arc::clone(&course.meter);
                file(
                    &mut pipe, &mut sink, &header, target, url, keeps, &meter, &what,
                )
                .await?;
                done = Some(header.size);
            }
            Wish::Warning(text) => return Err(refused(&what, &text)),
            Wish::Stop(stop) => {
                pipe.flush(sink.output()).await?;
                return Err(stopped(&what, &stop));
            }
            // Directories are refused by the machine.
            Wish::Directory(_) | Wish::Leave | Wish::Receive(_) | Wish::Finish { .. } => {
                return Err(odd(&what));
            }
        }
    }
    let Some(size) = done.filter(|_| sink.may_end()) else {
        return Err(pipe.ended().await);
    };
    pipe.finish().await?;
    Ok(Transferred {
        size,
        kept: 0,
        verified: counted(course.pool.options()),
    })
}

/// Takes one file, from its header to its name.
#[expect(clippy::too_many_arguments, reason = "a file and everything around it")]
async fn file<I: Incoming, O: Outgoing>(
    pipe: &mut Pipe<I, O>,
    sink: &mut Sink,
    header: &Header,
    target: &Path,
    url: String,
    keeps_permissions: bool,
    meter: &Meter,
    what: &str,
) -> Result<()> {
    let mtime = header
        .times
        .and_then(|times| i64::try_from(times.modified).ok());
    let known = Known {
        size: Some(header.size),
        mtime,
    };
    let part = Part::open(target, url).await?;
    part.keep(0, known).await?;
    sink.accept();
    let received = receive(pipe, sink, &part, meter, header.size, what).await;
    if let Err(error) = received {
        part.leave().await;
        return Err(error);
    }
    if keeps_permissions {
        let (file, mode) = (part.file.clone(), header.mode);
        blocking("cannot set the permissions", move || file.set_mode(mode)).await?;
    }
    part.commit(mtime).await?;
    sink.accept();
    Ok(())
}

async fn receive<I: Incoming, O: Outgoing>(
    pipe: &mut Pipe<I, O>,
    sink: &mut Sink,
    part: &Part,
    meter: &Meter,
    size: u64,
    what: &str,
) -> Result<()> {
    let mut writer = Writer::new(part.file.clone(), 0);
    let mut run = Vec::new();
    loop {
        match pipe.step_sink(sink) {
            Wish::NeedInput => {
                pipe.flush(sink.output()).await?;
                if !pipe.more().await? {
                    return Err(pipe.ended().await);
                }
            }
            Wish::Receive(left) => {
                let octets = pipe.take(left);
                if octets.is_empty() {
                    pipe.flush(sink.output()).await?;
                    if !pipe.more().await? {
                        writer.write(run).await?;
                        writer.end().await?;
                        return Err(partial(what, writer.at(), size));
                    }
                    continue;
                }
                meter.add(octets.len() as u64);
                sink.received(octets.len() as u64);
                run.extend_from_slice(&octets);
                if run.len() >= RUN {
                    run = writer.write(run).await?;
                }
            }
            Wish::Finish { failure: None } => {
                writer.write(run).await?;
                return writer.end().await;
            }
            Wish::Finish {
                failure: Some(text),
            } => {
                sink.accept();
                return Err(refused(what, &text));
            }
            Wish::Stop(stop) => {
                pipe.flush(sink.output()).await?;
                return Err(stopped(what, &stop));
            }
            Wish::File(_) | Wish::Directory(_) | Wish::Leave | Wish::Warning(_) => {
                return Err(odd(what));
            }
        }
    }
}

fn stopped(what: &str, stop: &Stop) -> Error {
    match stop {
        Stop::Fatal(text) => refused(what, text),
        Stop::Violation(violation) => {
            let text = match violation {
                sink::Violation::Name(name) | sink::Violation::Unwanted(name) => format!(
                    "{what}: the server sent a file called '{}', which was not asked for",
                    escape(name)
                ),
                other => format!("{what}: {other}"),
            };
            Error::new(Step::Transfer, Kind::Protocol, text)
        }
    }
}

fn odd(what: &str) -> Error {
    let text = format!("{what}: the server sent something out of order");
    Error::new(Step::Transfer, Kind::Protocol, text)
}

/// Fetches a directory with everything below it into `target`, which is there.
///
/// # Errors
/// The transfer ends before its time; single failures are in the [`Tally`].
pub(crate) async fn get_tree(
    pool: &Pool,
    connection: &Connection,
    source: &Location,
    target: &Path,
) -> Result<Tally> {
    let path = path(source, pool.options())?;
    let command = command("-r -p -f", &path);
    let idle = pool.options().idle_timeout;
    let _turn = pool.command().await?;
    let pipe = scp::run(connection, &command, pool.site(), idle).await?;
    Box::pin(receive_tree(pipe, pool, source, target, &path)).await
}

/// A directory that is being filled.
struct Level {
    place: Location,
    path: PathBuf,
}

/// The other end of [`get_tree`].
pub(super) async fn receive_tree<I: Incoming, O: Outgoing>(
    mut pipe: Pipe<I, O>,
    pool: &Pool,
    source: &Location,
    target: &Path,
    path: &[u8],
) -> Result<Tally> {
    let what = format!("cannot fetch {source}");
    let mut sink = Sink::new(Settings {
        recursive: true,
        wanted: Wanted::paths([path]),
    });
    sink.accept();
    let mut tally = Tally::default();
    let mut levels: Vec<Level> = Vec::new();
    loop {
        match pipe.step_sink(&mut sink) {
            Wish::NeedInput => {
                pipe.flush(sink.output()).await?;
                if !pipe.more().await? {
                    break;
                }
            }
            Wish::Directory(header) => match enter(&levels, &header, source, target).await {
                Ok(level) => {
                    levels.push(level);
                    sink.accept();
                }
                Err(error) => {
                    sink.refuse(b"refused");
                    fail(pool, &mut tally, source, error);
                }
            },
            Wish::Leave => {
                levels.pop();
                sink.accept();
            }
            Wish::File(header) => {
                let placed = place(&levels, &header);
                let (location, local) = match placed {
                    Ok(placed) => placed,
                    Err(error) => {
                        sink.refuse(b"refused");
                        fail(pool, &mut tally, source, error);
                        continue;
                    }
                };
                let mut course = Course::new(pool, &location, &local);
                course.tell_started(Some(header.size), 0);
                let keeps = pool.options().keep_permissions;
                let (url, meter) = (location.to_string(), Arc::clone(&course.meter));
                let moved = file(
                    &mut pipe, &mut sink, &header, &local, url, keeps, &meter, &what,
                );
                let result = moved.await.map(|()| Transferred {
                    size: header.size,
                    kept: 0,
                    verified: counted(pool.options()),
                });
                // A source that could not read its file goes on with the next.
                let goes_on = result.as_ref().map_or_else(
                    |error| error.step() == Step::Transfer && !error.is_retryable(),
                    |_| true,
                );
                match course.tell(result) {
                    Ok(_) => {
                        tally.files += 1;
                        tally.octets += header.size;
                    }
                    Err(_) if goes_on => tally.failed += 1,
                    Err(error) => return Err(error),
                }
            }
            Wish::Warning(text) => {
                fail(pool, &mut tally, source, refused(&what, &text));
            }
            Wish::Stop(stop) => {
                pipe.flush(sink.output()).await?;
                return Err(stopped(&what, &stop));
            }
            Wish::Receive(_) | Wish::Finish { .. } => return Err(odd(&what)),
        }
    }
    if !sink.may_end() || (tally.files == 0 && tally.failed == 0 && levels.is_empty()) {
        // A tree that is empty was still announced; if nothing at all was, its words tell why.
        let ended = pipe.ended().await;
        if !sink.may_end() || ended.kind() != Kind::Protocol {
            return Err(ended);
        }
        return Ok(tally);
    }
    match pipe.finish().await {
        // What failed was told already.
        Err(_) if tally.failed > 0 => Ok(tally),
        other => other.map(|()| tally),
    }
}

fn fail(pool: &Pool, tally: &mut Tally, source: &Location, error: Error) {
    tally.failed += 1;
    let url = source.to_string();
    let subject = crate::Subject {
        url: &url,
        path: None,
    };
    let result = Err(error);
    pool.observer()
        .finished(pool.next_transfer(), subject, &result);
}

/// The name of something in a tree, as a local name.
fn name(header: &Header) -> Result<&std::ffi::OsStr> {
    if is_plain_name(&header.name) {
        return Ok(std::ffi::OsStr::from_bytes(&header.name));
    }
    let text = format!(
        "the server sent the name '{}', which is refused",
        escape(&header.name)
    );
    Err(Error::new(Step::Listing, Kind::Protocol, text))
}

/// The first directory is the one that was asked for, and goes into `target` whatever it is called.
async fn enter(
    levels: &[Level],
    header: &Header,
    source: &Location,
    target: &Path,
) -> Result<Level> {
    let Some(above) = levels.last() else {
        return Ok(Level {
            place: source.clone(),
            path: target.to_owned(),
        });
    };
    let path = above.path.join(name(header)?);
    let made = path.clone();
    blocking(&format!("cannot make {}", path.display()), move || {
        make_directory(&made)
    })
    .await?;
    Ok(Level {
        place: above.place.child(&header.name, true),
        path,
    })
}

fn place(levels: &[Level], header: &Header) -> Result<(Location, PathBuf)> {
    let Some(above) = levels.last() else {
        let text = "a directory was asked for, the server sends a file";
        return Err(Error::new(Step::Transfer, Kind::Usage, text).hint("leave out -r"));
    };
    Ok((
        above.place.child(&header.name, false),
        above.path.join(name(header)?),
    ))
}
