//! The directory that is a client's top: the same for all of a rule, or one for each client.

use std::{net::IpAddr, str::FromStr};

use wharf_vfs::{PathError, VirtualPath};

use crate::{
    mac::Mac,
    template::{Template, TemplateError},
};

/// A directory of the account's tree, with `%MAC%` and `%IP%` for what tells clients apart:
/// `/`, `/boot`, `/phones/%MAC%`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectoryPattern {
    template: Template,
    depth: usize,
}

/// Why a text is no directory for clients.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DirectoryError {
    /// It does not begin at the tree's top.
    #[error("expected a directory of the tree, beginning with `/`, such as /phones/%MAC%")]
    NotAbsolute,
    /// No path.
    #[error(transparent)]
    Path(#[from] PathError),
    /// No template.
    #[error(transparent)]
    Template(#[from] TemplateError),
}

impl DirectoryPattern {
    /// How many components it has, whoever the client is.
    pub const fn depth(&self) -> usize {
        self.depth
    }

    /// Whether it differs by hardware address.
    pub fn wants_mac(&self) -> bool {
        self.template.wants_mac()
    }

    /// The client's own; `None`: it takes a hardware address to know, and there is none.
    pub fn of(&self, peer: IpAddr, mac: Option<Mac>) -> Option<VirtualPath> {
        let filled = self.template.fill(&[], peer, mac)?;
        // An address has neither `/` nor a name of dots only: as many components as in the pattern.
        VirtualPath::parse(&VirtualPath::root(), &filled).ok()
    }
}

impl Default for DirectoryPattern {
    fn default() -> Self {
        Self {
            template: Template::root(),
            depth: 0,
        }
    }
}

impl FromStr for DirectoryPattern {
    type Err = DirectoryError;

    fn from_str(text: &str) -> Result<Self, DirectoryError> {
        if !text.starts_with('/') {
            return Err(DirectoryError::NotAbsolute);
        }
        let template = Template::parse(text, 0)?;
        let depth = VirtualPath::parse(&VirtualPath::root(), text.as_bytes())?.depth();
        Ok(Self { template, depth })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str, mac: Option<Mac>) -> Option<String> {
        let pattern: DirectoryPattern = text.parse().unwrap();
        let path = pattern.of("192.0.2.7".parse().unwrap(), mac)?;
        assert_eq!(path.depth(), pattern.depth());
        Some(path.to_string())
    }

    #[test]
    fn tft_04_each_client_has_its_own_directory() {
        let mac = Some(Mac([0, 0x1b, 0xd4, 1, 2, 3]));
        assert_eq!(of("/", None).unwrap(), "/");
        assert_eq!(of("/a//b/", None).unwrap(), "/a/b");
        assert_eq!(of("/by-ip/%IP%", None).unwrap(), "/by-ip/192.0.2.7");
        assert_eq!(
            of("/phones/%MAC%", mac).unwrap(),
            "/phones/00-1b-d4-01-02-03"
        );
        assert_eq!(of("/phones/%MAC%", None), None);
        assert_eq!(DirectoryPattern::default(), "/".parse().unwrap());
    }

    #[test]
    fn what_is_no_directory_says_why() {
        for text in ["", "phones", "/a/../b", "/$1", "/a\0b"] {
            assert!(text.parse::<DirectoryPattern>().is_err(), "{text}");
        }
    }
}
