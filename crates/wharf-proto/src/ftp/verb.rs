//! The table of verbs: what each is called, when it may be said, what it takes.
//!
//! One table for server and client. Whether a verb is legal in a state, needs a login, writes, may
//! run long, stands in FEAT or HELP is read from here and asked at one spot, so that a new verb
//! cannot forget a check. Words that the standards know and this server does not offer are here too:
//! they answer 502 instead of 500 and do not count as abuse.
//!
//! Lookup packs up to eight upper-case letters into one integer and probes a hash table made at
//! compile time: no allocation, no comparison of strings.

use std::fmt;

/// When a verb may be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Legal {
    /// At any time, before the login too. The list of these verbs is closed (CVE-2015-3306).
    Always,
    /// After USER, else 503.
    AfterUser,
    /// After the login, else 530.
    LoggedIn,
}

/// What a verb takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Argument {
    /// Nothing: anything but blanks is 501.
    None,
    /// Nothing, but what is there is not looked at.
    Ignored,
    /// One or none.
    Optional,
    /// One, not empty: 501 without.
    Required,
    /// Text that may be empty.
    Text,
}

/// What a verb may do besides answering.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effect {
    /// It changes what is stored.
    pub writes: bool,
    /// It may run long: ABOR ends it.
    pub long: bool,
}

const NONE: Effect = Effect {
    writes: false,
    long: false,
};
const WRITES: Effect = Effect {
    writes: true,
    long: false,
};
const LONG: Effect = Effect {
    writes: false,
    long: true,
};
const WRITES_LONG: Effect = Effect {
    writes: true,
    long: true,
};

/// One row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// The verb.
    pub verb: Verb,
    /// How it is written, upper case.
    pub name: &'static str,
    /// Other spellings: RFC 775's X forms, names that broken middle boxes make.
    pub aliases: &'static [&'static str],
    /// The RFC that says most about it; 0 for drafts and practice.
    pub rfc: u16,
    /// When it may be said.
    pub legal: Legal,
    /// What it takes.
    pub argument: Argument,
    /// What it may do.
    pub effect: Effect,
    /// Its line in FEAT. HASH and MLST have parameters behind it.
    pub feature: Option<&'static str>,
    /// Its syntax for HELP; `None`: a known word that is not offered (502).
    pub syntax: Option<&'static str>,
}

macro_rules! verbs {
    ($(
        $verb:ident = $name:literal [$($alias:literal),*], $rfc:literal, $legal:ident, $argument:ident, $effect:ident, $feature:expr, $syntax:expr;
    )*) => {
        /// A verb that the standards know.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum Verb {
            $(#[doc = $name] $verb,)*
        }

        /// All verbs, in the order of [`Verb`].
        pub static TABLE: &[Row] = &[$(Row {
            verb: Verb::$verb,
            name: $name,
            aliases: &[$($alias),*],
            rfc: $rfc,
            legal: Legal::$legal,
            argument: Argument::$argument,
            effect: $effect,
            feature: $feature,
            syntax: $syntax,
        },)*];

        /// Every spelling with its verb, for the hash table.
        const SPELLINGS: &[(u64, Verb)] = &[$(
            (key($name.as_bytes()), Verb::$verb),
            $((key($alias.as_bytes()), Verb::$verb),)*
        )*];
    };
}

