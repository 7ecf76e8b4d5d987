//! Questions about files and changes of the tree: RNFR RNTO STAT MLST SIZE MDTM MFMT HASH and the
//! X-verbs for hashes.
//!
//! Arguments are taken apart here; paths stay bytes. RFC 959 4.1.3, RFC 3659, draft-somers-ftp-mfxx,
//! draft-ietf-ftpext2-hash.

use super::{
    Action, HashAlgorithm, Server, list_options, texts,
    work::{Question, Sequence},
};
use crate::ftp::{Pathname, decimal, time::FtpTime, verb::Verb};

impl Server {
    pub(super) fn rename_from(&mut self, argument: Vec<u8>) {
        let path = Pathname::from(argument);
        self.ask(Action::RenameFrom(path.clone()), Question::RenameFrom(path));
    }

    pub(super) fn rename_to(&mut self, argument: Vec<u8>, sequence: Sequence) {
        let Sequence::RenameFrom(from) = sequence else {
            return self.say(texts::RENAME_FIRST);
        };
        let to = argument.into();
        self.ask(
            Action::Rename { from, to },
            Question::FileAction(Verb::Rnto),
        );
    }

    pub(super) fn status(&mut self, argument: &[u8]) {
        if argument.trim_ascii().is_empty() {
            return self.ask(Action::Status, Question::Status);
        }
        if !self.is_logged_in() {
            return self.say(texts::LOGIN_FIRST);
        }
        let (options, path) = list_options::parse(argument);
        let path = path.into();
        self.ask(Action::StatPath { path, options }, Question::StatPath);
    }

    pub(super) fn facts_of(&mut self, argument: Vec<u8>) {
        let facts = self.facts;
        let question = Question::Facts(argument.clone());
        let path = argument.into();
        self.ask(Action::Facts { path, facts }, question);
    }

    pub(super) fn size(&mut self, argument: Vec<u8>) {
        let representation = self.representation;
        let path = argument.into();
        self.ask(
            Action::Size {
                path,
                representation,
            },
            Question::Size,
        );
    }

    pub(super) fn modification_time(&mut self, argument: Vec<u8>) {
        let action = match time_and_path(&argument, true) {
            Some((time, path)) => Action::ModificationTimeOrSet {
                path: path.into(),
                time,
                whole: argument.into(),
            },
            None => Action::ModificationTime(argument.into()),
        };
        self.ask(action, Question::Time);
    }

    pub(super) fn set_modification_time(&mut self, argument: &[u8]) {
        let Some((time, path)) = time_and_path(argument, false) else {
            return self.say(texts::BAD_TIME);
        };
        let question = Question::SetTime(path.to_vec());
        let path = path.into();
        self.ask(Action::SetModificationTime { path, time }, question);
    }

    pub(super) fn hash(&mut self, argument: Vec<u8>) {
        let algorithm = self.hash;
        let action = Action::Hash {
            path: argument.clone().into(),
            algorithm,
            start: 0,
            end: None,
        };
        self.ask(action, Question::Hash(algorithm, argument));
        self.look_for_abort();
    }

    pub(super) fn bare_hash(&mut self, verb: Verb, argument: &[u8]) {
        let algorithm = match verb {
            Verb::Xcrc => HashAlgorithm::Crc32,
            Verb::Xmd5 => HashAlgorithm::Md5,
            Verb::Xsha1 => HashAlgorithm::Sha1,
            Verb::Xsha512 => HashAlgorithm::Sha512,
            _ => HashAlgorithm::Sha256,
        };
        let Some((path, start, end)) = path_and_range(argument) else {
            return self.say(texts::BAD_RANGE);
        };
        let action = Action::Hash {
            path: path.into(),
            algorithm,
            start,
            end,
        };
        self.ask(action, Question::BareHash(verb));
        self.look_for_abort();
    }
}

/// `YYYYMMDDHHMMSS[.fraction] path`, years from 1970; with `offset` also `+mmm` or `-mmm` behind the
/// time, minutes from UTC. `None` when it is not that.
fn time_and_path(argument: &[u8], offset: bool) -> Option<(FtpTime, &[u8])> {
    let space = argument.iter().position(|&byte| byte == b' ')?;
    let (word, path) = argument.split_at_checked(space)?;
    let path = path.get(1..).filter(|path| !path.is_empty())?;
    let sign = word.iter().position(|byte| matches!(byte, b'+' | b'-'));
    let time = match sign {
        Some(at) if offset => {
            let (digits, zone) = word.split_at_checked(at)?;
            let (sign, minutes) = zone.split_first()?;
            let minutes = decimal::parse(minutes).filter(|&minutes| minutes < 24 * 60)?;
            let seconds = i64::try_from(minutes * 60).ok()?;
            let local = FtpTime::parse(digits).ok()?;
            let east = if *sign == b'+' { seconds } else { -seconds };
            FtpTime::new(local.seconds() - east, local.nanoseconds())
        }
        _ => FtpTime::parse(word).ok()?,
    };
    (time.seconds() >= 0).then_some((time, path))
}

