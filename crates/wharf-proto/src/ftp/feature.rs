//! FEAT: what a server says it can, both ways (RFC 2389 3).
//!
//! The server's list comes from the verb table, so that nothing is announced that is not wired and a
//! disabled verb leaves the list by itself. The client keeps what it read as labels and parameters.

use super::{
    facts::{Fact, FactSet},
    server::HashAlgorithm,
    verb::{TABLE, Verb, VerbSet},
};

/// Features without a verb of their own.
const PSEUDO: &[(&str, Verb)] = &[
    ("SITE CHMOD", Verb::Site),
    ("SITE UTIME", Verb::Site),
    ("TVFS", Verb::Cwd),
    ("UTF8", Verb::Opts),
];

impl HashAlgorithm {
    /// All, strongest of each kind first, as FEAT lists them.
    pub const ALL: [Self; 5] = [
        Self::Sha256,
        Self::Sha512,
        Self::Sha1,
        Self::Md5,
        Self::Crc32,
    ];

    /// The name in HASH and OPTS HASH (draft-ietf-ftpext2-hash).
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "SHA-256",
            Self::Sha512 => "SHA-512",
            Self::Sha1 => "SHA-1",
            Self::Md5 => "MD5",
            Self::Crc32 => "CRC32",
        }
    }

    /// Finds an algorithm by name, without regard to case.
    pub fn find(name: &[u8]) -> Option<Self> {
        let same = |algorithm: &Self| algorithm.name().as_bytes().eq_ignore_ascii_case(name);
        Self::ALL.into_iter().find(same)
    }
}

/// Appends the inner lines of the FEAT reply, each with its leading space and CR LF, in the order of
/// the alphabet: those of the table that are not hidden. `facts` and `hash` get their `*`.
pub fn encode_lines(hidden: VerbSet, facts: FactSet, hash: HashAlgorithm, out: &mut Vec<u8>) {
    let own = TABLE
        .iter()
        .filter_map(|row| row.feature.map(|label| (label, row.verb)));
    let mut features: Vec<(&str, Verb)> = own.chain(PSEUDO.iter().copied()).collect();
    features.retain(|(_, verb)| !hidden.contains(*verb));
    features.sort_unstable();
    for (label, verb) in features {
        out.push(b' ');
        out.extend_from_slice(label.as_bytes());
        match verb {
            Verb::Mlst => {
                out.push(b' ');
                facts.encode_feature(out);
            }
            Verb::Hash => {
                for (index, algorithm) in HashAlgorithm::ALL.into_iter().enumerate() {
                    out.push(if index == 0 { b' ' } else { b';' });
                    out.extend_from_slice(algorithm.name().as_bytes());
                    if algorithm == hash {
                        out.push(b'*');
                    }
                }
            }
            _ => {}
        }
        out.extend_from_slice(b"\r\n");
    }
}

/// One feature of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Feature {
    /// The first word, upper case.
    pub label: String,
    /// The rest of the line.
    pub parameters: Vec<u8>,
}

/// What a server said it can.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Features(Vec<Feature>);

impl Features {
    /// Reads the inner lines of a 211 reply (without their line ends).
    pub fn parse<L: AsRef<[u8]>>(lines: impl IntoIterator<Item = L>) -> Self {
        let feature = |line: L| {
            let line = line.as_ref().trim_ascii();
            let end = line
                .iter()
                .position(|&byte| byte == b' ')
                .unwrap_or(line.len());
            let (label, rest) = line.split_at_checked(end)?;
            (!label.is_empty()).then(|| Feature {
                label: String::from_utf8_lossy(label).to_ascii_uppercase(),
                parameters: rest.trim_ascii().to_vec(),
            })
        };
        Self(lines.into_iter().filter_map(feature).collect())
    }

    /// All, in the server's order.
    pub fn iter(&self) -> impl Iterator<Item = &Feature> {
        self.0.iter()
    }

    /// Whether nothing was announced.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the label is announced (upper case).
    pub fn has(&self, label: &str) -> bool {
        self.parameters(label).is_some()
    }

