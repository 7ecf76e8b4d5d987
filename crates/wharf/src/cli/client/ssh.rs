//! The flags of SSH, and what SSH asks a person.
//!
//! Home directory, agent and user come from the environment, which nobody below the binary reads.

use std::{path::PathBuf, str::FromStr};

use wharf_client::{
    Answer, Prompt, Secret,
    ssh::{CopyProtocol, HostKeyFacts, HostKeyPin, Ssh, UnknownHosts},
    tls::Pin,
};

use super::terminal::Terminal;

/// The system's configuration of SSH's clients.
const SYSTEM_CONFIG: &str = "/etc/ssh/ssh_config";

/// The system's known hosts.
const SYSTEM_KNOWN_HOSTS: [&str; 2] = ["/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2"];

/// SSH of every client command.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct SshFlags {
    /// Log in with this key file; may be repeated.
    #[arg(short = 'i', long, value_name = "FILE", help_heading = "SSH")]
    identity: Vec<PathBuf>,
    /// Show this certificate of a key; may be repeated. FILE-cert.pub beside a key is found without.
    #[arg(long, value_name = "FILE", help_heading = "SSH")]
    certificate: Vec<PathBuf>,
    /// Offer no other keys of the agent than those of the named files.
    #[arg(long, help_heading = "SSH")]
    identities_only: bool,
    /// Use no agent.
    #[arg(long, help_heading = "SSH")]
    no_agent: bool,
    /// Look host keys up in this file, and write new ones there, instead of ~/.ssh/known_hosts.
    #[arg(long, value_name = "FILE", help_heading = "SSH")]
    known_hosts: Option<PathBuf>,
    /// Read this file instead of ~/.ssh/config and the system's; "none" reads none.
    #[arg(long, value_name = "FILE", help_heading = "SSH")]
    ssh_config: Option<PathBuf>,
    /// Go through these hosts: [USER@]HOST[:PORT], with commas between; "none" goes straight.
    #[arg(short = 'J', long, value_name = "HOSTS", help_heading = "SSH")]
    jump: Option<String>,
    /// Trust hosts that are seen for the first time; a changed key is refused all the same.
    #[arg(long, help_heading = "SSH")]
    accept_new: bool,
    /// Also offer algorithms that are no longer thought safe.
    #[arg(long, help_heading = "SSH")]
    ssh_legacy: bool,
    /// What scp:// and HOST:PATH speak.
    #[arg(
        long,
        value_enum,
        value_name = "PROTOCOL",
        default_value_t,
        help_heading = "SSH"
    )]
    copy_protocol: Copies,
    /// The old protocol for scp:// and HOST:PATH, as --copy-protocol=scp.
    #[arg(short = 'O', conflicts_with = "copy_protocol", help_heading = "SSH")]
    old_protocol: bool,
}

/// `--copy-protocol`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum Copies {
    /// SFTP; the old protocol where a server has no SFTP.
    #[default]
    Auto,
    /// SFTP and nothing else.
    Sftp,
    /// The old protocol, as scp -O.
    Scp,
}

/// `--pin`: a certificate or key of TLS, or a host key of SSH.
#[derive(Clone, Debug)]
pub(super) enum AnyPin {
    Tls(Pin),
    HostKey(HostKeyPin),
}

impl FromStr for AnyPin {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(pin) = text.parse() {
            return Ok(Self::HostKey(pin));
        }
        let pin = text.parse::<Pin>().map_err(|error| error.to_string())?;
        Ok(Self::Tls(pin))
    }
}

impl SshFlags {
    /// What holds, with what the environment says.
    pub(super) fn choices(&self, environment: &[(String, String)]) -> Ssh {
        let variable = |wanted: &str| {
            environment
                .iter()
                .find(|(name, value)| name == wanted && !value.is_empty())
                .map(|(_, value)| value.clone())
        };
        let home = variable("HOME").map(PathBuf::from);
        let config_files = match &self.ssh_config {
            Some(file) if file.as_os_str() == "none" => Vec::new(),
            Some(file) => vec![file.clone()],
            None => home
                .iter()
                .map(|home| home.join(".ssh/config"))
                .chain([PathBuf::from(SYSTEM_CONFIG)])
                .collect(),
        };
        Ssh {
            home,
            local_user: variable("USER").or_else(|| variable("LOGNAME")),
            config_files,
            known_hosts: self.known_hosts.clone(),
            system_known_hosts: SYSTEM_KNOWN_HOSTS.map(PathBuf::from).to_vec(),
            identities: self.identity.clone(),
            certificates: self.certificate.clone(),
            identities_only: self.identities_only,
            agent: variable("SSH_AUTH_SOCK")
                .filter(|_| !self.no_agent)
                .map(PathBuf::from),
            jump: self.jump.clone(),
            unknown_hosts: self.accept_new.then_some(UnknownHosts::Accept),
            legacy: self.ssh_legacy,
            copy: match self.copy_protocol {
                _ if self.old_protocol => CopyProtocol::Old,
                Copies::Auto => CopyProtocol::Auto,
                Copies::Sftp => CopyProtocol::Sftp,
                Copies::Scp => CopyProtocol::Old,
            },
            ..Ssh::default()
        }
    }
}

