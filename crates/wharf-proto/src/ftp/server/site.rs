//! SITE: CHMOD, UTIME, UMASK, IDLE, HELP.
//!
//! A closed list; there is no EXEC and no copying without a login. Modes are folded to masks here, so
//! that the session has no text to read.

use super::{Action, ModeChange, Server, texts, work::Question};
use crate::ftp::{command::split, decimal, time::FtpTime};

/// Whether the argument of SITE is a secret (RPL-09).
pub(super) fn is_secret(argument: &[u8]) -> bool {
    split(argument).0.eq_ignore_ascii_case(b"PSWD")
}

impl Server {
    pub(super) fn site(&mut self, argument: &[u8]) {
        let (word, rest) = split(argument);
        match word.to_ascii_uppercase().as_slice() {
            b"HELP" => texts::help_site(&mut self.output),
            b"CHMOD" => self.change_mode(rest),
            b"UTIME" => self.utime(rest),
            b"UMASK" => self.umask(rest.trim_ascii()),
            b"IDLE" => self.idle_limit(rest.trim_ascii()),
            b"" => self.say(texts::ARGUMENT_MISSING),
            _ => self.say(texts::UNKNOWN_SITE),
        }
    }

    fn change_mode(&mut self, argument: &[u8]) {
        let (mode, path) = split(argument);
        let Some(mode) = parse_mode(mode).filter(|_| !path.is_empty()) else {
            return self.say(texts::BAD_CHMOD);
        };
        let path = path.into();
        self.ask(Action::ChangeMode { path, mode }, Question::Site("CHMOD"));
    }

    fn utime(&mut self, argument: &[u8]) {
        let Some((path, time)) = parse_utime(argument) else {
            return self.say(texts::BAD_UTIME);
        };
        let path = path.into();
        self.ask(
            Action::SetModificationTime { path, time },
            Question::Site("UTIME"),
        );
    }

    fn umask(&mut self, argument: &[u8]) {
        let mask = match argument {
            b"" => None,
            digits => match octal(digits).filter(|&mask| mask <= 0o777) {
                Some(mask) => Some(mask),
                None => return self.say(texts::BAD_UMASK),
            },
        };
        self.ask(Action::Umask(mask), Question::Umask(mask.is_some()));
    }

    fn idle_limit(&mut self, argument: &[u8]) {
        let seconds = match argument {
            b"" => None,
            digits => match decimal::parse(digits) {
                Some(seconds) => Some(seconds),
                None => return self.say(texts::BAD_IDLE),
            },
        };
        self.ask(
            Action::IdleLimit(seconds),
            Question::IdleLimit(seconds.is_some()),
        );
    }
}

/// One to five octal digits.
fn octal(digits: &[u8]) -> Option<u32> {
    if digits.is_empty() || digits.len() > 5 {
        return None;
    }
    digits.iter().try_fold(0, |sum, &byte| {
        (b'0'..=b'7')
            .contains(&byte)
            .then(|| sum * 8 + u32::from(byte - b'0'))
    })
}

/// `755`, or `u+rw,go-w,a=rx` as chmod(1) has it, without `X` and without copying (`g=u`): both
/// depend on what is there and cannot be folded.
fn parse_mode(text: &[u8]) -> Option<ModeChange> {
    if text.first()?.is_ascii_digit() {
        return octal(text)
            .filter(|&mode| mode <= 0o7777)
            .map(ModeChange::Set);
    }
    let (mut keep, mut set) = (0o7777_u32, 0_u32);
    for clause in text.split(|&byte| byte == b',') {
        let who_len = clause
            .iter()
            .take_while(|byte| b"ugoa".contains(byte))
            .count();
        let (who, mut rest) = clause.split_at_checked(who_len)?;
        let who = if who.is_empty() { &b"a"[..] } else { who };
        let mask = who.iter().fold(0, |mask, letter| {
            mask | match letter {
                b'u' => 0o4700,
                b'g' => 0o2070,
                b'o' => 0o1007,
                _ => 0o7777,
            }
        });
        if rest.is_empty() {
            return None;
        }
        while let Some((&operator, tail)) = rest.split_first() {
            let letters = tail
                .iter()
                .take_while(|byte| b"rwxst".contains(byte))
                .count();
            let (letters, tail) = tail.split_at_checked(letters)?;
            rest = tail;
            let bits = mask
                & letters.iter().fold(0, |bits, letter| {
                    bits | match letter {
                        b'r' => 0o444,
                        b'w' => 0o222,
                        b'x' => 0o111,
                        b's' => 0o6000,
                        _ => 0o1000,
                    }
                });
            match operator {
                b'+' => set |= bits,
                b'-' => {
                    keep &= !bits;
                    set &= !bits;
                }
                b'=' => {
                    keep &= !mask;
                    set = set & !mask | bits;
                }
                _ => return None,
            }
        }
    }
    Some(ModeChange::Adjust { keep, set })
}

