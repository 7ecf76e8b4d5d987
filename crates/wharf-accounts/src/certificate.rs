//! Client certificates and the rules that map them to accounts (RFC 2228, RFC 4217 section 10).
//!
//! A [`Certificate`] is what a verified certificate says of its holder; the TLS layer makes it, after
//! chain, validity and revocation were checked. An account lists [`CertificateRule`]s; one that
//! matches makes the certificate this account's.
//!
//! This room must not parse or verify certificates, and must not guess: every comparison is exact, an
//! empty rule is none.

use std::{fmt, str::FromStr, sync::Arc};

/// Most attributes of one subject rule.
const MAX_ATTRIBUTES: usize = 16;

/// What a verified client certificate says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// SHA-256 of the whole certificate in DER.
    pub sha256: [u8; 32],
    /// The subject's attributes in their order, as short type (`CN`, `O`, `UID`, ..; dotted numbers
    /// for a type without a short name) and value.
    pub subject: Vec<(String, String)>,
    /// The subject's alternative names.
    pub names: Vec<AlternativeName>,
}

/// A subject alternative name (RFC 5280 section 4.2.1.6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AlternativeName {
    /// A host name.
    Dns(String),
    /// An e-mail address.
    Email(String),
    /// A URI.
    Uri(String),
    /// A user principal name (Microsoft's `otherName`).
    Principal(String),
}

impl AlternativeName {
    const fn parts(&self) -> (&'static str, &String) {
        match self {
            Self::Dns(name) => ("dns", name),
            Self::Email(name) => ("email", name),
            Self::Uri(name) => ("uri", name),
            Self::Principal(name) => ("upn", name),
        }
    }

    fn matches(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Dns(one), Self::Dns(two)) => one.eq_ignore_ascii_case(two),
            (one, two) => one == two,
        }
    }
}

/// Which certificates are an account's. Written as `sha256:HEX` (colons between octets allowed),
/// `dns:NAME`, `email:ADDRESS`, `uri:URI`, `upn:NAME` or `subject:CN=anna,O=Example` (every attribute
/// named must be in the subject with this value; a backslash keeps a comma or a backslash).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CertificateRule {
    /// This one certificate, by SHA-256 of its DER.
    Fingerprint([u8; 32]),
    /// A certificate with this alternative name.
    Name(AlternativeName),
    /// A certificate whose subject has all of these attributes; never empty.
    Subject(Vec<(String, String)>),
}

impl CertificateRule {
    /// Whether `certificate` is one of those that the rule means.
    pub fn matches(&self, certificate: &Certificate) -> bool {
        match self {
            Self::Fingerprint(sha256) => *sha256 == certificate.sha256,
            Self::Name(name) => certificate.names.iter().any(|other| name.matches(other)),
            Self::Subject(wanted) => {
                !wanted.is_empty()
                    && wanted.iter().all(|(kind, value)| {
                        certificate
                            .subject
                            .iter()
                            .any(|(other, is)| kind.eq_ignore_ascii_case(other) && value == is)
                    })
            }
        }
    }
}

impl fmt::Display for CertificateRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fingerprint(sha256) => {
                f.write_str("sha256:")?;
                sha256.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
            }
            Self::Name(name) => {
                let (kind, name) = name.parts();
                write!(f, "{kind}:{name}")
            }
            Self::Subject(attributes) => {
                for (index, (kind, value)) in attributes.iter().enumerate() {
                    let before = if index == 0 { "subject:" } else { "," };
                    let value = value.replace('\\', "\\\\").replace(',', "\\,");
                    write!(f, "{before}{kind}={value}")?;
                }
                Ok(())
            }
        }
    }
}

/// A rule that is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{rule}` is no certificate rule: {reason}; write sha256:HEX, dns:NAME, email:ADDRESS, uri:URI, \
     upn:NAME or subject:CN=..,O=.."
)]
pub struct CertificateRuleError {
    rule: String,
    reason: &'static str,
}

impl FromStr for CertificateRule {
    type Err = CertificateRuleError;

    fn from_str(text: &str) -> Result<Self, CertificateRuleError> {
        let wrong = |reason| CertificateRuleError {
            rule: text.to_owned(),
            reason,
        };
        let (kind, value) = text.split_once(':').ok_or_else(|| wrong("no kind"))?;
        if value.is_empty() || value.chars().any(char::is_control) {
            return Err(wrong("empty, or with a control character"));
        }
        let value_owned = || value.to_owned();
        Ok(match kind {
            "sha256" => Self::Fingerprint(
                fingerprint(value).ok_or_else(|| wrong("a SHA-256 has 64 hexadecimal digits"))?,
            ),
            "dns" => Self::Name(AlternativeName::Dns(value_owned())),
            "email" => Self::Name(AlternativeName::Email(value_owned())),
            "uri" => Self::Name(AlternativeName::Uri(value_owned())),
            "upn" => Self::Name(AlternativeName::Principal(value_owned())),
            "subject" => Self::Subject(attributes(value).map_err(wrong)?),
            _ => return Err(wrong("unknown kind")),
        })
    }
}

