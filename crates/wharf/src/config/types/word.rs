//! Types that take one of a few words, some with a value behind.

use std::{net::IpAddr, str::FromStr};

use serde_json::{Value as Json, json};
use wharf_vfs::{Right, Rights};

use super::from_text;
use crate::config::{
    raw::{Node, Report, nearest},
    section::Setting,
};

/// Who may connect to a passive port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PeerCheck {
    /// The address of the control connection only.
    Exact,
    /// Addresses that share so many leading bits with it.
    Prefix {
        /// Bits of an IPv4 address.
        v4: u8,
        /// Bits of an IPv6 address.
        v6: u8,
    },
    /// Anybody.
    Off,
}

/// Bits of an IPv6 address that one customer's network has, where only the IPv4 prefix is given.
const USUAL_V6_PREFIX: u8 = 64;

impl FromStr for PeerCheck {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "exact" => return Ok(Self::Exact),
            "off" => return Ok(Self::Off),
            _ => {}
        }
        let prefixes = text
            .strip_prefix("net/")
            .ok_or("the words are exact, off and net/NN")?;
        let (v4, v6) = match prefixes.split_once('/') {
            Some((v4, v6)) => (v4.parse(), v6.parse()),
            None => (prefixes.parse(), Ok(USUAL_V6_PREFIX)),
        };
        match (v4, v6) {
            (Ok(v4 @ 8..=32), Ok(v6 @ 16..=128)) => Ok(Self::Prefix { v4, v6 }),
            _ => Err("the IPv4 prefix is 8 to 32 bits, the IPv6 prefix 16 to 128"),
        }
    }
}

/// Whose names stand in the owner and group columns of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Owners {
    /// The session's account.
    Session,
    /// The numbers that the volume knows.
    Numeric,
    /// Always these.
    Fixed {
        /// Owner column.
        owner: String,
        /// Group column.
        group: String,
    },
}

impl FromStr for Owners {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "session" => return Ok(Self::Session),
            "numeric" => return Ok(Self::Numeric),
            _ => {}
        }
        let names = text
            .strip_prefix("fixed:")
            .and_then(|names| names.split_once(':'));
        let (owner, group) = names.ok_or("the words are session, numeric and fixed:owner:group")?;
        // DAT-72: a space inside would shift the columns.
        let fits =
            |name: &str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic());
        if fits(owner) && fits(group) {
            Ok(Self::Fixed {
                owner: owner.to_owned(),
                group: group.to_owned(),
            })
        } else {
            Err("owner and group are printable ASCII without spaces")
        }
    }
}

/// An address, or a name that has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum AddressOrHost {
    /// The address.
    Address(IpAddr),
    /// The name; it is resolved again and again.
    Host(String),
}

impl FromStr for AddressOrHost {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(address) = text.parse() {
            return Ok(Self::Address(wharf_accounts::normalised(address)));
        }
        let label = |label: &str| {
            (1..=63).contains(&label.len())
                && label
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
        };
        let looks_numeric = text
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'.');
        if text.len() <= 253 && !looks_numeric && text.trim_end_matches('.').split('.').all(label) {
            Ok(Self::Host(text.to_owned()))
        } else {
            Err("write an address such as 203.0.113.7 or a name such as ftp.example.org")
        }
    }
}

/// The sets of rights that have a name.
const PRESETS: [(&str, Rights); 4] = [
    ("full", Rights::FULL),
    ("read-only", Rights::READ_ONLY),
    ("incoming", Rights::INCOMING),
    ("none", Rights::NONE),
];

impl Setting for Rights {
    const LIST: bool = true;

    fn words() -> String {
        "\"full\", \"read-only\", \"incoming\", \"none\", or a list of rights".to_owned()
    }

    fn schema() -> Json {
        let rights: Vec<_> = Right::ALL.iter().map(|(_, word)| *word).collect();
        let words: Vec<_> = PRESETS
            .iter()
            .map(|(word, _)| *word)
            .chain(rights)
            .collect();
        json!({ "anyOf": [{ "enum": words }, { "type": "array", "items": { "enum": words } }] })
    }

    fn read(node: &Node<'_>, report: &mut Report) -> Option<Self> {
        if node.as_str().is_some() {
            return one_or_preset(node, report);
        }
        let Some(elements) = node.elements() else {
            node.refuse_type(report, &Self::words());
            return None;
        };
        let read: Vec<_> = elements
            .iter()
            .map(|element| one_or_preset(element, report))
            .collect();
        let sets = read.into_iter().collect::<Option<Vec<_>>>()?;
        let granted = Right::ALL
            .iter()
            .filter(|(right, _)| sets.iter().any(|set| set.has(*right)));
        Some(granted.fold(Self::NONE, |rights, (right, _)| rights.with(*right)))
    }
}

