//! What a client asks to be run: `scp -t`, `scp -f`, or one of the few probes that are answered
//! without any program (SCP-01, SCP-02, SFT-70, SFT-71).
//!
//! Clients write their options apart or combined, numbers and verbosity among them; Cisco's puts
//! spaces where it likes (INT-39). This room must not act on anything: it reads.

use thiserror::Error;

use super::quote::{self, QuoteError, Word};
use crate::ftp::listing::glob;

/// A command that can be served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// `scp -t`.
    Sink(SinkCommand),
    /// `scp -f`.
    Source(SourceCommand),
    /// A probe.
    Helper(Helper),
}

/// `scp -t`: files come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SinkCommand {
    /// `-r`: directories may come.
    pub recursive: bool,
    /// `-p`: modes are kept as they come.
    pub preserve: bool,
    /// `-d`: the target must be a directory.
    pub directory: bool,
    /// Where they go, relative to home; empty is home.
    pub target: Vec<u8>,
}

/// `scp -f`: files go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceCommand {
    /// `-r`: directories may go.
    pub recursive: bool,
    /// `-p`: times are told.
    pub preserve: bool,
    /// What goes; at least one.
    pub paths: Vec<Operand>,
}

/// A probe that some clients run to learn about a server (SFT-70).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Helper {
    /// `md5sum`, `sha1sum` or `sha256sum`.
    Hash {
        /// Which hash.
        hash: Hash,
        /// The files, relative to home; without any what comes on the channel is hashed.
        paths: Vec<Vec<u8>>,
    },
    /// `df -k`: free space around a path, relative to home.
    DiskFree {
        /// Where.
        path: Vec<u8>,
    },
    /// `pwd`.
    WorkingDirectory,
    /// `echo`: the whole output, line feed included where one is wanted.
    Echo(Vec<u8>),
}

/// A hash that a probe may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hash {
    /// `md5sum`.
    Md5,
    /// `sha1sum`.
    Sha1,
    /// `sha256sum`.
    Sha256,
}

impl Hash {
    /// The name of the command.
    pub const fn command(self) -> &'static str {
        match self {
            Self::Md5 => "md5sum",
            Self::Sha1 => "sha1sum",
            Self::Sha256 => "sha256sum",
        }
    }
}

/// A path of `scp -f`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operand {
    /// The path as it stands, relative to home; empty is home.
    pub path: Vec<u8>,
    /// The same as a pattern, if it has unquoted octets of one (SCP-02); quoted ones are escaped.
    pub pattern: Option<Vec<u8>>,
}

/// Why a command is not served. The text is fit for the peer.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Refusal {
    /// Not a command of ours (INT-32: also what a client says that wants a shell).
    #[error(
        "this server runs no commands and has no shell: use SFTP (in WinSCP, choose SFTP as the file protocol), or scp"
    )]
    Unknown,
    /// A line that only a shell could run.
    #[error(
        "{0}: this server runs no commands and has no shell: use SFTP (in WinSCP, choose SFTP as the file protocol), or scp"
    )]
    Quote(#[from] QuoteError),
    /// scp with an option that it does not have.
    #[error("scp: unknown option")]
    UnknownOption,
    /// scp with neither or both of `-t` and `-f`.
    #[error("scp: exactly one of -t and -f is needed: the copying starts on the client's side")]
    Mode,
    /// scp with too few or too many paths.
    #[error("scp: -t takes exactly one path, -f one or more")]
    Paths,
    /// A probe with arguments that it does not have.
    #[error("{command}: this use is not supported")]
    Usage {
        /// The name of the command.
        command: &'static str,
    },
}

impl Refusal {
    /// What the client is told as the exit status.
    pub const fn exit_status(&self) -> u32 {
        match self {
            Self::Unknown | Self::Quote(_) => 127,
            Self::UnknownOption | Self::Mode | Self::Paths | Self::Usage { .. } => 1,
        }
    }

    /// Whether a scp asks, who understands a message on its input better than a line on stderr.
    pub const fn is_for_scp(&self) -> bool {
        matches!(self, Self::UnknownOption | Self::Mode | Self::Paths)
    }
}

/// Reads a command line.
///
/// # Errors
/// [`Refusal`], with the text and exit status for the peer.
pub fn parse(line: &[u8]) -> Result<Command, Refusal> {
    let mut words = quote::split(line)?.into_iter();
    let name = words.next().ok_or(Refusal::Unknown)?;
    let helper = |helper: Result<Helper, Refusal>| helper.map(Command::Helper);
    match name.octets() {
        b"scp" => scp(words),
        name if name.ends_with(b"/scp") => scp(words),
        b"md5sum" => helper(hash(Hash::Md5, words)),
        b"sha1sum" => helper(hash(Hash::Sha1, words)),
        b"sha256sum" => helper(hash(Hash::Sha256, words)),
        b"df" => helper(disk_free(words)),
        b"pwd" => helper(match words.next() {
            None => Ok(Helper::WorkingDirectory),
            Some(_) => Err(Refusal::Usage { command: "pwd" }),
        }),
        b"echo" => Ok(Command::Helper(echo(words))),
        _ => Err(Refusal::Unknown),
    }
}

