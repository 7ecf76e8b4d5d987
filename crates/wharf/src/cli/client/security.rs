//! The flags of TLS, and the questions that it puts to a person.

use std::{
    io,
    path::{Path, PathBuf},
};

use wharf_client::{
    Answer, Question, Scheme, Site,
    ssh::HostKeyPin,
    tls::{Identity, Mode, Tls, Version},
};

use super::{
    ssh::{self, AnyPin},
    terminal::Terminal,
};
use crate::{cli::environment, exit::Failure};

/// Where agreed certificates stand, below the state directory.
const TRUST_STORE: &str = "trusted-certificates";

/// TLS of every client command.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Security {
    /// Whether an ftp:// URL is protected; ftpes:// is explicit, ftps:// implicit.
    #[arg(long, value_enum, value_name = "WHEN", help_heading = "TLS")]
    tls: Option<When>,
    /// Accept no older version.
    #[arg(
        long,
        value_enum,
        value_name = "VERSION",
        default_value_t,
        help_heading = "TLS"
    )]
    tls_min: Minimum,
    /// Trust the certificate authorities in this PEM file, and no others; may be repeated.
    #[arg(long, value_name = "FILE", help_heading = "TLS")]
    ca: Vec<PathBuf>,
    /// Refuse certificates that this PEM revocation list names; may be repeated.
    #[arg(long, value_name = "FILE", help_heading = "TLS")]
    crl: Vec<PathBuf>,
    /// Accept this certificate (sha256:HEX), key (sha256//BASE64) or SSH host key (SHA256:BASE64) and
    /// nothing else; may be repeated.
    #[arg(long, value_name = "PIN", conflicts_with_all = ["ca", "crl"], help_heading = "TLS")]
    pin: Vec<AnyPin>,
    /// Show this certificate to a server that asks for one (PEM).
    #[arg(long, value_name = "FILE", help_heading = "TLS")]
    cert: Option<PathBuf>,
    /// The certificate's private key, when it is not in the same file (PEM).
    #[arg(long, value_name = "FILE", requires = "cert", help_heading = "TLS")]
    key: Option<PathBuf>,
    /// Leave TLS on the control connection after the login; data stay protected.
    #[arg(long, help_heading = "TLS")]
    ccc: bool,
    /// Move data in clear when the server refuses to protect it.
    #[arg(long, help_heading = "TLS")]
    allow_clear_data: bool,
    /// Ask nothing; what would need an answer fails instead.
    #[arg(long, help_heading = "Login")]
    pub(super) batch: bool,
}

/// `--tls`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum When {
    /// Never: everything in clear, passwords too.
    None,
    /// When the server offers it; a password in clear needs a word at the terminal.
    Auto,
    /// Always, begun by AUTH TLS.
    Explicit,
    /// Always, from the first byte.
    Implicit,
}

/// `--tls-min`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum Minimum {
    /// TLS 1.2.
    #[default]
    #[value(name = "1.2")]
    Tls12,
    /// TLS 1.3.
    #[value(name = "1.3")]
    Tls13,
}

impl Security {
    /// What holds for a site.
    pub(super) fn of(&self, site: &Site) -> Result<Tls, Failure> {
        Ok(Tls {
            mode: self.mode(site)?,
            minimum: match self.tls_min {
                Minimum::Tls12 => Version::Tls12,
                Minimum::Tls13 => Version::Tls13,
            },
            authorities: self.ca.clone(),
            revocations: self.crl.clone(),
            pins: self
                .pin
                .iter()
                .filter_map(|pin| match pin {
                    AnyPin::Tls(pin) => Some(*pin),
                    AnyPin::HostKey(_) => None,
                })
                .collect(),
            identity: self.cert.clone().map(|certificate| Identity {
                key: self.key.clone().unwrap_or_else(|| certificate.clone()),
                certificate,
            }),
            trust_store: trust_store(&environment()),
            clear_data: self.allow_clear_data,
            clear_control: self.ccc,
        })
    }

    /// The host keys that are pinned.
    pub(super) fn host_key_pins(&self) -> Vec<HostKeyPin> {
        self.pin
            .iter()
            .filter_map(|pin| match pin {
                AnyPin::Tls(_) => None,
                AnyPin::HostKey(pin) => Some(*pin),
            })
            .collect()
    }

    fn mode(&self, site: &Site) -> Result<Mode, Failure> {
        let contradiction = |means: &str| {
            Failure::usage(format!(
                "{site} means {means}: leave out --tls, or use ftp:// with it"
            ))
        };
        match (site.scheme, self.tls) {
            (Scheme::Ftp, Some(When::None)) => Ok(Mode::Plain),
            (Scheme::Ftp, None | Some(When::Auto)) => Ok(Mode::Auto),
            (Scheme::Ftp | Scheme::Ftpes, Some(When::Explicit)) | (Scheme::Ftpes, None) => {
                Ok(Mode::Explicit)
            }
            (Scheme::Ftp, Some(When::Implicit)) if site.port == Scheme::Ftp.port() => {
                Err(Failure::usage(
                    "port 21 begins in clear: use ftps://, whose port is 990, or name the port",
                ))
            }
            (Scheme::Ftp | Scheme::Ftps, Some(When::Implicit)) | (Scheme::Ftps, None) => {
                Ok(Mode::Implicit)
            }
            (Scheme::Sftp | Scheme::Scp, None) => Ok(Mode::Plain),
            (Scheme::Sftp | Scheme::Scp, Some(_)) => Err(Failure::usage(format!(
                "{site} is SSH, which has no TLS: leave out --tls"
            ))),
            (Scheme::Tftp, None) => Ok(Mode::Plain),
            (Scheme::Tftp, Some(_)) => Err(Failure::usage(format!(
                "{site} is TFTP, which has no TLS: leave out --tls"
            ))),
            (Scheme::Ftpes, Some(_)) => Err(contradiction("explicit TLS")),
            (Scheme::Ftps, Some(_)) => Err(contradiction("implicit TLS")),
        }
    }
}

