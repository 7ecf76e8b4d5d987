//! Patterns in LIST, NLST and STAT: `*`, `?`, `[set]`, `[!set]`, `\` (DAT-82..84).
//!
//! Patterns came to fame by burning servers (CVE-2011-0762, CVE-2011-0418): braces that expand without
//! end, backtracking that is exponential in the number of stars. Here is neither. A pattern is one
//! component, its stars are merged and counted, and matching goes back to the last star only, so a
//! name costs at most `pattern * name` steps. Bytes are matched, not characters, except that `?` takes
//! a whole UTF-8 sequence. A leading dot is matched by a dot only.

use thiserror::Error;

/// Most runs of `*` in one component, after merging.
pub const STAR_LIMIT: usize = 3;
/// Longest pattern in octets.
pub const PATTERN_LIMIT: usize = 1024;

/// Why a pattern is not taken.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum PatternError {
    /// More than [`STAR_LIMIT`] stars.
    #[error("a pattern may hold {STAR_LIMIT} stars at most")]
    TooManyStars,
    /// Longer than [`PATTERN_LIMIT`].
    #[error("a pattern may be {PATTERN_LIMIT} octets long at most")]
    TooLong,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Byte(u8),
    Any,
    Star,
    Set { bits: [u64; 4], negated: bool },
}

/// A pattern for one component of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    tokens: Vec<Token>,
}

/// Whether a name holds a byte that [`Pattern`] would not take literally.
pub fn is_pattern(name: &[u8]) -> bool {
    memchr::memchr3(b'*', b'?', b'[', name).is_some() || name.contains(&b'\\')
}

impl Pattern {
    /// Reads a pattern. A `[` that is never closed stands for itself, as does a `\` at the end.
    ///
    /// # Errors
    /// [`PatternError`]: it would cost too much.
    pub fn parse(pattern: &[u8]) -> Result<Self, PatternError> {
        if pattern.len() > PATTERN_LIMIT {
            return Err(PatternError::TooLong);
        }
        let mut tokens = Vec::with_capacity(pattern.len());
        let mut stars = 0;
        let mut rest = pattern;
        while let Some((&byte, tail)) = rest.split_first() {
            rest = tail;
            match byte {
                b'*' if tokens.last() == Some(&Token::Star) => {}
                b'*' => {
                    stars += 1;
                    if stars > STAR_LIMIT {
                        return Err(PatternError::TooManyStars);
                    }
                    tokens.push(Token::Star);
                }
                b'?' => tokens.push(Token::Any),
                b'\\' => match rest.split_first() {
                    Some((&escaped, tail)) => {
                        tokens.push(Token::Byte(escaped));
                        rest = tail;
                    }
                    None => tokens.push(Token::Byte(b'\\')),
                },
                b'[' => match set(rest) {
                    Some((token, tail)) => {
                        tokens.push(token);
                        rest = tail;
                    }
                    None => tokens.push(Token::Byte(b'[')),
                },
                byte => tokens.push(Token::Byte(byte)),
            }
        }
        Ok(Self { tokens })
    }

    /// Whether the whole name matches.
    pub fn matches(&self, name: &[u8]) -> bool {
        if name.first() == Some(&b'.') && self.tokens.first() != Some(&Token::Byte(b'.')) {
            return false;
        }
        let (mut tokens, mut rest) = (self.tokens.as_slice(), name);
        // Where to go on when what follows the last star does not fit here: one byte further.
        let mut retry: Option<(&[Token], &[u8])> = None;
        loop {
            match tokens.split_first() {
                Some((Token::Star, tail)) => {
                    retry = Some((tail, rest));
                    tokens = tail;
                    continue;
                }
                Some((token, tail)) => {
                    if let Some(after) = step(token, rest) {
                        tokens = tail;
                        rest = after;
                        continue;
                    }
                }
                None if rest.is_empty() => return true,
                None => {}
            }
            match retry {
                Some((tail, from)) if !from.is_empty() => {
                    let from = from.get(1..).unwrap_or_default();
                    retry = Some((tail, from));
                    tokens = tail;
                    rest = from;
                }
                _ => return false,
            }
        }
    }
}

/// What is left of `name` after one token; `None` when it does not fit.
fn step<'a>(token: &Token, name: &'a [u8]) -> Option<&'a [u8]> {
    let (&byte, rest) = name.split_first()?;
    match token {
        Token::Byte(expected) => (byte == *expected).then_some(rest),
        Token::Any => {
            let tail = rest
                .iter()
                .take_while(|&&next| byte >= 0xc0 && next & 0xc0 == 0x80);
            rest.get(tail.take(3).count()..)
        }
        Token::Set { bits, negated } => {
            let hit = bits
                .get(usize::from(byte >> 6))
                .is_some_and(|word| word >> (byte & 63) & 1 == 1);
            (hit != *negated).then_some(rest)
        }
        Token::Star => None,
    }
}

