//! What a refusal allows the client to try instead (RPL-57), as data.

use crate::ftp::reply::{Class, Code};

/// A way to reach an end, where there is more than one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Way {
    /// TLS: AUTH TLS.
    AuthTls,
    /// TLS: AUTH SSL, only when the user permits it.
    AuthSsl,
    /// Data connection: EPSV.
    ExtendedPassive,
    /// Data connection: PASV.
    Passive,
    /// Listing: MLSD.
    FactsList,
    /// Listing: LIST.
    List,
    /// Setting a time: MFMT.
    Mfmt,
    /// Setting a time: `MDTM time path`.
    MdtmSet,
    /// Setting a time: SITE UTIME.
    SiteUtime,
    /// One object's facts: MLST.
    Facts,
    /// One object's facts: SIZE and MDTM.
    SizeAndTime,
}

impl Way {
    /// The next way after `code` refused this one; `None` when the refusal stands.
    ///
    /// | way | refused with | next |
    /// | --- | --- | --- |
    /// | AUTH TLS | 500, 502, 504 | AUTH SSL |
    /// | EPSV | 4yz, 5yz | PASV |
    /// | MLSD | 500, 501, 502, 504 | LIST |
    /// | MLST | 500, 501, 502, 504 | SIZE and MDTM |
    /// | MFMT | 500, 501, 502, 504 | MDTM with a time |
    /// | MDTM with a time | 5yz | SITE UTIME |
    #[must_use]
    pub const fn next(self, code: Code) -> Option<Self> {
        let unknown_verb = matches!(code.value(), 500 | 501 | 502 | 504);
        let refused = matches!(
            code.class(),
            Class::TransientNegative | Class::PermanentNegative
        );
        match self {
            Self::AuthTls if matches!(code.value(), 500 | 502 | 504) => Some(Self::AuthSsl),
            Self::ExtendedPassive if refused => Some(Self::Passive),
            Self::FactsList if unknown_verb => Some(Self::List),
            Self::Facts if unknown_verb => Some(Self::SizeAndTime),
            Self::Mfmt if unknown_verb => Some(Self::MdtmSet),
            Self::MdtmSet if refused => Some(Self::SiteUtime),
            _ => None,
        }
    }
}
