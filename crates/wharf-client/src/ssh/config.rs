//! `~/.ssh/config` (ssh_config(5)), as far as file transfers need it.
//!
//! The first value of a keyword wins; `IdentityFile` and `CertificateFile` add up. Blocks of `Host`
//! are read with wildcards and negation, `Match all` applies, other `Match` blocks ask for things that
//! are not done here (running commands) and are passed over with a note, as is everything that is not
//! known. `Include` reads other files in place.
//!
//! This room must not open files: [`Source`] does.

use std::path::{Path, PathBuf};

use super::{UnknownHosts, pattern};

/// Files within files.
const DEEPEST: usize = 16;

/// Lines of one file that are read at the most.
const MOST_LINES: usize = 20_000;

/// Hosts on the way at the most, and files of a kind.
pub(super) const MOST_VALUES: usize = 64;

/// Where files come from.
pub(super) trait Source {
    /// The files that an `Include` names, in the order of their names, with their texts.
    fn files(&self, pattern: &Path) -> Vec<(PathBuf, String)>;
}

/// What the files say of one host; `None` where they say nothing. Paths and names as written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Values {
    pub(super) host_name: Option<String>,
    pub(super) port: Option<u16>,
    pub(super) user: Option<String>,
    pub(super) identities: Vec<String>,
    pub(super) certificates: Vec<String>,
    pub(super) identities_only: Option<bool>,
    pub(super) identity_agent: Option<String>,
    pub(super) jump: Option<String>,
    pub(super) proxy_command: Option<String>,
    pub(super) known_hosts: Option<Vec<String>>,
    pub(super) system_known_hosts: Option<Vec<String>>,
    pub(super) unknown_hosts: Option<UnknownHosts>,
    pub(super) host_key_alias: Option<String>,
    pub(super) hash_known_hosts: Option<bool>,
    pub(super) update_host_keys: Option<bool>,
    pub(super) public_key: Option<bool>,
    pub(super) password: Option<bool>,
    pub(super) interactive: Option<bool>,
    /// What could not be taken as it stands, for people.
    pub(super) notes: Vec<String>,
}

/// Reads configuration for one host.
pub(super) struct Reader<'a> {
    /// As the user named it, in lower case.
    host: &'a str,
    home: Option<&'a Path>,
    source: &'a dyn Source,
    pub(super) values: Values,
}

impl<'a> Reader<'a> {
    pub(super) fn new(host: &'a str, home: Option<&'a Path>, source: &'a dyn Source) -> Self {
        Self {
            host,
            home,
            source,
            values: Values::default(),
        }
    }

    /// Reads a file's text.
    pub(super) fn read(&mut self, path: &Path, text: &str) {
        self.read_at(path, text, true, 0);
    }

    fn read_at(&mut self, path: &Path, text: &str, outer: bool, depth: usize) {
        let mut active = outer;
        for (index, line) in text.lines().take(MOST_LINES).enumerate() {
            let Some((keyword, arguments)) = split(line) else {
                continue;
            };
            let place = || format!("{}:{}", path.display(), index + 1);
            match keyword.as_str() {
                "host" => {
                    let patterns = arguments.iter().map(String::as_str);
                    active = outer && pattern::list_matches(patterns, self.host);
                }
                "match" => {
                    let all =
                        matches!(arguments.as_slice(), [one] if one.eq_ignore_ascii_case("all"));
                    active = outer && all;
                    if outer && !all {
                        self.note(format!(
                            "{}: Match is understood only as \"Match all\"; the block is passed over",
                            place()
                        ));
                    }
                }
                _ if !active => {}
                "include" => {
                    if depth == DEEPEST {
                        self.note(format!("{}: files are included too deeply", place()));
                        continue;
                    }
                    for argument in &arguments {
                        let wanted = self.below(path, argument);
                        for (path, text) in self.source.files(&wanted) {
                            self.read_at(&path, &text, true, depth + 1);
                        }
                    }
                }
                _ => {
                    if let Err(reason) = self.set(&keyword, arguments) {
                        self.note(format!("{}: {keyword}: {reason}", place()));
                    }
                }
            }
        }
    }