/// Reads a set behind its `[`.
fn set(pattern: &[u8]) -> Option<(Token, &[u8])> {
    let (negated, mut rest) = match pattern.split_first()? {
        (b'!' | b'^', tail) => (true, tail),
        _ => (false, pattern),
    };
    let mut bits = [0_u64; 4];
    let mut add = |byte: u8| {
        if let Some(word) = bits.get_mut(usize::from(byte >> 6)) {
            *word |= 1 << (byte & 63);
        }
    };
    let mut first = true;
    loop {
        let (&byte, tail) = rest.split_first()?;
        rest = tail;
        if byte == b']' && !first {
            return Some((Token::Set { bits, negated }, rest));
        }
        first = false;
        let mut low = byte;
        if byte == b'\\' {
            let (&escaped, tail) = rest.split_first()?;
            low = escaped;
            rest = tail;
        }
        match rest {
            [b'-', high, tail @ ..] if *high != b']' => {
                (low..=*high).for_each(&mut add);
                rest = tail;
            }
            _ => add(low),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn matches(pattern: &str, name: &str) -> bool {
        Pattern::parse(pattern.as_bytes())
            .unwrap()
            .matches(name.as_bytes())
    }

    #[test]
    fn dat_82_stars_marks_sets_and_escapes() {
        for (pattern, name) in [
            ("*.txt", "a.txt"),
            ("*", "abc"),
            ("a*b*c", "aXbYbZc"),
            ("?", "é"),
            ("[a-c]x", "bx"),
            ("[!a-c]x", "dx"),
            ("\\*", "*"),
            ("[", "["),
            ("[]]", "]"),
            ("a\\", "a\\"),
            ("", ""),
            ("a[-]b", "a-b"),
            ("**a", "xa"),
        ] {
            assert!(matches(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [
            ("*.txt", "a.txt2"),
            ("?", "ab"),
            ("[a-c]x", "dx"),
            ("\\*", "a"),
            ("", "a"),
            ("a", ""),
            ("a*b", "ac"),
        ] {
            assert!(!matches(pattern, name), "{pattern} {name}");
        }
    }

    #[test]
    fn dat_84_a_leading_dot_wants_a_dot() {
        assert!(!matches("*", ".rc") && !matches("?rc", ".rc") && !matches("[.]rc", ".rc"));
        assert!(matches(".*", ".rc") && matches("\\.rc", ".rc"));
    }

    /// CVE-2011-0762, CVE-2011-0418: the patterns that burnt other servers are refused or cheap.
    #[test]
    fn cve_2011_0762_costly_patterns_are_refused() {
        assert_eq!(Pattern::parse(b"*a*a*a*b"), Err(PatternError::TooManyStars));
        assert_eq!(Pattern::parse(&[b'*'; 900]).unwrap().tokens.len(), 1);
        assert_eq!(Pattern::parse(&[b'?'; 1025]), Err(PatternError::TooLong));
        let name = [b'a'; 255];
        assert!(!Pattern::parse(b"*a*a*b").unwrap().matches(&name));
        assert!(!matches("{a,b}", "a"));
    }

    /// The textbook definition, exponential but plainly right.
    fn naive(tokens: &[Token], name: &[u8]) -> bool {
        match tokens.split_first() {
            None => name.is_empty(),
            Some((Token::Star, tail)) => (0..=name.len()).any(|skip| naive(tail, &name[skip..])),
            Some((token, tail)) => step(token, name).is_some_and(|rest| naive(tail, rest)),
        }
    }

    proptest! {
        #[test]
        fn matching_agrees_with_the_textbook(pattern in "[ab*?]{0,8}", name in "[ab]{0,10}") {
            if let Ok(pattern) = Pattern::parse(pattern.as_bytes()) {
                prop_assert_eq!(pattern.matches(name.as_bytes()), naive(&pattern.tokens, name.as_bytes()));
            }
        }

        #[test]
        fn a_name_with_every_byte_escaped_matches_itself_only(name in "[a-z*?\\[\\]\\\\]{1,10}", other in "[a-z*?]{1,10}") {
            let escaped: String = name.chars().flat_map(|c| ['\\', c]).collect();
            prop_assert!(matches(&escaped, &name));
            prop_assert_eq!(matches(&escaped, &other), name == other);
        }

        #[test]
        fn no_bytes_make_the_matcher_panic(
            pattern in proptest::collection::vec(any::<u8>(), 0..40), name in proptest::collection::vec(any::<u8>(), 0..40)
        ) {
            if let Ok(pattern) = Pattern::parse(&pattern) {
                let _ = pattern.matches(&name);
            }
        }
    }
}
