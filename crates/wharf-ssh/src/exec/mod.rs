//! `exec` on a session's channel: scp, and the few probes that are answered without any program
//! (SFT-70). Everything else is refused with a sentence on stderr and exit status 127.
//!
//! No process is ever started, no shell ever asked, so there is nothing that a command line could be
//! injected into (CVE-2020-15778). A probe reads through the view as everything does.

use std::{future::Future, sync::Arc};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use wharf_engine::{LoggedIn, Session, transfers::pay};
use wharf_proto::scp::{Command, Hash, Helper, Refusal, command, message};
use wharf_transfer::{Algorithm, Digest, Meter, buffer, checksum};
use wharf_vfs::{ErrorKind, Operation, Right, VirtualPath};

use crate::{scp, sftp::hash_limit};

/// What an administrator leaves switched on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Allowed {
    /// `scp -t` and `scp -f`.
    pub(crate) scp: bool,
    /// The probes.
    pub(crate) helpers: bool,
    /// Octets of a file that are hashed for a probe at the most.
    pub(crate) hash_max_bytes: u64,
}

/// How a command ended: what is left to be sent before the channel is closed.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Ended {
    /// The exit status.
    pub(crate) status: u32,
    /// For the channel's stderr; empty or a few lines.
    pub(crate) stderr: Vec<u8>,
}

impl Ended {
    fn refused(refusal: &Refusal) -> Self {
        Self {
            status: refusal.exit_status(),
            stderr: format!("{refusal}\n").into_bytes(),
        }
    }
}

/// Runs a command line over a channel. The caller sends stderr and the exit status, then EOF and
/// CLOSE. A probe is given up when the channel is `gone`; scp hears that from its stream.
pub(crate) async fn run<S: AsyncRead + AsyncWrite + Send + Unpin>(
    mut stream: S,
    line: &[u8],
    allowed: Allowed,
    session: Arc<Session<LoggedIn>>,
    gone: impl Future<Output = ()> + Send,
) -> Ended {
    let command = match command::parse(line) {
        Ok(command) => command,
        Err(refusal) if refusal.is_for_scp() && allowed.scp => {
            let mut text = Vec::new();
            message::encode_warning(refusal.to_string().as_bytes(), &mut text);
            // Who is gone needs no answer.
            let _ = stream.write_all(&text).await;
            let _ = stream.flush().await;
            return Ended {
                status: refusal.exit_status(),
                stderr: Vec::new(),
            };
        }
        Err(refusal) if refusal.is_for_scp() => return switched_off(),
        Err(refusal) => return Ended::refused(&refusal),
    };
    let context = scp::Context {
        session: Arc::clone(&session),
    };
    let status = match command {
        Command::Helper(helper) if allowed.helpers => {
            let most = hash_limit(&session, allowed.hash_max_bytes);
            return tokio::select! {
                ended = Box::pin(answer(&mut stream, helper, &session, most)) => ended,
                () = gone => Ended::default(),
            };
        }
        Command::Helper(_) => return Ended::refused(&Refusal::Unknown),
        _ if !allowed.scp => return switched_off(),
        Command::Sink(command) => scp::receive(stream, command, context).await,
        Command::Source(command) => scp::send(stream, command, context).await,
    };
    Ended {
        status,
        stderr: Vec::new(),
    }
}

fn switched_off() -> Ended {
    Ended {
        status: 127,
        stderr: b"the old SCP protocol is switched off on this server: use SFTP (scp without -O)\n"
            .to_vec(),
    }
}

/// Answers a probe.
async fn answer<S: AsyncRead + AsyncWrite + Send + Unpin>(
    stream: &mut S,
    helper: Helper,
    session: &Session<LoggedIn>,
    most: u64,
) -> Ended {
    let mut ended = Ended::default();
    let output = match helper {
        Helper::Echo(text) => text,
        Helper::WorkingDirectory => [session.view().home().as_bytes(), b"\n"].concat(),
        Helper::DiskFree { path } => match disk_free(&path, session).await {
            Ok(table) => table,
            Err(reason) => {
                ended.fail("df", &path, reason);
                Vec::new()
            }
        },
        Helper::Hash { hash, paths } if paths.is_empty() => {
            match hash_stream(stream, hash, session).await {
                Ok(digest) => format!("{digest}  -\n").into_bytes(),
                Err(_) => {
                    ended.status = 1;
                    Vec::new()
                }
            }
        }
        Helper::Hash { hash, paths } => {
            let mut lines = Vec::new();
            for path in paths {
                match hash_file(&path, hash, session, most).await {
                    Ok(digest) => hash_line(&digest, &path, &mut lines),
                    Err(reason) => ended.fail(hash.command(), &path, reason),
                }
            }
            lines
        }
    };
    if stream.write_all(&output).await.is_err() || stream.flush().await.is_err() {
        ended.status = 1;
    }
    ended
}

