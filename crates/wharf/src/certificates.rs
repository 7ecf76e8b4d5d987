//! Certificates in words: for the log, and for `wharf check`.
//!
//! A certificate that ends soon is the commonest way for a TLS server to fail, so its end is shown
//! wherever certificates are.

use std::path::Path;

use wharf_engine::tls::{CertificateFacts, Origin};

const DAY: i64 = 86_400;
/// So much time before its end an administrator should act.
const SOON: i64 = 30 * DAY;

/// How much longer a certificate is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Validity {
    /// Long enough.
    Good,
    /// For so many whole days only.
    EndsSoon(i64),
    /// No more.
    Expired,
    /// Not yet: it is for later, or this host's clock is wrong.
    NotYet,
}

/// Whether a certificate is good at `now` (seconds since 1970 UTC).
pub(crate) const fn validity(facts: &CertificateFacts, now: i64) -> Validity {
    let left = facts.not_after - now;
    if now < facts.not_before {
        Validity::NotYet
    } else if left < 0 {
        Validity::Expired
    } else if left < SOON {
        Validity::EndsSoon(left / DAY)
    } else {
        Validity::Good
    }
}

/// The names that clients see it for; a certificate without any has its subject.
pub(crate) fn names(facts: &CertificateFacts) -> String {
    if facts.names.is_empty() {
        facts.subject.clone()
    } else {
        facts.names.join(", ")
    }
}

/// Where it comes from.
pub(crate) fn place(facts: &CertificateFacts) -> String {
    match &facts.origin {
        Origin::Files(source) => source.certificate.display().to_string(),
        Origin::Installed => "obtained by ACME".to_owned(),
    }
}

/// That a service of this user and group cannot read a file that will be renewed, and the mend.
pub(crate) fn unreadable(file: &Path, user: u32, group: u32) -> String {
    let file = file.display();
    format!(
        "the service runs as user {user}, group {group}, which cannot read {file}: it is read at the \
         start only, a renewed one will not be taken up. Let whatever renews it also run \
         `chgrp {group} {file} && chmod g+r {file}` and give that group g+x on the directories above, \
         or restart the service after each renewal (systemctl restart); a reload (SIGHUP) does not help"
    )
}

/// Names, end and fingerprint in one line.
pub(crate) fn line(facts: &CertificateFacts) -> String {
    format!(
        "{} until {}, sha256:{}",
        names(facts),
        date(facts.not_after),
        hex(&facts.sha256)
    )
}

/// A digest in lower case, as account rules and clients' pins are written.
pub(crate) fn hex(digest: &[u8]) -> String {
    digest.iter().map(|octet| format!("{octet:02x}")).collect()
}

/// The day of a moment (seconds since 1970 UTC), as 2030-12-31. Proleptic Gregorian calendar.
pub(crate) fn date(moment: i64) -> String {
    // Days since 0000-03-01: years begin in March, so that the leap day is the last of its year.
    let days = moment.div_euclid(DAY) + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let (month, year) = if month < 10 {
        (month + 3, era * 400 + year)
    } else {
        (month - 9, era * 400 + year + 1)
    };
    format!("{year:04}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(not_before: i64, not_after: i64) -> CertificateFacts {
        CertificateFacts {
            names: vec!["ftp.example.org".to_owned(), "192.0.2.7".to_owned()],
            subject: "CN=ftp.example.org".to_owned(),
            issuer: "CN=ftp.example.org".to_owned(),
            not_before,
            not_after,
            sha256: [0x0f; 32],
            self_signed: true,
            origin: Origin::Installed,
            key_exposed: false,
        }
    }

    #[test]
    fn an_end_within_thirty_days_is_soon() {
        let facts = facts(1_000, 1_000 + 90 * DAY);
        for (now, expected) in [
            (999, Validity::NotYet),
            (1_000, Validity::Good),
            (1_000 + 60 * DAY, Validity::Good),
            (1_001 + 60 * DAY, Validity::EndsSoon(29)),
            (1_000 + 90 * DAY, Validity::EndsSoon(0)),
            (1_001 + 90 * DAY, Validity::Expired),
        ] {
            assert_eq!(validity(&facts, now), expected, "at {now}");
        }
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (moment, day) in [
            (0, "1970-01-01"),
            (-1, "1969-12-31"),
            (951_782_400, "2000-02-29"),
            (951_868_800, "2000-03-01"),
            (4_107_542_400, "2100-03-01"),
            (1_924_991_999, "2030-12-31"),
        ] {
            assert_eq!(date(moment), day);
        }
    }

    #[test]
    fn a_line_has_names_end_and_fingerprint() {
        let line = line(&facts(0, 951_782_400));
        let digest = "0f".repeat(32);
        assert_eq!(
            line,
            format!("ftp.example.org, 192.0.2.7 until 2000-02-29, sha256:{digest}")
        );
    }
}
