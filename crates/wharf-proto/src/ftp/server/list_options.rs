//! Options in front of the path of LIST, NLST and STAT.
//!
//! Clients send them as they would give them to `ls`. A fixed set of letters is understood, every
//! other is passed over, and nothing ever reaches a shell or a program (CVE-2025-14242).

use crate::ftp::server::{ListOptions, ListOrder};

/// Takes the options off the front of an argument; the rest is the path, byte for byte.
pub(super) fn parse(argument: &[u8]) -> (ListOptions, &[u8]) {
    let mut options = ListOptions::default();
    let mut rest = argument;
    loop {
        let word = rest.trim_ascii_start();
        let Some(letters) = word
            .strip_prefix(b"-")
            .filter(|letters| !matches!(letters.first(), None | Some(b' ')))
        else {
            // A blank behind the last option separates; others belong to the name.
            return (options, rest);
        };
        let end = letters
            .iter()
            .position(|&byte| byte == b' ')
            .unwrap_or(letters.len());
        let (letters, tail) = letters.split_at_checked(end).unwrap_or((letters, &[]));
        rest = tail.strip_prefix(b" ").unwrap_or(tail);
        if letters == b"-" {
            return (options, rest);
        }
        // A long option, as of GNU ls, has no meaning here.
        if !letters.starts_with(b"-") {
            letters
                .iter()
                .for_each(|&letter| apply(letter, &mut options));
        }
    }
}

fn apply(letter: u8, options: &mut ListOptions) {
    match letter {
        b'a' | b'A' => options.all = true,
        b'L' => options.follow = true,
        b'F' => options.classify = true,
        b'R' => options.recursive = true,
        b'r' => options.reverse = true,
        b'd' => options.directory_itself = true,
        b'n' => options.numeric = true,
        b'l' => options.long = true,
        b't' => options.order = ListOrder::Time,
        b'S' => options.order = ListOrder::Size,
        b'U' => options.order = ListOrder::Storage,
        b'f' => {
            options.order = ListOrder::Storage;
            options.all = true;
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_read_and_the_path_stays_as_it_is() {
        let (options, path) = parse(b"-la -t  -r a  b ");
        assert!(options.all && options.long && options.reverse);
        assert_eq!(options.order, ListOrder::Time);
        assert_eq!(path, b"a  b ");
        assert_eq!(parse(b"- x").1, b"- x");
        assert_eq!(parse(b"-a -- -x").1, b"-x");
        assert_eq!(parse(b" lead").1, b" lead");
        assert_eq!(parse(b"").1, b"");
    }

    /// CVE-2025-14242 and ProFTPD 2030: long, odd and repeated options cost nothing and do nothing.
    #[test]
    fn cve_2025_14242_odd_options_are_passed_over() {
        let odd = [
            &b"-"[..],
            &[b'B'; 5000],
            b" -\xff\x01%s%p --help -x",
            b" name",
        ]
        .concat();
        assert_eq!(parse(&odd), (ListOptions::default(), &b"name"[..]));
        assert_eq!(parse(&b"-l ".repeat(2000)).1, b"");
    }
}