impl Ended {
    fn fail(&mut self, command: &str, path: &[u8], reason: &str) {
        self.status = 1;
        let line = format!("{command}: {}: {reason}\n", message::escape(path));
        self.stderr.extend_from_slice(line.as_bytes());
    }
}

fn resolve(session: &Session<LoggedIn>, path: &[u8]) -> Result<VirtualPath, &'static str> {
    VirtualPath::parse(session.view().home(), path).map_err(|_| ErrorKind::InvalidName.text())
}

const fn algorithm(hash: Hash) -> Algorithm {
    match hash {
        Hash::Md5 => Algorithm::Md5,
        Hash::Sha1 => Algorithm::Sha1,
        Hash::Sha256 => Algorithm::Sha256,
    }
}

async fn hash_file(
    path: &[u8],
    hash: Hash,
    session: &Session<LoggedIn>,
    most: u64,
) -> Result<String, &'static str> {
    let path = resolve(session, path)?;
    let view = session.view();
    let store = |error: wharf_vfs::Error| error.kind.text();
    view.authorize(Right::Hash, &path, Operation::Read)
        .map_err(store)?;
    let (file, metadata) = view.open_read(&path).await.map_err(store)?;
    if metadata.size > most {
        return Err("the file is longer than may be hashed");
    }
    let meter = Meter::new();
    let hashed = checksum::of_file(&file, algorithm(hash), 0, metadata.size, &meter).await;
    hashed.map_err(|error| match error {
        wharf_transfer::Error::Store(error) => error.kind.text(),
        _ => ErrorKind::Broken.text(),
    })
}

/// As the Unix tools write it: a name with a line feed, a CR or a `\` is escaped, and the line says so.
fn hash_line(digest: &str, path: &[u8], lines: &mut Vec<u8>) {
    if path.iter().any(|byte| b"\\\n\r".contains(byte)) {
        lines.push(b'\\');
    }
    lines.extend_from_slice(digest.as_bytes());
    lines.extend_from_slice(b"  ");
    for byte in path {
        match byte {
            b'\\' => lines.extend_from_slice(b"\\\\"),
            b'\n' => lines.extend_from_slice(b"\\n"),
            b'\r' => lines.extend_from_slice(b"\\r"),
            byte => lines.push(*byte),
        }
    }
    lines.push(b'\n');
}

/// Hashes what comes on the channel, to its end: some clients learn so which hashes there are.
async fn hash_stream<S: AsyncRead + Unpin>(
    stream: &mut S,
    hash: Hash,
    session: &Session<LoggedIn>,
) -> std::io::Result<String> {
    let mut digest = Digest::new(algorithm(hash));
    let mut chunk = buffer::borrow();
    loop {
        chunk.clear();
        let count = (&mut *stream)
            .take(buffer::BUFFER_SIZE as u64)
            .read_buf(&mut chunk)
            .await?;
        if count == 0 {
            break;
        }
        pay(&session.account().upload, count as u64).await;
        digest.update(&chunk);
    }
    buffer::give_back(chunk);
    Ok(digest.finish())
}

async fn disk_free(path: &[u8], session: &Session<LoggedIn>) -> Result<Vec<u8>, &'static str> {
    let path = resolve(session, path)?;
    let space = session
        .view()
        .space(&path)
        .await
        .map_err(|error| error.kind.text())?;
    let (total, free) = (space.total / 1024, space.free / 1024);
    let used = total.saturating_sub(free);
    let percent = (used * 100).div_ceil(total.max(1));
    let table = format!(
        "Filesystem     1K-blocks      Used Available Use% Mounted on\n\
         wharf          {total:>9} {used:>9} {free:>9} {percent:>3}% /\n"
    );
    Ok(table.into_bytes())
}

#[cfg(test)]
mod tests;
