//! The types that keys have, and how each is written.
//!
//! A type reads itself from TOML or complains in words that tell how to write it. Here are the plain
//! ones; [`measure`] has numbers with units, [`word`] those that take one of a few words.

mod measure;
mod word;

use std::{fmt::Display, net::SocketAddr, ops::RangeInclusive, path::PathBuf, str::FromStr};

use serde_json::{Value as Json, json};
use toml_edit::Value;
use wharf_accounts::{AccountName, CertificateRule, Network, Secret};
use wharf_tftp::{directory::DirectoryPattern, mac::MacPattern};
use wharf_vfs::VirtualPath;

pub(crate) use self::{
    measure::{Bytes, Moment, Rate, Umask},
    word::{
        AcmeChallenge, AddressOrHost, CertificateRole, ClientCertificates, DataProtection,
        LogFormat, LogLevel, MtuCap, Owners, PeerCheck, RealPath, RequireTls, SessionReuse,
        SshLogin, SymlinkOrder, TftpWrite, TlsVersion, VolumeKind,
    },
};
use super::{
    raw::{Node, Report},
    section::{Key, Setting},
};

/// Reads a text and makes something of it.
fn from_text<T, E: Display>(
    node: &Node<'_>,
    report: &mut Report,
    expected: &str,
    make: impl FnOnce(&str) -> Result<T, E>,
) -> Option<T> {
    let Some(text) = node.as_str() else {
        node.refuse_type(report, expected);
        return None;
    };
    make(text)
        .map_err(|error| {
            node.refuse(
                report,
                format_args!("expected {expected}, found {text:?}"),
                Some(error.to_string()),
            )
        })
        .ok()
}

impl Setting for bool {
    fn words() -> String {
        "true or false".to_owned()
    }

    fn schema() -> Json {
        json!({ "type": "boolean" })
    }

    fn read(node: &Node<'_>, report: &mut Report) -> Option<Self> {
        let value = node.as_value().and_then(Value::as_bool);
        if value.is_none() {
            node.refuse_type(report, "true or false");
        }
        value
    }
}

/// Whole numbers; the words give the greatest.
macro_rules! whole_number {
    ($($type:ty: $expected:literal;)+) => { $(
        impl Setting for $type {
            fn words() -> String {
                "whole number".to_owned()
            }

            fn schema() -> Json {
                json!({ "type": "integer", "minimum": 0 })
            }

            fn read(node: &Node<'_>, report: &mut Report) -> Option<Self> {
                let value = node.as_value().and_then(Value::as_integer).and_then(|number| Self::try_from(number).ok());
                if value.is_none() {
                    node.refuse_type(report, $expected);
                }
                value
            }

            fn number(&self) -> Option<u64> {
                u64::try_from(*self).ok()
            }
        }
    )+ };
}

whole_number! {
    u16: "a whole number from 0 to 65535";
    u32: "a whole number from 0 to 4294967295";
    usize: "a whole number of at least 0";
}

impl Setting for String {
    fn words() -> String {
        "text".to_owned()
    }

    fn schema() -> Json {
        json!({ "type": "string" })
    }

    fn read(node: &Node<'_>, report: &mut Report) -> Option<Self> {
        let text = node.as_str();
        if text.is_none() {
            node.refuse_type(report, "text");
        }
        text.map(str::to_owned)
    }
}

impl Setting for Secret {
    fn words() -> String {
        "text (secret)".to_owned()
    }

    fn schema() -> Json {
        json!({ "type": "string", "writeOnly": true })
    }

    fn read(node: &Node<'_>, report: &mut Report) -> Option<Self> {
        let Some(text) = node.as_str() else {
            // What was found is not told: it may be the secret.
            node.refuse(report, "expected text in quotes", None);
            return None;
        };
        Some(Self::new(text))
    }
}

impl Setting for PathBuf {
    fn words() -> String {
        "host path".to_owned()
    }

    fn schema() -> Json {
        json!({ "type": "string" })
    }

    fn read(node: &Node<'_>, report: &mut Report) -> Option<Self> {
        let base = node.origin.directory();
        from_text(node, report, "a host path", |text| {
            if text.is_empty() || text.contains('\0') {
                return Err("write `.` for the directory of the configuration file");
            }
            Ok(base.map_or_else(|| Self::from(text), |base| base.join(text)))
        })
    }
}

impl<T: Setting> Setting for Option<T> {
    const LIST: bool = T::LIST;
    const FIELDS: &'static [Key] = T::FIELDS;

