//! Rules that change names: a pattern with stars, and a template for what comes in its place (TFT-04).
//!
//! No regular expressions: two stars say what devices need, and the time that they take is bounded by the
//! length of the name times the length of the pattern, whatever both hold. The matcher walks the name once
//! and keeps every place of the pattern that it can be at, so no input makes it go back.
//!
//! Names are compared as [`crate::name`] has made them plain: `/` between directories, none in front.

use std::net::IpAddr;

use wharf_accounts::Network;

use crate::{
    mac::Mac,
    template::{Template, TemplateError},
};

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rewrite {
    pattern: Vec<Token>,
    template: Template,
    networks: Vec<Network>,
    ignore_case: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token {
    Octet(u8),
    /// A run of anything but `/`; counted from 0.
    Star(usize),
    /// A run of anything.
    DoubleStar(usize),
}

/// Why two texts are no rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RewriteError {
    /// Nothing, or more than [`Rewrite::MAX_PATTERN`] octets.
    #[error("`from`: expected 1 to {} octets", Rewrite::MAX_PATTERN)]
    PatternLength,
    /// More stars than `$1` to `$9` can name.
    #[error("`from`: expected at most {} stars", Rewrite::MAX_STARS)]
    Stars,
    /// Three stars in a row.
    #[error(
        "`from`: write `*` for a run without `/`, `**` for any run; more in a row mean nothing"
    )]
    StarsInARow,
    /// The template is none.
    #[error("`to`: {0}")]
    Template(#[from] TemplateError),
}

/// Where in the name a star's part begins and ends.
type Spans = [(usize, usize); Rewrite::MAX_STARS];

/// A place of the pattern that the walk is at, and what the stars took on the way there.
#[derive(Clone, Copy)]
struct Place {
    token: usize,
    spans: Spans,
}

impl Rewrite {
    /// Octets of a pattern at the most.
    pub const MAX_PATTERN: usize = 512;

    /// Stars of a pattern at the most.
    pub const MAX_STARS: usize = 9;

    /// A rule: names that are `from` become `to`, for clients of `networks` (empty: for all).
    ///
    /// In `from`, `*` stands for any run of octets without `/` and `**` for any run at all; both may be
    /// empty and take as much as they can, the first star first. `\` is `/`, and one in front does not
    /// count. In `to`, `$1` to `$9` are what the stars took, `$$` is a `$`, `%MAC%` and `%IP%` are the
    /// client's addresses; a rule with `%MAC%` holds for clients only whose hardware address is known.
    ///
    /// # Errors
    /// [`RewriteError`], for whoever wrote the rule.
    pub fn new(
        from: &str,
        to: &str,
        networks: Vec<Network>,
        ignore_case: bool,
    ) -> Result<Self, RewriteError> {
        let (pattern, stars) = pattern(from)?;
        Ok(Self {
            pattern,
            template: Template::parse(to, stars)?,
            networks,
            ignore_case,
        })
    }

    /// Whether it depends on a client's hardware address.
    pub fn wants_mac(&self) -> bool {
        self.template.wants_mac()
    }

    /// What becomes of a plain name; `None`: the rule does not hold for it. More than
    /// [`wharf_vfs::VirtualPath::MAX_LENGTH`] octets come out of a template that grew beyond all names,
    /// and are cut anywhere behind that: such a result must be refused.
    pub fn apply(&self, name: &[u8], peer: IpAddr, mac: Option<Mac>) -> Option<Vec<u8>> {
        if !self.networks.is_empty() && !self.networks.iter().any(|net| net.contains(peer)) {
            return None;
        }
        let spans = self.find(name)?;
        let taken = spans.map(|(from, to)| name.get(from..to).unwrap_or_default());
        self.template.fill(&taken, peer, mac)
    }

