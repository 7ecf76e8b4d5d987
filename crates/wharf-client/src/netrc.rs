//! `.netrc`: logins by host (the format of the BSD ftp client).
//!
//! Only what a login needs is read; macros are passed over. Whether the file may be trusted (its
//! permissions) is looked at where it is opened.

use crate::options::{Credentials, Secret};

/// Finds the login for a host; with `user`, only one of that user. The first match counts, `default`
/// only when nothing else matched.
#[must_use]
pub fn find(text: &str, host: &str, user: Option<&[u8]>) -> Option<Credentials> {
    let mut fallback = None;
    for entry in entries(text) {
        let (Some(login), Some(password)) = (entry.login, entry.password) else {
            continue;
        };
        if user.is_some_and(|user| user != login.as_bytes()) {
            continue;
        }
        let found = || Credentials {
            user: login.clone().into_bytes(),
            password: Secret::new(password.clone()),
        };
        match &entry.machine {
            Some(machine) if machine.eq_ignore_ascii_case(host) => return Some(found()),
            Some(_) => {}
            None => fallback = fallback.or_else(|| Some(found())),
        }
    }
    fallback
}

#[derive(Default)]
struct Entry {
    /// `None` for `default`.
    machine: Option<String>,
    login: Option<String>,
    password: Option<String>,
}

fn entries(text: &str) -> Vec<Entry> {
    let mut found = Vec::new();
    let mut current: Option<Entry> = None;
    let mut words = Words(text);
    while let Some(word) = words.next() {
        match word.as_str() {
            "machine" => {
                found.extend(current.take());
                current = words.next().map(|machine| Entry {
                    machine: Some(machine),
                    ..Entry::default()
                });
            }
            "default" => {
                found.extend(current.take());
                current = Some(Entry::default());
            }
            "login" => {
                let value = words.next();
                if let Some(entry) = &mut current {
                    entry.login = value;
                }
            }
            "password" | "passwd" => {
                let value = words.next();
                if let Some(entry) = &mut current {
                    entry.password = value;
                }
            }
            "account" => {
                words.next();
            }
            // A macro ends with an empty line.
            "macdef" => words.skip_macro(),
            _ => {}
        }
    }
    found.extend(current);
    found
}

/// Words at blanks; `"quoted ones"` with `\"` in them; `#` begins a comment at the start of a word.
struct Words<'a>(&'a str);

impl Words<'_> {
    fn skip_macro(&mut self) {
        self.0 = self
            .0
            .find("\n\n")
            .and_then(|at| self.0.get(at + 2..))
            .unwrap_or_default();
    }

    fn next(&mut self) -> Option<String> {
        loop {
            let rest = self.0.trim_start();
            match rest.chars().next()? {
                '#' => {
                    self.0 = rest
                        .find('\n')
                        .and_then(|at| rest.get(at..))
                        .unwrap_or_default()
                }
                '"' => return Some(self.quoted(rest.get(1..).unwrap_or_default())),
                _ => {
                    let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
                    let (word, behind) = rest.split_at(end);
                    self.0 = behind;
                    return Some(word.to_owned());
                }
            }
        }
    }

    fn quoted(&mut self, rest: &str) -> String
    where
        Self: Sized,
    {
        let mut out = String::new();
        let mut characters = rest.char_indices();
        let mut end = rest.len();
        while let Some((at, character)) = characters.next() {
            match character {
                '"' => {
                    end = at + 1;
                    break;
                }
                '\\' => out.extend(characters.next().map(|(_, escaped)| escaped)),
                other => out.push(other),
            }
        }
        let consumed = self.0.len() - rest.len() + end;
        self.0 = self.0.get(consumed..).unwrap_or_default();
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# mine\nmachine a.example login ann password \"p w\\\"x\"\n\
        machine b.example\n  login bob\n  account x password b0b\n\
        macdef init\nmachine evil login x password y\n\n\
        machine a.example login second password other\n\
        default login anonymous password me@\n";

    fn found(host: &str, user: Option<&str>) -> Option<(String, Vec<u8>)> {
        let credentials = find(TEXT, host, user.map(str::as_bytes))?;
        Some((
            String::from_utf8(credentials.user).unwrap(),
            credentials.password.expose().to_vec(),
        ))
    }

    #[test]
    fn first_match_of_the_host_counts() {
        assert_eq!(
            found("A.example", None),
            Some(("ann".into(), b"p w\"x".to_vec()))
        );
        assert_eq!(
            found("b.example", None),
            Some(("bob".into(), b"b0b".to_vec()))
        );
        assert_eq!(
            found("a.example", Some("second")),
            Some(("second".into(), b"other".to_vec()))
        );
    }

    #[test]
    fn default_counts_when_nothing_else_does_and_macros_are_passed_over() {
        assert_eq!(
            found("evil", None),
            Some(("anonymous".into(), b"me@".to_vec()))
        );
        assert_eq!(found("evil", Some("nobody")), None);
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text in "(machine|login|password|macdef|default|\"|\\\\|#|\n| |x){0,40}") {
            let _ = find(&text, "x", None);
        }
    }
}