    /// The parameters of the first line with this label (upper case).
    pub fn parameters(&self, label: &str) -> Option<&[u8]> {
        let found = self.0.iter().find(|feature| feature.label == label)?;
        Some(&found.parameters)
    }

    /// Whether a line with this label and, as its first word, this parameter is announced, as in
    /// `SITE UTIME`, `REST STREAM`, `AUTH TLS`. Case does not matter; a `;` ends a word too.
    pub fn has_with(&self, label: &str, parameter: &str) -> bool {
        let matches = |feature: &Feature| {
            feature.label == label
                && feature
                    .parameters
                    .split(|byte| matches!(byte, b' ' | b';'))
                    .any(|word| word.eq_ignore_ascii_case(parameter.as_bytes()))
        };
        self.0.iter().any(matches)
    }

    /// The facts of MLST and those that are on; `None` without MLST.
    pub fn facts(&self) -> Option<(FactSet, FactSet)> {
        self.parameters("MLST").map(FactSet::parse_feature)
    }

    /// The algorithms of HASH that are known here, and the one that is on.
    pub fn hashes(&self) -> (Vec<HashAlgorithm>, Option<HashAlgorithm>) {
        let mut all = Vec::new();
        let mut selected = None;
        for word in self
            .parameters("HASH")
            .unwrap_or_default()
            .split(|&byte| byte == b';')
        {
            let (name, on) = word
                .strip_suffix(b"*")
                .map_or((word, false), |name| (name, true));
            if let Some(algorithm) = HashAlgorithm::find(name.trim_ascii()) {
                all.push(algorithm);
                if on {
                    selected = Some(algorithm);
                }
            }
        }
        (all, selected)
    }

    /// Whether the `type` fact can be asked for: without it MLSD is of little use.
    pub fn has_typed_facts(&self) -> bool {
        self.facts()
            .is_some_and(|(all, _)| all.contains(Fact::Type))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(disabled: VerbSet) -> Vec<String> {
        let mut out = Vec::new();
        encode_lines(disabled, FactSet::DEFAULT, HashAlgorithm::Sha256, &mut out);
        String::from_utf8(out)
            .unwrap()
            .lines()
            .map(str::to_owned)
            .collect()
    }

    #[test]
    fn feat_lists_what_is_wired_in_order() {
        assert_eq!(
            lines(VerbSet::EMPTY),
            [
                " AUTH TLS",
                " CCC",
                " CLNT",
                " EPRT",
                " EPSV",
                " HASH SHA-256*;SHA-512;SHA-1;MD5;CRC32",
                " MDTM",
                " MFMT",
                " MLST type*;size*;modify*;create*;perm*;unique*;UNIX.mode*;UNIX.owner*;UNIX.group*;media-type;",
                " PBSZ",
                " PROT C;P;",
                " REST STREAM",
                " SITE CHMOD",
                " SITE UTIME",
                " SIZE",
                " TVFS",
                " UTF8",
                " XCRC",
                " XMD5",
                " XSHA1",
                " XSHA256",
                " XSHA512",
            ]
        );
    }

    #[test]
    fn disabled_verbs_leave_the_list() {
        let disabled = VerbSet::EMPTY.with(Verb::Site).with(Verb::Mlst);
        assert!(
            !lines(disabled)
                .iter()
                .any(|line| line.starts_with(" SITE") || line.starts_with(" MLST"))
        );
    }

    #[test]
    fn the_client_reads_what_the_server_writes() {
        let features = Features::parse(lines(VerbSet::EMPTY));
        assert!(features.has("SIZE") && !features.has("ADAT"));
        assert!(features.has_with("SITE", "utime") && features.has_with("REST", "STREAM"));
        assert!(features.has_with("AUTH", "TLS") && features.has_with("PROT", "P"));
        assert_eq!(features.facts(), Some((FactSet::ALL, FactSet::DEFAULT)));
        assert_eq!(
            features.hashes(),
            (HashAlgorithm::ALL.to_vec(), Some(HashAlgorithm::Sha256))
        );
        assert!(features.has_typed_facts());
        let other = Features::parse(["  AUTH TLS;SSL ", "mlst size*;", ""]);
        assert!(other.has_with("AUTH", "SSL") && !other.has_typed_facts());
    }
}
