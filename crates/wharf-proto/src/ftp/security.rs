//! The words of the security extensions that both ends share (RFC 2228, RFC 4217): mechanisms of AUTH
//! and levels of PROT.
//!
//! No TLS is done here or anywhere in this crate: the machines only say when it starts and ends.

/// How data connections are protected (PROT). The levels S and E mean nothing under TLS (RFC 4217 9).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protection {
    /// PROT C: as they are.
    #[default]
    Clear,
    /// PROT P: under TLS.
    Private,
}

impl Protection {
    /// The argument of PROT.
    pub const fn letter(self) -> &'static str {
        match self {
            Self::Clear => "C",
            Self::Private => "P",
        }
    }
}

/// What AUTH can ask for. All of them are TLS; the spellings differ in the PROT that they begin with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mechanism {
    /// `TLS`: PROT C at first (RFC 4217 4).
    #[default]
    Tls,
    /// `TLS-C`, the same.
    TlsC,
    /// `TLS-P`: PROT P at once (draft-murray-auth-ftp-ssl).
    TlsP,
    /// `SSL`, an old name for `TLS-P`.
    Ssl,
}

impl Mechanism {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Tls, Self::TlsC, Self::TlsP, Self::Ssl];

    /// The argument of AUTH.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tls => "TLS",
            Self::TlsC => "TLS-C",
            Self::TlsP => "TLS-P",
            Self::Ssl => "SSL",
        }
    }

    /// Finds a mechanism by name, without regard to case.
    pub fn find(name: &[u8]) -> Option<Self> {
        let same = |mechanism: &Self| mechanism.name().as_bytes().eq_ignore_ascii_case(name);
        Self::ALL.into_iter().find(same)
    }

    /// The PROT that is in force behind the handshake.
    pub const fn protection(self) -> Protection {
        match self {
            Self::Tls | Self::TlsC => Protection::Clear,
            Self::TlsP | Self::Ssl => Protection::Private,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tls_01_aliases_are_found_in_any_case() {
        for mechanism in Mechanism::ALL {
            let lower = mechanism.name().to_lowercase();
            assert_eq!(Mechanism::find(lower.as_bytes()), Some(mechanism));
        }
        for unknown in ["", "GSSAPI", "KERBEROS_V4", "TLSv1", "TLS ", "SSLv3"] {
            assert_eq!(Mechanism::find(unknown.as_bytes()), None, "{unknown}");
        }
    }
}