fn scp(words: impl Iterator<Item = Word>) -> Result<Command, Refusal> {
    let (mut recursive, mut preserve, mut directory) = (false, false, false);
    let (mut to, mut from) = (false, false);
    let mut paths = Vec::new();
    let mut options = true;
    for word in words {
        match word.octets() {
            b"--" if options => options = false,
            [b'-', letters @ ..] if options && !letters.is_empty() => {
                for letter in letters {
                    match letter {
                        b'r' => recursive = true,
                        b'p' => preserve = true,
                        b'd' => directory = true,
                        b't' => to = true,
                        b'f' => from = true,
                        b'v' | b'q' | b'B' | b'C' | b'1'..=b'9' => {}
                        _ => return Err(Refusal::UnknownOption),
                    }
                }
            }
            _ => {
                // What follows the first path is paths, as getopt on a server has it.
                options = false;
                paths.push(word);
            }
        }
    }
    match (to, from) {
        (true, false) => {
            let [target] = <[Word; 1]>::try_from(paths).map_err(|_| Refusal::Paths)?;
            Ok(Command::Sink(SinkCommand {
                recursive,
                preserve,
                directory,
                target: from_home(&target),
            }))
        }
        (false, true) if paths.is_empty() => Err(Refusal::Paths),
        (false, true) => Ok(Command::Source(SourceCommand {
            recursive,
            preserve,
            paths: paths.iter().map(operand).collect(),
        })),
        _ => Err(Refusal::Mode),
    }
}

/// How many octets of a word say "home": an unquoted `~` or `~/`.
fn tilde(word: &Word) -> usize {
    let mut octets = word.iter();
    if octets.next() != Some((b'~', false)) {
        return 0;
    }
    match octets.next() {
        None => 1,
        Some((b'/', _)) => {
            let slashes = octets.take_while(|(byte, _)| *byte == b'/').count();
            2 + slashes
        }
        Some(_) => 0,
    }
}

fn from_home(word: &Word) -> Vec<u8> {
    word.octets()
        .get(tilde(word)..)
        .unwrap_or_default()
        .to_vec()
}

fn operand(word: &Word) -> Operand {
    let mut pattern = Vec::with_capacity(word.octets().len());
    let mut is_pattern = false;
    for (byte, quoted) in word.iter().skip(tilde(word)) {
        let special = glob::is_pattern(&[byte]);
        if special && quoted {
            pattern.push(b'\\');
        }
        is_pattern |= special && !quoted;
        pattern.push(byte);
    }
    Operand {
        path: from_home(word),
        pattern: is_pattern.then_some(pattern),
    }
}

fn hash(hash: Hash, words: impl Iterator<Item = Word>) -> Result<Helper, Refusal> {
    let mut paths = Vec::new();
    let mut options = true;
    for word in words {
        match word.octets() {
            b"--" if options => options = false,
            // Text and binary are the same here.
            b"-b" | b"-t" if options => {}
            [b'-', _, ..] if options => {
                return Err(Refusal::Usage {
                    command: hash.command(),
                });
            }
            _ => paths.push(from_home(&word)),
        }
    }
    Ok(Helper::Hash { hash, paths })
}

fn disk_free(words: impl Iterator<Item = Word>) -> Result<Helper, Refusal> {
    let refused = || Refusal::Usage { command: "df" };
    let (mut path, mut kibibytes, mut options) = (None, false, true);
    for word in words {
        match word.octets() {
            b"--" if options => options = false,
            b"-k" if options => kibibytes = true,
            [b'-', _, ..] if options => return Err(refused()),
            _ if path.is_some() => return Err(refused()),
            _ => path = Some(from_home(&word)),
        }
    }
    if !kibibytes {
        return Err(refused());
    }
    Ok(Helper::DiskFree {
        path: path.unwrap_or_default(),
    })
}

fn echo(words: impl Iterator<Item = Word>) -> Helper {
    let mut words = words.map(Word::into_octets).peekable();
    let ended = words.next_if(|word| word == b"-n").is_none();
    let mut text = words.collect::<Vec<_>>().join(&b' ');
    if ended {
        text.push(b'\n');
    }
    Helper::Echo(text)
}