#[rustfmt::skip]
verbs! {
    User = "USER" [], 959, Always, Required, NONE, None, Some("USER <SP> name");
    Pass = "PASS" [], 959, AfterUser, Text, NONE, None, Some("PASS <SP> password");
    Acct = "ACCT" [], 959, Always, Text, NONE, None, Some("ACCT <SP> account");
    Rein = "REIN" [], 959, Always, None, NONE, None, Some("REIN");
    Quit = "QUIT" [], 959, Always, Ignored, NONE, None, Some("QUIT");
    Cwd = "CWD" ["XCWD"], 959, LoggedIn, Required, NONE, None, Some("CWD <SP> path");
    Cdup = "CDUP" ["XCUP"], 959, LoggedIn, None, NONE, None, Some("CDUP");
    Pwd = "PWD" ["XPWD"], 959, LoggedIn, Ignored, NONE, None, Some("PWD");
    Port = "PORT" [], 959, LoggedIn, Required, NONE, None, Some("PORT <SP> h1,h2,h3,h4,p1,p2");
    Eprt = "EPRT" [], 2428, LoggedIn, Required, NONE, Some("EPRT"), Some("EPRT <SP> |protocol|address|port|");
    Pasv = "PASV" ["P@SW"], 959, LoggedIn, None, NONE, None, Some("PASV");
    Epsv = "EPSV" [], 2428, LoggedIn, Optional, NONE, Some("EPSV"), Some("EPSV [<SP> 1|2|ALL]");
    Type = "TYPE" [], 959, LoggedIn, Required, NONE, None, Some("TYPE <SP> A [N|T|C] | I | L 8");
    Stru = "STRU" [], 959, LoggedIn, Required, NONE, None, Some("STRU <SP> F");
    Mode = "MODE" [], 959, LoggedIn, Required, NONE, None, Some("MODE <SP> S");
    Opts = "OPTS" [], 2389, Always, Required, NONE, None, Some("OPTS <SP> feature [<SP> parameters]");
    Help = "HELP" [], 959, Always, Optional, NONE, None, Some("HELP [<SP> command]");
    Feat = "FEAT" [], 2389, Always, None, NONE, None, Some("FEAT");
    Syst = "SYST" [], 959, Always, Ignored, NONE, None, Some("SYST");
    Noop = "NOOP" [], 959, Always, Ignored, NONE, None, Some("NOOP");
    Stat = "STAT" [], 959, Always, Optional, NONE, None, Some("STAT [<SP> path]");
    Abor = "ABOR" [], 959, Always, Ignored, NONE, None, Some("ABOR");
    Retr = "RETR" [], 959, LoggedIn, Required, LONG, None, Some("RETR <SP> path");
    Stor = "STOR" [], 959, LoggedIn, Required, WRITES_LONG, None, Some("STOR <SP> path");
    Stou = "STOU" [], 959, LoggedIn, Optional, WRITES_LONG, None, Some("STOU [<SP> hint]");
    Appe = "APPE" [], 959, LoggedIn, Required, WRITES_LONG, None, Some("APPE <SP> path");
    Allo = "ALLO" [], 959, LoggedIn, Required, WRITES, None, Some("ALLO <SP> octets [<SP> R <SP> octets]");
    Rest = "REST" [], 3659, LoggedIn, Required, NONE, Some("REST STREAM"), Some("REST <SP> octets");
    Rnfr = "RNFR" [], 959, LoggedIn, Required, NONE, None, Some("RNFR <SP> path");
    Rnto = "RNTO" [], 959, LoggedIn, Required, WRITES, None, Some("RNTO <SP> path");
    Dele = "DELE" [], 959, LoggedIn, Required, WRITES, None, Some("DELE <SP> path");
    Rmd = "RMD" ["XRMD"], 959, LoggedIn, Required, WRITES, None, Some("RMD <SP> path");
    Mkd = "MKD" ["XMKD"], 959, LoggedIn, Required, WRITES, None, Some("MKD <SP> path");
    List = "LIST" [], 959, LoggedIn, Optional, LONG, None, Some("LIST [<SP> -options] [<SP> path]");
    Nlst = "NLST" [], 959, LoggedIn, Optional, LONG, None, Some("NLST [<SP> -options] [<SP> path]");
    Mlsd = "MLSD" [], 3659, LoggedIn, Optional, LONG, None, Some("MLSD [<SP> path]");
    Mlst = "MLST" [], 3659, LoggedIn, Optional, NONE, Some("MLST"), Some("MLST [<SP> path]");
    Size = "SIZE" [], 3659, LoggedIn, Required, NONE, Some("SIZE"), Some("SIZE <SP> path");
    Mdtm = "MDTM" [], 3659, LoggedIn, Required, NONE, Some("MDTM"), Some("MDTM <SP> path");
    Mfmt = "MFMT" [], 0, LoggedIn, Required, WRITES, Some("MFMT"), Some("MFMT <SP> YYYYMMDDHHMMSS <SP> path");
    Site = "SITE" [], 959, LoggedIn, Required, NONE, None, Some("SITE <SP> subcommand");
    Hash = "HASH" [], 0, LoggedIn, Required, LONG, Some("HASH"), Some("HASH <SP> path");
    Xcrc = "XCRC" [], 0, LoggedIn, Required, LONG, Some("XCRC"), Some("XCRC <SP> path [<SP> start [<SP> end]]");
    Xmd5 = "XMD5" [], 0, LoggedIn, Required, LONG, Some("XMD5"), Some("XMD5 <SP> path [<SP> start [<SP> end]]");
    Xsha1 = "XSHA1" ["XSHA"], 0, LoggedIn, Required, LONG, Some("XSHA1"), Some("XSHA1 <SP> path [<SP> start [<SP> end]]");
    Xsha256 = "XSHA256" [], 0, LoggedIn, Required, LONG, Some("XSHA256"), Some("XSHA256 <SP> path [<SP> start [<SP> end]]");
    Xsha512 = "XSHA512" [], 0, LoggedIn, Required, LONG, Some("XSHA512"), Some("XSHA512 <SP> path [<SP> start [<SP> end]]");
    Clnt = "CLNT" [], 0, Always, Required, NONE, Some("CLNT"), Some("CLNT <SP> name");
    Auth = "AUTH" [], 2228, Always, Required, NONE, Some("AUTH TLS"), Some("AUTH <SP> TLS");
    Pbsz = "PBSZ" [], 2228, Always, Required, NONE, Some("PBSZ"), Some("PBSZ <SP> 0");
    Prot = "PROT" [], 2228, Always, Required, NONE, Some("PROT C;P;"), Some("PROT <SP> C | P");
    Ccc = "CCC" [], 2228, Always, None, NONE, Some("CCC"), Some("CCC");
    // Known words of the standards that this server does not offer: 502, and no abuse.
    Smnt = "SMNT" [], 959, LoggedIn, Required, NONE, None, None;
    Host = "HOST" [], 7151, Always, Required, NONE, None, None;
    Lang = "LANG" [], 2640, Always, Optional, NONE, None, None;
    Lprt = "LPRT" [], 1639, LoggedIn, Required, NONE, None, None;
    Lpsv = "LPSV" [], 1639, LoggedIn, None, NONE, None, None;
    Spsv = "SPSV" [], 0, LoggedIn, None, NONE, None, None;
    Spdt = "SPDT" [], 0, Always, Required, NONE, None, None;
    Rang = "RANG" [], 0, LoggedIn, Required, NONE, None, None;
    Mfct = "MFCT" [], 0, LoggedIn, Required, WRITES, None, None;
    Mff = "MFF" [], 0, LoggedIn, Required, WRITES, None, None;
    Avbl = "AVBL" [], 0, LoggedIn, Optional, NONE, None, None;
    Dsiz = "DSIZ" [], 0, LoggedIn, Optional, LONG, None, None;
    Thmb = "THMB" [], 0, LoggedIn, Required, LONG, None, None;
    Csid = "CSID" [], 0, LoggedIn, Required, NONE, None, None;
    Rmda = "RMDA" [], 0, LoggedIn, Required, WRITES_LONG, None, None;
    Md5 = "MD5" [], 0, LoggedIn, Required, LONG, None, None;
    Mmd5 = "MMD5" [], 0, LoggedIn, Required, LONG, None, None;
    Xquota = "XQUOTA" [], 0, LoggedIn, Ignored, NONE, None, None;
    Adat = "ADAT" [], 2228, Always, Required, NONE, None, None;
    Mic = "MIC" [], 2228, Always, Required, NONE, None, None;
    Conf = "CONF" [], 2228, Always, Required, NONE, None, None;
    Enc = "ENC" [], 2228, Always, Required, NONE, None, None;
    Mail = "MAIL" [], 765, LoggedIn, Optional, NONE, None, None;
    Mlfl = "MLFL" [], 765, LoggedIn, Optional, LONG, None, None;
    Xsen = "XSEN" ["MSND"], 737, LoggedIn, Required, NONE, None, None;
    Xsem = "XSEM" ["MSOM"], 737, LoggedIn, Required, NONE, None, None;
    Xmas = "XMAS" ["MSAM"], 737, LoggedIn, Required, NONE, None, None;
    Xrsq = "XRSQ" ["MRSQ"], 743, LoggedIn, Optional, NONE, None, None;
    Xrcp = "XRCP" ["MRCP"], 743, LoggedIn, Required, NONE, None, None;
}

