//! A line cut at blanks, with the place of every word.
//!
//! The place matters: a name starts at a known offset and may hold blanks itself.

/// Words of a line, each with its offset.
pub(super) struct Words<'a> {
    line: &'a [u8],
    at: usize,
}

impl<'a> Words<'a> {
    pub(super) const fn new(line: &'a [u8]) -> Self {
        Self { line, at: 0 }
    }
}

const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

impl<'a> Iterator for Words<'a> {
    type Item = (usize, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.line.get(self.at..)?;
        let start = self.at + rest.iter().position(|b| !is_blank(*b))?;
        let word = self.line.get(start..)?;
        let length = word.iter().position(|b| is_blank(*b)).unwrap_or(word.len());
        self.at = start + length;
        Some((start, word.get(..length)?))
    }
}

/// A decimal number; `None` when anything else stands there or it does not fit.
pub(super) fn number(word: &[u8]) -> Option<u64> {
    if word.is_empty() || word.len() > 20 {
        return None;
    }
    word.iter().try_fold(0_u64, |sum, byte| {
        byte.is_ascii_digit().then_some(())?;
        sum.checked_mul(10)?.checked_add(u64::from(byte - b'0'))
    })
}

/// A number with `,`, `.` or `'` between its groups of three digits.
pub(super) fn grouped_number(word: &[u8]) -> Option<u64> {
    let digits: Vec<u8> = word
        .iter()
        .copied()
        .filter(|b| !b",.'".contains(b))
        .collect();
    number(&digits)
}