/// `"path" [start [end]]` or `path [start [end]]`. Without quotes the last one or two words are
/// numbers if they look it and a path is left. An end of 0 is the end of the file.
fn path_and_range(argument: &[u8]) -> Option<(Vec<u8>, u64, Option<u64>)> {
    let (path, numbers) = match argument.strip_prefix(b"\"") {
        Some(quoted) => unquote(quoted)?,
        None => unquoted(argument),
    };
    let mut words = numbers
        .split(|&byte| byte == b' ')
        .filter(|word| !word.is_empty());
    let start = words.next().map_or(Some(0), decimal::parse)?;
    let end = words.next().map_or(Some(0), decimal::parse)?;
    if path.is_empty() || words.next().is_some() || (end != 0 && end < start) {
        return None;
    }
    Some((path, start, (end != 0).then_some(end)))
}

/// The text up to the closing quote with doubled quotes undone, and what follows.
fn unquote(quoted: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut path = Vec::with_capacity(quoted.len());
    let mut rest = quoted;
    loop {
        let end = memchr::memchr(b'"', rest)?;
        path.extend_from_slice(rest.get(..end)?);
        rest = rest.get(end + 1..)?;
        match rest.strip_prefix(b"\"") {
            Some(tail) => {
                path.push(b'"');
                rest = tail;
            }
            None if rest.is_empty() || rest.starts_with(b" ") => return Some((path, rest)),
            None => return None,
        }
    }
}

fn unquoted(argument: &[u8]) -> (Vec<u8>, &[u8]) {
    let mut path = argument;
    for _ in 0..2 {
        let Some(space) = path.iter().rposition(|&byte| byte == b' ') else {
            break;
        };
        let word = path.get(space + 1..).unwrap_or_default();
        if space == 0 || word.is_empty() || !word.iter().all(u8::is_ascii_digit) {
            break;
        }
        path = path.get(..space).unwrap_or_default();
    }
    (
        path.to_vec(),
        argument.get(path.len()..).unwrap_or_default(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn x_hashes_take_quotes_and_ranges() {
        let range = |text: &str| {
            path_and_range(text.as_bytes())
                .map(|(path, start, end)| (String::from_utf8(path).unwrap(), start, end))
        };
        let expect = |path: &str, start, end| Some((path.to_owned(), start, end));
        assert_eq!(range("f"), expect("f", 0, None));
        assert_eq!(range("a b"), expect("a b", 0, None));
        assert_eq!(range("a b 5"), expect("a b", 5, None));
        assert_eq!(range("a 0 5"), expect("a", 0, Some(5)));
        assert_eq!(range("a 1 2 3"), expect("a 1", 2, Some(3)));
        assert_eq!(range("7"), expect("7", 0, None));
        assert_eq!(range("\"a 1 2\" 3 0"), expect("a 1 2", 3, None));
        assert_eq!(range("\"a \"\"b\"\"\""), expect("a \"b\"", 0, None));
        for bad in [
            "\"a",
            "\"\"",
            "\"a\"x",
            "\"a\" 5 4",
            "\"a\" x",
            "\"a\" 1 2 3",
            "\"a\" -1",
            "a 18446744073709551616",
        ] {
            assert_eq!(range(bad), None, "{bad}");
        }
    }

    #[test]
    fn mdtm_sets_only_behind_a_whole_time() {
        let parsed = |text: &str| {
            time_and_path(text.as_bytes(), true).map(|(time, path)| (time.digits(), path.to_vec()))
        };
        let expect = |digits: &[u8; 14], path: &[u8]| Some((*digits, path.to_vec()));
        assert_eq!(parsed("20020717210715 f"), expect(b"20020717210715", b"f"));
        assert_eq!(
            parsed("20020717210715+120 a b"),
            expect(b"20020717190715", b"a b")
        );
        assert_eq!(
            parsed("20020717210715-60 f"),
            expect(b"20020717220715", b"f")
        );
        for query in [
            "20020717210715",
            "20020717210715 ",
            "2002071721071 f",
            "20021317210715 f",
            "19691231235959 f",
            "20020717210715+1440 f",
            "f",
        ] {
            assert_eq!(parsed(query), None, "{query}");
        }
        assert_eq!(time_and_path(b"20020717210715+60 f", false), None);
    }
}