    fn words() -> String {
        T::words()
    }

    fn schema() -> Json {
        T::schema()
    }

    fn read(node: &Node<'_>, report: &mut Report) -> Option<Self> {
        T::read(node, report).map(Some)
    }

    fn absent() -> Option<Self> {
        Some(None)
    }

    fn number(&self) -> Option<u64> {
        self.as_ref().and_then(T::number)
    }
}

impl<T: Setting> Setting for Vec<T> {
    const LIST: bool = true;
    const FIELDS: &'static [Key] = T::FIELDS;

    fn words() -> String {
        format!("list of: {}", T::words())
    }

    fn schema() -> Json {
        json!({ "type": "array", "items": T::schema() })
    }

    fn read(node: &Node<'_>, report: &mut Report) -> Option<Self> {
        let Some(elements) = node.elements() else {
            node.refuse_type(report, &format!("a {}", Self::words()));
            return None;
        };
        // All elements are read, so that all their problems are told.
        let read: Vec<_> = elements
            .iter()
            .map(|element| {
                report.saw(element);
                T::read(element, report)
            })
            .collect();
        read.into_iter().collect()
    }
}

/// Types that are written as text and read with `FromStr`.
macro_rules! written_as_text {
    ($($type:ty: $words:literal;)+) => { $(
        impl Setting for $type {
            fn words() -> String {
                $words.to_owned()
            }

            fn schema() -> Json {
                json!({ "type": "string" })
            }

            fn read(node: &Node<'_>, report: &mut Report) -> Option<Self> {
                from_text(node, report, $words, <$type>::from_str)
            }
        }
    )+ };
}

written_as_text! {
    SocketAddr: "address and port, such as \"0.0.0.0:2121\" or \"[::]:2121\"";
    Network: "network, such as \"192.0.2.0/24\" or \"2001:db8::/32\"";
    PeerCheck: "\"exact\", \"off\" or \"net/24\" (\"net/24/64\" gives the IPv6 prefix too)";
    Owners: "\"session\", \"numeric\" or \"fixed:owner:group\"";
    AddressOrHost: "IP address or host name";
    CertificateRule: "certificate rule, such as \"sha256:HEX\", \"dns:NAME\", \"email:ADDRESS\" or \"subject:CN=anna,O=Example\"";
    MacPattern: "hardware address, such as \"00:11:22:33:44:55\", or the beginning of some, such as \"00:11:22:*\"";
    DirectoryPattern: "virtual path, in which %MAC% and %IP% stand for the client's own";
    Umask: "octal number in quotes, such as \"022\"";
}

impl Setting for AccountName {
    fn words() -> String {
        "account name".to_owned()
    }

    fn schema() -> Json {
        json!({ "type": "string", "minLength": 1 })
    }

    fn read(node: &Node<'_>, report: &mut Report) -> Option<Self> {
        from_text(node, report, "an account name", |text| {
            Self::parse(text.as_bytes())
        })
    }
}

impl Setting for VirtualPath {
    fn words() -> String {
        "virtual path".to_owned()
    }

    fn schema() -> Json {
        json!({ "type": "string", "pattern": "^/" })
    }

    fn read(node: &Node<'_>, report: &mut Report) -> Option<Self> {
        from_text(node, report, "a virtual path", |text| {
            match text.strip_prefix('/') {
                Some(_) => {
                    Self::parse(&Self::root(), text.as_bytes()).map_err(|error| error.to_string())
                }
                None => Err("a virtual path begins with `/`".to_owned()),
            }
        })
    }
}

impl Setting for RangeInclusive<u16> {
    fn words() -> String {
        "port range, such as \"49152-65534\"".to_owned()
    }

    fn schema() -> Json {
        json!({ "type": "string", "pattern": "^[0-9]+(-[0-9]+)?$" })
    }

    fn read(node: &Node<'_>, report: &mut Report) -> Option<Self> {
        from_text(node, report, "a port range", |text| {
            let (first, last) = text.split_once('-').unwrap_or((text, text));
            let port = |text: &str| text.trim().parse::<u16>().ok().filter(|port| *port > 0);
            match (port(first), port(last)) {
                (Some(first), Some(last)) if first <= last => Ok(first..=last),
                (Some(first), Some(last)) => Err(format!(
                    "the range is empty; did you mean \"{last}-{first}\"?"
                )),
                _ => Err("write two ports from 1 to 65535 with a dash between".to_owned()),
            }
        })
    }
}