    /// Relative to `~/.ssh`, or to the file's own directory for the system's.
    fn below(&self, file: &Path, argument: &str) -> PathBuf {
        let user = self.home.map(|home| home.join(".ssh"));
        let base = match user {
            Some(user) if file.starts_with(&user) => user,
            _ => file.parent().unwrap_or_else(|| Path::new("/")).to_owned(),
        };
        match (argument.strip_prefix("~/"), self.home) {
            (Some(rest), Some(home)) => home.join(rest),
            _ => base.join(argument),
        }
    }

    fn note(&mut self, text: String) {
        if self.values.notes.len() < MOST_VALUES {
            self.values.notes.push(text);
        }
    }

    fn set(&mut self, keyword: &str, mut arguments: Vec<String>) -> Result<(), &'static str> {
        let values = &mut self.values;
        if matches!(keyword, "userknownhostsfile" | "globalknownhostsfile") {
            let slot = if keyword.starts_with('u') {
                &mut values.known_hosts
            } else {
                &mut values.system_known_hosts
            };
            arguments.truncate(MOST_VALUES);
            slot.get_or_insert(arguments);
            return Ok(());
        }
        let known = [
            "hostname",
            "port",
            "user",
            "identityfile",
            "certificatefile",
            "identitiesonly",
            "identityagent",
            "proxyjump",
            "proxycommand",
            "stricthostkeychecking",
            "hostkeyalias",
            "hashknownhosts",
            "updatehostkeys",
            "pubkeyauthentication",
            "passwordauthentication",
            "kbdinteractiveauthentication",
            "challengeresponseauthentication",
        ];
        if keyword == "revokedhostkeys" {
            return Err("not supported; put a @revoked line into known_hosts instead");
        }
        if !known.contains(&keyword) {
            return Ok(());
        }
        let mut arguments = arguments.into_iter();
        let value = arguments.next().ok_or("expected a value")?;
        let text = |slot: &mut Option<String>, value: String| {
            slot.get_or_insert(value);
        };
        match keyword {
            "hostname" => text(&mut values.host_name, value),
            "user" => text(&mut values.user, value),
            "identityagent" => text(&mut values.identity_agent, value),
            "proxyjump" => {
                // Whichever of the two stands first holds, as for ssh.
                if values.proxy_command.is_none() {
                    text(&mut values.jump, value);
                }
            }
            "proxycommand" => {
                let command = std::iter::once(value).chain(arguments).collect::<Vec<_>>();
                if values.jump.is_none() {
                    text(&mut values.proxy_command, command.join(" "));
                }
            }
            "hostkeyalias" => text(&mut values.host_key_alias, value),
            "port" => {
                let port = value.parse().ok().filter(|port| *port > 0);
                let port = port.ok_or("expected a number from 1 to 65535")?;
                values.port.get_or_insert(port);
            }
            "identityfile" if values.identities.len() < MOST_VALUES => {
                values.identities.push(value);
            }
            "certificatefile" if values.certificates.len() < MOST_VALUES => {
                values.certificates.push(value);
            }
            "identityfile" | "certificatefile" => return Err("too many of them"),
            "stricthostkeychecking" => {
                let found = match value.to_ascii_lowercase().as_str() {
                    "yes" | "true" => UnknownHosts::Refuse,
                    "ask" => UnknownHosts::Ask,
                    // A changed key is refused all the same.
                    "accept-new" | "no" | "off" | "false" => UnknownHosts::Accept,
                    _ => return Err("expected yes, ask, accept-new or no"),
                };
                values.unknown_hosts.get_or_insert(found);
            }
            _ => {
                let slot = match keyword {
                    "identitiesonly" => &mut values.identities_only,
                    "hashknownhosts" => &mut values.hash_known_hosts,
                    "updatehostkeys" => &mut values.update_host_keys,
                    "pubkeyauthentication" => &mut values.public_key,
                    "passwordauthentication" => &mut values.password,
                    _ => &mut values.interactive,
                };
                let found = match value.to_ascii_lowercase().as_str() {
                    "yes" | "true" | "ask" | "unbound" | "host-bound" => true,
                    "no" | "false" => false,
                    _ => return Err("expected yes or no"),
                };
                slot.get_or_insert(found);
            }
        }
        Ok(())
    }
}