fn one_or_preset(node: &Node<'_>, report: &mut Report) -> Option<Rights> {
    from_text(node, report, "a right", |text| {
        let preset = PRESETS
            .iter()
            .find(|(word, _)| *word == text)
            .map(|(_, rights)| *rights);
        let right = Right::ALL
            .iter()
            .find(|(_, word)| *word == text)
            .map(|(right, _)| Rights::NONE.with(*right));
        preset.or(right).ok_or_else(|| {
            let words = || {
                PRESETS
                    .iter()
                    .map(|(word, _)| *word)
                    .chain(Right::ALL.iter().map(|(_, word)| *word))
            };
            match nearest(text, words()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("the words are {}", words().collect::<Vec<_>>().join(", ")),
            }
        })
    })
}

/// A key that takes one of a few words.
macro_rules! choice {
    ($(#[doc = $text:literal])+ $name:ident { $( $(#[doc = $doc:literal])+ $variant:ident = $word:literal, )+ }) => {
        $(#[doc = $text])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum $name { $( $(#[doc = $doc])+ $variant, )+ }

        impl Setting for $name {
            fn words() -> String {
                [$(concat!("\"", $word, "\"")),+].join(" or ")
            }

            fn schema() -> Json {
                json!({ "enum": [$($word),+] })
            }

            fn read(node: &Node<'_>, report: &mut Report) -> Option<Self> {
                from_text(node, report, &Self::words(), |text| match text {
                    $( $word => Ok(Self::$variant), )+
                    other => Err(match nearest(other, [$($word),+]) {
                        Some(near) => format!("did you mean {near:?}?"),
                        None => format!("the words are {}", [$($word),+].join(", ")),
                    }),
                })
            }
        }
    };
}

choice! {
    /// The form of log lines.
    LogFormat {
        /// For people.
        Human = "human",
        /// One JSON object per line.
        Json = "json",
    }
}

choice! {
    /// The least important events that are logged.
    LogLevel {
        /// Something of ours failed.
        Error = "error",
        /// Somebody should look.
        Warning = "warning",
        /// The life of sessions and files.
        Info = "info",
        /// Every command.
        Debug = "debug",
    }
}

choice! {
    /// What kind of place a volume is.
    VolumeKind {
        /// A host directory.
        Local = "local",
        /// The server's memory: gone with the process.
        Memory = "memory",
    }
}

choice! {
    /// What opens an account over SSH.
    SshLogin {
        /// A key or the password.
        Any = "any",
        /// A key alone.
        Key = "key",
        /// The password alone.
        Password = "password",
        /// A key and the password, in either order.
        KeyAndPassword = "key+password",
    }
}

choice! {
    /// What must not go in clear.
    RequireTls {
        /// Nothing is demanded.
        No = "no",
        /// Names and passwords, and with them every command of a user.
        Login = "login",
        /// Files and listings.
        Data = "data",
        /// Both.
        Both = "both",
    }
}

choice! {
    /// Versions of TLS.
    TlsVersion {
        /// RFC 5246.
        Tls12 = "1.2",
        /// RFC 8446.
        Tls13 = "1.3",
    }
}

choice! {
    /// Whether data connections resume the session of their control connection.
    SessionReuse {
        /// They cannot.
        Off = "off",
        /// They may.
        Prefer = "prefer",
        /// They must.
        Require = "require",
    }
}

choice! {
    /// Whether clients show certificates.
    ClientCertificates {
        /// They are not asked.
        Off = "off",
        /// They may.
        Request = "request",
        /// They must.
        Require = "require",
    }
}

choice! {
    /// Levels of protection of data connections, in the words of PROT.
    DataProtection {
        /// Clear.
        Clear = "C",
        /// Private.
        Private = "P",
    }
}

choice! {
    /// What a client certificate is good for.
    CertificateRole {
        /// It stands for the password.
        Login = "login",
        /// It is needed besides the password.
        Second = "second",
    }
}

choice! {
    /// How an authority checks names.
    AcmeChallenge {
        /// RFC 8737.
        TlsAlpn01 = "tls-alpn-01",
        /// RFC 8555 section 8.3.
        Http01 = "http-01",
    }
}

choice! {
    /// What REALPATH of SFTP does with links.
    RealPath {
        /// Names only: nothing is looked at.
        Lexical = "lexical",
        /// They are followed.
        Posix = "posix",
    }
}

choice! {
    /// Which argument of SYMLINK of SFTP comes first.
    SymlinkOrder {
        /// The target.
        OpenSsh = "openssh",
        /// The link.
        Draft = "draft",
    }
}

choice! {
    /// Which files a client of TFTP can store.
    TftpWrite {
        /// None.
        Deny = "deny",
        /// Those that are there and that everybody may write.
        Existing = "existing",
        /// New ones.
        Create = "create",
        /// New ones and those that are there.
        Overwrite = "overwrite",
    }
}

choice! {
    /// Where blocks of TFTP are cut down to one packet.
    MtuCap {
        /// Nowhere: they leave as fragments.
        Off = "off",
        /// Over IPv6.
        Ipv6 = "ipv6",
        /// Over both families.
        Both = "both",
    }
}
