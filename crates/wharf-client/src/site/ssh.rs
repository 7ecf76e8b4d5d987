//! Places on SSH servers: where paths begin, `host:path`, and the parameters of the user.
//!
//! `sftp://host/etc` begins at the root and `sftp://host/~/x` at home (draft-ietf-secsh-scp-sftp-ssh-uri-04);
//! `scp://host/x` and `host:x` begin at home and `scp://host//etc` at the root, as OpenSSH has it. Segments
//! are the same as for FTP: a first one of `/` is the root.

use std::fmt;

use super::{Location, Scheme, Site, UrlError, decode, encode, host_and_port};
use crate::ssh::HostKeyPin;

/// The segment that stands for home.
const HOME: &str = "~";

/// Splits `[user@]host:path`: a colon before any slash, brackets around an IPv6 address.
pub(super) fn split_copy_form(text: &str) -> Option<(Option<&str>, &str, &str)> {
    let (user, rest) = match text.find(['/', '[']) {
        Some(end) => {
            let at = text.get(..end)?.rfind('@');
            match at {
                Some(at) => (text.get(..at), text.get(at + 1..)?),
                None => (None, text),
            }
        }
        None => match text.split_once(':')?.0.rfind('@') {
            Some(at) => (text.get(..at), text.get(at + 1..)?),
            None => (None, text),
        },
    };
    let (host, path) = match rest.strip_prefix('[') {
        Some(behind) => {
            let end = behind.find("]:")?;
            (rest.get(..end + 2)?, behind.get(end + 2..)?)
        }
        None => rest.split_once(':')?,
    };
    (!host.is_empty() && !host.contains('/')).then_some((user, host, path))
}

/// Reads `[user@]host:path`; nothing in it is percent-encoded.
pub(super) fn copy_form(text: &str) -> Option<Result<Location, UrlError>> {
    let (user, host, path) = split_copy_form(text)?;
    Some(host_and_port(host).and_then(|(host, _)| {
        if text.contains(['\r', '\n', '\0']) {
            return Err(UrlError::Forbidden);
        }
        let (front, path) = match path.strip_prefix('/') {
            Some(rest) => (Some(b"/".to_vec()), rest),
            None => (None, home_left_out(path)),
        };
        let segments = front
            .into_iter()
            .chain(parts(path).map(|part| part.as_bytes().to_vec()))
            .collect();
        Ok(Location {
            site: Site {
                scheme: Scheme::Scp,
                host,
                port: Scheme::Scp.port(),
                port_is_named: false,
                user: user
                    .filter(|user| !user.is_empty())
                    .map(|user| user.as_bytes().to_vec()),
                password: None,
                fingerprint: None,
            },
            segments,
            directory: path.is_empty() || path.ends_with('/'),
            kind: None,
        })
    }))
}

/// The user (and password), and the fingerprint among the parameters behind it.
pub(super) fn parameters(user_info: &str) -> Result<(&str, Option<HostKeyPin>), UrlError> {
    // A `;` may also stand in a password: parameters begin with a name.
    let begin = user_info.match_indices(';').find(|(at, _)| {
        user_info.get(at + 1..).is_some_and(|rest| {
            rest.split_once('=').is_some_and(|(name, _)| {
                !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')
            })
        })
    });
    let Some((at, _)) = begin else {
        return Ok((user_info, None));
    };
    let (user, parameters) = user_info.split_at(at);
    let mut fingerprint = None;
    for parameter in parameters.split([';', ',']) {
        if let Some(value) = parameter.strip_prefix("fingerprint=") {
            let text = String::from_utf8(decode(value)?)
                .map_err(|_| UrlError::Fingerprint(value.to_owned()))?;
            let pin = HostKeyPin::from_url(&text)
                .ok_or_else(|| UrlError::Fingerprint(value.to_owned()))?;
            fingerprint = Some(pin);
        }
    }
    Ok((user, fingerprint))
}

fn parts(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|part| !part.is_empty())
}

fn home_left_out(path: &str) -> &str {
    match path.strip_prefix(HOME) {
        Some("") => "",
        Some(rest) => rest.strip_prefix('/').unwrap_or(path),
        None => path,
    }
}

fn decoded(front: Option<Vec<u8>>, path: &str) -> Result<(Vec<Vec<u8>>, bool), UrlError> {
    let mut found: Vec<Vec<u8>> = front.into_iter().collect();
    for part in parts(path) {
        found.push(decode(part)?);
    }
    Ok((found, path.is_empty() || path.ends_with('/')))
}

/// `/x` is the root's `x`, `/~/x` home's; nothing at all is home.
pub(super) fn segments_from_root(path: &str) -> Result<(Vec<Vec<u8>>, bool), UrlError> {
    let Some(path) = path.strip_prefix('/') else {
        return decoded(None, path);
    };
    if path == HOME || path.starts_with("~/") {
        return decoded(None, home_left_out(path));
    }
    decoded(Some(b"/".to_vec()), path)
}

/// `/x` is home's `x`, `//x` the root's.
pub(super) fn segments_from_home(path: &str) -> Result<(Vec<Vec<u8>>, bool), UrlError> {
    let path = path.strip_prefix('/').unwrap_or(path);
    match path.strip_prefix('/') {
        Some(path) => decoded(Some(b"/".to_vec()), path),
        None => decoded(None, home_left_out(path)),
    }
}