fn fingerprint(text: &str) -> Option<[u8; 32]> {
    let digits: Vec<u8> = text
        .bytes()
        .filter(|octet| *octet != b':')
        .map(|octet| char::from(octet).to_digit(16))
        .map(|digit| digit.and_then(|digit| u8::try_from(digit).ok()))
        .collect::<Option<_>>()?;
    let octets: Vec<u8> = digits
        .chunks(2)
        .map(|pair| pair.iter().fold(0, |octet, digit| octet << 4 | digit))
        .collect();
    (digits.len() == 64).then_some(octets)?.try_into().ok()
}

fn attributes(text: &str) -> Result<Vec<(String, String)>, &'static str> {
    let mut parts = vec![String::new()];
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match (letter, parts.last_mut()) {
            (',', _) => parts.push(String::new()),
            ('\\', Some(part)) => part.push(letters.next().ok_or("a backslash at the end")?),
            (letter, Some(part)) => part.push(letter),
            (_, None) => {}
        }
    }
    if parts.len() > MAX_ATTRIBUTES {
        return Err("more than 16 attributes");
    }
    parts
        .iter()
        .map(|part| match part.split_once('=') {
            Some((kind, value)) if !kind.trim().is_empty() && !value.is_empty() => {
                Ok((kind.trim().to_owned(), value.to_owned()))
            }
            _ => Err("an attribute is TYPE=VALUE"),
        })
        .collect()
}

/// What a client certificate is good for (TLS-09).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CertificateRole {
    /// It stands for the password of an account that it maps to.
    #[default]
    Login,
    /// An account that lists certificates needs one of them besides its password; an account that
    /// lists none enters with the password alone.
    Second,
}

/// What protects a connection, and what TLS proved of the peer.
#[derive(Clone, Debug)]
pub enum Channel {
    /// Nothing: everybody on the way can read and change it.
    Plain {
        /// What a certificate would be good for: a second proof is not spared by leaving TLS out.
        role: CertificateRole,
    },
    /// TLS.
    Tls {
        /// The verified certificate that the peer showed.
        certificate: Option<Arc<Certificate>>,
        /// What it is good for.
        role: CertificateRole,
    },
    /// SSH.
    Ssh {
        /// What a certificate of TLS would be good for: where it is a second proof, a password alone
        /// does not do here either for the accounts that list certificates.
        role: CertificateRole,
    },
}

impl Default for Channel {
    /// Plain, and certificates are no second proof.
    fn default() -> Self {
        Self::Plain {
            role: CertificateRole::Login,
        }
    }
}

impl Channel {
    /// Whether it is protected.
    pub const fn is_secure(&self) -> bool {
        matches!(self, Self::Tls { .. } | Self::Ssh { .. })
    }

    /// Whether it is SSH, so that the account's [rules for SSH](crate::SshAccess) hold.
    pub const fn is_ssh(&self) -> bool {
        matches!(self, Self::Ssh { .. })
    }

    /// Whether the peer showed a certificate that one of `rules` means.
    pub fn proves_one_of(&self, rules: &[CertificateRule]) -> bool {
        match self {
            Self::Tls {
                certificate: Some(certificate),
                ..
            } => rules.iter().any(|rule| rule.matches(certificate)),
            _ => false,
        }
    }

    /// What a certificate is good for here.
    pub const fn role(&self) -> CertificateRole {
        match self {
            Self::Plain { role } | Self::Tls { role, .. } | Self::Ssh { role } => *role,
        }
    }
}

/// What of an account must be under TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RequireTls {
    /// What the service requires, no more.
    #[default]
    Inherit,
    /// Nothing.
    No,
    /// The login.
    Login,
    /// The transfers.
    Data,
    /// Both.
    Both,
}

impl RequireTls {
    /// Every value with the word that the configuration has for it.
    pub const ALL: [(Self, &'static str); 5] = [
        (Self::Inherit, "inherit"),
        (Self::No, "none"),
        (Self::Login, "login"),
        (Self::Data, "data"),
        (Self::Both, "both"),
    ];

    /// Its word.
    pub fn word(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|(value, _)| *value == self)
            .map_or("inherit", |(_, word)| word)
    }

    /// Whether nobody logs in to the account in plaintext.
    pub const fn login(self) -> bool {
        matches!(self, Self::Login | Self::Both)
    }

    /// Whether nothing is transferred in plaintext.
    pub const fn data(self) -> bool {
        matches!(self, Self::Data | Self::Both)
    }
}

/// A word that is none of [`RequireTls::ALL`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not one of inherit, none, login, data, both")]
pub struct RequireTlsError(String);

impl FromStr for RequireTls {
    type Err = RequireTlsError;

    fn from_str(text: &str) -> Result<Self, RequireTlsError> {
        Self::ALL
            .iter()
            .find(|(_, word)| *word == text)
            .map(|(value, _)| *value)
            .ok_or_else(|| RequireTlsError(text.to_owned()))
    }
}

impl fmt::Display for RequireTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

#[cfg(test)]
mod tests;