    /// What each star takes of a name that is the pattern, whole.
    fn find(&self, name: &[u8]) -> Option<Spans> {
        let mut now = Places::new(self.pattern.len());
        let mut next = Places::new(self.pattern.len());
        let start = Place {
            token: 0,
            spans: [(0, 0); Self::MAX_STARS],
        };
        self.arrive(&mut now, start, 0);
        for (at, octet) in name.iter().enumerate() {
            next.clear();
            for place in &now.list {
                let goes_on = match self.pattern.get(place.token) {
                    Some(Token::Octet(wanted)) if self.same(*wanted, *octet) => Place {
                        token: place.token + 1,
                        ..*place
                    },
                    Some(Token::Star(_)) if *octet != b'/' => *place,
                    Some(Token::DoubleStar(_)) => *place,
                    _ => continue,
                };
                let stays = goes_on.token == place.token;
                if stays {
                    self.stay(&mut next, goes_on, at + 1);
                } else {
                    self.arrive(&mut next, goes_on, at + 1);
                }
            }
            if next.list.is_empty() {
                return None;
            }
            std::mem::swap(&mut now, &mut next);
        }
        now.list
            .iter()
            .find(|place| place.token == self.pattern.len())
            .map(|place| place.spans)
    }

    /// A new place, and all that follow from it without another octet: stars may be empty.
    fn arrive(&self, places: &mut Places, mut place: Place, at: usize) {
        if let Some(Token::Star(star) | Token::DoubleStar(star)) = self.pattern.get(place.token) {
            if let Some(span) = place.spans.get_mut(*star) {
                *span = (at, at);
            }
            self.stay(places, place, at);
        } else {
            places.add(place);
        }
    }

    /// The place of a star that took what is before `at`: it may take more, or be done.
    fn stay(&self, places: &mut Places, mut place: Place, at: usize) {
        if let Some(Token::Star(star) | Token::DoubleStar(star)) = self.pattern.get(place.token)
            && let Some(span) = place.spans.get_mut(*star)
        {
            span.1 = at;
        }
        if places.add(place) {
            place.token += 1;
            self.arrive(places, place, at);
        }
    }

    const fn same(&self, wanted: u8, octet: u8) -> bool {
        if self.ignore_case {
            wanted.eq_ignore_ascii_case(&octet)
        } else {
            wanted == octet
        }
    }
}

/// The places that the walk is at, the preferred first, each once.
struct Places {
    list: Vec<Place>,
    seen: Vec<bool>,
}

impl Places {
    /// Room for a pattern of so many tokens.
    fn new(tokens: usize) -> Self {
        Self {
            list: Vec::new(),
            seen: vec![false; tokens + 1],
        }
    }

    fn clear(&mut self) {
        for place in self.list.drain(..) {
            if let Some(seen) = self.seen.get_mut(place.token) {
                *seen = false;
            }
        }
    }

    /// False: it is there already, by a preferred way.
    fn add(&mut self, place: Place) -> bool {
        match self.seen.get_mut(place.token) {
            Some(seen) if !*seen => *seen = true,
            _ => return false,
        }
        self.list.push(place);
        true
    }
}

/// The tokens of a pattern, and how many of them are stars.
fn pattern(from: &str) -> Result<(Vec<Token>, usize), RewriteError> {
    let from = from.strip_prefix(['/', '\\']).unwrap_or(from);
    if from.is_empty() || from.len() > Rewrite::MAX_PATTERN {
        return Err(RewriteError::PatternLength);
    }
    let mut tokens = Vec::with_capacity(from.len());
    let mut stars = 0;
    let mut rest = from.as_bytes();
    while let Some((&first, behind)) = rest.split_first() {
        rest = match (first, behind) {
            (b'*', [b'*', b'*', ..]) => return Err(RewriteError::StarsInARow),
            (b'*', [b'*', behind @ ..]) => {
                tokens.push(Token::DoubleStar(stars));
                stars += 1;
                behind
            }
            (b'*', _) => {
                tokens.push(Token::Star(stars));
                stars += 1;
                behind
            }
            // As in names: some write it so.
            (b'\\', _) => {
                tokens.push(Token::Octet(b'/'));
                behind
            }
            _ => {
                tokens.push(Token::Octet(first));
                behind
            }
        };
    }
    if stars > Rewrite::MAX_STARS {
        return Err(RewriteError::Stars);
    }
    Ok((tokens, stars))
}

#[cfg(test)]
mod tests;
