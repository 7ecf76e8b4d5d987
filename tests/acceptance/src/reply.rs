//! One FTP reply as it came over the wire (RFC 959 4.2).

/// A reply: its code and all its lines, codes included, without line ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The three-digit code.
    pub code: u16,
    /// Every line as received, without CR LF.
    pub lines: Vec<Vec<u8>>,
}

impl Reply {
    /// The whole reply as text, lines joined by `\n`; bytes that are not UTF-8 are replaced.
    #[must_use]
    pub fn text(&self) -> String {
        let lines: Vec<_> = self
            .lines
            .iter()
            .map(|line| String::from_utf8_lossy(line).into_owned())
            .collect();
        lines.join("\n")
    }

    /// The text behind the code of the last line.
    #[must_use]
    pub fn last(&self) -> String {
        let line = self.lines.last().cloned().unwrap_or_default();
        String::from_utf8_lossy(line.get(4..).unwrap_or_default()).into_owned()
    }

    /// The lines between the first and the last one, as text.
    #[must_use]
    pub fn inner(&self) -> Vec<String> {
        let end = self.lines.len().saturating_sub(1);
        self.lines
            .get(1..end)
            .unwrap_or_default()
            .iter()
            .map(|line| String::from_utf8_lossy(line).into_owned())
            .collect()
    }

    /// Whether the reply came on one line.
    #[must_use]
    pub fn is_single_line(&self) -> bool {
        self.lines.len() == 1
    }

    /// The first double-quoted string of the reply, with doubled quotes undone (RFC 959 App. II).
    #[must_use]
    pub fn quoted(&self) -> Option<String> {
        let text = self.text();
        let mut rest = text.split_once('"')?.1.chars().peekable();
        let mut out = String::new();
        while let Some(c) = rest.next() {
            if c == '"' {
                if rest.peek() == Some(&'"') {
                    rest.next();
                } else {
                    return Some(out);
                }
            }
            out.push(c);
        }
        None
    }
}