/// A keyword in lower case and its arguments; nothing for an empty line or a comment.
fn split(line: &str) -> Option<(String, Vec<String>)> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return None;
    }
    let end = line
        .find(|c: char| c.is_whitespace() || c == '=')
        .unwrap_or(line.len());
    let (keyword, rest) = line.split_at(end);
    let rest = rest.trim_start();
    let rest = rest.strip_prefix('=').unwrap_or(rest);
    Some((keyword.to_ascii_lowercase(), words(rest)))
}

/// Words, of which each may be quoted; a `#` that begins one begins a comment.
fn words(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        if first == '#' {
            break;
        }
        let mut word = String::new();
        let mut quote = None;
        let mut taken = 0;
        let mut escaped = false;
        for character in rest.chars() {
            let plain = match (quote, character) {
                _ if escaped => {
                    escaped = false;
                    if !matches!(character, '"' | '\'' | '\\') {
                        word.push('\\');
                    }
                    true
                }
                (_, '\\') => {
                    escaped = true;
                    false
                }
                (Some(open), _) if character == open => {
                    quote = None;
                    false
                }
                (None, '"' | '\'') => {
                    quote = Some(character);
                    false
                }
                (None, _) if character.is_whitespace() => break,
                _ => true,
            };
            if plain {
                word.push(character);
            }
            taken += character.len_utf8();
        }
        found.push(word);
        rest = rest.get(taken..).unwrap_or_default().trim_start();
    }
    found
}

/// What the tokens of a value stand for (ssh_config(5), TOKENS).
pub(super) struct Tokens<'a> {
    /// `%h`: the host that is connected to.
    pub(super) host: &'a str,
    /// `%n`: the host as the user named it.
    pub(super) named: &'a str,
    /// `%p`.
    pub(super) port: u16,
    /// `%r`: who logs in there.
    pub(super) remote_user: &'a str,
    /// `%u`: who runs this.
    pub(super) local_user: &'a str,
    /// `%d`, and what a leading `~` stands for.
    pub(super) home: Option<&'a Path>,
}

impl Tokens<'_> {
    /// A value with its tokens replaced; none when it has one that is not known here.
    pub(super) fn expand(&self, text: &str) -> Option<String> {
        let mut found = String::with_capacity(text.len());
        let mut characters = text.chars();
        while let Some(character) = characters.next() {
            if character != '%' {
                found.push(character);
                continue;
            }
            match characters.next()? {
                '%' => found.push('%'),
                'h' => found.push_str(self.host),
                'n' => found.push_str(self.named),
                'p' => found.push_str(&self.port.to_string()),
                'r' => found.push_str(self.remote_user),
                'u' => found.push_str(self.local_user),
                'd' => found.push_str(self.home?.to_str()?),
                _ => return None,
            }
        }
        Some(found)
    }

    /// A value that is a path.
    pub(super) fn path(&self, text: &str) -> Option<PathBuf> {
        let expanded = self.expand(text)?;
        match expanded.strip_prefix('~') {
            None => Some(PathBuf::from(expanded)),
            Some("") => self.home.map(Path::to_owned),
            Some(rest) => Some(self.home?.join(rest.strip_prefix('/')?)),
        }
    }
}

#[cfg(test)]
mod tests;
