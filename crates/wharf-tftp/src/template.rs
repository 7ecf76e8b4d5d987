//! A text with places that are filled in for a client: what a star took, its hardware address, its
//! address.
//!
//! `$1` to `$9`, `$$` for a `$`, `%MAC%` (`00-1b-d4-aa-bb-cc`), `%IP%` (`192.0.2.7`); all else stands for
//! itself. What comes out is a name like one that a client sent: whoever uses it must judge it anew.

use std::{io::Write as _, net::IpAddr};

use crate::mac::Mac;

/// A template, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Template(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(Vec<u8>),
    /// What the star with this number took; counted from 0.
    Taken(usize),
    Mac,
    Ip,
}

/// Why a text is no template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// Longer than a template may be.
    #[error("expected at most {} octets", Template::MAX_LENGTH)]
    TooLong,
    /// A `$` that is followed by neither a digit from 1 nor another `$`.
    #[error("a `$` stands for a star's part ($1 to $9); write `$$` where the sign itself is meant")]
    Dollar,
    /// A star that the pattern does not have.
    #[error("`${asked}` asks for a star that is not there: the pattern has {stars}")]
    NoStar {
        /// What is asked for.
        asked: usize,
        /// How many there are.
        stars: usize,
    },
    /// A `..`, which never leads anywhere, or a NUL.
    #[error("`..` and NUL have no place in a name")]
    Outside,
}

impl Template {
    /// Octets of a template at the most.
    pub(crate) const MAX_LENGTH: usize = 512;

    /// Octets of what comes out at the most; more tells that it is too long.
    pub(crate) const MAX_RESULT: usize = wharf_vfs::VirtualPath::MAX_LENGTH;

    /// The template `/`.
    pub(crate) fn root() -> Self {
        Self(vec![Part::Text(b"/".to_vec())])
    }

    /// Reads a template for a pattern of `stars` stars.
    pub(crate) fn parse(text: &str, stars: usize) -> Result<Self, TemplateError> {
        if text.len() > Self::MAX_LENGTH {
            return Err(TemplateError::TooLong);
        }
        if text.split(['/', '\\']).any(|name| name == "..") || text.contains('\0') {
            return Err(TemplateError::Outside);
        }
        let mut parts = Vec::new();
        let mut rest = text.as_bytes();
        while let Some((&first, behind)) = rest.split_first() {
            rest = match (first, behind) {
                (b'$', [b'$', behind @ ..]) => {
                    push(&mut parts, b'$');
                    behind
                }
                (b'$', [digit @ b'1'..=b'9', behind @ ..]) => {
                    let asked = usize::from(digit - b'0');
                    if asked > stars {
                        return Err(TemplateError::NoStar { asked, stars });
                    }
                    parts.push(Part::Taken(asked - 1));
                    behind
                }
                (b'$', _) => return Err(TemplateError::Dollar),
                (b'%', [b'M', b'A', b'C', b'%', behind @ ..]) => {
                    parts.push(Part::Mac);
                    behind
                }
                (b'%', [b'I', b'P', b'%', behind @ ..]) => {
                    parts.push(Part::Ip);
                    behind
                }
                _ => {
                    push(&mut parts, first);
                    behind
                }
            };
        }
        Ok(Self(parts))
    }

    /// Whether it can be filled in only for a client whose hardware address is known.
    pub(crate) fn wants_mac(&self) -> bool {
        self.0.contains(&Part::Mac)
    }

    /// What comes out; `None`: the hardware address is wanted and not known. Stops behind
    /// [`MAX_RESULT`](Self::MAX_RESULT) octets.
    pub(crate) fn fill(&self, taken: &[&[u8]], peer: IpAddr, mac: Option<Mac>) -> Option<Vec<u8>> {
        let mut filled = Vec::with_capacity(64);
        for part in &self.0 {
            if filled.len() > Self::MAX_RESULT {
                break;
            }
            match part {
                Part::Text(text) => filled.extend_from_slice(text),
                Part::Taken(star) => filled.extend_from_slice(taken.get(*star).copied()?),
                Part::Mac => write!(filled, "{}", mac?).ok()?,
                Part::Ip => write!(filled, "{}", peer.to_canonical()).ok()?,
            }
        }
        Some(filled)
    }
}

fn push(parts: &mut Vec<Part>, octet: u8) {
    if let Some(Part::Text(text)) = parts.last_mut() {
        text.push(octet);
    } else {
        parts.push(Part::Text(vec![octet]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(text: &str, taken: &[&[u8]], mac: Option<Mac>) -> Option<String> {
        Template::parse(text, taken.len())
            .unwrap()
            .fill(taken, "::ffff:192.0.2.7".parse().unwrap(), mac)
            .map(|filled| String::from_utf8(filled).unwrap())
    }

    #[test]
    fn every_place_is_filled_in() {
        let mac = Some(Mac([0, 0x1b, 0xd4, 1, 2, 3]));
        assert_eq!(
            fill("a/%MAC%/%IP%/$2-$1$$/100%/%mac%", &[b"x", b"y"], mac).unwrap(),
            "a/00-1b-d4-01-02-03/192.0.2.7/y-x$/100%/%mac%"
        );
    }

    #[test]
    fn an_unknown_hardware_address_fills_nothing() {
        assert_eq!(fill("a/%MAC%", &[], None), None);
        assert_eq!(fill("a/%IP%", &[], None).unwrap(), "a/192.0.2.7");
    }

    #[test]
    fn what_is_no_template_says_why() {
        assert_eq!(Template::parse("$", 1), Err(TemplateError::Dollar));
        assert_eq!(Template::parse("$0", 1), Err(TemplateError::Dollar));
        assert_eq!(
            Template::parse("$2", 1),
            Err(TemplateError::NoStar { asked: 2, stars: 1 })
        );
        assert_eq!(Template::parse("a/../$1", 1), Err(TemplateError::Outside));
        assert_eq!(Template::parse(r"a\..", 0), Err(TemplateError::Outside));
        assert_eq!(
            Template::parse(&"a".repeat(513), 0),
            Err(TemplateError::TooLong)
        );
    }

    #[test]
    fn the_result_does_not_grow_without_end() {
        let long = vec![b'a'; 2048];
        let filled = Template::parse(&"$1".repeat(256), 1)
            .unwrap()
            .fill(&[&long], "192.0.2.7".parse().unwrap(), None)
            .unwrap();
        assert!(filled.len() > Template::MAX_RESULT);
        assert!(filled.len() <= Template::MAX_RESULT + long.len());
    }
}