/// Asks whether a host key is to be trusted. As for ssh, typing the fingerprint agrees too.
pub(super) fn trust(
    terminal: &mut Terminal,
    host: &str,
    reason: &str,
    key: &HostKeyFacts,
) -> Answer {
    let typed = terminal.ask(&format!(
        "The host key of {host} cannot be checked: {reason}.\n  {}  {}\n\
         Compare the fingerprint with what the server's admin tells you.\n\
         Trust this host? (yes or the fingerprint: from now on, once: this time, anything else: no) ",
        key.algorithm, key.fingerprint
    ));
    match typed {
        Ok(line) if line.trim().parse() == Ok(key.fingerprint) => Answer::Always,
        typed => super::security::understood(typed),
    }
}

/// Lets the person at the terminal type an answer.
pub(super) fn answer(prompt: &Prompt) -> Option<Secret> {
    let mut terminal = Terminal::open()?;
    let typed = match prompt {
        Prompt::Passphrase { key, again } => {
            terminal.ask_secret(&format!("{}Passphrase of {key}: ", wrong(*again)))
        }
        Prompt::Password { login, again } => {
            terminal.ask_secret(&format!("{}Password of {login}: ", wrong(*again)))
        }
        Prompt::Interactive {
            login,
            instruction,
            text,
            echo,
        } => {
            let instruction = if instruction.is_empty() {
                String::new()
            } else {
                format!("{login} says: {instruction}\n")
            };
            let prompt = format!("{instruction}{login} asks: {text}");
            if *echo {
                terminal.ask(&prompt)
            } else {
                terminal.ask_secret(&prompt)
            }
        }
        _ => return None,
    };
    typed.ok().map(Secret::new)
}

const fn wrong(again: bool) -> &'static str {
    if again { "That was not it.\n" } else { "" }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        ssh: SshFlags,
    }

    fn choices(flags: &[&str], environment: &[(&str, &str)]) -> Ssh {
        let line = Line::parse_from(["x"].iter().chain(flags));
        let owned: Vec<(String, String)> = environment
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        line.ssh.choices(&owned)
    }

    #[test]
    fn environment_gives_home_user_and_agent() {
        let environment = [("HOME", "/h"), ("USER", "ann"), ("SSH_AUTH_SOCK", "/run/a")];
        let found = choices(&[], &environment);
        assert_eq!(found.local_user.as_deref(), Some("ann"));
        assert_eq!(found.agent, Some(PathBuf::from("/run/a")));
        assert_eq!(
            found.config_files,
            [
                PathBuf::from("/h/.ssh/config"),
                PathBuf::from(SYSTEM_CONFIG)
            ]
        );
        let found = choices(&["--no-agent", "--ssh-config", "none"], &environment);
        assert_eq!((found.agent, found.config_files), (None, Vec::new()));
    }

    #[test]
    fn unknown_hosts_are_asked_about_unless_told_otherwise() {
        assert_eq!(choices(&[], &[]).unknown_hosts, None);
        assert_eq!(
            choices(&["--accept-new"], &[]).unknown_hosts,
            Some(UnknownHosts::Accept)
        );
    }

    #[test]
    fn pin_of_a_host_key_is_told_from_one_of_tls() {
        let hash = "A".repeat(43);
        assert!(matches!(
            format!("SHA256:{hash}").parse(),
            Ok(AnyPin::HostKey(_))
        ));
        assert!(matches!(
            format!("sha256:{}", "ab".repeat(32)).parse(),
            Ok(AnyPin::Tls(_))
        ));
        assert!("SHA256:x".parse::<AnyPin>().is_err());
    }
}
