//! Texts of a server, made fit for a terminal (CVE-2019-6109, CVE-2019-6110).

/// Characters of one text that are shown at the most.
const LONGEST: usize = 2000;

/// A text without control characters and without those that turn the direction of writing, which
/// could make one text look like another. Not endless.
pub(crate) fn plain(text: &str) -> String {
    text.chars()
        .map(|character| if is_safe(character) { character } else { '?' })
        .take(LONGEST)
        .collect()
}

/// The lines of such a text, empty ones left out.
pub(super) fn lines(text: &str) -> impl Iterator<Item = String> + '_ {
    text.lines()
        .map(|line| plain(line.trim_end()))
        .filter(|line| !line.trim().is_empty())
}

fn is_safe(character: char) -> bool {
    let turns = matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}');
    !character.is_control() && !turns
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SCP-32, SFT-83.
    #[test]
    fn cve_2019_6109_escape_sequences_and_turned_text_do_not_pass() {
        assert_eq!(plain("a\u{1b}[2Jb\u{9b}c\u{202e}d\r"), "a?[2Jb?c?d?");
        assert_eq!(plain(&"x".repeat(LONGEST + 1)).len(), LONGEST);
        let found: Vec<String> = lines("one\r\n\n\u{7}two\n").collect();
        assert_eq!(found, ["one", "?two"]);
    }
}