impl Verb {
    /// Finds a verb by its spelling, without regard to case.
    pub fn find(word: &[u8]) -> Option<Self> {
        // A leading NUL would vanish in the key.
        if word.len() > 8 || matches!(word.first(), None | Some(0)) {
            return None;
        }
        let key = key(word);
        let mut slot = slot_of(key);
        loop {
            match SLOTS.get(slot).copied().flatten() {
                Some((known, verb)) if known == key => return Some(verb),
                Some(_) => slot = (slot + 1) % SLOT_COUNT,
                None => return None,
            }
        }
    }

    /// Its row.
    pub fn row(self) -> &'static Row {
        #[expect(
            clippy::indexing_slicing,
            reason = "the macro makes table and enum from one list"
        )]
        &TABLE[self as usize]
    }

    /// How it is written, upper case.
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// Whether this server offers it at all.
    pub fn is_offered(self) -> bool {
        self.row().syntax.is_some()
    }

    /// Whether its argument is a secret that no log may hold (RPL-09).
    pub const fn is_secret(self) -> bool {
        matches!(
            self,
            Self::Pass | Self::Acct | Self::Adat | Self::Mic | Self::Conf | Self::Enc
        )
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl fmt::Debug for Verb {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// A set of verbs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VerbSet(u128);

impl VerbSet {
    /// No verb.
    pub const EMPTY: Self = Self(0);

    /// The set with all of another one too.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The set with one more verb.
    #[must_use]
    pub const fn with(self, verb: Verb) -> Self {
        Self(self.0 | 1 << verb as u8)
    }

    /// Whether the verb is in the set.
    pub const fn contains(self, verb: Verb) -> bool {
        self.0 & 1 << verb as u8 != 0
    }
}

impl FromIterator<Verb> for VerbSet {
    fn from_iter<I: IntoIterator<Item = Verb>>(verbs: I) -> Self {
        verbs.into_iter().fold(Self::EMPTY, Self::with)
    }
}

/// Up to eight bytes, upper case, in one integer.
const fn key(word: &[u8]) -> u64 {
    let mut key = 0;
    let mut rest = word;
    while let [byte, tail @ ..] = rest {
        key = key << 8 | byte.to_ascii_uppercase() as u64;
        rest = tail;
    }
    key
}

const SLOT_COUNT: usize = 256;

const fn slot_of(key: u64) -> usize {
    (key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as usize
}

/// Open addressing over all spellings; under half full, so probing is short.
static SLOTS: [Option<(u64, Verb)>; SLOT_COUNT] = slots();

#[expect(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler: out of range does not build"
)]
const fn slots() -> [Option<(u64, Verb)>; SLOT_COUNT] {
    let mut slots = [None; SLOT_COUNT];
    let mut rest = SPELLINGS;
    while let [(key, verb), tail @ ..] = rest {
        let mut slot = slot_of(*key);
        while slots[slot].is_some() {
            slot = (slot + 1) % SLOT_COUNT;
        }
        slots[slot] = Some((*key, *verb));
        rest = tail;
    }
    slots
}

const _: () = assert!(TABLE.len() <= 128 && SPELLINGS.len() * 2 <= SLOT_COUNT);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_spelling_finds_its_verb_in_any_case() {
        for (index, row) in TABLE.iter().enumerate() {
            assert_eq!(row.verb as usize, index);
            for name in [row.name].iter().chain(row.aliases) {
                assert_eq!(Verb::find(name.as_bytes()), Some(row.verb), "{name}");
                assert_eq!(
                    Verb::find(name.to_lowercase().as_bytes()),
                    Some(row.verb),
                    "{name}"
                );
                assert!(name.len() <= 8);
            }
        }
        for word in ["", "FOO", "XCWDX", "USERUSERUSER", "\0USER", "EXEC"] {
            assert_eq!(Verb::find(word.as_bytes()), None, "{word}");
        }
    }

    #[test]
    fn cve_2015_3306_the_list_of_verbs_before_login_is_closed() {
        let open: Vec<&str> = TABLE
            .iter()
            .filter(|row| row.legal != Legal::LoggedIn && row.syntax.is_some())
            .map(|row| row.name)
            .collect();
        assert_eq!(
            open,
            [
                "USER", "PASS", "ACCT", "REIN", "QUIT", "OPTS", "HELP", "FEAT", "SYST", "NOOP",
                "STAT", "ABOR", "CLNT", "AUTH", "PBSZ", "PROT", "CCC"
            ]
        );
        for row in TABLE.iter().filter(|row| row.effect.writes) {
            assert_eq!(row.legal, Legal::LoggedIn, "{}", row.name);
        }
    }

    #[test]
    fn what_is_not_offered_is_not_announced() {
        for row in TABLE.iter().filter(|row| row.syntax.is_none()) {
            assert_eq!(row.feature, None, "{}", row.name);
        }
    }

    proptest! {
        #[test]
        fn only_spellings_are_found(word in "[A-Za-z0-9@]{0,9}") {
            let known = TABLE.iter().any(|row| {
                [row.name].iter().chain(row.aliases).any(|name| name.eq_ignore_ascii_case(&word))
            });
            prop_assert_eq!(Verb::find(word.as_bytes()).is_some(), known);
        }
    }
}
