//! Patterns of hosts, as OpenSSH has them: `*`, `?`, and `!` in a list.

/// Whether a pattern with `*` (any characters) and `?` (one) matches a text as a whole. Takes time
/// in proportion to the product of the lengths at the worst.
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut at, mut seen) = (0, 0);
    // Where to go on when the last `*` must take one octet more.
    let mut again: Option<(usize, usize)> = None;
    while seen < text.len() {
        match (pattern.get(at), text.get(seen)) {
            (Some(b'*'), _) => {
                again = Some((at + 1, seen));
                at += 1;
            }
            (Some(b'?'), Some(_)) => (at, seen) = (at + 1, seen + 1),
            (Some(wanted), Some(found)) if wanted == found => (at, seen) = (at + 1, seen + 1),
            _ => {
                let Some((behind, taken)) = again else {
                    return false;
                };
                again = Some((behind, taken + 1));
                (at, seen) = (behind, taken + 1);
            }
        }
    }
    pattern
        .get(at..)
        .unwrap_or_default()
        .iter()
        .all(|byte| *byte == b'*')
}

/// Whether a list of patterns names a host: at least one matches, and none of those with `!`.
/// Letters are the same in either case; the host is in lower case already.
pub(super) fn list_matches<'a>(patterns: impl Iterator<Item = &'a str>, host: &str) -> bool {
    let mut named = false;
    for pattern in patterns {
        match pattern.strip_prefix('!') {
            Some(pattern) if matches(&pattern.to_lowercase(), host) => return false,
            Some(_) => {}
            None => named |= matches(&pattern.to_lowercase(), host),
        }
    }
    named
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn star_takes_any_and_question_mark_one() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("*", "a.b", true),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("*.example.org", "x.y.example.org", true),
            ("*.example.org", "example.org", false),
            ("a*b*c", "a1b2b3c", true),
            ("a*b*c", "a1b2b3", false),
            ("", "", true),
            ("", "a", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
        // No pattern takes time without end.
        assert!(!matches(&"*a".repeat(200), &"a".repeat(199)));
    }

    #[test]
    fn negation_takes_out_of_a_list_but_never_in() {
        let of = |list: &str, host| list_matches(list.split(','), host);
        assert!(of("*.org,!bad.org", "good.org"));
        assert!(!of("*.org,!bad.org", "bad.org"));
        assert!(!of("!bad.org", "good.org"));
        assert!(of("Host.ORG", "host.org"));
    }
}