/// The path of an SSH place, so that it is read back the same.
pub(super) fn write_path(location: &Location, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
    let from_root = location.segments.first().is_some_and(|first| first == b"/");
    formatter.write_str(match (location.site.scheme, from_root) {
        (Scheme::Scp, true) => "//",
        (Scheme::Scp, false) | (_, true) => "/",
        (_, false) => "/~/",
    })?;
    let shown = location.segments.iter().skip(usize::from(from_root));
    let mut empty = true;
    for segment in shown {
        if !empty {
            formatter.write_str("/")?;
        }
        if segment == HOME.as_bytes() {
            formatter.write_str("%7E")?;
        } else {
            encode(segment, formatter)?;
        }
        empty = false;
    }
    if location.directory && !empty {
        formatter.write_str("/")?;
    }
    Ok(())
}

impl Location {
    /// The path as SFTP and scp take it: from the root, or from home without a `/` in front. Home
    /// itself is `.`.
    pub(crate) fn path(&self) -> Vec<u8> {
        let mut path = Vec::new();
        for segment in &self.segments {
            if !path.is_empty() && !path.ends_with(b"/") {
                path.push(b'/');
            }
            path.extend_from_slice(segment);
        }
        if path.is_empty() {
            path.push(b'.');
        }
        path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> String {
        String::from_utf8(Location::parse(text).unwrap().path()).unwrap()
    }

    /// Section 3 of the specification: where paths begin.
    #[test]
    fn sftp_begins_at_the_root_and_scp_at_home() {
        for (text, expected) in [
            ("sftp://h/etc/motd", "/etc/motd"),
            ("sftp://h/~/a/b", "a/b"),
            ("sftp://h/~", "."),
            ("sftp://h/", "/"),
            ("sftp://h", "."),
            ("sftp://h/%7E/a", "/~/a"),
            ("sftp://h/~ann/a", "/~ann/a"),
            ("scp://h/a/b", "a/b"),
            ("scp://h//etc/motd", "/etc/motd"),
            ("scp://h/~/a", "a"),
            ("scp://h", "."),
            ("h:", "."),
            ("h:a/b c", "a/b c"),
            ("ann@h:/etc/motd", "/etc/motd"),
            ("ann@h:~/x", "x"),
            ("h:a%20b", "a%20b"),
        ] {
            assert_eq!(path(text), expected, "{text}");
        }
    }

    #[test]
    fn copy_form_is_told_from_a_local_path_as_scp_does() {
        for remote in [
            "h:x",
            "u@h:x",
            "[::1]:x",
            "u@[::1]:/x",
            "sftp://h/x",
            "h:a/b",
        ] {
            assert!(Location::is_remote(remote), "{remote}");
        }
        for local in ["./h:x", "/a:b", "a/b:c", "x", ":x", "@:x", ""] {
            assert!(!Location::is_remote(local), "{local}");
        }
        let place = Location::parse("ann@work@[::1]:x").unwrap();
        assert_eq!(place.site.user.as_deref(), Some(&b"ann@work"[..]));
        assert_eq!((place.site.host.as_str(), place.site.port), ("::1", 22));
        assert!(!place.site.port_is_named);
        assert!(Location::parse("sftp://h:22/").unwrap().site.port_is_named);
    }

    #[test]
    fn what_is_shown_is_read_back_the_same() {
        for text in [
            "sftp://h/etc/a%2Fb",
            "sftp://h/~/a/",
            "sftp://h/",
            "sftp://h",
            "sftp://u@h:2022/%7E/x",
            "scp://h//etc",
            "scp://h/a",
            "scp://h/%7E/a",
            "scp://h",
            "h:x/y/",
            "[::1]:/x",
        ] {
            let place = Location::parse(text).unwrap();
            let mut again = Location::parse(&place.to_string()).unwrap();
            again.site.port_is_named = place.site.port_is_named;
            assert_eq!(again, place, "{text} is shown as {place}");
        }
    }

    #[test]
    fn fingerprint_is_a_parameter_of_the_user() {
        let hash = "A".repeat(42) + "Q";
        let url = format!("sftp://ann;fingerprint=ssh-ed25519-{hash};x-y=1@h/");
        let site = Location::parse(&url).unwrap().site;
        assert_eq!(site.user.as_deref(), Some(&b"ann"[..]));
        assert!(site.fingerprint.is_some());
        // A password may hold a semicolon.
        let site = Location::parse("sftp://ann:a;b@h/").unwrap().site;
        assert_eq!(site.password.unwrap().expose(), b"a;b");
        assert!(matches!(
            Location::parse("sftp://ann;fingerprint=ssh-dss-c1-b1-30@h/"),
            Err(UrlError::Fingerprint(_))
        ));
    }

    #[test]
    fn line_ends_are_refused_in_every_form() {
        for text in ["h:a\nb", "u\r@h:x", "sftp://h/a%0ab", "scp://h/a%00"] {
            assert_eq!(Location::parse(text), Err(UrlError::Forbidden), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text in "[a-z@:/~%;=\\[\\]. ]{0,40}") {
            let _ = Location::parse(&text);
            let _ = Location::parse(&format!("sftp://{text}"));
            let _ = Location::parse(&format!("scp://{text}"));
        }
    }
}