/// `$XDG_STATE_HOME/wharf` or `~/.local/state/wharf`; nowhere without a home.
fn trust_store(environment: &[(String, String)]) -> Option<PathBuf> {
    let variable = |wanted: &str| {
        environment
            .iter()
            .find(|(name, value)| name == wanted && !value.is_empty())
            .map(|(_, value)| Path::new(value))
            // The XDG specification: a relative path is to be ignored.
            .filter(|path| path.is_absolute())
    };
    let state = match variable("XDG_STATE_HOME") {
        Some(state) => state.to_owned(),
        None => variable("HOME")?.join(".local/state"),
    };
    Some(state.join("wharf").join(TRUST_STORE))
}

/// Puts a question to the person at the terminal.
pub(super) fn ask(question: &Question) -> Answer {
    let Some(mut terminal) = Terminal::open() else {
        return Answer::Nobody;
    };
    let asked = match question {
        Question::TrustCertificate {
            site,
            reason,
            certificate,
        } => {
            let names = match certificate.names.as_slice() {
                [] => String::new(),
                names => format!("  names        {}\n", names.join(", ")),
            };
            terminal.ask(&format!(
                "The certificate of {site} cannot be checked: {reason}.\n{names}  fingerprint  {}\n\
                 Compare the fingerprint with what the server's admin tells you.\n\
                 Trust this certificate? (yes: from now on, once: this time, anything else: no) ",
                certificate.fingerprint
            ))
        }
        Question::PasswordInClear { site } => terminal.ask(&format!(
            "{site} offers no TLS. Everybody on the way can read the password.\n\
             Send it nevertheless? (yes, anything else: no) "
        )),
        Question::TrustHostKey { host, reason, key } => {
            return ssh::trust(&mut terminal, host, reason, key);
        }
        _ => return Answer::Nobody,
    };
    understood(asked)
}

pub(super) fn understood(typed: io::Result<String>) -> Answer {
    match typed {
        Ok(line) if line.trim().eq_ignore_ascii_case("yes") => Answer::Always,
        Ok(line) if line.trim().eq_ignore_ascii_case("once") => Answer::Once,
        Ok(_) => Answer::No,
        Err(_) => Answer::Nobody,
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use wharf_client::Location;

    use super::*;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        security: Security,
    }

    fn mode(url: &str, flags: &[&str]) -> Result<Mode, String> {
        let line = Line::parse_from(["x"].iter().chain(flags));
        let site = Location::parse(url).unwrap().site;
        line.security
            .of(&site)
            .map(|tls| tls.mode)
            .map_err(|failure| failure.to_string())
    }

    /// TLS-50.
    #[test]
    fn scheme_and_flag_agree_on_how_tls_begins() {
        assert_eq!(mode("ftp://h/", &[]), Ok(Mode::Auto));
        assert_eq!(mode("ftpes://h/", &[]), Ok(Mode::Explicit));
        assert_eq!(mode("ftps://h/", &[]), Ok(Mode::Implicit));
        assert_eq!(mode("ftp://h/", &["--tls", "none"]), Ok(Mode::Plain));
        assert_eq!(mode("ftp://h/", &["--tls", "explicit"]), Ok(Mode::Explicit));
        assert_eq!(
            mode("ftp://h:2990/", &["--tls", "implicit"]),
            Ok(Mode::Implicit)
        );
        for (url, flag) in [
            ("ftp://h/", "implicit"),
            ("ftpes://h/", "none"),
            ("ftpes://h/", "auto"),
            ("ftps://h/", "explicit"),
        ] {
            assert!(mode(url, &["--tls", flag]).is_err(), "{url} {flag}");
        }
    }

    /// No flag that narrows trust is passed over in silence.
    #[test]
    fn pin_stands_alone() {
        let pin = format!("--pin=sha256:{}", "0".repeat(64));
        assert!(Line::try_parse_from(["x", &pin, &pin]).is_ok());
        for other in ["--ca=f", "--crl=f"] {
            assert!(Line::try_parse_from(["x", &pin, other]).is_err(), "{other}");
        }
    }

    #[test]
    fn trust_store_is_in_the_state_directory() {
        let of = |variables: &[(&str, &str)]| {
            let owned: Vec<(String, String)> = variables
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect();
            trust_store(&owned).map(|path| path.to_string_lossy().into_owned())
        };
        assert_eq!(
            of(&[("HOME", "/h"), ("XDG_STATE_HOME", "/s")]).as_deref(),
            Some("/s/wharf/trusted-certificates")
        );
        assert_eq!(
            of(&[("HOME", "/h"), ("XDG_STATE_HOME", "s")]).as_deref(),
            Some("/h/.local/state/wharf/trusted-certificates")
        );
        assert_eq!(of(&[]), None);
    }

    /// TLS-52: nothing but a whole word is an agreement.
    #[test]
    fn only_a_whole_word_agrees() {
        let answer = |text: &str| understood(Ok(text.to_owned()));
        assert_eq!(answer(" Yes "), Answer::Always);
        assert_eq!(answer("once"), Answer::Once);
        assert_eq!((answer("y"), answer("")), (Answer::No, Answer::No));
    }
}