/// `YYYYMMDDhhmm[ss] path`, or `path atime mtime ctime UTC`.
fn parse_utime(argument: &[u8]) -> Option<(&[u8], FtpTime)> {
    let time = |word: &[u8]| {
        let mut digits = word.to_vec();
        if digits.len() == 12 {
            digits.extend_from_slice(b"00");
        }
        if digits.len() != 14 {
            return None;
        }
        FtpTime::parse(&digits)
            .ok()
            .filter(|time| time.seconds() >= 0)
    };
    // Three times and UTC at the end are unlikely in a name; they decide.
    if let Some(rest) = strip_utc(argument) {
        let (rest, _) = last_word(rest)?;
        let (rest, modified) = last_word(rest)?;
        let (path, _) = last_word(rest)?;
        if let Some(time) = time(modified) {
            return (!path.is_empty()).then_some((path, time));
        }
    }
    let (word, path) = split(argument);
    let time = time(word)?;
    (!path.is_empty()).then_some((path, time))
}

fn strip_utc(argument: &[u8]) -> Option<&[u8]> {
    let (rest, word) = last_word(argument.trim_ascii_end())?;
    word.eq_ignore_ascii_case(b"UTC").then_some(rest)
}

/// What stands before the last space, and the word behind it.
fn last_word(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let space = text.iter().rposition(|&byte| byte == b' ')?;
    Some((text.get(..space)?, text.get(space + 1..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_octal_or_symbolic() {
        let adjust = |keep, set| Some(ModeChange::Adjust { keep, set });
        assert_eq!(parse_mode(b"755"), Some(ModeChange::Set(0o755)));
        assert_eq!(parse_mode(b"07777"), Some(ModeChange::Set(0o7777)));
        assert_eq!(parse_mode(b"u+rwx"), adjust(0o7777, 0o700));
        assert_eq!(parse_mode(b"go-w"), adjust(0o7755, 0));
        assert_eq!(parse_mode(b"a=r"), adjust(0, 0o444));
        assert_eq!(parse_mode(b"u=rw,g+r,o-r"), adjust(0o3073, 0o640));
        assert_eq!(parse_mode(b"+x"), adjust(0o7777, 0o111));
        assert_eq!(parse_mode(b"u+s,o+t"), adjust(0o7777, 0o5000));
        assert_eq!(parse_mode(b"u+w-x"), adjust(0o7677, 0o200));
        for bad in [
            "", "8", "10000", "u", "u+q", "a+X", "g=u", ",", "u+r,", "777777",
        ] {
            assert_eq!(parse_mode(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn utime_has_two_forms() {
        let parsed = |text: &str| {
            parse_utime(text.as_bytes())
                .map(|(path, time)| (String::from_utf8(path.to_vec()).unwrap(), time.digits()))
        };
        let expect = |path: &str, digits: &[u8; 14]| Some((path.to_owned(), *digits));
        assert_eq!(parsed("200207172107 a b"), expect("a b", b"20020717210700"));
        assert_eq!(parsed("20020717210715 a"), expect("a", b"20020717210715"));
        assert_eq!(
            parsed("a b 20010101000000 20020717210715 20010101000000 UTC"),
            expect("a b", b"20020717210715")
        );
        for bad in [
            "",
            "20020717210715",
            "x y",
            "200213172107 a",
            "20020717210715.5 a",
        ] {
            assert_eq!(parsed(bad), None, "{bad}");
        }
    }

    #[test]
    fn rpl_09_passwords_are_secret() {
        assert!(is_secret(b"pswd old new"));
        assert!(!is_secret(b"CHMOD 700 pswd"));
    }
}
